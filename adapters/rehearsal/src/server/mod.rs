//! The scripted model on a socket: HTTP/1.1 with keep-alive and chunked bodies.
//!
//! One thread accepts, each connection has a thread of its own, and all share the model, so steps
//! go to requests in the order in which these have arrived whole. `wire` reads requests and writes
//! answers; this file is about listening, bounds, and stopping.

mod wire;

use std::{
    collections::BTreeMap,
    fmt,
    io::{Error, ErrorKind, Result},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{model::ScriptedModel, script::Script};

/// How long [`Server::stop`] waits for connections to end.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// Sees each request; see [`ServerOptions::on_request`].
pub type RequestLog = Box<dyn Fn(&LoggedRequest<'_>) + Send + Sync>;

/// How to serve.
pub struct ServerOptions {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// Whether `addr` may be reached from other machines. Without it, only loopback is accepted.
    pub allow_remote: bool,
    /// Connections at a time; more get 503.
    pub connections_max: usize,
    /// Largest request body, in bytes; larger ones get 413.
    pub body_bytes_max: usize,
    /// Longest silence of a client between or inside requests, and longest time that it may
    /// leave an answer unread.
    pub client_wait_max: Duration,
    /// Called for each request before it is answered, on the connection's thread.
    pub on_request: Option<RequestLog>,
}

impl Default for ServerOptions {
    /// A free port of `127.0.0.1`, 64 connections, bodies of 64 MiB, 10 minutes, no log.
    fn default() -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            allow_remote: false,
            connections_max: 64,
            body_bytes_max: 64 << 20,
            client_wait_max: Duration::from_secs(600),
            on_request: None,
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("addr", &self.addr)
            .field("allow_remote", &self.allow_remote)
            .field("connections_max", &self.connections_max)
            .field("body_bytes_max", &self.body_bytes_max)
            .field("client_wait_max", &self.client_wait_max)
            .finish_non_exhaustive()
    }
}

/// A request as the log sees it.
#[derive(Clone, Debug)]
pub struct LoggedRequest<'a> {
    /// Counts all requests of the server, from 1.
    pub number: u64,
    /// The method.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// Names in lower case, in order. Values that hold credentials are replaced by `(hidden)`.
    pub headers: &'a [(String, String)],
    /// The body, as it was sent.
    pub body: &'a [u8],
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// What the threads of a server share.
#[derive(Debug)]
struct Shared {
    options: ServerOptions,
    model: Mutex<ScriptedModel>,
    state: Mutex<State>,
    /// Told when the server stops and when a connection ends.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    requests: u64,
    next_connection: u64,
    connections: BTreeMap<u64, Arc<TcpStream>>,
}

impl Server {
    /// Listens, and serves until the value is dropped or stopped.
    ///
    /// # Errors
    /// When the address is not a loopback one and `allow_remote` is not set
    /// ([`ErrorKind::PermissionDenied`]), or when it cannot be bound.
    pub fn serve(script: Script, options: ServerOptions) -> Result<Self> {
        if !options.addr.ip().is_loopback() && !options.allow_remote {
            let message = format!(
                "{} can be reached from other machines; use 127.0.0.1 or [::1], or allow it",
                options.addr
            );
            return Err(Error::new(ErrorKind::PermissionDenied, message));
        }
        let listener = bind(options.addr)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            options,
            model: Mutex::new(ScriptedModel::new(script)),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let accepting = {
            let shared = shared.clone();
            std::thread::Builder::new()
                .name("rehearsal-accept".into())
                .spawn(move || accept(&listener, &shared))?
        };
        Ok(Self { addr, shared, accepting: Some(accepting) })
    }

    /// Where the server listens, with the port that it was given.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What a client sets as `base_url`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// How many requests have arrived whole, on any path.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.state().requests
    }

    /// Lines of the steps that have not answered yet; see [`ScriptedModel::unused_lines`].
    #[must_use]
    pub fn unused_lines(&self) -> Vec<usize> {
        locked(&self.shared.model).unused_lines()
    }

    /// Blocks until another thread has the server stopped, which ends the process of a server
    /// that is run by hand only by a signal.
    pub fn wait(&self) {
        let mut state = self.shared.state();
        while !state.stopping {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Stops: nothing more is accepted, open connections are shut, their threads end. Gives the
    /// number of connections that were still open; waits for them 5 seconds at most.
    pub fn stop(mut self) -> usize {
        self.shut()
    }

    fn shut(&mut self) -> usize {
        let Some(accepting) = self.accepting.take() else { return 0 };
        let open = {
            let mut state = self.shared.state();
            state.stopping = true;
            for stream in state.connections.values() {
                // A stream that its peer has closed cannot be shut, and need not be.
                let _ = stream.shutdown(Shutdown::Both);
            }
            state.connections.len()
        };
        self.shared.changed.notify_all();
        // The accepting thread looks at `stopping` after each connection; this is one. Should it
        // fail, the thread ends with the next one instead.
        let mut wake = self.addr;
        if wake.ip().is_unspecified() {
            wake.set_ip(match wake.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        if TcpStream::connect_timeout(&wake, STOP_WAIT).is_ok() {
            let _ = accepting.join();
        }
        let deadline = Instant::now() + STOP_WAIT;
        let mut state = self.shared.state();
        while !state.connections.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        open
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shut();
    }
}

/// Listens; an error says where.
pub(crate) fn bind(addr: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(addr)
        .map_err(|error| Error::new(error.kind(), format!("cannot listen on {addr}: {error}")))
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let accepted = listener.accept();
        if shared.state().stopping {
            return;
        }
        let stream = match accepted {
            Ok((stream, _)) => Arc::new(stream),
            // The connection is gone again, or descriptors are short: others may still come.
            Err(_) => {
                shared.pause(Duration::from_millis(50));
                continue;
            }
        };
        let Some(id) = shared.admit(&stream) else {
            wire::refuse(&stream);
            continue;
        };
        let seat = Seat { id, shared: shared.clone() };
        // When no thread can be had the closure is dropped, and with it the seat and the socket.
        let _ = std::thread::Builder::new().name(format!("rehearsal-{id}")).spawn(move || {
            // Whatever broke the connection is the client's to see.
            let end = wire::converse(&stream, &seat.shared);
            if let Ok(wire::Ending::Reset) = end {
                wire::reset_on_close(&stream);
            }
            // The last owner closes the socket: leave the table first.
            drop(seat);
            drop(stream);
        });
    }
}

/// A connection's place in the table, given back also when its thread panics.
struct Seat {
    id: u64,
    shared: Arc<Shared>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let stream = self.shared.state().connections.remove(&self.id);
        drop(stream);
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Takes a connection into the table, if there is room.
    fn admit(&self, stream: &Arc<TcpStream>) -> Option<u64> {
        let mut state = self.state();
        if state.connections.len() >= self.options.connections_max {
            return None;
        }
        state.next_connection += 1;
        let id = state.next_connection;
        state.connections.insert(id, stream.clone());
        Some(id)
    }

    /// Waits; false when the server stops meanwhile.
    fn pause(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let mut state = self.state();
        while !state.stopping {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }
}

/// The values behind the locks are whole at every moment, also after a panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
