//! The scripted model behind the `Http` effect, without a socket.
//!
//! ```text
//! Opened ─► Head ─► Bytes* ─► Closed | Failed(Disconnected: cut, reset, end of a hang)
//!    └────────┴────────┴────► Failed(Cancelled)
//! ```
//!
//! Each request has a thread of its own for as long as it lasts, so that waiting and a full channel
//! hold up nobody, as with a real connection; no executor is needed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_channel::{Receiver, Sender};
use codex_proto::{
    EffectId, HostError, HostErrorKind, Reply,
    effect::{HttpHead, HttpRequest, Method},
    settings::HeaderValue,
};
use futures_lite::future;

use crate::{
    model::{End, ScriptedModel, ScriptedResponse},
    script::Script,
};

/// Largest `Bytes` reply.
const REPLY_BYTES_MAX: usize = 64 << 10;

/// Executes `Http` effects by asking a scripted model. Clones share the model.
#[derive(Clone, Debug)]
pub struct InProcess {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    model: Mutex<ScriptedModel>,
    /// Dropping the sender cancels the request.
    running: Mutex<BTreeMap<EffectId, Sender<()>>>,
}

impl InProcess {
    /// A model at the beginning of its script.
    #[must_use]
    pub fn new(script: Script) -> Self {
        let model = Mutex::new(ScriptedModel::new(script));
        Self { shared: Arc::new(Shared { model, running: Mutex::default() }) }
    }

    /// Starts a request; the next step of the script is taken before this returns, so requests
    /// are answered in the order in which they are started. Never blocks.
    ///
    /// The path decides as on the server ([`ScriptedModel::answer`]); host, credentials and
    /// `connect_ms` are not looked at. When the receiver is gone the request ends.
    pub fn start(&self, id: EffectId, request: HttpRequest, replies: Sender<Reply>) {
        let answer = self.answer(&request);
        let (alive, cancelled) = async_channel::bounded(1);
        locked(&self.shared.running).insert(id, alive);
        let shared = self.shared.clone();
        let work = {
            let replies = replies.clone();
            move || {
                future::block_on(run(answer, &replies, &cancelled));
                locked(&shared.running).remove(&id);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("rehearsal".into()).spawn(work) {
            locked(&self.shared.running).remove(&id);
            let message = format!("cannot start a thread for the scripted model: {error}");
            let failed = Reply::Failed(HostError::new(HostErrorKind::Other, message));
            // A channel without room for one reply has a reader that has seen none.
            let _ = replies.try_send(failed);
        }
    }

    /// Cancels a request: `Failed(Cancelled)` follows, unless it has ended already.
    pub fn cancel(&self, id: EffectId) {
        locked(&self.shared.running).remove(&id);
    }

    /// How many requests the model has answered.
    #[must_use]
    pub fn requests(&self) -> u64 {
        locked(&self.shared.model).requests()
    }

    fn answer(&self, request: &HttpRequest) -> ScriptedResponse {
        let headers: Vec<(String, String)> = request
            .headers
            .iter()
            .filter_map(|(name, value)| match value {
                HeaderValue::Plain(value) => Some((name.clone(), value.clone())),
                HeaderValue::Secret(_) => None,
            })
            .collect();
        let method = match request.method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        locked(&self.shared.model).answer(method, &request.url, &headers, &request.body)
    }
}

/// The values behind the locks are whole at every moment, also after a panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why an answer is not sent on.
enum Stop {
    Cancelled,
    Disconnected(&'static str),
    ReceiverGone,
}

async fn run(answer: ScriptedResponse, replies: &Sender<Reply>, cancelled: &Receiver<()>) {
    let last = match send(answer, replies, cancelled).await {
        Ok(()) => Reply::Closed,
        Err(Stop::Cancelled) => {
            Reply::Failed(HostError::new(HostErrorKind::Cancelled, "the request was cancelled"))
        }
        Err(Stop::Disconnected(message)) => {
            Reply::Failed(HostError::new(HostErrorKind::Disconnected, message))
        }
        Err(Stop::ReceiverGone) => return,
    };
    // A reader that has gone needs no end.
    let _ = replies.send(last).await;
}

async fn send(
    answer: ScriptedResponse,
    replies: &Sender<Reply>,
    cancelled: &Receiver<()>,
) -> Result<(), Stop> {
    let tell = async |reply: Reply| {
        let sent = async { replies.send(reply).await.map_err(|_| Stop::ReceiverGone) };
        future::or(is_cancelled(cancelled), sent).await
    };
    tell(Reply::Opened).await?;
    wait(answer.delay_ms, cancelled).await?;
    if !answer.silent {
        let head = HttpHead { status: answer.status, headers: answer.headers };
        tell(Reply::Head(Box::new(head))).await?;
        for chunk in answer.chunks {
            wait(chunk.delay_ms, cancelled).await?;
            for part in chunk.bytes.chunks(REPLY_BYTES_MAX) {
                tell(Reply::Bytes(part.to_vec())).await?;
            }
        }
    }
    match answer.end {
        End::Close => Ok(()),
        End::Cut => Err(Stop::Disconnected("the scripted model cut the connection")),
        End::Reset => Err(Stop::Disconnected("the scripted model reset the connection")),
        End::Hang { ms } => {
            wait(ms, cancelled).await?;
            Err(Stop::Disconnected("the scripted model hung, then cut the connection"))
        }
    }
}

async fn wait(ms: u64, cancelled: &Receiver<()>) -> Result<(), Stop> {
    if ms == 0 {
        return Ok(());
    }
    let timer = async {
        async_io::Timer::after(Duration::from_millis(ms)).await;
        Ok(())
    };
    future::or(is_cancelled(cancelled), timer).await
}

async fn is_cancelled(cancelled: &Receiver<()>) -> Result<(), Stop> {
    // Nothing is ever sent: this ends when the sender is dropped.
    let _ = cancelled.recv().await;
    Err(Stop::Cancelled)
}
