//! What a child process may touch.
//!
//! ```text
//! policy ──prepare──> Sandbox ──spawn──> SandboxedChild ──waitpid──> exit status
//!                        │ set-up fails: SandboxError, nothing was run
//! ```
//!
//! A [`Sandbox`] is prepared once per session: the policy's roots are resolved, the session's
//! namespaces made, the filters compiled. [`Sandbox::spawn`] then costs a few system calls per
//! command. A command's working directory never widens what it may write.
//!
//! There is no fallback: where the system lacks a layer, preparing or spawning fails, and the
//! caller must not run the command some other way.
//!
//! Linux is described in `linux/mod.rs`. Elsewhere [`Sandbox::prepare`] fails.

use std::{
    ffi::OsString,
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
};

mod error;
#[cfg(target_os = "linux")]
mod foreground;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod unsupported;

#[cfg(target_os = "linux")]
pub use self::{
    foreground::run_foreground,
    linux::{Sandbox, SandboxedChild},
};
pub use error::{Layer, SandboxError};
#[cfg(not(target_os = "linux"))]
pub use unsupported::{Sandbox, SandboxedChild, run_foreground};

/// Exit code for a command that was not run because the sandbox could not be set up.
pub const EXIT_SANDBOX_FAILED: i32 = 126;

/// Signals that a command gets at their defaults, whatever the agent does with them: those of a
/// terminal, those that ask for an end, and those that a runtime sets for itself.
#[cfg(target_os = "linux")]
pub const RESET_SIGNALS: [i32; 9] = [
    libc::SIGCHLD,
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGPIPE,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
];

/// Facts about the host that a policy does not carry. All paths are absolute.
#[derive(Clone, Debug)]
pub struct SandboxHost {
    /// The user's home directory. A writable root that contains it is made read-only.
    pub home: PathBuf,
    /// The agent's own directory. Never writable inside.
    pub codex_home: PathBuf,
    /// A directory private to this session; created when missing. Readable inside at the same
    /// path, never writable there. The sandbox keeps the session's private `/tmp` below it.
    pub scratch: PathBuf,
    /// The value of `TMPDIR`, when it is set.
    pub tmpdir: Option<PathBuf>,
}

/// One command to run inside.
#[derive(Clone, Copy, Debug)]
pub struct SandboxedCommand<'a> {
    /// Program and arguments. A program without a slash is looked up in the `PATH` of `env`.
    pub argv: &'a [OsString],
    /// The whole environment of the command.
    pub env: &'a [(OsString, OsString)],
    /// Where the command starts. Absolute.
    pub cwd: &'a Path,
    /// Its standard input. A terminal becomes the controlling terminal of the command's session
    /// unless it already is that of another one.
    pub stdin: BorrowedFd<'a>,
    /// Its standard output.
    pub stdout: BorrowedFd<'a>,
    /// Its standard error.
    pub stderr: BorrowedFd<'a>,
}
