//! Ops: what a front end asks of the engine.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::ThreadId;

/// What a front end asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Ends the running turn; prompts that wait come back in `PromptsReturned`. Without a turn,
    /// nothing happens.
    Interrupt {
        /// Whose turn.
        thread: ThreadId,
    },
    /// Says something to the model.
    Prompt(Box<Prompt>),
    /// Continues a thread from its rollout; `ThreadReady` or `Refused` follows.
    ResumeThread {
        /// The rollout file.
        path: PathBuf,
    },
    /// Starts a thread; `ThreadReady` follows.
    StartThread,
    /// Ends a thread: its turn is interrupted, its commands are killed, its rollout is complete
    /// when `ThreadStopped` follows.
    StopThread {
        /// Which thread.
        thread: ThreadId,
    },
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
