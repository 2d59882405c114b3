//! The session object: what the service is asked to be.

use serde_json::{Map, Value, json};

use crate::realtime::{RealtimeItem, RealtimeRole, RealtimeVersion};

/// Samples a second, both ways.
const RATE: u32 = 24_000;
/// How long the person must be silent until it is the model's turn, in milliseconds.
const SILENCE_MS: u32 = 500;

/// What a session is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionSpec {
    /// The dialect.
    pub version: RealtimeVersion,
    /// Only listen and write down. V2; the others converse.
    pub transcription: bool,
    /// Write instead of speaking (V2).
    pub text_output: bool,
    /// The model.
    pub model: String,
    /// The voice.
    pub voice: String,
    /// What the model is told.
    pub instructions: String,
    /// Whether the model fills the wait for an answer (V3).
    pub ack_filler: Option<bool>,
    /// What was said before (V3).
    pub initial_items: Vec<RealtimeItem>,
}

impl SessionSpec {
    /// The whole session, as a call is created with it and a socket begins with it.
    #[must_use]
    pub fn session(&self) -> Value {
        match self.version {
            RealtimeVersion::V1 => self.v1(),
            RealtimeVersion::V2 if self.transcription => json!({
                "type": "transcription",
                "audio": { "input": { "format": pcm(), "transcription": transcription() } },
            }),
            RealtimeVersion::V2 => self.v2(),
            RealtimeVersion::V3 => self.v3(),
        }
    }

    /// What is left to say to a call that was created with [`session`](Self::session). In V2 a
    /// model cannot be changed at all, and a voice not once it has spoken.
    #[must_use]
    pub fn session_of_call(&self) -> Value {
        let mut session = self.session();
        if self.version == RealtimeVersion::V2
            && let Value::Object(map) = &mut session
        {
            map.shift_remove("model");
            if let Some(output) = map.get_mut("audio").and_then(|audio| audio.get_mut("output"))
                && let Value::Object(output) = output
            {
                output.shift_remove("voice");
            }
        }
        session
    }

    /// A change of the instructions alone (V2).
    #[must_use]
    pub fn instructions_alone(&self) -> Value {
        json!({ "type": "realtime", "instructions": self.instructions })
    }

    fn v1(&self) -> Value {
        json!({
            "type": "quicksilver",
            "model": self.model,
            "instructions": self.instructions,
            "audio": {
                "input": { "format": pcm() },
                "output": { "voice": self.voice },
            },
        })
    }

    fn v2(&self) -> Value {
        let modality = if self.text_output { "text" } else { "audio" };
        json!({
            "type": "realtime",
            "model": self.model,
            "instructions": self.instructions,
            "output_modalities": [modality],
            "audio": {
                "input": {
                    "format": pcm(),
                    "noise_reduction": { "type": "near_field" },
                    "transcription": transcription(),
                    "turn_detection": {
                        "type": "server_vad",
                        "interrupt_response": true,
                        "create_response": true,
                        "silence_duration_ms": SILENCE_MS,
                    },
                },
                "output": { "format": pcm(), "voice": self.voice },
            },
            "tools": tools(),
            "tool_choice": "auto",
        })
    }

    fn v3(&self) -> Value {
        let mut delegation = Map::new();
        delegation.insert("type".into(), "client".into());
        if let Some(filler) = self.ack_filler {
            delegation.insert("ack_filler".into(), filler.into());
        }
        let mut session = json!({
            "model": self.model,
            "instructions": self.instructions,
            "audio": { "output": { "voice": self.voice } },
            "delegation": delegation,
        });
        if !self.initial_items.is_empty() {
            session["initial_items"] = self.initial_items.iter().map(item).collect();
        }
        session
    }
}

fn pcm() -> Value {
    json!({ "type": "audio/pcm", "rate": RATE })
}

fn transcription() -> Value {
    json!({ "model": "gpt-4o-mini-transcribe" })
}

fn item(item: &RealtimeItem) -> Value {
    let kind = match item.role {
        RealtimeRole::Assistant => "output_text",
        RealtimeRole::User => "input_text",
    };
    json!({
        "type": "message",
        "role": item.role.as_str(),
        "content": [{ "type": kind, "text": item.text }],
    })
}

/// Name of the tool that hands work to the agent.
pub const BACKGROUND_AGENT: &str = "background_agent";
/// Name of the tool by which the model chooses to say nothing.
pub const REMAIN_SILENT: &str = "remain_silent";

fn tools() -> Value {
    json!([
        {
            "type": "function",
            "name": BACKGROUND_AGENT,
            "description": "Hands a task to the coding agent that works in the user's project: it \
                            reads and changes files, runs commands and looks things up. It goes on \
                            in the background; what it does and finds comes back as messages that \
                            begin with [BACKEND]. Call it again to add to a task that is running or \
                            to correct it.",
            "parameters": {
                "type": "object",
                "properties": {
                    "prompt": {
                        "type": "string",
                        "description": "The task in full sentences, with everything the user said \
                                        that matters for it.",
                    },
                },
                "required": ["prompt"],
                "additionalProperties": false,
            },
        },
        {
            "type": "function",
            "name": REMAIN_SILENT,
            "description": "Says nothing this time: for words that were not meant for you, for \
                            noise, and when an answer would only interrupt.",
            "parameters": {
                "type": "object",
                "properties": {},
                "additionalProperties": false,
            },
        },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(version: RealtimeVersion) -> SessionSpec {
        SessionSpec {
            version,
            transcription: false,
            text_output: false,
            model: "m".into(),
            voice: "v".into(),
            instructions: "be brief".into(),
            ack_filler: None,
            initial_items: Vec::new(),
        }
    }

    #[test]
    fn the_public_session_has_its_documented_shape() {
        let session = spec(RealtimeVersion::V2).session();
        let pcm = json!({ "type": "audio/pcm", "rate": 24_000 });
        assert_eq!(session["type"], "realtime");
        assert_eq!(session["model"], "m");
        assert_eq!(session["instructions"], "be brief");
        assert_eq!(session["output_modalities"], json!(["audio"]));
        assert_eq!(
            session["audio"]["input"],
            json!({
                "format": pcm,
                "noise_reduction": { "type": "near_field" },
                "transcription": { "model": "gpt-4o-mini-transcribe" },
                "turn_detection": { "type": "server_vad", "interrupt_response": true,
                                    "create_response": true, "silence_duration_ms": 500 },
            })
        );
        assert_eq!(session["audio"]["output"], json!({ "format": pcm, "voice": "v" }));
        assert_eq!(session["tool_choice"], "auto");
        let names: Vec<_> = (0..2).map(|at| session["tools"][at]["name"].clone()).collect();
        assert_eq!(names, ["background_agent", "remain_silent"]);
        assert_eq!(session["tools"][0]["parameters"]["required"], json!(["prompt"]));
        let text = SessionSpec { text_output: true, ..spec(RealtimeVersion::V2) }.session();
        assert_eq!(text["output_modalities"], json!(["text"]));
    }

    #[test]
    fn a_call_is_not_told_again_what_it_may_not_change() {
        let of_call = spec(RealtimeVersion::V2).session_of_call();
        assert_eq!(of_call.get("model"), None);
        assert_eq!(of_call["audio"]["output"].get("voice"), None);
        assert_eq!(of_call["audio"]["output"]["format"]["rate"], 24_000);
        let whole = spec(RealtimeVersion::V1);
        assert_eq!(whole.session_of_call(), whole.session());
        assert_eq!(
            spec(RealtimeVersion::V2).instructions_alone(),
            json!({ "type": "realtime", "instructions": "be brief" })
        );
    }

    #[test]
    fn transcription_only_listens_in_v2_and_converses_in_v1() {
        let transcribing = |version| SessionSpec { transcription: true, ..spec(version) }.session();
        assert_eq!(
            transcribing(RealtimeVersion::V2),
            json!({
                "type": "transcription",
                "audio": { "input": {
                    "format": { "type": "audio/pcm", "rate": 24_000 },
                    "transcription": { "model": "gpt-4o-mini-transcribe" },
                } },
            })
        );
        assert_eq!(transcribing(RealtimeVersion::V1), spec(RealtimeVersion::V1).session());
    }

    #[test]
    fn the_first_dialect_is_short() {
        assert_eq!(
            spec(RealtimeVersion::V1).session(),
            json!({
                "type": "quicksilver",
                "model": "m",
                "instructions": "be brief",
                "audio": {
                    "input": { "format": { "type": "audio/pcm", "rate": 24_000 } },
                    "output": { "voice": "v" },
                },
            })
        );
    }

    #[test]
    fn the_third_dialect_carries_earlier_items_and_the_filler() {
        let plain = json!({
            "model": "m",
            "instructions": "be brief",
            "audio": { "output": { "voice": "v" } },
            "delegation": { "type": "client" },
        });
        assert_eq!(spec(RealtimeVersion::V3).session(), plain);
        let said = |role, text: &str| RealtimeItem { role, text: text.into() };
        let session = SessionSpec {
            ack_filler: Some(false),
            initial_items: vec![
                said(RealtimeRole::User, "hi"),
                said(RealtimeRole::Assistant, "ho"),
            ],
            ..spec(RealtimeVersion::V3)
        }
        .session();
        assert_eq!(session["delegation"], json!({ "type": "client", "ack_filler": false }));
        assert_eq!(
            session["initial_items"],
            json!([
                { "type": "message", "role": "user",
                  "content": [{ "type": "input_text", "text": "hi" }] },
                { "type": "message", "role": "assistant",
                  "content": [{ "type": "output_text", "text": "ho" }] },
            ])
        );
    }
}
