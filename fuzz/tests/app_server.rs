//! The app-server against a world that answers in any order: each request gets exactly one answer.

use codex_sim::target::app_server::{run, thread_id};
use proptest::prelude::*;

const HELLO: &str = r#"{"id":0,"method":"initialize","params":{"clientInfo":{"name":"p","version":"1"},"capabilities":{"experimentalApi":true}}}"#;

/// Requests with places for a thread `$T`, a turn `$U` and a folder `$C`.
const REQUESTS: [(&str, &str); 18] = [
    ("initialize", r#"{"clientInfo":{"name":"p","version":"1"}}"#),
    ("account/read", "{}"),
    ("account/login/start", r#"{"type":"apiKey","apiKey":"k"}"#),
    ("account/logout", "null"),
    ("thread/start", r#"{"cwd":"$C"}"#),
    ("thread/start", r#"{"config":{"a":{"b":[1,"x"]}},"sandbox":"read-only"}"#),
    ("thread/resume", r#"{"threadId":"$T"}"#),
    ("thread/unsubscribe", r#"{"threadId":"$T"}"#),
    ("turn/start", r#"{"threadId":"$T","input":[{"type":"text","text":"x"}],"effort":"high"}"#),
    (
        "turn/steer",
        r#"{"threadId":"$T","input":[{"type":"text","text":"x"}],"expectedTurnId":"$U"}"#,
    ),
    ("turn/interrupt", r#"{"threadId":"$T","turnId":"$U"}"#),
    ("thread/realtime/start", r#"{"threadId":"$T","outputModality":"audio"}"#),
    ("thread/realtime/appendText", r#"{"threadId":"$T","text":"x"}"#),
    ("thread/realtime/stop", r#"{"threadId":"$T"}"#),
    ("thread/realtime/listVoices", "{}"),
    ("thread/start", "7"),
    ("no/such/method", "{}"),
    ("turn/start", r#"{"threadId":"$T","input":[{"type":"video"}]}"#),
];

fn request() -> impl Strategy<Value = String> {
    (0..REQUESTS.len(), 0..40_u8, 1..4_u32, 1..5_u32, 0..20_u8).prop_map(
        |(which, id, thread, turn, folder)| {
            let (method, params) = REQUESTS[which];
            let params = params
                .replace("$T", &thread_id(thread).to_string())
                .replace("$U", &thread_id(turn).to_string())
                .replace("$C", &format!("/w{folder}"));
            // Some ids are strings, and ids repeat.
            let id = if id % 5 == 0 { format!("\"{id}\"") } else { id.to_string() };
            format!(r#"{{"id":{id},"method":"{method}","params":{params}}}"#)
        },
    )
}

fn step() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => request(),
        3 => Just("~a".to_owned()),
        6 => Just("~o".to_owned()),
        1 => Just("~f".to_owned()),
        1 => Just("~r".to_owned()),
        1 => Just("~s".to_owned()),
        1 => Just("~q".to_owned()),
        1 => Just("~x".to_owned()),
        1 => Just("~i".to_owned()),
        1 => Just("~d".to_owned()),
        1 => Just("~l".to_owned()),
        1 => (0..6_u8).prop_map(|id| format!(r#"{{"id":{id},"result":{{"decision":"accept"}}}}"#)),
        1 => "\\PC{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn each_request_gets_exactly_one_answer(steps in prop::collection::vec(step(), 0..120)) {
        let mut text = vec![HELLO.to_owned()];
        text.extend(steps);
        run(text.join("\n").as_bytes());
    }

    #[test]
    fn bytes_that_are_no_lines_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        run(&bytes);
    }
}
