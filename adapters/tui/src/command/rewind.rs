//! `/rewind`.

use super::Command;
use crate::popup::Rewind;

pub(super) const REWIND: Command = Command {
    name: "rewind",
    aliases: &["back"],
    about: "go back to an earlier prompt, in a fork (also: Esc twice)",
    in_turn: false,
    run: |desk, _| {
        Rewind::open(desk);
        Ok(())
    },
    ..Command::BASE
};
