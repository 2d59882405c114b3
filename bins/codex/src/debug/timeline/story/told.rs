//! What observers are told.

use codex_proto::{
    Event, ThreadId,
    approval::ApprovalSubject,
    event::TurnOutcome,
    item::{ItemBody, ItemStatus, PlanStep, StepStatus},
};

use super::{Bar, Lifeline, Mood, Teller};
use crate::debug::timeline::text::{count, duration};

impl Teller {
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::ItemCompleted { item, .. } => self.item(&item.body),
            Event::ItemStarted { item, .. } | Event::ItemUpdated { item, .. } => {
                if let ItemBody::Plan(plan) = &item.body {
                    let is_done = |step: &&PlanStep| step.status == StepStatus::Completed;
                    let done = plan.steps.iter().filter(is_done).count();
                    self.tell(Mood::Faint, format!("plan: {done} of {} done", plan.steps.len()));
                }
            }
            Event::ItemDropped { .. } => {
                self.tell(Mood::Faint, "what was said is withdrawn");
            }
            Event::ApprovalEnded { .. } | Event::Commands { .. } | Event::Restored { .. } => {}
            Event::ApprovalRequested(request) => {
                let what = match &request.subject {
                    ApprovalSubject::Command { command, .. } => command.clone(),
                    ApprovalSubject::Patch { changes } => {
                        format!("change {}", count(changes.len() as u64, "file"))
                    }
                };
                self.tell(Mood::Strong, format!("may I: {what}"));
            }
            Event::Configured { .. } => {
                self.tell(Mood::Faint, "configured");
            }
            Event::Realtime(event) => self.voice_news(&event.news),
            // Deltas are counted with the reply that brought them.
            Event::ItemDelta { .. } | Event::UsageUpdated { .. } | Event::Waiting { .. } => {}
            Event::PromptCacheReset { cause, .. } => {
                self.tell(Mood::Faint, format!("prompt cache misses: {cause}"));
            }
            Event::PromptsReturned { prompts, .. } => {
                let number = count(prompts.len() as u64, "prompt");
                self.tell(Mood::Plain, format!("{number} returned"));
            }
            Event::Refused { reason, .. } => {
                self.tell(Mood::Bad, format!("refused: {reason}"));
            }
            Event::Retrying { attempt, attempts_max, delay_ms, cause, .. } => {
                let delay = duration(delay_ms.saturating_mul(1_000));
                let most = attempts_max.map(|most| format!(" of {most}")).unwrap_or_default();
                let text = format!("retry {attempt}{most} in {delay}: {cause}");
                self.tell(Mood::Plain, text);
            }
            Event::ThreadReady(ready) => {
                let how = if ready.resumed { "resumed" } else { "ready" };
                self.tell(Mood::Plain, format!("thread {how}, {}", ready.model));
            }
            Event::ThreadStopped { thread } => {
                let row = self.tell(Mood::Plain, "thread stopped");
                self.end_turn(*thread, row);
            }
            Event::TurnEnded { thread, outcome, usage, duration_ms, .. } => {
                let took = duration(duration_ms.saturating_mul(1_000));
                let row = match outcome {
                    TurnOutcome::Completed { .. } => {
                        let tokens = usage.input_tokens.saturating_add(usage.output_tokens);
                        let text = format!("turn completed, {took}, {}", count(tokens, "token"));
                        self.tell(Mood::Strong, text)
                    }
                    TurnOutcome::Failed(error) => {
                        self.tell(Mood::Bad, format!("turn failed after {took}: {error}"))
                    }
                    TurnOutcome::Interrupted => {
                        self.tell(Mood::Bad, format!("turn interrupted after {took}"))
                    }
                };
                self.end_turn(*thread, row);
            }
            Event::TurnStarted { thread, .. } => {
                self.count("turn", 1);
                let row = self.tell(Mood::Plain, "turn started");
                let (lifeline, text) = (Lifeline::Engine, "turn".to_owned());
                self.begin(Bar { lifeline, from: row, to: None, text, place: 0 });
                self.turns.insert(*thread, self.bars.len() - 1);
            }
            Event::Warning { message, .. } => {
                self.tell(Mood::Strong, format!("warning: {message}"));
            }
        }
    }

    fn end_turn(&mut self, thread: ThreadId, row: usize) {
        if let Some(bar) = self.turns.remove(&thread) {
            self.bars[bar].to = Some(row);
            self.is_edge = true;
        }
    }

    fn item(&mut self, body: &ItemBody) {
        match body {
            ItemBody::AgentMessage { text } => {
                self.tell(Mood::Plain, format!("“{}”", text.trim()));
            }
            // The command is drawn, unless there was none.
            ItemBody::Command(command) => {
                if command.status == ItemStatus::Declined {
                    self.tell(Mood::Bad, format!("declined: {}", command.command));
                }
            }
            ItemBody::Error { message } => {
                self.tell(Mood::Bad, format!("error: {message}"));
            }
            ItemBody::FileChange(change) => {
                let number = count(change.changes.len() as u64, "file");
                match change.status {
                    ItemStatus::Completed | ItemStatus::InProgress => {
                        self.tell(Mood::Plain, format!("{number} changed"))
                    }
                    ItemStatus::Declined => self.tell(Mood::Bad, "patch declined"),
                    ItemStatus::Failed => {
                        let why = change.error.as_deref().unwrap_or("no reason given");
                        self.tell(Mood::Bad, format!("patch failed: {why}"))
                    }
                };
            }
            ItemBody::Reasoning { text, raw } => {
                let text = if text.is_empty() { raw } else { text };
                self.tell(Mood::Faint, format!("thinking “{}”", text.replace("**", "").trim()));
            }
            // The plan was told when it changed, the prompt is the user's own.
            ItemBody::Plan(_) | ItemBody::UserMessage { .. } => {}
            ItemBody::WebSearch { query, .. } => {
                self.tell(Mood::Faint, format!("web search “{query}”"));
            }
        }
    }
}
