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
    CommandId, EffectId, EffectKind, Event, HostError, HostErrorKind, Mono, Refused, Reply,
    effect::{Exit, Signal, Spawn, TtySize},
    event::RunningCommand,
    item::{CommandItem, ItemBody, ItemStatus, ResponseItem, Role, TurnItem},
    policy::SandboxPolicy,
    shell,
};

use super::{output::HeadTail, plan::CommandPlan};
use crate::{
    limits::{
        COMMAND_HEAD_BYTES, COMMAND_TAIL_BYTES, COMMANDS_MAX, KILL_GRACE_MS, LIST_TAIL,
        SPOOL_BYTES_MAX, TTY_SIZE, USER_COMMAND_MS,
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
    /// When its time is over, where the command itself has one.
    until: Option<Mono>,
    timed_out: bool,
    sandboxed: bool,
    tty: bool,
    /// Whether no call waits for it: it has yielded, or it is the user's own.
    is_background: bool,
    /// Bytes of output that the model may see.
    output_bytes: usize,
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
    /// Those in the background that people were told of last.
    listed: Vec<CommandId>,
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
    /// What the user typed, for a command of the user's own.
    pub(crate) typed: Option<&'a str>,
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
            command: launch.typed.map_or_else(|| shell::join(&plan.argv), str::to_owned),
            cwd: plan.cwd.clone(),
            output: String::new(),
            exit_code: None,
            status: ItemStatus::InProgress,
            duration_ms: 0,
            by_user: launch.typed.is_some(),
        };
        let by_user = shown.by_user;
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
                tty: plan.tty.then_some(TTY_SIZE),
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
                until: by_user.then(|| cx.now.mono.after_ms(USER_COMMAND_MS)),
                timed_out: false,
                sandboxed,
                tty: plan.tty,
                is_background: by_user,
                output_bytes: launch.output_bytes,
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
            let is_over = |at: Option<Mono>| at.is_some_and(|at| at <= cx.now.mono);
            if is_over(command.until) {
                command.time_out(cx);
            } else if is_over(command.kill_at) {
                command.kill(cx);
            }
        }
    }

    pub(crate) fn deadline(&self) -> Option<(Mono, &'static str)> {
        let kills = self.table.values().filter_map(|command| command.kill_at);
        let ends = self.table.values().filter_map(|command| command.until);
        let kills = kills.min().map(|at| (at, "kill command"));
        [kills, ends.min().map(|at| (at, "command timeout"))].into_iter().flatten().min()
    }

    /// Tells people which commands run in the background, when others do than before.
    pub(crate) fn list(&mut self, cx: &mut Cx<'_>) {
        let background = |command: &&Command| command.is_background && !command.has_ended();
        let is_listed = |(id, command): (&CommandId, &Command)| {
            background(&command).then_some((command.started, *id))
        };
        let mut running: Vec<(Mono, CommandId)> = self.table.iter().filter_map(is_listed).collect();
        running.sort_unstable();
        let ids: Vec<CommandId> = running.into_iter().map(|(_, id)| id).collect();
        if ids == self.listed {
            return;
        }
        let running = ids.iter().filter_map(|id| Some(self.table.get(id)?.listed(*id, cx)));
        cx.emit(Event::Commands { thread: cx.thread, running: running.collect() });
        self.listed = ids;
    }

    /// Asks commands to end: one, or all in the background.
    ///
    /// # Errors
    /// When that one does not run.
    pub(crate) fn stop(&mut self, only: Option<CommandId>, cx: &mut Cx<'_>) -> Result<(), Refused> {
        if let Some(command) = only {
            let found = self.table.get_mut(&command).filter(|command| !command.has_ended());
            found.ok_or(Refused::NoSuchCommand { command })?.terminate(cx);
            return Ok(());
        }
        for command in self.table.values_mut().filter(|command| command.is_background) {
            command.terminate(cx);
        }
        Ok(())
    }

    /// Tells a terminal its size.
    ///
    /// # Errors
    /// When no command of this id runs in a terminal.
    pub(crate) fn resize(
        &self,
        id: CommandId,
        size: TtySize,
        cx: &mut Cx<'_>,
    ) -> Result<(), Refused> {
        let found = self.table.get(&id).filter(|command| command.tty && !command.has_ended());
        let command = found.ok_or(Refused::NoSuchCommand { command: id })?;
        let size = TtySize { rows: size.rows.max(1), columns: size.columns.max(1) };
        cx.tell(EffectKind::Resize { spawn: command.effect, size });
        Ok(())
    }

    /// What the model is told of a command of the user's own that has ended; it is forgotten.
    pub(crate) fn take_told(&mut self, id: CommandId) -> Option<ResponseItem> {
        let command = self.table.get(&id)?;
        if !command.shown.by_user || !command.has_ended() {
            return None;
        }
        let command = self.table.remove(&id)?;
        let CommandItem { command: typed, exit_code, duration_ms, .. } = &command.shown;
        let spool = command.spool();
        let output = command.all.render(command.output_bytes, spool.as_deref());
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let seconds = *duration_ms as f64 / 1_000.0;
        let text = format!(
            "<user_shell_command>\n<command>\n{typed}\n</command>\n<result>\nExit code: \
             {}\nDuration: {seconds:.4} seconds\nOutput:\n{output}\n</result>\n\
             </user_shell_command>",
            exit_code.unwrap_or(-1),
        );
        Some(ResponseItem::message(Role::User, &[text]))
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
        self.until = None;
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

    /// Whether the user runs it; the model has no hand in it.
    pub(crate) fn is_by_user(&self) -> bool {
        self.shown.by_user
    }

    /// Whether it has a terminal of its own.
    pub(crate) fn has_tty(&self) -> bool {
        self.tty
    }

    /// Types into its terminal.
    pub(crate) fn type_in(&self, chars: &str, cx: &mut Cx<'_>) {
        let bytes = chars.as_bytes().to_vec();
        cx.tell(EffectKind::Stdin { spawn: self.effect, bytes });
    }

    /// Does what Ctrl-C would in a terminal.
    pub(crate) fn interrupt(&self, cx: &mut Cx<'_>) {
        cx.tell(EffectKind::Signal { spawn: self.effect, signal: Signal::Interrupt });
    }

    /// No call waits for it any longer.
    pub(crate) fn go_to_background(&mut self) {
        self.is_background = true;
    }

    fn listed(&self, id: CommandId, cx: &Cx<'_>) -> RunningCommand {
        let (lines_max, bytes_max) = LIST_TAIL;
        let text = self.all.tail_text(bytes_max);
        let lines: Vec<&str> = text.lines().collect();
        RunningCommand {
            id,
            item: self.item,
            command: self.shown.command.clone(),
            tty: self.tty,
            by_user: self.shown.by_user,
            running_ms: cx.now.mono.ms_since(self.started),
            tail: lines[lines.len().saturating_sub(lines_max)..].join("\n"),
        }
    }

    /// Kills it because its time is over.
    pub(crate) fn time_out(&mut self, cx: &mut Cx<'_>) {
        self.timed_out = true;
        self.until = None;
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
