//! The clock of the loop: monotonic through suspend, and the wall clock beside it.

use std::time::{Duration, SystemTime};

use codex_proto::{Mono, Now, Wall};

/// Reads [`Now`]. Monotonic time counts from the clock's creation and goes on while the machine
/// sleeps, so that a deadline means real time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Duration,
}

impl Clock {
    /// A clock that starts at zero.
    #[must_use]
    pub fn start() -> Self {
        Self { start: monotonic() }
    }

    /// Both times.
    #[must_use]
    pub fn now(&self) -> Now {
        let mono = monotonic().saturating_sub(self.start).as_micros();
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now {
            mono: Mono(u64::try_from(mono).unwrap_or(u64::MAX)),
            wall: Wall(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const SUSPEND_AWARE: rustix::time::ClockId = rustix::time::ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SUSPEND_AWARE: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

fn monotonic() -> Duration {
    let now = rustix::time::clock_gettime(SUSPEND_AWARE);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}
