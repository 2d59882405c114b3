//! What is done with audio, without devices and sockets: time is passed in, so that tests run in
//! virtual time. Inside, audio is mono at 48 kHz in frames of 20 ms, whatever devices and peers use.

pub(crate) mod codec;
pub(crate) mod gate;
pub(crate) mod jitter;
pub(crate) mod level;
pub(crate) mod pcm;
pub(crate) mod playout;
pub(crate) mod queue;
pub(crate) mod uplink;
