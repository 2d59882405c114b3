//! The model and its effort.

use codex_proto::{Op, op::Configure};
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
    setup::ModelChoice,
    text::clean_line,
    theme::Look,
};

/// The picker of models.
#[derive(Clone, Debug)]
pub struct ModelPicker {
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Models(List),
    /// The efforts of the model at this place.
    Efforts {
        model: usize,
        list: List,
    },
}

impl ModelPicker {
    /// Opens it.
    pub fn open(desk: &mut Desk) {
        if desk.setup.models.is_empty() {
            desk.note("no models are known; name one: /model SLUG [EFFORT]");
            return;
        }
        let picker = Self { state: State::Models(models(desk)) };
        desk.open(picker.into());
    }
}

/// Sets what later turns run with, now and for later runs.
pub(crate) fn set(desk: &mut Desk, slug: &str, effort: Option<&str>) {
    let Some(thread) = desk.thread() else {
        desk.note("the conversation is still starting");
        return;
    };
    let configure = Configure {
        model: Some(slug.to_owned()),
        reasoning_effort: Some(effort.map(str::to_owned)),
        ..Configure::new(thread)
    };
    desk.op(Op::Configure(Box::new(configure)));
    let mut save = |key: &str, value: &str| {
        let (key, value) = (key.into(), SettingValue::Text(value.into()));
        desk.effect(ScreenEffect::SaveSetting { key, value });
    };
    save("model", slug);
    if let Some(effort) = effort {
        save("model_reasoning_effort", effort);
    }
    let when = if desk.session.turn.is_some() { ", from the next turn on" } else { "" };
    let effort = effort.map(|effort| format!(", {effort} effort")).unwrap_or_default();
    desk.note(format!("model: {}{effort}{when}", clean_line(slug)));
}

fn models(desk: &Desk) -> List {
    let now = desk.session.config.as_ref().map(|config| config.model.as_str());
    let entry = |model: &ModelChoice| Entry {
        name: clean_line(&model.slug).into_owned(),
        about: clean_line(&model.about).into_owned(),
        is_current: now == Some(model.slug.as_str()),
        ..Entry::default()
    };
    List::new(desk.setup.models.iter().map(entry).collect())
}

fn efforts(desk: &Desk, model: &ModelChoice) -> List {
    let config = desk.session.config.as_ref().filter(|config| config.model == model.slug);
    let default = model.efforts.first().map(String::as_str);
    let now = config.map(|config| config.reasoning_effort.as_deref().or(default));
    let mut known: Vec<&String> = model.efforts.iter().collect();
    // The default is the first that is told; people expect them from low to high.
    const ORDER: [&str; 6] = ["none", "minimal", "low", "medium", "high", "xhigh"];
    known.sort_by_key(|effort| ORDER.iter().position(|have| have == effort).unwrap_or(ORDER.len()));
    let entry = |effort: &&String| {
        let about = match effort.as_str() {
            "none" => "answers at once",
            "minimal" => "hardly thinks",
            "low" => "quick; for small, clear tasks",
            "medium" => "thinks where it helps",
            "high" => "thinks long; for hard tasks",
            "xhigh" => "thinks longest; slow, for the hardest tasks",
            _ => "",
        };
        let is_default = default == Some(effort.as_str());
        Entry {
            name: clean_line(effort).into_owned(),
            about: about.into(),
            tail: if is_default { "default".into() } else { String::new() },
            is_current: now == Some(Some(effort.as_str())),
        }
    };
    let entries: Vec<Entry> = known.iter().map(entry).collect();
    let at = known.iter().position(|effort| default == Some(effort.as_str()));
    let has_current = entries.iter().any(|entry| entry.is_current);
    let mut list = List::new(entries);
    if !has_current && let Some(at) = at {
        list.choose(at);
    }
    list
}

impl Layer for ModelPicker {
    fn on_key(&mut self, key: Key, desk: &mut Desk) -> Handled {
        match &mut self.state {
            State::Models(list) => match list.on_key(&key, desk) {
                Listed::Cancelled => Handled::Close,
                Listed::Chosen(index) => {
                    let Some(model) = desk.setup.models.get(index).cloned() else {
                        return Handled::Close;
                    };
                    if model.efforts.is_empty() {
                        set(desk, &model.slug, None);
                        return Handled::Close;
                    }
                    self.state = State::Efforts { model: index, list: efforts(desk, &model) };
                    Handled::Consumed
                }
                _ => Handled::Consumed,
            },
            State::Efforts { model, list } => match list.on_key(&key, desk) {
                Listed::Cancelled => {
                    let mut list = models(desk);
                    list.choose(*model);
                    self.state = State::Models(list);
                    Handled::Consumed
                }
                Listed::Chosen(_) => {
                    let name = list.chosen_name().map(str::to_owned);
                    if let Some(model) = desk.setup.models.get(*model).cloned() {
                        set(desk, &model.slug, name.as_deref());
                    }
                    Handled::Close
                }
                _ => Handled::Consumed,
            },
        }
    }

    fn height(&mut self, columns: u16, rows: u16, _desk: &Desk) -> u16 {
        let (State::Models(list) | State::Efforts { list, .. }) = &self.state;
        list.height(columns).saturating_add(CHROME_ROWS).min(rows)
    }

    fn view(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        desk: &Desk,
        look: &Look,
    ) -> Option<Position> {
        let accept = desk.bindings.label(Bound::Accept);
        let cancel = desk.bindings.label(Bound::Cancel);
        let (chrome, list) = match &mut self.state {
            State::Models(list) => {
                (Chrome::new("Model").key(accept, "choose").key(cancel, "leave it"), list)
            }
            State::Efforts { model, list } => {
                let slug = desk.setup.models.get(*model).map_or("", |model| &model.slug);
                let title = format!("Effort of {}", clean_line(slug));
                (Chrome::new(title).key(accept, "choose").key(cancel, "back"), list)
            }
        };
        let inner = chrome.draw(area, buffer, look);
        list.view("", inner, buffer, look)
    }
}
