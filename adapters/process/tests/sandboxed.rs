//! Commands in the sandbox. What the sandbox keeps out is the matter of `codex-sandbox`; here it is
//! how such commands start, answer and end.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;

use codex_proto::{HostErrorKind, Reply, effect::Signal, effect::Spawn, policy::SandboxPolicy};
use common::{World, alive, came, mark};

fn boxed(world: &World, script: &str) -> Spawn {
    Spawn { sandbox: SandboxPolicy::workspace_write(world.path("work")), ..world.sh(script) }
}

#[test]
fn it_answers_as_any_command_does() {
    let world = World::new();
    let script = "echo one; echo two >&2; echo $CODEX_SANDBOX_NETWORK_DISABLED; echo x > file; \
                  (echo x > ../outside) 2> /dev/null; exit 7";
    let told = world.run(boxed(&world, script));
    assert_eq!(told.text(), "one\ntwo\n1\n");
    assert_eq!(told.exit().code, 7);
    assert_eq!(fs::read_to_string(world.path("work/file")).unwrap(), "x\n");
    assert!(
        !world.path("outside").exists(),
        "writes beside it fail, or stay in the session's /tmp"
    );
    assert_eq!(world.run(boxed(&world, "kill -SEGV $$")).exit().code, 139);
    let names: Vec<_> = fs::read_dir(world.path("work")).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing is left behind in the workspace: {names:?}");
}

#[test]
fn network_access_is_told_by_the_absence_of_the_variable() {
    let world = World::new();
    let mut spawn = boxed(&world, "echo ${CODEX_SANDBOX_NETWORK_DISABLED-on}");
    spawn.sandbox.network = true;
    assert_eq!(world.run(spawn).text(), "on\n");
}

#[test]
fn what_is_missing_is_named() {
    let world = World::new();
    let mut spawn = boxed(&world, "true");
    spawn.cwd = world.path("not-there");
    let error = world.run(spawn).error().clone();
    assert_eq!(error.kind, HostErrorKind::NotFound, "{error}");
    assert!(error.message.contains("not-there does not exist"), "{error}");

    let spawn = Spawn { argv: vec!["no-such-program".into()], ..boxed(&world, "") };
    let error = world.run(spawn).error().clone();
    assert_eq!(error.kind, HostErrorKind::NotFound, "{error}");

    let link = world.path("work/.git");
    std::os::unix::fs::symlink("/tmp", &link).unwrap();
    let error = world.run(boxed(&world, "echo ran > ran")).error().clone();
    assert_eq!(error.kind, HostErrorKind::Sandbox, "{error}");
    assert!(error.message.contains("symbolic link"), "{error}");
    assert!(!world.path("work/ran").exists());
}

#[test]
fn input_signals_and_kill_reach_it() {
    let world = World::new();
    let mut spawn = boxed(
        &world,
        "trap 'echo bye; exit 5' INT; read x; echo got $x; while :; do sleep 0.05; done",
    );
    spawn.stdin = true;
    let mut running = world.start(spawn);
    world.processes.stdin(running.id, b"hello\n").unwrap();
    running.until("got hello\n");
    world.processes.signal(running.id, Signal::Interrupt);
    let told = running.finish();
    assert_eq!((told.text().as_str(), told.exit().code), ("bye\n", 5));

    let mark = mark();
    let script = format!(
        "(setsid sh -c 'trap \"\" TERM INT HUP; sleep {mark} & sleep {mark}' &); echo go; \
         sleep {mark}"
    );
    let mut running = world.start(boxed(&world, &script));
    running.until("go");
    came(&mark, 3);
    world.processes.cancel(running.id);
    assert_eq!(running.finish().exit().code, 137);
    assert_eq!(alive(&mark), 0);
}

#[test]
fn what_it_leaves_behind_dies_with_it() {
    let world = World::new();
    let mark = mark();
    let script = format!("(setsid sleep {mark} &) ; sleep {mark} & echo done");
    let told = world.run(boxed(&world, &script));
    assert_eq!((told.text().as_str(), told.exit().code), ("done\n", 0));
    assert_eq!(alive(&mark), 0);
}

#[test]
fn shutdown_ends_it_and_removes_what_it_wrote_to_private_directories() {
    let world = World::new();
    let mark = mark();
    let script =
        format!("mkdir -p /tmp/codex-1093/a && chmod 0 /tmp/codex-1093/a; echo go; sleep {mark}");
    let mut running = world.start(boxed(&world, &script));
    running.until("go");
    world.shutdown();
    assert_eq!(running.finish().exit().code, 137);
    assert_eq!(alive(&mark), 0);
    assert!(!world.path("scratch").exists());
}

#[test]
fn a_snapshot_works_inside() {
    let world = World::new();
    fs::create_dir_all(world.path("scratch")).unwrap();
    let snapshot = world.path("scratch/snapshot.sh");
    fs::write(&snapshot, "f() { echo from $1; }\nexport V=1\n").unwrap();
    let mut spawn = boxed(&world, "f snapshot; sh -c 'echo $V'");
    spawn.snapshot = Some(snapshot);
    assert_eq!(world.run(spawn).text(), "from snapshot\n1\n");
}

#[test]
fn many_at_once() {
    let world = World::new();
    let all: Vec<_> =
        (0..20).map(|n| world.start(boxed(&world, &format!("echo {n}; exit {n}")))).collect();
    for (n, mut running) in all.into_iter().enumerate() {
        assert_eq!(running.next(), Reply::Opened);
        let told = running.finish();
        assert_eq!(told.text(), format!("{n}\n"));
        assert_eq!(told.exit().code, i32::try_from(n).unwrap());
    }
}
