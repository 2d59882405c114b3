//! Starts requests on threads, keeps those beyond the cap waiting, and ends them early.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsString,
    fmt,
    io::Read as _,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use async_channel::Sender;
use codex_proto::{
    EffectId, HostError, HostErrorKind, Reply,
    effect::{HttpHead, HttpRequest, PreconnectPurpose},
};
use ureq::{
    Body,
    http::{HeaderMap, HeaderName, Response, StatusCode, header},
};

use crate::{
    CaFile, Proxies, Secrets, Sockets,
    dial::Dialer,
    fault,
    line::Lines,
    progress::{Phase, Progress},
    request,
    stream::{Ended, Stream},
    target::Target,
    tls::Trust,
    warm::Warm,
};

/// Requests at a time, unless the configuration says otherwise.
pub const STREAMS_MAX: usize = 64;
/// Requests that may wait for a thread.
pub const QUEUE_MAX: usize = 1_024;
/// Longest `Bytes` reply.
pub const CHUNK_BYTES: usize = 16 * 1024;
/// Stack of a request's thread. Buffers are on the heap; the TLS handshake needs the most.
const STACK_BYTES: usize = 512 * 1024;

/// Headers of an answer that may carry a credential: nobody needs them, so nobody gets them.
const WITHHELD: [HeaderName; 4] =
    [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION, header::SET_COOKIE];

/// What [`Net`] needs to know. Nothing is read from the environment behind the caller's back.
#[derive(Clone, Debug)]
pub struct NetConfig {
    /// Credentials by name.
    pub secrets: Secrets,
    /// Certificates to trust beside the system's.
    pub ca_files: Vec<CaFile>,
    /// Proxy variables.
    pub proxies: Proxies,
    /// Requests at a time; further ones wait. At least 1.
    pub streams_max: usize,
}

impl Default for NetConfig {
    fn default() -> Self {
        Self {
            secrets: Secrets::new(),
            ca_files: Vec::new(),
            proxies: Proxies::default(),
            streams_max: STREAMS_MAX,
        }
    }
}

impl NetConfig {
    /// Reads the proxy variables and the CA file (`CODEX_CA_CERTIFICATE`, else `SSL_CERT_FILE`)
    /// through `variable`. An empty variable counts as unset.
    ///
    /// `NetConfig::from_env(|name| std::env::var_os(name))` reads the process's environment.
    pub fn from_env(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let ca_file = ["CODEX_CA_CERTIFICATE", "SSL_CERT_FILE"].into_iter().find_map(|name| {
            let path = variable(name).filter(|path| !path.is_empty())?;
            Some(CaFile { source: name.to_owned(), path: path.into() })
        });
        Self {
            ca_files: ca_file.into_iter().collect(),
            proxies: Proxies::from_env(variable),
            ..Self::default()
        }
    }

    /// Adds the `ca_bundle` of the configuration.
    #[must_use]
    pub fn with_ca_bundle(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_files.push(CaFile { source: "ca_bundle".to_owned(), path: path.into() });
        self
    }
}

/// Executes `Http` effects. Cheap to create and to clone; no thread runs before the first request.
#[derive(Clone)]
pub struct Net {
    shared: Arc<Shared>,
}

/// What requests and sockets have in common.
pub(crate) struct Shared {
    pub(crate) secrets: Secrets,
    pub(crate) proxies: Proxies,
    /// Connections that were made ahead.
    pub(crate) warm: Warm,
    streams_max: usize,
    trust: Arc<Trust>,
    lines: Lines,
    table: Mutex<Table>,
    thread_count: AtomicU64,
}

#[derive(Default)]
struct Table {
    /// Threads, each with one request; also those whose request was cancelled while connecting.
    running: usize,
    /// Requests that were asked for and have not ended.
    streams: BTreeMap<EffectId, Arc<Stream>>,
    queue: VecDeque<Job>,
}

struct Job {
    stream: Arc<Stream>,
    request: HttpRequest,
}

impl Net {
    /// Creates the adapter: microseconds, no file, no thread, no socket.
    #[must_use]
    pub fn new(config: NetConfig) -> Self {
        Self {
            shared: Arc::new(Shared {
                secrets: config.secrets,
                proxies: config.proxies,
                streams_max: config.streams_max.max(1),
                trust: Arc::new(Trust::new(config.ca_files)),
                lines: Lines::default(),
                warm: Warm::default(),
                table: Mutex::default(),
                thread_count: AtomicU64::new(0),
            }),
        }
    }

    /// What opens sockets and connects ahead, with the same certificates, proxies and credentials.
    #[must_use]
    pub fn sockets(&self) -> Sockets {
        Sockets::new(Arc::clone(&self.shared))
    }

    /// Starts a request. Never blocks.
    ///
    /// The replies are `Opened Head Bytes* (Closed | Failed)`; `Failed` may come at any point, and
    /// exactly one terminal reply comes as long as the receiver is read or dropped. `replies` must
    /// be a bounded channel that belongs to this request alone: when it is full, the request's
    /// thread stops reading, and so in the end does the server stop sending. Dropping the receiver
    /// closes the connection.
    pub fn start(&self, id: EffectId, request: HttpRequest, replies: Sender<Reply>) {
        let stream = Arc::new(Stream::new(id, replies));
        let job = Job { stream: Arc::clone(&stream), request };
        let mut table = self.shared.table();
        if table.running < self.shared.streams_max {
            table.running += 1;
            table.streams.insert(id, Arc::clone(&stream));
            drop(table);
            self.spawn(job);
        } else if table.queue.len() < QUEUE_MAX {
            table.streams.insert(id, stream);
            table.queue.push_back(job);
        } else {
            drop(table);
            stream.end(Reply::Failed(HostError::new(
                HostErrorKind::TooLarge,
                format!("{QUEUE_MAX} requests are waiting already"),
            )));
        }
    }

    /// Ends a request early. Never blocks.
    ///
    /// A waiting or connecting request fails with [`HostErrorKind::Cancelled`] before this
    /// returns. One whose connection is up has its socket closed before this returns, and the
    /// same terminal reply follows what is in the channel already. Unknown and ended requests are
    /// left alone.
    pub fn cancel(&self, id: EffectId) {
        let mut table = self.shared.table();
        let Some(stream) = table.streams.get(&id).cloned() else {
            return;
        };
        if let Some(index) = table.queue.iter().position(|job| job.stream.id == id) {
            table.queue.remove(index);
            table.streams.remove(&id);
        }
        drop(table);
        stream.cancel();
    }

    /// How many requests wait because `streams_max` others run.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.table().queue.len()
    }

    /// How many threads run requests, including those left behind while connecting, which end by
    /// their `connect_ms`.
    #[must_use]
    pub fn running(&self) -> usize {
        self.shared.table().running
    }

    fn spawn(&self, job: Job) {
        let number = self.shared.thread_count.fetch_add(1, Ordering::Relaxed) + 1;
        let shared = Arc::clone(&self.shared);
        let stream = Arc::clone(&job.stream);
        let thread = thread::Builder::new()
            .name(format!("codex-http-{number}"))
            .stack_size(STACK_BYTES)
            .spawn(move || shared.work(job));
        if let Err(why) = thread {
            let mut table = self.shared.table();
            table.running -= 1;
            table.streams.remove(&stream.id);
            drop(table);
            stream.end(Reply::Failed(HostError::new(
                HostErrorKind::Other,
                format!("cannot start a thread for a request: {why}"),
            )));
        }
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.shared.table();
        f.debug_struct("Net")
            .field("running", &table.running)
            .field("queued", &table.queue.len())
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// What connects.
    pub(crate) fn dialer(&self) -> Dialer<'_> {
        Dialer { trust: &self.trust, lookups: &self.lines.lookups }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread's life: its request, then whatever waits.
    fn work(&self, mut job: Job) {
        loop {
            let stream = Arc::clone(&job.stream);
            let id = stream.id;
            // A panic here is a bug, but the effect must end all the same.
            let result = panic::catch_unwind(AssertUnwindSafe(|| self.run(job)));
            let last = result.unwrap_or_else(|_| {
                Reply::Failed(HostError::new(HostErrorKind::Other, "the HTTP adapter panicked"))
            });
            stream.end(last);
            let mut table = self.table();
            table.streams.remove(&id);
            match table.queue.pop_front() {
                Some(next) => job = next,
                None => {
                    table.running -= 1;
                    return;
                }
            }
        }
    }

    /// One request; returns its terminal reply.
    fn run(&self, job: Job) -> Reply {
        match self.exchange(job) {
            Ok(()) => Reply::Closed,
            Err(error) => Reply::Failed(error),
        }
    }

    fn exchange(&self, job: Job) -> Result<(), HostError> {
        let Job { stream, request } = job;
        let connect_ms = request.connect_ms;
        let target = Target::parse(&request.url)?;
        let route = self.proxies.route(&target)?;
        let request = request::build(request, &target, &route, &self.secrets)?;
        let warm = self.warm.take(PreconnectPurpose::Http, &target.origin());
        let line = self.lines.take(&target, route, &self.trust, warm);
        if stream.connecting(line.agent.clone()).is_err() {
            // Cancelled a moment ago; the line was not used.
            self.lines.put(line);
            return Err(gone());
        }
        line.progress.begin(Some(Arc::clone(&stream)), connect_ms);
        let answer = line.agent.run(request);
        let result = match answer {
            Ok(response) => transfer(response, &stream, &line.progress),
            Err(error) => Err(fault::explain(error, &line.progress)),
        };
        line.progress.finish();
        if result.is_ok() && stream.complete().is_ok() {
            // Before the terminal reply, so that a request that it triggers finds the connection.
            self.lines.put(line);
        }
        result
    }
}

/// Passes the head and the body on.
fn transfer(
    response: Response<Body>,
    stream: &Stream,
    progress: &Progress,
) -> Result<(), HostError> {
    progress.enter(Phase::Body);
    let (parts, body) = response.into_parts();
    let head = head(parts.status, &parts.headers);
    send(stream, Reply::Head(Box::new(head)))?;
    let mut body = body.into_reader();
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let count = body.read(&mut buffer).map_err(|why| fault::explain(why.into(), progress))?;
        if count == 0 {
            break;
        }
        send(stream, Reply::Bytes(buffer[..count].to_vec()))?;
    }
    match progress.broken() {
        Some(why) => Err(fault::broken_body(&progress.place, &why)),
        None => Ok(()),
    }
}

/// The head of an answer as the engine gets it.
pub(crate) fn head(status: StatusCode, headers: &HeaderMap) -> HttpHead {
    let headers = headers.iter().filter_map(|(name, value)| {
        if WITHHELD.contains(name) {
            return None;
        }
        let value = std::str::from_utf8(value.as_bytes()).ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    HttpHead { status: status.as_u16(), headers: headers.collect() }
}

fn send(stream: &Stream, reply: Reply) -> Result<(), HostError> {
    stream.send(reply).map_err(|Ended| gone())
}

/// Stands for an end that the stream knows better.
fn gone() -> HostError {
    HostError::new(HostErrorKind::Cancelled, "nobody waits for the answer")
}
