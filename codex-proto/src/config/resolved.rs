//! What comes out of the layers, and where each value comes from.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    error::{Place, Warning},
    facts::Trust,
    layer::Layers,
    provider::{DEFAULT_PROVIDER, ProviderEntry},
    secret::SecretSources,
    ui::Ui,
    value::{At, Table},
};
use crate::{
    policy::{ApprovalPolicy, EnvPolicy, SandboxPolicy},
    realtime::RealtimeSettings,
    settings::{Host, ProjectSettings, Provider, Settings, WebSearchMode},
};

/// The part of [`Settings`] that configuration decides. See there for the fields.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each field is the one of the same name in `Settings`")]
pub struct SettingsPart {
    pub cwd: PathBuf,
    pub model: Option<String>,
    pub provider: Provider,
    pub reasoning_effort: Option<String>,
    pub reasoning_summary: Option<String>,
    pub verbosity: Option<String>,
    pub supports_reasoning_summaries: Option<bool>,
    pub service_tier: Option<String>,
    pub context_window: Option<u64>,
    pub tool_output_tokens: Option<u64>,
    pub approval: ApprovalPolicy,
    pub sandbox: SandboxPolicy,
    pub env: EnvPolicy,
    pub allow_login_shell: bool,
    pub instructions: Option<String>,
    pub developer_instructions: Option<String>,
    pub include_permissions: bool,
    pub include_environment: bool,
    pub project: ProjectSettings,
    pub web_search: WebSearchMode,
    pub background_poll_ms_max: u64,
    pub features: BTreeMap<String, bool>,
    pub realtime: RealtimeSettings,
}

/// `model_instructions_file`: the loader reads it and puts its text into
/// [`SettingsPart::instructions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstructionsFile {
    /// Absolute path.
    pub path: PathBuf,
    /// Where it is named.
    pub place: Place,
}

/// The outcome of all layers.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// For the engine.
    pub part: SettingsPart,
    /// A file that replaces `part.instructions`.
    pub instructions_file: Option<InstructionsFile>,
    /// All providers by id, the one in use included.
    pub providers: BTreeMap<String, ProviderEntry>,
    /// Where the credentials are that the providers refer to.
    pub secrets: SecretSources,
    /// PEM file of further certificates for every connection.
    pub ca_bundle: Option<PathBuf>,
    /// For front ends.
    pub ui: Ui,
    /// The profile in use.
    pub profile: Option<String>,
    /// What the user thinks of the project.
    pub trust: Option<Trust>,
    /// What is odd, in the order of the layers.
    pub warnings: Vec<Warning>,
    /// Where each value comes from.
    pub sources: Sources,
}

impl Resolved {
    /// Completes the settings. `source` and `originator` name the front end.
    #[must_use]
    pub fn settings(
        &self,
        host: Host,
        source: impl Into<String>,
        originator: impl Into<String>,
        ephemeral: bool,
    ) -> Settings {
        let part = self.part.clone();
        let mut provider = part.provider;
        if provider.id == DEFAULT_PROVIDER {
            let version = crate::settings::HeaderValue::Plain(host.version.clone());
            provider.headers.insert(0, ("version".into(), version));
        }
        Settings {
            host,
            source: source.into(),
            originator: originator.into(),
            cwd: part.cwd,
            model: part.model,
            provider,
            reasoning_effort: part.reasoning_effort,
            reasoning_summary: part.reasoning_summary,
            verbosity: part.verbosity,
            supports_reasoning_summaries: part.supports_reasoning_summaries,
            service_tier: part.service_tier,
            context_window: part.context_window,
            tool_output_tokens: part.tool_output_tokens,
            approval: part.approval,
            sandbox: part.sandbox,
            env: part.env,
            allow_login_shell: part.allow_login_shell,
            instructions: part.instructions,
            developer_instructions: part.developer_instructions,
            include_permissions: part.include_permissions,
            include_environment: part.include_environment,
            project: part.project,
            web_search: part.web_search,
            background_poll_ms_max: part.background_poll_ms_max,
            features: part.features,
            ephemeral,
            interactive: false,
            realtime: part.realtime,
        }
    }

    /// The certificates for the provider in use: its own, else the global ones.
    #[must_use]
    pub fn ca_bundle_in_use(&self) -> Option<&PathBuf> {
        self.providers
            .get(&self.part.provider.id)
            .and_then(|entry| entry.ca_bundle.as_ref())
            .or(self.ca_bundle.as_ref())
    }
}

/// Where values come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub(super) layers: Layers,
    pub(super) root: Table,
}

impl Sources {
    /// The place of the value of a key (`sandbox_workspace_write.network_access`) that no flag
    /// has overruled; `None` when no layer sets it.
    #[must_use]
    pub fn place(&self, key: &str) -> Option<Place> {
        fn look(table: &Table, key: &str) -> Option<At> {
            if let Some(node) = table.get(key) {
                return Some(node.at);
            }
            // A name may hold dots itself (`projects./a.b.trust_level`), so every one is tried.
            key.match_indices('.')
                .find_map(|(dot, _)| look(table.get(&key[..dot])?.as_table()?, &key[dot + 1..]))
        }
        look(&self.root, key).map(|at| self.layers.place(at))
    }
}
