//! Claim: no `response.create` leaves while another one is unanswered or a response is running; one
//! that nothing answers is repeated only after a deadline.

use std::collections::{BTreeMap, BTreeSet};

use codex_proto::{EffectId, EffectKind, Input, Output, ThreadId, realtime::RealtimeNews};

use super::{Claim, member, news, said, text};

#[derive(Default)]
pub(super) struct Responses {
    threads: BTreeMap<ThreadId, State>,
    /// Lines of conversations that run, and of those that have ended: what still comes over these
    /// is of no conversation.
    lines: BTreeMap<ThreadId, BTreeSet<EffectId>>,
    ended: BTreeSet<EffectId>,
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
        let Some((line, value)) = said(input) else { return Ok(()) };
        if self.ended.contains(&line) {
            return Ok(());
        }
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
        match news(output).map(|event| &event.news) {
            Some(RealtimeNews::Started { .. }) => *state = State::Idle,
            Some(RealtimeNews::Closed { .. }) => {
                self.ended.append(self.lines.entry(thread).or_default());
            }
            _ => {}
        }
        if let Output::Effect(effect) = output
            && matches!(effect.kind, EffectKind::Socket(_) | EffectKind::RtcOpen(_))
        {
            self.lines.entry(thread).or_default().insert(effect.id);
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
