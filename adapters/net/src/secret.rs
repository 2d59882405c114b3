//! Credentials: the values behind [`AuthRef`] and [`SecretRef`], which no other crate sees.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use codex_proto::{
    HostError, HostErrorKind,
    settings::{AuthRef, SecretRef},
};
use zeroize::Zeroizing;

/// A value that is never printed, and zeroed when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value, for a header and nothing else.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// All credentials of a process, by the names that the engine knows. Clones share them: what is set
/// later counts for requests that are built later, wherever.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    auth: BTreeMap<AuthRef, Result<Secret, String>>,
    values: BTreeMap<SecretRef, Secret>,
}

impl Secrets {
    /// No credentials.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the bearer token of an account. A blank token counts as unset and leaves the reason
    /// given before in place.
    pub fn set_auth(&mut self, name: AuthRef, token: Secret) {
        if !token.is_blank() {
            self.table().auth.insert(name, Ok(token));
        }
    }

    /// Says why an account has no token and what to do about it, in the provider's own words;
    /// requests that need it fail with this text.
    pub fn set_auth_missing(&mut self, name: AuthRef, why: impl Into<String>) {
        self.table().auth.insert(name, Err(why.into()));
    }

    /// Sets a secret header value. A header whose value is blank or unset is left out.
    pub fn set_value(&mut self, name: SecretRef, value: Secret) {
        if value.is_blank() {
            self.table().values.remove(&name);
        } else {
            self.table().values.insert(name, value);
        }
    }

    /// Forgets everything and takes what `other` holds, also for all clones.
    pub fn replace(&mut self, other: &Self) {
        if Arc::ptr_eq(&self.0, &other.0) {
            return;
        }
        let fresh = std::mem::take(&mut *other.table());
        *self.table() = fresh;
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token of an account.
    pub(crate) fn auth(&self, name: &AuthRef) -> Result<Secret, HostError> {
        let missing = |why: String| HostError::new(HostErrorKind::MissingCredential, why);
        match self.table().auth.get(name) {
            Some(Ok(token)) => Ok(token.clone()),
            Some(Err(why)) => Err(missing(why.clone())),
            None => Err(missing(format!("no credential is set for `{}`", name.0))),
        }
    }

    /// A secret header value, when it is set.
    pub(crate) fn value(&self, name: &SecretRef) -> Option<Secret> {
        self.table().values.get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_debug_output_shows_a_secret() {
        let mut secrets = Secrets::new();
        secrets.set_auth(AuthRef("openai".into()), Secret::new("sk-hidden"));
        secrets.set_value(SecretRef("h".into()), Secret::new("hidden-too"));
        let shown = format!("{secrets:?}");
        assert!(!shown.contains("hidden"), "{shown}");
        assert!(shown.contains("***"), "{shown}");
    }

    #[test]
    fn a_blank_token_is_an_unset_one() {
        let mut secrets = Secrets::new();
        let name = AuthRef("p".into());
        secrets.set_auth_missing(name.clone(), "set P_KEY");
        secrets.set_auth(name.clone(), Secret::new(" \n"));
        let error = secrets.auth(&name).unwrap_err();
        assert_eq!(error.kind, HostErrorKind::MissingCredential);
        assert_eq!(error.message, "set P_KEY");
    }

    #[test]
    fn clones_share_what_is_set_later() {
        let mut secrets = Secrets::new();
        let (kept, name) = (secrets.clone(), AuthRef("p".into()));
        secrets.set_auth(name.clone(), Secret::new("one"));
        assert_eq!(kept.auth(&name).unwrap().expose(), "one");
        let mut fresh = Secrets::new();
        fresh.set_auth_missing(name.clone(), "logged out");
        secrets.replace(&fresh);
        assert_eq!(kept.auth(&name).unwrap_err().message, "logged out");
    }
}
