//! From the microphone to the peer: frames, mute, and what is captured before the link is up.
//!
//! - What was captured while the microphone was not `On` never leaves (property 21): what the device
//!   delivers late is judged by when it was captured, not by when it came.
//! - What was captured before the link is up waits, within a bound; the oldest goes first and is
//!   counted (property 22). When the link comes up it is sent at twice the speed of speech.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use codex_proto::effect::MicrophoneState;

use super::pcm::{FRAME, FRAME_MS, duration, samples};

/// Shortest time between two frames that are sent: twice the speed of speech.
pub(crate) const CATCH_UP: Duration = Duration::from_millis(FRAME_MS / 2);

/// What a device delivers may have been captured so much earlier than it says: after a mute so much of
/// what it says was captured is held back, too.
const DEVICE_LATENCY: Duration = Duration::from_millis(60);

/// A hole in what was captured that is longer moves the clock of the stream.
const HOLE: Duration = Duration::from_millis(100);

/// Shortest time between two reports of dropped audio.
const DROPPED_EVERY: Duration = Duration::from_secs(1);

/// A frame to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// When its first sample was captured.
    pub(crate) captured: Instant,
    /// 20 ms.
    pub(crate) samples: [i16; FRAME],
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Uplink {
    state: MicrophoneState,
    /// What was captured before is not to leave.
    on_since: Instant,
    partial: Vec<i16>,
    partial_captured: Option<Instant>,
    waiting: VecDeque<Frame>,
    waiting_max: usize,
    is_up: bool,
    next_send: Option<Instant>,
    /// When the last sent frame ended, by the microphone's clock, and its time in the stream.
    sent: Option<(Instant, u64)>,
    dropped: usize,
    reported: Option<Instant>,
}

impl Uplink {
    /// Keeps up to `preroll` while the link is not up.
    pub(crate) fn new(now: Instant, state: MicrophoneState, preroll: Duration) -> Self {
        Self {
            state,
            on_since: now,
            partial: Vec::with_capacity(FRAME),
            partial_captured: None,
            waiting: VecDeque::new(),
            waiting_max: (samples(preroll) / FRAME).max(1),
            is_up: false,
            next_send: None,
            sent: None,
            dropped: 0,
            reported: None,
        }
    }

    pub(crate) fn state(&self) -> MicrophoneState {
        self.state
    }

    /// Sets what the microphone does from now on.
    pub(crate) fn set(&mut self, now: Instant, state: MicrophoneState) {
        match (self.state, state) {
            (MicrophoneState::Muted, MicrophoneState::On) => self.on_since = now + DEVICE_LATENCY,
            // A device that is opened now holds nothing of before.
            (MicrophoneState::Off, MicrophoneState::On) => self.on_since = now,
            _ => {}
        }
        if state == MicrophoneState::Off {
            self.partial.clear();
            self.partial_captured = None;
        }
        self.state = state;
    }

    /// Says whether frames can be sent.
    pub(crate) fn set_up(&mut self, is_up: bool) {
        self.is_up = is_up;
    }

    /// Takes what the microphone captured from `captured` on.
    pub(crate) fn capture(&mut self, captured: Instant, samples: &[i16]) {
        let is_heard = match self.state {
            MicrophoneState::Off => return,
            MicrophoneState::Muted => false,
            MicrophoneState::On => captured >= self.on_since,
        };
        // Silence keeps the peer's clock going; there is none to keep before the link is up.
        if !is_heard && !self.is_up {
            self.partial.clear();
            self.partial_captured = None;
            return;
        }
        let mut done = 0;
        while let Some(rest) = samples.get(done..).filter(|rest| !rest.is_empty()) {
            let at = captured + duration(done);
            let room = FRAME.saturating_sub(self.partial.len()).min(rest.len());
            self.partial_captured.get_or_insert(at);
            if is_heard {
                self.partial.extend(rest.iter().take(room));
            } else {
                self.partial.resize(self.partial.len() + room, 0);
            }
            done += room;
            if self.partial.len() == FRAME {
                self.finish_frame();
            }
        }
    }

    fn finish_frame(&mut self) {
        let captured = self.partial_captured.take();
        let frame = <[i16; FRAME]>::try_from(self.partial.as_slice());
        self.partial.clear();
        let (Some(captured), Ok(samples)) = (captured, frame) else { return };
        self.waiting.push_back(Frame { captured, samples });
        while self.waiting.len() > self.waiting_max {
            self.waiting.pop_front();
            self.dropped += 1;
        }
    }

    /// When [`Uplink::next`] has something to say.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if !self.is_up {
            return None;
        }
        self.waiting.front().map(|frame| self.next_send.unwrap_or(frame.captured))
    }

    /// The next frame to send, and its time in the stream in samples.
    pub(crate) fn next(&mut self, now: Instant) -> Option<(u64, Frame)> {
        if !self.is_up || self.next_send.is_some_and(|at| now < at) {
            return None;
        }
        let next = self.next_unpaced()?;
        self.next_send = Some(now + CATCH_UP);
        Some(next)
    }

    /// The same without the pace, for a way that takes audio at any speed.
    pub(crate) fn next_unpaced(&mut self) -> Option<(u64, Frame)> {
        let frame = self.waiting.pop_front()?;
        let time = match self.sent {
            None => 0,
            Some((ended, time)) => {
                let hole = frame.captured.saturating_duration_since(ended);
                let frames = if hole > HOLE { samples(hole) / FRAME } else { 0 };
                time + (frames * FRAME) as u64
            }
        };
        self.sent = Some((frame.captured + duration(FRAME), time + FRAME as u64));
        Some((time, frame))
    }

    /// Audio that was dropped since the last report, in milliseconds, at most once a second.
    pub(crate) fn take_dropped(&mut self, now: Instant) -> Option<u64> {
        let is_early =
            self.reported.is_some_and(|at| now.saturating_duration_since(at) < DROPPED_EVERY);
        if self.dropped == 0 || is_early {
            return None;
        }
        self.reported = Some(now);
        Some(std::mem::take(&mut self.dropped) as u64 * FRAME_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Ten milliseconds of one value.
    fn chunk(value: i16) -> Vec<i16> {
        vec![value; FRAME / 2]
    }

    #[test]
    fn preroll_is_sent_in_order_at_twice_the_speed_or_dropped_from_the_oldest() {
        let start = Instant::now();
        let mut uplink = Uplink::new(start, MicrophoneState::On, MS * 100);
        for n in 0..20_i16 {
            uplink.capture(start + MS * 10 * u32::try_from(n).unwrap(), &chunk(n / 2));
        }
        assert_eq!((uplink.next(start + MS * 200), uplink.deadline()), (None, None));
        assert_eq!(uplink.take_dropped(start + MS * 200), Some(100));
        assert_eq!(uplink.take_dropped(start + MS * 5_000), None);
        uplink.set_up(true);
        let mut sent = Vec::new();
        for ms in 200..260 {
            while let Some((time, frame)) = uplink.next(start + MS * ms) {
                sent.push((ms, time, frame.samples[0]));
            }
        }
        let expected =
            [(200, 0, 5), (210, 960, 6), (220, 1_920, 7), (230, 2_880, 8), (240, 3_840, 9)];
        assert_eq!(sent, expected);
        assert_eq!(uplink.deadline(), None);
    }

    #[test]
    fn nothing_captured_while_muted_leaves_however_late_it_comes() {
        let start = Instant::now();
        let mut uplink = Uplink::new(start, MicrophoneState::Muted, MS * 1_000);
        uplink.set_up(true);
        let mut now = start;
        let mut sent = Vec::new();
        // The device delivers each chunk 30 ms after its capture.
        for n in 0..60_u32 {
            now = start + MS * 10 * n;
            match n {
                20 => uplink.set(now, MicrophoneState::On),
                40 => uplink.set(now, MicrophoneState::Muted),
                _ => {}
            }
            let captured = now.checked_sub(MS * 30).unwrap_or(start);
            let opened = start + MS * 200 + DEVICE_LATENCY;
            let is_allowed = captured >= opened && captured < start + MS * 400;
            uplink.capture(captured, &chunk(if is_allowed { 1 } else { 666 }));
            while let Some((_, frame)) = uplink.next(now) {
                sent.push(frame);
            }
        }
        assert!(now > start);
        let heard: Vec<i16> = sent.iter().flat_map(|frame| frame.samples).collect();
        assert!(!heard.contains(&666), "captured while muted");
        assert!(heard.iter().filter(|sample| **sample == 1).count() >= 48 * 100);
        assert!(sent.len() >= 27, "silence is sent while muted: {}", sent.len());
    }

    #[test]
    fn mute_before_the_link_is_up_holds_and_leaves_a_hole_in_the_stream() {
        let start = Instant::now();
        let mut uplink = Uplink::new(start, MicrophoneState::On, MS * 1_000);
        (0..4).for_each(|n| uplink.capture(start + MS * 10 * n, &chunk(1)));
        uplink.set(start + MS * 40, MicrophoneState::Muted);
        (4..34).for_each(|n| uplink.capture(start + MS * 10 * n, &chunk(666)));
        uplink.set(start + MS * 340, MicrophoneState::On);
        (34..40).for_each(|n| uplink.capture(start + MS * 10 * n, &chunk(666)));
        (40..44).for_each(|n| uplink.capture(start + MS * 10 * n, &chunk(2)));
        uplink.set_up(true);
        let mut sent = Vec::new();
        for ms in 440..500 {
            while let Some((time, frame)) = uplink.next(start + MS * ms) {
                sent.push((time / 48, frame.samples[0], frame.samples[FRAME - 1]));
            }
        }
        assert_eq!(sent, [(0, 1, 1), (20, 1, 1), (400, 2, 2), (420, 2, 2)]);
    }

    #[test]
    fn off_is_off() {
        let start = Instant::now();
        let mut uplink = Uplink::new(start, MicrophoneState::On, MS * 1_000);
        uplink.set_up(true);
        uplink.capture(start, &chunk(1));
        uplink.set(start, MicrophoneState::Off);
        uplink.capture(start, &chunk(2));
        uplink.capture(start, &chunk(2));
        assert_eq!(uplink.next(start + MS * 20), None);
        assert_eq!(uplink.state(), MicrophoneState::Off);
    }
}
