//! The tree that all layers are read into: TOML values that remember where they were written.

use std::{collections::BTreeMap, fmt, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Levels of nesting that a layer may have. The deepest known key is at level 6.
pub(super) const DEPTH_MAX: usize = 64;

/// Where a key or value was written: a byte range in the text of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    /// Index into [`super::layer::Layers`].
    pub(super) layer: u16,
    /// First byte.
    pub(super) start: u32,
    /// One past the last byte.
    pub(super) end: u32,
}

/// A table. Iterates in the order of names; [`in_file_order`] gives the order of writing.
pub(super) type Table = BTreeMap<String, Node>;

/// A value and where it and its key were written.
#[derive(Clone)]
pub(super) struct Node {
    /// Where the key is; for the items of an array, where the item is.
    pub(super) key: At,
    /// Where the value is.
    pub(super) at: At,
    /// The value.
    pub(super) value: Value,
}

/// A TOML value.
#[derive(Clone)]
pub(super) enum Value {
    Array(Vec<Node>),
    Bool(bool),
    /// No key takes one; kept only to say so.
    Datetime,
    Float(f64),
    Int(i64),
    Str(String),
    Table(Table),
}

// Values may be credentials, so that no derive may print them.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({} at {:?})", self.value.type_name(), self.at)
    }
}

impl Value {
    /// The type with its article.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Array(_) => "an array",
            Self::Bool(_) => "a boolean",
            Self::Datetime => "a date",
            Self::Float(_) => "a float",
            Self::Int(_) => "an integer",
            Self::Str(_) => "a string",
            Self::Table(_) => "a table",
        }
    }
}

impl Node {
    /// The string, if it is one.
    pub(super) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub(super) fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The integer, if it is one and not negative.
    pub(super) fn as_u64(&self) -> Option<u64> {
        match self.value {
            Value::Int(value) => u64::try_from(value).ok(),
            _ => None,
        }
    }

    /// The table, if it is one.
    pub(super) fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The strings of an array; items of other types are left out.
    pub(super) fn strings(&self) -> Vec<String> {
        match &self.value {
            Value::Array(items) => {
                items.iter().filter_map(Self::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Looks a value up by its path.
pub(super) fn find<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Node> {
    let (first, rest) = path.split_first()?;
    let node = table.get(*first)?;
    if rest.is_empty() { Some(node) } else { find(node.as_table()?, rest) }
}

/// Name and node of each entry, in the order of layers and, within a layer, of writing.
pub(super) fn in_file_order(table: &Table) -> Vec<(&String, &Node)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(_, node)| node.key);
    entries
}

/// Lays `high` over `low`: tables merge key by key, everything else is replaced.
pub(super) fn merge(low: &mut Table, high: Table) {
    for (name, node) in high {
        match low.get_mut(&name) {
            Some(Node { value: Value::Table(below), .. }) if node.as_table().is_some() => {
                if let Value::Table(above) = node.value {
                    merge(below, above);
                }
            }
            Some(below) => *below = node,
            None => {
                low.insert(name, node);
            }
        }
    }
}

/// Why a parsed document cannot become a [`Table`].
pub(super) struct Unfit {
    pub(super) at: At,
    pub(super) why: &'static str,
}

/// Converts a parsed table.
pub(super) fn from_table(table: DeTable<'_>, layer: u16, depth: usize) -> Result<Table, Unfit> {
    let mut out = Table::new();
    for (key, value) in table {
        let key_at = at(layer, key.span());
        let node = from_value(value, layer, depth + 1)?;
        out.insert(key.into_inner().into_owned(), Node { key: key_at, ..node });
    }
    Ok(out)
}

/// Converts a parsed value; its key is taken to be where it is itself.
pub(super) fn from_value(
    value: Spanned<DeValue<'_>>,
    layer: u16,
    depth: usize,
) -> Result<Node, Unfit> {
    let at = at(layer, value.span());
    if depth > DEPTH_MAX {
        return Err(Unfit { at, why: "nested more than 64 levels deep" });
    }
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Str(text.into_owned()),
        DeValue::Integer(int) => match i64::from_str_radix(int.as_str(), int.radix()) {
            Ok(int) => Value::Int(int),
            Err(_) => return Err(Unfit { at, why: "this integer does not fit into 64 bits" }),
        },
        DeValue::Float(float) => match float.as_str().parse() {
            Ok(float) => Value::Float(float),
            Err(_) => return Err(Unfit { at, why: "this number cannot be read" }),
        },
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(items) => Value::Array(
            items
                .into_iter()
                .map(|item| from_value(item, layer, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        DeValue::Table(table) => Value::Table(from_table(table, layer, depth)?),
    };
    Ok(Node { key: at, at, value })
}

fn at(layer: u16, span: std::ops::Range<usize>) -> At {
    // Texts are bounded far below 4 GiB before they are parsed.
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    At { layer, start: narrow(span.start), end: narrow(span.end) }
}

/// Makes a path absolute: `~/` expands to `home`, a relative path starts at `base`; `.` and `..`
/// are resolved by name. `None` when `~` is used and there is no home.
pub(super) fn absolute(path: &str, base: &Path, home: Option<&Path>) -> Option<std::path::PathBuf> {
    let rest = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let joined = match rest {
        Some(rest) => home?.join(rest.trim_start_matches('/')),
        None => base.join(path),
    };
    Some(normal(&joined))
}

/// Resolves `.` and `..` by name, without looking at the disk.
pub(super) fn normal(path: &Path) -> std::path::PathBuf {
    use std::path::{Component, PathBuf};
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            Component::Normal(_) | Component::Prefix(_) | Component::RootDir => out.push(part),
        }
    }
    out
}
