//! Real processes, driven as a host drives them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "tests; each file uses a part")]

use std::{
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use codex_process::{ProcessConfig, Processes};
use codex_proto::{
    EffectId, EffectKind, HostError, Reply,
    effect::{Exit, Grammar, Spawn},
    policy::{EnvPolicy, SandboxPolicy},
};

pub struct World {
    pub dir: tempfile::TempDir,
    pub processes: Processes,
    next: AtomicU64,
}

/// A command that runs, and what it answers.
pub struct Running {
    pub id: EffectId,
    pub replies: async_channel::Receiver<Reply>,
    grammar: Grammar,
    thread: Option<JoinHandle<()>>,
}

/// Everything a command answered.
#[derive(Debug, Default)]
pub struct Told {
    /// All bytes of `Bytes` and `Tail`.
    pub output: Vec<u8>,
    pub tails: Vec<(u64, Vec<u8>)>,
    pub end: Option<Result<Exit, HostError>>,
}

pub fn config(dir: &Path) -> ProcessConfig {
    ProcessConfig {
        program: env!("CARGO_BIN_EXE_codex-process-probe").into(),
        own_credentials: vec!["MY_PROVIDER".into()],
        parent_env: vec![
            ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()),
            ("HOME".into(), dir.join("home").into()),
            ("OPENAI_API_KEY".into(), "sk-secret".into()),
            ("MY_PROVIDER".into(), "secret".into()),
            ("PLAIN".into(), "plain".into()),
        ],
        set_values: vec![("FIXED".into(), "1".into()), ("SET".into(), "1".into())],
        home: dir.join("home"),
        codex_home: dir.join("home/.codex"),
        scratch: dir.join("scratch"),
        tmpdir: None,
    }
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["home", "work"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let processes = Processes::new(config(dir.path()));
        Self { dir, processes, next: AtomicU64::new(1) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn id(&self) -> EffectId {
        EffectId(NonZeroU64::new(self.next.fetch_add(1, Ordering::Relaxed)).unwrap())
    }

    /// A command without a sandbox, with room for 64 KiB of output.
    pub fn command(&self, argv: &[&str]) -> Spawn {
        Spawn {
            argv: argv.iter().map(ToString::to_string).collect(),
            cwd: self.path("work"),
            env: EnvPolicy::default(),
            env_overlay: Vec::new(),
            sandbox: SandboxPolicy::full_access(),
            snapshot: None,
            stdin: false,
            tty: None,
            spool: self.path("scratch/out/1.txt"),
            spool_after_bytes: 64 << 10,
            head_bytes: 64 << 10,
            tail_bytes: 4 << 10,
            spool_bytes_max: 1 << 30,
        }
    }

    pub fn sh(&self, script: &str) -> Spawn {
        self.command(&["/bin/bash", "-c", script])
    }

    pub fn start(&self, spawn: Spawn) -> Running {
        self.start_with_room(spawn, 16)
    }

    pub fn start_with_room(&self, spawn: Spawn, room: usize) -> Running {
        let id = self.id();
        let grammar = Grammar::of(&EffectKind::Spawn(Box::new(spawn.clone()))).unwrap();
        let (sender, replies) = async_channel::bounded(room);
        let work = self.processes.spawn(id, spawn, sender);
        let thread = std::thread::spawn(move || async_io::block_on(work));
        Running { id, replies, grammar, thread: Some(thread) }
    }

    /// Runs a command to its end.
    pub fn run(&self, spawn: Spawn) -> Told {
        self.start(spawn).finish()
    }

    pub fn shutdown(&self) {
        async_io::block_on(self.processes.shutdown());
    }
}

impl Running {
    /// The next reply, within ten seconds; checked against the grammar.
    pub fn next(&mut self) -> Reply {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match self.replies.try_recv() {
                Ok(reply) => {
                    self.grammar.on(&reply).unwrap();
                    return reply;
                }
                Err(async_channel::TryRecvError::Closed) => panic!("no terminal reply"),
                Err(async_channel::TryRecvError::Empty) => {
                    assert!(Instant::now() < deadline, "no reply in time");
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
        }
    }

    pub fn finish(mut self) -> Told {
        let mut told = Told::default();
        while told.end.is_none() {
            match self.next() {
                Reply::Opened => {}
                Reply::Bytes(bytes) => told.output.extend(bytes),
                Reply::Tail { omitted_bytes, bytes } => {
                    told.output.extend(&bytes);
                    told.tails.push((omitted_bytes, bytes));
                }
                Reply::Exited(exit) => told.end = Some(Ok(exit)),
                Reply::Failed(error) => told.end = Some(Err(error)),
                other => panic!("{other:?}"),
            }
        }
        self.thread.take().unwrap().join().unwrap();
        assert!(self.replies.try_recv().is_err(), "a reply after the terminal one");
        told
    }

    /// Reads until the output contains `text`.
    pub fn until(&mut self, text: &str) -> String {
        let mut output = Vec::new();
        while !String::from_utf8_lossy(&output).contains(text) {
            match self.next() {
                Reply::Opened => {}
                Reply::Bytes(bytes) => output.extend(bytes),
                other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&output)),
            }
        }
        String::from_utf8(output).unwrap()
    }
}

impl Told {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    pub fn exit(&self) -> &Exit {
        self.end.as_ref().unwrap().as_ref().unwrap()
    }

    pub fn error(&self) -> &HostError {
        self.end.as_ref().unwrap().as_ref().unwrap_err()
    }
}

/// Waits until no process has `mark` among its arguments; false when some still has in time.
pub fn gone(mark: &str, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    while alive(mark) > 0 {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

/// How many processes have `mark` among their arguments.
pub fn alive(mark: &str) -> usize {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            line.windows(mark.len()).any(|part| part == mark.as_bytes())
        })
        .count()
}

/// Waits until `mark` shows up in at least `count` processes.
pub fn came(mark: &str, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while alive(mark) < count {
        assert!(Instant::now() < deadline, "{mark} did not start");
        std::thread::sleep(Duration::from_millis(2));
    }
}
