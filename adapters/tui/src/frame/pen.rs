//! Writes cells and lines: styles, links, and the movement of the cursor.

use std::fmt::Write as _;

use ratatui::{
    buffer::{Buffer, Cell},
    layout::Rect,
    style::{Color, Modifier, Style},
};
use unicode_width::UnicodeWidthStr as _;

use super::{LinkAt, osc};
use crate::text::Line;

/// Begins a synchronized update: hides the cursor's travels, too.
pub(super) const BEGIN: &str = "\x1b[?2026h";
/// Ends it.
pub(super) const END: &str = "\x1b[?2026l";
/// Clears to the end of the row.
pub(super) const CLEAR_ROW: &str = "\x1b[K";
/// Clears to the end of the screen.
pub(super) const CLEAR_BELOW: &str = "\x1b[J";

/// Bytes in the making, and the style that they have set.
#[derive(Debug, Default)]
pub(super) struct Pen {
    pub(super) out: String,
    style: Style,
}

impl Pen {
    pub(super) fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// A sequence with a count, nothing for zero.
    pub(super) fn csi(&mut self, count: u16, end: char) {
        match count {
            0 => {}
            // Writing into a string cannot fail.
            1 => _ = write!(self.out, "\x1b[{end}"),
            _ => _ = write!(self.out, "\x1b[{count}{end}"),
        }
    }

    /// Text of one style, without control characters.
    fn text(&mut self, text: &str, style: Style) {
        self.set(style);
        if text.bytes().all(|byte| byte >= b' ' && byte != 0x7f) && text.is_ascii() {
            self.out.push_str(text);
        } else {
            self.out.extend(text.chars().filter(|char| !char.is_control()));
        }
    }

    /// Ends any style.
    pub(super) fn reset(&mut self) {
        self.set(Style::new());
    }

    fn set(&mut self, style: Style) {
        let shown =
            |style: Style| (style.fg.filter(is_set), style.bg.filter(is_set), style.add_modifier);
        if shown(style) == shown(self.style) {
            return;
        }
        self.style = style;
        self.out.push_str("\x1b[0");
        const NAMES: [(Modifier, &str); 7] = [
            (Modifier::BOLD, ";1"),
            (Modifier::DIM, ";2"),
            (Modifier::ITALIC, ";3"),
            (Modifier::UNDERLINED, ";4"),
            (Modifier::REVERSED, ";7"),
            (Modifier::HIDDEN, ";8"),
            (Modifier::CROSSED_OUT, ";9"),
        ];
        for (modifier, code) in NAMES {
            if style.add_modifier.contains(modifier) {
                self.out.push_str(code);
            }
        }
        if let Some(color) = style.fg {
            self.color(color, 30);
        }
        if let Some(color) = style.bg {
            self.color(color, 40);
        }
        self.out.push('m');
    }

    fn color(&mut self, color: Color, base: u8) {
        let bright = base + 60;
        let code = match color {
            Color::Black => base,
            Color::Red => base + 1,
            Color::Green => base + 2,
            Color::Yellow => base + 3,
            Color::Blue => base + 4,
            Color::Magenta => base + 5,
            Color::Cyan => base + 6,
            Color::Gray => base + 7,
            Color::DarkGray => bright,
            Color::LightRed => bright + 1,
            Color::LightGreen => bright + 2,
            Color::LightYellow => bright + 3,
            Color::LightBlue => bright + 4,
            Color::LightMagenta => bright + 5,
            Color::LightCyan => bright + 6,
            Color::White => bright + 7,
            Color::Indexed(index) => {
                _ = write!(self.out, ";{};5;{index}", base + 8);
                return;
            }
            Color::Rgb(red, green, blue) => {
                _ = write!(self.out, ";{};2;{red};{green};{blue}", base + 8);
                return;
            }
            Color::Reset => return,
        };
        _ = write!(self.out, ";{code}");
    }

    /// A whole line as it is, for the terminal to wrap, and the end of it.
    pub(super) fn line(&mut self, line: &Line, hyperlinks: bool) {
        for span in &line.spans {
            let link = span.link.as_deref().filter(|_| hyperlinks).and_then(osc::link_target);
            if let Some(target) = &link {
                _ = write!(self.out, "\x1b]8;;{target}\x1b\\");
            }
            self.text(&span.text, span.style);
            if link.is_some() {
                self.out.push_str("\x1b]8;;\x1b\\");
            }
        }
        self.reset();
        self.out.push_str("\r\n");
    }

    /// The part of a row that has something in it.
    pub(super) fn row(&mut self, row: Row<'_>) {
        self.cells(row, 0, content(row.cells));
    }

    fn cells(&mut self, row: Row<'_>, from: usize, to: usize) {
        let mut covered = 0;
        let mut open = None;
        for (x, cell) in row.cells.iter().enumerate().take(to).skip(from) {
            if covered > 0 {
                covered -= 1;
                continue;
            }
            covered = cell.symbol().width().saturating_sub(1);
            let link = row.link(x);
            if link != open {
                self.link(open, link);
                open = link;
            }
            self.text(cell.symbol(), cell.style());
        }
        self.link(open, None);
    }

    /// Ends one link, and begins another.
    fn link(&mut self, from: Option<&str>, to: Option<&str>) {
        if let Some(target) = to.and_then(osc::link_target) {
            _ = write!(self.out, "\x1b]8;;{target}\x1b\\");
        } else if from.is_some() {
            self.out.push_str("\x1b]8;;\x1b\\");
        }
    }

    /// Turns an old row into a new one. `reach` brings the cursor to a column of it, and is called
    /// only when something differs.
    pub(super) fn change(
        &mut self,
        old: Row<'_>,
        new: Row<'_>,
        reach: impl FnOnce(&mut Self, u16),
    ) {
        let differs =
            |x: &usize| old.cells.get(*x) != new.cells.get(*x) || old.link(*x) != new.link(*x);
        let is_wide =
            |cells: &[Cell], x: usize| cells.get(x).is_some_and(|cell| cell.symbol().width() > 1);
        let Some(mut first) = (0..new.cells.len()).find(differs) else { return };
        // The right half of a wide character is written with its left one.
        while first > 0 && is_wide(new.cells, first - 1) {
            first -= 1;
        }
        while first > 0 && is_wide(old.cells, first - 1) {
            first -= 1;
        }
        let last = (0..new.cells.len()).rev().find(differs).unwrap_or(first);
        let mut end = last + 1;
        if end < new.cells.len() && is_wide(new.cells, last) {
            end += 1;
        }
        let filled = content(new.cells);
        reach(self, u16::try_from(first).unwrap_or(u16::MAX));
        self.cells(new, first, end.min(filled));
        if content(old.cells) > filled && end > filled {
            self.reset();
            self.out.push_str(CLEAR_ROW);
        }
    }
}

fn is_set(color: &Color) -> bool {
    *color != Color::Reset
}

/// Columns up to the last one that shows something.
pub(super) fn content(row: &[Cell]) -> usize {
    let blank = |cell: &Cell| {
        cell.symbol() == " "
            && cell.bg == Color::Reset
            && !cell.modifier.intersects(Modifier::REVERSED | Modifier::UNDERLINED)
    };
    let Some(last) = row.iter().rposition(|cell| !blank(cell)) else { return 0 };
    (last + row[last].symbol().width().max(1)).min(row.len())
}

/// What was drawn: the cells, and which of them lead somewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawn {
    pub(super) buffer: Buffer,
    pub(super) links: Vec<LinkAt>,
}

impl Drawn {
    /// Nothing but blanks.
    pub(super) fn empty(area: Rect) -> Self {
        Self { buffer: Buffer::empty(area), links: Vec::new() }
    }

    /// Makes room for another frame.
    pub(super) fn renew(&mut self, area: Rect) {
        self.buffer.resize(area);
        self.buffer.reset();
        self.links.clear();
    }

    /// A row; the buffer begins at the origin.
    pub(super) fn row(&self, y: u16) -> Row<'_> {
        let width = usize::from(self.buffer.area.width);
        let start = usize::from(y) * width;
        let cells = self.buffer.content.get(start..start + width).unwrap_or_default();
        Row { y, cells, links: &self.links }
    }
}

/// A row of what was drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'d> {
    y: u16,
    pub(super) cells: &'d [Cell],
    links: &'d [LinkAt],
}

impl<'d> Row<'d> {
    fn link(&self, x: usize) -> Option<&'d str> {
        let is_at = |link: &&LinkAt| {
            link.y == self.y && (usize::from(link.from)..usize::from(link.to)).contains(&x)
        };
        self.links.iter().find(is_at).map(|link| &*link.target)
    }
}
