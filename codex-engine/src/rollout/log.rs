//! The rollout of a thread, as a machine: every recorded item passes here.
//!
//! ```text
//! Idle    --flush--> Writing     one Append in flight, later lines wait their turn
//! Writing --Closed--> Idle       its tickets are settled
//! Writing --Failed--> Idle       one warning; the lines are kept for the next Append
//! ```
//!
//! When another process turns out to have the file, nothing is written any more.
//!
//! A [`Ticket`] says which write holds a line: a tool starts only after the line of its call has
//! settled, a turn ends only after its last line has.

use std::path::{Path, PathBuf};

use codex_proto::{
    EffectKind, HostError, HostErrorKind, Reply, Wall,
    effect::Append,
    item::ResponseItem,
    rollout::{self, LineKind},
};

use crate::{
    limits::LOG_PENDING_BYTES_MAX,
    machine::{Cx, Part},
};

const MACHINE: &str = "rollout";

/// Names the write that holds a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct RolloutLog {
    /// `None` for ephemeral threads.
    path: Option<PathBuf>,
    /// Another process has the file.
    is_taken: bool,
    /// Lines that the host failed to write; they lead the next write.
    unsaved: Vec<u8>,
    /// Lines that are not yet handed to the host.
    pending: Vec<u8>,
    sync: bool,
    writing: Option<Writing>,
    /// Writes begun so far.
    begun: u64,
    /// Whether the last write failed; the warning is given once until one succeeds.
    failing: bool,
    lost_bytes: u64,
}

#[derive(Clone, Debug)]
struct Writing {
    /// Kept to try again.
    bytes: Vec<u8>,
    sync: bool,
}

impl RolloutLog {
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self {
            path,
            is_taken: false,
            unsaved: Vec::new(),
            pending: Vec::new(),
            sync: false,
            writing: None,
            begun: 0,
            failing: false,
            lost_bytes: 0,
        }
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Where it writes; nowhere means that everything settles at once.
    fn target(&self) -> Option<&PathBuf> {
        self.path.as_ref().filter(|_| !self.is_taken)
    }

    /// Records a line; it is written at the next [`flush`](Self::flush).
    pub(crate) fn record(&mut self, wall: Wall, kind: LineKind, payload: &str) {
        if self.target().is_some() {
            rollout::push_line(&mut self.pending, wall, kind, payload);
        }
    }

    pub(crate) fn record_item(&mut self, wall: Wall, item: &ResponseItem) {
        self.record(wall, LineKind::ResponseItem, item.json());
    }

    /// Records whole lines of another rollout.
    pub(crate) fn take_over(&mut self, lines: &[u8]) {
        if self.target().is_some() {
            self.pending.extend_from_slice(lines);
        }
    }

    /// Asks that everything recorded so far reaches the disk, not only the kernel.
    pub(crate) fn request_sync(&mut self) {
        self.sync = true;
    }

    /// The write that holds the line recorded last.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.begun + u64::from(!self.pending.is_empty()))
    }

    /// Whether a line has been handed to the kernel, or has failed to and was reported.
    pub(crate) fn is_settled(&self, ticket: Ticket) -> bool {
        let settled = self.begun - u64::from(self.writing.is_some());
        ticket.0 <= settled || self.target().is_none()
    }

    /// Hands recorded lines to the host, unless a write is under way. Lines that failed before go
    /// along, but do not cause a write of their own: trying the same bytes at once would only
    /// fail again.
    pub(crate) fn flush(&mut self, cx: &mut Cx<'_>) {
        if self.writing.is_none() && !self.pending.is_empty() {
            self.write(cx);
        }
    }

    /// Asks for the file of a resumed thread before there is anything to write, so that one which cannot
    /// be written is told of at once.
    pub(crate) fn claim(&mut self, cx: &mut Cx<'_>) {
        if self.writing.is_none() {
            self.write(cx);
        }
    }

    /// One last try for lines that failed before, at the end of a thread.
    pub(crate) fn flush_unsaved(&mut self, cx: &mut Cx<'_>) {
        if self.writing.is_none() && !(self.pending.is_empty() && self.unsaved.is_empty()) {
            self.write(cx);
        }
    }

    /// The thread ends: what could not be written until now is lost, and that is said; another
    /// process may have the file.
    pub(crate) fn give_up(&mut self, cx: &mut Cx<'_>) {
        let unsaved = std::mem::take(&mut self.unsaved);
        if !unsaved.is_empty() {
            self.lose(unsaved.len(), None, cx);
        }
        if let Some(path) = self.target().cloned().filter(|_| self.begun > 0) {
            cx.release(path);
        }
    }

    fn lose(&mut self, bytes: usize, error: Option<&HostError>, cx: &mut Cx<'_>) {
        self.lost_bytes += bytes as u64;
        let cause = error.map(|error| format!(": {error}")).unwrap_or_default();
        cx.warn(format!(
            "{} bytes of the transcript could not be saved and are lost{cause}",
            self.lost_bytes
        ));
    }

    fn write(&mut self, cx: &mut Cx<'_>) {
        let Some(path) = self.target().cloned() else { return };
        let mut bytes = std::mem::take(&mut self.unsaved);
        bytes.append(&mut self.pending);
        let sync = std::mem::take(&mut self.sync);
        self.begun += 1;
        let append = Append { thread: cx.thread, path, bytes: bytes.clone(), sync };
        cx.start(Part::Append, EffectKind::Append(append));
        self.writing = Some(Writing { bytes, sync });
        cx.moved(MACHINE, "Idle", "flush", "Writing");
    }

    /// Whether a write is under way.
    pub(crate) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    pub(crate) fn on_reply(&mut self, reply: Reply, cx: &mut Cx<'_>) {
        let Some(writing) = self.writing.take() else { return };
        match reply {
            Reply::Failed(error) => {
                cx.moved(MACHINE, "Writing", "Failed", "Idle");
                self.on_failed(writing, &error, cx);
            }
            _ => {
                cx.moved(MACHINE, "Writing", "Closed", "Idle");
                self.failing = false;
            }
        }
    }

    fn on_failed(&mut self, writing: Writing, error: &HostError, cx: &mut Cx<'_>) {
        if error.kind == HostErrorKind::InUse {
            // What another process has is never written between, also when it lets go of it.
            self.is_taken = true;
            self.pending.clear();
            return cx.warn(format!("nothing more of this conversation is saved: {error}"));
        }
        self.sync |= writing.sync;
        if writing.bytes.len() > LOG_PENDING_BYTES_MAX {
            self.lose(writing.bytes.len(), Some(error), cx);
        } else {
            self.unsaved = writing.bytes;
            if !self.failing {
                cx.warn(format!(
                    "the transcript cannot be saved for now: {error}; it is kept in memory and \
                     written when that is possible again"
                ));
            }
        }
        self.failing = true;
    }
}
