//! Inline mode: finished lines flow into the terminal's own scrollback, a small region below them is
//! redrawn.
//!
//! All movement is relative to the cursor, so no position is ever asked for. The region's first row
//! is found again after a resize by knowing how the terminal treats rows that got too long: it cuts
//! them, or wraps them anew (`Terminal::reflow`). Lines are written whole and wrapped by the terminal
//! alone, so that it can join them again when it grows, and a selection gives them back unbroken.

use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr as _;

use super::{
    Scene,
    pen::{BEGIN, CLEAR_BELOW, CLEAR_ROW, Drawn, END, Pen, content},
};
use crate::{setup::Terminal, text::Line};

#[derive(Clone, Debug)]
pub(super) struct Inline {
    reflow: bool,
    hyperlinks: bool,
    /// What the terminal shows of the region; no rows when there is none.
    drawn: Drawn,
    /// Rows of the terminal then.
    rows: u16,
    /// The cursor within the region.
    cursor: Position,
    is_cursor_shown: bool,
    /// Reused for the next region.
    spare: Drawn,
}

impl Inline {
    pub(super) fn new(terminal: &Terminal, hyperlinks: bool) -> Self {
        Self {
            reflow: terminal.reflow,
            hyperlinks,
            drawn: Drawn::default(),
            rows: 0,
            cursor: Position::ORIGIN,
            is_cursor_shown: true,
            spare: Drawn::default(),
        }
    }

    pub(super) fn forget(&mut self) {
        self.drawn = Drawn::default();
        self.cursor = Position::ORIGIN;
        self.is_cursor_shown = true;
    }

    pub(super) fn frame(
        &mut self,
        scene: &mut impl Scene,
        lines: &[Line],
        columns: u16,
        rows: u16,
    ) -> String {
        let height = scene.height(columns, rows).clamp(1, rows);
        let area = Rect::new(0, 0, columns, height);
        let mut next = std::mem::take(&mut self.spare);
        next.renew(area);
        let caret = scene.view(area, &mut next.buffer);
        if self.hyperlinks {
            next.links.extend_from_slice(scene.links());
        }

        let mut pen = Pen::default();
        // A terminal that gets lower drops rows below the cursor.
        let is_resized = (self.drawn.buffer.area.width, self.rows) != (columns, rows);
        let is_whole = is_resized || !lines.is_empty();
        let mut at = self.cursor;
        if is_whole {
            self.clear(&mut pen, columns);
            for line in lines {
                pen.line(line, self.hyperlinks);
            }
            for y in 0..height {
                if y > 0 {
                    pen.push("\r\n");
                }
                pen.row(next.row(y));
                pen.reset();
            }
            // The column does not matter: each movement starts from the first one.
            at = Position::new(0, height - 1);
        } else {
            let existing = self.drawn.buffer.area.height;
            for y in 0..height {
                let old = self.drawn.row(y);
                pen.change(old, next.row(y), |pen, x| {
                    at = step(pen, at, Position::new(x, y), existing);
                });
                // A row that is new and empty still has to be made.
                if y >= existing && at.y < y {
                    at = step(&mut pen, at, Position::new(0, y), existing);
                }
            }
            pen.reset();
            if height < existing {
                at = step(&mut pen, at, Position::new(0, height), existing);
                pen.push(CLEAR_BELOW);
            }
        }
        let caret =
            caret.map(|caret| Position::new(caret.x.min(columns - 1), caret.y.min(height - 1)));
        let is_shown = caret.is_some();
        let target = caret.unwrap_or(Position::new(0, height - 1));
        if !pen.out.is_empty() || target != self.cursor {
            let known = if is_whole { height } else { height.max(self.drawn.buffer.area.height) };
            step(&mut pen, at, target, known);
        }
        if is_shown != self.is_cursor_shown {
            pen.push(if is_shown { "\x1b[?25h" } else { "\x1b[?25l" });
        }
        self.spare = std::mem::replace(&mut self.drawn, next);
        self.rows = rows;
        self.cursor = target;
        self.is_cursor_shown = is_shown;
        wrapped(pen.out)
    }

    pub(super) fn finish(&mut self, lines: &[Line], columns: u16) -> String {
        let mut pen = Pen::default();
        self.clear(&mut pen, columns);
        for line in lines {
            pen.line(line, self.hyperlinks);
        }
        if !self.is_cursor_shown {
            pen.push("\x1b[?25h");
        }
        self.forget();
        pen.out
    }

    /// Clears the region; the cursor is at its first cell then.
    fn clear(&self, pen: &mut Pen, columns: u16) {
        self.to_top(pen, columns);
        // From the first cell of the screen, tmux takes it for a new page and keeps the old one in its
        // scrollback.
        pen.csi(1, 'C');
        pen.push(CLEAR_BELOW);
        pen.push("\r");
        pen.push(CLEAR_ROW);
    }

    /// Brings the cursor to the first cell of the region, wherever a resize has left it.
    fn to_top(&self, pen: &mut Pen, columns: u16) {
        pen.push("\r");
        let is_wrapped_anew = self.reflow && columns < self.drawn.buffer.area.width;
        let above = if is_wrapped_anew { self.rows_above(columns) } else { self.cursor.y };
        pen.csi(above, 'A');
    }

    /// Rows from the region's first one to the cursor's, after the terminal wrapped the region anew.
    fn rows_above(&self, columns: u16) -> u16 {
        let mut above = 0_u16;
        for y in 0..self.cursor.y {
            let row = self.drawn.row(y).cells;
            above = above.saturating_add(rows_of(row, content(row), columns).max(1));
        }
        let row = self.drawn.row(self.cursor.y).cells;
        let x = usize::from(self.cursor.x);
        // Behind the text the cursor hangs at the end of a full row.
        let before = if content(row) <= x { x } else { x + 1 };
        above.saturating_add(rows_of(row, before, columns).max(1) - 1)
    }
}

/// Rows that the first `count` cells of a row take in a terminal of fewer columns.
fn rows_of(row: &[ratatui::buffer::Cell], count: usize, columns: u16) -> u16 {
    let columns = usize::from(columns.max(1));
    let (mut rows, mut used, mut x) = (0, columns, 0);
    while x < count.min(row.len()) {
        let wide = row[x].symbol().width().clamp(1, 2);
        if used + wide > columns {
            rows += 1;
            used = 0;
        }
        used += wide;
        x += wide;
    }
    rows
}

/// Moves the cursor within the region, of which `existing` rows exist; others are made.
fn step(pen: &mut Pen, from: Position, to: Position, existing: u16) -> Position {
    pen.push("\r");
    if to.y < from.y {
        pen.csi(from.y - to.y, 'A');
    } else {
        let last = existing.saturating_sub(1).max(from.y);
        let down = to.y.min(last);
        pen.csi(down - from.y, 'B');
        for _ in down..to.y {
            pen.push("\r\n");
        }
    }
    pen.csi(to.x, 'C');
    to
}

/// A frame in its marks; nothing stays nothing.
fn wrapped(out: String) -> String {
    if out.is_empty() { out } else { format!("{BEGIN}{out}{END}") }
}
