//! Runs one command inside on the caller's own standard streams, for the command line.

use std::{
    ffi::OsString,
    io,
    os::fd::{AsFd, AsRawFd},
    path::Path,
    time::{Duration, Instant},
};

use crate::{Layer, Sandbox, SandboxError, SandboxedCommand, linux::sys};

/// How long a command may go on after it was asked to end, by SIGTERM or SIGHUP.
const GRACE: Duration = Duration::from_millis(800);

/// Runs a command and waits for it. Interrupts are passed on; after a request to end, the command
/// has a short grace and is then killed with everything it started. If this process is killed, so
/// is the command.
///
/// Returns the command's exit code, or 128 plus the number of the signal that ended it. This
/// process must have one thread.
///
/// # Errors
/// As [`Sandbox::spawn`].
pub fn run_foreground(
    sandbox: &Sandbox,
    argv: Vec<OsString>,
    cwd: &Path,
    env: Vec<(OsString, OsString)>,
) -> Result<i32, SandboxError> {
    let failed = |errno| SandboxError::new(Layer::Process, errno);
    let signals = sys::SignalFd::new(&[libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM])
        .map_err(failed)?;
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let child = sandbox.spawn(&SandboxedCommand {
        argv: &argv,
        env: &env,
        cwd,
        stdin: stdin.as_fd(),
        stdout: stdout.as_fd(),
        stderr: stderr.as_fd(),
    })?;
    let mut deadline: Option<Instant> = None;
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout_ms = left.map_or(-1, |left| left.as_millis() as i32 + 1);
        if signals.wait(child.pidfd.as_raw_fd(), timeout_ms) {
            let status = sys::wait(child.pid).map_err(failed)?;
            return Ok(sys::exit_code(status));
        }
        while let Some(signal) = signals.next() {
            let _ = child.signal(signal);
            if matches!(signal, libc::SIGTERM | libc::SIGHUP) {
                deadline.get_or_insert_with(|| Instant::now() + GRACE);
            }
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            let _ = child.signal(libc::SIGKILL);
        }
    }
}
