//! A realtime service, our media and the user's voice: calls, sockets, peers, devices. What it says
//! is finite, so that a run has an end.

use std::collections::BTreeMap;

use codex_proto::{
    EffectId, EffectKind, HostError, HostErrorKind, Op, Reply, ThreadId,
    effect::{
        AudioDevice, AudioNews, ChannelNews, HttpHead, LinkState, Pcm, SocketMessage, Survey,
    },
    realtime::{RealtimeStart, RealtimeTransport, RealtimeVersion},
};
use serde_json::{Value, json};

use super::Replies;
use crate::{
    dice::Dice,
    fault::{Fault, Swarm},
    voice::{ANSWER, OFFER},
};

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Realtime {
    texts: u32,
    pcm: u64,
    items: u32,
    /// Numbered events that went over one line and may come again over another.
    said: Vec<Value>,
    /// What each speaker was given, in milliseconds.
    given: BTreeMap<EffectId, u64>,
}

impl Realtime {
    /// The next thing that the user does with voice.
    pub fn act(&mut self, thread: ThreadId, rng: &mut Dice) -> Op {
        match rng.u8(0..14) {
            0 => Op::RealtimePrepare { thread },
            1 => Op::RealtimeStop { thread },
            2 => Op::RealtimeMute { thread, muted: rng.bool() },
            3..=5 => {
                let pcm = self.pcm();
                Op::RealtimeAudio { thread, pcm }
            }
            6 | 7 => {
                self.texts += 1;
                Op::RealtimeSpeech { thread, text: format!("speech {}", self.texts) }
            }
            8 | 9 => {
                self.texts += 1;
                Op::RealtimeText { thread, text: format!("text {}", self.texts) }
            }
            _ => {
                let transport = match rng.u8(0..4) {
                    0 => RealtimeTransport::WebRtc,
                    1 => RealtimeTransport::WebRtcClient { offer: OFFER.into() },
                    2 => RealtimeTransport::WebSocket,
                    _ => RealtimeTransport::WebSocketClient,
                };
                let versions = [RealtimeVersion::V1, RealtimeVersion::V2, RealtimeVersion::V3];
                let mut start = RealtimeStart::new(thread, transport);
                start.version = rng.choice(&versions).copied();
                start.muted = rng.u8(0..4) == 0;
                start.handoff.flush_tail = rng.bool();
                start.handoff.as_items = rng.u8(0..4) == 0;
                Op::RealtimeStart(Box::new(start))
            }
        }
    }

    /// 20 ms that no other audio is.
    fn pcm(&mut self) -> Pcm {
        self.pcm += 1;
        let mut bytes = vec![0; 20 * Pcm::BYTES_PER_MS];
        bytes[..8].copy_from_slice(&self.pcm.to_le_bytes());
        Pcm(bytes)
    }

    /// Replies to an effect of voice; `None` when it is none.
    pub fn on(&mut self, kind: &EffectKind, swarm: &Swarm, rng: &mut Dice) -> Option<Replies> {
        let failed = |kind| Reply::Failed(HostError::new(kind, "no"));
        let delay = if swarm.strikes(Fault::Slow, rng) { rng.u64(0..8_000) } else { 20 };
        Some(match kind {
            EffectKind::Http(_) => {
                let status = |status, location: &str| {
                    let headers = vec![("location".to_owned(), location.to_owned())];
                    Reply::Head(Box::new(HttpHead { status, headers }))
                };
                if swarm.strikes(Fault::Connect, rng) {
                    return Some(vec![(delay, failed(HostErrorKind::Connect))]);
                }
                if swarm.strikes(Fault::Status, rng) {
                    let code = *rng.choice(&[400, 401, 404, 429, 500, 503]).unwrap_or(&500);
                    return Some(vec![(delay, status(code, "")), (1, Reply::Closed)]);
                }
                let location = if swarm.strikes(Fault::Odd, rng) { "/nowhere" } else { "/rtc_1" };
                let mut replies = vec![(delay, status(201, location))];
                if swarm.strikes(Fault::Stall, rng) {
                    return Some(replies);
                }
                let answer = if swarm.strikes(Fault::Garble, rng) { "oops" } else { ANSWER };
                replies.push((1, Reply::Bytes(answer.into())));
                replies.push((1, Reply::Closed));
                replies
            }
            EffectKind::Socket(request) => {
                if swarm.strikes(Fault::Stall, rng) {
                    return Some(Vec::new());
                }
                if swarm.strikes(Fault::Connect, rng) {
                    return Some(vec![(delay, failed(HostErrorKind::Connect))]);
                }
                if swarm.strikes(Fault::Status, rng) {
                    let status = *rng.choice(&[401, 404, 429, 503]).unwrap_or(&503);
                    let head = Reply::Head(Box::new(HttpHead { status, headers: Vec::new() }));
                    return Some(vec![(delay, head), (1, Reply::Closed)]);
                }
                let version = if request.url.contains("/live") {
                    RealtimeVersion::V3
                } else if request.url.contains("intent=") {
                    RealtimeVersion::V1
                } else {
                    RealtimeVersion::V2
                };
                let mut replies = vec![(delay, Reply::Opened)];
                for _ in 0..rng.u8(0..10) {
                    let text = self.event(version, swarm, rng);
                    replies.push((rng.u64(0..600), Reply::Bytes(text)));
                }
                if swarm.strikes(Fault::Cut, rng) {
                    replies.push((rng.u64(0..2_000), failed(HostErrorKind::Disconnected)));
                }
                replies
            }
            EffectKind::RtcOpen(_) => vec![(delay, Reply::Offer(OFFER.into()))],
            EffectKind::AudioOpen(_) => {
                if swarm.strikes(Fault::Spawn, rng) {
                    return Some(vec![(delay, failed(HostErrorKind::NotFound))]);
                }
                let mut replies = vec![(delay, Reply::Opened)];
                for _ in 0..rng.u8(0..20) {
                    replies.push((20, Reply::Audio(AudioNews::Captured(self.pcm()))));
                }
                replies
            }
            EffectKind::Preconnect(_) => vec![(delay, Reply::Closed)],
            EffectKind::Survey(_) => {
                let map = vec!["src/".to_owned()];
                let survey = Survey { threads: Vec::new(), map };
                vec![(delay, Reply::Survey(Box::new(survey))), (0, Reply::Closed)]
            }
            _ => return None,
        })
    }

    /// Replies that come to another effect because of this one, which has none; `None` when this is
    /// nothing of voice. A terminal reply ends that effect early.
    pub fn tell(
        &mut self,
        kind: &EffectKind,
        swarm: &Swarm,
        rng: &mut Dice,
    ) -> Option<(EffectId, Replies)> {
        let sent = || Reply::Sent { messages: 1 };
        Some(match kind {
            EffectKind::Send(send) if send.message == SocketMessage::Close => {
                let never = swarm.strikes(Fault::Hang, rng);
                let replies =
                    if never { Vec::new() } else { vec![(rng.u64(0..400), Reply::Closed)] };
                (send.socket, replies)
            }
            EffectKind::Send(send) => (send.socket, vec![(rng.u64(0..30), sent())]),
            EffectKind::RtcSend(send) => (send.rtc, vec![(rng.u64(0..30), sent())]),
            EffectKind::RtcAnswer(answer) => {
                let mut replies = Vec::new();
                if swarm.strikes(Fault::Garble, rng) {
                    let error = HostError::new(HostErrorKind::Other, "this is no answer");
                    return Some((answer.rtc, vec![(5, Reply::Failed(error))]));
                }
                if swarm.strikes(Fault::Hang, rng) {
                    return Some((answer.rtc, replies));
                }
                replies.push((60, Reply::Link(LinkState::Connected)));
                replies.push((60, Reply::Link(LinkState::Up)));
                replies.push((rng.u64(0..3_000), Reply::Channel(ChannelNews::Open)));
                for _ in 0..rng.u8(0..8) {
                    let text = self.event(RealtimeVersion::V2, swarm, rng);
                    replies.push((rng.u64(0..400), Reply::Channel(ChannelNews::Text(text))));
                }
                if swarm.strikes(Fault::Cut, rng) {
                    replies.push((50, Reply::Channel(ChannelNews::Closed)));
                }
                if swarm.strikes(Fault::Stall, rng) {
                    replies.push((50, Reply::Link(LinkState::Lost)));
                    if rng.bool() {
                        replies.push((rng.u64(0..40_000), Reply::Link(LinkState::Up)));
                    }
                }
                (answer.rtc, replies)
            }
            EffectKind::AudioPlay(play) => {
                let given = self.given.entry(play.audio).or_default();
                *given += play.pcm.ms();
                let ms = *given;
                let mut replies = vec![(play.pcm.ms(), Reply::Audio(AudioNews::Played { ms }))];
                if swarm.strikes(Fault::Odd, rng) {
                    let error = HostError::new(HostErrorKind::NotFound, "unplugged");
                    let device = AudioDevice::Speaker;
                    replies.push((1, Reply::Audio(AudioNews::Device { device, error })));
                }
                (play.audio, replies)
            }
            EffectKind::PlaybackClear { target } => {
                self.given.remove(target);
                (*target, Vec::new())
            }
            EffectKind::Microphone { target, .. } => (*target, Vec::new()),
            _ => return None,
        })
    }

    /// Something that a service may say.
    fn event(&mut self, version: RealtimeVersion, swarm: &Swarm, rng: &mut Dice) -> Vec<u8> {
        if swarm.strikes(Fault::Garble, rng) {
            return b"{\"type\":".to_vec();
        }
        if swarm.strikes(Fault::Repeat, rng)
            && let Some(again) = rng.choice(&self.said)
        {
            return again.to_string().into_bytes();
        }
        self.items += 1;
        let item = format!("item_{}", self.items);
        let mut value = match (version, rng.u8(0..11)) {
            (_, 0 | 1) => json!({ "type": "session.updated", "session": { "id": "s" } }),
            (_, 2) => json!({ "type": "error", "error": { "message": "odd" } }),
            (RealtimeVersion::V1, 3..=5) => json!({ "type": "conversation.handoff.requested",
                "handoff_id": item, "item_id": item, "input_transcript": "do it" }),
            (RealtimeVersion::V1, _) => json!({ "item_id": item, "delta": item,
                "type": "conversation.item.input_audio_transcription.delta" }),
            (RealtimeVersion::V3, 3..=5) => json!({ "type": "delegation.created", "item": {
                "type": "delegation", "target": "client", "id": item,
                "content": [{ "type": "input_text", "text": "do it" }] } }),
            (RealtimeVersion::V3, _) => {
                json!({ "type": "turn.done", "turn": { "role": "user", "transcript": item } })
            }
            (RealtimeVersion::V2, 3 | 4) => json!({ "type": "conversation.item.done", "item": {
                "type": "function_call", "id": item, "call_id": item, "name": "background_agent",
                "arguments": "{\"prompt\":\"do it\"}" } }),
            (RealtimeVersion::V2, 5) => json!({ "type": "conversation.item.done", "item": {
                "type": "function_call", "id": item, "name": "remain_silent" } }),
            (RealtimeVersion::V2, 6) => json!({ "item_id": item, "transcript": item,
                "type": "conversation.item.input_audio_transcription.completed" }),
            (RealtimeVersion::V2, 7) => {
                json!({ "type": "response.created", "response": { "id": item } })
            }
            (RealtimeVersion::V2, 8) => {
                json!({ "type": "response.done", "response": { "id": item } })
            }
            (RealtimeVersion::V2, 9) => {
                json!({ "type": "input_audio_buffer.speech_started", "item_id": item })
            }
            (RealtimeVersion::V2, _) => json!({ "type": "response.output_audio.delta",
                "item_id": format!("spoken_{}", self.items / 3), "delta": "A".repeat(64 * 50) }),
        };
        value["event_id"] = format!("event_{}", self.items).into();
        self.said.push(value.clone());
        value.to_string().into_bytes()
    }
}
