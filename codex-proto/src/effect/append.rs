//! Lines that go into a rollout.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::id::ThreadId;

/// Lines for a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Append {
    /// Whose rollout.
    pub thread: ThreadId,
    /// Absolute path; the file and its folders are created when missing.
    pub path: PathBuf,
    /// Whole lines, each ended by LF. Written by one call; a partial write is undone. None claims a
    /// file that is there: no other process may write it from then on. When another one has it
    /// already, that fails with [`crate::HostErrorKind::InUse`], as every append does.
    #[serde(with = "crate::journal::bytes")]
    pub bytes: Vec<u8>,
    /// Sync the file after answering `Closed`.
    pub sync: bool,
}
