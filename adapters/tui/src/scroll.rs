//! Full-screen mode: the transcript as a window that scrolls and searches.
//!
//! A place is kept as a cell and a row of it, counted from the end of the window, so that nothing above
//! ever has to be laid out. Rows of cells near the window are kept; they are made anew when the columns
//! or the colours change.

use std::{collections::BTreeMap, sync::Arc};

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use crate::{
    cell::{Cell, Context},
    desk::Desk,
    key::{Key, KeyCode, Modifiers, Mouse, MouseKind, Paste},
    popup::{Field, Handled},
    text::{Line, Span, draw, wrap_hanging},
    theme::Role,
};

/// Cells whose rows are kept.
const KEPT_MAX: usize = 600;
/// Rows of a turn of the wheel.
const WHEEL_ROWS: usize = 3;
/// Columns of what is searched for, its label included, however few there are.
const QUERY_COLUMNS_MIN: usize = 16;

/// Where the window is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scroll {
    /// The cell and the row that is the last one in the window; `None` at the end.
    bottom: Option<(usize, usize)>,
    /// Rows of the window.
    height: usize,
    kept: BTreeMap<usize, Arc<Vec<Line>>>,
    context: Option<Context>,
    find: Option<Find>,
}

#[derive(Clone, Debug, Default)]
struct Find {
    query: Field,
    /// Whether nothing was found.
    is_missing: bool,
}

impl Scroll {
    /// Rows of the window, before a key or the mouse moves it.
    pub(crate) fn set_height(&mut self, rows: u16) {
        self.height = rows.into();
    }

    /// Takes a key that scrolls or searches.
    pub(crate) fn on_key(&mut self, key: Key, desk: &Desk) -> Handled {
        if self.find.is_some() {
            return self.on_find_key(key, desk);
        }
        let page = self.height.saturating_sub(2).max(1);
        match (key.code, key.modifiers) {
            (KeyCode::PageUp, _) => self.up(page, desk),
            (KeyCode::PageDown, _) => self.down(page, desk),
            (KeyCode::Up, Modifiers::SHIFT) => self.up(1, desk),
            (KeyCode::Down, Modifiers::SHIFT) => self.down(1, desk),
            (KeyCode::Home, Modifiers::ALT) => self.up(usize::MAX, desk),
            (KeyCode::End, Modifiers::ALT) => self.bottom = None,
            (KeyCode::Char('f'), Modifiers::ALT) => self.find = Some(Find::default()),
            (KeyCode::F(3), _) => self.find = Some(Find::default()),
            (KeyCode::Esc, _) if self.bottom.is_some() && desk.session.turn.is_none() => {
                self.bottom = None;
            }
            _ => return Handled::Ignored,
        }
        Handled::Consumed
    }

    fn on_find_key(&mut self, key: Key, desk: &Desk) -> Handled {
        let Some(find) = &mut self.find else { return Handled::Ignored };
        match key.code {
            KeyCode::Esc => self.find = None,
            KeyCode::Enter | KeyCode::Up => self.find_next(true, desk),
            KeyCode::Down => self.find_next(false, desk),
            _ if find.query.on_key(&key, desk.input.keymap()) => find.is_missing = false,
            _ => return Handled::Ignored,
        }
        Handled::Consumed
    }

    /// Takes a paste while it searches. False when it does not.
    pub(crate) fn on_paste(&mut self, paste: &Paste) -> bool {
        let Some(find) = &mut self.find else { return false };
        find.query.on_paste(paste);
        find.is_missing = false;
        true
    }

    pub(crate) fn on_mouse(&mut self, mouse: Mouse, desk: &Desk) {
        match mouse.kind {
            MouseKind::ScrollUp => self.up(WHEEL_ROWS, desk),
            MouseKind::ScrollDown => self.down(WHEEL_ROWS, desk),
            MouseKind::Down(_) | MouseKind::Drag(_) | MouseKind::Up(_) => {}
        }
    }

    /// Draws the line at the bottom of the window while it is not at the end, or searches. Returns where
    /// the caret is in it.
    pub(crate) fn view_line(
        &self,
        area: Rect,
        buffer: &mut Buffer,
        desk: &Desk,
    ) -> Option<Position> {
        let look = &desk.look;
        let Some(find) = &self.find else {
            self.bottom?;
            // While a turn runs, Esc is its end.
            let key = if desk.session.turn.is_none() { "Esc" } else { "Alt-End" };
            let line = format!("more below \u{b7} {key} to the end");
            draw(&Line::styled(line, look.style(Role::Dim)), area, buffer);
            return None;
        };
        let note = if find.is_missing { "  not found" } else { "" };
        let note = Line::styled(note, look.style(Role::Warn));
        let keys = "  Enter up \u{b7} Down down \u{b7} Esc done";
        let told = note.clone().with(keys, look.style(Role::Dim));
        let room = |told: &Line| usize::from(area.width).saturating_sub(told.width());
        // The keys give way first.
        let told = if room(&told) < QUERY_COLUMNS_MIN { note } else { told };
        let columns = room(&told).max(QUERY_COLUMNS_MIN).min(area.width.into()) as u16;
        let at = Rect { width: columns, ..area };
        let caret = find.query.view("find: ", "", at, buffer, look);
        draw(&told, Rect { x: at.right(), width: area.width - columns, ..area }, buffer);
        caret
    }

    /// Draws the window. Returns the rows that are in it.
    pub(crate) fn view(&mut self, area: Rect, buffer: &mut Buffer, desk: &Desk) -> Vec<Line> {
        self.keep_up(desk);
        self.height = area.height.into();
        let (cell, row) = self.bottom.unwrap_or(self.end(desk));
        let rows = self.rows_up_from(cell, row, area.height.into(), desk);
        let selected = desk.look.style(Role::Selected);
        let query =
            self.find.as_ref().map(|find| find.query.text().to_lowercase()).unwrap_or_default();
        for (y, line) in (area.y..area.bottom()).zip(&rows) {
            let at = Rect { y, height: 1, ..area };
            if query.is_empty() {
                draw(line, at, buffer);
            } else {
                draw(&marked(line, &query, selected), at, buffer);
            }
        }
        rows
    }

    /// Forgets rows that were made for other columns or colours.
    fn keep_up(&mut self, desk: &Desk) {
        let context = desk.context();
        if self.context != Some(context) {
            self.kept.clear();
            self.context = Some(context);
        }
    }

    /// The place behind everything: the cell that stands for what is unfinished.
    fn end(&self, desk: &Desk) -> (usize, usize) {
        let live = desk.transcript.forgotten() + desk.transcript.cells().len();
        (live, usize::MAX)
    }

    /// The rows of a cell; those of the live ones are not kept.
    fn rows(&mut self, cell: usize, desk: &Desk) -> Option<Arc<Vec<Line>>> {
        let transcript = &desk.transcript;
        let context = desk.context();
        let first = transcript.forgotten();
        let index = cell.checked_sub(first)?;
        let broken = |lines: Vec<Line>| -> Vec<Line> {
            lines.iter().flat_map(|line| wrap_hanging(line, context.paint.columns)).collect()
        };
        let Some(found) = transcript.cells().get(index) else {
            if index > transcript.cells().len() {
                return None;
            }
            // At the end only the last rows are seen; elsewhere a row is counted from the first one.
            let most = if self.bottom.is_none() { self.height } else { usize::MAX };
            let mut lines = transcript.live(&desk.session, desk.now.mono, &context, most);
            if !lines.is_empty() && index > 0 && !lines[0].is_empty() {
                lines.insert(0, Line::new());
            }
            return Some(Arc::new(broken(lines)));
        };
        if let Some(rows) = self.kept.get(&cell) {
            return Some(Arc::clone(rows));
        }
        let mut lines = found.lines(&context);
        if !lines.is_empty() && index > 0 && !matches!(found, Cell::Footer(_)) {
            lines.insert(0, Line::new());
        }
        let rows = Arc::new(broken(lines));
        self.kept.insert(cell, Arc::clone(&rows));
        while self.kept.len() > KEPT_MAX {
            // The one that is farthest from where the reader is.
            let far = [self.kept.first_key_value(), self.kept.last_key_value()];
            let far = far.into_iter().flatten().map(|(key, _)| *key);
            let Some(far) = far.max_by_key(|key| key.abs_diff(cell)) else { break };
            self.kept.remove(&far);
        }
        Some(rows)
    }

    /// `count` rows that end with a place, or fewer at the start.
    fn rows_up_from(&mut self, cell: usize, row: usize, count: usize, desk: &Desk) -> Vec<Line> {
        let mut out: Vec<Line> = Vec::new();
        let (mut cell, mut row) = (cell, row);
        while out.len() < count {
            if let Some(rows) = self.rows(cell, desk) {
                let end = row.saturating_add(1).min(rows.len());
                let start = end.saturating_sub(count - out.len());
                out.extend(rows[start..end].iter().rev().cloned());
            }
            if cell <= desk.transcript.forgotten() {
                break;
            }
            (cell, row) = (cell - 1, usize::MAX);
        }
        out.reverse();
        out
    }

    fn up(&mut self, count: usize, desk: &Desk) {
        self.keep_up(desk);
        let first = desk.transcript.forgotten();
        let (mut cell, mut row) = *self.bottom.get_or_insert(self.end(desk));
        let mut left = count;
        loop {
            let rows = self.rows(cell, desk).map_or(0, |rows| rows.len());
            let at = row.min(rows.saturating_sub(1));
            if rows > 0 && at >= left {
                row = at - left;
                break;
            }
            if cell <= first {
                row = 0;
                break;
            }
            left = left.saturating_sub(if rows == 0 { 0 } else { at + 1 });
            (cell, row) = (cell - 1, usize::MAX);
        }
        self.bottom = Some((cell, row));
        // The window stays full.
        let missing =
            self.height.saturating_sub(self.rows_up_from(cell, row, self.height, desk).len());
        if missing > 0 {
            self.down(missing, desk);
        }
    }

    fn down(&mut self, count: usize, desk: &Desk) {
        self.keep_up(desk);
        let Some((mut cell, mut row)) = self.bottom else { return };
        let (live, _) = self.end(desk);
        let mut left = count;
        loop {
            let rows = self.rows(cell, desk).map_or(0, |rows| rows.len());
            let below = rows.saturating_sub(row.saturating_add(1));
            if below >= left {
                row += left;
                break;
            }
            if cell >= live {
                self.bottom = None;
                return;
            }
            left -= below + 1;
            (cell, row) = (cell + 1, 0);
            // A cell without rows has no first one.
            while cell < live && self.rows(cell, desk).is_none_or(|rows| rows.is_empty()) {
                cell += 1;
            }
        }
        let is_end = cell >= live
            || (cell + 1 == live
                && self.rows(cell, desk).is_some_and(|rows| row + 1 >= rows.len())
                && self.rows(live, desk).is_none_or(|rows| rows.is_empty()));
        self.bottom = if is_end { None } else { Some((cell, row)) };
    }

    fn find_next(&mut self, is_up: bool, desk: &Desk) {
        self.keep_up(desk);
        let Some(query) = self.find.as_ref().map(|find| find.query.text().to_lowercase()) else {
            return;
        };
        if query.is_empty() {
            return;
        }
        let first = desk.transcript.forgotten();
        let (live, _) = self.end(desk);
        let before = self.bottom;
        let (mut cell, row) = *self.bottom.get_or_insert(self.end(desk));
        let mut limit = Some(row);
        let has = |line: &Line| line.text().to_lowercase().contains(&query);
        let found = loop {
            let rows = self.rows(cell, desk).unwrap_or_default();
            let limit = limit.take();
            let hit = if is_up {
                let end = limit.map_or(rows.len(), |limit| limit.min(rows.len()));
                rows[..end].iter().rposition(has)
            } else {
                let start = limit.map_or(0, |limit| limit.saturating_add(1)).min(rows.len());
                rows[start..].iter().position(has).map(|at| start + at)
            };
            if let Some(row) = hit {
                break Some((cell, row));
            }
            if (is_up && cell <= first) || (!is_up && cell >= live) {
                break None;
            }
            cell = if is_up { cell - 1 } else { cell + 1 };
        };
        if let Some(find) = &mut self.find {
            find.is_missing = found.is_none();
        }
        self.bottom = found.or(before);
    }

    /// Something was said by the user: they want to see what follows.
    pub(crate) fn go_to_end(&mut self) {
        self.bottom = None;
        self.find = None;
    }
}

/// A line with what was searched for marked.
fn marked(line: &Line, query: &str, style: ratatui::style::Style) -> Line {
    let text = line.text();
    let lower = text.to_lowercase();
    // Where small letters take other bytes, places do not match.
    if lower.len() != text.len() {
        return line.clone();
    }
    let hits: Vec<usize> = lower.match_indices(query).map(|(at, _)| at).collect();
    let mut out = Line::new();
    let mut at = 0;
    for span in &line.spans {
        for (offset, char) in span.text.char_indices() {
            let place = at + offset;
            let is_hit = hits.iter().any(|hit| (*hit..hit + query.len()).contains(&place));
            let style = if is_hit { span.style.patch(style) } else { span.style };
            out.push_span(Span { text: char.to_string(), style, link: span.link.clone() });
        }
        at += span.text.len();
    }
    out
}
