//! Asking the model to answer (V2), so that no request is lost and none comes twice. Without it two
//! requests cross, and the service refuses one of them.
//!
//! ```text
//! (new)  --start--> Idle
//! Idle   --request--> Asked               response.create leaves
//! Idle   --response.created--> Active     the service answers the person by itself
//! Idle   --conflict--> Asked              ours was refused, and what it met is over
//! Asked  --request--> Twice
//! Asked  --response.created--> Active
//! Asked  --response.done--> Idle          its beginning was missed
//! Asked  --conflict--> Owed
//! Asked  --deadline--> Idle               nobody answered
//! Twice  --response.created--> Owed
//! Twice  --response.done, deadline--> Asked   the second one leaves
//! Twice  --conflict--> Owed
//! Active --request, conflict--> Owed
//! Active --response.done--> Idle          or it was cancelled
//! Owed   --response.done--> Asked         what waited leaves, as one
//! Idle, Asked, Twice, Active, Owed --closed--> (gone)
//! ```

use codex_proto::Mono;

use crate::{
    limits::RESPONSE_CREATE_MS,
    machine::{Cx, NEW},
};

const MACHINE: &str = "response";

/// See the module's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Response {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Active,
    Asked { until: Mono },
    Idle,
    Owed,
    Twice { until: Mono },
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Asked { .. } => "Asked",
            Self::Idle => "Idle",
            Self::Owed => "Owed",
            Self::Twice { .. } => "Twice",
        }
    }
}

/// What a response did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Conflict,
    Created,
    Deadline,
    Done,
    Request,
}

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Created => "response.created",
            Self::Deadline => "deadline",
            Self::Done => "response.done",
            Self::Request => "request",
        }
    }
}

impl Response {
    pub(super) fn new(cx: &mut Cx<'_>) -> Self {
        cx.moved(MACHINE, NEW, "start", "Idle");
        Self { state: State::Idle }
    }

    /// The conversation is over.
    pub(super) fn closed(self, cx: &mut Cx<'_>) {
        cx.moved(MACHINE, self.state.name(), "closed", "(gone)");
    }

    /// Takes what happened. `true` when `response.create` is to be sent now.
    #[must_use]
    pub(super) fn on(&mut self, cause: Cause, cx: &mut Cx<'_>) -> bool {
        use State::{Active, Asked, Idle, Owed, Twice};
        let until = cx.now.mono.after_ms(RESPONSE_CREATE_MS);
        let (next, send) = match (self.state, cause) {
            (Idle, Cause::Request | Cause::Conflict) | (Owed, Cause::Done) => {
                (Asked { until }, true)
            }
            (Twice { .. }, Cause::Done | Cause::Deadline) => (Asked { until }, true),
            (Idle | Asked { .. }, Cause::Created) => (Active, false),
            (Asked { until }, Cause::Request) => (Twice { until }, false),
            (Active, Cause::Done) | (Asked { .. }, Cause::Done | Cause::Deadline) => (Idle, false),
            (Asked { .. } | Active, Cause::Conflict)
            | (Active, Cause::Request)
            | (Twice { .. }, Cause::Created | Cause::Conflict) => (Owed, false),
            (Idle, Cause::Done | Cause::Deadline)
            | (Active, Cause::Created | Cause::Deadline)
            | (Owed, Cause::Created | Cause::Conflict | Cause::Deadline | Cause::Request)
            | (Twice { .. }, Cause::Request) => return false,
        };
        cx.moved(MACHINE, self.state.name(), cause.name(), next.name());
        self.state = next;
        send
    }

    /// What waited for a line leaves only now.
    pub(super) fn restart(&mut self, now: Mono) {
        if let State::Asked { until } | State::Twice { until } = &mut self.state {
            *until = now.after_ms(RESPONSE_CREATE_MS);
        }
    }

    /// Whether the time of a request is over.
    pub(super) fn is_late(&self, now: Mono) -> bool {
        self.deadline().is_some_and(|(at, _)| at <= now)
    }

    pub(super) fn deadline(&self) -> Option<(Mono, &'static str)> {
        match self.state {
            State::Asked { until } | State::Twice { until } => Some((until, "voice response")),
            State::Active | State::Idle | State::Owed => None,
        }
    }
}
