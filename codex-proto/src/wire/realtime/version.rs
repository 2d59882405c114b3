//! What each dialect allows and prefers.

use crate::realtime::RealtimeVersion;

/// Voices of V1 and V3.
const VOICES: [&str; 9] =
    ["juniper", "maple", "spruce", "ember", "vale", "breeze", "arbor", "sol", "cove"];
/// Voices of V2.
const VOICES_V2: [&str; 10] =
    ["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"];

impl RealtimeVersion {
    /// The version of a name in `config.toml`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::V1, Self::V2, Self::V3].into_iter().find(|version| version.as_str() == name)
    }

    /// The model when none is configured.
    #[must_use]
    pub fn default_model(self) -> &'static str {
        match self {
            Self::V1 | Self::V2 => "gpt-realtime-1.5",
            Self::V3 => "gpt-live-1-boulder-alpha",
        }
    }

    /// The voices there are.
    #[must_use]
    pub fn voices(self) -> &'static [&'static str] {
        match self {
            Self::V1 | Self::V3 => &VOICES,
            Self::V2 => &VOICES_V2,
        }
    }

    /// The voice when none is configured.
    #[must_use]
    pub fn default_voice(self) -> &'static str {
        match self {
            Self::V1 | Self::V3 => "cove",
            Self::V2 => "marin",
        }
    }

    /// The value of the header `openai-alpha`.
    #[must_use]
    pub fn alpha(self) -> Option<&'static str> {
        match self {
            Self::V1 => Some("quicksilver=v1"),
            Self::V2 => None,
            Self::V3 => Some("quicksilver=v2"),
        }
    }

    /// Whether the model can write instead of speaking, and whether it can be made to only write
    /// down what it hears.
    #[must_use]
    pub fn has_text_output(self) -> bool {
        self == Self::V2
    }

    /// Whether a session can begin with items of an earlier one.
    #[must_use]
    pub fn has_initial_items(self) -> bool {
        self == Self::V3
    }

    /// Whether `session.update` is the first message to a call that was created over HTTP. A call
    /// of V3 runs as it was created.
    #[must_use]
    pub fn updates_call(self) -> bool {
        self != Self::V3
    }

    /// The `type` of audio messages.
    #[must_use]
    pub fn audio_kind(self) -> &'static str {
        match self {
            Self::V1 | Self::V2 => "input_audio_buffer.append",
            Self::V3 => "input_audio.append",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_rules() {
        use RealtimeVersion::{V1, V2, V3};
        for (version, name, alpha, voice, kind) in [
            (V1, "v1", Some("quicksilver=v1"), "cove", "input_audio_buffer.append"),
            (V2, "v2", None, "marin", "input_audio_buffer.append"),
            (V3, "v3", Some("quicksilver=v2"), "cove", "input_audio.append"),
        ] {
            assert_eq!(RealtimeVersion::of_name(name), Some(version));
            assert_eq!(version.alpha(), alpha);
            assert_eq!(version.default_voice(), voice);
            assert!(version.voices().contains(&voice));
            assert_eq!(version.audio_kind(), kind);
            assert_eq!(version.has_text_output(), version == V2);
            assert_eq!(version.has_initial_items(), version == V3);
            assert_eq!(version.updates_call(), version != V3);
        }
        assert_eq!(V2.default_model(), "gpt-realtime-1.5");
        assert_eq!(V1.default_model(), V2.default_model());
        assert_ne!(V3.default_model(), V2.default_model());
        assert_eq!(RealtimeVersion::of_name("v4"), None);
    }
}
