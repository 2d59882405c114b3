//! `thread/realtime/*`: conversations by voice whose microphone and speaker are the client's.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use codex_proto::{
    Op, OpId, Refused, ThreadId,
    approval::ApprovalAnswer,
    effect::Pcm,
    realtime::{
        ChannelPrefixes, HandoffMode, HandoffOptions, RealtimeEvent, RealtimeItem, RealtimeNews,
        RealtimePrompt, RealtimeRole, RealtimeStart, RealtimeTransport, RealtimeVersion,
    },
};
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::{
    AppServer,
    state::{NOBODY_ASKED, Pending, Topic},
};
use crate::{
    jsonrpc::{ErrorObject, RequestId},
    limits::AUDIO_MS_MAX,
};

/// Samples a second of [`Pcm`].
const RATE: u32 = 24_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartParams {
    thread_id: ThreadId,
    output_modality: Modality,
    #[serde(default)]
    transport: Option<Transport>,
    #[serde(default)]
    version: Option<RealtimeVersion>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    voice: Option<String>,
    #[serde(default, deserialize_with = "present")]
    prompt: Option<Option<String>>,
    #[serde(default)]
    realtime_session_id: Option<String>,
    #[serde(default)]
    include_startup_context: Option<bool>,
    #[serde(default)]
    initial_items: Option<Vec<Item>>,
    #[serde(default)]
    client_managed_handoffs: bool,
    #[serde(default)]
    codex_responses_as_items: bool,
    #[serde(default)]
    codex_response_item_prefix: Option<String>,
    #[serde(default)]
    codex_response_handoff_mode: Option<HandoffMode>,
    #[serde(default)]
    codex_response_handoff_channel_prefixes: Option<ChannelPrefixes>,
    #[serde(default)]
    delegation_ack_filler: Option<bool>,
    #[serde(default)]
    flush_transcript_tail_on_session_end: bool,
    #[serde(default)]
    realtime_start_instructions: Option<String>,
    #[serde(default)]
    realtime_end_instructions: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Modality {
    Audio,
    Text,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Transport {
    #[serde(rename = "webrtc")]
    WebRtc { sdp: String },
    #[serde(rename = "websocket")]
    WebSocket {},
}

#[derive(Deserialize)]
struct Item {
    role: RealtimeRole,
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AudioParams {
    thread_id: ThreadId,
    audio: Audio,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Audio {
    data: String,
    sample_rate: u32,
    num_channels: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TextParams {
    thread_id: ThreadId,
    text: String,
}

/// Tells a value that is null from one that is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl StartParams {
    fn start(self) -> RealtimeStart {
        // A client brings its own microphone and speaker either way.
        let transport = match self.transport {
            Some(Transport::WebRtc { sdp }) => RealtimeTransport::WebRtcClient { offer: sdp },
            Some(Transport::WebSocket {}) | None => RealtimeTransport::WebSocketClient,
        };
        let prompt = match self.prompt {
            None => RealtimePrompt::Default,
            Some(None) => RealtimePrompt::Empty,
            Some(Some(text)) if text.is_empty() => RealtimePrompt::Empty,
            Some(Some(text)) => RealtimePrompt::Text(text),
        };
        let items = self.initial_items.unwrap_or_default().into_iter();
        RealtimeStart {
            thread: self.thread_id,
            transport,
            text_output: matches!(self.output_modality, Modality::Text),
            version: self.version,
            model: self.model,
            voice: self.voice,
            prompt,
            session_id: self.realtime_session_id,
            startup_context: self.include_startup_context.unwrap_or(true),
            initial_items: items.map(|Item { role, text }| RealtimeItem { role, text }).collect(),
            handoff: HandoffOptions {
                client_managed: self.client_managed_handoffs,
                as_items: self.codex_responses_as_items,
                item_prefix: self.codex_response_item_prefix,
                mode: self.codex_response_handoff_mode.unwrap_or_default(),
                channel_prefixes: self.codex_response_handoff_channel_prefixes,
                ack_filler: self.delegation_ack_filler,
                flush_tail: self.flush_transcript_tail_on_session_end,
            },
            start_instructions: self.realtime_start_instructions,
            end_instructions: self.realtime_end_instructions,
            muted: false,
        }
    }
}

impl AppServer {
    pub(super) fn start_voice(
        &mut self,
        id: RequestId,
        params: StartParams,
    ) -> Result<(), ErrorObject> {
        let thread = params.thread_id;
        let host = self.loaded(thread)?.host;
        if !self.host_facts(host).is_some_and(|facts| facts.has_voice) {
            return Err(ErrorObject::invalid(format!(
                "thread {thread} does not support realtime conversation: the feature \
                 `realtime_conversation` is off; start the app-server with `--enable \
                 realtime_conversation`, or set `features.realtime_conversation` in the \
                 configuration"
            )));
        }
        let op = self.send(host, Op::RealtimeStart(Box::new(params.start())));
        self.pending.insert(op, Pending::Voice { request: id, thread });
        // The next op is refused in any case, which tells that this one was not.
        let answer = ApprovalAnswer::Deny { feedback: None };
        let op = self.send(host, Op::Approve { thread, id: NOBODY_ASKED, answer });
        self.recent.push(op, thread, Topic::VoiceBegun);
        Ok(())
    }

    pub(super) fn append_audio(
        &mut self,
        id: &RequestId,
        params: AudioParams,
    ) -> Result<(), ErrorObject> {
        let Audio { data, sample_rate, num_channels } = params.audio;
        if (sample_rate, num_channels) != (RATE, 1) {
            return Err(ErrorObject::invalid(format!(
                "audio of {sample_rate} Hz with {num_channels} channels is not supported; send one \
                 channel of {RATE} Hz, 16-bit little-endian"
            )));
        }
        let bytes = STANDARD
            .decode(data)
            .map_err(|error| ErrorObject::invalid(format!("audio.data is not base64: {error}")))?;
        let pcm = Pcm(bytes);
        if !pcm.0.len().is_multiple_of(2) {
            return Err(ErrorObject::invalid("audio.data ends in half a sample"));
        }
        if pcm.ms() > AUDIO_MS_MAX {
            return Err(ErrorObject::invalid(format!(
                "audio.data holds {} ms; send at most {AUDIO_MS_MAX} ms at a time",
                pcm.ms()
            )));
        }
        let thread = params.thread_id;
        self.tell_model(id, thread, Op::RealtimeAudio { thread, pcm })
    }

    pub(super) fn append_text(
        &mut self,
        id: &RequestId,
        params: TextParams,
    ) -> Result<(), ErrorObject> {
        let TextParams { thread_id: thread, text } = params;
        self.tell_model(id, thread, Op::RealtimeText { thread, text })
    }

    pub(super) fn append_speech(
        &mut self,
        id: &RequestId,
        params: TextParams,
    ) -> Result<(), ErrorObject> {
        let TextParams { thread_id: thread, text } = params;
        self.tell_model(id, thread, Op::RealtimeSpeech { thread, text })
    }

    /// Stopping what is not there is done already.
    pub(super) fn stop_voice(
        &mut self,
        id: &RequestId,
        thread: ThreadId,
    ) -> Result<(), ErrorObject> {
        let host = self.loaded(thread)?.host;
        if self.has_voice(thread) {
            let op = self.send(host, Op::RealtimeStop { thread });
            self.recent.push(op, thread, Topic::Voice);
        }
        self.answer(id, json!({}));
        Ok(())
    }

    fn tell_model(&mut self, id: &RequestId, thread: ThreadId, op: Op) -> Result<(), ErrorObject> {
        let host = self.loaded(thread)?.host;
        if !self.has_voice(thread) {
            return Err(ErrorObject::invalid(
                "conversation is not running; start one with `thread/realtime/start`",
            ));
        }
        let op = self.send(host, op);
        self.recent.push(op, thread, Topic::Voice);
        self.answer(id, json!({}));
        Ok(())
    }

    pub(super) fn list_voices(&mut self, id: &RequestId) {
        let [v1, v2] = [RealtimeVersion::V1, RealtimeVersion::V2];
        let voices = json!({
            "v1": v1.voices(),
            "v2": v2.voices(),
            "defaultV1": v1.default_voice(),
            "defaultV2": v2.default_voice(),
        });
        self.answer(id, json!({ "voices": voices }));
    }

    /// The engine has taken the op before this one.
    pub(super) fn voice_begun(&mut self, thread: ThreadId, op: OpId) {
        let start = OpId(op.0.saturating_sub(1));
        let is_waiting = matches!(self.pending.get(&start), Some(Pending::Voice { .. }));
        if is_waiting && let Some(state) = self.threads.get_mut(&thread) {
            state.voice_begun += 1;
            self.voice_taken(start);
        }
    }

    fn voice_taken(&mut self, start: OpId) {
        if let Some(Pending::Voice { request, .. }) = self.pending.remove(&start) {
            self.answer(&request, json!({}));
        }
    }

    pub(super) fn realtime(&mut self, event: &RealtimeEvent) {
        let RealtimeEvent { thread, attempt, news } = event;
        let (thread, attempt) = (*thread, *attempt);
        let Some(state) = self.threads.get_mut(&thread) else { return };
        let is_new = attempt > state.voice_begun;
        state.voice_begun = state.voice_begun.max(attempt);
        match news {
            RealtimeNews::Started { .. } => state.voice_started = attempt,
            RealtimeNews::Closed { .. } => state.voice_ended = state.voice_ended.max(attempt),
            // Without a `Started` before, nothing more follows.
            RealtimeNews::Error { .. } if state.voice_started < attempt => {
                state.voice_ended = state.voice_ended.max(attempt);
            }
            _ => {}
        }
        if is_new && let Some(start) = self.waits_for_voice(thread) {
            self.voice_taken(start);
        }
        self.tell_voice(thread, news);
    }

    /// Whether there is a conversation to talk to, or may be one soon.
    fn has_voice(&self, thread: ThreadId) -> bool {
        let is_there =
            self.threads.get(&thread).is_some_and(|state| state.voice_begun > state.voice_ended);
        is_there || self.waits_for_voice(thread).is_some()
    }

    fn waits_for_voice(&self, thread: ThreadId) -> Option<OpId> {
        let waits = |pending: &Pending| matches!(pending, Pending::Voice { thread: waiting, .. } if *waiting == thread);
        self.pending.iter().find(|(_, pending)| waits(pending)).map(|(op, _)| *op)
    }

    fn tell_voice(&mut self, thread: ThreadId, news: &RealtimeNews) {
        match news {
            RealtimeNews::Answer { sdp } => {
                let params = json!({ "threadId": thread, "sdp": sdp });
                self.notify("thread/realtime/sdp", params);
            }
            RealtimeNews::Audio { pcm, item_id } => {
                let audio = json!({
                    "data": STANDARD.encode(&pcm.0),
                    "sampleRate": RATE,
                    "numChannels": 1,
                    "samplesPerChannel": pcm.0.len() / 2,
                    "itemId": item_id,
                });
                let params = json!({ "threadId": thread, "audio": audio });
                self.notify("thread/realtime/outputAudio/delta", params);
            }
            RealtimeNews::Closed { reason } => {
                let params = json!({ "threadId": thread, "reason": reason.as_str() });
                self.notify("thread/realtime/closed", params);
            }
            RealtimeNews::Dropped { ms } => {
                let message =
                    format!("{ms} ms of audio were dropped because they had waited too long");
                self.warn(Some(thread), &message);
            }
            RealtimeNews::Error { message, hint } => {
                self.voice_error(thread, &with_hint(message, hint.as_deref()));
            }
            RealtimeNews::Item(item) => {
                let params = json!({ "threadId": thread, "item": item });
                self.notify("thread/realtime/itemAdded", params);
            }
            RealtimeNews::Started { session_id, version } => {
                let params = json!({
                    "threadId": thread, "realtimeSessionId": session_id, "version": version.as_str()
                });
                self.notify("thread/realtime/started", params);
            }
            RealtimeNews::TranscriptDelta { role, delta, .. } => {
                let params = json!({ "threadId": thread, "role": role.as_str(), "delta": delta });
                self.notify("thread/realtime/transcript/delta", params);
            }
            RealtimeNews::TranscriptDone { role, text, .. } => {
                let params = json!({ "threadId": thread, "role": role.as_str(), "text": text });
                self.notify("thread/realtime/transcript/done", params);
            }
            // Our own devices and status lines; what programs want of the rest comes as an item.
            RealtimeNews::Device { .. }
            | RealtimeNews::Levels { .. }
            | RealtimeNews::Muted(_)
            | RealtimeNews::Phase(_)
            | RealtimeNews::SpeechStarted => {}
        }
    }

    pub(super) fn voice_error(&mut self, thread: ThreadId, message: &str) {
        let params = json!({ "threadId": thread, "message": message });
        self.notify("thread/realtime/error", params);
    }
}

/// A refusal with what to do about it.
pub(super) fn refusal(why: &Refused) -> String {
    match why {
        Refused::Realtime { why, hint } => with_hint(why, hint.as_deref()),
        other => other.to_string(),
    }
}

fn with_hint(message: &str, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{message}; {hint}"),
        None => message.to_owned(),
    }
}
