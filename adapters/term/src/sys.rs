//! The calls without a safe interface: an action of our own in a signal handler, and one between fork
//! and exec.
#![allow(unsafe_code, reason = "nobody can check what such an action does")]

use std::{io, os::unix::process::CommandExt as _, process::Command};

use signal_hook::{SigId, low_level};

/// Does something whenever a signal comes. The action must be fit for a signal handler: no
/// allocation, no lock, nothing but plain system calls.
pub(crate) fn on_signal(
    signal: i32,
    action: impl Fn() + Send + Sync + 'static,
) -> io::Result<SigId> {
    // SAFETY: the only caller writes one byte to a socket that does not block.
    unsafe { low_level::register(signal, action) }
}

/// Starts a program in a session of its own, from its first moment: no signal of our terminal reaches it.
pub(crate) fn in_own_session(command: &mut Command) -> &mut Command {
    // SAFETY: one plain system call, which allocates nothing and takes no lock.
    unsafe { command.pre_exec(|| Ok(rustix::process::setsid().map(drop)?)) }
}
