//! Realtime voice: what a front end asks, what it is told, and what is configured. The wire forms
//! are in [`crate::wire::realtime`].

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    effect::{AudioDevice, AudioDevices, Pcm},
    id::ThreadId,
};

/// Which dialect of the realtime service is spoken. V2 is the public one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RealtimeVersion {
    /// The first one, with `quicksilver` sessions.
    V1,
    /// General availability: documented by the service's provider.
    #[default]
    V2,
    /// Frameless, with `delegation` items.
    V3,
}

impl RealtimeVersion {
    /// The name in `config.toml` and on the app-server's wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V3 => "v3",
        }
    }
}

/// `[realtime]`, `[audio]` and the `experimental_realtime_*` keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RealtimeSettings {
    /// `realtime.version`.
    pub version: RealtimeVersion,
    /// `realtime.type = "transcription"`: listen and write down, never speak.
    pub transcription: bool,
    /// `realtime.transport = "websocket"`: audio over the socket instead of WebRTC.
    pub websocket: bool,
    /// `realtime.voice`; `None` takes the version's default.
    pub voice: Option<String>,
    /// `audio.microphone`, `audio.speaker`.
    pub devices: AudioDevices,
    /// `experimental_realtime_ws_base_url`: where sockets go.
    pub socket_base_url: Option<String>,
    /// `experimental_realtime_webrtc_call_base_url`: where calls are created.
    pub call_base_url: Option<String>,
    /// `experimental_realtime_ws_model`; `None` takes the version's default.
    pub model: Option<String>,
    /// `experimental_realtime_ws_backend_prompt`: replaces the built-in instructions.
    pub prompt: Option<String>,
    /// `experimental_realtime_ws_startup_context`: replaces the context; empty sends none.
    pub startup_context: Option<String>,
    /// `experimental_realtime_start_instructions`: told to the agent when voice starts.
    pub start_instructions: Option<String>,
}

/// A conversation to start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealtimeStart {
    /// On which thread; a running conversation of it is closed first.
    pub thread: ThreadId,
    /// How audio travels.
    pub transport: RealtimeTransport,
    /// Whether the model writes instead of speaking (V2 only).
    pub text_output: bool,
    /// Overrides the configured version.
    pub version: Option<RealtimeVersion>,
    /// Overrides the configured model.
    pub model: Option<String>,
    /// Overrides the configured voice.
    pub voice: Option<String>,
    /// Instructions.
    pub prompt: RealtimePrompt,
    /// The id of the realtime session; `None` takes the thread's.
    pub session_id: Option<String>,
    /// Whether the startup context is added to the instructions.
    pub startup_context: bool,
    /// Items of an earlier conversation (V3 only).
    pub initial_items: Vec<RealtimeItem>,
    /// What becomes of the agent's words.
    pub handoff: HandoffOptions,
    /// Told to the agent when voice starts, instead of the configured text.
    pub start_instructions: Option<String>,
    /// Told to the agent when voice has ended.
    pub end_instructions: Option<String>,
    /// What our own microphone does at first; without meaning for a client's audio.
    pub muted: bool,
}

impl RealtimeStart {
    /// A conversation as configured.
    #[must_use]
    pub fn new(thread: ThreadId, transport: RealtimeTransport) -> Self {
        Self {
            thread,
            transport,
            text_output: false,
            version: None,
            model: None,
            voice: None,
            prompt: RealtimePrompt::Default,
            session_id: None,
            startup_context: true,
            initial_items: Vec::new(),
            handoff: HandoffOptions::default(),
            start_instructions: None,
            end_instructions: None,
            muted: false,
        }
    }
}

/// How audio travels, and whose microphone and speaker it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RealtimeTransport {
    /// WebRTC by a peer of ours, with our devices.
    WebRtc,
    /// WebRTC by the client's peer: this is its offer, [`RealtimeNews::Answer`] the answer.
    WebRtcClient {
        /// The session description.
        offer: String,
    },
    /// Over the socket, with our devices.
    WebSocket,
    /// Over the socket; the client sends `Op::RealtimeAudio` and plays [`RealtimeNews::Audio`].
    WebSocketClient,
}

// A session description holds the credentials of the media session.
impl std::fmt::Debug for RealtimeTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::WebRtc => "WebRtc",
            Self::WebRtcClient { .. } => "WebRtcClient",
            Self::WebSocket => "WebSocket",
            Self::WebSocketClient => "WebSocketClient",
        })
    }
}

/// Instructions for the realtime model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RealtimePrompt {
    /// The configured ones, else the built-in ones.
    #[default]
    Default,
    /// None.
    Empty,
    /// These, unless some are configured.
    Text(String),
}

/// An item of an earlier conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RealtimeItem {
    /// Who spoke.
    pub role: RealtimeRole,
    /// What was said.
    pub text: String,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RealtimeRole {
    /// The realtime model.
    Assistant,
    /// The person.
    User,
}

impl RealtimeRole {
    /// The wire name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assistant => "assistant",
            Self::User => "user",
        }
    }
}

/// What becomes of the agent's words while a conversation lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoffOptions {
    /// `clientManagedHandoffs`: nothing is sent by itself.
    pub client_managed: bool,
    /// `codexResponsesAsItems`: as developer messages.
    pub as_items: bool,
    /// `codexResponseItemPrefix`.
    pub item_prefix: Option<String>,
    /// `codexResponseHandoffMode` (V3).
    pub mode: HandoffMode,
    /// `codexResponseHandoffChannelPrefixes` (V3, `bemTags`).
    pub channel_prefixes: Option<ChannelPrefixes>,
    /// `delegationAckFiller` (V3).
    pub ack_filler: Option<bool>,
    /// `flushTranscriptTailOnSessionEnd`.
    pub flush_tail: bool,
}

/// `codexResponseHandoffMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HandoffMode {
    /// A prefix of the text names the channel.
    BemTags,
    /// All of it is commentary.
    Commentary,
    /// No channel.
    #[default]
    Thinking,
}

/// Prefixes that name channels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChannelPrefixes {
    /// Of commentary.
    pub commentary: Vec<String>,
    /// Of what is spoken.
    pub speakable: Vec<String>,
}

/// Something that happened in a conversation.
///
/// Order per attempt: `Started Answer? (anything else)* Error? Closed`; `Error` alone when it could
/// not be started, and `Closed` alone when it was stopped before. Nothing of an attempt follows the
/// first event of a later one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealtimeEvent {
    /// Whose.
    pub thread: ThreadId,
    /// Counts the conversations of a thread from 1.
    pub attempt: u32,
    /// What.
    pub news: RealtimeNews,
}

/// What can happen in a conversation.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RealtimeNews {
    /// The answer to the client's offer.
    Answer {
        /// The session description.
        sdp: String,
    },
    /// Audio for the client to play (`WebSocketClient`).
    Audio {
        /// Samples.
        pcm: Pcm,
        /// The item it belongs to.
        item_id: Option<String>,
    },
    /// The end; nothing follows.
    Closed {
        /// Why.
        reason: RealtimeClosed,
    },
    /// A device of ours cannot be used; the conversation goes on without it.
    Device {
        /// Which.
        device: AudioDevice,
        /// Why, in one sentence.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Input was lost because it waited too long.
    Dropped {
        /// In milliseconds of audio.
        ms: u64,
    },
    /// Something failed. Whether it ends the conversation is told by `Closed`.
    Error {
        /// One sentence.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// An item that programs may want: speech began, a response was cancelled, an item was added, or
    /// work was handed to the agent. As on the wire.
    Item(Value),
    /// Peaks, `0..=32767`; at most ten a second.
    Levels {
        /// What our microphone hears.
        microphone: u16,
        /// What our speaker plays.
        speaker: u16,
    },
    /// Our microphone was muted or opened.
    Muted(bool),
    /// For status lines.
    Phase(RealtimePhase),
    /// The person began to speak.
    SpeechStarted,
    /// A conversation exists.
    Started {
        /// The realtime session id, as requested.
        session_id: String,
        /// The dialect.
        version: RealtimeVersion,
    },
    /// A transcript grew.
    TranscriptDelta {
        /// Who speaks.
        role: RealtimeRole,
        /// Which item; unique per attempt.
        item: String,
        /// Appended.
        delta: String,
    },
    /// A transcript is final; replaces its deltas.
    TranscriptDone {
        /// Who spoke.
        role: RealtimeRole,
        /// Which item.
        item: String,
        /// All of it.
        text: String,
    },
}

// Words and session descriptions are not for traces.
impl std::fmt::Debug for RealtimeNews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answer { .. } => f.write_str("Answer"),
            Self::Audio { pcm, .. } => write!(f, "Audio({pcm:?})"),
            Self::Closed { reason } => write!(f, "Closed({reason:?})"),
            Self::Device { device, message, .. } => write!(f, "Device({device:?}: {message})"),
            Self::Dropped { ms } => write!(f, "Dropped({ms} ms)"),
            Self::Error { message, .. } => write!(f, "Error({message})"),
            Self::Item(_) => f.write_str("Item"),
            Self::Levels { .. } => f.write_str("Levels"),
            Self::Muted(muted) => write!(f, "Muted({muted})"),
            Self::Phase(phase) => write!(f, "Phase({phase:?})"),
            Self::SpeechStarted => f.write_str("SpeechStarted"),
            Self::Started { version, .. } => write!(f, "Started({version:?})"),
            Self::TranscriptDelta { role, .. } => write!(f, "TranscriptDelta({role:?})"),
            Self::TranscriptDone { role, .. } => write!(f, "TranscriptDone({role:?})"),
        }
    }
}

/// Where a conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RealtimePhase {
    /// The call is being created, or the socket opened.
    Connecting,
    /// The service has the session as asked; text flows.
    Controlled,
    /// Media flows.
    MediaUp,
    /// Nothing comes from the peer.
    MediaLost,
    /// It is being closed.
    Closing,
}

/// Why a conversation has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RealtimeClosed {
    /// It failed; an `Error` came before.
    Error,
    /// Another one was started.
    Replaced,
    /// The front end asked for it, or the thread stopped.
    Requested,
    /// The service ended it.
    TransportClosed,
}

impl RealtimeClosed {
    /// The wire name; a replaced conversation was closed by request.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Replaced | Self::Requested => "requested",
            Self::TransportClosed => "transport_closed",
        }
    }
}
