//! Sockets: a WebSocket to a peer, and connections that are made before they are needed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Pcm;
use crate::{
    id::EffectId,
    settings::{AuthRef, HeaderValue},
};

/// A connection to make now for a request that comes later: name resolution, TCP and TLS. The next
/// `Http` or `Socket` to the same origin takes it; nobody taking it within `keep_ms` closes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preconnect {
    /// Any URL of the origin: `http`, `https`, `ws` or `wss`. Only scheme, host and port count.
    pub url: String,
    /// Who will take it: the two speak over different connections.
    pub purpose: PreconnectPurpose,
    /// Longest time for name resolution, connection and TLS together, in milliseconds.
    pub connect_ms: u64,
    /// How long an unused connection is kept, in milliseconds.
    pub keep_ms: u64,
}

/// What a connection is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreconnectPurpose {
    /// The next `Http` to the origin.
    Http,
    /// The next `Socket` to the origin.
    Socket,
}

/// A WebSocket to open. Each `Reply::Bytes` is one whole text message; pings are answered by the
/// adapter; a binary message is a failure. A peer that closes with a code other than 1000 and 1001
/// has failed, with its reason.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketRequest {
    /// `ws` or `wss`, absolute, with query.
    pub url: String,
    /// In order; names in lower case. `authorization` is not among them.
    pub headers: Vec<(String, HeaderValue)>,
    /// The bearer token to add.
    pub auth: Option<AuthRef>,
    /// Longest time until the handshake is answered, in milliseconds.
    pub connect_ms: u64,
    /// A longer message is a failure with [`crate::HostErrorKind::TooLarge`].
    pub message_bytes_max: usize,
}

impl fmt::Debug for SocketRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketRequest")
            .field("url", &self.url)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

/// A message to send. Each text or audio message is acknowledged in a `Reply::Sent` once the
/// kernel has it, so that the engine knows how much waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Send {
    /// The open `Socket`; unknown or ended ones are ignored.
    pub socket: EffectId,
    /// What to send.
    pub message: SocketMessage,
}

/// What can be sent over a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketMessage {
    /// `{"type": kind, "audio": <base64 of pcm>}`; built by the adapter, so that audio crosses the
    /// journal as a length.
    Audio {
        /// The `type` member.
        kind: String,
        /// The audio.
        pcm: Pcm,
    },
    /// The closing handshake; `Closed` follows within two seconds. Not acknowledged by `Sent`.
    Close,
    /// A text message.
    Text(String),
}
