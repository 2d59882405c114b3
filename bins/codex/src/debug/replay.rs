//! `codex debug replay`: lives through a journal again.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use codex_engine::journal::{Difference, JournalErrorKind, Replay};
use codex_exec::stderr;
use serde::Serialize;

use super::{EXIT_UNUSABLE, print, read, tell, usable};
use crate::args::ReplayArgs;

/// Bytes of an input or output that are shown.
const SHOWN_BYTES_MAX: usize = 2_000;

/// The outputs differ, or the engine panicked.
const EXIT_DIFFERENT: u8 = 1;

/// Runs the sub-command.
pub(super) fn run(args: &ReplayArgs) -> u8 {
    let Some(text) = read(&args.file) else { return EXIT_UNUSABLE };
    let Some(mut replay) = usable(&args.file, Replay::open(&text)) else { return EXIT_UNUSABLE };
    let version = env!("CARGO_PKG_VERSION");
    if replay.program() != version {
        stderr::line(&format!(
            "warning: recorded by version {}, this is {version}: a difference may be on purpose",
            replay.program()
        ));
    }
    let mut same = 0;
    loop {
        // What the panic said is on standard error already.
        let Ok(step) = catch_unwind(AssertUnwindSafe(|| replay.next())) else {
            let (line, n) = replay.at();
            print(&format!("line {line}: the engine panicked at input {n}"));
            return EXIT_DIFFERENT;
        };
        let error = match step {
            Some(Ok(_)) => {
                same += 1;
                continue;
            }
            Some(Err(error)) => error,
            None => {
                print(&format!("{same} inputs, hash {}: same", replay.hash()));
                return 0;
            }
        };
        return match &error.kind {
            JournalErrorKind::Difference(difference) => {
                print(&error.to_string());
                show(difference);
                EXIT_DIFFERENT
            }
            JournalErrorKind::Gap { .. } => {
                print(&format!("{same} inputs, hash {}: same; {}", replay.hash(), error.kind));
                0
            }
            JournalErrorKind::NoPanic { .. } => {
                print(&error.to_string());
                EXIT_DIFFERENT
            }
            JournalErrorKind::Truncated { .. } => {
                print(&format!("{same} inputs, hash {}: same so far", replay.hash()));
                unusable(&args.file, &error)
            }
            _ => unusable(&args.file, &error),
        };
    }
}

fn unusable(path: &Path, error: &codex_engine::journal::JournalError) -> u8 {
    tell(path, error);
    EXIT_UNUSABLE
}

fn show(difference: &Difference) {
    print(&format!("input {}: {}", difference.n, short(&difference.input)));
    print(&format!("its outputs now: {}", difference.outputs.len()));
    difference.outputs.iter().for_each(|output| print(&format!("  {}", short(output))));
}

/// A value in one line.
fn short(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).unwrap_or_else(|error| error.to_string());
    if text.len() > SHOWN_BYTES_MAX {
        let bytes = text.len();
        let cut = (0..=SHOWN_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(cut.unwrap_or(0));
        text.push_str(&format!("… ({bytes} bytes)"));
    }
    text
}
