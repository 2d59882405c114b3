//! Items: the entries of a transcript, in the two forms they are needed in.
//!
//! - [`ResponseItem`]: what goes to the model and into the rollout. It is kept as the JSON text it
//!   is sent as, so that unknown fields survive and the bytes of a request never change; the few
//!   facts that the engine decides on are parsed beside it.
//! - [`TurnItem`]: what people and programs are shown.

use std::{path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One item of a request's `input`, rendered once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseItem {
    json: Arc<str>,
    kind: ResponseKind,
}

/// What the engine needs to know of a [`ResponseItem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseKind {
    /// A tool call that wants an output.
    Call(ToolCall),
    /// The model's word.
    Message {
        /// `user`, `assistant` or `developer`.
        role: Role,
        /// All text parts, joined.
        text: String,
    },
    /// The output of a tool call.
    Output {
        /// The call it answers.
        call_id: String,
    },
    /// Thinking.
    Reasoning {
        /// Summary parts.
        summary: Vec<String>,
    },
    /// Anything else, kept as it came: hosted tool calls, compaction items, unknown types.
    Other {
        /// Its `type`.
        name: String,
    },
}

/// Roles of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The model.
    Assistant,
    /// The program around it.
    Developer,
    /// The person.
    User,
}

/// A call that the engine must answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// Links the output to the call.
    pub call_id: String,
    /// Tool name.
    pub name: String,
    /// Namespace, for tools of MCP servers.
    pub namespace: Option<String>,
    /// What the model wrote.
    pub payload: ToolPayload,
}

/// The input of a tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolPayload {
    /// `custom_tool_call.input`: free text.
    Custom(String),
    /// `function_call.arguments`: JSON text, not yet parsed.
    Function(String),
    /// `local_shell_call.action`: an argv and its options, as JSON.
    LocalShell(String),
}

impl ResponseItem {
    /// Takes an item as a server or a rollout has it. Server ids are dropped, because requests are
    /// sent with `store: false`; image generations keep theirs.
    ///
    /// Returns `None` when it has no `type`.
    #[must_use]
    pub fn from_value(mut value: Map<String, Value>) -> Option<Self> {
        let name = value.get("type")?.as_str()?.to_owned();
        let kind = ResponseKind::parse(&name, &value);
        if name != "image_generation_call" {
            value.shift_remove("id");
        }
        let json = serde_json::to_string(&value).ok()?;
        Some(Self { json: json.into(), kind })
    }

    /// A message of text parts.
    #[must_use]
    pub fn message(role: Role, texts: &[String]) -> Self {
        let part = if role == Role::Assistant { "output_text" } else { "input_text" };
        let content: Vec<Value> =
            texts.iter().map(|text| json!({ "type": part, "text": text })).collect();
        Self::message_of(role, content)
    }

    /// A message of arbitrary content parts.
    #[must_use]
    pub fn message_of(role: Role, content: Vec<Value>) -> Self {
        let mut map = Map::new();
        map.insert("type".into(), "message".into());
        map.insert("role".into(), json!(role));
        map.insert("content".into(), Value::Array(content));
        let kind = ResponseKind::parse("message", &map);
        Self { json: Value::Object(map).to_string().into(), kind }
    }

    /// The output of a call, as text.
    #[must_use]
    pub fn output(call: &ToolCall, text: &str) -> Self {
        let (name, mut map) = match call.payload {
            ToolPayload::Custom(_) => ("custom_tool_call_output", Map::new()),
            ToolPayload::Function(_) | ToolPayload::LocalShell(_) => {
                ("function_call_output", Map::new())
            }
        };
        map.insert("type".into(), name.into());
        map.insert("call_id".into(), call.call_id.clone().into());
        map.insert("output".into(), text.into());
        Self {
            json: Value::Object(map).to_string().into(),
            kind: ResponseKind::Output { call_id: call.call_id.clone() },
        }
    }

    /// The JSON text, as it is sent and written.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The parsed facts.
    #[must_use]
    pub fn kind(&self) -> &ResponseKind {
        &self.kind
    }
}

impl ResponseKind {
    fn parse(name: &str, value: &Map<String, Value>) -> Self {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let other = || Self::Other { name: name.to_owned() };
        match name {
            "message" => {
                let role = match value.get("role").and_then(Value::as_str) {
                    Some("assistant") => Role::Assistant,
                    Some("user") => Role::User,
                    Some("developer" | "system") => Role::Developer,
                    _ => return other(),
                };
                let parts = value.get("content").and_then(Value::as_array);
                let text = parts
                    .into_iter()
                    .flatten()
                    .filter_map(|part| part.get("text").and_then(Value::as_str))
                    .collect();
                Self::Message { role, text }
            }
            "reasoning" => {
                let parts = value.get("summary").and_then(Value::as_array);
                let summary = parts
                    .into_iter()
                    .flatten()
                    .filter_map(|part| part.get("text").and_then(Value::as_str))
                    .map(str::to_owned)
                    .collect();
                Self::Reasoning { summary }
            }
            "function_call" | "custom_tool_call" => {
                let custom = name == "custom_tool_call";
                // Whatever else is missing: a call that has an id must be answered.
                let Some(call_id) = text("call_id") else { return other() };
                let input = text(if custom { "input" } else { "arguments" }).unwrap_or_default();
                Self::Call(ToolCall {
                    call_id,
                    name: text("name").unwrap_or_default(),
                    namespace: text("namespace"),
                    payload: if custom {
                        ToolPayload::Custom(input)
                    } else {
                        ToolPayload::Function(input)
                    },
                })
            }
            "local_shell_call" => {
                match (text("call_id").or_else(|| text("id")), value.get("action")) {
                    (Some(call_id), Some(action)) => Self::Call(ToolCall {
                        call_id,
                        name: "local_shell".into(),
                        namespace: None,
                        payload: ToolPayload::LocalShell(action.to_string()),
                    }),
                    _ => other(),
                }
            }
            "function_call_output" | "custom_tool_call_output" => match text("call_id") {
                Some(call_id) => Self::Output { call_id },
                None => other(),
            },
            _ => other(),
        }
    }
}

/// An entry of a turn as people and programs see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnItem {
    /// Counts from 0 per thread and process, in order of appearance.
    pub id: u32,
    /// What it is.
    pub body: ItemBody,
}

/// Kinds of [`TurnItem`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemBody {
    /// The model's word.
    AgentMessage {
        /// Its text so far.
        text: String,
    },
    /// A command.
    Command(CommandItem),
    /// A non-fatal problem.
    Error {
        /// One sentence.
        message: String,
    },
    /// A patch.
    FileChange(FileChangeItem),
    /// The plan.
    Plan(PlanItem),
    /// The model's thinking.
    Reasoning {
        /// Summary parts, joined by newlines.
        text: String,
        /// Raw thinking, where the server sends it.
        raw: String,
    },
    /// What the user said.
    UserMessage {
        /// Its text.
        text: String,
    },
    /// A search by the provider.
    WebSearch {
        /// The provider's id of the call.
        call_id: String,
        /// What was searched or opened.
        query: String,
        /// `search`, `open_page`, `find_in_page` or other, as it came.
        action: Value,
    },
}

/// A command and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandItem {
    /// The call that asked for it.
    pub call_id: String,
    /// Program and arguments, shell-quoted; of a command of the user's own, what was typed.
    pub command: String,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Merged output, head and tail.
    pub output: String,
    /// Exit code, once ended.
    pub exit_code: Option<i32>,
    /// Where it stands.
    pub status: ItemStatus,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// Whether the user ran it, not the model: `Op::RunCommand`. Its `call_id` names no call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_user: bool,
}

/// A patch and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChangeItem {
    /// The call that asked for it.
    pub call_id: String,
    /// Sorted by path; a move shows the old path as an update.
    pub changes: Vec<FileChange>,
    /// Where it stands.
    pub status: ItemStatus,
    /// Why it failed.
    pub error: Option<String>,
}

/// One file of a patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Absolute path.
    pub path: PathBuf,
    /// What happens to it.
    pub kind: FileChangeKind,
    /// Unified diff of the file, without header lines; the content for added and deleted files.
    pub diff: String,
    /// New path of a moved file.
    pub move_path: Option<PathBuf>,
}

/// What a patch does to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileChangeKind {
    /// A new file, or one that is replaced.
    Add,
    /// Removed.
    Delete,
    /// Changed, and perhaps moved.
    Update,
}

/// The model's plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanItem {
    /// Why it changed.
    pub explanation: Option<String>,
    /// In order.
    pub steps: Vec<PlanStep>,
}

/// A step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanStep {
    /// What to do.
    pub step: String,
    /// How far it is.
    pub status: StepStatus,
}

/// How far a plan step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Done.
    Completed,
    /// Under way.
    InProgress,
    /// Not begun.
    Pending,
}

/// Where a command or patch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    /// Ended as it should.
    Completed,
    /// Not allowed; nothing was run.
    Declined,
    /// Ended with a failure.
    Failed,
    /// Under way.
    InProgress,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str) -> ResponseItem {
        let Value::Object(map) = serde_json::from_str(text).unwrap() else { panic!("object") };
        ResponseItem::from_value(map).unwrap()
    }

    #[test]
    fn unknown_fields_and_types_survive_without_the_id() {
        let odd = item(r#"{"id":"x_1","type":"new_thing","z":1,"a":{"b":[null]}}"#);
        assert_eq!(odd.json(), r#"{"type":"new_thing","z":1,"a":{"b":[null]}}"#);
        assert_eq!(odd.kind(), &ResponseKind::Other { name: "new_thing".into() });
        let image = item(r#"{"id":"ig_1","type":"image_generation_call","result":""}"#);
        assert!(image.json().contains("ig_1"));
    }

    #[test]
    fn calls_are_recognised() {
        let call = item(
            r#"{"type":"function_call","id":"f","name":"t","arguments":"{","call_id":"c","x":1}"#,
        );
        let ResponseKind::Call(call) = call.kind() else { panic!("call") };
        assert_eq!(call.payload, ToolPayload::Function("{".into()));
        let output = ResponseItem::output(call, "done");
        assert_eq!(
            output.json(),
            r#"{"type":"function_call_output","call_id":"c","output":"done"}"#
        );
    }
}
