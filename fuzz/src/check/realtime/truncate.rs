//! Claim: an item is truncated once, at no more than what was played of it and came of it, and
//! never over WebRTC; nothing of it is played afterwards.

use std::collections::{BTreeMap, BTreeSet};

use codex_proto::{
    Effect, EffectKind, Input, Output, Reply, ThreadId,
    effect::{AudioNews, Pcm},
    realtime::{RealtimeNews, RealtimeTransport},
};

use super::{Claim, member, news, said, start, text};

#[derive(Default)]
pub(super) struct Truncates {
    threads: BTreeMap<ThreadId, Played>,
}

#[derive(Default)]
struct Played {
    is_webrtc: bool,
    /// Whether our speaker tells what it played.
    is_ours: bool,
    /// Of this step's audio.
    item: String,
    received: BTreeMap<String, u64>,
    /// The most that the speaker has told since it was cleared.
    played_ms: u64,
    cut: BTreeSet<String>,
}

impl Claim for Truncates {
    fn on_input(&mut self, thread: ThreadId, input: &Input) -> Result<(), String> {
        let of = self.threads.entry(thread).or_default();
        of.item.clear();
        if let Some((_, value)) = said(input) {
            of.item = member(&value, "item_id").to_owned();
        }
        if let Some(start) = start(input) {
            of.is_webrtc = matches!(
                start.transport,
                RealtimeTransport::WebRtc | RealtimeTransport::WebRtcClient { .. }
            );
            of.is_ours = start.transport == RealtimeTransport::WebSocket;
        }
        if let Input::Reply(_, Reply::Audio(AudioNews::Played { ms })) = input {
            of.played_ms = of.played_ms.max(*ms);
        }
        Ok(())
    }

    fn on_output(&mut self, thread: ThreadId, output: &Output) -> Result<(), String> {
        let of = self.threads.entry(thread).or_default();
        let played: Option<(String, &Pcm)> = match output {
            Output::Effect(Effect { kind: EffectKind::AudioPlay(play), .. }) => {
                Some((of.item.clone(), &play.pcm))
            }
            _ => match news(output).map(|event| &event.news) {
                Some(RealtimeNews::Audio { pcm, item_id }) => {
                    Some((item_id.clone().unwrap_or_default(), pcm))
                }
                Some(RealtimeNews::Started { .. }) => {
                    of.received.clear();
                    of.cut.clear();
                    of.played_ms = 0;
                    None
                }
                _ => None,
            },
        };
        if let Some((item, pcm)) = played {
            if !item.is_empty() && of.cut.contains(&item) {
                return Err(format!("{item} is played after it was cut"));
            }
            *of.received.entry(item).or_default() += pcm.0.len() as u64;
        }
        let Some((_, value)) = text(output) else { return Ok(()) };
        if member(&value, "type") != "conversation.item.truncate" {
            return Ok(());
        }
        if of.is_webrtc {
            return Err("a truncation over WebRTC".into());
        }
        let item = member(&value, "item_id").to_owned();
        let ms = value["audio_end_ms"].as_u64().unwrap_or(u64::MAX);
        let received = of.received.get(&item).copied().unwrap_or(0) / Pcm::BYTES_PER_MS as u64;
        if ms == 0 || ms > received || (of.is_ours && ms > of.played_ms) {
            let played = of.played_ms;
            return Err(format!("{item} is cut at {ms} ms, {received} came, {played} played"));
        }
        of.played_ms = 0;
        if !of.cut.insert(item.clone()) {
            return Err(format!("{item} is cut twice"));
        }
        Ok(())
    }
}
