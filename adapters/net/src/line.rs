//! A line: one ureq agent for one origin, used by one request at a time.
//!
//! Shutting an agent down is how a blocked read is ended, and it ends everything the agent holds.
//! So each live request has an agent of its own. When the request ended by itself, its agent goes
//! back to the free list together with its pooled connection, and the next request to the same
//! origin takes it: that is keep-alive.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ureq::{
    Agent,
    unversioned::transport::{ConnectProxyConnector, Connector as _, SocksConnector, TcpConnector},
};

use crate::{
    bridge::Warmed,
    connect::{Bounded, Watching},
    progress::Progress,
    proxy::Route,
    resolve::{Lookups, Names},
    target::{Origin, Target},
    tls::{TlsConnector, Trust},
    wire::Wire,
};

/// Idle lines that are kept; the oldest goes first.
const LINES_IDLE_MAX: usize = 8;
/// An idle connection older than this is closed instead of used: long enough for a tool to run
/// between two requests, short enough that the peer or a middlebox has rarely forgotten it.
const IDLE_AGE_MAX: Duration = Duration::from_secs(60);
/// Read buffer of a connection; also bounds the head of a response.
const INPUT_BYTES: usize = 64 * 1024;
/// Write buffer of a connection.
const OUTPUT_BYTES: usize = 32 * 1024;
/// Longest head of a response; below [`INPUT_BYTES`] so that it is noticed.
const HEAD_BYTES_MAX: usize = 60 * 1024;

/// An agent and what its connectors share with the request in progress.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) agent: Agent,
    pub(crate) progress: Arc<Progress>,
    origin: Origin,
}

impl Line {
    fn new(target: &Target, route: Route, trust: Arc<Trust>, lookups: Arc<Lookups>) -> Self {
        let origin = target.origin();
        let config = Agent::config_builder()
            .proxy(match &route {
                Route::Tunnel(via) => Some(via.proxy.clone()),
                Route::Direct | Route::Forward(_) => None,
            })
            .http_status_as_error(false)
            // A redirect is an answer like any other: the engine names the new place to the user
            // rather than send a prompt and a token where nobody meant them to go.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Requests carry what the engine put in them and nothing that a library thinks nice.
            .user_agent("")
            .accept("")
            .accept_encoding("identity")
            .input_buffer_size(INPUT_BYTES)
            .output_buffer_size(OUTPUT_BYTES)
            .max_response_header_size(HEAD_BYTES_MAX)
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .max_idle_age(IDLE_AGE_MAX)
            .build();
        let progress = Arc::new(Progress::new(target, route));
        let chain =
            ().chain(Warmed::new(Arc::clone(&progress)))
                .chain(SocksConnector::default())
                .chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(TlsConnector::new(trust, Arc::clone(&progress)))
                .chain(Watching::new(Arc::clone(&progress)));
        let connector = Bounded::new(chain, Arc::clone(&progress));
        let names = Names::new(Arc::clone(&progress), lookups);
        Self { agent: Agent::with_parts(config, connector, names), progress, origin }
    }
}

/// The free list.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    idle: Mutex<Vec<(Instant, Line)>>,
    pub(crate) lookups: Arc<Lookups>,
}

impl Lines {
    /// The line of this origin that was used last, or a new one; `warm` is for a new one.
    pub(crate) fn take(
        &self,
        target: &Target,
        route: Route,
        trust: &Arc<Trust>,
        warm: Option<Wire>,
    ) -> Line {
        if warm.is_some() {
            let line = Line::new(target, route, Arc::clone(trust), Arc::clone(&self.lookups));
            line.progress.put_warm(warm);
            return line;
        }
        let mut idle = lock(&self.idle);
        idle.retain(|(since, _)| since.elapsed() < IDLE_AGE_MAX);
        let origin = target.origin();
        if let Some(index) = idle.iter().rposition(|(_, line)| line.origin == origin) {
            return idle.remove(index).1;
        }
        drop(idle);
        Line::new(target, route, Arc::clone(trust), Arc::clone(&self.lookups))
    }

    /// Takes back a line whose request ended by itself.
    pub(crate) fn put(&self, line: Line) {
        let mut idle = lock(&self.idle);
        if idle.len() == LINES_IDLE_MAX {
            idle.remove(0);
        }
        idle.push((Instant::now(), line));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
