//! A list to choose from: with a filter, more entries than rows, and as few columns as there are.

use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{CaseMatching, Normalization, Pattern},
};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{
    chrome::{draw_rows, indented, text_columns},
    field::Field,
};
use crate::{
    desk::Desk,
    key::{Key, KeyCode, Paste},
    popup::Bound,
    text::{Break, Line, draw, fit, width, wrap},
    theme::{Look, Role},
};

/// Entries that Page Up and Page Down pass.
const PAGE: usize = 10;
/// Rows of entries at most, or half of a tall terminal; further ones scroll.
const ENTRY_ROWS_MAX: usize = 12;
/// Rows at most in which the words about the chosen entry are shown when its own row is too short.
const ABOUT_ROWS_MAX: usize = 3;
/// Columns below which words about an entry are not in its row.
const ABOUT_COLUMNS_MIN: usize = 60;
/// Columns below which the tail of an entry is left out.
const TAIL_COLUMNS_MIN: usize = 36;
/// Columns before a name: the mark of the chosen one.
const MARK_COLUMNS: usize = 2;
/// Columns that a list takes at most.
const COLUMNS_MAX: u16 = 120;
/// Columns between two of them.
const GAP: usize = 2;

/// Something to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name; what a filter looks at, with `about`.
    pub(crate) name: String,
    /// A few words about it.
    pub(crate) about: String,
    /// What stands at the right end, e.g. an age.
    pub(crate) tail: String,
    /// Whether it is what holds now.
    pub(crate) is_current: bool,
}

/// What a key did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// The user wants to leave.
    Cancelled,
    /// The user took this entry, by its place among all.
    Chosen(usize),
    /// The key was for the list.
    Consumed,
    /// Another entry may be chosen now.
    Moved,
    /// It was not.
    Ignored,
}

/// The list.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    entries: Vec<Entry>,
    /// Places of the entries that match, best first.
    shown: Vec<usize>,
    /// Place in `shown`.
    chosen: usize,
    filter: Option<Box<Field>>,
    /// Whether names take the room that there is, and not the words about them.
    is_name_wide: bool,
    /// Whether what is about an entry stands in a row below its name.
    is_tall: bool,
    /// What is said when there are no entries at all.
    empty: String,
}

impl List {
    /// A list; the current entry is chosen, or the first.
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        let chosen = entries.iter().position(|entry| entry.is_current).unwrap_or(0);
        let shown = (0..entries.len()).collect();
        Self { entries, shown, chosen, ..Self::default() }
    }

    /// With a filter that is typed, and a text that it begins with.
    pub(crate) fn filtered(mut self, filter: &str) -> Self {
        self.filter = Some(Box::new(Field::new(filter)));
        if !filter.is_empty() {
            self.refilter();
        }
        self
    }

    /// With long names.
    pub(crate) fn wide_names(mut self) -> Self {
        self.is_name_wide = true;
        self
    }

    /// With two rows for each entry.
    pub(crate) fn tall(mut self, is_tall: bool) -> Self {
        self.is_tall = is_tall;
        self
    }

    /// With what is said when there are no entries at all.
    pub(crate) fn or_says(mut self, empty: impl Into<String>) -> Self {
        self.empty = empty.into();
        self
    }

    /// Replaces the entries; the filter and, as far as there are as many, the choice stay.
    pub(crate) fn set(&mut self, entries: Vec<Entry>) {
        self.entries = entries;
        let chosen = self.chosen;
        self.refilter();
        self.chosen = chosen.min(self.shown.len().saturating_sub(1));
    }

    /// The entry that is chosen, by its place among all.
    pub(crate) fn chosen(&self) -> Option<usize> {
        self.shown.get(self.chosen).copied()
    }

    /// The name of the entry that is chosen.
    pub(crate) fn chosen_name(&self) -> Option<&str> {
        self.entries.get(self.chosen()?).map(|entry| entry.name.as_str())
    }

    /// Chooses an entry by its place among all.
    pub(crate) fn choose(&mut self, index: usize) {
        if let Some(at) = self.shown.iter().position(|have| *have == index) {
            self.chosen = at;
        }
    }

    /// What is typed as a filter.
    pub(crate) fn filter(&self) -> &str {
        self.filter.as_ref().map_or("", |filter| filter.text())
    }

    /// Entries that match, of all.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.shown.len(), self.entries.len())
    }

    /// What is said when there are no entries at all.
    pub(crate) fn empty(&self) -> &str {
        if self.entries.is_empty() { &self.empty } else { "" }
    }

    /// Whether what is typed filters.
    pub(crate) fn is_filtered(&self) -> bool {
        self.filter.is_some() && !self.entries.is_empty()
    }

    /// The entries that match, each in words.
    pub(crate) fn words(&self) -> impl Iterator<Item = String> {
        let entry = |index: &usize| {
            let entry = &self.entries[*index];
            let tail = entry.tail.split("  ").map(str::trim).filter(|part| !part.is_empty());
            let tail: String = tail.map(|part| format!(", {part}")).collect();
            let about = if entry.about.is_empty() { "" } else { ": " };
            format!("{}{tail}{about}{}", named(entry), entry.about)
        };
        self.shown.iter().map(entry)
    }

    /// The chosen entry and its place. What changes by itself, e.g. an age, is not told.
    pub(crate) fn chosen_place(&self) -> Option<String> {
        let name = named(self.entries.get(self.chosen()?)?);
        Some(format!("{name}, {} of {}", self.chosen + 1, self.shown.len()))
    }

    /// The same, with the words about it.
    pub(crate) fn chosen_words(&self) -> Option<String> {
        let (place, about) = (self.chosen_place()?, &self.entries.get(self.chosen()?)?.about);
        Some(if about.is_empty() { place } else { format!("{place}: {about}") })
    }

    /// Draws the filter alone. Returns where the caret is, if there is one.
    pub(crate) fn view_filter(
        &self,
        area: Rect,
        buffer: &mut Buffer,
        look: &Look,
    ) -> Option<Position> {
        let filter = self.filter.as_ref().filter(|_| self.is_filtered())?;
        filter.view("filter: ", "", area, buffer, look)
    }

    fn refilter(&mut self) {
        let query = self.filter.as_ref().map_or("", |filter| filter.text());
        self.shown = if query.trim().is_empty() {
            (0..self.entries.len()).collect()
        } else {
            matches(&self.entries, query)
        };
        self.chosen = 0;
    }

    /// Takes a paste into the filter. False when there is none.
    pub(crate) fn on_paste(&mut self, paste: &Paste) -> bool {
        let Some(filter) = &mut self.filter else { return false };
        filter.on_paste(paste);
        self.refilter();
        true
    }

    /// Takes a key.
    pub(crate) fn on_key(&mut self, key: &Key, desk: &Desk) -> Listed {
        let is = |bound| desk.bindings.is(key, bound);
        // What writes is the filter's, then what the list knows is the list's.
        let is_list = [Bound::Accept, Bound::Cancel, Bound::Down, Bound::Up].into_iter().any(is);
        let is_end = matches!(key.code, KeyCode::Home | KeyCode::End);
        if let Some(filter) = &mut self.filter
            && (key.written().is_some() || !is_list)
            && let before = filter.text().to_owned()
            // With nothing typed, Home and End are the list's.
            && !(is_end && before.is_empty())
            && filter.on_key(key, desk.input.keymap())
        {
            if filter.text() == before {
                return Listed::Consumed;
            }
            self.refilter();
            return Listed::Moved;
        }
        let last = self.shown.len().saturating_sub(1);
        let plain = key.modifiers.is_empty();
        self.chosen = if is(Bound::Accept) {
            return self.chosen().map_or(Listed::Consumed, Listed::Chosen);
        } else if is(Bound::Cancel) {
            // The first one takes back what was typed.
            return match &mut self.filter {
                Some(filter) if !filter.text().is_empty() && !self.entries.is_empty() => {
                    filter.clear();
                    self.refilter();
                    Listed::Moved
                }
                _ => Listed::Cancelled,
            };
        } else if is(Bound::Down) {
            if self.chosen >= last { 0 } else { self.chosen + 1 }
        } else if is(Bound::Up) {
            self.chosen.checked_sub(1).unwrap_or(last)
        } else {
            match key.code {
                KeyCode::PageDown if plain => (self.chosen + PAGE).min(last),
                KeyCode::PageUp if plain => self.chosen.saturating_sub(PAGE),
                KeyCode::Home if plain => 0,
                KeyCode::End if plain => last,
                _ => return Listed::Ignored,
            }
        };
        Listed::Moved
    }

    /// Rows that it wants in a terminal of so many.
    pub(crate) fn height(&self, columns: u16, rows: u16) -> u16 {
        if self.entries.is_empty() {
            return u16::try_from(said(&self.empty, columns).len()).unwrap_or(u16::MAX);
        }
        let most = ENTRY_ROWS_MAX.max(usize::from(rows / 2));
        let entries = (self.entries.len() * self.entry_rows()).min(most);
        let rows = usize::from(self.filter.is_some()) + entries + self.about_rows(columns);
        u16::try_from(rows).unwrap_or(u16::MAX)
    }

    fn entry_rows(&self) -> usize {
        if self.is_tall { 2 } else { 1 }
    }

    /// Rows for the words about the chosen entry: enough for each entry, so that nothing jumps.
    fn about_rows(&self, columns: u16) -> usize {
        if self.is_name_wide || self.is_tall || self.fits(columns) {
            return 0;
        }
        let rows = self.entries.iter().map(|entry| about(entry, columns).len());
        rows.max().unwrap_or(0).min(ABOUT_ROWS_MAX)
    }

    /// Whether all words fit beside their names.
    fn fits(&self, columns: u16) -> bool {
        let name = self.name_columns_of(columns);
        let room = usize::from(columns).saturating_sub(MARK_COLUMNS + name + GAP);
        let tail = self.tail_columns();
        let room = room.saturating_sub(if tail > 0 { tail + GAP } else { 0 });
        usize::from(columns) >= ABOUT_COLUMNS_MIN
            && self.entries.iter().all(|entry| width(&entry.about) <= room)
    }

    fn name_columns(&self) -> usize {
        self.entries.iter().map(|entry| width(&named(entry))).max().unwrap_or(0)
    }

    /// Columns for names where the words stand beside them.
    fn name_columns_of(&self, columns: u16) -> usize {
        self.name_columns().min(usize::from(columns) * 2 / 5)
    }

    fn tail_columns(&self) -> usize {
        self.entries.iter().map(|entry| width(&entry.tail)).max().unwrap_or(0)
    }

    /// Draws it. Returns where the caret is.
    pub(crate) fn view(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        look: &Look,
    ) -> Option<Position> {
        let mut area = area.intersection(buffer.area);
        let mut caret = None;
        if let Some(filter) = self.filter.as_ref().filter(|_| self.is_filtered())
            && area.height > 1
        {
            caret = filter.view("  / ", "type to filter", area, buffer, look);
            area = Rect { y: area.y + 1, height: area.height - 1, ..area };
        }
        if area.is_empty() {
            return caret;
        }
        if self.shown.is_empty() {
            let text = if self.entries.is_empty() {
                self.empty.clone()
            } else {
                format!("nothing matches {}", self.filter())
            };
            let dim = look.style(Role::Dim);
            let rows: Vec<Line> =
                said(&text, area.width).into_iter().map(|row| row.patched(dim)).collect();
            draw_rows(&rows, indented(area), buffer);
            return caret;
        }
        let about_rows = self.about_rows(area.width).min(usize::from(area.height / 2));
        let page = ((usize::from(area.height) - about_rows) / self.entry_rows()).max(1);
        // Follows from the choice alone, so that what was drawn before leaves no trace.
        let top = self.chosen.saturating_sub(page / 2).min(self.shown.len().saturating_sub(page));
        let columns = Columns::of(self, area.width);
        let shown = self.shown.iter().enumerate().skip(top).take(page);
        let last = (top + page).min(self.shown.len()) - 1;
        let mut y = area.y;
        for (at, index) in shown {
            let entry = &self.entries[*index];
            let mark = if at == self.chosen {
                Mark::Chosen
            } else if at == top && top > 0 {
                Mark::MoreAbove
            } else if at == last && last + 1 < self.shown.len() {
                Mark::MoreBelow
            } else {
                Mark::None
            };
            let line = columns.row(entry, mark, look);
            draw(&line, Rect { y, height: 1, ..area }, buffer);
            y += 1;
            if self.is_tall && y < area.bottom() {
                draw(&below(entry, columns.total, look), Rect { y, height: 1, ..area }, buffer);
                y += 1;
            }
        }
        if let Some(chosen) = self.chosen().map(|index| &self.entries[index])
            && width(&chosen.about) > columns.about
        {
            let rows = about(chosen, area.width);
            for row in rows.into_iter().take(about_rows) {
                let at = Rect { x: area.x + 2, y, width: area.width.saturating_sub(2), height: 1 };
                draw(&row.patched(look.style(Role::Dim)), at.intersection(area), buffer);
                y += 1;
            }
        }
        caret
    }
}

fn said(text: &str, columns: u16) -> Vec<Line> {
    wrap(&Line::plain(text), text_columns(columns), Break::Words)
}

fn about(entry: &Entry, columns: u16) -> Vec<Line> {
    if entry.about.is_empty() {
        return Vec::new();
    }
    wrap(&Line::plain(entry.about.as_str()), columns.saturating_sub(2), Break::Words)
}

/// What stands below the name of an entry.
fn below(entry: &Entry, columns: usize, look: &Look) -> Line {
    let parts = std::iter::once(entry.about.as_str()).chain(entry.tail.split("  "));
    let parts: Vec<&str> = parts.map(str::trim).filter(|part| !part.is_empty()).collect();
    Line::styled(format!("  {}", fit(&parts.join(" \u{b7} "), columns)), look.style(Role::Dim))
}

fn named(entry: &Entry) -> String {
    if entry.is_current { format!("{} (now)", entry.name) } else { entry.name.clone() }
}

/// What stands before an entry; it tells without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Chosen,
    MoreAbove,
    MoreBelow,
    None,
}

/// How the columns of a row are shared.
struct Columns {
    name: usize,
    about: usize,
    tail: usize,
    total: usize,
}

impl Columns {
    fn of(list: &List, columns: u16) -> Self {
        // What belongs together stays near each other.
        let columns = columns.min(COLUMNS_MAX);
        let total = usize::from(columns).saturating_sub(MARK_COLUMNS);
        if list.is_tall {
            return Self { name: total, about: 0, tail: 0, total };
        }
        let tail = if usize::from(columns) < TAIL_COLUMNS_MIN { 0 } else { list.tail_columns() };
        let rest = total.saturating_sub(if tail > 0 { tail + GAP } else { 0 });
        let is_wide = usize::from(columns) >= ABOUT_COLUMNS_MIN;
        let (name, about) = if list.is_name_wide {
            let about = list.entries.iter().map(|entry| width(&entry.about)).max().unwrap_or(0);
            let about = if is_wide { about.min(rest / 3) } else { 0 };
            (rest.saturating_sub(if about > 0 { about + GAP } else { 0 }), about)
        } else if is_wide {
            let name = list.name_columns_of(columns);
            (name, rest.saturating_sub(name + GAP))
        } else {
            // The words are shown below, for the chosen one.
            (rest, 0)
        };
        Self { name, about, tail, total }
    }

    fn row(&self, entry: &Entry, mark: Mark, look: &Look) -> Line {
        let (sign, of_sign, role) = match mark {
            Mark::Chosen => ("› ", Role::Accent, Role::Selected),
            Mark::MoreAbove => ("↑ ", Role::Dim, Role::Plain),
            Mark::MoreBelow => ("↓ ", Role::Dim, Role::Plain),
            Mark::None => ("  ", Role::Accent, Role::Plain),
        };
        let mut line = Line::styled(sign, look.style(of_sign));
        line.push(fit(&named(entry), self.name), look.style(role));
        if self.about > 0 && !entry.about.is_empty() {
            let gap = (MARK_COLUMNS + self.name + GAP).saturating_sub(line.width());
            line.push(" ".repeat(gap), look.style(Role::Plain));
            line.push(fit(&entry.about, self.about), look.style(Role::Dim));
        }
        if self.tail > 0 && !entry.tail.is_empty() {
            let at = (self.total + MARK_COLUMNS).saturating_sub(width(&entry.tail));
            let gap = at.saturating_sub(line.width());
            line.push(" ".repeat(gap), look.style(Role::Plain));
            line.push(entry.tail.as_str(), look.style(Role::Dim));
        }
        line
    }
}

/// Places of the entries that match, best first; a match in the name counts for more.
fn matches(entries: &[Entry], query: &str) -> Vec<usize> {
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = Pattern::parse(query.trim(), CaseMatching::Smart, Normalization::Smart);
    let mut buffer = Vec::new();
    let mut score =
        |text: &str| pattern.score(Utf32Str::new(text, &mut buffer), &mut matcher).map(u64::from);
    let mut found: Vec<(u64, usize)> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let name = score(&entry.name).map(|score| score * 2);
        if let Some(best) = name.max(score(&entry.about)) {
            found.push((best, index));
        }
    }
    found.sort_by_key(|(score, index)| (std::cmp::Reverse(*score), *index));
    found.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, about: &str) -> Entry {
        Entry { name: name.into(), about: about.into(), ..Entry::default() }
    }

    #[test]
    fn names_count_for_more_than_words_about_them() {
        let entries = [entry("beta", "about alpha"), entry("alpha", ""), entry("gamma", "")];
        assert_eq!(matches(&entries, "alpha"), [1, 0]);
        assert_eq!(matches(&entries, "zz"), [0_usize; 0]);
    }
}
