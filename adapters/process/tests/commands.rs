//! How commands start, what they get, and how they end.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use codex_proto::{HostErrorKind, Reply, effect::Signal, policy::EnvPolicy};
use common::{Agent, LONG, World, alive, came, gone, having, mark};

#[test]
fn output_comes_in_order_and_the_code_is_told() {
    let world = World::new();
    let told = world.run(world.sh("echo one; echo two >&2; echo three; exit 7"));
    assert_eq!(told.text(), "one\ntwo\nthree\n");
    assert_eq!(told.exit().code, 7);
    assert_eq!(told.exit().output_bytes, 14);
    assert_eq!(told.exit().spool, None);
    assert!(told.tails.is_empty());
}

#[test]
fn a_signal_is_128_and_its_number() {
    let world = World::new();
    assert_eq!(world.run(world.sh("kill -SEGV $$")).exit().code, 139);
    let mut running =
        world.start(world.sh("trap 'echo bye; exit 5' INT; echo go; while :; do sleep 0.05; done"));
    running.until("go");
    world.processes.signal(running.id, Signal::Interrupt);
    let told = running.finish();
    assert_eq!((told.text().as_str(), told.exit().code), ("bye\n", 5));
    let mut running = world.start(world.sh("echo go; sleep 61"));
    running.until("go");
    world.processes.signal(running.id, Signal::Terminate);
    assert_eq!(running.finish().exit().code, 143);
}

#[test]
fn what_is_missing_is_named() {
    let world = World::new();
    let mut spawn = world.sh("true");
    spawn.cwd = world.path("not-there");
    let told = world.run(spawn);
    assert_eq!(told.error().kind, HostErrorKind::NotFound);
    assert!(told.error().message.contains("not-there does not exist"), "{}", told.error());

    let told = world.run(world.command(&["no-such-program", "x"]));
    assert_eq!(told.error().kind, HostErrorKind::NotFound);
    assert!(told.error().message.contains("no-such-program"), "{}", told.error());

    std::fs::write(world.path("work/plain.txt"), "x").unwrap();
    let told = world.run(world.command(&["./plain.txt"]));
    assert_eq!(told.error().kind, HostErrorKind::Permission);

    let told = world.run(world.command(&[]));
    assert_eq!(told.error().kind, HostErrorKind::NotFound);
    let told = world.run(world.command(&["/bin/echo", "a\0b"]));
    assert_eq!(told.error().kind, HostErrorKind::Spawn);
}

#[test]
fn a_huge_argument_is_an_error_and_a_large_environment_is_not() {
    let world = World::new();
    let told = world.run(world.command(&["/bin/echo", &"x".repeat(3 << 20)]));
    assert_eq!(told.error().kind, HostErrorKind::Spawn);
    assert!(told.error().message.contains("too long"), "{}", told.error());
    let mut spawn = world.sh("printf %s \"$V9\" | wc -c");
    spawn.env_overlay = (0..10).map(|n| (format!("V{n}"), "x".repeat(100_000))).collect();
    assert_eq!(world.run(spawn).text().trim(), "100000");
}

#[test]
fn the_environment_is_what_the_policy_keeps_and_the_overlay_sets() {
    let world = World::new();
    let mut spawn = world.command(&["/usr/bin/env"]);
    spawn.env = EnvPolicy { set: vec!["SET".into(), "FIXED".into()], ..EnvPolicy::default() };
    spawn.env_overlay = vec![("TERM".into(), "dumb".into()), ("SET".into(), String::new())];
    let text = world.run(spawn).text();
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("HOME=")).collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["FIXED=1", "PATH=/usr/local/bin:/usr/bin:/bin", "PLAIN=plain", "SET=", "TERM=dumb"]
    );
}

#[test]
fn a_command_starts_with_clean_descriptors_signals_and_session() {
    let world = World::new();
    let script = "ls /proc/self/fd | tr '\\n' ' '; grep SigBlk /proc/self/status; \
                  (yes; echo $? >&2) | true; \
                  [ $(ps -o sid= -p $$) = $$ ] && echo leader; cat; readlink /proc/self/fd/0";
    let text = world.run(world.sh(script)).text();
    // `yes` dies of SIGPIPE, so that is not ignored.
    let want = "0 1 2 3 SigBlk:\t0000000000000000\n141\nleader\n/dev/null\n";
    assert_eq!(text, want);
}

#[test]
fn what_the_agent_was_told_to_ignore_reaches_its_commands() {
    for access in ["full", "boxed"] {
        let world = World::new();
        let mark = mark();
        // As a shell starts what it puts into the background, and as `nohup` does.
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", "trap '' HUP INT QUIT TERM TSTP; exec \"$0\" \"$@\""]);
        shell.arg(env!("CARGO_BIN_EXE_codex-process-probe"));
        let _agent = Agent::start_by(shell, &world, access, &[format!("exec sleep {mark}")]);
        let start = Instant::now();
        let status = loop {
            let read = |folder: &std::path::PathBuf| std::fs::read_to_string(folder.join("status"));
            let folders = having(&mark);
            let mut all = folders.iter().filter_map(|folder| read(folder).ok());
            if let Some(status) = all.find(|status| status.starts_with("Name:\tsleep\n")) {
                break status;
            }
            assert!(start.elapsed() < LONG, "the command does not start");
        };
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
        let ignored = u64::from_str_radix(ignored, 16).unwrap();
        for signal in [1, 2, 3, 15, 20] {
            assert_eq!(ignored >> (signal - 1) & 1, 0, "{access}: signal {signal}: {ignored:x}");
        }
    }
}

#[test]
fn input_reaches_the_command_and_ends() {
    let world = World::new();
    let mut spawn = world.command(&["/bin/cat"]);
    spawn.stdin = true;
    let mut running = world.start(spawn);
    assert_eq!(running.next(), Reply::Opened);
    world.processes.stdin(running.id, b"hello\n").unwrap();
    running.until("hello\n");
    let big = vec![b'x'; 300_000];
    world.processes.stdin(running.id, &big).unwrap();
    world.processes.stdin(running.id, b"").unwrap();
    let told = running.finish();
    assert_eq!(told.exit().output_bytes, 300_006);
    assert_eq!(told.exit().code, 0);
}

#[test]
fn input_that_nobody_reads_is_bounded() {
    let world = World::new();
    let mut spawn = world.command(&["/bin/sleep", "62"]);
    spawn.stdin = true;
    let mut running = world.start(spawn);
    assert_eq!(running.next(), Reply::Opened);
    let chunk = vec![b'x'; 1 << 20];
    let refused = (0..40).find_map(|_| world.processes.stdin(running.id, &chunk).err());
    assert_eq!(refused.unwrap().kind, HostErrorKind::TooLarge);
    world.processes.cancel(running.id);
    assert_eq!(running.finish().exit().code, 137);
}

#[test]
fn cancelling_before_the_future_runs_still_kills() {
    let world = World::new();
    let (sender, replies) = async_channel::bounded(8);
    let id = world.id();
    let mark = mark();
    let work = world.processes.spawn(id, world.command(&["/bin/sleep", &mark]), sender);
    world.processes.cancel(id);
    async_io::block_on(work);
    let mut all = Vec::new();
    while let Ok(reply) = replies.try_recv() {
        all.push(reply);
    }
    assert!(
        matches!(&all[..], [Reply::Opened, Reply::Exited(exit)] if exit.code == 137),
        "{all:?}"
    );
    assert_eq!(alive(&mark), 0, "Exited means that everything is dead");
}

#[test]
fn a_kill_reaches_a_child_that_left_session_and_group() {
    let world = World::new();
    let mark = mark();
    let script = format!(
        "(setsid sh -c 'trap \"\" TERM INT HUP; sleep {mark} & sleep {mark}' &) ; echo go; \
         sleep {mark}"
    );
    let mut running = world.start(world.sh(&script));
    running.until("go");
    came(&mark, 3);
    world.processes.cancel(running.id);
    assert_eq!(running.finish().exit().code, 137);
    assert_eq!(alive(&mark), 0);
}

#[test]
fn a_dropped_future_kills_the_command() {
    let world = World::new();
    let (sender, _replies) = async_channel::bounded::<Reply>(8);
    let mark = mark();
    let work = world.processes.spawn(world.id(), world.command(&["/bin/sleep", &mark]), sender);
    let mut work = Box::pin(work);
    async_io::block_on(async {
        let tick = async {
            while alive(&mark) == 0 {
                async_io::Timer::after(Duration::from_millis(1)).await;
            }
        };
        futures_lite::future::or(work.as_mut(), tick).await;
    });
    drop(work);
    gone(&mark);
}

#[test]
fn a_child_left_behind_lives_and_may_print_until_the_session_ends() {
    let world = World::new();
    let mark = mark();
    let script = format!(
        "(until [ -e go ]; do sleep 0.01; done; for i in $(seq 40000); do echo noise; done; \
         echo ok > done; exec sleep {mark}) & echo started"
    );
    let told = world.run(world.sh(&script));
    assert_eq!((told.text().as_str(), told.exit().code), ("started\n", 0));
    std::fs::write(world.path("work/go"), "").unwrap();
    let start = Instant::now();
    while !world.path("work/done").exists() {
        assert!(start.elapsed() < LONG, "the child is stuck or dead");
        std::thread::sleep(Duration::from_millis(2));
    }
    came(&mark, 1);
    world.shutdown();
    assert_eq!(alive(&mark), 0);
}

#[test]
fn shutdown_ends_running_commands_and_removes_the_scratch_directory() {
    let world = World::new();
    std::fs::create_dir_all(world.path("scratch/x")).unwrap();
    let mut running = world.start(world.sh("echo go; sleep 1000"));
    running.until("go");
    world.shutdown();
    assert_eq!(running.finish().exit().code, 137);
    assert!(!world.path("scratch").exists());
    let told = world.run(world.sh("true"));
    assert_eq!(told.error().kind, HostErrorKind::Cancelled);
}

#[test]
fn many_commands_at_once() {
    let world = World::new();
    let all: Vec<_> =
        (0..100).map(|n| world.start(world.sh(&format!("echo {n}; exit {n}")))).collect();
    for (n, running) in all.into_iter().enumerate() {
        let told = running.finish();
        assert_eq!(told.text(), format!("{n}\n"));
        assert_eq!(told.exit().code, i32::try_from(n).unwrap());
    }
}
