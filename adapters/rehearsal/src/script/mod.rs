//! Scripts: what the model answers, in which order, and on what grounds.
//!
//! `node` reads JSON and keeps places, `read` turns it into the types of this file and refuses
//! what has no meaning, so that playing a script can only fail on what a request lacks.

mod node;
mod read;
pub(crate) mod voice;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use serde_json::Value;

use crate::condition::Condition;

/// Longest wait that a script may ask for, in milliseconds: one day.
const WAIT_MS_MAX: u64 = 24 * 60 * 60 * 1000;
/// Largest filler and largest number of repetitions.
const FILLER_MAX: usize = 1 << 30;

/// What a scripted model answers. Immutable and cheap to clone.
#[derive(Clone, Debug)]
pub struct Script {
    pub(crate) name: Arc<str>,
    pub(crate) model: Arc<str>,
    pub(crate) steps: Vec<Arc<Step>>,
    pub(crate) default: Option<Arc<Step>>,
    pub(crate) routes: Vec<Arc<Route>>,
    pub(crate) voice: Option<Arc<voice::VoiceScript>>,
}

/// A script that cannot be used, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// The name that the text was read under.
    pub file: String,
    /// Counts from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// In bytes, counts from 1; 0 when the file as a whole is meant.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl std::error::Error for ScriptError {}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}:{}: {}", self.file, self.column, self.message),
        }
    }
}

impl Script {
    /// Reads a script. `name` stands in error messages for where the text came from.
    ///
    /// # Errors
    /// When the text is not JSON, or says something that has no meaning; with its place.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScriptError> {
        read::script(name, text)
    }

    /// Reads a script from JSON at hand, for tests that build scripts in code.
    ///
    /// # Errors
    /// As [`Self::parse`]; places refer to the indented form of the JSON.
    pub fn from_json(json: &Value) -> Result<Self, ScriptError> {
        Self::parse("script", &format!("{json:#}"))
    }
}

/// One step: when it applies, and what it does.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) when: Condition,
    pub(crate) action: Action,
}

#[derive(Debug)]
pub(crate) enum Action {
    Answer(Box<Answer>),
    /// Replaced by one of its lists when it is reached.
    Branch {
        condition: Condition,
        then: Vec<Arc<Step>>,
        otherwise: Vec<Arc<Step>>,
    },
}

#[derive(Debug)]
pub(crate) struct Answer {
    /// How many requests it answers; `None` is all that come.
    pub(crate) repeat: Option<u64>,
    /// Whether all later steps are dropped.
    pub(crate) last: bool,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// Before the head.
    pub(crate) delay_ms: u64,
    /// Between chunks.
    pub(crate) gap_ms: u64,
    /// Whether not even a head is sent.
    pub(crate) silent: bool,
    pub(crate) chunks: Chunks,
    pub(crate) content: Content,
    pub(crate) ending: Ending,
    /// How long a hanging connection is kept.
    pub(crate) hang_ms: u64,
    /// How many events are sent before the end.
    pub(crate) cut_after: Option<usize>,
    /// How many bytes of the body are sent before the end.
    pub(crate) cut_bytes: Option<usize>,
    /// The events as one body, where they are the same for each request.
    pub(crate) prepared: OnceLock<Arc<[u8]>>,
}

/// How a body is cut into chunks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Chunks {
    Events,
    One,
    /// In bytes, none of them 0; taken in turn.
    Sizes(Vec<usize>),
}

#[derive(Debug)]
pub(crate) enum Content {
    Json(Value),
    /// A stream of events, made from items.
    Items(Stream),
    /// Anything, sent as it is, with its content type.
    Text(String, &'static str),
}

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) items: Vec<Item>,
    pub(crate) deltas: Deltas,
    pub(crate) usage: Usage,
    pub(crate) end_turn: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Deltas {
    Chars(usize),
    None,
    Words,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Usage {
    Counts {
        input: u64,
        cached: u64,
        output: u64,
        reasoning: u64,
        total: u64,
    },
    /// A quarter of the bytes of the request and of the events.
    Estimate,
    None,
}

/// How an answer ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ending {
    /// The body ends in good order, without a final event.
    Close,
    Completed,
    /// The connection is closed inside the body.
    Cut,
    Failed(Value),
    Hang,
    Incomplete(String),
    /// The connection is reset.
    Reset,
}

impl Ending {
    /// Whether an event says so.
    pub(crate) fn is_event(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed(_) | Self::Incomplete(_))
    }
}

#[derive(Debug)]
pub(crate) enum Item {
    Bytes(Vec<u8>),
    Call {
        name: String,
        namespace: Option<String>,
        args: Args,
        call_id: Option<String>,
    },
    Custom {
        name: String,
        input: String,
        call_id: Option<String>,
    },
    /// One event, sent as it is.
    Event(Value),
    /// So many bytes `x` without a line end.
    Junk(usize),
    LocalShell {
        command: Vec<String>,
        call_id: Option<String>,
    },
    Message {
        text: String,
        times: usize,
        phase: Option<String>,
    },
    /// An output item, sent as it is.
    Raw(Value),
    Reasoning {
        summary: Vec<String>,
        content: Vec<String>,
        encrypted: Option<String>,
    },
    /// Text put between the events as it is.
    Sse(String),
    WebSearch(String),
}

#[derive(Debug)]
pub(crate) enum Args {
    Json(Value),
    Text(String),
}

/// A fixed answer to a path that is not the model's.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: String,
    /// The path, or its end.
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) content_type: &'static str,
}
