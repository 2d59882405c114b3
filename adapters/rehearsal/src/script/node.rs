//! JSON values that know their place in the text, so that each error can name its line.

use std::{cell::RefCell, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, value::RawValue};

use super::ScriptError;

/// The text of a script.
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

/// A value inside the text.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    source: &'a Source<'a>,
    /// A part of `source.text`.
    raw: &'a str,
}

/// The fields of an object; each must be taken.
pub(super) struct Fields<'a> {
    pub(super) node: Node<'a>,
    what: &'static str,
    entries: Vec<(String, Node<'a>)>,
    /// All keys that were asked for.
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Source<'a> {
    pub(super) fn root(&'a self) -> Result<Node<'a>, ScriptError> {
        let whole = Node { source: self, raw: self.text };
        let raw: &RawValue = whole.read()?;
        Ok(Node { source: self, raw: raw.get() })
    }
}

impl<'a> Node<'a> {
    /// Where the value starts, counted from 1.
    pub(super) fn line(&self) -> usize {
        self.place().0
    }

    fn place(&self) -> (usize, usize) {
        let at = self.raw.as_ptr() as usize - self.source.text.as_ptr() as usize;
        let before = &self.source.text.as_bytes()[..at];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        (before.iter().filter(|byte| **byte == b'\n').count() + 1, at - line_start + 1)
    }

    pub(super) fn error(&self, message: impl Into<String>) -> ScriptError {
        let (line, column) = self.place();
        let file = self.source.name.to_owned();
        ScriptError { file, line, column, message: message.into() }
    }

    fn read<T: Deserialize<'a>>(&self) -> Result<T, ScriptError> {
        serde_json::from_str(self.raw).map_err(|error| {
            let text = error.to_string();
            let message = text.split(" at line ").next().unwrap_or_default();
            let mut place = self.error(format!("the script is not valid JSON: {message}"));
            if error.line() > 1 {
                (place.line, place.column) = (place.line + error.line() - 1, error.column());
            } else {
                place.column += error.column().saturating_sub(1);
            }
            place
        })
    }

    pub(super) fn is_object(&self) -> bool {
        self.raw.starts_with('{')
    }

    pub(super) fn is_text(&self) -> bool {
        self.raw.starts_with('"')
    }

    pub(super) fn is_null(&self) -> bool {
        self.raw == "null"
    }

    pub(super) fn is_list(&self) -> bool {
        self.raw.starts_with('[')
    }

    /// `what` names the object in messages, with its article.
    pub(super) fn fields(&self, what: &'static str) -> Result<Fields<'a>, ScriptError> {
        if !self.is_object() {
            return Err(self.error(format!("expected {what}, which is an object")));
        }
        let pairs: Pairs<'a> = self.read()?;
        let entries: Vec<(String, Node<'a>)> = pairs
            .0
            .into_iter()
            .map(|(key, raw)| (key, Node { source: self.source, raw: raw.get() }))
            .collect();
        for (index, (key, node)) in entries.iter().enumerate() {
            if entries[..index].iter().any(|(other, _)| other == key) {
                return Err(node.error(format!("the key `{key}` is there twice")));
            }
        }
        Ok(Fields { node: *self, what, entries, known: RefCell::default() })
    }

    pub(super) fn list(&self) -> Result<Vec<Self>, ScriptError> {
        if !self.is_list() {
            return Err(self.error("expected a list"));
        }
        let items: Vec<&'a RawValue> = self.read()?;
        Ok(items.into_iter().map(|raw| Node { source: self.source, raw: raw.get() }).collect())
    }

    /// A list, or one value that stands for a list of one.
    pub(super) fn one_or_list(&self) -> Result<Vec<Self>, ScriptError> {
        if self.is_list() { self.list() } else { Ok(vec![*self]) }
    }

    pub(super) fn plain_text(&self) -> Result<String, ScriptError> {
        if self.is_text() { self.read() } else { Err(self.error("expected a string")) }
    }

    /// A string whose templates are checked.
    pub(super) fn text(&self) -> Result<String, ScriptError> {
        let text = self.plain_text()?;
        crate::template::check(&text).map_err(|message| self.error(message))?;
        Ok(text)
    }

    pub(super) fn texts(&self) -> Result<Vec<String>, ScriptError> {
        self.one_or_list()?.iter().map(Self::text).collect()
    }

    pub(super) fn flag(&self) -> Result<bool, ScriptError> {
        match self.raw {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.error("expected true or false")),
        }
    }

    pub(super) fn number(&self, min: u64, max: u64) -> Result<u64, ScriptError> {
        let number = self.raw.parse().ok().filter(|number| (min..=max).contains(number));
        number.ok_or_else(|| self.error(format!("expected a whole number from {min} to {max}")))
    }

    pub(super) fn size(&self, min: usize, max: usize) -> Result<usize, ScriptError> {
        let number = self.number(min as u64, max as u64)?;
        Ok(usize::try_from(number).unwrap_or(max))
    }

    pub(super) fn signed(&self) -> Result<i64, ScriptError> {
        self.raw.parse().map_err(|_| self.error("expected a whole number"))
    }

    /// Any JSON, in which nothing is filled in.
    pub(super) fn raw_json(&self) -> Result<Value, ScriptError> {
        self.read()
    }

    /// Any JSON, with its templates checked.
    pub(super) fn json(&self) -> Result<Value, ScriptError> {
        let json: Value = self.read()?;
        self.check_json(&json)?;
        Ok(json)
    }

    fn check_json(&self, json: &Value) -> Result<(), ScriptError> {
        match json {
            Value::String(text) => {
                crate::template::check(text).map_err(|message| self.error(message))
            }
            Value::Array(items) => items.iter().try_for_each(|one| self.check_json(one)),
            Value::Object(map) => map.values().try_for_each(|one| self.check_json(one)),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }
}

impl<'a> Fields<'a> {
    /// Takes a field, if it is there.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.known.get_mut().push(key);
        let index = self.entries.iter().position(|(have, _)| have == key)?;
        Some(self.entries.swap_remove(index).1)
    }

    /// Takes a field, if it is there, and reads it.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Node<'a>) -> Result<T, ScriptError>,
    ) -> Result<Option<T>, ScriptError> {
        self.take(key).map(|node| read(&node)).transpose()
    }

    /// Whether a field is there and not taken yet.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(have, _)| have == key)
    }

    /// The fields, with all their names.
    pub(super) fn into_entries(self) -> Vec<(String, Node<'a>)> {
        self.entries
    }

    /// Refuses what was not taken. A `note` is for people and may stand everywhere.
    pub(super) fn finish(self) -> Result<(), ScriptError> {
        let Some((key, node)) = self.entries.iter().find(|(key, _)| key != "note") else {
            return Ok(());
        };
        let mut known = self.known.into_inner();
        known.push("note");
        known.sort_unstable();
        known.dedup();
        let message = format!("{} has no key `{key}`; known are {}", self.what, known.join(", "));
        Err(node.error(message))
    }
}

/// An object in order, its values unread.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
