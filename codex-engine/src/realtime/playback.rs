//! What of the model's audio was played: so that an interrupted item is cut where the person
//! stopped hearing it, and nothing of it is played afterwards.

use std::collections::VecDeque;

use codex_proto::{Mono, effect::Pcm};

use super::seen::Seen;
use crate::limits::PLAYBACK_MS_MAX;

/// Audio since the speaker was opened or cleared, as one line of time in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Playback {
    items: VecDeque<Item>,
    /// Bytes of all items.
    bytes: u64,
    clock: Clock,
    interrupted: Seen,
    /// Audio without an item is of an interrupted response.
    muted_unnamed: bool,
}

#[derive(Clone, Debug)]
struct Item {
    id: Option<String>,
    from_ms: u64,
}

/// How we know the position.
#[derive(Clone, Copy, Debug)]
enum Clock {
    /// Our speaker tells; since when it may have played, and what it said last.
    Reported { since: Option<Mono>, ms: u64 },
    /// A client plays as it comes: the position was `ms` at `at`.
    Wall { at: Mono, ms: u64 },
}

/// What is to be done when the person begins to speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interruption {
    /// The item that was being heard, and up to where.
    pub(super) truncate: Option<(String, u64)>,
    /// Whether something waits to be played.
    pub(super) clear: bool,
}

impl Playback {
    /// For our own speaker, or for a client's.
    pub(super) fn new(ours: bool) -> Self {
        let clock = if ours {
            Clock::Reported { since: None, ms: 0 }
        } else {
            Clock::Wall { at: Mono(0), ms: 0 }
        };
        Self {
            items: VecDeque::new(),
            bytes: 0,
            clock,
            interrupted: Seen::default(),
            muted_unnamed: false,
        }
    }

    fn sent_ms(&self) -> u64 {
        self.bytes / Pcm::BYTES_PER_MS as u64
    }

    fn position(&self, now: Mono) -> u64 {
        let ms = match self.clock {
            Clock::Reported { ms, .. } => ms,
            Clock::Wall { at, ms } => ms.saturating_add(now.ms_since(at)),
        };
        ms.min(self.sent_ms())
    }

    /// Takes audio; `false` when it must not be played.
    pub(super) fn on_audio(&mut self, pcm: &Pcm, id: Option<&str>, now: Mono) -> bool {
        let refused = match id {
            Some(id) => self.interrupted.has(id),
            None => self.muted_unnamed,
        };
        let position = self.position(now);
        if refused || self.sent_ms() - position > PLAYBACK_MS_MAX {
            return false;
        }
        let from_ms = self.sent_ms();
        match &mut self.clock {
            Clock::Reported { since, .. } => {
                since.get_or_insert(now);
            }
            // It had run dry: what comes now is played from now on.
            Clock::Wall { at, ms } if position == from_ms => (*at, *ms) = (now, from_ms),
            Clock::Wall { .. } => {}
        }
        if self.items.back().is_none_or(|item| item.id.as_deref() != id) {
            self.items.push_back(Item { id: id.map(str::to_owned), from_ms });
        }
        self.bytes += pcm.0.len() as u64;
        // What was heard to its end is past.
        while self.items.get(1).is_some_and(|next| next.from_ms <= position) {
            self.items.pop_front();
        }
        true
    }

    /// Our speaker tells how much it has played. It cannot have played faster than time passes: then
    /// it speaks of what was before it was cleared.
    pub(super) fn on_played(&mut self, played_ms: u64, now: Mono) {
        /// How much faster than ours its clock may be.
        const SLACK_MS: u64 = 20;
        if let Clock::Reported { since: Some(since), ms } = &mut self.clock
            && played_ms <= now.ms_since(*since) + SLACK_MS
        {
            *ms = played_ms.max(*ms);
        }
    }

    /// The person speaks, or the response is no more.
    pub(super) fn interrupt(&mut self, now: Mono) -> Interruption {
        let position = self.position(now);
        let clear = position < self.sent_ms();
        let mut truncate = None;
        if clear {
            let ends = self.items.iter().skip(1).map(|item| item.from_ms).chain([self.sent_ms()]);
            for (item, to_ms) in self.items.iter().zip(ends) {
                if to_ms <= position {
                    continue;
                }
                match &item.id {
                    Some(id) => {
                        if item.from_ms < position {
                            truncate = Some((id.clone(), position - item.from_ms));
                        }
                        self.interrupted.is_new(id);
                    }
                    None => self.muted_unnamed = true,
                }
            }
        }
        // What is still being generated must not be played either.
        if let Some(last) = self.items.back().filter(|_| clear) {
            match &last.id {
                Some(id) => drop(self.interrupted.is_new(id)),
                None => self.muted_unnamed = true,
            }
        }
        self.items.clear();
        self.bytes = 0;
        self.clock = match self.clock {
            Clock::Reported { .. } => Clock::Reported { since: None, ms: 0 },
            Clock::Wall { .. } => Clock::Wall { at: now, ms: 0 },
        };
        Interruption { truncate, clear }
    }

    /// A new response: audio without an item is its own.
    pub(super) fn response_created(&mut self) {
        self.muted_unnamed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pcm(ms: usize) -> Pcm {
        Pcm(vec![0; ms * Pcm::BYTES_PER_MS])
    }

    fn at(ms: u64) -> Mono {
        Mono(0).after_ms(ms)
    }

    #[test]
    fn the_item_that_is_heard_is_cut_at_what_was_played() {
        let mut playback = Playback::new(true);
        assert!(playback.on_audio(&pcm(1_000), Some("a"), at(0)));
        assert!(playback.on_audio(&pcm(1_000), Some("b"), at(10)));
        playback.on_played(1_300, at(1_300));
        let interruption = playback.interrupt(at(1_350));
        assert_eq!(interruption.truncate, Some(("b".into(), 300)));
        assert!(interruption.clear);
        assert!(!playback.on_audio(&pcm(20), Some("b"), at(1_360)), "the rest is not played");
        assert!(playback.on_audio(&pcm(20), Some("c"), at(1_370)));
        // Told before the speaker was cleared.
        playback.on_played(1_350, at(1_375));
        assert_eq!(playback.interrupt(at(1_380)).truncate, None);
    }

    #[test]
    fn nothing_heard_is_nothing_to_cut() {
        let mut playback = Playback::new(true);
        assert_eq!(playback.interrupt(at(0)), Interruption { truncate: None, clear: false });
        playback.on_audio(&pcm(100), Some("a"), at(0));
        let untouched = playback.interrupt(at(50));
        assert_eq!(untouched, Interruption { truncate: None, clear: true });
        playback.on_audio(&pcm(100), Some("b"), at(100));
        playback.on_played(100, at(200));
        let over = playback.interrupt(at(300));
        assert_eq!(over, Interruption { truncate: None, clear: false });
        assert!(playback.on_audio(&pcm(20), Some("b"), at(310)), "it was heard to its end");
    }

    #[test]
    fn a_clients_speaker_plays_as_time_passes() {
        let mut playback = Playback::new(false);
        playback.on_audio(&pcm(100), Some("a"), at(1_000));
        playback.on_audio(&pcm(400), Some("b"), at(5_000));
        assert_eq!(playback.interrupt(at(5_250)).truncate, Some(("b".into(), 250)));
        playback.on_audio(&pcm(100), None, at(6_000));
        assert_eq!(playback.interrupt(at(6_050)), Interruption { truncate: None, clear: true });
        assert!(!playback.on_audio(&pcm(20), None, at(6_060)));
        playback.response_created();
        assert!(playback.on_audio(&pcm(20), None, at(6_070)));
    }
}
