//! What is to be told to the loop. Media never waits for the loop: news wait here, within bounds, and
//! what a later one replaces is replaced.

use std::collections::VecDeque;

use async_channel::{Sender, TrySendError};
use codex_proto::{
    HostError, HostErrorKind, Reply,
    effect::{AudioNews, ChannelNews},
};

/// Longest captured audio that waits, in milliseconds; the oldest goes first, and is counted.
const CAPTURED_MS_MAX: u64 = 2_000;

/// Bytes of messages of the data channel that wait; more ends the peer.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// Replies of any kind that wait; more ends the effect.
const REPLIES_MAX: usize = 4_096;

/// See the module.
#[derive(Debug)]
pub(crate) struct Outbox {
    replies: Sender<Reply>,
    waiting: VecDeque<Reply>,
    captured_ms: u64,
    text_bytes: usize,
    is_ended: bool,
}

impl Outbox {
    pub(crate) fn new(replies: Sender<Reply>) -> Self {
        Self { replies, waiting: VecDeque::new(), captured_ms: 0, text_bytes: 0, is_ended: false }
    }

    /// Whether the terminal reply is in here or was told.
    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Whether nobody listens any more.
    pub(crate) fn is_deserted(&self) -> bool {
        self.replies.is_closed()
    }

    /// Takes a reply; those after a terminal one are dropped.
    pub(crate) fn push(&mut self, reply: Reply) {
        if self.is_ended {
            return;
        }
        self.is_ended = reply.is_terminal();
        match (&reply, self.waiting.back_mut()) {
            // Only the newest counts, and only while nothing else was told meanwhile.
            (
                Reply::Audio(AudioNews::Level { microphone, speaker }),
                Some(Reply::Audio(AudioNews::Level { microphone: mic_peak, speaker: peak })),
            ) => {
                *mic_peak = (*mic_peak).max(*microphone);
                *peak = (*peak).max(*speaker);
                return;
            }
            (
                Reply::Audio(AudioNews::Played { ms }),
                Some(Reply::Audio(AudioNews::Played { ms: last })),
            ) => {
                *last = *ms;
                return;
            }
            (Reply::Sent { messages }, Some(Reply::Sent { messages: last })) => {
                *last = last.saturating_add(*messages);
                return;
            }
            _ => {}
        }
        match &reply {
            Reply::Audio(AudioNews::Captured(pcm)) => self.captured_ms += pcm.ms(),
            Reply::Channel(ChannelNews::Text(text)) => self.text_bytes += text.len(),
            _ => {}
        }
        self.waiting.push_back(reply);
        self.bound();
        self.flush();
    }

    fn bound(&mut self) {
        let mut dropped_ms = 0;
        while self.captured_ms > CAPTURED_MS_MAX {
            let is_captured = |reply: &Reply| matches!(reply, Reply::Audio(AudioNews::Captured(_)));
            let oldest = self.waiting.iter().position(is_captured);
            let Some(dropped) = oldest.and_then(|oldest| self.waiting.remove(oldest)) else {
                break;
            };
            dropped_ms += ms(&dropped);
            self.captured_ms -= ms(&dropped);
        }
        if dropped_ms > 0 {
            tracing::warn!(dropped_ms, "captured audio was not taken and is dropped");
            let counted = self.waiting.iter_mut().find_map(|reply| match reply {
                Reply::Audio(AudioNews::Dropped { ms }) => Some(ms),
                _ => None,
            });
            match counted {
                Some(ms) => *ms += dropped_ms,
                None => {
                    self.waiting.push_front(Reply::Audio(AudioNews::Dropped { ms: dropped_ms }));
                }
            }
        }
        if !self.is_ended && (self.waiting.len() > REPLIES_MAX || self.text_bytes > TEXT_BYTES_MAX)
        {
            let text = format!(
                "{} news of voice with {} bytes of messages were not taken",
                self.waiting.len(),
                self.text_bytes
            );
            self.is_ended = true;
            self.waiting.push_back(Reply::Failed(HostError::new(HostErrorKind::TooLarge, text)));
        }
    }

    /// Tells what can be told without waiting.
    pub(crate) fn flush(&mut self) {
        while let Some(reply) = self.waiting.pop_front() {
            match self.replies.try_send(reply) {
                Ok(()) => self.recount(),
                Err(TrySendError::Full(reply)) => {
                    self.waiting.push_front(reply);
                    return;
                }
                Err(TrySendError::Closed(_)) => {
                    self.waiting.clear();
                    self.recount();
                    return;
                }
            }
        }
    }

    /// Waits until something waiting was told; for ever when nothing waits.
    pub(crate) async fn told(&mut self) {
        let Some(reply) = self.waiting.front().cloned() else {
            return std::future::pending().await;
        };
        if self.replies.send(reply).await.is_err() {
            self.waiting.clear();
        }
        self.waiting.pop_front();
        self.recount();
    }

    /// Tells everything that waits. Ends early when nobody listens.
    pub(crate) async fn finish(mut self) {
        while !self.waiting.is_empty() && !self.is_deserted() {
            self.told().await;
        }
    }

    fn recount(&mut self) {
        self.captured_ms = self.waiting.iter().map(ms).sum();
        let text = |reply: &Reply| match reply {
            Reply::Channel(ChannelNews::Text(text)) => text.len(),
            _ => 0,
        };
        self.text_bytes = self.waiting.iter().map(text).sum();
    }
}

fn ms(reply: &Reply) -> u64 {
    match reply {
        Reply::Audio(AudioNews::Captured(pcm)) => pcm.ms(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use codex_proto::effect::Pcm;
    use futures_lite::future::block_on;

    use super::*;

    fn captured(n: u8) -> Reply {
        Reply::Audio(AudioNews::Captured(Pcm(vec![n; 20 * Pcm::BYTES_PER_MS])))
    }

    #[test]
    fn a_loop_that_does_not_read_loses_the_oldest_audio_and_is_told_how_much() {
        let (sender, receiver) = async_channel::bounded(1);
        let mut outbox = Outbox::new(sender);
        (0..200).for_each(|n| outbox.push(captured(n)));
        outbox.push(Reply::Channel(ChannelNews::Open));
        let mut told = Vec::new();
        while let Ok(reply) = receiver.try_recv() {
            told.push(reply);
            outbox.flush();
        }
        assert_eq!(
            told.len(),
            1 + 1 + 100 + 1,
            "one in the channel, two seconds, the rest counted"
        );
        assert_eq!(told[0], captured(0));
        assert_eq!(told[1], Reply::Audio(AudioNews::Dropped { ms: 99 * 20 }));
        assert_eq!(told[2], captured(100));
        assert_eq!(told[102], Reply::Channel(ChannelNews::Open));
    }

    #[test]
    fn news_that_replace_each_other_take_one_place_and_nothing_follows_the_end() {
        let (sender, receiver) = async_channel::bounded(1);
        let mut outbox = Outbox::new(sender);
        outbox.push(Reply::Opened);
        for n in 0..10 {
            outbox.push(Reply::Audio(AudioNews::Level { microphone: n, speaker: 9 - n }));
        }
        (1..10).for_each(|ms| outbox.push(Reply::Audio(AudioNews::Played { ms })));
        (0..3).for_each(|_| outbox.push(Reply::Sent { messages: 1 }));
        outbox.push(Reply::Closed);
        outbox.push(Reply::Opened);
        assert!(outbox.is_ended());
        let told = std::thread::spawn(move || {
            std::iter::from_fn(|| receiver.recv_blocking().ok()).collect::<Vec<_>>()
        });
        block_on(outbox.finish());
        let expected = [
            Reply::Opened,
            Reply::Audio(AudioNews::Level { microphone: 9, speaker: 9 }),
            Reply::Audio(AudioNews::Played { ms: 9 }),
            Reply::Sent { messages: 3 },
            Reply::Closed,
        ];
        assert_eq!(told.join().unwrap(), expected);
    }

    #[test]
    fn messages_that_nobody_takes_end_it() {
        let (sender, _receiver) = async_channel::bounded(1);
        let mut outbox = Outbox::new(sender);
        for _ in 0..18 {
            outbox.push(Reply::Channel(ChannelNews::Text(vec![0; 1 << 20])));
        }
        assert!(outbox.is_ended());
        assert!(matches!(outbox.waiting.back(), Some(Reply::Failed(_))));
    }
}
