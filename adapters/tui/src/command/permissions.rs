//! `/permissions [PRESET]`.

use super::Command;
use crate::{
    desk::Desk,
    popup::{PermissionsPicker, permissions},
    text::clean_line,
};

pub(super) const PERMISSIONS: Command = Command {
    name: "permissions",
    aliases: &["approvals", "approval", "approve", "sandbox"],
    about: "choose when to be asked and what commands may touch",
    arguments: "[PRESET]",
    run,
    ..Command::BASE
};

fn run(desk: &mut Desk, arguments: &str) -> Result<(), String> {
    if arguments.is_empty() {
        PermissionsPicker::open(desk);
        return Ok(());
    }
    let Some(preset) = permissions::find(arguments) else {
        let names: Vec<_> = permissions::PRESETS.iter().map(|preset| preset.name).collect();
        let (given, names) = (clean_line(arguments), names.join(", "));
        return Err(format!("`{given}` is none of {names}"));
    };
    let is_now = permissions::current(desk) == Some(preset.name);
    if permissions::needs_confirmation(preset) && !is_now {
        PermissionsPicker::confirm(desk);
    } else {
        permissions::set(desk, preset);
    }
    Ok(())
}
