//! The media leg of a conversation by voice: a WebRTC peer, Opus, microphone and speaker.
