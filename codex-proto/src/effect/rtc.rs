//! Media: a WebRTC peer of our own, and the microphone and speaker without one. Audio stays in the
//! adapter; the engine hears of levels and positions, and of samples only where the transport
//! makes it carry them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{HostError, id::EffectId};

/// Longest [`Pcm`] that a journal can bring back, in bytes.
const PCM_BYTES_MAX: usize = 16 << 20;

/// A WebRTC peer to make: one audio section (Opus, both ways) and one data channel. `Offer` comes
/// first; media and channel come up after [`RtcAnswer`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtcOpen {
    /// Label of the data channel, `oai-events`.
    pub channel: String,
    /// Which devices.
    pub devices: AudioDevices,
    /// What the microphone does at first. What it captures before media is up is kept, up to
    /// `preroll_ms` (the newest), and sent in order.
    pub microphone: MicrophoneState,
    /// Bound on captured audio that waits for the link, in milliseconds.
    pub preroll_ms: u64,
    /// No media from the peer for this long while the link is up is a `Link(Lost)`.
    pub silence_ms: u64,
}

/// Devices by their names, as `[audio]` has them; `None` takes the system's default, `null` a device
/// that captures silence and plays into nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioDevices {
    /// `audio.microphone`.
    pub microphone: Option<String>,
    /// `audio.speaker`.
    pub speaker: Option<String>,
}

/// What a microphone does. Nothing captured in another state than `On` ever leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MicrophoneState {
    /// Open, but silence is sent.
    Muted,
    /// Not opened.
    #[default]
    Off,
    /// Open.
    On,
}

/// The peer's answer. That it cannot be used is told by `Failed` of the `RtcOpen`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtcAnswer {
    /// The open peer.
    pub rtc: EffectId,
    /// The session description.
    pub sdp: String,
}

// A session description holds the credentials of the media session.
impl fmt::Debug for RtcAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtcAnswer").field("rtc", &self.rtc).finish_non_exhaustive()
    }
}

/// A text message for the data channel; acknowledged in `Reply::Sent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtcSend {
    /// The open peer.
    pub rtc: EffectId,
    /// The message.
    pub text: String,
}

/// Microphone and speaker to open without a peer: audio goes through the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioOpen {
    /// Which devices.
    pub devices: AudioDevices,
    /// What the microphone does at first.
    pub microphone: MicrophoneState,
}

/// Samples for the speaker, after those that wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioPlay {
    /// The open `AudioOpen`.
    pub audio: EffectId,
    /// What to play.
    pub pcm: Pcm,
}

/// Where a peer connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// A path to the peer was found.
    Connected,
    /// Nothing comes from the peer any more; it may come back as `Up`.
    Lost,
    /// Media flows: encryption is up.
    Up,
}

/// News of the data channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelNews {
    /// It is closed; the link may live on.
    Closed,
    /// It takes messages.
    Open,
    /// A text message came.
    Text(#[serde(with = "crate::journal::bytes")] Vec<u8>),
}

/// News of the devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioNews {
    /// Samples from the microphone; only from an `AudioOpen`, 20 ms each.
    Captured(Pcm),
    /// A device cannot be used, or is gone; the rest goes on without it.
    Device {
        /// Which.
        device: AudioDevice,
        /// Why.
        error: HostError,
    },
    /// Captured audio was dropped because it waited too long, in milliseconds.
    Dropped {
        /// How much since the last such news.
        ms: u64,
    },
    /// Peaks since the last such news, `0..=32767`; at most ten a second.
    Level {
        /// What the microphone hears, before mute.
        microphone: u16,
        /// What the speaker plays.
        speaker: u16,
    },
    /// How much of what came by `AudioPlay` has been played since the speaker was opened or
    /// cleared, in milliseconds; at most ten a second, and at once when it runs dry.
    Played {
        /// In all.
        ms: u64,
    },
}

/// Which device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioDevice {
    /// The input.
    Microphone,
    /// The output.
    Speaker,
}

/// Samples: 16-bit little-endian, one channel, 24 kHz. Its serialised form is its length alone; what
/// is read back is silence.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pcm(pub Vec<u8>);

impl Pcm {
    /// Bytes a millisecond.
    pub const BYTES_PER_MS: usize = 48;

    /// Its length in milliseconds, rounded down.
    #[must_use]
    pub fn ms(&self) -> u64 {
        (self.0.len() / Self::BYTES_PER_MS) as u64
    }
}

impl fmt::Debug for Pcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pcm({} bytes)", self.0.len())
    }
}

impl Serialize for Pcm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.len() as u64)
    }
}

impl<'de> Deserialize<'de> for Pcm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let length = usize::deserialize(deserializer)?;
        if length > PCM_BYTES_MAX {
            return Err(D::Error::custom(format!(
                "{length} bytes of audio, {PCM_BYTES_MAX} at most"
            )));
        }
        Ok(Self(vec![0; length]))
    }
}
