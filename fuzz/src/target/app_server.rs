//! Claim: whatever a client sends, in whatever order its engines and its host answer, each request
//! with an id gets exactly one answer, and every line out is one JSON object.
//!
//! The input is lines. One that begins with `~` is an act of the world; any other one is the
//! client's.
//!
//! | act | meaning |
//! | --- | --- |
//! | `~a`, `~f` | the host answers its oldest question: yes, no |
//! | `~o`, `~r` | the engines take their oldest op: carry it out, refuse it |
//! | `~s` | the engines take their oldest op and say nothing, when it is a prompt or starts voice |
//! | `~q` | the last thread asks before a command runs |
//! | `~x` | the last thread's turn ends |
//! | `~i` | the last thread says something |
//! | `~d` | the first engine ends by itself |
//! | `~l` | the line before came again, but too long to be read |

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use codex_proto::{
    ApprovalId, Event, Op, OpId, Refused, ThreadId, TurnId, Wall,
    approval::{ApprovalReason, ApprovalRequest, ApprovalSubject},
    event::{ThreadReady, TurnOutcome, Usage},
    item::{ItemBody, TurnItem},
    policy::{ApprovalPolicy, SandboxPolicy},
    realtime::{RealtimeClosed, RealtimeEvent, RealtimeNews, RealtimeVersion},
};
use codex_rpc::{
    AppServer,
    app_server::{Account, Ask, AskId, HostFacts, HostId, Output, ServerFacts, Told},
    jsonrpc::{Incoming, RequestId, request_id_of_start},
    limits::{HOSTS_MAX, PENDING_MAX, THREADS_MAX},
};
use serde_json::Value;

const NOW: Wall = Wall(1_795_328_118_541);
/// Ops that the engines leave lying at most, before they take them.
const OPS_MAX: usize = 4_096;

/// The lines; see the module.
pub fn run(bytes: &[u8]) {
    let mut world = World::default();
    let mut before: &[u8] = b"";
    for line in bytes.split(|byte| *byte == b'\n') {
        match line {
            b"~l" => world.long(before),
            [b'~', act, ..] => world.act(*act),
            _ => {
                world.client(line);
                before = line;
            }
        }
        world.drain();
    }
    world.finish();
}

struct World {
    server: AppServer,
    asks: VecDeque<(AskId, Ask)>,
    ops: VecDeque<(HostId, OpId, Op)>,
    hosts: BTreeSet<HostId>,
    threads: BTreeMap<ThreadId, Thread>,
    thread_count: u32,
    turn_count: u32,
    question_count: u32,
    seen_ops: u64,
    /// Requests less answers, by id.
    open: BTreeMap<RequestId, i64>,
    questions: BTreeSet<i64>,
}

struct Thread {
    host: HostId,
    turn: Option<TurnId>,
    voice: Option<u32>,
    attempts: u32,
    questions: BTreeSet<ApprovalId>,
    items: u32,
}

impl Default for World {
    fn default() -> Self {
        Self {
            server: AppServer::new(ServerFacts::default()),
            asks: VecDeque::new(),
            ops: VecDeque::new(),
            hosts: BTreeSet::new(),
            threads: BTreeMap::new(),
            thread_count: 0,
            turn_count: 0,
            question_count: 0,
            seen_ops: 0,
            open: BTreeMap::new(),
            questions: BTreeSet::new(),
        }
    }
}

/// The `number`th thread that the world makes, counted from 1; turns have ids of the same form.
#[must_use]
pub fn thread_id(number: u32) -> ThreadId {
    ThreadId(format!("00000000-0000-0000-0000-{number:012}").parse().unwrap_or_default())
}

impl World {
    fn client(&mut self, line: &[u8]) {
        if let Some(Incoming::Request { id, .. }) = Incoming::parse(line) {
            *self.open.entry(id).or_default() += 1;
        }
        self.server.line_in(line);
    }

    fn long(&mut self, start: &[u8]) {
        if let Some(id) = request_id_of_start(start) {
            *self.open.entry(id).or_default() += 1;
        }
        self.server.long_line_in(start, 1 << 40);
    }

    fn act(&mut self, act: u8) {
        match act {
            b'a' => self.answer(true),
            b'd' => self.die(),
            b'f' => self.answer(false),
            b'i' => self.say(),
            b'o' => self.take(true),
            b'q' => self.question(),
            b'r' => self.take(false),
            b's' => {
                let is_silent = |op: &Op| matches!(op, Op::Prompt(_) | Op::RealtimeStart(_));
                if self.ops.front().is_some_and(|(.., op)| is_silent(op)) {
                    self.ops.pop_front();
                }
            }
            b'x' => self.end_turn(),
            _ => {}
        }
    }

    fn answer(&mut self, is_yes: bool) {
        let Some((id, ask)) = self.asks.pop_front() else { return };
        let told = match ask {
            _ if !is_yes => Told::Failed("no".into()),
            Ask::Account => Told::Account(Account::default()),
            Ask::FindThread { .. } => Told::Rollout { path: "/r".into(), cwd: "/w".into() },
            Ask::Login(_) | Ask::Logout => Told::Done,
            Ask::OpenHost { host, .. } => {
                self.hosts.insert(host);
                let warnings = vec!["odd".into()];
                Told::Host(HostFacts { has_voice: true, warnings, ..HostFacts::default() })
            }
        };
        self.server.told(id, told);
    }

    fn die(&mut self) {
        let Some(host) = self.hosts.pop_first() else { return };
        self.ops.retain(|(of, ..)| *of != host);
        self.threads.retain(|_, thread| thread.host != host);
        self.server.host_ended(host, "a bug");
    }

    fn tell(&mut self, host: HostId, event: &Event) {
        self.server.event(host, event, NOW);
    }

    /// The engines take their oldest op.
    fn take(&mut self, is_willing: bool) {
        let Some((host, id, op)) = self.ops.pop_front() else { return };
        let refuse = |reason| Event::Refused { op: id, reason };
        if !is_willing && !matches!(op, Op::StopThread { .. }) {
            return self.tell(host, &refuse(Refused::Stopping));
        }
        if let Some(thread) = op.thread()
            && !self.threads.contains_key(&thread)
        {
            return self.tell(host, &refuse(Refused::UnknownThread { thread }));
        }
        for event in self.outcome(host, id, op) {
            self.tell(host, &event);
        }
    }

    fn outcome(&mut self, host: HostId, id: OpId, op: Op) -> Vec<Event> {
        let resumed = matches!(op, Op::ResumeThread { .. });
        if resumed || matches!(op, Op::StartThread) {
            self.thread_count += 1;
            let thread = thread_id(self.thread_count);
            let state = Thread {
                host,
                turn: None,
                voice: None,
                attempts: 0,
                questions: BTreeSet::new(),
                items: 0,
            };
            self.threads.insert(thread, state);
            return vec![ready(thread, id, resumed)];
        }
        let Some(thread) = op.thread() else { return Vec::new() };
        let Some(state) = self.threads.get_mut(&thread) else { return Vec::new() };
        let voice =
            |attempt, news| Event::Realtime(Box::new(RealtimeEvent { thread, attempt, news }));
        let closed = |reason| RealtimeNews::Closed { reason };
        match op {
            Op::Approve { id: question, answer, .. } => {
                if !state.questions.remove(&question) {
                    return vec![Event::Refused { op: id, reason: Refused::NoSuchApproval }];
                }
                vec![Event::ApprovalEnded { thread, id: question, answer: Some(answer) }]
            }
            Op::Interrupt { .. } => state.end(thread),
            Op::Prompt(_) if state.turn.is_none() => {
                self.turn_count += 1;
                let turn = TurnId(thread_id(self.turn_count).0);
                state.turn = Some(turn);
                vec![Event::TurnStarted { thread, turn }]
            }
            Op::RealtimeStart(_) => {
                let before = state.voice.take();
                let closed = before.map(|at| voice(at, closed(RealtimeClosed::Replaced)));
                state.attempts += 1;
                state.voice = Some(state.attempts);
                let session_id = "s".into();
                let started = RealtimeNews::Started { session_id, version: RealtimeVersion::V2 };
                closed.into_iter().chain([voice(state.attempts, started)]).collect()
            }
            Op::RealtimeStop { .. } => {
                let ended = state.voice.take();
                ended.map(|at| voice(at, closed(RealtimeClosed::Requested))).into_iter().collect()
            }
            Op::StopThread { .. } => {
                let mut events = state.end(thread);
                self.threads.remove(&thread);
                events.push(Event::ThreadStopped { thread });
                events
            }
            _ => Vec::new(),
        }
    }

    fn question(&mut self) {
        self.question_count += 1;
        let id = ApprovalId(self.question_count);
        let Some((thread, state)) = self.threads.last_key_value() else { return };
        let (thread, host) = (*thread, state.host);
        if state.turn.is_none() {
            return;
        }
        let request = ApprovalRequest {
            thread,
            id,
            call_id: "call".into(),
            subject: ApprovalSubject::Command { command: "rm".into(), cwd: "/w".into() },
            why: ApprovalReason::Dangerous,
            justification: None,
            lost: vec!["all".into()],
            session_scope: None,
        };
        if let Some(state) = self.threads.get_mut(&thread) {
            state.questions.insert(id);
        }
        self.tell(host, &Event::ApprovalRequested(Box::new(request)));
    }

    fn end_turn(&mut self) {
        let Some((&thread, state)) = self.threads.iter_mut().next_back() else { return };
        let (host, events) = (state.host, state.end(thread));
        events.iter().for_each(|event| self.tell(host, event));
    }

    fn say(&mut self) {
        let Some((&thread, state)) = self.threads.iter_mut().next_back() else { return };
        let (host, id) = (state.host, state.items);
        state.items += 1;
        let item = |text: &str| TurnItem { id, body: ItemBody::AgentMessage { text: text.into() } };
        let (started, item) = (item(""), item("a\nb"));
        self.tell(host, &Event::ItemStarted { thread, item: started });
        self.tell(host, &Event::ItemDelta { thread, item: id, delta: "a\nb".into() });
        self.tell(host, &Event::ItemCompleted { thread, item });
    }

    fn drain(&mut self) {
        while let Some(output) = self.server.pop() {
            match output {
                Output::Ask(id, ask) => {
                    if let Ask::OpenHost { host, .. } = &ask {
                        assert!(!self.hosts.contains(host), "host {} twice", host.0);
                    }
                    self.asks.push_back((id, ask));
                }
                Output::CloseHost(host) => {
                    assert!(self.hosts.remove(&host), "host {} is not open", host.0);
                    assert!(self.threads.values().all(|thread| thread.host != host));
                    self.ops.retain(|(of, ..)| *of != host);
                }
                Output::Line(line) => self.line(&line),
                Output::Op { host, id, op } => {
                    assert!(self.hosts.contains(&host), "{} for host {}", op.name(), host.0);
                    assert!(id.0 > self.seen_ops, "op ids grow");
                    self.seen_ops = id.0;
                    self.ops.push_back((host, id, *op));
                }
            }
        }
        assert!(self.asks.len() <= PENDING_MAX + HOSTS_MAX, "{} questions", self.asks.len());
        assert!(self.hosts.len() <= HOSTS_MAX, "{} hosts", self.hosts.len());
        assert!(self.threads.len() <= THREADS_MAX, "{} threads", self.threads.len());
        if self.ops.len() > OPS_MAX {
            self.take(true);
        }
    }

    fn line(&mut self, line: &[u8]) {
        let Some((b'\n', text)) = line.split_last() else { panic!("a line without its end") };
        assert!(!text.contains(&b'\n'), "two lines in one");
        let value: Value = serde_json::from_slice(text).unwrap_or_default();
        assert!(value.is_object() && value.get("jsonrpc").is_none(), "{value}");
        let Some(id) = value.get("id") else {
            assert!(value["method"].is_string(), "{value}");
            return;
        };
        if value.get("method").is_some() {
            assert!(self.questions.insert(id.as_i64().unwrap_or(-1)), "a question twice: {value}");
            return;
        }
        assert!(value.get("result").is_some() != value.get("error").is_some(), "{value}");
        let id: RequestId = serde_json::from_value(id.clone()).unwrap_or(RequestId::Number(-1));
        let open = self.open.entry(id).or_default();
        *open -= 1;
        assert!(*open >= 0, "an answer that nobody waits for: {value}");
    }

    /// Everybody answers, then every engine ends.
    fn finish(mut self) {
        while !self.asks.is_empty() || !self.ops.is_empty() {
            self.answer(true);
            self.take(true);
            self.drain();
        }
        while !self.hosts.is_empty() {
            self.die();
            self.drain();
        }
        let unanswered: Vec<_> = self.open.iter().filter(|(_, open)| **open != 0).collect();
        assert!(unanswered.is_empty(), "not answered once: {unanswered:?}");
        assert!(self.server.is_settled());
        assert_eq!(self.server.threads().count(), 0);
    }
}

impl Thread {
    fn end(&mut self, thread: ThreadId) -> Vec<Event> {
        let void = std::mem::take(&mut self.questions).into_iter();
        let mut events: Vec<Event> =
            void.map(|id| Event::ApprovalEnded { thread, id, answer: None }).collect();
        if let Some(turn) = self.turn.take() {
            events.push(Event::TurnEnded {
                thread,
                turn,
                outcome: TurnOutcome::Interrupted,
                usage: Usage::default(),
                duration_ms: 1,
            });
        }
        events
    }
}

fn ready(thread: ThreadId, op: OpId, resumed: bool) -> Event {
    Event::ThreadReady(Box::new(ThreadReady {
        thread,
        op,
        resumed,
        forked_from: None,
        model: "m".into(),
        provider: "p".into(),
        cwd: "/w".into(),
        approval: ApprovalPolicy::OnRequest,
        sandbox: SandboxPolicy::default(),
        reasoning_effort: None,
        reasoning_summary: None,
        rollout: None,
        usage: Usage::default(),
    }))
}
