//! The media leg of a conversation by voice: a WebRTC peer, Opus, microphone and speaker. Executes
//! `RtcOpen`, `AudioOpen` and what goes to them.
//!
//! Everything that decides — peer, jitter buffer, mute, pre-roll, gate, levels — is sans-IO, with the
//! time passed in (`peer`, `media`), and tested in virtual time over a network that loses, delays and
//! reorders (`CODEX_VOICE_SOAK_MINUTES=30 cargo test -p codex-voice soak` talks for half an hour of it).
//! `run.rs` is the thin shell with sockets, devices and timers; each peer has a thread of its
//! own, so that audio and the loop of the host do not wait for each other.
//!
//! Where to start reading: [`Voice`], then `run.rs`, then `peer/mod.rs` for the states of a peer and
//! `media/uplink.rs`, `media/jitter.rs` for the two directions of audio.

mod address;
pub mod device;
pub mod doctor;
mod echo;
mod media;
mod outbox;
mod peer;
mod run;
mod voice;
mod warm;

pub use device::{Devices, NULL, Null};
pub use voice::Voice;
pub use warm::warm;
