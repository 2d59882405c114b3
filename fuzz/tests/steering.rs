//! Steering in every order: a turn's stream, a command's end, a steer, a follow-up and an interrupt
//! are merged in all ways there are. After each merge everything must end, and nothing that the
//! user typed may be lost.

use std::{collections::BTreeMap, sync::Arc};

use codex_engine::Engine;
use codex_proto::{
    Effect, EffectId, EffectKind, Event, HostError, HostErrorKind, Input, Mono, Now, Op, OpId,
    Output, Reply, Settings, ThreadId, Wall,
    effect::{Exit, HttpHead},
    item::ItemBody,
    op::{Delivery, Prompt, PromptPart},
};
use codex_sim::{
    check::{self, Check, Checks},
    orders::in_every_order,
};

/// What happens next in one of the sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Bytes(&'static str),
    Closed,
    /// The end of the oldest running command.
    Exit,
    FollowUp,
    Head,
    Interrupt,
    Steer,
}

const MESSAGE: &str = r#"data: {"type":"response.output_item.done","item":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"ok"}]}}

"#;
const CALL: &str = r#"data: {"type":"response.output_item.done","item":{"type":"function_call","name":"exec_command","arguments":"{\"cmd\":\"ls\"}","call_id":"c1"}}

"#;
const CALL_TWO: &str = r#"data: {"type":"response.output_item.done","item":{"type":"function_call","name":"exec_command","arguments":"{\"cmd\":\"pwd\"}","call_id":"c2"}}

"#;
const COMPLETED: &str = r#"data: {"type":"response.completed","response":{"id":"r"}}

"#;

struct Driver {
    engine: Engine,
    checks: Checks,
    now: Now,
    thread: Option<ThreadId>,
    /// The first request; later ones are answered by [`Driver::settle`].
    first: Option<EffectId>,
    http: Vec<EffectId>,
    spawns: Vec<EffectId>,
    next_op: u64,
    said: usize,
    delivered: BTreeMap<String, usize>,
    returned: usize,
    turns: (usize, usize),
    stopped: bool,
}

impl Driver {
    fn new() -> Self {
        let settings = Settings { model: Some("gpt-5.5".into()), ..Settings::sample("/w".into()) };
        let settings = Arc::new(settings);
        let mut driver = Self {
            engine: Engine::new(Arc::clone(&settings), [3; 16]),
            checks: check::all(&settings, [3; 16]),
            now: Now { mono: Mono(0), wall: Wall(1_795_328_118_541) },
            thread: None,
            first: None,
            http: Vec::new(),
            spawns: Vec::new(),
            next_op: 1,
            said: 0,
            delivered: BTreeMap::new(),
            returned: 0,
            turns: (0, 0),
            stopped: false,
        };
        driver.op(Op::StartThread);
        driver.say(Delivery::Steer);
        driver.first = driver.http.first().copied();
        driver
    }

    fn op(&mut self, op: Op) {
        let id = OpId(self.next_op);
        self.next_op += 1;
        self.feed(Input::Op(id, op));
    }

    fn thread(&self) -> ThreadId {
        self.thread.expect("the thread is ready")
    }

    fn say(&mut self, delivery: Delivery) {
        self.said += 1;
        let prompt = Prompt {
            thread: self.thread(),
            content: vec![PromptPart::Text(format!("prompt {}", self.said))],
            delivery,
            output_schema: None,
        };
        self.op(Op::Prompt(Box::new(prompt)));
    }

    fn reply(&mut self, id: EffectId, reply: Reply) {
        if reply.is_terminal() {
            self.http.retain(|open| *open != id);
            self.spawns.retain(|open| *open != id);
        }
        self.feed(Input::Reply(id, reply));
    }

    fn feed(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            self.checks.on_input(&input).expect("input");
            let outputs: Vec<Output> = self.engine.handle(self.now, input).collect();
            let mut answers = Vec::new();
            for output in outputs {
                self.checks.on_output(&output).expect("output");
                match output {
                    Output::Event(event) => self.observe(event),
                    Output::Effect(effect) => self.execute(effect, &mut answers),
                }
            }
            inputs.extend(answers.into_iter().rev().map(|(id, reply)| Input::Reply(id, reply)));
        }
    }

    fn execute(&mut self, Effect { id, kind }: Effect, answers: &mut Vec<(EffectId, Reply)>) {
        match kind {
            EffectKind::Append(_) | EffectKind::Release { .. } => answers.push((id, Reply::Closed)),
            EffectKind::Project(_) => {
                answers.push((id, Reply::Project(Box::default())));
                answers.push((id, Reply::Closed));
            }
            EffectKind::Http(_) => self.http.push(id),
            EffectKind::Spawn(_) => {
                self.spawns.push(id);
                answers.push((id, Reply::Opened));
            }
            EffectKind::Cancel(of) if self.http.contains(&of) => {
                self.http.retain(|open| *open != of);
                let error = HostError::new(HostErrorKind::Cancelled, "cancelled");
                answers.push((of, Reply::Failed(error)));
            }
            _ => {}
        }
    }

    fn observe(&mut self, event: Event) {
        match event {
            Event::ThreadReady(ready) => self.thread = Some(ready.thread),
            Event::TurnStarted { .. } => self.turns.0 += 1,
            Event::TurnEnded { .. } => self.turns.1 += 1,
            Event::ThreadStopped { .. } => self.stopped = true,
            Event::PromptsReturned { prompts, .. } => self.returned += prompts.len(),
            Event::ItemCompleted { item, .. } => {
                if let ItemBody::UserMessage { text } = item.body {
                    *self.delivered.entry(text).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    fn act(&mut self, act: Act) {
        // Time passes between any two things.
        self.now.mono = self.now.mono.after_ms(1);
        let live = self.first.filter(|id| self.http.contains(id));
        let thread = self.thread();
        match (act, live) {
            (Act::Steer, _) => self.say(Delivery::Steer),
            (Act::FollowUp, _) => self.say(Delivery::FollowUp),
            (Act::Interrupt, _) => self.op(Op::Interrupt { thread }),
            (Act::Exit, _) => self.exit(),
            (Act::Head, Some(id)) => self.reply(id, Reply::Head(Box::new(ok()))),
            (Act::Bytes(text), Some(id)) => self.reply(id, Reply::Bytes(text.into())),
            (Act::Closed, Some(id)) => self.reply(id, Reply::Closed),
            // The request was cancelled: its peer talks to nobody.
            (Act::Head | Act::Bytes(_) | Act::Closed, None) => {}
        }
    }

    fn exit(&mut self) {
        if let Some(id) = self.spawns.first().copied() {
            self.reply(id, Reply::Exited(Exit::default()));
        }
    }

    /// Answers everything until nothing is open.
    fn settle(&mut self) {
        for _ in 0..100 {
            if let Some(id) = self.http.first().copied() {
                if Some(id) != self.first {
                    self.reply(id, Reply::Head(Box::new(ok())));
                    self.reply(id, Reply::Bytes(format!("{MESSAGE}{COMPLETED}").into_bytes()));
                }
                self.reply(id, Reply::Closed);
            } else if !self.spawns.is_empty() {
                self.exit();
            } else if let Some((at, _)) = self.engine.deadline() {
                self.now.mono = self.now.mono.max(at);
                self.feed(Input::Wake);
            } else {
                return;
            }
        }
        panic!("no end");
    }
}

fn ok() -> HttpHead {
    HttpHead { status: 200, headers: Vec::new() }
}

fn every_merge_ends_well(sequences: &[Vec<Act>]) -> usize {
    in_every_order("steering", sequences, |merge| {
        let mut driver = Driver::new();
        for act in merge {
            driver.act(*act);
        }
        driver.settle();
        assert_eq!(driver.turns.0, driver.turns.1, "a turn is open");
        assert!(driver.delivered.values().all(|count| *count == 1), "{:?}", driver.delivered);
        assert_eq!(driver.delivered.len() + driver.returned, driver.said, "a prompt is lost");
        driver.say(Delivery::Steer);
        driver.settle();
        assert_eq!(driver.delivered.len() + driver.returned, driver.said, "the next prompt");
        let thread = driver.thread();
        driver.op(Op::StopThread { thread });
        driver.settle();
        assert!(driver.stopped);
        assert_eq!(driver.engine.inflight(), 0);
    })
}

#[test]
fn a_message_with_steer_follow_up_and_interrupt() {
    let stream = vec![Act::Head, Act::Bytes(MESSAGE), Act::Bytes(COMPLETED), Act::Closed];
    let user = [Act::Steer, Act::FollowUp, Act::Interrupt].map(|act| vec![act]);
    // 7! / 4!
    assert_eq!(every_merge_ends_well(&[&[stream], &user[..]].concat()), 210);
}

#[test]
fn two_parallel_calls_with_their_ends_a_steer_and_an_interrupt() {
    let stream =
        vec![Act::Head, Act::Bytes(CALL), Act::Bytes(CALL_TWO), Act::Bytes(COMPLETED), Act::Closed];
    let exits = vec![Act::Exit, Act::Exit];
    let all = [stream, exits, vec![Act::Steer], vec![Act::Interrupt]];
    // 9! / (5! 2!)
    assert_eq!(every_merge_ends_well(&all), 1_512);
}

#[test]
fn a_cut_stream_with_a_running_call_a_steer_and_two_interrupts() {
    let stream = vec![Act::Head, Act::Bytes(CALL), Act::Closed];
    let interrupts = vec![Act::Interrupt, Act::Interrupt];
    let all = [stream, vec![Act::Exit], vec![Act::Steer], interrupts];
    // 7! / (3! 2!)
    assert_eq!(every_merge_ends_well(&all), 420);
}
