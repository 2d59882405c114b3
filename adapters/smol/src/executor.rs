//! What the host needs of an adapter: one trait per family of effects.
//!
//! An executor starts what it is asked for and returns at once; replies go into the effect's own
//! bounded channel. When the loop does not read, the channel fills, the adapter stops reading, and
//! the peer feels it: that is the whole back-pressure. An executor that is done drops its sender
//! after the terminal reply. It holds no policy: no retry, no product decision.

use std::{pin::Pin, sync::Arc};

use codex_proto::{
    EffectId, EffectKind, HostError, HostErrorKind, Reply,
    effect::{HttpRequest, ShellSnapshot, Signal, Spawn},
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

    /// Asks a running command for the end of its output so far.
    fn flush(&mut self, spawn: EffectId);

    /// Kills what an effect started; its terminal reply still comes. Unknown ids are ignored.
    fn cancel(&mut self, id: EffectId);

    /// Kills everything, and waits until it is gone, two seconds at most.
    fn shutdown(&mut self) -> Work;
}

/// Reads and writes files. Called on worker threads, from several at once.
pub trait FileExecutor: Send + Sync {
    /// Carries out one `Append`, `Image`, `Patch`, `Project` or `Read`, and hands each reply to
    /// `reply`, which says whether anybody wants more; it may go on (syncing a file) after the
    /// terminal one. Blocking.
    fn execute(&self, kind: EffectKind, reply: &mut dyn FnMut(Reply) -> bool);
}

/// The executors of one host.
pub struct Executors {
    /// For `Http`.
    pub http: Box<dyn HttpExecutor>,
    /// For `Spawn`, `Stdin`, `Signal`, `Flush`, `Snapshot`.
    pub process: Box<dyn ProcessExecutor>,
    /// For `Append`, `Image`, `Patch`, `Project`, `Read`.
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
        refuse(replies)
    }

    fn snapshot(&mut self, _: EffectId, _: ShellSnapshot, replies: Replies) -> Work {
        refuse(replies)
    }

    fn stdin(&mut self, _: EffectId, _: Vec<u8>) {}

    fn signal(&mut self, _: EffectId, _: Signal) {}

    fn flush(&mut self, _: EffectId) {}

    fn cancel(&mut self, _: EffectId) {}

    fn shutdown(&mut self) -> Work {
        Box::pin(async {})
    }
}

fn refuse(replies: Replies) -> Work {
    let error = HostError::new(HostErrorKind::Spawn, "this host runs no commands");
    Box::pin(async move {
        // An error means that the host has ended.
        let _ = replies.send(Reply::Failed(error)).await;
    })
}
