//! `/ps`.

use super::Command;
use crate::popup::Terminals;

pub(super) const PS: Command = Command {
    name: "ps",
    aliases: &["terminals", "jobs", "tasks"],
    about: "show commands that run in the background",
    run: |desk, _| {
        Terminals::open(desk);
        Ok(())
    },
    ..Command::BASE
};
