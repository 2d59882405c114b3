//! `codex debug journal`: what a journal holds, and one that can be shown.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use codex_engine::journal::{JournalErrorKind, Reader, Scrubbed, scrub};
use codex_exec::stderr;
use codex_proto::{Input, Now};

use super::{EXIT_UNUSABLE, print, read, tell, usable};
use crate::args::JournalArgs;

/// Runs the sub-command.
pub(super) fn run(args: &JournalArgs) -> u8 {
    let Some(text) = read(&args.file) else { return EXIT_UNUSABLE };
    if let Some(output) = &args.output {
        return scrub_into(&args.file, &text, output);
    }
    let Some(reader) = usable(&args.file, Reader::open(&text)) else { return EXIT_UNUSABLE };
    let settings = reader.settings();
    print(&format!("journal:   {} bytes, recorded by version {}", text.len(), reader.program()));
    let model = settings.model.as_deref().unwrap_or("the default model");
    print(&format!("settings:  {}, {model} of {}", settings.source, settings.provider.id));
    let summary = Summary::of(reader);
    let (kinds, count) = (&summary.kinds, summary.count());
    let list: Vec<String> = kinds.iter().map(|(name, count)| format!("{count} {name}")).collect();
    print(&format!("inputs:    {count}: {}", list.join(", ")));
    if let (Some(first), Some(last)) = (summary.first, summary.last) {
        let seconds = last.mono.secs_since(first.mono);
        print(&format!("time:      {seconds:.3} s from {}", first.wall));
    }
    match summary.error {
        None => {
            print("end:       in order");
            0
        }
        Some(error) if matches!(error.kind, JournalErrorKind::Gap { .. }) => {
            print(&format!("end:       a gap: {}", error.kind));
            0
        }
        Some(error) => {
            print("end:       none");
            tell(&args.file, &error);
            EXIT_UNUSABLE
        }
    }
}

fn scrub_into(file: &Path, text: &[u8], output: &Path) -> u8 {
    let scrubbed = match scrub(text) {
        Ok(scrubbed) => scrubbed,
        Err(error) => {
            tell(file, &error);
            return EXIT_UNUSABLE;
        }
    };
    if let Err(error) = write_new(output, &scrubbed.journal) {
        stderr::line(&format!("Error: cannot write {}: {error}", output.display()));
        return 1;
    }
    let Scrubbed { inputs, reshaped, differs_from, end, journal: _ } = scrubbed;
    if let Some(n) = differs_from {
        stderr::line(&format!(
            "warning: this version answers input {n} otherwise than the journal says; the new one \
             holds what this version answers"
        ));
    }
    if let Some(end) = end {
        stderr::line(&format!("warning: {end}; the new one ends there too"));
    }
    let shape = match reshaped.first() {
        None => "the engine does the same kinds of things at each".to_owned(),
        Some(n) => format!(
            "the engine does other kinds of things at {} of them, first at input {n}",
            reshaped.len()
        ),
    };
    print(&format!("{inputs} inputs; {shape}"));
    stderr::line("Look through it before you show it to others.");
    0
}

/// Writes a file that must not exist, for its owner alone.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

struct Summary {
    kinds: BTreeMap<String, u64>,
    first: Option<Now>,
    last: Option<Now>,
    error: Option<codex_engine::journal::JournalError>,
}

impl Summary {
    fn of(reader: Reader<'_>) -> Self {
        let mut summary = Self { kinds: BTreeMap::new(), first: None, last: None, error: None };
        for entry in reader {
            match entry {
                Ok(entry) => {
                    *summary.kinds.entry(name(&entry.input)).or_default() += 1;
                    summary.first.get_or_insert(entry.now);
                    summary.last = Some(entry.now);
                }
                Err(error) => summary.error = Some(error),
            }
        }
        summary
    }

    fn count(&self) -> u64 {
        self.kinds.values().sum()
    }
}

/// The kind of an input, for counting.
fn name(input: &Input) -> String {
    match input {
        Input::Op(_, op) => format!("op {}", op.name()),
        Input::Reply(_, reply) => format!("reply {}", reply.name()),
        Input::Wake => "wake".to_owned(),
    }
}
