//! Errors with blame in the type: our machine, the peer, or what was asked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Our machine could not do what an effect asked. The text names the place; [`Self::hint`] the
/// next step.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct HostError {
    /// What kind of failure, for decisions.
    pub kind: HostErrorKind,
    /// One lower-case sentence without a full stop, naming the path, host or program.
    pub message: String,
}

/// Kinds of [`HostError`]; decisions rest on these, never on the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostErrorKind {
    /// The effect was cancelled.
    Cancelled,
    /// No connection: refused, unreachable, reset before an answer.
    Connect,
    /// The connection broke while the body was read.
    Disconnected,
    /// No space left, quota exceeded.
    DiskFull,
    /// Another process has it open and lets nobody else write.
    InUse,
    /// A file is not what it was when the plan was made.
    Stale,
    /// A credential that the request needs is not set.
    MissingCredential,
    /// Name resolution failed.
    NameResolution,
    /// No such file or directory.
    NotFound,
    /// Anything else that the operating system reported.
    Other,
    /// Not permitted: file permissions, read-only file system, outside the writable roots.
    Permission,
    /// The sandbox could not be set up. Nothing was run.
    Sandbox,
    /// The program could not be started.
    Spawn,
    /// A deadline inside the adapter passed.
    TimedOut,
    /// TLS handshake or certificate failure.
    Tls,
    /// More than the stated bound.
    TooLarge,
}

impl HostError {
    /// Builds an error.
    pub fn new(kind: HostErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What the user can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self.kind {
            HostErrorKind::Connect => Some("check base_url, the network and HTTPS_PROXY"),
            HostErrorKind::DiskFull => Some("free some space, then repeat the prompt"),
            HostErrorKind::InUse => Some("close it there"),
            HostErrorKind::NameResolution => {
                Some("check the host name in base_url and the network")
            }
            HostErrorKind::Sandbox => Some("see docs/sandbox.md for what the kernel must allow"),
            HostErrorKind::Tls => {
                Some("set SSL_CERT_FILE or ca_bundle to the certificates of your proxy or server")
            }
            HostErrorKind::Cancelled
            | HostErrorKind::Disconnected
            // The message names the key that is missing and how to give it.
            | HostErrorKind::MissingCredential
            | HostErrorKind::NotFound
            | HostErrorKind::Other
            | HostErrorKind::Permission
            | HostErrorKind::Spawn
            | HostErrorKind::Stale
            | HostErrorKind::TimedOut
            | HostErrorKind::TooLarge => None,
        }
    }

    /// Whether the same request may succeed when it is sent again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            HostErrorKind::Connect
                | HostErrorKind::Disconnected
                | HostErrorKind::NameResolution
                | HostErrorKind::TimedOut
        )
    }
}

/// The user or a program asked for what cannot be done now.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Refused {
    /// Nobody asked that question, or it is answered.
    #[error("that question is answered or was never asked")]
    NoSuchApproval,
    /// No such command runs.
    #[error("there is no running command {command}")]
    NoSuchCommand {
        /// Which was meant.
        command: crate::CommandId,
    },
    /// A conversation by voice cannot be started or does not take this.
    #[error("{why}")]
    Realtime {
        /// One sentence without a full stop.
        why: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Another process has the thread to resume open.
    #[error("cannot resume {}: {why}; close it there, or go on in a fork of it", path.display())]
    InUse {
        /// The rollout.
        path: PathBuf,
        /// Who has it, e.g. `it is open in process 4711`.
        why: String,
    },
    /// A prompt had no content.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// Too many prompts are waiting.
    #[error("{limit} prompts are waiting already")]
    QueueFull {
        /// How many may wait.
        limit: usize,
    },
    /// The rollout of a thread to resume cannot be used.
    #[error("cannot resume {}: {why}", path.display())]
    Rollout {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the line where that is known.
        why: String,
    },
    /// The thread is stopping or stopped.
    #[error("the thread is stopping")]
    Stopping,
    /// Too many commands run.
    #[error("{limit} commands are running already; stop one first")]
    TooManyCommands {
        /// How many may run.
        limit: usize,
    },
    /// No thread has this id.
    #[error("there is no thread {thread}")]
    UnknownThread {
        /// The id that was asked for.
        thread: crate::ThreadId,
    },
}

/// Machine-readable reason of a failed turn: `turn.failed`'s `error.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnErrorCode {
    /// The server rejected the request as malformed (HTTP 400, `invalid_prompt`).
    BadRequest,
    /// No connection to the model.
    ConnectionFailed,
    /// The conversation no longer fits the model's window.
    ContextLengthExceeded,
    /// The policy of the provider forbids the request.
    CyberPolicy,
    /// The account has no quota left.
    InsufficientQuota,
    /// The user interrupted the turn.
    Interrupted,
    /// No credential for the provider.
    MissingCredential,
    /// The model stopped early and said so (`response.incomplete`).
    ResponseIncomplete,
    /// Too many requests; the demanded wait exceeds the retry budget or attempts ran out.
    RateLimited,
    /// The server failed (5xx, `response.failed`) and retries did not help.
    ServerError,
    /// The model is at capacity.
    ServerOverloaded,
    /// The stream ended or broke before the response was complete.
    StreamDisconnected,
    /// A named deadline passed while waiting for the model.
    TimedOut,
    /// The credential was refused (HTTP 401, 403).
    Unauthorized,
    /// Any other status.
    UnexpectedStatus,
    /// The plan's usage limit is reached until a stated time.
    UsageLimitReached,
    /// The plan does not include this use.
    UsageNotIncluded,
}

impl TurnErrorCode {
    /// The wire name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::ConnectionFailed => "connection_failed",
            Self::ContextLengthExceeded => "context_length_exceeded",
            Self::CyberPolicy => "cyber_policy",
            Self::InsufficientQuota => "insufficient_quota",
            Self::Interrupted => "interrupted",
            Self::MissingCredential => "missing_credential",
            Self::RateLimited => "rate_limited",
            Self::ResponseIncomplete => "response_incomplete",
            Self::ServerError => "server_error",
            Self::ServerOverloaded => "server_overloaded",
            Self::StreamDisconnected => "stream_disconnected",
            Self::TimedOut => "timed_out",
            Self::Unauthorized => "unauthorized",
            Self::UnexpectedStatus => "unexpected_status",
            Self::UsageLimitReached => "usage_limit_reached",
            Self::UsageNotIncluded => "usage_not_included",
        }
    }
}

/// Why a turn failed, as users and their programs see it.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct TurnError {
    /// For programs.
    pub code: TurnErrorCode,
    /// For people: one sentence.
    pub message: String,
    /// The next step, where one is known.
    pub hint: Option<String>,
    /// When the server said it will serve again (Unix seconds).
    pub resets_at: Option<i64>,
}

impl TurnError {
    /// Builds an error without a hint.
    pub fn new(code: TurnErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, resets_at: None }
    }

    /// Adds a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
