//! The face of this crate: one value that starts commands and knows those that run.

use std::{
    collections::HashMap,
    ffi::OsString,
    future::Future,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_channel::Sender;
use async_io::Async;
use codex_proto::{
    EffectId, HostError, Reply,
    effect::{ShellSnapshot, Signal, Spawn, TtySize},
    policy::{EnvPolicy, SandboxPolicy},
};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::{
    command::{Asks, Ends, Explain, Limits, Sink, attend},
    env::{self, Env},
    explain::{explain_link, explain_start},
    link::{Link, LinkError},
    shell::wrap_with_snapshot,
    terminal,
    wire::{Boxed, Places, Request},
};

/// What [`Processes`] needs to know about this machine and this session.
#[derive(Clone, Debug)]
pub struct ProcessConfig {
    /// The program that plays the spawner when its first argument is
    /// [`SPAWNER_ARG`](crate::SPAWNER_ARG): normally our own executable.
    pub program: PathBuf,
    /// Names of further variables that hold credentials of ours (a provider's `env_key`); never
    /// passed on.
    pub own_credentials: Vec<String>,
    /// The environment that commands inherit from, through their [`EnvPolicy`].
    pub parent_env: Vec<(OsString, OsString)>,
    /// The values of the variables that an [`EnvPolicy`] sets, by name.
    pub set_values: Vec<(OsString, OsString)>,
    /// The user's home directory.
    pub home: PathBuf,
    /// `CODEX_HOME`.
    pub codex_home: PathBuf,
    /// A directory of this session alone. It is removed in the end, also when the agent is killed.
    pub scratch: PathBuf,
    /// `TMPDIR`, when it is set.
    pub tmpdir: Option<PathBuf>,
}

/// Starts commands, passes on what is asked of them, and ends them all.
///
/// Dropping the last clone ends the spawner and with it every command; [`Processes::shutdown`]
/// does the same and waits for it.
#[derive(Clone, Debug)]
pub struct Processes {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: ProcessConfig,
    pub(crate) link: Link,
    running: Mutex<HashMap<EffectId, Arc<Asks>>>,
    /// Snapshots to remove in the end.
    snapshots: Mutex<Vec<PathBuf>>,
}

/// A command to start, its environment complete.
pub(crate) struct Start {
    pub(crate) argv: Vec<OsString>,
    pub(crate) env: Env,
    pub(crate) cwd: PathBuf,
    pub(crate) sandbox: SandboxPolicy,
    pub(crate) stdin: bool,
    pub(crate) tty: Option<TtySize>,
    pub(crate) limits: Limits,
}

impl Processes {
    /// Starts nothing.
    #[must_use]
    pub fn new(config: ProcessConfig) -> Self {
        let link = Link::new(config.program.clone(), config.scratch.clone(), &config.parent_env);
        Self {
            inner: Arc::new(Inner {
                config,
                link,
                running: Mutex::default(),
                snapshots: Mutex::default(),
            }),
        }
    }

    /// Starts the spawner, so that the first command need not wait for it (some milliseconds).
    /// Does nothing when it runs.
    ///
    /// # Errors
    /// `HostErrorKind::Spawn` when it cannot be started.
    pub fn prewarm(&self) -> Result<(), HostError> {
        self.inner.link.start().map_err(|error| explain_link(&error, self.inner.link.program()))
    }

    /// Starts a command. From this call on, asks that name `id` reach it; the returned future does
    /// the work and ends with the terminal reply. Dropping it kills the command.
    ///
    /// Replies follow the grammar of `Spawn`. When the channel is full nothing more is read, so
    /// the command stops at a full pipe. When the channel is closed the command is killed.
    pub fn spawn(
        &self,
        id: EffectId,
        spawn: Spawn,
        replies: Sender<Reply>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let entry = Entry::register(&self.inner, id);
        async move {
            let start = entry.inner.start_of(spawn);
            entry.inner.run(start, &entry.asks, &replies).await;
        }
    }

    /// Takes a snapshot of the user's login shell; see the module `snapshot`. Replies `Closed`, or
    /// `Failed` when the shell is none we know, its profile fails or takes too long. The file is
    /// removed by [`Processes::shutdown`].
    pub fn snapshot(
        &self,
        id: EffectId,
        snapshot: ShellSnapshot,
        replies: Sender<Reply>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let entry = Entry::register(&self.inner, id);
        async move {
            let reply = entry.inner.snapshot(snapshot, &entry.asks).await;
            let _ = Sender::send(&replies, reply).await;
        }
    }

    /// Signals a running command; nothing happens when it has ended.
    pub fn signal(&self, id: EffectId, signal: Signal) {
        if let Some(asks) = self.inner.asks(id) {
            asks.signal(signal);
        }
    }

    /// Kills everything a command started; its terminal reply still comes.
    pub fn cancel(&self, id: EffectId) {
        self.signal(id, Signal::Kill);
    }

    /// Asks for the end of a command's output so far: one `Tail`.
    pub fn flush(&self, id: EffectId) {
        if let Some(asks) = self.inner.asks(id) {
            asks.flush();
        }
    }

    /// Tells a command's terminal its size; nothing happens when it has ended or has none.
    pub fn resize(&self, id: EffectId, size: TtySize) {
        if let Some(asks) = self.inner.asks(id) {
            asks.resize(size);
        }
    }

    /// Writes to a command's standard input; no bytes at all close it. Nothing happens when the
    /// command has ended or has no pipe for its input.
    ///
    /// # Errors
    /// `HostErrorKind::TooLarge` when the command does not read and 8 MiB wait already.
    pub fn stdin(&self, id: EffectId, bytes: &[u8]) -> Result<(), HostError> {
        self.inner.asks(id).map_or(Ok(()), |asks| asks.stdin(bytes))
    }

    /// Kills everything, waits at most two seconds for it, and removes the scratch directory.
    /// Commands that run get their terminal reply as long as their futures are polled. Nothing can
    /// be started any more.
    pub async fn shutdown(&self) {
        let running: Vec<Arc<Asks>> = self.inner.running().values().cloned().collect();
        for asks in running {
            asks.signal(Signal::Kill);
        }
        self.inner.link.close().await;
        // The spawner has removed it; there may have been none.
        let scratch = self.inner.config.scratch.clone();
        let snapshots = std::mem::take(&mut *self.inner.snapshots());
        blocking::unblock(move || {
            let _ = std::fs::remove_dir_all(scratch);
            snapshots.iter().for_each(|path| drop(std::fs::remove_file(path)));
        })
        .await;
    }
}

/// A command in the list of those that run, for as long as its future lives.
struct Entry {
    id: EffectId,
    asks: Arc<Asks>,
    inner: Arc<Inner>,
}

impl Entry {
    fn register(inner: &Arc<Inner>, id: EffectId) -> Self {
        let asks = Arc::new(Asks::default());
        inner.running().insert(id, Arc::clone(&asks));
        Self { id, asks, inner: Arc::clone(inner) }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.inner.running().remove(&self.id);
    }
}

impl Inner {
    fn running(&self) -> MutexGuard<'_, HashMap<EffectId, Arc<Asks>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshots(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a snapshot removed in the end.
    pub(crate) fn remember(&self, snapshot: PathBuf) {
        let mut snapshots = self.snapshots();
        if !snapshots.contains(&snapshot) {
            snapshots.push(snapshot);
        }
    }

    fn asks(&self, id: EffectId) -> Option<Arc<Asks>> {
        self.running().get(&id).cloned()
    }

    /// The environment that a policy gives to a command or a login shell.
    pub(crate) fn env(&self, policy: &EnvPolicy) -> Env {
        let config = &self.config;
        env::inherited(&config.parent_env, policy, &config.set_values, &config.own_credentials)
    }

    fn start_of(&self, spawn: Spawn) -> Start {
        let mut env = self.env(&spawn.env);
        for (name, value) in &spawn.env_overlay {
            env::set(&mut env, name.as_ref(), value.as_ref());
        }
        if !spawn.sandbox.is_full_access() && !spawn.sandbox.network {
            env::set(&mut env, env::NETWORK_DISABLED.as_ref(), "1".as_ref());
        }
        let argv: Vec<OsString> = spawn.argv.into_iter().map(Into::into).collect();
        let argv = match spawn.snapshot.filter(|snapshot| snapshot.exists()) {
            Some(snapshot) => wrap_with_snapshot(&argv, &snapshot),
            None => argv,
        };
        let limits = Limits {
            head_bytes: spawn.head_bytes,
            tail_bytes: spawn.tail_bytes,
            spool: spawn.spool,
            spool_after_bytes: spawn.spool_after_bytes.min(spawn.head_bytes),
            spool_bytes_max: spawn.spool_bytes_max,
        };
        let Spawn { cwd, sandbox, stdin, tty, .. } =
            Spawn { argv: Vec::new(), snapshot: None, spool: PathBuf::new(), ..spawn };
        Start { argv, env, cwd, sandbox, stdin, tty, limits }
    }

    /// Starts a command and looks after it to its terminal reply.
    pub(crate) async fn run(&self, start: Start, asks: &Asks, sink: &(dyn Sink + Send + Sync)) {
        let Start { argv, env, cwd, sandbox, stdin, tty, limits } = start;
        let program = argv.first().cloned().unwrap_or_default();
        let boxed =
            (!sandbox.is_full_access()).then(|| Boxed { policy: sandbox, places: self.places() });
        let request = Request { argv, env, cwd: cwd.clone(), boxed };
        let ends = match self.request(&request, stdin, tty).await {
            Ok(ends) => ends,
            Err(error) => {
                let error = explain_link(&error, self.link.program());
                sink.send(Reply::Failed(error)).await;
                return;
            }
        };
        drop(request);
        let explain: Box<Explain> =
            Box::new(move |stage, errno, text| explain_start(&program, &cwd, stage, errno, text));
        attend(ends, limits, asks, &*explain, sink).await;
    }

    async fn request(
        &self,
        request: &Request,
        stdin: bool,
        tty: Option<TtySize>,
    ) -> Result<Ends, LinkError> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|e| LinkError::Send(e.into()));
        let ready = |fd| Async::new(fd).map_err(LinkError::Send);
        if let Some(size) = tty {
            let (ours, theirs) = terminal::open_pair(size).map_err(LinkError::Send)?;
            let ours_too = ours.try_clone().map_err(LinkError::Send)?;
            let theirs = std::os::fd::AsFd::as_fd(&theirs);
            let control = self.link.request(request, theirs, Some(theirs)).await?;
            let (output, stdin) = (ready(ours)?, Some(ready(ours_too)?));
            return Ok(Ends { control, output, stdin, is_terminal: true });
        }
        let (output, output_end) = pipe()?;
        let (stdin_end, stdin) =
            if stdin { pipe().map(|(r, w)| (Some(r), Some(w)))? } else { (None, None) };
        let lent = stdin_end.as_ref().map(std::os::fd::AsFd::as_fd);
        let control =
            self.link.request(request, std::os::fd::AsFd::as_fd(&output_end), lent).await?;
        let stdin = stdin.map(ready).transpose()?;
        Ok(Ends { control, output: ready(output)?, stdin, is_terminal: false })
    }

    fn places(&self) -> Places {
        let ProcessConfig { home, codex_home, scratch, tmpdir, .. } = self.config.clone();
        Places { home, codex_home, scratch, tmpdir }
    }
}
