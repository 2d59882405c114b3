//! Everything the engine is told before it starts: the host it runs on and what the user wants.
//! No field holds a credential; those stay with the adapters and are named by [`AuthRef`] and
//! [`SecretRef`].

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    policy::{ApprovalPolicy, EnvPolicy, SandboxPolicy},
    realtime::RealtimeSettings,
};

/// The typed result of all configuration layers, plus facts about the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Facts about this machine and process.
    pub host: Host,
    /// Which front end runs the engine: goes into `session_meta.source`, e.g. `exec`, `cli`.
    pub source: String,
    /// Names the client to the provider and in `session_meta`, e.g. `codex_exec`.
    pub originator: String,
    /// Absolute working directory of threads.
    pub cwd: PathBuf,
    /// Model slug as configured; `None` takes the catalogue's default.
    pub model: Option<String>,
    /// Where requests go.
    pub provider: Provider,
    /// `model_reasoning_effort`; `None` takes the model's default.
    pub reasoning_effort: Option<String>,
    /// `model_reasoning_summary`; `None` takes the model's default.
    pub reasoning_summary: Option<String>,
    /// `model_verbosity`; `None` takes the model's default.
    pub verbosity: Option<String>,
    /// Forces `reasoning` for models that the catalogue does not know.
    pub supports_reasoning_summaries: Option<bool>,
    /// `service_tier` as sent (`priority`, `flex`).
    pub service_tier: Option<String>,
    /// `model_context_window` in tokens; `None` takes the model's.
    pub context_window: Option<u64>,
    /// `tool_output_token_limit` in tokens; `None` takes the model's.
    pub tool_output_tokens: Option<u64>,
    /// When to ask.
    pub approval: ApprovalPolicy,
    /// What commands may touch.
    pub sandbox: SandboxPolicy,
    /// Which variables commands inherit.
    pub env: EnvPolicy,
    /// Whether the model may ask for a login shell.
    pub allow_login_shell: bool,
    /// Replaces the base instructions.
    pub instructions: Option<String>,
    /// Appended to the developer message.
    pub developer_instructions: Option<String>,
    /// Whether the permissions block is sent.
    pub include_permissions: bool,
    /// Whether the environment block is sent.
    pub include_environment: bool,
    /// How project documents are found.
    pub project: ProjectSettings,
    /// `web_search`: which hosted search tool is offered, if any.
    pub web_search: WebSearchMode,
    /// Longest empty poll of a background command, in milliseconds.
    pub background_poll_ms_max: u64,
    /// Effective feature flags by name.
    pub features: BTreeMap<String, bool>,
    /// Whether threads leave no rollout.
    pub ephemeral: bool,
    /// Whether somebody is there: then questions are asked, and a resumed thread tells its items
    /// again. Otherwise a question is answered with no at once.
    #[serde(default)]
    pub interactive: bool,
    /// Voice.
    #[serde(default)]
    pub realtime: RealtimeSettings,
}

impl Settings {
    /// Whether a feature flag is on. Unknown names are off.
    #[must_use]
    pub fn feature(&self, name: &str) -> bool {
        self.features.get(name).copied().unwrap_or(false)
    }

    /// Settings for tests and examples: a local provider without credentials, a workspace at
    /// `cwd`, nothing persisted.
    #[must_use]
    pub fn sample(cwd: PathBuf) -> Self {
        Self {
            host: Host {
                codex_home: PathBuf::from("/home/user/.codex"),
                scratch: PathBuf::from("/tmp/codex-scratch"),
                shell: Shell { path: PathBuf::from("/bin/bash"), kind: ShellKind::Bash },
                time_zone: "Etc/UTC".into(),
                utc_offset_minutes: 0,
                user_agent: "codex_exec/0.0.0 (test)".into(),
                version: "0.0.0".into(),
                installation_id: "00000000-0000-4000-8000-000000000000".into(),
            },
            source: "exec".into(),
            originator: "codex_exec".into(),
            cwd: cwd.clone(),
            model: None,
            provider: Provider {
                id: "local".into(),
                name: "local".into(),
                base_url: "http://127.0.0.1:1/v1".into(),
                query: Vec::new(),
                headers: Vec::new(),
                auth: None,
                request_retries_max: 4,
                stream_retries_max: 5,
                stream_idle_ms: 300_000,
            },
            reasoning_effort: None,
            reasoning_summary: None,
            verbosity: None,
            supports_reasoning_summaries: None,
            service_tier: None,
            context_window: None,
            tool_output_tokens: None,
            approval: ApprovalPolicy::Never,
            sandbox: SandboxPolicy::workspace_write(cwd),
            env: EnvPolicy::default(),
            allow_login_shell: true,
            instructions: None,
            developer_instructions: None,
            include_permissions: true,
            include_environment: true,
            project: ProjectSettings::default(),
            web_search: WebSearchMode::Disabled,
            background_poll_ms_max: 300_000,
            features: BTreeMap::new(),
            ephemeral: false,
            interactive: false,
            realtime: RealtimeSettings::default(),
        }
    }
}

/// Facts about the machine and the process, gathered by the host once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// `CODEX_HOME`, absolute.
    pub codex_home: PathBuf,
    /// A private directory for this process's spools and snapshots, removed at the end. Created
    /// by adapters on first use.
    pub scratch: PathBuf,
    /// The user's login shell.
    pub shell: Shell,
    /// IANA name, e.g. `Europe/Berlin`.
    pub time_zone: String,
    /// Offset of local time from UTC at start, in minutes, east positive.
    pub utc_offset_minutes: i32,
    /// Complete `user-agent` header.
    pub user_agent: String,
    /// Version of this program.
    pub version: String,
    /// UUID v4 kept in `CODEX_HOME/installation_id`.
    pub installation_id: String,
}

/// The user's login shell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shell {
    /// Absolute path of the program.
    pub path: PathBuf,
    /// Which language it speaks.
    pub kind: ShellKind,
}

/// Which family a shell belongs to; decides its command-line flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShellKind {
    /// GNU bash.
    Bash,
    /// Windows command interpreter.
    Cmd,
    /// PowerShell of either generation.
    PowerShell,
    /// Any other POSIX shell.
    Sh,
    /// Z shell.
    Zsh,
}

impl ShellKind {
    /// Recognises a shell by its file stem; unknown names count as POSIX shells.
    #[must_use]
    pub fn of(path: &std::path::Path) -> Self {
        match path.file_stem().and_then(|stem| stem.to_str()) {
            Some("bash") => Self::Bash,
            Some("cmd") => Self::Cmd,
            Some("powershell" | "pwsh") => Self::PowerShell,
            Some("zsh") => Self::Zsh,
            _ => Self::Sh,
        }
    }

    /// The name that the model is told.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Cmd => "cmd",
            Self::PowerShell => "powershell",
            Self::Sh => "sh",
            Self::Zsh => "zsh",
        }
    }
}

/// Names a credential that an adapter holds; the engine never sees its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuthRef(pub String);

/// Names a secret header value that an adapter holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretRef(pub String);

/// A header value as the engine knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderValue {
    /// Known to everybody.
    Plain(String),
    /// Filled in by the adapter; a header whose secret is unset or blank is left out.
    Secret(SecretRef),
}

/// A model provider: an endpoint that speaks the Responses API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    /// Key in `model_providers`, e.g. `openai`.
    pub id: String,
    /// Name shown to people.
    pub name: String,
    /// Without a trailing slash; `/responses` is appended.
    pub base_url: String,
    /// Appended to the URL, in order.
    pub query: Vec<(String, String)>,
    /// Sent with each request, in order.
    pub headers: Vec<(String, HeaderValue)>,
    /// The bearer token, if the provider wants one.
    pub auth: Option<AuthRef>,
    /// `request_max_retries`, 0..=100.
    pub request_retries_max: u32,
    /// `stream_max_retries`, 0..=100.
    pub stream_retries_max: u32,
    /// `stream_idle_timeout_ms`: longest silence of the stream.
    pub stream_idle_ms: u64,
}

/// How AGENTS.md and its kin are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectSettings {
    /// Names that mark a project root; empty disables the search of parents.
    pub root_markers: Vec<String>,
    /// Bytes of project documents that are sent at most; 0 disables them.
    pub doc_bytes_max: usize,
    /// Looked for after `AGENTS.override.md` and `AGENTS.md`.
    pub fallback_filenames: Vec<String>,
}

impl Default for ProjectSettings {
    fn default() -> Self {
        Self {
            root_markers: vec![".git".into()],
            doc_bytes_max: 32_768,
            fallback_filenames: Vec::new(),
        }
    }
}

/// `web_search`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebSearchMode {
    /// The hosted tool answers from its index.
    Cached,
    /// No search tool.
    #[default]
    Disabled,
    /// The hosted tool fetches pages.
    Live,
}
