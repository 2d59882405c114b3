//! What changed in the working directory, file by file.

use std::sync::Arc;

use super::{Body, Bound, Chrome, Handled, Layer, Scroll, chrome::text_columns};
use crate::{
    desk::Desk,
    diff::{self, DiffLine, FileDiff},
    key::{Key, KeyCode, Modifiers},
    msg::{Answer, ScreenEffect},
    text::{Break, Line, clean_line, grouped, wrap, wrap_at},
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
    rows: Arc<[Line]>,
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
    fn lay_out(&mut self, columns: u16, look: &Look) -> Arc<[Line]> {
        let width = text_columns(columns);
        let said = |text: &str, role| {
            wrap(&Line::styled(text, look.style(role)), width, Break::Words).into()
        };
        let (files, laid) = match &mut self.state {
            State::Failed(why) => return said(why, Role::Bad),
            State::Files { files, .. } if files.is_empty() => {
                return said("nothing has changed", Role::Dim);
            }
            State::Files { files, rows } => (files, rows),
            State::Loading => return said("looking…", Role::Dim),
        };
        if let Some(have) =
            laid.as_ref().filter(|have| (have.columns, have.look) == (columns, *look))
        {
            return Arc::clone(&have.rows);
        }
        let (mut rows, mut starts) = (Vec::new(), Vec::new());
        for file in files.iter() {
            if !rows.is_empty() {
                rows.push(Line::new());
            }
            starts.push(rows.len());
            rows.extend(wrap(&file.heading(look), width, Break::Anywhere));
            let has_numbers = columns >= NUMBERS_COLUMNS_MIN;
            let column = file.text_column(has_numbers);
            for line in file.lines(has_numbers, look) {
                rows.extend(wrap_at(&line, width, column));
            }
        }
        let rows: Arc<[Line]> = rows.into();
        *laid = Some(Rows { columns, look: *look, rows: Arc::clone(&rows), starts });
        rows
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
    fn chrome(&self, desk: &Desk) -> Chrome {
        let mut chrome = Chrome::new("Changes");
        if let State::Files { files, .. } = &self.state
            && !files.is_empty()
        {
            let added: usize = files.iter().map(|file| file.added).sum();
            let removed: usize = files.iter().map(|file| file.removed).sum();
            let place = format!("file {} of {}", self.at() + 1, files.len());
            let is_cut = files.last().and_then(|file| file.lines.last()).is_some_and(
                |line| matches!(line, DiffLine::Note(note) if note.ends_with("not shown")),
            );
            let part = if is_cut { ", in part" } else { "" };
            let (added, removed) = (grouped(added as u64), grouped(removed as u64));
            chrome = chrome
                .side(format!("{place}, +{added} −{removed}{part}"))
                .on(desk, Bound::PageDown, "page")
                .key("n", "next file")
                .key("p", "previous")
                .key("r", "read again");
        }
        chrome.on(desk, Bound::Close, "back")
    }

    fn body(&mut self, _desk: &Desk) -> Body<'_> {
        Body::Text(&mut self.scroll)
    }

    fn rows(&mut self, columns: u16, _desk: &Desk, look: &Look) -> Arc<[Line]> {
        self.lay_out(columns, look)
    }

    fn subject(&self, _desk: &Desk) -> String {
        match &self.state {
            State::Failed(_) => "failed",
            State::Files { .. } => "files",
            State::Loading => "loading",
        }
        .into()
    }

    fn on_own_key(&mut self, key: &Key, desk: &mut Desk) -> Option<Handled> {
        let plain = key.modifiers.is_empty();
        match key.code {
            KeyCode::Char('n' | ']') | KeyCode::Tab if plain => self.jump(1),
            KeyCode::Char('p' | '[') if plain => self.jump(-1),
            KeyCode::Tab if key.modifiers == Modifiers::SHIFT => self.jump(-1),
            KeyCode::Char('r') if plain => {
                self.state = State::Loading;
                desk.effect(ScreenEffect::ReadDiff);
            }
            _ => return None,
        }
        Some(Handled::Consumed)
    }

    fn on_answer(&mut self, answer: &Answer, _desk: &mut Desk) {
        let Answer::Diff(diff) = answer else { return };
        self.state = match diff {
            Ok(text) => State::Files { files: diff::read(text), rows: None },
            Err(why) => State::Failed(clean_line(why).into_owned()),
        };
    }
}
