//! Effects: what the engine asks of the host; replies: what the host answers.
//!
//! Each effect has a reply grammar, checked by [`Grammar`] in the host (debug builds) and in the
//! simulator (always). `Failed` and the other *terminal* replies end an effect; there is exactly
//! one, also after a [`EffectKind::Cancel`].
//!
//! ```text
//! Append   : Closed | Failed
//! AudioOpen: Opened Audio* (Closed | Failed)            Failed may come at any point
//! Http     : Opened? Head Bytes* (Closed | Failed)      Failed may come at any point
//! Image    : Bytes* (Closed | Failed)                   the bytes of a data URL
//! Patch    : Closed | Failed
//! Preconnect: Closed | Failed                           Closed: the connection is up and kept
//! Project  : Project Closed | Failed
//! Read     : Bytes* (Closed | Failed)
//! Release  : Closed | Failed
//! RtcOpen  : Offer (Audio | Channel | Link | Sent)* (Closed | Failed)    Failed at any point
//! Snapshot : Closed | Failed
//! Socket   : Opened (Bytes | Sent)* (Closed | Failed)   or, when the peer declines,
//!            Head Bytes* (Closed | Failed)              Failed may come at any point
//! Spawn    : Opened (Bytes | Tail)* Exited | Failed     Failed instead of Opened, or after it
//! Survey   : Survey Closed | Failed
//! AudioPlay, Cancel, Flush, Microphone, PlaybackClear, Resize, RtcAnswer, RtcSend, Send, Signal,
//! Stdin    : no reply
//! ```

mod rtc;
mod socket;

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    error::HostError,
    id::{EffectId, ThreadId},
    policy::{EnvPolicy, SandboxPolicy},
    settings::{AuthRef, HeaderValue, ProjectSettings, Shell},
};

pub use self::{
    rtc::{
        AudioDevice, AudioDevices, AudioNews, AudioOpen, AudioPlay, ChannelNews, LinkState,
        MicrophoneState, Pcm, RtcAnswer, RtcOpen, RtcSend,
    },
    socket::{Preconnect, PreconnectPurpose, Send, SocketMessage, SocketRequest},
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
    /// Opens microphone and speaker without a peer.
    AudioOpen(AudioOpen),
    /// Plays samples on an `AudioOpen`.
    AudioPlay(AudioPlay),
    /// Ends an effect early. Its terminal reply still comes, and is swallowed.
    Cancel(EffectId),
    /// Asks a running `Spawn` for the end of its output so far: it answers with one `Tail` (empty
    /// when nothing was held back) and starts a fresh head.
    Flush(EffectId),
    /// Sends a request and streams the answer.
    Http(Box<HttpRequest>),
    /// Sets the microphone of an `AudioOpen` or `RtcOpen`.
    Microphone {
        /// Which.
        target: EffectId,
        /// What it does from now on.
        state: MicrophoneState,
    },
    /// Reads an image, scales it to fit, and answers with a data URL.
    Image {
        /// Absolute path.
        path: PathBuf,
    },
    /// Writes files, all or none. Lane: one per thread.
    Patch(Box<FilePatch>),
    /// Drops what waits to be played on an `AudioOpen` or `RtcOpen`.
    PlaybackClear {
        /// Which.
        target: EffectId,
    },
    /// Connects ahead of a request.
    Preconnect(Box<Preconnect>),
    /// Looks at the project around a directory: documents and version control.
    Project(Box<ProjectQuery>),
    /// Reads a file.
    Read {
        /// Absolute path.
        path: PathBuf,
        /// A larger file fails with [`crate::HostErrorKind::TooLarge`].
        bytes_max: u64,
    },
    /// Gives up a rollout, which another process may append to from then on. Lane: the thread's
    /// appends.
    Release {
        /// Whose rollout.
        thread: ThreadId,
        /// Its file.
        path: PathBuf,
    },
    /// Tells a running `Spawn` with a terminal its size.
    Resize {
        /// The `Spawn`.
        spawn: EffectId,
        /// The size.
        size: TtySize,
    },
    /// Gives an `RtcOpen` the peer's answer.
    RtcAnswer(Box<RtcAnswer>),
    /// Makes a WebRTC peer.
    RtcOpen(Box<RtcOpen>),
    /// Sends over the data channel of an `RtcOpen`.
    RtcSend(Box<RtcSend>),
    /// Sends over a `Socket`.
    Send(Box<Send>),
    /// Signals a running `Spawn`.
    Signal {
        /// The `Spawn`.
        spawn: EffectId,
        /// Which signal.
        signal: Signal,
    },
    /// Starts the login shell once and writes its functions, aliases and exports to a file.
    Snapshot(Box<ShellSnapshot>),
    /// Opens a WebSocket.
    Socket(Box<SocketRequest>),
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
    /// Looks at what the user has been working on.
    Survey(Box<SurveyQuery>),
}

impl EffectKind {
    /// Whether the host answers this effect at all.
    #[must_use]
    pub fn has_replies(&self) -> bool {
        !matches!(
            self,
            Self::AudioPlay(_)
                | Self::Cancel(_)
                | Self::Flush(_)
                | Self::Microphone { .. }
                | Self::PlaybackClear { .. }
                | Self::Resize { .. }
                | Self::RtcAnswer(_)
                | Self::RtcSend(_)
                | Self::Send(_)
                | Self::Signal { .. }
                | Self::Stdin { .. }
        )
    }

    /// The lane: effects with equal lanes finish in order; `None` is a lane of its own.
    #[must_use]
    pub fn lane(&self) -> Option<(LaneKind, ThreadId)> {
        match self {
            Self::Append(append) => Some((LaneKind::Append, append.thread)),
            Self::Release { thread, .. } => Some((LaneKind::Append, *thread)),
            Self::Patch(patch) => Some((LaneKind::Patch, patch.thread)),
            Self::AudioOpen(_)
            | Self::AudioPlay(_)
            | Self::Cancel(_)
            | Self::Flush(_)
            | Self::Http(_)
            | Self::Image { .. }
            | Self::Microphone { .. }
            | Self::PlaybackClear { .. }
            | Self::Preconnect(_)
            | Self::Project(_)
            | Self::Read { .. }
            | Self::Resize { .. }
            | Self::RtcAnswer(_)
            | Self::RtcOpen(_)
            | Self::RtcSend(_)
            | Self::Send(_)
            | Self::Signal { .. }
            | Self::Snapshot(_)
            | Self::Socket(_)
            | Self::Spawn(_)
            | Self::Stdin { .. }
            | Self::Survey(_) => None,
        }
    }

    /// A short name for traces.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Append(_) => "append",
            Self::AudioOpen(_) => "audio_open",
            Self::AudioPlay(_) => "audio_play",
            Self::Cancel(_) => "cancel",
            Self::Flush(_) => "flush",
            Self::Http(_) => "http",
            Self::Image { .. } => "image",
            Self::Microphone { .. } => "microphone",
            Self::Patch(_) => "patch",
            Self::PlaybackClear { .. } => "playback_clear",
            Self::Preconnect(_) => "preconnect",
            Self::Project(_) => "project",
            Self::Read { .. } => "read",
            Self::Release { .. } => "release",
            Self::Resize { .. } => "resize",
            Self::RtcAnswer(_) => "rtc_answer",
            Self::RtcOpen(_) => "rtc_open",
            Self::RtcSend(_) => "rtc_send",
            Self::Send(_) => "send",
            Self::Signal { .. } => "signal",
            Self::Snapshot(_) => "snapshot",
            Self::Socket(_) => "socket",
            Self::Spawn(_) => "spawn",
            Self::Stdin { .. } => "stdin",
            Self::Survey(_) => "survey",
        }
    }
}

/// Kinds of lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneKind {
    /// Rollout writes of one thread, and its release.
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
    /// Whole lines, each ended by LF. Written by one call; a partial write is undone. None claims a
    /// file that is there: no other process may write it from then on. When another one has it
    /// already, that fails with [`crate::HostErrorKind::InUse`], as every append does.
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

/// What to look at for the startup context of a conversation by voice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurveyQuery {
    /// The thread's working directory.
    pub cwd: PathBuf,
    /// Holds the rollouts.
    pub codex_home: PathBuf,
    /// Threads that are looked at, the newest.
    pub threads_max: u32,
    /// Depth of the directory map.
    pub depth_max: u32,
    /// Entries of a folder that are named.
    pub entries_max: u32,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// Recent threads, the newest first.
    pub threads: Vec<RecentThread>,
    /// The directory map: one entry a line, indented by depth.
    pub map: Vec<String>,
}

/// A recent thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentThread {
    /// Its id.
    pub thread: ThreadId,
    /// Where it worked.
    pub cwd: PathBuf,
    /// The branch it began on.
    pub branch: Option<String>,
    /// What the user asked, oldest first, cut at 240 characters each, the first eight.
    pub asks: Vec<String>,
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
    /// A terminal of its own, of this size, for standard input, output and error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<TtySize>,
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

/// The size of a terminal, in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TtySize {
    /// Lines.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
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
    /// News of the devices.
    Audio(AudioNews),
    /// Some content.
    Bytes(#[serde(with = "crate::journal::bytes")] Vec<u8>),
    /// News of the data channel.
    Channel(ChannelNews),
    /// The end: everything asked was done.
    Closed,
    /// The end of a command.
    Exited(Exit),
    /// The end: it could not be done, or not to the end.
    Failed(HostError),
    /// Status and headers of a response.
    Head(Box<HttpHead>),
    /// Where the peer connection stands.
    Link(LinkState),
    /// The session description to send to the peer.
    Offer(String),
    /// A connection is up, a command runs, or devices are open.
    Opened,
    /// What the project looks like.
    Project(Box<ProjectInfo>),
    /// This many more messages were handed to the kernel.
    Sent {
        /// Since the last such reply.
        messages: u32,
    },
    /// What the user has been working on.
    Survey(Box<Survey>),
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
    /// A short name for traces.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Audio(_) => "audio",
            Self::Bytes(_) => "bytes",
            Self::Channel(_) => "channel",
            Self::Closed => "closed",
            Self::Exited(_) => "exited",
            Self::Failed(_) => "failed",
            Self::Head(_) => "head",
            Self::Link(_) => "link",
            Self::Offer(_) => "offer",
            Self::Opened => "opened",
            Self::Project(_) => "project",
            Self::Sent { .. } => "sent",
            Self::Survey(_) => "survey",
            Self::Tail { .. } => "tail",
        }
    }

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
    Audio,
    Bytes,
    Http,
    Project,
    Rtc,
    Socket,
    Spawn,
    Survey,
    Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GrammarState {
    Body,
    Done,
    /// A socket whose peer declined.
    Declined,
    Opened,
    Start,
}

impl Grammar {
    /// The grammar of an effect; `None` when it has no replies.
    #[must_use]
    pub fn of(kind: &EffectKind) -> Option<Self> {
        let shape = match kind {
            EffectKind::Append(_)
            | EffectKind::Patch(_)
            | EffectKind::Preconnect(_)
            | EffectKind::Release { .. }
            | EffectKind::Snapshot(_) => Shape::Unit,
            EffectKind::AudioOpen(_) => Shape::Audio,
            EffectKind::Image { .. } | EffectKind::Read { .. } => Shape::Bytes,
            EffectKind::Http(_) => Shape::Http,
            EffectKind::Project(_) => Shape::Project,
            EffectKind::RtcOpen(_) => Shape::Rtc,
            EffectKind::Socket(_) => Shape::Socket,
            EffectKind::Spawn(_) => Shape::Spawn,
            EffectKind::Survey(_) => Shape::Survey,
            EffectKind::AudioPlay(_)
            | EffectKind::Cancel(_)
            | EffectKind::Flush(_)
            | EffectKind::Microphone { .. }
            | EffectKind::PlaybackClear { .. }
            | EffectKind::Resize { .. }
            | EffectKind::RtcAnswer(_)
            | EffectKind::RtcSend(_)
            | EffectKind::Send(_)
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
        use GrammarState::{Body, Declined, Done, Opened, Start};
        self.state = match (self.shape, self.state, reply) {
            (_, Start | Opened | Body | Declined, Reply::Failed(_))
            | (Shape::Unit | Shape::Bytes, Start, Reply::Closed)
            | (
                Shape::Audio
                | Shape::Bytes
                | Shape::Http
                | Shape::Project
                | Shape::Rtc
                | Shape::Socket
                | Shape::Survey,
                Body,
                Reply::Closed,
            )
            | (Shape::Socket, Declined, Reply::Closed)
            | (Shape::Spawn, Body, Reply::Exited(_)) => Done,
            (Shape::Audio | Shape::Socket | Shape::Spawn, Start, Reply::Opened)
            | (Shape::Audio, Body, Reply::Audio(_))
            | (Shape::Bytes, Start | Body, Reply::Bytes(_))
            | (Shape::Http, Start | Opened, Reply::Head(_))
            | (Shape::Http, Body, Reply::Bytes(_))
            | (Shape::Project, Start, Reply::Project(_))
            | (Shape::Rtc, Start, Reply::Offer(_))
            | (
                Shape::Rtc,
                Body,
                Reply::Audio(_) | Reply::Channel(_) | Reply::Link(_) | Reply::Sent { .. },
            )
            | (Shape::Socket, Body, Reply::Bytes(_) | Reply::Sent { .. })
            | (Shape::Survey, Start, Reply::Survey(_))
            | (Shape::Spawn, Body, Reply::Bytes(_) | Reply::Tail { .. }) => Body,
            (Shape::Http, Start, Reply::Opened) => Opened,
            (Shape::Socket, Start, Reply::Head(_)) | (Shape::Socket, Declined, Reply::Bytes(_)) => {
                Declined
            }
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
            tty: None,
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
