//! Requests and answers over real sockets: order, framing, errors, keep-alive.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
    sync::{Arc, Mutex, mpsc},
};

use codex_net::{Net, NetConfig, Secret, Secrets};
use codex_proto::{
    HostErrorKind, Reply,
    effect::HttpRequest,
    settings::{AuthRef, HeaderValue, SecretRef},
};
use common::*;

/// Serves one raw answer and closes.
fn raw(answer: &'static [u8]) -> String {
    let address = serve(move |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(answer);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    format!("http://{address}/v1/responses")
}

#[test]
fn an_answer_comes_in_order_and_the_request_is_exactly_what_was_asked() {
    let (seen_sender, seen) = mpsc::channel();
    let address = serve(move |mut stream| {
        let request = read_request(&mut stream).unwrap();
        seen_sender.send(request).unwrap();
        write_answer(&mut stream, "hello");
    });
    let mut secrets = Secrets::new();
    secrets.set_auth(AuthRef("p".into()), Secret::new("sk-1"));
    secrets.set_value(SecretRef("org".into()), Secret::new("org-1"));
    let net = Net::new(NetConfig { secrets, ..NetConfig::default() });
    let request = HttpRequest {
        headers: vec![
            ("x-plain".into(), HeaderValue::Plain("a b".into())),
            ("x-org".into(), HeaderValue::Secret(SecretRef("org".into()))),
            ("x-unset".into(), HeaderValue::Secret(SecretRef("unset".into()))),
        ],
        auth: Some(AuthRef("p".into())),
        ..post(format!("http://{address}/v1/responses?a=b"), "{}")
    };
    let mut replies = start(&net, 1, request);
    replies.opened();
    let head = replies.head();
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-length"), Some("5"));
    assert_eq!(replies.next(), Some(Reply::Bytes(b"hello".to_vec())));
    assert_eq!(replies.next(), Some(Reply::Closed));
    assert_eq!(replies.next(), None);

    let seen = seen.recv().unwrap();
    assert_eq!(seen.line, "POST /v1/responses?a=b HTTP/1.1");
    assert_eq!(seen.body, b"{}");
    let mut names: Vec<_> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let expected =
        ["accept-encoding", "authorization", "content-length", "host", "x-org", "x-plain"];
    assert_eq!(names, expected);
    assert_eq!(seen.header("authorization"), Some("Bearer sk-1"));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert_eq!(seen.header("x-org"), Some("org-1"));
}

#[test]
fn framings_of_a_body_are_understood() {
    let check = |answer: &'static [u8], body: &str| {
        let outcome = fetch(&net(), post(raw(answer), "{}"));
        assert_eq!(outcome.text(), body);
        assert!(outcome.opened && outcome.head.is_some());
    };
    check(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok");
    check(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n",
        "ok",
    );
    check(b"HTTP/1.1 200 OK\r\n\r\nok", "ok");
    check(b"HTTP/1.1 204 No Content\r\n\r\n", "");
    check(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok");
}

#[test]
fn headers_that_may_carry_a_credential_are_kept_back() {
    let answer =
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=SECRET\r\nX-Request-Id: r1\r\nset-cookie: b\r\n\
                   Authorization: Bearer SECRET\r\nContent-Length: 0\r\n\r\n";
    let head = fetch(&net(), post(raw(answer), "{}")).head.unwrap();
    let names: Vec<&str> = head.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["x-request-id", "content-length"]);
}

#[test]
fn any_status_is_an_answer_and_redirects_are_not_followed() {
    let check = |answer: &'static [u8], status: u16, body: &str| {
        let outcome = fetch(&net(), post(raw(answer), "{}"));
        assert_eq!(outcome.text(), body);
        assert_eq!(outcome.head.unwrap().status, status);
    };
    check(b"HTTP/1.1 429 Slow\r\nContent-Length: 4\r\n\r\nslow", 429, "slow");
    check(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 500, "");
    check(
        b"HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 4\r\n\r\ngone",
        302,
        "gone",
    );
    check(b"HTTP/1.1 307 Go\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 307, "");
}

#[test]
fn broken_answers_name_the_place_and_what_broke() {
    let check = |answer: &'static [u8], kind: HostErrorKind, text: &str| {
        let url = raw(answer);
        let place = url.split('/').nth(2).unwrap().to_owned();
        let error = fetch(&net(), post(format!("{url}?key=hidden"), "{}")).error();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(&place), "{error}");
        assert!(error.message.contains(text), "{error}");
        assert!(!error.message.contains("hidden"), "{error}");
    };
    check(b"", HostErrorKind::Connect, "before an answer came: the peer closed it");
    check(b"HTTP/1.1 200 OK\r\nContent-", HostErrorKind::Connect, "before an answer");
    check(b"SSH-2.0-OpenSSH_9.2\r\n", HostErrorKind::Other, "did not answer in HTTP/1.1");
    check(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", HostErrorKind::Other, "HTTP/1.1");
    check(
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        HostErrorKind::Disconnected,
        "while the answer was read: the peer closed it",
    );
    check(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        HostErrorKind::Disconnected,
        "while the answer was read",
    );
    check(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\nhel",
        HostErrorKind::Disconnected,
        "framing",
    );
}

#[test]
fn a_head_without_end_is_too_large() {
    let address = serve(|mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        let line = format!("x-more: {}\r\n", "and more ".repeat(200));
        while stream.write_all(line.as_bytes()).is_ok() {}
    });
    let error = fetch(&net(), get(format!("http://{address}/"))).error();
    assert_eq!(error.kind, HostErrorKind::TooLarge, "{error}");
}

#[test]
fn a_reset_inside_a_body_is_a_failure_for_every_framing() {
    for framing in ["Content-Length: 100", "Transfer-Encoding: chunked", "X-None: 1"] {
        let (close, closing) = mpsc::channel();
        let closing = Arc::new(Mutex::new(closing));
        let address = serve(move |mut stream| {
            // Closing with unread input makes the kernel send a reset.
            let mut part = [0; 20];
            stream.read_exact(&mut part).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n4\r\nhalf\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            // Once the request is sent and the head has come.
            let _ = closing.lock().unwrap().recv();
        });
        let net = net();
        let mut replies = start(&net, 1, post(format!("http://{address}/"), vec![b'x'; 2_000]));
        replies.opened();
        replies.head();
        close.send(()).unwrap();
        let error = replies.outcome().error();
        assert_eq!(error.kind, HostErrorKind::Disconnected, "{framing}: {error}");
    }
}

#[test]
fn refused_connections_and_unknown_names_say_so() {
    let error = fetch(&net(), get(format!("http://{NOBODY}/?key=hidden"))).error();
    assert_eq!(error.kind, HostErrorKind::Connect);
    assert!(error.message.starts_with(&format!("cannot connect to {NOBODY}: ")), "{error}");

    let outcome = fetch(&net(), get("http://no-such-host.invalid/"));
    assert!(!outcome.opened);
    let error = outcome.error();
    assert_eq!(error.kind, HostErrorKind::NameResolution);
    assert!(error.message.starts_with("cannot resolve no-such-host.invalid: "), "{error}");
}

#[test]
fn requests_that_cannot_be_sent_fail_before_any_connection() {
    let mut secrets = Secrets::new();
    let why = "Missing environment variable: `P_KEY`. Get one from the portal.";
    secrets.set_auth_missing(AuthRef("p".into()), why);
    secrets.set_auth(AuthRef("bad".into()), Secret::new("hidden\nkey"));
    let net = Net::new(NetConfig { secrets, ..NetConfig::default() });
    let check = |request: HttpRequest, kind: HostErrorKind, text: &str| {
        let outcome = fetch(&net, request);
        assert!(!outcome.opened);
        let error = outcome.error();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(text), "{error}");
        assert!(!error.message.contains("hidden"), "{error}");
    };
    let url = "http://127.0.0.1:1/";
    let auth = |name: &str| HttpRequest { auth: Some(AuthRef(name.into())), ..get(url) };
    let header = |name: &str, value: &str| HttpRequest {
        headers: vec![(name.into(), HeaderValue::Plain(value.into()))],
        ..get(url)
    };
    check(auth("p"), HostErrorKind::MissingCredential, why);
    check(auth("unknown"), HostErrorKind::MissingCredential, "`unknown`");
    check(auth("bad"), HostErrorKind::Other, "`authorization`");
    check(header("bad name", "v"), HostErrorKind::Other, "`bad name`");
    check(header("x", "hidden\r\n"), HostErrorKind::Other, "`x`");
    check(get("not a url?hidden"), HostErrorKind::Other, "not a usable URL");
}

#[test]
fn a_connection_is_kept_and_used_again() {
    let (count_sender, count) = mpsc::channel();
    let address = serve(move |stream| {
        count_sender.send(()).unwrap();
        answer("ok")(stream);
    });
    let net = net();
    for _ in 0..3 {
        let outcome = fetch(&net, post(format!("http://{address}/"), "{}"));
        assert_eq!(outcome.text(), "ok");
        assert!(outcome.opened, "a kept connection is reported as open too");
    }
    assert_eq!(count.try_iter().count(), 1);
}

#[test]
fn a_kept_connection_that_the_server_closed_is_not_used() {
    let (sender, closed) = mpsc::channel();
    let address = serve(move |mut stream| {
        read_request(&mut stream).unwrap();
        write_answer(&mut stream, "ok");
        drop(stream);
        sender.send(()).unwrap();
    });
    let net = net();
    for _ in 0..3 {
        assert_eq!(fetch(&net, get(format!("http://{address}/"))).text(), "ok");
        closed.recv_timeout(LONG).unwrap();
    }
}

#[test]
fn a_large_body_is_uploaded_whole() {
    let body: Vec<u8> =
        (0..10_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let expected = body.clone();
    let address = serve(move |mut stream| {
        let seen = read_request(&mut stream).unwrap();
        write_answer(&mut stream, if seen.body == expected { "same" } else { "different" });
    });
    assert_eq!(fetch(&net(), post(format!("http://{address}/"), body)).text(), "same");
}
