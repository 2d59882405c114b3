//! `codex voice`: a conversation by voice in the terminal, without the screen, and the doctor.

#[cfg(feature = "voice")]
mod doctor;
#[cfg(feature = "voice")]
mod front;
#[cfg(feature = "voice")]
mod lines;
#[cfg(feature = "voice")]
mod talk;
#[cfg(feature = "voice")]
mod typed;

#[cfg(feature = "voice")]
use crate::args::VoiceCommand;
use crate::args::{SessionArgs, VoiceArgs};

/// Runs the sub-command; a flag after the word beats the same flag before it.
#[cfg(feature = "voice")]
pub(crate) fn run(mut args: VoiceArgs, mut outer: SessionArgs) -> u8 {
    let mut config = std::mem::take(&mut args.config);
    config.after(std::mem::take(&mut outer.config));
    match args.command {
        Some(VoiceCommand::Doctor(mut doctor)) => {
            doctor.config.after(config);
            doctor::run(doctor, outer)
        }
        None => talk::run(args, config, outer),
    }
}

/// A build without voice says so.
#[cfg(not(feature = "voice"))]
pub(crate) fn run(_: VoiceArgs, _: SessionArgs) -> u8 {
    codex_exec::stderr::line(
        "Error: this build has no voice; build it with the cargo feature `voice`, which is on by \
         default.",
    );
    1
}
