//! Prompts that come before a thread is ready.

use codex_proto::{Event, OpId, Refused, op::Prompt};

use crate::{limits::PROMPTS_QUEUED_MAX, machine::Cx};

/// In the order they came, with their ops.
#[derive(Clone, Debug, Default)]
pub(super) struct Early(Vec<(OpId, Prompt)>);

impl Early {
    /// Keeps one.
    ///
    /// # Errors
    /// When too many wait.
    pub(super) fn push(&mut self, op: OpId, prompt: Prompt) -> Result<(), Refused> {
        let limit = PROMPTS_QUEUED_MAX;
        if self.0.len() >= limit {
            return Err(Refused::QueueFull { limit });
        }
        self.0.push((op, prompt));
        Ok(())
    }

    /// They never reached the model: they go back to who sent them.
    pub(super) fn give_back(&mut self, cx: &mut Cx<'_>) {
        let prompts: Vec<Prompt> = self.0.drain(..).map(|(_, prompt)| prompt).collect();
        if !prompts.is_empty() {
            cx.emit(Event::PromptsReturned { thread: cx.thread, prompts });
        }
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = (OpId, Prompt)> {
        self.0.into_iter()
    }
}
