//! The scripted realtime service on loopback: creates calls, answers them with a real WebRTC peer, and
//! takes sidebands and sockets.
//!
//! One thread runs everything. With a `round_trip` all of it is behind a `relay`, which holds
//! every byte and datagram for half of it.
//!
//! ```text
//! POST …/realtime/calls, …/live            creates a call: SDP (plain, multipart, JSON) -> SDP
//! GET  …/realtime?call_id=ID, …/live/ID    joins it as a sideband
//! GET  …/realtime?model=M, …/live          a conversation over the socket alone
//! ```

mod answer;
mod ask;
mod http;
mod peer;
mod relay;
mod seen;
mod session;
mod socket;
mod sound;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    io::{Error, ErrorKind, Result},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use smol::{
    Async, LocalExecutor, Timer,
    channel::{Receiver, Sender, bounded},
    future::FutureExt as _,
};

pub use self::seen::{Asked, Seen, SeenLog, Via, What};
use self::{http::Connection, relay::Relay, seen::Log, session::Session};
use crate::{Script, script::voice::VoiceScript, server::bind};

/// Calls and sockets at a time; more are refused.
const SESSIONS_MAX: usize = 64;

/// How to serve.
pub struct RealtimeOptions {
    /// Where to listen, on loopback; port 0 takes a free one.
    pub addr: SocketAddr,
    /// How long a byte to the service and back is held; zero for no relay.
    pub round_trip: Duration,
    /// Called for everything that is seen, on the service's thread.
    pub on_seen: Option<SeenLog>,
}

impl Default for RealtimeOptions {
    /// A free port of `127.0.0.1`, no relay, no log.
    fn default() -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            round_trip: Duration::ZERO,
            on_seen: None,
        }
    }
}

impl fmt::Debug for RealtimeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealtimeOptions")
            .field("addr", &self.addr)
            .field("round_trip", &self.round_trip)
            .finish_non_exhaustive()
    }
}

/// A running service. Dropping it stops it.
#[derive(Debug)]
pub struct RealtimeService {
    addr: SocketAddr,
    log: Arc<Log>,
    /// Closed to stop.
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl RealtimeService {
    /// Listens, and serves until the value is dropped.
    ///
    /// # Errors
    /// When the address is not a loopback one ([`ErrorKind::PermissionDenied`]), or cannot be bound.
    pub fn serve(script: Script, options: RealtimeOptions) -> Result<Self> {
        if !options.addr.ip().is_loopback() {
            let message =
                format!("{} can be reached from other machines; use 127.0.0.1", options.addr);
            return Err(Error::new(ErrorKind::PermissionDenied, message));
        }
        let relayed = !options.round_trip.is_zero();
        let inner = if relayed { (Ipv4Addr::LOCALHOST, 0).into() } else { options.addr };
        let listener = bind(inner)?;
        let front = if relayed { Some(bind(options.addr)?) } else { None };
        let addr = front.as_ref().unwrap_or(&listener).local_addr()?;
        let log = Arc::new(Log::new(options.on_seen));
        let (stop, stopped) = bounded::<()>(1);
        let half = options.round_trip / 2;
        let thread = std::thread::Builder::new().name("rehearsal-realtime".into()).spawn({
            let log = Arc::clone(&log);
            // Leaves the reactor to whoever else runs in the process.
            move || smol::future::block_on(run(listener, front, half, script, log, stopped))
        })?;
        Ok(Self { addr, log, stop, thread: Some(thread) })
    }

    /// Where the service listens, with the port that it was given.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where calls are created: `…/realtime/calls` follows.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// Where sockets go.
    #[must_use]
    pub fn socket_url(&self) -> String {
        format!("ws://{}/v1", self.addr)
    }

    /// Everything that was seen so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.log.all()
    }

    /// Waits until something that fits is seen, or was; `None` when the time is over.
    #[must_use]
    pub fn wait_for(&self, fits: impl Fn(&Seen) -> bool, within: Duration) -> Option<Seen> {
        self.log.wait_for(fits, within)
    }
}

impl Drop for RealtimeService {
    fn drop(&mut self) {
        self.stop.close();
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// What all tasks share.
pub(crate) struct Service {
    pub(crate) executor: Rc<LocalExecutor<'static>>,
    pub(crate) script: Script,
    pub(crate) voice: Arc<VoiceScript>,
    pub(crate) log: Arc<Log>,
    pub(crate) relay: Option<Relay>,
    /// What every peer needs and what takes long: made once.
    pub(crate) peers: peer::Ahead,
    pub(crate) sessions: RefCell<BTreeMap<String, Rc<Session>>>,
    calls: Cell<usize>,
    joins: Cell<usize>,
}

impl Service {
    /// The next one of a list whose last one stays, and its number from 0.
    fn turn<'a, T>(count: &Cell<usize>, list: &'a [T]) -> (usize, Option<&'a T>) {
        let number = count.get();
        count.set(number + 1);
        (number, list.get(number).or(list.last()))
    }

    /// A new session.
    pub(crate) fn session(self: &Rc<Self>, id: &str) -> Option<Rc<Session>> {
        let mut sessions = self.sessions.borrow_mut();
        if sessions.len() >= SESSIONS_MAX {
            return None;
        }
        let session = Session::new(Rc::downgrade(self), &self.script, id);
        sessions.insert(id.to_owned(), Rc::clone(&session));
        Some(session)
    }

    /// Runs beside everything else.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        self.executor.spawn(work).detach();
    }
}

async fn run(
    listener: TcpListener,
    front: Option<TcpListener>,
    half: Duration,
    script: Script,
    log: Arc<Log>,
    stopped: Receiver<()>,
) {
    let executor = Rc::new(LocalExecutor::new());
    let relay = front.is_some().then(|| Relay::new(Rc::clone(&executor), half));
    let service = Rc::new(Service {
        executor: Rc::clone(&executor),
        voice: script.voice.clone().unwrap_or_default(),
        script,
        log,
        relay,
        peers: peer::Ahead::make(),
        sessions: RefCell::default(),
        calls: Cell::new(0),
        joins: Cell::new(0),
    });
    let work = async {
        let Ok(inner) = listener.local_addr() else { return };
        if let (Some(front), Some(relay)) = (front, &service.relay) {
            relay.tcp(front, inner);
        }
        let Ok(listener) = Async::new(listener) else { return };
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    // Its events are small, and each is waited for.
                    let _ = stream.get_ref().set_nodelay(true);
                    service.spawn(Connection::new(Rc::clone(&service), stream).serve());
                }
                // The connection is gone again, or descriptors are short: others may still come.
                Err(_) => {
                    Timer::after(Duration::from_millis(50)).await;
                }
            }
        }
    };
    let stop = async {
        // Nothing is ever sent; it ends when the service is dropped.
        let _ = stopped.recv().await;
    };
    executor.run(stop.or(work)).await;
}
