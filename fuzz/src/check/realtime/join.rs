//! Claim: a socket that was declined for good is not asked for again.

use std::collections::BTreeMap;

use codex_proto::{EffectId, EffectKind, Input, Output, Reply, ThreadId};

use super::{Claim, start};

/// Statuses that mean the same the next time.
const FINAL: [u16; 7] = [400, 401, 403, 405, 409, 410, 422];

#[derive(Default)]
pub(super) struct Joins {
    /// Those of the conversations that run.
    sockets: BTreeMap<EffectId, ThreadId>,
    declined: BTreeMap<ThreadId, u16>,
}

impl Claim for Joins {
    fn on_input(&mut self, thread: ThreadId, input: &Input) -> Result<(), String> {
        if start(input).is_some() {
            self.declined.remove(&thread);
            self.sockets.retain(|_, of| *of != thread);
        }
        if let Input::Reply(id, Reply::Head(head)) = input
            && self.sockets.contains_key(id)
            && FINAL.contains(&head.status)
        {
            self.declined.insert(thread, head.status);
        }
        Ok(())
    }

    fn on_output(&mut self, thread: ThreadId, output: &Output) -> Result<(), String> {
        if let Output::Effect(effect) = output
            && matches!(effect.kind, EffectKind::Socket(_))
        {
            self.sockets.insert(effect.id, thread);
            if let Some(status) = self.declined.get(&thread) {
                return Err(format!("asked again after status {status}"));
            }
        }
        Ok(())
    }
}
