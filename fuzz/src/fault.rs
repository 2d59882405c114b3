//! Which faults a run has. Drawn from the seed, printed first, so that a run is known by them.
//!
//! Faults act on what peers send, on files and on time, never on the grammar of replies.

use std::fmt;

use crate::dice::Dice;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident $text:literal $most:literal,)*) => {
        /// What can go wrong around an engine.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault {
            $($(#[$doc])* $name,)*
        }

        impl Fault {
            /// All of them, in the order they are drawn.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name, and its greatest probability.
            const fn row(self) -> (&'static str, f64) {
                match self { $(Self::$name => ($text, $most),)* }
            }
        }
    };
}

faults! {
    /// The model's connection is refused or breaks before an answer.
    Connect "connect" 0.3,
    /// The model answers with an error status.
    Status "status" 0.3,
    /// The stream is cut at a random byte.
    Cut "cut" 0.4,
    /// The stream stalls for good.
    Stall "stall" 0.1,
    /// Bytes of the stream are garbled.
    Garble "garble" 0.3,
    /// A part of the stream comes twice.
    Repeat "repeat" 0.3,
    /// Events of the stream change places.
    Reorder "reorder" 0.3,
    /// A delta or an output is huge.
    Huge "huge" 0.01,
    /// The model calls what does not exist, or says an id again.
    Odd "odd" 0.3,
    /// A command never ends by itself.
    Hang "hang" 0.2,
    /// A command cannot be started.
    Spawn "spawn" 0.2,
    /// The disk refuses a write.
    Disk "disk" 0.3,
    /// The disk is full for a while.
    Full "full" 0.05,
    /// A file changes behind a patch's back.
    Stale "stale" 0.3,
    /// A rollout is cut or damaged while no thread has it open.
    Torn "torn" 0.5,
    /// Another process has the rollout of a thread to resume.
    Taken "taken" 0.5,
    /// The machine sleeps: time jumps by minutes.
    Sleep "sleep" 0.05,
    /// The wall clock is set, forward or back.
    Clock "clock" 0.05,
    /// The front end is slow to take events: for a while no reply is taken either.
    Block "block" 0.1,
    /// Replies take seconds instead of milliseconds.
    Slow "slow" 0.5,
}

/// A probability for each fault, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Swarm([f64; Fault::ALL.len()]);

impl Swarm {
    /// Draws a swarm: each fault is off in half of the runs, so that single faults are seen alone.
    #[must_use]
    pub fn draw(rng: &mut Dice) -> Self {
        let mut swarm = Self::default();
        for (fault, probability) in Fault::ALL.iter().zip(&mut swarm.0) {
            let (is_on, drawn) = (rng.bool(), rng.f64());
            *probability = if is_on { drawn * fault.row().1 } else { 0.0 };
        }
        swarm
    }

    /// Whether a fault strikes now. Draws also when it never does, so that without it everything
    /// else stays as it was.
    pub fn strikes(&self, fault: Fault, rng: &mut Dice) -> bool {
        rng.f64() < self.0[fault as usize]
    }

    /// Whether a run may have this fault.
    #[must_use]
    pub fn has(&self, fault: Fault) -> bool {
        self.0[fault as usize] > 0.0
    }

    /// Takes a fault out.
    pub fn remove(&mut self, fault: Fault) {
        self.0[fault as usize] = 0.0;
    }
}

impl fmt::Display for Swarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = Fault::ALL.iter().zip(&self.0);
        let mut on = all.filter(|(_, probability)| **probability > 0.0).peekable();
        if on.peek().is_none() {
            return f.write_str("no faults");
        }
        on.try_for_each(|(fault, probability)| write!(f, "{}={probability:.3} ", fault.row().0))
    }
}
