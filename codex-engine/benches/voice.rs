//! The engine's own share of each step of a conversation by voice: the time from an input to its
//! last output, with a long history and a survey at hand.
//!
//! `cargo bench -p codex-engine --bench voice`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use codex_engine::Engine;
use codex_proto::{
    EffectId, EffectKind, Event, Input, Mono, Now, Op, OpId, Output, Reply, Settings, ThreadId,
    Wall,
    effect::{HttpHead, Pcm, RecentThread, Survey},
    op::Prompt,
    realtime::{RealtimeStart, RealtimeTransport, RealtimeVersion},
};
use serde_json::{Value, json};

/// Conversations that are held.
const ROUNDS: usize = 300;
/// Turns of the agent before the first of them.
const TURNS: usize = 400;
const OFFER: &str = "v=0\r\ns=-\r\nm=audio 9 x 111\r\na=rtpmap:111 opus/48000/2\r\n";

struct Bench {
    engine: Engine,
    now: Now,
    ops: u64,
    thread: Option<ThreadId>,
    /// The newest effect of each kind.
    newest: BTreeMap<&'static str, EffectId>,
    /// Of each step, in nanoseconds.
    took: BTreeMap<&'static str, Vec<u64>>,
}

impl Bench {
    fn feed(&mut self, step: &'static str, input: Input) {
        self.now.mono.0 += 1_000;
        let begin = Instant::now();
        let outputs: Vec<Output> = self.engine.handle(self.now, input).collect();
        let ns = u64::try_from(begin.elapsed().as_nanos()).unwrap();
        self.took.entry(step).or_default().push(ns);
        for output in outputs {
            match output {
                Output::Effect(effect) => {
                    self.newest.insert(effect.kind.name(), effect.id);
                    if let EffectKind::Project(_) = effect.kind {
                        self.feed("-", Input::Reply(effect.id, Reply::Project(Box::default())));
                        self.feed("-", Input::Reply(effect.id, Reply::Closed));
                    }
                }
                Output::Event(Event::ThreadReady(ready)) => self.thread = Some(ready.thread),
                Output::Event(_) => {}
            }
        }
    }

    fn op(&mut self, step: &'static str, op: Op) {
        self.ops += 1;
        self.feed(step, Input::Op(OpId(self.ops), op));
    }

    fn reply(&mut self, step: &'static str, kind: &str, reply: Reply) {
        let id = self.newest[kind];
        self.feed(step, Input::Reply(id, reply));
    }

    fn says(&mut self, step: &'static str, value: &Value) {
        self.reply(step, "socket", Reply::Bytes(value.to_string().into_bytes()));
    }

    fn agent_says(&mut self, text: &str) {
        let item = json!({ "type": "message", "role": "assistant",
                           "content": [{ "type": "output_text", "text": text }] });
        let body = [
            json!({ "type": "response.output_item.done", "item": item }),
            json!({ "type": "response.completed", "response": { "id": "r" } }),
        ]
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect::<String>();
        let head = HttpHead { status: 200, headers: Vec::new() };
        self.reply("-", "http", Reply::Head(Box::new(head)));
        self.reply("the agent's words", "http", Reply::Bytes(body.into_bytes()));
        self.reply("-", "http", Reply::Closed);
    }
}

fn main() {
    let mut settings = Settings { ephemeral: true, ..Settings::sample("/w".into()) };
    settings.features.insert("realtime_conversation".into(), true);
    let now = Now { mono: Mono(0), wall: Wall(1_795_328_118_541) };
    let mut bench = Bench {
        engine: Engine::new(Arc::new(settings), [0; 16]),
        now,
        ops: 0,
        thread: None,
        newest: BTreeMap::new(),
        took: BTreeMap::new(),
    };
    bench.op("-", Op::StartThread);
    let thread = bench.thread.unwrap();
    for turn in 0..TURNS {
        let text = format!("prompt {turn}: {}", "words ".repeat(80));
        bench.op("-", Op::Prompt(Box::new(Prompt::text(thread, text))));
        bench.agent_says(&"an answer of some length ".repeat(80));
    }
    bench.op("-", Op::RealtimePrepare { thread });
    bench.reply("-", "survey", Reply::Survey(Box::new(survey(thread))));
    bench.reply("-", "survey", Reply::Closed);
    bench.took.clear();

    for round in 0..ROUNDS {
        let transport = RealtimeTransport::WebRtcClient { offer: OFFER.into() };
        let mut start = RealtimeStart::new(thread, transport);
        start.version = Some(RealtimeVersion::V2);
        bench.op("start (call)", Op::RealtimeStart(Box::new(start)));
        let headers = vec![("location".into(), format!("/v1/realtime/calls/rtc_{round}"))];
        let head = Reply::Head(Box::new(HttpHead { status: 201, headers }));
        bench.reply("call's head", "http", head);
        bench.reply("-", "http", Reply::Bytes(OFFER.into()));
        bench.reply("call's answer", "http", Reply::Closed);
        bench.reply("socket opened", "socket", Reply::Opened);
        bench.says(
            "session updated",
            &json!({ "type": "session.updated", "session": { "id": "s" } }),
        );
        let text = "what is the state of the build?".to_owned();
        bench.op("typed text", Op::RealtimeText { thread, text });
        for n in 0..20 {
            let value = json!({ "type": "response.output_audio_transcript.delta",
                "event_id": format!("e{round}_{n}"), "item_id": "a", "delta": "a few words " });
            bench.says("transcript delta", &value);
        }
        let value = json!({ "type": "conversation.item.done", "item": {
            "type": "function_call", "id": "f", "call_id": format!("c{round}"),
            "name": "background_agent", "arguments": "{\"prompt\":\"look at the build\"}" } });
        bench.says("delegation (starts a turn)", &value);
        bench.agent_says("the build is green");
        bench.op("stop", Op::RealtimeStop { thread });
        bench.reply("-", "socket", Reply::Closed);

        let start = RealtimeStart::new(thread, RealtimeTransport::WebSocketClient);
        bench.op("start (socket)", Op::RealtimeStart(Box::new(start)));
        bench.reply("-", "socket", Reply::Opened);
        for n in 0..20 {
            let pcm = Pcm(vec![0; 20 * Pcm::BYTES_PER_MS]);
            bench.op("20 ms from the microphone", Op::RealtimeAudio { thread, pcm });
            bench.reply("-", "socket", Reply::Sent { messages: 1 });
            let value = json!({ "type": "response.output_audio.delta", "item_id": "a",
                "event_id": format!("a{round}_{n}"), "delta": "A".repeat(200 * 64) });
            bench.says("200 ms from the model", &value);
        }
        bench
            .says("the person interrupts", &json!({ "type": "input_audio_buffer.speech_started" }));
        bench.op("-", Op::RealtimeStop { thread });
        bench.reply("-", "socket", Reply::Closed);
    }

    println!("{ROUNDS} conversations after {TURNS} turns; microseconds");
    println!("| step | median | 99 % | most |\n| --- | --- | --- | --- |");
    for (step, mut ns) in bench.took {
        if step == "-" {
            continue;
        }
        ns.sort_unstable();
        let us = |at: usize| ns[at.min(ns.len() - 1)] / 100;
        let show = |tenths: u64| format!("{}.{}", tenths / 10, tenths % 10);
        let (median, most) = (us(ns.len() / 2), us(ns.len() - 1));
        let high = us(ns.len() * 99 / 100);
        println!("| {step} | {} | {} | {} |", show(median), show(high), show(most));
    }
}

fn survey(thread: ThreadId) -> Survey {
    let recent = |n: usize| RecentThread {
        thread: if n == 0 {
            thread
        } else {
            "01a201e5-0f0d-73f4-9382-ceb60245302b".parse().unwrap()
        },
        cwd: format!("/projects/p{}", n % 9).into(),
        branch: Some("main".into()),
        asks: (0..8).map(|ask| format!("ask {ask}: {}", "what was wanted ".repeat(14))).collect(),
    };
    Survey {
        threads: (0..40).map(recent).collect(),
        map: (0..400).map(|n| format!("  folder/file_{n}.rs")).collect(),
    }
}
