//! Effects: what the engine asks of the host; replies: what the host answers.
//!
//! Each effect has a reply grammar, checked by [`Grammar`] in the host (debug builds) and in the
//! simulator (always). `Failed` and the other *terminal* replies end an effect; there is exactly
//! one, also after a [`EffectKind::Cancel`].
//!
//! ```text
//! Append   : Closed | Failed
//! Http     : Opened? Head Bytes* (Closed | Failed)      Failed may come at any point
//! Image    : Bytes* (Closed | Failed)                   the bytes of a data URL
//! Patch    : Closed | Failed
//! Project  : Project Closed | Failed
//! Read     : Bytes* (Closed | Failed)
//! Snapshot : Closed | Failed
//! Spawn    : Opened (Bytes | Tail)* Exited | Failed     Failed instead of Opened, or after it
//! Cancel, Flush, Signal, Stdin : no reply
//! ```

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    error::HostError,
    id::{EffectId, ThreadId},
    policy::{EnvPolicy, SandboxPolicy},
    settings::{AuthRef, HeaderValue, ProjectSettings, Shell},
};

/// One thing the host is asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Its replies carry this.
    pub id: EffectId,
    /// What to do.
    pub kind: EffectKind,
}

/// What the host can be asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    /// Appends lines to a rollout. Lane: one per thread, finished in order.
    Append(Append),
    /// Ends an effect early. Its terminal reply still comes, and is swallowed.
    Cancel(EffectId),
    /// Asks a running `Spawn` for the end of its output so far: it answers with one `Tail` (empty
    /// when nothing was held back) and starts a fresh head.
    Flush(EffectId),
    /// Sends a request and streams the answer.
    Http(Box<HttpRequest>),
    /// Reads an image, scales it to fit, and answers with a data URL.
    Image {
        /// Absolute path.
        path: PathBuf,
    },
    /// Writes files, all or none. Lane: one per thread.
    Patch(Box<FilePatch>),
    /// Looks at the project around a directory: documents and version control.
    Project(Box<ProjectQuery>),
    /// Reads a file.
    Read {
        /// Absolute path.
        path: PathBuf,
        /// A larger file fails with [`crate::HostErrorKind::TooLarge`].
        bytes_max: u64,
    },
    /// Signals a running `Spawn`.
    Signal {
        /// The `Spawn`.
        spawn: EffectId,
        /// Which signal.
        signal: Signal,
    },
    /// Starts the login shell once and writes its functions, aliases and exports to a file.
    Snapshot(Box<ShellSnapshot>),
    /// Starts a command.
    Spawn(Box<Spawn>),
    /// Writes to the standard input of a running `Spawn`.
    Stdin {
        /// The `Spawn`.
        spawn: EffectId,
        /// What to write.
        #[serde(with = "crate::journal::bytes")]
        bytes: Vec<u8>,
    },
}

impl EffectKind {
    /// Whether the host answers this effect at all.
    #[must_use]
    pub fn has_replies(&self) -> bool {
        !matches!(self, Self::Cancel(_) | Self::Flush(_) | Self::Signal { .. } | Self::Stdin { .. })
    }

    /// The lane: effects with equal lanes finish in order; `None` is a lane of its own.
    #[must_use]
    pub fn lane(&self) -> Option<(LaneKind, ThreadId)> {
        match self {
            Self::Append(append) => Some((LaneKind::Append, append.thread)),
            Self::Patch(patch) => Some((LaneKind::Patch, patch.thread)),
            Self::Cancel(_)
            | Self::Flush(_)
            | Self::Http(_)
            | Self::Image { .. }
            | Self::Project(_)
            | Self::Read { .. }
            | Self::Signal { .. }
            | Self::Snapshot(_)
            | Self::Spawn(_)
            | Self::Stdin { .. } => None,
        }
    }

    /// A short name for traces.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Append(_) => "append",
            Self::Cancel(_) => "cancel",
            Self::Flush(_) => "flush",
            Self::Http(_) => "http",
            Self::Image { .. } => "image",
            Self::Patch(_) => "patch",
            Self::Project(_) => "project",
            Self::Read { .. } => "read",
            Self::Signal { .. } => "signal",
            Self::Snapshot(_) => "snapshot",
            Self::Spawn(_) => "spawn",
            Self::Stdin { .. } => "stdin",
        }
    }
}

/// Kinds of lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneKind {
    /// Rollout writes of one thread.
    Append,
    /// File changes of one thread.
    Patch,
}

/// Lines for a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Append {
    /// Whose rollout.
    pub thread: ThreadId,
    /// Absolute path; the file and its folders are created when missing.
    pub path: PathBuf,
    /// Whole lines, each ended by LF. Written by one call; a partial write is undone.
    #[serde(with = "crate::journal::bytes")]
    pub bytes: Vec<u8>,
    /// Sync the file after answering `Closed`.
    pub sync: bool,
}

/// A request whose answer is streamed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Absolute, with query.
    pub url: String,
    /// In order; names in lower case. `authorization` is not among them.
    pub headers: Vec<(String, HeaderValue)>,
    /// The bearer token to add.
    pub auth: Option<AuthRef>,
    /// The body, empty for none.
    #[serde(with = "crate::journal::bytes")]
    pub body: Vec<u8>,
    /// Longest time for name resolution, connection and TLS together, in milliseconds; enforced
    /// by the adapter, which alone sees these phases.
    pub connect_ms: u64,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("auth", &self.auth)
            .field("body", &String::from_utf8_lossy(&self.body))
            .finish_non_exhaustive()
    }
}

/// Request methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// File changes that are applied together.
///
/// The adapter checks every `before` first and fails with [`crate::HostErrorKind::Stale`] when
/// one does not hold; it writes new contents beside their targets, renames them into place, and
/// undoes what it did when a later step fails. Paths are opened beneath the roots of `sandbox`, so
/// a symbolic link swapped in later cannot lead outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePatch {
    /// Whose patch.
    pub thread: ThreadId,
    /// Where writing is allowed.
    pub sandbox: SandboxPolicy,
    /// One per path, no path twice.
    pub files: Vec<FileWrite>,
}

/// What becomes of one path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileWrite {
    /// Absolute.
    pub path: PathBuf,
    /// SHA-256 of the content the plan was made from; `None` when there was no file.
    pub before: Option<Digest>,
    /// The new content; `None` deletes the file.
    #[serde(with = "crate::journal::bytes::optional")]
    pub after: Option<Vec<u8>>,
    /// Take permission bits from this file instead (the source of a move).
    pub mode_from: Option<PathBuf>,
}

/// SHA-256 of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Digests bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Where to look for project documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectQuery {
    /// The thread's working directory.
    pub cwd: PathBuf,
    /// Holds the global documents.
    pub codex_home: PathBuf,
    /// Names and limits.
    pub settings: ProjectSettings,
}

/// What was found around a working directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectInfo {
    /// The global document of `CODEX_HOME`, untrimmed.
    pub global_doc: Option<String>,
    /// Project documents from the root down to the working directory; at most one a folder.
    pub docs: Vec<ProjectDoc>,
    /// What could not be read, one sentence each.
    pub warnings: Vec<String>,
    /// Version control, if any.
    pub git: Option<GitInfo>,
}

/// One AGENTS.md or its kin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectDoc {
    /// Absolute path.
    pub path: PathBuf,
    /// Its text, cut at the budget; the engine applies the budget over all documents.
    pub text: String,
    /// Bytes of the whole file.
    pub bytes: u64,
}

/// State of the git work tree, for `session_meta`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitInfo {
    /// The commit of HEAD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_hash: Option<String>,
    /// The branch of HEAD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// URL of `origin`, without credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository_url: Option<String>,
}

/// A shell snapshot to take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellSnapshot {
    /// The login shell.
    pub shell: Shell,
    /// Where it starts.
    pub cwd: PathBuf,
    /// Which variables the shell gets and may export.
    pub env: EnvPolicy,
    /// Where to write; mode 0600, folders created.
    pub path: PathBuf,
    /// Longest run of the shell, in milliseconds.
    pub deadline_ms: u64,
}

/// A command to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawn {
    /// Program and arguments, as shown to people.
    pub argv: Vec<String>,
    /// Absolute.
    pub cwd: PathBuf,
    /// Which inherited variables it gets.
    pub env: EnvPolicy,
    /// Set after everything inherited, in order; an empty value sets an empty variable.
    pub env_overlay: Vec<(String, String)>,
    /// What it may touch. Fixed per session.
    pub sandbox: SandboxPolicy,
    /// A shell snapshot to source first; the adapter wraps `argv`, which must be
    /// `[shell, -c | -lc, script]`.
    pub snapshot: Option<PathBuf>,
    /// Whether standard input is a pipe; otherwise it is empty.
    pub stdin: bool,
    /// Where the whole merged output goes once it exceeds `spool_after_bytes`; folders are
    /// created.
    pub spool: PathBuf,
    /// Output up to this size leaves no file. At most `head_bytes`.
    pub spool_after_bytes: usize,
    /// Bytes sent as they come, until the next `Flush`; later ones are held back.
    pub head_bytes: usize,
    /// Bytes at the end that are kept while holding back.
    pub tail_bytes: usize,
    /// The spool file stops growing here, and the cut is counted.
    pub spool_bytes_max: u64,
}

/// Signals for commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGINT to the command's process group.
    Interrupt,
    /// SIGKILL to everything the command started.
    Kill,
    /// SIGTERM to the command's process group.
    Terminate,
}

/// One answer to an effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Some content.
    Bytes(#[serde(with = "crate::journal::bytes")] Vec<u8>),
    /// The end: everything asked was done.
    Closed,
    /// The end of a command.
    Exited(Exit),
    /// The end: it could not be done, or not to the end.
    Failed(HostError),
    /// Status and headers of a response.
    Head(Box<HttpHead>),
    /// A connection is up, or a command runs.
    Opened,
    /// What the project looks like.
    Project(Box<ProjectInfo>),
    /// The end of a command's output so far, after bytes that were left out.
    Tail {
        /// Bytes between the last `Bytes` or `Tail` and this one that are not sent.
        omitted_bytes: u64,
        /// What follows them.
        #[serde(with = "crate::journal::bytes")]
        bytes: Vec<u8>,
    },
}

impl Reply {
    /// Whether this ends its effect.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Closed | Self::Exited(_) | Self::Failed(_))
    }
}

/// How a command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit code, or 128 + signal number.
    pub code: i32,
    /// All bytes it printed.
    pub output_bytes: u64,
    /// The file that holds the output, when it exceeded `spool_after_bytes`.
    pub spool: Option<PathBuf>,
    /// Bytes that the spool file does not hold because it reached its bound.
    pub spool_cut_bytes: u64,
}

/// Status and headers of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpHead {
    /// Status code.
    pub status: u16,
    /// Names in lower case; values that are not UTF-8, and cookies and credentials, are left out.
    pub headers: Vec<(String, String)>,
}

impl HttpHead {
    /// The first value of a header, by lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// Checks the replies of one effect against its grammar.
///
/// States: `Start`, `Opened`, `Body`, `Done`; see the table in the module's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grammar {
    shape: Shape,
    state: GrammarState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Bytes,
    Http,
    Project,
    Spawn,
    Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GrammarState {
    Body,
    Done,
    Opened,
    Start,
}

impl Grammar {
    /// The grammar of an effect; `None` when it has no replies.
    #[must_use]
    pub fn of(kind: &EffectKind) -> Option<Self> {
        let shape = match kind {
            EffectKind::Append(_) | EffectKind::Patch(_) | EffectKind::Snapshot(_) => Shape::Unit,
            EffectKind::Image { .. } | EffectKind::Read { .. } => Shape::Bytes,
            EffectKind::Http(_) => Shape::Http,
            EffectKind::Project(_) => Shape::Project,
            EffectKind::Spawn(_) => Shape::Spawn,
            EffectKind::Cancel(_)
            | EffectKind::Flush(_)
            | EffectKind::Signal { .. }
            | EffectKind::Stdin { .. } => return None,
        };
        Some(Self { shape, state: GrammarState::Start })
    }

    /// Takes the next reply.
    ///
    /// # Errors
    /// When the grammar does not allow it here; the state is then unchanged.
    pub fn on(&mut self, reply: &Reply) -> Result<(), GrammarError> {
        use GrammarState::{Body, Done, Opened, Start};
        self.state = match (self.shape, self.state, reply) {
            (_, Start | Opened | Body, Reply::Failed(_))
            | (Shape::Unit | Shape::Bytes, Start, Reply::Closed)
            | (Shape::Bytes | Shape::Http | Shape::Project, Body, Reply::Closed)
            | (Shape::Spawn, Body, Reply::Exited(_)) => Done,
            (Shape::Bytes, Start | Body, Reply::Bytes(_))
            | (Shape::Http, Start | Opened, Reply::Head(_))
            | (Shape::Http, Body, Reply::Bytes(_))
            | (Shape::Project, Start, Reply::Project(_))
            | (Shape::Spawn, Start, Reply::Opened)
            | (Shape::Spawn, Body, Reply::Bytes(_) | Reply::Tail { .. }) => Body,
            (Shape::Http, Start, Reply::Opened) => Opened,
            _ => return Err(GrammarError),
        };
        Ok(())
    }

    /// Whether the terminal reply was taken.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == GrammarState::Done
    }
}

/// A reply came where the grammar of its effect has no place for it: a bug in an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reply is not allowed here by the grammar of its effect")]
pub struct GrammarError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spawn_opens_before_it_prints_and_ends_once() {
        let spawn = EffectKind::Spawn(Box::new(Spawn {
            argv: vec!["true".into()],
            cwd: "/".into(),
            env: EnvPolicy::default(),
            env_overlay: Vec::new(),
            sandbox: SandboxPolicy::read_only(),
            snapshot: None,
            stdin: false,
            spool: "/tmp/s".into(),
            spool_after_bytes: 1,
            head_bytes: 1,
            tail_bytes: 1,
            spool_bytes_max: 1,
        }));
        let mut grammar = Grammar::of(&spawn).unwrap();
        assert!(grammar.on(&Reply::Bytes(vec![1])).is_err());
        assert!(grammar.on(&Reply::Opened).is_ok());
        assert!(grammar.on(&Reply::Bytes(vec![1])).is_ok());
        assert!(grammar.on(&Reply::Closed).is_err());
        assert!(grammar.on(&Reply::Exited(Exit::default())).is_ok());
        assert!(grammar.is_done());
        assert!(grammar.on(&Reply::Exited(Exit::default())).is_err());
    }
}
