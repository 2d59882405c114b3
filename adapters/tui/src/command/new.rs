//! `/new`.

use codex_proto::Op;

use super::Command;

pub(super) const NEW: Command = Command {
    name: "new",
    aliases: &["clear", "reset"],
    about: "start a new conversation; this one can be resumed",
    in_turn: false,
    run: |desk, _| {
        desk.begin(Op::StartThread);
        Ok(())
    },
    ..Command::BASE
};
