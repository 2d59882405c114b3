//! `/quit`.

use super::Command;

pub(super) const QUIT: Command = Command {
    name: "quit",
    aliases: &["exit", "q"],
    about: "leave",
    arguments: "",
    in_turn: true,
    run: |desk, _| desk.quit(),
};
