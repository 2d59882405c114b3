//! What the service says, and what follows from it.

use codex_proto::{
    EffectKind,
    effect::AudioPlay,
    realtime::{RealtimeNews, RealtimeRole, RealtimeTransport, RealtimeVersion},
    wire::realtime::{
        receive::{self, AudioOut, Delegation, ServerError, ServerEvent},
        send,
    },
};
use serde_json::json;

use super::{
    control::{Line, Origin},
    conversation::{Conversation, Flow},
    handoff::Say,
    response::Cause,
    transcript::{self, Change},
};
use crate::{limits::SERVER_ERRORS_TOLD_MAX, machine::Cx, thread::shared::Shared};

/// Samples a second that we play.
const RATE: u64 = 24_000;

impl Conversation {
    /// A message came. Over two lines it may come twice.
    pub(super) fn on_message(
        &mut self,
        line: Line,
        text: &[u8],
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Flow {
        let Some(inbound) = receive::parse(self.plan.version, text) else {
            return Flow::Continue(());
        };
        let is_new = match &inbound.event_id {
            Some(id) => self.events.is_new(id),
            None => self.control.is_primary(line),
        };
        if is_new {
            self.on_event(inbound.event, shared, cx);
        }
        Flow::Continue(())
    }

    fn on_event(&mut self, event: ServerEvent, shared: &mut Shared, cx: &mut Cx<'_>) {
        match event {
            ServerEvent::SessionUpdated => self.controlled(cx),
            ServerEvent::Audio(audio) => self.on_audio(audio, cx),
            ServerEvent::Transcript { role, item_id, text } => {
                let news = match self.transcript.on(role, item_id, text) {
                    Some(Change::Grew { item, delta }) => {
                        RealtimeNews::TranscriptDelta { role, item, delta }
                    }
                    Some(Change::Done { item, text }) => {
                        RealtimeNews::TranscriptDone { role, item, text }
                    }
                    None => return,
                };
                self.emit(news, cx);
            }
            ServerEvent::SpeechStarted(value) => {
                self.transcript.turn_of(RealtimeRole::User);
                self.interrupt_playback(cx);
                self.emit(RealtimeNews::SpeechStarted, cx);
                self.emit(RealtimeNews::Item(value), cx);
            }
            ServerEvent::ResponseCreated { .. } => {
                self.transcript.turn_of(RealtimeRole::Assistant);
                self.playback.response_created();
                self.respond(Cause::Created, cx);
            }
            ServerEvent::ResponseDone { .. } => self.respond(Cause::Done, cx),
            ServerEvent::ResponseCancelled(value) => {
                self.interrupt_playback(cx);
                self.emit(RealtimeNews::Item(value), cx);
                self.respond(Cause::Done, cx);
            }
            ServerEvent::ItemAdded(item) => self.emit(RealtimeNews::Item(item), cx),
            ServerEvent::ItemDone { .. } => {}
            ServerEvent::Delegation(delegation) => self.on_delegation(delegation, shared, cx),
            ServerEvent::Noop { call_id } => {
                let messages = vec![send::function_output(&call_id, "")];
                self.say(Say { messages, respond: false, may_drop: false }, cx);
            }
            ServerEvent::Error(error) => self.on_error(error, cx),
        }
    }

    fn on_delegation(&mut self, delegation: Delegation, shared: &mut Shared, cx: &mut Cx<'_>) {
        if self.handoffs.is_known(&delegation.id) {
            return;
        }
        let said = self.transcript.take(&delegation.input);
        let entries: Vec<_> = said
            .iter()
            .map(|(role, text)| json!({ "role": role.as_str(), "text": text }))
            .collect();
        let item = json!({
            "type": "handoff_request",
            "handoff_id": delegation.id,
            "item_id": delegation.item_id,
            "input_transcript": delegation.input,
            "active_transcript": entries,
        });
        let said = transcript::lines(&said);
        let say = self.handoffs.delegated(delegation, &said, shared, cx);
        self.emit(RealtimeNews::Item(item), cx);
        if let Some(say) = say {
            self.say(say, cx);
        }
    }

    /// Most errors can be lived with. That a response is running already is one that we cause.
    fn on_error(&mut self, error: ServerError, cx: &mut Cx<'_>) {
        if error.is_conflict() && self.plan.version == RealtimeVersion::V2 {
            return self.respond(Cause::Conflict, cx);
        }
        self.errors = self.errors.saturating_add(1);
        let (message, hint) = match self.errors.cmp(&SERVER_ERRORS_TOLD_MAX) {
            std::cmp::Ordering::Less => {
                (format!("the voice service says: {}", error.message), "the conversation goes on")
            }
            std::cmp::Ordering::Equal => (
                format!("the voice service has reported {} errors", self.errors),
                "later ones are not told; start the conversation again if it does not work",
            ),
            std::cmp::Ordering::Greater => return,
        };
        self.emit(RealtimeNews::Error { message, hint: Some(hint.to_owned()) }, cx);
    }

    /// The model speaks. Over WebRTC the peer plays.
    fn on_audio(&mut self, audio: AudioOut, cx: &mut Cx<'_>) {
        if self.plan.is_webrtc() {
            return;
        }
        let AudioOut { pcm, rate, channels, item_id } = audio;
        if rate != RATE || channels != 1 || !pcm.0.len().is_multiple_of(2) {
            if !std::mem::replace(&mut self.odd_audio, true) {
                let message = format!(
                    "the voice service sends audio that cannot be played: {rate} Hz, {channels} \
                     channels"
                );
                self.emit(RealtimeNews::Error { message, hint: None }, cx);
            }
            return;
        }
        if !self.playback.on_audio(&pcm, item_id.as_deref(), cx.now.mono) {
            return;
        }
        match (self.devices, &self.plan.start.transport) {
            (Some(audio), _) => {
                cx.tell(EffectKind::AudioPlay(AudioPlay { audio, pcm }));
            }
            (None, RealtimeTransport::WebSocketClient) => {
                self.emit(RealtimeNews::Audio { pcm, item_id }, cx);
            }
            (None, _) => {}
        }
    }

    /// The person interrupts the model. Over WebRTC the service sees to it.
    fn interrupt_playback(&mut self, cx: &mut Cx<'_>) {
        if self.plan.is_webrtc() {
            return;
        }
        let interruption = self.playback.interrupt(cx.now.mono);
        if interruption.clear
            && let Some(target) = self.devices
        {
            cx.tell(EffectKind::PlaybackClear { target });
        }
        if let Some((item, ms)) = interruption.truncate
            && self.plan.version == RealtimeVersion::V2
        {
            self.control.push(Origin::Protocol, vec![send::truncate(&item, ms)], cx);
        }
    }
}
