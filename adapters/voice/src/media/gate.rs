//! The energy gate: while the speaker plays, what the microphone hears is taken for an echo unless
//! it is loud. No echo canceller is part of this crate; headphones or one of the system's make the
//! gate unnecessary, and it then passes all speech.

use std::time::{Duration, Instant};

/// For how long the gate stays open after loud sound.
const OPEN: Duration = Duration::from_millis(900);

/// For how long an echo lasts after the speaker's last loud sample.
const ECHO: Duration = Duration::from_millis(250);

/// Quieter sound of the speaker makes no echo that a microphone would hear.
const SPEAKER_AUDIBLE: u16 = 300;

/// Bounds of the peak that opens the gate. Between them it is a quarter of the speaker's peak.
const OPENS_AT: (u16, u16) = (600, 4_000);

/// Decides which captured sound leaves.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Until when echoes are expected, and the speaker's peak that makes them.
    echo: Option<(Instant, u16)>,
    open_until: Option<Instant>,
}

impl Gate {
    /// Hears the peak of what the speaker plays.
    pub(crate) fn played(&mut self, now: Instant, peak: u16) {
        if peak < SPEAKER_AUDIBLE {
            return;
        }
        let strongest = match self.echo {
            Some((until, before)) if now < until => before.max(peak),
            _ => peak,
        };
        self.echo = Some((now + ECHO, strongest));
    }

    /// Whether captured sound of this peak leaves.
    pub(crate) fn passes(&mut self, now: Instant, peak: u16) -> bool {
        let Some((until, speaker)) = self.echo else { return true };
        if now >= until {
            self.echo = None;
            return true;
        }
        if peak >= (speaker / 4).clamp(OPENS_AT.0, OPENS_AT.1) {
            self.open_until = Some(now + OPEN);
        }
        self.open_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_is_held_and_speech_over_it_passes() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut gate = Gate::default();
        assert!(gate.passes(at(0), 100), "nothing plays");
        gate.played(at(10), 12_000);
        assert!(!gate.passes(at(20), 2_900), "an echo");
        assert!(gate.passes(at(40), 3_000), "speech");
        gate.played(at(800), 12_000);
        assert!(gate.passes(at(900), 50), "the end of a word");
        assert!(!gate.passes(at(941), 50), "silence again");
        assert!(gate.passes(at(1_051), 50), "the speaker is silent");
    }

    #[test]
    fn a_silent_speaker_closes_nothing() {
        let start = Instant::now();
        let mut gate = Gate::default();
        gate.played(start, 299);
        assert!(gate.passes(start, 0));
    }
}
