//! The model and its effort.

use codex_proto::{Op, op::Configure};

use super::{Body, Bound, Chrome, Handled, Layer, List, list::Entry};
use crate::{
    desk::Desk,
    msg::{ScreenEffect, SettingValue},
    setup::ModelChoice,
    text::clean_line,
};

/// The picker of models.
#[derive(Clone, Debug)]
pub struct ModelPicker {
    /// The models, or the efforts of one.
    list: List,
    /// The place of the model whose efforts are shown.
    model: Option<usize>,
}

impl ModelPicker {
    /// Opens it.
    pub fn open(desk: &mut Desk) {
        if desk.setup.models.is_empty() {
            desk.note("no models are known; name one: /model SLUG [EFFORT]");
            return;
        }
        desk.open(Self { list: models(desk), model: None }.into());
    }
}

/// Sets what later turns run with, now and for later runs.
pub(crate) fn set(desk: &mut Desk, slug: &str, effort: Option<&str>) {
    let Some(thread) = desk.settled() else {
        desk.note("the conversation is still starting");
        return;
    };
    let configure = Configure {
        model: Some(slug.to_owned()),
        reasoning_effort: Some(effort.map(str::to_owned)),
        ..Configure::new(thread)
    };
    desk.op(Op::Configure(Box::new(configure)));
    desk.model = Some((slug.to_owned(), effort.map(str::to_owned)));
    let mut save = |key: &str, value| {
        desk.effect(ScreenEffect::SaveSetting { key: key.into(), value });
    };
    save("model", SettingValue::Text(slug.into()));
    // The effort of the model before may be none of this one.
    let saved = effort.map_or(SettingValue::Default, |effort| SettingValue::Text(effort.into()));
    save("model_reasoning_effort", saved);
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
    fn chrome(&self, desk: &Desk) -> Chrome {
        let model = self.model.and_then(|model| desk.setup.models.get(model));
        let (title, leave) = match model {
            Some(model) => (format!("Effort of {}", clean_line(&model.slug)), "back"),
            None => ("Model".into(), "leave it"),
        };
        Chrome::new(title).on(desk, Bound::Accept, "choose").on(desk, Bound::Cancel, leave)
    }

    fn body(&mut self, _desk: &Desk) -> Body<'_> {
        Body::List(&mut self.list)
    }

    fn on_chosen(&mut self, index: usize, desk: &mut Desk) -> Handled {
        let models = &desk.setup.models;
        let Some(model) = models.get(self.model.unwrap_or(index)).cloned() else {
            return Handled::Close;
        };
        if self.model.is_some() {
            let effort = self.list.chosen_name().map(str::to_owned);
            set(desk, &model.slug, effort.as_deref());
            return Handled::Close;
        }
        if model.efforts.is_empty() {
            set(desk, &model.slug, None);
            return Handled::Close;
        }
        *self = Self { list: efforts(desk, &model), model: Some(index) };
        Handled::Consumed
    }

    fn on_left(&mut self, desk: &mut Desk) -> Handled {
        let Some(model) = self.model.take() else { return Handled::Close };
        self.list = models(desk);
        self.list.choose(model);
        Handled::Consumed
    }
}
