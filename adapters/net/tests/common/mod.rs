//! A scripted server on loopback, made of threads, and small wrappers around [`Net`].

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

pub mod tls;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    num::NonZeroU64,
    thread,
    time::Duration,
};

use async_channel::{Receiver, Sender};
use async_io::Timer;
use codex_net::{Net, NetConfig};
use codex_proto::{
    EffectId, EffectKind, HostError, HostErrorKind, Reply,
    effect::{Grammar, HttpHead, HttpRequest, Method},
};

/// Bounds a wait that only a failure makes long, however busy the machine is.
pub const LONG: Duration = Duration::from_secs(120);

/// Serves each connection on a thread of its own; returns the address.
pub fn serve(script: impl Fn(TcpStream) + Send + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let script = script.clone();
            thread::spawn(move || script(stream.unwrap()));
        }
    });
    address
}

/// A request as the server got it.
#[derive(Debug, Default)]
pub struct Seen {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// Reads a request; `None` when the client closed the connection.
pub fn read_request(stream: &mut impl Read) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let text = String::from_utf8(head).unwrap();
    let mut lines = text.lines();
    let mut seen = Seen { line: lines.next().unwrap().to_owned(), ..Seen::default() };
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap();
        seen.headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    if let Some(length) = seen.header("content-length") {
        seen.body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut seen.body).ok()?;
    }
    Some(seen)
}

/// Answers every request of a connection with 200 and this body.
pub fn answer(body: &'static str) -> impl Fn(TcpStream) + Send + Clone + 'static {
    move |mut stream| {
        while read_request(&mut stream).is_some() {
            write_answer(&mut stream, body);
        }
    }
}

pub fn write_answer(stream: &mut impl Write, body: &str) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let _ = stream.write_all((head + body).as_bytes());
    let _ = stream.flush();
}

pub fn get(url: impl Into<String>) -> HttpRequest {
    HttpRequest {
        method: Method::Get,
        url: url.into(),
        headers: Vec::new(),
        auth: None,
        body: Vec::new(),
        connect_ms: 120_000,
    }
}

pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> HttpRequest {
    HttpRequest { method: Method::Post, body: body.into(), ..get(url) }
}

pub fn id(number: u64) -> EffectId {
    EffectId(NonZeroU64::new(number).unwrap())
}

/// Replies of one request, checked against the grammar as they come.
pub struct Replies {
    receiver: Receiver<Reply>,
    grammar: Grammar,
}

/// Runs an effect that a future carries out; `make` gets where its replies go.
pub fn drive<F: Future<Output = ()> + Send + 'static>(
    kind: &EffectKind,
    make: impl FnOnce(Sender<Reply>) -> F,
) -> Replies {
    let grammar = Grammar::of(kind).unwrap();
    let (sender, receiver) = async_channel::bounded(4);
    let work = make(sender);
    thread::spawn(move || async_io::block_on(work));
    Replies { receiver, grammar }
}

impl Replies {
    /// The next reply; `None` after the terminal one.
    pub fn next(&mut self) -> Option<Reply> {
        let late = async {
            Timer::after(LONG).await;
            panic!("no reply came within {LONG:?}");
        };
        let next = async { self.receiver.recv().await.ok() };
        let reply = async_io::block_on(futures_lite::future::or(next, late))?;
        self.grammar.on(&reply).unwrap_or_else(|_| panic!("not allowed here: {reply:?}"));
        Some(reply)
    }

    /// Waits until the connection is up.
    pub fn opened(&mut self) {
        assert_eq!(self.next(), Some(Reply::Opened));
    }

    pub fn head(&mut self) -> HttpHead {
        match self.next() {
            Some(Reply::Head(head)) => *head,
            other => panic!("expected a head, not {other:?}"),
        }
    }

    /// Reads to the end.
    pub fn outcome(mut self) -> Outcome {
        let mut outcome = Outcome::default();
        while let Some(reply) = self.next() {
            match reply {
                Reply::Opened => outcome.opened = true,
                Reply::Head(head) => outcome.head = Some(*head),
                Reply::Bytes(bytes) => {
                    assert!(!bytes.is_empty() && bytes.len() <= codex_net::CHUNK_BYTES);
                    outcome.body.extend(bytes);
                }
                Reply::Failed(error) => outcome.error = Some(error),
                Reply::Closed => {}
                other => panic!("not a reply to a request: {other:?}"),
            }
        }
        assert!(self.grammar.is_done(), "the terminal reply is missing");
        outcome
    }
}

/// What came of a request.
#[derive(Debug, Default)]
pub struct Outcome {
    pub opened: bool,
    pub head: Option<HttpHead>,
    pub body: Vec<u8>,
    pub error: Option<HostError>,
}

impl Outcome {
    pub fn text(&self) -> &str {
        assert_eq!(self.error, None);
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn error(self) -> HostError {
        self.error.unwrap_or_else(|| panic!("it did not fail: {:?}", self.head))
    }
}

pub fn start(net: &Net, number: u64, request: HttpRequest) -> Replies {
    let grammar = Grammar::of(&EffectKind::Http(Box::new(request.clone()))).unwrap();
    let (sender, receiver) = async_channel::bounded(4);
    net.start(id(number), request, sender);
    Replies { receiver, grammar }
}

/// Runs one request to its end.
pub fn fetch(net: &Net, request: HttpRequest) -> Outcome {
    start(net, 1, request).outcome()
}

/// Where nobody listens, and nobody comes to: a port that is not among those that the system gives.
pub const NOBODY: &str = "127.0.0.1:1";

/// Tries with longer and longer deadlines, in milliseconds, until the error is the wanted one: on a
/// busy machine a short one may pass before what it is meant for has begun.
pub fn at_a_deadline(fail: impl Fn(u64) -> HostError, is_wanted: impl Fn(u64, &HostError) -> bool) {
    let mut ms = 500;
    loop {
        let error = fail(ms);
        assert_eq!(error.kind, HostErrorKind::TimedOut, "{error}");
        if is_wanted(ms, &error) {
            return;
        }
        assert!(ms < 100_000, "{error}");
        ms *= 2;
    }
}

pub fn net() -> Net {
    Net::new(NetConfig::default())
}
