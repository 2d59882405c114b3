//! `codex debug journal`: what a journal holds.

use std::collections::BTreeMap;

use codex_engine::journal::{JournalErrorKind, Reader};
use codex_proto::{Input, Now, Op, Reply};

use super::{EXIT_UNUSABLE, print, read, tell};
use crate::args::JournalArgs;

/// Runs the sub-command.
pub(super) fn run(args: &JournalArgs) -> u8 {
    let Some(text) = read(&args.file) else { return EXIT_UNUSABLE };
    let reader = match Reader::open(&text) {
        Ok(reader) => reader,
        Err(error) => {
            tell(&args.file, &error);
            return EXIT_UNUSABLE;
        }
    };
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

struct Summary {
    kinds: BTreeMap<&'static str, u64>,
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
fn name(input: &Input) -> &'static str {
    match input {
        Input::Op(_, op) => match op {
            Op::Interrupt { .. } => "op interrupt",
            Op::Prompt(_) => "op prompt",
            Op::ResumeThread { .. } => "op resume_thread",
            Op::StartThread => "op start_thread",
            Op::StopThread { .. } => "op stop_thread",
        },
        Input::Reply(_, reply) => match reply {
            Reply::Bytes(_) => "reply bytes",
            Reply::Closed => "reply closed",
            Reply::Exited(_) => "reply exited",
            Reply::Failed(_) => "reply failed",
            Reply::Head(_) => "reply head",
            Reply::Opened => "reply opened",
            Reply::Project(_) => "reply project",
            Reply::Tail { .. } => "reply tail",
        },
        Input::Wake => "wake",
    }
}
