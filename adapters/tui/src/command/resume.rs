//! `/resume [FILTER]`.

use super::Command;
use crate::popup::SessionPicker;

pub(super) const RESUME: Command = Command {
    name: "resume",
    aliases: &["sessions", "continue"],
    about: "go on with an earlier conversation",
    arguments: "[FILTER]",
    in_turn: false,
    run: |desk, arguments| {
        SessionPicker::open(desk, false, false, arguments);
        Ok(())
    },
    ..Command::BASE
};
