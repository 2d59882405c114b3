//! What the host needs of an adapter: one trait per family of effects.
//!
//! An executor starts what it is asked for and returns at once; replies go into the effect's own
//! bounded channel. When the loop does not read, the channel fills, the adapter stops reading, and
//! the peer feels it: that is the whole back-pressure. An executor that is done drops its sender
//! after the terminal reply. It holds no policy: no retry, no product decision.

use std::{pin::Pin, sync::Arc};

use codex_proto::{
    EffectId, EffectKind, HostError, HostErrorKind, Reply,
    effect::{
        AudioOpen, AudioPlay, HttpRequest, MicrophoneState, Preconnect, RtcAnswer, RtcOpen,
        RtcSend, ShellSnapshot, Signal, SocketMessage, SocketRequest, Spawn, TtySize,
    },
};

/// Where the replies of one effect go. Bounded by [`REPLIES_WAITING_MAX`]. Sending fails once the
/// host has ended; the work is then to be dropped.
pub type Replies = smol::channel::Sender<Reply>;

/// Replies of one effect that wait for the loop; the adapter blocks beyond it.
pub const REPLIES_WAITING_MAX: usize = 8;

/// What remains to be done for an effect; the host polls it on the thread of its loop.
pub type Work = Pin<Box<dyn Future<Output = ()>>>;

/// Sends requests and streams their answers.
pub trait HttpExecutor {
    /// Starts a request. Grammar: `Opened? Head Bytes* (Closed | Failed)`.
    fn start(&mut self, id: EffectId, request: HttpRequest, replies: Replies);

    /// Ends a request early; its terminal reply still comes, soon. Unknown ids are ignored.
    fn cancel(&mut self, id: EffectId);
}

/// Runs commands.
pub trait ProcessExecutor {
    /// Starts a command. Grammar: `Opened (Bytes | Tail)* Exited`, or `Failed`.
    fn spawn(&mut self, id: EffectId, spawn: Spawn, replies: Replies) -> Work;

    /// Takes a shell snapshot. Grammar: `Closed | Failed`.
    fn snapshot(&mut self, id: EffectId, snapshot: ShellSnapshot, replies: Replies) -> Work;

    /// Writes to a running command.
    fn stdin(&mut self, spawn: EffectId, bytes: Vec<u8>);

    /// Signals a running command.
    fn signal(&mut self, spawn: EffectId, signal: Signal);

    /// Tells a running command with a terminal its size.
    fn resize(&mut self, spawn: EffectId, size: TtySize);

    /// Asks a running command for the end of its output so far.
    fn flush(&mut self, spawn: EffectId);

    /// Kills what an effect started; its terminal reply still comes. Unknown ids are ignored.
    fn cancel(&mut self, id: EffectId);

    /// Kills everything, and waits until it is gone, two seconds at most.
    fn shutdown(&mut self) -> Work;
}

/// Opens sockets, and connections ahead of their use.
pub trait SocketExecutor {
    /// Opens a WebSocket. Grammar: `Opened (Bytes | Sent)* (Closed | Failed)`, or
    /// `Head Bytes* (Closed | Failed)` when the peer declines.
    fn start(&mut self, id: EffectId, request: SocketRequest, replies: Replies) -> Work;

    /// Sends over an open socket; unknown ids are ignored.
    fn send(&mut self, socket: EffectId, message: SocketMessage);

    /// Connects ahead of a request. Grammar: `Closed | Failed`.
    fn preconnect(&mut self, id: EffectId, connect: Preconnect, replies: Replies) -> Work;

    /// Ends a socket or a connecting early; its terminal reply still comes, soon. Unknown ids are
    /// ignored.
    fn cancel(&mut self, id: EffectId);
}

/// Moves audio: peers, microphones, speakers.
pub trait MediaExecutor {
    /// Makes a peer. Grammar: `Offer (Audio | Channel | Link | Sent)* (Closed | Failed)`.
    fn rtc(&mut self, id: EffectId, open: RtcOpen, replies: Replies) -> Work;

    /// Gives a peer its answer.
    fn answer(&mut self, answer: RtcAnswer);

    /// Sends over a peer's data channel.
    fn send(&mut self, send: RtcSend);

    /// Opens microphone and speaker without a peer. Grammar: `Opened Audio* (Closed | Failed)`.
    fn audio(&mut self, id: EffectId, open: AudioOpen, replies: Replies) -> Work;

    /// Plays samples.
    fn play(&mut self, play: AudioPlay);

    /// Sets the microphone of a peer or of open devices.
    fn microphone(&mut self, target: EffectId, state: MicrophoneState);

    /// Drops what waits to be played.
    fn clear(&mut self, target: EffectId);

    /// Closes a peer or devices; the terminal reply still comes, soon. Unknown ids are ignored.
    fn cancel(&mut self, id: EffectId);
}

/// Reads and writes files. Called on worker threads, from several at once.
pub trait FileExecutor: Send + Sync {
    /// Carries out one `Append`, `Image`, `Patch`, `Project`, `Read`, `Release` or `Survey`, and hands
    /// each reply to `reply`, which says whether anybody wants more; it may go on (syncing a file)
    /// after the terminal one. Blocking.
    fn execute(&self, kind: EffectKind, reply: &mut dyn FnMut(Reply) -> bool);
}

/// The executors of one host.
pub struct Executors {
    /// For `Http`.
    pub http: Box<dyn HttpExecutor>,
    /// For `RtcOpen`, `AudioOpen` and what goes to them.
    pub media: Box<dyn MediaExecutor>,
    /// For `Spawn`, `Stdin`, `Signal`, `Flush`, `Resize`, `Snapshot`.
    pub process: Box<dyn ProcessExecutor>,
    /// For `Socket`, `Send`, `Preconnect`.
    pub sockets: Box<dyn SocketExecutor>,
    /// For `Append`, `Image`, `Patch`, `Project`, `Read`, `Release`, `Survey`.
    pub files: Arc<dyn FileExecutor>,
}

impl std::fmt::Debug for Executors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executors").finish_non_exhaustive()
    }
}

/// Runs nothing: for embedders that offer the model no commands. Every command and snapshot fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCommands;

impl ProcessExecutor for NoCommands {
    fn spawn(&mut self, _: EffectId, _: Spawn, replies: Replies) -> Work {
        refuse(replies, NO_COMMANDS)
    }

    fn snapshot(&mut self, _: EffectId, _: ShellSnapshot, replies: Replies) -> Work {
        refuse(replies, NO_COMMANDS)
    }

    fn stdin(&mut self, _: EffectId, _: Vec<u8>) {}

    fn signal(&mut self, _: EffectId, _: Signal) {}

    fn resize(&mut self, _: EffectId, _: TtySize) {}

    fn flush(&mut self, _: EffectId) {}

    fn cancel(&mut self, _: EffectId) {}

    fn shutdown(&mut self) -> Work {
        Box::pin(async {})
    }
}

/// Opens nothing: for hosts without sockets. Every socket and connection fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSockets;

impl SocketExecutor for NoSockets {
    fn start(&mut self, _: EffectId, _: SocketRequest, replies: Replies) -> Work {
        refuse(replies, NO_SOCKETS)
    }

    fn send(&mut self, _: EffectId, _: SocketMessage) {}

    fn preconnect(&mut self, _: EffectId, _: Preconnect, replies: Replies) -> Work {
        refuse(replies, NO_SOCKETS)
    }

    fn cancel(&mut self, _: EffectId) {}
}

/// Moves no audio: for hosts and builds without voice. Every peer and device fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMedia;

impl MediaExecutor for NoMedia {
    fn rtc(&mut self, _: EffectId, _: RtcOpen, replies: Replies) -> Work {
        refuse(replies, NO_MEDIA)
    }

    fn answer(&mut self, _: RtcAnswer) {}

    fn send(&mut self, _: RtcSend) {}

    fn audio(&mut self, _: EffectId, _: AudioOpen, replies: Replies) -> Work {
        refuse(replies, NO_MEDIA)
    }

    fn play(&mut self, _: AudioPlay) {}

    fn microphone(&mut self, _: EffectId, _: MicrophoneState) {}

    fn clear(&mut self, _: EffectId) {}

    fn cancel(&mut self, _: EffectId) {}
}

const NO_COMMANDS: (HostErrorKind, &str) = (HostErrorKind::Spawn, "this host runs no commands");
const NO_MEDIA: (HostErrorKind, &str) =
    (HostErrorKind::Other, "this host has neither microphone nor speaker");
const NO_SOCKETS: (HostErrorKind, &str) = (HostErrorKind::Connect, "this host opens no sockets");

fn refuse(replies: Replies, (kind, message): (HostErrorKind, &'static str)) -> Work {
    let error = HostError::new(kind, message);
    Box::pin(async move {
        // An error means that the host has ended.
        let _ = replies.send(Reply::Failed(error)).await;
    })
}
