//! The socket of a conversation: beside a call that was created, or with the audio in it.
//!
//! ```text
//! (new)    --start--> Joining
//! Joining  --Opened--> Joined
//! Joining  --Head--> Declined          the body is collected
//! Joining, Declined --failure to repeat--> Backoff
//! Joining, Declined --failure for good--> (failed)
//! Backoff  --time over--> Joining
//! Joining, Declined, Backoff --deadline--> (failed)
//! Joined   --Closed, Failed--> (lost)
//! Joining, Declined, Backoff --stop--> (abandoned)
//! Joined   --stop--> (let go)          it is closed properly
//! ```
//!
//! Repeated are transport errors, 408, 425, 429 and 5xx, and 404 right after a call was created: the
//! service may not know it everywhere yet.

use codex_proto::{
    EffectId, EffectKind, HostError, Mono, Reply,
    effect::{HttpHead, SocketRequest},
};

use super::fault::{self, Fault};
use crate::{
    limits::{CALL_UNKNOWN_MS, JOIN_ATTEMPT_MS, JOIN_DELAY_MS_MAX, JOIN_MS},
    machine::{Cx, Leg, NEW},
    model::failure::{self, Retry},
    turn::backoff_ms,
};

const MACHINE: &str = "sideband";
const DOING: &str = "the voice connection could not be opened";

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Sideband {
    state: State,
    request: Box<SocketRequest>,
    began: Mono,
    until: Mono,
    failed: u32,
    /// Whether it joins a call that was just created.
    of_call: bool,
}

#[derive(Clone, Debug)]
enum State {
    Backoff { at: Mono },
    Declined { effect: EffectId, head: HttpHead, body: Vec<u8> },
    Joined { effect: EffectId },
    Joining { effect: EffectId },
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Backoff { .. } => "Backoff",
            Self::Declined { .. } => "Declined",
            Self::Joined { .. } => "Joined",
            Self::Joining { .. } => "Joining",
        }
    }

    fn effect(&self) -> Option<EffectId> {
        match self {
            Self::Backoff { .. } => None,
            Self::Declined { effect, .. } | Self::Joined { effect } | Self::Joining { effect } => {
                Some(*effect)
            }
        }
    }
}

/// What a reply did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// It will not open.
    Failed(Fault),
    /// It was open, and is no more; with the error, if it was one.
    Lost(Option<HostError>),
    /// A message.
    Message(Vec<u8>),
    More,
    /// It is open.
    Opened(EffectId),
    /// Messages left.
    Sent(u32),
}

impl Sideband {
    pub(super) fn start(request: SocketRequest, of_call: bool, cx: &mut Cx<'_>) -> Self {
        let effect = cx.start_leg(Leg::Socket, EffectKind::Socket(Box::new(request.clone())));
        cx.moved(MACHINE, NEW, "start", "Joining");
        Self {
            state: State::Joining { effect },
            request: Box::new(request),
            began: cx.now.mono,
            until: cx.now.mono.after_ms(JOIN_MS),
            failed: 0,
            of_call,
        }
    }

    pub(super) fn effect(&self) -> Option<EffectId> {
        self.state.effect()
    }

    fn go(&mut self, on: &'static str, next: State, cx: &mut Cx<'_>) {
        cx.moved(MACHINE, self.state.name(), on, next.name());
        self.state = next;
    }

    pub(super) fn on_reply(&mut self, reply: Reply, cx: &mut Cx<'_>) -> Flow {
        match (&mut self.state, reply) {
            (State::Joining { effect }, Reply::Opened) => {
                let effect = *effect;
                self.go("Opened", State::Joined { effect }, cx);
                Flow::Opened(effect)
            }
            (State::Joining { effect }, Reply::Head(head)) => {
                let next = State::Declined { effect: *effect, head: *head, body: Vec::new() };
                self.go("Head", next, cx);
                Flow::More
            }
            (State::Joining { .. }, Reply::Failed(error)) => {
                self.failed(fault::of_host(DOING, &error), cx)
            }
            (State::Declined { body, .. }, Reply::Bytes(bytes)) => {
                if failure::collect(body, &bytes) { self.declined(cx) } else { Flow::More }
            }
            (State::Declined { .. }, Reply::Closed | Reply::Failed(_)) => self.declined(cx),
            (State::Joined { .. }, Reply::Bytes(bytes)) => Flow::Message(bytes),
            (State::Joined { .. }, Reply::Sent { messages }) => Flow::Sent(messages),
            (State::Joined { .. }, Reply::Closed) => {
                cx.moved(MACHINE, "Joined", "Closed", "(lost)");
                Flow::Lost(None)
            }
            (State::Joined { .. }, Reply::Failed(error)) => {
                cx.moved(MACHINE, "Joined", "Failed", "(lost)");
                Flow::Lost(Some(error))
            }
            _ => Flow::More,
        }
    }

    fn declined(&mut self, cx: &mut Cx<'_>) -> Flow {
        let State::Declined { head, body, .. } = &self.state else { return Flow::More };
        let (fault, retry) = fault::of_status(DOING, head, body, &self.request.url, cx);
        let young = cx.now.mono.ms_since(self.began) < CALL_UNKNOWN_MS;
        let retry = match head.status {
            404 if self.of_call && young => Retry::Request(None),
            409 => Retry::No,
            _ => retry,
        };
        self.failed((fault, retry), cx)
    }

    fn failed(&mut self, (fault, retry): (Fault, Retry), cx: &mut Cx<'_>) -> Flow {
        if let Some(effect) = self.state.effect() {
            cx.cancel(effect);
        }
        self.failed += 1;
        // 200, 400, 800, 1600, 3200, 3200 … ms: never shorter than the one before.
        let ours = |cx: &mut Cx<'_>| match self.failed {
            1..=4 => backoff_ms(self.failed - 1, cx),
            _ => JOIN_DELAY_MS_MAX,
        };
        match retry.at(self.until, ours, cx) {
            Some(at) => {
                self.go("failure to repeat", State::Backoff { at }, cx);
                Flow::More
            }
            None => {
                cx.moved(MACHINE, self.state.name(), "failure for good", "(failed)");
                Flow::Failed(fault)
            }
        }
    }

    pub(super) fn on_wake(&mut self, cx: &mut Cx<'_>) -> Flow {
        if matches!(self.state, State::Joined { .. }) {
            return Flow::More;
        }
        if self.until <= cx.now.mono {
            if let Some(effect) = self.state.effect() {
                cx.cancel(effect);
            }
            cx.moved(MACHINE, self.state.name(), "deadline", "(failed)");
            let fault = Fault::new(format!("{DOING} within {} s", JOIN_MS / 1_000))
                .hinted("check the network, proxies included, and try again");
            return Flow::Failed(fault);
        }
        if matches!(self.state, State::Backoff { at } if at <= cx.now.mono) {
            let mut request = self.request.clone();
            let left = self.until.ms_since(cx.now.mono);
            request.connect_ms = JOIN_ATTEMPT_MS.min(left.max(1));
            let effect = cx.start_leg(Leg::Socket, EffectKind::Socket(request));
            self.go("time over", State::Joining { effect }, cx);
        }
        Flow::More
    }

    /// It is wanted no more. Gives the socket that is to be closed properly.
    pub(super) fn stop(&self, cx: &mut Cx<'_>) -> Option<EffectId> {
        if let State::Joined { effect } = self.state {
            cx.moved(MACHINE, "Joined", "stop", "(let go)");
            return Some(effect);
        }
        if let Some(effect) = self.state.effect() {
            cx.cancel(effect);
        }
        cx.moved(MACHINE, self.state.name(), "stop", "(abandoned)");
        None
    }

    pub(super) fn deadline(&self) -> Option<(Mono, &'static str)> {
        match self.state {
            State::Backoff { at } => Some((at.min(self.until), "open voice connection again")),
            State::Declined { .. } | State::Joining { .. } => {
                Some((self.until, "open voice connection"))
            }
            State::Joined { .. } => None,
        }
    }
}
