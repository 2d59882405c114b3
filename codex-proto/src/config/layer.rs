//! Texts of configuration and the way from a byte range back to a place that a person can find.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use super::{
    error::{ConfigError, ConfigErrorKind, Place},
    value::{At, Node, Table, Unfit, Value, from_table, from_value},
};

/// Bytes that one configuration file may have.
pub const CONFIG_BYTES_MAX: usize = 16 << 20;

/// Characters of a line that an excerpt shows.
const SNIPPET_CHARS: usize = 160;

/// Where a layer comes from. Low to high in the order of the variants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LayerSource {
    /// `/etc/codex/config.toml`.
    System(PathBuf),
    /// `$CODEX_HOME/config.toml`.
    User(PathBuf),
    /// A `.codex/config.toml` between the project's root and the working directory.
    Project(PathBuf),
    /// One `-c key=value`.
    Argument,
}

/// One text of configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct Layer {
    /// Where it comes from.
    pub source: LayerSource,
    /// The text; may be empty for a project file that is not trusted.
    pub text: String,
}

// The text may hold credentials.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("source", &self.source)
            .field("bytes", &self.text.len())
            .finish()
    }
}

impl LayerSource {
    /// The file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::System(path) | Self::User(path) | Self::Project(path) => Some(path),
            Self::Argument => None,
        }
    }
}

/// All texts that were read, so that any [`At`] can be shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Layers(Vec<Layer>);

impl Layers {
    /// The source of a layer.
    pub(super) fn source(&self, layer: u16) -> Option<&LayerSource> {
        self.0.get(usize::from(layer)).map(|layer| &layer.source)
    }

    /// Keeps a text and gives its number.
    fn push(&mut self, layer: Layer) -> u16 {
        self.0.push(layer);
        u16::try_from(self.0.len() - 1).unwrap_or(u16::MAX)
    }

    /// Parses a file.
    pub(super) fn parse(&mut self, mut layer: Layer) -> Result<(u16, Table), ConfigError> {
        if layer.text.starts_with('\u{feff}') {
            layer.text.drain(..'\u{feff}'.len_utf8());
        }
        let bytes = layer.text.len();
        let index = self.push(layer);
        if bytes > CONFIG_BYTES_MAX {
            let message =
                format!("the file has {bytes} bytes; at most {CONFIG_BYTES_MAX} are read");
            return Err(match self.0[usize::from(index)].source.path() {
                Some(path) => ConfigError::file(path, message),
                None => ConfigError::new(ConfigErrorKind::File, message),
            });
        }
        let parsed = {
            let text = &self.0[usize::from(index)].text;
            match DeTable::parse(text) {
                Ok(table) => from_table(table.into_inner(), index, 0),
                Err(error) => return Err(self.syntax(index, &error)),
            }
        };
        match parsed {
            Ok(table) => Ok((index, table)),
            Err(unfit) => Err(self.unfit(&unfit)),
        }
    }

    /// Reads a `-c key=value` argument as a layer: `key` is a dotted path, `value` is TOML or, when
    /// it is not, a plain string.
    pub(super) fn parse_argument(&mut self, argument: &str) -> Result<(u16, Table), ConfigError> {
        let fault = |message| Err(ConfigError::new(ConfigErrorKind::Override, message));
        let Some((key, value)) = argument.split_once('=') else {
            return fault(format!(
                "Invalid override (missing '='): {}",
                mask_argument(argument.trim())
            ));
        };
        let value_start = key.len() + 1 + (value.len() - value.trim_start().len());
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            return fault(format!("Empty key in override: ={}", mask_argument(value)));
        }
        let path = key_path(key);
        if path.iter().any(String::is_empty) {
            return fault(format!("Empty part in the key of an override: {key}"));
        }
        let text = argument.to_owned();
        let index = self.push(Layer { source: LayerSource::Argument, text });
        let whole = At { layer: index, start: 0, end: narrow(key.len()) };
        let at =
            At { layer: index, start: narrow(value_start), end: narrow(value_start + value.len()) };
        if path.len() > super::value::DEPTH_MAX {
            return Err(self.unfit(&Unfit { at, why: "nested more than 64 levels deep" }));
        }
        let mut node = match DeValue::parse(value) {
            Ok(parsed) => {
                from_value(parsed, index, path.len()).map_err(|unfit| self.unfit(&unfit))?
            }
            Err(_) => {
                Node { key: at, at, value: Value::Str(value.trim_matches(['"', '\'']).to_owned()) }
            }
        };
        // Everything in an argument is shown as the argument.
        node.key = whole;
        node.at = at;
        let mut table = Table::new();
        for (depth, name) in path.into_iter().enumerate().rev() {
            let inner = if depth == 0 {
                table.insert(name, node);
                break;
            } else {
                Table::from([(name, node)])
            };
            node = Node { key: whole, at, value: Value::Table(inner) };
        }
        Ok((index, table))
    }

    fn syntax(&self, layer: u16, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or(0..0);
        let at = At { layer, start: narrow(span.start), end: narrow(span.end) };
        // The parser ends some messages with a line of expectations; one line is enough.
        let message = error.message().lines().collect::<Vec<_>>().join("; ");
        self.error(ConfigErrorKind::Syntax, at, message)
    }

    fn unfit(&self, unfit: &Unfit) -> ConfigError {
        self.error(ConfigErrorKind::Invalid, unfit.at, unfit.why)
    }

    /// Builds an error that shows its place.
    pub(super) fn error(
        &self,
        kind: ConfigErrorKind,
        at: At,
        message: impl Into<String>,
    ) -> ConfigError {
        ConfigError {
            place: Some(self.place(at)),
            snippet: self.snippet(at),
            ..ConfigError::new(kind, message)
        }
    }

    /// The place as a person finds it.
    pub(super) fn place(&self, at: At) -> Place {
        let Some(layer) = self.0.get(usize::from(at.layer)) else {
            return Place { source: "configuration".into(), line_column: None };
        };
        match layer.source.path() {
            Some(path) => {
                let (line, start) = line_of(&layer.text, at.start as usize);
                let before = layer.text.get(start..at.start as usize).unwrap_or("");
                let column = narrow(before.chars().count()).saturating_add(1);
                Place { source: path.display().to_string(), line_column: Some((line, column)) }
            }
            None => Place {
                source: format!("-c {}", mask_argument(&clip(layer.text.trim(), SNIPPET_CHARS))),
                line_column: None,
            },
        }
    }

    /// Three lines: a gutter, the source line, a caret below the place.
    fn snippet(&self, at: At) -> Option<String> {
        let layer = self.0.get(usize::from(at.layer))?;
        layer.source.path()?;
        let text = &layer.text;
        let (number, start) = line_of(text, at.start as usize);
        let end = memchr::memchr(b'\n', &text.as_bytes()[start..])
            .map_or(text.len(), |length| start + length);
        let line = text.get(start..end)?.trim_end_matches('\r');
        let before = text.get(start..(at.start as usize).min(start + line.len()))?;
        let column = before.chars().count();
        let marked = text
            .get(
                at.start as usize..(at.end as usize).min(start + line.len()).max(at.start as usize),
            )
            .map_or(0, |marked| marked.chars().count());
        // A long line is shown around the place; a masked one from its beginning.
        let masked = mask(text, start, line);
        let (shown, column, marked) = if masked == line {
            let skip = column.saturating_sub(SNIPPET_CHARS / 2);
            (
                clip(&line.chars().skip(skip).collect::<String>(), SNIPPET_CHARS),
                column - skip,
                marked,
            )
        } else {
            let column = column.min(masked.chars().count());
            (masked, column, 1)
        };
        let shown: String = shown.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let room = shown.chars().count().saturating_sub(column).max(1);
        let gutter = " ".repeat(number.to_string().len());
        let carets = "^".repeat(marked.clamp(1, room));
        let indent = " ".repeat(column);
        let mut out = format!("{gutter} |\n{number} | {shown}\n{gutter} | {indent}{carets}");
        out.truncate(out.trim_end().len());
        Some(out)
    }
}

/// Splits a dotted key; a part may be quoted so that it can hold dots.
fn key_path(key: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = key;
    loop {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quoted = quote.and_then(|quote| {
            let (part, after) = rest[1..].split_once(quote)?;
            (after.is_empty() || after.starts_with('.')).then_some((part, after))
        });
        let (part, after) = quoted.unwrap_or_else(|| match rest.find('.') {
            Some(dot) => rest.split_at(dot),
            None => (rest, ""),
        });
        parts.push(part.trim().to_owned());
        match after.strip_prefix('.') {
            Some(after) => rest = after,
            None => break,
        }
    }
    // An old name that people still type.
    if parts == ["use_legacy_landlock"] {
        parts.insert(0, "features".into());
    }
    parts
}

/// 1-based number and first byte of the line that holds `offset`.
fn line_of(text: &str, offset: usize) -> (u32, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let lines = memchr::memchr_iter(b'\n', before).count();
    (narrow(lines) + 1, memchr::memrchr(b'\n', before).map_or(0, |at| at + 1))
}

fn clip(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Whether a key, header or table name is one that usually goes with a credential.
pub(super) fn sounds_secret(name: &str) -> bool {
    const WORDS: [&str; 9] = [
        "authorization",
        "bearer",
        "cookie",
        "credential",
        "key",
        "passwd",
        "password",
        "secret",
        "token",
    ];
    let name = name.to_ascii_lowercase();
    // `auth` only as a word of its own: `author` is harmless.
    WORDS.iter().any(|word| name.contains(word))
        || name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "auth")
}

/// Whether a text names a table whose values are not shown, whatever their keys.
pub(super) fn holds_secrets(text: &str) -> bool {
    const TABLES: [&str; 5] = ["env", "headers", "http_headers", "query_params", "set"];
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .any(|word| TABLES.contains(&word))
}

/// Whether a piece of text looks like a credential by itself: long, with letters and digits.
pub(super) fn looks_secret(text: &str) -> bool {
    let login_in_url = text.match_indices("://").any(|(at, _)| {
        let host = text[at + 3..].split(['/', '"', '\'', '?', '#']).next().unwrap_or_default();
        host.contains('@')
    });
    let long_run = |run: &str| {
        run.starts_with("sk-")
            || (run.len() >= 24
                && run.bytes().any(|b| b.is_ascii_digit())
                && run.bytes().any(|b| b.is_ascii_alphabetic()))
    };
    login_in_url
        || text.split(|c: char| !(c.is_ascii_alphanumeric() || "-_+=".contains(c))).any(long_run)
}

/// Whether the value of a key may not be shown: its name sounds like it, and it is none of the
/// known keys that are harmless (`tool_output_token_limit`).
fn hides_value(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key).trim().trim_matches(['"', '\'']);
    (sounds_secret(last) && !super::keys::is_plain(last)) || holds_secrets(key)
}

/// A line of a file as it may be shown: values that may be credentials are replaced by `***`.
fn mask(text: &str, start: usize, line: &str) -> String {
    let in_secret_table = || {
        text[..start]
            .lines()
            .rev()
            .map(str::trim_start)
            .find(|line| line.starts_with('['))
            .is_some_and(holds_secrets)
    };
    let equals = line.find('=');
    // Without an equals sign this may be the middle of a string that spans lines.
    let suspicious = match equals {
        Some(equals) => {
            let key = &line[..equals];
            looks_secret(line)
                || hides_value(key)
                || (line.contains('{') && holds_secrets(line))
                || in_secret_table()
        }
        None => {
            let header = line.trim_start().starts_with('[');
            looks_secret(line) || (!header && (sounds_secret(line) || in_secret_table()))
        }
    };
    if suspicious { mask_after(line, equals) } else { line.to_owned() }
}

fn mask_after(line: &str, equals: Option<usize>) -> String {
    match equals {
        Some(equals) => format!("{}= ***", &line[..equals]),
        None => "***".to_owned(),
    }
}

/// A `-c` argument as it may be shown.
pub(super) fn mask_argument(argument: &str) -> String {
    let equals = argument.find('=');
    let key = &argument[..equals.unwrap_or(0)];
    let suspicious = looks_secret(argument) || hides_value(key);
    match (suspicious, equals) {
        (true, Some(_)) => format!("{key}=***"),
        (true, None) => "***".into(),
        (false, _) => argument.to_owned(),
    }
}
