//! What is wrong with a configuration, and what is odd about it.

use std::fmt;

use thiserror::Error;

/// A configuration that cannot be used.
///
/// `Display` is the whole text: the place (`file:line:column`, or the `-c` argument), what was
/// found and what is expected, an excerpt with a caret where there is one, and the next step.
/// Values of keys that hold credentials are never part of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct ConfigError {
    /// What kind of mistake it is.
    pub kind: ConfigErrorKind,
    /// Where it is, as far as that is known.
    pub place: Option<Place>,
    /// What is wrong: one sentence without a full stop.
    pub message: String,
    /// Three lines that show the place.
    pub snippet: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Kinds of [`ConfigError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigErrorKind {
    /// A file cannot be read, is too large or is not text.
    File,
    /// `CODEX_HOME` cannot be used.
    Home,
    /// A value has the wrong type or is not allowed.
    Invalid,
    /// A `-c` argument is not `key=value`.
    Override,
    /// The text is not TOML.
    Syntax,
    /// `--enable` or `--disable` names no feature.
    UnknownFeature,
    /// The chosen profile is not defined.
    UnknownProfile,
    /// The chosen provider is not defined.
    UnknownProvider,
    /// A known setting that this build cannot honour and must not ignore.
    Unsupported,
}

/// A place in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Path of the file, or the argument as `-c key=…`.
    pub source: String,
    /// 1-based line and column (in characters); `None` for an argument.
    pub line_column: Option<(u32, u32)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        match self.line_column {
            Some((line, column)) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

impl ConfigError {
    /// Builds an error that has no place.
    pub fn new(kind: ConfigErrorKind, message: impl Into<String>) -> Self {
        Self { kind, place: None, message: message.into(), snippet: None, hint: None }
    }

    /// Builds the error for a file that cannot be used as a whole.
    pub fn file(path: &std::path::Path, message: impl Into<String>) -> Self {
        let place = Place { source: path.display().to_string(), line_column: None };
        Self { place: Some(place), ..Self::new(ConfigErrorKind::File, message) }
    }

    /// Adds the next step.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The text for standard error, opened by the words that scripts look for.
    #[must_use]
    pub fn report(&self) -> String {
        match self.kind {
            ConfigErrorKind::File | ConfigErrorKind::Invalid | ConfigErrorKind::Syntax => {
                let gap = if self.snippet.is_some() { '\n' } else { ' ' };
                format!("Error loading config.toml:{gap}{self}")
            }
            ConfigErrorKind::Home => format!("Error finding codex home: {self}"),
            ConfigErrorKind::Override => format!("Error parsing -c overrides: {self}"),
            ConfigErrorKind::UnknownFeature
            | ConfigErrorKind::UnknownProfile
            | ConfigErrorKind::UnknownProvider
            | ConfigErrorKind::Unsupported => format!("Error: {self}"),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(snippet) = &self.snippet {
            write!(f, "\n{snippet}")?;
        }
        match (&self.hint, &self.snippet) {
            (Some(hint), Some(_)) => write!(f, "\nhint: {hint}"),
            (Some(hint), None) => write!(f, "; {hint}"),
            (None, _) => Ok(()),
        }
    }
}

/// Something odd that does not stop the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What kind of oddity it is.
    pub kind: WarningKind,
    /// Where it is, as far as that is known.
    pub place: Option<Place>,
    /// One sentence without a full stop.
    pub message: String,
}

/// Kinds of [`Warning`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningKind {
    /// A value outside its bounds was moved to the bound.
    Clamped,
    /// A name that has been replaced by another.
    Deprecated,
    /// A key that has no effect in the place where it stands.
    IgnoredKey,
    /// Files that have no effect because their project is not trusted.
    IgnoredProject,
    /// A credential stands where it may be seen.
    Exposed,
    /// A key that nothing here knows.
    UnknownKey,
    /// A setting that this build reads but cannot honour.
    Unsupported,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)
    }
}
