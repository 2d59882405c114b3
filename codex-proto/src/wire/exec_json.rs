//! The JSON lines of `codex exec --json`: one object per line, told from [`Event`]s.
//!
//! [`ExecJson`] is a fold: it numbers items, keeps the plan until the turn ends, and puts the
//! terminal line last.
//!
//! ```text
//! thread.started (item.completed: error)* turn.started
//!     (item.started | item.updated | item.completed | error)*
//! (turn.completed | turn.failed)
//! ```
//!
//! The terminal line is the last one: while a command that outlives its turn is open, the line waits
//! until the thread has stopped and the command is shown as ended.
//!
//! What goes beyond the lines that existing consumers know is added, never changed: the schema
//! version in `thread.started`, `error.code`, `error.hint` and `error.resets_at` in `turn.failed`,
//! and a terminal line for an interrupted turn.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;
use serde_json::Value;

use crate::{
    error::{TurnError, TurnErrorCode},
    event::{Event, TurnOutcome, Usage},
    id::ThreadId,
    item::{
        CommandItem, FileChangeItem, FileChangeKind, ItemBody, ItemStatus, PlanItem, StepStatus,
        TurnItem,
    },
};

/// The version of these lines, in `thread.started`. It grows when a field is removed, renamed or
/// changes its meaning; additions leave it alone.
pub const SCHEMA_VERSION: u32 = 1;

/// What an interrupted turn is called in `turn.failed`.
pub const INTERRUPTED: &str = "turn interrupted";

/// Turns the events of one thread into lines.
///
/// Invariant: an item keeps its number from its first line to its last; numbers count from 0 in
/// order of appearance, so that items which are never shown (what the user said) take none.
#[derive(Clone, Debug, Default)]
pub struct ExecJson {
    /// Numbers of items that have begun and not ended, by [`TurnItem::id`].
    open: BTreeMap<u32, u64>,
    /// The plan of the turn, shown as done only when the turn ends.
    plan: Option<(u64, PlanItem)>,
    /// The end of the turn, held back while a command that outlives it is open.
    terminal: Vec<u8>,
    items: u64,
}

impl ExecJson {
    /// A fold that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next event and appends its lines, each ended by LF.
    pub fn on(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::ItemCompleted { item, .. } => self.item(Phase::Completed, item, out),
            Event::ItemStarted { item, .. } => self.item(Phase::Started, item, out),
            Event::ItemUpdated { item, .. } => self.item(Phase::Updated, item, out),
            Event::Retrying { attempt, attempts_max, cause, .. } => {
                let message = reconnecting(*attempt, *attempts_max, cause);
                line(out, &Line::Error { message: &message });
            }
            Event::ThreadReady(ready) => {
                let thread_id = ready.thread;
                line(out, &Line::ThreadStarted { thread_id, schema_version: SCHEMA_VERSION });
            }
            Event::ItemDropped { item, .. } => drop(self.open.remove(item)),
            Event::ThreadStopped { .. } => self.finish(out),
            Event::TurnEnded { outcome, usage, .. } => {
                self.end(outcome, usage);
                if self.open.is_empty() {
                    self.finish(out);
                }
            }
            Event::TurnStarted { .. } => {
                self.finish(out);
                line(out, &Line::TurnStarted);
            }
            Event::Warning { message, .. } => self.warn(message, out),
            Event::ApprovalEnded { .. }
            | Event::ApprovalRequested(_)
            | Event::Commands { .. }
            | Event::Configured { .. }
            | Event::ItemDelta { .. }
            | Event::PromptCacheReset { .. }
            | Event::PromptsReturned { .. }
            | Event::Realtime(_)
            | Event::Refused { .. }
            | Event::Restored { .. }
            | Event::UsageUpdated { .. }
            | Event::Waiting { .. } => {}
        }
    }

    /// Appends an `error` item: something the user should know, while the run goes on.
    pub fn warn(&mut self, message: &str, out: &mut Vec<u8>) {
        let id = self.number();
        item_line(out, Phase::Completed, id, Details::Error { message });
    }

    /// Appends a terminal line that was held back. Call it when no more events will come.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.terminal);
    }

    fn number(&mut self) -> u64 {
        self.items += 1;
        self.items - 1
    }

    fn item(&mut self, phase: Phase, item: &TurnItem, out: &mut Vec<u8>) {
        let details = match &item.body {
            ItemBody::AgentMessage { text } => Details::AgentMessage { text },
            ItemBody::Reasoning { text, .. } if !text.trim().is_empty() => {
                Details::Reasoning { text }
            }
            ItemBody::Command(command) => Details::command(command),
            ItemBody::Error { message } => Details::Error { message },
            ItemBody::FileChange(change) => Details::file_change(change),
            ItemBody::Plan(plan) => return self.plan(plan, out),
            ItemBody::WebSearch { call_id, query, action } => {
                Details::WebSearch { provider_id: call_id, query, action }
            }
            ItemBody::Reasoning { .. } | ItemBody::UserMessage { .. } => return,
        };
        // Text is shown once it is whole.
        let whole_only = matches!(
            details,
            Details::AgentMessage { .. } | Details::Error { .. } | Details::Reasoning { .. }
        );
        if whole_only && phase != Phase::Completed {
            return;
        }
        let id = match self.open.get(&item.id) {
            Some(id) => *id,
            None => self.number(),
        };
        if phase == Phase::Completed {
            self.open.remove(&item.id);
        } else {
            self.open.insert(item.id, id);
        }
        item_line(out, phase, id, details);
    }

    /// A plan begins once per turn, changes, and ends with the turn, however its events come.
    fn plan(&mut self, plan: &PlanItem, out: &mut Vec<u8>) {
        let (phase, id) = match &self.plan {
            Some((_, known)) if known == plan => return,
            Some((id, _)) => (Phase::Updated, *id),
            None => (Phase::Started, self.number()),
        };
        item_line(out, phase, id, Details::todo_list(plan));
        self.plan = Some((id, plan.clone()));
    }

    fn end(&mut self, outcome: &TurnOutcome, usage: &Usage) {
        let out = &mut self.terminal;
        if let Some((id, plan)) = self.plan.take() {
            item_line(out, Phase::Completed, id, Details::todo_list(&plan));
        }
        match outcome {
            TurnOutcome::Completed { .. } => {
                line(out, &Line::TurnCompleted { usage: UsageLine::from(usage) });
            }
            TurnOutcome::Failed(error) => {
                line(out, &Line::Error { message: &error.message });
                let error = ErrorLine {
                    message: &error.message,
                    code: error.code.as_str(),
                    hint: error.hint.as_deref(),
                    resets_at: error.resets_at,
                };
                line(out, &Line::TurnFailed { error });
            }
            TurnOutcome::Interrupted => {
                let error = ErrorLine {
                    message: INTERRUPTED,
                    code: TurnErrorCode::Interrupted.as_str(),
                    hint: None,
                    resets_at: None,
                };
                line(out, &Line::TurnFailed { error });
            }
        }
    }
}

/// What a repeated request is announced with, in both output modes.
#[must_use]
pub fn reconnecting(attempt: u32, attempts_max: Option<u32>, cause: &TurnError) -> String {
    let most = attempts_max.map(|most| format!("/{most}")).unwrap_or_default();
    format!("Reconnecting... {attempt}{most} ({cause})")
}

fn line(out: &mut Vec<u8>, line: &Line<'_>) {
    // Invariant: strings, numbers and JSON values always serialise into memory.
    serde_json::to_writer(&mut *out, line).expect("lines serialise into memory");
    out.push(b'\n');
}

fn item_line(out: &mut Vec<u8>, phase: Phase, id: u64, details: Details<'_>) {
    let number = format!("item_{id}");
    // Consumers know a search by the id that the provider gave it; the number goes beside it.
    let item = match &details {
        Details::WebSearch { provider_id, .. } if !provider_id.is_empty() => {
            ItemLine { id: provider_id, item_id: Some(&number), details: &details }
        }
        _ => ItemLine { id: &number, item_id: None, details: &details },
    };
    line(
        out,
        &match phase {
            Phase::Completed => Line::ItemCompleted { item },
            Phase::Started => Line::ItemStarted { item },
            Phase::Updated => Line::ItemUpdated { item },
        },
    );
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Completed,
    Started,
    Updated,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Line<'a> {
    #[serde(rename = "error")]
    Error { message: &'a str },
    #[serde(rename = "item.completed")]
    ItemCompleted { item: ItemLine<'a> },
    #[serde(rename = "item.started")]
    ItemStarted { item: ItemLine<'a> },
    #[serde(rename = "item.updated")]
    ItemUpdated { item: ItemLine<'a> },
    #[serde(rename = "thread.started")]
    ThreadStarted { thread_id: ThreadId, schema_version: u32 },
    #[serde(rename = "turn.completed")]
    TurnCompleted { usage: UsageLine },
    #[serde(rename = "turn.failed")]
    TurnFailed { error: ErrorLine<'a> },
    #[serde(rename = "turn.started")]
    TurnStarted,
}

#[derive(Serialize)]
struct ItemLine<'a> {
    id: &'a str,
    #[serde(flatten)]
    details: &'a Details<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<&'a str>,
}

#[derive(Serialize)]
struct ErrorLine<'a> {
    message: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_at: Option<i64>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "names of the wire")]
struct UsageLine {
    input_tokens: u64,
    cached_input_tokens: u64,
    output_tokens: u64,
    reasoning_output_tokens: u64,
}

impl From<&Usage> for UsageLine {
    fn from(usage: &Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            cached_input_tokens: usage.cached_input_tokens,
            output_tokens: usage.output_tokens,
            reasoning_output_tokens: usage.reasoning_output_tokens,
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Details<'a> {
    AgentMessage {
        text: &'a str,
    },
    CommandExecution {
        command: &'a str,
        aggregated_output: &'a str,
        exit_code: Option<i32>,
        status: ItemStatus,
    },
    Error {
        message: &'a str,
    },
    FileChange {
        changes: Vec<ChangeLine<'a>>,
        status: ItemStatus,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    },
    Reasoning {
        text: &'a str,
    },
    TodoList {
        items: Vec<TodoLine<'a>>,
    },
    WebSearch {
        #[serde(skip)]
        provider_id: &'a str,
        query: &'a str,
        action: &'a Value,
    },
}

impl<'a> Details<'a> {
    fn command(item: &'a CommandItem) -> Self {
        Self::CommandExecution {
            command: &item.command,
            aggregated_output: &item.output,
            exit_code: item.exit_code,
            status: item.status,
        }
    }

    fn file_change(item: &'a FileChangeItem) -> Self {
        let changes = item
            .changes
            .iter()
            .map(|change| ChangeLine {
                path: change.path.to_string_lossy(),
                kind: change.kind,
                move_path: change.move_path.as_ref().map(|path| path.to_string_lossy()),
            })
            .collect();
        // Consumers know three states of a patch.
        let status = match item.status {
            ItemStatus::Declined => ItemStatus::Failed,
            other => other,
        };
        Self::FileChange { changes, status, error: item.error.as_deref() }
    }

    fn todo_list(plan: &'a PlanItem) -> Self {
        let items = plan
            .steps
            .iter()
            .map(|step| TodoLine {
                text: &step.step,
                completed: step.status == StepStatus::Completed,
            })
            .collect();
        Self::TodoList { items }
    }
}

#[derive(Serialize)]
struct ChangeLine<'a> {
    path: Cow<'a, str>,
    kind: FileChangeKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    move_path: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct TodoLine<'a> {
    text: &'a str,
    completed: bool,
}

#[cfg(test)]
mod tests;
