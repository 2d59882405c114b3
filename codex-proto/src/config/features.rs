//! Feature flags: their names, stages and defaults.

use std::collections::BTreeMap;

use super::nearest;

/// How settled a feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// For everybody.
    Stable,
    /// Works, may change.
    Experimental,
    /// Not finished.
    Development,
    /// To be replaced by a setting.
    Deprecated,
    /// Accepted without effect.
    Removed,
}

impl Stage {
    /// The name that `features list` shows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deprecated => "deprecated",
            Self::Development => "under development",
            Self::Experimental => "experimental",
            Self::Removed => "removed",
            Self::Stable => "stable",
        }
    }
}

/// A feature flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name in `[features]`.
    pub name: &'static str,
    /// How settled it is.
    pub stage: Stage,
    /// Whether it is on unless the configuration says otherwise.
    pub on: bool,
}

const fn feature(name: &'static str, stage: Stage, on: bool) -> Feature {
    Feature { name, stage, on }
}

/// All flags, by name.
pub const FEATURES: &[Feature] = &[
    feature("apply_patch_freeform", Stage::Development, false),
    feature("apply_patch_streaming_events", Stage::Development, false),
    feature("apps", Stage::Stable, true),
    feature("apps_mcp_path_override", Stage::Development, false),
    feature("artifact", Stage::Development, false),
    feature("auth_elicitation", Stage::Development, false),
    feature("browser_use", Stage::Stable, true),
    feature("browser_use_external", Stage::Stable, true),
    feature("builtin_mcp", Stage::Development, false),
    feature("child_agents_md", Stage::Development, false),
    feature("chronicle", Stage::Development, false),
    feature("code_mode", Stage::Development, false),
    feature("code_mode_only", Stage::Development, false),
    feature("codex_git_commit", Stage::Development, false),
    feature("collaboration_modes", Stage::Removed, true),
    feature("computer_use", Stage::Stable, true),
    feature("default_mode_request_user_input", Stage::Development, false),
    feature("elevated_windows_sandbox", Stage::Removed, false),
    feature("enable_fanout", Stage::Development, false),
    feature("enable_mcp_apps", Stage::Development, false),
    feature("enable_request_compression", Stage::Stable, true),
    feature("exec_permission_approvals", Stage::Development, false),
    feature("experimental_windows_sandbox", Stage::Removed, false),
    feature("external_migration", Stage::Experimental, false),
    feature("fast_mode", Stage::Stable, true),
    feature("goals", Stage::Experimental, false),
    feature("guardian_approval", Stage::Stable, true),
    feature("hooks", Stage::Stable, true),
    feature("image_detail_original", Stage::Removed, false),
    feature("image_generation", Stage::Stable, true),
    feature("in_app_browser", Stage::Stable, true),
    feature("js_repl", Stage::Removed, false),
    feature("js_repl_tools_only", Stage::Removed, false),
    feature("memories", Stage::Experimental, false),
    feature("multi_agent", Stage::Stable, true),
    feature("multi_agent_v2", Stage::Development, false),
    feature("personality", Stage::Stable, true),
    feature("plugin_hooks", Stage::Development, false),
    feature("plugins", Stage::Stable, true),
    feature("prevent_idle_sleep", Stage::Experimental, false),
    feature("realtime_conversation", Stage::Development, false),
    feature("remote_compaction_v2", Stage::Development, false),
    feature("remote_control", Stage::Development, false),
    feature("remote_models", Stage::Removed, false),
    feature("remote_plugin", Stage::Development, false),
    feature("request_permissions_tool", Stage::Development, false),
    feature("request_rule", Stage::Removed, false),
    feature("responses_websocket_response_processed", Stage::Development, false),
    feature("responses_websockets", Stage::Removed, false),
    feature("responses_websockets_v2", Stage::Removed, false),
    feature("runtime_metrics", Stage::Development, false),
    feature("search_tool", Stage::Removed, false),
    feature("shell_snapshot", Stage::Stable, true),
    feature("shell_tool", Stage::Stable, true),
    feature("shell_zsh_fork", Stage::Development, false),
    feature("skill_env_var_dependency_prompt", Stage::Development, false),
    feature("skill_mcp_dependency_install", Stage::Stable, true),
    feature("sqlite", Stage::Removed, true),
    feature("steer", Stage::Removed, true),
    feature("terminal_resize_reflow", Stage::Experimental, true),
    feature("tool_call_mcp_elicitation", Stage::Stable, true),
    feature("tool_search", Stage::Stable, true),
    feature("tool_search_always_defer_mcp_tools", Stage::Development, false),
    feature("tool_suggest", Stage::Stable, true),
    feature("tui_app_server", Stage::Removed, true),
    feature("unavailable_dummy_tools", Stage::Stable, true),
    feature("undo", Stage::Removed, false),
    feature("unified_exec", Stage::Stable, true),
    feature("use_legacy_landlock", Stage::Deprecated, false),
    feature("use_linux_sandbox_bwrap", Stage::Removed, false),
    feature("web_search_cached", Stage::Deprecated, false),
    feature("web_search_request", Stage::Deprecated, false),
    feature("workspace_dependencies", Stage::Stable, true),
    feature("workspace_owner_usage_nudge", Stage::Development, false),
];

/// Old names and what they mean now.
pub const FEATURE_ALIASES: &[(&str, &str)] = &[
    ("codex_hooks", "hooks"),
    ("collab", "multi_agent"),
    ("connectors", "apps"),
    ("experimental_use_freeform_apply_patch", "apply_patch_freeform"),
    ("experimental_use_unified_exec_tool", "unified_exec"),
    ("include_apply_patch_tool", "apply_patch_freeform"),
    ("memory_tool", "memories"),
    ("request_permissions", "exec_permission_approvals"),
    ("telepathy", "chronicle"),
    ("web_search", "web_search_request"),
];

/// Finds a flag by its name or an old name.
#[must_use]
pub fn find_feature(name: &str) -> Option<&'static Feature> {
    let name = FEATURE_ALIASES.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new);
    FEATURES.binary_search_by_key(&name, |feature| feature.name).ok().map(|at| &FEATURES[at])
}

/// The flag whose name is most like `name`.
pub(super) fn nearest_feature(name: &str) -> Option<&'static str> {
    nearest::nearest(name, FEATURES.iter().map(|feature| feature.name))
}

/// The flags as they are before any configuration.
pub(super) fn defaults() -> BTreeMap<String, bool> {
    FEATURES.iter().map(|feature| (feature.name.to_owned(), feature.on)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_aliases_lead_to_it() {
        assert!(FEATURES.windows(2).all(|pair| pair[0].name < pair[1].name));
        for (old, new) in FEATURE_ALIASES {
            assert_eq!(find_feature(old).map(|f| f.name), Some(*new));
        }
        assert_eq!(find_feature("nope"), None);
    }
}
