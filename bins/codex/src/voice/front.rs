//! Tells the engine what to do for a conversation, and its user what happened.
//!
//! ```text
//! state      on                                   does                           next
//! Starting   ThreadReady                          starts voice                   Talking
//!            Refused                              says why                       Ended
//! Talking    a line                               mutes, sends it, or ends voice Talking
//!            voice is over, or was refused        stops the thread               Stopping
//! Stopping   ThreadStopped                                                       Ended
//! any        events end, or stdout does           stops the thread               Ended
//! ```

use std::{
    io::{self, Write},
    time::Instant,
};

use codex_exec::{signals::Shared, stderr};
use codex_proto::{
    Event, Op, OpId, ThreadId,
    realtime::{RealtimeClosed, RealtimeStart, RealtimeTransport},
};
use codex_smol::Ops;
use codex_tui::voice::{VoiceChange, VoicePhase, VoiceState};
use smol::{channel::Receiver, future};

use super::{lines::Lines, typed::Typed};

const START: OpId = OpId(1);
const VOICE: OpId = OpId(2);
const STOP: OpId = OpId(3);
const TEXT: OpId = OpId(4);
const OTHER: OpId = OpId(5);

/// See the module.
pub(super) struct Front {
    transport: RealtimeTransport,
    warnings: Vec<String>,
    lines: Lines,
    ops: CloseOnDrop,
    shared: Shared,
    state: State,
    voice: VoiceState,
    thread: Option<ThreadId>,
    asked: Instant,
    /// It was ended by its user or the service, not by a failure.
    is_success: bool,
    is_output_broken: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ended,
    Starting,
    Stopping,
    Talking,
}

/// Ends the host whatever becomes of the front end, even when it panics.
struct CloseOnDrop(Ops);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What the front end waits for.
enum Woken {
    Event(Option<Event>),
    Typed(Option<Typed>),
}

impl Front {
    pub(super) fn new(
        transport: RealtimeTransport,
        is_muted: bool,
        warnings: Vec<String>,
        lines: Lines,
        ops: Ops,
        shared: Shared,
    ) -> Self {
        let mut voice = VoiceState::default();
        if is_muted {
            voice.toggle_mute();
        }
        Self {
            transport,
            warnings,
            lines,
            ops: CloseOnDrop(ops),
            shared,
            state: State::Starting,
            voice,
            thread: None,
            asked: Instant::now(),
            is_success: false,
            is_output_broken: false,
        }
    }

    /// Runs to the end of the thread; says whether the conversation was one.
    pub(super) async fn run(mut self, events: Receiver<Event>, typed: Receiver<Typed>) -> bool {
        self.send(START, Op::StartThread).await;
        while self.state != State::Ended {
            let event = async { Woken::Event(events.recv().await.ok()) };
            let line = async {
                match self.state {
                    State::Talking => Woken::Typed(typed.recv().await.ok()),
                    // Lines wait until they can be sent.
                    State::Ended | State::Starting | State::Stopping => future::pending().await,
                }
            };
            match future::or(event, line).await {
                Woken::Event(None) => break,
                Woken::Event(Some(event)) => self.on(&event).await,
                Woken::Typed(line) => self.typed(line.unwrap_or(Typed::Quit)).await,
            }
            if events.is_empty() {
                self.flush().await;
            }
        }
        self.flush().await;
        self.is_success && !self.is_output_broken
    }

    async fn on(&mut self, event: &Event) {
        self.lines.agent(event);
        match (self.state, event) {
            (State::Starting, Event::ThreadReady(ready)) => {
                self.thread = Some(ready.thread);
                // It is set once: a run has one thread.
                let _ = self.shared.thread.set(ready.thread);
                for warning in std::mem::take(&mut self.warnings) {
                    self.lines.warn(&warning);
                }
                self.state = State::Talking;
                self.asked = Instant::now();
                self.voice.start();
                let mut start = RealtimeStart::new(ready.thread, self.transport.clone());
                start.muted = self.voice.is_muted();
                self.send(VOICE, Op::RealtimeStart(Box::new(start))).await;
            }
            (State::Starting, Event::Refused { op: START, reason }) => {
                self.lines.error(&reason.to_string(), None);
                self.state = State::Ended;
            }
            (State::Talking, Event::Refused { op: VOICE, reason }) => {
                self.lines.error(&reason.to_string(), None);
                self.stop().await;
            }
            (State::Talking, Event::Refused { op: TEXT, reason }) => {
                self.lines.warn(&format!("not sent: {reason}"));
            }
            (State::Talking, Event::Realtime(event)) => {
                for change in self.voice.on(event) {
                    let elapsed_ms = self.asked.elapsed().as_millis() as u64;
                    self.lines.voice(&change, elapsed_ms);
                    if let VoiceChange::Ended(reason) = change {
                        self.is_success = reason != RealtimeClosed::Error;
                    }
                }
                if self.voice.phase() == VoicePhase::Inactive {
                    self.stop().await;
                }
            }
            (_, Event::ThreadStopped { .. }) => self.state = State::Ended,
            _ => {}
        }
    }

    async fn typed(&mut self, line: Typed) {
        let Some(thread) = self.thread else { return };
        match line {
            Typed::Mute => {
                let muted = self.voice.toggle_mute();
                self.send(OTHER, Op::RealtimeMute { thread, muted }).await;
            }
            Typed::Quit => {
                if self.voice.stop() {
                    self.send(OTHER, Op::RealtimeStop { thread }).await;
                }
            }
            Typed::Text(text) => self.send(TEXT, Op::RealtimeText { thread, text }).await,
        }
    }

    async fn stop(&mut self) {
        self.state = State::Stopping;
        if let Some(thread) = self.thread {
            self.send(STOP, Op::StopThread { thread }).await;
        }
    }

    async fn send(&self, id: OpId, op: Op) {
        // When the host has ended, its events end too, and with them this front end.
        let _ = self.ops.0.send(id, op).await;
    }

    async fn flush(&mut self) {
        let (said, told) =
            (std::mem::take(&mut self.lines.said), std::mem::take(&mut self.lines.told));
        if !told.is_empty() {
            stderr::write(&told);
        }
        if said.is_empty() || self.is_output_broken {
            return;
        }
        let written = {
            let mut stdout = io::stdout().lock();
            stdout.write_all(said.as_bytes()).and_then(|()| stdout.flush())
        };
        if let Err(error) = written {
            self.is_output_broken = true;
            // Somebody who closed the pipe knows; anything else has to be told.
            if error.kind() != io::ErrorKind::BrokenPipe {
                stderr::line(&format!("Error: cannot write to standard output: {error}"));
            }
            if matches!(self.state, State::Starting | State::Talking) {
                self.stop().await;
            }
        }
    }
}
