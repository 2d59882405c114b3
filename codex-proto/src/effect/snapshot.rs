//! What a login shell leaves behind, taken once for the commands that follow.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{policy::EnvPolicy, settings::Shell};

/// A shell snapshot to take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellSnapshot {
    /// The login shell.
    pub shell: Shell,
    /// Where it starts.
    pub cwd: PathBuf,
    /// Which variables the shell gets and may export.
    pub env: EnvPolicy,
    /// Where to write; mode 0600, folders created.
    pub path: PathBuf,
    /// Longest run of the shell, in milliseconds.
    pub deadline_ms: u64,
}
