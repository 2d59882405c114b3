//! Makes a journal that can be shown: every private word replaced, everything else as it was.
//!
//! The inputs keep their number, order, times, lengths and structure; words become pseudonyms, the
//! same word the same one everywhere, so that a patch still finds its place and a call its output.
//! Then a new engine is told the new inputs, and what it answers is hashed anew. Whether it does the
//! same *kinds* of things at each input as the first engine did is part of the result.

mod settings;
mod stream;
mod text;
mod vocabulary;
mod words;

use std::{collections::BTreeMap, mem::Discriminant, path::PathBuf, sync::Arc};

use codex_proto::{
    EffectId, EffectKind, Event, Input, Op, Output, Reply, Settings,
    approval::ApprovalAnswer,
    effect::{AudioNews, ChannelNews, HttpHead, ProjectInfo},
    journal::{Entry, Outcome},
    op::PromptPart,
    realtime::{RealtimePrompt, RealtimeStart, RealtimeTransport},
};
use text::Scrubber;
use words::Words;

use super::{
    error::{JournalError, JournalErrorKind},
    read::Reader,
    record::{BYTES_MAX, Recorder, hash_outputs},
};
use crate::{Engine, models::Model};

/// Headers whose values the engine acts on.
const KEPT_HEADERS: [&str; 5] =
    ["content-type", "date", "openai-model", "retry-after", "retry-after-ms"];

/// Begins the part of a rollout's path that the engine makes up.
const SESSIONS: &str = "/sessions/";

/// A journal without private words.
#[derive(Clone, Debug, PartialEq)]
pub struct Scrubbed {
    /// The new journal.
    pub journal: Vec<u8>,
    /// How many inputs it holds.
    pub inputs: u64,
    /// Inputs at which the engine does other kinds of things than for the old journal.
    pub reshaped: Vec<u64>,
    /// The first input at which this engine answers something else than the old journal says. The
    /// new one says what this engine answers.
    pub differs_from: Option<u64>,
    /// What ended the old journal before its time; the new one ends likewise.
    pub end: Option<JournalError>,
}

/// Scrubs a journal.
///
/// An input at which the engine panicked is not told to an engine again.
///
/// # Errors
/// When the journal cannot be read; one with a gap or without an end can.
pub fn scrub(text: &[u8]) -> Result<Scrubbed, JournalError> {
    let mut reader = Reader::open(text)?;
    let (mut entries, mut end) = (Vec::new(), None);
    for entry in &mut reader {
        match entry {
            Ok(entry) => entries.push(entry),
            Err(error) => match error.kind {
                JournalErrorKind::Gap { .. } | JournalErrorKind::Truncated { .. } => {
                    end = Some(error);
                }
                _ => return Err(error),
            },
        }
    }
    let seed = reader.seed();
    let mut told = Told::new(reader.settings(), seed);
    entries.iter().for_each(|entry| told.tell(entry));

    let mut scrubber = scrubber(&entries, reader.settings());
    let settings = Arc::new(settings::scrub(reader.settings(), &mut scrubber));
    scrub_streams(&mut scrubber, &mut entries, &told.streams);
    entries.iter_mut().for_each(|entry| scrub_input(&mut scrubber, &mut entry.input));

    let too_small = |_| JournalError {
        line: 1,
        kind: JournalErrorKind::Settings("there is no room for them".into()),
    };
    let bytes_max = BYTES_MAX.max(text.len() as u64 * 2);
    let mut recorder =
        Recorder::new(&settings, seed, reader.program(), bytes_max).map_err(too_small)?;
    let mut again = Told::new(&settings, seed);
    for entry in &mut entries {
        recorder.input(entry.now, &entry.input);
        match &mut entry.outcome {
            Outcome::Outputs(_) => {
                again.tell(entry);
                recorder.outputs(&again.outputs);
            }
            Outcome::Panic(message) => {
                scrubber.scrub_string(message);
                recorder.panicked(message);
            }
        }
    }
    match end.as_ref().map(|error| &error.kind) {
        None => recorder.end(),
        Some(JournalErrorKind::Gap { gap, inputs }) => {
            recorder.gap(gap.cause);
            if let Some(inputs) = inputs {
                recorder.end_after(*inputs);
            }
        }
        Some(_) => {}
    }
    let shapes = told.shapes.iter().zip(&again.shapes).zip(1..);
    let reshaped = shapes.filter(|((old, new), _)| old != new).map(|(_, n)| n).collect();
    Ok(Scrubbed {
        journal: recorder.take(),
        inputs: entries.len() as u64,
        reshaped,
        differs_from: told.differs_from,
        end,
    })
}

/// Everything that keeps its words: what the catalogue knows of the model, the ids of threads.
fn scrubber(entries: &[Entry], settings: &Settings) -> Scrubber {
    let model = settings.model.as_deref().filter(|model| Model::of(model).known);
    let ids = entries.iter().filter_map(|entry| match &entry.input {
        Input::Op(_, op) => op.thread(),
        Input::Reply(..) | Input::Wake => None,
    });
    let ids = ids.map(|id| id.to_string().into_bytes()).collect();
    let mut known: Vec<&str> = model.into_iter().collect();
    known.extend(Model::slugs().map(|slug: &str| slug));
    known.push(&settings.host.version);
    Scrubber { words: Words::new(known), ids }
}

/// An engine that is told entries, and what is to be remembered of it.
struct Told {
    engine: Engine,
    hash: codex_proto::journal::Hash64,
    scratch: Vec<u8>,
    /// Of the last entry.
    outputs: Vec<Output>,
    /// The kinds of outputs of each entry.
    shapes: Vec<Vec<Kind>>,
    /// Effects that are answered by the stream of a model.
    streams: Vec<EffectId>,
    told: u64,
    differs_from: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Effect(Discriminant<EffectKind>),
    Event(Discriminant<Event>),
}

impl Told {
    fn new(settings: &Arc<Settings>, seed: [u8; 16]) -> Self {
        Self {
            engine: Engine::new(Arc::clone(settings), seed),
            hash: codex_proto::journal::Hash64::default(),
            scratch: Vec::new(),
            outputs: Vec::new(),
            shapes: Vec::new(),
            streams: Vec::new(),
            told: 0,
            differs_from: None,
        }
    }

    fn tell(&mut self, entry: &Entry) {
        let Outcome::Outputs(expected) = entry.outcome else { return };
        self.told += 1;
        self.outputs = self.engine.handle(entry.now, entry.input.clone()).collect();
        self.hash = hash_outputs(self.hash, &self.outputs, &mut self.scratch);
        if self.hash != expected {
            self.differs_from.get_or_insert(self.told);
        }
        let kind = |output: &Output| match output {
            Output::Effect(effect) => Kind::Effect(std::mem::discriminant(&effect.kind)),
            Output::Event(event) => Kind::Event(std::mem::discriminant(event)),
        };
        self.shapes.push(self.outputs.iter().map(kind).collect());
        self.streams.extend(self.outputs.iter().filter_map(|output| match output {
            Output::Effect(effect) if matches!(effect.kind, EffectKind::Http(_)) => Some(effect.id),
            Output::Effect(_) | Output::Event(_) => None,
        }));
    }
}

/// Bytes of an input that are a part of a stream.
fn streamed(input: &mut Input) -> Option<(EffectId, &mut Vec<u8>, bool)> {
    match input {
        Input::Reply(id, Reply::Bytes(bytes)) => Some((*id, bytes, false)),
        Input::Reply(id, Reply::Tail { omitted_bytes, bytes }) => {
            Some((*id, bytes, *omitted_bytes > 0))
        }
        Input::Op(..) | Input::Reply(..) | Input::Wake => None,
    }
}

/// Scrubs what comes in pieces as a whole, and puts the pieces back.
fn scrub_streams(scrubber: &mut Scrubber, entries: &mut [Entry], models: &[EffectId]) {
    /// Pieces that follow each other: the entry and the length of each.
    #[derive(Default)]
    struct Whole {
        bytes: Vec<u8>,
        pieces: Vec<(usize, usize)>,
    }

    let mut wholes: BTreeMap<EffectId, Vec<Whole>> = BTreeMap::new();
    for (index, entry) in entries.iter_mut().enumerate() {
        let Some((id, bytes, is_new)) = streamed(&mut entry.input) else { continue };
        let of_effect = wholes.entry(id).or_default();
        if is_new || of_effect.is_empty() {
            of_effect.push(Whole::default());
        }
        if let Some(whole) = of_effect.last_mut() {
            whole.bytes.extend_from_slice(bytes);
            whole.pieces.push((index, bytes.len()));
        }
    }
    for (id, of_effect) in wholes {
        for Whole { mut bytes, pieces } in of_effect {
            if models.contains(&id) {
                stream::scrub(scrubber, &mut bytes);
            } else {
                scrubber.scrub(&mut bytes);
            }
            let mut rest = &bytes[..];
            for (index, length) in pieces {
                let (piece, later) = rest.split_at(length);
                rest = later;
                if let Some((_, bytes, _)) = streamed(&mut entries[index].input) {
                    bytes.copy_from_slice(piece);
                }
            }
        }
    }
}

/// Scrubs everything of an input but what comes in pieces.
fn scrub_input(scrubber: &mut Scrubber, input: &mut Input) {
    match input {
        Input::Op(_, op) => scrub_op(scrubber, op),
        Input::Reply(_, reply) => match reply {
            Reply::Audio(AudioNews::Device { error, .. }) => {
                scrubber.scrub_string(&mut error.message);
            }
            Reply::Audio(_)
            | Reply::Bytes(_)
            | Reply::Channel(ChannelNews::Closed | ChannelNews::Open)
            | Reply::Closed
            | Reply::Link(_)
            | Reply::Opened
            | Reply::Sent { .. }
            | Reply::Tail { .. } => {}
            Reply::Channel(ChannelNews::Text(bytes)) => scrubber.scrub(bytes),
            Reply::Offer(sdp) => scrubber.scrub_string(sdp),
            Reply::Survey(survey) => {
                survey.map.iter_mut().for_each(|line| scrubber.scrub_string(line));
                for thread in &mut survey.threads {
                    scrubber.scrub_path(&mut thread.cwd);
                    thread.branch.iter_mut().for_each(|text| scrubber.scrub_string(text));
                    thread.asks.iter_mut().for_each(|text| scrubber.scrub_string(text));
                }
            }
            Reply::Exited(exit) => exit.spool.iter_mut().for_each(|it| scrubber.scrub_path(it)),
            Reply::Failed(error) => scrubber.scrub_string(&mut error.message),
            Reply::Head(head) => scrub_head(scrubber, head),
            Reply::Project(project) => scrub_project(scrubber, project),
        },
        Input::Wake => {}
    }
}

fn scrub_op(scrubber: &mut Scrubber, op: &mut Op) {
    match op {
        Op::Approve { answer, .. } => {
            if let ApprovalAnswer::Deny { feedback: Some(text) } = answer {
                scrubber.scrub_string(text);
            }
        }
        Op::Configure(configure) => {
            let sandbox = configure.sandbox.iter_mut();
            let roots = sandbox.flat_map(|sandbox| &mut sandbox.writable_roots);
            roots.for_each(|root| scrubber.scrub_path(root));
        }
        Op::Interrupt { .. }
        | Op::RealtimeAudio { .. }
        | Op::RealtimeMute { .. }
        | Op::RealtimePrepare { .. }
        | Op::RealtimeStop { .. }
        | Op::ResizeCommand { .. }
        | Op::StartThread
        | Op::StopCommands { .. }
        | Op::StopThread { .. } => {}
        Op::RealtimeSpeech { text, .. } | Op::RealtimeText { text, .. } => {
            scrubber.scrub_string(text);
        }
        Op::RealtimeStart(start) => scrub_start(scrubber, start),
        Op::RunCommand { script, .. } => scrubber.scrub_string(script),
        Op::Prompt(prompt) => {
            for part in &mut prompt.content {
                match part {
                    PromptPart::Image { path } => scrubber.scrub_path(path),
                    PromptPart::Text(text) => scrubber.scrub_string(text),
                }
            }
            if let Some(schema) = &mut prompt.output_schema {
                let mut text = schema.to_string();
                scrubber.scrub_string(&mut text);
                // Scrubbed JSON is JSON.
                *schema = serde_json::from_str(&text).unwrap_or_default();
            }
        }
        Op::ForkThread { path, .. } | Op::ResumeThread { path } => scrubber.scrub_rollout(path),
    }
}

fn scrub_start(scrubber: &mut Scrubber, start: &mut RealtimeStart) {
    if let RealtimeTransport::WebRtcClient { offer } = &mut start.transport {
        scrubber.scrub_string(offer);
    }
    if let RealtimePrompt::Text(text) = &mut start.prompt {
        scrubber.scrub_string(text);
    }
    start.initial_items.iter_mut().for_each(|item| scrubber.scrub_string(&mut item.text));
    let texts = [
        &mut start.session_id,
        &mut start.start_instructions,
        &mut start.end_instructions,
        &mut start.handoff.item_prefix,
    ];
    texts.into_iter().flatten().for_each(|text| scrubber.scrub_string(text));
}

fn scrub_head(scrubber: &mut Scrubber, head: &mut HttpHead) {
    for (name, value) in &mut head.headers {
        if !KEPT_HEADERS.contains(&name.as_str()) {
            scrubber.scrub_string(value);
        }
    }
}

fn scrub_project(scrubber: &mut Scrubber, project: &mut ProjectInfo) {
    project.global_doc.iter_mut().for_each(|text| scrubber.scrub_string(text));
    for doc in &mut project.docs {
        scrubber.scrub_path(&mut doc.path);
        scrubber.scrub_string(&mut doc.text);
    }
    project.warnings.iter_mut().for_each(|text| scrubber.scrub_string(text));
    if let Some(git) = &mut project.git {
        let texts = [&mut git.commit_hash, &mut git.branch, &mut git.repository_url];
        texts.into_iter().flatten().for_each(|text| scrubber.scrub_string(text));
    }
}

impl Scrubber {
    fn scrub_string(&mut self, text: &mut String) {
        let mut bytes = std::mem::take(text).into_bytes();
        self.scrub(&mut bytes);
        // Text stays text.
        *text = String::from_utf8(bytes).unwrap_or_default();
    }

    /// A rollout keeps the folders and the name that the engine gave it: times and ids. So a thread
    /// that is resumed is still the thread that was open.
    fn scrub_rollout(&mut self, path: &mut PathBuf) {
        let text = path.to_string_lossy().into_owned();
        match text.rfind(SESSIONS).map(|at| text.split_at(at)) {
            Some((home, name)) if is_rollout_name(name) => {
                let mut home = PathBuf::from(home);
                self.scrub_path(&mut home);
                *path = format!("{}{name}", home.display()).into();
            }
            _ => self.scrub_path(path),
        }
    }

    fn scrub_path(&mut self, path: &mut PathBuf) {
        let mut text = path.to_string_lossy().into_owned();
        self.scrub_string(&mut text);
        *path = text.into();
    }
}

#[cfg(test)]
mod tests;

/// `/sessions/2026/11/24/rollout-2026-11-24T11-22-29-<id>.jsonl`, and nothing private.
fn is_rollout_name(name: &str) -> bool {
    let name = name.strip_prefix(SESSIONS).and_then(|name| name.strip_suffix(".jsonl"));
    let Some((folders, file)) = name.and_then(|name| name.split_once("/rollout-")) else {
        return false;
    };
    let is_time_or_id = |c: char| c.is_ascii_hexdigit() || c == '-' || c == 'T';
    folders.chars().all(|c| c.is_ascii_digit() || c == '/') && file.chars().all(is_time_or_id)
}
