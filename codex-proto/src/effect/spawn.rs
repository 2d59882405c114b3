//! Commands: how they start, what they are sent, how they end.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::policy::{EnvPolicy, SandboxPolicy};

/// A command to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawn {
    /// Program and arguments, as shown to people.
    pub argv: Vec<String>,
    /// Absolute.
    pub cwd: PathBuf,
    /// Which inherited variables it gets.
    pub env: EnvPolicy,
    /// Set after everything inherited, in order; an empty value sets an empty variable.
    pub env_overlay: Vec<(String, String)>,
    /// What it may touch. Fixed per session.
    pub sandbox: SandboxPolicy,
    /// A shell snapshot to source first; the adapter wraps `argv`, which must be
    /// `[shell, -c | -lc, script]`.
    pub snapshot: Option<PathBuf>,
    /// Whether standard input is a pipe; otherwise it is empty.
    pub stdin: bool,
    /// A terminal of its own, of this size, for standard input, output and error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<TtySize>,
    /// Where the whole merged output goes once it exceeds `spool_after_bytes`; folders are
    /// created.
    pub spool: PathBuf,
    /// Output up to this size leaves no file. At most `head_bytes`.
    pub spool_after_bytes: usize,
    /// Bytes sent as they come, until the next `Flush`; later ones are held back.
    pub head_bytes: usize,
    /// Bytes at the end that are kept while holding back.
    pub tail_bytes: usize,
    /// The spool file stops growing here, and the cut is counted.
    pub spool_bytes_max: u64,
}

/// The size of a terminal, in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TtySize {
    /// Lines.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
}

/// Signals for commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGINT to the command's process group.
    Interrupt,
    /// SIGKILL to everything the command started.
    Kill,
    /// SIGTERM to the command's process group.
    Terminate,
}

/// How a command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit code, or 128 + signal number.
    pub code: i32,
    /// All bytes it printed.
    pub output_bytes: u64,
    /// The file that holds the output, when it exceeded `spool_after_bytes`.
    pub spool: Option<PathBuf>,
    /// Bytes that the spool file does not hold because it reached its bound.
    pub spool_cut_bytes: u64,
}
