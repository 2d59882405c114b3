//! Ops: what a front end asks of the engine.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    approval::ApprovalAnswer,
    effect::{Pcm, TtySize},
    id::{ApprovalId, CommandId, ThreadId},
    policy::{ApprovalPolicy, SandboxPolicy},
    realtime::RealtimeStart,
};

/// What a front end asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Answers a question; one that is answered already, or is none, is refused.
    Approve {
        /// Whose question.
        thread: ThreadId,
        /// Which.
        id: ApprovalId,
        /// The answer.
        answer: ApprovalAnswer,
    },
    /// Changes what later turns run with; `Configured` follows.
    Configure(Box<Configure>),
    /// Starts a thread with the past of another one, which stays as it is; `ThreadReady` or
    /// `Refused` follows.
    ForkThread {
        /// The rollout file of the other one.
        path: PathBuf,
        /// How many of its prompts are kept, with all that followed each; `None` keeps all.
        prompts_kept: Option<u32>,
    },
    /// Ends the running turn; prompts that wait come back in `PromptsReturned`. Without a turn,
    /// nothing happens.
    Interrupt {
        /// Whose turn.
        thread: ThreadId,
    },
    /// Says something to the model.
    Prompt(Box<Prompt>),
    /// Microphone audio of a client, for a conversation with `WebSocketClient`. While it waits to
    /// be sent, the oldest is dropped at a bound, with a count.
    RealtimeAudio {
        /// Whose conversation.
        thread: ThreadId,
        /// The audio.
        pcm: Pcm,
    },
    /// Mutes or opens our microphone; holds for what is opened later, too.
    RealtimeMute {
        /// Whose conversation.
        thread: ThreadId,
        /// Whether it is muted.
        muted: bool,
    },
    /// Makes ready what a conversation needs, so that it starts at once: connections, a peer and
    /// its offer, the startup context. Harmless when nothing follows.
    RealtimePrepare {
        /// On which thread.
        thread: ThreadId,
    },
    /// Has text spoken as it is.
    RealtimeSpeech {
        /// Whose conversation.
        thread: ThreadId,
        /// The text.
        text: String,
    },
    /// Starts a conversation by voice; events of kind `Realtime` follow.
    RealtimeStart(Box<RealtimeStart>),
    /// Ends a conversation, in any state; `Closed` follows at once.
    RealtimeStop {
        /// Whose conversation.
        thread: ThreadId,
    },
    /// Typed text for the realtime model. Kept in order until it can be sent; refused at a bound.
    RealtimeText {
        /// Whose conversation.
        thread: ThreadId,
        /// The text.
        text: String,
    },
    /// Tells a running command with a terminal its size.
    ResizeCommand {
        /// Whose.
        thread: ThreadId,
        /// Which.
        command: CommandId,
        /// The size.
        size: TtySize,
    },
    /// Continues a thread from its rollout; `ThreadReady` or `Refused` follows.
    ResumeThread {
        /// The rollout file.
        path: PathBuf,
    },
    /// Runs a command of the user's own, outside the conversation's turn, with the user's rights
    /// and no sandbox; the model is told with the next prompt what it was and printed.
    RunCommand {
        /// For which thread.
        thread: ThreadId,
        /// A script for the login shell.
        script: String,
    },
    /// Starts a thread; `ThreadReady` follows.
    StartThread,
    /// Ends commands that outlived their calls.
    StopCommands {
        /// Whose.
        thread: ThreadId,
        /// Which; `None` for all.
        command: Option<CommandId>,
    },
    /// Ends a thread: its turn is interrupted, its commands are killed, its rollout is complete
    /// when `ThreadStopped` follows.
    StopThread {
        /// Which thread.
        thread: ThreadId,
    },
}

impl Op {
    /// A short name for traces.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Approve { .. } => "approve",
            Self::Configure(_) => "configure",
            Self::ForkThread { .. } => "fork_thread",
            Self::Interrupt { .. } => "interrupt",
            Self::Prompt(_) => "prompt",
            Self::RealtimeAudio { .. } => "realtime_audio",
            Self::RealtimeMute { .. } => "realtime_mute",
            Self::RealtimePrepare { .. } => "realtime_prepare",
            Self::RealtimeSpeech { .. } => "realtime_speech",
            Self::RealtimeStart(_) => "realtime_start",
            Self::RealtimeStop { .. } => "realtime_stop",
            Self::RealtimeText { .. } => "realtime_text",
            Self::ResizeCommand { .. } => "resize_command",
            Self::ResumeThread { .. } => "resume_thread",
            Self::RunCommand { .. } => "run_command",
            Self::StartThread => "start_thread",
            Self::StopCommands { .. } => "stop_commands",
            Self::StopThread { .. } => "stop_thread",
        }
    }

    /// The thread it is for; `None` when it makes one.
    #[must_use]
    pub fn thread(&self) -> Option<ThreadId> {
        match self {
            Self::Approve { thread, .. }
            | Self::Interrupt { thread }
            | Self::RealtimeAudio { thread, .. }
            | Self::RealtimeMute { thread, .. }
            | Self::RealtimePrepare { thread }
            | Self::RealtimeSpeech { thread, .. }
            | Self::RealtimeStop { thread }
            | Self::RealtimeText { thread, .. }
            | Self::ResizeCommand { thread, .. }
            | Self::RunCommand { thread, .. }
            | Self::StopCommands { thread, .. }
            | Self::StopThread { thread } => Some(*thread),
            Self::Configure(configure) => Some(configure.thread),
            Self::Prompt(prompt) => Some(prompt.thread),
            Self::RealtimeStart(start) => Some(start.thread),
            Self::ForkThread { .. } | Self::ResumeThread { .. } | Self::StartThread => None,
        }
    }
}

/// What later turns run with; `None` leaves it as it is. The running turn ends as it began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configure {
    /// Whose.
    pub thread: ThreadId,
    /// Model slug.
    pub model: Option<String>,
    /// `model_reasoning_effort`; the inner `None` takes the model's default.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "nullable")]
    pub reasoning_effort: Option<Option<String>>,
    /// When to ask. It counts at once, also for the running turn.
    pub approval: Option<ApprovalPolicy>,
    /// What commands may touch. It counts at once, for commands that start later.
    pub sandbox: Option<SandboxPolicy>,
}

impl Configure {
    /// Changes nothing yet.
    #[must_use]
    pub fn new(thread: ThreadId) -> Self {
        Self { thread, model: None, reasoning_effort: None, approval: None, sandbox: None }
    }
}

/// Tells an absent value from a null one.
mod nullable {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<Option<String>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<String>>, D::Error> {
        Option::deserialize(deserializer).map(Some)
    }
}

/// Something to say to the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prompt {
    /// To which thread.
    pub thread: ThreadId,
    /// Text and images, in order.
    pub content: Vec<PromptPart>,
    /// What to do while a turn runs.
    pub delivery: Delivery,
    /// JSON schema that the final message must follow.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::journal::present"
    )]
    pub output_schema: Option<Value>,
}

impl Prompt {
    /// A text that joins the running turn, or starts one.
    pub fn text(thread: ThreadId, text: impl Into<String>) -> Self {
        let content = vec![PromptPart::Text(text.into())];
        Self { thread, content, delivery: Delivery::Steer, output_schema: None }
    }
}

/// A piece of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptPart {
    /// An image file. Images go before the text, as `<image name=[Image #N]>`.
    Image {
        /// Absolute path.
        path: PathBuf,
    },
    /// Text.
    Text(String),
}

/// How a prompt meets a running turn. Without one it starts a turn either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Waits for the end of the running turn, then starts its own.
    FollowUp,
    /// Joins the running turn before its next request.
    #[default]
    Steer,
}
