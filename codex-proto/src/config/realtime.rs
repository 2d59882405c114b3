//! `realtime`, `audio`, and the `experimental_realtime_…` keys.

use super::{
    error::{ConfigError, ConfigErrorKind},
    typing::Typing,
};
use crate::{
    effect::AudioDevices,
    realtime::{RealtimeSettings, RealtimeVersion},
};

impl Typing<'_> {
    pub(super) fn realtime(&self) -> Result<RealtimeSettings, ConfigError> {
        let text = |path: &str| self.string(path).filter(|text| !text.trim().is_empty());
        let experimental = |name: &str| format!("experimental_realtime_{name}");
        let base = |name: &str, schemes: &[&str]| {
            let path = experimental(name);
            let Some(node) = self.node(&path) else { return Ok(None) };
            let url = node.as_str().unwrap_or_default();
            let fits = |scheme: &&str| {
                url.strip_prefix(*scheme).is_some_and(|rest| !rest.trim().is_empty())
            };
            if schemes.iter().any(fits) && !url.contains(char::is_whitespace) {
                return Ok(Some(url.to_owned()));
            }
            let message = format!("`{path}` must begin with {}", schemes.join(", "));
            Err(self.layers.error(ConfigErrorKind::Invalid, node.at, message))
        };
        let version = self.string("realtime.version");
        Ok(RealtimeSettings {
            version: version.as_deref().and_then(RealtimeVersion::of_name).unwrap_or_default(),
            transcription: self.string("realtime.type").as_deref() == Some("transcription"),
            websocket: self.string("realtime.transport").as_deref() == Some("websocket"),
            voice: text("realtime.voice"),
            devices: AudioDevices {
                microphone: text("audio.microphone"),
                speaker: text("audio.speaker"),
            },
            socket_base_url: base("ws_base_url", &["http://", "https://", "ws://", "wss://"])?,
            call_base_url: base("webrtc_call_base_url", &["http://", "https://"])?,
            model: text(&experimental("ws_model")),
            prompt: text(&experimental("ws_backend_prompt")),
            // Blank says something here: no context.
            startup_context: self.string(&experimental("ws_startup_context")),
            start_instructions: text(&experimental("start_instructions")),
        })
    }
}
