//! The tool calls of one step: in which order they run, and their outputs in call order.
//!
//! A call may run when its rollout line has settled and every earlier call that must not run
//! beside it has ended: commands run in parallel, everything else alone. Each call gets exactly
//! one output.
//!
//! ```text
//! (new)   --allowed--> Waiting
//! (new)   --asked--> Asking                     until the user answers, however long that takes
//! (new)   --refused--> Done                     the policy's words are the output
//! Asking  --allowed by the user--> Waiting
//! Asking  --denied by the user--> Done          with the user's feedback
//! Waiting --may run--> Command, Polling, Patch
//! Waiting --answered at once--> Done            a plan, an error, a session that has ended
//! Command --ended, yielded--> Done              after the end of the output so far has come
//! Command --stopped by the sandbox--> Asking    whether to run it again without; see policy.rs
//! Polling --ended, yielded--> Done
//! Patch   --applied or failed--> Done           see patch.rs
//! Asking, Waiting, Command, Polling, Patch --interrupt--> Done   but for a patch that is being written
//! Patch   --abandoned--> Done                   it did not end within a deadline
//! ```

use codex_proto::{
    ApprovalId, CommandId, Event, Mono, Reply,
    approval::{ApprovalAnswer, ApprovalReason},
    item::{CommandItem, ItemBody, ItemStatus, ToolCall, TurnItem},
    shell,
};

use super::{
    command::{Ended, Launch, Signalled},
    patch::{PatchRun, Step},
    plan::{self, CommandPlan, Plan, PollPlan, Wait},
    policy::{self, Rights, Verdict},
    question::{self, Question},
};
use crate::{
    limits::{FLUSH_MS, TOOL_CALLS_MAX, TOOLS_PARALLEL_MAX},
    machine::{Cx, NEW},
    models::BYTES_PER_TOKEN,
    rollout::log::Ticket,
    thread::shared::Shared,
};

const MACHINE: &str = "tool";

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(crate) struct ToolBoard {
    runs: Vec<ToolRun>,
    /// Called when calls of an interrupted turn are answered.
    interrupted: bool,
}

#[derive(Clone, Debug)]
struct ToolRun {
    /// Unique in the thread.
    number: u32,
    call: ToolCall,
    added: Mono,
    state: RunState,
}

#[derive(Clone, Debug)]
enum RunState {
    Asking(Box<Asking>),
    Command { waiting: Waiting, plan: Box<CommandPlan>, ticket: Ticket },
    Done(String),
    Patch(Box<PatchRun>),
    Polling(Waiting),
    Waiting { plan: Box<Plan>, ticket: Ticket, rights: Rights },
}

impl RunState {
    fn name(&self) -> &'static str {
        match self {
            Self::Asking(_) => "Asking",
            Self::Command { .. } => "Command",
            Self::Done(_) => "Done",
            Self::Patch(_) => "Patch",
            Self::Polling(_) => "Polling",
            Self::Waiting { .. } => "Waiting",
        }
    }
}

/// A call that waits for the user.
#[derive(Clone, Debug)]
struct Asking {
    question: Question,
    plan: CommandPlan,
    ticket: Ticket,
    /// What it may touch after a yes.
    rights: Rights,
    /// The output of the run that the sandbox stopped, when this is about another one.
    first: Option<String>,
}

/// What an answer leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The turn ends.
    Abort,
    /// The turn goes on.
    GoOn,
}

/// A call that waits for a command.
#[derive(Clone, Debug)]
struct Waiting {
    command: CommandId,
    since: Mono,
    until: Mono,
    /// Whether the command is killed at `until`, or lives on.
    kills: bool,
    /// Whether the end of the output was asked for; then `until` bounds that.
    flushing: bool,
    output_bytes: usize,
}

impl ToolBoard {
    /// Takes a call whose line is recorded under `ticket`.
    pub(crate) fn add(
        &mut self,
        call: ToolCall,
        ticket: Ticket,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        let plan = if self.runs.len() >= TOOL_CALLS_MAX {
            Plan::Error(format!(
                "not run: a response may make {TOOL_CALLS_MAX} tool calls; repeat this one"
            ))
        } else {
            plan::plan(&call, cx.settings)
        };
        let state = match plan {
            Plan::Command(plan) => admit(&call, plan, ticket, shared, cx),
            plan => RunState::Waiting { plan: Box::new(plan), ticket, rights: Rights::Session },
        };
        let on = match state {
            RunState::Asking(_) => "asked",
            RunState::Waiting { .. } => "allowed",
            _ => "refused",
        };
        cx.moved(MACHINE, NEW, on, state.name());
        let number = shared.next_run;
        shared.next_run += 1;
        self.runs.push(ToolRun { number, call, added: cx.now.mono, state });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether every call is answered.
    pub(crate) fn is_done(&self) -> bool {
        self.runs.iter().all(|run| matches!(run.state, RunState::Done(_)))
    }

    /// The answers in call order, once all are there. The board is empty afterwards.
    pub(crate) fn take_outputs(&mut self) -> Vec<(ToolCall, String)> {
        let take = |run: ToolRun| match run.state {
            RunState::Done(text) => (run.call, text),
            _ => (run.call, crate::rollout::resume::ABORTED.to_owned()),
        };
        self.runs.drain(..).map(take).collect()
    }

    /// Starts what may start. Idempotent.
    pub(crate) fn pump(&mut self, turn: &str, shared: &mut Shared, cx: &mut Cx<'_>) {
        for index in 0..self.runs.len() {
            if let RunState::Patch(patch) = &mut self.runs[index].state {
                patch.pump(&shared.log, cx);
            }
            if self.may_start(index, shared, cx) {
                self.start(index, turn, shared, cx);
            }
        }
    }

    /// Takes the answer to a question; `None` when no call waits for it.
    pub(crate) fn approve(
        &mut self,
        id: ApprovalId,
        answer: &ApprovalAnswer,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Option<Answered> {
        self.runs.iter_mut().find(|run| run.question() == Some(id))?.answer(answer, shared, cx);
        if *answer == ApprovalAnswer::Session {
            // Nobody is asked twice about the same.
            for run in &mut self.runs {
                if run.is_granted(shared, cx) {
                    run.answer(answer, shared, cx);
                }
            }
        }
        Some(if *answer == ApprovalAnswer::Abort { Answered::Abort } else { Answered::GoOn })
    }

    /// Whether a call waits for the user.
    pub(crate) fn is_asking(&self) -> bool {
        self.runs.iter().any(|run| run.question().is_some())
    }

    fn may_start(&self, index: usize, shared: &mut Shared, cx: &mut Cx<'_>) -> bool {
        let RunState::Waiting { plan, ticket, .. } = &self.runs[index].state else { return false };
        if self.interrupted || !shared.log.is_settled(*ticket) {
            return false;
        }
        let parallel = is_parallel(plan);
        let open = |run: &&ToolRun| !matches!(run.state, RunState::Done(_));
        let mut earlier = self.runs[..index].iter().filter(open);
        let blocked = if parallel {
            earlier.clone().any(|run| !run.is_parallel()) || earlier.count() >= TOOLS_PARALLEL_MAX
        } else {
            earlier.next().is_some()
        };
        if blocked {
            return false;
        }
        // The first command waits for the shell snapshot, which has a deadline of its own.
        !matches!(&**plan, Plan::Command(_)) || shared.snapshot_settled(cx)
    }

    fn start(&mut self, index: usize, turn: &str, shared: &mut Shared, cx: &mut Cx<'_>) {
        let run = &mut self.runs[index];
        let RunState::Waiting { plan, ticket, rights } = &mut run.state else { return };
        let (ticket, rights) = (*ticket, *rights);
        let plan = std::mem::replace(&mut **plan, Plan::Error(String::new()));
        let next = match plan {
            Plan::Command(plan) => start_command(&run.call, plan, ticket, rights, shared, cx),
            Plan::Error(text) => RunState::Done(text),
            Plan::Patch(plan) => {
                match PatchRun::start(run.number, &run.call.call_id, turn, plan, shared, cx) {
                    Ok(patch) => RunState::Patch(Box::new(patch)),
                    Err(text) => RunState::Done(text),
                }
            }
            Plan::Poll(plan) => start_poll(&plan, shared, cx),
            Plan::Show(plan) => {
                shared.show_plan(plan, cx);
                RunState::Done("Plan updated".into())
            }
        };
        let at_once = matches!(next, RunState::Done(_));
        run.go(if at_once { "answered at once" } else { "may run" }, next, cx);
    }

    /// Takes a reply to an effect of a tool run.
    pub(crate) fn on_reply(
        &mut self,
        number: u32,
        file: u16,
        reply: Reply,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        let Some(run) = self.runs.iter_mut().find(|run| run.number == number) else { return };
        let RunState::Patch(patch) = &mut run.state else { return };
        let step = patch.on_reply(file, reply, shared, cx);
        if let Step::Done(text) = step {
            run.go("applied or failed", RunState::Done(text), cx);
        }
    }

    /// Takes news of a command.
    pub(crate) fn on_command(
        &mut self,
        id: CommandId,
        signalled: Signalled,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        for run in &mut self.runs {
            let (RunState::Command { waiting, .. } | RunState::Polling(waiting)) = &run.state
            else {
                continue;
            };
            let answered = match signalled {
                Signalled::Ended => true,
                Signalled::Tail => waiting.flushing,
                Signalled::Nothing => false,
            };
            if waiting.command == id && answered {
                let denied = !self.interrupted && was_denied(waiting, shared, cx);
                let on = if signalled == Signalled::Ended { "ended" } else { "yielded" };
                let text = answer(&run.call, waiting, shared, cx);
                if denied {
                    run.ask_again(text, shared, cx);
                } else {
                    run.go(on, RunState::Done(text), cx);
                }
            }
        }
    }

    pub(crate) fn on_wake(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        for run in &mut self.runs {
            match &mut run.state {
                RunState::Command { waiting, .. } | RunState::Polling(waiting)
                    if waiting.until <= cx.now.mono =>
                {
                    let Some(command) = shared.commands.get_mut(waiting.command) else { continue };
                    if waiting.flushing {
                        let text = answer(&run.call, waiting, shared, cx);
                        run.go("yielded", RunState::Done(text), cx);
                    } else if waiting.kills {
                        command.time_out(cx);
                        // Killed commands end; their exit is the answer.
                        waiting.until = Mono(u64::MAX);
                    } else {
                        command.flush(cx);
                        waiting.flushing = true;
                        waiting.until = cx.now.mono.after_ms(FLUSH_MS);
                    }
                }
                RunState::Patch(patch) => {
                    if let Step::Done(text) = patch.on_wake(cx) {
                        run.go("applied or failed", RunState::Done(text), cx);
                    }
                }
                RunState::Asking(_)
                | RunState::Command { .. }
                | RunState::Done(_)
                | RunState::Polling(_)
                | RunState::Waiting { .. } => {}
            }
        }
    }

    pub(crate) fn deadline(&self) -> Option<(Mono, &'static str)> {
        self.runs
            .iter()
            .filter_map(|run| match &run.state {
                RunState::Command { waiting, .. } if waiting.kills => {
                    Some((waiting.until, "command timeout"))
                }
                RunState::Command { waiting, .. } | RunState::Polling(waiting) => {
                    Some((waiting.until, "command output"))
                }
                RunState::Patch(patch) => patch.deadline(),
                RunState::Asking(_) | RunState::Done(_) | RunState::Waiting { .. } => None,
            })
            .filter(|(at, _)| *at < Mono(u64::MAX))
            .min()
    }

    /// Answers every open call and ends what the calls started. A patch that is being written is
    /// let finish: half a patch helps nobody.
    pub(crate) fn interrupt(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        self.interrupted = true;
        for run in &mut self.runs {
            if let RunState::Command { waiting, .. } = &run.state
                && let Some(command) = shared.commands.get_mut(waiting.command)
            {
                command.terminate(cx);
            }
            let keep = match &run.state {
                RunState::Done(_) => true,
                RunState::Patch(patch) => patch.is_writing(),
                RunState::Asking(_)
                | RunState::Command { .. }
                | RunState::Polling(_)
                | RunState::Waiting { .. } => false,
            };
            if !keep {
                if let RunState::Patch(patch) = &run.state {
                    patch.abort("interrupt", cx);
                }
                let text = match &mut run.state {
                    RunState::Asking(asking) => {
                        asking.question.close(None, cx);
                        // It did run, and was stopped by the sandbox.
                        asking.first.take()
                    }
                    _ => None,
                };
                let text = text.unwrap_or_else(|| run.aborted(cx));
                run.go("interrupt", RunState::Done(text), cx);
            }
        }
    }

    /// Gives up on calls that cannot be cancelled.
    pub(crate) fn abandon(&mut self, cx: &mut Cx<'_>) {
        for run in &mut self.runs {
            if let RunState::Patch(patch) = &run.state {
                patch.abort("abandoned", cx);
                let text = "aborted by user while files were being written; check their content";
                run.go("abandoned", RunState::Done(text.into()), cx);
            }
        }
    }
}

impl ToolRun {
    fn go(&mut self, on: &'static str, next: RunState, cx: &mut Cx<'_>) {
        cx.moved(MACHINE, self.state.name(), on, next.name());
        self.state = next;
    }

    fn is_parallel(&self) -> bool {
        match &self.state {
            RunState::Asking(_) | RunState::Command { .. } => true,
            RunState::Waiting { plan, .. } => is_parallel(plan),
            RunState::Done(_) | RunState::Patch(_) | RunState::Polling(_) => false,
        }
    }

    /// The question that the call waits with.
    fn question(&self) -> Option<ApprovalId> {
        match &self.state {
            RunState::Asking(asking) => Some(asking.question.id),
            RunState::Patch(patch) => patch.question(),
            _ => None,
        }
    }

    /// Whether the call waits for an answer that was given for the session.
    fn is_granted(&self, shared: &Shared, cx: &Cx<'_>) -> bool {
        match &self.state {
            RunState::Asking(asking) => {
                let own_shell = &cx.settings.host.shell.path;
                asking.first.is_none() && shared.grants.has_command(&asking.plan, own_shell)
            }
            RunState::Patch(patch) => patch.is_granted(&shared.grants),
            _ => false,
        }
    }

    fn answer(&mut self, answer: &ApprovalAnswer, shared: &mut Shared, cx: &mut Cx<'_>) {
        match &mut self.state {
            RunState::Patch(patch) => {
                if let Step::Done(text) = patch.on_answer(answer, shared, cx) {
                    self.go("applied or failed", RunState::Done(text), cx);
                }
            }
            RunState::Asking(asking) => {
                asking.question.close(Some(answer), cx);
                let Asking { plan, ticket, rights, first, .. } = (**asking).clone();
                match answer {
                    ApprovalAnswer::Once | ApprovalAnswer::Session => {
                        let own_shell = &cx.settings.host.shell.path;
                        if *answer == ApprovalAnswer::Session
                            && first.is_none()
                            && !shared.grants.allow_command(&plan, own_shell)
                        {
                            question::warn_of_too_many(cx);
                        }
                        let plan = Box::new(Plan::Command(plan));
                        let next = RunState::Waiting { plan, ticket, rights };
                        self.go("allowed by the user", next, cx);
                    }
                    ApprovalAnswer::Abort | ApprovalAnswer::Deny { .. } => {
                        let text = question::denial("exec command", first.as_deref(), answer);
                        if first.is_none() {
                            show_declined(&self.call, &plan, &text, shared, cx);
                        }
                        self.go("denied by the user", RunState::Done(text), cx);
                    }
                }
            }
            _ => {}
        }
    }

    /// The sandbox stopped the command: asks whether to run it again without.
    fn ask_again(&mut self, first: String, shared: &mut Shared, cx: &mut Cx<'_>) {
        let RunState::Command { plan, ticket, .. } = &self.state else { return };
        let (plan, ticket) = ((**plan).clone(), *ticket);
        let (why, rights) = (ApprovalReason::Failed, Rights::Unlimited);
        let question = Question::about_command(&self.call.call_id, &plan, why, rights, shared, cx);
        let first = Some(first);
        let asking = Asking { question, plan, ticket, rights, first };
        self.go("stopped by the sandbox", RunState::Asking(Box::new(asking)), cx);
    }

    fn aborted(&self, cx: &Cx<'_>) -> String {
        let seconds = cx.now.mono.secs_since(self.added).max(0.1);
        if is_shell(&self.call) {
            format!("Wall time: {seconds:.1} seconds\naborted by user")
        } else {
            format!("aborted by user after {seconds:.1}s")
        }
    }
}

/// What a command begins with: a place in the line, a question, or its end.
fn admit(
    call: &ToolCall,
    plan: CommandPlan,
    ticket: Ticket,
    shared: &mut Shared,
    cx: &mut Cx<'_>,
) -> RunState {
    match policy::judge_command(&plan, &shared.grants, cx.settings) {
        Verdict::Ask(why, rights) => {
            let question = Question::about_command(&call.call_id, &plan, why, rights, shared, cx);
            RunState::Asking(Box::new(Asking { question, plan, ticket, rights, first: None }))
        }
        Verdict::Refuse(refusal) => {
            let text = refusal.text();
            show_declined(call, &plan, &text, shared, cx);
            RunState::Done(text)
        }
        Verdict::Run(rights) => {
            RunState::Waiting { plan: Box::new(Plan::Command(plan)), ticket, rights }
        }
    }
}

/// Whether the user is to be asked about running a command again without the sandbox.
fn was_denied(waiting: &Waiting, shared: &Shared, cx: &Cx<'_>) -> bool {
    let Some(command) = shared.commands.get(waiting.command) else { return false };
    let Some(Ended::Exited(exit)) = command.ended() else { return false };
    let output = || command.unread_text(waiting.output_bytes);
    !command.timed_out()
        && policy::judge_retry(exit.code, output, command.is_sandboxed(), cx.settings)
}

fn is_shell(call: &ToolCall) -> bool {
    matches!(call.name.as_str(), "container.exec" | "local_shell" | "shell" | "shell_command")
}

fn is_parallel(plan: &Plan) -> bool {
    matches!(plan, Plan::Command(_))
}

fn output_bytes(tokens_max: Option<usize>, shared: &Shared) -> usize {
    let most = shared.output_bytes;
    tokens_max.map_or(most, |tokens| tokens.saturating_mul(BYTES_PER_TOKEN).clamp(1, most))
}

fn start_command(
    call: &ToolCall,
    plan: CommandPlan,
    ticket: Ticket,
    rights: Rights,
    shared: &mut Shared,
    cx: &mut Cx<'_>,
) -> RunState {
    let (wait_ms, kills) = match plan.wait {
        Wait::Timeout(ms) => (ms, true),
        Wait::Yield(ms) => (ms, false),
    };
    let item = shared.next_item;
    let output_bytes = output_bytes(plan.output_tokens_max, shared);
    let snapshot = if plan.own_shell && plan.argv.get(1).is_some_and(|flag| flag == "-lc") {
        shared.snapshot_path()
    } else {
        None
    };
    let sandbox = rights.sandbox(&cx.settings.sandbox);
    let call_id = &call.call_id;
    let launch = Launch { call_id, item, snapshot, output_bytes, sandbox, typed: None };
    match shared.commands.start(&plan, launch, cx) {
        Ok(command) => {
            shared.next_item += 1;
            let waiting = Waiting {
                command,
                since: cx.now.mono,
                until: cx.now.mono.after_ms(wait_ms),
                kills,
                flushing: false,
                output_bytes,
            };
            RunState::Command { waiting, plan: Box::new(plan), ticket }
        }
        Err(text) => RunState::Done(text),
    }
}

fn start_poll(plan: &PollPlan, shared: &mut Shared, cx: &mut Cx<'_>) -> RunState {
    let session = shared.commands.get(plan.command).filter(|command| !command.is_by_user());
    let Some(command) = session else {
        return RunState::Done(format!(
            "write_stdin failed: there is no command session {}; it has ended and its output was \
             read, or it never existed",
            plan.command
        ));
    };
    match plan.chars.as_str() {
        "" => {}
        chars if command.has_tty() => command.type_in(chars, cx),
        "\u{3}" => command.interrupt(cx),
        _ => {
            return RunState::Done(
                "write_stdin failed: the input of this session is closed; start the command anew \
                 with tty=true, or with its input in a file or a pipe"
                    .into(),
            );
        }
    }
    let waiting = Waiting {
        command: plan.command,
        since: cx.now.mono,
        until: cx.now.mono.after_ms(plan.wait_ms),
        kills: false,
        flushing: false,
        output_bytes: output_bytes(plan.output_tokens_max, shared),
    };
    if command.has_ended() {
        return RunState::Done(session_answer(&waiting, shared, cx));
    }
    RunState::Polling(waiting)
}

fn answer(call: &ToolCall, waiting: &Waiting, shared: &mut Shared, cx: &mut Cx<'_>) -> String {
    if is_shell(call) {
        shell_answer(waiting, shared, cx)
    } else {
        session_answer(waiting, shared, cx)
    }
}

/// The answer of `exec_command` and `write_stdin`.
fn session_answer(waiting: &Waiting, shared: &mut Shared, cx: &mut Cx<'_>) -> String {
    let Some(command) = shared.commands.get_mut(waiting.command) else {
        return crate::rollout::resume::ABORTED.into();
    };
    let seconds = cx.now.mono.secs_since(waiting.since);
    let unread = command.take_unread();
    let mut text =
        format!("Chunk ID: {:06x}\nWall time: {seconds:.4} seconds\n", cx.rng.below(1 << 24));
    let spool = command.spool();
    let ended = match command.ended() {
        Some(Ended::Exited(exit)) => {
            text.push_str(&format!("Process exited with code {}\n", exit.code));
            true
        }
        Some(Ended::Failed(error)) => {
            let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
            text = format!("exec_command failed: {error}{hint}");
            shared.commands.remove(waiting.command);
            return text;
        }
        None => {
            text.push_str(&format!("Process running with session ID {}\n", waiting.command));
            command.go_to_background();
            false
        }
    };
    let tokens = unread.total().div_ceil(BYTES_PER_TOKEN as u64);
    text.push_str(&format!("Original token count: {tokens}\nOutput:\n"));
    text.push_str(&unread.render(waiting.output_bytes, spool.as_deref()));
    if ended {
        shared.commands.remove(waiting.command);
    }
    text
}

/// The answer of `shell` and `shell_command`.
fn shell_answer(waiting: &Waiting, shared: &mut Shared, cx: &mut Cx<'_>) -> String {
    let Some(command) = shared.commands.get_mut(waiting.command) else {
        return crate::rollout::resume::ABORTED.into();
    };
    let seconds = (cx.now.mono.secs_since(waiting.since) * 10.0).round() / 10.0;
    let unread = command.take_unread();
    let spool = command.spool();
    let code = match command.ended() {
        Some(Ended::Exited(_)) if command.timed_out() => super::command::TIMED_OUT_CODE,
        Some(Ended::Exited(exit)) => exit.code,
        Some(Ended::Failed(error)) => {
            let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
            let text = format!("shell failed: {error}{hint}");
            shared.commands.remove(waiting.command);
            return text;
        }
        None => -1,
    };
    let mut text = format!("Exit code: {code}\nWall time: {seconds} seconds\nOutput:\n");
    if command.timed_out() {
        let ms = cx.now.mono.ms_since(waiting.since);
        text.push_str(&format!("command timed out after {ms} milliseconds\n"));
    }
    text.push_str(&unread.render(waiting.output_bytes, spool.as_deref()));
    shared.commands.remove(waiting.command);
    text
}

/// A command that was not run is shown as declined, so that nothing happens unseen.
fn show_declined(
    call: &ToolCall,
    plan: &CommandPlan,
    reason: &str,
    shared: &mut Shared,
    cx: &mut Cx<'_>,
) {
    let id = shared.next_item;
    shared.next_item += 1;
    let mut item = CommandItem {
        call_id: call.call_id.clone(),
        command: shell::join(&plan.argv),
        cwd: plan.cwd.clone(),
        output: String::new(),
        exit_code: None,
        status: ItemStatus::InProgress,
        duration_ms: 0,
        by_user: false,
    };
    let thread = cx.thread;
    let started = TurnItem { id, body: ItemBody::Command(item.clone()) };
    cx.emit(Event::ItemStarted { thread, item: started });
    item.output = reason.to_owned();
    item.exit_code = Some(-1);
    item.status = ItemStatus::Declined;
    let ended = TurnItem { id, body: ItemBody::Command(item) };
    cx.emit(Event::ItemCompleted { thread, item: ended });
}
