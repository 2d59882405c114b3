//! What a run tells: steps of a replay become rows, from top to bottom, and bars beside them.
//!
//! Everything that is judgement is here and below (what is a row, what is folded into one, what is a word
//! and what is left out); the renderers draw what they are given.
//!
//! - An op, an effect and an answer of weight is an arrow. Pieces of a stream are counted and become
//!   one arrow, before the first thing that follows from them.
//! - An effect with an answer is a bar on its lifeline, from its start to its terminal reply.
//! - Lines of the rollout are counted at the row they follow from; only a slow or failed append is
//!   an arrow.

mod answered;
mod asked;
mod picture;
mod selection;
mod told;
mod voice;

use std::collections::BTreeMap;

use codex_engine::journal::Step;
use codex_proto::{EffectId, Input, Mono, Now, Output, ThreadId};

pub(super) use self::{
    picture::{Bar, Body, Lifeline, Mood, Row, Story},
    selection::Selection,
};
use super::text::{bytes, count, duration, one_line};

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
        let (rows, places) = selection::select(self.rows, selection);
        let mut bars: Vec<Bar> =
            self.bars.into_iter().filter_map(|bar| selection::visible(bar, &places)).collect();
        selection::arrange(&mut bars);
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

    fn begin(&mut self, bar: Bar) {
        self.bars.push(bar);
        self.is_edge = true;
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
