//! `item/*`: what a turn consists of, as it comes.

use codex_proto::{
    ThreadId, TurnId, Wall,
    item::{
        CommandItem, FileChange, FileChangeItem, FileChangeKind, ItemBody, ItemStatus, PlanItem,
        StepStatus, TurnItem,
    },
};
use serde_json::{Value, json};

use super::AppServer;

/// An item that is not complete.
pub(super) struct OpenItem {
    pub(super) id: String,
    pub(super) turn: Option<TurnId>,
    pub(super) kind: ItemKind,
}

/// Which notification carries an item's deltas.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemKind {
    Command,
    Message,
    Other,
    Plan,
    Reasoning,
}

impl AppServer {
    pub(super) fn item_started(&mut self, thread: ThreadId, item: &TurnItem, now: Wall) {
        let turn = self.current_turn(thread);
        let Some(state) = self.threads.get_mut(&thread) else { return };
        let open = OpenItem { id: id(item), turn, kind: kind(&item.body) };
        state.items.insert(item.id, open);
        match &item.body {
            ItemBody::Plan(plan) => self.plan(thread, turn, plan),
            _ => self.tell_item("item/started", "startedAtMs", thread, turn, item, now),
        }
    }

    pub(super) fn item_completed(&mut self, thread: ThreadId, item: &TurnItem, now: Wall) {
        let current = self.current_turn(thread);
        let Some(state) = self.threads.get_mut(&thread) else { return };
        if let ItemBody::UserMessage { text } = &item.body {
            state.set_preview(text);
        }
        let open = state.items.remove(&item.id);
        // A command that outlived its turn belongs to that one.
        let turn = open.as_ref().map_or(current, |open| open.turn);
        match &item.body {
            ItemBody::Plan(plan) => return self.plan(thread, turn, plan),
            ItemBody::Error { message } => return self.warn(Some(thread), message),
            _ => {}
        }
        if open.is_none() {
            self.tell_item("item/started", "startedAtMs", thread, turn, item, now);
        }
        self.tell_item("item/completed", "completedAtMs", thread, turn, item, now);
    }

    pub(super) fn item_updated(&mut self, thread: ThreadId, item: &TurnItem) {
        // Whatever else changes as a whole is told when it is complete.
        if let ItemBody::Plan(plan) = &item.body {
            let turn = self.current_turn(thread);
            self.plan(thread, turn, plan);
        }
    }

    pub(super) fn item_delta(&mut self, thread: ThreadId, item: u32, delta: &str) {
        let Some(open) = self.threads.get(&thread).and_then(|state| state.items.get(&item)) else {
            return;
        };
        let mut params = json!({
            "threadId": thread, "turnId": open.turn, "itemId": open.id, "delta": delta
        });
        let method = match open.kind {
            ItemKind::Command => "item/commandExecution/outputDelta",
            ItemKind::Message => "item/agentMessage/delta",
            ItemKind::Reasoning => {
                params["summaryIndex"] = 0.into();
                "item/reasoning/summaryTextDelta"
            }
            ItemKind::Other | ItemKind::Plan => return,
        };
        self.notify(method, params);
    }

    /// An item of an attempt that failed; `error` with `willRetry` has told it.
    pub(super) fn item_dropped(&mut self, thread: ThreadId, item: u32) {
        if let Some(state) = self.threads.get_mut(&thread) {
            state.items.remove(&item);
        }
    }

    fn tell_item(
        &mut self,
        method: &'static str,
        time: &str,
        thread: ThreadId,
        turn: Option<TurnId>,
        item: &TurnItem,
        now: Wall,
    ) {
        let Some(value) = value(item) else { return };
        let params = json!({ "item": value, "threadId": thread, "turnId": turn, time: now.0 });
        self.notify(method, params);
    }

    fn plan(&mut self, thread: ThreadId, turn: Option<TurnId>, plan: &PlanItem) {
        let status = |status| match status {
            StepStatus::Completed => "completed",
            StepStatus::InProgress => "inProgress",
            StepStatus::Pending => "pending",
        };
        let steps: Vec<Value> = plan
            .steps
            .iter()
            .map(|step| json!({ "step": step.step, "status": status(step.status) }))
            .collect();
        let params = json!({
            "threadId": thread, "turnId": turn, "explanation": plan.explanation, "plan": steps
        });
        self.notify("turn/plan/updated", params);
    }
}

/// The id that clients see: what the model calls it where it has a name, since questions about a
/// call name that.
pub(super) fn id(item: &TurnItem) -> String {
    let call_id = match &item.body {
        ItemBody::Command(CommandItem { call_id, .. })
        | ItemBody::FileChange(FileChangeItem { call_id, .. })
        | ItemBody::WebSearch { call_id, .. } => call_id.as_str(),
        _ => "",
    };
    if call_id.is_empty() { format!("item_{}", item.id) } else { call_id.to_owned() }
}

fn kind(body: &ItemBody) -> ItemKind {
    match body {
        ItemBody::AgentMessage { .. } => ItemKind::Message,
        ItemBody::Command(_) => ItemKind::Command,
        ItemBody::Plan(_) => ItemKind::Plan,
        ItemBody::Reasoning { .. } => ItemKind::Reasoning,
        ItemBody::Error { .. }
        | ItemBody::FileChange(_)
        | ItemBody::UserMessage { .. }
        | ItemBody::WebSearch { .. } => ItemKind::Other,
    }
}

/// An item as the wire has it; `None` for those that have notifications of another kind.
pub(super) fn value(item: &TurnItem) -> Option<Value> {
    let id = id(item);
    Some(match &item.body {
        ItemBody::AgentMessage { text } => json!({
            "type": "agentMessage", "id": id, "text": text, "phase": null, "memoryCitation": null
        }),
        ItemBody::Command(command) => command_value(&id, command),
        ItemBody::FileChange(change) => json!({
            "type": "fileChange",
            "id": id,
            "changes": change.changes.iter().map(change_value).collect::<Vec<_>>(),
            "status": status(change.status),
        }),
        ItemBody::Reasoning { text, raw } => {
            let part = |text: &str| if text.is_empty() { json!([]) } else { json!([text]) };
            json!({ "type": "reasoning", "id": id, "summary": part(text), "content": part(raw) })
        }
        ItemBody::UserMessage { text } => json!({
            "type": "userMessage",
            "id": id,
            "content": [{ "type": "text", "text": text, "text_elements": [] }],
        }),
        ItemBody::WebSearch { query, action, .. } => json!({
            "type": "webSearch", "id": id, "query": query, "action": search_action(action)
        }),
        ItemBody::Error { .. } | ItemBody::Plan(_) => return None,
    })
}

fn command_value(id: &str, command: &CommandItem) -> Value {
    let is_running = command.status == ItemStatus::InProgress;
    let output = (!is_running || !command.output.is_empty()).then_some(&command.output);
    json!({
        "type": "commandExecution",
        "id": id,
        "command": command.command,
        "cwd": command.cwd,
        "processId": null,
        "source": "agent",
        "status": status(command.status),
        "commandActions": [{ "type": "unknown", "command": command.command }],
        "aggregatedOutput": output,
        "exitCode": command.exit_code,
        "durationMs": (!is_running).then_some(command.duration_ms),
    })
}

/// A file of a patch.
pub(super) fn change_value(change: &FileChange) -> Value {
    let kind = match change.kind {
        FileChangeKind::Add => json!({ "type": "add" }),
        FileChangeKind::Delete => json!({ "type": "delete" }),
        FileChangeKind::Update => json!({ "type": "update", "move_path": change.move_path }),
    };
    json!({ "path": change.path, "kind": kind, "diff": change.diff })
}

fn status(status: ItemStatus) -> &'static str {
    match status {
        ItemStatus::Completed => "completed",
        ItemStatus::Declined => "declined",
        ItemStatus::Failed => "failed",
        ItemStatus::InProgress => "inProgress",
    }
}

fn search_action(action: &Value) -> Value {
    let field = |name: &str| action.get(name).cloned().unwrap_or(Value::Null);
    match action.get("type").and_then(Value::as_str) {
        Some("search") => {
            json!({ "type": "search", "query": field("query"), "queries": field("queries") })
        }
        Some("open_page") => json!({ "type": "openPage", "url": field("url") }),
        Some("find_in_page") => {
            json!({ "type": "findInPage", "url": field("url"), "pattern": field("pattern") })
        }
        Some(_) => json!({ "type": "other" }),
        None => Value::Null,
    }
}
