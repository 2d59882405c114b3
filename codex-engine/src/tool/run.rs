//! One tool call, from the model's words to its output.
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
    answer::{answer, is_shell, session_answer},
    command::{Ended, Launch, Signalled},
    patch::{PatchRun, Step},
    plan::{CommandPlan, Plan, PollPlan, Wait},
    policy::{self, Rights, Verdict},
    question::{self, Question},
};
use crate::{
    limits::FLUSH_MS,
    machine::{Cx, NEW},
    models::BYTES_PER_TOKEN,
    rollout::log::Ticket,
    thread::shared::Shared,
};

const MACHINE: &str = "tool";

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct ToolRun {
    /// Unique in the thread.
    pub(super) number: u32,
    pub(super) call: ToolCall,
    added: Mono,
    pub(super) state: RunState,
}

#[derive(Clone, Debug)]
pub(super) enum RunState {
    Asking(Box<Asking>),
    Command { waiting: Waiting, plan: Box<CommandPlan>, ticket: Ticket },
    Done(String),
    Patch(Box<PatchRun>),
    Polling(Waiting),
    Waiting { plan: Box<Plan>, ticket: Ticket, rights: Rights },
}

impl RunState {
    pub(super) fn name(&self) -> &'static str {
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
pub(super) struct Asking {
    pub(super) question: Question,
    plan: CommandPlan,
    ticket: Ticket,
    /// What it may touch after a yes.
    rights: Rights,
    /// The output of the run that the sandbox stopped, when this is about another one.
    pub(super) first: Option<String>,
}

/// A call that waits for a command.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) command: CommandId,
    pub(super) since: Mono,
    pub(super) until: Mono,
    /// Whether the command is killed at `until`, or lives on.
    pub(super) kills: bool,
    /// Whether the end of the output was asked for; then `until` bounds that.
    pub(super) flushing: bool,
    pub(super) output_bytes: usize,
}

impl ToolRun {
    /// Takes a call whose line is recorded under `ticket`.
    pub(super) fn new(
        number: u32,
        call: ToolCall,
        plan: Plan,
        ticket: Ticket,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Self {
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
        Self { number, call, added: cx.now.mono, state }
    }

    /// Begins what the call asks for; it must be waiting.
    pub(super) fn start(&mut self, turn: &str, shared: &mut Shared, cx: &mut Cx<'_>) {
        let RunState::Waiting { plan, ticket, rights } = &mut self.state else { return };
        let (ticket, rights) = (*ticket, *rights);
        let plan = std::mem::replace(&mut **plan, Plan::Error(String::new()));
        let next = match plan {
            Plan::Command(plan) => start_command(&self.call, plan, ticket, rights, shared, cx),
            Plan::Error(text) => RunState::Done(text),
            Plan::Patch(plan) => {
                match PatchRun::start(self.number, &self.call.call_id, turn, plan, shared, cx) {
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
        self.go(if at_once { "answered at once" } else { "may run" }, next, cx);
    }

    /// Takes a reply to an effect of the call.
    pub(super) fn on_reply(
        &mut self,
        file: u16,
        reply: Reply,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        if let RunState::Patch(patch) = &mut self.state
            && let Step::Done(text) = patch.on_reply(file, reply, shared, cx)
        {
            self.go("applied or failed", RunState::Done(text), cx);
        }
    }

    /// Takes news of a command, whoever waits for it.
    pub(super) fn on_command(
        &mut self,
        id: CommandId,
        signalled: Signalled,
        is_interrupted: bool,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        let (RunState::Command { waiting, .. } | RunState::Polling(waiting)) = &self.state else {
            return;
        };
        let answered = match signalled {
            Signalled::Ended => true,
            Signalled::Tail => waiting.flushing,
            Signalled::Nothing => false,
        };
        if waiting.command == id && answered {
            // Of a session that is only polled, the call that began it is answered long ago.
            let may_ask = !is_interrupted && matches!(self.state, RunState::Command { .. });
            let denied = may_ask && was_denied(waiting, shared, cx);
            let on = if signalled == Signalled::Ended { "ended" } else { "yielded" };
            let text = answer(&self.call, waiting, shared, cx);
            if denied {
                self.ask_again(text, shared, cx);
            } else {
                self.go(on, RunState::Done(text), cx);
            }
        }
    }

    pub(super) fn on_wake(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        match &mut self.state {
            RunState::Command { waiting, .. } | RunState::Polling(waiting)
                if waiting.until <= cx.now.mono =>
            {
                let Some(command) = shared.commands.get_mut(waiting.command) else { return };
                if waiting.flushing {
                    let text = answer(&self.call, waiting, shared, cx);
                    self.go("yielded", RunState::Done(text), cx);
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
                    self.go("applied or failed", RunState::Done(text), cx);
                }
            }
            RunState::Asking(_)
            | RunState::Command { .. }
            | RunState::Done(_)
            | RunState::Polling(_)
            | RunState::Waiting { .. } => {}
        }
    }

    pub(super) fn deadline(&self) -> Option<(Mono, &'static str)> {
        match &self.state {
            RunState::Command { waiting, .. } if waiting.kills => {
                Some((waiting.until, "command timeout"))
            }
            RunState::Command { waiting, .. } | RunState::Polling(waiting) => {
                Some((waiting.until, "command output"))
            }
            RunState::Patch(patch) => patch.deadline(),
            RunState::Asking(_) | RunState::Done(_) | RunState::Waiting { .. } => None,
        }
    }

    /// Answers the call unless it writes a patch, and ends what it started.
    pub(super) fn interrupt(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        let first = match &mut self.state {
            RunState::Done(_) => return,
            RunState::Patch(patch) if patch.is_writing() => return,
            RunState::Patch(patch) => {
                patch.abort("interrupt", cx);
                None
            }
            RunState::Asking(asking) => {
                asking.question.close(None, cx);
                // It did run, and was stopped by the sandbox.
                asking.first.take()
            }
            RunState::Command { waiting, .. } => {
                if let Some(command) = shared.commands.get_mut(waiting.command) {
                    command.terminate(cx);
                }
                None
            }
            RunState::Polling(_) | RunState::Waiting { .. } => None,
        };
        let text = first.unwrap_or_else(|| self.aborted(cx));
        self.go("interrupt", RunState::Done(text), cx);
    }

    /// Gives up on a patch that does not end.
    pub(super) fn abandon(&mut self, cx: &mut Cx<'_>) {
        if let RunState::Patch(patch) = &self.state {
            patch.abort("abandoned", cx);
            let text = "aborted by user while files were being written; check their content";
            self.go("abandoned", RunState::Done(text.into()), cx);
        }
    }

    fn go(&mut self, on: &'static str, next: RunState, cx: &mut Cx<'_>) {
        cx.moved(MACHINE, self.state.name(), on, next.name());
        self.state = next;
    }

    pub(super) fn is_parallel(&self) -> bool {
        match &self.state {
            RunState::Asking(_) | RunState::Command { .. } => true,
            RunState::Waiting { plan, .. } => is_parallel(plan),
            RunState::Done(_) | RunState::Patch(_) | RunState::Polling(_) => false,
        }
    }

    /// The question that the call waits with.
    pub(super) fn question(&self) -> Option<ApprovalId> {
        match &self.state {
            RunState::Asking(asking) => Some(asking.question.id),
            RunState::Patch(patch) => patch.question(),
            _ => None,
        }
    }

    /// Whether the call waits for an answer that was given for the session.
    pub(super) fn is_granted(&self, shared: &Shared, cx: &Cx<'_>) -> bool {
        match &self.state {
            RunState::Asking(asking) => {
                let own_shell = &cx.settings.host.shell.path;
                asking.first.is_none() && shared.grants.has_command(&asking.plan, own_shell)
            }
            RunState::Patch(patch) => patch.is_granted(&shared.grants),
            _ => false,
        }
    }

    pub(super) fn answer(&mut self, answer: &ApprovalAnswer, shared: &mut Shared, cx: &mut Cx<'_>) {
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

/// Whether it may run beside others.
pub(super) fn is_parallel(plan: &Plan) -> bool {
    matches!(plan, Plan::Command(_))
}

fn output_bytes(tokens_max: Option<usize>, shared: &Shared) -> usize {
    let most = shared.output_bytes;
    tokens_max.map_or(most, |tokens| tokens.saturating_mul(BYTES_PER_TOKEN).clamp(1, most))
}

/// Starts a command with these rights.
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

/// Types into a session and waits for what it prints.
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
