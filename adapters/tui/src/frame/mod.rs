//! From printed lines and the buffer to bytes for the terminal. Pure: the adapter only writes them.
//!
//! A frame is one string, between the marks of a synchronized update (which terminals that do not
//! know them ignore), and only what changed is in it; when nothing did, it is empty. Nothing but the
//! sequences made here ever leaves: control characters in the text are dropped once more.

mod full;
mod inline;
mod osc;
mod pacer;
mod pen;
mod plain;

use std::sync::Arc;

pub use osc::{clipboard, notification, title};
pub use pacer::{FRAME_MS_MIN, Pacer};

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use crate::{
    setup::{Mode, Setup},
    text::{Line, width},
};

/// What is drawn.
pub trait Scene {
    /// Rows that the live region needs, at most `rows`.
    fn height(&mut self, columns: u16, rows: u16) -> u16;

    /// Draws. Returns where the caret is; without one the cursor is hidden.
    fn view(&mut self, area: Rect, buffer: &mut Buffer) -> Option<Position>;

    /// Cells that lead somewhere, of what was drawn last.
    fn links(&self) -> &[LinkAt] {
        &[]
    }
}

/// Cells of a row that lead somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkAt {
    /// The row.
    pub y: u16,
    /// The first column.
    pub from: u16,
    /// The column behind the last one.
    pub to: u16,
    /// Where they lead.
    pub target: Arc<str>,
}

impl LinkAt {
    /// Those of a line that is drawn into the first row of an area.
    pub(crate) fn of(line: &Line, area: Rect, links: &mut Vec<Self>) {
        let mut x = area.x;
        for span in &line.spans {
            let wide = u16::try_from(width(&span.text)).unwrap_or(u16::MAX);
            let to = x.saturating_add(wide).min(area.right());
            if let Some(target) = span.link.as_ref().filter(|_| x < to) {
                links.push(Self { y: area.y, from: x, to, target: Arc::clone(target) });
            }
            x = to;
        }
    }
}

/// Makes frames, and remembers what the terminal shows.
#[derive(Clone, Debug)]
pub struct Writer {
    kind: Kind,
    lines: Vec<Line>,
    columns: u16,
    rows: u16,
}

#[derive(Clone, Debug)]
enum Kind {
    Full(full::Full),
    Inline(inline::Inline),
    Plain(plain::Plain),
}

impl Writer {
    /// A writer that has written nothing. In inline mode the cursor must be in the first column;
    /// the alternate screen of full-screen mode is entered by the adapter.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        let kind = match setup.mode {
            Mode::FullScreen => Kind::Full(full::Full::default()),
            Mode::Inline => {
                Kind::Inline(inline::Inline::new(&setup.terminal, setup.terminal.hyperlinks))
            }
            Mode::Plain => Kind::Plain(plain::Plain::default()),
        };
        Self { kind, lines: Vec::new(), columns: 0, rows: 0 }
    }

    /// The terminal's size in cells. Until it is known there are no frames.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        (self.columns, self.rows) = (columns, rows);
    }

    /// Lines that go into the scrollback with the next frame.
    pub fn print(&mut self, lines: Vec<Line>) {
        self.lines.extend(lines);
    }

    /// Forgets what the terminal shows, since somebody else wrote on it: the editor, a shell after
    /// a stop. The cursor must be in the first column of an empty row.
    pub fn forget(&mut self) {
        match &mut self.kind {
            Kind::Full(full) => full.forget(),
            Kind::Inline(inline) => inline.forget(),
            Kind::Plain(plain) => plain.forget(),
        }
    }

    /// The next frame; empty when nothing changed.
    pub fn frame(&mut self, scene: &mut impl Scene) -> String {
        if self.columns == 0 || self.rows == 0 {
            return String::new();
        }
        match &mut self.kind {
            Kind::Full(full) => {
                // There is no scrollback to print to.
                self.lines.clear();
                full.frame(scene, self.columns, self.rows)
            }
            Kind::Inline(inline) => {
                inline.frame(scene, &std::mem::take(&mut self.lines), self.columns, self.rows)
            }
            Kind::Plain(plain) => {
                plain.frame(scene, &std::mem::take(&mut self.lines), self.columns)
            }
        }
    }

    /// Removes the live region, writes what is left, and shows the cursor below it all: the last
    /// bytes, or those before the terminal is given to somebody else.
    pub fn finish(&mut self) -> String {
        match &mut self.kind {
            Kind::Full(full) => full.finish(),
            Kind::Inline(inline) => {
                inline.finish(&std::mem::take(&mut self.lines), self.columns.max(1))
            }
            Kind::Plain(plain) => plain.finish(&std::mem::take(&mut self.lines)),
        }
    }
}
