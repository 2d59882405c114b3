//! What a program printed, each line as a terminal would have left it.
//!
//! Of the escape sequences only colours and forms of text (SGR) and movements within the line count;
//! all others are removed whole. Text that is written over is gone, as with progress bars. What
//! remains is as safe as what [`super::clean`] gives.

use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthChar as _;
use vte::{Params, Parser, Perform};

use super::{
    Line, clean,
    clean::{escape_bytes, shown_char},
    last_overprint,
};
use crate::theme::{Foreign, Look};

/// Columns between tab stops, as in terminals.
const TAB: usize = 8;
/// Bytes of a line that is looked at; a longer one is shown without its colours.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Changes of style in a line; behind them it is shown without.
const RUNS_MAX: usize = 256;
/// The column up to which the cursor is moved where nothing was written.
const COLUMNS_MAX: usize = 500;

/// The lines of a text; what the program gave no style of its own is in `base`.
#[must_use]
pub fn printed(text: &str, base: Style, look: &Look) -> Vec<Line> {
    let mut row = Row::default();
    let text = text.trim_end_matches(['\n', '\r']);
    text.split('\n').filter(|_| !text.is_empty()).map(|line| row.line(line, base, look)).collect()
}

/// Forgets the start of a text of which the last `bytes` are wanted: at the end of a line, else between
/// two characters, never within an escape sequence. The style that the start had set goes on.
pub(crate) fn forget_start(text: &mut String, bytes: usize) {
    let from = text.len().saturating_sub(bytes);
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let end = text.as_bytes()[from..].iter().take(SEARCHED_BYTES).position(|byte| *byte == b'\n');
    let from = match end {
        Some(end) => from + end + 1,
        None => {
            let near = from.saturating_sub(SEARCHED_BYTES);
            let escape = text.as_bytes()[near..from].iter().rposition(|byte| *byte == 0x1b);
            let open = escape.map(|at| near + at);
            open.filter(|at| at + escape_bytes(&text[*at..]) > from).unwrap_or(from)
        }
    };
    let mut pen = Pen::default();
    for line in text[..from].split('\n') {
        feed(line, &mut pen);
    }
    text.replace_range(..from, &pen.0.sequence());
}

/// Bytes around a cut in which a line's end or the start of a sequence is looked for.
const SEARCHED_BYTES: usize = 2 << 10;

/// Only the style that a text leaves.
#[derive(Debug, Default)]
struct Pen(Foreign);

impl Perform for Pen {
    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if !ignore && intermediates.is_empty() && action == 'm' {
            self.0.change(params);
        }
    }
}

/// A line through the parser.
fn feed(line: &str, to: &mut impl Perform) {
    let mut parser = Parser::new();
    for char in line.chars() {
        match char {
            // The single-character forms of CSI, OSC and the like.
            '\u{80}'..='\u{9f}' => {
                let form = u8::try_from(u32::from(char) - 0x40).unwrap_or(b'@');
                parser.advance(to, &[0x1b, form]);
            }
            char => parser.advance(to, char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// A line in the making, as cells; what a wide character covers is an empty cell.
#[derive(Debug, Default)]
struct Row {
    cells: Vec<(String, Foreign)>,
    column: usize,
    style: Foreign,
}

impl Row {
    fn line(&mut self, text: &str, base: Style, look: &Look) -> Line {
        if text.starts_with("[\u{2026} ") && text.ends_with("\u{2026}]") {
            // The engine says what it left out; which style that would have set is not known.
            self.style = Foreign::default();
        }
        let is_plain = text.bytes().all(|byte| (b' '..0x7f).contains(&byte));
        if is_plain && self.style == Foreign::default() {
            return Line::styled(text, base);
        }
        if text.len() > LINE_BYTES_MAX {
            return Line::styled(clean(last_overprint(text)), base);
        }
        self.column = 0;
        self.cells.clear();
        feed(text, self);
        let mut line = Line::new();
        let mut shown = (Foreign::default(), base);
        for (text, style) in &self.cells {
            if *style != shown.0 {
                let is_own = *style != Foreign::default() && line.spans.len() < RUNS_MAX;
                shown = (*style, if is_own { look.foreign(*style) } else { base });
            }
            line.push(text.as_str(), shown.1);
        }
        line
    }

    /// Writes at the cursor, over what is there.
    fn put(&mut self, text: &str, width: usize) {
        let (from, to) = (self.column, self.column + width);
        if self.cells.len() < to {
            self.cells.resize(to, (" ".into(), Foreign::default()));
        }
        // A wide character that is half covered leaves a blank.
        if self.cells[from].0.is_empty() && from > 0 {
            self.cells[from - 1].0 = " ".into();
        }
        if let Some(after) = self.cells.get_mut(to).filter(|after| after.0.is_empty()) {
            after.0 = " ".into();
        }
        for cell in &mut self.cells[from..to] {
            *cell = (String::new(), self.style);
        }
        self.cells[from].0.push_str(text);
        self.column = to;
    }

    fn go(&mut self, column: usize) {
        self.column = column.min(self.cells.len().max(COLUMNS_MAX));
    }

    fn erase(&mut self, how: u16) {
        match how {
            0 => self.cells.truncate(self.column),
            1 => {
                let end = (self.column + 1).min(self.cells.len());
                self.cells[..end].fill((" ".into(), Foreign::default()));
            }
            2 => self.cells.clear(),
            _ => {}
        }
    }
}

impl Perform for Row {
    fn print(&mut self, char: char) {
        if char.is_control() {
            return;
        }
        if let Some(text) = shown_char(char) {
            for char in text.chars() {
                self.put(char.encode_utf8(&mut [0; 4]), 1);
            }
            return;
        }
        match char.width().unwrap_or(0) {
            0 => {
                let before = self.column.min(self.cells.len());
                let cell = self.cells[..before].iter_mut().rfind(|cell| !cell.0.is_empty());
                if let Some((text, _)) = cell {
                    text.push(char);
                }
            }
            width => self.put(char.encode_utf8(&mut [0; 4]), width.min(2)),
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => self.column = 0,
            0x08 => self.column = self.column.saturating_sub(1),
            b'\t' => {
                let stop = (self.column / TAB + 1) * TAB;
                // Behind the end it is text like any other.
                while self.column < stop && self.column >= self.cells.len() {
                    self.put(" ", 1);
                }
                self.column = stop;
            }
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if ignore || !intermediates.is_empty() {
            return;
        }
        let first = params.iter().next().and_then(|first| first.first()).copied().unwrap_or(0);
        let count = usize::from(first.max(1));
        match action {
            'm' => self.style.change(params),
            'C' => self.go(self.column + count),
            'D' => self.go(self.column.saturating_sub(count)),
            'G' => self.go(count - 1),
            'K' => self.erase(first),
            _ => {}
        }
    }
}

impl Foreign {
    /// Takes a sequence of SGR. Concealed and blinking text is shown as it is.
    fn change(&mut self, params: &Params) {
        let mut params = params.iter();
        while let Some(param) = params.next() {
            let (code, sub) = (param.first().copied().unwrap_or(0), param.get(1));
            let color = |params: &mut dyn Iterator<Item = &[u16]>| match param {
                [_, 2, .., r, g, b] if param.len() > 4 => rgb(*r, *g, *b),
                [_, 5, index, ..] => indexed(*index),
                [_] => {
                    let mut next = || params.next().and_then(|next| next.first()).copied();
                    match next()? {
                        2 => rgb(next()?, next()?, next()?),
                        5 => indexed(next()?),
                        _ => None,
                    }
                }
                _ => None,
            };
            match code {
                0 => *self = Self::default(),
                1 => self.form.insert(Modifier::BOLD),
                2 => self.form.insert(Modifier::DIM),
                3 => self.form.insert(Modifier::ITALIC),
                4 if sub == Some(&0) => self.form.remove(Modifier::UNDERLINED),
                4 | 21 => self.form.insert(Modifier::UNDERLINED),
                7 => self.form.insert(Modifier::REVERSED),
                9 => self.form.insert(Modifier::CROSSED_OUT),
                22 => self.form.remove(Modifier::BOLD | Modifier::DIM),
                23 => self.form.remove(Modifier::ITALIC),
                24 => self.form.remove(Modifier::UNDERLINED),
                27 => self.form.remove(Modifier::REVERSED),
                29 => self.form.remove(Modifier::CROSSED_OUT),
                30..=37 => self.fg = indexed(code - 30),
                38 => self.fg = color(&mut params).or(self.fg),
                39 => self.fg = None,
                40..=47 => self.bg = indexed(code - 40),
                48 => self.bg = color(&mut params).or(self.bg),
                49 => self.bg = None,
                // The colour of underlines is taken from the sequence and not shown.
                58 => _ = color(&mut params),
                90..=97 => self.fg = indexed(code - 90 + 8),
                100..=107 => self.bg = indexed(code - 100 + 8),
                _ => {}
            }
        }
    }
}

impl Foreign {
    /// The sequence that sets it; nothing for what a terminal begins with.
    fn sequence(self) -> String {
        if self == Self::default() {
            return String::new();
        }
        const FORMS: [(Modifier, u8); 6] = [
            (Modifier::BOLD, 1),
            (Modifier::DIM, 2),
            (Modifier::ITALIC, 3),
            (Modifier::UNDERLINED, 4),
            (Modifier::REVERSED, 7),
            (Modifier::CROSSED_OUT, 9),
        ];
        let forms = FORMS.iter().filter(|(form, _)| self.form.contains(*form));
        let mut codes: Vec<String> = forms.map(|(_, code)| code.to_string()).collect();
        for (color, base) in [(self.fg, 38), (self.bg, 48)] {
            match color {
                Some(Color::Indexed(index)) => codes.push(format!("{base};5;{index}")),
                Some(Color::Rgb(red, green, blue)) => {
                    codes.push(format!("{base};2;{red};{green};{blue}"));
                }
                _ => {}
            }
        }
        format!("\x1b[{}m", codes.join(";"))
    }
}

/// A colour by its number: 16 of the terminal's, then the cube and the greys.
fn indexed(index: u16) -> Option<Color> {
    u8::try_from(index).ok().map(Color::Indexed)
}

/// A colour by its parts; `None` when a part is too large.
fn rgb(red: u16, green: u16, blue: u16) -> Option<Color> {
    let part = |part| u8::try_from(part).ok();
    Some(Color::Rgb(part(red)?, part(green)?, part(blue)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{setup::Colors, theme::Background};

    const BASE: Style = Style::new().fg(Color::DarkGray);

    fn look(colors: Colors) -> Look {
        Look::new(None, Background::Dark, colors)
    }

    fn texts(text: &str) -> Vec<String> {
        printed(text, BASE, &look(Colors::True)).iter().map(Line::text).collect()
    }

    /// Text and style of each piece.
    fn runs(text: &str, colors: Colors) -> Vec<(String, Style)> {
        let lines = printed(text, BASE, &look(colors));
        lines.into_iter().flat_map(|line| line.spans).map(|s| (s.text, s.style)).collect()
    }

    #[test]
    fn a_line_is_as_a_terminal_leaves_it() {
        for (text, want) in [
            ("10%\r50%\r100%\r\n", "100%"),
            ("longer\rab", "abnger"),
            ("50% of it\r\x1b[Kdone", "done"),
            ("abc\x08\x08X", "aXc"),
            ("a\tb\t|", "a       b       |"),
            ("abcdef\r\t|", "abcdef  |"),
            ("abc\x1b[2D\x1b[1Kd", " dc"),
            ("a\x1b[4Cb\x1b[1Gc", "c    b"),
            ("\u{4f60}\u{597d}\rx", "x \u{597d}"),
            ("e\u{301}!", "e\u{301}!"),
            ("a\x1b]0;t\x07b\x1b[2Jc\x1b[3;4Hd\x1bPq\x1b\\e\x1b(Bf", "abcdef"),
            ("a\u{9b}31mb\u{9d}0;t\u{9c}c", "abc"),
            ("rm \u{202e}x", "rm \u{27e8}U+202E\u{27e9}x"),
            ("open\x1b]0;no end", "open"),
        ] {
            assert_eq!(texts(text), [want], "{text:?}");
        }
        assert_eq!(texts("a\n\nb\n"), ["a", "", "b"]);
        assert_eq!(texts("\n"), [""; 0]);
    }

    #[test]
    fn colours_and_forms_are_kept_over_lines_until_they_end() {
        let style = Style::new();
        let have = runs("a\x1b[1;31mb\nc\x1b[0md\x1b[3;4;7me\x1b[23;24;27m", Colors::Sixteen);
        let red = style.fg(Color::Red).add_modifier(Modifier::BOLD);
        let formed = Modifier::ITALIC | Modifier::UNDERLINED | Modifier::REVERSED;
        let want =
            [("a", BASE), ("b", red), ("c", red), ("d", BASE), ("e", style.add_modifier(formed))];
        assert_eq!(have, want.map(|(text, style)| (text.to_owned(), style)));
    }

    #[test]
    fn colours_are_those_that_the_terminal_has() {
        let of = |text: &str, colors| runs(text, colors).remove(0).1;
        let orange = "\x1b[38;2;255;135;0mx";
        assert_eq!(of(orange, Colors::True).fg, Some(Color::Rgb(255, 135, 0)));
        assert_eq!(of(orange, Colors::Indexed).fg, Some(Color::Indexed(208)));
        assert_eq!(of("\x1b[38;5;196mx", Colors::Sixteen).fg, Some(Color::LightRed));
        assert_eq!(of("\x1b[38:2::255:135:0mx", Colors::True).fg, Some(Color::Rgb(255, 135, 0)));
        assert_eq!(of("\x1b[38:5:208mx", Colors::Indexed).fg, Some(Color::Indexed(208)));
        assert_eq!(of("\x1b[58;5;9;92mx", Colors::True).fg, Some(Color::LightGreen));
        let none = of("\x1b[31;44;1mx", Colors::None);
        assert_eq!(none, Style::new().add_modifier(Modifier::BOLD));
    }

    #[test]
    fn nothing_is_concealed() {
        let of = |text: &str| runs(text, Colors::True).remove(0).1;
        assert_eq!(of("\x1b[8mx"), BASE);
        assert_eq!(of("\x1b[31;41mx"), Style::new());
        assert_eq!(of("\x1b[30mx"), Style::new(), "black on black");
        assert_eq!(of("\x1b[38;2;9;9;9mx"), Style::new());
        assert_eq!(of("\x1b[30;7mx"), Style::new().add_modifier(Modifier::REVERSED));
        assert_eq!(of("\x1b[30;47mx"), Style::new().fg(Color::Black).bg(Color::Gray));
    }

    #[test]
    fn styles_and_lengths_have_a_bound_and_no_text_is_lost() {
        let many = "\x1b[31mr\x1b[32mg".repeat(1_000);
        let lines = printed(&many, BASE, &look(Colors::True));
        assert_eq!(lines[0].text(), "rg".repeat(1_000));
        assert!(lines[0].spans.len() <= RUNS_MAX + 1, "{}", lines[0].spans.len());
        let long = format!("\x1b[31m{}", "x".repeat(LINE_BYTES_MAX));
        assert_eq!(texts(&long), ["x".repeat(LINE_BYTES_MAX)]);
        let far = texts(&"\x1b[9999Cx".repeat(100));
        assert!(far[0].len() < COLUMNS_MAX + 200, "{}", far[0].len());
    }

    #[test]
    fn what_was_forgotten_leaves_its_style() {
        let red = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
        for (text, bytes, want) in [
            ("\x1b[1;31mone\ntwo", 5, "two"),
            // Within a line: within the sequence, behind it, within one that takes a style back.
            ("lost\x1b[1;31mkept", 7, "kept"),
            ("lost\x1b[1;31mkept", 4, "kept"),
            ("\x1b[31mlost\x1b[1mkept", 6, "kept"),
            ("lost\x1b]8;;https://a.b/c d\x07\x1b[1;31mkept", 20, "kept"),
        ] {
            let mut end = text.to_owned();
            forget_start(&mut end, bytes);
            assert_eq!(runs(&end, Colors::Sixteen), [(want.to_owned(), red)], "{text:?}");
        }
        let gap = "\x1b[31mone\n[\u{2026} 9 of 99 bytes left out \u{2026}]\ntwo";
        assert_eq!(runs(gap, Colors::Sixteen)[2], ("two".to_owned(), BASE));
        let mut end = "\x1b[31mlost\x1b[0m\nkept".to_owned();
        forget_start(&mut end, 4);
        assert_eq!(end, "kept");
    }

    proptest! {
        #[test]
        fn the_end_of_what_is_printed_looks_as_in_the_whole(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "\x1b[1;31m", "\x1b[0m", "\x1b[38;5;208m", "\x1b[48;2;1;2;250m", "\x1b[4;3m", "\x1b[39m",
                    "\x1b]0;title\x07", "\x1b]8;;u\x1b\\", "\u{9b}7m", "word", "\u{4f60}", "\n", "\r\n",
                ]),
                0..60,
            ),
            bytes in 0..80_usize,
        ) {
            let mut text = parts.concat();
            text.push_str("\nlast");
            let whole = printed(&text, BASE, &look(Colors::True));
            let mut end = text.clone();
            forget_start(&mut end, bytes.max(5));
            let have = printed(&end, BASE, &look(Colors::True));
            // The first line may be cut.
            let count = have.len() - 1;
            prop_assert_eq!(&have[1..], &whole[whole.len() - count..]);
            let first = &whole[whole.len() - count - 1];
            prop_assert!(first.text().ends_with(&have[0].text()), "{first:?} {have:?}");
            if let (Some(a), Some(b)) = (first.spans.last(), have[0].spans.last()) {
                prop_assert_eq!(a.style, b.style);
            }
        }

        #[test]
        fn what_is_printed_is_clean(
            text in "(\\PC|[\\x00-\\x1f\\x7f-\\x9f\u{202e}\u{4f60}\\[\\]P;mKGCD0-9])*",
        ) {
            for line in printed(&text, BASE, &look(Colors::True)) {
                let text = line.text();
                prop_assert_eq!(clean(&text), text.clone());
            }
        }
    }
}
