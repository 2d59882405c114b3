//! One process per command that runs without a sandbox: its keeper.
//!
//! A child of the spawner that never executes anything else. It is the subreaper of the command,
//! so whatever the command starts stays below it, also after a double fork and `setsid`.
//!
//! ```text
//! start    --- program runs ---------------> Running
//! start    --- it does not ----------------> tells why, ends
//! Running  --- command ends, no children --> ends
//! Running  --- command ends, children -----> Leftover
//! Leftover --- last child ends ------------> ends
//! any      --- kill, or spawner gone ------> kills everything, ends
//! Running  --- agent lost interest --------> kills everything, ends
//! ```
//!
//! In `Leftover` it may hold the reading end of the command's output and empties it, so that a
//! server that the command left running does not break when it logs a line.

use std::{
    collections::HashSet,
    io,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{Pid, Signal, WaitStatus, kill_process_group, set_child_subreaper},
};

use crate::{
    exec::{Command, Failure},
    sys,
    tree::{self, exit_code},
    wire::{Ask, Request, Stage, Told, receive_fds, tell},
};

/// Longest time that killing a tree may take before the agent is told that it ended; beyond it
/// only processes in uninterruptible sleep or of other users are left.
const KILL_TIME_MAX: Duration = Duration::from_millis(1_500);

/// What the spawner hands over.
pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) control: OwnedFd,
    pub(crate) stdin: OwnedFd,
    pub(crate) output: OwnedFd,
}

struct Supervisor {
    control: Option<OwnedFd>,
    /// Ends when the spawner does.
    death: OwnedFd,
    signals: OwnedFd,
    state: State,
    /// Output of left-over children that nobody reads any more.
    drain: Option<OwnedFd>,
}

enum State {
    Running { pid: Pid },
    Leftover,
}

/// Runs the command and looks after it to the end. Called in a freshly forked child.
pub(crate) fn supervise(job: Job, death: OwnedFd) -> ! {
    let code = match start(job, death) {
        Ok(mut supervisor) => match supervisor.run() {
            Ok(()) => 0,
            Err(_) => {
                supervisor.kill();
                1
            }
        },
        Err(()) => 1,
    };
    sys::exit_now(code)
}

fn start(job: Job, death: OwnedFd) -> Result<Supervisor, ()> {
    let Job { request, control, stdin, output } = job;
    let keep = [control.as_fd(), death.as_fd(), stdin.as_fd(), output.as_fd()];
    sys::close_all_but(&keep);
    sys::set_name(c"codex-keeper");
    let launch = || {
        let process = |error: io::Error| Failure::new(Stage::Process, &error);
        set_child_subreaper(Some(rustix::process::getpid())).map_err(|e| process(e.into()))?;
        let signals = sys::child_signals().map_err(process)?;
        let command = Command::new(request.argv, request.env, &request.cwd)?;
        Ok((signals, command.launch(stdin.as_fd(), output.as_fd())?))
    };
    match launch() {
        Ok((signals, pid)) => {
            tell(&control, &Told::Started);
            let (control, state) = (Some(control), State::Running { pid });
            Ok(Supervisor { control, death, signals, state, drain: None })
        }
        Err(Failure { stage, errno }) => {
            tell(&control, &Told::Failed { stage, errno, text: String::new() });
            Err(())
        }
    }
}

impl Supervisor {
    fn run(&mut self) -> io::Result<()> {
        loop {
            let ready = self.wait()?;
            if ready.death {
                self.kill();
                return Ok(());
            }
            if ready.drain {
                self.drain();
            }
            // Asks first: a kill that arrives together with the end must still kill the children.
            if ready.control && self.asked().is_break() {
                self.kill();
                return Ok(());
            }
            if ready.signals && self.reap() {
                return Ok(());
            }
        }
    }

    fn wait(&self) -> io::Result<Ready> {
        let sources =
            [Some(&self.death), Some(&self.signals), self.control.as_ref(), self.drain.as_ref()];
        let mut fds: Vec<PollFd<'_>> =
            sources.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut results = fds.iter().map(|fd| !fd.revents().is_empty());
        let mut of = |present: bool| present && results.next().unwrap_or(false);
        Ok(Ready {
            death: of(true),
            signals: of(true),
            control: of(self.control.is_some()),
            drain: of(self.drain.is_some()),
        })
    }

    /// Reaps. Returns true when nothing is left to look after.
    fn reap(&mut self) -> bool {
        let mut buffer = [0; 128];
        while matches!(rustix::io::read(&self.signals, &mut buffer), Ok(count) if count > 0) {}
        let mut ended = None;
        let command = self.pid();
        let childless = tree::reap(|pid, status| {
            if Some(pid) == command {
                ended = Some(status);
            }
        });
        if let Some(status) = ended {
            self.tell(&Told::Exited(exit_code(status)));
            self.state = State::Leftover;
        }
        childless && matches!(self.state, State::Leftover)
    }

    /// The command, while it has not ended.
    fn pid(&self) -> Option<Pid> {
        match self.state {
            State::Running { pid } => Some(pid),
            State::Leftover => None,
        }
    }

    /// Does what the agent asks; `Break` means: kill everything.
    fn asked(&mut self) -> std::ops::ControlFlow<()> {
        use std::ops::ControlFlow::{Break, Continue};
        let Some(control) = &self.control else { return Continue(()) };
        let mut bytes = [0; 64];
        let (count, mut fds) = match receive_fds(control.as_fd(), &mut bytes) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Continue(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Continue(()),
            Err(_) => (0, Vec::new()),
        };
        if count == 0 {
            self.control = None;
            // A command that has ended has told all there is to tell; its children live on.
            return if self.pid().is_some() { Break(()) } else { Continue(()) };
        }
        for ask in bytes[..count].iter().filter_map(|byte| Ask::of(*byte)) {
            match ask {
                Ask::Detach => self.drain = fds.pop(),
                Ask::HangUp => self.signal(Signal::HUP),
                Ask::Interrupt => self.signal(Signal::INT),
                Ask::Kill => return Break(()),
                Ask::Terminate => self.signal(Signal::TERM),
            }
        }
        Continue(())
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Throws away what left-over children print.
    fn drain(&mut self) {
        let mut buffer = [0; 16 << 10];
        let Some(fd) = &self.drain else { return };
        match rustix::io::read(fd, &mut buffer) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            Ok(count) if count > 0 => {}
            Ok(_) | Err(_) => self.drain = None,
        }
    }

    /// Kills everything below and tells how the command ended.
    fn kill(&mut self) {
        let command = self.pid();
        if let Some(pid) = command {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let mut status: Option<WaitStatus> = None;
        tree::kill_all(Instant::now() + KILL_TIME_MAX, &HashSet::new(), |pid, ended| {
            if Some(pid) == command {
                status = Some(ended);
            }
        });
        if command.is_some() {
            self.tell(&Told::Exited(status.map_or(128 + libc::SIGKILL, exit_code)));
        }
    }

    fn tell(&self, told: &Told) {
        if let Some(control) = &self.control {
            tell(control, told);
        }
    }
}

/// Which sources have something.
struct Ready {
    death: bool,
    signals: bool,
    control: bool,
    drain: bool,
}
