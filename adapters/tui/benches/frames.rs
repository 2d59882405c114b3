//! What the screen costs: from a key to the bytes of its frame with a long transcript, and streaming.
//!
//! `cargo bench -p codex-tui`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]

mod answer;

use std::time::{Duration, Instant};

use codex_proto::{
    Event, Mono, Now, OpId, ThreadId, Wall,
    event::{ThreadReady, Usage},
    item::{CommandItem, ItemBody, ItemStatus, TurnItem},
    policy::{ApprovalPolicy, SandboxPolicy},
};
use codex_tui::{
    AppState, Msg, ScreenEffect, Setup,
    frame::{Pacer, Writer},
    key::{Key, Paste},
    setup::Mode,
};

const COLUMNS: u16 = 200;
const ROWS: u16 = 60;
const CELLS: u32 = 2_000;
const KEYS: usize = 2_000;
const DELTAS: usize = 20_000;
const PASTES: usize = 20;

fn thread() -> ThreadId {
    "0199a3b0-0000-7000-8000-000000000001".parse().unwrap()
}

struct Bench {
    app: AppState,
    writer: Writer,
    now: Now,
    bytes: usize,
    frames: usize,
}

impl Bench {
    fn new(mode: Mode) -> Self {
        let setup = Setup { mode, ..Setup::sample() };
        let mut writer = Writer::new(&setup);
        writer.resize(COLUMNS, ROWS);
        let (app, _) = AppState::new(setup);
        let now = Now { mono: Mono(0), wall: Wall(0) };
        let mut bench = Self { app, writer, now, bytes: 0, frames: 0 };
        bench.msg(Msg::Resize { width: COLUMNS, height: ROWS });
        bench.msg(Msg::Event(Event::ThreadReady(Box::new(ThreadReady {
            thread: thread(),
            op: OpId(1),
            resumed: false,
            forked_from: None,
            model: "model".into(),
            provider: "local".into(),
            cwd: "/w".into(),
            approval: ApprovalPolicy::OnRequest,
            sandbox: SandboxPolicy::workspace_write("/w".into()),
            reasoning_effort: None,
            reasoning_summary: None,
            rollout: None,
            usage: Usage::default(),
        }))));
        bench
    }

    fn msg(&mut self, msg: Msg) {
        for effect in self.app.update(self.now, msg) {
            if let ScreenEffect::Print(lines) = effect {
                self.writer.print(lines);
            }
        }
    }

    fn frame(&mut self) {
        let bytes = self.writer.frame(&mut self.app);
        self.bytes += bytes.len();
        self.frames += usize::from(!bytes.is_empty());
    }

    fn fill(&mut self) {
        for id in 0..CELLS {
            let body = if id % 3 == 0 {
                ItemBody::Command(CommandItem {
                    call_id: "c".into(),
                    command: "cargo test --workspace".into(),
                    cwd: "/w".into(),
                    output: "line of output\n".repeat(40),
                    exit_code: Some(0),
                    status: ItemStatus::Completed,
                    duration_ms: 1_200,
                    by_user: false,
                })
            } else {
                let text = "# Title\n\nSome **words** about `code`.\n\n- one\n- two\n\n\
                            ```rust\nfn main() { println!(\"x\"); }\n```\n";
                ItemBody::AgentMessage { text: text.into() }
            };
            self.msg(Msg::Event(Event::ItemCompleted {
                thread: thread(),
                item: TurnItem { id, body },
            }));
        }
        self.frame();
    }
}

fn keys(mode: Mode, name: &str) {
    let mut bench = Bench::new(mode);
    bench.fill();
    let mut times = Vec::with_capacity(KEYS);
    for index in 0..KEYS {
        bench.now.mono = bench.now.mono.after_ms(50);
        let key = if index % 40 == 39 { "ctrl-u".parse().unwrap() } else { Key::char('a') };
        let start = Instant::now();
        bench.msg(Msg::Key(key));
        bench.frame();
        times.push(start.elapsed());
    }
    report(&format!("{name}: key to the bytes of its frame, {CELLS} cells"), &mut times);
    if mode == Mode::FullScreen {
        let mut times = Vec::with_capacity(KEYS);
        for index in 0..KEYS {
            let key = if index % 200 < 100 { "pageup" } else { "pagedown" };
            let start = Instant::now();
            bench.msg(Msg::Key(key.parse().unwrap()));
            bench.frame();
            times.push(start.elapsed());
        }
        report(&format!("{name}: page to the bytes of its frame"), &mut times);
    }
}

fn report(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |permille: usize| times[(times.len() - 1) * permille / 1_000];
    println!("{name}: median {:.1?}, p99 {:.1?}, most {:.1?}", at(500), at(990), at(1_000));
}

/// A paste until it is in a frame, and Enter until it is on its way.
fn paste(megabytes: usize) {
    let text = "some words of a log\n".repeat((megabytes << 20) / 20);
    let (mut pasted, mut sent) = (Vec::new(), Vec::new());
    for _ in 0..PASTES {
        let mut bench = Bench::new(Mode::Inline);
        bench.frame();
        let paste = Paste(text.clone());
        let start = Instant::now();
        bench.msg(Msg::Paste(paste));
        bench.frame();
        pasted.push(start.elapsed());
        let start = Instant::now();
        bench.msg(Msg::Key("enter".parse().unwrap()));
        bench.frame();
        sent.push(start.elapsed());
    }
    report(&format!("paste of {megabytes} MB to its frame"), &mut pasted);
    report(&format!("Enter with {megabytes} MB to its frame"), &mut sent);
}

/// Deltas at 1,000 a second, frames as the pacer lets them.
fn stream(mode: Mode, name: &str, what: &str, deltas: &[String]) {
    let mut bench = Bench::new(mode);
    bench.frame();
    (bench.frames, bench.bytes) = (0, 0);
    let mut pacer = Pacer::default();
    let body = ItemBody::AgentMessage { text: String::new() };
    bench.msg(Msg::Event(Event::ItemStarted { thread: thread(), item: TurnItem { id: 0, body } }));
    let mut times = Vec::new();
    let start = Instant::now();
    for (index, delta) in (0..).zip(deltas) {
        bench.now.mono = Mono(index * 1_000);
        let delta = delta.as_str().into();
        bench.msg(Msg::Event(Event::ItemDelta { thread: thread(), item: 0, delta }));
        pacer.want();
        if pacer.draw(bench.now.mono) {
            let start = Instant::now();
            bench.frame();
            times.push(start.elapsed());
        }
    }
    let took = start.elapsed();
    let share = took.as_secs_f64() / (deltas.len() as f64 / 1_000.0) * 100.0;
    let (frames, bytes) = (bench.frames, bench.bytes / bench.frames.max(1));
    let what = format!("{name}: {what}, {} deltas at 1,000 a second", deltas.len());
    println!("{what}: {share:.2} % of a core, {frames} frames, {bytes} bytes a frame");
    report("    a frame", &mut times);
}

fn main() {
    println!("{COLUMNS}x{ROWS}");
    keys(Mode::Inline, "inline");
    keys(Mode::FullScreen, "full screen");
    paste(1);
    paste(10);
    for (mode, name) in [(Mode::Inline, "inline"), (Mode::FullScreen, "full screen")] {
        stream(mode, name, "an answer", &answer::answer(DELTAS));
        for (what, deltas) in answer::kinds() {
            stream(mode, name, what, &deltas);
        }
    }
}
