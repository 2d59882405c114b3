//! `/screen [inline|full|plain]`.

use super::Command;
use crate::{
    desk::Desk,
    msg::{ScreenEffect, SettingValue},
    setup::Mode,
    text::clean_line,
};

pub(super) const SCREEN: Command = Command {
    name: "screen",
    aliases: &["fullscreen"],
    about: "choose how later runs use the screen",
    arguments: "[inline|full|plain]",
    run,
    ..Command::BASE
};

const USAGE: &str = "write /screen inline, /screen full or /screen plain";

fn run(desk: &mut Desk, arguments: &str) -> Result<(), String> {
    let mode = match &*arguments.to_ascii_lowercase() {
        "" => {
            let now = desk.setup.mode.as_str();
            desk.note(format!("this run is {now}; for later ones: /screen inline, full or plain"));
            return Ok(());
        }
        "inline" => Mode::Inline,
        "full" | "fullscreen" | "full-screen" => Mode::FullScreen,
        "plain" => Mode::Plain,
        _ => {
            let given = clean_line(arguments);
            return Err(format!("`{given}` is no way to use the screen: {USAGE}"));
        }
    };
    let mut save = |key: &str, value| {
        desk.effect(ScreenEffect::SaveSetting { key: key.into(), value });
    };
    save("tui.plain", SettingValue::Bool(mode == Mode::Plain));
    if mode != Mode::Plain {
        let value = if mode == Mode::FullScreen { "always" } else { "never" };
        save("tui.alternate_screen", SettingValue::Text(value.into()));
    }
    desk.note(format!("from the next start on: {}", mode.as_str()));
    Ok(())
}
