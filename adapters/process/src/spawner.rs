//! The spawner: our own program again, started once, with one thread and little memory.
//!
//! It forks commands, because forking the agent with its threads and its memory would be slow and
//! fragile. It is the subreaper above everything that commands start, and it outlives the agent
//! for as long as it takes to kill all of it: the end of its request socket is how it learns that
//! the agent is gone, also after SIGKILL.
//!
//! One command, as the spawner sees it:
//!
//! ```text
//! Receiving --- request complete, full access --> supervised: forked off, see `supervisor`
//! Receiving --- request complete, sandboxed ----> Boxed --- its first process ends --> told, done
//! Receiving --- control socket closed ----------> done
//! Boxed     --- kill, or control socket closed -> killed, still Boxed until it is reaped
//! ```

use std::{
    collections::HashSet,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    process::{Pid, Signal, WaitStatus, getpid, set_child_subreaper, setsid},
};

use crate::{
    boxed::{BoxedChild, Sandboxes},
    exec::open_null,
    supervisor::{Job, supervise},
    sys::{self, Forked},
    tree::{self, exit_code},
    wire::{Ask, REQUEST_BYTES_MAX, Request, Stage, Told, receive_fds, tell},
};

/// The first argument that makes a program of ours a spawner.
pub const SPAWNER_ARG: &str = "--codex-run-as-spawner";

/// Longest time that supervisors get for killing their trees when the agent is gone.
const SUPERVISORS_TIME_MAX: Duration = Duration::from_millis(1_700);

/// Longest time for what is left after that.
const SWEEP_TIME_MAX: Duration = Duration::from_millis(250);

/// Bytes read from a control socket at once.
const READ_BYTES: usize = 64 << 10;

/// Becomes the spawner when the arguments say so; returns at once otherwise.
///
/// To be called first thing in `main` by each program that starts commands, before it has a second
/// thread. The arguments are [`SPAWNER_ARG`] and the directory to remove in the end; standard
/// input is the request socket.
pub fn run_spawner_if_asked() {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|arg| arg.as_bytes() == SPAWNER_ARG.as_bytes()) {
        spawner_main(args.next().map(PathBuf::from).as_deref());
    }
}

/// Serves requests from the socket that is standard input until it closes; then kills everything,
/// removes `scratch` and exits.
pub fn spawner_main(scratch: Option<&Path>) -> ! {
    let code = match Spawner::new() {
        Ok(mut spawner) => {
            let served = spawner.serve();
            spawner.end();
            // The sandboxes remove what commands wrote to their private directories.
            drop(spawner);
            i32::from(served.is_err())
        }
        Err(_) => 1,
    };
    if let Some(scratch) = scratch {
        let _ = std::fs::remove_dir_all(scratch);
    }
    sys::exit_now(code)
}

struct Spawner {
    requests: OwnedFd,
    signals: OwnedFd,
    null: OwnedFd,
    /// Supervisors watch one end; nobody but this process holds the other.
    death: OwnedFd,
    death_held: Option<OwnedFd>,
    supervisors: HashSet<Pid>,
    commands: Vec<Command>,
    sandboxes: Sandboxes,
}

struct Command {
    control: Option<OwnedFd>,
    state: State,
}

enum State {
    Receiving { bytes: Vec<u8>, stdin: Option<OwnedFd>, output: OwnedFd },
    Boxed(BoxedChild),
    Done,
}

impl Spawner {
    fn new() -> io::Result<Self> {
        sys::set_name(c"codex-spawner");
        // Out of reach of the terminal's Ctrl-C and of a kill of the agent's process group.
        let _ = setsid();
        set_child_subreaper(Some(getpid()))?;
        let requests = io::stdin().as_fd().try_clone_to_owned()?;
        let null = open_null()?;
        for target in 0..=2 {
            sys::install_fd(null.as_fd(), target)?;
        }
        let (death, death_held) = pipe_with(PipeFlags::CLOEXEC)?;
        Ok(Self {
            requests,
            signals: sys::child_signals()?,
            null,
            death,
            death_held: Some(death_held),
            supervisors: HashSet::new(),
            commands: Vec::new(),
            sandboxes: Sandboxes::default(),
        })
    }

    /// Returns when the agent is gone.
    fn serve(&mut self) -> io::Result<()> {
        loop {
            let mut fds = vec![
                PollFd::new(&self.requests, PollFlags::IN),
                PollFd::new(&self.signals, PollFlags::IN),
            ];
            let watched: Vec<usize> = (0..self.commands.len())
                .filter(|index| self.commands[*index].control.is_some())
                .collect();
            fds.extend(watched.iter().filter_map(|index| {
                Some(PollFd::new(self.commands[*index].control.as_ref()?, PollFlags::IN))
            }));
            match poll(&mut fds, None::<&Timespec>) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            drop(fds);
            for (index, _) in watched.into_iter().zip(&ready[2..]).filter(|(_, ready)| **ready) {
                self.on_control(index);
            }
            if ready[1] {
                self.reap();
            }
            if ready[0] && !self.accept()? {
                return Ok(());
            }
            self.commands.retain(|command| !matches!(command.state, State::Done));
        }
    }

    /// Takes in new commands. Returns false when the agent is gone.
    fn accept(&mut self) -> io::Result<bool> {
        loop {
            let mut byte = [0];
            let (count, fds) = match receive_fds(self.requests.as_fd(), &mut byte) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if count == 0 {
                return Ok(false);
            }
            let mut fds = fds.into_iter();
            if let (Some(control), Some(output)) = (fds.next(), fds.next()) {
                let state = State::Receiving { bytes: Vec::new(), stdin: fds.next(), output };
                self.commands.push(Command { control: Some(control), state });
                // Its request is usually there already.
                self.on_control(self.commands.len() - 1);
            }
        }
    }

    fn on_control(&mut self, index: usize) {
        let command = &mut self.commands[index];
        let Some(control) = &command.control else { return };
        let mut buffer = [0; READ_BYTES];
        // A request is read byte-exactly, so that asks sent behind it reach the supervisor.
        let wanted = match &command.state {
            State::Receiving { bytes, .. } => missing(bytes).min(READ_BYTES),
            State::Boxed(_) | State::Done => READ_BYTES,
        };
        let count = match receive_fds(control.as_fd(), &mut buffer[..wanted]) {
            Ok((count, _)) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            Err(_) => 0,
        };
        match &mut command.state {
            State::Receiving { .. } if count == 0 => command.state = State::Done,
            State::Receiving { bytes, .. } => {
                bytes.extend_from_slice(&buffer[..count]);
                if missing(bytes) == 0 {
                    self.start(index);
                } else {
                    self.on_control(index);
                }
            }
            State::Boxed(child) => {
                if count == 0 {
                    command.control = None;
                    child.kill();
                }
                buffer[..count].iter().filter_map(|byte| Ask::of(*byte)).for_each(
                    |ask| match ask {
                        Ask::Detach => {}
                        Ask::HangUp => child.signal(Signal::HUP),
                        Ask::Interrupt => child.signal(Signal::INT),
                        Ask::Kill => child.kill(),
                        Ask::Terminate => child.signal(Signal::TERM),
                    },
                );
            }
            State::Done => {}
        }
    }

    fn start(&mut self, index: usize) {
        let command = &mut self.commands[index];
        let State::Receiving { bytes, stdin, output } =
            std::mem::replace(&mut command.state, State::Done)
        else {
            return;
        };
        let Some(control) = command.control.take() else { return };
        let request = bytes.get(4..).and_then(Request::decode);
        let Some(request) = request.filter(|_| bytes.len() <= REQUEST_BYTES_MAX) else {
            let text = "the request is malformed".into();
            tell(&control, &Told::Failed { stage: Stage::Process, errno: 0, text });
            return;
        };
        if let Some(boxed) = &request.boxed {
            let stdin = stdin.as_ref().unwrap_or(&self.null);
            match self.sandboxes.spawn(boxed, &request, stdin.as_fd(), output.as_fd()) {
                Ok(child) => {
                    tell(&control, &Told::Started);
                    self.commands[index] =
                        Command { control: Some(control), state: State::Boxed(child) };
                }
                Err(told) => tell(&control, &told),
            }
            return;
        }
        let result = stdin.map_or_else(|| self.null.try_clone(), Ok).and_then(|stdin| {
            let death = self.death.try_clone()?;
            let job = Job { request, control: control.try_clone()?, stdin, output };
            match sys::fork()? {
                Forked::Child => supervise(job, death),
                Forked::Parent(pid) => Ok(pid),
            }
        });
        match result {
            Ok(pid) => {
                self.supervisors.insert(pid);
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or_default();
                let text = String::new();
                tell(&control, &Told::Failed { stage: Stage::Process, errno, text });
            }
        }
    }

    fn reap(&mut self) {
        let mut buffer = [0; 128];
        while matches!(rustix::io::read(&self.signals, &mut buffer), Ok(count) if count > 0) {}
        let mut orphaned = false;
        tree::reap(|pid, status| {
            orphaned |= note_end(&mut self.supervisors, &mut self.commands, pid, status);
        });
        if orphaned {
            // A supervisor was killed, so what it looked after is now below this process.
            let spare = self.own_children();
            let deadline = Instant::now() + SWEEP_TIME_MAX;
            let (supervisors, commands) = (&mut self.supervisors, &mut self.commands);
            tree::kill_all(deadline, &spare, |pid, status| {
                note_end(supervisors, commands, pid, status);
            });
        }
    }

    fn own_children(&self) -> HashSet<Pid> {
        let boxed = self.commands.iter().filter_map(|command| match &command.state {
            State::Boxed(child) => Some(child.pid),
            State::Receiving { .. } | State::Done => None,
        });
        self.supervisors.iter().copied().chain(boxed).collect()
    }

    /// Kills everything.
    fn end(&mut self) {
        self.death_held = None;
        for command in &self.commands {
            if let State::Boxed(child) = &command.state {
                child.kill();
            }
        }
        let deadline = Instant::now() + SUPERVISORS_TIME_MAX;
        let (supervisors, commands) = (&mut self.supervisors, &mut self.commands);
        let mut note = |pid, status| {
            note_end(supervisors, commands, pid, status);
        };
        while Instant::now() < deadline && !tree::reap(&mut note) {
            let mut fds = [PollFd::new(&self.signals, PollFlags::IN)];
            let _ = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 20_000_000 }));
            let mut buffer = [0; 128];
            let _ = rustix::io::read(&self.signals, &mut buffer);
        }
        tree::kill_all(Instant::now() + SWEEP_TIME_MAX, &HashSet::new(), note);
    }
}

/// How many bytes of a frame are still to come.
fn missing(bytes: &[u8]) -> usize {
    match bytes.first_chunk::<4>() {
        None => 4 - bytes.len(),
        // One byte more than allowed is enough to see that it is too long.
        Some(len) => (u32::from_le_bytes(*len) as usize).min(REQUEST_BYTES_MAX) + 4 - bytes.len(),
    }
}

/// Notes that a child ended. Returns true when that leaves orphans behind.
fn note_end(
    supervisors: &mut HashSet<Pid>,
    commands: &mut [Command],
    pid: Pid,
    status: WaitStatus,
) -> bool {
    if supervisors.remove(&pid) {
        return status.signaled();
    }
    for command in commands {
        if matches!(&command.state, State::Boxed(child) if child.pid == pid) {
            // First what the sandbox keeps for the command, so that the agent sees no trace of it.
            command.state = State::Done;
            if let Some(control) = &command.control {
                tell(control, &Told::Exited(exit_code(status)));
            }
        }
    }
    false
}
