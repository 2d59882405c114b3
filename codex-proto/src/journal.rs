//! The lines of a journal: what an engine was told, in order, and a hash of what it answered.
//!
//! ```text
//! {"journal":1,"program":"0.1.0","seed":"<32 hex>","settings_hash":"<16 hex>","settings":{…}}
//! {"n":1,"mono":0,"wall":1795328118541,"in":{"op":[1,"start_thread"]},"out":"<16 hex>"}
//! {"n":2,"mono":42,"wall":1795328118541,"in":{"reply":[1,"closed"]},"panic":"<what it said>"}
//! {"gap":{"after":2,"cause":"cap","bytes":67108864}}
//! {"end":{"inputs":9,"recorded":2}}
//! ```
//!
//! One header, entries numbered from 1, then at most one gap and one end. `mono` is in
//! microseconds, `wall` in milliseconds. `out` covers every output so far; an input at which the
//! engine panicked has `panic` instead. After a gap nothing more is recorded, but inputs are still
//! counted. A journal without an end was cut short.
//!
//! Bytes are a string when they are UTF-8, and `{"base64":"…"}` when they are not.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{Input, Mono, Now, Output, Wall};

/// The format of the lines; another number is another format.
pub const FORMAT: u64 = 1;

/// XXH3 with 64 bits: not for secrets, the same everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hash64(pub u64);

impl Hash64 {
    /// Of bytes alone.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::default().then(bytes)
    }

    /// Of everything before and these bytes.
    #[must_use]
    pub fn then(self, bytes: &[u8]) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0))
    }
}

impl fmt::Display for Hash64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Hash64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = u64::from_str_radix(&text, 16).ok().filter(|_| is_hex);
        value.map(Self).ok_or_else(|| de::Error::custom("a hash is 16 hexadecimal digits"))
    }
}

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub journal: u64,
    /// Version of the program that recorded.
    pub program: String,
    /// Seed of the engine.
    #[serde(with = "seed")]
    pub seed: [u8; 16],
    /// Of the text of `settings`.
    pub settings_hash: Hash64,
    /// [`crate::Settings`] as JSON text.
    pub settings: Box<RawValue>,
}

/// Any line but the first.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// An orderly end.
    End(End),
    /// An input.
    Entry(Entry),
    /// Nothing was recorded from here on.
    Gap(Gap),
}

/// One input and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Counts from 1.
    pub n: u64,
    /// When.
    pub now: Now,
    /// What the engine was told.
    pub input: Input,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The hash of all outputs so far.
    Outputs(Hash64),
    /// The engine panicked, and said this.
    Panic(String),
}

/// Where recording stopped while the engine went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The last input that was recorded.
    pub after: u64,
    /// Why.
    #[serde(flatten)]
    pub cause: GapCause,
}

/// Why recording stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum GapCause {
    /// The disk was too slow.
    Behind {
        /// This much waited to be written.
        bytes: u64,
    },
    /// The journal reached its largest size.
    Cap {
        /// That size.
        bytes: u64,
    },
    /// An input held a path that is not UTF-8.
    NotText,
}

impl fmt::Display for GapCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behind { bytes } => write!(f, "the disk was too slow, {bytes} bytes waited"),
            Self::Cap { bytes } => write!(f, "the journal reached its cap of {bytes} bytes"),
            Self::NotText => f.write_str("an input held a path that is not UTF-8"),
        }
    }
}

/// The last line of a run that ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Inputs that the engine was given.
    pub inputs: u64,
    /// Entries in the journal.
    pub recorded: u64,
}

/// Why a line cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LineError {
    /// It is of a format that this program does not know.
    #[error("the journal has format {found}, this program reads format {FORMAT}")]
    Format {
        /// The number it has.
        found: u64,
    },
    /// It is not what a journal has in this place.
    #[error("not a line of a journal: {0}")]
    Malformed(String),
}

impl From<serde_json::Error> for LineError {
    fn from(error: serde_json::Error) -> Self {
        let text = error.to_string();
        // Lines are counted by who reads the file.
        let end = text.rfind(" at line ").unwrap_or(text.len());
        Self::Malformed(format!("{} (column {})", &text[..end], error.column()))
    }
}

impl Header {
    /// Reads the first line.
    ///
    /// # Errors
    /// When it is no header, or one of another format.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        #[derive(Deserialize)]
        struct Format {
            journal: u64,
        }

        let format = serde_json::from_slice::<Format>(line)
            .map_err(|_| LineError::Malformed("a journal begins with `{\"journal\":…`".into()))?;
        if format.journal != FORMAT {
            return Err(LineError::Format { found: format.journal });
        }
        Ok(serde_json::from_slice(line)?)
    }

    /// Appends the line, with its line end.
    pub fn write(&self, to: &mut Vec<u8>) {
        write_json(self, to);
        to.push(b'\n');
    }
}

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// When it is no line of a journal.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            n: Option<u64>,
            mono: Option<u64>,
            wall: Option<i64>,
            r#in: Option<Input>,
            out: Option<Hash64>,
            panic: Option<String>,
            gap: Option<Gap>,
            end: Option<End>,
        }

        let Fields { n, mono, wall, r#in, out, panic, gap, end } = serde_json::from_slice(line)?;
        match (n, mono, wall, r#in, out, panic, gap, end) {
            (Some(n), Some(mono), Some(wall), Some(input), out, panic, None, None) => {
                let outcome = match (out, panic) {
                    (Some(hash), None) => Outcome::Outputs(hash),
                    (None, Some(message)) => Outcome::Panic(message),
                    _ => {
                        let text = "an entry has either `out` or `panic`";
                        return Err(LineError::Malformed(text.into()));
                    }
                };
                let now = Now { mono: Mono(mono), wall: Wall(wall) };
                Ok(Self::Entry(Entry { n, now, input, outcome }))
            }
            (None, None, None, None, None, None, Some(gap), None) => Ok(Self::Gap(gap)),
            (None, None, None, None, None, None, None, Some(end)) => Ok(Self::End(end)),
            _ => {
                let text = "neither a whole entry, nor a gap, nor an end";
                Err(LineError::Malformed(text.into()))
            }
        }
    }
}

/// Appends the part of an entry that is known before the engine has the input.
///
/// # Errors
/// When the input holds a path that is not UTF-8; `to` is as it was.
pub fn write_input(
    n: u64,
    now: Now,
    input: &Input,
    to: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let before = to.len();
    let (mono, wall) = (now.mono.0, now.wall.0);
    to.extend_from_slice(format!("{{\"n\":{n},\"mono\":{mono},\"wall\":{wall},\"in\":").as_bytes());
    serde_json::to_writer(&mut *to, input).inspect_err(|_| to.truncate(before))
}

/// Appends the rest of an entry.
pub fn write_outcome(outcome: &Outcome, to: &mut Vec<u8>) {
    match outcome {
        Outcome::Outputs(hash) => to.extend_from_slice(format!(",\"out\":\"{hash}\"").as_bytes()),
        Outcome::Panic(message) => {
            to.extend_from_slice(b",\"panic\":");
            write_json(message, to);
        }
    }
    to.extend_from_slice(b"}\n");
}

/// Appends a gap, with its line end.
pub fn write_gap(gap: &Gap, to: &mut Vec<u8>) {
    to.extend_from_slice(b"{\"gap\":");
    write_json(gap, to);
    to.extend_from_slice(b"}\n");
}

/// Appends an end, with its line end.
pub fn write_end(end: &End, to: &mut Vec<u8>) {
    to.extend_from_slice(b"{\"end\":");
    write_json(end, to);
    to.extend_from_slice(b"}\n");
}

/// Appends an output as it is hashed: one line of JSON.
pub fn write_output(output: &Output, to: &mut Vec<u8>) {
    write_json(output, to);
    to.push(b'\n');
}

/// What cannot be written as JSON (a path that is not UTF-8) is written as the reason.
fn write_json(value: &impl Serialize, to: &mut Vec<u8>) {
    let before = to.len();
    if let Err(error) = serde_json::to_writer(&mut *to, value) {
        to.truncate(before);
        to.extend_from_slice(error.to_string().as_bytes());
    }
}

/// Reads a field that is there, so that `null` stays apart from a field that is missing.
pub(crate) fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

mod seed {
    use super::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(seed: &[u8; 16], to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:032x}", u128::from_be_bytes(*seed)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 16], D::Error> {
        let text = String::deserialize(from)?;
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = u128::from_str_radix(&text, 16).ok().filter(|_| is_hex);
        let value = value.ok_or_else(|| de::Error::custom("a seed is 32 hexadecimal digits"))?;
        Ok(value.to_be_bytes())
    }
}

/// Bytes as a string when they are UTF-8, else as `{"base64":"…"}`; for `#[serde(with)]`.
pub(crate) mod bytes {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::{Deserializer, Serialize, Serializer, de, fmt};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Coded {
            base64: String,
        }

        match std::str::from_utf8(bytes) {
            Ok(text) => to.serialize_str(text),
            Err(_) => Coded { base64: BASE64_STANDARD.encode(bytes) }.serialize(to),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        from.deserialize_any(Visitor)
    }

    struct Visitor;

    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or {\"base64\":\"…\"}")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
            Ok(text.into())
        }

        fn visit_string<E: de::Error>(self, text: String) -> Result<Vec<u8>, E> {
            Ok(text.into_bytes())
        }

        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Vec<u8>, A::Error> {
            let error = || de::Error::custom("bytes are a string or {\"base64\":\"…\"}");
            let Some((name, text)) = map.next_entry::<String, String>()? else {
                return Err(error());
            };
            if name != "base64" || map.next_key::<String>()?.is_some() {
                return Err(error());
            }
            BASE64_STANDARD.decode(text).map_err(de::Error::custom)
        }
    }

    /// The same for bytes that may be missing.
    pub(crate) mod optional {
        use serde::Deserialize;

        use super::{Deserializer, Serialize, Serializer};

        #[derive(Serialize, Deserialize)]
        #[serde(transparent)]
        struct Bytes(#[serde(with = "super")] Vec<u8>);

        pub(crate) fn serialize<S: Serializer>(
            bytes: &Option<Vec<u8>>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match bytes {
                Some(bytes) => to.serialize_some(&Borrowed(bytes)),
                None => to.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<Vec<u8>>, D::Error> {
            Ok(Option::<Bytes>::deserialize(from)?.map(|bytes| bytes.0))
        }

        struct Borrowed<'a>(&'a [u8]);

        impl Serialize for Borrowed<'_> {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                super::serialize(self.0, to)
            }
        }
    }
}

#[cfg(test)]
mod tests;
