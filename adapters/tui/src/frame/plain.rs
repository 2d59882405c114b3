//! Plain mode: lines are appended, and below them one row is changed in place, by nothing but backspaces,
//! blanks and carriage returns. So a screen reader hears what is new, and a terminal that can do
//! nothing else is enough. No escape sequence is made here.

use ratatui::{
    buffer::{Buffer, Cell},
    layout::Rect,
};
use unicode_width::UnicodeWidthStr as _;

use super::{Scene, pen::content};
use crate::text::Line;

#[derive(Clone, Debug, Default)]
pub(super) struct Plain {
    /// What the row shows, up to its last character.
    row: Vec<Cell>,
    /// The column of the cursor.
    caret: usize,
    columns: u16,
}

impl Plain {
    /// The cursor is in the first column of an empty row.
    pub(super) fn forget(&mut self) {
        self.row.clear();
        self.caret = 0;
    }

    pub(super) fn frame(&mut self, scene: &mut impl Scene, lines: &[Line], columns: u16) -> String {
        // The last column stays empty: behind it terminals differ.
        let area = Rect::new(0, 0, columns.saturating_sub(1).max(1), 1);
        let mut buffer = Buffer::empty(area);
        let caret = scene.view(area, &mut buffer);
        let mut next = buffer.content;
        next.truncate(content(&next));
        let caret = caret.map_or(next.len(), |caret| usize::from(caret.x.min(area.width - 1)));

        let mut out = String::new();
        if std::mem::replace(&mut self.columns, columns) != columns && !self.row.is_empty() {
            // Where the row has got to is not known: another one begins.
            out.push_str("\r\n");
            self.forget();
        }
        if !lines.is_empty() {
            self.append(&mut out, lines);
        }
        self.change(&mut out, next, caret);
        out
    }

    pub(super) fn finish(&mut self, lines: &[Line]) -> String {
        let mut out = String::new();
        self.append(&mut out, lines);
        out
    }

    /// Takes the row away, and writes lines where it was.
    fn append(&mut self, out: &mut String, lines: &[Line]) {
        if !self.row.is_empty() || self.caret > 0 {
            out.push('\r');
            blank(out, self.row.len());
            out.push('\r');
        }
        for line in lines {
            line.spans.iter().for_each(|span| text(out, &span.text));
            out.push_str("\r\n");
        }
        self.forget();
    }

    fn change(&mut self, out: &mut String, next: Vec<Cell>, caret: usize) {
        let symbol = |row: &[Cell], x: usize| row.get(x).map(|cell| cell.symbol().to_owned());
        let (old, new) = (&self.row, &next);
        let longest = old.len().max(new.len());
        let mut at = self.caret;
        if let Some(mut first) = (0..longest).find(|x| symbol(old, *x) != symbol(new, *x)) {
            // A wide character is written with both its halves.
            while first > 0 && [old, new].iter().any(|row| is_wide(row.get(first - 1))) {
                first -= 1;
            }
            at = go(out, at, first.min(new.len()), new);
            at = cells(out, new, at, new.len());
            if old.len() > at {
                blank(out, old.len() - at);
                back(out, old.len() - at);
            }
        }
        go(out, at, caret, new);
        (self.row, self.caret) = (next, caret);
    }
}

/// Brings the cursor to a column of a row; to the right by writing what is there.
fn go(out: &mut String, from: usize, to: usize, row: &[Cell]) -> usize {
    if to < from {
        back(out, from - to);
        return to;
    }
    let written = cells(out, row, from, to);
    // Behind the text the cursor may be, too.
    blank(out, to.saturating_sub(written));
    to.max(written)
}

/// Writes the cells between two columns; where it ends.
fn cells(out: &mut String, row: &[Cell], from: usize, to: usize) -> usize {
    let mut x = from;
    while x < to.min(row.len()) {
        text(out, row[x].symbol());
        x += row[x].symbol().width().max(1);
    }
    x
}

fn is_wide(cell: Option<&Cell>) -> bool {
    cell.is_some_and(|cell| cell.symbol().width() > 1)
}

fn blank(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n(' ', count));
}

fn back(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n('\u{8}', count));
}

/// Text without control characters.
fn text(out: &mut String, text: &str) {
    out.extend(text.chars().filter(|char| !char.is_control()));
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Position;

    use super::*;

    struct Row(&'static str, u16);

    impl Scene for Row {
        fn height(&mut self, _columns: u16, _rows: u16) -> u16 {
            1
        }

        fn view(&mut self, area: Rect, buffer: &mut Buffer) -> Option<Position> {
            buffer.set_string(0, 0, self.0, ratatui::style::Style::new().bold());
            Some(Position::new(self.1.min(area.width), 0))
        }
    }

    /// What a terminal that knows nothing else shows, and where its cursor is.
    fn shown(all: &str) -> (Vec<String>, usize) {
        let (mut rows, mut x) = (vec![Vec::new()], 0);
        for char in all.chars() {
            let row: &mut Vec<char> = rows.last_mut().unwrap();
            match char {
                '\r' => x = 0,
                '\u{8}' => x -= 1,
                '\n' => rows.push(Vec::new()),
                char => {
                    assert!(!char.is_control(), "{char:?}");
                    row.resize(row.len().max(x + 1), ' ');
                    row[x] = char;
                    x += 1;
                }
            }
        }
        let row = |row: Vec<char>| row.into_iter().collect::<String>().trim_end().to_owned();
        (rows.into_iter().map(row).collect(), x)
    }

    #[test]
    fn typing_writes_what_is_typed_and_nothing_else() {
        let mut plain = Plain::default();
        assert_eq!(plain.frame(&mut Row("> h", 3), &[], 40), "> h");
        assert_eq!(plain.frame(&mut Row("> hi", 4), &[], 40), "i");
        assert_eq!(plain.frame(&mut Row("> hi", 4), &[], 40), "");
        assert_eq!(plain.frame(&mut Row("> h", 3), &[], 40), "\u{8} \u{8}");
        assert_eq!(plain.frame(&mut Row("> h", 2), &[], 40), "\u{8}");
        assert_eq!(plain.frame(&mut Row("> h", 3), &[], 40), "h");
    }

    #[test]
    fn any_change_ends_in_the_row_that_is_meant() {
        let mut plain = Plain::default();
        let (mut all, mut lines) = (String::new(), 0);
        let rows =
            ["> one", "> two words", "> ", "", "> caret behind   ", "> on", "> one more", "x"];
        for (step, row) in rows.iter().cycle().take(64).enumerate() {
            let length = row.trim_end().chars().count();
            let caret = (step * 7) % (length + 2);
            let printed = [Line::plain("told\u{7}")];
            let printed = if step % 5 == 4 { &printed[..] } else { &[] };
            lines += printed.len();
            all += &plain.frame(&mut Row(row, u16::try_from(caret).unwrap()), printed, 40);
            let (shown, x) = shown(&all);
            assert_eq!(shown.last().map(String::as_str), Some(row.trim_end()), "{step}");
            assert_eq!(x, caret, "{step}");
            assert_eq!(shown.iter().filter(|row| *row == "told").count(), lines);
        }
        all += &plain.finish(&[Line::plain("bye")]);
        assert_eq!(shown(&all).0.last().map(String::as_str), Some(""));
    }

    #[test]
    fn a_row_of_another_width_begins_anew() {
        let mut plain = Plain::default();
        plain.frame(&mut Row("> one", 5), &[], 40);
        assert_eq!(plain.frame(&mut Row("> one", 5), &[], 20), "\r\n> one");
    }
}
