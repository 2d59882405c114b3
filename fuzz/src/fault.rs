//! Which faults a run has. Drawn from the seed, printed first, so that a run is known by them.

use std::fmt;

use crate::dice::Dice;

/// Probabilities, each 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Swarm {
    /// The model's connection is refused or breaks before an answer.
    pub connect: f64,
    /// The model answers with an error status.
    pub status: f64,
    /// The stream is cut at a random byte.
    pub cut: f64,
    /// The stream stalls for good.
    pub stall: f64,
    /// Bytes of the stream are garbled or repeated.
    pub garble: f64,
    /// A command never ends by itself.
    pub hang: f64,
    /// A command cannot be started.
    pub spawn: f64,
    /// The disk refuses a write.
    pub disk: f64,
    /// A file changes behind a patch's back.
    pub stale: f64,
    /// The machine sleeps: time jumps by minutes.
    pub sleep: f64,
    /// Replies take seconds instead of milliseconds.
    pub slow: f64,
}

impl Swarm {
    /// Draws a swarm: each fault is off in half of the runs, so that single faults are seen alone.
    #[must_use]
    pub fn draw(rng: &mut Dice) -> Self {
        let mut one = |most: f64| if rng.bool() { 0.0 } else { rng.f64() * most };
        Self {
            connect: one(0.3),
            status: one(0.3),
            cut: one(0.4),
            stall: one(0.1),
            garble: one(0.3),
            hang: one(0.2),
            spawn: one(0.2),
            disk: one(0.3),
            stale: one(0.3),
            sleep: one(0.05),
            slow: one(0.5),
        }
    }
}

impl fmt::Display for Swarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            ("connect", self.connect),
            ("status", self.status),
            ("cut", self.cut),
            ("stall", self.stall),
            ("garble", self.garble),
            ("hang", self.hang),
            ("spawn", self.spawn),
            ("disk", self.disk),
            ("stale", self.stale),
            ("sleep", self.sleep),
            ("slow", self.slow),
        ];
        for (name, value) in all.iter().filter(|(_, value)| *value > 0.0) {
            write!(f, "{name}={value:.2} ")?;
        }
        Ok(())
    }
}
