//! How many replies a second one core handles, each one a text delta of about 200 bytes: decoded,
//! folded into its item, and emitted as an event.
//!
//! `cargo bench -p codex-engine`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]

use std::{sync::Arc, time::Instant};

use codex_engine::Engine;
use codex_proto::{
    EffectId, EffectKind, Event, Input, Mono, Now, Op, OpId, Output, Reply, Settings, Wall,
    effect::HttpHead,
    op::{Delivery, Prompt, PromptPart},
};

const REPLIES: u64 = 1_000_000;

fn main() {
    let settings = Settings { ephemeral: true, ..Settings::sample("/w".into()) };
    let mut engine = Engine::new(Arc::new(settings), [0; 16]);
    let mut now = Now { mono: Mono(0), wall: Wall(1_795_328_118_541) };
    let mut thread = None;
    let mut request: Option<EffectId> = None;
    let mut feed = |engine: &mut Engine, input: Input| {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for output in engine.handle(now, input) {
                match output {
                    Output::Event(Event::ThreadReady(ready)) => thread = Some(ready.thread),
                    Output::Effect(effect) => match effect.kind {
                        EffectKind::Project(_) => {
                            inputs.push(Input::Reply(effect.id, Reply::Closed));
                            inputs.push(Input::Reply(effect.id, Reply::Project(Box::default())));
                        }
                        EffectKind::Http(_) => request = Some(effect.id),
                        _ => {}
                    },
                    Output::Event(_) => {}
                }
            }
        }
        (thread, request)
    };
    let (thread, _) = feed(&mut engine, Input::Op(OpId(1), Op::StartThread));
    let prompt = Prompt {
        thread: thread.unwrap(),
        content: vec![PromptPart::Text("hi".into())],
        delivery: Delivery::Steer,
        output_schema: None,
    };
    let (_, request) = feed(&mut engine, Input::Op(OpId(2), Op::Prompt(Box::new(prompt))));
    let request = request.unwrap();
    let head = HttpHead { status: 200, headers: Vec::new() };
    feed(&mut engine, Input::Reply(request, Reply::Head(Box::new(head))));
    let added = br#"data: {"type":"response.output_item.added","item":{"type":"message","role":"assistant","content":[]}}

"#;
    feed(&mut engine, Input::Reply(request, Reply::Bytes(added.to_vec())));

    let delta = br#"event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":1234,"item_id":"msg_0123456789abcdef0123456789abcdef","output_index":0,"content_index":0,"delta":" hello"}

"#;
    let replies: Vec<Reply> = (0..REPLIES).map(|_| Reply::Bytes(delta.to_vec())).collect();
    let start = Instant::now();
    let mut bytes = 0;
    for reply in replies {
        now.mono.0 += 1;
        for output in engine.handle(now, Input::Reply(request, reply)) {
            if let Output::Event(Event::ItemDelta { delta, .. }) = output {
                bytes += delta.len() as u64;
            }
        }
    }
    let elapsed = start.elapsed();
    assert_eq!(bytes, REPLIES * 6);
    let ns = elapsed.as_nanos() / u128::from(REPLIES);
    let rate = 1_000_000_000 / ns;
    println!("{REPLIES} replies of {} bytes: {ns} ns each, {rate} per second", delta.len());
}
