//! WebSockets over real connections: messages, refusals, ends, bounds, proxies.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use async_tungstenite::tungstenite::{
    self, Message, WebSocket,
    handshake::server::{Request, Response},
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use codex_net::{BYTES_WAITING_MAX, Net, NetConfig, Proxies, Secret, Secrets, Sockets};
use codex_proto::{
    EffectKind, HostErrorKind, Reply,
    effect::{Pcm, SocketMessage, SocketRequest},
    settings::{AuthRef, HeaderValue, SecretRef},
};
use common::{
    tls::{Authority, TempFile, serve_tls, trusting},
    *,
};

fn request(url: impl Into<String>) -> SocketRequest {
    SocketRequest {
        url: url.into(),
        headers: Vec::new(),
        auth: None,
        connect_ms: 120_000,
        message_bytes_max: 1_000,
    }
}

fn open(sockets: &Sockets, number: u64, request: SocketRequest) -> Replies {
    let kind = EffectKind::Socket(Box::new(request.clone()));
    drive(&kind, |replies| sockets.start(id(number), request, replies))
}

fn say(sockets: &Sockets, text: &str) {
    sockets.send(id(1), SocketMessage::Text(text.into()));
}

/// Shakes hands with each connection.
fn agree(script: impl Fn(WebSocket<TcpStream>) + Send + Clone + 'static) -> SocketAddr {
    serve(move |stream| {
        if let Ok(socket) = tungstenite::accept(stream) {
            script(socket);
        }
    })
}

/// Sends every text back until the peer closes.
fn echo<S: Read + Write>(mut socket: WebSocket<S>) {
    while let Ok(message) = socket.read() {
        if message.is_text() {
            socket.send(message).unwrap();
        }
    }
}

fn text(replies: &mut Replies) -> String {
    loop {
        match replies.next() {
            Some(Reply::Bytes(bytes)) => return String::from_utf8(bytes).unwrap(),
            Some(Reply::Sent { .. }) => {}
            other => panic!("expected a text, not {other:?}"),
        }
    }
}

/// The error that ends it, whatever comes before.
fn failure(mut replies: Replies) -> codex_proto::HostError {
    loop {
        match replies.next() {
            Some(Reply::Failed(error)) => return error,
            Some(Reply::Closed) | None => panic!("it did not fail"),
            Some(_) => {}
        }
    }
}

fn failing(url: String) -> codex_proto::HostError {
    let sockets = net().sockets();
    failure(open(&sockets, 1, request(url)))
}

fn failing_within(connect_ms: u64, url: String) -> codex_proto::HostError {
    let sockets = net().sockets();
    failure(open(&sockets, 1, SocketRequest { connect_ms, ..request(url) }))
}

#[test]
fn messages_go_both_ways_and_are_acknowledged() {
    let address = agree(echo);
    let sockets = net().sockets();
    let mut replies = open(&sockets, 1, request(format!("ws://{address}/v1/realtime?model=m")));
    replies.opened();
    say(&sockets, "one");
    say(&sockets, "two");
    let pcm = Pcm(vec![1, 2, 3]);
    sockets.send(id(1), SocketMessage::Audio { kind: "input_audio_buffer.append".into(), pcm });
    let (mut texts, mut sent) = (Vec::new(), 0);
    while texts.len() < 3 || sent < 3 {
        match replies.next().unwrap() {
            Reply::Bytes(bytes) => texts.push(String::from_utf8(bytes).unwrap()),
            Reply::Sent { messages } => sent += messages,
            other => panic!("{other:?}"),
        }
    }
    let audio = r#"{"type":"input_audio_buffer.append","audio":"AQID"}"#;
    assert_eq!(texts, ["one", "two", audio]);
    assert_eq!(sent, 3);
    sockets.send(id(1), SocketMessage::Close);
    assert_eq!(replies.next(), Some(Reply::Closed));
    assert_eq!(replies.next(), None);
    say(&sockets, "ignored");
}

#[test]
#[expect(clippy::result_large_err, reason = "the library's signature")]
fn the_handshake_carries_headers_and_credentials_and_no_more() {
    let (sender, seen) = mpsc::channel();
    let address = serve(move |stream| {
        let sender = sender.clone();
        let check = |request: &Request, response: Response| {
            sender.send(request.clone()).unwrap();
            Ok(response)
        };
        if let Ok(socket) = tungstenite::accept_hdr(stream, check) {
            echo(socket);
        }
    });
    let mut secrets = Secrets::new();
    secrets.set_auth(AuthRef("openai".into()), Secret::new("sk-hidden"));
    secrets.set_value(SecretRef("h".into()), Secret::new("from afar"));
    let sockets = Net::new(NetConfig { secrets, ..NetConfig::default() }).sockets();
    let headers = vec![
        ("x-session-id".into(), HeaderValue::Plain("thread".into())),
        ("x-secret".into(), HeaderValue::Secret(SecretRef("h".into()))),
        ("x-unset".into(), HeaderValue::Secret(SecretRef("none".into()))),
        ("host".into(), HeaderValue::Plain("elsewhere".into())),
        ("sec-websocket-extensions".into(), HeaderValue::Plain("permessage-deflate".into())),
    ];
    let auth = Some(AuthRef("openai".into()));
    let url = format!("ws://{address}/v1/realtime?call_id=rtc_1");
    let mut replies = open(&sockets, 1, SocketRequest { headers, auth, ..request(url) });
    replies.opened();
    let seen = seen.recv().unwrap();
    assert_eq!(seen.uri(), "/v1/realtime?call_id=rtc_1");
    let header = |name: &str| seen.headers().get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("authorization"), Some("Bearer sk-hidden"));
    assert_eq!(header("x-session-id"), Some("thread"));
    assert_eq!(header("x-secret"), Some("from afar"));
    assert_eq!(header("x-unset"), None);
    assert_eq!(header("host"), Some(address.to_string().as_str()));
    assert_eq!(header("sec-websocket-extensions"), None);

    let missing = SocketRequest { auth: Some(AuthRef("other".into())), ..request("ws://h/") };
    let error = failure(open(&sockets, 2, missing));
    assert_eq!(error.kind, HostErrorKind::MissingCredential);
}

#[test]
fn pings_are_answered() {
    let (sender, answered) = mpsc::channel();
    let address = agree(move |mut socket| {
        socket.send(Message::Ping("are you there".into())).unwrap();
        sender.send(socket.read().unwrap()).unwrap();
        echo(socket);
    });
    let sockets = net().sockets();
    let mut replies = open(&sockets, 1, request(format!("ws://{address}/")));
    replies.opened();
    assert_eq!(answered.recv_timeout(LONG).unwrap(), Message::Pong("are you there".into()));
}

#[test]
fn a_peer_that_declines_says_why() {
    let decline = |answer: &'static str| {
        let address = serve(move |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(answer.as_bytes());
            // Left open: the length says where the body ends.
            let _ = stream.read(&mut [0]);
        });
        open(&net().sockets(), 1, request(format!("ws://{address}/"))).outcome()
    };
    let not_found = decline(
        "HTTP/1.1 404 Not Found\r\nContent-Length: 18\r\nSet-Cookie: a=b\r\n\r\ncall_id_not_found\n",
    );
    assert_eq!(not_found.text(), "call_id_not_found\n");
    let head = not_found.head.unwrap();
    assert_eq!(head.status, 404);
    assert_eq!(head.header("set-cookie"), None);
    let chunked = decline(
        "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno \r\n3\r\nway\r\n0\r\n\r\n",
    );
    assert_eq!(chunked.text(), "no way");
    let redirect = decline("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(redirect.head.unwrap().header("location"), Some("/x"));
}

#[test]
fn a_peer_that_is_not_there_or_not_right_is_named() {
    let error = failing(format!("ws://{NOBODY}/"));
    assert_eq!(error.kind, HostErrorKind::Connect);
    assert!(error.message.contains(NOBODY), "{error}");

    let silent = serve(|mut stream| {
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    at_a_deadline(
        |ms| failing_within(ms, format!("ws://{silent}/")),
        |ms, error| error.message == format!("timed out after {ms} ms while waiting for {silent}"),
    );
    at_a_deadline(
        |ms| failing_within(ms, format!("wss://{silent}/")),
        |_, error| error.message.ends_with(&format!("negotiating TLS with {silent}")),
    );

    let garbage = serve(|mut stream| {
        let _ = stream.write_all(b"220 mail.test ESMTP\r\n");
        let _ = stream.read(&mut [0; 1024]);
    });
    let error = failing(format!("ws://{garbage}/"));
    assert_eq!(error.kind, HostErrorKind::Other);
    assert!(error.message.contains("did not answer as a WebSocket does"), "{error}");
    let error = failing(format!("wss://{garbage}/"));
    assert_eq!(error.kind, HostErrorKind::Tls);

    let hangs_up = serve(|mut stream| {
        read_request(&mut stream);
    });
    let error = failing(format!("ws://{hangs_up}/"));
    assert_eq!(error.kind, HostErrorKind::Connect, "{error}");

    let upgrade_without_key = serve(|mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(
            b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        );
        let _ = stream.read(&mut [0]);
    });
    let error = failing(format!("ws://{upgrade_without_key}/"));
    assert_eq!(error.kind, HostErrorKind::Other, "{error}");

    let endless = serve(|mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 101 Switching\r\n");
        while stream.write_all(b"X-More: and more and more and more\r\n").is_ok() {}
    });
    let error = failing(format!("ws://{endless}/"));
    assert_eq!(error.kind, HostErrorKind::TooLarge, "{error}");

    let error = failing("http://127.0.0.1:1/".into());
    assert!(error.message.contains("does not start with ws:// or wss://"), "{error}");
}

#[test]
fn ends_are_told_apart() {
    let ending = |frame: Option<CloseFrame>| {
        let address = agree(move |mut socket| {
            socket.close(frame.clone()).unwrap();
            echo(socket);
        });
        let mut replies = open(&net().sockets(), 1, request(format!("ws://{address}/")));
        replies.opened();
        replies.next().unwrap()
    };
    let frame = |code, reason: &'static str| Some(CloseFrame { code, reason: reason.into() });
    assert_eq!(ending(None), Reply::Closed);
    assert_eq!(ending(frame(CloseCode::Normal, "bye")), Reply::Closed);
    assert_eq!(ending(frame(CloseCode::Away, "")), Reply::Closed);
    match ending(frame(CloseCode::Error, "session\nexpired")) {
        Reply::Failed(error) => {
            assert_eq!(error.kind, HostErrorKind::Disconnected);
            assert!(error.message.ends_with("sessionexpired (code 1011)"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_broken_message_is_a_failure() {
    let breaking = |bytes: &'static [u8]| {
        let address = agree(move |mut socket| {
            socket.get_mut().write_all(bytes).unwrap();
        });
        failure(open(&net().sockets(), 1, request(format!("ws://{address}/"))))
    };
    let cut = breaking(b"\x81\x0aonly this");
    assert_eq!(cut.kind, HostErrorKind::Disconnected, "{cut}");
    let no_text = breaking(b"\x81\x02\xff\xff");
    assert_eq!(no_text.kind, HostErrorKind::Other, "{no_text}");
    let masked = breaking(b"\x81\x81\0\0\0\0a");
    assert_eq!(masked.kind, HostErrorKind::Other, "{masked}");
    let binary = breaking(b"\x82\x03abc");
    assert_eq!(binary.kind, HostErrorKind::Other);
    assert!(binary.message.contains("a binary message of 3 bytes"), "{binary}");
    // Announced, never sent.
    let long = breaking(b"\x81\x7f\0\0\0\x0f\xff\xff\xff\xff");
    assert_eq!(long.kind, HostErrorKind::TooLarge);
    assert!(long.message.contains("1000 at most"), "{long}");
}

#[test]
fn the_longest_message_passes() {
    let address = agree(|mut socket| {
        socket.send(Message::text("x".repeat(1_000))).unwrap();
        socket.send(Message::text("x".repeat(1_001))).unwrap();
        echo(socket);
    });
    let mut replies = open(&net().sockets(), 1, request(format!("ws://{address}/")));
    replies.opened();
    assert_eq!(text(&mut replies).len(), 1_000);
    assert_eq!(failure(replies).kind, HostErrorKind::TooLarge);
}

/// A peer that shakes hands and then neither reads nor writes; tells when it is left.
fn deaf() -> (SocketAddr, Receiver<()>) {
    let (sender, left) = mpsc::channel();
    let address = agree(move |socket| {
        let stream = socket.get_ref();
        // Waits for the end without taking a byte.
        while !matches!(stream.peek(&mut [0; 1]), Ok(0) | Err(_)) {
            std::thread::sleep(Duration::from_millis(5));
            if stream.take_error().is_ok_and(|error| error.is_some()) {
                break;
            }
        }
        let _ = sender.send(());
    });
    (address, left)
}

#[test]
fn a_peer_that_does_not_read_meets_the_bound() {
    let (address, _left) = deaf();
    let sockets = net().sockets();
    let mut replies = open(&sockets, 1, request(format!("ws://{address}/")));
    replies.opened();
    let part = "x".repeat(1 << 20);
    for _ in 0..(BYTES_WAITING_MAX >> 20) + 16 {
        say(&sockets, &part);
    }
    let error = failure(replies);
    assert_eq!(error.kind, HostErrorKind::TooLarge);
    assert!(error.message.contains("does not take what is sent"), "{error}");
}

#[test]
fn a_closing_handshake_ends_in_time_though_the_peer_is_deaf() {
    let (address, _left) = deaf();
    let sockets = net().sockets();
    let mut replies = open(&sockets, 1, request(format!("ws://{address}/")));
    replies.opened();
    // More than the kernel takes, so that not even the closing frame can leave.
    for _ in 0..8 {
        say(&sockets, &"x".repeat(1 << 20));
    }
    sockets.send(id(1), SocketMessage::Close);
    while !matches!(replies.next().unwrap(), Reply::Closed) {}
}

#[test]
fn a_cancelled_socket_ends_at_once() {
    let (address, left) = deaf();
    let sockets = net().sockets();
    let mut replies = open(&sockets, 1, request(format!("ws://{address}/")));
    replies.opened();
    sockets.cancel(id(1));
    assert_eq!(failure(replies).kind, HostErrorKind::Cancelled);
    left.recv_timeout(LONG).unwrap();

    let silent = serve(|mut stream| {
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    for close in [false, true] {
        let replies = open(&sockets, 1, request(format!("ws://{silent}/")));
        match close {
            false => sockets.cancel(id(1)),
            true => sockets.send(id(1), SocketMessage::Close),
        }
        assert_eq!(failure(replies).kind, HostErrorKind::Cancelled);
    }
}

#[test]
fn a_reader_that_stops_makes_the_peer_stop_and_sending_goes_on() {
    let (sender, heard) = mpsc::channel();
    let address = agree(move |mut socket| {
        let mut stream = socket.get_ref().try_clone().unwrap();
        let sender = sender.clone();
        std::thread::spawn(move || {
            // Far more than any buffer on the way holds.
            for _ in 0..100_000 {
                if socket.send(Message::text("x".repeat(900))).is_err() {
                    return;
                }
            }
        });
        let mut bytes = [0; 1_024];
        let count = stream.read(&mut bytes).unwrap();
        let _ = sender.send(count);
    });
    let sockets = net().sockets();
    let mut replies = open(&sockets, 1, request(format!("ws://{address}/")));
    replies.opened();
    say(&sockets, "heard though nobody listens here");
    assert!(heard.recv_timeout(LONG).unwrap() > 0);
    // The first one is here, and the rest waits for its reader.
    assert_eq!(text(&mut replies).len(), 900);
}

#[test]
fn wss_trusts_whom_requests_trust() {
    let authority = Authority::new("r");
    let file = TempFile::new(&authority.pem);
    let config = authority.certify("127.0.0.1", false);
    let address = serve_tls(config, |stream| {
        if let Ok(socket) = tungstenite::accept(stream) {
            echo(socket);
        }
    });
    let sockets = trusting(&file).sockets();
    let mut replies = open(&sockets, 1, request(format!("wss://{address}/")));
    replies.opened();
    say(&sockets, "in private");
    assert_eq!(text(&mut replies), "in private");

    let error = failing(format!("wss://{address}/"));
    assert_eq!(error.kind, HostErrorKind::Tls);
    assert!(error.message.contains("server 127.0.0.1"), "{error}");
}

/// A proxy that answers each handshake and splices; tells what it was asked.
fn proxy(
    target: SocketAddr,
    handshake: impl Fn(&mut TcpStream) -> String + Send + Clone + 'static,
) -> (SocketAddr, Receiver<String>) {
    let (sender, seen) = mpsc::channel();
    let address = serve(move |mut stream| {
        let asked = handshake(&mut stream);
        sender.send(asked).unwrap();
        let other = TcpStream::connect(target).unwrap();
        let (mut one_in, mut other_out) = (stream.try_clone().unwrap(), other.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut other_out, &mut one_in));
        let _ = std::io::copy(&mut stream, &mut &other);
    });
    (address, seen)
}

fn through(proxies: Proxies) -> Sockets {
    Net::new(NetConfig { proxies, ..NetConfig::default() }).sockets()
}

fn talk_through(sockets: &Sockets) {
    // A name that only the proxy can resolve.
    let mut replies = open(sockets, 1, request("ws://api.invalid/v1"));
    replies.opened();
    say(sockets, "through");
    assert_eq!(text(&mut replies), "through");
}

#[test]
fn http_proxies_connect_sockets() {
    let (address, seen) = proxy(agree(echo), |stream| {
        let request = read_request(stream).unwrap();
        stream.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").unwrap();
        format!("{} {}", request.line, request.header("proxy-authorization").unwrap())
    });
    let url = format!("http://user:p%40ss@{address}");
    talk_through(&through(Proxies { http: Some(url), ..Proxies::default() }));
    assert_eq!(seen.recv().unwrap(), "CONNECT api.invalid:80 HTTP/1.1 Basic dXNlcjpwQHNz");

    let refusing = serve(|mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    });
    let url = format!("http://{refusing}");
    let sockets = through(Proxies { http: Some(url), ..Proxies::default() });
    let error = failure(open(&sockets, 1, request("ws://api.invalid/")));
    assert_eq!(error.kind, HostErrorKind::Connect);
    assert!(error.message.contains("HTTP_PROXY") && error.message.contains("407"), "{error}");
}

fn take<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

#[test]
fn socks_proxies_connect_sockets() {
    let (address, seen) = proxy(agree(echo), |stream| {
        assert_eq!(take(stream), [5, 2, 0, 2]);
        stream.write_all(&[5, 2]).unwrap();
        assert_eq!(&take::<8>(stream), b"\x01\x02me\x03key");
        stream.write_all(&[1, 0]).unwrap();
        assert_eq!(take(stream), [5, 1, 0, 3, 11]);
        let name = take::<11>(stream);
        assert_eq!(take(stream), [0, 80]);
        stream.write_all(&[5, 0, 0, 3, 1, b'x', 0, 1]).unwrap();
        String::from_utf8(name.to_vec()).unwrap()
    });
    talk_through(&through(Proxies {
        all: Some(format!("socks5h://me:key@{address}")),
        ..Proxies::default()
    }));
    assert_eq!(seen.recv().unwrap(), "api.invalid");

    let (address, seen) = proxy(agree(echo), |stream| {
        assert_eq!(take(stream), [4, 1, 0, 80, 0, 0, 0, 1, 0]);
        let name = take::<12>(stream);
        stream.write_all(&[0, 90, 0, 0, 0, 0, 0, 0]).unwrap();
        String::from_utf8(name.to_vec()).unwrap()
    });
    talk_through(&through(Proxies {
        all: Some(format!("socks4a://{address}")),
        ..Proxies::default()
    }));
    assert_eq!(seen.recv().unwrap(), "api.invalid\0");

    let (address, _) = proxy(agree(echo), |stream| {
        assert_eq!(take(stream), [5, 1, 0]);
        stream.write_all(&[5, 0]).unwrap();
        take::<18>(stream);
        stream.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        String::new()
    });
    let sockets =
        through(Proxies { all: Some(format!("socks5h://{address}")), ..Proxies::default() });
    let error = failure(open(&sockets, 1, request("ws://api.invalid/")));
    assert!(error.message.ends_with("the host refused the connection"), "{error}");
}
