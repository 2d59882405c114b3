//! Audio that waits to be sent over a socket. At the bound the oldest is dropped, and counted.

use std::collections::VecDeque;

use codex_proto::{Mono, effect::Pcm};

use crate::limits::{AUDIO_QUEUE_MS, DROPPED_EVERY_MS};

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(super) struct Microphone {
    queue: VecDeque<Pcm>,
    bytes: usize,
    dropped_bytes: usize,
    /// When the loss may be told next.
    tell_at: Option<Mono>,
}

impl Microphone {
    pub(super) fn push(&mut self, pcm: Pcm, now: Mono) {
        const BYTES_MAX: usize = AUDIO_QUEUE_MS as usize * Pcm::BYTES_PER_MS;
        self.bytes += pcm.0.len();
        self.queue.push_back(pcm);
        while self.bytes > BYTES_MAX
            && let Some(oldest) = self.queue.pop_front()
        {
            self.bytes -= oldest.0.len();
            self.lose(oldest.0.len(), now);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Pcm> {
        let pcm = self.queue.pop_front()?;
        self.bytes -= pcm.0.len();
        Some(pcm)
    }

    fn lose(&mut self, bytes: usize, now: Mono) {
        self.dropped_bytes += bytes;
        self.tell_at.get_or_insert(now.after_ms(DROPPED_EVERY_MS));
    }

    /// What was lost, in milliseconds, when it is time to tell.
    pub(super) fn take_dropped(&mut self, now: Mono) -> Option<u64> {
        if self.tell_at.is_none_or(|at| at > now) {
            return None;
        }
        self.take_dropped_now()
    }

    /// What was lost, in milliseconds.
    pub(super) fn take_dropped_now(&mut self) -> Option<u64> {
        self.tell_at = None;
        let ms = std::mem::take(&mut self.dropped_bytes).div_ceil(Pcm::BYTES_PER_MS);
        (ms > 0).then_some(ms as u64)
    }

    pub(super) fn deadline(&self) -> Option<(Mono, &'static str)> {
        self.tell_at.map(|at| (at, "lost audio"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_dropped_and_counted_once() {
        let mut microphone = Microphone::default();
        let now = Mono(7);
        for n in 0..300u16 {
            let mut bytes = vec![0; 20 * Pcm::BYTES_PER_MS];
            bytes[..2].copy_from_slice(&n.to_le_bytes());
            microphone.push(Pcm(bytes), now);
        }
        assert_eq!(microphone.take_dropped(now), None);
        assert_eq!(microphone.take_dropped(now.after_ms(DROPPED_EVERY_MS)), Some(1_000));
        assert_eq!(microphone.take_dropped_now(), None);
        let first = microphone.pop().unwrap();
        assert_eq!(first.0[..2], 50u16.to_le_bytes());
        let mut count = 1;
        while microphone.pop().is_some() {
            count += 1;
        }
        assert_eq!((count, microphone.bytes), (250, 0));
    }
}
