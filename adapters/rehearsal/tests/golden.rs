//! Scripts in, exact bytes out. `UPDATE_GOLDEN=1` writes what comes out; read the difference.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path};

use codex_proto::wire::sse::SseDecoder;
use codex_rehearsal::{Script, ScriptedModel};
use serde_json::{Value, json};

fn check(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let text = fs::read_to_string(dir.join(format!("{name}.json"))).unwrap();
    let mut model = ScriptedModel::new(Script::parse(name, &text).unwrap());
    let body = json!({"input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "you"}]},
        {"type": "function_call", "call_id": "call_1"},
    ]});
    let response = model.respond(body.to_string().as_bytes(), &[]);
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body()));
    let got = String::from_utf8(response.body()).unwrap();
    let path = dir.join(format!("{name}.sse"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &got).unwrap();
    }
    assert_eq!(got, fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
    got
}

fn events(text: &str) -> Vec<Value> {
    let mut decoder = SseDecoder::default();
    decoder.push(text.as_bytes());
    let mut events = Vec::new();
    while let Some(event) = decoder.next() {
        events.push(serde_json::from_str(event.unwrap()).unwrap());
    }
    events
}

#[test]
fn reasoning_and_a_message() {
    let events = events(&check("talk"));
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], index);
    }
    let said: String = events
        .iter()
        .filter(|event| event["type"] == "response.output_text.delta")
        .map(|event| event["delta"].as_str().unwrap())
        .collect();
    assert_eq!(said, "hello you");
    assert_eq!(events.last().unwrap()["response"]["usage"]["total_tokens"], 10);
}

#[test]
fn calls_of_each_kind() {
    let events = events(&check("calls"));
    let done: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| &event["item"])
        .collect();
    // `call_1` is taken: the request has it in its history.
    assert_eq!(done[0]["call_id"], "call_2");
    assert_eq!(done[0]["arguments"], r#"{"cmd":"echo 1"}"#);
    assert_eq!(done[1]["call_id"], "mine");
    assert_eq!(done[2]["call_id"], "call_3");
}

#[test]
fn items_and_bytes_as_they_are() {
    check("odd");
}
