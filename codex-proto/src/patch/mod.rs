//! The `apply_patch` language: its grammar, where its chunks match, and what becomes of the files.
//!
//! ```text
//! text ──parse──► Patch ──paths──► what must be read
//!                   └────apply(cwd, contents)────► Applied (writes, changes, summary) | ApplyError
//! ```
//!
//! Nothing here reads or writes a file: contents come in as bytes, and either all new contents come
//! out or none. Read [`parse()`] for the language, `seek` for what counts as a match, `apply` for
//! what happens to bytes, `diagnose` for what a failure says.
//!
//! # What is kept
//! - Bytes of lines that the patch does not change, also where a context line matched only loosely.
//! - A byte order mark.
//! - Line endings: a new line takes the ending of the line it replaces; beyond those, of the last
//!   line replaced; an insertion that of the line before it, else after it; where these have none,
//!   the ending that most lines of the file have, else LF. Added files get LF.
//! - A missing final newline, unless the patch replaces the last line or adds lines after it: a
//!   line that the patch writes is a whole line.
//!
//! # Where a chunk goes
//! Chunks of an update are looked for from the end of the one before, each at the first place of
//! the strictest level that has any: equal bytes, then trailing white space ignored, then leading
//! too, then typographic dashes, quotes and spaces folded to ASCII.
//! - `@@ line` moves on to behind that line; several of them in a row narrow down step by step. If
//!   the chunk is not behind the line, it may begin with the line itself.
//! - `*** End of File` prefers the end of the file, else takes the last place that matches.
//! - A chunk of added lines only goes behind its `@@ line`, and without one to the end of the file.
//!
//! Hunks see what earlier hunks of the same patch did, so a file may be added and then updated,
//! updated twice, or moved on. A move onto itself is an update; a move without chunks is a rename.
//!
//! # Beyond what existing patches rely on
//! All that the tool these patches were first written for accepts is accepted, with the same texts
//! as a result, but for: CRLF, loosely matched context and final newlines are kept; added lines go
//! behind their `@@ line`; nothing is written when anything fails. Accepted in addition: stacked
//! `@@` lines, a chunk that begins with its own `@@` line, a mark of the end that is not at the
//! end, renames, files that are not UTF-8 as long as only ASCII goes in, blank lines between hunks.

mod apply;
mod diagnose;
mod diff;
mod error;
mod lines;
mod parse;
mod seek;

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

pub use apply::apply;
pub use error::{ApplyError, ApplyErrorKind, Cause, ParseError, ParseErrorKind};
pub use parse::parse;

use crate::{effect::FileWrite, item::FileChange};

/// Longest patch, in bytes.
pub const PATCH_BYTES_MAX: usize = 4 << 20;
/// Most hunks in a patch.
pub const HUNKS_MAX: usize = 1000;
/// Largest file that a patch may touch, in bytes.
pub const FILE_BYTES_MAX: u64 = 16 << 20;
/// Most bytes of all files that a patch touches, before it.
pub const FILES_BYTES_MAX: u64 = 64 << 20;
/// Longest [`FileChange::diff`], in bytes; what is left out is counted in its last line.
pub const DIFF_BYTES_MAX: usize = 1 << 20;

/// A parsed patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// In the order of the text, which is the order they take effect in.
    pub hunks: Vec<Hunk>,
}

/// What a patch does to one file. Paths are as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hunk {
    /// Writes a file, whether it exists or not.
    Add {
        /// Which.
        path: PathBuf,
        /// The whole content, each line ended by LF.
        content: String,
        /// Line of the patch, from 1.
        line: u32,
    },
    /// Removes a file.
    Delete {
        /// Which.
        path: PathBuf,
        /// Line of the patch, from 1.
        line: u32,
    },
    /// Changes lines of a file, moves it, or both.
    Update {
        /// Which.
        path: PathBuf,
        /// Where it is afterwards, if elsewhere.
        move_to: Option<PathBuf>,
        /// In file order; empty only when the file is moved.
        chunks: Vec<Chunk>,
        /// Line of the patch, from 1.
        line: u32,
    },
}

impl Hunk {
    /// The file it is about, as written.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Add { path, .. } | Self::Delete { path, .. } | Self::Update { path, .. } => path,
        }
    }

    /// Line of the patch that opens it, from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        match self {
            Self::Add { line, .. } | Self::Delete { line, .. } | Self::Update { line, .. } => *line,
        }
    }
}

/// Neighbouring lines of a file and what becomes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The texts of its `@@` lines, outermost first.
    pub contexts: Vec<String>,
    /// At least one.
    pub lines: Vec<ChunkLine>,
    /// How many of the last lines are empty context lines without a mark. They may be layout of
    /// the patch, and need not be in the file.
    pub blank_tail: usize,
    /// Whether `*** End of File` follows.
    pub at_end: bool,
    /// Line of the patch where it begins, from 1.
    pub line: u32,
}

/// One line of a chunk, without its mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkLine {
    /// A line to put in.
    Add(String),
    /// A line that is there and stays.
    Context(String),
    /// A line that is there and goes.
    Remove(String),
}

impl ChunkLine {
    /// The text, if it is looked for in the file.
    #[must_use]
    pub fn old(&self) -> Option<&str> {
        match self {
            Self::Add(_) => None,
            Self::Context(text) | Self::Remove(text) => Some(text),
        }
    }
}

/// What a patch comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// What to write, sorted by path, no path twice. A file that ends up as it was is not here, so
    /// this may be empty.
    ///
    /// `mode_from` names a file that may itself be deleted or overwritten by the same list, so
    /// permission bits are to be read before anything is written. A file that is deleted and added
    /// again in one patch has no `mode_from`: it keeps the bits of the old one.
    pub writes: Vec<FileWrite>,
    /// What to show, sorted by path, no path twice. A move is an update of the old path with
    /// `move_path`. The texts are lossy where a file is not UTF-8, and empty for binary files.
    pub changes: Vec<FileChange>,
    /// What to tell the model.
    pub summary: String,
}

impl Patch {
    /// Every path that the patch reads or writes, absolute, `.` and `..` resolved lexically, each
    /// once, in order of appearance. All of them must be looked at before [`apply()`], and all of
    /// them must be writable.
    #[must_use]
    pub fn paths(&self, cwd: &Path) -> Vec<PathBuf> {
        let mut seen = BTreeSet::new();
        let mut paths = Vec::new();
        for hunk in &self.hunks {
            let moved = match hunk {
                Hunk::Update { move_to, .. } => move_to.as_deref(),
                Hunk::Add { .. } | Hunk::Delete { .. } => None,
            };
            for path in [Some(hunk.path()), moved].into_iter().flatten() {
                let path = absolute(cwd, path);
                if seen.insert(path.clone()) {
                    paths.push(path);
                }
            }
        }
        paths
    }
}

/// Joins and resolves `.` and `..` lexically; `..` at the root stays at the root.
fn absolute(cwd: &Path, path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in cwd.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            Component::Normal(_) | Component::Prefix(_) | Component::RootDir => out.push(part),
        }
    }
    out
}
