//! Executes `Socket`, `Send` and `Preconnect`: which of them run, and how they are reached.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_channel::Sender;
use codex_proto::{
    EffectId, HostError, HostErrorKind, Reply,
    effect::{Preconnect, SocketMessage, SocketRequest},
};

use crate::{
    inbox::{Handle, Inbox, handle},
    net::Shared,
    preconnect, socket,
};

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
    /// A message beyond [`crate::MESSAGES_WAITING_MAX`] or [`crate::BYTES_WAITING_MAX`] ends the socket with
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
