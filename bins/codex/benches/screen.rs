//! What the screen costs, measured from outside through a pty, against a scripted model on loopback.
//!
//! `cargo bench -p codex --bench screen` prints one row per figure, with its target. Arguments:
//! `-- NAME…` measures only rows whose name contains one. CPU and system calls are those of the
//! screen's process and its keeper; memory is the proportional set of both.

#![allow(clippy::unwrap_used, clippy::print_stdout, unsafe_code, reason = "a benchmark")]

#[path = "../../../adapters/tui/benches/answer/mod.rs"]
mod answer;
#[path = "../tests/world/pty.rs"]
mod pty;
#[path = "../tests/world/mod.rs"]
mod world;

use std::{
    fs,
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use self::{pty::Pty, world::World};

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let is_wanted =
        |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str()));
    let rows: [(&str, fn()); 7] = [
        ("start", start),
        ("start with a large home", start_large),
        ("key to frame", key_to_frame),
        ("idle", idle),
        ("waiting for a tool", waiting),
        ("streaming", streaming),
        ("memory", memory),
    ];
    for (name, run) in rows {
        if is_wanted(name) {
            run();
        }
    }
}

fn row(what: &str, figure: &str, target: &str) {
    println!("{what:<58} {figure:<34} target {target}");
}

fn world_of(script: &Value) -> World {
    World::new(&script.to_string())
}

fn plain() -> Value {
    json!({ "default": { "items": ["Hello."] } })
}

fn spread(mut figures: Vec<f64>) -> String {
    figures.sort_by(f64::total_cmp);
    let at = |part: f64| figures[((figures.len() - 1) as f64 * part) as usize];
    format!("{:.1} / {:.1} / {:.1}", at(0.0), at(0.5), at(0.99))
}

/// From exec to the composer on the screen, in milliseconds.
fn starts(world: &World, count: usize) -> Vec<f64> {
    let mut figures = Vec::new();
    for round in 0..=count {
        let began = Instant::now();
        let mut pty = Pty::start(world.command(&[]), 120, 40);
        pty.until_bytes("\u{203a} ");
        let ms = began.elapsed().as_secs_f64() * 1e3;
        // It takes keys: one is echoed.
        pty.send(b"z");
        pty.until_shown("z");
        pty.send(b"\x15\x04");
        pty.wait();
        if round > 0 {
            figures.push(ms);
        }
    }
    figures
}

fn start() {
    let world = world_of(&plain());
    row("start to composer, ms, least / median / p99", &spread(starts(&world, 30)), "<= 25");
}

fn start_large() {
    let world = world_of(&plain());
    let mut bytes = 0_u64;
    let body = "x".repeat(1 << 20);
    for n in 0..1_000_u32 {
        let folder =
            world.home().join(format!("sessions/2026/{:02}/{:02}", 1 + n % 12, 1 + n % 28));
        fs::create_dir_all(&folder).unwrap();
        let id = format!("0190{n:04x}-0000-7000-8000-000000000000");
        let path = folder.join(format!("rollout-2026-01-01T00-00-00-{id}.jsonl"));
        let mut file = fs::File::create(path).unwrap();
        writeln!(
            file,
            "{{\"type\":\"session_meta\",\"payload\":{{\"id\":\"{id}\",\"cwd\":\"/w\"}}}}"
        )
        .unwrap();
        writeln!(file, "{{\"type\":\"response_item\",\"payload\":{{\"text\":\"{body}\"}}}}")
            .unwrap();
        bytes += 1 << 20;
    }
    let mut history = fs::File::create(world.home().join("history.jsonl")).unwrap();
    for n in 0..200_000 {
        writeln!(
            history,
            "{{\"session_id\":\"x\",\"ts\":{n},\"text\":\"prompt {n} {}\"}}",
            &body[..60]
        )
        .unwrap();
    }
    let what = format!("the same, CODEX_HOME of {:.1} GB", bytes as f64 / 1e9);
    row(&what, &spread(starts(&world, 20)), "<= 30");
}

/// A session with many cells in it: a resumed one.
fn long(world: &World, cells: usize) {
    let id = "01900000-0000-7000-8000-000000000000";
    let folder = world.home().join("sessions/2026/01/01");
    fs::create_dir_all(&folder).unwrap();
    let mut file =
        fs::File::create(folder.join(format!("rollout-2026-01-01T00-00-00-{id}.jsonl"))).unwrap();
    let cwd = world.project();
    let mut line = |value: Value| writeln!(file, "{value}").unwrap();
    line(json!({ "timestamp": "2026-01-01T00:00:00.000Z", "type": "session_meta", "payload": {
        "id": id, "timestamp": "2026-01-01T00:00:00.000Z", "cwd": cwd, "originator": "codex-tui",
        "cli_version": "0.0.0", "source": "cli", "model_provider": "local" } }));
    for n in 0..cells / 2 {
        for (role, kind, text) in [
            ("user", "input_text", format!("prompt number {n}")),
            (
                "assistant",
                "output_text",
                format!("An answer with **marks** and `code`, number {n}.\n\n- one\n- two"),
            ),
        ] {
            line(
                json!({ "timestamp": "2026-01-01T00:00:00.000Z", "type": "response_item", "payload": {
                "type": "message", "role": role, "content": [{ "type": kind, "text": text }] } }),
            );
        }
    }
}

fn key_to_frame() {
    let world = world_of(&plain());
    long(&world, 2_000);
    let mut pty = Pty::start(world.command(&["resume", "--last"]), 200, 60);
    pty.until_shown("number 999");
    thread::sleep(Duration::from_millis(500));
    let mut figures = Vec::new();
    for n in 0..300 {
        let before = pty.byte_count();
        let began = Instant::now();
        pty.send(if n % 60 == 59 { b"\x15" } else { b"k" });
        pty.until_more_than(before);
        figures.push(began.elapsed().as_secs_f64() * 1e3);
        thread::sleep(Duration::from_millis(20));
    }
    row(
        "key to flushed frame, 200x60, 2,000 cells, ms, least / median / p99",
        &spread(figures),
        "<= 5",
    );
}

/// Ticks of CPU and count of system calls so far are read from /proc.
struct Costs {
    cpu_ms: f64,
    switches: u64,
}

fn processes(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut index = 0;
    while index < all.len() {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", all[index]));
        let children = children.unwrap_or_default();
        all.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        index += 1;
    }
    all
}

fn costs(pid: u32) -> Costs {
    let (mut cpu_ms, mut switches) = (0.0, 0);
    for pid in processes(pid) {
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let ns: f64 = stat.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
            cpu_ms += ns / 1e6;
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            let voluntary = status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
            switches += voluntary.and_then(|n| n.trim().parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Costs { cpu_ms, switches }
}

/// Bytes written, CPU and wake-ups over a time.
fn watch(pty: &Pty, seconds: u64) -> (usize, usize, f64, u64) {
    let (bytes, frames) = (pty.byte_count(), pty.frame_count());
    let before = costs(pty.child.id());
    thread::sleep(Duration::from_secs(seconds));
    let after = costs(pty.child.id());
    (
        pty.byte_count() - bytes,
        pty.frame_count() - frames,
        after.cpu_ms - before.cpu_ms,
        after.switches - before.switches,
    )
}

fn idle() {
    let world = world_of(&plain());
    let mut pty = Pty::start(world.command(&[]), 120, 40);
    pty.until_shown("\u{203a} ");
    pty.line("hello");
    pty.until_shown("context left");
    // What ends with the turn: idle connections and threads of the pool.
    thread::sleep(Duration::from_secs(8));
    let (bytes, _, cpu_ms, wakes) = watch(&pty, 10);
    let figure = format!("{bytes} bytes, {wakes} wake-ups, {cpu_ms:.2} ms CPU");
    row("idle at the prompt, 10 s", &figure, "0 bytes, <= 10 system calls, 0.00 s");
}

fn waiting() {
    let call =
        json!({ "call": "exec_command", "args": { "cmd": "sleep 25", "yield_time_ms": 30_000 } });
    let world =
        world_of(&json!({ "steps": [{ "items": [call] }], "default": { "items": ["Done."] } }));
    let mut pty = Pty::start(world.command(&["-s", "danger-full-access", "-a", "never"]), 120, 40);
    pty.until_shown("\u{203a} ");
    pty.line("go");
    pty.until_shown("sleep 25");
    thread::sleep(Duration::from_secs(2));
    let (bytes, frames, cpu_ms, _) = watch(&pty, 10);
    let figure = format!(
        "{:.1} redraws/s, {:.2} % CPU, {bytes} bytes",
        frames as f64 / 10.0,
        cpu_ms / 100.0
    );
    row("waiting for a tool, 10 s", &figure, "<= 4 redraws/s, <= 0.5 % CPU");
}

/// Of each frame that shows more than the clock: when it came, in seconds.
fn frames_with_text(pty: &Pty, from: usize, began: Instant) -> Vec<f64> {
    let bytes = pty.written();
    let text = String::from_utf8_lossy(&bytes[from..]);
    let mut offset = from;
    let mut times = Vec::new();
    for frame in text.split_inclusive("\x1b[?2026l") {
        offset += frame.len();
        // Sequences of terminals end with their first letter.
        let shown = frame.split('\x1b').skip(1).map(|piece| {
            let end = piece.find(|char: char| char.is_ascii_alphabetic()).map_or(0, |at| at + 1);
            piece[end..].chars().filter(|char| char.is_alphabetic()).count()
        });
        if shown.sum::<usize>() > 1 {
            times.push(pty.arrived(offset).saturating_duration_since(began).as_secs_f64());
        }
    }
    times
}

fn streaming() {
    const DELTAS: usize = 20_000;
    let text = answer::answer(DELTAS).concat();
    let step = json!({ "items": [{ "message": text }], "deltas": true, "gap_ms": 1 });
    let world = world_of(&json!({ "steps": [step] }));
    let mut pty = Pty::start(world.command(&[]), 120, 40);
    pty.until_shown("\u{203a} ");
    pty.line("stream");
    pty.until_shown("## 1");
    let (began, from) = (Instant::now(), pty.byte_count());
    let before = costs(pty.child.id());
    pty.until_long("context left");
    let seconds = began.elapsed().as_secs_f64();
    let after = costs(pty.child.id());
    let times = frames_with_text(&pty, from, began);
    let pause = times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    // Whole seconds only.
    let mut counts = vec![0_usize; seconds as usize];
    for time in &times {
        if let Some(count) = counts.get_mut(*time as usize) {
            *count += 1;
        }
    }
    let figure = format!(
        "{:.1} % of a core, {:.1} s, {} frames with text, {} kB",
        (after.cpu_ms - before.cpu_ms) / seconds / 10.0,
        seconds,
        times.len(),
        (pty.byte_count() - from) / 1_000,
    );
    row("streaming 20,000 deltas of an answer", &figure, "<= 15 % at 1,000/s");
    let figure = spread(counts.iter().map(|count| *count as f64).collect());
    row("the same, frames with text in a second, least / median / p99", &figure, "30 to 60");
    row(
        "the same, longest pause between two of them",
        &format!("{:.0} ms", pause * 1e3),
        "<= 100 ms",
    );
}

/// Proportional set of the process and all below it, in MiB.
fn pss(pid: u32) -> Vec<(String, f64)> {
    let of = |pid: u32| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or("0");
        let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0.0);
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let name = String::from_utf8_lossy(&line).split('\0').nth(1).unwrap_or("").to_owned();
        (name, kib / 1_024.0)
    };
    processes(pid).into_iter().map(of).collect()
}

fn memory() {
    let world = world_of(&plain());
    let mut pty = Pty::start(world.command(&[]), 120, 40);
    pty.until_shown("\u{203a} ");
    pty.line("hello");
    pty.until_shown("context left");
    thread::sleep(Duration::from_secs(2));
    let told = |parts: &[(String, f64)]| {
        let sum: f64 = parts.iter().map(|(_, mib)| mib).sum();
        let parts: Vec<String> = parts.iter().map(|(_, mib)| format!("{mib:.1}")).collect();
        format!("{sum:.1} ({})", parts.join(" + "))
    };
    row("memory at the prompt, MiB", &told(&pss(pty.child.id())), "<= 15");
    drop(pty);
    long(&world, 10_000);
    let pty = Pty::start(world.command(&["resume", "--last"]), 120, 40);
    pty.until_long("number 4999");
    thread::sleep(Duration::from_secs(2));
    row("memory after 10,000 cells, MiB", &told(&pss(pty.child.id())), "<= 60");
}
