//! Full-screen mode: the whole alternate screen is ours.

use std::fmt::Write as _;

use ratatui::layout::{Position, Rect};

use super::{
    Scene,
    pen::{BEGIN, CLEAR_BELOW, Drawn, END, Pen},
};

#[derive(Clone, Debug, Default)]
pub(super) struct Full {
    drawn: Drawn,
    spare: Drawn,
    cursor: Option<Position>,
}

impl Full {
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    pub(super) fn frame(&mut self, scene: &mut impl Scene, columns: u16, rows: u16) -> String {
        let area = Rect::new(0, 0, columns, rows);
        let mut next = std::mem::take(&mut self.spare);
        next.renew(area);
        let caret = scene.view(area, &mut next.buffer);
        next.links.extend_from_slice(scene.links());
        let caret = caret.map(|at| Position::new(at.x.min(columns - 1), at.y.min(rows - 1)));

        let mut pen = Pen::default();
        if self.drawn.buffer.area != area {
            pen.push("\x1b[H");
            pen.push(CLEAR_BELOW);
            self.drawn = Drawn::empty(area);
        }
        for y in 0..rows {
            pen.change(self.drawn.row(y), next.row(y), |pen, x| go(pen, x, y));
        }
        pen.reset();
        if !pen.out.is_empty() || caret != self.cursor {
            match caret {
                Some(at) => {
                    go(&mut pen, at.x, at.y);
                    pen.push("\x1b[?25h");
                }
                None => pen.push("\x1b[?25l"),
            }
        }
        self.spare = std::mem::replace(&mut self.drawn, next);
        self.cursor = caret;
        if pen.out.is_empty() { pen.out } else { format!("{BEGIN}{}{END}", pen.out) }
    }

    pub(super) fn finish(&mut self) -> String {
        self.forget();
        format!("\x1b[H{CLEAR_BELOW}\x1b[?25h")
    }
}

fn go(pen: &mut Pen, x: u16, y: u16) {
    // Writing into a string cannot fail.
    _ = write!(pen.out, "\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1);
}
