//! TLS over real sockets: whom we trust, how a refusal reads, what a stalled handshake costs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use codex_net::{CaFile, Net, NetConfig};
use codex_proto::{HostError, HostErrorKind, Reply, effect::HttpRequest};
use common::{
    tls::{Authority, Secured, TempFile, serve_tls, trusting},
    *,
};

fn answer_secured(mut stream: Secured) {
    while read_request(&mut stream).is_some() {
        write_answer(&mut stream, "secret talk");
    }
}

fn url(address: SocketAddr) -> String {
    format!("https://{address}/v1")
}

fn refusal(net: &Net, address: SocketAddr) -> HostError {
    let outcome = fetch(net, get(url(address)));
    assert!(!outcome.opened);
    let error = outcome.error();
    assert_eq!(error.kind, HostErrorKind::Tls, "{error}");
    assert!(error.message.contains(&address.to_string()), "{error}");
    error
}

#[test]
fn a_private_ca_is_trusted_when_it_is_named_and_connections_are_kept() {
    let authority = Authority::new("Test Root");
    let file = TempFile::new(&authority.pem);
    let (count_sender, count) = mpsc::channel();
    let address = serve_tls(authority.certify("127.0.0.1", false), move |stream| {
        count_sender.send(()).unwrap();
        answer_secured(stream);
    });
    let net = trusting(&file);
    for _ in 0..3 {
        let outcome = fetch(&net, post(url(address), "{}"));
        assert_eq!(outcome.text(), "secret talk");
        assert!(outcome.opened);
    }
    assert_eq!(count.try_iter().count(), 1);
}

#[test]
fn a_refused_certificate_is_named_with_its_issuer_and_whom_we_trust() {
    let authority = Authority::new("Test Root");
    let other = TempFile::new(&Authority::new("Other Root").pem);
    let net = trusting(&other);
    let address = serve_tls(authority.certify("127.0.0.1", false), answer_secured);
    let error = refusal(&net, address);
    for part in ["`CN=server 127.0.0.1`", "`CN=Test Root`", "trusted root", "ca_bundle", "system"] {
        assert!(error.message.contains(part), "{part}: {error}");
    }
    assert!(error.message.contains(&other.0.display().to_string()), "{error}");

    let file = TempFile::new(&authority.pem);
    let net = trusting(&file);
    let address = serve_tls(authority.certify("other.test", false), answer_secured);
    let error = refusal(&net, address);
    assert!(error.message.contains("other.test"), "{error}");
    assert!(error.message.contains("not valid for name"), "{error}");

    let address = serve_tls(authority.certify("127.0.0.1", true), answer_secured);
    let error = refusal(&net, address);
    assert!(error.message.contains("expired"), "{error}");
}

#[test]
fn a_ca_file_that_cannot_be_used_is_an_error_for_https_only() {
    let plain = serve(answer("ok"));
    let address = serve_tls(Authority::new("r").certify("127.0.0.1", false), answer_secured);
    let check = |path: std::path::PathBuf, text: &str| {
        let ca_file = CaFile { source: "SSL_CERT_FILE".into(), path: path.clone() };
        let net = Net::new(NetConfig { ca_files: vec![ca_file], ..NetConfig::default() });
        assert_eq!(fetch(&net, get(format!("http://{plain}/"))).text(), "ok");
        let error = fetch(&net, get(url(address))).error();
        assert_eq!(error.kind, HostErrorKind::Tls);
        assert!(error.message.contains("SSL_CERT_FILE"), "{error}");
        assert!(error.message.contains(&path.display().to_string()), "{error}");
        assert!(error.message.contains(text), "{error}");
    };
    check("/nonexistent/roots.pem".into(), "cannot be read");
    let empty = TempFile::new("");
    check(empty.0.clone(), "no certificate");
    let text = TempFile::new("not a certificate\n");
    check(text.0.clone(), "no certificate");
    let cut = TempFile::new("-----BEGIN CERTIFICATE-----\nMIIB\n");
    check(cut.0.clone(), "not valid PEM");
    let junk = TempFile::new("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    check(junk.0.clone(), "certificate 1 cannot be used");
}

#[test]
fn a_repaired_ca_file_is_found_without_a_restart() {
    let authority = Authority::new("Test Root");
    let file = TempFile::new("");
    let address = serve_tls(authority.certify("127.0.0.1", false), answer_secured);
    let net = trusting(&file);
    assert_eq!(fetch(&net, get(url(address))).error().kind, HostErrorKind::Tls);
    std::fs::write(&file.0, &authority.pem).unwrap();
    assert_eq!(fetch(&net, get(url(address))).text(), "secret talk");
}

#[test]
fn a_server_that_does_not_speak_tls_is_said_to_be_one() {
    let address = serve(|mut stream| {
        let _ = stream.read(&mut [0; 100]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        let _ = stream.read(&mut [0; 100]);
    });
    let file = TempFile::new(&Authority::new("r").pem);
    let error = refusal(&trusting(&file), address);
    assert!(error.message.contains("does not speak TLS"), "{error}");

    let address = serve(|mut stream| {
        let _ = stream.read(&mut [0; 10_000]);
    });
    let error = fetch(&trusting(&file), get(url(address))).error();
    assert_eq!(error.kind, HostErrorKind::Connect);
    assert!(error.message.contains("during the TLS handshake"), "{error}");
}

#[test]
fn a_handshake_that_stalls_or_trickles_ends_by_the_deadline() {
    let file = TempFile::new(&Authority::new("r").pem);
    let net = trusting(&file);
    let stalls = |mut stream: TcpStream| {
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    };
    // A record that is announced and comes byte by byte.
    let trickles = |mut stream: TcpStream| {
        let _ = stream.write_all(&[22, 3, 3, 0x10, 0, 2, 0, 0x0f, 0xfc]);
        while stream.write_all(&[0]).is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    };
    for address in [serve(stalls), serve(trickles)] {
        at_a_deadline(
            |connect_ms| fetch(&net, HttpRequest { connect_ms, ..get(url(address)) }).error(),
            |ms, error| {
                let place = format!("while negotiating TLS with {address}");
                error.message == format!("timed out after {ms} ms {place}")
            },
        );
    }
}

#[test]
fn cancelling_closes_the_socket_in_a_handshake_and_in_a_body() {
    let (begun_sender, begun) = mpsc::channel();
    let (gone_sender, gone) = mpsc::channel();
    let address = serve(move |mut stream| {
        stream.read_exact(&mut [0]).unwrap();
        begun_sender.send(()).unwrap();
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
        let _ = gone_sender.send(());
    });
    let authority = Authority::new("r");
    let file = TempFile::new(&authority.pem);
    let net = trusting(&file);
    let mut replies = start(&net, 1, get(url(address)));
    begun.recv_timeout(LONG).unwrap();
    net.cancel(id(1));
    assert!(matches!(replies.next(), Some(Reply::Failed(e)) if e.kind == HostErrorKind::Cancelled));
    gone.recv_timeout(LONG).unwrap();

    let (gone_sender, gone) = mpsc::channel();
    let address = serve_tls(authority.certify("127.0.0.1", false), move |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nx");
        let _ = std::io::copy(&mut stream.sock, &mut std::io::sink());
        let _ = gone_sender.send(());
    });
    let mut replies = start(&net, 2, get(url(address)));
    replies.opened();
    replies.head();
    assert_eq!(replies.next(), Some(Reply::Bytes(b"x".to_vec())));
    net.cancel(id(2));
    assert!(matches!(replies.next(), Some(Reply::Failed(e)) if e.kind == HostErrorKind::Cancelled));
    gone.recv_timeout(LONG).unwrap();
}
