//! Themes, shown live on everything while one moves through them.

use std::sync::Arc;

use super::{Body, Bound, Chrome, Handled, Layer, List, list::Entry};
use crate::{
    desk::Desk,
    msg::{ScreenEffect, SettingValue},
    text::Line,
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
        Line::styled("› ", style(Role::Accent))
            .with("a prompt", style(Role::Accent))
            .with("  words, ", style(Role::Plain))
            .with("code", style(Role::Code))
            .with(", ", style(Role::Plain))
            .with("a link", style(Role::Link))
            .with(", less", style(Role::Dim)),
        Line::styled("fn ", style(Role::Keyword))
            .with("main", style(Role::Function))
            .with("() -> ", style(Role::Plain))
            .with("u8", style(Role::Type))
            .with(" { ", style(Role::Plain))
            .with("\"text\"", style(Role::String))
            .with(".len() + ", style(Role::Plain))
            .with("1", style(Role::Number))
            .with(" } ", style(Role::Plain))
            .with("// why", style(Role::Comment)),
        Line::styled("-let a = ", style(Role::Removed)).with("1", style(Role::RemovedWord)),
        Line::styled("+let a = ", style(Role::Added)).with("2", style(Role::AddedWord)),
        Line::styled("well", style(Role::Good))
            .with("  look here", style(Role::Warn))
            .with("  failed", style(Role::Bad)),
    ]
}

impl Layer for ThemePicker {
    fn chrome(&self, desk: &Desk) -> Chrome {
        let look = &desk.look;
        let is_blind = !look.has_colors() && look.theme().name != "mono";
        Chrome::new("Theme")
            .side(if is_blind { "this terminal shows no colours" } else { "" })
            .on(desk, Bound::Accept, "take it")
            .on(desk, Bound::Cancel, "as before")
    }

    fn body(&mut self, _desk: &Desk) -> Body<'_> {
        Body::List(&mut self.list)
    }

    fn rows(&mut self, _columns: u16, _desk: &Desk, look: &Look) -> Arc<[Line]> {
        sample(look).into()
    }

    fn on_chosen(&mut self, index: usize, desk: &mut Desk) -> Handled {
        if let Some(theme) = THEMES.get(index) {
            set(desk, theme);
        }
        Handled::Close
    }

    fn on_moved(&mut self, desk: &mut Desk) {
        if let Some(theme) = self.list.chosen().and_then(|index| THEMES.get(index)) {
            desk.set_theme(theme);
        }
    }

    fn on_left(&mut self, desk: &mut Desk) -> Handled {
        desk.set_theme(self.before);
        Handled::Close
    }
}
