//! What a client says of a thread that it wants.

use std::{collections::BTreeMap, path::PathBuf};

use codex_proto::{ThreadId, policy::SandboxMode};
use serde::Deserialize;
use serde_json::Value;

use super::{
    boundary::HostRequest,
    policy::{AskForApproval, unsupported},
};
use crate::jsonrpc::ErrorObject;

/// What `thread/start` and `thread/resume` have in common.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Common {
    pub(super) model: Option<String>,
    pub(super) model_provider: Option<String>,
    pub(super) service_tier: Option<String>,
    pub(super) cwd: Option<PathBuf>,
    pub(super) approval_policy: Option<AskForApproval>,
    pub(super) approvals_reviewer: Option<String>,
    pub(super) sandbox: Option<SandboxMode>,
    pub(super) permissions: Option<Value>,
    pub(super) config: Option<BTreeMap<String, Value>>,
    pub(super) base_instructions: Option<String>,
    pub(super) developer_instructions: Option<String>,
    pub(super) personality: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartParams {
    #[serde(flatten)]
    pub(super) common: Common,
    #[serde(default)]
    pub(super) ephemeral: Option<bool>,
    #[serde(default)]
    pub(super) environments: Option<Vec<Value>>,
    #[serde(default)]
    pub(super) dynamic_tools: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResumeParams {
    pub(super) thread_id: ThreadId,
    #[serde(flatten)]
    pub(super) common: Common,
    #[serde(default)]
    pub(super) history: Option<Value>,
    #[serde(default)]
    pub(super) path: Option<PathBuf>,
    #[serde(default)]
    pub(super) exclude_turns: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ThreadParams {
    pub(super) thread_id: ThreadId,
}

impl Common {
    pub(super) fn host(
        self,
        originator: &str,
        is_experimental: bool,
    ) -> Result<HostRequest, ErrorObject> {
        if self.approvals_reviewer.as_deref().is_some_and(|reviewer| reviewer != "user") {
            return Err(unsupported("approvalsReviewer", "leave it out, or use `user`"));
        }
        if self.permissions.is_some() {
            return Err(unsupported("permissions", "use `sandbox` and `config`"));
        }
        let approval = self.approval_policy.map(|ask| ask.policy(is_experimental)).transpose()?;
        let mut set = Vec::new();
        for (key, value) in self.config.unwrap_or_default() {
            let value = toml_value(&value).ok_or_else(|| {
                ErrorObject::invalid(format!("config.{key}: null has no meaning there"))
            })?;
            set.push(format!("{key}={value}"));
        }
        for (key, value) in [
            ("model_provider", self.model_provider),
            ("service_tier", self.service_tier),
            ("instructions", self.base_instructions),
            ("developer_instructions", self.developer_instructions),
            ("personality", self.personality),
        ] {
            set.extend(value.map(|value| format!("{key}={}", toml_string(&value))));
        }
        Ok(HostRequest {
            originator: originator.to_owned(),
            cwd: self.cwd,
            model: self.model,
            approval,
            sandbox: self.sandbox,
            set,
            ephemeral: false,
        })
    }
}

/// JSON as a TOML value; `None` when it holds a null.
fn toml_value(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::String(text) => Some(toml_string(text)),
        Value::Array(values) => {
            let values: Option<Vec<String>> = values.iter().map(toml_value).collect();
            Some(format!("[{}]", values?.join(", ")))
        }
        Value::Object(fields) => {
            let fields: Option<Vec<String>> = fields
                .iter()
                .map(|(key, value)| Some(format!("{} = {}", toml_string(key), toml_value(value)?)))
                .collect();
            Some(format!("{{ {} }}", fields?.join(", ")))
        }
    }
}

/// A basic string of TOML: JSON's escapes, and DEL.
fn toml_string(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
