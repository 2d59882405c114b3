//! Head, tail and spool of real output, and what a slow reader does to it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use codex_proto::{Reply, effect::Signal};
use common::World;

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn half_a_gigabyte_is_exact_and_takes_no_memory() {
    const BYTES: u64 = 500 << 20;
    let world = World::new();
    let mut spawn = world.sh(&format!("yes 0123456 | head -c {BYTES}; printf END"));
    spawn.spool_bytes_max = 3 << 20;
    let before = resident();
    let told = world.run(spawn);
    assert!(resident() - before < 16 << 20, "{} MB more", (resident() - before) >> 20);

    let exit = told.exit();
    assert_eq!((exit.code, exit.output_bytes), (0, BYTES + 3));
    assert_eq!(exit.spool_cut_bytes, BYTES + 3 - (3 << 20));
    let [(omitted, tail)] = &told.tails[..] else { panic!("{} tails", told.tails.len()) };
    let (head, all) = (64 << 10, BYTES + 3);
    assert_eq!(tail.len(), 4 << 10);
    assert_eq!(*omitted, all - head - tail.len() as u64);
    assert!(tail.ends_with(b"0123456\nEND"));
    let (head_bytes, _) = told.output.split_at(head as usize);
    assert_eq!(head_bytes, b"0123456\n".repeat(8 << 10));

    let spool = exit.spool.as_ref().unwrap();
    let file = fs::read(spool).unwrap();
    assert_eq!(file.len(), 3 << 20);
    assert!(file == b"0123456\n".repeat(3 << 17));
    assert_eq!(fs::metadata(spool).unwrap().permissions().mode() & 0o777, 0o600);
    let folder = fs::metadata(spool.parent().unwrap()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
}

#[test]
fn the_spool_holds_everything_from_the_first_byte() {
    let world = World::new();
    let mut spawn = world.sh("for i in 1 2 3 4 5 6 7 8 9; do echo line $i; sleep 0.01; done");
    (spawn.head_bytes, spawn.tail_bytes, spawn.spool_after_bytes) = (20, 5, 10);
    let path = spawn.spool.clone();
    let told = world.run(spawn);
    let all: String = (1..10).map(|i| format!("line {i}\n")).collect();
    assert_eq!(fs::read_to_string(path).unwrap(), all);
    assert_eq!(told.tails, [(63 - 25, b"ne 9\n".to_vec())]);
    assert_eq!(told.text(), format!("{}ne 9\n", &all[..20]));
}

#[test]
fn a_flush_tells_what_was_held_back_and_opens_a_fresh_head() {
    let world = World::new();
    let script = "echo 123456789; read x; printf abc; read x; echo xyz";
    let mut spawn = world.sh(script);
    (spawn.head_bytes, spawn.tail_bytes, spawn.spool_after_bytes) = (4, 3, 4);
    spawn.stdin = true;
    let mut running = world.start(spawn);
    assert_eq!(running.until("1234"), "1234");
    world.processes.flush(running.id);
    assert_eq!(running.next(), Reply::Tail { omitted_bytes: 3, bytes: b"89\n".to_vec() });
    world.processes.flush(running.id);
    assert_eq!(running.next(), Reply::Tail { omitted_bytes: 0, bytes: Vec::new() });
    world.processes.stdin(running.id, b"\n").unwrap();
    assert_eq!(running.until("abc"), "abc");
    world.processes.stdin(running.id, b"\n").unwrap();
    let told = running.finish();
    assert_eq!(told.text(), "xyz\n");
    assert_eq!(told.tails, [(0, b"yz\n".to_vec())]);
    assert_eq!(told.exit().output_bytes, 17);
}

#[test]
fn a_slow_reader_stops_the_command_and_a_kill_still_works() {
    let world = World::new();
    let mut spawn =
        world.sh("i=0; while :; do echo $((i++)) > count; head -c 65536 /dev/zero; done");
    spawn.head_bytes = 1 << 30;
    spawn.spool_after_bytes = 1 << 30;
    let running = world.start_with_room(spawn, 1);
    let count = || fs::read_to_string(world.path("work/count")).unwrap_or_default();
    let mut last = String::new();
    let start = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(150));
        let seen = count();
        if !seen.is_empty() && seen == last {
            break;
        }
        last = seen;
        assert!(start.elapsed() < common::LONG, "the command never stops");
    }
    assert!(last.trim().parse::<u32>().unwrap() < 8, "{last} chunks without a reader");
    world.processes.signal(running.id, Signal::Kill);
    let told = running.finish();
    assert_eq!(told.exit().code, 137);
    assert!(told.exit().output_bytes >= told.output.len() as u64);
}

#[test]
fn a_command_whose_reader_is_gone_is_killed() {
    let world = World::new();
    let mark = common::mark();
    let script =
        format!("until [ -e go ]; do sleep 0.01; done; while echo x; do :; done; sleep {mark}");
    let running = world.start(world.sh(&script));
    common::came(&mark, 1);
    running.replies.close();
    fs::write(world.path("work/go"), "").unwrap();
    common::gone(&mark);
}

#[test]
fn an_output_that_a_child_holds_open_ends_after_a_moment() {
    let world = World::new();
    // Much longer than the test waits.
    let told = world.run(world.sh("sleep 1000 & head -c 300000 /dev/zero; echo end"));
    assert_eq!(told.exit().output_bytes, 300_004);
}
