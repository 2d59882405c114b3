//! Claim: the reply that completes a call's answer brings, in its own step, either the answer or one
//! error; no other step brings an answer.

use std::collections::BTreeMap;

use codex_proto::{
    Effect, EffectId, EffectKind, Input, Output, Reply, ThreadId, realtime::RealtimeNews,
};

use super::{Claim, is_call, news};

#[derive(Default)]
pub(super) struct Answers {
    /// Calls that are being created: whether a good head came.
    calls: BTreeMap<EffectId, bool>,
    is_due: bool,
    answers: usize,
    errors: usize,
}

impl Claim for Answers {
    fn on_input(&mut self, _: ThreadId, input: &Input) -> Result<(), String> {
        (self.is_due, self.answers, self.errors) = (false, 0, 0);
        if let Input::Reply(id, reply) = input
            && let Some(is_good) = self.calls.get_mut(id)
        {
            match reply {
                Reply::Head(head) => *is_good = (200..300).contains(&head.status),
                Reply::Closed => self.is_due = self.calls.remove(id) == Some(true),
                Reply::Failed(_) => drop(self.calls.remove(id)),
                _ => {}
            }
        }
        Ok(())
    }

    fn on_output(&mut self, _: ThreadId, output: &Output) -> Result<(), String> {
        match output {
            Output::Effect(effect) if is_call(effect) => {
                self.calls.insert(effect.id, false);
            }
            Output::Effect(Effect { kind: EffectKind::Cancel(id), .. }) => {
                self.calls.remove(id);
            }
            Output::Effect(Effect { kind: EffectKind::RtcAnswer(_), .. }) => self.answers += 1,
            _ => match news(output).map(|event| &event.news) {
                Some(RealtimeNews::Answer { .. }) => self.answers += 1,
                Some(RealtimeNews::Error { .. }) => self.errors += 1,
                _ => {}
            },
        }
        Ok(())
    }

    fn after_step(&mut self, _: ThreadId) -> Result<(), String> {
        match (self.is_due, self.answers) {
            (true, 1) | (false, 0) => Ok(()),
            (true, 0) if self.errors == 1 => Ok(()),
            (is_due, answers) => {
                Err(format!("{answers} answers, {} errors, due: {is_due}", self.errors))
            }
        }
    }
}
