//! The tool calls of one step: in which order they run, and their outputs in call order.
//!
//! A call may run when its rollout line has settled and every earlier call that must not run
//! beside it has ended: commands run in parallel, everything else alone. Each call gets exactly
//! one output.
//!
//! What becomes of one call is the matter of `run.rs`.

use codex_proto::{ApprovalId, CommandId, Mono, Reply, approval::ApprovalAnswer, item::ToolCall};

use super::{
    command::Signalled,
    plan::{self, Plan},
    run::{RunState, ToolRun, is_parallel},
};
use crate::{
    limits::{TOOL_CALLS_MAX, TOOLS_PARALLEL_MAX},
    machine::Cx,
    rollout::log::Ticket,
    thread::shared::Shared,
};

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(crate) struct ToolBoard {
    runs: Vec<ToolRun>,
    /// Called when calls of an interrupted turn are answered.
    interrupted: bool,
}

/// What an answer leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The turn ends.
    Abort,
    /// The turn goes on.
    GoOn,
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
        let number = shared.next_run;
        shared.next_run += 1;
        self.runs.push(ToolRun::new(number, call, plan, ticket, shared, cx));
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
                self.runs[index].start(turn, shared, cx);
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

    /// Takes a reply to an effect of a tool run.
    pub(crate) fn on_reply(
        &mut self,
        number: u32,
        file: u16,
        reply: Reply,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        if let Some(run) = self.runs.iter_mut().find(|run| run.number == number) {
            run.on_reply(file, reply, shared, cx);
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
            run.on_command(id, signalled, self.interrupted, shared, cx);
        }
    }

    pub(crate) fn on_wake(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        for run in &mut self.runs {
            run.on_wake(shared, cx);
        }
    }

    pub(crate) fn deadline(&self) -> Option<(Mono, &'static str)> {
        let deadlines = self.runs.iter().filter_map(ToolRun::deadline);
        deadlines.filter(|(at, _)| *at < Mono(u64::MAX)).min()
    }

    /// Answers every open call and ends what the calls started. A patch that is being written is
    /// let finish: half a patch helps nobody.
    pub(crate) fn interrupt(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        self.interrupted = true;
        for run in &mut self.runs {
            run.interrupt(shared, cx);
        }
    }

    /// Gives up on calls that cannot be cancelled.
    pub(crate) fn abandon(&mut self, cx: &mut Cx<'_>) {
        for run in &mut self.runs {
            run.abandon(cx);
        }
    }
}
