//! Claim: the end of a conversation goes to the agent only where that was asked for, and once.

use std::collections::BTreeMap;

use codex_proto::{Event, Input, Output, ThreadId, item::ItemBody};

use super::{Claim, start};

#[derive(Default)]
pub(super) struct Tails {
    /// Conversations that asked for it, less those whose end was delivered.
    wanted: BTreeMap<ThreadId, usize>,
}

impl Claim for Tails {
    fn on_input(&mut self, thread: ThreadId, input: &Input) -> Result<(), String> {
        if start(input).is_some_and(|start| start.handoff.flush_tail) {
            *self.wanted.entry(thread).or_default() += 1;
        }
        Ok(())
    }

    fn on_output(&mut self, thread: ThreadId, output: &Output) -> Result<(), String> {
        if let Output::Event(Event::ItemCompleted { item, .. }) = output
            && let ItemBody::UserMessage { text } = &item.body
            && text.contains("<source>transcript_tail_flush</source>")
        {
            let wanted = self.wanted.entry(thread).or_default();
            *wanted = wanted.checked_sub(1).ok_or("a tail that nobody asked for")?;
        }
        Ok(())
    }
}
