//! Reads a journal without an engine.
//!
//! ```text
//! Entries --entry--> Entries
//! Entries --gap--> Gapped      told once the end, or the end of the file, has come
//! Entries --end--> Ended
//! Entries --end of file--> Done      cut short
//! Gapped  --end, end of file--> Done
//! Ended   --end of file--> Done
//! any     --anything else--> Done      with the error
//! ```

use std::sync::Arc;

use codex_proto::{
    Settings,
    journal::{Entry, Gap, Hash64, Header, Line},
};

use super::error::{JournalError, JournalErrorKind};

/// The entries of a journal, in order; then, unless it ended in order, one error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    header: Header,
    settings: Arc<Settings>,
    /// Of the line that was read last.
    line: u64,
    /// Of the entry that was read last.
    n: u64,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Done,
    Ended,
    Entries,
    Gapped { line: u64, gap: Gap },
}

/// A line without its line end, whether it had one, and what follows.
fn split_line(text: &[u8]) -> (&[u8], bool, &[u8]) {
    match text.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&text[..at], true, &text[at + 1..]),
        None => (text, false, &[]),
    }
}

impl<'a> Reader<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// When there is none, or it is of another format, or its settings cannot be used.
    pub fn open(text: &'a [u8]) -> Result<Self, JournalError> {
        let fail = |kind| JournalError { line: 1, kind };
        let (line, _, rest) = split_line(text);
        let header = Header::parse(line).map_err(|error| JournalError::of_line(1, error))?;
        let found = Hash64::of(header.settings.get().as_bytes());
        if found != header.settings_hash {
            let stated = header.settings_hash;
            return Err(fail(JournalErrorKind::SettingsHash { stated, found }));
        }
        let settings = serde_json::from_str(header.settings.get())
            .map_err(|error| fail(JournalErrorKind::Settings(error.to_string())))?;
        let settings = Arc::new(settings);
        Ok(Self { rest, header, settings, line: 1, n: 0, state: State::Entries })
    }

    /// The version that recorded.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.header.program
    }

    /// The seed of the engine.
    #[must_use]
    pub fn seed(&self) -> [u8; 16] {
        self.header.seed
    }

    /// The settings of the engine.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// The number of the line that was read last, from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    fn read(&mut self) -> Result<Option<Entry>, JournalErrorKind> {
        loop {
            if self.rest.is_empty() {
                let state = std::mem::replace(&mut self.state, State::Done);
                return match state {
                    State::Done | State::Ended => Ok(None),
                    State::Entries => {
                        Err(JournalErrorKind::Truncated { after: self.n, torn: false })
                    }
                    State::Gapped { line, gap } => {
                        self.line = line;
                        Err(JournalErrorKind::Gap { gap, inputs: None })
                    }
                };
            }
            let (line, is_whole, rest) = split_line(self.rest);
            self.rest = rest;
            self.line += 1;
            if !is_whole {
                return Err(JournalErrorKind::Truncated { after: self.n, torn: true });
            }
            let line = Line::parse(line).map_err(|error| JournalError::of_line(0, error).kind)?;
            match (self.state, line) {
                (State::Entries, Line::Entry(entry)) => {
                    let expected = self.n + 1;
                    if entry.n != expected {
                        return Err(JournalErrorKind::Order { expected, found: entry.n });
                    }
                    self.n = expected;
                    return Ok(Some(entry));
                }
                (State::Entries, Line::Gap(gap)) => {
                    self.check_count(gap.after)?;
                    self.state = State::Gapped { line: self.line, gap };
                }
                (State::Entries, Line::End(end)) => {
                    self.check_count(end.recorded)?;
                    self.check_count(end.inputs)?;
                    self.state = State::Ended;
                }
                (State::Gapped { line, gap }, Line::End(end)) => {
                    self.check_count(end.recorded)?;
                    if !self.rest.is_empty() {
                        self.line += 1;
                        return Err(after_the_end());
                    }
                    self.line = line;
                    return Err(JournalErrorKind::Gap { gap, inputs: Some(end.inputs) });
                }
                (State::Gapped { .. } | State::Ended | State::Done, _) => {
                    return Err(after_the_end());
                }
            }
        }
    }

    fn check_count(&self, stated: u64) -> Result<(), JournalErrorKind> {
        let found = self.n;
        if stated == found { Ok(()) } else { Err(JournalErrorKind::Count { stated, found }) }
    }
}

fn after_the_end() -> JournalErrorKind {
    JournalErrorKind::Malformed("something follows the end".into())
}

impl Iterator for Reader<'_> {
    type Item = Result<Entry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if matches!(self.state, State::Done) {
            return None;
        }
        self.read()
            .map_err(|kind| {
                self.state = State::Done;
                JournalError { line: self.line, kind }
            })
            .transpose()
    }
}
