//! Soft wrapping: from text and width to rows, and from the caret to its cell.
//!
//! Rows break behind white space where there is some, else anywhere between graphemes. The caret
//! stands before the character it points at; behind the last one of a full row it goes to the start
//! of a row of its own, so that it is always inside the area.

use std::{borrow::Cow, ops::Range};

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::text::Text;
use crate::text::shown_char;

/// Columns of a tabulator, wherever it is.
pub const TAB_COLUMNS: usize = 4;

/// A row on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its part of the text, without the newline.
    pub range: Range<usize>,
    /// Whether the next row goes on with the same line.
    pub is_wrapped: bool,
}

/// The rows of a text at a width.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// At least one.
    pub rows: Vec<Row>,
}

/// What is drawn as a whole: a grapheme or a placeholder's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit<'a> {
    /// Where it begins, in bytes.
    pub at: usize,
    /// Its text.
    pub text: &'a str,
    /// Columns.
    pub width: usize,
    /// Whether it belongs to a placeholder.
    pub is_atom: bool,
}

/// How a unit is drawn. What reorders or hides text is shown by its code point, and a mark without a
/// letter gets a circle to stand on.
#[must_use]
pub fn shown(unit: &str) -> Cow<'_, str> {
    if unit.chars().any(|char| shown_char(char).is_some()) {
        let shown = |char| shown_char(char).unwrap_or_else(|| String::from(char));
        return unit.chars().map(shown).collect();
    }
    if unit.width() == 0 { Cow::Owned(format!("◌{unit}")) } else { Cow::Borrowed(unit) }
}

/// The units of a part of the text.
pub fn units(text: &Text, range: Range<usize>) -> impl Iterator<Item = Unit<'_>> {
    let mut at = range.start;
    let mut atoms = text.atoms().iter().skip_while(move |atom| atom.range.end <= range.start);
    let mut next = atoms.next();
    std::iter::from_fn(move || {
        if at >= range.end {
            return None;
        }
        while next.is_some_and(|atom| atom.range.end <= at) {
            next = atoms.next();
        }
        let is_atom = next.is_some_and(|atom| atom.range.start <= at);
        let edge = match next {
            Some(atom) if is_atom => atom.range.end,
            Some(atom) => atom.range.start,
            None => range.end,
        };
        // ASCII is most of it, and needs no tables; a mark that follows would join it.
        let bytes = text.as_str().as_bytes();
        let end = edge.min(range.end);
        let is_simple = bytes[at].is_ascii() && (at + 1 >= end || bytes[at + 1].is_ascii());
        let unit = if is_simple {
            &text.as_str()[at..=at]
        } else {
            text.as_str()[at..end].graphemes(true).next()?
        };
        let width = match unit {
            "\t" => TAB_COLUMNS,
            "\n" => 0,
            _ if is_simple => 1,
            _ => shown(unit).width(),
        };
        let out = Unit { at, text: unit, width, is_atom };
        at += unit.len();
        Some(out)
    })
}

impl Layout {
    /// Wraps a text; a width of zero counts as one.
    #[must_use]
    pub fn new(text: &Text, width: u16) -> Self {
        let width = usize::from(width.max(1));
        let mut rows = Vec::new();
        let mut start = 0;
        loop {
            let end = text.line_end(start);
            wrap_line(text, start..end, width, &mut rows);
            if end == text.as_str().len() {
                break;
            }
            start = end + 1;
        }
        Self { rows }
    }

    /// The row and column of an offset.
    #[must_use]
    pub fn cell(&self, text: &Text, at: usize) -> (usize, usize) {
        let row = self.row_of(at);
        let range = self.rows[row].range.start..at;
        (row, units(text, range).map(|unit| unit.width).sum())
    }

    /// The row that shows the caret at an offset.
    #[must_use]
    pub fn row_of(&self, at: usize) -> usize {
        self.rows.partition_point(|row| row.range.start <= at).saturating_sub(1)
    }

    /// The offset that is nearest to a cell: the boundary at or before the column.
    #[must_use]
    pub fn offset(&self, text: &Text, row: usize, column: usize) -> usize {
        let row = row.min(self.rows.len() - 1);
        let Row { range, is_wrapped } = &self.rows[row];
        let mut at = range.start;
        let mut filled = 0;
        let mut last = range.start;
        for unit in units(text, range.clone()) {
            // Parts of a placeholder are no places for the caret.
            let is_stop = !unit.is_atom || text.atom_from(unit.at).is_some();
            if is_stop {
                last = unit.at;
                if filled + unit.width > column {
                    return unit.at;
                }
            } else if filled + unit.width > column {
                return last;
            }
            filled += unit.width;
            at = unit.at + unit.text.len();
        }
        // The end of a wrapped row is the start of the next one.
        if *is_wrapped { last } else { at }
    }
}

fn wrap_line(text: &Text, line: Range<usize>, width: usize, rows: &mut Vec<Row>) {
    let mut start = line.start;
    let mut filled = 0;
    // Where the row may end, and how much is filled behind that place.
    let mut space: Option<(usize, usize)> = None;
    for unit in units(text, line.clone()) {
        while filled + unit.width > width && unit.at > start {
            let (end, rest) = match space {
                Some((end, filled_then)) if end > start && end <= unit.at => {
                    (end, filled - filled_then)
                }
                _ => (unit.at, 0),
            };
            rows.push(Row { range: start..end, is_wrapped: true });
            start = end;
            filled = rest;
            space = None;
        }
        filled += unit.width;
        if !unit.is_atom && unit.text.chars().all(char::is_whitespace) {
            space = Some((unit.at + unit.text.len(), filled));
        }
    }
    let is_full = filled >= width && line.end > start;
    rows.push(Row { range: start..line.end, is_wrapped: is_full });
    if is_full {
        // Room for the caret behind the last character.
        rows.push(Row { range: line.end..line.end, is_wrapped: false });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::composer::{
        text::{Atom, Piece},
        undo::EditKind,
    };

    fn text(written: &str) -> Text {
        let mut text = Text::default();
        text.set(&written.into());
        text
    }

    fn rows(text: &Text, width: u16) -> Vec<&str> {
        let layout = Layout::new(text, width);
        layout.rows.iter().map(|row| &text.as_str()[row.range.clone()]).collect()
    }

    #[test]
    fn rows_break_behind_spaces() {
        assert_eq!(rows(&text("one two three"), 8), ["one two ", "three"]);
        assert_eq!(rows(&text("one twothree"), 5), ["one ", "twoth", "ree"]);
        assert_eq!(rows(&text("漢字漢字"), 5), ["漢字", "漢字"]);
        assert_eq!(rows(&text("a\n\nb"), 9), ["a", "", "b"]);
        assert_eq!(rows(&text(""), 9), [""]);
        assert_eq!(rows(&text("abcd"), 4), ["abcd", ""], "room for the caret");
        assert_eq!(rows(&text("漢"), 1), ["漢", ""], "narrower than a character");
        assert_eq!(rows(&text("a\tb"), 5), ["a\t", "b"]);
    }

    #[test]
    fn what_hides_is_shown() {
        let text = text("a\u{202e}b\u{200b}\u{301}🏴\u{e0067}c");
        let shown: Vec<_> = units(&text, 0..text.as_str().len())
            .map(|unit| (shown(unit.text), unit.width))
            .collect();
        let want = [
            ("a", 1),
            ("⟨U+202E⟩", 8),
            ("b", 1),
            ("⟨U+200B⟩", 8),
            ("◌\u{301}", 1),
            ("🏴⟨U+E0067⟩", 11),
            ("c", 1),
        ];
        assert_eq!(shown.iter().map(|(text, width)| (&**text, *width)).collect::<Vec<_>>(), want);
    }

    #[test]
    fn the_caret_has_its_cell() {
        let text = text("a漢e\u{301}👨\u{200d}👩\u{200d}👧z\nb\tc");
        let layout = Layout::new(&text, 40);
        let cell = |needle: &str| layout.cell(&text, text.as_str().find(needle).unwrap());
        assert_eq!(cell("漢"), (0, 1));
        assert_eq!(cell("e\u{301}"), (0, 3));
        assert_eq!(cell("👨"), (0, 4));
        assert_eq!(cell("z"), (0, 6));
        assert_eq!(cell("c"), (1, 5));
        assert_eq!(layout.cell(&text, text.as_str().len()), (1, 6));
        assert_eq!(layout.offset(&text, 0, 2), 1, "inside a wide character");
        assert_eq!(layout.offset(&text, 1, 99), text.as_str().len());
    }

    proptest! {
        #[test]
        fn rows_hold_the_text_and_the_caret_is_inside(
            words in prop::collection::vec(prop::sample::select(vec![
                "a", "bcd", " ", "\n", "漢字", "e\u{301}", "👨\u{200d}👩\u{200d}👧", "[P]", "\t", "\u{301}",
            ]), 0..40),
            width in 4_u16..20,
        ) {
            let mut text = Text::default();
            for word in words {
                let is_atom = word == "[P]";
                let atoms = if is_atom { vec![Atom { range: 0..3, id: 1 }] } else { Vec::new() };
                text.insert(&Piece { text: word.into(), atoms }, EditKind::Other);
            }
            let layout = Layout::new(&text, width);
            let mut at = 0;
            for (index, row) in layout.rows.iter().enumerate() {
                prop_assert_eq!(row.range.start, at);
                let filled: usize =
                    units(&text, row.range.clone()).map(|unit| unit.width).sum();
                prop_assert!(filled <= usize::from(width));
                let is_last = index + 1 == layout.rows.len();
                at = row.range.end + usize::from(!row.is_wrapped && !is_last);
            }
            prop_assert_eq!(at, text.as_str().len());
            let mut caret = 0;
            loop {
                let (row, column) = layout.cell(&text, caret);
                prop_assert!(row < layout.rows.len() && column < usize::from(width));
                prop_assert_eq!(layout.offset(&text, row, column), caret);
                let next = text.after(caret);
                if next == caret { break }
                caret = next;
            }
        }
    }
}
