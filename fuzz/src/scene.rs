//! A host that does what a script says: one engine, its checkers, and the effects that wait for an
//! answer. For situations that chance seldom brings about, and for trying every order of a few
//! things.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use codex_engine::{Engine, Move};
use codex_proto::{
    ApprovalId, Effect, EffectId, EffectKind, Event, HostError, HostErrorKind, Input, Mono, Now,
    Op, OpId, Output, Reply, Settings, ThreadId, Wall,
    approval::ApprovalAnswer,
    effect::{Exit, Grammar, HttpHead},
    op::Prompt,
    policy::ApprovalPolicy,
};
use serde_json::{Value, json};

use crate::check::{self, Check, Checks};

/// The seed of every engine of a scene, so that two scenes give the same ids.
const SEED: [u8; 16] = [3; 16];
/// Answers after which settling counts as endless.
const SETTLE_STEPS_MAX: usize = 400;

/// See the module's documentation.
pub struct Scene {
    /// The engine.
    pub engine: Engine,
    /// The moment. Time stands still but for [`Scene::later`] and deadlines.
    pub now: Now,
    /// Effects that wait for an answer, oldest first.
    pub live: Vec<Effect>,
    /// Effects among them that the engine has cancelled.
    pub cancelled: BTreeSet<EffectId>,
    /// The thread, once it is ready.
    pub thread: Option<ThreadId>,
    /// Everything that happened.
    pub events: Vec<Event>,
    /// The bodies of all requests.
    pub requests: Vec<Vec<u8>>,
    /// Effects that have no reply, in order.
    pub told: Vec<Effect>,
    /// The rollout.
    pub rollout: Vec<u8>,
    /// State changes in order.
    pub moves: Vec<Move>,
    checks: Checks,
    grammars: BTreeMap<EffectId, Grammar>,
    ops: u64,
}

impl Scene {
    /// An engine without a thread. A thread that is not ephemeral waits for its rollout.
    #[must_use]
    pub fn new(ephemeral: bool) -> Self {
        Self::with(Settings { ephemeral, ..Settings::sample("/w".into()) })
    }

    /// An engine with these settings.
    #[must_use]
    pub fn with(settings: Settings) -> Self {
        Self::seeded(Settings { model: Some("gpt-5.5".into()), ..settings }, SEED)
    }

    /// An engine with these settings and this seed.
    #[must_use]
    pub fn seeded(settings: Settings, seed: [u8; 16]) -> Self {
        let settings = Arc::new(settings);
        Self {
            engine: Engine::new(Arc::clone(&settings), seed),
            now: Now { mono: Mono(1_000), wall: Wall(1_795_328_118_541) },
            live: Vec::new(),
            cancelled: BTreeSet::new(),
            thread: None,
            events: Vec::new(),
            requests: Vec::new(),
            told: Vec::new(),
            rollout: Vec::new(),
            moves: Vec::new(),
            checks: check::all(&settings, seed),
            grammars: BTreeMap::new(),
            ops: 0,
        }
    }

    /// The same scene, which goes its own way from here on. No checkers watch it, since theirs
    /// cannot be copied; nor has it what was told before.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            now: self.now,
            live: self.live.clone(),
            cancelled: self.cancelled.clone(),
            thread: self.thread,
            events: Vec::new(),
            requests: Vec::new(),
            told: Vec::new(),
            rollout: Vec::new(),
            moves: Vec::new(),
            checks: Checks::default(),
            grammars: self.grammars.clone(),
            // Never an id that was in use.
            ops: self.ops + (1 << 32),
        }
    }

    /// A thread that can take prompts.
    #[must_use]
    pub fn ready(ephemeral: bool) -> Self {
        Self::new(ephemeral).begun()
    }

    /// A thread whose user is asked by this policy.
    #[must_use]
    pub fn asking(ephemeral: bool, approval: ApprovalPolicy) -> Self {
        let sample = Settings::sample("/w".into());
        Self::with(Settings { ephemeral, approval, interactive: true, ..sample }).begun()
    }

    pub(crate) fn begun(self) -> Self {
        let mut scene = self;
        scene.op(Op::StartThread);
        scene.reply("project", [Reply::Project(Box::default()), Reply::Closed]);
        scene
    }

    /// The id that the first thread of every scene begins with, ready or not.
    #[must_use]
    pub fn first_thread() -> ThreadId {
        Self::ready(true).id()
    }

    /// The thread's id.
    ///
    /// # Panics
    /// When it is not ready.
    #[must_use]
    pub fn id(&self) -> ThreadId {
        self.thread.unwrap_or_else(|| panic!("no thread is ready"))
    }

    /// Feeds an input; what comes out is checked and kept.
    ///
    /// # Panics
    /// When a claim does not hold.
    pub fn feed(&mut self, input: Input) {
        let claim = |result: Result<(), String>| result.unwrap_or_else(|claim| panic!("{claim}"));
        if let Input::Reply(id, reply) = &input
            && let Some(grammar) = self.grammars.get_mut(id)
        {
            claim(grammar.on(reply).map_err(|error| format!("the scene is wrong: {error}")));
        }
        if let Input::Reply(id, reply) = &input
            && reply.is_terminal()
        {
            self.live.retain(|effect| effect.id != *id);
            self.cancelled.remove(id);
        }
        claim(self.checks.on_input(&input));
        let outputs: Vec<Output> = self.engine.handle(self.now, input).collect();
        for output in outputs {
            claim(self.checks.on_output(&output));
            match output {
                Output::Effect(effect) => self.effect(effect),
                Output::Event(event) => {
                    if let Event::ThreadReady(ready) = &event {
                        self.thread = Some(ready.thread);
                    }
                    self.events.push(event);
                }
            }
        }
        self.moves.extend_from_slice(self.engine.moves());
    }

    fn effect(&mut self, effect: Effect) {
        match &effect.kind {
            EffectKind::Cancel(id) if self.live.iter().any(|live| live.id == *id) => {
                self.cancelled.insert(*id);
            }
            EffectKind::Append(append) => self.rollout.extend_from_slice(&append.bytes),
            EffectKind::Http(request) => self.requests.push(request.body.clone()),
            _ => {}
        }
        if let Some(grammar) = Grammar::of(&effect.kind) {
            self.grammars.insert(effect.id, grammar);
            self.live.push(effect);
        } else {
            self.told.push(effect);
        }
    }

    /// Feeds an op, and gives its id.
    pub fn op(&mut self, op: Op) -> OpId {
        self.ops += 1;
        let id = OpId(self.ops);
        self.feed(Input::Op(id, op));
        id
    }

    /// Says something to the thread.
    pub fn prompt(&mut self, text: &str) {
        let prompt = Prompt::text(self.id(), text);
        self.op(Op::Prompt(Box::new(prompt)));
    }

    /// Resumes a thread.
    pub fn resume(&mut self, path: &str) -> OpId {
        self.op(Op::ResumeThread { path: PathBuf::from(path) })
    }

    /// Ends the turn.
    pub fn interrupt(&mut self) {
        let thread = self.id();
        self.op(Op::Interrupt { thread });
    }

    /// Stops the thread.
    pub fn stop(&mut self) {
        let thread = self.id();
        self.op(Op::StopThread { thread });
    }

    /// The questions that are open, oldest first.
    #[must_use]
    pub fn questions(&self) -> Vec<ApprovalId> {
        let mut open = Vec::new();
        for event in &self.events {
            match event {
                Event::ApprovalRequested(request) => open.push(request.id),
                Event::ApprovalEnded { id, .. } => open.retain(|of| of != id),
                _ => {}
            }
        }
        open
    }

    /// Answers a question.
    pub fn approve(&mut self, id: ApprovalId, answer: ApprovalAnswer) {
        let thread = self.id();
        self.op(Op::Approve { thread, id, answer });
    }

    /// The newest effect of a kind that waits for an answer.
    #[must_use]
    pub fn newest(&self, kind: &str) -> Option<EffectId> {
        self.live.iter().rev().find(|effect| effect.kind.name() == kind).map(|effect| effect.id)
    }

    /// Answers an effect.
    pub fn answer(&mut self, id: EffectId, replies: impl IntoIterator<Item = Reply>) {
        replies.into_iter().for_each(|reply| self.feed(Input::Reply(id, reply)));
    }

    /// Answers the newest effect of a kind.
    ///
    /// # Panics
    /// When there is none.
    pub fn reply(&mut self, kind: &str, replies: impl IntoIterator<Item = Reply>) {
        let id = self.newest(kind).unwrap_or_else(|| panic!("no {kind} is running"));
        self.answer(id, replies);
    }

    /// The disk takes every line.
    pub fn write(&mut self) {
        while let Some(id) = self.newest("append") {
            self.answer(id, [Reply::Closed]);
        }
    }

    /// The model answers the newest request with these items.
    pub fn say(&mut self, items: &[Value]) {
        self.reply("http", [head(200), Reply::Bytes(response(items))]);
    }

    /// Lets deadlines pass for so long.
    pub fn later(&mut self, ms: u64) {
        let until = self.now.mono.after_ms(ms);
        while let Some((at, _)) = self.engine.deadline().filter(|(at, _)| *at <= until) {
            self.now.mono = self.now.mono.max(at);
            self.feed(Input::Wake);
        }
        self.now.mono = until;
    }

    /// Lets the next deadline pass.
    ///
    /// # Panics
    /// When there is none.
    pub fn wake(&mut self) {
        let (at, _) = self.engine.deadline().unwrap_or_else(|| panic!("nothing has a deadline"));
        self.now.mono = self.now.mono.max(at);
        self.feed(Input::Wake);
    }

    /// Answers everything until nothing is open: commands end, the model says one word.
    ///
    /// # Panics
    /// When that has no end.
    pub fn settle(&mut self) {
        for _ in 0..SETTLE_STEPS_MAX {
            if !self.settle_one() {
                return;
            }
        }
        panic!("no end: {:?}", self.live);
    }

    /// Answers the oldest effect, lets a deadline pass, or says no to a question. `false` when there
    /// is none of them.
    pub fn settle_one(&mut self) -> bool {
        let Some(effect) = self.live.first() else {
            if let Some(id) = self.questions().first() {
                self.approve(*id, ApprovalAnswer::Deny { feedback: None });
                return true;
            }
            let waits = self.engine.deadline().is_some();
            if waits {
                self.wake();
            }
            return waits;
        };
        let id = effect.id;
        let cancelled = self.cancelled.contains(&id);
        for reply in self.end_of(id, cancelled) {
            self.feed(Input::Reply(id, reply));
        }
        true
    }

    /// Whether an effect may be answered so now.
    #[must_use]
    pub fn may(&self, id: EffectId, reply: &Reply) -> bool {
        self.grammars.get(&id).is_some_and(|grammar| grammar.clone().on(reply).is_ok())
    }

    /// Replies that end an effect from wherever it is.
    fn end_of(&self, id: EffectId, cancelled: bool) -> Vec<Reply> {
        let Some(effect) = self.live.iter().find(|effect| effect.id == id) else {
            return Vec::new();
        };
        let failed = |kind| vec![Reply::Failed(HostError::new(kind, "over"))];
        match &effect.kind {
            EffectKind::Append(_)
            | EffectKind::Patch(_)
            | EffectKind::Release { .. }
            | EffectKind::Snapshot(_) => vec![Reply::Closed],
            _ if cancelled => failed(HostErrorKind::Cancelled),
            EffectKind::Spawn(_) => {
                let mut replies = Vec::new();
                if self.may(id, &Reply::Opened) {
                    replies.push(Reply::Opened);
                }
                replies.push(Reply::Exited(Exit::default()));
                replies
            }
            EffectKind::Http(_) => {
                if !self.may(id, &head(200)) {
                    return failed(HostErrorKind::Disconnected);
                }
                vec![head(200), Reply::Bytes(response(&[message("ok")])), Reply::Closed]
            }
            EffectKind::Project(_) => vec![Reply::Project(Box::default()), Reply::Closed],
            _ => failed(HostErrorKind::NotFound),
        }
    }
}

/// A head without headers.
#[must_use]
pub fn head(status: u16) -> Reply {
    Reply::Head(Box::new(HttpHead { status, headers: Vec::new() }))
}

/// A stream that is complete.
#[must_use]
pub fn response(items: &[Value]) -> Vec<u8> {
    let mut body = Vec::new();
    for item in items {
        body.extend(event(&json!({ "type": "response.output_item.done", "item": item })));
    }
    body.extend(event(&json!({ "type": "response.completed", "response": { "id": "r" } })));
    body
}

/// One event of a stream.
#[must_use]
pub fn event(data: &Value) -> Vec<u8> {
    format!("data: {data}\n\n").into_bytes()
}

/// A word of the model.
#[must_use]
pub fn message(text: &str) -> Value {
    json!({ "type": "message", "id": "m", "role": "assistant",
            "content": [{ "type": "output_text", "text": text }] })
}

/// A call of a function.
#[must_use]
pub fn function(call_id: &str, name: &str, arguments: &Value) -> Value {
    json!({ "type": "function_call", "id": "f", "name": name, "call_id": call_id,
            "arguments": arguments.to_string() })
}

/// A patch that adds `n.txt`.
#[must_use]
pub fn patch(call_id: &str) -> Value {
    json!({ "type": "custom_tool_call", "id": "p", "name": "apply_patch", "call_id": call_id,
            "input": "*** Begin Patch\n*** Add File: n.txt\n+n\n*** End Patch" })
}
