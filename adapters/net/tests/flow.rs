//! Flow over real sockets: back-pressure, cancellation, the queue, deadlines.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    io::{ErrorKind, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use codex_net::{Net, NetConfig};
use codex_proto::{HostErrorKind, Reply, effect::HttpRequest};
use common::*;

/// Sends a head and then bytes without end; counts what the kernel took.
fn flood(sent: Arc<AtomicU64>) -> SocketAddr {
    serve(move |mut stream| {
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while let Ok(count) = stream.write(&[7; 65_536]) {
            sent.fetch_add(count as u64, Ordering::Relaxed);
        }
    })
}

/// Answers a head and a byte, tells when the client has gone; by itself it ends nothing.
fn silent() -> (SocketAddr, mpsc::Receiver<()>) {
    let (gone_sender, gone) = mpsc::channel();
    let address = serve(move |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
        let _ = gone_sender.send(());
    });
    (address, gone)
}

/// A listener whose backlog is full: a connection to it is neither taken nor refused. The
/// streams that fill it are returned too.
fn black_hole() -> (SocketAddr, (TcpListener, Vec<TcpStream>)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut filling = Vec::new();
    loop {
        match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            Ok(stream) => filling.push(stream),
            Err(error) if error.kind() == ErrorKind::TimedOut => break,
            Err(error) => panic!("{} connections fill the backlog: {error}", filling.len()),
        }
        assert!(filling.len() < 10_000, "the backlog never fills");
    }
    (address, (listener, filling))
}

fn expect_cancelled(reply: Option<Reply>) {
    match reply {
        Some(Reply::Failed(error)) => assert_eq!(error.kind, HostErrorKind::Cancelled),
        other => panic!("expected the cancellation, not {other:?}"),
    }
}

#[test]
fn a_reader_that_stops_makes_the_server_stop() {
    let sent = Arc::new(AtomicU64::new(0));
    let address = flood(Arc::clone(&sent));
    let net = net();
    let mut replies = start(&net, 1, get(format!("http://{address}/")));
    replies.opened();
    replies.head();
    // Wait until the server is stuck: nothing more is taken for a while.
    let mut before = u64::MAX;
    let deadline = Instant::now() + LONG;
    while sent.load(Ordering::Relaxed) != before {
        before = sent.load(Ordering::Relaxed);
        assert!(Instant::now() < deadline, "the server never stops");
        thread::sleep(Duration::from_millis(300));
    }
    // Socket buffers of both ends; ours hold 4 × 16 KiB and a read buffer.
    assert!(before < 16 << 20, "{before} bytes are in flight");
    // Reading makes it go on.
    for _ in 0..before / 16_384 + 200 {
        assert!(matches!(replies.next(), Some(Reply::Bytes(_))));
    }
    assert!(sent.load(Ordering::Relaxed) > before);
    drop(replies);
    let deadline = Instant::now() + LONG;
    while net.running() > 0 {
        assert!(Instant::now() < deadline, "a dropped receiver does not end the request");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn cancelling_a_blocked_read_closes_the_socket_at_once() {
    let (address, gone) = silent();
    let net = net();
    let mut replies = start(&net, 7, get(format!("http://{address}/")));
    replies.opened();
    replies.head();
    assert_eq!(replies.next(), Some(Reply::Bytes(b"x".to_vec())));
    // Most likely it is in the read by then.
    thread::sleep(Duration::from_millis(20));
    net.cancel(id(7));
    expect_cancelled(replies.next());
    gone.recv_timeout(LONG).unwrap();
    assert_eq!(replies.next(), None);
    net.cancel(id(7));
    // The agent that was shut down is not used again.
    let outcome = fetch(&net, get(format!("http://{}/", serve(answer("ok")))));
    assert_eq!(outcome.text(), "ok");
}

#[test]
fn cancelling_a_request_that_waits_for_its_head_or_its_reader_ends_it_once() {
    let mute = serve(|mut stream| {
        read_request(&mut stream);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let net = net();
    let mut replies = start(&net, 1, get(format!("http://{mute}/")));
    replies.opened();
    net.cancel(id(1));
    expect_cancelled(replies.next());
    assert_eq!(replies.next(), None);

    let address = flood(Arc::default());
    let mut replies = start(&net, 2, get(format!("http://{address}/")));
    replies.opened();
    replies.head();
    thread::sleep(Duration::from_millis(50));
    net.cancel(id(2));
    let error = replies.outcome().error();
    assert_eq!(error.kind, HostErrorKind::Cancelled);
}

#[test]
fn cancelling_an_upload_that_the_server_does_not_read_ends_it() {
    let (taken_sender, taken) = mpsc::channel();
    let address = serve(move |stream| {
        taken_sender.send(stream).unwrap();
    });
    let net = net();
    let mut replies = start(&net, 1, post(format!("http://{address}/"), vec![0; 20 << 20]));
    replies.opened();
    let _stream = taken.recv_timeout(LONG).unwrap();
    thread::sleep(Duration::from_millis(50));
    net.cancel(id(1));
    expect_cancelled(replies.next());
}

#[test]
fn a_connection_that_is_not_taken_is_abandoned_at_once_or_times_out_by_name() {
    let (address, _held) = black_hole();
    let request = |connect_ms| HttpRequest { connect_ms, ..get(format!("http://{address}/")) };

    // The deadline of this one is out of reach.
    let patient = net();
    let mut replies = start(&patient, 1, request(1_000_000));
    thread::sleep(Duration::from_millis(50));
    patient.cancel(id(1));
    expect_cancelled(replies.next());
    assert_eq!(patient.running(), 1, "the thread is left to its deadline");

    let net = net();
    let began = Instant::now();
    let error = start(&net, 2, request(500)).outcome().error();
    assert_eq!(error.kind, HostErrorKind::TimedOut);
    assert_eq!(error.message, format!("timed out after 500 ms while connecting to {address}"));
    assert!(began.elapsed() > Duration::from_millis(400));
    // Cancelled or late: nobody waits for it any more.
    let abandoned = start(&net, 3, request(500));
    net.cancel(id(3));
    abandoned.outcome().error();

    let deadline = Instant::now() + LONG;
    while net.running() > 0 {
        assert!(Instant::now() < deadline, "an abandoned thread outlives its deadline");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn requests_beyond_the_cap_wait_and_leave_the_queue_when_cancelled() {
    let (release_sender, release) = mpsc::channel::<()>();
    let release = Arc::new(std::sync::Mutex::new(release));
    let address = serve(move |mut stream| {
        while read_request(&mut stream).is_some() {
            let _ = release.lock().unwrap().recv();
            write_answer(&mut stream, "ok");
        }
    });
    let net = Net::new(NetConfig { streams_max: 1, ..NetConfig::default() });
    let request = || get(format!("http://{address}/"));
    let mut first = start(&net, 1, request());
    first.opened();
    let mut second = start(&net, 2, request());
    let third = start(&net, 3, request());
    assert_eq!(net.queued(), 2);
    net.cancel(id(2));
    expect_cancelled(second.next());
    assert_eq!(net.queued(), 1);
    release_sender.send(()).unwrap();
    release_sender.send(()).unwrap();
    assert_eq!(first.outcome().text(), "ok");
    assert_eq!(third.outcome().text(), "ok");
    assert_eq!(net.queued(), 0);
}

#[test]
fn many_requests_run_side_by_side_and_end_once_each_whenever_they_are_cancelled() {
    let address = serve(|mut stream| {
        while read_request(&mut stream).is_some() {
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab").is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
            let _ = stream.write_all(b"cd");
        }
    });
    let net = Net::new(NetConfig { streams_max: 8, ..NetConfig::default() });
    for round in 0..20 {
        let requests: Vec<_> = (1..=24)
            .map(|n| (n, start(&net, round * 100 + n, get(format!("http://{address}/")))))
            .collect();
        thread::sleep(Duration::from_micros(round * 150));
        for (n, _) in requests.iter().filter(|(n, _)| n % 3 == 0) {
            net.cancel(id(round * 100 + n));
        }
        for (n, replies) in requests {
            // The grammar, checked inside, demands exactly one terminal reply.
            let outcome = replies.outcome();
            match outcome.error {
                None => assert_eq!(outcome.body, b"abcd"),
                Some(error) => {
                    assert_eq!(error.kind, HostErrorKind::Cancelled, "{n}: {error}");
                    assert_eq!(n % 3, 0);
                }
            }
        }
    }
}
