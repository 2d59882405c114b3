//! `codex debug timeline`: draws a journal as a sequence diagram.

mod mermaid;
mod story;
mod svg;
#[cfg(test)]
mod tests;
mod text;

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use codex_engine::journal::{JournalErrorKind, Replay};
use codex_exec::stderr;
use story::{Selection, Story, Teller};

use super::{EXIT_UNUSABLE, read, tell, usable};
use crate::args::{TimelineArgs, TimelineFormat};

/// The picture cannot be written, or the journal differs from what this version does.
const EXIT_FAILED: u8 = 1;

/// Runs the sub-command.
pub(super) fn run(args: &TimelineArgs) -> u8 {
    let Some(text) = read(&args.file) else { return EXIT_UNUSABLE };
    let Some(mut replay) = usable(&args.file, Replay::open(&text)) else { return EXIT_UNUSABLE };
    let mut teller = Teller::new(args.moves);
    let mut code = 0;
    loop {
        let due = replay.engine().deadline().map(|(_, why)| why);
        // What the panic said is on standard error already.
        let Ok(step) = catch_unwind(AssertUnwindSafe(|| replay.next())) else {
            let (line, n) = replay.at();
            teller.note(&format!("the engine panicked at input {n}, line {line}"));
            code = EXIT_FAILED;
            break;
        };
        match step {
            Some(Ok(step)) => teller.push(&step, due),
            Some(Err(error)) => {
                teller.note(&error.to_string());
                code = match error.kind {
                    JournalErrorKind::Gap { .. } => 0,
                    JournalErrorKind::Difference(_) | JournalErrorKind::NoPanic { .. } => {
                        EXIT_FAILED
                    }
                    _ => EXIT_UNUSABLE,
                };
                if code != 0 {
                    tell(&args.file, &error);
                    stderr::line("the picture ends there");
                }
                break;
            }
            None => break,
        }
    }
    let selection = Selection {
        from: args.from.map_or((0, 0), Edge::least),
        to: args.to.map_or((u64::MAX, u64::MAX), Edge::most),
        rows_max: args.rows.max(1),
    };
    let name = args.file.file_name().unwrap_or_default().to_string_lossy();
    let drawn = draw(&teller.finish(&selection), &name, format_of(args));
    match write(args, &drawn) {
        Ok(()) => code,
        Err(error) => {
            let place = args.output.as_deref().unwrap_or_else(|| Path::new("standard output"));
            stderr::line(&format!("Error: cannot write {}: {error}", place.display()));
            EXIT_FAILED
        }
    }
}

/// A bound of what is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// The number of an input.
    Input(u64),
    /// Microseconds since the first input.
    Time(u64),
}

impl Edge {
    /// Reads `250`, `1.5s` or `300ms`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let problem =
            || format!("`{text}` is neither the number of an input nor a time: 250, 1.5s, 300ms");
        let micros = |number: &str, unit: f64| match number.trim().parse::<f64>() {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates"
            )]
            Ok(number) if number >= 0.0 => Ok(Self::Time((number * unit).round() as u64)),
            _ => Err(problem()),
        };
        if let Some(number) = text.strip_suffix("ms") {
            return micros(number, 1e3);
        }
        if let Some(number) = text.strip_suffix('s') {
            return micros(number, 1e6);
        }
        text.parse().map(Self::Input).map_err(|_| problem())
    }

    /// As a lower bound of input and time.
    fn least(self) -> (u64, u64) {
        match self {
            Self::Input(n) => (n, 0),
            Self::Time(us) => (0, us),
        }
    }

    /// As an upper bound of input and time.
    fn most(self) -> (u64, u64) {
        match self {
            Self::Input(n) => (n, u64::MAX),
            Self::Time(us) => (u64::MAX, us),
        }
    }
}

/// What is asked for, what the name of the file says, or SVG.
fn format_of(args: &TimelineArgs) -> TimelineFormat {
    let extension = args.output.as_deref().and_then(Path::extension).and_then(|name| name.to_str());
    match (args.format, extension) {
        (Some(TimelineFormat::Mermaid), Some("md")) => TimelineFormat::Markdown,
        (Some(format), _) => format,
        (None, Some("md")) => TimelineFormat::Markdown,
        (None, Some("mmd" | "mermaid")) => TimelineFormat::Mermaid,
        (None, _) => TimelineFormat::Svg,
    }
}

fn draw(story: &Story, name: &str, format: TimelineFormat) -> String {
    match format {
        TimelineFormat::Markdown => format!("```mermaid\n{}```\n", mermaid::render(story)),
        TimelineFormat::Mermaid => mermaid::render(story),
        TimelineFormat::Svg => svg::render(story, &format!("Timeline of {name}")),
    }
}

/// Writes the picture, which shows prompts and answers, for its owner alone.
fn write(args: &TimelineArgs, drawn: &str) -> io::Result<()> {
    let Some(path) = &args.output else {
        return match io::stdout().lock().write_all(drawn.as_bytes()) {
            // A reader that is gone waits for nothing.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        };
    };
    let is_journal = match (path.canonicalize(), args.file.canonicalize()) {
        (Ok(output), Ok(file)) => output == file,
        _ => false,
    };
    if is_journal {
        return Err(io::Error::other("this is the journal itself; name another file"));
    }
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(drawn.as_bytes())
}
