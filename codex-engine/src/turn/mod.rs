//! One turn: from a prompt to the model's last word, with everything between.
//!
//! ```text
//! (new)     --prompt--> Preparing              a prompt's images are being read
//! Preparing --prompts ready--> Sampling
//! Sampling  --response finished--> Working     tools run while the stream still does
//! Sampling  --failure to repeat--> Backoff
//! Sampling  --failure for good--> Draining
//! Backoff   --time over and tools done--> Sampling   with the outputs of tools that ran
//! Working   --tools done and more to say--> Preparing
//! Working   --tools done--> Ending
//! Preparing, Sampling, Backoff, Working --interrupt--> Draining   open calls: "aborted"
//! Draining  --no call open--> Ending
//! Ending    --last line settled--> (ended)     or is late, with a warning
//! ```

pub(crate) mod prompt;

use std::ops::ControlFlow;

use codex_proto::{
    ApprovalId, CommandId, Event, Mono, Refused, Reply, TurnError, TurnId, Wall,
    approval::ApprovalAnswer,
    event::{TurnOutcome, WaitPhase},
    item::{ItemBody, ResponseItem, ResponseKind, Role, TurnItem},
    rollout::{self, LineKind},
    wire::responses::event::Completed,
};
use serde_json::{Value, json};

use crate::{
    limits::{
        DRAIN_MS, LOG_END_MS, NETWORK_DELAY_MS_MAX, NETWORK_TOTAL_MS, RETRY_BASE_MS,
        RETRY_DELAY_MS_MAX, RETRY_TOTAL_MS, SNAPSHOT_AFTER_MS,
    },
    machine::{Cx, NEW},
    model::{
        failure::{Failed, Retry},
        stream::{Flow, ModelStream},
    },
    rollout::log::Ticket,
    thread::{context, queue::Ready, shared::Shared, warn_of_unknown},
    tool::{
        board::{Answered, ToolBoard},
        command::Signalled,
    },
};

const MACHINE: &str = "turn";

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) id: TurnId,
    started: Mono,
    started_wall: Wall,
    state: State,
    board: ToolBoard,
    output_schema: Option<Value>,
    last_message: Option<String>,
    attempts: Attempts,
    /// Opaque to us; each request of the turn carries what its first response said.
    turn_state: Option<String>,
    rerouted: bool,
    snapshot_at: Option<Mono>,
    /// Whether people are shown that their answer is waited for.
    shows_question: bool,
}

#[derive(Clone, Debug)]
enum State {
    /// `until` is `None` once the time is over and only tools are awaited.
    Backoff {
        until: Option<Mono>,
    },
    Draining {
        outcome: TurnOutcome,
        until: Option<Mono>,
    },
    Ending {
        outcome: TurnOutcome,
        ticket: Ticket,
        until: Mono,
    },
    Preparing,
    Sampling(Box<ModelStream>),
    /// Whether the model wants another request.
    Working {
        follow_up: bool,
    },
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Backoff { .. } => "Backoff",
            Self::Draining { .. } => "Draining",
            Self::Ending { .. } => "Ending",
            Self::Preparing => "Preparing",
            Self::Sampling(_) => "Sampling",
            Self::Working { .. } => "Working",
        }
    }
}

/// Attempts at the request of the current step.
#[derive(Clone, Copy, Debug, Default)]
struct Attempts {
    failed: u32,
    first_failure: Option<Mono>,
    /// Those since the network is away; they are not among `failed`.
    unreached: u32,
    away_since: Option<Mono>,
}

impl Turn {
    /// Begins a turn with the prompts at the front of the queue.
    pub(crate) fn start(shared: &mut Shared, cx: &mut Cx<'_>) -> Self {
        let id = cx.rng.turn_id(cx.now.wall);
        cx.emit(Event::TurnStarted { thread: cx.thread, turn: id });
        cx.moved(MACHINE, NEW, "prompt", State::Preparing.name());
        if shared.adopt_model(cx) && !shared.model.known {
            warn_of_unknown(&shared.model, cx);
        }
        let mut turn = Self {
            id,
            started: cx.now.mono,
            started_wall: cx.now.wall,
            state: State::Preparing,
            board: ToolBoard::default(),
            output_schema: None,
            last_message: None,
            attempts: Attempts::default(),
            turn_state: None,
            rerouted: false,
            snapshot_at: None,
            shows_question: false,
        };
        turn.record_context(shared, cx);
        turn
    }

    fn go(&mut self, on: &'static str, next: State, cx: &mut Cx<'_>) {
        cx.moved(MACHINE, self.state.name(), on, next.name());
        self.state = next;
    }

    fn record_context(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        let wall = cx.now.wall;
        if !shared.has_meta {
            let meta = rollout::session_meta(
                cx.settings,
                cx.thread,
                None,
                wall,
                &shared.instructions,
                shared.git(),
            );
            shared.log.record(wall, LineKind::SessionMeta, &meta);
            shared.has_meta = true;
        }
        let started = json!({
            "type": "task_started",
            "turn_id": self.id,
            "started_at": wall.unix_seconds(),
            "model_context_window": shared.window(cx),
            "collaboration_mode_kind": "default",
        });
        shared.record_event(&started, cx);
        let mut now = context::turn_context(cx.settings, &shared.model.slug, wall);
        let items = match &shared.context {
            None => context::first(&now, &shared.project, cx.settings),
            Some(before) => context::changes(before, &now, cx.settings),
        };
        for item in items {
            shared.record(item, cx);
        }
        if let Some(note) = shared.voice_note.take() {
            shared.record(ResponseItem::message(Role::Developer, &[note]), cx);
        }
        now.turn = Some(self.id);
        shared.log.record(wall, LineKind::TurnContext, &now.payload());
        shared.context = Some(now);
        shared.log.flush(cx);
    }

    /// Brings everything as far as it can go. Called after each input that may have changed more
    /// than a growing item.
    pub(crate) fn pump(
        &mut self,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> ControlFlow<TurnOutcome> {
        let flow = self.advance(shared, cx);
        // While the model speaks or is about to, that is what is waited for.
        let speaks = matches!(self.state, State::Backoff { until: Some(_) } | State::Sampling(_));
        let asks = !speaks && self.board.is_asking();
        if asks != self.shows_question {
            self.shows_question = asks;
            let phase = asks.then_some(WaitPhase::Approval);
            if asks || !speaks {
                cx.emit(Event::Waiting { thread: cx.thread, phase });
            }
        }
        flow
    }

    fn advance(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) -> ControlFlow<TurnOutcome> {
        loop {
            self.collect(shared, cx);
            shared.log.flush(cx);
            self.board.pump(&self.id.to_string(), shared, cx);
            let board_done = self.board.is_done();
            match &self.state {
                State::Preparing => {
                    while let Some(ready) = shared.queue.take_steer(cx) {
                        self.deliver(ready, shared, cx);
                    }
                    if shared.queue.has_steer() {
                        return ControlFlow::Continue(());
                    }
                    self.sample("prompts ready", shared, cx);
                }
                State::Backoff { until: None } if board_done => {
                    self.record_outputs(shared, cx);
                    self.sample("time over and tools done", shared, cx);
                }
                State::Working { follow_up } if board_done => {
                    let follow_up = *follow_up || !self.board.is_empty();
                    self.record_outputs(shared, cx);
                    if follow_up || shared.queue.has_steer() {
                        self.go("tools done and more to say", State::Preparing, cx);
                    } else {
                        let last_message = self.last_message.take();
                        let outcome = TurnOutcome::Completed { last_message };
                        self.end("tools done", outcome, shared, cx);
                    }
                }
                State::Draining { outcome, .. } if board_done => {
                    let outcome = outcome.clone();
                    self.record_outputs(shared, cx);
                    self.end("no call open", outcome, shared, cx);
                }
                State::Ending { outcome, ticket, .. } if shared.log.is_settled(*ticket) => {
                    cx.moved(MACHINE, self.state.name(), "last line settled", "(ended)");
                    return ControlFlow::Break(outcome.clone());
                }
                State::Backoff { .. }
                | State::Draining { .. }
                | State::Ending { .. }
                | State::Sampling(_)
                | State::Working { .. } => return ControlFlow::Continue(()),
            }
        }
    }

    /// Takes what the stream has made certain.
    fn collect(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        let State::Sampling(stream) = &mut self.state else { return };
        if stream.items.done.is_empty() {
            return;
        }
        let items = std::mem::take(&mut stream.items.done);
        let last_message = stream.items.last_message.take();
        self.adopt(items, last_message, shared, cx);
    }

    fn adopt(
        &mut self,
        items: Vec<ResponseItem>,
        last_message: Option<String>,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        if last_message.is_some() {
            self.last_message = last_message;
        }
        for item in items {
            let call = match item.kind() {
                // Running it would be running it twice, and its outputs could not be told apart.
                ResponseKind::Call(call) if shared.calls.contains(&call.call_id) => {
                    cx.warn(format!("the model repeated the tool call {}; ignored", call.call_id));
                    continue;
                }
                ResponseKind::Other { name } if is_call(name) => {
                    cx.warn(format!("the model sent a {name} without a call_id; ignored"));
                    continue;
                }
                ResponseKind::Call(call) => Some(call.clone()),
                ResponseKind::Message { text, .. } => {
                    let event = json!({ "type": "agent_message", "message": text });
                    shared.record_event(&event, cx);
                    None
                }
                ResponseKind::Reasoning { summary } => {
                    for text in summary {
                        let event = json!({ "type": "agent_reasoning", "text": text });
                        shared.record_event(&event, cx);
                    }
                    None
                }
                ResponseKind::Other { .. } | ResponseKind::Output { .. } => None,
            };
            shared.record(item, cx);
            if let Some(call) = call {
                let ticket = shared.log.ticket();
                self.board.add(call, ticket, shared, cx);
            }
        }
    }

    /// A prompt reaches the model.
    fn deliver(&mut self, ready: Ready, shared: &mut Shared, cx: &mut Cx<'_>) {
        let Ready { item, text, images, output_schema } = ready;
        if output_schema.is_some() {
            self.output_schema = output_schema;
        }
        shared.tell_of_commands(cx);
        shared.record(item, cx);
        let event = json!({
            "type": "user_message",
            "message": text,
            "images": [],
            "local_images": images,
            "text_elements": [],
        });
        shared.record_event(&event, cx);
        let id = shared.next_item;
        shared.next_item += 1;
        let item = TurnItem { id, body: ItemBody::UserMessage { text } };
        let thread = cx.thread;
        cx.emit(Event::ItemStarted { thread, item: item.clone() });
        cx.emit(Event::ItemCompleted { thread, item });
    }

    /// Sends a request.
    fn sample(&mut self, on: &'static str, shared: &mut Shared, cx: &mut Cx<'_>) {
        let body = self.body(shared, cx);
        let asker = prompt::Asker {
            thread: cx.thread,
            turn: self.id,
            turn_started: self.started_wall,
            turn_state: self.turn_state.as_deref(),
        };
        let request = prompt::request(body, &asker, cx.settings);
        if shared.wants_snapshot() && self.snapshot_at.is_none() {
            self.snapshot_at = Some(cx.now.mono.after_ms(SNAPSHOT_AFTER_MS));
        }
        let stream = ModelStream::start(request, cx);
        self.go(on, State::Sampling(Box::new(stream)), cx);
    }

    /// The conversation within its frame, which is rendered anew only when it must change.
    fn body(&self, shared: &mut Shared, cx: &mut Cx<'_>) -> Vec<u8> {
        let fits = shared.frame.as_ref().is_some_and(|(schema, _)| *schema == self.output_schema);
        if !fits {
            if shared.frame.is_some() {
                cx.emit(Event::PromptCacheReset {
                    thread: cx.thread,
                    cause: "the schema of the final message changed".into(),
                });
            }
            shared.frame = None;
        }
        let schema = &self.output_schema;
        let (model, instructions) = (&shared.model, &shared.instructions);
        let effort = shared.effort.as_deref();
        let (_, frame) = shared.frame.get_or_insert_with(|| {
            let asked = prompt::Asked { thread: cx.thread, effort, output_schema: schema.as_ref() };
            let frame = prompt::frame(model, instructions, &asked, cx.settings);
            (schema.clone(), frame)
        });
        frame.body(shared.history.iter())
    }

    fn record_outputs(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        for (call, text) in self.board.take_outputs() {
            shared.record(ResponseItem::output(&call, &text), cx);
        }
        shared.log.flush(cx);
    }

    /// Takes a reply of the stream. `true` when [`pump`](Self::pump) must follow.
    pub(crate) fn on_model(&mut self, reply: Reply, shared: &mut Shared, cx: &mut Cx<'_>) -> bool {
        let State::Sampling(stream) = &mut self.state else { return false };
        let flow = stream.on_reply(reply, &mut shared.next_item, cx);
        self.on_flow(flow, shared, cx)
    }

    fn on_flow(&mut self, flow: Flow, shared: &mut Shared, cx: &mut Cx<'_>) -> bool {
        let State::Sampling(stream) = &mut self.state else { return false };
        match flow {
            Flow::More => !stream.items.done.is_empty(),
            Flow::Finished(completed) => {
                if self.turn_state.is_none() {
                    self.turn_state = stream.turn_state.take();
                }
                let served_by = stream.served_by.take();
                self.collect(shared, cx);
                self.note_served_by(served_by, shared, cx);
                self.count(&completed, shared, cx);
                self.attempts = Attempts::default();
                cx.emit(Event::Waiting { thread: cx.thread, phase: None });
                let follow_up = completed.end_turn == Some(false);
                self.go("response finished", State::Working { follow_up }, cx);
                true
            }
            Flow::Failed(failed) => {
                self.on_failed(failed, shared, cx);
                true
            }
        }
    }

    fn note_served_by(&mut self, served_by: Option<String>, shared: &Shared, cx: &mut Cx<'_>) {
        let Some(served_by) = served_by else { return };
        if served_by != shared.model.slug && !self.rerouted {
            self.rerouted = true;
            cx.warn(format!("the server answered with {served_by}, not {}", shared.model.slug));
        }
    }

    fn count(&mut self, completed: &Completed, shared: &mut Shared, cx: &mut Cx<'_>) {
        let Some(last) = completed.usage else { return };
        shared.usage.add(&last);
        let line = rollout::token_count(&shared.usage, &last, Some(shared.window(cx)));
        shared.log.record(cx.now.wall, LineKind::EventMsg, &line);
        shared.tell_usage(last, cx);
    }

    /// Repeats the request, or gives up.
    fn on_failed(&mut self, failed: Failed, shared: &mut Shared, cx: &mut Cx<'_>) {
        let Failed { error, retry } = failed;
        if retry == Retry::Unreached && cx.settings.interactive && shared.knows_server() {
            return self.wait_for_network(error, shared, cx);
        }
        if self.attempts.away_since.take().is_some() {
            // It was away, and is back: that time was not the server's.
            self.attempts.unreached = 0;
            self.attempts.first_failure = None;
        }
        self.repeat(error, retry, shared, cx);
    }

    /// Asks again what the server, or the way to it, has broken; within limits.
    fn repeat(&mut self, mut error: TurnError, retry: Retry, shared: &mut Shared, cx: &mut Cx<'_>) {
        let provider = &cx.settings.provider;
        let both = provider.request_retries_max.max(provider.stream_retries_max);
        let (limit, demanded) = match retry {
            Retry::No => (0, None),
            Retry::Request(wait) => (provider.request_retries_max, wait),
            Retry::Stream(wait) => (both, wait),
            Retry::Unreached => (both, None),
        };
        let attempt = self.attempts.failed + 1;
        let first_failure = *self.attempts.first_failure.get_or_insert(cx.now.mono);
        let delay_ms = demanded.unwrap_or_else(|| backoff_ms(self.attempts.failed, cx));
        let at = cx.now.mono.after_ms(delay_ms);
        let in_time = at <= first_failure.after_ms(RETRY_TOTAL_MS);
        if attempt > limit || !in_time {
            if demanded.is_some() && !in_time {
                let resets_at = cx.now.wall.0.saturating_add_unsigned(delay_ms) / 1_000;
                error.resets_at.get_or_insert(resets_at);
                error.message.push_str(&format!(
                    "; the server asks to wait {} s, which is longer than this turn waits",
                    delay_ms / 1_000
                ));
            }
            return self.give_up(error, shared, cx);
        }
        self.attempts.failed = attempt;
        self.back_off((attempt, Some(limit)), delay_ms, error, shared, cx);
    }

    /// Looks for a server that has answered before until the network is back, for a while.
    fn wait_for_network(&mut self, error: TurnError, shared: &mut Shared, cx: &mut Cx<'_>) {
        let delay_ms = backoff_ms(self.attempts.unreached, cx).min(NETWORK_DELAY_MS_MAX);
        let since = *self.attempts.away_since.get_or_insert(cx.now.mono);
        if cx.now.mono.after_ms(delay_ms) > since.after_ms(NETWORK_TOTAL_MS) {
            return self.give_up(error, shared, cx);
        }
        self.attempts.unreached += 1;
        self.back_off((self.attempts.unreached, None), delay_ms, error, shared, cx);
    }

    fn back_off(
        &mut self,
        (attempt, attempts_max): (u32, Option<u32>),
        delay_ms: u64,
        cause: TurnError,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        if let State::Sampling(stream) = &mut self.state {
            stream.items.discard(cx);
        }
        self.collect(shared, cx);
        let thread = cx.thread;
        cx.emit(Event::Retrying { thread, attempt, attempts_max, delay_ms, cause });
        cx.emit(Event::Waiting { thread, phase: Some(WaitPhase::Retry) });
        let until = Some(cx.now.mono.after_ms(delay_ms));
        self.go("failure to repeat", State::Backoff { until }, cx);
    }

    fn give_up(&mut self, error: TurnError, shared: &mut Shared, cx: &mut Cx<'_>) {
        if let State::Sampling(stream) = &mut self.state {
            stream.items.close(cx);
        }
        self.collect(shared, cx);
        cx.emit(Event::Waiting { thread: cx.thread, phase: None });
        let outcome = TurnOutcome::Failed(error);
        self.go("failure for good", State::Draining { outcome, until: None }, cx);
    }

    /// Takes the user's answer to a question.
    ///
    /// # Errors
    /// When no call waits for it.
    pub(crate) fn approve(
        &mut self,
        id: ApprovalId,
        answer: &ApprovalAnswer,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<(), Refused> {
        match self.board.approve(id, answer, shared, cx) {
            None => return Err(Refused::NoSuchApproval),
            Some(Answered::Abort) => self.interrupt(shared, cx),
            Some(Answered::GoOn) => {}
        }
        Ok(())
    }

    /// Ends the turn early. What its calls started is ended; each gets its output.
    pub(crate) fn interrupt(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        match &mut self.state {
            // A turn that failed waits for its tools, but not against the user's will.
            State::Draining { until: until @ None, .. } => {
                *until = Some(cx.now.mono.after_ms(DRAIN_MS));
                self.board.interrupt(shared, cx);
            }
            State::Draining { .. } | State::Ending { .. } => {}
            State::Backoff { .. } | State::Preparing | State::Working { .. } => {
                self.drain_interrupted(shared, cx);
            }
            State::Sampling(stream) => {
                stream.cancel(cx);
                self.collect(shared, cx);
                self.drain_interrupted(shared, cx);
            }
        }
    }

    /// Ends at once, because the thread must: open calls are abandoned, and whether the last lines
    /// are written does not matter any more.
    pub(crate) fn end_late(
        &mut self,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> ControlFlow<TurnOutcome> {
        self.interrupt(shared, cx);
        self.board.abandon(cx);
        self.pump(shared, cx)?;
        if let State::Ending { ticket, .. } = &mut self.state {
            *ticket = Ticket::default();
        }
        self.pump(shared, cx)
    }

    fn drain_interrupted(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        self.board.interrupt(shared, cx);
        cx.emit(Event::Waiting { thread: cx.thread, phase: None });
        let until = Some(cx.now.mono.after_ms(DRAIN_MS));
        self.go("interrupt", State::Draining { outcome: TurnOutcome::Interrupted, until }, cx);
    }

    /// Writes the turn's last lines and gives back what did not reach the model.
    fn end(
        &mut self,
        on: &'static str,
        outcome: TurnOutcome,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        shared.complete_plan(cx);
        let duration_ms = cx.now.mono.ms_since(self.started);
        let completed_at = cx.now.wall.unix_seconds();
        let event = match &outcome {
            TurnOutcome::Interrupted => {
                shared.record(context::turn_aborted(), cx);
                json!({
                    "type": "turn_aborted",
                    "turn_id": self.id,
                    "reason": "interrupted",
                    "completed_at": completed_at,
                    "duration_ms": duration_ms,
                })
            }
            TurnOutcome::Completed { .. } | TurnOutcome::Failed(_) => {
                let last_message = match &outcome {
                    TurnOutcome::Completed { last_message } => last_message.as_deref(),
                    TurnOutcome::Failed(_) | TurnOutcome::Interrupted => None,
                };
                json!({
                    "type": "task_complete",
                    "turn_id": self.id,
                    "last_agent_message": last_message,
                    "completed_at": completed_at,
                    "duration_ms": duration_ms,
                })
            }
        };
        shared.record_event(&event, cx);
        if !matches!(outcome, TurnOutcome::Completed { .. }) && !shared.queue.is_empty() {
            let prompts = shared.queue.drain(cx);
            cx.emit(Event::PromptsReturned { thread: cx.thread, prompts });
        }
        shared.log.request_sync();
        let ticket = shared.log.ticket();
        shared.log.flush(cx);
        let until = cx.now.mono.after_ms(LOG_END_MS);
        self.go(on, State::Ending { outcome, ticket, until }, cx);
    }

    /// Milliseconds since the turn began.
    pub(crate) fn duration_ms(&self, now: Mono) -> u64 {
        now.ms_since(self.started)
    }

    pub(crate) fn on_tool(
        &mut self,
        run: u32,
        file: u16,
        reply: Reply,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        self.board.on_reply(run, file, reply, shared, cx);
    }

    pub(crate) fn on_command(
        &mut self,
        id: CommandId,
        signalled: Signalled,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        self.board.on_command(id, signalled, shared, cx);
    }

    pub(crate) fn on_wake(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        let now = cx.now.mono;
        if self.snapshot_at.is_some_and(|at| at <= now) {
            self.snapshot_at = None;
            shared.take_snapshot(cx);
        }
        self.board.on_wake(shared, cx);
        match &mut self.state {
            State::Sampling(stream) => {
                let flow = stream.on_wake(cx);
                self.on_flow(flow, shared, cx);
            }
            State::Backoff { until } if until.is_some_and(|at| at <= now) => *until = None,
            State::Draining { until, .. } if until.is_some_and(|at| at <= now) => {
                *until = None;
                self.board.abandon(cx);
            }
            State::Ending { ticket, until, .. } if *until <= now => {
                cx.warn(format!(
                    "the transcript was not saved within {} s; the turn ends without its last \
                     lines on disk",
                    LOG_END_MS / 1_000
                ));
                *ticket = Ticket::default();
                *until = Mono(u64::MAX);
            }
            State::Backoff { .. }
            | State::Draining { .. }
            | State::Ending { .. }
            | State::Preparing
            | State::Working { .. } => {}
        }
    }

    pub(crate) fn deadline(&self) -> Option<(Mono, &'static str)> {
        let state = match &self.state {
            State::Sampling(stream) => Some(stream.deadline()),
            State::Backoff { until } => until.map(|at| (at, "retry")),
            State::Draining { until, .. } => until.map(|at| (at, "interrupt")),
            State::Ending { until, .. } => Some((*until, "save transcript")),
            State::Preparing | State::Working { .. } => None,
        };
        let snapshot = self.snapshot_at.map(|at| (at, "shell snapshot"));
        [state, snapshot, self.board.deadline()]
            .into_iter()
            .flatten()
            .filter(|(at, _)| *at < Mono(u64::MAX))
            .min()
    }
}

/// Types of items that want an output.
fn is_call(name: &str) -> bool {
    matches!(name, "custom_tool_call" | "function_call" | "local_shell_call")
}

/// 200 ms, 400 ms, 800 ms … with ±10 % from the engine's seed.
pub(crate) fn backoff_ms(failed: u32, cx: &mut Cx<'_>) -> u64 {
    let base = RETRY_BASE_MS.saturating_mul(1 << failed.min(20)).min(RETRY_DELAY_MS_MAX);
    let tenth = base / 10;
    base - tenth + cx.rng.below(2 * tenth + 1)
}
