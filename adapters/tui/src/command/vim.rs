//! `/vim [on|off]`.

use super::{Command, switch};
use crate::msg::{ScreenEffect, SettingValue};

pub(super) const VIM: Command = Command {
    name: "vim",
    about: "turn vim keys on or off",
    arguments: "[on|off]",
    run: |desk, arguments| {
        let on = switch(desk.input.vim_mode().is_some(), arguments, "write /vim on or /vim off")?;
        desk.input.set_vim(on);
        let (key, value) = ("tui.vim_mode_default".into(), SettingValue::Bool(on));
        desk.effect(ScreenEffect::SaveSetting { key, value });
        desk.note(if on { "vim keys are on: Esc for normal mode" } else { "vim keys are off" });
        Ok(())
    },
    ..Command::BASE
};
