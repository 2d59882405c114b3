//! The text that is being written: a string, a caret, and placeholders that behave as one character.
//!
//! The caret is a byte offset and always on a boundary: between two grapheme clusters, at an edge
//! of a placeholder, never inside either. Every change goes through [`Text::replace`], which keeps
//! the caret, the placeholders and the undo steps right.

use std::ops::Range;

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use super::undo::{Edit, EditKind, Undo};

/// A placeholder: a part of the text that stands for something else and is edited as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Atom {
    /// Where its label is, in bytes.
    pub range: Range<usize>,
    /// What it stands for.
    pub id: u32,
}

/// Text with placeholders, taken out of a [`Text`] or on its way in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// The text, labels included.
    pub text: String,
    /// Placeholders in it, in order.
    pub atoms: Vec<Atom>,
}

impl Piece {
    /// Appends another.
    pub fn push(&mut self, other: &Self) {
        let shift = self.text.len();
        self.text.push_str(&other.text);
        self.atoms.extend(other.atoms.iter().map(|atom| Atom {
            range: atom.range.start + shift..atom.range.end + shift,
            id: atom.id,
        }));
    }

    /// The piece with its text changed, placeholders aside.
    #[must_use]
    pub fn map(&self, change: impl Fn(&str) -> String) -> Self {
        let mut out = Self::default();
        let mut from = 0;
        for atom in &self.atoms {
            out.text.push_str(&change(&self.text[from..atom.range.start]));
            let start = out.text.len();
            out.text.push_str(&self.text[atom.range.clone()]);
            out.atoms.push(Atom { range: start..out.text.len(), id: atom.id });
            from = atom.range.end;
        }
        out.text.push_str(&change(&self.text[from..]));
        out
    }
}

impl From<&str> for Piece {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), atoms: Vec::new() }
    }
}

/// Editable text.
#[derive(Clone, Debug, Default)]
pub struct Text {
    text: String,
    caret: usize,
    /// In order, apart, none empty.
    atoms: Vec<Atom>,
    undo: Undo,
    revision: u64,
}

impl Text {
    /// The text, labels of placeholders included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the caret is, in bytes.
    #[must_use]
    pub fn caret(&self) -> usize {
        self.caret
    }

    /// The placeholders, in order.
    #[must_use]
    pub fn atoms(&self) -> &[Atom] {
        &self.atoms
    }

    /// Changes with every change of the text.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Moves the caret to the boundary at or before an offset.
    pub fn set_caret(&mut self, at: usize) {
        self.caret = self.boundary_at_or_before(at);
        self.undo.close();
    }

    /// Everything, as a piece.
    #[must_use]
    pub fn piece(&self, range: Range<usize>) -> Piece {
        let atoms = self
            .atoms
            .iter()
            .filter(|atom| range.start <= atom.range.start && atom.range.end <= range.end);
        let atoms = atoms.map(|atom| Atom {
            range: atom.range.start - range.start..atom.range.end - range.start,
            id: atom.id,
        });
        Piece { text: self.text[range.clone()].to_owned(), atoms: atoms.collect() }
    }

    /// Replaces everything and puts the caret at the end. What was there can be undone.
    pub fn set(&mut self, piece: &Piece) {
        self.replace(0..self.text.len(), piece, EditKind::Other);
        self.caret = self.text.len();
    }

    /// Forgets text and undo steps.
    pub fn reset(&mut self) {
        *self = Self { revision: self.revision + 1, ..Self::default() };
    }

    /// Inserts at the caret.
    pub fn insert(&mut self, piece: &Piece, kind: EditKind) {
        self.replace(self.caret..self.caret, piece, kind);
    }

    /// Replaces a range, widened to whole graphemes and placeholders, and puts the caret behind what
    /// was inserted. Returns what was there.
    ///
    /// Control characters other than newline and tabulator are left out, and every line end
    /// becomes a newline.
    pub fn replace(&mut self, range: Range<usize>, piece: &Piece, kind: EditKind) -> Piece {
        let start = self.boundary_at_or_before(range.start);
        let end = self.boundary_at_or_after(range.end.max(start));
        let clean = clean(piece);
        let piece = clean.as_ref().unwrap_or(piece);
        let removed = self.piece(start..end);
        if removed.text.is_empty() && piece.text.is_empty() {
            return removed;
        }
        let before = self.caret;
        self.splice(start..end, piece);
        let caret = start + piece.text.len();
        self.undo.push(
            Edit { at: start, removed: removed.clone(), inserted: piece.clone(), caret: before },
            kind,
        );
        // What was inserted may have joined what follows.
        self.caret = self.boundary_at_or_after(caret);
        removed
    }

    /// Takes back the last step; false when there is none.
    pub fn undo(&mut self) -> bool {
        let Some(edits) = self.undo.undo() else { return false };
        for edit in edits.iter().rev() {
            self.splice(edit.at..edit.at + edit.inserted.text.len(), &edit.removed);
            self.caret = self.boundary_at_or_before(edit.caret);
        }
        true
    }

    /// Does again what was taken back; false when there is nothing.
    pub fn redo(&mut self) -> bool {
        let Some(edits) = self.undo.redo() else { return false };
        for edit in &edits {
            self.splice(edit.at..edit.at + edit.removed.text.len(), &edit.inserted);
            self.caret = self.boundary_at_or_after(edit.at + edit.inserted.text.len());
        }
        true
    }

    /// From now on all changes are one step, once [`Self::end_group`] has been called. Until then
    /// they are undone one by one.
    pub fn begin_group(&mut self) {
        self.undo.begin_group();
    }

    /// Makes one step of the changes since [`Self::begin_group`], as far as they are still there.
    pub fn end_group(&mut self) {
        self.undo.end_group();
    }

    fn splice(&mut self, range: Range<usize>, piece: &Piece) {
        self.text.replace_range(range.clone(), &piece.text);
        self.atoms.retain(|atom| atom.range.end <= range.start || range.end <= atom.range.start);
        let shift = |at: usize| at - (range.end - range.start) + piece.text.len();
        for atom in self.atoms.iter_mut().filter(|atom| range.end <= atom.range.start) {
            atom.range = shift(atom.range.start)..shift(atom.range.end);
        }
        let at = self.atoms.partition_point(|atom| atom.range.start < range.start);
        let moved = piece.atoms.iter().map(|atom| Atom {
            range: atom.range.start + range.start..atom.range.end + range.start,
            id: atom.id,
        });
        self.atoms.splice(at..at, moved);
        self.revision += 1;
    }

    /// The placeholder that touches an offset on its right side, on its left side, or around it.
    fn atom_around(&self, at: usize) -> Option<&Atom> {
        self.atoms.iter().find(|atom| atom.range.start < at && at < atom.range.end)
    }

    /// The placeholder that begins at an offset.
    #[must_use]
    pub fn atom_from(&self, at: usize) -> Option<&Atom> {
        self.atoms.iter().find(|atom| atom.range.start == at)
    }

    /// The placeholder that ends at an offset.
    #[must_use]
    pub fn atom_to(&self, at: usize) -> Option<&Atom> {
        self.atoms.iter().find(|atom| atom.range.end == at)
    }

    /// The stretch without placeholders around an offset that is in none.
    fn gap(&self, at: usize) -> Range<usize> {
        let next = self.atoms.partition_point(|atom| atom.range.end <= at);
        let start = next.checked_sub(1).map_or(0, |index| self.atoms[index].range.end);
        let end = self.atoms.get(next).map_or(self.text.len(), |atom| atom.range.start);
        start..end
    }

    fn is_boundary(&self, at: usize) -> bool {
        if at > self.text.len() || !self.text.is_char_boundary(at) || self.atom_around(at).is_some()
        {
            return false;
        }
        let gap = self.gap(at);
        if at <= gap.start || at >= gap.end {
            return true;
        }
        let slice = &self.text[gap.clone()];
        let mut cursor = GraphemeCursor::new(at - gap.start, slice.len(), true);
        cursor.is_boundary(slice, 0).unwrap_or(true)
    }

    /// The boundary at or before an offset.
    #[must_use]
    pub fn boundary(&self, at: usize) -> usize {
        self.boundary_at_or_before(at)
    }

    fn boundary_at_or_before(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        if let Some(atom) = self.atom_around(at) {
            return atom.range.start;
        }
        while !self.is_boundary(at) {
            at -= 1;
        }
        at
    }

    fn boundary_at_or_after(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        if let Some(atom) = self.atom_around(at) {
            return atom.range.end;
        }
        while !self.is_boundary(at) {
            at += 1;
        }
        at
    }

    /// The boundary before an offset that is one.
    #[must_use]
    pub fn before(&self, at: usize) -> usize {
        if let Some(atom) = self.atom_to(at) {
            return atom.range.start;
        }
        // Behind a placeholder's end lies a gap that holds `at` as its end.
        let start = self.atoms.iter().rev().find(|atom| atom.range.end < at);
        let start = start.map_or(0, |atom| atom.range.end);
        self.text[start..at].grapheme_indices(true).next_back().map_or(at, |(i, _)| start + i)
    }

    /// The boundary after an offset that is one.
    #[must_use]
    pub fn after(&self, at: usize) -> usize {
        if let Some(atom) = self.atom_from(at) {
            return atom.range.end;
        }
        let gap = self.gap(at);
        self.text[at..gap.end].graphemes(true).next().map_or(at, |grapheme| at + grapheme.len())
    }

    /// So many boundaries to the right, within the line.
    #[must_use]
    pub fn right(&self, at: usize, times: usize) -> usize {
        let (mut at, end) = (at, self.line_end(at));
        for _ in 0..times {
            if at >= end {
                break;
            }
            at = self.after(at);
        }
        at
    }

    /// So many boundaries to the left, within the line.
    #[must_use]
    pub fn left(&self, at: usize, times: usize) -> usize {
        let (mut at, start) = (at, self.line_start(at));
        for _ in 0..times {
            if at <= start {
                break;
            }
            at = self.before(at);
        }
        at
    }

    /// Start of the line that holds an offset.
    #[must_use]
    pub fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// End of the line that holds an offset, before its newline.
    #[must_use]
    pub fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline)
    }

    /// Start of the word before an offset: a placeholder counts as one.
    #[must_use]
    pub fn word_before(&self, at: usize) -> usize {
        let mut at = at;
        while at > 0 {
            if let Some(atom) = self.atom_to(at) {
                return atom.range.start;
            }
            let start = self.atoms.iter().rev().find(|atom| atom.range.end < at);
            let start = start.map_or(0, |atom| atom.range.end);
            for (index, word) in self.text[start..at].split_word_bound_indices().rev() {
                at = start + index;
                if is_word(word) {
                    return self.boundary_at_or_before(at);
                }
            }
        }
        0
    }

    /// End of the word after an offset.
    #[must_use]
    pub fn word_after(&self, at: usize) -> usize {
        let mut at = at;
        while at < self.text.len() {
            if let Some(atom) = self.atom_from(at) {
                return atom.range.end;
            }
            let end = self.gap(at).end;
            for (index, word) in self.text[at..end].split_word_bound_indices() {
                if is_word(word) {
                    return self.boundary_at_or_after(at + index + word.len());
                }
            }
            at = end;
        }
        self.text.len()
    }

    /// Start of the run without white space before an offset, and of the space behind it.
    #[must_use]
    pub fn blank_word_before(&self, at: usize) -> usize {
        let is_space = |at: usize| self.atom_to(at).is_none() && self.space_before(at);
        let mut at = at;
        while at > 0 && is_space(at) {
            at = self.before(at);
        }
        while at > 0 && !is_space(at) {
            at = self.before(at);
        }
        at
    }

    fn space_before(&self, at: usize) -> bool {
        self.text[..at].chars().next_back().is_some_and(char::is_whitespace)
    }
}

fn is_word(word: &str) -> bool {
    word.chars().any(|c| c.is_alphanumeric() || c == '_')
}

/// Whether a character may be in the text.
fn is_kept(char: char) -> bool {
    matches!(char, '\n' | '\t') || !char.is_control()
}

/// The piece without control characters; `None` when it has none.
fn clean(piece: &Piece) -> Option<Piece> {
    if piece.text.chars().all(is_kept) {
        return None;
    }
    // Labels hold no control characters, so that only gaps change.
    Some(piece.map(without_controls))
}

/// Text whose line ends are newlines and that has no other control character but tabulators.
/// Escape sequences lose their escape only: what they would have done is then plain to see.
#[must_use]
pub fn without_controls(text: &str) -> String {
    // A control character, or the first byte of one: a long paste is searched by bytes.
    let may_go = |byte: u8| matches!(byte, 0..=0x08 | 0x0b..=0x1f | 0x7f | 0xc2);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.bytes().position(may_go) {
        out.push_str(&rest[..at]);
        let mut chars = rest[at..].chars();
        let char = chars.next();
        rest = chars.as_str();
        match char {
            Some('\r') if rest.starts_with('\n') => {}
            Some('\r') => out.push('\n'),
            Some(char) if is_kept(char) => out.push(char),
            _ => {}
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(written: &str) -> Text {
        let mut text = Text::default();
        text.set(&written.into());
        text
    }

    fn with_atom() -> Text {
        let mut text = text("ab ");
        let label = Piece { text: "[P #1]".into(), atoms: vec![Atom { range: 0..6, id: 1 }] };
        text.insert(&label, EditKind::Other);
        text.insert(&" cd".into(), EditKind::Other);
        text
    }

    #[test]
    fn the_caret_steps_over_what_is_seen_as_one() {
        let family = "👨\u{200d}👩\u{200d}👧";
        let text = text(&format!("e\u{301}漢{family}🇩🇪x"));
        let mut stops = vec![text.caret()];
        while *stops.last().unwrap() > 0 {
            stops.push(text.before(*stops.last().unwrap()));
        }
        let lengths: Vec<usize> = stops.windows(2).map(|pair| pair[0] - pair[1]).collect();
        assert_eq!(lengths, [1, 8, family.len(), 3, 3]);
        let mut at = 0;
        for stop in stops.iter().rev().skip(1) {
            at = text.after(at);
            assert_eq!(at, *stop);
        }
    }

    #[test]
    fn a_placeholder_is_one_character() {
        let mut text = with_atom();
        assert_eq!(text.as_str(), "ab [P #1] cd");
        assert_eq!((text.before(9), text.after(3)), (3, 9));
        text.set_caret(6);
        assert_eq!(text.caret(), 3, "never inside");
        assert_eq!((text.word_before(9), text.word_after(2), text.blank_word_before(9)), (3, 9, 3));
        let removed = text.replace(8..9, &Piece::default(), EditKind::Other);
        assert_eq!((removed.text.as_str(), removed.atoms.len()), ("[P #1]", 1));
        assert_eq!(text.as_str(), "ab  cd");
        assert!(text.atoms().is_empty());
        assert!(text.undo());
        assert_eq!(text.atoms(), [Atom { range: 3..9, id: 1 }]);
        // What is inserted before it moves it.
        text.replace(0..1, &"xyz".into(), EditKind::Other);
        assert_eq!(text.atoms(), [Atom { range: 5..11, id: 1 }]);
    }

    #[test]
    fn what_is_inserted_has_no_control_characters() {
        let mut text = text("a\r\nb\rc\u{1b}[31md\u{7}\te\u{9b}f\u{7f}");
        assert_eq!(text.as_str(), "a\nb\nc[31md\tef");
        let label = Piece { text: "\u{8}[P]\r".into(), atoms: vec![Atom { range: 1..4, id: 1 }] };
        text.set(&label);
        assert_eq!((text.as_str(), text.atoms()), ("[P]\n", &[Atom { range: 0..3, id: 1 }][..]));
    }

    #[test]
    fn words_are_those_of_people() {
        let text = text("let x_1 = foo.bar(漢字); wörter");
        let end = text.as_str().len();
        let mut at = end;
        let mut starts = Vec::new();
        while at > 0 {
            at = text.word_before(at);
            starts.push(&text.as_str()[at..text.word_after(at)]);
        }
        assert_eq!(starts, ["wörter", "字", "漢", "foo.bar", "x_1", "let"]);
        let bar = text.as_str().find("漢").unwrap();
        assert_eq!(&text.as_str()[text.blank_word_before(bar)..bar], "foo.bar(");
    }

    #[test]
    fn typing_is_undone_word_by_word() {
        let mut text = Text::default();
        for char in "one two".chars() {
            text.insert(&char.to_string().as_str().into(), EditKind::Type);
        }
        assert!(text.undo());
        assert_eq!(text.as_str(), "one ");
        assert!(text.undo());
        assert_eq!(text.as_str(), "");
        assert!(!text.undo());
        assert!(text.redo() && text.redo() && !text.redo());
        assert_eq!((text.as_str(), text.caret()), ("one two", 7));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(String),
        Atom,
        Back,
        Delete,
        Left,
        Right,
        WordLeft,
        WordRight,
        KillToEnd,
        Set(usize),
        Undo,
        Redo,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let words = prop::sample::select(vec![
            "a", " ", "\n", "漢字", "e", "\u{301}", "👨", "\u{200d}", "🇩", "🇪", "\r\n", "\u{1b}",
            "x y", "\u{fe0f}", "각", "\u{1100}", "\t",
        ]);
        prop_oneof![
            4 => words.prop_map(|word| Step::Insert(word.to_owned())),
            1 => Just(Step::Atom),
            2 => Just(Step::Back),
            1 => Just(Step::Delete),
            2 => Just(Step::Left),
            1 => Just(Step::Right),
            1 => Just(Step::WordLeft),
            1 => Just(Step::WordRight),
            1 => Just(Step::KillToEnd),
            1 => (0_usize..60).prop_map(Step::Set),
            2 => Just(Step::Undo),
            1 => Just(Step::Redo),
        ]
    }

    fn check(text: &Text) {
        assert!(text.is_boundary(text.caret()), "{text:?}");
        let mut end = 0;
        for atom in text.atoms() {
            assert!(end <= atom.range.start && atom.range.start < atom.range.end, "{text:?}");
            assert_eq!(&text.as_str()[atom.range.clone()], "[P]");
            end = atom.range.end;
        }
        assert!(text.as_str().chars().all(is_kept));
    }

    proptest! {
        #[test]
        fn control_characters_go_and_nothing_else(text in "[a-z\r\n\t\u{0}-\u{1f}\u{7f}-\u{c5}漢]{0,20}") {
            let lines = text.replace("\r\n", "\n").replace('\r', "\n");
            let want: String = lines.chars().filter(|char| is_kept(*char)).collect();
            prop_assert_eq!(without_controls(&text), want);
        }

        /// The caret is on a boundary and the text is that of a plain string, whatever is done.
        #[test]
        fn it_is_a_string_with_a_caret(steps in prop::collection::vec(any_step(), 0..60)) {
            let mut text = Text::default();
            let mut states: Vec<String> = vec![String::new()];
            for step in steps {
                let before = text.as_str().to_owned();
                let caret = text.caret();
                match step {
                    Step::Insert(word) => {
                        text.insert(&word.as_str().into(), EditKind::Other);
                        let mut model = before.clone();
                        model.insert_str(caret, &without_controls(&word));
                        prop_assert_eq!(text.as_str(), model);
                    }
                    Step::Atom => {
                        let atoms = vec![Atom { range: 0..3, id: 1 }];
                        text.insert(&Piece { text: "[P]".into(), atoms }, EditKind::Other);
                    }
                    Step::Back | Step::Delete => {
                        let range = if matches!(step, Step::Back) {
                            text.before(caret)..caret
                        } else {
                            caret..text.after(caret)
                        };
                        text.replace(range.clone(), &Piece::default(), EditKind::Other);
                        let mut model = before.clone();
                        model.replace_range(range, "");
                        prop_assert_eq!(text.as_str(), model);
                    }
                    Step::Left => text.set_caret(text.before(caret)),
                    Step::Right => text.set_caret(text.after(caret)),
                    Step::WordLeft => text.set_caret(text.word_before(caret)),
                    Step::WordRight => text.set_caret(text.word_after(caret)),
                    Step::KillToEnd => {
                        text.replace(caret..text.line_end(caret), &Piece::default(), EditKind::Other);
                    }
                    Step::Set(at) => text.set_caret(at),
                    Step::Undo => {
                        if text.undo() {
                            prop_assert!(states.contains(&text.as_str().to_owned()));
                        }
                    }
                    Step::Redo => {
                        if text.redo() {
                            prop_assert!(states.contains(&text.as_str().to_owned()));
                        }
                    }
                }
                check(&text);
                states.push(text.as_str().to_owned());
            }
            while text.undo() {
                check(&text);
            }
            prop_assert_eq!(text.as_str(), "");
        }
    }
}
