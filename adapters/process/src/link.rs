//! The agent's side of the spawner: started when it is first needed, replaced when it died.

use std::{
    ffi::OsString,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_io::{Async, Timer};
use futures_lite::{AsyncWriteExt as _, FutureExt as _};
use rustix::{
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    process::{Pid, PidfdFlags, pidfd_open},
};

use crate::{
    SPAWNER_ARG,
    wire::{Request, send_fds},
};

/// Longest wait for the spawner to kill everything and end.
pub(crate) const END_TIME_MAX: Duration = Duration::from_secs(2);

/// Variables without which the dynamic linker may not find our own libraries.
const LINKER_NAMES: [&str; 2] = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// Starts the spawner and sends it requests.
#[derive(Debug)]
pub(crate) struct Link {
    program: PathBuf,
    scratch: PathBuf,
    /// For the dynamic linker only.
    env: Vec<(OsString, OsString)>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Idle,
    Up { socket: Arc<Async<OwnedFd>>, child: Child },
    Closed,
}

/// Why no request could be sent.
#[derive(Debug)]
pub(crate) enum LinkError {
    /// [`Link::close`] was called.
    Closed,
    /// The spawner could not be started.
    Start(io::Error),
    /// The spawner does not answer.
    Send(io::Error),
}

impl Link {
    pub(crate) fn new(
        program: PathBuf,
        scratch: PathBuf,
        parent_env: &[(OsString, OsString)],
    ) -> Self {
        let env = parent_env
            .iter()
            .filter(|(name, _)| LINKER_NAMES.iter().any(|known| name == known))
            .cloned()
            .collect();
        Self { program, scratch, env, state: Mutex::new(State::Idle) }
    }

    /// The program that plays the spawner.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Starts the spawner unless it runs.
    pub(crate) fn start(&self) -> Result<(), LinkError> {
        self.socket().map(drop)
    }

    fn socket(&self) -> Result<Arc<Async<OwnedFd>>, LinkError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Closed => Err(LinkError::Closed),
            State::Up { socket, .. } => Ok(Arc::clone(socket)),
            State::Idle => {
                let (socket, child) = self.start_spawner().map_err(LinkError::Start)?;
                *state = State::Up { socket: Arc::clone(&socket), child };
                Ok(socket)
            }
        }
    }

    fn start_spawner(&self) -> io::Result<(Arc<Async<OwnedFd>>, Child)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        // Its environment can be read by commands, so it has none of ours.
        let child = Command::new(&self.program)
            .arg(SPAWNER_ARG)
            .arg(&self.scratch)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(theirs)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok((Arc::new(Async::new(ours)?), child))
    }

    /// Forgets a spawner that died, so that the next request starts another.
    fn forget(&self, dead: &Arc<Async<OwnedFd>>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Up { socket, child } = &mut *state
            && Arc::ptr_eq(socket, dead)
        {
            let _ = child.kill();
            let _ = child.wait();
            *state = State::Idle;
        }
    }

    /// Sends a request; the answers come over the socket that is returned.
    pub(crate) async fn request(
        &self,
        request: &Request,
        output: BorrowedFd<'_>,
        stdin: Option<BorrowedFd<'_>>,
    ) -> Result<Async<UnixStream>, LinkError> {
        let (control, theirs) = UnixStream::pair().map_err(LinkError::Send)?;
        let fds: Vec<BorrowedFd<'_>> = [theirs.as_fd(), output].into_iter().chain(stdin).collect();
        if let Err((socket, _)) = self.send(&fds).await? {
            self.forget(&socket);
            if let Err((_, error)) = self.send(&fds).await? {
                return Err(LinkError::Send(error));
            }
        }
        drop(theirs);
        let mut control = Async::new(control).map_err(LinkError::Send)?;
        control.write_all(&request.encode()).await.map_err(LinkError::Send)?;
        Ok(control)
    }

    /// The inner error is that of a spawner that died.
    async fn send(
        &self,
        fds: &[BorrowedFd<'_>],
    ) -> Result<Result<(), (Arc<Async<OwnedFd>>, io::Error)>, LinkError> {
        let socket = self.socket()?;
        match socket.write_with(|socket| send_fds(socket.as_fd(), b'+', fds)).await {
            Ok(()) => Ok(Ok(())),
            Err(error) => Ok(Err((socket, error))),
        }
    }

    /// Closes the link: the spawner kills everything, removes the scratch directory and ends.
    /// Returns false when it had not ended after [`END_TIME_MAX`]; true also when none ran.
    pub(crate) async fn close(&self) -> bool {
        let state = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *state, State::Closed)
        };
        let State::Up { socket, mut child } = state else { return true };
        // Not `drop`: a request that is being sent may hold the socket, too.
        let _ = rustix::net::shutdown(&*socket, rustix::net::Shutdown::Both);
        drop(socket);
        let ended = async {
            let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
            Async::new(pidfd)?.readable().await
        };
        let timeout = async {
            Timer::after(END_TIME_MAX).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        let ended = ended.or(timeout).await.is_ok();
        if !ended {
            let _ = child.kill();
        }
        let _ = child.wait();
        ended
    }
}
