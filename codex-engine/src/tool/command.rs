//! Running commands, as machines. They belong to the thread, because one that has yielded lives
//! on when its call is answered and its turn has ended.
//!
//! ```text
//! (new)    --start--> Spawning
//! Spawning --Opened--> Running       output is kept within bounds
//! Spawning --Failed--> Ended         nothing was run
//! Running  --Exited--> Ended
//! Running  --Failed--> Ended         the host lost it
//! ```
//!
//! A command that is to end gets SIGTERM, and SIGKILL when a deadline has passed.

use std::{collections::BTreeMap, path::PathBuf};

use codex_proto::{
    CommandId, EffectId, EffectKind, Event, HostError, HostErrorKind, Mono, Reply,
    effect::{Exit, Signal, Spawn},
    item::{CommandItem, ItemBody, ItemStatus, TurnItem},
    policy::SandboxPolicy,
    shell,
};

use super::{output::HeadTail, plan::CommandPlan};
use crate::{
    limits::{
        COMMAND_HEAD_BYTES, COMMAND_TAIL_BYTES, COMMANDS_MAX, KILL_GRACE_MS, SPOOL_BYTES_MAX,
    },
    machine::{Cx, NEW, Part},
};

const MACHINE: &str = "command";

/// Exit code that stands for "killed at its timeout".
pub(crate) const TIMED_OUT_CODE: i32 = 124;

/// A running or ended command.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    effect: EffectId,
    item: u32,
    shown: CommandItem,
    state: State,
    started: Mono,
    /// What the model has not read yet.
    unread: HeadTail,
    /// Everything, for the item.
    all: HeadTail,
    spool: PathBuf,
    spool_after_bytes: usize,
    kill_at: Option<Mono>,
    timed_out: bool,
    sandboxed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Ended(Ended),
    Running,
    Spawning,
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Ended(_) => "Ended",
            Self::Running => "Running",
            Self::Spawning => "Spawning",
        }
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It ran.
    Exited(Exit),
    /// It could not be started, or was lost.
    Failed(HostError),
}

/// What a waiting call learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signalled {
    /// It has ended.
    Ended,
    /// Nothing that a call waits for.
    Nothing,
    /// The end of its output so far has come.
    Tail,
}

/// The commands of a thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commands {
    table: BTreeMap<CommandId, Command>,
}

/// What a started command inherits from its thread.
pub(crate) struct Launch<'a> {
    pub(crate) call_id: &'a str,
    pub(crate) item: u32,
    pub(crate) snapshot: Option<PathBuf>,
    /// Bytes of output that the model may see; more go to a file.
    pub(crate) output_bytes: usize,
    /// What it may touch.
    pub(crate) sandbox: SandboxPolicy,
}

impl Commands {
    /// Starts a command.
    ///
    /// # Errors
    /// When too many are running: the text for the model.
    pub(crate) fn start(
        &mut self,
        plan: &CommandPlan,
        launch: Launch<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<CommandId, String> {
        self.make_room()?;
        let id = loop {
            #[expect(clippy::cast_possible_truncation, reason = "below 100,000")]
            let id = CommandId(1_000 + cx.rng.below(99_000) as u32);
            if !self.table.contains_key(&id) {
                break id;
            }
        };
        let shown = CommandItem {
            call_id: launch.call_id.to_owned(),
            command: shell::join(&plan.argv),
            cwd: plan.cwd.clone(),
            output: String::new(),
            exit_code: None,
            status: ItemStatus::InProgress,
            duration_ms: 0,
            by_user: false,
        };
        let thread = cx.thread.to_string();
        let spool = cx.settings.host.scratch.join("out").join(thread);
        let spool = spool.join(format!("{}.txt", launch.item));
        let spool_after_bytes = launch.output_bytes.min(COMMAND_HEAD_BYTES);
        let sandboxed = !launch.sandbox.is_full_access();
        let effect = cx.start(
            Part::Command(id),
            EffectKind::Spawn(Box::new(Spawn {
                argv: plan.argv.clone(),
                cwd: plan.cwd.clone(),
                env: cx.settings.env.clone(),
                env_overlay: overlay(cx),
                sandbox: launch.sandbox,
                snapshot: launch.snapshot,
                stdin: false,
                tty: None,
                spool: spool.clone(),
                spool_after_bytes,
                head_bytes: COMMAND_HEAD_BYTES,
                tail_bytes: COMMAND_TAIL_BYTES,
                spool_bytes_max: SPOOL_BYTES_MAX,
            })),
        );
        cx.emit(Event::ItemStarted {
            thread: cx.thread,
            item: TurnItem { id: launch.item, body: ItemBody::Command(shown.clone()) },
        });
        cx.moved(MACHINE, NEW, "start", State::Spawning.name());
        self.table.insert(
            id,
            Command {
                effect,
                item: launch.item,
                shown,
                state: State::Spawning,
                started: cx.now.mono,
                unread: HeadTail::new(COMMAND_HEAD_BYTES, COMMAND_TAIL_BYTES),
                all: HeadTail::new(COMMAND_HEAD_BYTES, COMMAND_TAIL_BYTES),
                spool,
                spool_after_bytes,
                kill_at: None,
                timed_out: false,
                sandboxed,
            },
        );
        Ok(id)
    }

    /// Forgets ended sessions when the table is full.
    fn make_room(&mut self) -> Result<(), String> {
        if self.table.len() < COMMANDS_MAX {
            return Ok(());
        }
        let ended = self.table.iter().find(|(_, c)| matches!(c.state, State::Ended(_)));
        match ended.map(|(id, _)| *id) {
            Some(id) => {
                self.table.remove(&id);
                Ok(())
            }
            None => Err(format!(
                "{COMMANDS_MAX} command sessions are running already, which is the limit; wait \
                 for one with write_stdin, or end one"
            )),
        }
    }

    pub(crate) fn get(&self, id: CommandId) -> Option<&Command> {
        self.table.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: CommandId) -> Option<&mut Command> {
        self.table.get_mut(&id)
    }

    /// Forgets a command whose end the model has seen.
    pub(crate) fn remove(&mut self, id: CommandId) {
        self.table.remove(&id);
    }

    /// Takes a reply to a command's effect.
    pub(crate) fn on_reply(&mut self, id: CommandId, reply: Reply, cx: &mut Cx<'_>) -> Signalled {
        let Some(command) = self.table.get_mut(&id) else { return Signalled::Nothing };
        command.on_reply(reply, cx)
    }

    /// Kills what did not go by itself.
    pub(crate) fn on_wake(&mut self, cx: &mut Cx<'_>) {
        for command in self.table.values_mut() {
            if command.kill_at.is_some_and(|at| at <= cx.now.mono) {
                command.kill(cx);
            }
        }
    }

    pub(crate) fn deadline(&self) -> Option<(Mono, &'static str)> {
        let at = self.table.values().filter_map(|command| command.kill_at).min()?;
        Some((at, "kill command"))
    }

    /// Kills everything that runs.
    pub(crate) fn kill_all(&mut self, cx: &mut Cx<'_>) {
        for command in self.table.values_mut() {
            if !command.has_ended() {
                command.kill(cx);
            }
        }
    }

    /// Stops waiting for what was killed: each is shown as ended.
    pub(crate) fn abandon(&mut self, cx: &mut Cx<'_>) {
        for command in self.table.values_mut() {
            if !command.has_ended() {
                let why = "the thread was stopped before the end of this command was known";
                let error = HostError::new(HostErrorKind::TimedOut, why);
                command.end(Ended::Failed(error), cx);
            }
        }
    }

    pub(crate) fn any_running(&self) -> bool {
        self.table.values().any(|command| !command.has_ended())
    }
}

impl Command {
    fn go(&mut self, on: &'static str, next: State, cx: &mut Cx<'_>) {
        cx.moved(MACHINE, self.state.name(), on, next.name());
        self.state = next;
    }

    fn on_reply(&mut self, reply: Reply, cx: &mut Cx<'_>) -> Signalled {
        match reply {
            Reply::Opened => {
                self.go("Opened", State::Running, cx);
                Signalled::Nothing
            }
            Reply::Bytes(bytes) => {
                self.unread.push(&bytes);
                self.all.push(&bytes);
                let delta = String::from_utf8_lossy(&bytes).into_owned();
                cx.emit(Event::ItemDelta { thread: cx.thread, item: self.item, delta });
                Signalled::Nothing
            }
            Reply::Tail { omitted_bytes, bytes } => {
                self.unread.push_after_gap(omitted_bytes, &bytes);
                self.all.push_after_gap(omitted_bytes, &bytes);
                Signalled::Tail
            }
            Reply::Exited(exit) => self.end(Ended::Exited(exit), cx),
            Reply::Failed(error) => self.end(Ended::Failed(error), cx),
            Reply::Audio(_)
            | Reply::Channel(_)
            | Reply::Closed
            | Reply::Head(_)
            | Reply::Link(_)
            | Reply::Offer(_)
            | Reply::Project(_)
            | Reply::Sent { .. }
            | Reply::Survey(_) => Signalled::Nothing,
        }
    }

    fn end(&mut self, ended: Ended, cx: &mut Cx<'_>) -> Signalled {
        self.kill_at = None;
        let code = match &ended {
            Ended::Exited(_) if self.timed_out => TIMED_OUT_CODE,
            Ended::Exited(exit) => exit.code,
            Ended::Failed(error) => {
                self.all.push(error.to_string().as_bytes());
                -1
            }
        };
        self.shown.output = self.all.text();
        self.shown.exit_code = Some(code);
        self.shown.status = if code == 0 { ItemStatus::Completed } else { ItemStatus::Failed };
        self.shown.duration_ms = cx.now.mono.ms_since(self.started);
        cx.emit(Event::ItemCompleted {
            thread: cx.thread,
            item: TurnItem { id: self.item, body: ItemBody::Command(self.shown.clone()) },
        });
        let on = match ended {
            Ended::Exited(_) => "Exited",
            Ended::Failed(_) => "Failed",
        };
        self.go(on, State::Ended(ended), cx);
        Signalled::Ended
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }

    pub(crate) fn ended(&self) -> Option<&Ended> {
        match &self.state {
            State::Ended(ended) => Some(ended),
            State::Running | State::Spawning => None,
        }
    }

    /// Output that was not read before, and a fresh buffer for what follows.
    pub(crate) fn take_unread(&mut self) -> HeadTail {
        std::mem::replace(&mut self.unread, HeadTail::new(COMMAND_HEAD_BYTES, COMMAND_TAIL_BYTES))
    }

    /// Output that was not read before, as text of so many bytes.
    pub(crate) fn unread_text(&self, budget: usize) -> String {
        self.unread.render(budget, None)
    }

    /// Whether it runs in a sandbox.
    pub(crate) fn is_sandboxed(&self) -> bool {
        self.sandboxed
    }

    pub(crate) fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// The file with the whole output, once there is so much that it exists.
    pub(crate) fn spool(&self) -> Option<PathBuf> {
        (self.all.total() > self.spool_after_bytes as u64).then(|| self.spool.clone())
    }

    /// Asks for the end of the output so far.
    pub(crate) fn flush(&self, cx: &mut Cx<'_>) {
        cx.tell(EffectKind::Flush(self.effect));
    }

    /// Types Ctrl-C.
    pub(crate) fn interrupt(&self, cx: &mut Cx<'_>) {
        cx.tell(EffectKind::Signal { spawn: self.effect, signal: Signal::Interrupt });
    }

    /// Kills it because its time is over.
    pub(crate) fn time_out(&mut self, cx: &mut Cx<'_>) {
        self.timed_out = true;
        self.kill(cx);
    }

    /// Asks it to end, and kills it when it does not.
    pub(crate) fn terminate(&mut self, cx: &mut Cx<'_>) {
        if !self.has_ended() && self.kill_at.is_none() {
            cx.tell(EffectKind::Signal { spawn: self.effect, signal: Signal::Terminate });
            self.kill_at = Some(cx.now.mono.after_ms(KILL_GRACE_MS));
        }
    }

    fn kill(&mut self, cx: &mut Cx<'_>) {
        cx.tell(EffectKind::Signal { spawn: self.effect, signal: Signal::Kill });
        self.kill_at = None;
    }
}

/// What every command finds in its environment, whatever the user's own says: output without
/// colour, pagers that do not wait.
fn overlay(cx: &Cx<'_>) -> Vec<(String, String)> {
    let fixed = [
        ("NO_COLOR", "1"),
        ("TERM", "dumb"),
        ("LANG", "C.UTF-8"),
        ("LC_CTYPE", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("COLORTERM", ""),
        ("PAGER", "cat"),
        ("GIT_PAGER", "cat"),
        ("GH_PAGER", "cat"),
        ("CODEX_CI", "1"),
    ];
    let mut overlay: Vec<(String, String)> =
        fixed.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    overlay.push(("CODEX_THREAD_ID".into(), cx.thread.to_string()));
    overlay
}
