//! One conversation, as a machine.
//!
//! ```text
//! (new)      --start--> Starting
//! Starting   --slots filled--> Recovering     see starting.rs
//! Starting   --rollout unusable--> (refused)
//! Starting   --stop--> (stopped)
//! Recovering --files looked at--> Idle        ThreadReady; see recovering.rs
//! Idle       --prompt--> Turn
//! Turn       --turn ended--> Idle             a prompt that waits starts the next one at once
//! Recovering, Idle, Turn --stop--> Stopping
//! Stopping   --all ended--> (stopped)         the turn, commands, and the rollout is written
//! Stopping   --late--> (stopped)              what is left is abandoned, with a warning
//! ```

pub(crate) mod context;
mod early;
pub(crate) mod queue;
mod recovering;
pub(crate) mod shared;
mod starting;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use codex_proto::{
    ApprovalId, CommandId, Event, Mono, Op, OpId, Refused, Reply, Settings,
    approval::ApprovalAnswer,
    effect::TtySize,
    event::{ThreadConfig, ThreadReady, TurnOutcome},
    op::{Configure, Prompt},
};

pub(crate) use self::starting::Source;
use self::{
    early::Early,
    recovering::{Past, Recovering},
    shared::Shared,
    starting::Starting,
};
use crate::{
    limits::LOG_END_MS,
    machine::{Cx, NEW, Part},
    models::{self, Model},
    realtime::Realtime,
    tool::command::Signalled,
    turn::Turn,
};

const MACHINE: &str = "thread";

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    /// The op that asked for it.
    op: OpId,
    /// What it runs with: the engine's, until it is configured.
    settings: Arc<Settings>,
    state: State,
    voice: Realtime,
}

#[derive(Clone, Debug, Default)]
enum State {
    Idle(Box<Shared>),
    /// Stands in while a state is moved into the next one; never seen between inputs.
    #[default]
    Moved,
    Recovering(Box<Recovering>),
    Starting(Box<Starting>),
    Stopping {
        shared: Box<Shared>,
        turn: Option<Box<Turn>>,
        until: Mono,
    },
    Turn(Box<Shared>, Box<Turn>),
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Idle(_) => "Idle",
            Self::Moved => "Moved",
            Self::Recovering(_) => "Recovering",
            Self::Starting(_) => "Starting",
            Self::Stopping { .. } => "Stopping",
            Self::Turn(..) => "Turn",
        }
    }
}

/// How a thread ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// It could not be resumed.
    Refused(OpId, Refused),
    /// It was stopped.
    Stopped,
}

impl Thread {
    /// Starts a new thread, or reads one back.
    pub(crate) fn start(
        op: OpId,
        source: Source,
        settings: Arc<Settings>,
        cx: &mut Cx<'_>,
    ) -> Self {
        cx.moved(MACHINE, NEW, "start", "Starting");
        let starting = Starting::start(source, cx);
        Self {
            op,
            settings,
            state: State::Starting(Box::new(starting)),
            voice: Realtime::default(),
        }
    }

    /// What it runs with.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings)
    }

    /// Changes what it runs with: the sandbox and the policy at once, the model with the next turn.
    pub(crate) fn configure(&mut self, op: OpId, configure: Configure, cx: &mut Cx<'_>) {
        if matches!(self.state, State::Moved | State::Stopping { .. }) {
            return cx.emit(Event::Refused { op, reason: Refused::Stopping });
        }
        let Configure { thread, model, reasoning_effort, approval, sandbox } = configure;
        let settings = Arc::make_mut(&mut self.settings);
        if let Some(model) = model.filter(|model| !model.trim().is_empty()) {
            settings.model = Some(model);
        }
        settings.reasoning_effort = reasoning_effort.unwrap_or(settings.reasoning_effort.take());
        settings.approval = approval.unwrap_or(settings.approval);
        settings.sandbox = sandbox.unwrap_or_else(|| settings.sandbox.clone());
        // A thread that is not ready says it in `ThreadReady`.
        if matches!(self.state, State::Idle(_) | State::Turn(..)) {
            let model = settings.model.as_deref().unwrap_or(models::DEFAULT).to_owned();
            let config = ThreadConfig {
                model,
                reasoning_effort: settings.reasoning_effort.clone(),
                approval: settings.approval,
                sandbox: settings.sandbox.clone(),
            };
            cx.emit(Event::Configured { thread, config });
        }
    }

    /// The rollout that the thread writes, or reads to begin with.
    pub(crate) fn rollout(&self) -> Option<&Path> {
        match &self.state {
            State::Starting(starting) => starting.rollout(),
            State::Recovering(recovering) => recovering.shared.log.path(),
            State::Idle(shared) | State::Turn(shared, _) | State::Stopping { shared, .. } => {
                shared.log.path()
            }
            State::Moved => None,
        }
    }

    /// Takes a prompt.
    pub(crate) fn prompt(&mut self, op: OpId, prompt: Prompt, cx: &mut Cx<'_>) {
        let result = match &mut self.state {
            State::Starting(starting) => starting.early.push(op, prompt),
            State::Recovering(recovering) => recovering.early.push(op, prompt),
            State::Idle(shared) | State::Turn(shared, _) => shared.queue.push(prompt, cx),
            State::Moved | State::Stopping { .. } => Err(Refused::Stopping),
        };
        refuse_on_error(op, result, cx);
    }

    /// Takes the answer to a question.
    pub(crate) fn approve(
        &mut self,
        op: OpId,
        id: ApprovalId,
        answer: &ApprovalAnswer,
        cx: &mut Cx<'_>,
    ) {
        let result = match &mut self.state {
            State::Turn(shared, turn) => turn.approve(id, answer, shared, cx),
            _ => Err(Refused::NoSuchApproval),
        };
        refuse_on_error(op, result, cx);
    }

    /// Runs a command of the user's own.
    pub(crate) fn run_command(&mut self, op: OpId, script: String, cx: &mut Cx<'_>) {
        let blank = script.trim().is_empty();
        let result = match &mut self.state {
            _ if blank => Err(Refused::EmptyPrompt),
            State::Starting(starting) => starting.early.push_command(op, script),
            State::Recovering(recovering) => recovering.early.push_command(op, script),
            State::Idle(shared) | State::Turn(shared, _) => shared.run_command(&script, cx),
            State::Moved | State::Stopping { .. } => Err(Refused::Stopping),
        };
        refuse_on_error(op, result, cx);
    }

    /// Ends commands that run.
    pub(crate) fn stop_commands(&mut self, op: OpId, command: Option<CommandId>, cx: &mut Cx<'_>) {
        if let Some(shared) = self.shared() {
            refuse_on_error(op, shared.commands.stop(command, cx), cx);
        } else if let Some(command) = command {
            cx.emit(Event::Refused { op, reason: Refused::NoSuchCommand { command } });
        }
    }

    /// Tells a command's terminal its size.
    pub(crate) fn resize_command(
        &mut self,
        op: OpId,
        command: CommandId,
        size: TtySize,
        cx: &mut Cx<'_>,
    ) {
        let result = match self.shared() {
            Some(shared) => shared.commands.resize(command, size, cx),
            None => Err(Refused::NoSuchCommand { command }),
        };
        refuse_on_error(op, result, cx);
    }

    fn shared(&mut self) -> Option<&mut Shared> {
        match &mut self.state {
            State::Idle(shared) | State::Turn(shared, _) | State::Stopping { shared, .. } => {
                Some(shared)
            }
            State::Moved | State::Recovering(_) | State::Starting(_) => None,
        }
    }

    /// Carries out an op of voice.
    pub(crate) fn voice(&mut self, op: OpId, asked: Op, cx: &mut Cx<'_>) {
        let reason = match &mut self.state {
            State::Idle(shared) | State::Turn(shared, _) => {
                return self.voice.op(op, asked, shared, cx);
            }
            State::Starting(_) | State::Recovering(_) => {
                let why = "the thread is not ready yet".to_owned();
                Refused::Realtime { why, hint: None }
            }
            State::Moved | State::Stopping { .. } => Refused::Stopping,
        };
        cx.emit(Event::Refused { op, reason });
    }

    /// Voice hears what left since `mark`.
    pub(crate) fn hear(&mut self, mark: usize, cx: &mut Cx<'_>) {
        self.voice.hear(mark, cx);
    }

    /// Ends the running turn.
    pub(crate) fn interrupt(&mut self, cx: &mut Cx<'_>) {
        match &mut self.state {
            State::Turn(shared, turn) => turn.interrupt(shared, cx),
            State::Starting(starting) => starting.early.give_back(cx),
            State::Recovering(recovering) => recovering.early.give_back(cx),
            State::Idle(_) | State::Moved | State::Stopping { .. } => {}
        }
    }

    /// Ends the thread.
    pub(crate) fn stop(&mut self, cx: &mut Cx<'_>) -> ControlFlow<Done> {
        let until = cx.now.mono.after_ms(LOG_END_MS);
        let from = self.state.name();
        let (mut shared, mut turn) = match std::mem::take(&mut self.state) {
            State::Moved => return ControlFlow::Break(Done::Stopped),
            State::Starting(mut starting) => {
                starting.early.give_back(cx);
                starting.early.refuse_commands(cx);
                starting.give_up(cx);
                cx.moved(MACHINE, "Starting", "stop", "(stopped)");
                return ControlFlow::Break(Done::Stopped);
            }
            State::Recovering(mut recovering) => {
                recovering.early.give_back(cx);
                recovering.early.refuse_commands(cx);
                (recovering.shared, None)
            }
            State::Idle(shared) => (shared, None),
            State::Turn(shared, turn) => (shared, Some(turn)),
            State::Stopping { shared, turn, until } => {
                self.state = State::Stopping { shared, turn, until };
                return ControlFlow::Continue(());
            }
        };
        if let Some(turn) = &mut turn {
            turn.interrupt(&mut shared, cx);
        }
        self.voice.stop(cx);
        shared.commands.kill_all(cx);
        shared.log.flush_unsaved(cx);
        cx.moved(MACHINE, from, "stop", "Stopping");
        self.state = State::Stopping { shared, turn, until };
        self.pump(cx)
    }

    pub(crate) fn on_reply(
        &mut self,
        part: Part,
        reply: Reply,
        cx: &mut Cx<'_>,
    ) -> ControlFlow<Done> {
        match &mut self.state {
            State::Idle(shared) | State::Turn(shared, _) | State::Stopping { shared, .. }
                if let Part::Realtime(leg, effect) = part =>
            {
                self.voice.on_reply(leg, effect, reply, shared, cx);
                // Sound and speech come often, and seldom mean anything to the turn.
                if shared.queue.is_empty() && !matches!(self.state, State::Stopping { .. }) {
                    return ControlFlow::Continue(());
                }
            }
            State::Starting(starting) => {
                if let Err(refused) = starting.on_reply(part, reply, cx) {
                    return self.refuse(refused, cx);
                }
            }
            State::Recovering(recovering) => recovering.on_reply(part, reply),
            State::Idle(shared) => on_shared(part, reply, shared, None, cx),
            State::Turn(shared, turn) => {
                if part == Part::Model {
                    if !turn.on_model(reply, shared, cx) {
                        return ControlFlow::Continue(());
                    }
                } else {
                    on_shared(part, reply, shared, Some(turn), cx);
                }
            }
            State::Stopping { shared, turn, .. } => {
                on_shared(part, reply, shared, turn.as_deref_mut(), cx);
            }
            State::Moved => {}
        }
        self.pump(cx)
    }

    pub(crate) fn on_wake(&mut self, cx: &mut Cx<'_>) -> ControlFlow<Done> {
        let now = cx.now.mono;
        match &mut self.state {
            State::Starting(starting) => {
                if let Err(refused) = starting.on_wake(cx) {
                    return self.refuse(refused, cx);
                }
            }
            State::Recovering(recovering) => recovering.on_wake(cx),
            State::Moved => {}
            State::Idle(shared) => {
                wake_shared(shared, cx);
                self.voice.on_wake(shared, cx);
            }
            State::Turn(shared, turn) => {
                wake_shared(shared, cx);
                self.voice.on_wake(shared, cx);
                turn.on_wake(shared, cx);
            }
            State::Stopping { shared, turn, until } => {
                wake_shared(shared, cx);
                self.voice.on_wake(shared, cx);
                if let Some(turn) = turn {
                    turn.on_wake(shared, cx);
                }
                if *until <= now {
                    return self.stop_late(cx);
                }
            }
        }
        self.pump(cx)
    }

    /// The time to stop is over: what can still end ends, the rest is abandoned.
    fn stop_late(&mut self, cx: &mut Cx<'_>) -> ControlFlow<Done> {
        self.pump(cx)?;
        cx.warn(
            "the thread was stopped before everything of it had ended: what is left is abandoned",
        );
        if let State::Stopping { shared, turn, .. } = &mut self.state
            && let Some(mut turn) = turn.take()
            && let ControlFlow::Break(outcome) = turn.end_late(shared, cx)
        {
            turn_ended(&turn, outcome, shared, cx);
        }
        self.pump(cx)?;
        if let State::Stopping { shared, .. } = &mut self.state {
            shared.commands.abandon(cx);
            shared.commands.list(cx);
            shared.log.give_up(cx);
        }
        cx.moved(MACHINE, "Stopping", "late", "(stopped)");
        ControlFlow::Break(Done::Stopped)
    }

    /// Brings the thread as far as it can go.
    pub(crate) fn pump(&mut self, cx: &mut Cx<'_>) -> ControlFlow<Done> {
        let flow = self.advance(cx);
        if let Some(shared) = self.shared() {
            shared.commands.list(cx);
        }
        flow
    }

    fn advance(&mut self, cx: &mut Cx<'_>) -> ControlFlow<Done> {
        loop {
            match &mut self.state {
                State::Starting(starting) => {
                    if !starting.is_ready() {
                        return ControlFlow::Continue(());
                    }
                    if let State::Starting(starting) = std::mem::take(&mut self.state) {
                        let next = State::Recovering(Box::new(starting.finish(cx)));
                        self.enter("Starting", "slots filled", next, cx);
                    }
                }
                State::Recovering(recovering) => {
                    if !recovering.is_ready() {
                        return ControlFlow::Continue(());
                    }
                    if let State::Recovering(recovering) = std::mem::take(&mut self.state) {
                        let next = self.ready(*recovering, cx);
                        self.enter("Recovering", "files looked at", next, cx);
                    }
                }
                State::Idle(shared) => {
                    shared.log.flush(cx);
                    if shared.queue.is_empty() {
                        return ControlFlow::Continue(());
                    }
                    shared.queue.admit_front();
                    let turn = Turn::start(shared, cx);
                    if let State::Idle(shared) = std::mem::take(&mut self.state) {
                        let next = State::Turn(shared, Box::new(turn));
                        self.enter("Idle", "prompt", next, cx);
                    }
                }
                State::Turn(shared, turn) => match turn.pump(shared, cx) {
                    ControlFlow::Continue(()) => return ControlFlow::Continue(()),
                    ControlFlow::Break(outcome) => {
                        turn_ended(turn, outcome, shared, cx);
                        if let State::Turn(shared, _) = std::mem::take(&mut self.state) {
                            self.enter("Turn", "turn ended", State::Idle(shared), cx);
                        }
                    }
                },
                State::Moved => return ControlFlow::Break(Done::Stopped),
                State::Stopping { shared, turn, .. } => {
                    if let Some(running) = turn {
                        if let ControlFlow::Break(outcome) = running.pump(shared, cx) {
                            turn_ended(running, outcome, shared, cx);
                            *turn = None;
                            continue;
                        }
                        return ControlFlow::Continue(());
                    }
                    // Prompts that came when the turn was ending have nowhere to go.
                    if !shared.queue.is_empty() {
                        let prompts = shared.queue.drain(cx);
                        cx.emit(Event::PromptsReturned { thread: cx.thread, prompts });
                    }
                    if shared.has_meta {
                        shared.tell_of_commands(cx);
                    }
                    shared.log.flush(cx);
                    let voice = self.voice.is_closed();
                    if shared.commands.any_running() || shared.log.is_writing() || !voice {
                        return ControlFlow::Continue(());
                    }
                    shared.log.give_up(cx);
                    cx.moved(MACHINE, "Stopping", "all ended", "(stopped)");
                    return ControlFlow::Break(Done::Stopped);
                }
            }
        }
    }

    /// Moves on from a state that has been taken out.
    fn enter(&mut self, from: &'static str, on: &'static str, next: State, cx: &mut Cx<'_>) {
        cx.moved(MACHINE, from, on, next.name());
        self.state = next;
    }

    fn refuse(&mut self, refused: Refused, cx: &mut Cx<'_>) -> ControlFlow<Done> {
        if let State::Starting(starting) = &mut self.state {
            starting.early.give_back(cx);
            starting.early.refuse_commands(cx);
            starting.give_up(cx);
        }
        cx.moved(MACHINE, "Starting", "rollout unusable", "(refused)");
        ControlFlow::Break(Done::Refused(self.op, refused))
    }

    /// Announces the thread and answers what a crash left open.
    fn ready(&self, mut recovering: Recovering, cx: &mut Cx<'_>) -> State {
        recovering.answer(cx);
        let Recovering { mut shared, early, past, .. } = recovering;
        let Past { resumed, forked_from, restored } = past;
        shared.adopt_model(cx);
        let settings = cx.settings;
        cx.emit(Event::ThreadReady(Box::new(ThreadReady {
            thread: cx.thread,
            op: self.op,
            resumed,
            forked_from,
            model: shared.model.slug.clone(),
            provider: settings.provider.id.clone(),
            cwd: settings.cwd.clone(),
            approval: settings.approval,
            sandbox: settings.sandbox.clone(),
            reasoning_effort: settings.reasoning_effort.clone(),
            reasoning_summary: settings.reasoning_summary.clone(),
            rollout: shared.log.path().map(PathBuf::from),
            usage: shared.usage,
        })));
        if resumed {
            shared.log.claim(cx);
        }
        if let Some(restored) = restored {
            shared.tell_again(restored, cx);
        }
        if !shared.model.known {
            warn_of_unknown(&shared.model, cx);
        }
        for warning in shared.project.warnings.clone() {
            cx.warn(warning);
        }
        if shared.context.is_none()
            && let Some(cut) = context::documents_cut(&shared.project, settings)
        {
            cx.warn(cut);
        }
        let Early { prompts, commands } = early;
        for (op, prompt) in prompts {
            refuse_on_error(op, shared.queue.push(prompt, cx), cx);
        }
        for (op, script) in commands {
            refuse_on_error(op, shared.run_command(&script, cx), cx);
        }
        State::Idle(shared)
    }

    pub(crate) fn deadline(&self) -> Option<(Mono, &'static str)> {
        match &self.state {
            State::Starting(starting) => starting.deadline(),
            State::Recovering(recovering) => Some(recovering.deadline()),
            State::Moved => None,
            State::Idle(shared) => earliest([shared.deadline(), self.voice.deadline()]),
            State::Turn(shared, turn) => {
                earliest([shared.deadline(), turn.deadline(), self.voice.deadline()])
            }
            State::Stopping { shared, turn, until } => {
                let turn = turn.as_ref().and_then(|turn| turn.deadline());
                let stop = Some((*until, "stop thread"));
                earliest([shared.deadline(), turn, self.voice.deadline(), stop])
            }
        }
    }
}

fn refuse_on_error(op: OpId, result: Result<(), Refused>, cx: &mut Cx<'_>) {
    if let Err(reason) = result {
        cx.emit(Event::Refused { op, reason });
    }
}

/// Says that the catalogue does not know a model.
pub(crate) fn warn_of_unknown(model: &Model, cx: &mut Cx<'_>) {
    let known: Vec<&str> = Model::slugs().collect();
    cx.warn(format!(
        "nothing is known about the model `{}`; it is used with cautious defaults (known: {})",
        model.slug,
        known.join(", ")
    ));
}

fn earliest<const N: usize>(
    deadlines: [Option<(Mono, &'static str)>; N],
) -> Option<(Mono, &'static str)> {
    deadlines.into_iter().flatten().min()
}

fn on_shared(
    part: Part,
    reply: Reply,
    shared: &mut Shared,
    turn: Option<&mut Turn>,
    cx: &mut Cx<'_>,
) {
    match (part, turn) {
        (Part::Append, _) => shared.log.on_reply(reply, cx),
        (Part::Command(id), turn) => on_command(id, reply, shared, turn, cx),
        (Part::Image { prompt, part }, _) => shared.queue.on_reply(prompt, part, reply, cx),
        (Part::Snapshot, _) => shared.on_snapshot(reply, cx),
        (Part::Model, Some(turn)) => {
            turn.on_model(reply, shared, cx);
        }
        (Part::Tool { run, file }, Some(turn)) => turn.on_tool(run, file, reply, shared, cx),
        (
            Part::Claim
            | Part::Model
            | Part::Project
            | Part::Realtime(..)
            | Part::Recovery { .. }
            | Part::Resume
            | Part::Tool { .. },
            _,
        ) => {}
    }
}

fn on_command(
    id: CommandId,
    reply: Reply,
    shared: &mut Shared,
    turn: Option<&mut Turn>,
    cx: &mut Cx<'_>,
) {
    let signalled = shared.commands.on_reply(id, reply, cx);
    if let Some(turn) = turn {
        turn.on_command(id, signalled, shared, cx);
    }
    if signalled == Signalled::Ended {
        shared.on_command_ended(id, cx);
    }
}

fn wake_shared(shared: &mut Shared, cx: &mut Cx<'_>) {
    shared.commands.on_wake(cx);
    shared.queue.on_wake(cx);
}

fn turn_ended(turn: &Turn, outcome: TurnOutcome, shared: &Shared, cx: &mut Cx<'_>) {
    cx.emit(Event::TurnEnded {
        thread: cx.thread,
        turn: turn.id,
        outcome,
        usage: shared.usage,
        duration_ms: turn.duration_ms(cx.now.mono),
    });
}
