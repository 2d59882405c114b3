//! Prompts, and commands of the user's own, that come before a thread is ready.

use codex_proto::{Event, OpId, Refused, op::Prompt};

use crate::{
    limits::{COMMANDS_MAX, PROMPTS_QUEUED_MAX},
    machine::Cx,
};

/// In the order they came, with their ops.
#[derive(Clone, Debug, Default)]
pub(super) struct Early {
    pub(super) prompts: Vec<(OpId, Prompt)>,
    pub(super) commands: Vec<(OpId, String)>,
}

impl Early {
    /// Keeps a prompt.
    ///
    /// # Errors
    /// When too many wait.
    pub(super) fn push(&mut self, op: OpId, prompt: Prompt) -> Result<(), Refused> {
        let limit = PROMPTS_QUEUED_MAX;
        if self.prompts.len() >= limit {
            return Err(Refused::QueueFull { limit });
        }
        self.prompts.push((op, prompt));
        Ok(())
    }

    /// Keeps a command.
    ///
    /// # Errors
    /// When too many wait.
    pub(super) fn push_command(&mut self, op: OpId, script: String) -> Result<(), Refused> {
        let limit = COMMANDS_MAX;
        if self.commands.len() >= limit {
            return Err(Refused::TooManyCommands { limit });
        }
        self.commands.push((op, script));
        Ok(())
    }

    /// They never reached the model: they go back to who sent them.
    pub(super) fn give_back(&mut self, cx: &mut Cx<'_>) {
        let prompts: Vec<Prompt> = self.prompts.drain(..).map(|(_, prompt)| prompt).collect();
        if !prompts.is_empty() {
            cx.emit(Event::PromptsReturned { thread: cx.thread, prompts });
        }
    }

    /// They are not run: the thread ends.
    pub(super) fn refuse_commands(&mut self, cx: &mut Cx<'_>) {
        for (op, _) in self.commands.drain(..) {
            cx.emit(Event::Refused { op, reason: Refused::Stopping });
        }
    }
}
