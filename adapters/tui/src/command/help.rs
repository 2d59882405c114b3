//! `/help [WORD]`.

use super::Command;
use crate::popup::Help;

pub(super) const HELP: Command = Command {
    name: "help",
    aliases: &["h", "keys", "commands"],
    about: "show all commands and keys, or those about a word",
    arguments: "[WORD]",
    run: |desk, arguments| {
        Help::open(desk, arguments.trim_start_matches('/'), true);
        Ok(())
    },
    ..Command::BASE
};
