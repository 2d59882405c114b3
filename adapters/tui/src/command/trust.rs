//! `/trust`.

use codex_proto::policy::SandboxMode;

use super::Command;
use crate::{
    desk::Desk,
    msg::{ScreenEffect, SettingValue},
    popup::permissions,
    text::clean_line,
};

pub(super) const TRUST: Command = Command {
    name: "trust",
    about: "let commands change the files of this folder, from now on",
    unavailable: |setup| match setup.trustable {
        Some(_) => None,
        None => Some("what this folder may do is in your config.toml, under `projects`"),
    },
    run,
    ..Command::BASE
};

fn run(desk: &mut Desk, _arguments: &str) -> Result<(), String> {
    let Some(path) = desk.setup.trustable.clone() else { return Ok(()) };
    let Some(folder) = path.to_str() else {
        return Err("the name of this folder cannot be written to config.toml".into());
    };
    let key = format!("projects.{}.trust_level", serde_json::Value::from(folder));
    let value = SettingValue::Text("trusted".into());
    desk.effect(ScreenEffect::SaveSetting { key, value });
    (desk.trusted, desk.setup.trustable) = (true, None);
    let reads_only =
        desk.session.config.as_ref().is_some_and(|now| now.sandbox.mode == SandboxMode::ReadOnly);
    if let (true, Some(preset)) = (reads_only, permissions::find("workspace")) {
        permissions::set(desk, preset);
    }
    desk.note(format!("trusted: {}", clean_line(folder)));
    Ok(())
}
