//! Messages from the service, in our own words. Unknown ones, and what is no JSON, mean nothing.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::Value;

use super::session::{BACKGROUND_AGENT, REMAIN_SILENT};
use crate::{
    effect::Pcm,
    realtime::{RealtimeRole, RealtimeVersion},
};

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct Inbound {
    /// The service's number of it: the same when it comes twice.
    pub event_id: Option<String>,
    /// What it says.
    pub event: ServerEvent,
}

/// What the service says.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerEvent {
    /// The model speaks.
    Audio(AudioOut),
    /// Work for the agent.
    Delegation(Delegation),
    /// Something went wrong. Most of it can be lived with; the session goes on.
    Error(ServerError),
    /// An item joined the conversation; as it came.
    ItemAdded(Value),
    /// An item is finished.
    ItemDone {
        /// Which.
        item_id: Option<String>,
    },
    /// The model chose to say nothing.
    Noop {
        /// The function call to answer.
        call_id: String,
    },
    /// A response was cancelled; as it came.
    ResponseCancelled(Value),
    /// A response has begun.
    ResponseCreated {
        /// Which.
        response_id: Option<String>,
    },
    /// A response has ended, whichever way.
    ResponseDone {
        /// Which.
        response_id: Option<String>,
    },
    /// The session is as it was asked to be.
    SessionUpdated,
    /// The person began to speak; as it came.
    SpeechStarted(Value),
    /// What somebody said, written down.
    Transcript {
        /// Who.
        role: RealtimeRole,
        /// Of which item, where the service says so.
        item_id: Option<String>,
        /// What.
        text: TranscriptText,
    },
}

/// A piece of a transcript, or all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TranscriptText {
    /// Appended.
    Delta(String),
    /// Replaces what came before.
    Done(String),
}

/// Samples of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioOut {
    /// 16-bit little-endian.
    pub pcm: Pcm,
    /// Samples a second.
    pub rate: u64,
    /// Channels, interleaved.
    pub channels: u64,
    /// The item that is spoken.
    pub item_id: Option<String>,
}

/// Work for the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// Its answer names this.
    pub id: String,
    /// The item.
    pub item_id: Option<String>,
    /// What is asked; may be blank.
    pub input: String,
}

/// An `error` event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    /// In the service's words.
    pub message: String,
    /// For programs.
    pub code: Option<String>,
}

impl ServerError {
    /// Whether a `response.create` came while a response was running. It is to be asked again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.code.as_deref() == Some("conversation_already_has_active_response")
            || self.message.starts_with("Conversation already has an active response in progress")
    }
}

/// Reads a message; `None` when it means nothing to us.
#[must_use]
pub fn parse(version: RealtimeVersion, text: &[u8]) -> Option<Inbound> {
    let value: Value = serde_json::from_slice(text).ok()?;
    let event_id = string(&value, "event_id");
    let kind = value.get("type")?.as_str()?.to_owned();
    let event = match version {
        RealtimeVersion::V1 => v1(&kind, value),
        RealtimeVersion::V2 => v2(&kind, value),
        RealtimeVersion::V3 => v3(&kind, value),
    }?;
    Some(Inbound { event_id, event })
}

fn v1(kind: &str, value: Value) -> Option<ServerEvent> {
    use RealtimeRole::{Assistant, User};
    match kind {
        "session.updated" => session_updated(&value),
        "conversation.output_audio.delta" => {
            let audio = value.get("delta").or_else(|| value.get("data"))?.as_str()?;
            let channels = value.get("channels").or_else(|| value.get("num_channels"))?.as_u64()?;
            let rate = value.get("sample_rate")?.as_u64()?;
            audio_out(audio, rate, channels, string(&value, "item_id"))
        }
        "conversation.input_transcript.delta"
        | "conversation.item.input_audio_transcription.delta" => delta(User, &value),
        "conversation.input_transcript.turn_marked"
        | "conversation.item.input_audio_transcription.completed" => done(User, &value),
        "conversation.output_transcript.delta"
        | "response.output_text.delta"
        | "response.output_audio_transcript.delta" => delta(Assistant, &value),
        "response.output_audio_transcript.done" => done(Assistant, &value),
        "conversation.item.added" => item_added(value),
        "conversation.item.done" => Some(item_done(&value)),
        "conversation.handoff.requested" => Some(ServerEvent::Delegation(Delegation {
            id: string(&value, "handoff_id")?,
            item_id: string(&value, "item_id"),
            input: string(&value, "input_transcript").unwrap_or_default(),
        })),
        "error" => Some(error(&value)),
        _ => None,
    }
}

fn v2(kind: &str, value: Value) -> Option<ServerEvent> {
    use RealtimeRole::{Assistant, User};
    match kind {
        "session.updated" => session_updated(&value),
        "response.output_audio.delta" | "response.audio.delta" => {
            let number =
                |key: &str, default| value.get(key).and_then(Value::as_u64).unwrap_or(default);
            let (rate, channels) = (number("sample_rate", 24_000), number("channels", 1));
            audio_out(value.get("delta")?.as_str()?, rate, channels, string(&value, "item_id"))
        }
        "conversation.item.input_audio_transcription.delta" => delta(User, &value),
        "conversation.item.input_audio_transcription.completed" => done(User, &value),
        "response.output_text.delta" | "response.output_audio_transcript.delta" => {
            delta(Assistant, &value)
        }
        "response.output_text.done" | "response.output_audio_transcript.done" => {
            done(Assistant, &value)
        }
        "input_audio_buffer.speech_started" => Some(ServerEvent::SpeechStarted(value)),
        "conversation.item.added" | "conversation.item.created" => item_added(value),
        "conversation.item.done" => {
            let item = value.get("item")?;
            if item.get("type").and_then(Value::as_str) != Some("function_call") {
                return Some(item_done(&value));
            }
            let item_id = string(item, "id");
            let call_id = string(item, "call_id").or_else(|| item_id.clone())?;
            match item.get("name").and_then(Value::as_str) {
                Some(BACKGROUND_AGENT) => Some(ServerEvent::Delegation(Delegation {
                    id: call_id,
                    item_id,
                    input: arguments(item),
                })),
                Some(REMAIN_SILENT) => Some(ServerEvent::Noop { call_id }),
                _ => Some(item_done(&value)),
            }
        }
        "response.created" => {
            Some(ServerEvent::ResponseCreated { response_id: response_id(&value) })
        }
        "response.cancelled" => Some(ServerEvent::ResponseCancelled(value)),
        "response.done" => Some(ServerEvent::ResponseDone { response_id: response_id(&value) }),
        "error" => Some(error(&value)),
        _ => None,
    }
}

fn v3(kind: &str, value: Value) -> Option<ServerEvent> {
    use RealtimeRole::{Assistant, User};
    let added = |role| {
        let item = value.get("item")?;
        let text = TranscriptText::Delta(string(item, "text")?);
        Some(ServerEvent::Transcript { role, item_id: None, text })
    };
    match kind {
        "session.started" | "session.updated" => session_updated(&value),
        "output_audio.delta" => {
            audio_out(value.get("audio")?.as_str()?, 24_000, 1, string(&value, "item_id"))
        }
        "input_transcript.added" => added(User),
        "output_transcript.added" => added(Assistant),
        "turn.done" => {
            let turn = value.get("turn")?;
            let role = match turn.get("role")?.as_str()? {
                "user" => User,
                "assistant" => Assistant,
                _ => return None,
            };
            let text = TranscriptText::Done(string(turn, "transcript")?);
            Some(ServerEvent::Transcript { role, item_id: None, text })
        }
        "delegation.created" => {
            let item = value.get("item")?;
            let is = |key: &str, want: &str| item.get(key).and_then(Value::as_str) == Some(want);
            if !is("type", "delegation") || !is("target", "client") {
                return None;
            }
            let id = string(item, "id")?;
            let parts = item.get("content").and_then(Value::as_array);
            let texts = parts.into_iter().flatten().filter_map(|part| {
                let text = part.get("text").or_else(|| part.get("input_text"))?;
                text.as_str()
            });
            let input = texts.collect::<Vec<_>>().concat();
            Some(ServerEvent::Delegation(Delegation { item_id: Some(id.clone()), id, input }))
        }
        "error" => Some(error(&value)),
        _ => None,
    }
}

fn string(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn session_updated(value: &Value) -> Option<ServerEvent> {
    value.get("session")?.get("id")?.as_str()?;
    Some(ServerEvent::SessionUpdated)
}

fn audio_out(
    base64: &str,
    rate: u64,
    channels: u64,
    item_id: Option<String>,
) -> Option<ServerEvent> {
    /// Takes what an encoder may have left at the end.
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let pcm = Pcm(BASE64.decode(base64).ok()?);
    Some(ServerEvent::Audio(AudioOut { pcm, rate, channels, item_id }))
}

fn delta(role: RealtimeRole, value: &Value) -> Option<ServerEvent> {
    let text = TranscriptText::Delta(string(value, "delta")?);
    Some(ServerEvent::Transcript { role, item_id: string(value, "item_id"), text })
}

fn done(role: RealtimeRole, value: &Value) -> Option<ServerEvent> {
    let text = string(value, "transcript").or_else(|| string(value, "text"))?;
    let text = TranscriptText::Done(text);
    Some(ServerEvent::Transcript { role, item_id: string(value, "item_id"), text })
}

fn item_added(mut value: Value) -> Option<ServerEvent> {
    Some(ServerEvent::ItemAdded(value.get_mut("item")?.take()))
}

fn item_done(value: &Value) -> ServerEvent {
    let item_id = value.get("item").and_then(|item| string(item, "id"));
    ServerEvent::ItemDone { item_id: item_id.or_else(|| string(value, "item_id")) }
}

fn response_id(value: &Value) -> Option<String> {
    let of_response = value.get("response").and_then(|response| string(response, "id"));
    of_response.or_else(|| string(value, "response_id"))
}

/// What a function call asks for: the first argument that can be it, else the arguments as they
/// are.
fn arguments(item: &Value) -> String {
    const NAMES: [&str; 5] = ["input_transcript", "input", "text", "prompt", "query"];
    let raw = string(item, "arguments").unwrap_or_default();
    let parsed: Value = serde_json::from_str(&raw).unwrap_or_default();
    let named = NAMES.iter().find_map(|name| {
        let text = parsed.get(name)?.as_str()?;
        (!text.trim().is_empty()).then(|| text.to_owned())
    });
    match named {
        Some(text) => text,
        None if parsed.as_object().is_some_and(is_blank) => String::new(),
        None => raw,
    }
}

fn is_blank(arguments: &serde_json::Map<String, Value>) -> bool {
    arguments.values().all(|value| value.as_str().is_some_and(|text| text.trim().is_empty()))
}

fn error(value: &Value) -> ServerEvent {
    let error = value.get("error");
    let of_error = |key: &str| error.and_then(|error| string(error, key));
    let message = string(value, "message")
        .or_else(|| of_error("message"))
        .or_else(|| error.map(Value::to_string))
        .unwrap_or_else(|| "the service reported an error without a message".into());
    let code = of_error("code").or_else(|| string(value, "code"));
    ServerEvent::Error(ServerError { message, code })
}

#[cfg(test)]
mod tests {
    use RealtimeRole::{Assistant, User};
    use RealtimeVersion::{V1, V2, V3};
    use serde_json::json;

    use super::*;

    fn event(version: RealtimeVersion, value: &Value) -> Option<ServerEvent> {
        parse(version, value.to_string().as_bytes()).map(|inbound| inbound.event)
    }

    fn transcript(role: RealtimeRole, item: Option<&str>, text: TranscriptText) -> ServerEvent {
        ServerEvent::Transcript { role, item_id: item.map(str::to_owned), text }
    }

    fn grew(role: RealtimeRole, item: Option<&str>) -> ServerEvent {
        transcript(role, item, TranscriptText::Delta("a".into()))
    }

    fn ended(role: RealtimeRole, item: Option<&str>) -> ServerEvent {
        transcript(role, item, TranscriptText::Done("a".into()))
    }

    #[test]
    fn what_means_nothing_is_ignored() {
        for text in
            [&b""[..], b"{", b"[]", b"null", b"{}", b"{\"type\":1}", b"\xff", b"{\"type\":\"x\"}"]
        {
            for version in [V1, V2, V3] {
                assert_eq!(parse(version, text), None);
            }
        }
        for kind in ["rate_limits.updated", "response.output_item.added", "session.created"] {
            assert_eq!(event(V2, &json!({ "type": kind })), None);
        }
    }

    #[test]
    fn events_keep_their_number() {
        let value = json!({ "type": "session.updated", "session": { "id": "s" }, "event_id": "e" });
        let inbound = parse(V2, value.to_string().as_bytes()).unwrap();
        assert_eq!(inbound.event_id.as_deref(), Some("e"));
    }

    #[test]
    fn a_session_is_updated_in_each_version_and_started_in_v3() {
        for (version, kind) in [
            (V1, "session.updated"),
            (V2, "session.updated"),
            (V3, "session.updated"),
            (V3, "session.started"),
        ] {
            let value = json!({ "type": kind, "session": { "id": "s" } });
            assert_eq!(event(version, &value), Some(ServerEvent::SessionUpdated));
            assert_eq!(event(version, &json!({ "type": kind, "session": {} })), None);
        }
        assert_eq!(
            event(V2, &json!({ "type": "session.started", "session": { "id": "s" } })),
            None
        );
    }

    #[test]
    fn audio_comes_in_each_version() {
        let audio = |rate, channels, item: Option<&str>| {
            let pcm = Pcm(vec![1, 0]);
            let item_id = item.map(str::to_owned);
            Some(ServerEvent::Audio(AudioOut { pcm, rate, channels, item_id }))
        };
        let v1 = json!({ "type": "conversation.output_audio.delta", "delta": "AQA=",
                         "sample_rate": 48_000, "channels": 2 });
        assert_eq!(event(V1, &v1), audio(48_000, 2, None));
        let v1 = json!({ "type": "conversation.output_audio.delta", "data": "AQA=",
                         "sample_rate": 24_000, "num_channels": 1 });
        assert_eq!(event(V1, &v1), audio(24_000, 1, None));
        let v1 = json!({ "type": "conversation.output_audio.delta", "data": "AQA=" });
        assert_eq!(event(V1, &v1), None, "rate and channels are required");
        for kind in ["response.output_audio.delta", "response.audio.delta"] {
            let v2 = json!({ "type": kind, "delta": "AQA=", "item_id": "i" });
            assert_eq!(event(V2, &v2), audio(24_000, 1, Some("i")));
        }
        let v3 = json!({ "type": "output_audio.delta", "audio": "AQA=" });
        assert_eq!(event(V3, &v3), audio(24_000, 1, None));
        let broken = json!({ "type": "output_audio.delta", "audio": "?" });
        assert_eq!(event(V3, &broken), None);
    }

    #[test]
    fn transcripts_come_in_each_version() {
        for kind in [
            "conversation.input_transcript.delta",
            "conversation.item.input_audio_transcription.delta",
        ] {
            let value = json!({ "type": kind, "delta": "a" });
            assert_eq!(event(V1, &value), Some(grew(User, None)));
        }
        for kind in [
            "conversation.input_transcript.turn_marked",
            "conversation.item.input_audio_transcription.completed",
        ] {
            let value = json!({ "type": kind, "transcript": "a", "item_id": "i" });
            assert_eq!(event(V1, &value), Some(ended(User, Some("i"))));
        }
        for kind in [
            "conversation.output_transcript.delta",
            "response.output_text.delta",
            "response.output_audio_transcript.delta",
        ] {
            let value = json!({ "type": kind, "delta": "a" });
            assert_eq!(event(V1, &value), Some(grew(Assistant, None)));
        }
        let value = json!({ "type": "response.output_audio_transcript.done", "transcript": "a" });
        assert_eq!(event(V1, &value), Some(ended(Assistant, None)));
        for (kind, key, want) in [
            ("conversation.item.input_audio_transcription.delta", "delta", grew(User, Some("i"))),
            (
                "conversation.item.input_audio_transcription.completed",
                "transcript",
                ended(User, Some("i")),
            ),
            ("response.output_text.delta", "delta", grew(Assistant, Some("i"))),
            ("response.output_text.done", "text", ended(Assistant, Some("i"))),
            ("response.output_audio_transcript.delta", "delta", grew(Assistant, Some("i"))),
            ("response.output_audio_transcript.done", "transcript", ended(Assistant, Some("i"))),
        ] {
            assert_eq!(event(V2, &json!({ "type": kind, key: "a", "item_id": "i" })), Some(want));
        }
        let value = json!({ "type": "input_transcript.added", "item": { "id": "i", "text": "a" } });
        assert_eq!(event(V3, &value), Some(grew(User, None)));
        let value = json!({ "type": "output_transcript.added", "item": { "text": "a" } });
        assert_eq!(event(V3, &value), Some(grew(Assistant, None)));
        for (name, role) in [("user", User), ("assistant", Assistant)] {
            let value = json!({ "type": "turn.done", "turn": { "role": name, "transcript": "a" } });
            assert_eq!(event(V3, &value), Some(ended(role, None)));
        }
    }

    #[test]
    fn items_and_speech_are_passed_on_as_they_came() {
        let value = json!({ "type": "input_audio_buffer.speech_started", "item_id": "i" });
        assert_eq!(event(V2, &value), Some(ServerEvent::SpeechStarted(value.clone())));
        assert_eq!(event(V1, &value), None);
        let item = json!({ "id": "i", "type": "message" });
        for (version, kind) in [
            (V1, "conversation.item.added"),
            (V2, "conversation.item.added"),
            (V2, "conversation.item.created"),
        ] {
            let value = json!({ "type": kind, "item": item });
            assert_eq!(event(version, &value), Some(ServerEvent::ItemAdded(item.clone())));
        }
        for version in [V1, V2] {
            let value = json!({ "type": "conversation.item.done", "item": item });
            let want = ServerEvent::ItemDone { item_id: Some("i".into()) };
            assert_eq!(event(version, &value), Some(want));
        }
    }

    #[test]
    fn each_version_delegates_in_its_own_way() {
        let want = |id: &str, item: Option<&str>, input: &str| {
            let item_id = item.map(str::to_owned);
            Some(ServerEvent::Delegation(Delegation {
                id: id.into(),
                item_id,
                input: input.into(),
            }))
        };
        let v1 = json!({ "type": "conversation.handoff.requested", "handoff_id": "h",
                         "item_id": "i", "input_transcript": "do it" });
        assert_eq!(event(V1, &v1), want("h", Some("i"), "do it"));
        let call = |arguments: &str| {
            json!({ "type": "conversation.item.done",
                    "item": { "type": "function_call", "id": "i", "call_id": "c",
                              "name": "background_agent", "arguments": arguments } })
        };
        for (arguments, input) in [
            (r#"{"prompt":"do it"}"#, "do it"),
            (r#"{"query":"q","input":" ","text":"t"}"#, "t"),
            (r#"{"input_transcript":"a","prompt":"b"}"#, "a"),
            (r#"{"other":1}"#, r#"{"other":1}"#),
            ("do it", "do it"),
            ("{}", ""),
            (r#"{"prompt":" "}"#, ""),
            ("", ""),
        ] {
            assert_eq!(event(V2, &call(arguments)), want("c", Some("i"), input), "{arguments}");
        }
        let v3 = json!({ "type": "delegation.created",
                         "item": { "type": "delegation", "target": "client", "id": "d",
                                   "content": [{ "type": "input_text", "text": "do " },
                                               { "type": "input_text", "text": "it" }] } });
        assert_eq!(event(V3, &v3), want("d", Some("d"), "do it"));
        let other = json!({ "type": "delegation.created",
                            "item": { "type": "delegation", "target": "server", "id": "d" } });
        assert_eq!(event(V3, &other), None);
        let silent = json!({ "type": "conversation.item.done",
                             "item": { "type": "function_call", "id": "i", "name": "remain_silent" } });
        assert_eq!(event(V2, &silent), Some(ServerEvent::Noop { call_id: "i".into() }));
    }

    #[test]
    fn responses_have_ids_in_two_places() {
        let id = Some("r".to_owned());
        let value = json!({ "type": "response.created", "response": { "id": "r" } });
        assert_eq!(
            event(V2, &value),
            Some(ServerEvent::ResponseCreated { response_id: id.clone() })
        );
        let value = json!({ "type": "response.done", "response_id": "r" });
        assert_eq!(event(V2, &value), Some(ServerEvent::ResponseDone { response_id: id }));
        let value = json!({ "type": "response.cancelled", "response_id": "r" });
        assert_eq!(event(V2, &value), Some(ServerEvent::ResponseCancelled(value.clone())));
        assert_eq!(event(V3, &json!({ "type": "response.done" })), None);
    }

    #[test]
    fn errors_have_messages_in_three_places() {
        for version in [V1, V2, V3] {
            for (value, message, code) in [
                (json!({ "type": "error", "message": "m" }), "m", None),
                (
                    json!({ "type": "error", "error": { "message": "m", "code": "c" } }),
                    "m",
                    Some("c"),
                ),
                (json!({ "type": "error", "error": { "odd": 1 } }), r#"{"odd":1}"#, None),
            ] {
                let code = code.map(str::to_owned);
                let want = ServerError { message: message.into(), code };
                assert_eq!(event(version, &value), Some(ServerEvent::Error(want)));
            }
        }
        let conflict = |message: &str, code: Option<&str>| {
            ServerError { message: message.into(), code: code.map(str::to_owned) }.is_conflict()
        };
        assert!(conflict("Conversation already has an active response in progress: r", None));
        assert!(conflict("x", Some("conversation_already_has_active_response")));
        assert!(!conflict("x", None));
    }
}
