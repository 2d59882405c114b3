//! From layers to settings: which layers count, and how they merge.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    check::check,
    error::{ConfigError, ConfigErrorKind, Place, Warning, WarningKind},
    facts::{ConfigFacts, Overrides, ProjectFacts, Trust},
    features,
    layer::{Layer, LayerSource, Layers},
    nearest::nearest,
    provider::{Providers, toml_string},
    resolved::{InstructionsFile, Resolved, Sources},
    secret::Secret,
    typing::Typing,
    value::{Node, Table, Value, find, merge, normal},
};
use crate::settings::ProjectSettings;

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
