//! `/model [SLUG [EFFORT]]`.

use super::Command;
use crate::{
    desk::Desk,
    popup::{ModelPicker, model},
    text::clean_line,
};

pub(super) const MODEL: Command = Command {
    name: "model",
    aliases: &["models"],
    about: "choose the model and its effort",
    arguments: "[SLUG [EFFORT]]",
    run,
    ..Command::BASE
};

const USAGE: &str = "write /model SLUG [EFFORT], e.g. /model gpt-5.5 high";

fn run(desk: &mut Desk, arguments: &str) -> Result<(), String> {
    let mut words = arguments.split_whitespace();
    let (slug, effort) = (words.next(), words.next());
    if words.next().is_some() {
        return Err(format!("that is more than a model and an effort; {USAGE}"));
    }
    let Some(slug) = slug else {
        ModelPicker::open(desk);
        return Ok(());
    };
    let known = desk.setup.models.iter().find(|model| model.slug == slug);
    // An effort alone is for the model that holds.
    let now = desk.session.config.as_ref().map(|config| config.model.clone());
    if known.is_none()
        && effort.is_none()
        && let Some(now) = now
        && let Some(model) = desk.setup.models.iter().find(|model| model.slug == now)
        && model.efforts.iter().any(|have| have == slug)
    {
        model::set(desk, &now, Some(slug));
        return Ok(());
    }
    if let (Some(model), Some(effort)) = (known, effort)
        && !model.efforts.is_empty()
        && !model.efforts.iter().any(|have| have == effort)
    {
        let efforts = model.efforts.join(", ");
        let effort = clean_line(effort);
        return Err(format!("{slug} knows no effort `{effort}`; it knows {efforts}"));
    }
    // Another provider's model is not in the catalogue and may be used all the same.
    model::set(desk, slug, effort);
    Ok(())
}
