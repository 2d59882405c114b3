//! The one call without a safe interface: an action of our own in a signal handler.
#![allow(unsafe_code, reason = "signal-hook cannot check what an action does")]

use std::io;

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
