//! Events: facts that the engine tells any observer. Nothing waits for an answer to one.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    approval::{ApprovalAnswer, ApprovalRequest},
    error::{Refused, TurnError},
    id::{ApprovalId, CommandId, OpId, ThreadId, TurnId},
    item::TurnItem,
    op::Prompt,
    policy::{ApprovalPolicy, SandboxPolicy},
    realtime::RealtimeEvent,
};

/// Something that happened.
///
/// Order per thread: `ThreadReady (TurnStarted … TurnEnded)* ThreadStopped`. Between `TurnStarted`
/// and `TurnEnded`: `ItemStarted (ItemDelta | ItemUpdated)* (ItemCompleted | ItemDropped)` per item
/// id; a command that outlives its turn completes in a later one, between turns, or before
/// `ThreadStopped`; one that the user runs may also start between turns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A question is answered, or nobody needs its answer any more.
    ApprovalEnded {
        /// Whose.
        thread: ThreadId,
        /// Which.
        id: ApprovalId,
        /// The answer; `None` when the call ended without one.
        answer: Option<ApprovalAnswer>,
    },
    /// A call waits for an answer: `Op::Approve`.
    ApprovalRequested(Box<ApprovalRequest>),
    /// Commands that outlived their calls, and the user's own, after each change.
    Commands {
        /// Whose.
        thread: ThreadId,
        /// All that run, oldest first.
        running: Vec<RunningCommand>,
    },
    /// What later turns run with, after a change.
    Configured {
        /// Whose.
        thread: ThreadId,
        /// All of it.
        config: ThreadConfig,
    },
    /// An item is finished and will not change.
    ItemCompleted {
        /// Whose.
        thread: ThreadId,
        /// The item.
        item: TurnItem,
    },
    /// An item grew. Deltas of a message concatenate to its text.
    ItemDelta {
        /// Whose.
        thread: ThreadId,
        /// [`TurnItem::id`].
        item: u32,
        /// Appended text, or a piece of command output (lossy UTF-8).
        delta: String,
    },
    /// An unfinished item is gone: the attempt that began it failed and is repeated.
    ItemDropped {
        /// Whose.
        thread: ThreadId,
        /// [`TurnItem::id`].
        item: u32,
    },
    /// An item exists.
    ItemStarted {
        /// Whose.
        thread: ThreadId,
        /// The item so far.
        item: TurnItem,
    },
    /// An item changed as a whole: a plan, or words of the model whose deltas do not add up to them.
    ItemUpdated {
        /// Whose.
        thread: ThreadId,
        /// The item so far.
        item: TurnItem,
    },
    /// A request of this thread does not begin with the bytes of the one before, so the
    /// provider's prompt cache misses.
    PromptCacheReset {
        /// Whose.
        thread: ThreadId,
        /// Why.
        cause: String,
    },
    /// Prompts that had not reached the model when the turn was interrupted. They are no longer
    /// queued: the front end shows them again or sends them anew.
    PromptsReturned {
        /// Whose.
        thread: ThreadId,
        /// In the order they came.
        prompts: Vec<Prompt>,
    },
    /// News of a conversation by voice.
    Realtime(Box<RealtimeEvent>),
    /// An op was not carried out.
    Refused {
        /// Which op.
        op: OpId,
        /// Why.
        reason: Refused,
    },
    /// What a resumed thread said and did before; follows `ThreadReady` when somebody is there.
    Restored {
        /// Whose.
        thread: ThreadId,
        /// In order; all are complete.
        items: Vec<TurnItem>,
    },
    /// A request failed and will be sent again.
    Retrying {
        /// Whose.
        thread: ThreadId,
        /// 1 for the first repetition.
        attempt: u32,
        /// How many there may be; `None` while the network is away, when time alone is the bound.
        attempts_max: Option<u32>,
        /// Until it is sent, in milliseconds.
        delay_ms: u64,
        /// Why.
        cause: TurnError,
    },
    /// A thread can take prompts.
    ThreadReady(Box<ThreadReady>),
    /// A thread has ended; nothing of it follows.
    ThreadStopped {
        /// Which.
        thread: ThreadId,
    },
    /// A turn has ended.
    TurnEnded {
        /// Whose.
        thread: ThreadId,
        /// Which.
        turn: TurnId,
        /// How.
        outcome: TurnOutcome,
        /// Tokens of the whole thread so far.
        usage: Usage,
        /// Wall time of the turn, in milliseconds.
        duration_ms: u64,
    },
    /// A turn has begun.
    TurnStarted {
        /// Whose.
        thread: ThreadId,
        /// Which.
        turn: TurnId,
    },
    /// Tokens were counted.
    UsageUpdated {
        /// Whose.
        thread: ThreadId,
        /// Of the whole thread.
        total: Usage,
        /// Of the last response.
        last: Usage,
        /// The model's window in tokens.
        context_window: Option<u64>,
    },
    /// The turn waits for something; `None` when it goes on. For status lines.
    Waiting {
        /// Whose.
        thread: ThreadId,
        /// E.g. `connect`, `first token`, `stream`, `retry`.
        phase: Option<WaitPhase>,
    },
    /// Something the user should know; the run goes on.
    Warning {
        /// Whose; `None` for the engine.
        thread: Option<ThreadId>,
        /// One sentence.
        message: String,
    },
}

/// A command that outlived its call, or one of the user's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningCommand {
    /// The session id that the model knows.
    pub id: CommandId,
    /// [`TurnItem::id`] of its item.
    pub item: u32,
    /// Program and arguments, shell-quoted.
    pub command: String,
    /// Whether it has a terminal of its own.
    pub tty: bool,
    /// Whether the user ran it.
    #[serde(default)]
    pub by_user: bool,
    /// How long it has been running, in milliseconds.
    pub running_ms: u64,
    /// The last lines it printed.
    pub tail: String,
}

/// What turns run with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadConfig {
    /// Model slug.
    pub model: String,
    /// Effort, if not the model's default.
    pub reasoning_effort: Option<String>,
    /// When to ask.
    pub approval: ApprovalPolicy,
    /// What commands may touch.
    pub sandbox: SandboxPolicy,
}

/// What a turn waits for; each but a person has a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitPhase {
    /// A person's answer to a question.
    Approval,
    /// A connection to the model.
    Connect,
    /// The first byte of the answer.
    FirstToken,
    /// The next attempt.
    Retry,
    /// The next piece of the answer.
    Stream,
}

impl WaitPhase {
    /// The name that people see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approval => "your answer",
            Self::Connect => "connection",
            Self::FirstToken => "first token",
            Self::Retry => "retry",
            Self::Stream => "next token",
        }
    }
}

/// What a front end may want to show about a thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThreadReady {
    /// Its id.
    pub thread: ThreadId,
    /// The op that asked for it.
    pub op: OpId,
    /// Whether it continues a rollout.
    pub resumed: bool,
    /// Whose past it begins with, when it is a fork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<ThreadId>,
    /// Model slug.
    pub model: String,
    /// Provider id.
    pub provider: String,
    /// Working directory.
    pub cwd: PathBuf,
    /// Approval policy.
    pub approval: ApprovalPolicy,
    /// Sandbox policy.
    pub sandbox: SandboxPolicy,
    /// Effort as configured.
    pub reasoning_effort: Option<String>,
    /// Summaries as configured.
    pub reasoning_summary: Option<String>,
    /// Where the rollout is, unless the thread is ephemeral.
    pub rollout: Option<PathBuf>,
    /// Tokens counted in earlier runs.
    pub usage: Usage,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnOutcome {
    /// The model is done.
    Completed {
        /// Its last message.
        last_message: Option<String>,
    },
    /// It could not be finished.
    Failed(TurnError),
    /// The user interrupted it.
    Interrupted,
}

/// Token counts, as the Responses API reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// All input tokens.
    pub input_tokens: u64,
    /// Input tokens served from the provider's cache.
    pub cached_input_tokens: u64,
    /// All output tokens.
    pub output_tokens: u64,
    /// Output tokens spent on reasoning.
    pub reasoning_output_tokens: u64,
    /// As the server counts it.
    #[serde(default)]
    pub total_tokens: u64,
}

impl Usage {
    /// Adds another count, saturating.
    pub fn add(&mut self, other: &Self) {
        let sum = |a: &mut u64, b: u64| *a = a.saturating_add(b);
        sum(&mut self.input_tokens, other.input_tokens);
        sum(&mut self.cached_input_tokens, other.cached_input_tokens);
        sum(&mut self.output_tokens, other.output_tokens);
        sum(&mut self.reasoning_output_tokens, other.reasoning_output_tokens);
        sum(&mut self.total_tokens, other.total_tokens);
    }
}
