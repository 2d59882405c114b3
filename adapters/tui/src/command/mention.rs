//! `/mention [PATH]`.

use super::Command;

pub(super) const MENTION: Command = Command {
    name: "mention",
    aliases: &["file"],
    about: "name a file of this folder (also: @ while writing)",
    arguments: "[PATH]",
    run: |desk, arguments| {
        desk.write(&format!("@{arguments}"));
        Ok(())
    },
    ..Command::BASE
};
