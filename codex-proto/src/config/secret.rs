//! Where credentials come from. The engine sees references only; the host looks them up here and
//! hands the values to the adapter that sends requests.

use std::{collections::BTreeMap, fmt};

use crate::settings::{AuthRef, SecretRef};

/// A credential. Printing shows `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a credential.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The credential itself, for the header that carries it and nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where a bearer token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthSource {
    /// The key of the account: `CODEX_API_KEY`, else the stored key, else `OPENAI_API_KEY`.
    Account,
    /// A variable of the environment.
    Env {
        /// Its name.
        name: String,
        /// What to tell the user when it is not set.
        instructions: Option<String>,
    },
    /// The configuration itself.
    Inline(Secret),
}

/// Where the value of a header comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderSource {
    /// A variable of the environment; the header is left out when it is unset or blank.
    Env(String),
    /// The configuration itself.
    Inline(Secret),
}

/// The sources of all references in the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretSources {
    /// Bearer tokens.
    pub auth: BTreeMap<AuthRef, AuthSource>,
    /// Header values.
    pub headers: BTreeMap<SecretRef, HeaderSource>,
    /// `shell_environment_policy.set`, in the order of the file: what commands get may be a
    /// credential.
    pub set: Vec<(String, Secret)>,
}

impl SecretSources {
    /// Variables that hold credentials of ours: never passed to commands.
    #[must_use]
    pub fn variables(&self) -> Vec<String> {
        let auth = self.auth.values().filter_map(|source| match source {
            AuthSource::Env { name, .. } => Some(name),
            AuthSource::Account | AuthSource::Inline(_) => None,
        });
        let headers = self.headers.values().filter_map(|source| match source {
            HeaderSource::Env(name) => Some(name),
            HeaderSource::Inline(_) => None,
        });
        let mut names: Vec<String> = auth.chain(headers).cloned().collect();
        names.sort();
        names.dedup();
        names
    }
}

/// The reference to the account's key.
#[must_use]
pub fn account() -> AuthRef {
    AuthRef("account".into())
}
