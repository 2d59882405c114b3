//! How often frames are drawn.

use codex_proto::Mono;

/// Milliseconds between two frames at least: 60 a second at most.
pub const FRAME_MS_MIN: u64 = 17;

/// Gathers what changes into frames.
///
/// The first change after a pause is drawn at once, so that a key is seen without delay; what follows
/// within [`FRAME_MS_MIN`] waits for the next frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pacer {
    last: Option<Mono>,
    is_wanted: bool,
}

impl Pacer {
    /// Something changed.
    pub fn want(&mut self) {
        self.is_wanted = true;
    }

    /// When the next frame is due; `None` when none is wanted.
    #[must_use]
    pub fn due(&self) -> Option<Mono> {
        let after = self.last.map_or(Mono(0), |last| last.after_ms(FRAME_MS_MIN));
        self.is_wanted.then_some(after)
    }

    /// Whether to draw now; counts as drawn when it says yes.
    pub fn draw(&mut self, now: Mono) -> bool {
        let is_due = self.due().is_some_and(|due| due <= now);
        if is_due {
            self.last = Some(now);
            self.is_wanted = false;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_becomes_sixty_frames_a_second() {
        let mut pacer = Pacer::default();
        assert_eq!(pacer.due(), None, "idle means no wake-up");
        let mut frames = 0;
        for ms in 0..1_000 {
            pacer.want();
            frames += u32::from(pacer.draw(Mono(ms * 1_000)));
        }
        assert_eq!(frames, 59);
        pacer.want();
        assert!(pacer.draw(Mono(5_000_000)), "after a pause at once");
        assert!(!pacer.draw(Mono(6_000_000)), "nothing is wanted");
    }
}
