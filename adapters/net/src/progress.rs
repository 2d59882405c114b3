//! How far the request on a line has come.
//!
//! | phase        | entered when                   | next                                         |
//! |--------------|--------------------------------|----------------------------------------------|
//! | `Connecting` | a request begins, or an        | `Resolving`, `Tunnelling`, `Securing`,       |
//! |              | address is tried               | `Open`                                       |
//! | `Resolving`  | a name is looked up            | `Connecting`                                 |
//! | `Tunnelling` | a proxy is asked for the rest  | `Securing`, `Open`                           |
//! | `Securing`   | the TLS handshake begins       | `Tunnelling` (it was the proxy's), `Open`    |
//! | `Open`       | the connection is up           | `Body`                                       |
//! | `Body`       | the head has come              |                                              |
//!
//! Any of them is followed by the end of the request.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{proxy::Route, stream::Stream, target::Target, wire::Wire};

/// How far the request on a line has come. Written by the connectors, read for error texts.
#[derive(Debug)]
pub(crate) struct Progress {
    /// `host:port` of the target.
    pub(crate) place: String,
    /// Its host alone.
    pub(crate) host: String,
    /// The way there.
    pub(crate) route: Route,
    /// A connection that was made ahead.
    warm: Mutex<Option<Wire>>,
    attempt: Mutex<Option<Attempt>>,
}

#[derive(Debug)]
struct Attempt {
    /// The request; `None` where something else is connected.
    stream: Option<Arc<Stream>>,
    deadline: Option<Instant>,
    connect_ms: u64,
    phase: Phase,
    broken: Option<String>,
}

/// What the request is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Asking for the addresses of this host.
    Resolving(String),
    /// Opening a TCP connection to this place.
    Connecting(String),
    /// Waiting for the proxy to reach the target.
    Tunnelling,
    /// TLS handshake.
    Securing,
    /// The connection is up; the request is sent and the head awaited.
    Open,
    /// The body comes.
    Body,
}

impl Progress {
    pub(crate) fn new(target: &Target, route: Route) -> Self {
        Self {
            place: target.place(),
            host: target.host.clone(),
            route,
            warm: Mutex::new(None),
            attempt: Mutex::new(None),
        }
    }

    /// Where the connection leads that was made ahead, if there is one.
    pub(crate) fn warm_peer(&self) -> Option<SocketAddr> {
        lock(&self.warm).as_ref().map(|wire| wire.peer)
    }

    /// Gives the request a connection that was made ahead.
    pub(crate) fn put_warm(&self, wire: Option<Wire>) {
        *lock(&self.warm) = wire;
    }

    /// Takes the connection that was made ahead.
    pub(crate) fn take_warm(&self) -> Option<Wire> {
        lock(&self.warm).take()
    }

    /// A request begins.
    pub(crate) fn begin(&self, stream: Option<Arc<Stream>>, connect_ms: u64) {
        *lock(&self.attempt) = Some(Attempt {
            stream,
            deadline: Instant::now().checked_add(Duration::from_millis(connect_ms)),
            connect_ms,
            phase: Phase::Connecting(self.place.clone()),
            broken: None,
        });
    }

    /// The request is over.
    pub(crate) fn finish(&self) {
        *lock(&self.attempt) = None;
    }

    pub(crate) fn enter(&self, phase: Phase) {
        if let Some(attempt) = &mut *lock(&self.attempt) {
            attempt.phase = phase;
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match &*lock(&self.attempt) {
            Some(attempt) => attempt.phase.clone(),
            None => Phase::Connecting(self.place.clone()),
        }
    }

    /// The request about to be written, when its connection has not been reported as up.
    pub(crate) fn unopened(&self) -> Option<Arc<Stream>> {
        let attempt = lock(&self.attempt);
        let attempt = attempt.as_ref()?;
        let open = matches!(attempt.phase, Phase::Open | Phase::Body);
        if open { None } else { attempt.stream.clone() }
    }

    /// What is left of the time for the connection; `None` when there is no limit.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let deadline = lock(&self.attempt).as_ref()?.deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// The time that the connection had, in milliseconds.
    pub(crate) fn connect_ms(&self) -> u64 {
        lock(&self.attempt).as_ref().map_or(0, |attempt| attempt.connect_ms)
    }

    /// Remembers that the socket broke, because ureq takes a reset for the end of a body that has
    /// neither a length nor chunks.
    pub(crate) fn broke(&self, why: String) {
        if let Some(attempt) = &mut *lock(&self.attempt) {
            attempt.broken = Some(why);
        }
    }

    /// Why the socket broke, if it did.
    pub(crate) fn broken(&self) -> Option<String> {
        lock(&self.attempt).as_ref()?.broken.clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
