//! `/raw [on|off]`.

use super::{Command, switch};

pub(super) const RAW: Command = Command {
    name: "raw",
    aliases: &["markdown"],
    about: "show messages as they came, or as markdown",
    arguments: "[on|off]",
    run: |desk, arguments| {
        let on = switch(desk.setup.raw, arguments, "write /raw on or /raw off")?;
        desk.setup.raw = on;
        desk.note(if on {
            "messages are shown as they come from now on"
        } else {
            "messages are shown as markdown from now on"
        });
        Ok(())
    },
    ..Command::BASE
};
