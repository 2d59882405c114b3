//! Stories: what comes in, and what goes out for it, line by line. Each line of a file is one of
//!
//! | in | meaning |
//! | --- | --- |
//! | `{"client": VALUE}` | a line of the client |
//! | `{"bytes": TEXT}` | a line of the client as it is |
//! | `{"long": TEXT, "length": N}` | the beginning of a line that was too long |
//! | `{"told": VALUE}` | the host's answer to its oldest question |
//! | `{"event": VALUE}` | an event of the first engine |
//! | `{"ended": TEXT}` | the first engine has ended by itself |
//!
//! followed by what goes out: `{"line": …}`, `{"op": …}`, `{"ask": …}`, `{"close": HOST}`.
//! `UPDATE_GOLDEN=1` rewrites what goes out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::disallowed_methods, reason = "this test reads files, the translator does not")]

use std::{collections::VecDeque, fs, path::PathBuf};

use codex_proto::{Event, Wall};
use codex_rpc::{
    AppServer,
    app_server::{Account, Ask, AskId, HostFacts, HostId, Login, Output, ServerFacts, Told},
};
use serde_json::{Value, json};

const NOW: Wall = Wall(1_795_328_118_541);

fn facts() -> ServerFacts {
    ServerFacts {
        version: "0.0.0".into(),
        os: "linux".into(),
        family: "unix".into(),
        arch: "x86_64".into(),
        terminal: "unknown".into(),
        codex_home: "/home/user/.codex".into(),
    }
}

fn told(value: &Value) -> Told {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    match value["is"].as_str().unwrap() {
        "account" => Told::Account(Account {
            login: value["key"].as_bool().unwrap().then_some(Login::ApiKey),
            is_needed: value["needed"].as_bool().unwrap(),
        }),
        "done" => Told::Done,
        "failed" => Told::Failed(text("why").unwrap()),
        "host" => Told::Host(HostFacts {
            service_tier: text("tier"),
            has_voice: value["voice"].as_bool().unwrap_or(false),
            warnings: text("warning").into_iter().collect(),
        }),
        "rollout" => {
            Told::Rollout { path: text("path").unwrap().into(), cwd: text("cwd").unwrap().into() }
        }
        other => panic!("{other}"),
    }
}

fn shown(output: Output, asked: &mut VecDeque<AskId>) -> Value {
    match output {
        Output::Ask(id, ask) => {
            asked.push_back(id);
            // The debug form hides what may be a key; so does the picture of an engine's request.
            let ask = match ask {
                Ask::OpenHost { host, request } => json!({
                    "open": host.0, "originator": request.originator, "cwd": request.cwd,
                    "model": request.model, "approval": request.approval,
                    "sandbox": request.sandbox, "set": request.set,
                    "ephemeral": request.ephemeral
                }),
                ask => format!("{ask:?}").into(),
            };
            json!({ "ask": ask })
        }
        Output::CloseHost(host) => json!({ "close": host.0 }),
        Output::Line(line) => {
            let line = line.strip_suffix(b"\n").unwrap();
            assert!(!line.contains(&b'\n'));
            json!({ "line": serde_json::from_slice::<Value>(line).unwrap() })
        }
        Output::Op { host, id, op } => json!({ "op": op, "id": id, "host": host.0 }),
    }
}

fn play(story: &str) -> String {
    let mut server = AppServer::new(facts());
    let mut asked = VecDeque::new();
    let mut text = String::new();
    for line in story.lines() {
        if line.is_empty() || line.starts_with("//") {
            text.push_str(line);
            text.push('\n');
            continue;
        }
        let step: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let (kind, value) = step.as_object().unwrap().iter().next().unwrap();
        match kind.as_str() {
            "client" => server.line_in(value.to_string().as_bytes()),
            "bytes" => server.line_in(value.as_str().unwrap().as_bytes()),
            "long" => server
                .long_line_in(value.as_str().unwrap().as_bytes(), step["length"].as_u64().unwrap()),
            "told" => server.told(asked.pop_front().unwrap(), told(value)),
            "event" => {
                let event: Event = serde_json::from_value(value.clone())
                    .unwrap_or_else(|e| panic!("{e}: {value}"));
                server.event(HostId(1), &event, NOW);
            }
            "ended" => server.host_ended(HostId(1), value.as_str().unwrap()),
            _ => continue,
        }
        text.push_str(line);
        text.push('\n');
        while let Some(output) = server.pop() {
            text.push_str(&shown(output, &mut asked).to_string());
            text.push('\n');
        }
    }
    text
}

#[test]
fn stories_go_as_written() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let want = fs::read_to_string(&path).unwrap();
        let got = play(&want);
        count += 1;
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &got).unwrap();
        } else if got != want {
            let (number, (want, got)) = want
                .lines()
                .zip(got.lines())
                .enumerate()
                .find(|(_, (want, got))| want != got)
                .unwrap_or((0, ("as many lines", "another number of lines")));
            panic!("{}:{}\nwant {want}\ngot  {got}", path.display(), number + 1);
        }
    }
    assert!(count >= 7, "{count} stories");
}
