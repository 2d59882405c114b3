//! What all popups share: a rule with the title above, the keys below, and texts that scroll between.

use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    desk::Desk,
    key::Key,
    popup::{Bound, list::Listed},
    text::{Line, draw, fit, grouped, width},
    theme::{Look, Role},
};

/// Rows of the title and of the keys.
pub(crate) const CHROME_ROWS: u16 = 2;

/// A title and the keys that matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chrome {
    /// What it is.
    pub(crate) title: String,
    /// What is said at the right of the title, e.g. `1 of 3`.
    pub(crate) side: String,
    /// Key and meaning, most important first and the way out last; of the others those that do not
    /// fit are left out.
    pub(crate) keys: Vec<(String, &'static str)>,
}

impl Chrome {
    /// A title.
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// With something at its right.
    pub(crate) fn side(mut self, side: impl Into<String>) -> Self {
        self.side = side.into();
        self
    }

    /// With a key; one without a label is left out.
    pub(crate) fn key(mut self, key: impl Into<String>, means: &'static str) -> Self {
        let key = key.into();
        if !key.is_empty() {
            self.keys.push((key, means));
        }
        self
    }

    /// With what the keys of an action do, if it has any.
    pub(crate) fn on(self, desk: &Desk, bound: Bound, means: &'static str) -> Self {
        self.key(desk.bindings.label(bound), means)
    }

    /// Draws them and returns the area between. An area of two rows has no keys, one of one row is
    /// all for the text.
    pub(crate) fn draw(&self, area: Rect, buffer: &mut Buffer, look: &Look) -> Rect {
        let area = area.intersection(buffer.area);
        if area.height < 2 {
            return area;
        }
        let columns = usize::from(area.width);
        let dim = look.style(Role::Dim);
        let mut line = Line::styled("─ ", dim);
        line.push(fit(&self.title, columns.saturating_sub(4)), look.style(Role::Strong));
        line.push(" ", dim);
        // Of what is at the right, the last parts give way.
        let mut side = self.side.as_str();
        let room = columns.saturating_sub(line.width() + 3);
        while width(side) > room {
            side = side.rsplit_once(", ").map_or("", |(first, _)| first);
        }
        let side = if side.is_empty() { String::new() } else { format!(" {side} ─") };
        line.push("─".repeat(columns.saturating_sub(line.width() + width(&side))), dim);
        line.push(side, dim);
        draw(&line, area, buffer);
        if area.height == 2 {
            return Rect { y: area.y + 1, height: 1, ..area };
        }
        let keys = Rect { y: area.bottom() - 1, height: 1, ..area };
        draw(&self.keys_line(columns, look), keys, buffer);
        Rect { y: area.y + 1, height: area.height - CHROME_ROWS, ..area }
    }

    fn keys_line(&self, columns: usize, look: &Look) -> Line {
        const GAP: &str = "  ·  ";
        let wide = |(key, means): &(String, &str)| width(key) + 1 + width(means);
        let mut line = Line::plain("  ");
        let last = self.keys.len().saturating_sub(1);
        // The last one is the way out.
        let out = self.keys.last().map_or(0, |key| width(GAP) + wide(key));
        for (index, (key, means)) in self.keys.iter().enumerate() {
            let gap = if line.width() == 2 { "" } else { GAP };
            let after = if index == last { 0 } else { out };
            let key_wide = width(gap) + width(key) + 1 + width(means);
            if line.width() + key_wide + after > columns {
                continue;
            }
            line.push(gap, look.style(Role::Dim));
            line.push(key.clone(), look.style(Role::Accent));
            line.push(format!(" {means}"), look.style(Role::Dim));
        }
        line
    }
}

/// A place in a text that is longer than its area.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scroll {
    /// First row that is shown.
    pub(crate) top: usize,
    /// Rows that were shown last.
    page: usize,
    /// Rows that there were.
    total: usize,
}

impl Scroll {
    /// At the end of the text, whatever its length.
    pub(crate) fn at_end() -> Self {
        Self { top: usize::MAX, ..Self::default() }
    }

    /// Takes a key of the context `pager`.
    pub(crate) fn on_key(&mut self, key: &Key, desk: &Desk) -> Listed {
        let page = self.page.max(1);
        let last = self.total.saturating_sub(page);
        let is = |bound| desk.bindings.is(key, bound);
        self.top = if is(Bound::ScrollDown) {
            self.top.saturating_add(1)
        } else if is(Bound::ScrollUp) {
            self.top.saturating_sub(1)
        } else if is(Bound::PageDown) {
            self.top.saturating_add(page)
        } else if is(Bound::PageUp) {
            self.top.saturating_sub(page)
        } else if is(Bound::HalfDown) {
            self.top.saturating_add(page.div_ceil(2))
        } else if is(Bound::HalfUp) {
            self.top.saturating_sub(page.div_ceil(2))
        } else if is(Bound::Top) {
            0
        } else if is(Bound::Bottom) {
            last
        } else {
            return Listed::Ignored;
        };
        self.top = self.top.min(last);
        Listed::Consumed
    }

    /// Fits the place to what there is, and returns the rows to show.
    pub(crate) fn window(&mut self, total: usize, page: u16) -> std::ops::Range<usize> {
        (self.total, self.page) = (total, usize::from(page));
        self.top = self.top.min(total.saturating_sub(self.page));
        self.top..(self.top + self.page).min(total)
    }

    /// Draws the rows that are in the window; the last row tells how many follow.
    pub(crate) fn draw(&mut self, rows: &[Line], area: Rect, buffer: &mut Buffer, look: &Look) {
        let window = self.window(rows.len(), area.height);
        let below = rows.len() - window.end;
        for (y, row) in (area.y..).zip(&rows[window]) {
            draw(row, Rect { y, height: 1, ..area }, buffer);
        }
        if below > 0 && area.height > 1 {
            let at = Rect { y: area.bottom() - 1, height: 1, ..area };
            let text = format!("  ↓ {} more", counted(below + 1, "row"));
            let blank = " ".repeat(usize::from(area.width));
            draw(&Line::plain(blank), at, buffer);
            draw(&Line::styled(text, look.style(Role::Warn)), at, buffer);
        }
    }
}

/// The part of an area in which text stands below a list, or alone.
pub(crate) fn indented(area: Rect) -> Rect {
    let by = 2.min(area.width);
    Rect { x: area.x + by, width: area.width - by, ..area }
}

/// Columns for text in a popup: as much room at its right as at its left.
pub(crate) fn text_columns(columns: u16) -> u16 {
    columns.saturating_sub(4).max(1)
}

/// Draws rows; when they are too many, the last ones.
pub(crate) fn draw_rows(rows: &[Line], area: Rect, buffer: &mut Buffer) {
    let filled = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
    let from = filled.saturating_sub(usize::from(area.height));
    for (y, row) in (area.y..area.bottom()).zip(&rows[from..]) {
        draw(row, Rect { y, height: 1, ..area }, buffer);
    }
}

/// `1 row`, `2 rows`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count as u64), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{setup::Colors, theme::Background};

    #[test]
    fn of_what_is_at_the_right_the_last_parts_give_way() {
        let look = Look::new(None, Background::Dark, Colors::None);
        let title = |columns| {
            let area = Rect::new(0, 0, columns, 4);
            let mut buffer = Buffer::empty(area);
            let chrome = Chrome::new("Changes").side("file 1 of 9, +12 \u{2212}3, in part");
            chrome.draw(area, &mut buffer, &look);
            let row = &buffer.content[..usize::from(columns)];
            row.iter().map(|cell| cell.symbol()).collect::<String>().replace('\u{2500}', "-")
        };
        assert_eq!(title(42), "- Changes - file 1 of 9, +12 \u{2212}3, in part -");
        assert_eq!(title(36), "- Changes ---- file 1 of 9, +12 \u{2212}3 -");
        assert_eq!(title(28), "- Changes ---- file 1 of 9 -");
        assert_eq!(title(20), "- Changes ----------");
    }
}
