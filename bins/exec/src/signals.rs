//! Signals: the first one asks the engine to end what runs, the second one leaves at once.
//!
//! | signal | first | second |
//! | --- | --- | --- |
//! | SIGINT | interrupts the turn; the run then ends by itself, with exit code 1 | exit code 130 |
//! | SIGTERM, SIGHUP | stops the thread, within [`STOP_WITHIN`] | exit code 143, 129 |
//!
//! The second one is handled inside the signal handler, so that it works whatever the loop does.
//! Commands die with this process either way: their supervisors watch it.

use std::{
    io,
    os::unix::net::UnixStream,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use codex_proto::{Op, OpId, ThreadId};
use codex_smol::{Crashed, Host, Ops};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag, low_level,
};
use smol::{Async, io::AsyncReadExt};

/// How long a thread may take to stop after SIGTERM or SIGHUP.
pub const STOP_WITHIN: Duration = Duration::from_secs(3);

/// What the signal side shares with the front end.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    /// The thread to interrupt, once there is one.
    pub thread: Arc<OnceLock<ThreadId>>,
    /// The signal that ended the run, or zero.
    pub ended_by: Arc<AtomicI32>,
}

/// Registered handlers and the pipe they write to.
#[derive(Debug)]
pub struct Signals {
    wakes: Async<UnixStream>,
    last: Arc<AtomicUsize>,
}

impl Signals {
    /// Registers the handlers.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn register() -> io::Result<Self> {
        let (wakes, wake) = UnixStream::pair()?;
        let last = Arc::new(AtomicUsize::new(0));
        let is_armed = Arc::new(AtomicBool::new(false));
        for (signal, number) in [(SIGINT, 2), (SIGTERM, 15), (SIGHUP, 1)] {
            // In the order of registration: leave when armed, arm, say which, wake the loop.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&is_armed))?;
            flag::register(signal, Arc::clone(&is_armed))?;
            flag::register_usize(signal, Arc::clone(&last), number)?;
            low_level::pipe::register(signal, wake.try_clone()?)?;
        }
        Ok(Self { wakes: Async::new(wakes)?, last })
    }

    /// The next signal; for ever none when the pipe is broken.
    pub async fn next(&mut self) -> i32 {
        let mut byte = [0];
        if self.wakes.read_exact(&mut byte).await.is_err() {
            std::future::pending::<()>().await;
        }
        let signal = i32::try_from(self.last.load(Ordering::SeqCst)).unwrap_or(SIGINT);
        tracing::info!(signal, "a signal came");
        signal
    }

    /// Turns signals into ops, for ever.
    async fn run(
        mut self,
        ops: Ops,
        shared: Shared,
        interrupt: fn(ThreadId) -> Op,
    ) -> Result<(), Crashed> {
        loop {
            let signal = self.next().await;
            let Some(thread) = shared.thread.get().copied() else {
                // Nothing has begun that would have to be ended in order.
                shared.ended_by.store(signal, Ordering::SeqCst);
                ops.close();
                continue;
            };
            // An error means that the host has ended, which is what was wanted.
            if signal == SIGINT {
                let _ = ops.send(OpId(0), interrupt(thread)).await;
            } else {
                shared.ended_by.store(signal, Ordering::SeqCst);
                let _ = ops.send(OpId(0), Op::StopThread { thread }).await;
                smol::Timer::after(STOP_WITHIN).await;
                ops.close();
            }
        }
    }
}

/// Runs a host to its end on the calling thread, and turns signals into ops meanwhile. `interrupt`
/// is what SIGINT asks for.
///
/// # Errors
/// When the engine has a bug.
pub fn run_host(
    host: Host,
    ops: Ops,
    shared: Shared,
    interrupt: fn(ThreadId) -> Op,
) -> Result<(), Crashed> {
    match Signals::register() {
        Ok(signals) => {
            let signals = signals.run(ops, shared, interrupt);
            smol::block_on(smol::future::or(host.run(), signals))
        }
        Err(error) => {
            tracing::error!(%error, "signals cannot be handled");
            drop(ops);
            smol::block_on(host.run())
        }
    }
}
