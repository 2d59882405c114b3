//! Walks a layer along the table of known keys: wrong values are errors, unknown keys warnings,
//! paths become absolute, old names become new ones.

use std::path::Path;

use super::{
    error::{ConfigError, ConfigErrorKind, Warning, WarningKind},
    features,
    keys::{Key, Kind, ROOT},
    layer::{LayerSource, Layers, holds_secrets, looks_secret},
    nearest::nearest,
    value::{At, Node, Table, Value, absolute},
};

/// Unknown keys that are named; the rest is counted.
pub(super) const UNKNOWN_KEYS_MAX: usize = 50;

/// Characters of a found value that a message shows.
const FOUND_CHARS: usize = 60;

/// What the walk of one layer needs and finds.
pub(super) struct Check<'a> {
    layers: &'a Layers,
    base: &'a Path,
    home: Option<&'a Path>,
    path: Vec<String>,
    /// The mistakes so far; the first in the file is the one that is reported.
    error: Option<(At, Box<ConfigError>)>,
    unknown: Vec<(At, String)>,
    unknown_count: usize,
    warnings: Vec<Warning>,
}

/// Checks a layer in place. Paths are resolved against `base`.
pub(super) fn check(
    layers: &Layers,
    layer: u16,
    table: &mut Table,
    base: &Path,
    home: Option<&Path>,
) -> Result<Vec<Warning>, ConfigError> {
    let project = matches!(layers.source(layer), Some(LayerSource::Project(_)));
    let mut check = Check {
        layers,
        base,
        home,
        path: Vec::new(),
        error: None,
        unknown: Vec::new(),
        unknown_count: 0,
        warnings: Vec::new(),
    };
    if project {
        check.drop_user_keys(table);
    }
    check.keys(table, ROOT, None, |_| true);
    rename(&mut check, table);
    if let Some(Node { value: Value::Table(profiles), .. }) = table.get_mut("profiles") {
        for profile in profiles.values_mut() {
            if let Value::Table(profile) = &mut profile.value {
                rename(&mut check, profile);
            }
        }
    }
    check.finish()
}

impl Check<'_> {
    /// Removes what a project may not set.
    fn drop_user_keys(&mut self, table: &mut Table) {
        let refused: Vec<&str> = ROOT
            .iter()
            .filter(|key| !key.in_project && table.contains_key(key.name))
            .map(|key| key.name)
            .collect();
        let Some(first) = refused.iter().filter_map(|name| table.get(*name)).map(|n| n.key).min()
        else {
            return;
        };
        for name in &refused {
            table.remove(*name);
        }
        self.warnings.push(Warning {
            kind: WarningKind::IgnoredKey,
            place: Some(self.layers.place(first)),
            message: format!(
                "a project's file may not set {}; ignored here, set it in your own config.toml",
                refused.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            ),
        });
    }

    fn finish(mut self) -> Result<Vec<Warning>, ConfigError> {
        if let Some((_, error)) = self.error {
            return Err(*error);
        }
        self.unknown.sort();
        for (at, message) in self.unknown {
            self.warnings.push(Warning {
                kind: WarningKind::UnknownKey,
                place: Some(self.layers.place(at)),
                message,
            });
        }
        if let Some(more) = self.unknown_count.checked_sub(UNKNOWN_KEYS_MAX).filter(|n| *n > 0) {
            self.warnings.push(Warning {
                kind: WarningKind::UnknownKey,
                place: None,
                message: format!("{more} more unknown keys"),
            });
        }
        Ok(self.warnings)
    }

    /// Checks the entries of a table; `rest` is the kind of the entries that are not in `keys`.
    fn keys(
        &mut self,
        table: &mut Table,
        keys: &'static [Key],
        rest: Option<&'static Kind>,
        allowed: fn(&Key) -> bool,
    ) {
        for (name, node) in table {
            let known = keys.iter().find(|key| key.name == name);
            self.path.push(name.clone());
            match (known, rest) {
                (Some(key), _) if allowed(key) => self.value(node, &key.kind),
                (Some(_), _) => self.unknown(node.key, |_| Some("a profile cannot set it".into())),
                (None, Some(kind)) if same_type(&node.value, kind) => self.value(node, kind),
                (None, _) => self.unknown(node.key, |name| suggestion(name, keys)),
            }
            self.path.pop();
        }
    }

    fn unknown(&mut self, at: At, advice: impl FnOnce(&str) -> Option<String>) {
        self.unknown_count += 1;
        if self.unknown_count > UNKNOWN_KEYS_MAX {
            return;
        }
        let advice = self.path.last().and_then(|name| advice(name));
        let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
        self.unknown.push((at, format!("unknown key `{}`{advice}", self.shown_path())));
    }

    fn value(&mut self, node: &mut Node, kind: &'static Kind) {
        match (kind, &mut node.value) {
            (Kind::Any, _)
            | (Kind::Bool, Value::Bool(_))
            | (Kind::Secret | Kind::Str, Value::Str(_)) => {}
            (Kind::Either(kinds), value) => {
                match kinds.iter().find(|kind| same_type(value, kind)) {
                    Some(kind) => self.value(node, kind),
                    None => self.mismatch(node, kind),
                }
            }
            (Kind::Enum(names), Value::Str(text)) => {
                if !names.contains(&text.as_str()) {
                    self.mismatch(node, kind);
                }
            }
            (Kind::Int(min, max), Value::Int(int)) => {
                if !(*min..=*max).contains(int) {
                    self.mismatch(node, kind);
                }
            }
            (Kind::Number, Value::Int(int)) if *int >= 0 => {}
            (Kind::Number, Value::Float(float)) if float.is_finite() && *float >= 0.0 => {}
            (Kind::Path, Value::Str(text)) => {
                let resolved = match text.is_empty() {
                    true => None,
                    false => absolute(text, self.base, self.home),
                };
                match resolved {
                    Some(path) => *text = path.to_string_lossy().into_owned(),
                    None if text.is_empty() => self.mismatch(node, kind),
                    None => {
                        self.fail(node.at, "starts with `~`, but the home directory is unknown")
                    }
                }
            }
            (Kind::List(kind), Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.path.push(index.to_string());
                    self.value(item, kind);
                    self.path.pop();
                }
            }
            (Kind::Map(_, kind), Value::Table(table)) => {
                for (name, item) in table {
                    self.path.push(name.clone());
                    self.value(item, kind);
                    self.path.pop();
                }
            }
            (Kind::Table(keys), Value::Table(table)) => self.keys(table, keys, None, |_| true),
            (Kind::TableAnd(keys, _, rest), Value::Table(table)) => {
                self.keys(table, keys, Some(rest), |_| true);
            }
            (Kind::Profile, Value::Table(table)) => {
                self.keys(table, ROOT, None, |key| key.in_profile);
            }
            (Kind::Features, Value::Table(table)) => self.features(table),
            (_, _) => self.mismatch(node, kind),
        }
    }

    /// Checks feature flags and gives them their present names.
    fn features(&mut self, table: &mut Table) {
        for (name, node) in std::mem::take(table) {
            self.path.push(name.clone());
            match features::find_feature(&name) {
                Some(feature) => {
                    let table_allowed = feature.name == "multi_agent_v2";
                    if !(node.as_bool().is_some() || table_allowed && node.as_table().is_some()) {
                        self.mismatch(&node, &Kind::Bool);
                    }
                    // The present name wins over an old one beside it.
                    if feature.name == name || !table.contains_key(feature.name) {
                        table.insert(feature.name.to_owned(), node);
                    }
                }
                None => self.unknown(node.key, |name| {
                    features::nearest_feature(name).map(|near| format!("did you mean `{near}`?"))
                }),
            }
            self.path.pop();
        }
    }

    fn mismatch(&mut self, node: &Node, kind: &'static Kind) {
        if self.shown_path().ends_with("wire_api") && node.as_str() == Some("chat") {
            return self.fail(
                node.at,
                "is `chat`, and chat completions are no longer spoken: only `responses` is; \
                 remove this line and use a `base_url` that serves `/responses`",
            );
        }
        let text = format!("must be {}, found {}", expected(kind, node), self.found(node, kind));
        self.fail(node.at, &text);
    }

    fn fail(&mut self, at: At, what: &str) {
        if self.error.as_ref().is_none_or(|(first, _)| at < *first) {
            let message = format!("`{}` {what}", self.shown_path());
            let error = self.layers.error(ConfigErrorKind::Invalid, at, message);
            self.error = Some((at, Box::new(error)));
        }
    }

    /// The found value; not its text when it may be a credential.
    fn found(&self, node: &Node, kind: &Kind) -> String {
        let quoted = |what: &str, value: &str| {
            let mut shown: String = value.chars().take(FOUND_CHARS).collect();
            if shown.len() < value.len() {
                shown.push('…');
            }
            let shown: String =
                shown.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            format!("{what} `{shown}`")
        };
        let secret = matches!(kind, Kind::Secret)
            || self.path.iter().any(|name| holds_secrets(name))
            || node.as_str().is_some_and(looks_secret);
        match &node.value {
            value if secret => value.type_name().to_owned(),
            Value::Bool(value) => quoted("the boolean", &value.to_string()),
            Value::Float(value) => quoted("the float", &value.to_string()),
            Value::Int(value) => quoted("the integer", &value.to_string()),
            Value::Str(value) if value.is_empty() => "an empty string".to_owned(),
            Value::Str(value) => quoted("the string", value),
            Value::Array(_) | Value::Datetime | Value::Table(_) => {
                node.value.type_name().to_owned()
            }
        }
    }

    /// The path of the current key, with quotes where a part needs them, of bounded length.
    fn shown_path(&self) -> String {
        let mut out = String::new();
        for part in &self.path {
            if !out.is_empty() {
                out.push('.');
            }
            let bare = !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            if bare {
                out.extend(part.chars().take(FOUND_CHARS));
            } else {
                let clean = part.chars().take(FOUND_CHARS).filter(|c| !c.is_control());
                out.push('"');
                out.extend(clean);
                out.push('"');
            }
            if part.chars().nth(FOUND_CHARS).is_some() {
                out.push('…');
            }
        }
        out
    }
}

/// Whether the TOML type of a value is one that a kind can take.
fn same_type(value: &Value, kind: &Kind) -> bool {
    match kind {
        Kind::Any => true,
        Kind::Bool => matches!(value, Value::Bool(_)),
        Kind::Either(kinds) => kinds.iter().any(|kind| same_type(value, kind)),
        Kind::Enum(_) | Kind::Path | Kind::Secret | Kind::Str => matches!(value, Value::Str(_)),
        Kind::Features | Kind::Map(..) | Kind::Profile | Kind::Table(_) | Kind::TableAnd(..) => {
            matches!(value, Value::Table(_))
        }
        Kind::Int(..) => matches!(value, Value::Int(_)),
        Kind::List(_) => matches!(value, Value::Array(_)),
        Kind::Number => matches!(value, Value::Int(_) | Value::Float(_)),
    }
}

/// What a kind takes, in words.
pub(super) fn wanted(kind: &Kind) -> String {
    match kind {
        Kind::Any => "anything".into(),
        Kind::Bool => "true or false".into(),
        Kind::Either(kinds) => kinds.iter().map(wanted).collect::<Vec<_>>().join(", or "),
        Kind::Enum([only]) => format!("`{only}`"),
        Kind::Enum(names) => {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("one of {}", names.join(", "))
        }
        Kind::Features => "a table of switches".into(),
        Kind::Int(min, i64::MAX) => format!("an integer of at least {min}"),
        Kind::Int(min, max) => format!("an integer from {min} to {max}"),
        Kind::List(kind) => match kind {
            Kind::Path => "an array of paths".into(),
            Kind::Str => "an array of strings".into(),
            _ => "an array".into(),
        },
        Kind::Map(..) | Kind::Profile | Kind::Table(_) | Kind::TableAnd(..) => "a table".into(),
        Kind::Number => "a number of at least 0".into(),
        Kind::Path => "a path".into(),
        Kind::Secret | Kind::Str => "a string".into(),
    }
}

/// As [`wanted`], with the remark that a value in quotes would do without them.
fn expected(kind: &Kind, node: &Node) -> String {
    let unquoted = match (kind, node.as_str()) {
        (Kind::Bool, Some(text)) => matches!(text, "true" | "false"),
        (Kind::Int(..) | Kind::Number, Some(text)) => text.parse::<i64>().is_ok(),
        _ => false,
    };
    let wanted = wanted(kind);
    if unquoted { format!("{wanted} (without quotes)") } else { wanted }
}

/// What an unknown name was probably meant to be: the same name elsewhere, or a neighbour.
fn suggestion(name: &str, keys: &'static [Key]) -> Option<String> {
    if let Some(key) = super::keys::root(name) {
        let name = key.name;
        return Some(format!("`{name}` belongs above the first [table] of the file"));
    }
    let elsewhere = ROOT.iter().find_map(|key| match key.kind {
        Kind::Table(inner) if inner.iter().any(|inner| inner.name == name) => {
            Some(format!("did you mean `{}.{name}`?", key.name))
        }
        _ => None,
    });
    elsewhere.or_else(|| {
        let near = nearest(name, keys.iter().map(|key| key.name))?;
        Some(format!("did you mean `{near}`?"))
    })
}

/// Moves old names of the top level (or of a profile) to where they live now.
fn rename(check: &mut Check<'_>, table: &mut Table) {
    for old in [
        "experimental_use_unified_exec_tool",
        "experimental_use_freeform_apply_patch",
        "include_apply_patch_tool",
    ] {
        if let (Some(node), Some(feature)) = (table.remove(old), features::find_feature(old)) {
            put(table, "features", feature.name, node);
        }
    }
    if let Some(node) = table.remove("tools_view_image") {
        put(table, "tools", "view_image", node);
    }
    if let Some(node) = table.remove("experimental_instructions_file") {
        check.warnings.push(Warning {
            kind: WarningKind::Deprecated,
            place: Some(check.layers.place(node.key)),
            message: "`experimental_instructions_file` has no effect; use \
                      `model_instructions_file`"
                .into(),
        });
    }
    let switches = table.get("features").and_then(Node::as_table);
    for (old, new) in [("web_search_request", "live"), ("web_search_cached", "cached")] {
        if let Some(node) = switches.and_then(|switches| switches.get(old)) {
            check.warnings.push(Warning {
                kind: WarningKind::Deprecated,
                place: Some(check.layers.place(node.key)),
                message: format!("the feature `{old}` is deprecated; use `web_search = \"{new}\"`"),
            });
        }
    }
}

/// Puts a value into an inner table unless that has one by this name.
fn put(table: &mut Table, outer: &str, inner: &str, node: Node) {
    let (key, at) = (node.key, node.at);
    let outer = table.entry(outer.to_owned()).or_insert_with(|| Node {
        key,
        at,
        value: Value::Table(Table::new()),
    });
    if let Value::Table(outer) = &mut outer.value {
        outer.entry(inner.to_owned()).or_insert(node);
    }
}
