//! Rollout files: a thread's transcript as JSON lines.
//!
//! Line: `{"timestamp":"…Z","type":T,"payload":{…}}` with `T` one of `session_meta`,
//! `response_item`, `event_msg`, `turn_context`, `compacted`. The writer renders whole lines; the
//! reader skips what it does not know and counts what it cannot read, because a transcript that
//! was cut by a crash is still the user's.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::{
    effect::GitInfo,
    event::Usage,
    id::{ThreadId, TurnId},
    item::{FileChange, FileChangeItem, FileChangeKind, ItemStatus, ResponseItem},
    policy::{ApprovalPolicy, SandboxMode, SandboxPolicy},
    settings::Settings,
    time::Wall,
};

/// The path of a new rollout below `CODEX_HOME`, named by local time.
#[must_use]
pub fn path(codex_home: &Path, thread: ThreadId, wall: Wall, utc_offset_minutes: i32) -> PathBuf {
    let civil = wall.civil(utc_offset_minutes);
    let name = format!("rollout-{}-{thread}.jsonl", civil.file_stamp());
    codex_home.join("sessions").join(civil.date_folder()).join(name)
}

/// Whether a message of the user is context that was added for the model rather than something
/// that the user said.
#[must_use]
pub fn is_contextual(text: &str) -> bool {
    const STARTS: [&str; 7] = [
        "# AGENTS.md instructions for ",
        "<environment_context>",
        "<skill>",
        "<subagent_notification>",
        "<turn_aborted>",
        "<user_action>",
        "<user_shell_command>",
    ];
    STARTS.iter().any(|start| text.starts_with(start))
}

/// Appends one line.
pub fn push_line(into: &mut Vec<u8>, wall: Wall, kind: LineKind, payload: &str) {
    let head = format!("{{\"timestamp\":\"{wall}\",\"type\":\"{}\",\"payload\":", kind.as_str());
    into.reserve(head.len() + payload.len() + 2);
    into.extend_from_slice(head.as_bytes());
    into.extend_from_slice(payload.as_bytes());
    into.extend_from_slice(b"}\n");
}

/// Kinds of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A summary that replaces history.
    Compacted,
    /// Something that happened.
    EventMsg,
    /// An item of the conversation with the model.
    ResponseItem,
    /// Who, where and when; the first line.
    SessionMeta,
    /// The settings of a turn.
    TurnContext,
}

impl LineKind {
    /// The wire name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compacted => "compacted",
            Self::EventMsg => "event_msg",
            Self::ResponseItem => "response_item",
            Self::SessionMeta => "session_meta",
            Self::TurnContext => "turn_context",
        }
    }
}

/// The payload of `session_meta`.
#[must_use]
pub fn session_meta(
    settings: &Settings,
    thread: ThreadId,
    forked_from: Option<ThreadId>,
    wall: Wall,
    instructions: &str,
    git: Option<&GitInfo>,
) -> String {
    let mut payload = json!({
        "id": thread,
        "forked_from_id": forked_from,
        "timestamp": wall.to_string(),
        "cwd": settings.cwd.to_string_lossy(),
        "originator": settings.originator,
        "cli_version": settings.host.version,
        "source": settings.source,
        "model_provider": settings.provider.id,
        "base_instructions": { "text": instructions },
    });
    if let (None, Value::Object(payload)) = (forked_from, &mut payload) {
        payload.shift_remove("forked_from_id");
    }
    if let Some(git) = git {
        payload["git"] = json!(git);
    }
    payload.to_string()
}

/// What a turn ran under; compared on resume to send only what changed.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnContext {
    /// Which turn.
    pub turn: Option<TurnId>,
    /// Working directory.
    pub cwd: PathBuf,
    /// `YYYY-MM-DD`.
    pub current_date: Option<String>,
    /// IANA name.
    pub timezone: Option<String>,
    /// When the user is asked.
    pub approval: ApprovalPolicy,
    /// What commands may touch.
    pub sandbox: SandboxPolicy,
    /// Model slug.
    pub model: String,
    /// Reasoning effort in force.
    pub effort: Option<String>,
    /// Reasoning summary in force.
    pub summary: Option<String>,
}

impl TurnContext {
    /// The payload of `turn_context`.
    #[must_use]
    pub fn payload(&self) -> String {
        let sandbox = match self.sandbox.mode {
            SandboxMode::DangerFullAccess => json!({ "type": "danger-full-access" }),
            SandboxMode::ReadOnly => {
                json!({ "type": "read-only", "network_access": self.sandbox.network })
            }
            SandboxMode::WorkspaceWrite => {
                // The working directory is writable by definition and not listed.
                let roots: Vec<_> = self
                    .sandbox
                    .writable_roots
                    .iter()
                    .filter(|root| **root != self.cwd)
                    .map(|root| root.to_string_lossy())
                    .collect();
                json!({
                    "type": "workspace-write",
                    "writable_roots": roots,
                    "network_access": self.sandbox.network,
                    "exclude_tmpdir_env_var": !self.sandbox.writable_tmpdir,
                    "exclude_slash_tmp": !self.sandbox.writable_tmp,
                })
            }
        };
        let mut payload = Map::new();
        let mut set = |key: &str, value: Value| {
            if !value.is_null() {
                payload.insert(key.into(), value);
            }
        };
        set("turn_id", json!(self.turn));
        set("cwd", json!(self.cwd.to_string_lossy()));
        set("current_date", json!(self.current_date));
        set("timezone", json!(self.timezone));
        set("approval_policy", json!(self.approval));
        set("sandbox_policy", sandbox);
        set("model", json!(self.model));
        set("effort", json!(self.effort));
        set("summary", json!(self.summary.as_deref().unwrap_or("auto")));
        Value::Object(payload).to_string()
    }

    fn parse(payload: &Value) -> Option<Self> {
        let text = |key: &str| payload.get(key).and_then(Value::as_str).map(str::to_owned);
        let cwd = PathBuf::from(text("cwd")?);
        let policy = &payload["sandbox_policy"];
        let flag = |key: &str| policy[key].as_bool().unwrap_or(false);
        let sandbox = match policy["type"].as_str() {
            Some("danger-full-access") => SandboxPolicy::full_access(),
            Some("workspace-write") => {
                let mut roots = vec![cwd.clone()];
                for root in policy["writable_roots"].as_array().into_iter().flatten() {
                    roots.extend(root.as_str().map(PathBuf::from));
                }
                SandboxPolicy {
                    mode: SandboxMode::WorkspaceWrite,
                    writable_roots: roots,
                    network: flag("network_access"),
                    writable_tmp: !flag("exclude_slash_tmp"),
                    writable_tmpdir: !flag("exclude_tmpdir_env_var"),
                }
            }
            _ => SandboxPolicy { network: flag("network_access"), ..SandboxPolicy::read_only() },
        };
        Some(Self {
            turn: text("turn_id").and_then(|id| id.parse().ok()),
            cwd,
            current_date: text("current_date"),
            timezone: text("timezone"),
            approval: serde_json::from_value(payload["approval_policy"].clone())
                .unwrap_or_default(),
            sandbox,
            model: text("model")?,
            effort: text("effort"),
            summary: text("summary"),
        })
    }
}

/// The payload of a `token_count` event.
#[must_use]
pub fn token_count(total: &Usage, last: &Usage, context_window: Option<u64>) -> String {
    json!({
        "type": "token_count",
        "info": {
            "total_token_usage": total,
            "last_token_usage": last,
            "model_context_window": context_window,
        },
        "rate_limits": null,
    })
    .to_string()
}

/// A file of a patch that was about to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchedFile {
    /// Absolute path.
    pub path: PathBuf,
    /// Digest of its content before, in hex; `None` for no file.
    pub before: Option<String>,
    /// Digest of its content after, in hex; `None` for no file.
    pub after: Option<String>,
}

/// A line of a rollout, as far as resuming needs it.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// `compacted`: what replaces the history before it; `None` in files of old versions.
    Compacted(Option<Vec<ResponseItem>>),
    /// `event_msg` that nothing below covers.
    Event,
    /// `event_msg/patch_apply_end`.
    PatchEnd(FileChangeItem),
    /// `event_msg/patch_apply_begin`, written before a patch touches files.
    PatchBegin {
        /// The call.
        call_id: String,
        /// Its files, in the order they are written.
        files: Vec<PatchedFile>,
    },
    /// `response_item`.
    Item(ResponseItem),
    /// `session_meta`.
    Meta {
        /// Whose rollout.
        thread: ThreadId,
        /// The base instructions of the thread.
        instructions: Option<String>,
    },
    /// `event_msg/thread_rolled_back`.
    RolledBack {
        /// How many user turns were dropped.
        turns: usize,
    },
    /// `turn_context`.
    TurnContext(Box<TurnContext>),
    /// `event_msg/task_complete` or `event_msg/turn_aborted`.
    TurnEnded,
    /// `event_msg/task_started`.
    TurnStarted,
    /// `event_msg/token_count`.
    Usage {
        /// Of the whole thread.
        total: Usage,
        /// Of the last response.
        last: Usage,
    },
}

impl Line {
    /// Reads one line. `None` when it is not a line of a rollout: torn, or of an unknown type.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Value::Object(mut line) = serde_json::from_str(text).ok()? else { return None };
        let mut payload = line.remove("payload")?;
        match line.get("type")?.as_str()? {
            "session_meta" => Some(Self::Meta {
                thread: payload["id"].as_str()?.parse().ok()?,
                instructions: payload["base_instructions"]["text"].as_str().map(str::to_owned),
            }),
            "response_item" => match payload {
                Value::Object(item) => ResponseItem::from_value(item).map(Self::Item),
                _ => None,
            },
            "turn_context" => {
                TurnContext::parse(&payload).map(|context| Self::TurnContext(Box::new(context)))
            }
            "compacted" => {
                let items = payload.get_mut("replacement_history").map(Value::take);
                Some(Self::Compacted(match items {
                    Some(Value::Array(items)) => Some(
                        items
                            .into_iter()
                            .filter_map(|item| match item {
                                Value::Object(item) => ResponseItem::from_value(item),
                                _ => None,
                            })
                            .collect(),
                    ),
                    _ => None,
                }))
            }
            "event_msg" => Some(Self::parse_event(&payload)),
            _ => None,
        }
    }

    fn parse_event(payload: &Value) -> Self {
        match payload["type"].as_str() {
            Some("thread_rolled_back") => Self::RolledBack {
                turns: payload["num_turns"]
                    .as_u64()
                    .and_then(|turns| usize::try_from(turns).ok())
                    .unwrap_or(0),
            },
            Some("token_count") => {
                let usage = |key: &str| serde_json::from_value(payload["info"][key].clone()).ok();
                match (usage("total_token_usage"), usage("last_token_usage")) {
                    (Some(total), Some(last)) => Self::Usage { total, last },
                    _ => Self::Event,
                }
            }
            Some("task_started" | "turn_started") => Self::TurnStarted,
            Some("task_complete" | "turn_complete" | "turn_aborted") => Self::TurnEnded,
            Some("patch_apply_end") => parse_patch_end(payload).map_or(Self::Event, Self::PatchEnd),
            Some("patch_apply_begin") => {
                let Some(call_id) = payload["call_id"].as_str() else { return Self::Event };
                let text = |value: &Value| value.as_str().map(str::to_owned);
                let files = payload["digests"].as_array().into_iter().flatten();
                let files = files
                    .filter_map(|file| {
                        Some(PatchedFile {
                            path: PathBuf::from(file["path"].as_str()?),
                            before: text(&file["before"]),
                            after: text(&file["after"]),
                        })
                    })
                    .collect();
                Self::PatchBegin { call_id: call_id.to_owned(), files }
            }
            _ => Self::Event,
        }
    }
}

fn parse_patch_end(payload: &Value) -> Option<FileChangeItem> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let changes = payload["changes"].as_object()?.iter().filter_map(|(path, change)| {
        let (kind, diff) = match change["type"].as_str()? {
            "add" => (FileChangeKind::Add, &change["content"]),
            "delete" => (FileChangeKind::Delete, &change["content"]),
            "update" => (FileChangeKind::Update, &change["unified_diff"]),
            _ => return None,
        };
        let move_path = change["move_path"].as_str().map(PathBuf::from);
        Some(FileChange { path: PathBuf::from(path), kind, diff: text(diff), move_path })
    });
    let success = payload["success"].as_bool().unwrap_or(false);
    let declined = payload["status"] == "declined";
    Some(FileChangeItem {
        call_id: payload["call_id"].as_str()?.to_owned(),
        changes: changes.collect(),
        status: match (success, declined) {
            (true, _) => ItemStatus::Completed,
            (false, true) => ItemStatus::Declined,
            (false, false) => ItemStatus::Failed,
        },
        error: (!success).then(|| text(&payload["stderr"])),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::item::Role;

    #[test]
    fn paths_follow_local_time() {
        let id = "01a201e6-d732-7201-96ed-0da22c2c800b".parse().unwrap();
        assert_eq!(
            path(Path::new("/c"), id, Wall(1_795_328_118_541), 60),
            Path::new(
                "/c/sessions/2026/11/22/rollout-2026-11-22T07-15-18-01a201e6-d732-7201-96ed-0da22c2c800b.jsonl"
            )
        );
    }

    #[test]
    fn items_survive_the_round_trip() {
        let item = ResponseItem::message(Role::User, &["hé\n".into()]);
        let mut bytes = Vec::new();
        push_line(&mut bytes, Wall(0), LineKind::ResponseItem, item.json());
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.ends_with("}\n"));
        assert_eq!(Line::parse(&text), Some(Line::Item(item)));
    }

    #[test]
    fn a_turn_context_survives_the_round_trip() {
        for sandbox in [
            SandboxPolicy::read_only(),
            SandboxPolicy::full_access(),
            SandboxPolicy {
                writable_roots: vec!["/w".into(), "/x".into()],
                writable_tmp: false,
                ..SandboxPolicy::workspace_write("/w".into())
            },
        ] {
            let context = TurnContext {
                turn: None,
                cwd: "/w".into(),
                current_date: Some("2026-11-22".into()),
                timezone: None,
                approval: ApprovalPolicy::Never,
                sandbox,
                model: "m".into(),
                effort: Some("low".into()),
                summary: Some("auto".into()),
            };
            let mut bytes = Vec::new();
            push_line(&mut bytes, Wall(0), LineKind::TurnContext, &context.payload());
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!(Line::parse(&text), Some(Line::TurnContext(Box::new(context))));
        }
    }

    #[test]
    fn usage_is_restored() {
        let usage = Usage { input_tokens: 5, total_tokens: 6, ..Usage::default() };
        let mut bytes = Vec::new();
        push_line(&mut bytes, Wall(0), LineKind::EventMsg, &token_count(&usage, &usage, None));
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(Line::parse(&text), Some(Line::Usage { total: usage, last: usage }));
    }

    proptest! {
        #[test]
        fn prop_parse_never_panics(text in "\\PC*") {
            let _ = Line::parse(&text);
        }
    }
}
