//! Questions that the engine asks before it acts, and the answers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    id::{ApprovalId, ThreadId},
    item::FileChange,
};

/// A question. Its call waits until `Op::Approve` answers it, the turn is interrupted, or the thread
/// stops; there is no deadline, since people take their time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovalRequest {
    /// Whose.
    pub thread: ThreadId,
    /// Which question; never used again in a thread.
    pub id: ApprovalId,
    /// The call that waits.
    pub call_id: String,
    /// What would be done.
    pub subject: ApprovalSubject,
    /// Why it is asked.
    pub why: ApprovalReason,
    /// What the model said about it.
    pub justification: Option<String>,
    /// Exactly what is lost by a yes: the limits that would not hold, one phrase each, e.g. `writes
    /// anywhere`. Empty when it runs within the session's sandbox.
    pub lost: Vec<String>,
    /// What a yes for the session would cover, in words; `None` when that is not offered.
    pub session_scope: Option<String>,
}

/// What would be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalSubject {
    /// Run a command.
    Command {
        /// Program and arguments, shell-quoted; the script alone when it is a shell's.
        command: String,
        /// Where.
        cwd: PathBuf,
    },
    /// Change files.
    Patch {
        /// As in the item of the change.
        changes: Vec<FileChange>,
    },
}

/// Why it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalReason {
    /// The command is of a kind that destroys data.
    Dangerous,
    /// The model asks to run without the sandbox.
    Escalation,
    /// A sandboxed run failed, perhaps because of the sandbox; this is about a run without it.
    Failed,
    /// The patch writes outside the writable roots.
    OutsideRoots,
    /// The approval policy asks for everything that is not known to be harmless.
    Untrusted,
}

impl ApprovalReason {
    /// One sentence for people.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Dangerous => "This command can destroy data.",
            Self::Escalation => "The model asks to run this without the sandbox.",
            Self::Failed => "It failed in the sandbox. Run it again without the sandbox?",
            Self::OutsideRoots => "This writes outside the writable folders.",
            Self::Untrusted => {
                "The approval policy asks before anything that is not known to be harmless."
            }
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalAnswer {
    /// No, and end the turn.
    Abort,
    /// No; the turn goes on. The feedback goes to the model.
    Deny {
        /// What to do instead.
        feedback: Option<String>,
    },
    /// Yes, this once.
    Once,
    /// Yes, and the same again without asking until the thread ends.
    Session,
}

impl ApprovalAnswer {
    /// The answer in words.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Abort => "no, and stop",
            Self::Deny { .. } => "no",
            Self::Once => "yes",
            Self::Session => "yes, for the session",
        }
    }
}
