//! From layers to settings: which layers count, how they merge, and what the result means.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use super::{
    check::check,
    error::{ConfigError, ConfigErrorKind, Place, Warning, WarningKind},
    features,
    layer::{Layer, LayerSource, Layers, mask_argument},
    nearest::nearest,
    provider::{DEFAULT_PROVIDER, ProviderEntry, Providers, toml_string},
    secret::{Secret, SecretSources},
    value::{At, Node, Table, Value, find, in_file_order, merge, normal},
};
use crate::{
    effect::AudioDevices,
    policy::{ApprovalPolicy, EnvInherit, EnvPolicy, SandboxMode, SandboxPolicy},
    realtime::{RealtimeSettings, RealtimeVersion},
    settings::{Host, ProjectSettings, Provider, Settings, WebSearchMode},
};

/// Shortest `background_terminal_max_timeout`, in milliseconds.
const BACKGROUND_POLL_MS_MIN: u64 = 5_000;

/// What the command line says.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `-c key=value` arguments, in order.
    pub set: Vec<String>,
    /// `--enable` (true) and `--disable` (false), in order. They beat `-c`.
    pub features: Vec<(String, bool)>,
    /// `-p`.
    pub profile: Option<String>,
    /// `-m`.
    pub model: Option<String>,
    /// `-s`.
    pub sandbox: Option<SandboxMode>,
    /// `-a`.
    pub approval: Option<ApprovalPolicy>,
    /// `--add-dir`, relative ones against the working directory.
    pub add_dirs: Vec<PathBuf>,
    /// `--dangerously-bypass-approvals-and-sandbox`.
    pub bypass: bool,
    /// `--search`.
    pub search: bool,
}

// `-c` may carry a credential.
impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overrides")
            .field("set", &self.set.iter().map(|set| mask_argument(set)).collect::<Vec<_>>())
            .field("features", &self.features)
            .field("profile", &self.profile)
            .field("model", &self.model)
            .field("sandbox", &self.sandbox)
            .field("approval", &self.approval)
            .field("add_dirs", &self.add_dirs)
            .field("bypass", &self.bypass)
            .field("search", &self.search)
            .finish()
    }
}

/// Variables of the environment that stand in for keys. Blank ones count as unset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvFacts {
    /// `OPENAI_BASE_URL`.
    pub openai_base_url: Option<String>,
    /// `CODEX_OSS_BASE_URL`.
    pub oss_base_url: Option<String>,
    /// `CODEX_OSS_PORT`.
    pub oss_port: Option<String>,
}

/// What the host knows and a configuration refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFacts {
    /// Absolute working directory.
    pub cwd: PathBuf,
    /// `CODEX_HOME`, absolute.
    pub codex_home: PathBuf,
    /// The user's home directory, for `~/`.
    pub home: Option<PathBuf>,
    /// Variables that matter.
    pub env: EnvFacts,
    /// A front end that never asks says so here; it beats every layer and flag.
    pub approval_forced: Option<ApprovalPolicy>,
}

/// What the host found around the working directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectFacts {
    /// Spellings under which trust is looked up, in order: working directory, project root, root of
    /// the main checkout of a work tree; of each the canonical path first.
    pub trust_keys: Vec<PathBuf>,
    /// The path that a user would trust.
    pub root: PathBuf,
}

/// What the user thinks of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// `trust_level = "trusted"`.
    Trusted,
    /// `trust_level = "untrusted"`.
    Untrusted,
}

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

/// Settings of front ends, which the engine does not need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ui {
    /// `hide_agent_reasoning`.
    pub hide_agent_reasoning: bool,
    /// `show_raw_agent_reasoning`.
    pub show_raw_agent_reasoning: bool,
    /// `file_opener`; `None` makes no links.
    pub file_opener: Option<String>,
    /// `disable_paste_burst`.
    pub disable_paste_burst: bool,
    /// `check_for_update_on_startup`.
    pub check_for_update: bool,
    /// Whether prompts are kept in `history.jsonl` (`history.persistence`).
    pub history: bool,
    /// `history.max_bytes`.
    pub history_bytes_max: Option<u64>,
    /// `log_dir`, absolute.
    pub log_dir: PathBuf,
    /// `exec.stdin_wait_ms`: how long a prompt with a piped stdin waits for its first byte.
    pub stdin_wait_ms: u64,
    /// `tui`.
    pub tui: Tui,
}

/// `tui`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of the user")]
pub struct Tui {
    /// `tui.notifications`: on the end of a turn.
    pub notify_turn: bool,
    /// `tui.notifications`: on a question.
    pub notify_approval: bool,
    /// `tui.notification_method`: `osc9` or `bel`; `None` chooses by the terminal.
    pub notification_method: Option<String>,
    /// `tui.notification_condition` is `always`.
    pub notify_always: bool,
    /// `tui.animations`.
    pub animations: bool,
    /// `tui.vim_mode_default`.
    pub vim: bool,
    /// `tui.raw_output_mode`.
    pub raw_output: bool,
    /// `tui.show_tooltips`.
    pub tooltips: bool,
    /// `tui.status_line_use_colors`.
    pub status_line_colors: bool,
    /// `tui.session_picker_view` is `comfortable`.
    pub comfortable_sessions: bool,
    /// `tui.alternate_screen` is `always`.
    pub alternate_screen: bool,
    /// `tui.plain`.
    pub plain: bool,
    /// `tui.status_line`: ids, or the default.
    pub status_line: Option<Vec<String>>,
    /// `tui.status_command`: program and arguments; empty for none.
    pub status_command: Vec<String>,
    /// `tui.terminal_title`: ids, or the default.
    pub terminal_title: Option<Vec<String>>,
    /// `tui.theme`.
    pub theme: Option<String>,
    /// `tui.keymap`: `CONTEXT.ACTION`, and the keys as they are written.
    pub keymap: Vec<(String, Vec<String>)>,
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
    layers: Layers,
    root: Table,
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

/// The layers that do not depend on the project, read and checked. The second step is
/// [`Stack::resolve`], when the project is known.
#[derive(Debug)]
pub struct Stack {
    layers: Layers,
    facts: ConfigFacts,
    overrides: Overrides,
    /// System and user.
    base: Table,
    /// `-c`, then `--enable` and `--disable`.
    arguments: Table,
    warnings: Vec<Warning>,
}

impl Stack {
    /// Reads the system's and the user's file and the arguments.
    ///
    /// Errors: syntax, wrong values, malformed `-c`, unknown features.
    pub fn new(
        files: Vec<Layer>,
        overrides: &Overrides,
        facts: &ConfigFacts,
    ) -> Result<Self, ConfigError> {
        let mut stack = Self {
            layers: Layers::default(),
            facts: facts.clone(),
            overrides: overrides.clone(),
            base: Table::new(),
            arguments: Table::new(),
            warnings: Vec::new(),
        };
        // A malformed argument is told first: it is the nearest thing to what the user did.
        let mut arguments = Table::new();
        for argument in &overrides.set {
            let (layer, mut table) = stack.layers.parse_argument(argument)?;
            stack.check(layer, &mut table)?;
            merge(&mut arguments, table);
        }
        for (name, on) in &overrides.features {
            stack.switch(&mut arguments, name, *on)?;
        }
        stack.arguments = arguments;
        for layer in files {
            let (layer, mut table) = stack.layers.parse(layer)?;
            stack.check(layer, &mut table)?;
            merge(&mut stack.base, table);
        }
        Ok(stack)
    }

    fn check(&mut self, layer: u16, table: &mut Table) -> Result<(), ConfigError> {
        let source = self.layers.source(layer);
        let base = source.and_then(LayerSource::path).and_then(std::path::Path::parent);
        let base = base.unwrap_or(&self.facts.cwd);
        let warnings = check(&self.layers, layer, table, base, self.facts.home.as_deref())?;
        self.warnings.extend(warnings);
        Ok(())
    }

    fn switch(&mut self, table: &mut Table, name: &str, on: bool) -> Result<(), ConfigError> {
        let Some(feature) = features::find_feature(name) else {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            let error = ConfigError::new(
                ConfigErrorKind::UnknownFeature,
                format!("Unknown feature flag: {shown}"),
            );
            return Err(match features::nearest_feature(name) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error,
            });
        };
        let argument = format!("features.{}={on}", feature.name);
        let (_, flag) = self.layers.parse_argument(&argument)?;
        merge(table, flag);
        Ok(())
    }

    /// A value of the arguments, else of the files.
    fn early(&self, path: &[&str]) -> Option<&Node> {
        find(&self.arguments, path).or_else(|| find(&self.base, path))
    }

    /// Names that mark a project's root.
    #[must_use]
    pub fn root_markers(&self) -> Vec<String> {
        match self.early(&["project_root_markers"]) {
            Some(node) => node.strings(),
            None => ProjectSettings::default().root_markers,
        }
    }

    /// Whether the user trusts the project: the first of the spellings that has an entry decides.
    #[must_use]
    pub fn trust(&self, project: &ProjectFacts) -> Option<Trust> {
        let mut merged = Table::new();
        for table in [&self.base, &self.arguments] {
            if let Some(table) = table.get("projects").and_then(Node::as_table) {
                merge(&mut merged, table.clone());
            }
        }
        let home = self.facts.home.as_deref();
        let entries: BTreeMap<PathBuf, Trust> = merged
            .iter()
            .filter_map(|(path, node)| {
                let trust = match node.as_table()?.get("trust_level")?.as_str()? {
                    "trusted" => Trust::Trusted,
                    _ => Trust::Untrusted,
                };
                Some((super::value::absolute(path, &self.facts.cwd, home)?, trust))
            })
            .collect();
        project.trust_keys.iter().find_map(|key| entries.get(&normal(key)).copied())
    }

    /// Adds the project's files (root first; texts are not looked at unless the project is
    /// trusted), applies the profile, the arguments and the flags, and types the result.
    pub fn resolve(
        mut self,
        project: &ProjectFacts,
        files: Vec<Layer>,
    ) -> Result<Resolved, ConfigError> {
        let trust = self.trust(project);
        let mut root = std::mem::take(&mut self.base);
        if trust == Some(Trust::Trusted) {
            for layer in files {
                let (layer, mut table) = self.layers.parse(layer)?;
                self.check(layer, &mut table)?;
                merge(&mut root, table);
            }
        } else if !files.is_empty() {
            let warning = self.inert(&files, trust, project);
            self.warnings.push(warning);
        }
        let arguments = std::mem::take(&mut self.arguments);
        let profile = self.profile(&mut root, &arguments)?;
        merge(&mut root, arguments);
        let mut typing =
            Typing { root: &root, layers: &self.layers, facts: &self.facts, warnings: Vec::new() };
        let mut providers = Providers::read(&root, &self.layers, &self.facts.env)?;
        typing.warnings.append(&mut providers.warnings);
        typing.check_servers()?;
        let part = typing.part(&self.overrides, trust, &providers)?;
        providers.secrets.set = typing
            .set_variables()
            .map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned())))
            .collect();
        let instructions_file =
            typing.node("model_instructions_file").map(|node| InstructionsFile {
                path: PathBuf::from(node.as_str().unwrap_or_default()),
                place: self.layers.place(node.at),
            });
        let ui = typing.ui();
        let ca_bundle = typing.string("ca_bundle").map(PathBuf::from);
        let late = typing.warnings;
        self.warnings.extend(late);
        Ok(Resolved {
            part,
            instructions_file,
            providers: providers.entries,
            secrets: providers.secrets,
            ca_bundle,
            ui,
            profile,
            trust,
            warnings: self.warnings,
            sources: Sources { layers: self.layers, root },
        })
    }

    /// Says which files have no effect, and what would give them one.
    fn inert(&self, files: &[Layer], trust: Option<Trust>, project: &ProjectFacts) -> Warning {
        let paths: Vec<String> = files
            .iter()
            .filter_map(|layer| layer.source.path())
            .map(|path| path.display().to_string())
            .collect();
        let user = self.facts.codex_home.join("config.toml");
        let verb = if paths.len() == 1 { "has" } else { "have" };
        let why = match trust {
            Some(_) => "is marked as untrusted",
            None => "is not trusted",
        };
        Warning {
            kind: WarningKind::IgnoredProject,
            place: None,
            message: format!(
                "{} {verb} no effect, because the project {} {why}; to trust it, put \
                 [projects.{}] with trust_level = \"trusted\" into {}",
                paths.join(", "),
                project.root.display(),
                toml_string(&project.root.to_string_lossy()),
                user.display(),
            ),
        }
    }

    /// Lays the chosen profile over the files.
    fn profile(
        &mut self,
        root: &mut Table,
        arguments: &Table,
    ) -> Result<Option<String>, ConfigError> {
        let (name, place) = match &self.overrides.profile {
            Some(name) => (name.clone(), Place { source: format!("-p {name}"), line_column: None }),
            None => match arguments.get("profile").or_else(|| root.get("profile")) {
                Some(node) => match node.as_str() {
                    Some(name) => (name.to_owned(), self.layers.place(node.at)),
                    None => return Ok(None),
                },
                None => return Ok(None),
            },
        };
        let mut profiles =
            root.get("profiles").and_then(Node::as_table).cloned().unwrap_or_default();
        if let Some(more) = arguments.get("profiles").and_then(Node::as_table) {
            merge(&mut profiles, more.clone());
        }
        match profiles.remove(&name).map(|node| node.value) {
            Some(Value::Table(profile)) => {
                merge(root, profile);
                Ok(Some(name))
            }
            _ => {
                let hint = match nearest(&name, profiles.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if profiles.is_empty() => {
                        format!("none is defined; add a table [profiles.{name}] to config.toml")
                    }
                    None => {
                        let names: Vec<_> =
                            profiles.keys().take(20).map(|name| format!("`{name}`")).collect();
                        format!("defined are {}", names.join(", "))
                    }
                };
                let message = format!("config profile `{name}` not found");
                let error = ConfigError::new(ConfigErrorKind::UnknownProfile, message);
                // The flag says no more than the name does.
                Err(match self.overrides.profile {
                    Some(_) => error.with_hint(hint),
                    None => error.with_hint(format!("it is chosen at {place}; {hint}")),
                })
            }
        }
    }
}

/// All steps in one call, for a host that knows everything beforehand. Project layers are those
/// with [`LayerSource::Project`], root first.
pub fn resolve(
    layers: Vec<Layer>,
    overrides: &Overrides,
    facts: &ConfigFacts,
    project: &ProjectFacts,
) -> Result<Resolved, ConfigError> {
    let (project_files, files) =
        layers.into_iter().partition(|layer| matches!(layer.source, LayerSource::Project(_)));
    Stack::new(files, overrides, facts)?.resolve(project, project_files)
}

/// Types the merged tree. Types were checked layer by layer; what is left are rules that span
/// keys.
struct Typing<'a> {
    root: &'a Table,
    layers: &'a Layers,
    facts: &'a ConfigFacts,
    warnings: Vec<Warning>,
}

impl<'a> Typing<'a> {
    fn node(&self, path: &str) -> Option<&'a Node> {
        match path.split_once('.') {
            None => self.root.get(path),
            Some((outer, inner)) => self.root.get(outer)?.as_table()?.get(inner),
        }
    }

    fn string(&self, path: &str) -> Option<String> {
        self.node(path).and_then(Node::as_str).map(str::to_owned)
    }

    fn bool(&self, path: &str, default: bool) -> bool {
        self.node(path).and_then(Node::as_bool).unwrap_or(default)
    }

    fn u64(&self, path: &str) -> Option<u64> {
        self.node(path).and_then(Node::as_u64)
    }

    fn strings(&self, path: &str) -> Option<Vec<String>> {
        self.node(path).map(Node::strings)
    }

    fn part(
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

    fn approval(&mut self, overrides: &Overrides, trust: Option<Trust>) -> ApprovalPolicy {
        if let Some(forced) = self.facts.approval_forced {
            return forced;
        }
        if overrides.bypass {
            return ApprovalPolicy::Never;
        }
        if let Some(flag) = overrides.approval {
            return flag;
        }
        match self.node("approval_policy") {
            Some(node) => match node.as_str() {
                Some("untrusted") => ApprovalPolicy::Untrusted,
                Some("on-failure") => ApprovalPolicy::OnFailure,
                Some("never") => ApprovalPolicy::Never,
                Some(_) => ApprovalPolicy::OnRequest,
                None => {
                    self.warnings.push(Warning {
                        kind: WarningKind::Unsupported,
                        place: Some(self.layers.place(node.key)),
                        message: "`approval_policy.granular` is not supported yet and counts as \
                                  `on-request`"
                            .into(),
                    });
                    ApprovalPolicy::OnRequest
                }
            },
            None if trust == Some(Trust::Untrusted) => ApprovalPolicy::Untrusted,
            None => ApprovalPolicy::OnRequest,
        }
    }

    fn sandbox(
        &self,
        overrides: &Overrides,
        trust: Option<Trust>,
    ) -> Result<SandboxPolicy, ConfigError> {
        let permissions = self.permissions(overrides)?;
        if overrides.bypass {
            return Ok(SandboxPolicy::full_access());
        }
        let mode = overrides
            .sandbox
            .or_else(|| match self.node("sandbox_mode").and_then(Node::as_str) {
                Some("danger-full-access") => Some(SandboxMode::DangerFullAccess),
                Some("workspace-write") => Some(SandboxMode::WorkspaceWrite),
                Some(_) => Some(SandboxMode::ReadOnly),
                None => permissions,
            })
            .unwrap_or(match trust {
                Some(_) => SandboxMode::WorkspaceWrite,
                None => SandboxMode::ReadOnly,
            });
        let added = overrides.add_dirs.iter().map(|dir| normal(&self.facts.cwd.join(dir)));
        let mut policy = match mode {
            SandboxMode::DangerFullAccess => return Ok(SandboxPolicy::full_access()),
            SandboxMode::ReadOnly if overrides.add_dirs.is_empty() => {
                return Ok(SandboxPolicy::read_only());
            }
            // Read-only but for the directories that the user added by hand.
            SandboxMode::ReadOnly => {
                SandboxPolicy { mode: SandboxMode::WorkspaceWrite, ..SandboxPolicy::read_only() }
            }
            SandboxMode::WorkspaceWrite => {
                let table = "sandbox_workspace_write";
                let mut policy = SandboxPolicy::workspace_write(normal(&self.facts.cwd));
                policy.network = self.bool(&format!("{table}.network_access"), false);
                policy.writable_tmp = !self.bool(&format!("{table}.exclude_slash_tmp"), false);
                policy.writable_tmpdir =
                    !self.bool(&format!("{table}.exclude_tmpdir_env_var"), false);
                let roots = self.strings(&format!("{table}.writable_roots")).unwrap_or_default();
                policy.writable_roots.extend(roots.into_iter().map(PathBuf::from));
                policy
            }
        };
        policy.writable_roots.extend(added);
        let mut seen = std::collections::BTreeSet::new();
        policy.writable_roots.retain(|root| seen.insert(root.clone()));
        Ok(policy)
    }

    /// What `default_permissions` stands for. A restriction that cannot be kept is an error, never
    /// silence.
    fn permissions(&self, overrides: &Overrides) -> Result<Option<SandboxMode>, ConfigError> {
        let overruled =
            overrides.bypass || overrides.sandbox.is_some() || self.node("sandbox_mode").is_some();
        let Some(node) = self.node("default_permissions") else {
            return match self.node("permissions") {
                Some(node) if !overruled => Err(self
                    .layers
                    .error(
                        ConfigErrorKind::Invalid,
                        node.key,
                        "config defines `[permissions]` profiles but does not set \
                         `default_permissions`",
                    )
                    .with_hint("set `sandbox_mode`; permission profiles are not supported yet")),
                _ => Ok(None),
            };
        };
        match node.as_str() {
            Some(":read-only") => Ok(Some(SandboxMode::ReadOnly)),
            Some(":workspace") => Ok(Some(SandboxMode::WorkspaceWrite)),
            Some(":danger-no-sandbox") => Ok(Some(SandboxMode::DangerFullAccess)),
            _ if overruled => Ok(None),
            _ => Err(self
                .layers
                .error(
                    ConfigErrorKind::Unsupported,
                    node.at,
                    "permission profiles other than `:read-only`, `:workspace` and \
                     `:danger-no-sandbox` are not supported yet",
                )
                .with_hint("set `sandbox_mode`, which beats `default_permissions`")),
        }
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
    fn set_variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let set = self.node("shell_environment_policy.set").and_then(Node::as_table);
        let set = set.map(in_file_order).unwrap_or_default().into_iter();
        set.map(|(name, node)| (name.as_str(), node.as_str().unwrap_or_default()))
    }

    fn realtime(&self) -> Result<RealtimeSettings, ConfigError> {
        let text = |path: &str| self.string(path).filter(|text| !text.trim().is_empty());
        let experimental = |name: &str| format!("experimental_realtime_{name}");
        let base = |name: &str, schemes: &[&str]| {
            let path = experimental(name);
            let Some(node) = self.node(&path) else { return Ok(None) };
            let url = node.as_str().unwrap_or_default();
            let fits = |scheme: &&str| {
                url.strip_prefix(*scheme).is_some_and(|rest| !rest.trim().is_empty())
            };
            if schemes.iter().any(fits) && !url.contains(char::is_whitespace) {
                return Ok(Some(url.to_owned()));
            }
            let message = format!("`{path}` must begin with {}", schemes.join(", "));
            Err(self.layers.error(ConfigErrorKind::Invalid, node.at, message))
        };
        let version = self.string("realtime.version");
        Ok(RealtimeSettings {
            version: version.as_deref().and_then(RealtimeVersion::of_name).unwrap_or_default(),
            transcription: self.string("realtime.type").as_deref() == Some("transcription"),
            websocket: self.string("realtime.transport").as_deref() == Some("websocket"),
            voice: text("realtime.voice"),
            devices: AudioDevices {
                microphone: text("audio.microphone"),
                speaker: text("audio.speaker"),
            },
            socket_base_url: base("ws_base_url", &["http://", "https://", "ws://", "wss://"])?,
            call_base_url: base("webrtc_call_base_url", &["http://", "https://"])?,
            model: text(&experimental("ws_model")),
            prompt: text(&experimental("ws_backend_prompt")),
            // Blank says something here: no context.
            startup_context: self.string(&experimental("ws_startup_context")),
            start_instructions: text(&experimental("start_instructions")),
        })
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

    fn ui(&self) -> Ui {
        Ui {
            hide_agent_reasoning: self.bool("hide_agent_reasoning", false),
            show_raw_agent_reasoning: self.bool("show_raw_agent_reasoning", false),
            file_opener: match self.string("file_opener").as_deref() {
                Some("none") => None,
                other => Some(other.unwrap_or("vscode").to_owned()),
            },
            disable_paste_burst: self.bool("disable_paste_burst", false),
            check_for_update: self.bool("check_for_update_on_startup", true),
            history: self.string("history.persistence").as_deref() != Some("none"),
            history_bytes_max: self.u64("history.max_bytes"),
            log_dir: self
                .string("log_dir")
                .map_or_else(|| self.facts.codex_home.join("log"), PathBuf::from),
            stdin_wait_ms: self.u64("exec.stdin_wait_ms").unwrap_or(10_000),
            tui: self.tui(),
        }
    }

    fn tui(&self) -> Tui {
        let is = |path: &str, value: &str| self.string(path).as_deref() == Some(value);
        // A boolean for all, or a list of some.
        let switch = self.node("tui.notifications").and_then(Node::as_bool);
        let listed = if switch.is_none() { self.strings("tui.notifications") } else { None };
        let notifies = |event: &str| match &listed {
            Some(listed) => listed.iter().any(|name| name == event),
            None => switch.unwrap_or(true),
        };
        let contexts = self.node("tui.keymap").and_then(Node::as_table).into_iter().flatten();
        let keymap = contexts.flat_map(|(context, actions)| {
            let actions = actions.as_table().into_iter().flatten();
            actions.map(move |(action, keys)| {
                let keys = match keys.as_str() {
                    Some(key) => vec![key.to_owned()],
                    None => keys.strings(),
                };
                (format!("{context}.{action}"), keys)
            })
        });
        Tui {
            notify_turn: notifies("agent-turn-complete"),
            notify_approval: notifies("approval-requested"),
            notification_method: self
                .string("tui.notification_method")
                .filter(|method| method != "auto"),
            notify_always: is("tui.notification_condition", "always"),
            animations: self.bool("tui.animations", true),
            vim: self.bool("tui.vim_mode_default", false),
            raw_output: self.bool("tui.raw_output_mode", false),
            tooltips: self.bool("tui.show_tooltips", true),
            status_line_colors: self.bool("tui.status_line_use_colors", true),
            comfortable_sessions: is("tui.session_picker_view", "comfortable"),
            alternate_screen: is("tui.alternate_screen", "always"),
            plain: self.bool("tui.plain", false),
            status_line: self.strings("tui.status_line"),
            status_command: self.strings("tui.status_command").unwrap_or_default(),
            terminal_title: self.strings("tui.terminal_title"),
            theme: self.string("tui.theme"),
            keymap: keymap.collect(),
        }
    }

    /// MCP servers are started by a later part; a definition that cannot work is told at once.
    fn check_servers(&self) -> Result<(), ConfigError> {
        for (name, node) in self.node("mcp_servers").and_then(Node::as_table).into_iter().flatten()
        {
            let Some(server) = node.as_table() else { continue };
            let fail = |at: At, what: &str| {
                let message = format!("`mcp_servers.{name}` {what}");
                Err(self.layers.error(ConfigErrorKind::Invalid, at, message))
            };
            if let Some(token) = server.get("bearer_token") {
                return fail(
                    token.key,
                    "has a `bearer_token`: tokens do not belong here; name a variable in \
                     `bearer_token_env_var`",
                );
            }
            match (server.get("command"), server.get("url")) {
                (Some(_), Some(url)) => {
                    return fail(
                        url.key,
                        "has both `command` and `url`: a server is either started or called",
                    );
                }
                (None, None) => {
                    return fail(
                        node.key,
                        "needs a `command` (to start it) or a `url` (to call it)",
                    );
                }
                (Some(_), None) | (None, Some(_)) => {}
            }
        }
        Ok(())
    }
}
