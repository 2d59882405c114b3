//! Two parallel tool calls and the user's impatience, in every order: each call's command starts,
//! prints, ends or cannot start, a patch waits for it, and at any moment the turn is interrupted
//! or the thread stopped.

use std::sync::Arc;

use codex_proto::{EffectId, Event, HostError, HostErrorKind, Now, Reply, Settings, effect::Exit};
use codex_sim::{
    check::rollout::resume,
    orders::in_every_order,
    scene::{Scene, function, patch},
};
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Of the command with this number.
    Open(usize),
    Print(usize),
    Exit(usize),
    CannotStart(usize),
    /// Of the patch.
    Read,
    CannotRead,
    /// The disk takes the line that announces the patch.
    Announced,
    Written,
    CannotWrite,
    Interrupt,
    Stop,
}

/// The lives of a command.
fn command(number: usize) -> [Vec<Act>; 3] {
    [
        vec![Act::Open(number), Act::Print(number), Act::Exit(number)],
        vec![Act::Open(number), Act::Exit(number)],
        vec![Act::CannotStart(number)],
    ]
}

/// The lives of a patch.
fn patches() -> [Vec<Act>; 3] {
    [
        vec![Act::Read, Act::Announced, Act::Written],
        vec![Act::Read, Act::Announced, Act::CannotWrite],
        vec![Act::CannotRead],
    ]
}

struct Tools {
    scene: Scene,
    spawns: Vec<EffectId>,
}

impl Tools {
    fn new(calls: &[Value]) -> Self {
        let mut scene = Scene::ready(false);
        scene.prompt("go");
        scene.write();
        scene.say(calls);
        scene.reply("http", [Reply::Closed]);
        scene.write();
        let is_spawn = |kind: &str| kind == "spawn";
        let spawns = scene.live.iter().filter(|effect| is_spawn(effect.kind.name()));
        let spawns = spawns.map(|effect| effect.id).collect();
        Self { scene, spawns }
    }

    /// Does what is possible now: a patch that has not begun is answered when all settles.
    fn act(&mut self, act: Act) {
        let denied = || Reply::Failed(HostError::new(HostErrorKind::Permission, "not permitted"));
        let missing = || Reply::Failed(HostError::new(HostErrorKind::NotFound, "no such file"));
        match act {
            Act::Open(number) => self.answer(number, Reply::Opened),
            Act::Print(number) => self.answer(number, Reply::Bytes(b"line\n".into())),
            Act::Exit(number) => {
                let exit = Exit { code: 1, output_bytes: 5, ..Exit::default() };
                self.answer(number, Reply::Exited(exit));
            }
            Act::CannotStart(number) => self.answer(number, denied()),
            Act::Read => self.newest("read", missing()),
            Act::CannotRead => self.newest("read", denied()),
            Act::Written => self.newest("patch", Reply::Closed),
            Act::CannotWrite => self.newest("patch", denied()),
            Act::Announced => {}
            Act::Interrupt => self.scene.interrupt(),
            Act::Stop => self.scene.stop(),
        }
        if act != Act::Read {
            self.scene.write();
        }
    }

    fn answer(&mut self, number: usize, reply: Reply) {
        let id = self.spawns[number];
        if self.scene.may(id, &reply) {
            self.scene.answer(id, [reply]);
        }
    }

    fn newest(&mut self, kind: &str, reply: Reply) {
        if let Some(id) = self.scene.newest(kind) {
            self.scene.answer(id, [reply]);
        }
    }
}

fn check(calls: &[Value], order: &[Act]) {
    let mut tools = Tools::new(calls);
    for act in order {
        tools.act(*act);
    }
    let scene = &mut tools.scene;
    scene.settle();
    if !order.contains(&Act::Stop) {
        // The checkers look at the outputs in the next request.
        let before = scene.requests.len();
        scene.prompt("again");
        scene.settle();
        assert!(scene.requests.len() > before, "the next prompt got no request");
        scene.stop();
        scene.settle();
    }
    let begun = count_of(scene, |event| matches!(event, Event::TurnStarted { .. }));
    let ended = count_of(scene, |event| matches!(event, Event::TurnEnded { .. }));
    assert_eq!(begun, ended, "turns");
    assert_eq!(count_of(scene, |event| matches!(event, Event::ThreadStopped { .. })), 1);
    assert_eq!(scene.engine.inflight(), 0);
    // What was shown as begun was shown as ended.
    let started = count_of(scene, |event| matches!(event, Event::ItemStarted { .. }));
    let ended = count_of(scene, |event| {
        matches!(event, Event::ItemCompleted { .. } | Event::ItemDropped { .. })
    });
    assert_eq!(started, ended, "items");
    // The rollout alone tells the same: each call has its output, in order.
    let settings = Arc::new(Settings::sample("/w".into()));
    let now: Now = scene.now;
    let (_, input) = resume(&settings, &scene.rollout, now).expect("the rollout resumes");
    let ids = |kinds: [&str; 2]| -> Vec<&str> {
        let items = input.iter().filter(|item| kinds.iter().any(|kind| item["type"] == *kind));
        items.filter_map(|item| item["call_id"].as_str()).collect()
    };
    let called = ids(["function_call", "custom_tool_call"]);
    assert_eq!(called, ["c1", "c2"]);
    assert_eq!(called, ids(["function_call_output", "custom_tool_call_output"]));
}

fn count_of(scene: &Scene, is: impl Fn(&Event) -> bool) -> usize {
    scene.events.iter().filter(|event| is(event)).count()
}

/// Runs every order of every pair of lives, interrupted and stopped, and gives their number.
fn run(calls: &[Value], first: &[Vec<Act>], second: &[Vec<Act>]) -> usize {
    let mut runs = 0;
    for first in first {
        for second in second {
            for end in [Act::Interrupt, Act::Stop] {
                let sequences = [first.clone(), second.clone(), vec![end]];
                runs += in_every_order(end, &sequences, |order| check(calls, order));
            }
        }
    }
    runs
}

#[test]
fn two_commands_end_in_every_order() {
    let call = |id| function(id, "exec_command", &json!({ "cmd": "make" }));
    // (a + b + 1)! / (a! b!) for commands of 3, 2 and 1 acts, interrupted and stopped.
    let count = 2 * (140 + 60 + 20 + 60 + 30 + 12 + 20 + 12 + 6);
    assert_eq!(run(&[call("c1"), call("c2")], &command(0), &command(1)), count);
}

#[test]
fn a_command_and_a_patch_end_in_every_order() {
    let call = function("c1", "exec_command", &json!({ "cmd": "make" }));
    // (a + b + 1)! / (a! b!) for a command of 3, 2 and 1 acts and a patch of 3, 3 and 1.
    let count = 2 * (140 + 140 + 20 + 60 + 60 + 12 + 20 + 20 + 6);
    assert_eq!(run(&[call, patch("c2")], &command(0), &patches()), count);
}
