//! Breaking lines into rows.

use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use super::{Line, Span};

/// Where a row may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Break {
    /// Anywhere, as a terminal does it.
    Anywhere,
    /// Between words, where that is possible.
    Words,
}

/// Breaks a line into rows of at most `columns` cells. An empty line is one empty row. A character
/// that is wider than the row has no row.
#[must_use]
pub fn wrap(line: &Line, columns: u16, how: Break) -> Vec<Line> {
    broken(line, columns, how, Line::new())
}

/// Breaks a line between words. What is broken goes on below where its text begins: behind spaces, marks
/// of lists, and those of quotes, which come again.
#[must_use]
pub fn wrap_hanging(line: &Line, columns: u16) -> Vec<Line> {
    let is_long = line.width() > usize::from(columns);
    let room = usize::from(columns / 2);
    let hang = if is_long { hang_of(line) } else { Line::new() };
    let hang = if hang.width() > room { Line::new() } else { hang };
    broken(line, columns, Break::Words, hang)
}

/// Breaks a line anywhere; what is broken goes on in this column, if there is room.
#[must_use]
pub fn wrap_at(line: &Line, columns: u16, column: usize) -> Vec<Line> {
    let column = if column > usize::from(columns / 2) { 0 } else { column };
    broken(line, columns, Break::Anywhere, Line::plain(" ".repeat(column)))
}

/// What the rows of a line begin with, behind the first one.
fn hang_of(line: &Line) -> Line {
    let text = line.text();
    let mut rest = text.as_str();
    let mut hang = Line::new();
    loop {
        let digits = rest.len() - rest.trim_start_matches(|char: char| char.is_ascii_digit()).len();
        let mark = if rest.starts_with(' ') {
            1
        } else if rest.starts_with("> ") || rest.starts_with("- ") {
            2
        } else if (1..=9).contains(&digits)
            && (rest[digits..].starts_with(". ") || rest[digits..].starts_with(") "))
        {
            digits + 2
        } else {
            return hang;
        };
        if rest.starts_with('>') {
            let style = line.spans.first().map(|span| span.style).unwrap_or_default();
            hang.push("> ", style);
        } else {
            hang.push(" ".repeat(mark), Style::new());
        }
        rest = &rest[mark..];
    }
}

fn broken(line: &Line, columns: u16, how: Break, hang: Line) -> Vec<Line> {
    let columns = usize::from(columns.max(1));
    let hang = (hang.width(), hang);
    let mut rows = Rows { rows: vec![Line::new()], used: 0, start: 0, columns, hang };
    for span in &line.spans {
        match how {
            Break::Anywhere => rows.fill(span, &span.text),
            Break::Words => rows.words(span),
        }
    }
    rows.rows
}

/// Rows in the making.
struct Rows {
    rows: Vec<Line>,
    /// Cells of the last row that are used.
    used: usize,
    /// Those of them that were when it began.
    start: usize,
    columns: usize,
    /// What each further row begins with, and how wide it is.
    hang: (usize, Line),
}

impl Rows {
    /// Appends a text as a terminal does it.
    fn fill(&mut self, span: &Span, text: &str) {
        let mut from = 0;
        if super::line::is_narrow(text) {
            while from < text.len() {
                if self.used >= self.columns {
                    self.begin();
                }
                let to = text.len().min(from + self.columns - self.used);
                self.add(span, &text[from..to]);
                self.used += to - from;
                from = to;
            }
            return;
        }
        for (at, grapheme) in text.grapheme_indices(true) {
            let wide = grapheme.width().min(2);
            if self.used + wide > self.columns {
                self.add(span, &text[from..at]);
                from = at;
                if self.used > self.start {
                    self.begin();
                }
            }
            if wide > self.columns {
                from = at + grapheme.len();
            } else {
                self.used += wide;
            }
        }
        self.add(span, &text[from..]);
    }

    fn words(&mut self, span: &Span) {
        for piece in pieces(&span.text) {
            let wide = super::width(piece);
            if self.used + wide <= self.columns {
                self.add(span, piece);
                self.used += wide;
            } else if piece.bytes().all(|byte| byte == b' ') {
                // A space at the end of a row is the break itself.
                self.used = self.columns;
            } else {
                if self.used > self.start {
                    self.begin();
                }
                self.fill(span, piece);
            }
        }
    }

    fn begin(&mut self) {
        self.rows.push(self.hang.1.clone());
        (self.used, self.start) = (self.hang.0, self.hang.0);
    }

    fn add(&mut self, span: &Span, text: &str) {
        if let Some(row) = self.rows.last_mut().filter(|_| !text.is_empty()) {
            match row
                .spans
                .last_mut()
                .filter(|last| (last.style, &last.link) == (span.style, &span.link))
            {
                Some(last) => last.text.push_str(text),
                None => row.spans.push(Span {
                    text: text.into(),
                    style: span.style,
                    link: span.link.clone(),
                }),
            }
        }
    }
}

/// The words that are not broken if they fit a row, with the punctuation that clings to them, and what is
/// between them.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ').flat_map(|word| {
        let bare = word.strip_suffix(' ').unwrap_or(word);
        [bare, &word[bare.len()..]].into_iter().filter(|piece| !piece.is_empty())
    })
}

/// Cuts a text to at most `columns` cells, with an ellipsis at its end if it was longer.
#[must_use]
pub fn fit(text: &str, columns: usize) -> String {
    if super::width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for grapheme in text.graphemes(true) {
        used += grapheme.width().min(2);
        if used > columns {
            break;
        }
        out.push_str(grapheme);
    }
    if columns > 0 {
        out.push('\u{2026}');
    }
    out
}

/// Cuts a text to its last `columns` cells, with an ellipsis at its start if it was longer.
#[must_use]
pub fn fit_end(text: &str, columns: usize) -> String {
    if super::width(text) <= columns {
        return text.to_owned();
    }
    let mut used = 1;
    let mut from = text.len();
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        used += grapheme.width().min(2);
        if used > columns {
            break;
        }
        from = at;
    }
    let mark = if columns > 0 { "\u{2026}" } else { "" };
    format!("{mark}{}", &text[from..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &str, columns: u16, how: Break) -> Vec<String> {
        wrap(&Line::plain(text), columns, how).iter().map(Line::text).collect()
    }

    #[test]
    fn rows_break_as_a_terminal_breaks_them() {
        assert_eq!(rows("abcdef", 4, Break::Anywhere), ["abcd", "ef"]);
        assert_eq!(rows("ab\u{4f60}\u{597d}", 3, Break::Anywhere), ["ab", "\u{4f60}", "\u{597d}"]);
        assert_eq!(rows("", 4, Break::Anywhere), [""]);
        assert_eq!(rows("\u{4f60}", 1, Break::Anywhere), [""]);
    }

    #[test]
    fn words_stay_whole_where_they_fit() {
        assert_eq!(rows("one two three", 8, Break::Words), ["one two ", "three"]);
        assert_eq!(rows("one two three", 7, Break::Words), ["one two", "three"]);
        assert_eq!(rows("a wonderful day", 6, Break::Words), ["a ", "wonder", "ful ", "day"]);
    }

    #[test]
    fn what_is_broken_goes_on_below_its_text() {
        for (text, want) in [
            ("- one two three", &["- one two", "  three"][..]),
            ("  2. one two three", &["  2. one", "     two", "     three"]),
            ("> - one two three", &["> - one", ">   two", ">   three"]),
            ("one two three", &["one two", "three"]),
            ("          deep words", &["          ", "deep words"]),
            ("- abcdefghijkl", &["- ", "  abcdefgh", "  ijkl"]),
        ] {
            let rows = wrap_hanging(&Line::plain(text), 10);
            let rows: Vec<String> =
                rows.iter().map(|row| row.text().trim_end().to_owned()).collect();
            let want: Vec<String> = want.iter().map(|row| row.trim_end().to_owned()).collect();
            assert_eq!(rows, want, "{text:?}");
        }
    }

    #[test]
    fn code_goes_on_in_its_column() {
        let rows = |text: &str, columns| -> Vec<String> {
            wrap_at(&Line::plain(text), columns, 3).iter().map(Line::text).collect()
        };
        assert_eq!(rows("1 +abcdefgh", 8), ["1 +abcde", "   fgh"]);
        assert_eq!(rows("1 +abcdefgh", 5), ["1 +ab", "cdefg", "h"]);
    }

    #[test]
    fn a_text_is_cut_with_a_mark() {
        assert_eq!(fit("abcdef", 4), "abc\u{2026}");
        assert_eq!(fit("abcd", 4), "abcd");
        assert_eq!(fit("\u{4f60}\u{597d}", 3), "\u{4f60}\u{2026}");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(fit_end("abcdef", 4), "\u{2026}def");
        assert_eq!(fit_end("a\u{4f60}\u{597d}", 4), "\u{2026}\u{597d}");
        assert_eq!(fit_end("abc", 0), "");
    }

    proptest! {
        #[test]
        fn breaking_loses_nothing(text in "[a-z\u{4f60} \u{1f600}]{0,60}", columns in 2..20_u16) {
            let broken = rows(&text, columns, Break::Anywhere);
            prop_assert_eq!(broken.concat(), text.clone());
            for how in [Break::Anywhere, Break::Words] {
                for row in rows(&text, columns, how) {
                    prop_assert!(crate::text::width(&row) <= usize::from(columns));
                }
            }
            for row in wrap_hanging(&Line::plain(format!("> - {text}")), columns) {
                prop_assert!(row.width() <= usize::from(columns));
            }
            let words = rows(&text, columns, Break::Words).concat().replace(' ', "");
            prop_assert_eq!(words, text.replace(' ', ""));
        }
    }
}
