//! The scripted side of a conversation by voice: hears, and says what the script has for it.
//!
//! One value for each session; pure, so that the simulator can use it as it is. What it says goes
//! out on every control channel under one `event_id`.
//!
//! | state    | heard                  | next   | does                                             |
//! |----------|------------------------|--------|--------------------------------------------------|
//! | `Silent` | the first control      | `Live` | `session.created`, steps `on` `control`          |
//! | `Live`   | `session.update`       | `Live` | `session.updated`, steps `on` its type           |
//! | any      | anything that a step   | same   | the acts of the first step that fits, which is   |
//! |          | waits for              |        | then used up unless it stands `always`           |

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::script::voice::{Trigger, VoiceActKind, VoiceScript};

/// Something that happens in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// The first audio of the client.
    Audio,
    /// The data channel is open.
    Channel,
    /// A socket is open.
    Joined,
    /// Media is up.
    Media,
    /// A message of the client, on whichever channel.
    Text(&'a str),
}

/// Something to do, after waiting for `delay_ms`; acts of one answer wait for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// In milliseconds, after the act before.
    pub delay_ms: u64,
    /// What to do.
    pub what: What,
}

/// What there is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Close the sockets of the session with this code.
    Close(u16),
    /// Send this message on the control channels.
    Send(String),
    /// Stop sending and answering on the media path.
    Silence,
    /// Speak: so many milliseconds of sound, as a part of this response and item.
    Speak {
        /// How long.
        ms: u64,
        /// The response's id.
        response: String,
        /// The item's id.
        item: String,
    },
}

/// A scripted session.
#[derive(Clone, Debug)]
pub struct ScriptedVoice {
    script: Arc<VoiceScript>,
    session: String,
    used: Vec<bool>,
    is_live: bool,
    /// Counts everything that gets a name.
    names: u64,
}

impl ScriptedVoice {
    /// A session of this id.
    #[must_use]
    pub fn new(script: &crate::Script, session: &str) -> Self {
        let script = script.voice.clone().unwrap_or_default();
        let used = vec![false; script.steps.len()];
        Self { script, session: session.to_owned(), used, is_live: false, names: 0 }
    }

    /// Hears something.
    pub fn hear(&mut self, heard: Heard<'_>) -> Vec<Act> {
        let mut acts = Vec::new();
        if matches!(heard, Heard::Channel | Heard::Joined) && !self.is_live {
            self.is_live = true;
            if self.script.greet {
                let session = json!({ "id": self.session, "type": "realtime" });
                let event = json!({ "type": "session.created", "session": session });
                self.event(&mut acts, 0, event);
            }
            self.steps(&mut acts, &Trigger::Control, "");
        }
        match heard {
            Heard::Audio => self.steps(&mut acts, &Trigger::Audio, ""),
            Heard::Channel => self.steps(&mut acts, &Trigger::Channel, ""),
            Heard::Joined => self.steps(&mut acts, &Trigger::Joined, ""),
            Heard::Media => self.steps(&mut acts, &Trigger::Media, ""),
            Heard::Text(text) => self.text(&mut acts, text),
        }
        acts
    }

    fn text(&mut self, acts: &mut Vec<Act>, text: &str) {
        let Ok(Value::Object(event)) = serde_json::from_str(text) else { return };
        let Some(kind) = event.get("type").and_then(Value::as_str) else { return };
        if kind == "session.update" && self.script.greet {
            let mut session = match event.get("session") {
                Some(Value::Object(session)) => session.clone(),
                _ => Map::new(),
            };
            session.insert("id".into(), self.session.clone().into());
            self.event(acts, 0, json!({ "type": "session.updated", "session": session }));
        }
        self.steps(acts, &Trigger::Event(kind.to_owned()), text);
    }

    /// Does what the first step says that fits.
    fn steps(&mut self, acts: &mut Vec<Act>, trigger: &Trigger, text: &str) {
        let script = Arc::clone(&self.script);
        let fits = script.steps.iter().zip(&self.used).position(|(step, used)| {
            !used
                && step.on == *trigger
                && step.contains.as_ref().is_none_or(|part| text.contains(part))
        });
        let Some(index) = fits else { return };
        let step = &script.steps[index];
        self.used[index] = !step.always;
        for act in &step.acts {
            self.act(acts, act.delay_ms, &act.kind);
        }
    }

    fn act(&mut self, acts: &mut Vec<Act>, delay_ms: u64, kind: &VoiceActKind) {
        match kind {
            VoiceActKind::Agent(prompt) => self.agent(acts, delay_ms, prompt),
            VoiceActKind::Assistant { text, word_ms } => {
                self.assistant(acts, delay_ms, text, *word_ms);
            }
            VoiceActKind::Close(code) => acts.push(Act { delay_ms, what: What::Close(*code) }),
            VoiceActKind::Error(error) => {
                self.event(acts, delay_ms, json!({ "type": "error", "error": error }));
            }
            VoiceActKind::Event(event) => self.event(acts, delay_ms, event.clone()),
            VoiceActKind::Junk(size) => {
                acts.push(Act { delay_ms, what: What::Send("x".repeat(*size)) });
            }
            VoiceActKind::Silence => acts.push(Act { delay_ms, what: What::Silence }),
            VoiceActKind::Text(text) => acts.push(Act { delay_ms, what: What::Send(text.clone()) }),
            VoiceActKind::Tone(ms) => {
                let (response, item) = (self.name("resp"), self.name("item"));
                acts.push(Act { delay_ms, what: What::Speak { ms: *ms, response, item } });
            }
            VoiceActKind::User(text) => self.user(acts, delay_ms, text),
        }
    }

    fn user(&mut self, acts: &mut Vec<Act>, delay_ms: u64, text: &str) {
        const TRANSCRIPT: &str = "conversation.item.input_audio_transcription";
        let item = self.name("item");
        let speech = |kind: &str, at: &str| json!({ "type": kind, "item_id": item, at: 0 });
        self.event(acts, delay_ms, speech("input_audio_buffer.speech_started", "audio_start_ms"));
        self.event(acts, 0, speech("input_audio_buffer.speech_stopped", "audio_end_ms"));
        let part = |kind: &str, key: &str, text: &str| json!({ "type": format!("{TRANSCRIPT}.{kind}"), "item_id": item, "content_index": 0, key: text });
        for word in text.split_inclusive(' ') {
            self.event(acts, 0, part("delta", "delta", word));
        }
        self.event(acts, 0, part("completed", "transcript", text));
    }

    fn assistant(&mut self, acts: &mut Vec<Act>, delay_ms: u64, text: &str, word_ms: u64) {
        const TRANSCRIPT: &str = "response.output_audio_transcript";
        let (response, item) = (self.name("resp"), self.name("item"));
        self.event(
            acts,
            delay_ms,
            json!({ "type": "response.created", "response": { "id": response } }),
        );
        let part = |kind: &str, key: &str, text: &str| {
            json!({
                "type": format!("{TRANSCRIPT}.{kind}"), "response_id": response, "item_id": item,
                "output_index": 0, "content_index": 0, key: text,
            })
        };
        let mut wait = 0;
        for word in text.split_inclusive(' ') {
            self.event(acts, wait, part("delta", "delta", word));
            if word_ms > 0 {
                let (response, item) = (response.clone(), item.clone());
                acts.push(Act { delay_ms: 0, what: What::Speak { ms: word_ms, response, item } });
            }
            wait = word_ms;
        }
        self.event(acts, wait, part("done", "transcript", text));
        self.done(acts, &response);
    }

    fn agent(&mut self, acts: &mut Vec<Act>, delay_ms: u64, prompt: &str) {
        let (response, item, call) = (self.name("resp"), self.name("item"), self.name("call"));
        self.event(
            acts,
            delay_ms,
            json!({ "type": "response.created", "response": { "id": response } }),
        );
        let item = json!({
            "id": item, "type": "function_call", "status": "completed", "name": "background_agent",
            "call_id": call, "arguments": json!({ "prompt": prompt }).to_string(),
        });
        self.event(acts, 0, json!({ "type": "conversation.item.done", "item": item }));
        self.done(acts, &response);
    }

    fn done(&mut self, acts: &mut Vec<Act>, response: &str) {
        let response = json!({ "id": response, "status": "completed" });
        self.event(acts, 0, json!({ "type": "response.done", "response": response }));
    }

    fn event(&mut self, acts: &mut Vec<Act>, delay_ms: u64, mut event: Value) {
        if let Value::Object(fields) = &mut event
            && !fields.contains_key("event_id")
        {
            let name = self.name("event");
            fields.insert("event_id".into(), name.into());
        }
        acts.push(Act { delay_ms, what: What::Send(event.to_string()) });
    }

    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}_{}_{}", self.session, self.names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Script;

    fn voice(script: Value) -> ScriptedVoice {
        ScriptedVoice::new(&Script::from_json(&json!({ "voice": script })).unwrap(), "s")
    }

    fn kinds(acts: &[Act]) -> Vec<String> {
        acts.iter()
            .map(|act| match &act.what {
                What::Send(text) => {
                    let event: Value = serde_json::from_str(text).unwrap();
                    assert!(event["event_id"].is_string());
                    event["type"].as_str().unwrap().to_owned()
                }
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn the_first_control_channel_is_greeted_and_an_update_confirmed() {
        let mut voice = voice(json!({}));
        assert_eq!(kinds(&voice.hear(Heard::Media)), [""; 0]);
        assert_eq!(kinds(&voice.hear(Heard::Channel)), ["session.created"]);
        assert_eq!(kinds(&voice.hear(Heard::Joined)), [""; 0]);
        let acts = voice.hear(Heard::Text(r#"{"type":"session.update","session":{"a":1}}"#));
        assert_eq!(kinds(&acts), ["session.updated"]);
        let What::Send(text) = &acts[0].what else { panic!() };
        let event: Value = serde_json::from_str(text).unwrap();
        assert_eq!(event["session"], json!({ "a": 1, "id": "s" }));
        for broken in ["", "{", "[]", r#"{"type":7}"#] {
            assert_eq!(voice.hear(Heard::Text(broken)), []);
        }
    }

    #[test]
    fn steps_are_used_up_in_order_unless_they_stand() {
        let mut voice = voice(json!({
            "greet": false,
            "steps": [
                { "on": "response.create", "contains": "x", "do": { "tone_ms": 5 } },
                { "on": "response.create", "do": { "close": 1011, "delay_ms": 7 } },
                { "on": "response.create", "always": true, "do": { "silence": true } }
            ]
        }));
        let mut heard = |text: &str| voice.hear(Heard::Text(text)).remove(0);
        let plain = r#"{"type":"response.create"}"#;
        assert_eq!(heard(plain), Act { delay_ms: 7, what: What::Close(1011) });
        let marked = heard(r#"{"type":"response.create","x":0}"#).what;
        assert!(matches!(marked, What::Speak { ms: 5, .. }), "{marked:?}");
        for _ in 0..2 {
            assert_eq!(heard(plain).what, What::Silence);
        }
    }

    #[test]
    fn words_become_the_events_of_the_service() {
        let mut voice = voice(json!({
            "greet": false,
            "steps": [{ "on": "control", "do": [
                { "user": "fix it" },
                { "agent": "Fix the bug" },
                { "assistant": "on it", "word_ms": 40 },
                { "error": { "message": "m" } }
            ] }]
        }));
        let acts = voice.hear(Heard::Joined);
        let spoken: Vec<String> =
            kinds(&acts).into_iter().filter(|kind| !kind.starts_with("Speak")).collect();
        assert_eq!(
            spoken,
            [
                "input_audio_buffer.speech_started",
                "input_audio_buffer.speech_stopped",
                "conversation.item.input_audio_transcription.delta",
                "conversation.item.input_audio_transcription.delta",
                "conversation.item.input_audio_transcription.completed",
                "response.created",
                "conversation.item.done",
                "response.done",
                "response.created",
                "response.output_audio_transcript.delta",
                "response.output_audio_transcript.delta",
                "response.output_audio_transcript.done",
                "response.done",
                "error",
            ]
        );
        let sound = acts.iter().filter(|act| matches!(act.what, What::Speak { ms: 40, .. }));
        assert_eq!(sound.count(), 2);
        assert_eq!(acts.iter().map(|act| act.delay_ms).sum::<u64>(), 80);
        let names: std::collections::BTreeSet<String> = acts
            .iter()
            .filter_map(|act| match &act.what {
                What::Send(text) => {
                    let event: Value = serde_json::from_str(text).unwrap();
                    Some(event["event_id"].as_str().unwrap().to_owned())
                }
                _ => None,
            })
            .collect();
        assert_eq!(names.len(), 14);
    }
}
