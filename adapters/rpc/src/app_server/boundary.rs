//! What goes in and out beside lines: ops for engines, questions to the host and their answers.

use std::{fmt, path::PathBuf};

use codex_proto::{
    Op, OpId, ThreadId,
    config::Secret,
    policy::{ApprovalPolicy, SandboxMode},
};

/// Names one engine and what runs it. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);

/// Names one question to the host. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// What the program around the translator has to do, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A question; exactly one [`Told`] answers it.
    Ask(AskId, Ask),
    /// Ends an engine that nobody needs any more: its ops are closed. Nothing answers.
    CloseHost(HostId),
    /// A line for the client, with its LF.
    Line(Vec<u8>),
    /// An op for an open engine.
    Op {
        /// Which.
        host: HostId,
        /// Its id, never used twice.
        id: OpId,
        /// The op.
        op: Box<Op>,
    },
}

/// A question to the host.
#[derive(Clone, PartialEq)]
pub enum Ask {
    /// What credential there is: [`Told::Account`].
    Account,
    /// Where the rollout of a thread is: [`Told::Rollout`].
    FindThread {
        /// Which thread.
        thread: ThreadId,
        /// Where the client says it is.
        path: Option<PathBuf>,
    },
    /// Stores an API key: [`Told::Done`]. The only way a credential takes through the translator;
    /// no copy stays behind.
    Login(Secret),
    /// Removes the stored credential: [`Told::Done`].
    Logout,
    /// Opens an engine: [`Told::Host`].
    OpenHost {
        /// What it is called from now on.
        host: HostId,
        /// What it runs with.
        request: Box<HostRequest>,
    },
}

// A key is among them.
impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => f.write_str("Account"),
            Self::FindThread { thread, .. } => write!(f, "FindThread({thread})"),
            Self::Login(_) => f.write_str("Login(***)"),
            Self::Logout => f.write_str("Logout"),
            Self::OpenHost { host, request } => write!(f, "OpenHost({}, {request:?})", host.0),
        }
    }
}

/// What an engine runs with, beside the configuration. Threads with equal requests share one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HostRequest {
    /// Names the client to the provider and in rollouts.
    pub originator: String,
    /// Working directory; `None` takes the process's.
    pub cwd: Option<PathBuf>,
    /// Model slug.
    pub model: Option<String>,
    /// When to ask.
    pub approval: Option<ApprovalPolicy>,
    /// What commands may touch.
    pub sandbox: Option<SandboxMode>,
    /// `key=value`, as on the command line, values in TOML; later ones win.
    pub set: Vec<String>,
    /// Whether threads leave no rollout.
    pub ephemeral: bool,
}

// Overrides may carry a credential.
impl fmt::Debug for HostRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostRequest")
            .field("cwd", &self.cwd)
            .field("model", &self.model)
            .field("approval", &self.approval)
            .field("sandbox", &self.sandbox)
            .field("set", &self.set.len())
            .field("ephemeral", &self.ephemeral)
            .finish_non_exhaustive()
    }
}

/// An answer of the host.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// What credential there is.
    Account(Account),
    /// It is done.
    Done,
    /// It cannot be done: one sentence, with what to do about it where that is known.
    Failed(String),
    /// The engine runs.
    Host(HostFacts),
    /// A rollout.
    Rollout {
        /// The file.
        path: PathBuf,
        /// Where its last turn worked.
        cwd: PathBuf,
    },
}

/// What credential there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Which kind, if any.
    pub login: Option<Login>,
    /// Whether the configured provider needs one.
    pub is_needed: bool,
}

/// Kinds of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// An API key.
    ApiKey,
}

/// What a client may want to know of an engine's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// `service_tier` as sent.
    pub service_tier: Option<String>,
    /// Whether the feature `realtime_conversation` is on.
    pub has_voice: bool,
    /// What is odd about the configuration, one sentence each.
    pub warnings: Vec<String>,
}

/// Facts about this program and the machine, for `initialize`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// Version of this program.
    pub version: String,
    /// E.g. `linux`.
    pub os: String,
    /// E.g. `unix`.
    pub family: String,
    /// E.g. `x86_64`.
    pub arch: String,
    /// The terminal, or `unknown`.
    pub terminal: String,
    /// `CODEX_HOME`, absolute.
    pub codex_home: PathBuf,
}
