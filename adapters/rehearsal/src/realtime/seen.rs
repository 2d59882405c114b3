//! What a service has seen, for tests and measurements.

use std::{
    fmt,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Called for everything that is seen.
pub type SeenLog = Box<dyn Fn(&Seen) + Send + Sync>;

/// Entries that are kept; later ones are only told to `on_seen`.
const ENTRIES_MAX: usize = 100_000;

/// Something that a service has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// Which call; empty where none is meant.
    pub session: String,
    /// What.
    pub what: What,
}

/// What can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The first audio that is not an echo of ours.
    Audio,
    /// The creation of a call was answered with this status.
    CallAnswered(u16),
    /// The creation of a call was asked for.
    CallAsked(Asked),
    /// The data channel is open.
    ChannelOpen,
    /// A handshake for a socket was asked for.
    JoinAsked(Asked),
    /// A handshake was declined with this status.
    JoinDeclined(u16),
    /// A socket is open.
    Joined,
    /// Media is up.
    MediaUp,
    /// A socket is closed, by whom ever, with this code where one was given.
    SocketClosed(Option<u16>),
    /// A message of the client.
    Text(Via, String),
}

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Path and query.
    pub target: String,
    /// Names in lower case, in order. Values that hold credentials are replaced by `(hidden)`.
    pub headers: Vec<(String, String)>,
    /// The `session` part of a call, as it was sent.
    pub session: Option<String>,
}

/// Which way a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// The data channel.
    Channel,
    /// A socket.
    Socket,
}

/// Everything that was seen.
pub(crate) struct Log {
    entries: Mutex<Vec<Seen>>,
    changed: Condvar,
    on_seen: Option<SeenLog>,
}

impl Log {
    pub(crate) fn new(on_seen: Option<SeenLog>) -> Self {
        Self { entries: Mutex::default(), changed: Condvar::new(), on_seen }
    }

    pub(crate) fn see(&self, session: &str, what: What) {
        let seen = Seen { at: Instant::now(), session: session.to_owned(), what };
        if let Some(on_seen) = &self.on_seen {
            on_seen(&seen);
        }
        let mut entries = self.lock();
        if entries.len() < ENTRIES_MAX {
            entries.push(seen);
        }
        drop(entries);
        self.changed.notify_all();
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.lock().clone()
    }

    pub(crate) fn wait_for(&self, fits: impl Fn(&Seen) -> bool, within: Duration) -> Option<Seen> {
        let until = Instant::now() + within;
        let mut entries = self.lock();
        loop {
            if let Some(seen) = entries.iter().find(|seen| fits(seen)) {
                return Some(seen.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.changed.wait_timeout(entries, left);
            entries = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("entries", &self.lock().len()).finish_non_exhaustive()
    }
}
