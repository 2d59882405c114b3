//! Commands with a terminal of their own, with and without the sandbox.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use codex_proto::{
    Reply,
    effect::{Signal, Spawn, TtySize},
    policy::SandboxPolicy,
};
use common::{Running, World, came, gone, mark};

const SIZE: TtySize = TtySize { rows: 24, columns: 80 };

/// Each way to run a script in a terminal.
fn each(test: impl Fn(&World, &dyn Fn(&str) -> Spawn)) {
    for boxed in [false, true] {
        let world = World::new();
        let spawn = |script: &str| {
            let sandbox = if boxed {
                SandboxPolicy::workspace_write(world.path("work"))
            } else {
                SandboxPolicy::full_access()
            };
            Spawn { tty: Some(SIZE), sandbox, ..world.sh(script) }
        };
        test(&world, &spawn);
        world.shutdown();
    }
}

fn type_in(world: &World, running: &Running, text: &str) {
    world.processes.stdin(running.id, text.as_bytes()).unwrap();
}

#[test]
fn all_three_streams_are_a_terminal_of_the_commands_own() {
    each(|world, spawn| {
        let script = "test -t 0 && test -t 1 && test -t 2 && echo three; stty size; \
                      echo via tty > /dev/tty; exit 3";
        let told = world.run(spawn(script));
        assert_eq!(
            told.text(),
            "three\r\n24 80\r\nvia tty\r\n",
            "lines end as the terminal ends them"
        );
        assert_eq!(told.exit().code, 3);
        assert_eq!(told.exit().output_bytes, told.output.len() as u64);
    });
}

#[test]
fn what_is_typed_is_read_and_ctrl_c_interrupts() {
    each(|world, spawn| {
        let script = "trap 'echo caught; exit 5' INT; read line; echo got $line; \
                      while :; do sleep 0.05; done";
        let mut running = world.start(spawn(script));
        type_in(world, &running, "hello\n");
        running.until("got hello\r\n");
        type_in(world, &running, "\u{3}");
        let told = running.finish();
        assert!(told.text().ends_with("caught\r\n"), "{}", told.text());
        assert_eq!(told.exit().code, 5);
    });
}

#[test]
fn a_new_size_is_seen() {
    each(|world, spawn| {
        let script = "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done";
        let mut running = world.start(spawn(script));
        running.until("ready\r\n");
        world.processes.resize(running.id, TtySize { rows: 50, columns: 132 });
        let told = running.finish();
        assert_eq!(told.text(), "50 132\r\n");
    });
}

#[test]
fn an_interactive_shell_has_jobs_and_goes_when_its_terminal_does() {
    each(|world, spawn| {
        let script = "exec bash --norc --noprofile -i";
        let mut running = world.start(spawn(script));
        let mark = mark();
        type_in(world, &running, &format!("sleep {mark} & echo $((40 + 2)); jobs\n"));
        let seen = running.until("Running");
        assert!(seen.contains("42\r\n"), "{seen}");
        assert!(!seen.contains("no job control"), "{seen}");
        // Such a shell does not mind SIGTERM.
        let id = running.id;
        let told = running.finish_asked(|| world.processes.signal(id, Signal::Terminate));
        assert!(told.exit().code >= 128 || told.exit().code == 1, "{:?}", told.exit());
        world.shutdown();
        gone(&mark);
    });
}

#[test]
fn what_detached_itself_from_the_terminal_is_killed_too() {
    each(|world, spawn| {
        let mark = mark();
        let script = format!("setsid sleep {mark} & echo on; exec sleep {mark}");
        let mut running = world.start(spawn(&script));
        running.until("on\r\n");
        came(&mark, 2);
        world.processes.cancel(running.id);
        assert_eq!(running.finish().exit().code, 137);
        world.shutdown();
        gone(&mark);
    });
}

#[test]
fn long_output_through_a_terminal_is_all_there() {
    each(|world, spawn| {
        let told = world.run(spawn("seq 1 20000"));
        assert_eq!(
            told.exit().output_bytes,
            (1..=20_000).map(|n| format!("{n}\r\n").len() as u64).sum::<u64>()
        );
        assert!(told.text().ends_with("\r\n20000\r\n"));
    });
}

#[test]
fn input_that_nobody_reads_stops_nothing() {
    each(|world, spawn| {
        let running = world.start(spawn("stty raw -echo; sleep 0.3; echo end"));
        for _ in 0..20 {
            type_in(world, &running, &"x".repeat(10_000));
        }
        let told = running.finish();
        assert!(told.text().contains("end"), "{}", told.text());
    });
}

#[test]
fn a_flush_gives_what_there_is() {
    each(|world, spawn| {
        let mut running = world.start(spawn("printf prompt; read x; echo $x"));
        running.until("prompt");
        world.processes.flush(running.id);
        assert!(matches!(running.next(), Reply::Tail { omitted_bytes: 0, .. }));
        type_in(world, &running, "y\n");
        assert!(running.finish().text().ends_with("y\r\n"));
    });
}
