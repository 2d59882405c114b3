//! What can be wrong with a journal, and where.

use std::fmt;

use codex_proto::{
    Input, Output,
    journal::{FORMAT, Gap, Hash64, LineError},
};

/// Something about a journal that ends its reading.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalError {
    /// Counts from 1.
    pub line: u64,
    /// What it is.
    pub kind: JournalErrorKind,
}

/// What can end the reading of a journal before its orderly end.
#[derive(Clone, Debug, PartialEq)]
pub enum JournalErrorKind {
    /// The end counts other entries than there are: the file was edited.
    Count {
        /// What the end says.
        stated: u64,
        /// What there is.
        found: u64,
    },
    /// The engine answered something else than when the journal was recorded.
    Difference(Box<Difference>),
    /// The journal is of another format.
    Format {
        /// Its number.
        found: u64,
    },
    /// Recording stopped here while the run went on. Everything before is as it was.
    Gap {
        /// Where and why.
        gap: Gap,
        /// Inputs of the whole run, if it ended in order.
        inputs: Option<u64>,
    },
    /// The line is none of a journal: the file was edited, or is something else.
    Malformed(String),
    /// The engine panicked here when the journal was recorded, and did not now.
    NoPanic {
        /// The input.
        n: u64,
        /// What the panic said.
        message: String,
    },
    /// An entry has another number than its place: the file was edited.
    Order {
        /// What its place asks for.
        expected: u64,
        /// What it says.
        found: u64,
    },
    /// The settings cannot be read by this program.
    Settings(String),
    /// The settings are not those that were recorded: the file was edited.
    SettingsHash {
        /// What the header says.
        stated: Hash64,
        /// That of the settings in the header.
        found: Hash64,
    },
    /// The file ends without an end: the run was killed, or the file was cut.
    Truncated {
        /// The last whole entry.
        after: u64,
        /// Whether a piece of a line follows it.
        torn: bool,
    },
}

/// The first input at which a replay differs from its journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The number of the input.
    pub n: u64,
    /// What the engine was told.
    pub input: Input,
    /// The hash in the journal.
    pub expected: Hash64,
    /// The hash of the replay.
    pub got: Hash64,
    /// What came of the input in the replay.
    pub outputs: Vec<Output>,
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.kind)
    }
}

impl std::error::Error for JournalError {}

impl fmt::Display for JournalErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { stated, found } => {
                write!(f, "the end speaks of {stated} entries, there are {found}")
            }
            Self::Difference(difference) => write!(
                f,
                "the outputs differ from input {} on: hash {} was recorded, {} came",
                difference.n, difference.expected, difference.got
            ),
            Self::Format { found } => {
                write!(f, "the journal has format {found}, this program reads format {FORMAT}")
            }
            Self::Gap { gap, inputs } => {
                write!(f, "nothing is recorded after input {}: {}", gap.after, gap.cause)?;
                match inputs {
                    Some(inputs) => write!(f, " ({inputs} inputs in all)"),
                    None => Ok(()),
                }
            }
            Self::Malformed(why) => write!(f, "this is no line of a journal: {why}"),
            Self::NoPanic { n, message } => {
                write!(f, "the recorded run panicked at input {n} (`{message}`), this one did not")
            }
            Self::Order { expected, found } => {
                write!(f, "this is entry {found} where entry {expected} belongs")
            }
            Self::Settings(why) => write!(f, "the settings cannot be read: {why}"),
            Self::SettingsHash { stated, found } => {
                write!(f, "the settings have hash {found}, the journal was recorded with {stated}")
            }
            Self::Truncated { after, torn: false } => {
                write!(f, "the journal has no end; its last entry is {after}")
            }
            Self::Truncated { after, torn: true } => {
                write!(f, "the journal breaks off in this line; its last whole entry is {after}")
            }
        }
    }
}

impl JournalError {
    /// What the reader can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self.kind {
            JournalErrorKind::Format { .. } | JournalErrorKind::Settings(_) => {
                Some("replay it with the version that recorded it")
            }
            JournalErrorKind::Count { .. }
            | JournalErrorKind::Malformed(_)
            | JournalErrorKind::Order { .. }
            | JournalErrorKind::SettingsHash { .. } => {
                Some("only journals as they were recorded can be replayed; take the original file")
            }
            JournalErrorKind::Truncated { .. } => {
                Some("the run was killed, or the file was cut; what is there can be replayed")
            }
            JournalErrorKind::Difference(_)
            | JournalErrorKind::Gap { .. }
            | JournalErrorKind::NoPanic { .. } => None,
        }
    }

    pub(super) fn of_line(line: u64, error: LineError) -> Self {
        let kind = match error {
            LineError::Format { found } => JournalErrorKind::Format { found },
            LineError::Malformed(why) => JournalErrorKind::Malformed(why),
        };
        Self { line, kind }
    }
}
