//! What a run tells: steps of a replay become rows, from top to bottom, and bars beside them.
//!
//! Everything that is judgement is here (what is a row, what is folded into one, what is a word
//! and what is left out); the renderers draw what they are given.
//!
//! - An op, an effect and an answer of weight is an arrow. Pieces of a stream are counted and become
//!   one arrow, before the first thing that follows from them.
//! - An effect with an answer is a bar on its lifeline, from its start to its terminal reply.
//! - Lines of the rollout are counted at the row they follow from; only a slow or failed append is
//!   an arrow.

mod voice;

use std::collections::BTreeMap;

use codex_engine::journal::Step;
use codex_proto::{
    Effect, EffectId, EffectKind, Event, HostErrorKind, Input, Mono, Now, Op, Output, Reply,
    ThreadId,
    approval::ApprovalSubject,
    effect::{FileWrite, Method, Signal},
    event::TurnOutcome,
    item::{ItemBody, ItemStatus, PlanStep, StepStatus},
    op::{Delivery, PromptPart},
};

use super::text::{bytes, count, duration, one_line, shorten};

/// An append that takes so long is an arrow of its own, in microseconds.
const SLOW_APPEND_US: u64 = 100_000;

/// The end of an answer that says nothing more is a row only when it comes later than this after
/// the row before, in microseconds.
const SOON_US: u64 = 5_000;

/// Columns of an answer and the name of its effect, and of the name at least.
const ANSWER_COLUMNS_MAX: usize = 38;
const NAME_COLUMNS_MIN: usize = 8;

/// A time without rows that is drawn as a break, in microseconds.
pub(super) const SILENCE_US: u64 = 500_000;

/// Who takes part, from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lifeline {
    /// The front end, for the person.
    User,
    /// Threads and turns.
    Engine,
    /// The provider.
    Model,
    /// The realtime service, creating a call.
    Call,
    /// The realtime service, on its socket.
    Sideband,
    /// Our peer, or microphone and speaker.
    Media,
    /// Processes.
    Commands,
    /// Files.
    Disk,
}

impl Lifeline {
    /// The head of the line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Engine => "engine",
            Self::Model => "model",
            Self::Call => "call",
            Self::Sideband => "sideband",
            Self::Media => "media",
            Self::Commands => "commands",
            Self::Disk => "disk",
        }
    }
}

/// A run, ready to draw.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Story {
    /// Those that occur, from left to right; the user and the engine always.
    pub(super) lifelines: Vec<Lifeline>,
    /// From top to bottom.
    pub(super) rows: Vec<Row>,
    /// What is under way beside the rows.
    pub(super) bars: Vec<Bar>,
    /// How much there is of what, in one line.
    pub(super) summary: String,
}

/// One line of the picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Microseconds since the first input.
    pub(super) at_us: u64,
    /// The input it follows from.
    pub(super) n: u64,
    /// What is drawn.
    pub(super) body: Body,
    /// How many rows like this one it stands for.
    pub(super) times: u64,
    /// Rollout lines that were given to the disk since this row.
    pub(super) lines: u64,
    /// The state that the turn is in from here on, where it changed.
    pub(super) state: Option<String>,
}

/// What a row shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    /// Something is asked, answered or told.
    Arrow {
        /// Where it starts.
        from: Lifeline,
        /// Where it ends.
        to: Lifeline,
        /// The whole text, in one line.
        text: String,
        /// How it is meant.
        mood: Mood,
    },
    /// Rows that are left out.
    Folded {
        /// How many inputs they stand for.
        inputs: u64,
    },
    /// Something about a lifeline itself.
    Note {
        /// Which.
        on: Lifeline,
        /// The whole text, in one line.
        text: String,
    },
    /// Nothing happens.
    Silence {
        /// For so many microseconds.
        us: u64,
    },
}

/// How a text is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// It did not work out; drawn with a cross, and said in the text.
    Bad,
    /// It matters little.
    Faint,
    /// As usual.
    Plain,
    /// It matters most.
    Strong,
}

/// Something that is under way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bar {
    /// Where.
    pub(super) lifeline: Lifeline,
    /// The row in which it starts.
    pub(super) from: usize,
    /// The row in which it ends; `None` when it does not.
    pub(super) to: Option<usize>,
    /// What it is.
    pub(super) text: String,
    /// Bars side by side have different places, from 0.
    pub(super) place: usize,
}

/// What of a run is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection {
    /// First input, and first microsecond since the start.
    pub(super) from: (u64, u64),
    /// Last input, and last microsecond since the start.
    pub(super) to: (u64, u64),
    /// Most rows; what is in the middle of more is folded.
    pub(super) rows_max: usize,
}

impl Selection {
    fn has(&self, row: &Row) -> bool {
        (self.from.0..=self.to.0).contains(&row.n) && (self.from.1..=self.to.1).contains(&row.at_us)
    }
}

/// Listens to steps and tells the story.
#[derive(Debug, Default)]
pub(super) struct Teller {
    start: Option<Mono>,
    at_us: u64,
    n: u64,
    cause: Option<Cause>,
    rows: Vec<Row>,
    bars: Vec<Bar>,
    open: BTreeMap<EffectId, Open>,
    turns: BTreeMap<ThreadId, usize>,
    all_moves: bool,
    /// Whether a bar begins or ends at the last row, which then stands for itself.
    is_edge: bool,
    lines: u64,
    counts: BTreeMap<&'static str, u64>,
}

/// What comes before the first row of a step, if there is one.
#[derive(Clone, Copy, Debug)]
enum Cause {
    Pieces(EffectId),
    Timer(Option<&'static str>),
}

/// An effect that has not ended.
#[derive(Debug)]
struct Open {
    lifeline: Lifeline,
    what: What,
    name: String,
    bar: Option<usize>,
    /// The last row when it started.
    row: usize,
    since_us: u64,
    pieces: u64,
    deltas: u64,
    bytes: u64,
    answer: Option<String>,
    is_cancelled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Append { lines: u64 },
    Http,
    Other,
    Spawn,
}

impl Teller {
    /// A story in which each state change of a machine is a row, or only those of turns are marks.
    pub(super) fn new(all_moves: bool) -> Self {
        Self { all_moves, ..Self::default() }
    }

    /// Takes the next step, and why the engine wanted to be woken before it.
    pub(super) fn push(&mut self, step: &Step, due: Option<&'static str>) {
        self.n = step.n;
        self.tick(step.now);
        self.cause = None;
        match &step.input {
            Input::Op(_, op) if voice::is_echo(op) => return,
            Input::Op(_, op) => self.op(op),
            Input::Reply(id, reply) => self.reply(*id, reply, &step.outputs),
            Input::Wake => self.cause = Some(Cause::Timer(due)),
        }
        for output in &step.outputs {
            match output {
                Output::Effect(effect) => self.effect(effect),
                Output::Event(event) => self.event(event),
            }
        }
        for moved in &step.moves {
            if self.all_moves {
                let text =
                    format!("{}: {} → {}, on {}", moved.machine, moved.from, moved.to, moved.on);
                self.row(Body::Note { on: Lifeline::Engine, text });
            } else if moved.machine == "turn" && moved.from != moved.to {
                self.settle();
                if let Some(row) = self.rows.last_mut() {
                    row.state = Some(moved.to.to_owned());
                }
            }
        }
    }

    /// Adds a last word about the run.
    pub(super) fn note(&mut self, text: &str) {
        self.cause = None;
        self.row(Body::Note { on: Lifeline::Engine, text: one_line(text) });
    }

    /// The story so far.
    pub(super) fn finish(mut self, selection: &Selection) -> Story {
        let rollout = std::mem::take(&mut self.lines);
        if let Some(last) = self.rows.last_mut() {
            last.lines += rollout;
        }
        let summary = self.summary();
        let (rows, places) = select(self.rows, selection);
        let mut bars: Vec<Bar> =
            self.bars.into_iter().filter_map(|bar| visible(bar, &places)).collect();
        arrange(&mut bars);
        let mut lifelines = vec![Lifeline::User, Lifeline::Engine];
        for row in &rows {
            match row.body {
                Body::Arrow { from, to, .. } => lifelines.extend([from, to]),
                Body::Note { on, .. } => lifelines.push(on),
                Body::Folded { .. } | Body::Silence { .. } => {}
            }
            if row.lines > 0 {
                lifelines.push(Lifeline::Disk);
            }
        }
        lifelines.extend(bars.iter().map(|bar| bar.lifeline));
        lifelines.sort();
        lifelines.dedup();
        Story { lifelines, rows, bars, summary }
    }

    fn summary(&self) -> String {
        let mut parts = vec![count(self.n, "input")];
        for name in ["turn", "request", "conversation", "command", "patch", "rollout line"] {
            if let Some(number) = self.counts.get(name) {
                parts.push(count(*number, name));
            }
        }
        format!("{} in {}", parts.join(" · "), duration(self.at_us))
    }

    fn tick(&mut self, now: Now) {
        let start = *self.start.get_or_insert(now.mono);
        // A clock that goes back does not draw rows out of order.
        self.at_us = self.at_us.max(now.mono.0.saturating_sub(start.0));
    }

    fn count(&mut self, name: &'static str, number: u64) {
        *self.counts.entry(name).or_default() += number;
    }

    /// Draws what the step came from, once it is known to matter.
    fn settle(&mut self) {
        match self.cause.take() {
            Some(Cause::Pieces(id)) => self.flush(id),
            Some(Cause::Timer(due)) => {
                let text = format!("timer: {}", due.unwrap_or("none was due"));
                self.row(Body::Note { on: Lifeline::Engine, text });
            }
            None => {}
        }
    }

    fn row(&mut self, body: Body) -> usize {
        self.settle();
        let lines = std::mem::take(&mut self.lines);
        let index = self.rows.len();
        if let Some(last) = self.rows.last_mut() {
            last.lines += lines;
            if !self.is_edge && last.body == body && last.lines == 0 {
                last.times += 1;
                return index - 1;
            }
        }
        self.is_edge = false;
        self.rows.push(Row { at_us: self.at_us, n: self.n, body, times: 1, lines: 0, state: None });
        self.rows.len() - 1
    }

    fn arrow(&mut self, from: Lifeline, to: Lifeline, mood: Mood, text: impl AsRef<str>) -> usize {
        self.row(Body::Arrow { from, to, text: one_line(text.as_ref()), mood })
    }

    fn ask(&mut self, mood: Mood, text: impl AsRef<str>) {
        self.arrow(Lifeline::User, Lifeline::Engine, mood, text);
    }

    fn tell(&mut self, mood: Mood, text: impl AsRef<str>) -> usize {
        self.arrow(Lifeline::Engine, Lifeline::User, mood, text)
    }

    /// The pieces that an effect has answered since the last time, as one row.
    fn flush(&mut self, id: EffectId) {
        let Some(open) = self.open.get_mut(&id) else { return };
        let (pieces, deltas) = (std::mem::take(&mut open.pieces), std::mem::take(&mut open.deltas));
        let size = std::mem::take(&mut open.bytes);
        if pieces == 0 {
            return;
        }
        let number = if deltas > 0 { count(deltas, "delta") } else { count(pieces, "piece") };
        let text = format!("{number}, {}", bytes(size));
        let lifeline = open.lifeline;
        self.arrow(lifeline, Lifeline::Engine, Mood::Plain, text);
    }

    fn op(&mut self, op: &Op) {
        match op {
            Op::Interrupt { .. } => self.ask(Mood::Strong, "interrupt"),
            Op::Prompt(prompt) => {
                let parts: Vec<&str> = prompt
                    .content
                    .iter()
                    .map(|part| match part {
                        PromptPart::Image { .. } => "[image]",
                        PromptPart::Text(text) => text,
                    })
                    .collect();
                let is_busy = self.turns.contains_key(&prompt.thread);
                let how = match prompt.delivery {
                    _ if !is_busy => "prompt",
                    Delivery::FollowUp => "follow-up",
                    Delivery::Steer => "steer",
                };
                self.ask(Mood::Strong, format!("{how} “{}”", parts.join(" ").trim()));
            }
            Op::ResumeThread { path } => {
                self.ask(Mood::Plain, format!("resume {}", path.display()));
            }
            Op::Approve { answer, .. } => {
                self.ask(Mood::Strong, format!("answer: {}", answer.as_str()));
            }
            Op::Configure(_) => self.ask(Mood::Plain, "configure"),
            Op::ForkThread { path, .. } => {
                self.ask(Mood::Plain, format!("fork {}", path.display()));
            }
            Op::RealtimeAudio { .. }
            | Op::RealtimeMute { .. }
            | Op::RealtimePrepare { .. }
            | Op::RealtimeSpeech { .. }
            | Op::RealtimeStart(_)
            | Op::RealtimeStop { .. }
            | Op::RealtimeText { .. } => self.voice_op(op),
            Op::ResizeCommand { size, .. } => {
                self.ask(Mood::Faint, format!("resize to {}×{}", size.columns, size.rows));
            }
            Op::RunCommand { script, .. } => self.ask(Mood::Plain, format!("!{script}")),
            Op::StopCommands { .. } => self.ask(Mood::Plain, "stop commands"),
            Op::StartThread => self.ask(Mood::Plain, "start thread"),
            Op::StopThread { .. } => self.ask(Mood::Plain, "stop thread"),
        }
    }

    fn effect(&mut self, effect: &Effect) {
        use Lifeline::{Call, Commands, Disk, Model};
        let id = effect.id;
        match &effect.kind {
            EffectKind::Append(append) => {
                let lines = append.bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
                self.count("rollout line", lines);
                self.lines += lines;
                let name = format!("append {}", count(lines, "line"));
                let mut open = Open::new(Disk, What::Append { lines }, name);
                open.row = self.rows.len().saturating_sub(1);
                open.since_us = self.at_us;
                self.open.insert(id, open);
            }
            EffectKind::Cancel(target) => {
                let (lifeline, name) = self.target(*target);
                if let Some(open) = self.open.get_mut(target) {
                    open.is_cancelled = true;
                }
                self.arrow(Lifeline::Engine, lifeline, Mood::Plain, format!("cancel {name}"));
            }
            EffectKind::Flush(target) => {
                let (lifeline, name) = self.target(*target);
                let text = format!("output so far of {name}?");
                self.arrow(Lifeline::Engine, lifeline, Mood::Faint, text);
            }
            EffectKind::Http(request) => {
                let lifeline = if voice::is_call(&request.url) { Call } else { Model };
                if lifeline == Model {
                    self.count("request", 1);
                }
                let method = match request.method {
                    Method::Get => "GET",
                    Method::Post => "POST",
                };
                let name = format!("{method} {}", path_of(&request.url));
                let size = match request.body.len() {
                    0 => String::new(),
                    size => format!(" {}", bytes(size as u64)),
                };
                self.start(id, lifeline, What::Http, name, &size);
            }
            EffectKind::Image { path } => {
                self.start(id, Disk, What::Other, format!("image {}", path.display()), "");
            }
            EffectKind::AudioOpen(_)
            | EffectKind::AudioPlay(_)
            | EffectKind::Microphone { .. }
            | EffectKind::PlaybackClear { .. }
            | EffectKind::Preconnect(_)
            | EffectKind::RtcAnswer(_)
            | EffectKind::RtcOpen(_)
            | EffectKind::RtcSend(_)
            | EffectKind::Send(_)
            | EffectKind::Socket(_) => self.voice_effect(effect),
            EffectKind::Resize { .. } => {}
            EffectKind::Survey(_) => {
                self.start(id, Disk, What::Other, "look at recent work".into(), "");
            }
            EffectKind::Patch(patch) => {
                self.count("patch", 1);
                let name = match &patch.files[..] {
                    [FileWrite { path, .. }] => match path.file_name() {
                        Some(name) => format!("patch {}", name.to_string_lossy()),
                        None => format!("patch {}", path.display()),
                    },
                    files => format!("patch {}", count(files.len() as u64, "file")),
                };
                self.start(id, Disk, What::Other, name, "");
            }
            EffectKind::Project(_) => {
                self.start(id, Disk, What::Other, "look at the project".into(), "");
            }
            EffectKind::Read { path, .. } => {
                self.start(id, Disk, What::Other, format!("read {}", path.display()), "");
            }
            EffectKind::Signal { spawn, signal } => {
                let (lifeline, name) = self.target(*spawn);
                let signal = match signal {
                    Signal::Interrupt => "SIGINT",
                    Signal::Kill => "SIGKILL",
                    Signal::Terminate => "SIGTERM",
                };
                self.arrow(Lifeline::Engine, lifeline, Mood::Plain, format!("{signal} to {name}"));
            }
            EffectKind::Snapshot(_) => {
                self.start(id, Commands, What::Other, "snapshot of the shell".into(), "");
            }
            EffectKind::Spawn(spawn) => {
                self.count("command", 1);
                let name = match &spawn.argv[..] {
                    [_, flag, script] if flag.starts_with('-') && flag.ends_with('c') => {
                        script.clone()
                    }
                    argv => argv.join(" "),
                };
                self.start(id, Commands, What::Spawn, format!("exec {}", one_line(&name)), "");
            }
            EffectKind::Stdin { spawn, bytes } => {
                let (lifeline, _) = self.target(*spawn);
                let text = format!("type {:?}", String::from_utf8_lossy(bytes));
                self.arrow(Lifeline::Engine, lifeline, Mood::Plain, text);
            }
        }
    }

    /// The lifeline and the name of an effect that another one is about.
    fn target(&self, id: EffectId) -> (Lifeline, String) {
        match self.open.get(&id) {
            Some(open) => (open.lifeline, open.name.trim_start_matches("exec ").to_owned()),
            None => (Lifeline::Commands, id.to_string()),
        }
    }

    fn start(&mut self, id: EffectId, lifeline: Lifeline, what: What, name: String, more: &str) {
        let name = one_line(&name);
        let text = format!("{name}{more}");
        let row = self.arrow(Lifeline::Engine, lifeline, Mood::Plain, &text);
        self.begin(Bar { lifeline, from: row, to: None, text, place: 0 });
        let mut open = Open::new(lifeline, what, name);
        open.bar = Some(self.bars.len() - 1);
        open.since_us = self.at_us;
        self.open.insert(id, open);
    }

    fn reply(&mut self, id: EffectId, reply: &Reply, outputs: &[Output]) {
        let deltas = outputs
            .iter()
            .filter(|output| matches!(output, Output::Event(Event::ItemDelta { .. })))
            .count() as u64;
        if self.voice_reply(id, reply) {
            return;
        }
        let Some(open) = self.open.get_mut(&id) else {
            let text = format!("an answer to {id}, which is not under way");
            self.row(Body::Note { on: Lifeline::Engine, text });
            return;
        };
        let lifeline = open.lifeline;
        match reply {
            Reply::Bytes(bytes) | Reply::Tail { bytes, .. } => {
                open.pieces += 1;
                open.bytes += bytes.len() as u64;
                open.deltas += deltas;
                self.cause = Some(Cause::Pieces(id));
            }
            Reply::Survey(survey) => {
                open.answer = Some(count(survey.threads.len() as u64, "recent thread"));
            }
            // Told by `voice_reply`.
            Reply::Audio(_)
            | Reply::Channel(_)
            | Reply::Link(_)
            | Reply::Offer(_)
            | Reply::Sent { .. } => {}
            Reply::Opened => {}
            Reply::Head(head) => {
                let (text, mood) = status(head.status);
                self.arrow(lifeline, Lifeline::Engine, mood, text);
            }
            Reply::Project(info) => {
                let docs = info.docs.len() + usize::from(info.global_doc.is_some());
                let git = if info.git.is_some() { ", git" } else { "" };
                open.answer = Some(format!("{}{git}", count(docs as u64, "document")));
            }
            Reply::Closed | Reply::Exited(_) | Reply::Failed(_) => self.end(id, reply),
        }
    }

    fn end(&mut self, id: EffectId, reply: &Reply) {
        let Some(open) = self.open.get(&id) else { return };
        let (what, lifeline, since) = (open.what, open.lifeline, open.since_us);
        let took = self.at_us.saturating_sub(since);
        // Which of several is said only where there are several.
        let is_alone = self.open.values().filter(|open| open.lifeline == lifeline).count() < 2;
        let whose = match what {
            What::Append { .. } => open.name.clone(),
            What::Http | What::Other | What::Spawn if is_alone => String::new(),
            What::Http | What::Other | What::Spawn => {
                open.name.trim_start_matches("exec ").to_owned()
            }
        };
        let size = open.bytes;
        let (text, mood) = match reply {
            Reply::Failed(error) if error.kind == HostErrorKind::Cancelled => {
                ("cancelled".to_owned(), Mood::Bad)
            }
            Reply::Failed(error) => (format!("failed: {error}"), Mood::Bad),
            Reply::Closed if open.is_cancelled => ("cancelled".to_owned(), Mood::Bad),
            Reply::Exited(exit) => {
                let size = match exit.output_bytes {
                    0 => String::new(),
                    size => format!(", {}", bytes(size)),
                };
                let took = duration(took);
                let cancelled = if open.is_cancelled { "cancelled, " } else { "" };
                let is_bad = exit.code != 0 || open.is_cancelled;
                let mood = if is_bad { Mood::Bad } else { Mood::Plain };
                (format!("{cancelled}exit {}{size} in {took}", exit.code), mood)
            }
            _ => match what {
                What::Append { .. } if took < SLOW_APPEND_US => {
                    self.open.remove(&id);
                    return;
                }
                What::Append { lines } => {
                    (format!("{} after {}", count(lines, "line"), duration(took)), Mood::Faint)
                }
                What::Http if open.pieces > 0 => {
                    let pieces = open.pieces.max(open.deltas);
                    let name = if open.deltas > 0 { "delta" } else { "piece" };
                    (format!("{}, {}, end", count(pieces, name), bytes(size)), Mood::Plain)
                }
                What::Http if self.at_us.saturating_sub(self.last_us()) < SOON_US => {
                    self.close(id, self.rows.len().saturating_sub(1));
                    return;
                }
                What::Http => ("end".to_owned(), Mood::Faint),
                What::Other | What::Spawn => {
                    let done = if size > 0 { bytes(size) } else { "done".to_owned() };
                    (open.answer.clone().unwrap_or(done), Mood::Plain)
                }
            },
        };
        let text = named(text, &whose);
        let row = self.arrow(lifeline, Lifeline::Engine, mood, text);
        self.close(id, row);
    }

    /// When the last row was.
    fn last_us(&self) -> u64 {
        self.rows.last().map_or(0, |row| row.at_us)
    }

    /// Ends the bar of an effect; an append gets one that is over.
    fn close(&mut self, id: EffectId, row: usize) {
        let Some(Open { lifeline, bar, row: first, name, .. }) = self.open.remove(&id) else {
            return;
        };
        match bar {
            Some(bar) => self.bars[bar].to = Some(row),
            None => {
                self.begin(Bar { lifeline, from: first, to: Some(row), text: name, place: 0 });
            }
        }
        self.is_edge = true;
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::ItemCompleted { item, .. } => self.item(&item.body),
            Event::ItemStarted { item, .. } | Event::ItemUpdated { item, .. } => {
                if let ItemBody::Plan(plan) = &item.body {
                    let is_done = |step: &&PlanStep| step.status == StepStatus::Completed;
                    let done = plan.steps.iter().filter(is_done).count();
                    self.tell(Mood::Faint, format!("plan: {done} of {} done", plan.steps.len()));
                }
            }
            Event::ItemDropped { .. } => {
                self.tell(Mood::Faint, "what was said is withdrawn");
            }
            Event::ApprovalEnded { .. } | Event::Commands { .. } | Event::Restored { .. } => {}
            Event::ApprovalRequested(request) => {
                let what = match &request.subject {
                    ApprovalSubject::Command { command, .. } => command.clone(),
                    ApprovalSubject::Patch { changes } => {
                        format!("change {}", count(changes.len() as u64, "file"))
                    }
                };
                self.tell(Mood::Strong, format!("may I: {what}"));
            }
            Event::Configured { .. } => {
                self.tell(Mood::Faint, "configured");
            }
            Event::Realtime(event) => self.voice_news(&event.news),
            // Deltas are counted with the reply that brought them.
            Event::ItemDelta { .. } | Event::UsageUpdated { .. } | Event::Waiting { .. } => {}
            Event::PromptCacheReset { cause, .. } => {
                self.tell(Mood::Faint, format!("prompt cache misses: {cause}"));
            }
            Event::PromptsReturned { prompts, .. } => {
                let number = count(prompts.len() as u64, "prompt");
                self.tell(Mood::Plain, format!("{number} returned"));
            }
            Event::Refused { reason, .. } => {
                self.tell(Mood::Bad, format!("refused: {reason}"));
            }
            Event::Retrying { attempt, attempts_max, delay_ms, cause, .. } => {
                let delay = duration(delay_ms.saturating_mul(1_000));
                let text = format!("retry {attempt} of {attempts_max} in {delay}: {cause}");
                self.tell(Mood::Plain, text);
            }
            Event::ThreadReady(ready) => {
                let how = if ready.resumed { "resumed" } else { "ready" };
                self.tell(Mood::Plain, format!("thread {how}, {}", ready.model));
            }
            Event::ThreadStopped { thread } => {
                let row = self.tell(Mood::Plain, "thread stopped");
                self.end_turn(*thread, row);
            }
            Event::TurnEnded { thread, outcome, usage, duration_ms, .. } => {
                let took = duration(duration_ms.saturating_mul(1_000));
                let row = match outcome {
                    TurnOutcome::Completed { .. } => {
                        let tokens = usage.input_tokens.saturating_add(usage.output_tokens);
                        let text = format!("turn completed, {took}, {}", count(tokens, "token"));
                        self.tell(Mood::Strong, text)
                    }
                    TurnOutcome::Failed(error) => {
                        self.tell(Mood::Bad, format!("turn failed after {took}: {error}"))
                    }
                    TurnOutcome::Interrupted => {
                        self.tell(Mood::Bad, format!("turn interrupted after {took}"))
                    }
                };
                self.end_turn(*thread, row);
            }
            Event::TurnStarted { thread, .. } => {
                self.count("turn", 1);
                let row = self.tell(Mood::Plain, "turn started");
                let (lifeline, text) = (Lifeline::Engine, "turn".to_owned());
                self.begin(Bar { lifeline, from: row, to: None, text, place: 0 });
                self.turns.insert(*thread, self.bars.len() - 1);
            }
            Event::Warning { message, .. } => {
                self.tell(Mood::Strong, format!("warning: {message}"));
            }
        }
    }

    fn end_turn(&mut self, thread: ThreadId, row: usize) {
        if let Some(bar) = self.turns.remove(&thread) {
            self.bars[bar].to = Some(row);
            self.is_edge = true;
        }
    }

    fn begin(&mut self, bar: Bar) {
        self.bars.push(bar);
        self.is_edge = true;
    }

    fn item(&mut self, body: &ItemBody) {
        match body {
            ItemBody::AgentMessage { text } => {
                self.tell(Mood::Plain, format!("“{}”", text.trim()));
            }
            // The command is drawn, unless there was none.
            ItemBody::Command(command) => {
                if command.status == ItemStatus::Declined {
                    self.tell(Mood::Bad, format!("declined: {}", command.command));
                }
            }
            ItemBody::Error { message } => {
                self.tell(Mood::Bad, format!("error: {message}"));
            }
            ItemBody::FileChange(change) => {
                let number = count(change.changes.len() as u64, "file");
                match change.status {
                    ItemStatus::Completed | ItemStatus::InProgress => {
                        self.tell(Mood::Plain, format!("{number} changed"))
                    }
                    ItemStatus::Declined => self.tell(Mood::Bad, "patch declined"),
                    ItemStatus::Failed => {
                        let why = change.error.as_deref().unwrap_or("no reason given");
                        self.tell(Mood::Bad, format!("patch failed: {why}"))
                    }
                };
            }
            ItemBody::Reasoning { text, raw } => {
                let text = if text.is_empty() { raw } else { text };
                self.tell(Mood::Faint, format!("thinking “{}”", text.replace("**", "").trim()));
            }
            // The plan was told when it changed, the prompt is the user's own.
            ItemBody::Plan(_) | ItemBody::UserMessage { .. } => {}
            ItemBody::WebSearch { query, .. } => {
                self.tell(Mood::Faint, format!("web search “{query}”"));
            }
        }
    }
}

impl Open {
    fn new(lifeline: Lifeline, what: What, name: String) -> Self {
        Self {
            lifeline,
            what,
            name,
            bar: None,
            row: 0,
            since_us: 0,
            pieces: 0,
            deltas: 0,
            bytes: 0,
            answer: None,
            is_cancelled: false,
        }
    }
}

/// An answer with the name of its effect, if it has one, as far as there is room.
fn named(answer: String, name: &str) -> String {
    if name.is_empty() {
        return answer;
    }
    let room = ANSWER_COLUMNS_MAX.saturating_sub(answer.chars().count() + 3);
    format!("{answer} ({})", shorten(name, room.max(NAME_COLUMNS_MIN)))
}

/// A URL without scheme, host and query.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or(path)
}

fn status(code: u16) -> (String, Mood) {
    let word = match code {
        200 => " OK",
        201 => " Created",
        400 => " Bad Request",
        401 => " Unauthorized",
        403 => " Forbidden",
        404 => " Not Found",
        429 => " Too Many Requests",
        500 => " Internal Server Error",
        502 => " Bad Gateway",
        503 => " Service Unavailable",
        _ => "",
    };
    let mood = if code < 400 { Mood::Plain } else { Mood::Bad };
    let failed = if code < 400 { "" } else { "failed: " };
    (format!("{failed}{code}{word}"), mood)
}

/// The rows that are drawn, with breaks, and for each old row its new place.
fn select(old: Vec<Row>, selection: &Selection) -> (Vec<Row>, Vec<Option<usize>>) {
    let chosen = old.iter().filter(|row| selection.has(row)).count();
    let rows_max = selection.rows_max.max(3);
    let folded = if chosen > rows_max { chosen - rows_max + 1 } else { 0 };
    let head = (rows_max - 1) / 2;
    let (mut rows, mut places): (Vec<Row>, Vec<Option<usize>>) = (Vec::new(), Vec::new());
    let (mut seen, mut first_folded) = (0, 0);
    let mut before_us = None;
    for row in old {
        if !selection.has(&row) {
            places.push(None);
            continue;
        }
        seen += 1;
        let (at_us, n) = (row.at_us, row.n);
        if folded > 0 && (head..head + folded).contains(&(seen - 1)) {
            if seen - 1 == head {
                first_folded = n;
                rows.push(Row { body: Body::Folded { inputs: 1 }, times: 1, ..row });
            } else if let Some(last) = rows.last_mut() {
                last.body = Body::Folded { inputs: n - first_folded + 1 };
                last.lines += row.lines;
            }
            places.push(Some(rows.len() - 1));
            before_us = Some(at_us);
            continue;
        }
        let silent_us = before_us.map_or(0, |before: u64| at_us.saturating_sub(before));
        if silent_us >= SILENCE_US {
            let body = Body::Silence { us: silent_us };
            rows.push(Row { at_us, n, body, times: 1, lines: 0, state: None });
        }
        before_us = Some(at_us);
        places.push(Some(rows.len()));
        rows.push(row);
    }
    (rows, places)
}

/// A bar at the new places of its rows; `None` when nothing of it is drawn.
fn visible(bar: Bar, places: &[Option<usize>]) -> Option<Bar> {
    let end = bar.to.unwrap_or(places.len().saturating_sub(1));
    let inside = places.get(bar.from..=end)?;
    let from = inside.iter().flatten().next().copied()?;
    let last = inside.iter().flatten().next_back().copied()?;
    let is_whole = bar.to.is_some_and(|to| places.get(to).is_some_and(Option::is_some));
    if is_whole && from == last && bar.from != end {
        return None;
    }
    Some(Bar { from, to: is_whole.then_some(last), ..bar })
}

/// Gives bars that are under way at the same time different places.
fn arrange(bars: &mut [Bar]) {
    bars.sort_by_key(|bar| bar.from);
    let mut busy: BTreeMap<Lifeline, Vec<usize>> = BTreeMap::new();
    for bar in bars {
        let ends = busy.entry(bar.lifeline).or_default();
        let end = bar.to.unwrap_or(usize::MAX);
        let free = ends.iter().position(|until| *until <= bar.from);
        bar.place = free.unwrap_or(ends.len());
        match free {
            Some(place) => ends[place] = end,
            None => ends.push(end),
        }
    }
}
