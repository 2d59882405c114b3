//! The scripted model on a real socket, seen by a raw client.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use codex_rehearsal::{Script, Server, ServerOptions};
use serde_json::{Value, json};

fn serve(script: Value) -> Server {
    serve_with(script, ServerOptions::default())
}

fn serve_with(script: Value, options: ServerOptions) -> Server {
    Server::serve(Script::from_json(&script).unwrap(), options).unwrap()
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

const POST: &[u8] = b"POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";

/// One answer, read by its own framing.
#[derive(Debug)]
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn read_until(stream: &mut TcpStream, end: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
    }
    Some(bytes)
}

/// Reads an answer; `None` when the connection ends before the answer does.
fn read_answer(stream: &mut TcpStream) -> Option<Answer> {
    let head = String::from_utf8(read_until(stream, b"\r\n\r\n")?).unwrap();
    let mut body = Vec::new();
    if let Some((_, rest)) = head.split_once("content-length: ") {
        body.resize(rest.split("\r\n").next().unwrap().parse().unwrap(), 0);
        stream.read_exact(&mut body).ok()?;
    } else if head.contains("transfer-encoding: chunked") {
        loop {
            let line = String::from_utf8(read_until(stream, b"\r\n")?).unwrap();
            let size = usize::from_str_radix(line.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).ok()?;
            assert!(chunk.ends_with(b"\r\n"));
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    } else {
        stream.read_to_end(&mut body).ok()?;
    }
    Some(Answer { head, body })
}

fn ask(stream: &mut TcpStream, request: &[u8]) -> Answer {
    stream.write_all(request).unwrap();
    read_answer(stream).unwrap()
}

#[test]
fn one_connection_serves_many_requests_in_each_framing() {
    let server = serve(json!({"model": "m1", "steps": [
        {"items": ["hello there"]},
        {"text": "whole"},
        {"text": "", "status": 204},
        {"text": "in pieces", "chunks": [2, 3], "gap_ms": 5},
    ]}));
    let mut stream = connect(&server);
    let events = ask(&mut stream, POST);
    assert_eq!(events.status(), "200");
    assert!(events.head.contains("transfer-encoding: chunked"), "{}", events.head);
    assert!(events.head.contains("content-type: text/event-stream"), "{}", events.head);
    assert!(events.text().contains("event: response.completed\n"));
    let whole = ask(&mut stream, POST);
    assert!(whole.head.contains("content-length: 5"), "{}", whole.head);
    stream.write_all(POST).unwrap();
    let empty = String::from_utf8(read_until(&mut stream, b"\r\n\r\n").unwrap()).unwrap();
    assert!(empty.starts_with("HTTP/1.1 204 ") && !empty.contains("content-length"), "{empty}");
    assert_eq!(ask(&mut stream, POST).text(), "in pieces");
    let models = ask(&mut stream, b"GET /v1/models HTTP/1.1\r\n\r\n");
    assert_eq!(serde_json::from_slice::<Value>(&models.body).unwrap()["data"][0]["id"], "m1");
    assert_eq!(ask(&mut stream, b"GET /nothing HTTP/1.1\r\n\r\n").status(), "404");
    assert_eq!(server.requests(), 6);
    assert!(server.unused_lines().is_empty());
}

#[test]
fn bodies_may_come_chunked_late_and_after_a_promise() {
    let server = serve(json!([{"text": "{{body.a}}", "repeat": "always"}]));
    let mut stream = connect(&server);
    let chunked = b"POST /responses HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
        4;x=y\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\nx-trailer: 1\r\n\r\n";
    assert_eq!(ask(&mut stream, chunked).text(), "1");
    stream
        .write_all(
            b"\r\nPOST /responses HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n",
        )
        .unwrap();
    let go = read_until(&mut stream, b"\r\n\r\n").unwrap();
    assert_eq!(go, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(ask(&mut stream, b"{\"a\":2}").text(), "2");
}

#[test]
fn clients_that_ask_for_it_get_their_connection_closed() {
    let server = serve(json!([{"text": "abc", "chunks": 1, "repeat": "always"}]));
    for request in [
        &b"POST /responses HTTP/1.1\r\nconnection: close\r\n\r\n"[..],
        b"POST /responses HTTP/1.0\r\n\r\n",
    ] {
        let mut stream = connect(&server);
        let answer = ask(&mut stream, request);
        assert_eq!(answer.text(), "abc");
        assert!(answer.head.contains("connection: close"), "{}", answer.head);
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn a_cut_ends_inside_the_body_and_a_reset_is_a_reset() {
    let server = serve(json!([
        {"items": ["x"], "cut_after": 2},
        {"items": ["x"], "end": "reset"},
        {"silent": true, "end": "cut"},
        {"silent": true},
        {"text": "next"},
    ]));
    let read_all = |stream: &mut TcpStream| {
        let mut bytes = Vec::new();
        let end = stream.read_to_end(&mut bytes).map_err(|error| error.kind());
        (String::from_utf8(bytes).unwrap(), end.map(|_| ()))
    };
    let mut ends = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(&server);
        stream.write_all(POST).unwrap();
        ends.push(read_all(&mut stream));
    }
    assert!(ends[0].0.contains("response.in_progress") && !ends[0].0.ends_with("0\r\n\r\n"));
    assert_eq!(ends[0].1, Ok(()));
    assert_eq!(ends[1].1, Err(ErrorKind::ConnectionReset));
    assert_eq!(ends[2], (String::new(), Ok(())));
    assert_eq!(ends[3], (String::new(), Err(ErrorKind::ConnectionReset)));
    assert_eq!(ask(&mut connect(&server), POST).text(), "next");
}

#[test]
fn a_hang_sends_nothing_more_and_ends_when_the_client_goes_or_the_server_stops() {
    let server = serve(json!([
        {"sse": "data: 1\n\n", "end": "hang"}, {"sse": "data: 1\n\n", "end": "hang"},
        {"text": "late", "delay_ms": 600_000},
    ]));
    let before = Instant::now();
    let hanging = || {
        let mut stream = connect(&server);
        stream.write_all(POST).unwrap();
        read_until(&mut stream, b"data: 1\n\n\r\n").unwrap();
        stream
    };
    let (first, mut second) = (hanging(), hanging());
    let mut third = connect(&server);
    third.write_all(POST).unwrap();
    while server.requests() < 3 {
        std::thread::yield_now();
    }
    drop(first);
    second.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(second.read(&mut [0]).is_err(), "a hang is silent");
    let open = server.stop();
    assert!((2..=3).contains(&open), "{open}");
    second.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert!(matches!(second.read(&mut [0]), Ok(0) | Err(_)));
    assert!(before.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_client_that_goes_during_a_delay_frees_its_place() {
    let options = ServerOptions { connections_max: 1, ..ServerOptions::default() };
    let server = serve_with(json!([{"text": "x", "delay_ms": 600_000}, {"text": "next"}]), options);
    let mut first = connect(&server);
    first.write_all(POST).unwrap();
    while server.requests() == 0 {
        std::thread::yield_now();
    }
    assert_eq!(read_answer(&mut connect(&server)).unwrap().status(), "503");
    drop(first);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let mut stream = connect(&server);
        // The server may refuse, and close, before it reads.
        let _ = stream.write_all(POST);
        if read_answer(&mut stream).is_some_and(|answer| answer.text() == "next") {
            break;
        }
        assert!(Instant::now() < deadline, "the place is not given back");
    }
}

#[test]
fn bad_requests_get_one_clear_answer() {
    let options = ServerOptions { body_bytes_max: 10, ..ServerOptions::default() };
    let server = serve_with(json!([]), options);
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(70_000));
    for (request, status) in [
        (&b"nonsense\r\n\r\n"[..], "400"),
        (b"POST /responses HTTP/1.1\r\ncontent-length: x\r\n\r\n", "400"),
        (b"POST /responses HTTP/1.1\r\ncontent-length: 11\r\n\r\n", "413"),
        (b"POST /responses HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nb\r\n", "413"),
        (b"POST /responses HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nz\r\n", "400"),
        (long.as_bytes(), "431"),
        (b"POST /v1/responses HTTP/1.1\r\n\r\n", "400"),
    ] {
        let answer = ask(&mut connect(&server), request);
        assert_eq!(answer.status(), status, "{answer:?}");
        let json: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(json["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
}

#[test]
fn the_log_sees_requests_without_credentials() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let options = ServerOptions {
        on_request: Some(Box::new(move |request| {
            log.lock().unwrap().push(format!("{request:?}"));
        })),
        ..ServerOptions::default()
    };
    let server = serve_with(
        json!([{"text": "x", "when": {"header": {"authorization": "s3cret"}}}]),
        options,
    );
    let request = b"POST /responses HTTP/1.1\r\nAuthorization: Bearer s3cret\r\nx-a: b\r\n\r\n";
    assert_eq!(ask(&mut connect(&server), request).text(), "x");
    let seen = seen.lock().unwrap();
    assert!(seen[0].contains("/responses") && seen[0].contains("(hidden)"), "{}", seen[0]);
    assert!(!seen[0].contains("s3cret"), "{}", seen[0]);
}

#[test]
fn only_loopback_is_bound_unless_allowed() {
    let script = || Script::from_json(&json!([])).unwrap();
    let open = |allow_remote| ServerOptions {
        addr: "0.0.0.0:0".parse().unwrap(),
        allow_remote,
        ..ServerOptions::default()
    };
    let error = Server::serve(script(), open(false)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let server = Server::serve(script(), open(true)).unwrap();
    assert_eq!(server.stop(), 0);
    let first = serve(json!([]));
    let options = ServerOptions { addr: first.addr(), ..ServerOptions::default() };
    let error = Server::serve(script(), options).unwrap_err();
    assert!(error.to_string().contains("cannot listen on 127.0.0.1:"), "{error}");
    assert_eq!(first.base_url(), format!("http://{}/v1", first.addr()));
}

#[test]
fn a_large_prepared_body_arrives_whole() {
    let server = serve(json!([{"chunks": "one", "repeat": "always",
        "items": [{"message": "word ", "times": 20_000}]}]));
    let mut stream = connect(&server);
    for _ in 0..2 {
        let answer = ask(&mut stream, POST);
        assert!(answer.head.contains("content-length: "), "{}", answer.head);
        let deltas = answer.text().matches("event: response.output_text.delta\n").count();
        assert_eq!(deltas, 20_000);
    }
}
