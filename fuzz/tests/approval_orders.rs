//! A call that asks, in every order: each answer, given once and once more, a steer, the life of
//! the command or the patch, and at any moment an interrupt or a stop.

use std::sync::Arc;

use codex_proto::{
    ApprovalId, EffectKind, Event, HostError, HostErrorKind, Op, Reply, Settings,
    approval::ApprovalAnswer,
    effect::Exit,
    op::{Delivery, Prompt, PromptPart},
    policy::ApprovalPolicy,
};
use codex_sim::{
    check::rollout::resume,
    orders::in_every_order,
    scene::{Scene, function, patch},
};
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Abort,
    Deny,
    Feedback,
    Once,
    Session,
}

const ANSWERS: [Answer; 5] =
    [Answer::Abort, Answer::Deny, Answer::Feedback, Answer::Once, Answer::Session];

impl Answer {
    fn is_yes(self) -> bool {
        matches!(self, Self::Once | Self::Session)
    }

    fn give(self) -> ApprovalAnswer {
        match self {
            Self::Abort => ApprovalAnswer::Abort,
            Self::Deny => ApprovalAnswer::Deny { feedback: None },
            Self::Feedback => ApprovalAnswer::Deny { feedback: Some("use a pencil".into()) },
            Self::Once => ApprovalAnswer::Once,
            Self::Session => ApprovalAnswer::Session,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Answer(Answer),
    /// The command runs, ends, or is stopped by the sandbox.
    Open,
    Exit,
    Denied,
    /// The patch's files are read; its line is written; it is.
    Read,
    Announced,
    Written,
    Steer,
    Interrupt,
    Stop,
}

fn began(policy: ApprovalPolicy, call: Value) -> Scene {
    let mut scene = Scene::asking(false, policy);
    scene.prompt("go");
    scene.write();
    scene.say(&[call]);
    scene.reply("http", [Reply::Closed]);
    scene.write();
    scene
}

/// Does what is possible now.
fn act(scene: &mut Scene, act: Act) {
    let missing = || Reply::Failed(HostError::new(HostErrorKind::NotFound, "no such file"));
    let newest = |scene: &mut Scene, kind: &str, replies: Vec<Reply>| {
        if let Some(id) = scene.newest(kind)
            && scene.may(id, &replies[0])
        {
            scene.answer(id, replies);
        }
    };
    match act {
        // The first question of a thread; there may be no such question any more, or not yet.
        Act::Answer(answer) => {
            let id = scene.questions().first().copied().unwrap_or(ApprovalId(0));
            scene.approve(id, answer.give());
        }
        Act::Open => newest(scene, "spawn", vec![Reply::Opened]),
        Act::Exit => newest(scene, "spawn", vec![Reply::Exited(Exit::default())]),
        Act::Denied => {
            let exit = Exit { code: 1, output_bytes: 9, ..Exit::default() };
            let print = Reply::Bytes(b"Read-only file system\n".into());
            newest(scene, "spawn", vec![print, Reply::Exited(exit)]);
        }
        Act::Read => newest(scene, "read", vec![missing()]),
        Act::Announced => {}
        Act::Written => newest(scene, "patch", vec![Reply::Closed]),
        Act::Steer => {
            let content = vec![PromptPart::Text("steer".into())];
            let (thread, delivery) = (scene.id(), Delivery::Steer);
            let prompt = Prompt { thread, content, delivery, output_schema: None };
            scene.op(Op::Prompt(Box::new(prompt)));
        }
        Act::Interrupt => scene.interrupt(),
        Act::Stop => scene.stop(),
    }
    if act != Act::Read {
        scene.write();
    }
}

fn count_of(scene: &Scene, is: impl Fn(&Event) -> bool) -> usize {
    scene.events.iter().filter(|event| is(event)).count()
}

/// Lets everything end, and gives the output of the call as the rollout has it.
fn finish(scene: &mut Scene, order: &[Act]) -> String {
    scene.settle();
    if !order.contains(&Act::Stop) {
        scene.prompt("again");
        scene.settle();
        scene.stop();
        scene.settle();
    }
    let begun = count_of(scene, |event| matches!(event, Event::TurnStarted { .. }));
    let ended = count_of(scene, |event| matches!(event, Event::TurnEnded { .. }));
    assert_eq!(begun, ended, "turns");
    assert_eq!(count_of(scene, |event| matches!(event, Event::ThreadStopped { .. })), 1);
    assert_eq!(scene.engine.inflight(), 0);
    assert!(scene.questions().is_empty());
    if order.contains(&Act::Steer) {
        let told = scene
            .requests
            .iter()
            .any(|body| String::from_utf8_lossy(body).contains(r#""text":"steer""#));
        let refused = count_of(scene, |event| {
            matches!(event, Event::PromptsReturned { .. } | Event::Refused { .. })
        });
        assert!(told || refused > 0, "the steer is lost");
    }
    let settings = Arc::new(Settings::sample("/w".into()));
    let (_, input) = resume(&settings, &scene.rollout, scene.now).expect("the rollout resumes");
    let mut outputs = input.iter().filter(|item| item["output"].is_string());
    let output = outputs.next().and_then(|item| item["output"].as_str()).unwrap_or_default();
    assert_eq!(outputs.count(), 0, "one call has one output");
    output.to_owned()
}

/// The answer that counts: the first that is given before the turn ends.
fn counts(order: &[Act]) -> Option<Answer> {
    order
        .iter()
        .take_while(|act| !matches!(act, Act::Interrupt | Act::Stop))
        .find_map(|act| if let Act::Answer(answer) = act { Some(*answer) } else { None })
}

/// Runs every order of these for each answer and each end, and gives their number.
fn run(sequences: &[Vec<Act>], check: impl Fn(&[Act])) -> usize {
    let mut runs = 0;
    for answer in ANSWERS {
        for end in [Act::Interrupt, Act::Stop] {
            let mut all = sequences.to_vec();
            all.push(vec![Act::Answer(answer)]);
            all.push(vec![end]);
            runs += in_every_order(answer, &all, &check);
        }
    }
    runs
}

#[test]
fn a_command_that_asks_is_answered_steered_and_ended_in_every_order() {
    let check = |order: &[Act]| {
        let call = function("c1", "exec_command", &json!({ "cmd": "make" }));
        let mut scene = began(ApprovalPolicy::Untrusted, call);
        let mut spawns = 0;
        for next in order {
            act(&mut scene, *next);
            spawns = spawns.max(scene.live.iter().filter(|e| e.kind.name() == "spawn").count());
        }
        let counted = counts(order);
        assert_eq!(spawns, usize::from(counted.is_some_and(Answer::is_yes)), "commands");
        let output = finish(&mut scene, order);
        match counted {
            Some(answer) if answer.is_yes() => assert!(
                output.contains("exited with code 0") || output.starts_with("aborted by user"),
                "{output}"
            ),
            Some(Answer::Feedback) => assert!(output.ends_with("says: use a pencil"), "{output}"),
            Some(_) => assert_eq!(output, "exec command rejected by user"),
            None => assert!(output.starts_with("aborted by user after"), "{output}"),
        }
    };
    let once_more = vec![Act::Answer(Answer::Once)];
    let sequences = [vec![Act::Open, Act::Exit], vec![Act::Steer], once_more];
    // 6! / 2! orders for five answers and two ends.
    assert_eq!(run(&sequences, check), 10 * 360);
}

#[test]
fn a_command_that_the_sandbox_stopped_asks_again_in_every_order() {
    let check = |order: &[Act]| {
        let call = function("c1", "exec_command", &json!({ "cmd": "make" }));
        let mut scene = began(ApprovalPolicy::OnFailure, call);
        for next in order {
            let before = scene.questions().len();
            act(&mut scene, *next);
            let free = scene.live.iter().any(|effect| {
                matches!(&effect.kind, EffectKind::Spawn(spawn) if spawn.sandbox.is_full_access())
            });
            let is_yes = matches!(next, Act::Answer(answer) if answer.is_yes() && before == 1);
            assert!(!free || is_yes || scene.questions().is_empty(), "left the sandbox unasked");
        }
        let at = |act: Act| order.iter().position(|other| *other == act);
        let stopped = at(Act::Denied) < at(Act::Interrupt).or(at(Act::Stop));
        let output = finish(&mut scene, order);
        // Whatever became of the question: it did run, and was stopped.
        let answered = order.iter().skip_while(|act| **act != Act::Denied);
        let yes = answered.clone().any(|a| matches!(a, Act::Answer(answer) if answer.is_yes()));
        if stopped && !yes {
            assert!(output.contains("Read-only file system"), "{output}");
        }
    };
    // 4! / 2! orders for five answers and two ends.
    assert_eq!(run(&[vec![Act::Open, Act::Denied]], check), 10 * 12);
}

#[test]
fn a_patch_that_asks_is_answered_and_ended_in_every_order() {
    let check = |order: &[Act]| {
        let mut scene = began(ApprovalPolicy::Untrusted, patch("c1"));
        let mut patches = 0;
        for next in order {
            act(&mut scene, *next);
            patches = patches.max(scene.live.iter().filter(|e| e.kind.name() == "patch").count());
        }
        // An answer before the question is none.
        let at = |act: Act| order.iter().position(|other| *other == act);
        let asked = at(Act::Read) < at(Act::Interrupt).or(at(Act::Stop));
        let later: Vec<Act> = order.iter().copied().skip_while(|act| *act != Act::Read).collect();
        let counted = if asked { counts(&later) } else { None };
        assert_eq!(patches, usize::from(counted.is_some_and(Answer::is_yes)), "patches");
        let output = finish(&mut scene, order);
        match counted {
            Some(answer) if answer.is_yes() => {
                assert!(output.starts_with("Exit code: 0"), "{output}");
            }
            Some(Answer::Feedback) => assert!(output.ends_with("says: use a pencil"), "{output}"),
            Some(_) => assert_eq!(output, "patch rejected by user"),
            None => assert!(
                output.starts_with("aborted by user") || output == "patch rejected by user",
                "{output}"
            ),
        }
    };
    let once_more = vec![Act::Answer(Answer::Once)];
    let life = vec![Act::Read, Act::Announced, Act::Written];
    // 6! / 3! orders for five answers and two ends.
    assert_eq!(run(&[life, once_more], check), 10 * 120);
}
