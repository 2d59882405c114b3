//! Conversations by voice: the call, the sideband and the media have lifelines of their own.
//!
//! - The call is the request that creates it, and connections made ahead for it.
//! - The sideband is the socket, and connections made ahead for it. A message is an arrow with its
//!   `type`; pieces of words and sound are counted like those of a stream.
//! - The media are our peer with its data channel, or our microphone and speaker. A client's own peer
//!   is not seen: its offer comes with the start, its answer goes to the user.

use codex_proto::{
    Effect, EffectId, EffectKind, Op, Reply,
    approval::ApprovalAnswer,
    effect::{AudioNews, ChannelNews, LinkState, PreconnectPurpose, SocketMessage},
    id::ApprovalId,
    realtime::{RealtimeNews, RealtimePhase, RealtimeTransport},
};
use serde::Deserialize;

use super::{Cause, Lifeline, Mood, Teller, What, asked::path_of};
use crate::debug::timeline::text::{count, one_line};

/// Whether a request creates a call.
pub(super) fn is_call(url: &str) -> bool {
    let path = path_of(url);
    path.ends_with("/realtime/calls") || path.ends_with("/live")
}

/// Whether an op only asks whether the engine is there yet: it answers a question that nobody
/// asked, and is refused.
pub(super) fn is_echo(op: &Op) -> bool {
    let nothing = ApprovalAnswer::Deny { feedback: None };
    matches!(op, Op::Approve { id: ApprovalId(u32::MAX), answer, .. } if *answer == nothing)
}

impl Teller {
    pub(super) fn voice_op(&mut self, op: &Op) {
        match op {
            Op::RealtimeAudio { .. } => self.ask(Mood::Faint, "audio"),
            Op::RealtimeMute { muted, .. } => {
                self.ask(Mood::Plain, if *muted { "mute" } else { "unmute" });
            }
            Op::RealtimePrepare { .. } => self.ask(Mood::Faint, "prepare voice"),
            Op::RealtimeSpeech { text, .. } => self.ask(Mood::Plain, format!("speak “{text}”")),
            Op::RealtimeStart(start) => {
                self.count("conversation", 1);
                let how = match start.transport {
                    RealtimeTransport::WebRtc => "",
                    RealtimeTransport::WebRtcClient { .. } => " (offer)",
                    RealtimeTransport::WebSocket | RealtimeTransport::WebSocketClient => {
                        " over the socket"
                    }
                };
                self.ask(Mood::Strong, format!("start voice{how}"));
            }
            Op::RealtimeStop { .. } => self.ask(Mood::Strong, "stop voice"),
            Op::RealtimeText { text, .. } => self.ask(Mood::Plain, format!("type “{text}”")),
            _ => {}
        }
    }

    pub(super) fn voice_effect(&mut self, effect: &Effect) {
        use Lifeline::{Call, Engine, Media, Sideband};
        let id = effect.id;
        match &effect.kind {
            EffectKind::AudioOpen(_) => {
                self.start(id, Media, What::Other, "open microphone and speaker".into(), "");
            }
            EffectKind::AudioPlay(_) => {
                self.arrow(Engine, Media, Mood::Faint, "play");
            }
            EffectKind::Microphone { state, .. } => {
                let state = format!("{state:?}").to_lowercase();
                self.arrow(Engine, Media, Mood::Plain, format!("microphone {state}"));
            }
            EffectKind::PlaybackClear { .. } => {
                self.arrow(Engine, Media, Mood::Plain, "clear playback");
            }
            EffectKind::Preconnect(connect) => {
                let (lifeline, name) = match connect.purpose {
                    PreconnectPurpose::Http => (Call, "connect ahead"),
                    PreconnectPurpose::Socket => (Sideband, "connect ahead"),
                };
                self.start(id, lifeline, What::Other, name.into(), "");
            }
            EffectKind::RtcAnswer(_) => {
                self.arrow(Engine, Media, Mood::Strong, "SDP answer");
            }
            EffectKind::RtcOpen(_) => self.start(id, Media, What::Other, "make a peer".into(), ""),
            EffectKind::RtcSend(send) => {
                self.arrow(Engine, Media, Mood::Plain, kind_of(send.text.as_bytes()));
            }
            EffectKind::Send(send) => {
                let (mood, text) = match &send.message {
                    SocketMessage::Audio { .. } => (Mood::Faint, "audio".to_owned()),
                    SocketMessage::Close => (Mood::Plain, "close".to_owned()),
                    SocketMessage::Text(text) => (Mood::Plain, kind_of(text.as_bytes())),
                };
                self.arrow(Engine, Sideband, mood, text);
            }
            EffectKind::Socket(socket) => {
                let name = format!("join {}", path_of(&socket.url));
                self.start(id, Sideband, What::Other, name, "");
            }
            _ => {}
        }
    }

    /// A reply of a socket, a peer or devices; false when it is told as those of other effects.
    pub(super) fn voice_reply(&mut self, id: EffectId, reply: &Reply) -> bool {
        let Some(lifeline) = self.open.get(&id).map(|open| open.lifeline) else { return false };
        let mut tell = |mood, text: &str| {
            self.arrow(lifeline, Lifeline::Engine, mood, text);
        };
        match reply {
            Reply::Audio(AudioNews::Device { error, .. }) => tell(Mood::Bad, &error.to_string()),
            Reply::Audio(_) | Reply::Sent { .. } => {}
            Reply::Bytes(message) if lifeline == Lifeline::Sideband => self.message(id, message),
            Reply::Channel(ChannelNews::Closed) => tell(Mood::Plain, "data channel closed"),
            Reply::Channel(ChannelNews::Open) => tell(Mood::Strong, "data channel open"),
            Reply::Channel(ChannelNews::Text(message)) => self.message(id, message),
            Reply::Link(LinkState::Connected) => tell(Mood::Plain, "path found"),
            Reply::Link(LinkState::Lost) => tell(Mood::Bad, "nothing comes any more"),
            Reply::Link(LinkState::Up) => tell(Mood::Strong, "media up"),
            Reply::Offer(_) => tell(Mood::Plain, "SDP offer"),
            Reply::Opened if lifeline == Lifeline::Sideband => tell(Mood::Strong, "joined"),
            Reply::Opened if lifeline == Lifeline::Media => tell(Mood::Plain, "open"),
            _ => return false,
        }
        true
    }

    /// A message of the service.
    fn message(&mut self, id: EffectId, message: &[u8]) {
        let kind = kind_of(message);
        let is_piece = kind.ends_with(".delta") || kind.ends_with(".added");
        let Some(open) = self.open.get_mut(&id) else { return };
        open.bytes += message.len() as u64;
        if is_piece {
            open.pieces += 1;
            self.cause = Some(Cause::Pieces(id));
            return;
        }
        let lifeline = open.lifeline;
        // What was counted comes before what follows it.
        self.flush(id);
        if let Some(open) = self.open.get_mut(&id) {
            open.bytes = 0;
        }
        self.arrow(lifeline, Lifeline::Engine, Mood::Plain, kind);
    }

    pub(super) fn voice_news(&mut self, news: &RealtimeNews) {
        let (mood, text) = match news {
            RealtimeNews::Answer { .. } => (Mood::Strong, "SDP answer".to_owned()),
            RealtimeNews::Closed { reason } => {
                (Mood::Strong, format!("voice closed: {}", reason.as_str()))
            }
            RealtimeNews::Device { message, .. } | RealtimeNews::Error { message, .. } => {
                (Mood::Bad, message.clone())
            }
            RealtimeNews::Dropped { ms } => (Mood::Bad, format!("{ms} ms of audio dropped")),
            RealtimeNews::Muted(true) => (Mood::Faint, "muted".to_owned()),
            RealtimeNews::Muted(false) => (Mood::Faint, "microphone on".to_owned()),
            RealtimeNews::Phase(phase) => {
                let text = match phase {
                    RealtimePhase::Closing => "voice closing",
                    RealtimePhase::Connecting => "voice connecting",
                    RealtimePhase::Controlled => "voice session ready",
                    RealtimePhase::MediaLost => "voice media lost",
                    RealtimePhase::MediaUp => "voice media up",
                };
                (Mood::Plain, text.to_owned())
            }
            RealtimeNews::SpeechStarted => (Mood::Faint, "you speak".to_owned()),
            RealtimeNews::Started { version, .. } => {
                (Mood::Strong, format!("voice started, {}", version.as_str()))
            }
            RealtimeNews::TranscriptDone { role, text, .. } => {
                (Mood::Plain, format!("{}: “{}”", role.as_str(), one_line(text)))
            }
            RealtimeNews::Item(item) if item["type"] == "handoff_request" => {
                (Mood::Strong, "handed to the agent".to_owned())
            }
            RealtimeNews::Audio { .. }
            | RealtimeNews::Item(_)
            | RealtimeNews::Levels { .. }
            | RealtimeNews::TranscriptDelta { .. } => return,
        };
        self.tell(mood, text);
    }
}

/// What a message is, by its `type`.
fn kind_of(message: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Message {
        r#type: String,
    }
    match serde_json::from_slice::<Message>(message) {
        Ok(message) => message.r#type,
        Err(_) => format!("a message of {}", count(message.len() as u64, "byte")),
    }
}
