//! Executes `Socket`, `Send` and `Preconnect`: which of them run, and how they are reached.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_channel::{Receiver, Sender, bounded, unbounded};
use codex_proto::{
    EffectId, HostError, HostErrorKind, Reply,
    effect::{Preconnect, SocketMessage, SocketRequest},
};

use crate::{net::Shared, preconnect, socket};

/// Messages of one socket that may wait to be sent.
pub const MESSAGES_WAITING_MAX: usize = 1_024;
/// Bytes of one socket that may wait to be sent.
pub const BYTES_WAITING_MAX: usize = 16 << 20;

/// Opens WebSockets and connections ahead of their use. Cheap to clone; shares certificates,
/// proxies, credentials and connections with the [`crate::Net`] it comes from.
///
/// What it returns is to be polled until it is done; dropping it closes the connection.
#[derive(Clone)]
pub struct Sockets {
    net: Arc<Shared>,
    table: Arc<Mutex<BTreeMap<EffectId, Handle>>>,
}

impl Sockets {
    pub(crate) fn new(net: Arc<Shared>) -> Self {
        Self { net, table: Arc::default() }
    }

    /// Opens a WebSocket.
    ///
    /// The replies are `Opened (Bytes | Sent)* (Closed | Failed)`, or `Head Bytes* (Closed |
    /// Failed)` when the peer declines; `Failed` may come at any point. A channel that is full
    /// stops the reading, and so in the end the peer's sending.
    pub fn start(
        &self,
        id: EffectId,
        request: SocketRequest,
        replies: Sender<Reply>,
    ) -> impl Future<Output = ()> + use<> {
        let (net, inbox, entry) = self.begin(id);
        async move {
            let last = socket::run(&net, &request, &replies, &inbox).await;
            drop(entry);
            // An error means that nobody listens, which is the listener's choice.
            let _ = replies.send(last).await;
        }
    }

    /// Sends over a socket, after what waits; unknown ids are ignored.
    ///
    /// A message beyond [`MESSAGES_WAITING_MAX`] or [`BYTES_WAITING_MAX`] ends the socket with
    /// [`HostErrorKind::TooLarge`].
    pub fn send(&self, socket: EffectId, message: SocketMessage) {
        if let Some(handle) = self.lock().get(&socket) {
            handle.send(message);
        }
    }

    /// Connects ahead of a request. The replies are `Closed | Failed`; what is returned goes on
    /// after them, and closes the connection when nobody took it in time.
    pub fn preconnect(
        &self,
        id: EffectId,
        connect: Preconnect,
        replies: Sender<Reply>,
    ) -> impl Future<Output = ()> + use<> {
        let (net, inbox, entry) = self.begin(id);
        async move {
            let kept = preconnect::run(&net, &connect, &inbox).await;
            drop(entry);
            let reply = match &kept {
                Ok(_) => Reply::Closed,
                Err(error) => Reply::Failed(error.clone()),
            };
            // As above.
            let _ = replies.send(reply).await;
            drop(replies);
            if let Ok(kept) = kept {
                kept.expire(&net).await;
            }
        }
    }

    /// Ends a socket or a connecting early, without a closing handshake; the terminal reply still
    /// comes, after what is in the channel already. Unknown and ended ones are left alone.
    pub fn cancel(&self, id: EffectId) {
        if let Some(handle) = self.lock().get(&id) {
            handle.end(HostError::new(HostErrorKind::Cancelled, "the socket was cancelled"));
        }
    }

    fn begin(&self, id: EffectId) -> (Arc<Shared>, Inbox, Entry) {
        let (handle, inbox) = handle();
        self.lock().insert(id, handle);
        let entry = Entry { id, table: Arc::clone(&self.table) };
        (Arc::clone(&self.net), inbox, entry)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<EffectId, Handle>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets").field("open", &self.lock().len()).finish_non_exhaustive()
    }
}

/// Leaves the table when what it stands for ends, or is dropped.
struct Entry {
    id: EffectId,
    table: Arc<Mutex<BTreeMap<EffectId, Handle>>>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// The sending side of what a socket is told.
struct Handle {
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

fn handle() -> (Handle, Inbox) {
    let (messages, messages_in) = unbounded();
    let (close, close_in) = bounded(1);
    let (end, end_in) = bounded(1);
    let bytes = Arc::new(AtomicUsize::new(0));
    let handle = Handle { messages, bytes: Arc::clone(&bytes), close, end };
    (handle, Inbox { messages: messages_in, bytes, close: close_in, end: end_in })
}

impl Handle {
    fn send(&self, message: SocketMessage) {
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

    fn end(&self, error: HostError) {
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
