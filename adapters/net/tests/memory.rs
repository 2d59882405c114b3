//! A large body in flat memory; the only test of its process, since others would be counted too.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::Write as _;

use codex_proto::Reply;
use common::*;

/// Resident memory of this process in KiB.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok()
    })
}

#[test]
fn a_100_mb_body_passes_in_flat_memory() {
    const BODY: u64 = 100 << 20;
    let address = serve(|mut stream| {
        read_request(&mut stream);
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n").unwrap();
        for _ in 0..BODY / 65_536 {
            stream.write_all(&[b'x'; 65_536]).unwrap();
        }
    });
    let net = net();
    let mut replies = start(&net, 1, get(format!("http://{address}/")));
    replies.opened();
    replies.head();
    let before = resident_kib();
    let mut total = 0;
    loop {
        match replies.next() {
            Some(Reply::Bytes(bytes)) => total += bytes.len() as u64,
            Some(Reply::Closed) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(total, BODY);
    if let (Some(before), Some(after)) = (before, resident_kib()) {
        assert!(after < before + 60 * 1024, "{before} KiB before, {after} KiB after");
    }
}
