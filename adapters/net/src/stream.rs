//! One request, from the moment it is asked for to its terminal reply.
//!
//! | state        | event                 | next         | reply                            |
//! |--------------|-----------------------|--------------|----------------------------------|
//! | `Queued`     | a thread takes it     | `Connecting` |                                  |
//! | `Queued`     | cancel                | `Done`       | `Failed(Cancelled)` at once      |
//! | `Connecting` | the connection is up  | `Open`       | `Opened`                         |
//! | `Connecting` | cancel                | `Done`       | `Failed(Cancelled)` at once      |
//! | `Connecting` | failure               | `Done`       | `Failed`                         |
//! | `Open`       | head, bytes           | `Open`       | `Head`, `Bytes`                  |
//! | `Open`       | the body is complete  | `Complete`   |                                  |
//! | `Open`       | failure               | `Done`       | `Failed`                         |
//! | `Open`       | cancel: socket closed | `Cancelled`  |                                  |
//! | `Cancelled`  | the thread notices    | `Done`       | `Failed(Cancelled)`              |
//! | `Complete`   | agent in the list     | `Done`       | `Closed`                         |
//!
//! Before `Opened` nothing was sent, so the bounded channel has room and whoever cancels can send
//! the terminal reply without waiting. After it, only the thread sends, so replies keep their order.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_channel::{Sender, TrySendError};
use codex_proto::{EffectId, HostError, HostErrorKind, Reply};
use ureq::Agent;

/// The part of a request that its thread and the canceller share.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: EffectId,
    replies: Sender<Reply>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Queued,
    Connecting(Agent),
    Open(Agent),
    Complete,
    Cancelled,
    Done,
}

/// The request has ended: it was cancelled, or nobody listens any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended;

impl Stream {
    pub(crate) fn new(id: EffectId, replies: Sender<Reply>) -> Self {
        Self { id, replies, state: Mutex::new(State::Queued) }
    }

    /// A thread begins to work on it with this agent.
    pub(crate) fn connecting(&self, agent: Agent) -> Result<(), Ended> {
        let mut state = self.lock();
        if matches!(*state, State::Queued) {
            *state = State::Connecting(agent);
            return Ok(());
        }
        Err(Ended)
    }

    /// The connection is up and the request is about to be written.
    pub(crate) fn opened(&self) -> Result<(), Ended> {
        let mut state = self.lock();
        let State::Connecting(agent) = mem::replace(&mut *state, State::Done) else {
            // Cancelled before the connection was up: the terminal reply is out already.
            return Err(Ended);
        };
        *state = State::Open(agent);
        drop(state);
        self.send(Reply::Opened)
    }

    /// Sends a part of the answer; waits for room in the channel.
    pub(crate) fn send(&self, reply: Reply) -> Result<(), Ended> {
        if !matches!(*self.lock(), State::Open(_)) {
            return Err(Ended);
        }
        self.replies.send_blocking(reply).map_err(|_| Ended)
    }

    /// The body is complete: from here on a cancellation leaves the agent alone.
    pub(crate) fn complete(&self) -> Result<(), Ended> {
        let mut state = self.lock();
        if matches!(*state, State::Open(_)) {
            *state = State::Complete;
            return Ok(());
        }
        Err(Ended)
    }

    /// Ends it with this terminal reply, unless a cancellation decided otherwise.
    pub(crate) fn end(&self, reply: Reply) {
        let last = match mem::replace(&mut *self.lock(), State::Done) {
            State::Done => return,
            State::Cancelled => cancelled(),
            State::Queued | State::Connecting(_) | State::Open(_) | State::Complete => reply,
        };
        // An error means that nobody listens, which is the listener's choice.
        let _ = self.replies.send_blocking(last);
    }

    /// Ends it early: at once while nothing was sent, else by closing the socket.
    pub(crate) fn cancel(&self) {
        let mut state = self.lock();
        let agent = match mem::replace(&mut *state, State::Done) {
            State::Queued => None,
            State::Connecting(agent) => Some(agent),
            State::Open(agent) => {
                *state = State::Cancelled;
                drop(state);
                return agent.shutdown();
            }
            ended @ (State::Complete | State::Cancelled | State::Done) => {
                *state = ended;
                return;
            }
        };
        match self.replies.try_send(cancelled()) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            // The caller shares the channel with something else; the thread waits for room.
            Err(TrySendError::Full(_)) => *state = State::Cancelled,
        }
        drop(state);
        if let Some(agent) = agent {
            agent.shutdown();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cancelled() -> Reply {
    Reply::Failed(HostError::new(HostErrorKind::Cancelled, "the request was cancelled"))
}
