//! What changed in the working directory, file by file.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{
    Bound, Handled, Layer,
    chrome::{CHROME_ROWS, Chrome, Scroll},
};
use crate::{
    desk::Desk,
    diff::{self, FileDiff},
    key::{Key, KeyCode, Modifiers},
    msg::{Answer, ScreenEffect},
    text::{Break, Line, clean_line, draw, wrap},
    theme::{Look, Role},
};

/// Columns below which lines have no numbers.
const NUMBERS_COLUMNS_MIN: u16 = 40;

/// The viewer.
#[derive(Clone, Debug)]
pub struct DiffViewer {
    scroll: Scroll,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Failed(String),
    Files { files: Vec<FileDiff>, rows: Option<Rows> },
    Loading,
}

/// The files as rows of a width.
#[derive(Clone, Debug)]
struct Rows {
    columns: u16,
    look: Look,
    rows: Vec<Line>,
    /// The first row of each file.
    starts: Vec<usize>,
}

impl DiffViewer {
    /// Opens it and asks for the diff.
    pub fn open(desk: &mut Desk) {
        desk.effect(ScreenEffect::ReadDiff);
        desk.open(Self { scroll: Scroll::default(), state: State::Loading }.into());
    }

    /// Lays the files out, once per width and look.
    fn lay_out(&mut self, columns: u16, look: &Look) {
        let State::Files { files, rows } = &mut self.state else { return };
        if rows.as_ref().is_some_and(|rows| rows.columns == columns && rows.look == *look) {
            return;
        }
        let mut laid = Rows { columns, look: *look, rows: Vec::new(), starts: Vec::new() };
        let width = columns.saturating_sub(4).max(1);
        for file in files.iter() {
            if !laid.rows.is_empty() {
                laid.rows.push(Line::new());
            }
            laid.starts.push(laid.rows.len());
            laid.rows.extend(wrap(&file.heading(look), width, Break::Anywhere));
            for line in file.lines(columns >= NUMBERS_COLUMNS_MIN, look) {
                laid.rows.extend(wrap(&line, width, Break::Anywhere));
            }
        }
        *rows = Some(laid);
    }

    /// The file at the top of the window.
    fn at(&self) -> usize {
        let State::Files { rows: Some(rows), .. } = &self.state else { return 0 };
        let before = rows.starts.iter().take_while(|start| **start <= self.scroll.top);
        before.count().saturating_sub(1)
    }

    fn jump(&mut self, by: isize) {
        let at = self.at();
        let State::Files { rows: Some(rows), .. } = &self.state else { return };
        let start = rows.starts.get(at).copied().unwrap_or(0);
        // Back goes to the start of this file first.
        let to = match by {
            -1 if self.scroll.top > start => at,
            by => at.saturating_add_signed(by).min(rows.starts.len().saturating_sub(1)),
        };
        self.scroll.top = rows.starts.get(to).copied().unwrap_or(0);
    }
}

impl Layer for DiffViewer {
    fn on_key(&mut self, key: Key, desk: &mut Desk) -> Handled {
        if desk.bindings.is(&key, Bound::Close) {
            return Handled::Close;
        }
        let plain = key.modifiers.is_empty();
        match key.code {
            KeyCode::Char('n' | ']') if plain => self.jump(1),
            KeyCode::Char('p' | '[') if plain => self.jump(-1),
            KeyCode::Tab if plain => self.jump(1),
            KeyCode::Tab if key.modifiers == Modifiers::SHIFT => self.jump(-1),
            KeyCode::Char('r') if plain => {
                self.state = State::Loading;
                desk.effect(ScreenEffect::ReadDiff);
            }
            _ => {
                self.scroll.on_key(&key, desk);
            }
        }
        Handled::Consumed
    }

    fn on_answer(&mut self, answer: &Answer, _desk: &mut Desk) {
        let Answer::Diff(diff) = answer else { return };
        self.state = match diff {
            Ok(text) => State::Files { files: diff::read(text), rows: None },
            Err(why) => State::Failed(clean_line(why).into_owned()),
        };
    }

    fn height(&mut self, columns: u16, rows: u16, desk: &Desk) -> u16 {
        self.lay_out(columns, &desk.look);
        let body = match &self.state {
            State::Files { rows: Some(rows), .. } => rows.rows.len().max(1),
            _ => 2,
        };
        u16::try_from(body).unwrap_or(u16::MAX).saturating_add(CHROME_ROWS).min(rows)
    }

    fn view(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        desk: &Desk,
        look: &Look,
    ) -> Option<Position> {
        self.lay_out(area.width, look);
        let mut chrome = Chrome::new("Changes");
        if let State::Files { files, .. } = &self.state
            && !files.is_empty()
        {
            let added: usize = files.iter().map(|file| file.added).sum();
            let removed: usize = files.iter().map(|file| file.removed).sum();
            let place = format!("file {} of {}", self.at() + 1, files.len());
            chrome = chrome.side(format!("{place}, +{added} −{removed}"));
            chrome = chrome
                .key(desk.bindings.label(Bound::PageDown), "page")
                .key("n", "next file")
                .key("p", "previous")
                .key("r", "read again");
        }
        let inner = chrome.key(desk.bindings.label(Bound::Close), "back").draw(area, buffer, look);
        let body =
            Rect { x: inner.x + 2.min(inner.width), width: inner.width.saturating_sub(2), ..inner };
        let say = match &self.state {
            State::Failed(why) => (why.as_str(), Role::Bad),
            State::Files { files, .. } if files.is_empty() => ("nothing has changed", Role::Dim),
            State::Files { .. } => ("", Role::Dim),
            State::Loading => ("looking…", Role::Dim),
        };
        match &self.state {
            State::Files { files, rows: Some(rows) } if !files.is_empty() => {
                self.scroll.draw(&rows.rows, body, buffer, look);
            }
            _ => {
                let rows = wrap(&Line::styled(say.0, look.style(say.1)), body.width, Break::Words);
                for (y, row) in (body.y..body.bottom()).zip(&rows) {
                    draw(row, Rect { y, height: 1, ..body }, buffer);
                }
            }
        }
        None
    }
}
