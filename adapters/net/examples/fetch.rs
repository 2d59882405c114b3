//! Measures one request in a process of its own.
//!
//! `fetch serve [tls FILE]` answers on loopback and prints its URL; with `tls` it writes the CA
//! that it made to FILE. `fetch net URL [CA]` sends one POST through the adapter, `fetch bare URL`
//! through a plain ureq agent. `fetch many URL N` sends N in a row and prints the time of each.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring tool for developers")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use codex_net::{CaFile, Net, NetConfig};
use common::{tls::Authority, *};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["serve"] => {
            println!("http://{}/", serve(answer("ok")));
            std::thread::park();
        }
        ["serve", "tls", file] => {
            let authority = Authority::new("fetch");
            std::fs::write(file, &authority.pem).unwrap();
            let config = authority.certify("127.0.0.1", false);
            let address = tls::serve_tls(config, |mut stream| {
                while read_request(&mut stream).is_some() {
                    write_answer(&mut stream, "ok");
                }
            });
            println!("https://{address}/");
            std::thread::park();
        }
        ["net", url] => assert_eq!(fetch(&net(), post(url, "{}")).text(), "ok"),
        ["net", url, ca] => {
            let ca_files = vec![CaFile { source: "ca".into(), path: ca.into() }];
            let net = Net::new(NetConfig { ca_files, ..NetConfig::default() });
            assert_eq!(fetch(&net, post(url, "{}")).text(), "ok");
        }
        ["bare", url] => {
            let mut answer = ureq::post(url).send("{}").unwrap();
            assert_eq!(answer.body_mut().read_to_string().unwrap(), "ok");
        }
        ["many", url, count] => {
            let net = net();
            for _ in 0..count.parse().unwrap() {
                let began = Instant::now();
                assert_eq!(fetch(&net, post(url, "{}")).text(), "ok");
                println!("{:?}", began.elapsed());
            }
        }
        _ => println!("see the top of examples/fetch.rs"),
    }
}
