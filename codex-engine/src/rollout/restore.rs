//! From the items of a rollout back to what people saw: messages, reasoning, commands with their
//! ends, patches, plans. Pure.

use std::collections::{BTreeMap, VecDeque};

use codex_proto::{
    Settings,
    event::Usage,
    item::{
        CommandItem, FileChange, FileChangeItem, FileChangeKind, ItemBody, ItemStatus,
        ResponseItem, ResponseKind, Role, ToolCall,
    },
    patch, shell,
};
use serde_json::Value;

use super::resume::is_user_turn;
use crate::{
    limits::RESTORED_ITEMS_MAX,
    model::assemble::shown,
    tool::plan::{self, CommandPlan, PatchPlan, Plan, PollPlan},
};

/// What there is to tell, in the order of the rollout.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(super) items: VecDeque<ResponseItem>,
    /// By call.
    pub(super) patches: BTreeMap<String, FileChangeItem>,
    /// Items at the front that were dropped.
    pub(super) left_out: usize,
}

/// What is told again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Restored {
    pub(crate) bodies: Vec<ItemBody>,
    pub(crate) left_out: usize,
    /// Tokens of the last response.
    pub(crate) last: Usage,
    /// Whether the last turn has no end.
    pub(crate) is_cut_off: bool,
}

impl Told {
    pub(super) fn push(&mut self, item: ResponseItem) {
        if self.items.len() >= RESTORED_ITEMS_MAX {
            self.items.pop_front();
            self.left_out += 1;
        }
        self.items.push_back(item);
    }

    /// Drops the newest `turns` user turns.
    pub(super) fn roll_back(&mut self, turns: usize) {
        let starts = self.items.iter().enumerate().filter(|(_, item)| is_user_turn(item));
        let starts: Vec<usize> = starts.map(|(index, _)| index).collect();
        if let Some(cut) = starts.get(starts.len().saturating_sub(turns)) {
            self.items.truncate(*cut);
        }
    }

    /// Tells it.
    pub(crate) fn restore(self, settings: &Settings, last: Usage) -> Restored {
        let mut restoring = Restoring {
            settings,
            patches: self.patches,
            bodies: Vec::new(),
            open: BTreeMap::new(),
            sessions: BTreeMap::new(),
            plan: None,
        };
        for item in &self.items {
            restoring.item(item);
        }
        Restored { bodies: restoring.finish(), left_out: self.left_out, last, is_cut_off: false }
    }
}

struct Restoring<'a> {
    settings: &'a Settings,
    patches: BTreeMap<String, FileChangeItem>,
    bodies: Vec<ItemBody>,
    /// Where the entry of a call is that has no output yet.
    open: BTreeMap<String, usize>,
    /// Where the command of a session is.
    sessions: BTreeMap<u32, usize>,
    /// Where the plan of this turn is.
    plan: Option<usize>,
}

impl Restoring<'_> {
    fn item(&mut self, item: &ResponseItem) {
        match item.kind() {
            ResponseKind::Message { role: Role::User, text } => {
                if let Some(command) = user_command(text) {
                    self.bodies.push(ItemBody::Command(command));
                } else if is_user_turn(item) {
                    self.plan = None;
                    self.bodies.push(ItemBody::UserMessage { text: caption(text) });
                }
            }
            ResponseKind::Call(call) => self.call(call),
            ResponseKind::Output { call_id } => {
                if let Some(at) = self.open.remove(call_id) {
                    self.output(at, &output_of(item));
                }
            }
            ResponseKind::Message { .. }
            | ResponseKind::Other { .. }
            | ResponseKind::Reasoning { .. } => {
                let value = serde_json::from_str(item.json()).unwrap_or_default();
                self.bodies.extend(shown(&value).filter(|body| match body {
                    ItemBody::AgentMessage { text } => !text.is_empty(),
                    ItemBody::Reasoning { text, raw } => !(text.is_empty() && raw.is_empty()),
                    _ => true,
                }));
            }
        }
    }

    fn call(&mut self, call: &ToolCall) {
        let body = match plan::plan(call, self.settings) {
            Plan::Command(CommandPlan { argv, cwd, .. }) => ItemBody::Command(CommandItem {
                call_id: call.call_id.clone(),
                command: shell::join(&argv),
                cwd,
                output: String::new(),
                exit_code: None,
                status: ItemStatus::Failed,
                duration_ms: 0,
                by_user: false,
            }),
            Plan::Patch(plan) => {
                let known = self.patches.remove(&call.call_id);
                ItemBody::FileChange(known.unwrap_or_else(|| intended(call, &plan)))
            }
            Plan::Poll(PollPlan { command, .. }) => {
                if let Some(at) = self.sessions.get(&command.0) {
                    self.open.insert(call.call_id.clone(), *at);
                }
                return;
            }
            // A later plan of a turn replaces the one before.
            Plan::Show(plan) => {
                let body = ItemBody::Plan(plan);
                match self.plan.and_then(|at| self.bodies.get_mut(at)) {
                    Some(shown) => *shown = body,
                    None => {
                        self.plan = Some(self.bodies.len());
                        self.bodies.push(body);
                    }
                }
                return;
            }
            Plan::Error(_) => return,
        };
        self.open.insert(call.call_id.clone(), self.bodies.len());
        self.bodies.push(body);
    }

    fn output(&mut self, at: usize, text: &str) {
        match self.bodies.get_mut(at) {
            Some(ItemBody::Command(command)) => {
                let ended = Ended::of(text);
                command.output.push_str(ended.output);
                command.exit_code = ended.code;
                command.duration_ms += ended.duration_ms;
                command.status = ended.status;
                if let Some(session) = ended.session {
                    self.sessions.insert(session, at);
                }
            }
            Some(ItemBody::FileChange(patch)) if patch.status == ItemStatus::InProgress => {
                let denied = text.starts_with("patch rejected");
                patch.status = if denied { ItemStatus::Declined } else { ItemStatus::Failed };
                patch.error = Some(text.to_owned());
            }
            _ => {}
        }
    }

    fn finish(mut self) -> Vec<ItemBody> {
        for body in &mut self.bodies {
            if let ItemBody::FileChange(patch) = body
                && patch.status == ItemStatus::InProgress
            {
                patch.status = ItemStatus::Failed;
            }
        }
        self.bodies
    }
}

/// A patch that left no trace but its call.
fn intended(call: &ToolCall, plan: &PatchPlan) -> FileChangeItem {
    let paths = patch::parse(&plan.text).map(|patch| patch.paths(&plan.cwd)).unwrap_or_default();
    let change = |path| FileChange {
        path,
        kind: FileChangeKind::Update,
        diff: String::new(),
        move_path: None,
    };
    FileChangeItem {
        call_id: call.call_id.clone(),
        changes: paths.into_iter().map(change).collect(),
        status: ItemStatus::InProgress,
        error: None,
    }
}

/// The text of a tool output.
fn output_of(item: &ResponseItem) -> String {
    let value: Value = serde_json::from_str(item.json()).unwrap_or_default();
    match &value["output"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

/// What the output of a command says about its end.
struct Ended<'a> {
    output: &'a str,
    code: Option<i32>,
    session: Option<u32>,
    duration_ms: u64,
    status: ItemStatus,
}

impl<'a> Ended<'a> {
    fn of(text: &'a str) -> Self {
        let (head, output) = text.split_once("Output:\n").unwrap_or(("", text));
        let after = |label: &str| {
            let rest = head.lines().find_map(|line| line.strip_prefix(label))?;
            rest.split_whitespace().next()
        };
        let number = |label: &str| after(label).and_then(|text| text.parse().ok());
        let code = number("Process exited with code ").or_else(|| number("Exit code: "));
        let session = after("Process running with session ID ").and_then(|id| id.parse().ok());
        let seconds = after("Wall time: ").and_then(|text| text.parse::<f64>().ok());
        let declined = ["exec command rejected", "refused: "].iter().any(|s| text.starts_with(s));
        let status = match code {
            Some(0) => ItemStatus::Completed,
            None if declined => ItemStatus::Declined,
            Some(_) | None => ItemStatus::Failed,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "casts from floats saturate"
        )]
        let duration_ms = seconds.map_or(0, |seconds| (seconds * 1_000.0) as u64);
        Self { output, code, session, duration_ms, status }
    }
}

/// A command of the user's own, from what the model was told about it.
fn user_command(text: &str) -> Option<CommandItem> {
    let rest = text.strip_prefix("<user_shell_command>\n<command>\n")?;
    let (command, rest) = rest.split_once("\n</command>\n<result>\n")?;
    let result = rest.strip_suffix("\n</result>\n</user_shell_command>")?;
    let ended = Ended::of(result);
    let seconds = result.lines().find_map(|line| line.strip_prefix("Duration: "));
    let seconds = seconds.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "casts from floats saturate"
    )]
    let duration_ms = seconds.map_or(0, |seconds| (seconds * 1_000.0) as u64);
    Some(CommandItem {
        call_id: String::new(),
        command: command.to_owned(),
        cwd: std::path::PathBuf::new(),
        output: ended.output.to_owned(),
        exit_code: ended.code,
        status: ended.status,
        duration_ms,
        by_user: true,
    })
}

/// What the user typed: an attached image is its name.
fn caption(text: &str) -> String {
    let mut rest = text;
    let mut shown = String::new();
    while let Some((name, after)) =
        rest.strip_prefix("<image name=").and_then(|rest| rest.split_once("></image>"))
    {
        shown.push_str(name);
        shown.push(' ');
        rest = after;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(value: Value) -> ResponseItem {
        let Value::Object(map) = value else { panic!("object") };
        ResponseItem::from_value(map).unwrap()
    }

    fn call(id: &str, name: &str, args: &Value) -> ResponseItem {
        item(json!({ "type": "function_call", "name": name, "call_id": id,
                     "arguments": args.to_string() }))
    }

    fn output(id: &str, text: &str) -> ResponseItem {
        item(json!({ "type": "function_call_output", "call_id": id, "output": text }))
    }

    fn user(text: &str) -> ResponseItem {
        ResponseItem::message(Role::User, &[text.into()])
    }

    fn restore(items: Vec<ResponseItem>) -> Vec<ItemBody> {
        let told = Told { items: items.into(), ..Told::default() };
        told.restore(&Settings::sample("/w".into()), Usage::default()).bodies
    }

    #[test]
    fn a_command_that_was_polled_is_one_entry_with_its_end() {
        let bodies = restore(vec![
            user("go"),
            user("<environment_context>\n</environment_context>"),
            call("c1", "exec_command", &json!({ "cmd": "make" })),
            output(
                "c1",
                "Chunk ID: 1\nWall time: 0.5000 seconds\nProcess running with session ID \
                 1234\nOriginal token count: 1\nOutput:\na\n",
            ),
            call("c2", "write_stdin", &json!({ "session_id": 1234 })),
            output(
                "c2",
                "Chunk ID: 2\nWall time: 1.0000 seconds\nProcess exited with code 2\nOriginal token \
                 count: 1\nOutput:\nOutput:\nb\n",
            ),
            ResponseItem::message(Role::Assistant, &["done".into()]),
        ]);
        assert_eq!(bodies.len(), 3, "{bodies:?}");
        let ItemBody::Command(command) = &bodies[1] else { panic!("command") };
        assert_eq!(command.command, "/bin/bash -lc make");
        assert_eq!(command.output, "a\nOutput:\nb\n");
        assert_eq!((command.exit_code, command.status), (Some(2), ItemStatus::Failed));
        assert_eq!(command.duration_ms, 1_500);
        assert_eq!(bodies[2], ItemBody::AgentMessage { text: "done".into() });
    }

    #[test]
    fn refusals_plans_and_the_users_own_commands_are_told() {
        let plan = |step: &str| json!({ "plan": [{ "step": step, "status": "pending" }] });
        let bodies = restore(vec![
            user("<image name=[Image #1]></image>look"),
            call("c1", "exec_command", &json!({ "cmd": "rm -rf x" })),
            output("c1", "exec command rejected by user"),
            call("c2", "update_plan", &plan("a")),
            output("c2", "Plan updated"),
            call("c3", "update_plan", &plan("b")),
            output("c3", "Plan updated"),
            user(
                "<user_shell_command>\n<command>\nls\n</command>\n<result>\nExit code: 0\nDuration: \
                 0.2500 seconds\nOutput:\nx\n</result>\n</user_shell_command>",
            ),
            call("c4", "no_such", &json!({})),
            output("c4", "unsupported call: no_such"),
        ]);
        assert_eq!(bodies.len(), 4, "{bodies:?}");
        assert_eq!(bodies[0], ItemBody::UserMessage { text: "[Image #1] look".into() });
        let ItemBody::Command(refused) = &bodies[1] else { panic!("command") };
        assert_eq!(refused.status, ItemStatus::Declined);
        assert!(matches!(&bodies[2], ItemBody::Plan(plan) if plan.steps[0].step == "b"));
        let ItemBody::Command(own) = &bodies[3] else { panic!("command") };
        assert!(own.by_user);
        assert_eq!((own.command.as_str(), own.output.as_str()), ("ls", "x"));
        assert_eq!((own.exit_code, own.duration_ms), (Some(0), 250));
    }

    #[test]
    fn a_patch_is_told_as_it_was_applied_or_as_it_was_meant() {
        let text = "*** Begin Patch\n*** Delete File: a\n*** End Patch";
        let patch = |id: &str| {
            item(json!({ "type": "custom_tool_call", "name": "apply_patch", "call_id": id,
                         "input": text }))
        };
        let applied = FileChangeItem {
            call_id: "p1".into(),
            changes: Vec::new(),
            status: ItemStatus::Completed,
            error: None,
        };
        let mut told = Told::default();
        told.patches.insert("p1".into(), applied.clone());
        told.items = vec![patch("p1"), patch("p2"), output("p2", "patch rejected by user")].into();
        let bodies = told.restore(&Settings::sample("/w".into()), Usage::default()).bodies;
        assert_eq!(bodies[0], ItemBody::FileChange(applied));
        let ItemBody::FileChange(refused) = &bodies[1] else { panic!("patch") };
        assert_eq!(refused.status, ItemStatus::Declined);
        assert_eq!(refused.changes[0].path, std::path::Path::new("/w/a"));
    }

    #[test]
    fn a_long_past_is_told_from_its_end() {
        let mut told = Told::default();
        for number in 0..RESTORED_ITEMS_MAX + 3 {
            told.push(user(&number.to_string()));
        }
        told.roll_back(1);
        let restored = told.restore(&Settings::sample("/w".into()), Usage::default());
        assert_eq!((restored.bodies.len(), restored.left_out), (RESTORED_ITEMS_MAX - 1, 3));
        assert_eq!(restored.bodies[0], ItemBody::UserMessage { text: "3".into() });
    }
}
