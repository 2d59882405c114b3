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

mod append;
mod grammar;
mod http;
mod patch;
mod project;
mod reply;
mod rtc;
mod snapshot;
mod socket;
mod spawn;
mod survey;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::id::{EffectId, ThreadId};

pub use self::{
    append::Append,
    grammar::{Grammar, GrammarError},
    http::{HttpHead, HttpRequest, Method},
    patch::{Digest, FilePatch, FileWrite},
    project::{GitInfo, ProjectDoc, ProjectInfo, ProjectQuery},
    reply::Reply,
    rtc::{
        AudioDevice, AudioDevices, AudioNews, AudioOpen, AudioPlay, ChannelNews, LinkState,
        MicrophoneState, Pcm, RtcAnswer, RtcOpen, RtcSend,
    },
    snapshot::ShellSnapshot,
    socket::{Preconnect, PreconnectPurpose, Send, SocketMessage, SocketRequest},
    spawn::{Exit, Signal, Spawn, TtySize},
    survey::{RecentThread, Survey, SurveyQuery},
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
