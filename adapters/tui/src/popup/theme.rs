//! Themes, shown live on everything while one moves through them.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{
    Bound, Handled, Layer,
    chrome::{CHROME_ROWS, Chrome},
    list::{Entry, List, Listed},
};
use crate::{
    desk::Desk,
    key::Key,
    msg::{ScreenEffect, SettingValue},
    text::{Line, draw},
    theme::{Look, Role, THEMES, Theme},
};

/// The picker of themes.
#[derive(Clone, Debug)]
pub struct ThemePicker {
    list: List,
    /// The theme that held before, while others are tried.
    before: &'static Theme,
}

impl ThemePicker {
    /// Opens it.
    pub fn open(desk: &mut Desk) {
        let before = desk.look.theme();
        let entry = |theme: &Theme| Entry {
            name: theme.name.into(),
            about: theme.about.into(),
            is_current: theme.name == before.name,
            ..Entry::default()
        };
        let list = List::new(THEMES.iter().map(entry).collect());
        desk.open(Self { list, before }.into());
    }
}

/// Takes a theme for now and for later runs.
pub(crate) fn set(desk: &mut Desk, theme: &'static Theme) {
    desk.set_theme(theme);
    let (key, value) = ("tui.theme".into(), SettingValue::Text(theme.name.into()));
    desk.effect(ScreenEffect::SaveSetting { key, value });
    desk.note(format!("theme: {}", theme.name));
}

fn sample(look: &Look) -> Vec<Line> {
    let style = |role| look.style(role);
    vec![
        Line::new(),
        Line::styled("  › ", style(Role::Accent))
            .with("a prompt", style(Role::Accent))
            .with("  words, ", style(Role::Plain))
            .with("code", style(Role::Code))
            .with(", ", style(Role::Plain))
            .with("a link", style(Role::Link))
            .with(", less", style(Role::Dim)),
        Line::styled("  fn ", style(Role::Keyword))
            .with("main", style(Role::Function))
            .with("() -> ", style(Role::Plain))
            .with("u8", style(Role::Type))
            .with(" { ", style(Role::Plain))
            .with("\"text\"", style(Role::String))
            .with(".len() + ", style(Role::Plain))
            .with("1", style(Role::Number))
            .with(" } ", style(Role::Plain))
            .with("// why", style(Role::Comment)),
        Line::styled("  -let a = ", style(Role::Removed)).with("1", style(Role::RemovedWord)),
        Line::styled("  +let a = ", style(Role::Added)).with("2", style(Role::AddedWord)),
        Line::styled("  well", style(Role::Good))
            .with("  look here", style(Role::Warn))
            .with("  failed", style(Role::Bad)),
    ]
}

const SAMPLE_ROWS: u16 = 6;

impl Layer for ThemePicker {
    fn on_key(&mut self, key: Key, desk: &mut Desk) -> Handled {
        let chosen = |index: usize| THEMES.get(index);
        match self.list.on_key(&key, desk) {
            Listed::Cancelled => {
                desk.set_theme(self.before);
                return Handled::Close;
            }
            Listed::Chosen(index) => {
                if let Some(theme) = chosen(index) {
                    set(desk, theme);
                }
                return Handled::Close;
            }
            Listed::Moved => {
                if let Some(theme) = self.list.chosen().and_then(chosen) {
                    desk.set_theme(theme);
                }
            }
            Listed::Consumed | Listed::Ignored => {}
        }
        Handled::Consumed
    }

    fn height(&mut self, columns: u16, rows: u16, _desk: &Desk) -> u16 {
        (self.list.height(columns) + SAMPLE_ROWS + CHROME_ROWS).min(rows)
    }

    fn view(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        desk: &Desk,
        look: &Look,
    ) -> Option<Position> {
        let mut chrome = Chrome::new("Theme")
            .key(desk.bindings.label(Bound::Accept), "take it")
            .key(desk.bindings.label(Bound::Cancel), "as before");
        if !look.has_colors() && look.theme().name != "mono" {
            chrome = chrome.side("this terminal shows no colours");
        }
        let inner = chrome.draw(area, buffer, look);
        let list = self.list.height(area.width).min(inner.height);
        let caret = self.list.view("", Rect { height: list, ..inner }, buffer, look);
        for (y, line) in (inner.y + list..inner.bottom()).zip(&sample(look)) {
            draw(line, Rect { y, height: 1, ..inner }, buffer);
        }
        caret
    }
}
