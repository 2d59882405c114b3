//! The level meter: peaks since the last report, at most ten reports a second.

use std::time::{Duration, Instant};

use super::pcm::peak;

/// Shortest time between two reports.
const EVERY: Duration = Duration::from_millis(100);

/// Collects peaks of both directions.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    microphone: u16,
    speaker: u16,
    reported: Option<(Instant, (u16, u16))>,
}

impl Meter {
    /// Hears what the microphone captured, before mute.
    pub(crate) fn captured(&mut self, samples: &[i16]) {
        self.microphone = self.microphone.max(peak(samples));
    }

    /// Hears what the speaker plays.
    pub(crate) fn played(&mut self, level: u16) {
        self.speaker = self.speaker.max(level);
    }

    /// The peaks (microphone, speaker), when a report is due and says something new.
    pub(crate) fn report(&mut self, now: Instant) -> Option<(u16, u16)> {
        let levels = (self.microphone, self.speaker);
        match self.reported {
            Some((at, _)) if now.saturating_duration_since(at) < EVERY => return None,
            Some((_, last)) if last == levels => {}
            None if levels == (0, 0) => {}
            _ => {
                self.reported = Some((now, levels));
                (self.microphone, self.speaker) = (0, 0);
                return Some(levels);
            }
        }
        (self.microphone, self.speaker) = (0, 0);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_ten_reports_a_second_and_none_of_unbroken_silence() {
        let start = Instant::now();
        let mut meter = Meter::default();
        let mut reports = Vec::new();
        for ms in 0..1_000 {
            if ms < 500 {
                meter.captured(&[i16::try_from(ms).unwrap()]);
            }
            reports.extend(meter.report(start + Duration::from_millis(ms)));
        }
        // The peak of each 100 ms, and one report that it is silent now.
        let expected = [1, 101, 201, 301, 401, 499, 0].map(|peak| (peak, 0));
        assert_eq!(reports, expected);
        meter.played(7);
        assert_eq!(meter.report(start + Duration::from_secs(2)), Some((0, 7)));
    }
}
