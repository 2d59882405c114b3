//! A model that says plausible things, and a network that does what networks do.

use codex_proto::{
    HostError, HostErrorKind, Reply,
    effect::{HttpHead, HttpRequest},
};
use memchr::memmem;
use serde_json::{Value, json};

use super::Replies;
use crate::{
    dice::Dice,
    fault::{Fault, Swarm},
};

/// Bytes of a huge delta.
const HUGE_BYTES: usize = 256 << 10;

/// Makes up answers. Its only memory is a counter, so that call ids differ.
#[derive(Clone, Debug, Default)]
pub struct Model {
    calls: u64,
}

impl Model {
    /// Answers a request. A stalled stream has no terminal reply.
    pub fn on(&mut self, request: &HttpRequest, swarm: &Swarm, rng: &mut Dice) -> Replies {
        let body = &request.body[..];
        let delay = |rng: &mut Dice| {
            if swarm.strikes(Fault::Slow, rng) { rng.u64(100..20_000) } else { rng.u64(0..30) }
        };
        let mut replies = Vec::new();
        if swarm.strikes(Fault::Connect, rng) {
            let kind = *rng
                .choice(&[
                    HostErrorKind::Connect,
                    HostErrorKind::NameResolution,
                    HostErrorKind::Tls,
                    HostErrorKind::TimedOut,
                ])
                .unwrap_or(&HostErrorKind::Connect);
            if rng.bool() {
                replies.push((delay(rng), Reply::Opened));
            }
            replies.push((delay(rng), Reply::Failed(HostError::new(kind, "no connection"))));
            return replies;
        }
        if rng.bool() {
            replies.push((delay(rng), Reply::Opened));
        }
        if swarm.strikes(Fault::Status, rng) {
            self.refuse(&mut replies, rng);
            return replies;
        }
        let head = HttpHead { status: 200, headers: Vec::new() };
        replies.push((delay(rng), Reply::Head(Box::new(head))));
        let mut events = self.events(body, swarm, rng);
        if swarm.strikes(Fault::Reorder, rng) {
            let (a, b) = (rng.usize(0..events.len()), rng.usize(0..events.len()));
            events.swap(a, b);
        }
        if swarm.strikes(Fault::Repeat, rng) {
            let at = rng.usize(0..events.len());
            events.insert(rng.usize(0..=events.len()), events[at].clone());
        }
        let mut bytes = Vec::new();
        for event in events {
            bytes.extend_from_slice(format!("event: x\ndata: {event}\n\n").as_bytes());
        }
        if swarm.strikes(Fault::Garble, rng) {
            garble(&mut bytes, rng);
        }
        let cut = (swarm.strikes(Fault::Cut, rng)).then(|| rng.usize(0..=bytes.len()));
        let stall = swarm.strikes(Fault::Stall, rng);
        if stall {
            bytes.truncate(rng.usize(0..=bytes.len()));
        }
        if let Some(cut) = cut {
            bytes.truncate(cut);
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let size = match rng.u8(0..3) {
                0 => 1 + rng.usize(0..8),
                1 => 1 + rng.usize(0..400),
                _ => rest.len(),
            };
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            replies.push((rng.u64(0..5), Reply::Bytes(chunk.to_vec())));
            rest = after;
        }
        if !stall {
            let broken = cut.is_some() && rng.bool();
            let end = if broken {
                Reply::Failed(HostError::new(HostErrorKind::Disconnected, "connection reset"))
            } else {
                Reply::Closed
            };
            replies.push((rng.u64(0..5), end));
        }
        replies
    }

    fn refuse(&mut self, replies: &mut Replies, rng: &mut Dice) {
        let status = *rng.choice(&[400, 401, 404, 408, 429, 429, 500, 502, 503]).unwrap_or(&500);
        let mut headers = Vec::new();
        if rng.bool() {
            let wait = *rng.choice(&["0", "1", "30", "100000", "soon"]).unwrap_or(&"1");
            headers.push(("retry-after".to_owned(), wait.to_owned()));
        }
        replies.push((rng.u64(0..50), Reply::Head(Box::new(HttpHead { status, headers }))));
        let body = *rng
            .choice(&[
                "",
                "<html>bad gateway</html>",
                r#"{"error":{"message":"no","code":"server_error"}}"#,
                r#"{"error":{"type":"usage_limit_reached","resets_at":1795330000}}"#,
                r#"{"error":{"code":"insufficient_quota"}}"#,
                r#"{"error":"#,
            ])
            .unwrap_or(&"");
        if !body.is_empty() {
            replies.push((rng.u64(0..5), Reply::Bytes(body.as_bytes().to_vec())));
        }
        replies.push((rng.u64(0..5), Reply::Closed));
    }

    /// A whole stream: items, and one of the ends there are.
    fn events(&mut self, body: &[u8], swarm: &Swarm, rng: &mut Dice) -> Vec<Value> {
        let mut events = vec![json!({ "type": "response.created", "response": {} })];
        let since = outputs_since_prompt(body);
        if rng.u8(0..3) == 0 {
            push_reasoning(&mut events, rng);
        }
        if rng.bool() {
            let huge = swarm.strikes(Fault::Huge, rng);
            push_message(&mut events, huge, rng);
        }
        // The longer a turn lasts, the more it wants to end.
        if rng.usize(0..40) > since * 6 {
            for _ in 0..=rng.u8(0..4) {
                let item = self.call(body, swarm, rng);
                push_item(&mut events, item, rng);
            }
        }
        if rng.u8(0..10) == 0 {
            push_item(&mut events, json!({ "type": "odd_new_thing", "id": "x", "n": 1 }), rng);
        }
        let usage = json!({ "input_tokens": 10, "output_tokens": 5, "total_tokens": 15 });
        events.push(match rng.u8(0..20) {
            0 => json!({ "type": "response.incomplete", "response": {
                "incomplete_details": { "reason": "max_output_tokens" } } }),
            1 => json!({ "type": "response.failed", "response": {
                "error": { "code": "server_error", "message": "boom" } } }),
            2 => json!({ "type": "response.failed", "response": {
                "error": { "code": "rate_limit_exceeded", "message": "try again in 2s" } } }),
            3 => json!({ "type": "response.completed", "response": {
                "id": "r", "usage": usage, "end_turn": false } }),
            _ => json!({ "type": "response.completed", "response": { "id": "r", "usage": usage } }),
        });
        events
    }

    /// A call of any tool, well formed or not.
    fn call(&mut self, body: &[u8], swarm: &Swarm, rng: &mut Dice) -> Value {
        let odd = swarm.strikes(Fault::Odd, rng);
        // An odd model may say the id of its last call again.
        self.calls += u64::from(!(odd && rng.bool()));
        let call_id = format!("call_{}", self.calls);
        let function = |name: &str, args: Value| {
            let args = args.as_str().map_or_else(|| args.to_string(), str::to_owned);
            json!({ "type": "function_call", "id": "fc", "name": name, "arguments": args,
                    "call_id": call_id })
        };
        match if odd { rng.u8(8..10) } else { rng.u8(0..12) } {
            0..=3 => function("exec_command", command(rng)),
            4 => function("shell_command", json!({ "command": "ls", "timeout_ms": 1_000 })),
            5 => function("shell", json!({ "command": ["ls", "-l"] })),
            6 => {
                let session = session_in(body).unwrap_or(1_234);
                let chars = *rng.choice(&["", "\u{3}", "y\n"]).unwrap_or(&"");
                function("write_stdin", json!({ "session_id": session, "chars": chars }))
            }
            7 => function(
                "update_plan",
                json!({ "plan": [{ "step": "a", "status": "in_progress" }] }),
            ),
            8 => {
                let bad = *rng
                    .choice(&["{", "{}", "[]", r#"{"cmd":1}"#, r#"{"cmd":"x","tty":true}"#])
                    .unwrap_or(&"{");
                function("exec_command", json!(bad))
            }
            9 => function("no_such_tool", json!({})),
            _ => {
                let patch = *rng
                    .choice(&[
                        "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch",
                        "*** Begin Patch\n*** Update File: a.txt\n@@\n-one\n+ONE\n*** End Patch",
                        "*** Begin Patch\n*** Update File: a.txt\n@@\n-ONE\n+one\n*** Delete \
                         File: b.txt\n*** End Patch",
                        "*** Begin Patch\n*** Add File: b.txt\n+b\n*** Update File: a.txt\n*** \
                         Move to: a.txt\n@@\n-one\n+two\n+one\n*** End Patch",
                        "*** Begin Patch\n*** Add File: ../../etc/x\n+no\n*** End Patch",
                        "*** Begin Patch\n*** Add File: .git/config\n+no\n*** End Patch",
                        "*** Begin Patch\n*** End Patch",
                        "garbage",
                    ])
                    .unwrap_or(&"");
                json!({ "type": "custom_tool_call", "id": "ct", "name": "apply_patch",
                        "input": patch, "call_id": call_id })
            }
        }
    }
}

/// A command: harmless, not known, dangerous, escalated, in a terminal.
fn command(rng: &mut Dice) -> Value {
    let cmd = *rng
        .choice(&["make", "make", "make", "ls", "cat a.txt", "rm -rf x", "make > log"])
        .unwrap_or(&"make");
    let mut args = json!({ "cmd": cmd, "yield_time_ms": 500 });
    if rng.u8(0..6) == 0 {
        args["sandbox_permissions"] = json!("require_escalated");
        args["justification"] = json!("it must be");
    }
    if rng.u8(0..4) == 0 {
        args["tty"] = json!(true);
    }
    args
}

/// How many calls were answered since the user spoke. Bodies are long, so they are not parsed.
fn outputs_since_prompt(body: &[u8]) -> usize {
    let from = memmem::rfind(body, br#""role":"user""#).unwrap_or_default();
    memmem::find_iter(&body[from..], "call_output\"").count()
}

/// The newest session that a tool output mentions.
fn session_in(body: &[u8]) -> Option<u64> {
    const BEFORE: &[u8] = b"session ID ";
    let from = memmem::rfind(body, BEFORE)? + BEFORE.len();
    let digits = body[from..].iter().take_while(|byte| byte.is_ascii_digit());
    String::from_utf8(digits.copied().collect()).ok()?.parse().ok()
}

fn push_message(events: &mut Vec<Value>, huge: bool, rng: &mut Dice) {
    let words = ["Looking", " at", " it", ".\n", " é", "😀", ""];
    let text: Vec<&str> =
        (0..rng.usize(0..6)).filter_map(|_| rng.choice(&words).copied()).collect();
    let long = "long ".repeat(HUGE_BYTES / 5);
    let text = if huge { vec![long.as_str(), "end"] } else { text };
    let item = |text: &str| {
        json!({ "type": "message", "id": "m", "role": "assistant",
                "content": [{ "type": "output_text", "text": text }] })
    };
    let stream = rng.bool();
    if stream {
        events.push(json!({ "type": "response.output_item.added", "item": item("") }));
        for word in &text {
            events.push(json!({ "type": "response.output_text.delta", "delta": word }));
        }
    }
    events.push(json!({ "type": "response.output_item.done", "item": item(&text.concat()) }));
}

fn push_reasoning(events: &mut Vec<Value>, rng: &mut Dice) {
    let item = |summary: Value| json!({ "type": "reasoning", "id": "rs", "summary": summary, "encrypted_content": "E" });
    if rng.bool() {
        events.push(json!({ "type": "response.output_item.added", "item": item(json!([])) }));
        for index in 0..2 {
            events.push(json!({ "type": "response.reasoning_summary_part.added",
                                "summary_index": index }));
            events.push(json!({ "type": "response.reasoning_summary_text.delta", "delta": "hm",
                                "summary_index": index }));
        }
    }
    let part = json!({ "type": "summary_text", "text": "hm" });
    events.push(json!({ "type": "response.output_item.done", "item": item(json!([part, part])) }));
}

fn push_item(events: &mut Vec<Value>, item: Value, rng: &mut Dice) {
    if rng.bool() {
        events.push(json!({ "type": "response.output_item.added", "item": item }));
    }
    events.push(json!({ "type": "response.output_item.done", "item": item }));
}

/// What a broken middle box does to a stream.
fn garble(bytes: &mut Vec<u8>, rng: &mut Dice) {
    if bytes.is_empty() {
        return;
    }
    let at = rng.usize(0..bytes.len());
    match rng.u8(0..4) {
        0 => bytes[at] = rng.u8(..),
        1 => {
            let end = (at + rng.usize(0..200)).min(bytes.len());
            let copy = bytes[at..end].to_vec();
            bytes.splice(end..end, copy);
        }
        2 => bytes.splice(at..at, *b"data: {not json\n\n").for_each(drop),
        _ => bytes.splice(at..at, [0xFF, b'\n', b'\n']).for_each(drop),
    }
}
