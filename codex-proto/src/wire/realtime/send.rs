//! Messages to the service, as text.

use serde_json::{Value, json};

use crate::realtime::RealtimeVersion;

/// Longest text of one message of V3, in bytes; a longer one is split.
pub const CHUNK_BYTES_MAX: usize = 500;
/// Begins what the person typed (V2).
const USER: &str = "[USER] ";
/// Begins what the agent said (V2).
const BACKEND: &str = "[BACKEND] ";
/// Begins the agent's last word (V1).
const FINAL: &str = "\"Agent Final Message\":\n\n";
/// The handoff id of what the agent says without having been asked (V1).
pub const STANDALONE_HANDOFF: &str = "codex";

/// Where text of V3 goes: spoken, or only known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// The model knows it.
    Commentary,
    /// The model says it.
    Speakable,
}

impl Channel {
    /// The wire name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commentary => "commentary",
            Self::Speakable => "speakable",
        }
    }
}

/// `session.update`.
#[must_use]
pub fn session_update(session: &Value) -> String {
    json!({ "type": "session.update", "session": session }).to_string()
}

/// What the person typed. It never asks for an answer.
#[must_use]
pub fn user_text(version: RealtimeVersion, text: &str) -> Vec<String> {
    match version {
        RealtimeVersion::V1 => vec![message("user", text)],
        RealtimeVersion::V2 => vec![message("user", &marked(USER, text))],
        RealtimeVersion::V3 => session_append(None, text),
    }
}

/// What the agent said, as a message (V2).
#[must_use]
pub fn agent_text(text: &str) -> String {
    message("user", &marked(BACKEND, text))
}

/// What the agent said, as a message of the program (`codexResponsesAsItems`).
#[must_use]
pub fn developer_text(prefix: Option<&str>, text: &str) -> String {
    message("developer", &format!("{}{text}", prefix.unwrap_or_default()))
}

/// A prefix, not twice and not on nothing.
fn marked(prefix: &str, text: &str) -> String {
    if text.trim().is_empty() || text.starts_with(prefix) {
        text.to_owned()
    } else {
        format!("{prefix}{text}")
    }
}

fn message(role: &str, text: &str) -> String {
    json!({
        "type": "conversation.item.create",
        "item": {
            "type": "message",
            "role": role,
            "content": [{ "type": "input_text", "text": text }],
        },
    })
    .to_string()
}

/// The output of a function call (V2).
#[must_use]
pub fn function_output(call_id: &str, output: &str) -> String {
    json!({
        "type": "conversation.item.create",
        "item": { "type": "function_call_output", "call_id": call_id, "output": output },
    })
    .to_string()
}

/// `conversation.handoff.append` (V1). The agent's last word is marked as such.
#[must_use]
pub fn handoff_append(handoff_id: &str, text: &str, is_final: bool) -> String {
    let text = if is_final { format!("{FINAL}{text}") } else { text.to_owned() };
    json!({
        "type": "conversation.handoff.append",
        "handoff_id": handoff_id,
        "output_text": text,
    })
    .to_string()
}

/// `delegation.context.append` (V3), in pieces.
#[must_use]
pub fn delegation_append(item_id: &str, channel: Option<Channel>, text: &str) -> Vec<String> {
    let message = |piece: &str| {
        let mut message =
            json!({ "type": "delegation.context.append", "delegation_item_id": item_id });
        finish(&mut message, channel, piece);
        message.to_string()
    };
    chunks(text).map(message).collect()
}

/// `session.context.append` (V3), in pieces.
#[must_use]
pub fn session_append(channel: Option<Channel>, text: &str) -> Vec<String> {
    let message = |piece: &str| {
        let mut message = json!({ "type": "session.context.append" });
        finish(&mut message, channel, piece);
        message.to_string()
    };
    chunks(text).map(message).collect()
}

fn finish(message: &mut Value, channel: Option<Channel>, piece: &str) {
    if let Some(channel) = channel {
        message["channel"] = channel.as_str().into();
    }
    message["content"] = json!([{ "type": "input_text", "text": piece }]);
}

/// Pieces of at most [`CHUNK_BYTES_MAX`], none of which breaks a character.
pub fn chunks(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let mut end = CHUNK_BYTES_MAX.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, rest) = text.split_at(end);
        text = rest;
        Some(piece)
    })
}

/// `response.create` (V2).
#[must_use]
pub fn response_create() -> String {
    json!({ "type": "response.create" }).to_string()
}

/// `conversation.item.truncate` (V2): what of an item was heard, in milliseconds.
#[must_use]
pub fn truncate(item_id: &str, audio_end_ms: u64) -> String {
    json!({
        "type": "conversation.item.truncate",
        "item_id": item_id,
        "content_index": 0,
        "audio_end_ms": audio_end_ms,
    })
    .to_string()
}

/// `session.close` (V3).
#[must_use]
pub fn session_close() -> String {
    json!({ "type": "session.close" }).to_string()
}

#[cfg(test)]
mod tests {
    use RealtimeVersion::{V1, V2, V3};

    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn said(role: &str, text: &str) -> Value {
        json!({
            "type": "conversation.item.create",
            "item": { "type": "message", "role": role,
                      "content": [{ "type": "input_text", "text": text }] },
        })
    }

    #[test]
    fn typed_text_is_marked_in_v2_and_context_in_v3() {
        assert_eq!(json(&user_text(V1, "hi")[0]), said("user", "hi"));
        assert_eq!(json(&user_text(V2, "hi")[0]), said("user", "[USER] hi"));
        assert_eq!(json(&user_text(V2, "[USER] hi")[0]), said("user", "[USER] hi"));
        assert_eq!(json(&user_text(V2, " ")[0]), said("user", " "));
        assert_eq!(
            json(&user_text(V3, "hi")[0]),
            json!({ "type": "session.context.append",
                    "content": [{ "type": "input_text", "text": "hi" }] })
        );
    }

    #[test]
    fn the_agents_words_are_marked() {
        assert_eq!(json(&agent_text("done")), said("user", "[BACKEND] done"));
        assert_eq!(json(&agent_text("[BACKEND] done")), said("user", "[BACKEND] done"));
        assert_eq!(json(&developer_text(Some("> "), "done")), said("developer", "> done"));
        assert_eq!(json(&developer_text(None, "done")), said("developer", "done"));
        assert_eq!(
            json(&handoff_append("h", "done", true)),
            json!({ "type": "conversation.handoff.append", "handoff_id": "h",
                    "output_text": "\"Agent Final Message\":\n\ndone" })
        );
        assert_eq!(json(&handoff_append("h", "doing", false))["output_text"], "doing");
        assert_eq!(
            json(&function_output("c", "")),
            json!({ "type": "conversation.item.create",
                    "item": { "type": "function_call_output", "call_id": "c", "output": "" } })
        );
    }

    #[test]
    fn v3_sends_pieces_of_at_most_500_bytes() {
        let text = "ä".repeat(501);
        for messages in
            [delegation_append("d", Some(Channel::Speakable), &text), session_append(None, &text)]
        {
            let texts: Vec<String> = messages
                .iter()
                .map(|text| json(text)["content"][0]["text"].as_str().unwrap().to_owned())
                .collect();
            assert!(texts.iter().all(|piece| piece.len() <= CHUNK_BYTES_MAX));
            assert_eq!(texts.concat(), text);
            assert_eq!(texts.len(), 3);
        }
        assert_eq!(
            json(&delegation_append("d", Some(Channel::Commentary), "x")[0]),
            json!({ "type": "delegation.context.append", "delegation_item_id": "d",
                    "channel": "commentary", "content": [{ "type": "input_text", "text": "x" }] })
        );
        assert!(session_append(None, "").is_empty());
    }

    #[test]
    fn short_messages_say_what_they_say() {
        assert_eq!(json(&response_create()), json!({ "type": "response.create" }));
        assert_eq!(json(&session_close()), json!({ "type": "session.close" }));
        assert_eq!(
            json(&truncate("i", 1_230)),
            json!({ "type": "conversation.item.truncate", "item_id": "i", "content_index": 0,
                    "audio_end_ms": 1_230 })
        );
        assert_eq!(
            json(&session_update(&json!({ "a": 1 }))),
            json!({ "type": "session.update", "session": { "a": 1 } })
        );
    }
}
