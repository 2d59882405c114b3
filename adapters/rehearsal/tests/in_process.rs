//! The scripted model behind the `Http` effect: grammar, order, waiting, cancelling.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{num::NonZeroU64, time::Instant};

use async_channel::Receiver;
use codex_proto::{
    EffectId, EffectKind, HostErrorKind, Reply,
    effect::{Grammar, HttpRequest, Method},
    settings::HeaderValue,
};
use codex_rehearsal::{InProcess, Script};
use serde_json::{Value, json};

fn model(script: Value) -> InProcess {
    InProcess::new(Script::from_json(&script).unwrap())
}

fn request() -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        url: "http://rehearsal.invalid/v1/responses".into(),
        headers: vec![("x-test".into(), HeaderValue::Plain("yes".into()))],
        auth: None,
        body: b"{}".to_vec(),
        connect_ms: 1000,
    }
}

fn id(number: u64) -> EffectId {
    EffectId(NonZeroU64::new(number).unwrap())
}

/// Starts request `number` with a channel for `room` replies.
fn start(model: &InProcess, number: u64, room: usize) -> Receiver<Reply> {
    let (sender, receiver) = async_channel::bounded(room);
    model.start(id(number), request(), sender);
    receiver
}

/// Reads all replies and checks their grammar; gives the body and the last reply.
fn finish(receiver: &Receiver<Reply>) -> (Vec<u8>, Reply) {
    let mut grammar = Grammar::of(&EffectKind::Http(Box::new(request()))).unwrap();
    let mut body = Vec::new();
    while let Ok(reply) = receiver.recv_blocking() {
        assert_eq!(grammar.on(&reply), Ok(()), "{reply:?}");
        match reply {
            Reply::Bytes(bytes) => body.extend(bytes),
            last if last.is_terminal() => {
                assert!(receiver.recv_blocking().is_err(), "something follows the end");
                return (body, last);
            }
            _ => {}
        }
    }
    panic!("the replies end without a terminal one")
}

fn failure(reply: Reply) -> HostErrorKind {
    match reply {
        Reply::Failed(error) => error.kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_body_arrives_in_order_through_a_narrow_channel() {
    let model = model(json!([{"when": {"header": {"x-test": "yes"}}, "chunks": "one",
        "items": [{"message": "word ", "times": 5000}]}]));
    let receiver = start(&model, 1, 1);
    let (body, last) = finish(&receiver);
    assert_eq!(last, Reply::Closed);
    let body = String::from_utf8(body).unwrap();
    assert!(body.starts_with("event: response.created\n"));
    assert!(body.trim_end().ends_with("}}"), "the final event is whole");
    assert_eq!(body.matches("event: response.output_text.delta\n").count(), 5000);
}

#[test]
fn steps_are_taken_in_the_order_of_the_starts() {
    let model = model(json!([{"text": "one", "delay_ms": 30}, {"text": "two"}]));
    let (first, second) = (start(&model, 1, 8), start(&model, 2, 8));
    assert_eq!(finish(&second).0, b"two");
    assert_eq!(finish(&first).0, b"one");
    assert_eq!(model.requests(), 2);
}

#[test]
fn delays_are_kept() {
    let model = model(json!([{"text": "abc", "chunks": 1, "gap_ms": 20, "delay_ms": 20}]));
    let before = Instant::now();
    assert_eq!(finish(&start(&model, 1, 8)).0, b"abc");
    assert!(before.elapsed().as_millis() >= 60);
}

#[test]
fn broken_connections_fail() {
    let model = model(json!([
        {"items": ["x"], "cut_after": 1},
        {"items": [], "end": "reset"},
        {"silent": true},
        {"sse": "", "end": "hang", "hang_ms": 1},
    ]));
    for number in 1..=4 {
        let (body, last) = finish(&start(&model, number, 8));
        assert_eq!(body.is_empty(), number > 2);
        assert_eq!(failure(last), HostErrorKind::Disconnected);
    }
}

#[test]
fn cancelling_ends_each_kind_of_waiting_at_once() {
    let model = model(json!([
        {"text": "x", "delay_ms": 600_000},
        {"text": "xyz", "chunks": 1, "gap_ms": 600_000},
        {"items": [], "end": "hang"},
        {"text": "xyz", "chunks": 1},
    ]));
    for number in 1..=4 {
        let before = Instant::now();
        let receiver = start(&model, number, 1);
        assert_eq!(receiver.recv_blocking(), Ok(Reply::Opened));
        model.cancel(id(number));
        let last = std::iter::from_fn(|| receiver.recv_blocking().ok()).last().unwrap();
        assert_eq!(failure(last), HostErrorKind::Cancelled, "request {number}");
        assert!(before.elapsed().as_secs() < 60);
    }
    model.cancel(id(1));
    model.cancel(id(99));
}

#[test]
fn a_reader_that_goes_away_ends_the_request() {
    let model = model(json!([{"items": [], "end": "hang"}, {"text": "next"}]));
    drop(start(&model, 1, 1));
    assert_eq!(finish(&start(&model, 2, 1)).0, b"next");
}
