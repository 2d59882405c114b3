//! Vim keys: normal mode with counts, operators and motions. Insert mode is the composer's own.
//!
//! ```text
//! state      on                             next
//! Normal     i a I A o O s S C              Insert (the composer takes keys)
//!            d c y                          Operator
//!            r f F t T                      Character
//!            0–9                            Normal, with a count
//! Operator   a motion, or its own letter    Normal, or Insert after `c`
//!            f F t T                        Character
//!            Esc, anything else             Normal
//! Character  a character                    Normal, or Insert after `c`
//! Insert     Esc                            Normal
//! ```

use std::ops::Range;

use super::{
    text::{Piece, Text},
    undo::EditKind,
};
use crate::key::{Key, KeyCode};

/// Largest count that is taken.
const COUNT_MAX: usize = 9_999;

/// What keys mean now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VimMode {
    /// Keys write.
    #[default]
    Insert,
    /// Keys are commands.
    Normal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Change,
    Delete,
    Yank,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Find {
    /// `f` or `F`: onto it. `t` or `T`: next to it.
    To { forward: bool, till: bool },
    /// `r`.
    Replace,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    count: usize,
    operator: Option<(Operator, usize)>,
    find: Option<Find>,
    /// After `g`.
    is_g: bool,
}

/// The state of vim keys.
#[derive(Clone, Debug, Default)]
pub struct Vim {
    mode: VimMode,
    pending: Pending,
    /// What was deleted or yanked, and whether it is whole lines.
    register: (Piece, bool),
    last_find: Option<(Find, char)>,
}

/// What a key in normal mode leaves to the composer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VimKey {
    /// Done.
    Done,
    /// One row up or down, that many times.
    Row(isize),
    /// No vim key: what the composer makes of it counts.
    Other,
}

/// Where a motion ends, and what an operator takes with it.
struct Motion {
    to: usize,
    /// Whether the character at the end belongs to it.
    inclusive: bool,
    /// Whether whole lines count.
    lines: bool,
}

impl Vim {
    /// Which mode.
    #[must_use]
    pub fn mode(&self) -> VimMode {
        self.mode
    }

    /// Back to writing.
    pub fn insert(&mut self) {
        self.mode = VimMode::Insert;
        self.pending = Pending::default();
    }

    /// Esc in insert mode.
    pub fn leave_insert(&mut self, text: &mut Text) {
        self.mode = VimMode::Normal;
        self.pending = Pending::default();
        text.end_step();
        let caret = text.caret();
        if caret > text.line_start(caret) {
            text.set_caret(text.before(caret));
        }
    }

    /// A key in normal mode.
    pub fn key(&mut self, key: &Key, text: &mut Text) -> VimKey {
        if key.code == KeyCode::Esc && key.modifiers.is_empty() {
            let was_idle = self.pending.operator.is_none()
                && self.pending.find.is_none()
                && self.pending.count == 0
                && !self.pending.is_g;
            self.pending = Pending::default();
            return if was_idle { VimKey::Other } else { VimKey::Done };
        }
        if key.is(&Key::ctrl('r')) {
            for _ in 0..self.take_count() {
                text.redo();
            }
            self.rest(text);
            return VimKey::Done;
        }
        let Some(char) = written(key) else {
            self.pending = Pending::default();
            return VimKey::Other;
        };
        let out = self.char(char, text);
        self.rest(text);
        out
    }

    fn take_count(&mut self) -> usize {
        std::mem::take(&mut self.pending.count).max(1)
    }

    fn char(&mut self, char: char, text: &mut Text) -> VimKey {
        if let Some(find) = self.pending.find.take() {
            self.found(find, char, text);
            return VimKey::Done;
        }
        if let Some(digit) = char.to_digit(10)
            && (digit > 0 || self.pending.count > 0)
        {
            let digit = digit as usize;
            self.pending.count = (self.pending.count * 10 + digit).min(COUNT_MAX);
            return VimKey::Done;
        }
        let find = match char {
            'f' => Some(Find::To { forward: true, till: false }),
            'F' => Some(Find::To { forward: false, till: false }),
            't' => Some(Find::To { forward: true, till: true }),
            'T' => Some(Find::To { forward: false, till: true }),
            'r' if self.pending.operator.is_none() => Some(Find::Replace),
            _ => None,
        };
        if find.is_some() {
            self.pending.find = find;
            return VimKey::Done;
        }
        if char == 'g' && !self.pending.is_g {
            self.pending.is_g = true;
            return VimKey::Done;
        }
        let is_g = std::mem::take(&mut self.pending.is_g);
        let given = self.pending.count;
        let count = self.take_count();
        if let Some((operator, before)) = self.pending.operator.take() {
            let count = count.saturating_mul(before).min(COUNT_MAX);
            let doubled = matches!(
                (operator, char),
                (Operator::Change, 'c') | (Operator::Delete, 'd') | (Operator::Yank, 'y')
            );
            if doubled {
                let lines = self.lines_from(text, count);
                self.operate(operator, lines, true, text);
            } else if let Some(motion) = self.motion(char, is_g, given, count, operator, text) {
                let range = motion_range(&motion, text);
                self.operate(operator, range, motion.lines, text);
            }
            return VimKey::Done;
        }
        match char {
            'j' => return VimKey::Row(isize::try_from(count).unwrap_or(1)),
            'k' => return VimKey::Row(-isize::try_from(count).unwrap_or(1)),
            'd' => self.pending.operator = Some((Operator::Delete, count)),
            'c' => self.pending.operator = Some((Operator::Change, count)),
            'y' => self.pending.operator = Some((Operator::Yank, count)),
            _ => self.command(char, is_g, given, count, text),
        }
        VimKey::Done
    }

    fn command(&mut self, char: char, is_g: bool, given: usize, count: usize, text: &mut Text) {
        let caret = text.caret();
        let (start, end) = (text.line_start(caret), text.line_end(caret));
        match char {
            'i' => self.insert(),
            'a' => {
                if caret < end {
                    text.set_caret(text.after(caret));
                }
                self.insert();
            }
            'I' => {
                text.set_caret(first_nonblank(text, start));
                self.insert();
            }
            'A' => {
                text.set_caret(end);
                self.insert();
            }
            'o' => {
                text.replace(end..end, &"\n".into(), EditKind::Other);
                self.insert();
            }
            'O' => {
                text.replace(start..start, &"\n".into(), EditKind::Other);
                text.set_caret(start);
                self.insert();
            }
            'x' | 's' => {
                let mut to = caret;
                for _ in 0..count {
                    if to < end {
                        to = text.after(to);
                    }
                }
                let operator = if char == 's' { Operator::Change } else { Operator::Delete };
                self.operate(operator, caret..to, false, text);
            }
            'X' => {
                let mut from = caret;
                for _ in 0..count {
                    if from > start {
                        from = text.before(from);
                    }
                }
                self.operate(Operator::Delete, from..caret, false, text);
            }
            'D' => self.operate(Operator::Delete, caret..end, false, text),
            'C' => self.operate(Operator::Change, caret..end, false, text),
            'S' => {
                let lines = self.lines_from(text, count);
                self.operate(Operator::Change, lines, true, text);
            }
            'Y' => {
                let lines = self.lines_from(text, count);
                self.operate(Operator::Yank, lines, true, text);
            }
            'p' | 'P' => {
                for _ in 0..count.min(100) {
                    self.put(char == 'p', text);
                }
            }
            'u' => {
                for _ in 0..count {
                    text.undo();
                }
            }
            'J' => {
                if end < text.as_str().len() {
                    let next = first_nonblank(text, end + 1);
                    text.replace(end..next, &" ".into(), EditKind::Other);
                    text.set_caret(end);
                }
            }
            '~' => {
                let to = text.after(caret).min(end);
                if text.atom_from(caret).is_none() && to > caret {
                    let other: String = text.as_str()[caret..to]
                        .chars()
                        .flat_map(|c| {
                            if c.is_uppercase() {
                                flipped(c.to_lowercase())
                            } else {
                                flipped(c.to_uppercase())
                            }
                        })
                        .collect();
                    text.replace(caret..to, &other.as_str().into(), EditKind::Other);
                }
            }
            _ => {
                if let Some(motion) = self.motion(char, is_g, given, count, Operator::Yank, text) {
                    text.set_caret(motion.to);
                }
            }
        }
    }

    fn motion(
        &self,
        char: char,
        is_g: bool,
        given: usize,
        count: usize,
        operator: Operator,
        text: &Text,
    ) -> Option<Motion> {
        let caret = text.caret();
        let (start, end) = (text.line_start(caret), text.line_end(caret));
        let mut to = caret;
        let (mut inclusive, mut lines) = (false, false);
        let mut repeat = |step: &dyn Fn(usize) -> usize| {
            for _ in 0..count {
                to = step(to);
            }
            to
        };
        let to = match char {
            'h' => repeat(&|at| if at > start { text.before(at) } else { at }),
            'l' | ' ' => repeat(&|at| if at < end { text.after(at) } else { at }),
            'w' | 'W' if operator == Operator::Change && caret < end => {
                // `cw` leaves the space behind the word.
                inclusive = true;
                repeat(&|at| word_end(text, at, char == 'W', at == caret))
            }
            'w' => repeat(&|at| word_start(text, at, false)),
            'W' => repeat(&|at| word_start(text, at, true)),
            'e' | 'E' => {
                inclusive = true;
                repeat(&|at| word_end(text, at, char == 'E', false))
            }
            'b' => repeat(&|at| word_back(text, at, false)),
            'B' => repeat(&|at| word_back(text, at, true)),
            '0' => start,
            '^' => first_nonblank(text, start),
            '$' => {
                inclusive = false;
                end
            }
            'j' | 'k' => {
                lines = true;
                repeat(&|at| {
                    if char == 'j' {
                        let end = text.line_end(at);
                        if end < text.as_str().len() { end + 1 } else { at }
                    } else {
                        text.line_start(at).saturating_sub(1)
                    }
                })
            }
            'G' | 'g' if char == 'G' || is_g => {
                lines = true;
                let line = if char == 'g' { given.max(1) } else { given };
                line_number(text, line)
            }
            ';' | ',' => {
                let (find, target) = self.last_find?;
                let Find::To { forward, till } = find else { return None };
                let forward = forward == (char == ';');
                inclusive = forward;
                find_char(text, target, forward, till, count)?
            }
            _ => return None,
        };
        Some(Motion { to, inclusive, lines })
    }

    fn found(&mut self, find: Find, char: char, text: &mut Text) {
        let count = self.take_count();
        let operator = self.pending.operator.take();
        match find {
            Find::Replace => {
                let caret = text.caret();
                let end = text.line_end(caret);
                let mut to = caret;
                for _ in 0..count {
                    if to == end {
                        return;
                    }
                    to = text.after(to);
                }
                let new: String = std::iter::repeat_n(char, count).collect();
                text.replace(caret..to, &new.as_str().into(), EditKind::Other);
                text.set_caret(text.before(text.caret()));
            }
            Find::To { forward, till } => {
                self.last_find = Some((find, char));
                let Some(to) = find_char(text, char, forward, till, count) else { return };
                match operator {
                    Some((operator, _)) => {
                        let motion = Motion { to, inclusive: forward, lines: false };
                        let range = motion_range(&motion, text);
                        self.operate(operator, range, false, text);
                    }
                    None => text.set_caret(to),
                }
            }
        }
    }

    /// Whole lines, `count` of them, without the last newline.
    fn lines_from(&self, text: &Text, count: usize) -> Range<usize> {
        let start = text.line_start(text.caret());
        let mut end = text.line_end(text.caret());
        for _ in 1..count {
            if end < text.as_str().len() {
                end = text.line_end(end + 1);
            }
        }
        start..end
    }

    fn operate(&mut self, operator: Operator, range: Range<usize>, lines: bool, text: &mut Text) {
        self.register = (text.piece(range.clone()), lines);
        match operator {
            Operator::Yank => text.set_caret(range.start),
            Operator::Change => {
                text.replace(range, &Piece::default(), EditKind::Other);
                self.insert();
            }
            Operator::Delete => {
                let mut range = range;
                if lines {
                    // The newline behind the lines goes with them, else the one before.
                    if range.end < text.as_str().len() {
                        range.end += 1;
                    } else {
                        range.start = range.start.saturating_sub(1);
                    }
                }
                text.replace(range, &Piece::default(), EditKind::Other);
                if lines {
                    let start = text.line_start(text.caret());
                    text.set_caret(first_nonblank(text, start));
                }
            }
        }
    }

    fn put(&mut self, after: bool, text: &mut Text) {
        let (piece, lines) = self.register.clone();
        if piece.text.is_empty() && !lines {
            return;
        }
        let caret = text.caret();
        if lines {
            let at = if after { text.line_end(caret) } else { text.line_start(caret) };
            let mut whole = Piece::default();
            let shift = usize::from(after);
            whole.text =
                if after { format!("\n{}", piece.text) } else { format!("{}\n", piece.text) };
            whole.atoms = piece
                .atoms
                .iter()
                .map(|atom| super::text::Atom {
                    range: atom.range.start + shift..atom.range.end + shift,
                    id: atom.id,
                })
                .collect();
            text.replace(at..at, &whole, EditKind::Other);
            text.set_caret(at + shift);
        } else {
            let at = if after && caret < text.line_end(caret) { text.after(caret) } else { caret };
            text.replace(at..at, &piece, EditKind::Other);
            text.set_caret(text.before(text.caret()));
        }
    }

    /// In normal mode the caret is on a character, not behind the last one.
    fn rest(&self, text: &mut Text) {
        if self.mode == VimMode::Normal {
            let caret = text.caret();
            if caret == text.line_end(caret) && caret > text.line_start(caret) {
                text.set_caret(text.before(caret));
            }
        }
    }
}

fn flipped(chars: impl Iterator<Item = char>) -> Vec<char> {
    chars.collect()
}

fn written(key: &Key) -> Option<char> {
    key.written()
}

fn motion_range(motion: &Motion, text: &Text) -> Range<usize> {
    let caret = text.caret();
    let (mut start, mut end) = (caret.min(motion.to), caret.max(motion.to));
    if motion.lines {
        start = text.line_start(start);
        end = text.line_end(end);
    } else if motion.inclusive {
        end = text.after(end);
    }
    start..end
}

fn first_nonblank(text: &Text, start: usize) -> usize {
    let line = &text.as_str()[start..text.line_end(start)];
    start + (line.len() - line.trim_start().len())
}

fn line_number(text: &Text, number: usize) -> usize {
    let starts = text.as_str().match_indices('\n').map(|(at, _)| at + 1);
    let mut starts = std::iter::once(0).chain(starts);
    let start = match number.checked_sub(1) {
        Some(index) => starts.nth(index),
        None => None,
    };
    let last = || text.as_str().rfind('\n').map_or(0, |at| at + 1);
    first_nonblank(text, start.unwrap_or_else(last))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Mark,
    Space,
    Word,
}

fn class(text: &Text, at: usize, is_big: bool) -> Class {
    if text.atom_from(at).is_some() {
        return Class::Word;
    }
    match text.as_str()[at..].chars().next() {
        None => Class::Space,
        Some(char) if char.is_whitespace() => Class::Space,
        Some(char) if is_big || char.is_alphanumeric() || char == '_' => Class::Word,
        Some(_) => Class::Mark,
    }
}

fn word_start(text: &Text, at: usize, is_big: bool) -> usize {
    let len = text.as_str().len();
    let (mut at, from) = (at, class(text, at, is_big));
    while at < len && from != Class::Space && class(text, at, is_big) == from {
        at = text.after(at);
    }
    while at < len && class(text, at, is_big) == Class::Space {
        at = text.after(at);
    }
    at
}

fn word_end(text: &Text, at: usize, is_big: bool, stays: bool) -> usize {
    let len = text.as_str().len();
    let mut at = at;
    if !stays && at < len {
        at = text.after(at);
    }
    while at < len && !stays && class(text, at, is_big) == Class::Space {
        at = text.after(at);
    }
    let from = if at < len { class(text, at, is_big) } else { return text.before(len) };
    loop {
        let next = text.after(at);
        if next >= len || class(text, next, is_big) != from {
            return at;
        }
        at = next;
    }
}

fn word_back(text: &Text, at: usize, is_big: bool) -> usize {
    let mut at = at;
    while at > 0 && class(text, text.before(at), is_big) == Class::Space {
        at = text.before(at);
    }
    if at == 0 {
        return 0;
    }
    let from = class(text, text.before(at), is_big);
    while at > 0 && class(text, text.before(at), is_big) == from {
        at = text.before(at);
    }
    at
}

fn find_char(text: &Text, char: char, forward: bool, till: bool, count: usize) -> Option<usize> {
    let caret = text.caret();
    let (start, end) = (text.line_start(caret), text.line_end(caret));
    let is_it = |at: usize| text.atom_from(at).is_none() && text.as_str()[at..].starts_with(char);
    let mut at = caret;
    for _ in 0..count {
        loop {
            if forward {
                if at >= end {
                    return None;
                }
                at = text.after(at);
                if at >= end {
                    return None;
                }
            } else {
                if at <= start {
                    return None;
                }
                at = text.before(at);
            }
            if is_it(at) {
                break;
            }
        }
    }
    match (till, forward) {
        (false, _) => Some(at),
        (true, true) => Some(text.before(at)),
        (true, false) => Some(text.after(at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text after keys, with `|` before the caret. `<` stands for Esc, `^R` for Ctrl-R.
    fn run(start: &str, keys: &str) -> String {
        let at = start.find('|').unwrap();
        let mut text = Text::default();
        text.set(&start.replace('|', "").as_str().into());
        text.set_caret(at);
        let mut vim = Vim { mode: VimMode::Normal, ..Vim::default() };
        for char in keys.chars() {
            match (vim.mode(), char) {
                (VimMode::Insert, '<') => vim.leave_insert(&mut text),
                (VimMode::Insert, char) => {
                    text.insert(&char.to_string().as_str().into(), EditKind::Type);
                }
                (VimMode::Normal, '<') => {
                    vim.key(&Key::plain(KeyCode::Esc), &mut text);
                }
                (VimMode::Normal, '\u{12}') => {
                    vim.key(&Key::ctrl('r'), &mut text);
                }
                (VimMode::Normal, char) => {
                    vim.key(&Key::char(char), &mut text);
                }
            }
        }
        let mut out = text.as_str().to_owned();
        out.insert(text.caret(), '|');
        out
    }

    #[test]
    fn keys_do_what_vim_does() {
        for (start, keys, end) in [
            ("|one two three", "w", "one |two three"),
            ("|one two three", "2w", "one two |three"),
            ("one two thr|ee", "b", "one two |three"),
            ("|one two", "e", "on|e two"),
            ("|one(two)", "w", "one|(two)"),
            ("|one(two) x", "W", "one(two) |x"),
            ("|one two three", "dw", "|two three"),
            ("|one two three", "d2w", "|three"),
            ("|one two three", "2dw", "|three"),
            ("one |two three", "cwX<", "one |X three"),
            ("one |two three", "D", "one| "),
            ("one |two", "x", "one |wo"),
            ("one tw|o", "x", "one t|w"),
            ("|one\ntwo\nthree", "dd", "|two\nthree"),
            ("one\n|two", "dd", "|one"),
            ("|one\ntwo\nthree", "2ddp", "three\n|one\ntwo"),
            ("|one\ntwo", "yyp", "one\n|one\ntwo"),
            ("one|\ntwo", "yyP", "|one\none\ntwo"),
            ("|one two", "ywP", "one| one two"),
            ("|one two", "A!<", "one two|!"),
            ("one |two", "I-<", "|-one two"),
            ("|one\ntwo", "ox<", "one\n|x\ntwo"),
            ("one\n|two", "Ox<", "one\n|x\ntwo"),
            ("|one two", "fw", "one t|wo"),
            ("|one two", "dtw", "|wo"),
            ("|one two", "dfw", "|o"),
            ("|a.b.c", "f.;", "a.b|.c"),
            ("a.b.|c", "F.;,", "a.b|.c"),
            ("|one", "rX", "|Xne"),
            ("|one", "3rX", "XX|X"),
            ("|one", "~", "O|ne"),
            ("|one\ntwo", "J", "one| two"),
            ("|one two", "dwu", "|one two"),
            ("|one two", "dwu\u{12}", "|two"),
            ("one\ntwo\nthr|ee", "gg", "|one\ntwo\nthree"),
            ("|one\ntwo\nthree", "G", "one\ntwo\n|three"),
            ("|one\ntwo\nthree", "2G", "one\n|two\nthree"),
            ("one\ntw|o\nthree", "dgg", "|three"),
            ("|one\ntwo\nthree", "dj", "|three"),
            ("one |two", "d0", "|two"),
            ("one |two", "c$x<", "one |x"),
            ("|one two", "d<w", "one |two"),
            ("e\u{301}|漢字", "xx", "|e\u{301}"),
            ("|one", "5x", "|"),
            ("|one two", "sX<", "|Xne two"),
        ] {
            assert_eq!(run(start, keys), end, "{start:?} {keys:?}");
        }
    }
}
