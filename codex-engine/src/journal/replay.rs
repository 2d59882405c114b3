//! Feeds a journal to a new engine.

use std::sync::Arc;

use codex_proto::{
    Input, Now, Output, Settings,
    journal::{Entry, Hash64, Outcome},
};

use super::{
    error::{Difference, JournalError, JournalErrorKind},
    read::Reader,
    record::hash_outputs,
};
use crate::{Engine, Move};

/// A journal and an engine that lives through it again.
///
/// As an iterator it gives one [`Step`] per input, then ends; or gives one [`JournalError`], which
/// is the last item. An input at which the engine panics panics here too: [`Self::at`] then says
/// where.
#[derive(Clone, Debug)]
pub struct Replay<'a> {
    reader: Reader<'a>,
    engine: Engine,
    hash: Hash64,
    at: u64,
    is_over: bool,
    scratch: Vec<u8>,
}

/// One input that was fed again, and what came of it, which is what came of it then.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The number of the line, from 1.
    pub line: u64,
    /// The number of the input, from 1.
    pub n: u64,
    /// When.
    pub now: Now,
    /// What the engine was told.
    pub input: Input,
    /// What it answered, in order.
    pub outputs: Vec<Output>,
    /// The state changes it caused, in order.
    pub moves: Vec<Move>,
}

impl<'a> Replay<'a> {
    /// Reads the header and makes an engine.
    ///
    /// # Errors
    /// When the header cannot be used.
    pub fn open(text: &'a [u8]) -> Result<Self, JournalError> {
        let reader = Reader::open(text)?;
        let engine = Engine::new(Arc::clone(reader.settings()), reader.seed());
        let hash = Hash64::default();
        Ok(Self { reader, engine, hash, at: 0, is_over: false, scratch: Vec::new() })
    }

    /// The version that recorded. Another one may rightly answer something else.
    #[must_use]
    pub fn program(&self) -> &str {
        self.reader.program()
    }

    /// The settings of the engine.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        self.reader.settings()
    }

    /// The engine as it is now.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The hash of all outputs so far.
    #[must_use]
    pub fn hash(&self) -> Hash64 {
        self.hash
    }

    /// The line and the number of the input that was fed last, from 1; 0 before the first.
    #[must_use]
    pub fn at(&self) -> (u64, u64) {
        (self.reader.line(), self.at)
    }

    fn feed(&mut self, entry: Entry) -> Result<Step, JournalErrorKind> {
        let Entry { n, now, input, outcome } = entry;
        self.at = n;
        let outputs: Vec<Output> = self.engine.handle(now, input.clone()).collect();
        let expected = match outcome {
            Outcome::Outputs(expected) => expected,
            Outcome::Panic(message) => return Err(JournalErrorKind::NoPanic { n, message }),
        };
        self.hash = hash_outputs(self.hash, &outputs, &mut self.scratch);
        let got = self.hash;
        if got != expected {
            let difference = Difference { n, input, expected, got, outputs };
            return Err(JournalErrorKind::Difference(Box::new(difference)));
        }
        let moves = self.engine.moves().to_vec();
        Ok(Step { line: self.reader.line(), n, now, input, outputs, moves })
    }
}

impl Iterator for Replay<'_> {
    type Item = Result<Step, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        // Also when the engine panics.
        self.is_over = true;
        let step = self.reader.next()?.and_then(|entry| {
            self.feed(entry).map_err(|kind| JournalError { line: self.reader.line(), kind })
        });
        self.is_over = step.is_err();
        Some(step)
    }
}
