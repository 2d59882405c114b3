//! Draws the composer and its candidates, and says where the caret is.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::{Modifier, Style},
};

use super::{
    Completion, Composer, Kind,
    wrap::{shown, units},
};

/// Candidates that are shown at once.
const CANDIDATES_SHOWN_MAX: usize = 8;
/// Columns of the sign before the text.
const SIGN_COLUMNS: u16 = 2;

/// How things look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Styles {
    /// The sign before the text.
    pub sign: Style,
    /// The text.
    pub text: Style,
    /// Placeholders.
    pub atom: Style,
    /// What is shown while nothing is written, and descriptions.
    pub dim: Style,
    /// The candidate that is chosen.
    pub chosen: Style,
}

impl Composer {
    /// Rows that the text needs at a width, the search's row included.
    #[must_use]
    pub fn height(&mut self, width: u16) -> u16 {
        self.set_width(width);
        let rows = self.layout().rows.len();
        let rows = u16::try_from(rows).unwrap_or(u16::MAX);
        rows.saturating_add(u16::from(self.search().is_some()))
    }

    /// Rows that the candidates need.
    #[must_use]
    pub fn candidates_height(&self) -> u16 {
        self.completion().map_or(0, |now| {
            let count = now.candidates.len().clamp(1, CANDIDATES_SHOWN_MAX);
            u16::try_from(count).unwrap_or(1)
        })
    }

    /// The first row that is shown of so many; it moves no further than the caret makes it.
    fn first_shown(&mut self, visible: usize) -> usize {
        let caret = self.text.caret();
        self.layout();
        let (_, _, layout) = self.layout.as_ref().expect("it was just made");
        let (row, _) = layout.cell(&self.text, caret);
        let last = layout.rows.len().saturating_sub(visible);
        self.scroll.clamp((row + 1).saturating_sub(visible), row).min(last)
    }

    /// Keeps where it is scrolled to at a size. Drawing keeps nothing, so that it may be left out.
    pub fn settle(&mut self, width: u16, rows: u16) {
        self.set_width(width);
        let search_rows = u16::from(self.search().is_some() && rows > 1);
        self.scroll = self.first_shown(usize::from(rows - search_rows).max(1));
    }

    fn set_width(&mut self, width: u16) {
        self.width = width.saturating_sub(SIGN_COLUMNS).max(1);
    }

    /// Draws the text; `hint` is shown while there is none. Returns the cell of the caret.
    pub fn view(&mut self, area: Rect, buf: &mut Buffer, styles: &Styles, hint: &str) -> Position {
        self.set_width(area.width);
        if area.is_empty() {
            return area.as_position();
        }
        let search = self.search().map(|search| {
            let found = if search.found.is_some() || search.query.is_empty() {
                ""
            } else {
                "no match for "
            };
            format!("{found}history search: {}", search.query)
        });
        let search_rows = u16::from(search.is_some() && area.height > 1);
        let visible = usize::from(area.height - search_rows).max(1);
        let scroll = self.first_shown(visible);
        let caret = self.text.caret();
        let (_, _, layout) = self.layout.as_ref().expect("it was just made");
        let (row, column) = layout.cell(&self.text, caret);
        // A script is for the shell.
        let sign = if self.is_script() { "$ " } else { "› " };
        let is_narrow = area.width <= SIGN_COLUMNS;
        let left = if is_narrow { area.x } else { area.x + SIGN_COLUMNS };
        if !is_narrow {
            let last = layout.rows.len().saturating_sub(visible);
            let (above, below) = (scroll > 0, scroll < last);
            let bottom = area.y + u16::try_from(visible - 1).unwrap_or(0);
            let mut put = |y, sign, style| {
                buf.set_stringn(area.x, y, sign, usize::from(SIGN_COLUMNS), style);
            };
            // Rows that are out of sight are told.
            match (above, below) {
                (true, true) if visible == 1 => put(area.y, "↕ ", styles.dim),
                _ if above => put(area.y, "↑ ", styles.dim),
                _ => put(area.y, sign, styles.sign),
            }
            if below && visible > 1 {
                put(bottom, "↓ ", styles.dim);
            }
        }
        let width = usize::from(area.right().saturating_sub(left));
        if self.text.is_empty() && search.is_none() {
            buf.set_stringn(left, area.y, hint, width, styles.dim);
        }
        let selection = self.selection().or_else(|| self.history.found_in(self.text.as_str()));
        let is_selected = |at: usize| selection.as_ref().is_some_and(|range| range.contains(&at));
        let rows = layout.rows.iter().skip(scroll).take(visible);
        for (y, row) in (area.y..).zip(rows) {
            let mut x = left;
            for unit in units(&self.text, row.range.clone()) {
                let Ok(unit_width) = u16::try_from(unit.width) else { break };
                let room = area.right() - x;
                // What is wider than the row because it is spelt out is cut.
                let unit_width = if unit_width > 2 { unit_width.min(room) } else { unit_width };
                if unit_width > room {
                    break;
                }
                let mut style = if unit.is_atom { styles.atom } else { styles.text };
                if is_selected(unit.at) {
                    style = style.add_modifier(Modifier::REVERSED);
                }
                match unit.text {
                    "\t" => buf.set_style(Rect::new(x, y, unit_width, 1), style),
                    text if unit.width > 2 => {
                        buf.set_stringn(x, y, shown(text), unit_width.into(), style);
                    }
                    text => put(buf, x, y, text, unit_width, style),
                }
                x += unit_width;
            }
            // A line end that is selected is seen, too; else an empty line would not be.
            if !row.is_wrapped && is_selected(row.range.end) {
                let end = Rect::new(x, y, 1, 1).intersection(area);
                buf.set_style(end, styles.text.add_modifier(Modifier::REVERSED));
            }
        }
        let x = left.saturating_add(u16::try_from(column).unwrap_or(u16::MAX));
        let y = area.y + u16::try_from(row.saturating_sub(scroll)).unwrap_or(0);
        let mut cell = Position::new(x.min(area.right() - 1), y.min(area.bottom() - 1));
        if let (Some(line), 1) = (search, search_rows) {
            let y = area.bottom() - 1;
            let (end, _) = buf.set_stringn(area.x, y, &line, usize::from(area.width), styles.dim);
            cell = Position::new(end.min(area.right() - 1), y);
        }
        cell
    }

    /// Draws the candidates.
    pub fn view_candidates(&self, area: Rect, buf: &mut Buffer, styles: &Styles) {
        let Some(now) = self.completion() else { return };
        if area.is_empty() {
            return;
        }
        let Completion { kind, candidates, chosen, is_searching, .. } = now;
        if candidates.is_empty() {
            let text = if *is_searching { "searching…" } else { "nothing found" };
            buf.set_stringn(
                area.x,
                area.y,
                format!("  {text}"),
                usize::from(area.width),
                styles.dim,
            );
            return;
        }
        let sign = match kind {
            Kind::Command => "/",
            Kind::File => "",
            Kind::Skill => "$",
        };
        let visible = usize::from(area.height);
        let first = (chosen + 1).saturating_sub(visible);
        let shown = candidates.iter().enumerate().skip(first).take(visible);
        let name_width = candidates.iter().map(|c| c.name.len() + 1).max().unwrap_or(0).min(24);
        for (y, (index, candidate)) in (area.y..).zip(shown) {
            let is_chosen = index == *chosen;
            // The mark tells the chosen one without colour.
            let mark = if is_chosen { "› " } else { "  " };
            let style = if is_chosen { styles.chosen } else { styles.text };
            let name = format!("{mark}{sign}{}", candidate.name);
            let width = usize::from(area.width);
            let (x, _) = buf.set_stringn(area.x, y, &name, width, style);
            let about = (area.x + 2).saturating_add(u16::try_from(name_width + 2).unwrap_or(0));
            let about = about.max(x.saturating_add(2));
            if !candidate.about.is_empty() && about < area.right() {
                let width = usize::from(area.right() - about);
                buf.set_stringn(about, y, &candidate.about, width, styles.dim);
            }
            // Those that there is no room for are counted in the last row.
            let place = format!("  {} of {}", chosen + 1, candidates.len());
            let place_width = u16::try_from(place.len()).unwrap_or(u16::MAX);
            if candidates.len() > visible && y + 1 == area.bottom() && place_width < area.width / 2
            {
                buf.set_string(area.right() - place_width, y, place, styles.dim);
            }
        }
    }
}

/// Puts a unit into its cells.
fn put(buf: &mut Buffer, x: u16, y: u16, unit: &str, width: u16, style: Style) {
    let Some(cell) = buf.cell_mut((x, y)) else { return };
    cell.set_symbol(&shown(unit)).set_style(style);
    for right in x + 1..x.saturating_add(width) {
        if let Some(cell) = buf.cell_mut((right, y)) {
            cell.reset();
            cell.set_style(style);
        }
    }
}
