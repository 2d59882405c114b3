//! Creating a call: the request with the offer, and the answer that it gets.
//!
//! ```text
//! (new)    --start--> Offering             our own peer makes the offer
//! (new)    --start--> Posting              there is one
//! Offering --Offer--> Posting
//! Posting  --Head 2xx--> Reading
//! Posting  --Head else--> Refused          the body is collected
//! Reading  --Closed--> (created)
//! Posting, Reading, Refused --failure to repeat--> Backoff
//! Posting, Reading, Refused --failure for good--> (failed)
//! Backoff  --time over--> Posting
//! Offering, Posting, Reading, Refused, Backoff --deadline--> (failed)
//! Offering, Posting, Reading, Refused, Backoff --stop--> (abandoned)
//! ```

use codex_proto::{
    EffectId, EffectKind, Mono, Reply,
    effect::{HttpHead, HttpRequest},
    wire::realtime::sdp,
};

use super::fault::{self, Fault};
use crate::{
    limits::{CALL_MS, CALL_WAIT_MS_MAX},
    machine::{Cx, Leg, NEW},
    model::failure::{self, Retry},
    turn::backoff_ms,
};

const MACHINE: &str = "call";
const DOING: &str = "the voice call could not be created";

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Create {
    state: State,
    until: Mono,
    request: Option<Box<HttpRequest>>,
    failed: u32,
}

#[derive(Clone, Debug)]
enum State {
    Backoff {
        at: Mono,
    },
    Offering,
    /// It is over; nothing follows.
    Over,
    Posting {
        effect: EffectId,
    },
    Reading {
        effect: EffectId,
        location: Option<String>,
        body: Vec<u8>,
    },
    Refused {
        effect: EffectId,
        head: HttpHead,
        body: Vec<u8>,
    },
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Backoff { .. } => "Backoff",
            Self::Offering => "Offering",
            Self::Over => "Over",
            Self::Posting { .. } => "Posting",
            Self::Reading { .. } => "Reading",
            Self::Refused { .. } => "Refused",
        }
    }

    fn effect(&self) -> Option<EffectId> {
        match self {
            Self::Backoff { .. } | Self::Offering | Self::Over => None,
            Self::Posting { effect }
            | Self::Reading { effect, .. }
            | Self::Refused { effect, .. } => Some(*effect),
        }
    }
}

/// What a reply did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// There is a call, with this answer.
    Created { answer: String, location: Option<String> },
    /// There will be none.
    Failed(Fault),
    /// It goes on.
    More,
}

impl Create {
    /// Waits for an offer.
    pub(super) fn offering(cx: &mut Cx<'_>) -> Self {
        cx.moved(MACHINE, NEW, "start", "Offering");
        let until = cx.now.mono.after_ms(CALL_MS);
        Self { state: State::Offering, until, request: None, failed: 0 }
    }

    /// Sends a request at once.
    pub(super) fn start(request: HttpRequest, cx: &mut Cx<'_>) -> Self {
        let until = cx.now.mono.after_ms(CALL_MS);
        let effect = cx.start_leg(Leg::Call, EffectKind::Http(Box::new(request.clone())));
        cx.moved(MACHINE, NEW, "start", "Posting");
        let request = Some(Box::new(request));
        Self { state: State::Posting { effect }, until, request, failed: 0 }
    }

    pub(super) fn is_offering(&self) -> bool {
        matches!(self.state, State::Offering)
    }

    pub(super) fn effect(&self) -> Option<EffectId> {
        self.state.effect()
    }

    /// The offer is there, and this is the request with it.
    pub(super) fn offered(&mut self, request: HttpRequest, cx: &mut Cx<'_>) {
        self.request = Some(Box::new(request));
        self.post("Offer", cx);
    }

    fn post(&mut self, on: &'static str, cx: &mut Cx<'_>) {
        let Some(request) = self.request.clone() else { return };
        let effect = cx.start_leg(Leg::Call, EffectKind::Http(request));
        self.go(on, State::Posting { effect }, cx);
    }

    fn go(&mut self, on: &'static str, next: State, cx: &mut Cx<'_>) {
        cx.moved(MACHINE, self.state.name(), on, next.name());
        self.state = next;
    }

    pub(super) fn on_reply(&mut self, reply: Reply, cx: &mut Cx<'_>) -> Flow {
        match (&mut self.state, reply) {
            (State::Posting { effect }, Reply::Head(head)) => {
                let effect = *effect;
                if (200..300).contains(&head.status) {
                    let location = head.header("location").map(str::to_owned);
                    let next = State::Reading { effect, location, body: Vec::new() };
                    self.go("Head 2xx", next, cx);
                } else {
                    let next = State::Refused { effect, head: *head, body: Vec::new() };
                    self.go("Head else", next, cx);
                }
                Flow::More
            }
            (State::Reading { body, .. }, Reply::Bytes(bytes)) => {
                if body.len() + bytes.len() > sdp::BYTES_MAX {
                    let fault = Fault::new(format!(
                        "{DOING}: the answer is longer than {} KiB",
                        sdp::BYTES_MAX >> 10
                    ));
                    return self.failed((fault, Retry::No), cx);
                }
                body.extend_from_slice(&bytes);
                Flow::More
            }
            (State::Reading { location, body, .. }, Reply::Closed) => {
                let location = location.take();
                match String::from_utf8(std::mem::take(body)) {
                    Ok(answer) => {
                        cx.moved(MACHINE, "Reading", "Closed", "(created)");
                        self.state = State::Over;
                        Flow::Created { answer, location }
                    }
                    Err(_) => {
                        let fault = Fault::new(format!("{DOING}: the answer is not text"));
                        self.failed((fault, Retry::No), cx)
                    }
                }
            }
            (State::Refused { body, .. }, Reply::Bytes(bytes)) => {
                if failure::collect(body, &bytes) { self.refused(cx) } else { Flow::More }
            }
            (State::Refused { .. }, Reply::Closed | Reply::Failed(_)) => self.refused(cx),
            (State::Posting { .. } | State::Reading { .. }, Reply::Failed(error)) => {
                self.failed(fault::of_host(DOING, &error), cx)
            }
            _ => Flow::More,
        }
    }

    fn refused(&mut self, cx: &mut Cx<'_>) -> Flow {
        let State::Refused { head, body, .. } = &self.state else { return Flow::More };
        let url = self.request.as_ref().map(|request| request.url.clone()).unwrap_or_default();
        let (fault, retry) = fault::of_status(DOING, head, body, &url, cx);
        // A limit that lasts is told, not waited for.
        let retry = match retry {
            Retry::Request(wait)
                if head.status == 429 && wait.is_none_or(|ms| ms > CALL_WAIT_MS_MAX) =>
            {
                Retry::No
            }
            other => other,
        };
        self.failed((fault, retry), cx)
    }

    fn failed(&mut self, (fault, retry): (Fault, Retry), cx: &mut Cx<'_>) -> Flow {
        if let Some(effect) = self.state.effect() {
            cx.cancel(effect);
        }
        self.failed += 1;
        match retry.at(self.until, |cx| backoff_ms(self.failed - 1, cx), cx) {
            Some(at) if self.failed <= cx.settings.provider.request_retries_max => {
                self.go("failure to repeat", State::Backoff { at }, cx);
                Flow::More
            }
            _ => {
                cx.moved(MACHINE, self.state.name(), "failure for good", "(failed)");
                self.state = State::Over;
                Flow::Failed(fault)
            }
        }
    }

    pub(super) fn on_wake(&mut self, cx: &mut Cx<'_>) -> Flow {
        if self.until <= cx.now.mono {
            let what = match self.state {
                State::Offering => "no offer was made",
                _ => "the service gave no answer",
            };
            let fault = Fault::new(format!("{DOING}: {what} within {} s", CALL_MS / 1_000))
                .hinted("check the network and try again");
            if let Some(effect) = self.state.effect() {
                cx.cancel(effect);
            }
            cx.moved(MACHINE, self.state.name(), "deadline", "(failed)");
            self.state = State::Over;
            return Flow::Failed(fault);
        }
        if matches!(self.state, State::Backoff { at } if at <= cx.now.mono) {
            self.post("time over", cx);
        }
        Flow::More
    }

    /// The call is wanted no more.
    pub(super) fn stop(&self, cx: &mut Cx<'_>) {
        if matches!(self.state, State::Over) {
            return;
        }
        if let Some(effect) = self.state.effect() {
            cx.cancel(effect);
        }
        cx.moved(MACHINE, self.state.name(), "stop", "(abandoned)");
    }

    pub(super) fn deadline(&self) -> (Mono, &'static str) {
        match self.state {
            State::Over => (Mono(u64::MAX), "nothing"),
            State::Backoff { at } => (at.min(self.until), "create voice call again"),
            State::Offering => (self.until, "voice offer"),
            State::Posting { .. } | State::Reading { .. } | State::Refused { .. } => {
                (self.until, "create voice call")
            }
        }
    }
}
