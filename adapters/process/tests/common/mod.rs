//! Real processes, driven as a host drives them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "tests; each file uses a part")]

use std::{
    hash::{BuildHasher as _, RandomState},
    num::NonZeroU64,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
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

/// Bounds a wait that only a failure makes long, however busy the machine is.
pub const LONG: Duration = Duration::from_secs(120);

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
    /// The next reply, checked against the grammar.
    pub fn next(&mut self) -> Reply {
        self.next_within(LONG).expect("no reply in time")
    }

    fn next_within(&mut self, within: Duration) -> Option<Reply> {
        let deadline = Instant::now() + within;
        loop {
            match self.replies.try_recv() {
                Ok(reply) => {
                    self.grammar.on(&reply).unwrap();
                    return Some(reply);
                }
                Err(async_channel::TryRecvError::Closed) => panic!("no terminal reply"),
                Err(async_channel::TryRecvError::Empty) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_micros(200));
                }
                Err(async_channel::TryRecvError::Empty) => return None,
            }
        }
    }

    pub fn finish(self) -> Told {
        self.finish_asked(|| {})
    }

    /// Asks for the end, and again each second: a shell at its prompt may miss a signal that comes
    /// just before it waits.
    pub fn finish_asked(mut self, ask: impl Fn()) -> Told {
        let mut told = Told::default();
        let mut deadline = Instant::now() + LONG;
        while told.end.is_none() {
            ask();
            let Some(reply) = self.next_within(Duration::from_secs(1)) else {
                assert!(Instant::now() < deadline, "no reply in time");
                continue;
            };
            deadline = Instant::now() + LONG;
            match reply {
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

/// An agent that a failing test takes along, and that holds none of the test's pipes.
pub struct Agent(Child);

impl Agent {
    /// Starts one that runs a script per command, with full access or in the sandbox.
    pub fn start(world: &World, access: &str, scripts: &[String]) -> Self {
        Self::start_by(
            Command::new(env!("CARGO_BIN_EXE_codex-process-probe")),
            world,
            access,
            scripts,
        )
    }

    /// The same by a command whose last arguments are the agent's.
    pub fn start_by(mut by: Command, world: &World, access: &str, scripts: &[String]) -> Self {
        std::fs::create_dir_all(world.path("scratch/x")).unwrap();
        by.arg(world.dir.path()).arg(access).args(scripts);
        by.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(by.spawn().unwrap())
    }
}

impl std::ops::Deref for Agent {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl std::ops::DerefMut for Agent {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How long a command sleeps that waits to be killed: a number of seconds that no other process of
/// the machine has among its arguments, so that its owner can be counted.
pub fn mark() -> String {
    format!("1000.{:020}", RandomState::new().hash_one(0))
}

/// Waits until no more than `count` processes have `mark` among their arguments.
pub fn fell(mark: &str, count: usize) {
    let deadline = Instant::now() + LONG;
    while alive(mark) > count {
        assert!(Instant::now() < deadline, "{} processes with {mark} are left", alive(mark));
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until no process has `mark` among its arguments.
pub fn gone(mark: &str) {
    fell(mark, 0);
}

/// How many processes have `mark` among their arguments.
pub fn alive(mark: &str) -> usize {
    having(mark).len()
}

/// The folders in `/proc` of the processes that have `mark` among their arguments.
pub fn having(mark: &str) -> Vec<PathBuf> {
    let folders = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let has = |folder: &PathBuf| {
        let line = std::fs::read(folder.join("cmdline")).unwrap_or_default();
        line.windows(mark.len()).any(|part| part == mark.as_bytes())
    };
    folders.filter(has).collect()
}

/// Waits until `mark` shows up in at least `count` processes.
pub fn came(mark: &str, count: usize) {
    let deadline = Instant::now() + LONG;
    while alive(mark) < count {
        assert!(Instant::now() < deadline, "{mark} did not start");
        std::thread::sleep(Duration::from_millis(2));
    }
}
