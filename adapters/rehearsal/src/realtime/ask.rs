//! What a conversation asks of those who carry it.

/// What a peer is asked to do.
#[derive(Debug)]
pub(crate) enum PeerAsk {
    /// Neither send nor answer anything more.
    Silence,
    /// Speak for so many milliseconds.
    Speak(u64),
    /// Send over the data channel.
    Text(String),
}

/// What a socket is asked to do.
#[derive(Debug)]
pub(crate) enum SocketAsk {
    /// Close with this code.
    Close(u16),
    /// Send so much sound.
    Speak { ms: u64, response: String, item: String },
    /// Send a message.
    Text(String),
}
