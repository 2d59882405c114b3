//! Recording what an engine is told, and telling it again.
//!
//! An engine is a pure function of its settings, its seed and its inputs, so a journal of these
//! ([`codex_proto::journal`] has the lines) is the whole run. [`Recorder`] writes one, [`Reader`]
//! reads one, [`Replay`] feeds one to a new engine and stops at the first output that differs.
//! [`record()`] does all of the first for inputs that are at hand, and [`scrub()`] takes the private words out.
//!
//! No file is touched here: journals are bytes.

mod error;
mod read;
mod record;
mod replay;
mod scrub;
#[cfg(test)]
mod tests;

pub use error::{Difference, JournalError, JournalErrorKind};
pub use read::Reader;
pub use record::{BYTES_MAX, Recorder, Unrecordable, record};
pub use replay::{Replay, Step};
pub use scrub::{Scrubbed, scrub};
