//! From one conversation to another: what ends, what goes on, what is taken over.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

use codex_proto::{
    Event, Op, OpId, Refused, ThreadId,
    event::ThreadReady,
    item::TurnItem,
    op::{Configure, Delivery, Prompt, PromptPart},
    policy::{ApprovalPolicy, SandboxPolicy},
};
use codex_tui::{
    Answer, Msg, ScreenEffect, Setup,
    msg::{SessionEntry, Sessions},
    popup::APPROVAL_REST_MS,
    setup::Start,
    text::Line,
};
use harness::{Run, completed, thread, user};

fn run() -> Run {
    let mut run = Run::ready(Setup::sample(), 80, 30);
    run.event(completed(1, user("hello"))).take_effects();
    run
}

fn ops(run: &mut Run) -> Vec<(OpId, Op)> {
    let effects = run.take_effects().into_iter();
    let ops = effects.filter_map(|effect| match effect {
        ScreenEffect::Op(id, op) => Some((id, op)),
        _ => None,
    });
    ops.collect()
}

/// Types a line that asks for another thread: the op's id.
fn ask(run: &mut Run, line: &str) -> OpId {
    run.keys(line).keys("\n");
    let [(id, Op::StartThread | Op::ForkThread { .. })] = ops(run)[..] else {
        panic!("{line}: one op")
    };
    id
}

fn other() -> ThreadId {
    "0199a3b0-0000-7000-8000-00000000000b".parse().unwrap()
}

/// Another thread, as it is configured.
fn other_ready(op: OpId) -> ThreadReady {
    let Event::ThreadReady(ready) = harness::ready() else { panic!("ready") };
    ThreadReady { thread: other(), op, ..*ready }
}

fn ready(run: &mut Run, ready: ThreadReady) -> Vec<Op> {
    run.event(Event::ThreadReady(ready.into()));
    ops(run).into_iter().map(|(_, op)| op).collect()
}

fn stop(thread: ThreadId) -> Op {
    Op::StopThread { thread }
}

fn printed(run: &Run) -> String {
    run.printed.iter().map(|line: &Line| line.text() + "\n").collect()
}

fn prompt(thread: ThreadId, text: &str) -> Op {
    Op::Prompt(Box::new(Prompt {
        thread,
        content: vec![PromptPart::Text(text.into())],
        delivery: Delivery::Steer,
        output_schema: None,
    }))
}

#[test]
fn a_conversation_ends_when_the_next_one_is_there() {
    let mut run = run();
    let op = ask(&mut run, "/new");
    run.keys("early\n");
    assert_eq!(ops(&mut run), [], "said to the next one");
    assert_eq!(ready(&mut run, other_ready(op)), [stop(thread()), prompt(other(), "early")]);
}

#[test]
fn a_conversation_goes_on_when_the_other_cannot_be_had() {
    let mut run = run();
    let op = ask(&mut run, "/fork");
    run.keys("early\n");
    assert_eq!(ops(&mut run), []);
    let reason = Refused::Rollout { path: "/r.jsonl".into(), why: "it is gone".into() };
    run.event(Event::Refused { op, reason });
    let ops: Vec<Op> = ops(&mut run).into_iter().map(|(_, op)| op).collect();
    assert_eq!(ops, [prompt(thread(), "early")], "nothing was stopped, nothing is lost");
    let printed = printed(&run);
    assert!(printed.contains("it is gone") && printed.contains("goes on"), "{printed}");
}

#[test]
fn a_thread_that_nobody_will_see_is_stopped() {
    let mut run = run();
    let (first, second) = (ask(&mut run, "/new"), ask(&mut run, "/new"));
    assert_eq!(ready(&mut run, other_ready(first)), [stop(other())]);
    let last: ThreadId = "0199a3b0-0000-7000-8000-00000000000c".parse().unwrap();
    let next = ThreadReady { thread: last, ..other_ready(second) };
    assert_eq!(ready(&mut run, next), [stop(thread())]);
}

#[test]
fn a_chosen_model_outlives_the_conversation() {
    let mut run = run();
    run.keys("/model gpt-5.4-mini high\n").take_effects();
    for (line, forked_from) in [("/new", None), ("/fork", Some(thread()))] {
        let op = ask(&mut run, line);
        let configure = Configure {
            model: Some("gpt-5.4-mini".into()),
            reasoning_effort: Some(Some("high".into())),
            ..Configure::new(other())
        };
        let ops = ready(&mut run, ThreadReady { forked_from, ..other_ready(op) });
        assert_eq!(ops[1..], [Op::Configure(Box::new(configure))], "{line}");
        let item = TurnItem { id: 1, body: user("hello") };
        run.event(Event::ItemCompleted { thread: other(), item }).take_effects();
    }
    assert_eq!(printed(&run).matches("gpt-5.4-mini (high)").count(), 2, "headers say it");
    // A thread that has it already is left alone.
    let op = ask(&mut run, "/new");
    let mut same = other_ready(op);
    (same.model, same.reasoning_effort) = ("gpt-5.4-mini".into(), Some("high".into()));
    assert_eq!(ready(&mut run, same).len(), 1);
}

#[test]
fn permissions_are_of_a_conversation_and_its_forks() {
    let mut run = run();
    run.keys("/permissions read-only\n");
    let [(_, Op::Configure(configure))] = &ops(&mut run)[..] else { panic!("one change") };
    let config = codex_proto::event::ThreadConfig {
        model: "gpt-5.5".into(),
        reasoning_effort: Some("medium".into()),
        approval: configure.approval.unwrap(),
        sandbox: configure.sandbox.clone().unwrap(),
    };
    run.event(Event::Configured { thread: thread(), config: config.clone() });
    // A copy of this conversation may not do more than it.
    let op = ask(&mut run, "/fork");
    let fork = ThreadReady { forked_from: Some(thread()), ..other_ready(op) };
    let want = Configure {
        approval: Some(ApprovalPolicy::OnRequest),
        sandbox: Some(SandboxPolicy::read_only()),
        ..Configure::new(other())
    };
    assert_eq!(ready(&mut run, fork), [stop(thread()), Op::Configure(Box::new(want))]);
    assert!(printed(&run).contains("sandbox read-only"), "{}", printed(&run));
    run.event(Event::Configured { thread: other(), config });
    // Another conversation is as configured, and that is said.
    let op = ask(&mut run, "/new");
    let third = "0199a3b0-0000-7000-8000-00000000000c".parse().unwrap();
    let new = ThreadReady { thread: third, ..other_ready(op) };
    assert_eq!(ready(&mut run, new), [stop(other())]);
    let told = run.tell();
    assert!(told.contains("permissions are as configured again: workspace"), "{told}");
}

/// A run that begins with a choice of sessions.
fn picking(fork: bool) -> Run {
    let setup = Setup { start: Start::Pick { all: false, fork }, ..Setup::sample() };
    let mut run = Run::new(setup, 80, 30);
    assert_eq!(ops(&mut run), [], "nothing is begun before something is chosen");
    let session = SessionEntry {
        path: "/r.jsonl".into(),
        thread: other(),
        name: "an earlier one".into(),
        cwd: "/home/user/project".into(),
        modified: run.now.wall,
        bytes: 1_000,
    };
    let sessions = Sessions { sessions: vec![session], ..Sessions::default() };
    run.msg(Msg::Answer(Answer::Sessions(sessions)));
    run
}

fn resume() -> Op {
    Op::ResumeThread { path: "/r.jsonl".into() }
}

fn fork() -> Op {
    Op::ForkThread { path: "/r.jsonl".into(), prompts_kept: None }
}

#[test]
fn a_run_that_begins_with_a_choice_begins_what_is_chosen() {
    for (is_fork, chosen) in [(false, resume()), (true, fork())] {
        let mut run = picking(is_fork);
        run.keys("\n");
        let [(op, begun)] = &ops(&mut run)[..] else { panic!("one op") };
        assert_eq!(begun, &chosen);
        assert_eq!(ready(&mut run, other_ready(*op)), [], "there is nothing to stop");
    }
    let mut run = picking(false);
    // The first one takes back what was typed.
    run.keys("x<esc>");
    assert_eq!(ops(&mut run), []);
    run.keys("<esc>");
    assert!(matches!(ops(&mut run)[..], [(_, Op::StartThread)]));
}

/// Asks for a conversation that another process has.
fn in_use(run: &mut Run) {
    run.keys("\n");
    let [(op, _)] = ops(run)[..] else { panic!("one op") };
    let why = "it is open in process 4711".into();
    run.event(Event::Refused { op, reason: Refused::InUse { path: "/r.jsonl".into(), why } });
    assert!(run.tell().contains("It is open in process 4711"), "{}", run.tell());
    // What is typed ahead chooses nothing.
    run.keys("and\n");
    assert_eq!(ops(run), [], "the user has the choice");
    run.wait(APPROVAL_REST_MS);
}

#[test]
fn a_conversation_that_another_process_has_is_forked_or_asked_for_again() {
    for (keys, then) in [("\n", fork()), ("<down>\n", resume())] {
        let mut run = picking(false);
        in_use(&mut run);
        run.keys(keys);
        let begun: Vec<Op> = ops(&mut run).into_iter().map(|(_, op)| op).collect();
        assert_eq!(begun, [then]);
        assert!(run.tell().contains("› and"), "what was written stays: {}", run.tell());
    }
}

#[test]
fn what_was_meant_for_a_conversation_that_another_process_has_is_said_to_no_other() {
    let setup = Setup {
        start: Start::Resume("/r.jsonl".into()),
        prompt: vec![PromptPart::Text("fix it".into())],
        ..Setup::sample()
    };
    let mut run = Run::new(setup, 80, 30);
    in_use_at_start(&mut run);
    run.keys("<esc>");
    let [(op, Op::StartThread)] = ops(&mut run)[..] else { panic!("a new one") };
    assert_eq!(ready(&mut run, other_ready(op)), []);
    assert!(run.tell().contains("› fix it"), "{}", run.tell());
}

fn in_use_at_start(run: &mut Run) {
    let [(op, Op::ResumeThread { .. })] = &ops(run)[..] else { panic!("one op") };
    let reason = Refused::InUse { path: "/r.jsonl".into(), why: "it is open elsewhere".into() };
    run.event(Event::Refused { op: *op, reason });
    run.wait(APPROVAL_REST_MS);
}

#[test]
fn the_conversation_on_the_screen_stays_when_the_other_is_taken() {
    let mut run = run();
    run.keys("/resume\n").take_effects();
    let session = SessionEntry {
        path: "/r.jsonl".into(),
        thread: other(),
        name: "an earlier one".into(),
        cwd: "/home/user/project".into(),
        modified: run.now.wall,
        bytes: 1_000,
    };
    let sessions = Sessions { sessions: vec![session], ..Sessions::default() };
    run.msg(Msg::Answer(Answer::Sessions(sessions)));
    in_use(&mut run);
    run.keys("<esc>");
    assert_eq!(ops(&mut run), []);
    run.keys(" go on\n");
    let said: Vec<Op> = ops(&mut run).into_iter().map(|(_, op)| op).collect();
    assert_eq!(said, [prompt(thread(), "and go on")]);
}
