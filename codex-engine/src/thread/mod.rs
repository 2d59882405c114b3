//! One conversation, as a machine.
//!
//! ```text
//! Starting --project known (or late), rollout read--> Recovering | Idle      ThreadReady
//! Starting --rollout unusable--> (refused)
//! Recovering --files of a broken patch looked at--> Idle                      ThreadReady
//! Idle     --prompt--> Turn
//! Turn     --turn done, prompts wait--> Turn
//! Turn     --turn done--> Idle
//! any      --stop--> Stopping
//! Stopping --turn done, commands dead, rollout written (or late)--> (stopped) ThreadStopped
//! ```

pub(crate) mod context;
pub(crate) mod queue;
pub(crate) mod shared;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use codex_proto::{
    CommandId, EffectKind, Event, HostErrorKind, Mono, OpId, Refused, Reply,
    effect::{Digest, ProjectInfo, ProjectQuery},
    event::{ThreadReady, TurnOutcome},
    item::ResponseItem,
    op::Prompt,
    rollout::{self, PatchedFile},
};

use self::shared::Shared;
use crate::{
    limits::{LOG_END_MS, PATCH_FILE_BYTES_MAX, PROJECT_MS, RESUME_MS, ROLLOUT_BYTES_MAX},
    machine::{Cx, Part},
    models::{self, Model},
    rollout::{
        log::RolloutLog,
        resume::{OpenCall, Reader, Resumed, call_id},
    },
    turn::Turn,
};

/// The base instructions of a new thread.
const INSTRUCTIONS: &str = include_str!("../../prompts/base.md");

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    /// The op that asked for it.
    op: OpId,
    state: State,
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

/// A checklist: each slot is filled in any order, fails, or is late.
#[derive(Clone, Debug)]
struct Starting {
    project: Slot<ProjectInfo>,
    resume: Resume,
    /// Prompts that came early, with their ops.
    early: Vec<(OpId, Prompt)>,
}

#[derive(Clone, Debug)]
enum Slot<T> {
    Filled(T),
    Waiting { so_far: T, until: Mono },
}

#[derive(Clone, Debug)]
enum Resume {
    New,
    Read { path: PathBuf, resumed: Box<Resumed> },
    Reading { path: PathBuf, reader: Box<Reader>, until: Mono },
}

/// Looks at the files of patches that a crash interrupted.
#[derive(Clone, Debug)]
struct Recovering {
    shared: Box<Shared>,
    calls: Vec<OpenCall>,
    /// Per file of all calls in order: what is there now.
    found: Vec<Found>,
    until: Mono,
    early: Vec<(OpId, Prompt)>,
    /// Whether the thread continues a rollout.
    resumed: bool,
}

#[derive(Clone, Debug)]
enum Found {
    Known(Option<String>),
    Reading(Vec<u8>),
    Unknown,
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
    pub(crate) fn start(op: OpId, resume: Option<PathBuf>, cx: &mut Cx<'_>) -> Self {
        let now = cx.now.mono;
        let query = ProjectQuery {
            cwd: cx.settings.cwd.clone(),
            codex_home: cx.settings.host.codex_home.clone(),
            settings: cx.settings.project.clone(),
        };
        cx.start(Part::Project, EffectKind::Project(Box::new(query)));
        let resume = match resume {
            None => Resume::New,
            Some(path) => {
                cx.start(
                    Part::Resume,
                    EffectKind::Read { path: path.clone(), bytes_max: ROLLOUT_BYTES_MAX },
                );
                let until = now.after_ms(RESUME_MS);
                Resume::Reading { path, reader: Box::default(), until }
            }
        };
        let until = now.after_ms(PROJECT_MS);
        let project = Slot::Waiting { so_far: ProjectInfo::default(), until };
        let starting = Starting { project, resume, early: Vec::new() };
        Self { op, state: State::Starting(Box::new(starting)) }
    }

    /// The rollout that the thread writes, or reads to begin with.
    pub(crate) fn rollout(&self) -> Option<&Path> {
        match &self.state {
            State::Starting(starting) => match &starting.resume {
                Resume::New => None,
                Resume::Read { path, .. } | Resume::Reading { path, .. } => Some(path),
            },
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
            State::Starting(starting) => early(&mut starting.early, op, prompt),
            State::Recovering(recovering) => early(&mut recovering.early, op, prompt),
            State::Idle(shared) | State::Turn(shared, _) => shared.queue.push(prompt, cx),
            State::Moved | State::Stopping { .. } => Err(Refused::Stopping),
        };
        if let Err(reason) = result {
            cx.emit(Event::Refused { op, reason });
        }
    }

    /// Ends the running turn.
    pub(crate) fn interrupt(&mut self, cx: &mut Cx<'_>) {
        match &mut self.state {
            State::Turn(shared, turn) => turn.interrupt(shared, cx),
            State::Starting(starting) => return_early(&mut starting.early, cx),
            State::Recovering(recovering) => return_early(&mut recovering.early, cx),
            State::Idle(_) | State::Moved | State::Stopping { .. } => {}
        }
    }

    /// Ends the thread.
    pub(crate) fn stop(&mut self, cx: &mut Cx<'_>) -> ControlFlow<Done> {
        let until = cx.now.mono.after_ms(LOG_END_MS);
        let (mut shared, mut turn) = match std::mem::take(&mut self.state) {
            State::Moved => return ControlFlow::Break(Done::Stopped),
            State::Starting(mut starting) => {
                return_early(&mut starting.early, cx);
                return ControlFlow::Break(Done::Stopped);
            }
            State::Recovering(mut recovering) => {
                return_early(&mut recovering.early, cx);
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
        shared.commands.kill_all(cx);
        shared.log.flush_unsaved(cx);
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
            State::Starting(starting) => {
                if let Err(refused) = starting.on_reply(part, reply) {
                    let starting = std::mem::take(&mut starting.early);
                    return_prompts(starting, cx);
                    return ControlFlow::Break(Done::Refused(self.op, refused));
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
                    return ControlFlow::Break(Done::Refused(self.op, refused));
                }
            }
            State::Recovering(recovering) => {
                if recovering.until <= now {
                    recovering.give_up();
                }
            }
            State::Moved => {}
            State::Idle(shared) => wake_shared(shared, cx),
            State::Turn(shared, turn) => {
                wake_shared(shared, cx);
                turn.on_wake(shared, cx);
            }
            State::Stopping { shared, turn, until } => {
                wake_shared(shared, cx);
                if let Some(turn) = turn {
                    turn.on_wake(shared, cx);
                }
                if *until <= now {
                    cx.warn(
                        "the thread was stopped before everything of it had ended: what is left \
                         is abandoned",
                    );
                    return ControlFlow::Break(Done::Stopped);
                }
            }
        }
        self.pump(cx)
    }

    /// Brings the thread as far as it can go.
    pub(crate) fn pump(&mut self, cx: &mut Cx<'_>) -> ControlFlow<Done> {
        loop {
            match &mut self.state {
                State::Starting(starting) => {
                    if !starting.is_ready() {
                        return ControlFlow::Continue(());
                    }
                    if let State::Starting(starting) = std::mem::take(&mut self.state) {
                        self.state = State::Recovering(Box::new(starting.finish(cx)));
                    }
                }
                State::Recovering(recovering) => {
                    if !recovering.is_ready() {
                        return ControlFlow::Continue(());
                    }
                    if let State::Recovering(recovering) = std::mem::take(&mut self.state) {
                        self.state = self.ready(*recovering, cx);
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
                        self.state = State::Turn(shared, Box::new(turn));
                    }
                }
                State::Turn(shared, turn) => match turn.pump(shared, cx) {
                    ControlFlow::Continue(()) => return ControlFlow::Continue(()),
                    ControlFlow::Break(outcome) => {
                        turn_ended(turn, outcome, shared, cx);
                        if let State::Turn(shared, _) = std::mem::take(&mut self.state) {
                            self.state = State::Idle(shared);
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
                    shared.log.flush(cx);
                    if shared.commands.any_running() || shared.log.is_writing() {
                        return ControlFlow::Continue(());
                    }
                    return ControlFlow::Break(Done::Stopped);
                }
            }
        }
    }

    /// Announces the thread and answers what a crash left open.
    fn ready(&self, recovering: Recovering, cx: &mut Cx<'_>) -> State {
        let Recovering { mut shared, calls, found, early, resumed, .. } = recovering;
        let mut found = found.into_iter();
        for open in &calls {
            let text = recovered(open, &mut found);
            shared.record(ResponseItem::output(&open.call, &text), cx);
        }
        let settings = cx.settings;
        cx.emit(Event::ThreadReady(Box::new(ThreadReady {
            thread: cx.thread,
            op: self.op,
            resumed,
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
        if !shared.model.known {
            let known: Vec<&str> = Model::slugs().collect();
            cx.warn(format!(
                "nothing is known about the model `{}`; it is used with cautious defaults (known: \
                 {})",
                shared.model.slug,
                known.join(", ")
            ));
        }
        for warning in shared.project.warnings.clone() {
            cx.warn(warning);
        }
        if shared.context.is_none()
            && let Some(cut) = context::documents_cut(&shared.project, settings)
        {
            cx.warn(cut);
        }
        for (op, prompt) in early {
            if let Err(reason) = shared.queue.push(prompt, cx) {
                cx.emit(Event::Refused { op, reason });
            }
        }
        State::Idle(shared)
    }

    pub(crate) fn deadline(&self) -> Option<(Mono, &'static str)> {
        match &self.state {
            State::Starting(starting) => starting.deadline(),
            State::Recovering(recovering) => Some((recovering.until, "read patched files")),
            State::Moved => None,
            State::Idle(shared) => shared.deadline(),
            State::Turn(shared, turn) => {
                [shared.deadline(), turn.deadline()].into_iter().flatten().min()
            }
            State::Stopping { shared, turn, until } => {
                let turn = turn.as_ref().and_then(|turn| turn.deadline());
                [shared.deadline(), turn, Some((*until, "stop thread"))].into_iter().flatten().min()
            }
        }
    }
}

impl Starting {
    fn on_reply(&mut self, part: Part, reply: Reply) -> Result<(), Refused> {
        match (part, reply) {
            (Part::Project, Reply::Project(info)) => {
                if let Slot::Waiting { so_far, .. } = &mut self.project {
                    *so_far = *info;
                }
            }
            (Part::Project, Reply::Closed) => self.project.fill(),
            (Part::Project, Reply::Failed(error)) => {
                if let Slot::Waiting { so_far, .. } = &mut self.project {
                    so_far.warnings.push(format!("the project was not looked at: {error}"));
                }
                self.project.fill();
            }
            (Part::Resume, reply) => self.on_rollout(reply)?,
            _ => {}
        }
        Ok(())
    }

    fn on_rollout(&mut self, reply: Reply) -> Result<(), Refused> {
        let Resume::Reading { path, reader, .. } = &mut self.resume else { return Ok(()) };
        let refused = |path: &PathBuf, why: String| Refused::Rollout { path: path.clone(), why };
        match reply {
            Reply::Bytes(bytes) => reader.push(&bytes),
            Reply::Closed => {
                let resumed =
                    std::mem::take(&mut **reader).finish().map_err(|why| refused(path, why))?;
                let path = std::mem::take(path);
                self.resume = Resume::Read { path, resumed: Box::new(resumed) };
            }
            Reply::Failed(error) => {
                let why = match error.kind {
                    HostErrorKind::NotFound => "there is no such file".to_owned(),
                    _ => error.to_string(),
                };
                return Err(refused(path, why));
            }
            Reply::Exited(_)
            | Reply::Head(_)
            | Reply::Opened
            | Reply::Project(_)
            | Reply::Tail { .. } => {}
        }
        Ok(())
    }

    fn on_wake(&mut self, cx: &Cx<'_>) -> Result<(), Refused> {
        let now = cx.now.mono;
        if let Slot::Waiting { so_far, until } = &mut self.project
            && *until <= now
        {
            so_far.warnings.push(format!(
                "the project was not looked at within {} s; the thread starts without its \
                 documents",
                PROJECT_MS / 1_000
            ));
            self.project.fill();
        }
        match &self.resume {
            Resume::Reading { path, until, .. } if *until <= now => Err(Refused::Rollout {
                path: path.clone(),
                why: format!("it could not be read within {} s", RESUME_MS / 1_000),
            }),
            Resume::New | Resume::Read { .. } | Resume::Reading { .. } => Ok(()),
        }
    }

    fn is_ready(&self) -> bool {
        matches!(self.project, Slot::Filled(_)) && !matches!(self.resume, Resume::Reading { .. })
    }

    fn deadline(&self) -> Option<(Mono, &'static str)> {
        let project = match &self.project {
            Slot::Waiting { until, .. } => Some((*until, "read project documents")),
            Slot::Filled(_) => None,
        };
        let resume = match &self.resume {
            Resume::Reading { until, .. } => Some((*until, "read rollout")),
            Resume::New | Resume::Read { .. } => None,
        };
        [project, resume].into_iter().flatten().min()
    }

    /// All slots are filled: the thread takes shape.
    fn finish(self: Box<Self>, cx: &mut Cx<'_>) -> Recovering {
        let Self { project, resume, early } = *self;
        let settings = cx.settings;
        let model = Model::of(settings.model.as_deref().unwrap_or(models::DEFAULT));
        let base = || settings.instructions.clone().unwrap_or_else(|| INSTRUCTIONS.to_owned());
        let project = match project {
            Slot::Filled(info) => info,
            Slot::Waiting { so_far, .. } => so_far,
        };
        let (mut shared, calls, resumed) = match resume {
            Resume::New | Resume::Reading { .. } => {
                let host = &settings.host;
                let path = (!settings.ephemeral).then(|| {
                    let offset = host.utc_offset_minutes;
                    rollout::path(&host.codex_home, cx.thread, cx.now.wall, offset)
                });
                (Shared::new(model, base(), RolloutLog::new(path), cx), Vec::new(), false)
            }
            Resume::Read { path, resumed } => {
                let Resumed { thread, instructions, items, context, total, .. } = *resumed;
                cx.thread = thread.unwrap_or(cx.thread);
                if resumed.skipped_lines > 0 {
                    cx.warn(format!(
                        "{} unreadable lines of {} were skipped",
                        resumed.skipped_lines,
                        path.display()
                    ));
                }
                let path = (!settings.ephemeral).then_some(path);
                let instructions = instructions.unwrap_or_else(base);
                let mut shared = Shared::new(model, instructions, RolloutLog::new(path), cx);
                shared.has_meta = true;
                shared.calls = items.iter().filter_map(call_id).collect();
                shared.history = items;
                shared.context = context;
                shared.usage = total;
                (shared, resumed.open_calls, true)
            }
        };
        shared.project = project;
        let mut found = Vec::new();
        for PatchedFile { path, .. } in calls.iter().flat_map(|open| &open.files) {
            let Ok(file) = u16::try_from(found.len()) else { break };
            cx.start(
                Part::Recovery { file },
                EffectKind::Read { path: path.clone(), bytes_max: PATCH_FILE_BYTES_MAX },
            );
            found.push(Found::Reading(Vec::new()));
        }
        let until = cx.now.mono.after_ms(PROJECT_MS);
        Recovering { shared: Box::new(shared), calls, found, until, early, resumed }
    }
}

impl<T: Default> Slot<T> {
    fn fill(&mut self) {
        if let Self::Waiting { so_far, .. } = self {
            *self = Self::Filled(std::mem::take(so_far));
        }
    }
}

impl Recovering {
    fn on_reply(&mut self, part: Part, reply: Reply) {
        let Part::Recovery { file } = part else { return };
        let Some(found) = self.found.get_mut(usize::from(file)) else { return };
        let Found::Reading(bytes) = found else { return };
        match reply {
            Reply::Bytes(more) => bytes.extend_from_slice(&more),
            Reply::Closed => *found = Found::Known(Some(Digest::of(bytes).to_string())),
            Reply::Failed(error) if error.kind == HostErrorKind::NotFound => {
                *found = Found::Known(None);
            }
            Reply::Failed(_) => *found = Found::Unknown,
            Reply::Exited(_)
            | Reply::Head(_)
            | Reply::Opened
            | Reply::Project(_)
            | Reply::Tail { .. } => {}
        }
    }

    fn is_ready(&self) -> bool {
        !self.found.iter().any(|found| matches!(found, Found::Reading(_)))
    }

    fn give_up(&mut self) {
        for found in &mut self.found {
            if matches!(found, Found::Reading(_)) {
                *found = Found::Unknown;
            }
        }
    }
}

/// What the model is told about a call that a crash left open.
fn recovered(open: &OpenCall, found: &mut impl Iterator<Item = Found>) -> String {
    if open.files.is_empty() {
        return "aborted: the agent was stopped while this ran, so it may have done a part of its \
                work; look before you repeat it"
            .into();
    }
    let mut text = String::from(
        "aborted: the agent was stopped while this patch was applied. Each file is wholly old or \
         wholly new:",
    );
    for (PatchedFile { path, before, after }, found) in open.files.iter().zip(found) {
        let state = match found {
            Found::Known(digest) if digest == *after => "new",
            Found::Known(digest) if digest == *before => "old",
            Found::Known(_) => "changed by something else since",
            Found::Reading(_) | Found::Unknown => "could not be read",
        };
        text.push_str(&format!("\n{}: {state}", path.display()));
    }
    text
}

fn early(early: &mut Vec<(OpId, Prompt)>, op: OpId, prompt: Prompt) -> Result<(), Refused> {
    let limit = crate::limits::PROMPTS_QUEUED_MAX;
    if early.len() >= limit {
        return Err(Refused::QueueFull { limit });
    }
    early.push((op, prompt));
    Ok(())
}

fn return_early(early: &mut Vec<(OpId, Prompt)>, cx: &mut Cx<'_>) {
    return_prompts(std::mem::take(early), cx);
}

/// Prompts that never reached the model go back to who sent them.
fn return_prompts(prompts: Vec<(OpId, Prompt)>, cx: &mut Cx<'_>) {
    if !prompts.is_empty() {
        let prompts = prompts.into_iter().map(|(_, prompt)| prompt).collect();
        cx.emit(Event::PromptsReturned { thread: cx.thread, prompts });
    }
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
        (Part::Image { prompt, part }, _) => shared.queue.on_reply(prompt, part, reply),
        (Part::Snapshot, _) => shared.on_snapshot(reply, cx),
        (Part::Model, Some(turn)) => {
            turn.on_model(reply, shared, cx);
        }
        (Part::Tool { run, file }, Some(turn)) => turn.on_tool(run, file, reply, shared, cx),
        (
            Part::Model | Part::Project | Part::Recovery { .. } | Part::Resume | Part::Tool { .. },
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
