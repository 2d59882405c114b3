//! Providers: the built-in ones, those of the configuration, and the one that is used.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    error::{ConfigError, ConfigErrorKind, Place, Warning, WarningKind},
    facts::EnvFacts,
    layer::{Layers, sounds_secret},
    nearest::nearest,
    secret::{AuthSource, HeaderSource, Secret, SecretSources, account},
    value::{Node, Table, in_file_order},
};
use crate::settings::{AuthRef, HeaderValue, Provider, SecretRef};

/// Ids that a configuration cannot redefine.
pub const BUILT_IN_PROVIDERS: [&str; 4] = ["amazon-bedrock", "lmstudio", "ollama", "openai"];

/// The provider that is used unless the configuration says otherwise.
pub(super) const DEFAULT_PROVIDER: &str = "openai";

const OPENAI_BASE_URL: &str = "https://api.openai.com/v1";

/// More attempts than this are not made, whatever the configuration says.
const RETRIES_MAX: u64 = 100;

/// A provider and what the adapters need to know about it.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderEntry {
    /// What the engine knows.
    pub provider: Provider,
    /// PEM file of further certificates for this provider.
    pub ca_bundle: Option<PathBuf>,
    /// Whether the stored key of the account is used.
    pub account: bool,
    /// Why it cannot be used in this build.
    unsupported: Option<(&'static str, Option<Place>)>,
}

/// Everything about providers.
pub(super) struct Providers {
    pub(super) entries: BTreeMap<String, ProviderEntry>,
    pub(super) secrets: SecretSources,
    pub(super) warnings: Vec<Warning>,
}

impl Providers {
    /// Reads the built-in providers and `model_providers`.
    pub(super) fn read(root: &Table, layers: &Layers, env: &EnvFacts) -> Result<Self, ConfigError> {
        let mut all = Self {
            entries: BTreeMap::new(),
            secrets: SecretSources::default(),
            warnings: Vec::new(),
        };
        all.built_in(root, layers, env)?;
        let table = root.get("model_providers").and_then(Node::as_table);
        for (id, node) in table.into_iter().flatten() {
            if BUILT_IN_PROVIDERS.contains(&id.as_str()) {
                let only_aws = id == "amazon-bedrock"
                    && node.as_table().is_some_and(|table| table.keys().all(|key| key == "aws"));
                if only_aws {
                    continue;
                }
                let error = layers.error(
                    ConfigErrorKind::Invalid,
                    node.key,
                    format!("the provider id `{id}` is built in and cannot be redefined"),
                );
                let address = if id == DEFAULT_PROVIDER {
                    "; to change only its address set `openai_base_url`"
                } else {
                    ""
                };
                return Err(error
                    .with_hint(format!("choose another id, for example `{id}-custom`{address}")));
            }
            if let Some(table) = node.as_table() {
                all.custom(id, table, layers)?;
            }
        }
        Ok(all)
    }

    fn built_in(
        &mut self,
        root: &Table,
        layers: &Layers,
        env: &EnvFacts,
    ) -> Result<(), ConfigError> {
        let set = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let variable = |name: &str, url: Option<String>| match url {
            Some(url) => base_url(&url).map(Some).map_err(|why| {
                ConfigError::new(ConfigErrorKind::Invalid, format!("the variable {name} {why}"))
            }),
            None => Ok(None),
        };
        let openai = match root.get("openai_base_url") {
            Some(node) => located_url(node, "openai_base_url", layers)?,
            None => variable("OPENAI_BASE_URL", set(&env.openai_base_url))?
                .unwrap_or_else(|| OPENAI_BASE_URL.into()),
        };
        let mut headers = Vec::new();
        for (header, name) in
            [("OpenAI-Organization", "OPENAI_ORGANIZATION"), ("OpenAI-Project", "OPENAI_PROJECT")]
        {
            let secret = SecretRef(format!("openai.{header}"));
            self.secrets.headers.insert(secret.clone(), HeaderSource::Env(name.into()));
            headers.push((header.to_owned(), HeaderValue::Secret(secret)));
        }
        self.secrets.auth.insert(account(), AuthSource::Account);
        let openai = Provider {
            headers,
            auth: Some(account()),
            ..provider(DEFAULT_PROVIDER, "OpenAI", openai)
        };
        self.insert(ProviderEntry {
            provider: openai,
            ca_bundle: None,
            account: true,
            unsupported: None,
        });
        let local = variable("CODEX_OSS_BASE_URL", set(&env.oss_base_url))?;
        let port = match set(&env.oss_port) {
            Some(port) => Some(port.parse::<u16>().map_err(|_| {
                ConfigError::new(
                    ConfigErrorKind::Invalid,
                    "the variable CODEX_OSS_PORT must be a port number",
                )
            })?),
            None => None,
        };
        for (id, name, default) in [("ollama", "Ollama", 11434), ("lmstudio", "LM Studio", 1234)] {
            let url = local
                .clone()
                .unwrap_or_else(|| format!("http://localhost:{}/v1", port.unwrap_or(default)));
            self.insert(ProviderEntry {
                provider: provider(id, name, url),
                ca_bundle: None,
                account: false,
                unsupported: None,
            });
        }
        self.insert(ProviderEntry {
            provider: provider("amazon-bedrock", "Amazon Bedrock", String::new()),
            ca_bundle: None,
            account: false,
            unsupported: Some(("needs AWS signatures", None)),
        });
        Ok(())
    }

    fn insert(&mut self, entry: ProviderEntry) {
        self.entries.insert(entry.provider.id.clone(), entry);
    }

    fn custom(&mut self, id: &str, table: &Table, layers: &Layers) -> Result<(), ConfigError> {
        let text = |name: &str| {
            table
                .get(name)
                .and_then(Node::as_str)
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let path = |name: &str| format!("model_providers.{id}.{name}");
        let url = match table.get("base_url") {
            Some(node) => located_url(node, &path("base_url"), layers)?,
            None => OPENAI_BASE_URL.into(),
        };
        let on = |name: &str| table.get(name).and_then(Node::as_bool).unwrap_or(false);
        let auth = self.auth(id, table, layers, on("requires_openai_auth"))?;
        let unsupported = [
            ("auth", "gets its token from a command (`auth`)"),
            ("aws", "needs AWS signatures (`aws`)"),
        ]
        .into_iter()
        .find_map(|(name, why)| table.get(name).map(|node| (why, Some(layers.place(node.key)))));
        let mut entry = ProviderEntry {
            provider: Provider {
                auth,
                headers: self.headers(id, table),
                ..provider(id, &text("name").unwrap_or_else(|| id.to_owned()), url)
            },
            ca_bundle: text("ca_bundle").map(PathBuf::from),
            account: on("requires_openai_auth"),
            unsupported,
        };
        for (name, value) in table
            .get("query_params")
            .and_then(Node::as_table)
            .map(in_file_order)
            .unwrap_or_default()
        {
            if sounds_secret(name) {
                self.warnings.push(Warning {
                    kind: WarningKind::Exposed,
                    place: Some(layers.place(value.key)),
                    message: format!(
                        "`{}` looks like a credential, and query parameters may show in logs of \
                         servers and in journals; send it in a header if the server allows it",
                        path("query_params")
                    ),
                });
            }
            let value = value.as_str().unwrap_or_default().to_owned();
            entry.provider.query.push((name.clone(), value));
        }
        let retries = |name: &str, default: u32, warnings: &mut Vec<Warning>| {
            let Some(node) = table.get(name) else { return default };
            let wanted = node.as_u64().unwrap_or(0);
            if wanted > RETRIES_MAX {
                warnings.push(Warning {
                    kind: WarningKind::Clamped,
                    place: Some(layers.place(node.at)),
                    message: format!("`{}` counts as {RETRIES_MAX}, its bound", path(name)),
                });
            }
            u32::try_from(wanted.min(RETRIES_MAX)).unwrap_or(default)
        };
        entry.provider.request_retries_max = retries("request_max_retries", 4, &mut self.warnings);
        entry.provider.stream_retries_max = retries("stream_max_retries", 5, &mut self.warnings);
        if let Some(ms) = table.get("stream_idle_timeout_ms").and_then(Node::as_u64) {
            entry.provider.stream_idle_ms = ms;
        }
        self.insert(entry);
        Ok(())
    }

    /// The bearer token: `env_key`, else `experimental_bearer_token`, else the account's key.
    fn auth(
        &mut self,
        id: &str,
        table: &Table,
        layers: &Layers,
        wants_account: bool,
    ) -> Result<Option<AuthRef>, ConfigError> {
        let text = |name: &str| {
            table.get(name).and_then(Node::as_str).map(str::trim).filter(|text| !text.is_empty())
        };
        if let Some(node) = table.get("auth") {
            let beside = ["env_key", "experimental_bearer_token", "requires_openai_auth"]
                .into_iter()
                .find(|name| {
                    text(name).is_some() || (*name == "requires_openai_auth" && wants_account)
                });
            if let Some(other) = beside {
                return Err(layers.error(
                    ConfigErrorKind::Invalid,
                    node.key,
                    format!("`model_providers.{id}.auth` cannot be used together with `{other}`"),
                ));
            }
            if node.as_table().is_some_and(|auth| !auth.contains_key("command")) {
                return Err(layers.error(
                    ConfigErrorKind::Invalid,
                    node.key,
                    format!("`model_providers.{id}.auth` needs a `command`"),
                ));
            }
        }
        if let Some(name) = text("env_key") {
            let reference = AuthRef(format!("model_providers.{id}.env_key"));
            let instructions = text("env_key_instructions").map(str::to_owned);
            let source = AuthSource::Env { name: name.to_owned(), instructions };
            self.secrets.auth.insert(reference.clone(), source);
            return Ok(Some(reference));
        }
        if let Some(token) = text("experimental_bearer_token") {
            let reference = AuthRef(format!("model_providers.{id}.experimental_bearer_token"));
            let source = AuthSource::Inline(Secret::new(token.to_owned()));
            self.secrets.auth.insert(reference.clone(), source);
            return Ok(Some(reference));
        }
        Ok(wants_account.then(account))
    }

    fn headers(&mut self, id: &str, table: &Table) -> Vec<(String, HeaderValue)> {
        let mut headers = Vec::new();
        let entries = |name: &str| {
            table.get(name).and_then(Node::as_table).map(in_file_order).unwrap_or_default()
        };
        for (name, value) in entries("http_headers") {
            let value = value.as_str().unwrap_or_default();
            if sounds_secret(name) {
                let secret = SecretRef(format!("model_providers.{id}.http_headers.{name}"));
                let source = HeaderSource::Inline(Secret::new(value.to_owned()));
                self.secrets.headers.insert(secret.clone(), source);
                headers.push((name.clone(), HeaderValue::Secret(secret)));
            } else {
                headers.push((name.clone(), HeaderValue::Plain(value.to_owned())));
            }
        }
        for (name, variable) in entries("env_http_headers") {
            let secret = SecretRef(format!("model_providers.{id}.env_http_headers.{name}"));
            let variable = variable.as_str().unwrap_or_default().to_owned();
            self.secrets.headers.insert(secret.clone(), HeaderSource::Env(variable));
            headers.push((name.clone(), HeaderValue::Secret(secret)));
        }
        headers
    }

    /// The provider that is used.
    pub(super) fn choose(
        &self,
        id: &str,
        place: Option<Place>,
    ) -> Result<&ProviderEntry, ConfigError> {
        let Some(entry) = self.entries.get(id) else {
            let near = nearest(id, self.entries.keys().map(String::as_str));
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("add a table [model_providers.{}]", toml_key(id)),
            };
            return Err(ConfigError {
                place,
                ..ConfigError::new(
                    ConfigErrorKind::UnknownProvider,
                    format!("Model provider `{id}` not found"),
                )
                .with_hint(hint)
            });
        };
        match &entry.unsupported {
            Some((why, place)) => Err(ConfigError {
                place: place.clone(),
                ..ConfigError::new(
                    ConfigErrorKind::Unsupported,
                    format!("the provider `{id}` {why}, which is not supported yet"),
                )
                .with_hint("use `env_key`, or another provider")
            }),
            None => Ok(entry),
        }
    }
}

fn provider(id: &str, name: &str, base_url: String) -> Provider {
    Provider {
        id: id.into(),
        name: name.into(),
        base_url,
        query: Vec::new(),
        headers: Vec::new(),
        auth: None,
        request_retries_max: 4,
        stream_retries_max: 5,
        stream_idle_ms: 300_000,
    }
}

/// Checks a base URL; the error is the rest of a sentence and shows no part of the URL.
fn base_url(url: &str) -> Result<String, &'static str> {
    let url = url.trim();
    let lower = url.get(..8).unwrap_or(url).to_ascii_lowercase();
    let rest = if lower.starts_with("https://") {
        &url[8..]
    } else if lower.starts_with("http://") {
        &url[7..]
    } else {
        return Err("must start with `http://` or `https://`");
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return Err("must not hold a user name or password; send them in a header \
                    (`env_http_headers`)");
    }
    if host.is_empty() || host.starts_with(':') {
        return Err("names no host");
    }
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("must not contain blanks");
    }
    if rest.contains(['?', '#']) {
        return Err("must not have a query or a fragment; use `query_params`");
    }
    Ok(url.trim_end_matches('/').to_owned())
}

fn located_url(node: &Node, path: &str, layers: &Layers) -> Result<String, ConfigError> {
    base_url(node.as_str().unwrap_or_default())
        .map_err(|why| layers.error(ConfigErrorKind::Invalid, node.at, format!("`{path}` {why}")))
}

/// A name as a key of a TOML file.
pub(super) fn toml_key(name: &str) -> String {
    let bare = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { name.to_owned() } else { toml_string(name) }
}

/// A text as a basic string of a TOML file.
pub(super) fn toml_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
