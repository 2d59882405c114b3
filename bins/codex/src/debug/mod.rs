//! `codex debug`: tools for looking inside.

mod journal;
mod replay;
mod timeline;

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::Path,
};

use codex_engine::journal::JournalError;
use codex_exec::{args::ConfigArgs, stderr};
pub(crate) use timeline::Edge;

use crate::{
    args::{DebugArgs, DebugCommand},
    sandbox,
};

/// Largest journal that is read: far more than one is allowed to become.
const JOURNAL_BYTES_MAX: u64 = 1 << 30;

/// A journal cannot be used, or not to its end.
pub(crate) const EXIT_UNUSABLE: u8 = 2;

/// Runs the sub-command.
pub(crate) fn run(args: DebugArgs, outer: ConfigArgs) -> u8 {
    match args.command {
        DebugCommand::Journal(args) => journal::run(&args),
        DebugCommand::Landlock(args) => sandbox::run(args, outer),
        DebugCommand::Replay(args) => replay::run(&args),
        DebugCommand::Timeline(args) => timeline::run(&args),
    }
}

/// The bytes of a journal; a problem is told.
pub(crate) fn read(path: &Path) -> Option<Vec<u8>> {
    let read = || {
        let mut text = Vec::new();
        File::open(path)?.take(JOURNAL_BYTES_MAX + 1).read_to_end(&mut text)?;
        if text.len() as u64 > JOURNAL_BYTES_MAX {
            return Err(io::Error::other(format!("more than {JOURNAL_BYTES_MAX} bytes")));
        }
        Ok(text)
    };
    let problem = |error: io::Error| {
        stderr::line(&format!("Error: cannot read the journal {}: {error}", path.display()));
    };
    read().map_err(problem).ok()
}

/// A journal that was opened; a problem is told.
fn usable<T>(path: &Path, opened: Result<T, JournalError>) -> Option<T> {
    opened.map_err(|error| tell(path, &error)).ok()
}

/// Tells what ended the reading of a journal.
pub(crate) fn tell(path: &Path, error: &JournalError) {
    stderr::line(&format!("Error: {}: {error}", path.display()));
    if let Some(hint) = error.hint() {
        stderr::line(&format!("hint: {hint}"));
    }
}

/// A line for standard output.
pub(crate) fn print(line: &str) {
    // A reader that is gone waits for nothing.
    let _ = writeln!(io::stdout().lock(), "{line}");
}
