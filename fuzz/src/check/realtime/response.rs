//! Claim: no `response.create` leaves while another one is unanswered or a response is running; one
//! that nothing answers is repeated only after a deadline.

use std::collections::BTreeMap;

use codex_proto::{Input, Output, ThreadId, realtime::RealtimeNews};

use super::{Claim, member, news, said, text};

#[derive(Default)]
pub(super) struct Responses {
    threads: BTreeMap<ThreadId, State>,
    /// Whether a deadline has passed since the last one left.
    is_wake: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    Active,
    Asked,
    #[default]
    Idle,
}

impl Claim for Responses {
    fn on_wake(&mut self) {
        self.is_wake = true;
    }

    fn on_input(&mut self, thread: ThreadId, input: &Input) -> Result<(), String> {
        let Some((_, value)) = said(input) else { return Ok(()) };
        let state = self.threads.entry(thread).or_default();
        let is_conflict = value.to_string().contains("already has an active response");
        *state = match (member(&value, "type"), *state) {
            ("response.created", _) => State::Active,
            ("response.done" | "response.cancelled", _) => State::Idle,
            ("error", State::Asked) if is_conflict => State::Active,
            (_, state) => state,
        };
        Ok(())
    }

    fn on_output(&mut self, thread: ThreadId, output: &Output) -> Result<(), String> {
        let state = self.threads.entry(thread).or_default();
        if let Some(RealtimeNews::Started { .. }) = news(output).map(|event| &event.news) {
            *state = State::Idle;
        }
        if text(output).is_some_and(|(_, value)| member(&value, "type") == "response.create") {
            let is_late = self.is_wake && *state == State::Asked;
            if *state != State::Idle && !is_late {
                return Err(format!("response.create while {state:?}"));
            }
            *state = State::Asked;
            self.is_wake = false;
        }
        Ok(())
    }
}
