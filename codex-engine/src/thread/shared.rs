//! What a thread keeps across its turns, and lends to the running one; with it the snapshot of the
//! login shell, which is taken once and sourced by every command:
//!
//! ```text
//! Unstarted --needed--> Taking     by the first command, or while the model thinks
//! Taking    --Closed--> Ready
//! Taking    --Failed--> Off        each command starts a login shell of its own
//! ```

use std::{collections::BTreeSet, path::PathBuf};

use codex_proto::{
    CommandId, EffectKind, Event, Mono, Refused, Reply,
    effect::{GitInfo, ProjectInfo, ShellSnapshot},
    event::Usage,
    item::{ItemBody, PlanItem, ResponseItem, ResponseKind, Role, TurnItem},
    policy::SandboxPolicy,
    rollout::{LineKind, TurnContext},
    settings::ShellKind,
    wire::responses::request::Frame,
};
use serde_json::Value;

use super::queue::PromptQueue;
use crate::{
    limits::{COMMANDS_MAX, SNAPSHOT_MS, USER_COMMAND_MS, USER_COMMANDS_UNTOLD_MAX},
    machine::{Cx, Part},
    models::{self, BYTES_PER_TOKEN, Model},
    rollout::{log::RolloutLog, restore::Restored},
    tool::{
        command::{Commands, Launch},
        grants::Grants,
        plan::{self, CommandPlan, Wait},
    },
};

const MACHINE: &str = "snapshot";

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) model: Model,
    /// `reasoning.effort` of the turns of this model, unless it is the model's.
    pub(crate) effort: Option<String>,
    /// Base instructions, as sent.
    pub(crate) instructions: String,
    pub(crate) project: ProjectInfo,
    pub(crate) log: RolloutLog,
    /// Whether `session_meta` is in the rollout.
    pub(crate) has_meta: bool,
    /// The conversation with the model. Only grows.
    pub(crate) history: Vec<ResponseItem>,
    /// Ids of all calls in `history`.
    pub(crate) calls: BTreeSet<String>,
    /// What the context in `history` says; `None` before it is there.
    pub(crate) context: Option<TurnContext>,
    /// The request around `history`, as sent last, and the schema that it was rendered with.
    pub(crate) frame: Option<(Option<Value>, Frame)>,
    pub(crate) queue: PromptQueue,
    /// What the agent is to be told about voice.
    pub(crate) voice_note: VoiceNote,
    pub(crate) commands: Commands,
    /// Commands of the user's own that the model is told of with the next prompt.
    untold: Vec<ResponseItem>,
    pub(crate) snapshot: Snapshot,
    pub(crate) usage: Usage,
    pub(crate) next_item: u32,
    pub(crate) next_run: u32,
    pub(crate) next_approval: u32,
    pub(crate) grants: Grants,
    /// The plan that is shown, under its item id.
    pub(crate) plan: Option<(u32, PlanItem)>,
    /// Bytes of tool output that the model sees per call.
    pub(crate) output_bytes: usize,
}

/// What the agent is told about voice, with its next turn: that it began, or that it has ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct VoiceNote {
    /// Whether it was told of a beginning, and of no end.
    told: bool,
    next: Option<(bool, String)>,
}

impl VoiceNote {
    pub(crate) fn started(&mut self, text: String) {
        self.next = Some((true, text));
    }

    /// The end of what the agent never knew of is not told.
    pub(crate) fn ended(&mut self, text: String) {
        self.next = self.told.then_some((false, text));
    }

    /// What is to be told now.
    pub(crate) fn take(&mut self) -> Option<String> {
        let (told, text) = self.next.take()?;
        self.told = told;
        Some(text)
    }
}

/// The shell snapshot: taken once, sourced by every command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Snapshot {
    /// Commands start login shells of their own.
    Off,
    /// There is one.
    Ready(PathBuf),
    /// It is being taken.
    Taking(PathBuf),
    /// Not needed so far.
    Unstarted,
}

fn output_bytes(model: &Model, cx: &Cx<'_>) -> usize {
    let bytes = cx.settings.tool_output_tokens.map_or(model.output_bytes, |tokens| {
        usize::try_from(tokens).unwrap_or(usize::MAX).saturating_mul(BYTES_PER_TOKEN)
    });
    bytes.max(1)
}

impl Shared {
    /// Whether a server has answered in this conversation.
    pub(crate) fn knows_server(&self) -> bool {
        self.history.iter().any(|item| match item.kind() {
            ResponseKind::Message { role, .. } => *role == Role::Assistant,
            ResponseKind::Call(_) | ResponseKind::Reasoning { .. } => true,
            ResponseKind::Output { .. } | ResponseKind::Other { .. } => false,
        })
    }

    pub(crate) fn new(model: Model, instructions: String, log: RolloutLog, cx: &Cx<'_>) -> Self {
        let output_bytes = output_bytes(&model, cx);
        let has_snapshot = cx.settings.feature("shell_snapshot")
            && matches!(
                cx.settings.host.shell.kind,
                ShellKind::Bash | ShellKind::Sh | ShellKind::Zsh
            );
        Self {
            model,
            effort: cx.settings.reasoning_effort.clone(),
            instructions,
            project: ProjectInfo::default(),
            log,
            has_meta: false,
            history: Vec::new(),
            calls: BTreeSet::new(),
            context: None,
            frame: None,
            queue: PromptQueue::default(),
            voice_note: VoiceNote::default(),
            commands: Commands::default(),
            untold: Vec::new(),
            snapshot: if has_snapshot { Snapshot::Unstarted } else { Snapshot::Off },
            usage: Usage::default(),
            next_item: 0,
            next_run: 0,
            next_approval: 0,
            grants: Grants::default(),
            plan: None,
            output_bytes,
        }
    }

    /// Takes up the model and the effort that the thread was configured with since.
    /// `true` when the model is another one.
    pub(crate) fn adopt_model(&mut self, cx: &mut Cx<'_>) -> bool {
        let slug = cx.settings.model.as_deref().unwrap_or(models::DEFAULT);
        let is_same = slug == self.model.slug;
        if is_same && cx.settings.reasoning_effort == self.effort {
            return false;
        }
        self.effort.clone_from(&cx.settings.reasoning_effort);
        if !is_same {
            self.model = Model::of(slug);
            self.output_bytes = output_bytes(&self.model, cx);
        }
        if self.frame.take().is_some() {
            let what = if is_same { "the reasoning effort" } else { "the model" };
            let cause = format!("{what} changed");
            cx.emit(Event::PromptCacheReset { thread: cx.thread, cause });
        }
        !is_same
    }

    /// Shows what a resumed or forked thread said and did before.
    pub(crate) fn tell_again(&mut self, restored: Restored, cx: &mut Cx<'_>) {
        let Restored { bodies, left_out, last, is_cut_off } = restored;
        let mut items = Vec::with_capacity(bodies.len());
        for body in bodies {
            items.push(TurnItem { id: self.next_item, body });
            self.next_item += 1;
        }
        cx.emit(Event::Restored { thread: cx.thread, items });
        if last != Usage::default() {
            self.tell_usage(last, cx);
        }
        if left_out > 0 {
            cx.warn(format!("{left_out} earlier entries of the transcript are not shown"));
        }
        if is_cut_off {
            cx.warn("the last turn was cut off before its end; ask to go on if it should");
        }
    }

    /// The model's window in tokens.
    pub(crate) fn window(&self, cx: &Cx<'_>) -> u64 {
        cx.settings.context_window.unwrap_or(self.model.context_window)
    }

    /// Tells the tokens of the last response and of the thread.
    pub(crate) fn tell_usage(&self, last: Usage, cx: &mut Cx<'_>) {
        cx.emit(Event::UsageUpdated {
            thread: cx.thread,
            total: self.usage,
            last,
            context_window: Some(self.window(cx)),
        });
    }

    /// Adds an item to the conversation and to the rollout.
    pub(crate) fn record(&mut self, item: ResponseItem, cx: &Cx<'_>) {
        if let ResponseKind::Call(call) = item.kind() {
            self.calls.insert(call.call_id.clone());
        }
        self.log.record_item(cx.now.wall, &item);
        self.history.push(item);
    }

    /// Runs a command of the user's own: at once, with the user's rights.
    ///
    /// # Errors
    /// When too many run.
    pub(crate) fn run_command(&mut self, script: &str, cx: &mut Cx<'_>) -> Result<(), Refused> {
        let (argv, own_shell) = plan::script(script.to_owned(), None, Some(true), cx.settings)
            .or_else(|_| plan::script(script.to_owned(), None, None, cx.settings))
            .map_err(|_| Refused::EmptyPrompt)?;
        let plan = CommandPlan {
            argv,
            cwd: cx.settings.cwd.clone(),
            wait: Wait::Timeout(USER_COMMAND_MS),
            output_tokens_max: None,
            escalated: false,
            justification: None,
            own_shell,
            tty: false,
        };
        let launch = Launch {
            call_id: "",
            item: self.next_item,
            snapshot: self.snapshot_path(),
            output_bytes: self.output_bytes,
            sandbox: SandboxPolicy::full_access(),
            typed: Some(script),
        };
        let limit = COMMANDS_MAX;
        self.commands.start(&plan, launch, cx).map_err(|_| Refused::TooManyCommands { limit })?;
        self.next_item += 1;
        Ok(())
    }

    /// Keeps what the model is told of a command of the user's own that has ended.
    pub(crate) fn on_command_ended(&mut self, id: CommandId, cx: &mut Cx<'_>) {
        let Some(item) = self.commands.take_told(id) else { return };
        if self.untold.len() >= USER_COMMANDS_UNTOLD_MAX {
            self.untold.remove(0);
            cx.warn(format!(
                "the model is told of the last {USER_COMMANDS_UNTOLD_MAX} commands only; the \
                 oldest is left out"
            ));
        }
        self.untold.push(item);
    }

    /// Tells the model of the user's commands, when it is told something anyway.
    pub(crate) fn tell_of_commands(&mut self, cx: &mut Cx<'_>) {
        for item in std::mem::take(&mut self.untold) {
            self.record(item, cx);
        }
    }

    /// Adds an event to the rollout.
    pub(crate) fn record_event(&mut self, payload: &Value, cx: &Cx<'_>) {
        self.log.record(cx.now.wall, LineKind::EventMsg, &payload.to_string());
    }

    pub(crate) fn git(&self) -> Option<&GitInfo> {
        self.project.git.as_ref()
    }

    /// Shows a plan: the first one appears, later ones replace it.
    pub(crate) fn show_plan(&mut self, plan: PlanItem, cx: &mut Cx<'_>) {
        let thread = cx.thread;
        let body = ItemBody::Plan(plan.clone());
        match &mut self.plan {
            Some((id, shown)) => {
                *shown = plan;
                cx.emit(Event::ItemUpdated { thread, item: TurnItem { id: *id, body } });
            }
            None => {
                let id = self.next_item;
                self.next_item += 1;
                self.plan = Some((id, plan));
                cx.emit(Event::ItemStarted { thread, item: TurnItem { id, body } });
            }
        }
    }

    /// The turn is over: its plan is final.
    pub(crate) fn complete_plan(&mut self, cx: &mut Cx<'_>) {
        if let Some((id, plan)) = self.plan.take() {
            let body = ItemBody::Plan(plan);
            cx.emit(Event::ItemCompleted { thread: cx.thread, item: TurnItem { id, body } });
        }
    }

    /// Begins to take the shell snapshot, unless that was done before.
    pub(crate) fn take_snapshot(&mut self, cx: &mut Cx<'_>) {
        if self.snapshot != Snapshot::Unstarted {
            return;
        }
        let host = &cx.settings.host;
        let path = host.scratch.join("shell").join(format!("{}.sh", cx.thread));
        let snapshot = ShellSnapshot {
            shell: host.shell.clone(),
            cwd: cx.settings.cwd.clone(),
            env: cx.settings.env.clone(),
            path: path.clone(),
            deadline_ms: SNAPSHOT_MS,
        };
        cx.start(Part::Snapshot, EffectKind::Snapshot(Box::new(snapshot)));
        self.snapshot = Snapshot::Taking(path);
        cx.moved(MACHINE, "Unstarted", "needed", "Taking");
    }

    /// Whether commands may start: the snapshot is there, or there will be none.
    pub(crate) fn snapshot_settled(&mut self, cx: &mut Cx<'_>) -> bool {
        self.take_snapshot(cx);
        !matches!(self.snapshot, Snapshot::Taking(_))
    }

    pub(crate) fn snapshot_path(&self) -> Option<PathBuf> {
        match &self.snapshot {
            Snapshot::Ready(path) => Some(path.clone()),
            Snapshot::Off | Snapshot::Taking(_) | Snapshot::Unstarted => None,
        }
    }

    pub(crate) fn on_snapshot(&mut self, reply: Reply, cx: &mut Cx<'_>) {
        self.snapshot = match (std::mem::replace(&mut self.snapshot, Snapshot::Off), reply) {
            (Snapshot::Taking(path), Reply::Closed) => {
                cx.moved(MACHINE, "Taking", "Closed", "Ready");
                Snapshot::Ready(path)
            }
            (Snapshot::Taking(_), Reply::Failed(error)) => {
                cx.moved(MACHINE, "Taking", "Failed", "Off");
                cx.warn(format!(
                    "no snapshot of the login shell: {error}; each command starts its own"
                ));
                Snapshot::Off
            }
            (snapshot, _) => snapshot,
        };
    }

    /// When the snapshot is taken although nothing needs it yet.
    pub(crate) fn wants_snapshot(&self) -> bool {
        self.snapshot == Snapshot::Unstarted
    }

    /// The instant after which a waiting machine would be woken for nothing.
    pub(crate) fn deadline(&self) -> Option<(Mono, &'static str)> {
        [self.commands.deadline(), self.queue.deadline()].into_iter().flatten().min()
    }
}
