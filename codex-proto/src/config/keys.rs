//! The known keys: one table that checking, suggestions and `docs/config.md` share.

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Anything; not looked into.
    Any,
    /// `true` or `false`.
    Bool,
    /// One of the alternatives, told apart by their TOML type.
    Either(&'static [Self]),
    /// One of these strings.
    Enum(&'static [&'static str]),
    /// A table of feature flags.
    Features,
    /// A whole number within bounds, both included.
    Int(i64, i64),
    /// An array whose items are alike.
    List(&'static Self),
    /// A table with names of the user's choice (shown as the placeholder) and values of one kind.
    Map(&'static str, &'static Self),
    /// A whole number or a fraction, not negative.
    Number,
    /// A path: made absolute against the folder of its file.
    Path,
    /// The keys of the top level that a profile may set.
    Profile,
    /// A string that may be a credential: never shown.
    Secret,
    /// A string.
    Str,
    /// A table with these keys.
    Table(&'static [Key]),
    /// A table with these keys, and names of the user's choice for everything else.
    TableAnd(&'static [Key], &'static str, &'static Self),
}

/// What becomes of a key in this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It does what it says.
    Honoured,
    /// It is checked and kept; the feature it belongs to is not built yet.
    NotYet,
    /// It is checked and has no effect, now or later: a vendor's service, or a removed switch.
    NoEffect,
}

/// A known key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name within its table.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// What becomes of it.
    pub used: Use,
    /// The default, as shown to people; empty when there is none.
    pub default: &'static str,
    /// What it means: a phrase without a full stop.
    pub about: &'static str,
    /// Whether a profile may set it (top level only).
    pub in_profile: bool,
    /// Whether a project's own file may set it (top level only).
    pub in_project: bool,
}

impl Key {
    const fn new(
        name: &'static str,
        kind: Kind,
        used: Use,
        default: &'static str,
        about: &'static str,
    ) -> Self {
        Self { name, kind, used, default, about, in_profile: false, in_project: true }
    }

    const fn profile(mut self) -> Self {
        self.in_profile = true;
        self
    }

    const fn user(mut self) -> Self {
        self.in_project = false;
        self
    }
}

/// A honoured key.
const fn key(n: &'static str, k: Kind, default: &'static str, about: &'static str) -> Key {
    Key::new(n, k, Use::Honoured, default, about)
}

/// A key that is kept for later.
const fn later(n: &'static str, k: Kind, default: &'static str, about: &'static str) -> Key {
    Key::new(n, k, Use::NotYet, default, about)
}

/// A key without effect.
const fn inert(n: &'static str, k: Kind, about: &'static str) -> Key {
    Key::new(n, k, Use::NoEffect, "", about)
}

const STR: Kind = Kind::Str;
const BOOL: Kind = Kind::Bool;
const PATH: Kind = Kind::Path;
const COUNT: Kind = Kind::Int(0, i64::MAX);
const POSITIVE: Kind = Kind::Int(1, i64::MAX);
const STRINGS: Kind = Kind::List(&Kind::Str);
const ANY_MAP: Kind = Kind::Map("NAME", &Kind::Any);
const STR_MAP: Kind = Kind::Map("NAME", &Kind::Str);
const SECRET_MAP: Kind = Kind::Map("NAME", &Kind::Secret);
const EFFORT: Kind = Kind::Enum(&["none", "minimal", "low", "medium", "high", "xhigh"]);
const APPROVAL_MODE: Kind = Kind::Enum(&["auto", "prompt", "approve"]);

/// Finds a key of the top level.
#[must_use]
pub fn root(name: &str) -> Option<&'static Key> {
    ROOT.iter().find(|key| key.name == name)
}

/// Whether a name is that of a known key, anywhere, whose value is never a credential.
pub(super) fn is_plain(name: &str) -> bool {
    fn within(keys: &[Key], name: &str) -> bool {
        keys.iter().any(|key| {
            (key.name == name && !matches!(key.kind, Kind::Secret)) || inside(&key.kind, name)
        })
    }
    fn inside(kind: &Kind, name: &str) -> bool {
        match kind {
            Kind::Either(kinds) => kinds.iter().any(|kind| inside(kind, name)),
            Kind::List(kind) | Kind::Map(_, kind) => inside(kind, name),
            Kind::Table(keys) => within(keys, name),
            Kind::TableAnd(keys, _, rest) => within(keys, name) || inside(rest, name),
            Kind::Any
            | Kind::Bool
            | Kind::Enum(_)
            | Kind::Features
            | Kind::Int(..)
            | Kind::Number
            | Kind::Path
            | Kind::Profile
            | Kind::Secret
            | Kind::Str => false,
        }
    }
    within(ROOT, name)
}

/// The keys of the top level, in the order in which people are shown them.
#[rustfmt::skip]
pub const ROOT: &[Key] = &[
    // Model
    key("model", STR, "the catalogue's first", "model slug").profile(),
    key("model_provider", STR, "openai", "which entry of the providers is used").profile().user(),
    key("model_providers", Kind::Map("ID", &Kind::Table(PROVIDER)), "", "endpoints that speak the Responses API; `openai`, `ollama`, `lmstudio` and `amazon-bedrock` are built in").user(),
    key("openai_base_url", STR, "https://api.openai.com/v1", "address of the built-in provider `openai`; beats the variable `OPENAI_BASE_URL`").user(),
    key("model_reasoning_effort", EFFORT, "the model's", "`reasoning.effort`").profile(),
    later("plan_mode_reasoning_effort", EFFORT, "", "effort in plan mode").profile(),
    key("model_reasoning_summary", Kind::Enum(&["auto", "concise", "detailed", "none"]), "the model's", "`reasoning.summary`").profile(),
    key("model_supports_reasoning_summaries", BOOL, "", "sends `reasoning` also to models that the catalogue does not know").profile(),
    key("model_verbosity", Kind::Enum(&["low", "medium", "high"]), "the model's", "`text.verbosity`").profile(),
    key("model_context_window", POSITIVE, "the model's", "tokens that fit into the model's window"),
    later("model_auto_compact_token_limit", POSITIVE, "the model's", "tokens at which the history is summarised"),
    later("model_catalog_json", PATH, "", "a file that replaces the model catalogue").profile(),
    key("model_instructions_file", PATH, "", "a file that replaces the base instructions; beats `instructions`").profile(),
    key("instructions", STR, "", "text that replaces the base instructions"),
    key("developer_instructions", STR, "", "text added to the developer message"),
    later("compact_prompt", STR, "", "prompt for summaries"),
    later("experimental_compact_prompt_file", PATH, "", "file with the prompt for summaries").profile(),
    later("review_model", STR, "the session's", "model for reviews"),
    key("service_tier", Kind::Enum(&["fast", "flex", "priority"]), "", "`service_tier`; `fast` is sent as `priority`").profile(),
    later("personality", Kind::Enum(&["none", "friendly", "pragmatic"]), "pragmatic", "tone of the instructions").profile(),
    later("oss_provider", Kind::Enum(&["lmstudio", "ollama"]), "", "provider that `--oss` takes").profile(),
    key("tool_output_token_limit", POSITIVE, "the model's", "tokens of one tool's output that the model sees"),
    // Policy
    key("approval_policy", Kind::Either(&[Kind::Enum(&["untrusted", "on-failure", "on-request", "never"]), Kind::Table(APPROVAL)]), "by trust", "when you are asked; `exec` never asks").profile(),
    later("approvals_reviewer", Kind::Enum(&["user", "auto_review", "guardian_subagent"]), "user", "who answers").profile(),
    later("auto_review", Kind::Table(&[later("policy", STR, "", "text for the automatic reviewer")]), "", "automatic reviewer"),
    key("sandbox_mode", Kind::Enum(&["read-only", "workspace-write", "danger-full-access"]), "by trust", "what commands may touch").profile(),
    key("sandbox_workspace_write", Kind::Table(WORKSPACE_WRITE), "", "details of `workspace-write`"),
    key("default_permissions", STR, "", "`:read-only`, `:workspace` or `:danger-no-sandbox`: another way to write `sandbox_mode`, which beats it; profiles of your own are refused"),
    later("permissions", Kind::Map("NAME", &Kind::Table(PERMISSIONS)), "", "permission profiles"),
    key("shell_environment_policy", Kind::Table(ENVIRONMENT), "", "which variables commands inherit"),
    key("allow_login_shell", BOOL, "true", "whether the model may ask for a login shell"),
    key("projects", Kind::Map("PATH", &Kind::Table(&[key("trust_level", Kind::Enum(&["trusted", "untrusted"]), "", "whether the project's own configuration counts")])), "", "trust by absolute path").user(),
    key("project_root_markers", STRINGS, "[\".git\"]", "names that mark a project's root; `[]` stops the search at the working directory"),
    // Instructions
    key("project_doc_max_bytes", COUNT, "32768", "bytes of AGENTS.md files that are sent; 0 sends none"),
    key("project_doc_fallback_filenames", STRINGS, "[]", "names looked for after `AGENTS.override.md` and `AGENTS.md`"),
    key("include_permissions_instructions", BOOL, "true", "whether the model is told what it may do").profile(),
    key("include_environment_context", BOOL, "true", "whether the model is told directory, shell and date").profile(),
    later("include_apps_instructions", BOOL, "true", "whether connectors are described").profile(),
    later("skills", Kind::Table(SKILLS), "", "skills"),
    // Tools
    key("web_search", Kind::Enum(&["disabled", "cached", "live"]), "`cached` with `openai` (`live` under full access), else `disabled`", "the hosted search tool").profile(),
    key("tools", Kind::Table(TOOLS), "", "single tools").profile(),
    later("tools_view_image", BOOL, "true", "as `tools.view_image`").profile(),
    later("mcp_servers", Kind::Map("NAME", &Kind::Table(MCP_SERVER)), "", "MCP servers"),
    later("mcp_oauth_credentials_store", Kind::Enum(&["auto", "file", "keyring"]), "auto", "where MCP logins are kept"),
    later("mcp_oauth_callback_port", Kind::Int(0, 65_535), "any", "port of the MCP login's callback"),
    later("mcp_oauth_callback_url", STR, "", "address of the MCP login's callback"),
    key("background_terminal_max_timeout", COUNT, "300000", "longest wait of an empty poll of a background command, in ms; at least 5000"),
    inert("zsh_path", PATH, "a patched zsh").profile(),
    later("agents", Kind::TableAnd(AGENTS, "ROLE", &Kind::Table(AGENT_ROLE)), "", "sub-agents"),
    later("hooks", ANY_MAP, "", "commands run at events"),
    later("notify", STRINGS, "", "command run after each turn").user(),
    // Headless runs
    key("exec", Kind::Table(&[key("stdin_wait_ms", Kind::Int(0, 86_400_000), "10000", "how long `codex exec PROMPT` waits for the first byte of a piped stdin")]), "", "`codex exec` (ours)"),
    // Screen
    key("tui", Kind::Table(TUI), "", "the terminal screen").profile(),
    key("hide_agent_reasoning", BOOL, "false", "leaves reasoning out of human output"),
    key("show_raw_agent_reasoning", BOOL, "false", "shows raw reasoning where a model sends it"),
    later("file_opener", Kind::Enum(&["vscode", "vscode-insiders", "windsurf", "cursor", "none"]), "vscode", "scheme of links to files"),
    key("disable_paste_burst", BOOL, "false", "takes fast typing for typing"),
    later("check_for_update_on_startup", BOOL, "true", "looks for a newer version"),
    later("suppress_unstable_features_warning", BOOL, "false", "hides the notice about unfinished features"),
    later("notice", ANY_MAP, "", "notices that were acknowledged"),
    // Files
    key("history", Kind::Table(&[key("persistence", Kind::Enum(&["save-all", "none"]), "save-all", "whether prompts are kept"), key("max_bytes", COUNT, "", "size of `history.jsonl`; beyond it the oldest prompts go, down to 80 %")]), "", "prompt history"),
    key("log_dir", PATH, "$CODEX_HOME/log", "folder of the log file"),
    inert("sqlite_home", PATH, "folder of an index that this program does not keep"),
    later("memories", Kind::Table(MEMORIES), "", "memories"),
    key("ca_bundle", PATH, "", "PEM file of certificates trusted beside the system's (ours)").user(),
    key("profile", STR, "", "profile to use when `-p` is not given").user(),
    key("profiles", Kind::Map("NAME", &Kind::Profile), "", "named sets of the keys marked P").user(),
    key("features", Kind::Features, "", "switches by name").profile(),
    // Login
    later("cli_auth_credentials_store", Kind::Enum(&["file", "keyring", "auto", "ephemeral"]), "file", "where the login is kept"),
    later("forced_login_method", Kind::Enum(&["chatgpt", "api"]), "", "the only login that is allowed"),
    inert("forced_chatgpt_workspace_id", STR, "vendor account"),
    inert("chatgpt_base_url", STR, "vendor service").profile().user(),
    // Telemetry
    inert("analytics", Kind::Map("NAME", &Kind::Bool), "nothing is sent anywhere").profile(),
    inert("feedback", Kind::Map("NAME", &Kind::Bool), "nothing is sent anywhere"),
    later("otel", Kind::Table(OTEL), "", "OpenTelemetry export").user(),
    // Vendor and experimental
    inert("apps", ANY_MAP, "vendor connectors"),
    inert("plugins", ANY_MAP, "vendor plugins"),
    inert("marketplaces", ANY_MAP, "vendor plugins"),
    inert("tool_suggest", ANY_MAP, "vendor plugins"),
    key("audio", Kind::Table(AUDIO), "", "devices for voice"),
    key("realtime", Kind::Table(REALTIME), "", "voice; needs `features.realtime_conversation`"),
    key("experimental_realtime_ws_base_url", STR, "where calls are created", "where sockets for voice go: `http(s)://` or `ws(s)://`").user(),
    key("experimental_realtime_webrtc_call_base_url", STR, "the provider's", "where calls are created: `http(s)://`").user(),
    key("experimental_realtime_ws_model", STR, "the version's", "model for voice"),
    key("experimental_realtime_ws_backend_prompt", STR, "", "instructions for the model, instead of ours"),
    key("experimental_realtime_ws_startup_context", STR, "", "what the model is told of your work, instead of what we gather; empty for nothing"),
    key("experimental_realtime_start_instructions", STR, "", "what the agent is told when voice starts, instead of ours"),
    inert("experimental_thread_config_endpoint", STR, "vendor service"),
    inert("experimental_thread_store", ANY_MAP, "vendor service"),
    inert("commit_attribution", STR, "needs the feature `codex_git_commit`"),
    inert("ghost_snapshot", ANY_MAP, "removed"),
    later("windows", Kind::Table(&[later("sandbox", Kind::Enum(&["elevated", "unelevated"]), "", "kind of sandbox"), later("sandbox_private_desktop", BOOL, "", "desktop of its own")]), "", "Windows").profile(),
    inert("windows_wsl_setup_acknowledged", BOOL, "acknowledged notice"),
    inert("debug", ANY_MAP, "vendor diagnostics"),
    key("experimental_use_unified_exec_tool", BOOL, "", "as `features.unified_exec`").profile(),
    key("experimental_use_freeform_apply_patch", BOOL, "", "as `features.apply_patch_freeform`").profile(),
    key("include_apply_patch_tool", BOOL, "", "as `features.apply_patch_freeform`").profile(),
    inert("experimental_instructions_file", PATH, "replaced by `model_instructions_file`").profile(),
];

#[rustfmt::skip]
const AUDIO: &[Key] = &[
    key("microphone", STR, "the system's", "input device; `null` captures silence"),
    key("speaker", STR, "the system's", "output device; `null` plays into nothing"),
];

#[rustfmt::skip]
const REALTIME: &[Key] = &[
    key("version", Kind::Enum(&["v1", "v2", "v3"]), "v2", "dialect; only `v2` is documented by its provider"),
    key("type", Kind::Enum(&["conversational", "transcription"]), "conversational", "`transcription` only writes down what it hears"),
    key("transport", Kind::Enum(&["webrtc", "websocket"]), "webrtc", "how audio travels; `websocket` where UDP is blocked"),
    key("voice", STR, "`marin` (v2), `cove` (v1, v3)", "the model's voice"),
];

#[rustfmt::skip]
const PROVIDER: &[Key] = &[
    key("name", STR, "the id", "shown to people"),
    key("base_url", STR, "https://api.openai.com/v1", "`http://` or `https://`; `/responses` is appended"),
    key("env_key", STR, "", "variable that holds the bearer token"),
    key("env_key_instructions", STR, "", "shown when that variable is not set"),
    key("experimental_bearer_token", Kind::Secret, "", "the bearer token itself"),
    later("auth", Kind::Table(PROVIDER_AUTH), "", "command that prints the token; a provider that needs it is refused"),
    later("aws", Kind::Table(&[later("profile", STR, "", "AWS profile"), later("region", STR, "", "AWS region")]), "", "AWS signature; a provider that needs it is refused"),
    key("wire_api", Kind::Enum(&["responses"]), "responses", "only `responses`"),
    key("query_params", Kind::Map("NAME", &Kind::Secret), "", "appended to the URL"),
    key("http_headers", SECRET_MAP, "", "sent with each request"),
    key("env_http_headers", STR_MAP, "", "as `http_headers`; the values name variables, unset ones are left out"),
    key("request_max_retries", COUNT, "4", "at most 100"),
    key("stream_max_retries", COUNT, "5", "at most 100"),
    key("stream_idle_timeout_ms", POSITIVE, "300000", "longest silence of a stream"),
    later("websocket_connect_timeout_ms", POSITIVE, "15000", "WebSocket transport"),
    key("requires_openai_auth", BOOL, "false", "uses the stored key of `codex login`"),
    later("supports_websockets", BOOL, "false", "WebSocket transport"),
    key("ca_bundle", PATH, "", "PEM file of certificates trusted for this provider (ours)"),
];

#[rustfmt::skip]
const PROVIDER_AUTH: &[Key] = &[
    later("command", STR, "", "program"),
    later("args", STRINGS, "[]", "its arguments"),
    later("timeout_ms", POSITIVE, "5000", "how long it may take"),
    later("refresh_interval_ms", COUNT, "300000", "how long its answer is used"),
    later("cwd", PATH, "", "its working directory"),
];

#[rustfmt::skip]
const APPROVAL: &[Key] = &[later("granular", Kind::Table(&[
    later("sandbox_approval", BOOL, "", "ask for more rights"),
    later("rules", BOOL, "", "ask when a rule says so"),
    later("mcp_elicitations", BOOL, "", "pass on questions of MCP servers"),
    later("skill_approval", BOOL, "", "ask for skills"),
    later("request_permissions", BOOL, "", "ask for permissions"),
]), "", "read as `on-request`")];

#[rustfmt::skip]
const WORKSPACE_WRITE: &[Key] = &[
    key("writable_roots", Kind::List(&Kind::Path), "[]", "writable beside the working directory"),
    key("network_access", BOOL, "false", "whether commands reach the network"),
    key("exclude_tmpdir_env_var", BOOL, "false", "keeps `$TMPDIR` read-only"),
    key("exclude_slash_tmp", BOOL, "false", "keeps `/tmp` read-only"),
];

#[rustfmt::skip]
const PERMISSIONS: &[Key] = &[
    later("filesystem", ANY_MAP, "", "access by path"),
    later("network", Kind::Table(&[
        later("enabled", BOOL, "", "network at all"),
        later("mode", Kind::Enum(&["limited", "full"]), "", "how much of it"),
        later("proxy_url", STR, "", "HTTP proxy"),
        later("socks_url", STR, "", "SOCKS proxy"),
        later("enable_socks5", BOOL, "", "SOCKS5"),
        later("enable_socks5_udp", BOOL, "", "SOCKS5 over UDP"),
        later("allow_upstream_proxy", BOOL, "", "a proxy before the proxy"),
        later("allow_local_binding", BOOL, "", "listening on loopback"),
        later("dangerously_allow_non_loopback_proxy", BOOL, "", "a proxy that others reach"),
        later("dangerously_allow_all_unix_sockets", BOOL, "", "all unix sockets"),
        later("domains", STR_MAP, "", "`allow` or `deny` by pattern"),
        later("unix_sockets", STR_MAP, "", "`allow` or `none` by path"),
    ]), "", "managed network"),
];

#[rustfmt::skip]
const ENVIRONMENT: &[Key] = &[
    key("inherit", Kind::Enum(&["all", "core", "none"]), "all", "where to start from"),
    key("ignore_default_excludes", BOOL, "false", "passes names with KEY, SECRET or TOKEN in them"),
    key("exclude", STRINGS, "[]", "globs (`*`, `?`, any case) of names to remove"),
    key("set", SECRET_MAP, "", "variables to set"),
    key("include_only", STRINGS, "[]", "when given, only names that match are kept"),
    inert("experimental_use_profile", BOOL, "replaced by the login shell's snapshot"),
];

#[rustfmt::skip]
const SKILLS: &[Key] = &[
    later("include_instructions", BOOL, "true", "whether skills are listed"),
    later("bundled", Kind::Table(&[later("enabled", BOOL, "true", "bundled skills")]), "", ""),
    later("config", Kind::List(&Kind::Table(&[
        later("name", STR, "", "skill"),
        later("path", PATH, "", "its file"),
        later("enabled", BOOL, "", "whether it is used"),
    ])), "", "single skills"),
];

#[rustfmt::skip]
const TOOLS: &[Key] = &[
    later("view_image", BOOL, "true", "whether the model may look at images"),
    key("web_search", Kind::Either(&[BOOL, Kind::Table(&[
        later("context_size", Kind::Enum(&["low", "medium", "high"]), "", "how much is read"),
        later("allowed_domains", STRINGS, "", "only these"),
        later("location", Kind::Table(&[
            later("country", STR, "", "where you are"),
            later("region", STR, "", "where you are"),
            later("city", STR, "", "where you are"),
            later("timezone", STR, "", "where you are"),
        ]), "", "where you are"),
    ])]), "", "a boolean counts as `cached` or `disabled` when `web_search` is not set; the table is kept for later"),
];

#[rustfmt::skip]
const MCP_SERVER: &[Key] = &[
    later("command", STR, "", "program (stdio)"),
    later("args", STRINGS, "[]", "its arguments"),
    later("env", SECRET_MAP, "", "variables for it"),
    later("env_vars", Kind::List(&Kind::Either(&[STR, Kind::Table(&[
        later("name", STR, "", "variable"),
        later("source", Kind::Enum(&["local", "remote"]), "local", "where from"),
    ])])), "[]", "variables passed through"),
    later("cwd", PATH, "", "its working directory"),
    later("url", STR, "", "address (HTTP)"),
    later("bearer_token", Kind::Secret, "", "refused: use `bearer_token_env_var`"),
    later("bearer_token_env_var", STR, "", "variable with the token"),
    later("http_headers", SECRET_MAP, "", "sent with each request"),
    later("env_http_headers", STR_MAP, "", "the same, from variables"),
    later("oauth_resource", STR, "", "resource of the login"),
    later("scopes", STRINGS, "", "scopes of the login"),
    later("enabled", BOOL, "true", "whether it is started"),
    later("required", BOOL, "false", "whether a failure ends the run"),
    later("startup_timeout_sec", Kind::Number, "30", "how long it may take to start"),
    later("startup_timeout_ms", COUNT, "", "the same in ms"),
    later("tool_timeout_sec", Kind::Number, "120", "how long a call may take"),
    later("enabled_tools", STRINGS, "", "only these tools"),
    later("disabled_tools", STRINGS, "", "not these tools"),
    later("default_tools_approval_mode", APPROVAL_MODE, "", "when to ask"),
    later("tools", Kind::Map("TOOL", &Kind::Table(&[later("approval_mode", APPROVAL_MODE, "", "when to ask")])), "", "single tools"),
    later("supports_parallel_tool_calls", BOOL, "false", "whether calls may overlap"),
    inert("experimental_environment", STR, "vendor service"),
    inert("name", STR, "ignored"),
];

#[rustfmt::skip]
const AGENTS: &[Key] = &[
    later("max_threads", POSITIVE, "6", "how many at once"),
    later("max_depth", COUNT, "1", "agents of agents"),
    later("job_max_runtime_seconds", POSITIVE, "", "how long one may run"),
    later("interrupt_message", BOOL, "true", "whether an interrupt is told"),
];

#[rustfmt::skip]
const AGENT_ROLE: &[Key] = &[
    later("description", STR, "", "what the role is for"),
    later("config_file", PATH, "", "its configuration"),
    later("nickname_candidates", STRINGS, "", "names"),
];

#[rustfmt::skip]
const TUI: &[Key] = &[
    key("notifications", Kind::Either(&[BOOL, STRINGS]), "true", "which events notify: all, none, or some of `agent-turn-complete` and `approval-requested`"),
    key("notification_method", Kind::Enum(&["auto", "osc9", "bel"]), "auto", "how: by what the terminal is known to show, by OSC 9, or by the bell"),
    key("notification_condition", Kind::Enum(&["unfocused", "always"]), "unfocused", "when"),
    key("animations", BOOL, "true", "movement; there is none while the terminal is unfocused"),
    key("show_tooltips", BOOL, "true", "one tip under the composer until something was said"),
    key("vim_mode_default", BOOL, "false", "vim keys at start"),
    key("raw_output_mode", BOOL, "false", "messages as they came, without markdown"),
    key("alternate_screen", Kind::Enum(&["auto", "always", "never"]), "auto", "full-screen mode: `always`, or not; `/screen` writes it, `--alt-screen` and `--no-alt-screen` beat it"),
    key("plain", BOOL, "false", "appends lines and redraws nothing but the line that is typed, for screen readers; as `--plain` (ours)"),
    key("status_line", STRINGS, "[\"model-with-reasoning\", \"current-dir\"]", "parts of the status line"),
    key("status_command", STRINGS, "", "a program and its arguments that read JSON and print the status line (ours)"),
    key("status_line_use_colors", BOOL, "true", "warnings in the status line in colour, and the colours that `status_command` prints"),
    key("terminal_title", STRINGS, "[\"activity\", \"project-name\"]", "parts of the title; `[]` leaves it alone"),
    key("theme", STR, "", "colours"),
    key("session_picker_view", Kind::Enum(&["comfortable", "dense"]), "dense", "list of sessions: two rows for each, or one"),
    later("terminal_resize_reflow_max_rows", COUNT, "", "rows wrapped anew"),
    key("keymap", Kind::Map("CONTEXT", &Kind::Map("ACTION", &Kind::Either(&[STR, STRINGS]))), "", "keys by context and action, e.g. `editor.yank = \"ctrl-y\"`; `[]` unbinds"),
    inert("model_availability_nux", Kind::Any, "acknowledged notice"),
];

#[rustfmt::skip]
const MEMORIES: &[Key] = &[
    later("generate_memories", BOOL, "true", "whether they are written"),
    later("use_memories", BOOL, "true", "whether they are read"),
    later("disable_on_external_context", BOOL, "false", "not with foreign context"),
    later("max_raw_memories_for_consolidation", COUNT, "256", "1 to 4096"),
    later("max_unused_days", COUNT, "30", "0 to 365"),
    later("max_rollout_age_days", COUNT, "10", "0 to 90"),
    later("max_rollouts_per_startup", COUNT, "2", "1 to 128"),
    later("min_rollout_idle_hours", COUNT, "6", "1 to 48"),
    later("min_rate_limit_remaining_percent", COUNT, "25", "left alone below"),
    later("extract_model", STR, "", "model that writes them"),
    later("consolidation_model", STR, "", "model that sums them up"),
];

#[rustfmt::skip]
const OTEL: &[Key] = &[
    later("environment", STR, "dev", "name of the deployment"),
    later("exporter", Kind::Either(&[STR, ANY_MAP]), "none", "logs"),
    later("trace_exporter", Kind::Either(&[STR, ANY_MAP]), "none", "traces"),
    later("metrics_exporter", Kind::Either(&[STR, ANY_MAP]), "none", "metrics"),
    later("log_user_prompt", BOOL, "false", "whether prompts are exported"),
    later("span_attributes", ANY_MAP, "", "added to spans"),
    later("tracestate", ANY_MAP, "", "added to the trace state"),
];
