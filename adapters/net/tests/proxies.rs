//! Proxies over real sockets: CONNECT, absolute URLs, SOCKS, NO_PROXY, credentials.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::mpsc::{self, Receiver},
    thread,
};

use codex_net::{Net, NetConfig, Proxies};
use codex_proto::{HostErrorKind, effect::HttpRequest};
use common::{
    tls::{Authority, TempFile, serve_tls, trusting_config},
    *,
};

/// Passes bytes on in both directions until both ends are closed.
fn splice(one: TcpStream, other: TcpStream) {
    let (mut one_in, mut other_out) = (one.try_clone().unwrap(), other.try_clone().unwrap());
    let back = thread::spawn(move || {
        let _ = std::io::copy(&mut other_out, &mut one_in);
        let _ = one_in.shutdown(std::net::Shutdown::Write);
    });
    let (mut one_out, mut other_in) = (one, other);
    let _ = std::io::copy(&mut one_out, &mut other_in);
    let _ = other_in.shutdown(std::net::Shutdown::Write);
    back.join().unwrap();
}

/// A proxy that connects every CONNECT to `target`; tells what it was asked.
fn connect_proxy(target: SocketAddr) -> (SocketAddr, Receiver<Seen>) {
    let (sender, seen) = mpsc::channel();
    let address = serve(move |mut stream| {
        sender.send(read_request(&mut stream).unwrap()).unwrap();
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
        splice(stream, TcpStream::connect(target).unwrap());
    });
    (address, seen)
}

fn secured_answers(authority: &Authority, host: &str) -> SocketAddr {
    serve_tls(authority.certify(host, false), |mut stream| {
        while read_request(&mut stream).is_some() {
            write_answer(&mut stream, "through the tunnel");
        }
    })
}

#[test]
fn https_goes_through_connect_with_credentials_and_the_tunnel_is_kept() {
    let authority = Authority::new("r");
    let file = TempFile::new(&authority.pem);
    // A name that only the proxy can resolve.
    let (proxy, seen) = connect_proxy(secured_answers(&authority, "api.invalid"));
    let proxies = Proxies {
        https: Some(format!("http://user:p%40ss@{proxy}")),
        http: Some("http://127.0.0.1:1".into()),
        ..Proxies::default()
    };
    let net = Net::new(NetConfig { proxies, ..trusting_config(&file) });
    for _ in 0..2 {
        let outcome = fetch(&net, post("https://api.invalid/v1?key=hidden", "{}"));
        assert_eq!(outcome.text(), "through the tunnel");
        assert!(outcome.opened);
    }
    let connect = seen.recv().unwrap();
    assert_eq!(connect.line, "CONNECT api.invalid:443 HTTP/1.1");
    assert_eq!(connect.header("proxy-authorization"), Some("Basic dXNlcjpwQHNz"));
    assert!(seen.try_recv().is_err(), "the second request reuses the tunnel");
}

#[test]
fn http_is_sent_to_the_proxy_with_its_absolute_url() {
    let (sender, seen) = mpsc::channel();
    let proxy = serve(move |mut stream| {
        while let Some(request) = read_request(&mut stream) {
            sender.send(request).unwrap();
            write_answer(&mut stream, "from the proxy");
        }
    });
    let proxies = Proxies { http: Some(format!("user:pass@{proxy}")), ..Proxies::default() };
    let net = Net::new(NetConfig { proxies, ..NetConfig::default() });
    let body = vec![b'b'; 100_000];
    for url in ["http://api.invalid/v1?a=b", "http://api.invalid:8080/v1"] {
        for _ in 0..2 {
            assert_eq!(fetch(&net, post(url, body.clone())).text(), "from the proxy");
            let request = seen.recv().unwrap();
            assert_eq!(request.line, format!("POST {url} HTTP/1.1"));
            assert_eq!(request.header("proxy-authorization"), Some("Basic dXNlcjpwYXNz"));
            assert_eq!(request.header("host"), url.split('/').nth(2));
            assert_eq!(request.body, body);
        }
    }
}

#[test]
fn no_proxy_goes_directly() {
    let target = serve(answer("direct"));
    let proxies = Proxies {
        all: Some("http://127.0.0.1:1".into()),
        no: Some(format!("example.com, 127.0.0.0/8:{}, localhost", target.port())),
        ..Proxies::default()
    };
    let net = Net::new(NetConfig { proxies, ..NetConfig::default() });
    // An entry with a port leaves the other ports to the proxy.
    let error = fetch(&net, get(format!("http://127.0.0.1:{}/", 9))).error();
    assert_eq!(error.kind, HostErrorKind::Connect);
    assert!(error.message.contains("the proxy 127.0.0.1:1 (ALL_PROXY)"), "{error}");
    assert_eq!(fetch(&net, get(format!("http://{target}/"))).text(), "direct");
    assert_eq!(fetch(&net, get(format!("http://localhost:{}/", target.port()))).text(), "direct");
}

#[test]
fn a_proxy_that_refuses_or_stalls_is_named_without_its_password() {
    let refuses = serve(|mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n");
    });
    let mute = serve(|mut stream| {
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let closes = serve(drop);
    let trickles = serve(|mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(std::time::Duration::from_millis(50));
        }
    });
    let failing = |proxy: SocketAddr, connect_ms: u64| {
        let proxies =
            Proxies { https: Some(format!("http://u:hidden@{proxy}")), ..Proxies::default() };
        let net = Net::new(NetConfig { proxies, ..NetConfig::default() });
        let request = HttpRequest { connect_ms, ..get("https://api.invalid/") };
        let outcome = fetch(&net, request);
        assert!(!outcome.opened);
        let error = outcome.error();
        assert!(error.message.contains(&format!("the proxy {proxy} (HTTPS_PROXY)")), "{error}");
        assert!(error.message.contains("api.invalid:443"), "{error}");
        assert!(!error.message.contains("hidden"), "{error}");
        error
    };
    for (proxy, text) in [(refuses, "407"), (closes, "did not connect to")] {
        let error = failing(proxy, 120_000);
        assert_eq!(error.kind, HostErrorKind::Connect, "{error}");
        assert!(error.message.contains(text), "{error}");
    }
    for (proxy, place) in [(mute, " while waiting for the proxy"), (trickles, "")] {
        at_a_deadline(
            |ms| failing(proxy, ms),
            |ms, error| error.message.contains(&format!("timed out after {ms} ms{place}")),
        );
    }
}

#[test]
fn socks5_carries_both_schemes() {
    let target = serve(answer("over socks"));
    let proxy = serve(move |mut stream| {
        let mut greeting = [0; 2];
        stream.read_exact(&mut greeting).unwrap();
        stream.read_exact(&mut vec![0; usize::from(greeting[1])]).unwrap();
        stream.write_all(&[5, 0]).unwrap();
        let mut request = [0; 5];
        stream.read_exact(&mut request).unwrap();
        assert_eq!(request[..4], [5, 1, 0, 3], "a name, for the proxy to resolve");
        stream.read_exact(&mut vec![0; usize::from(request[4]) + 2]).unwrap();
        stream.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80]).unwrap();
        splice(stream, TcpStream::connect(target).unwrap());
    });
    let proxies = Proxies { all: Some(format!("socks5h://{proxy}")), ..Proxies::default() };
    let net = Net::new(NetConfig { proxies, ..NetConfig::default() });
    let outcome = fetch(&net, get("http://api.invalid/"));
    assert!(outcome.opened);
    assert_eq!(outcome.text(), "over socks");
}
