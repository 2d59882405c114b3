//! A terminal that has outlived its turn, while the model types into it in the next one and the user
//! runs a command of their own: output, ends, sizes, stops and interrupts in every order.

use codex_proto::{
    CommandId, EffectId, EffectKind, Event, Op, Reply,
    effect::{Exit, Signal, TtySize},
};
use codex_sim::{
    orders::in_every_order,
    scene::{Scene, function},
};
use serde_json::json;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// The terminal shows what was typed; its output so far is asked for and comes.
    Echo,
    Tail,
    Exit,
    Resize,
    /// The user runs a command, and it ends.
    Run,
    Ran,
    StopCommands,
    Interrupt,
    Stop,
}

struct Terminal {
    scene: Scene,
    session: CommandId,
    spawn: EffectId,
}

impl Terminal {
    /// In its second turn, with a call that waits for the terminal.
    fn new() -> Self {
        let mut scene = Scene::ready(true);
        scene.prompt("go");
        let args = json!({ "cmd": "python3", "tty": true, "yield_time_ms": 250 });
        scene.say(&[function("c1", "exec_command", &args)]);
        scene.reply("http", [Reply::Closed]);
        let spawn = scene.newest("spawn").expect("a command");
        scene.answer(spawn, [Reply::Opened]);
        scene.later(300);
        scene.answer(spawn, [Reply::Tail { omitted_bytes: 0, bytes: Vec::new() }]);
        let session = listed(&scene)[0];
        scene.say(&[]);
        scene.reply("http", [Reply::Closed]);
        scene.prompt("type");
        let args = json!({ "session_id": session.0, "chars": "1+1\n", "yield_time_ms": 10_000 });
        scene.say(&[function("c2", "write_stdin", &args)]);
        scene.reply("http", [Reply::Closed]);
        Self { scene, session, spawn }
    }

    /// Does what is possible now.
    fn act(&mut self, act: Act) {
        let Self { scene, session, spawn } = self;
        let thread = scene.id();
        let answer = |scene: &mut Scene, id: EffectId, reply: Reply| {
            if scene.may(id, &reply) {
                scene.answer(id, [reply]);
            }
        };
        let exit = || Reply::Exited(Exit { code: 3, ..Exit::default() });
        match act {
            Act::Echo => answer(scene, *spawn, Reply::Bytes(b"1+1\r\n2\r\n".into())),
            Act::Tail => answer(scene, *spawn, Reply::Tail { omitted_bytes: 0, bytes: Vec::new() }),
            Act::Exit => answer(scene, *spawn, exit()),
            Act::Resize => {
                let size = TtySize { rows: 50, columns: 132 };
                scene.op(Op::ResizeCommand { thread, command: *session, size });
            }
            Act::Run => {
                scene.op(Op::RunCommand { thread, script: "ls".into() });
            }
            Act::Ran => {
                let own = scene.newest("spawn").filter(|id| id != spawn);
                if let Some(id) = own {
                    answer(scene, id, Reply::Opened);
                    answer(scene, id, exit());
                }
            }
            Act::StopCommands => {
                scene.op(Op::StopCommands { thread, command: None });
            }
            Act::Interrupt => scene.interrupt(),
            Act::Stop => scene.stop(),
        }
    }
}

/// The commands that people were told of last.
fn listed(scene: &Scene) -> Vec<CommandId> {
    let list = scene.events.iter().rev().find_map(|event| match event {
        Event::Commands { running, .. } => Some(running.iter().map(|command| command.id).collect()),
        _ => None,
    });
    list.unwrap_or_default()
}

fn running(scene: &Scene) -> usize {
    scene.live.iter().filter(|effect| matches!(effect.kind, EffectKind::Spawn(_))).count()
}

fn check(order: &[Act]) {
    let mut terminal = Terminal::new();
    for (done, act) in order.iter().enumerate() {
        terminal.act(*act);
        assert_eq!(
            listed(&terminal.scene).len(),
            running(&terminal.scene),
            "the list after {act:?}"
        );
        // Nothing but a stop ends what runs in the background.
        let may_end = order[..=done].iter().any(|a| matches!(a, Act::StopCommands | Act::Stop));
        let signals = terminal.scene.told.iter().filter(|effect| {
            let kind = &effect.kind;
            matches!(kind, EffectKind::Signal { signal: Signal::Kill | Signal::Terminate, .. })
        });
        assert!(may_end || signals.count() == 0, "{act:?} ended a command");
    }
    let typed = terminal.scene.told.iter().any(|effect| {
        matches!(&effect.kind, EffectKind::Stdin { spawn, bytes }
            if *spawn == terminal.spawn && bytes == b"1+1\n")
    });
    assert!(typed, "nothing was typed");
    let scene = &mut terminal.scene;
    scene.settle();
    if !order.contains(&Act::Stop) {
        scene.prompt("again");
        scene.settle();
        // What the user ran is told once, whenever that was.
        let body = String::from_utf8_lossy(scene.requests.last().expect("a request")).into_owned();
        assert_eq!(body.matches("<user_shell_command>").count(), 1);
        scene.stop();
        scene.settle();
    }
    assert!(listed(scene).is_empty());
    assert_eq!(scene.engine.inflight(), 0);
    let started = scene.events.iter().filter(|e| matches!(e, Event::ItemStarted { .. })).count();
    let ended = scene.events.iter().filter(|e| matches!(e, Event::ItemCompleted { .. })).count();
    assert_eq!(started, ended, "items");
}

#[test]
fn a_terminal_across_turns_in_every_order() {
    let mut runs = 0;
    for end in [Act::Interrupt, Act::Stop] {
        let sequences = [
            vec![Act::Echo, Act::Resize, Act::Tail, Act::Exit],
            vec![Act::Run, Act::Ran],
            vec![Act::StopCommands],
            vec![end],
        ];
        runs += in_every_order(end, &sequences, check);
    }
    // 8! / (4! 2!) orders, interrupted and stopped.
    assert_eq!(runs, 2 * 840);
}
