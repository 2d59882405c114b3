//! What the translator remembers: requests that wait, engines, threads.

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
};

use codex_proto::{
    ApprovalId, OpId, ThreadId, TurnId,
    event::ThreadReady,
    policy::{ApprovalPolicy, SandboxPolicy},
};

use super::{
    boundary::{HostFacts, HostId, HostRequest},
    item::OpenItem,
    thread_params::ResumeParams,
};
use crate::{jsonrpc::RequestId, limits::RECENT_OPS_MAX};

/// A question that nobody asks: questions count from the other end. Its answer is refused at once,
/// after everything that the ops before it told.
pub(super) const NOBODY_ASKED: ApprovalId = ApprovalId(u32::MAX);

/// A request that waits for an answer of the host.
pub(super) enum Waiting {
    Account(RequestId),
    /// A rollout to resume.
    FindThread(RequestId, Box<ResumeParams>),
    /// An engine; those who need it wait in its state.
    Host(HostId),
    Login(RequestId),
    Logout(RequestId),
}

/// An engine.
pub(super) struct HostState {
    pub(super) request: HostRequest,
    pub(super) phase: HostPhase,
}

pub(super) enum HostPhase {
    /// It is being opened; these wait for it.
    Opening(Vec<Wanted>),
    Open(HostFacts),
}

/// A thread that waits for its engine.
pub(super) struct Wanted {
    pub(super) request: RequestId,
    pub(super) start: Start,
}

/// How a thread begins.
#[derive(Clone)]
pub(super) enum Start {
    New,
    /// From a rollout; whether its turns are told.
    Resumed {
        path: PathBuf,
        tells_turns: bool,
    },
}

/// A request that waits for an engine.
pub(super) enum Pending {
    /// The past of a resumed thread answers it, or the refusal of a question that nobody asked: it
    /// comes after everything that the start told.
    Past { request: RequestId, thread: ThreadId, tells_turns: bool },
    /// `ThreadReady` answers it.
    Start { request: RequestId, host: HostId, start: Start },
    /// `TurnStarted` of the thread answers it.
    Turn { request: RequestId, thread: ThreadId },
    /// The engine's taking it answers it.
    Voice { request: RequestId, thread: ThreadId },
}

impl Pending {
    /// The request that waits.
    pub(super) fn into_request(self) -> RequestId {
        match self {
            Self::Past { request, .. }
            | Self::Start { request, .. }
            | Self::Turn { request, .. }
            | Self::Voice { request, .. } => request,
        }
    }
}

/// What an op that was answered already was about, for the case that the engine refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Approval,
    Configure,
    Prompt,
    Voice,
    /// Follows the start of a conversation.
    VoiceBegun,
}

/// The last ops that nothing waits for.
#[derive(Default)]
pub(super) struct RecentOps(VecDeque<(OpId, ThreadId, Topic)>);

impl RecentOps {
    pub(super) fn push(&mut self, op: OpId, thread: ThreadId, topic: Topic) {
        if self.0.len() == RECENT_OPS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((op, thread, topic));
    }

    /// Ids grow, so the search may halve.
    pub(super) fn get(&self, op: OpId) -> Option<(ThreadId, Topic)> {
        let at = self.0.binary_search_by_key(&op, |(id, ..)| *id).ok()?;
        self.0.get(at).map(|(_, thread, topic)| (*thread, *topic))
    }
}

/// A loaded thread.
pub(super) struct ThreadState {
    pub(super) host: HostId,
    pub(super) ready: Box<ThreadReady>,
    pub(super) approval: ApprovalPolicy,
    pub(super) sandbox: SandboxPolicy,
    pub(super) created_s: i64,
    pub(super) updated_s: i64,
    pub(super) is_ephemeral: bool,
    /// What the user said first.
    pub(super) preview: String,
    pub(super) turn: Option<TurnState>,
    /// The turn before, for what comes late.
    pub(super) last_turn: Option<TurnId>,
    pub(super) has_failed: bool,
    /// By [`codex_proto::item::TurnItem::id`].
    pub(super) items: BTreeMap<u32, OpenItem>,
    /// Questions that wait, and the ids of our requests.
    pub(super) questions: BTreeMap<ApprovalId, i64>,
    /// Conversations by voice, counted as the engine counts them: those it has begun, the last one
    /// that has started, the last one that has ended.
    pub(super) voice_begun: u32,
    pub(super) voice_started: u32,
    pub(super) voice_ended: u32,
    /// Whether it is being unloaded, so that nothing more is taken.
    pub(super) is_leaving: bool,
}

/// The running turn.
pub(super) struct TurnState {
    pub(super) id: TurnId,
    pub(super) started_ms: i64,
}
