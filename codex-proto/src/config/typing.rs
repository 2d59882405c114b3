//! What the merged tree means. Its parts that are longer than a line or two have files of their own.

use std::collections::BTreeMap;

use super::{
    error::{ConfigError, Warning, WarningKind},
    facts::{ConfigFacts, Overrides, Trust},
    features,
    layer::Layers,
    provider::{DEFAULT_PROVIDER, Providers},
    resolved::SettingsPart,
    value::{Node, Table, Value, in_file_order},
};
use crate::{
    policy::{EnvInherit, EnvPolicy, SandboxPolicy},
    settings::{ProjectSettings, WebSearchMode},
};

/// Shortest `background_terminal_max_timeout`, in milliseconds.
const BACKGROUND_POLL_MS_MIN: u64 = 5_000;

/// Types the merged tree. Types were checked layer by layer; what is left are rules that span
/// keys.
pub(super) struct Typing<'a> {
    pub(super) root: &'a Table,
    pub(super) layers: &'a Layers,
    pub(super) facts: &'a ConfigFacts,
    pub(super) warnings: Vec<Warning>,
}

impl<'a> Typing<'a> {
    pub(super) fn node(&self, path: &str) -> Option<&'a Node> {
        match path.split_once('.') {
            None => self.root.get(path),
            Some((outer, inner)) => self.root.get(outer)?.as_table()?.get(inner),
        }
    }

    pub(super) fn string(&self, path: &str) -> Option<String> {
        self.node(path).and_then(Node::as_str).map(str::to_owned)
    }

    pub(super) fn bool(&self, path: &str, default: bool) -> bool {
        self.node(path).and_then(Node::as_bool).unwrap_or(default)
    }

    pub(super) fn u64(&self, path: &str) -> Option<u64> {
        self.node(path).and_then(Node::as_u64)
    }

    pub(super) fn strings(&self, path: &str) -> Option<Vec<String>> {
        self.node(path).map(Node::strings)
    }

    pub(super) fn part(
        &mut self,
        overrides: &Overrides,
        trust: Option<Trust>,
        providers: &Providers,
    ) -> Result<SettingsPart, ConfigError> {
        let id = self.node("model_provider");
        let name = id.and_then(Node::as_str).unwrap_or(DEFAULT_PROVIDER);
        let provider = providers.choose(name, id.map(|node| self.layers.place(node.at)))?;
        let sandbox = self.sandbox(overrides, trust)?;
        let features = self.features();
        let approval = self.approval(overrides, trust);
        let project = ProjectSettings::default();
        Ok(SettingsPart {
            cwd: self.facts.cwd.clone(),
            model: overrides.model.clone().or_else(|| self.string("model")),
            provider: provider.provider.clone(),
            reasoning_effort: self.string("model_reasoning_effort"),
            reasoning_summary: self.string("model_reasoning_summary"),
            verbosity: self.string("model_verbosity"),
            supports_reasoning_summaries: self
                .node("model_supports_reasoning_summaries")
                .and_then(Node::as_bool),
            service_tier: self.string("service_tier").map(|tier| match tier.as_str() {
                "fast" => "priority".to_owned(),
                _ => tier,
            }),
            context_window: self.u64("model_context_window"),
            tool_output_tokens: self.u64("tool_output_token_limit"),
            approval,
            web_search: self.web_search(overrides, name, &sandbox, &features),
            sandbox,
            env: self.environment(),
            allow_login_shell: self.bool("allow_login_shell", true),
            instructions: self.string("instructions"),
            developer_instructions: self.string("developer_instructions"),
            include_permissions: self.bool("include_permissions_instructions", true),
            include_environment: self.bool("include_environment_context", true),
            project: ProjectSettings {
                root_markers: self.strings("project_root_markers").unwrap_or(project.root_markers),
                doc_bytes_max: self
                    .u64("project_doc_max_bytes")
                    .map_or(project.doc_bytes_max, |bytes| {
                        usize::try_from(bytes).unwrap_or(usize::MAX)
                    }),
                fallback_filenames: self
                    .strings("project_doc_fallback_filenames")
                    .unwrap_or_default(),
            },
            background_poll_ms_max: self.background_poll(),
            realtime: self.realtime()?,
            features,
        })
    }

    fn features(&self) -> BTreeMap<String, bool> {
        let mut features = features::defaults();
        for (name, node) in self.node("features").and_then(Node::as_table).into_iter().flatten() {
            // A table configures a feature; whether it is on is one of its keys.
            let on = match &node.value {
                Value::Table(table) => table.get("enabled").and_then(Node::as_bool).unwrap_or(true),
                _ => node.as_bool().unwrap_or(false),
            };
            features.insert(name.clone(), on);
        }
        features
    }

    fn web_search(
        &self,
        overrides: &Overrides,
        provider: &str,
        sandbox: &SandboxPolicy,
        features: &BTreeMap<String, bool>,
    ) -> WebSearchMode {
        if overrides.search {
            return WebSearchMode::Live;
        }
        let on = |name: &str| features.get(name).copied().unwrap_or(false);
        match self.node("web_search").and_then(Node::as_str) {
            Some("live") => WebSearchMode::Live,
            Some("cached") => WebSearchMode::Cached,
            Some(_) => WebSearchMode::Disabled,
            None => match self.node("tools.web_search").and_then(Node::as_bool) {
                Some(true) => WebSearchMode::Cached,
                Some(false) => WebSearchMode::Disabled,
                None if on("web_search_cached") => WebSearchMode::Cached,
                None if on("web_search_request") => WebSearchMode::Live,
                // Other servers rarely have a hosted search tool and refuse the request.
                None if provider != DEFAULT_PROVIDER => WebSearchMode::Disabled,
                None if sandbox.is_full_access() => WebSearchMode::Live,
                None => WebSearchMode::Cached,
            },
        }
    }

    fn environment(&self) -> EnvPolicy {
        let path = |name: &str| format!("shell_environment_policy.{name}");
        let strings = |name: &str| self.strings(&path(name)).unwrap_or_default();
        EnvPolicy {
            inherit: match self.string(&path("inherit")).as_deref() {
                Some("core") => EnvInherit::Core,
                Some("none") => EnvInherit::None,
                _ => EnvInherit::All,
            },
            ignore_default_excludes: self.bool(&path("ignore_default_excludes"), false),
            exclude: strings("exclude"),
            set: self.set_variables().map(|(name, _)| name.to_owned()).collect(),
            include_only: strings("include_only"),
        }
    }

    /// `shell_environment_policy.set`, in the order of the file.
    pub(super) fn set_variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let set = self.node("shell_environment_policy.set").and_then(Node::as_table);
        let set = set.map(in_file_order).unwrap_or_default().into_iter();
        set.map(|(name, node)| (name.as_str(), node.as_str().unwrap_or_default()))
    }

    fn background_poll(&mut self) -> u64 {
        let Some(node) = self.node("background_terminal_max_timeout") else { return 300_000 };
        let wanted = node.as_u64().unwrap_or(0);
        if wanted < BACKGROUND_POLL_MS_MIN {
            self.warnings.push(Warning {
                kind: WarningKind::Clamped,
                place: Some(self.layers.place(node.at)),
                message: format!(
                    "`background_terminal_max_timeout` counts as {BACKGROUND_POLL_MS_MIN}, its \
                     bound"
                ),
            });
        }
        wanted.max(BACKGROUND_POLL_MS_MIN)
    }
}
