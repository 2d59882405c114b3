//! `/voice [stop|mute]`.

use super::Command;
use crate::{desk::Desk, talk};

pub(super) const VOICE: Command = Command {
    name: "voice",
    aliases: &["realtime"],
    about: "talk with the agent",
    arguments: "[stop|mute]",
    unavailable: |setup| {
        (!setup.voice).then_some("voice is off; turn it on with --enable realtime_conversation")
    },
    run,
    ..Command::BASE
};

fn run(desk: &mut Desk, arguments: &str) -> Result<(), String> {
    let none = || Err("there is no conversation by voice; /voice starts one".to_owned());
    match arguments {
        "" => talk::toggle(desk),
        "mute" if talk::mute(desk) => Ok(()),
        "stop" if talk::stop(desk) => Ok(()),
        "mute" | "stop" => none(),
        other => {
            let other = crate::text::clean_line(other);
            Err(format!("`{other}` is neither `stop` nor `mute`"))
        }
    }
}
