//! A host for tests: answers what every host answers the same way, and leaves the model and the
//! commands to the test.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test binary uses its part"
)]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use codex_engine::Engine;
use codex_proto::{
    Effect, EffectId, EffectKind, Event, HostError, HostErrorKind, Input, Mono, Now, Op, OpId,
    Output, Reply, Settings, ThreadId, Wall,
    approval::{ApprovalAnswer, ApprovalRequest},
    effect::{Exit, HttpHead},
    event::{ThreadReady, TurnOutcome},
    op::{Delivery, Prompt, PromptPart},
};
use serde_json::{Value, json};

/// An engine with a thread, and everything that has come out of it.
pub struct Harness {
    pub engine: Engine,
    pub now: Now,
    pub thread: ThreadId,
    pub events: Vec<Event>,
    /// Effects that the test must answer: `Http`, `Spawn`, `Patch`, `Image`.
    pub open: Vec<Effect>,
    /// Effects without replies, in order.
    pub told: Vec<EffectKind>,
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    /// The rollout as written so far.
    pub rollout: Vec<u8>,
    /// What every `Append` is answered with.
    pub append_fails: Option<HostErrorKind>,
    /// Rollouts that were let go of.
    pub released: Vec<(ThreadId, PathBuf)>,
    next_op: u64,
}

impl Harness {
    pub fn new(settings: Settings) -> Self {
        let mut harness = Self::bare(settings);
        harness.op(Op::StartThread);
        harness.thread = harness.ready().thread;
        harness
    }

    pub fn resume(settings: Settings, rollout: Vec<u8>) -> Self {
        let mut harness = Self::bare(settings);
        let path = PathBuf::from("/rollout.jsonl");
        harness.files.insert(path.clone(), rollout.clone());
        harness.rollout = rollout;
        harness.op(Op::ResumeThread { path });
        harness.thread = harness.ready().thread;
        harness
    }

    pub fn bare(settings: Settings) -> Self {
        Self {
            engine: Engine::new(Arc::new(settings), [1; 16]),
            now: Now { mono: Mono(0), wall: Wall(1_795_328_118_541) },
            thread: "00000000-0000-7000-8000-000000000000".parse().unwrap(),
            events: Vec::new(),
            open: Vec::new(),
            told: Vec::new(),
            files: BTreeMap::new(),
            rollout: Vec::new(),
            append_fails: None,
            released: Vec::new(),
            next_op: 1,
        }
    }

    pub fn ready(&self) -> ThreadReady {
        let ready = self.events.iter().find_map(|event| match event {
            Event::ThreadReady(ready) => Some((**ready).clone()),
            _ => None,
        });
        ready.expect("thread is ready")
    }

    pub fn op(&mut self, op: Op) {
        let id = OpId(self.next_op);
        self.next_op += 1;
        self.feed(Input::Op(id, op));
    }

    pub fn prompt(&mut self, text: &str) {
        self.prompt_with(text, Delivery::Steer);
    }

    pub fn prompt_with(&mut self, text: &str, delivery: Delivery) {
        self.op(Op::Prompt(Box::new(Prompt {
            thread: self.thread,
            content: vec![PromptPart::Text(text.into())],
            delivery,
            output_schema: None,
        })));
    }

    pub fn interrupt(&mut self) {
        self.op(Op::Interrupt { thread: self.thread });
    }

    pub fn reply(&mut self, id: EffectId, reply: Reply) {
        if reply.is_terminal() {
            self.open.retain(|effect| effect.id != id);
        }
        self.feed(Input::Reply(id, reply));
    }

    /// Lets time pass, waking the engine at each of its deadlines.
    pub fn pass_ms(&mut self, ms: u64) {
        let end = self.now.mono.after_ms(ms);
        while let Some((at, _)) = self.engine.deadline()
            && at <= end
        {
            self.now.mono = self.now.mono.max(at);
            self.feed(Input::Wake);
        }
        self.now.mono = end;
        self.now.wall.0 += i64::try_from(ms).unwrap();
    }

    fn feed(&mut self, input: Input) {
        let mut outputs: Vec<Output> = self.engine.handle(self.now, input).collect();
        while !outputs.is_empty() {
            let mut replies = Vec::new();
            for output in outputs.drain(..) {
                match output {
                    Output::Event(event) => self.events.push(event),
                    Output::Effect(effect) => replies.extend(self.execute(effect)),
                }
            }
            for (id, reply) in replies {
                outputs.extend(self.engine.handle(self.now, Input::Reply(id, reply)));
            }
        }
    }

    fn execute(&mut self, effect: Effect) -> Vec<(EffectId, Reply)> {
        let id = effect.id;
        match &effect.kind {
            EffectKind::Append(append) => match self.append_fails {
                Some(kind) => vec![(id, Reply::Failed(HostError::new(kind, "no space left")))],
                None => {
                    self.rollout.extend_from_slice(&append.bytes);
                    vec![(id, Reply::Closed)]
                }
            },
            EffectKind::Project(_) => {
                vec![(id, Reply::Project(Box::default())), (id, Reply::Closed)]
            }
            EffectKind::Read { path, .. } => match self.files.get(path) {
                Some(bytes) => vec![(id, Reply::Bytes(bytes.clone())), (id, Reply::Closed)],
                None => {
                    let error = HostError::new(HostErrorKind::NotFound, "no such file");
                    vec![(id, Reply::Failed(error))]
                }
            },
            EffectKind::Release { thread, path } => {
                self.released.push((*thread, path.clone()));
                vec![(id, Reply::Closed)]
            }
            EffectKind::Snapshot(_) => vec![(id, Reply::Closed)],
            EffectKind::Cancel(other) => {
                let known = self.open.iter().any(|effect| effect.id == *other);
                self.open.retain(|effect| effect.id != *other);
                let error = HostError::new(HostErrorKind::Cancelled, "cancelled");
                self.told.push(effect.kind.clone());
                if known { vec![(*other, Reply::Failed(error))] } else { Vec::new() }
            }
            kind if !kind.has_replies() => {
                self.told.push(effect.kind);
                Vec::new()
            }
            _ => {
                self.open.push(effect);
                Vec::new()
            }
        }
    }

    /// The request that waits for an answer.
    pub fn request(&self) -> (EffectId, Value) {
        let found = self.open.iter().find_map(|effect| match &effect.kind {
            EffectKind::Http(http) => {
                Some((effect.id, serde_json::from_slice(&http.body).unwrap()))
            }
            _ => None,
        });
        found.expect("a request is open")
    }

    pub fn request_body(&self) -> Vec<u8> {
        let found = self.open.iter().find_map(|effect| match &effect.kind {
            EffectKind::Http(http) => Some(http.body.clone()),
            _ => None,
        });
        found.expect("a request is open")
    }

    pub fn has_request(&self) -> bool {
        self.open.iter().any(|effect| matches!(effect.kind, EffectKind::Http(_)))
    }

    /// Streams events to the open request; the stream stays open.
    pub fn stream(&mut self, events: &[Value]) {
        let (id, _) = self.request();
        self.head(id, 200, &[]);
        self.events_to(id, events);
    }

    pub fn head(&mut self, id: EffectId, status: u16, headers: &[(&str, &str)]) {
        let headers = headers.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        self.reply(id, Reply::Head(Box::new(HttpHead { status, headers })));
    }

    pub fn events_to(&mut self, id: EffectId, events: &[Value]) {
        for event in events {
            self.reply(id, Reply::Bytes(format!("data: {event}\n\n").into_bytes()));
        }
    }

    /// Answers the open request with items and the end of the response.
    pub fn answer(&mut self, items: &[Value]) {
        let mut events: Vec<Value> = items.iter().map(done).collect();
        events.push(completed());
        let (id, _) = self.request();
        self.stream(&events);
        self.open.retain(|effect| effect.id != id);
        self.feed(Input::Reply(id, Reply::Closed));
    }

    /// The commands that run, oldest first.
    pub fn spawns(&self) -> Vec<(EffectId, Vec<String>)> {
        let spawn = |effect: &Effect| match &effect.kind {
            EffectKind::Spawn(spawn) => Some((effect.id, spawn.argv.clone())),
            _ => None,
        };
        self.open.iter().filter_map(spawn).collect()
    }

    pub fn exit(&mut self, id: EffectId, output: &str, code: i32) {
        self.reply(id, Reply::Opened);
        if !output.is_empty() {
            self.reply(id, Reply::Bytes(output.as_bytes().to_vec()));
        }
        let exit = Exit { code, output_bytes: output.len() as u64, ..Exit::default() };
        self.reply(id, Reply::Exited(exit));
    }

    /// A command prints, and its output so far is asked for and comes.
    pub fn answer_tail(&mut self, id: EffectId, output: &str) {
        self.reply(id, Reply::Bytes(output.as_bytes().to_vec()));
        self.pass_ms(300);
        self.reply(id, Reply::Tail { omitted_bytes: 0, bytes: Vec::new() });
    }

    /// The questions that are open, oldest first.
    pub fn questions(&self) -> Vec<ApprovalRequest> {
        let mut open: Vec<ApprovalRequest> = Vec::new();
        for event in &self.events {
            match event {
                Event::ApprovalRequested(request) => open.push((**request).clone()),
                Event::ApprovalEnded { id, .. } => open.retain(|request| request.id != *id),
                _ => {}
            }
        }
        open
    }

    /// Answers the oldest question.
    pub fn approve(&mut self, answer: ApprovalAnswer) {
        let id = self.questions()[0].id;
        self.op(Op::Approve { thread: self.thread, id, answer });
    }

    pub fn outcomes(&self) -> Vec<TurnOutcome> {
        let outcome = |event: &Event| match event {
            Event::TurnEnded { outcome, .. } => Some(outcome.clone()),
            _ => None,
        };
        self.events.iter().filter_map(outcome).collect()
    }

    pub fn warnings(&self) -> Vec<String> {
        let warning = |event: &Event| match event {
            Event::Warning { message, .. } => Some(message.clone()),
            _ => None,
        };
        self.events.iter().filter_map(warning).collect()
    }

    /// The outputs in the newest request, by call id.
    pub fn output(&self, call_id: &str) -> String {
        let (_, body) = self.request();
        output_in(&body, call_id).unwrap_or_else(|| panic!("no output of {call_id} in {body}"))
    }
}

pub fn output_in(body: &Value, call_id: &str) -> Option<String> {
    body["input"].as_array().unwrap().iter().find_map(|item| {
        let output = item["type"].as_str()?.ends_with("_output") && item["call_id"] == call_id;
        output.then(|| item["output"].as_str().unwrap().to_owned())
    })
}

pub fn message(text: &str) -> Value {
    json!({
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "content": [{ "type": "output_text", "text": text }],
    })
}

pub fn call(call_id: &str, name: &str, args: &Value) -> Value {
    json!({
        "type": "function_call",
        "id": "fc_1",
        "name": name,
        "arguments": args.to_string(),
        "call_id": call_id,
    })
}

pub fn exec(call_id: &str, cmd: &str) -> Value {
    call(call_id, "exec_command", &json!({ "cmd": cmd }))
}

pub fn patch(call_id: &str, text: &str) -> Value {
    json!({
        "type": "custom_tool_call",
        "name": "apply_patch",
        "input": text,
        "call_id": call_id,
    })
}

pub fn done(item: &Value) -> Value {
    json!({ "type": "response.output_item.done", "item": item })
}

pub fn completed() -> Value {
    json!({
        "type": "response.completed",
        "response": {
            "id": "resp_1",
            "usage": {
                "input_tokens": 10,
                "input_tokens_details": { "cached_tokens": 4 },
                "output_tokens": 5,
                "output_tokens_details": { "reasoning_tokens": 1 },
                "total_tokens": 15,
            },
        },
    })
}

pub fn settings() -> Settings {
    Settings { model: Some("gpt-5.5".into()), ..Settings::sample("/w".into()) }
}
