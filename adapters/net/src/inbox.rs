//! What a running socket is told: messages to send, to close, to end.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_channel::{Receiver, Sender, bounded, unbounded};
use codex_proto::{HostError, HostErrorKind, effect::SocketMessage};

/// Messages of one socket that may wait to be sent.
pub const MESSAGES_WAITING_MAX: usize = 1_024;
/// Bytes of one socket that may wait to be sent.
pub const BYTES_WAITING_MAX: usize = 16 << 20;

/// The sending side of what a socket is told.
pub(crate) struct Handle {
    messages: Sender<SocketMessage>,
    bytes: Arc<AtomicUsize>,
    close: Sender<()>,
    end: Sender<HostError>,
}

/// The receiving side.
pub(crate) struct Inbox {
    messages: Receiver<SocketMessage>,
    bytes: Arc<AtomicUsize>,
    close: Receiver<()>,
    end: Receiver<HostError>,
}

/// Both sides.
pub(crate) fn handle() -> (Handle, Inbox) {
    let (messages, messages_in) = unbounded();
    let (close, close_in) = bounded(1);
    let (end, end_in) = bounded(1);
    let bytes = Arc::new(AtomicUsize::new(0));
    let handle = Handle { messages, bytes: Arc::clone(&bytes), close, end };
    (handle, Inbox { messages: messages_in, bytes, close: close_in, end: end_in })
}

impl Handle {
    pub(crate) fn send(&self, message: SocketMessage) {
        let count = self.messages.len() + 1;
        let bytes = size(&message) + self.bytes.load(Ordering::Relaxed);
        if count > MESSAGES_WAITING_MAX || bytes > BYTES_WAITING_MAX {
            return self.end(HostError::new(
                HostErrorKind::TooLarge,
                format!(
                    "the peer does not take what is sent: {count} messages, {bytes} bytes wait"
                ),
            ));
        }
        self.bytes.store(bytes, Ordering::Relaxed);
        if message == SocketMessage::Close {
            // An error means that it was asked for before.
            let _ = self.close.try_send(());
        }
        // The channel has no bound of its own, and an ended socket needs no message.
        let _ = self.messages.try_send(message);
    }

    pub(crate) fn end(&self, error: HostError) {
        // The first reason stands.
        let _ = self.end.try_send(error);
    }
}

fn size(message: &SocketMessage) -> usize {
    match message {
        SocketMessage::Audio { kind, pcm } => kind.len() + pcm.0.len(),
        SocketMessage::Close => 0,
        SocketMessage::Text(text) => text.len(),
    }
}

impl Inbox {
    /// The next message; waits for ever once there can be none.
    pub(crate) async fn message(&self) -> SocketMessage {
        match self.messages.recv().await {
            Ok(message) => {
                self.bytes.fetch_sub(size(&message), Ordering::Relaxed);
                message
            }
            Err(_) => futures_lite::future::pending().await,
        }
    }

    /// Whether a message waits.
    pub(crate) fn has_message(&self) -> bool {
        !self.messages.is_empty()
    }

    /// Waits until the end is asked for, with or without a closing handshake.
    pub(crate) async fn ended(&self) -> HostError {
        match self.end.recv().await {
            Ok(error) => error,
            Err(_) => futures_lite::future::pending().await,
        }
    }

    /// Waits until the closing handshake is asked for.
    pub(crate) async fn closing(&self) {
        if self.close.recv().await.is_err() {
            futures_lite::future::pending::<()>().await;
        }
    }
}
