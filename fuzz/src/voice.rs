//! A scene with a conversation by voice: the service does what a script says.

use codex_proto::{
    EffectId, EffectKind, Event, HostError, HostErrorKind, Op, Reply, Settings,
    effect::{AudioNews, ChannelNews, HttpHead, LinkState, Pcm, SocketMessage},
    realtime::{RealtimeNews, RealtimeStart, RealtimeTransport, RealtimeVersion},
};
use serde_json::{Value, json};

use crate::scene::{Scene, head, message, response};

/// An offer of a peer, and an answer to it.
pub const OFFER: &str = "v=0\r\ns=-\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 \
                         opus/48000/2\r\na=sendrecv\r\n";
/// See [`OFFER`].
pub const ANSWER: &str =
    "v=0\r\ns=-\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0 8\r\na=rtpmap:111 opus/48000/2\r\n";

/// See the module's documentation.
pub struct Voice {
    /// The engine and its host.
    pub scene: Scene,
    version: RealtimeVersion,
    texts: u32,
    pcm: u64,
    events: u32,
}

impl Voice {
    /// A thread without a conversation, where voice is on.
    #[must_use]
    pub fn new(version: RealtimeVersion, edit: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings { ephemeral: true, ..Settings::sample("/w".into()) };
        settings.features.insert("realtime_conversation".into(), true);
        settings.realtime.version = version;
        edit(&mut settings);
        let scene = Scene::with(settings).begun();
        Self { scene, version, texts: 0, pcm: 0, events: 0 }
    }

    /// Starts a conversation.
    pub fn start(&mut self, transport: RealtimeTransport, edit: impl FnOnce(&mut RealtimeStart)) {
        let mut start = RealtimeStart::new(self.scene.id(), transport);
        edit(&mut start);
        self.scene.op(Op::RealtimeStart(Box::new(start)));
    }

    /// Starts a conversation with a client's peer.
    pub fn start_client(&mut self) {
        self.start(RealtimeTransport::WebRtcClient { offer: OFFER.into() }, |_| {});
    }

    /// Ends the conversation.
    pub fn stop(&mut self) {
        let thread = self.scene.id();
        self.scene.op(Op::RealtimeStop { thread });
    }

    /// Types a text that was never typed before.
    pub fn text(&mut self) {
        self.texts += 1;
        let (thread, text) = (self.scene.id(), format!("text {}", self.texts));
        self.scene.op(Op::RealtimeText { thread, text });
    }

    /// Says something to the agent that was never said before.
    pub fn prompt(&mut self) {
        self.texts += 1;
        let text = format!("prompt {}", self.texts);
        self.scene.prompt(&text);
    }

    /// Has a text spoken that never was before.
    pub fn speech(&mut self) {
        self.texts += 1;
        let (thread, text) = (self.scene.id(), format!("speech {}", self.texts));
        self.scene.op(Op::RealtimeSpeech { thread, text });
    }

    /// Mutes or opens the microphone.
    pub fn mute(&mut self, muted: bool) {
        let thread = self.scene.id();
        self.scene.op(Op::RealtimeMute { thread, muted });
    }

    /// 20 ms that no other audio is.
    pub fn pcm(&mut self) -> Pcm {
        self.pcm += 1;
        let mut bytes = vec![0; 20 * Pcm::BYTES_PER_MS];
        bytes[..8].copy_from_slice(&self.pcm.to_le_bytes());
        Pcm(bytes)
    }

    /// A client sends audio.
    pub fn audio(&mut self) {
        let (thread, pcm) = (self.scene.id(), self.pcm());
        self.scene.op(Op::RealtimeAudio { thread, pcm });
    }

    /// Our microphone captures audio, if it is open.
    pub fn captured(&mut self) {
        let pcm = self.pcm();
        self.answer("audio_open", [Reply::Audio(AudioNews::Captured(pcm))]);
    }

    /// The newest effect of a kind that may be answered so, and is not cancelled.
    #[must_use]
    pub fn open(&self, kind: &str, reply: &Reply) -> Option<EffectId> {
        let effects = self.scene.live.iter().rev();
        let mut fitting = effects.filter(|effect| {
            effect.kind.name() == kind
                && !self.scene.cancelled.contains(&effect.id)
                && self.scene.may(effect.id, reply)
        });
        // A socket that is being closed is not the one that is spoken over.
        fitting.find(|effect| !self.is_closing(effect.id)).map(|effect| effect.id)
    }

    fn is_closing(&self, id: EffectId) -> bool {
        self.scene.told.iter().any(|effect| match &effect.kind {
            EffectKind::Send(send) => send.socket == id && send.message == SocketMessage::Close,
            _ => false,
        })
    }

    /// Answers the newest effect of a kind, where that is possible. Whether it was.
    pub fn answer(&mut self, kind: &str, replies: impl IntoIterator<Item = Reply>) -> bool {
        let mut was = false;
        for reply in replies {
            if let Some(id) = self.open(kind, &reply) {
                self.scene.answer(id, [reply]);
                was = true;
            }
        }
        was
    }

    /// The call, if one is being created.
    #[must_use]
    pub fn call(&self) -> Option<EffectId> {
        let is_call = |kind: &EffectKind| matches!(kind, EffectKind::Http(request) if crate::check::is_call(request));
        let calls = self.scene.live.iter().rev();
        let mut open = calls.filter(|e| is_call(&e.kind) && !self.scene.cancelled.contains(&e.id));
        open.next().map(|effect| effect.id)
    }

    fn tell_call(&mut self, replies: impl IntoIterator<Item = Reply>) {
        for reply in replies {
            if let Some(id) = self.call().filter(|id| self.scene.may(*id, &reply)) {
                self.scene.answer(id, [reply]);
            }
        }
    }

    /// The call's head comes.
    pub fn call_head(&mut self) {
        let headers = vec![("location".into(), "/v1/realtime/calls/rtc_1".into())];
        self.tell_call([Reply::Head(Box::new(HttpHead { status: 201, headers }))]);
    }

    /// The call's answer comes.
    pub fn call_answer(&mut self) {
        self.tell_call([Reply::Bytes(ANSWER.into()), Reply::Closed]);
    }

    /// The call is created.
    pub fn call_ok(&mut self) {
        self.call_head();
        self.call_answer();
    }

    /// The call is refused.
    pub fn call_refused(&mut self, status: u16) {
        self.tell_call([head(status), Reply::Closed]);
    }

    /// Our own peer makes its offer.
    pub fn offer(&mut self) {
        self.answer("rtc_open", [Reply::Offer(OFFER.into())]);
    }

    /// The socket opens.
    pub fn join(&mut self) {
        self.answer("socket", [Reply::Opened]);
    }

    /// The socket is declined.
    pub fn join_refused(&mut self, status: u16) {
        self.answer("socket", [head(status), Reply::Closed]);
    }

    /// The socket breaks, or cannot be opened.
    pub fn socket_fails(&mut self) {
        let error = HostError::new(HostErrorKind::Disconnected, "cut");
        self.answer("socket", [Reply::Failed(error)]);
    }

    /// The service closes the socket.
    pub fn socket_closes(&mut self) {
        self.answer("socket", [Reply::Closed]);
    }

    /// Media is up.
    pub fn media_up(&mut self) {
        self.answer("rtc_open", [Reply::Link(LinkState::Connected), Reply::Link(LinkState::Up)]);
    }

    /// The data channel opens.
    pub fn channel_opens(&mut self) {
        self.answer("rtc_open", [Reply::Channel(ChannelNews::Open)]);
    }

    /// The data channel closes.
    pub fn channel_closes(&mut self) {
        self.answer("rtc_open", [Reply::Channel(ChannelNews::Closed)]);
    }

    /// The service says something over the socket.
    pub fn says(&mut self, value: &Value) {
        self.answer("socket", [Reply::Bytes(value.to_string().into_bytes())]);
    }

    /// The service says something over both lines, with a number.
    pub fn says_twice(&mut self, mut value: Value) {
        self.events += 1;
        value["event_id"] = format!("event_{}", self.events).into();
        let bytes = value.to_string().into_bytes();
        self.answer("rtc_open", [Reply::Channel(ChannelNews::Text(bytes.clone()))]);
        self.answer("socket", [Reply::Bytes(bytes)]);
    }

    /// The session is as asked.
    pub fn updated(&mut self) {
        self.says(&json!({ "type": "session.updated", "session": { "id": "s" } }));
    }

    /// The model hands work to the agent, in the words of its version.
    #[must_use]
    pub fn delegation(&self, id: &str, input: &str) -> Value {
        match self.version {
            RealtimeVersion::V1 => json!({ "type": "conversation.handoff.requested",
                "handoff_id": id, "item_id": id, "input_transcript": input }),
            RealtimeVersion::V2 => json!({ "type": "conversation.item.done", "item": {
                "type": "function_call", "id": format!("item_{id}"), "call_id": id,
                "name": "background_agent",
                "arguments": json!({ "prompt": input }).to_string() } }),
            RealtimeVersion::V3 => json!({ "type": "delegation.created", "item": {
                "type": "delegation", "target": "client", "id": id,
                "content": [{ "type": "input_text", "text": input }] } }),
        }
    }

    /// The person says something, in the words of the version.
    #[must_use]
    pub fn transcript(&self, item: &str, text: &str) -> Value {
        match self.version {
            RealtimeVersion::V1 | RealtimeVersion::V2 => json!({
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": item, "transcript": text }),
            RealtimeVersion::V3 => {
                json!({ "type": "turn.done", "turn": { "role": "user", "transcript": text } })
            }
        }
    }

    /// The agent answers its oldest request with these words.
    pub fn agent_says(&mut self, text: &str) {
        let requests = self.scene.live.iter().filter(|effect| match &effect.kind {
            EffectKind::Http(request) => !crate::check::is_call(request),
            _ => false,
        });
        let mut open = requests.filter(|effect| self.scene.may(effect.id, &head(200)));
        if let Some(id) = open.next().map(|effect| effect.id) {
            let body = response(&[message(text)]);
            self.scene.answer(id, [head(200), Reply::Bytes(body), Reply::Closed]);
        }
    }

    /// The adapters have passed on everything that they were given for the newest lines.
    pub fn all_sent(&mut self) {
        for (kind, of) in [("socket", false), ("rtc_open", true)] {
            let count = |effect: &codex_proto::Effect, id| match &effect.kind {
                EffectKind::RtcSend(send) => of && send.rtc == id,
                EffectKind::Send(send) => {
                    !of && send.socket == id && send.message != SocketMessage::Close
                }
                _ => false,
            };
            let reply = Reply::Sent { messages: 0 };
            let Some(id) = self.open(kind, &reply) else { continue };
            let messages = self.scene.told.iter().filter(|effect| count(effect, id)).count();
            let messages = u32::try_from(messages).unwrap_or(u32::MAX);
            self.scene.answer(id, [Reply::Sent { messages }]);
        }
    }

    /// Everything that was told of conversations.
    #[must_use]
    pub fn news(&self) -> Vec<&RealtimeNews> {
        let events = self.scene.events.iter().filter_map(|event| match event {
            Event::Realtime(event) => Some(&event.news),
            _ => None,
        });
        events.collect()
    }

    /// Every text that was sent, over either line.
    #[must_use]
    pub fn sent(&self) -> Vec<Value> {
        let text = |effect: &codex_proto::Effect| match &effect.kind {
            EffectKind::RtcSend(send) => serde_json::from_str(&send.text).ok(),
            EffectKind::Send(send) => match &send.message {
                SocketMessage::Text(text) => serde_json::from_str(text).ok(),
                SocketMessage::Audio { .. } | SocketMessage::Close => None,
            },
            _ => None,
        };
        self.scene.told.iter().filter_map(text).collect()
    }

    /// The types of those texts.
    #[must_use]
    pub fn sent_types(&self) -> Vec<String> {
        let kind = |value: Value| value["type"].as_str().unwrap_or_default().to_owned();
        self.sent().into_iter().map(kind).collect()
    }

    /// Ends everything, and looks whether anything is left.
    ///
    /// # Panics
    /// When something is.
    pub fn finish(mut self) -> Self {
        self.stop();
        self.scene.settle();
        self.scene.stop();
        self.scene.settle();
        assert_eq!(self.scene.engine.inflight(), 0, "effects are left");
        assert_eq!(self.scene.engine.deadline(), None, "something is waited for");
        self
    }
}
