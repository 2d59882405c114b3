//! The headless front end: tells the engine what to do and people or programs what happened.
//!
//! ```text
//! state      on                          does                                  next
//! Starting   ThreadReady                 sends the prompt                      Running
//!            Refused                     says why                              Ended
//! Running    TurnEnded                   final message, stops the thread       Stopping
//!            Refused (the prompt)        says why, stops the thread            Stopping
//! Stopping   ThreadStopped               closes the ops                        Ended
//! any        events end, or stdout does  stops the thread                      Ended
//! ```
//!
//! It runs on a thread of its own: a reader of standard output that does not read stops it, which
//! in turn stops the stream of the model, but not the signals.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
};

use codex_proto::{
    Event, Op, OpId, ThreadId, TurnId,
    event::{TurnOutcome, Usage},
    op::{Delivery, Prompt, PromptPart},
    wire::exec_json::ExecJson,
};
use codex_smol::Ops;
use serde_json::Value;
use smol::channel::Receiver;

use crate::{
    human::{Human, HumanOptions},
    signals::Shared,
    stderr,
};

const START: OpId = OpId(1);
const PROMPT: OpId = OpId(2);
const STOP: OpId = OpId(3);
/// Bytes that are gathered while further events wait.
const BATCH_BYTES: usize = 64 << 10;

/// What is to be done and how it is to be told.
#[derive(Clone, Debug)]
pub struct Job {
    /// Starts or resumes a thread.
    pub start: Op,
    /// What is said to it.
    pub prompt: Vec<PromptPart>,
    /// JSON schema of the final message.
    pub output_schema: Option<Value>,
    /// For people or for programs.
    pub mode: Mode,
    /// Found before the thread began; told after its first line.
    pub warnings: Vec<String>,
    /// Where the final message goes beside standard output.
    pub last_message: Option<PathBuf>,
}

/// For whom the output is.
#[derive(Clone, Debug)]
pub enum Mode {
    /// JSON lines on standard output.
    Json,
    /// Progress on standard error, the final message on standard output.
    Human(HumanOptions),
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ended {
    /// How the turn ended; `None` when there was none.
    pub outcome: Option<TurnOutcome>,
    /// The rollout, when one is kept.
    pub rollout: Option<PathBuf>,
    /// The thread, once it was ready.
    pub thread: Option<ThreadId>,
    /// Standard output could not be written.
    pub is_output_broken: bool,
}

impl Ended {
    /// Whether everything that was asked for was done and told.
    #[must_use]
    pub fn is_success(&self) -> bool {
        !self.is_output_broken && matches!(self.outcome, Some(TurnOutcome::Completed { .. }))
    }
}

pub(crate) struct Front {
    job: Job,
    view: View,
    events: Receiver<Event>,
    ops: CloseOnDrop,
    shared: Shared,
    state: State,
    ended: Ended,
    stdout: Vec<u8>,
    stderr: String,
    /// Whether the final message is wanted on standard output.
    tells_last_message: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ended,
    Running,
    Starting,
    Stopping,
}

enum View {
    Human(Box<Human>),
    Json(ExecJson),
}

/// Ends the host whatever becomes of the front end, even when it panics.
struct CloseOnDrop(Ops);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Front {
    pub(crate) fn new(job: Job, events: Receiver<Event>, ops: Ops, shared: Shared) -> Self {
        let view = match &job.mode {
            Mode::Human(options) => View::Human(Box::new(Human::new(options.clone()))),
            Mode::Json => View::Json(ExecJson::new()),
        };
        // On a terminal the message was just seen.
        let is_seen = io::stdout().is_terminal() && io::stderr().is_terminal();
        let tells_last_message = !is_seen && matches!(view, View::Human(_));
        Self {
            job,
            view,
            events,
            ops: CloseOnDrop(ops),
            shared,
            state: State::Starting,
            ended: Ended::default(),
            stdout: Vec::new(),
            stderr: String::new(),
            tells_last_message,
        }
    }

    /// Runs to the end of the thread. Blocking.
    pub(crate) fn run(mut self) -> Ended {
        let start = self.job.start.clone();
        self.send(START, start);
        while self.state != State::Ended {
            let Ok(event) = self.events.recv_blocking() else { break };
            self.on(&event);
            if self.events.is_empty() || self.stdout.len() + self.stderr.len() > BATCH_BYTES {
                self.flush();
            }
        }
        self.finish();
        self.flush();
        self.ended
    }

    fn on(&mut self, event: &Event) {
        self.render(event);
        match (self.state, event) {
            (State::Starting, Event::ThreadReady(ready)) => {
                // It is set once: a run has one thread.
                let _ = self.shared.thread.set(ready.thread);
                self.ended.thread = Some(ready.thread);
                self.ended.rollout.clone_from(&ready.rollout);
                for warning in std::mem::take(&mut self.job.warnings) {
                    self.warn(&warning);
                }
                self.state = State::Running;
                let prompt = Prompt {
                    thread: ready.thread,
                    content: std::mem::take(&mut self.job.prompt),
                    delivery: Delivery::FollowUp,
                    output_schema: self.job.output_schema.take(),
                };
                self.send(PROMPT, Op::Prompt(Box::new(prompt)));
            }
            (State::Starting, Event::Refused { op: START, reason }) => {
                self.stderr.push_str(&format!("Error: {reason}\n"));
                self.state = State::Ended;
            }
            (State::Running, Event::Refused { op: PROMPT, reason }) => {
                self.stderr.push_str(&format!("Error: {reason}\n"));
                self.stop();
            }
            (State::Running, Event::TurnEnded { outcome, .. }) => {
                if let TurnOutcome::Completed { last_message } = outcome {
                    self.tell_last_message(last_message.as_deref());
                }
                self.ended.outcome = Some(outcome.clone());
                self.stop();
            }
            (_, Event::ThreadStopped { .. }) => self.state = State::Ended,
            _ => {}
        }
    }

    fn render(&mut self, event: &Event) {
        match &mut self.view {
            View::Human(human) => human.on(event, &mut self.stderr),
            View::Json(json) => json.on(event, &mut self.stdout),
        }
    }

    fn warn(&mut self, message: &str) {
        match &mut self.view {
            View::Human(human) => human.warn(message, &mut self.stderr),
            View::Json(json) => json.warn(message, &mut self.stdout),
        }
    }

    /// A turn that the end of the host cut off gets its terminal line all the same.
    fn finish(&mut self) {
        if let (State::Running, Some(thread)) = (self.state, self.ended.thread) {
            self.render(&Event::TurnEnded {
                thread,
                turn: TurnId(thread.0),
                outcome: TurnOutcome::Interrupted,
                usage: Usage::default(),
                duration_ms: 0,
            });
            self.ended.outcome = Some(TurnOutcome::Interrupted);
        }
        if let View::Json(json) = &mut self.view {
            json.finish(&mut self.stdout);
        }
    }

    fn tell_last_message(&mut self, message: Option<&str>) {
        if let (true, Some(message)) = (self.tells_last_message, message) {
            self.stdout.extend_from_slice(message.as_bytes());
            self.stdout.push(b'\n');
        }
        let Some(path) = &self.job.last_message else { return };
        if let Err(error) = std::fs::write(path, message.unwrap_or_default()) {
            let text =
                format!("Failed to write last message file \"{}\": {error}\n", path.display());
            self.stderr.push_str(&text);
        } else if message.is_none() {
            let text = format!(
                "Warning: no last agent message; wrote empty content to {}\n",
                path.display()
            );
            self.stderr.push_str(&text);
        }
    }

    fn stop(&mut self) {
        self.state = State::Stopping;
        if let Some(thread) = self.ended.thread {
            self.send(STOP, Op::StopThread { thread });
        }
    }

    fn send(&self, id: OpId, op: Op) {
        // When the host has ended, its events end too, and with them this front end.
        let _ = self.ops.0.send_blocking(id, op);
    }

    fn flush(&mut self) {
        if !self.stderr.is_empty() {
            stderr::write(&self.stderr);
            self.stderr.clear();
        }
        if self.stdout.is_empty() || self.ended.is_output_broken {
            self.stdout.clear();
            return;
        }
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(&self.stdout).and_then(|()| stdout.flush());
        self.stdout.clear();
        if let Err(error) = written {
            self.ended.is_output_broken = true;
            // Somebody who closed the pipe knows; anything else has to be told.
            if error.kind() != io::ErrorKind::BrokenPipe {
                stderr::write(&format!("Error: cannot write to standard output: {error}\n"));
            }
            if matches!(self.state, State::Starting | State::Running) {
                self.stop();
            }
        }
    }
}

/// Whether the headless front end does anything with an event.
pub(crate) fn wants(event: &Event) -> bool {
    !matches!(event, Event::ItemDelta { .. } | Event::UsageUpdated { .. } | Event::Waiting { .. })
}
