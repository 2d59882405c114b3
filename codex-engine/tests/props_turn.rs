//! Properties of a turn.

#![allow(clippy::unwrap_used, reason = "tests")]

mod harness;

use codex_proto::{Event, Reply};
use harness::{Harness, call, completed, done, exec, message, output_in, settings};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A response with a streamed message, reasoning and two calls.
fn response() -> Vec<u8> {
    let added = json!({ "type": "response.output_item.added",
        "item": { "type": "message", "role": "assistant", "content": [] } });
    let delta = |text: &str| json!({ "type": "response.output_text.delta", "delta": text });
    let reasoning = json!({ "type": "reasoning",
        "summary": [{ "type": "summary_text", "text": "hm" }] });
    let events = [
        done(&reasoning),
        added,
        delta("né\n"),
        delta("😀 \"x\""),
        done(&message("né\n😀 \"x\"")),
        done(&exec("c1", "ls")),
        done(&call("c2", "update_plan", &json!({ "plan": [] }))),
        completed(),
    ];
    events
        .iter()
        .flat_map(|event| format!("event: e\r\ndata: {event}\r\n\r\n").into_bytes())
        .collect()
}

/// What a run tells of its items, and its next request, when the response comes in these pieces.
/// When a command starts, relative to the count of tokens, may differ: it does not wait.
fn run(pieces: &[&[u8]]) -> (Vec<Event>, Value) {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    let (id, _) = h.request();
    h.head(id, 200, &[]);
    for piece in pieces {
        h.reply(id, Reply::Bytes(piece.to_vec()));
    }
    h.reply(id, Reply::Closed);
    let (spawn, _) = h.spawns()[0].clone();
    h.exit(spawn, "out", 0);
    let (_, body) = h.request();
    let is_item =
        |event: &Event| matches!(event, Event::ItemCompleted { .. } | Event::ItemDelta { .. });
    (h.events.into_iter().filter(is_item).collect(), body)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn prop_chunking_of_a_response_is_invisible(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let bytes = response();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.sort_unstable();
        let (mut from, mut pieces) = (0, Vec::new());
        for cut in at {
            pieces.push(&bytes[from..cut]);
            from = cut;
        }
        pieces.push(&bytes[from..]);
        let (events, body) = run(&pieces);
        let whole = run(&[&bytes]);
        prop_assert_eq!(events, whole.0);
        prop_assert_eq!(body, whole.1);
    }

    #[test]
    fn prop_any_arguments_get_exactly_one_output(args in "\\PC{0,60}", name in "[a-z_]{0,12}") {
        let mut h = Harness::new(settings());
        h.prompt("hi");
        let odd = json!({ "type": "function_call", "name": name, "arguments": args,
            "call_id": "c1" });
        let shell = json!({ "type": "function_call", "name": "write_stdin", "arguments": args,
            "call_id": "c2" });
        h.answer(&[odd, shell]);
        let (_, body) = h.request();
        prop_assert!(output_in(&body, "c1").is_some() && output_in(&body, "c2").is_some());
        let outputs = body["input"].as_array().unwrap().iter()
            .filter(|item| item["type"] == "function_call_output").count();
        prop_assert_eq!(outputs, 2);
    }
}
