//! Connections made ahead: who takes them, how long they are kept, what they save.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use async_tungstenite::tungstenite;
use codex_net::{Net, NetConfig, Proxies, Sockets};
use codex_proto::{
    EffectKind, HostErrorKind, Reply,
    effect::{Preconnect, PreconnectPurpose, SocketRequest},
};
use common::{
    tls::{Authority, TempFile, secure, trusting},
    *,
};

fn connect(url: impl Into<String>, purpose: PreconnectPurpose) -> Preconnect {
    Preconnect { url: url.into(), purpose, connect_ms: 120_000, keep_ms: 600_000 }
}

fn start(sockets: &Sockets, connect: Preconnect) -> Replies {
    let kind = EffectKind::Preconnect(Box::new(connect.clone()));
    drive(&kind, |replies| sockets.preconnect(id(9), connect, replies))
}

fn warm(sockets: &Sockets, connect: Preconnect) {
    assert_eq!(start(sockets, connect).next(), Some(Reply::Closed));
}

/// Counts connections on their way to a server.
fn counting(script: impl Fn(TcpStream) + Send + Clone + 'static) -> (SocketAddr, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let address = serve(move |stream| {
        seen.fetch_add(1, Ordering::SeqCst);
        script(stream);
    });
    (address, count)
}

#[test]
fn the_next_request_takes_the_connection_and_keeps_it() {
    let authority = Authority::new("r");
    let file = TempFile::new(&authority.pem);
    let config = authority.certify("127.0.0.1", false);
    let (address, count) = counting(move |stream| {
        let mut stream = secure(&config, stream);
        while read_request(&mut stream).is_some() {
            write_answer(&mut stream, "warm");
        }
    });
    let net = trusting(&file);
    warm(&net.sockets(), connect(format!("https://{address}/"), PreconnectPurpose::Http));
    assert_eq!(count.load(Ordering::SeqCst), 1);
    for _ in 0..3 {
        let outcome = fetch(&net, post(format!("https://{address}/v1/realtime/calls"), "offer"));
        assert!(outcome.opened);
        assert_eq!(outcome.text(), "warm");
    }
    assert_eq!(count.load(Ordering::SeqCst), 1, "the handshakes are made once");
}

#[test]
fn a_request_on_a_warm_connection_can_be_cancelled() {
    let address = serve(|mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
        let _ = stream.read(&mut [0]);
    });
    let net = net();
    warm(&net.sockets(), connect(format!("http://{address}/"), PreconnectPurpose::Http));
    let mut replies = common::start(&net, 1, get(format!("http://{address}/")));
    replies.opened();
    assert_eq!(replies.head().status, 200);
    net.cancel(id(1));
    assert_eq!(replies.outcome().error().kind, HostErrorKind::Cancelled);
}

#[test]
fn the_next_socket_takes_the_connection() {
    let authority = Authority::new("r");
    let file = TempFile::new(&authority.pem);
    let config = authority.certify("127.0.0.1", false);
    let (address, count) = counting(move |stream| {
        if let Ok(mut socket) = tungstenite::accept(secure(&config, stream)) {
            while socket.read().is_ok() {}
        }
    });
    let net = trusting(&file);
    let sockets = net.sockets();
    warm(&sockets, connect(format!("wss://{address}/"), PreconnectPurpose::Socket));
    let open = |number| {
        let request = SocketRequest {
            url: format!("wss://{address}/v1/realtime?call_id=rtc_1"),
            headers: Vec::new(),
            auth: None,
            connect_ms: 120_000,
            message_bytes_max: 1_000,
        };
        let kind = EffectKind::Socket(Box::new(request.clone()));
        drive(&kind, |replies| sockets.start(id(number), request, replies)).opened();
    };
    open(1);
    assert_eq!(count.load(Ordering::SeqCst), 1);
    // It is taken; a second socket has to make its own.
    open(2);
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[test]
fn purposes_are_kept_apart() {
    let (address, count) = counting(answer("cold"));
    let net = net();
    warm(&net.sockets(), connect(format!("ws://{address}/"), PreconnectPurpose::Socket));
    assert_eq!(fetch(&net, get(format!("http://{address}/"))).text(), "cold");
    // The one that nobody used may be counted last.
    let deadline = Instant::now() + LONG;
    while count.load(Ordering::SeqCst) < 2 {
        assert!(Instant::now() < deadline, "the same connection was taken");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_unused_connection_is_closed_in_its_time() {
    let (sender, ended) = mpsc::channel();
    let address = serve(move |mut stream| {
        let _ = sender.send(stream.read(&mut [0]).unwrap());
    });
    let short = Preconnect {
        keep_ms: 50,
        ..connect(format!("http://{address}/"), PreconnectPurpose::Http)
    };
    // Kept here, so that it is not the end of the adapter that closes it.
    let net = net();
    warm(&net.sockets(), short);
    assert_eq!(ended.recv_timeout(LONG).unwrap(), 0);
}

#[test]
fn a_connection_that_the_peer_has_closed_is_not_taken() {
    let (sender, closed) = mpsc::channel();
    let first = Arc::new(AtomicUsize::new(0));
    let address = serve(move |mut stream| {
        if first.fetch_add(1, Ordering::SeqCst) == 0 {
            drop(stream);
            let _ = sender.send(());
            return;
        }
        while read_request(&mut stream).is_some() {
            write_answer(&mut stream, "again");
        }
    });
    let net = net();
    warm(&net.sockets(), connect(format!("http://{address}/"), PreconnectPurpose::Http));
    closed.recv_timeout(LONG).unwrap();
    assert_eq!(fetch(&net, get(format!("http://{address}/"))).text(), "again");
}

#[test]
fn a_forwarding_proxy_is_reached_ahead() {
    let (sender, seen) = mpsc::channel();
    let (address, count) = counting(move |mut stream| {
        while let Some(request) = read_request(&mut stream) {
            sender.send(request.line).unwrap();
            write_answer(&mut stream, "forwarded");
        }
    });
    let proxies = Proxies { http: Some(format!("http://{address}")), ..Proxies::default() };
    let net = Net::new(NetConfig { proxies, ..NetConfig::default() });
    warm(&net.sockets(), connect("http://api.invalid/", PreconnectPurpose::Http));
    assert_eq!(fetch(&net, get("http://api.invalid/v1")).text(), "forwarded");
    assert_eq!(seen.recv().unwrap(), "GET http://api.invalid/v1 HTTP/1.1");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn failures_are_told_and_connecting_can_be_cancelled() {
    let sockets = net().sockets();
    let failed = |connect: Preconnect| match start(&sockets, connect).next() {
        Some(Reply::Failed(error)) => error.kind,
        other => panic!("expected a failure, not {other:?}"),
    };
    let http = |url: String| connect(url, PreconnectPurpose::Http);
    assert_eq!(failed(http(format!("http://{NOBODY}/"))), HostErrorKind::Connect);
    assert_eq!(failed(http("gopher://x/".into())), HostErrorKind::Other);

    let silent = serve(|mut stream| {
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let hurried = Preconnect { connect_ms: 100, ..http(format!("https://{silent}/")) };
    assert_eq!(failed(hurried), HostErrorKind::TimedOut);
    let mut replies = start(&sockets, http(format!("https://{silent}/")));
    sockets.cancel(id(9));
    match replies.next() {
        Some(Reply::Failed(error)) => assert_eq!(error.kind, HostErrorKind::Cancelled),
        other => panic!("expected the cancellation, not {other:?}"),
    }
}
