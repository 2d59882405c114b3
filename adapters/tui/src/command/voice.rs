//! `/voice`.

use super::Command;

pub(super) const VOICE: Command = Command {
    name: "voice",
    aliases: &["realtime"],
    about: "talk with the agent",
    arguments: "[stop|mute]",
    unavailable: |setup| {
        (!setup.voice).then_some("voice is off; turn it on with --enable realtime_conversation")
    },
    run: |_, _| Err("voice is not ready yet".into()),
    ..Command::BASE
};
