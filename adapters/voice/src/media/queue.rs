//! What waits for the speaker when audio comes through the engine: a queue that counts what was
//! played.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::pcm::{PCM_RATE, RATE, Resampler, peak};

/// Longest audio that waits: a model speaks much faster than it is heard.
const WAITING_MAX: usize = 600 * PCM_RATE as usize;

/// Samples that are resampled at once, 10 ms.
const CHUNK: usize = PCM_RATE as usize / 100;

/// Shortest time between two reports.
const EVERY: Duration = Duration::from_millis(100);

/// See the module.
pub(crate) struct PlayQueue {
    waiting: VecDeque<i16>,
    resampler: Resampler,
    ready: VecDeque<i16>,
    /// Samples taken from `waiting`, at [`PCM_RATE`], since the last clear.
    taken: u64,
    reported: Option<(Instant, u64)>,
    level: u16,
}

impl PlayQueue {
    pub(crate) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            resampler: Resampler::new(PCM_RATE, RATE),
            ready: VecDeque::new(),
            taken: 0,
            reported: None,
            level: 0,
        }
    }

    /// Adds samples at [`PCM_RATE`]; returns how many did not fit.
    pub(crate) fn push(&mut self, samples: &[i16]) -> usize {
        let room = WAITING_MAX.saturating_sub(self.waiting.len()).min(samples.len());
        self.waiting.extend(samples.iter().take(room));
        samples.len() - room
    }

    /// Fills a buffer of the speaker.
    pub(crate) fn pull(&mut self, output: &mut [i16]) {
        while self.ready.len() < output.len() && !self.waiting.is_empty() {
            let take = self.waiting.len().min(CHUNK);
            let mut chunk: Vec<i16> = self.waiting.drain(..take).collect();
            self.taken += take as u64;
            // The resampler takes whole chunks; the end of speech must not stay inside it.
            chunk.resize(CHUNK, 0);
            self.resampler.push(&chunk, &mut self.ready);
        }
        for sample in output.iter_mut() {
            *sample = self.ready.pop_front().unwrap_or(0);
        }
        self.level = self.level.max(peak(output));
    }

    /// Drops what waits and counts from zero.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.ready.clear();
        self.taken = 0;
        self.reported = None;
    }

    /// How much was played since the last clear, in milliseconds.
    pub(crate) fn played_ms(&self) -> u64 {
        let unheard = self.ready.len() as u64 * u64::from(PCM_RATE) / u64::from(RATE);
        self.taken.saturating_sub(unheard) * 1_000 / u64::from(PCM_RATE)
    }

    /// The position, when a report is due: ten times a second while it moves, at once when nothing
    /// waits any more.
    pub(crate) fn report(&mut self, now: Instant) -> Option<u64> {
        let played = self.played_ms();
        let is_dry = self.waiting.is_empty() && self.ready.is_empty();
        let is_due = match self.reported {
            None => played > 0,
            Some((_, last)) if last == played => false,
            Some((at, _)) => is_dry || now.saturating_duration_since(at) >= EVERY,
        };
        is_due.then(|| {
            self.reported = Some((now, played));
            played
        })
    }

    /// The peak of what was played since the last call.
    pub(crate) fn take_level(&mut self) -> u16 {
        std::mem::take(&mut self.level)
    }
}

impl std::fmt::Debug for PlayQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlayQueue").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::pcm::FRAME, *};

    #[test]
    fn positions_count_what_was_heard() {
        let start = Instant::now();
        let mut queue = PlayQueue::new();
        assert_eq!(queue.report(start), None);
        // 250 ms and a bit, at once.
        assert_eq!(queue.push(&vec![3_000; 6_001]), 0);
        let mut frame = [0; FRAME];
        let mut reports = Vec::new();
        for n in 1..=20 {
            let now = start + Duration::from_millis(20) * n;
            queue.pull(&mut frame);
            reports.extend(queue.report(now).map(|ms| (n * 20, ms)));
        }
        assert_eq!(reports, [(20, 20), (120, 120), (220, 220), (260, 250)]);
        assert!(queue.take_level() >= 2_900);
        queue.push(&[1; 480]);
        queue.clear();
        assert_eq!(queue.played_ms(), 0);
        queue.pull(&mut frame);
        assert_eq!(peak(&frame), 0, "what waited is gone");
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut queue = PlayQueue::new();
        assert_eq!(queue.push(&vec![0; WAITING_MAX - 1]), 0);
        assert_eq!(queue.push(&[0; 5]), 4);
    }
}
