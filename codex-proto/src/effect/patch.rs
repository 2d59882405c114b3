//! Changes of files.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{id::ThreadId, policy::SandboxPolicy};

/// File changes that are applied together.
///
/// The adapter checks every `before` first and fails with [`crate::HostErrorKind::Stale`] when
/// one does not hold; it writes new contents beside their targets, renames them into place, and
/// undoes what it did when a later step fails. Paths are opened beneath the roots of `sandbox`, so
/// a symbolic link swapped in later cannot lead outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePatch {
    /// Whose patch.
    pub thread: ThreadId,
    /// Where writing is allowed.
    pub sandbox: SandboxPolicy,
    /// One per path, no path twice.
    pub files: Vec<FileWrite>,
}

/// What becomes of one path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileWrite {
    /// Absolute.
    pub path: PathBuf,
    /// SHA-256 of the content the plan was made from; `None` when there was no file.
    pub before: Option<Digest>,
    /// The new content; `None` deletes the file.
    #[serde(with = "crate::journal::bytes::optional")]
    pub after: Option<Vec<u8>>,
    /// Take permission bits from this file instead (the source of a move).
    pub mode_from: Option<PathBuf>,
}

/// SHA-256 of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Digests bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}
