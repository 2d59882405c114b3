//! `/quit`.

use super::Command;

pub(super) const QUIT: Command = Command {
    name: "quit",
    aliases: &["exit", "q"],
    about: "leave",
    run: |desk, _| {
        desk.quit();
        Ok(())
    },
    ..Command::BASE
};
