//! Writes a journal, line by line.

use std::sync::Arc;

use codex_proto::{
    Input, Now, Output, Settings,
    journal::{self, End, FORMAT, Gap, GapCause, Hash64, Header, Outcome},
};
use thiserror::Error;

use crate::Engine;

/// The size at which a journal ends with a gap, unless said otherwise: 64 MiB.
pub const BYTES_MAX: u64 = 64 << 20;

/// Kept free for the end of the last entry, a gap and the end line.
const RESERVED_BYTES: u64 = 4096;

/// Characters of a panic's message that are kept; each takes at most six bytes.
const PANIC_CHARS_MAX: usize = 400;

/// A buffer that grew beyond this for one input is given back.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

/// Writes the journal of one engine.
///
/// For each input: [`Self::input`] before the engine has it, then [`Self::outputs`] with all that
/// came of it, or [`Self::panicked`]. Lines collect until [`Self::take`]. Dropped without
/// [`Self::end`], it leaves a journal that counts as cut short.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// Not yet taken; ends in the middle of a line between `input` and `outputs`.
    lines: Vec<u8>,
    taken_bytes: u64,
    bytes_max: u64,
    hash: Hash64,
    inputs: u64,
    recorded: u64,
    has_gap: bool,
    /// Holds the outputs of one input as they are hashed.
    scratch: Vec<u8>,
}

/// A run that cannot be recorded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unrecordable {
    /// Some path in the settings is not UTF-8.
    #[error("the settings hold a path that is not UTF-8")]
    NotText,
    /// The first line alone exceeds the largest size.
    #[error("a journal of at most {bytes_max} bytes has no room for the settings")]
    TooSmall {
        /// That size.
        bytes_max: u64,
    },
}

impl Recorder {
    /// Begins with the header. `program` is the version that runs the engine.
    ///
    /// # Errors
    /// When the settings cannot be written down within `bytes_max`.
    pub fn new(
        settings: &Settings,
        seed: [u8; 16],
        program: &str,
        bytes_max: u64,
    ) -> Result<Self, Unrecordable> {
        let settings =
            serde_json::value::to_raw_value(settings).map_err(|_| Unrecordable::NotText)?;
        let header = Header {
            journal: FORMAT,
            program: program.to_owned(),
            seed,
            settings_hash: Hash64::of(settings.get().as_bytes()),
            settings,
        };
        let mut lines = Vec::new();
        header.write(&mut lines);
        if lines.len() as u64 + RESERVED_BYTES > bytes_max {
            return Err(Unrecordable::TooSmall { bytes_max });
        }
        Ok(Self {
            lines,
            taken_bytes: 0,
            bytes_max,
            hash: Hash64::default(),
            inputs: 0,
            recorded: 0,
            has_gap: false,
            scratch: Vec::new(),
        })
    }

    /// Writes down an input that the engine is about to have.
    pub fn input(&mut self, now: Now, input: &Input) {
        self.inputs += 1;
        if self.has_gap {
            return;
        }
        let before = self.lines.len();
        if journal::write_input(self.inputs, now, input, &mut self.lines).is_err() {
            self.gap(GapCause::NotText);
        } else if self.bytes() + RESERVED_BYTES > self.bytes_max {
            self.lines.truncate(before);
            self.gap(GapCause::Cap { bytes: self.bytes_max });
        } else {
            self.recorded += 1;
        }
    }

    /// Ends the entry of the last input with the hash of what came of it.
    pub fn outputs<'a>(&mut self, outputs: impl IntoIterator<Item = &'a Output>) {
        if self.has_gap {
            return;
        }
        self.hash = hash_outputs(self.hash, outputs, &mut self.scratch);
        journal::write_outcome(&Outcome::Outputs(self.hash), &mut self.lines);
    }

    /// Ends the entry of an input at which the engine panicked.
    pub fn panicked(&mut self, message: &str) {
        if self.has_gap {
            return;
        }
        let message = message.chars().take(PANIC_CHARS_MAX).collect();
        journal::write_outcome(&Outcome::Panic(message), &mut self.lines);
    }

    /// Records nothing more, and says why. Only between inputs.
    pub fn gap(&mut self, cause: GapCause) {
        if !self.has_gap {
            self.has_gap = true;
            journal::write_gap(&Gap { after: self.recorded, cause }, &mut self.lines);
        }
    }

    /// Writes the last line.
    pub fn end(&mut self) {
        self.end_after(self.inputs);
    }

    /// Writes the last line of a run that had more inputs than this recorder saw.
    pub(super) fn end_after(&mut self, inputs: u64) {
        journal::write_end(&End { inputs, recorded: self.recorded }, &mut self.lines);
    }

    /// The lines since the last time; whole ones when called between inputs.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        self.taken_bytes += self.lines.len() as u64;
        std::mem::take(&mut self.lines)
    }

    /// Bytes that [`Self::take`] would return.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.lines.len()
    }

    /// The hash of all outputs so far.
    #[must_use]
    pub fn hash(&self) -> Hash64 {
        self.hash
    }

    fn bytes(&self) -> u64 {
        self.taken_bytes + self.lines.len() as u64
    }
}

/// Continues a hash with the outputs of one input.
pub(super) fn hash_outputs<'a>(
    hash: Hash64,
    outputs: impl IntoIterator<Item = &'a Output>,
    scratch: &mut Vec<u8>,
) -> Hash64 {
    scratch.clear();
    outputs.into_iter().for_each(|output| journal::write_output(output, scratch));
    let hash = hash.then(scratch);
    if scratch.capacity() > BUFFER_BYTES_KEPT {
        *scratch = Vec::new();
    }
    hash
}

/// The journal of a new engine that is fed these inputs, within [`BYTES_MAX`].
///
/// # Errors
/// When the settings cannot be written down.
pub fn record<'a>(
    settings: &Arc<Settings>,
    seed: [u8; 16],
    program: &str,
    inputs: impl IntoIterator<Item = &'a (Now, Input)>,
) -> Result<Vec<u8>, Unrecordable> {
    let mut recorder = Recorder::new(settings, seed, program, BYTES_MAX)?;
    let mut engine = Engine::new(Arc::clone(settings), seed);
    let mut outputs = Vec::new();
    for (now, input) in inputs {
        recorder.input(*now, input);
        outputs.extend(engine.handle(*now, input.clone()));
        recorder.outputs(&outputs);
        outputs.clear();
    }
    recorder.end();
    Ok(recorder.take())
}
