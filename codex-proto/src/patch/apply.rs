//! From a patch and the contents of files to new contents.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    Applied, ApplyError, ApplyErrorKind, Chunk, ChunkLine, FILE_BYTES_MAX, FILES_BYTES_MAX, Hunk,
    Patch, absolute,
    diagnose::{missing_context, missing_lines},
    diff,
    lines::{Edit, Lines},
    seek::{Place, Seeker},
};
use crate::{
    effect::{Digest, FileWrite},
    item::{FileChange, FileChangeKind},
};

/// How far into a file NUL bytes are looked for.
const BINARY_PROBE_BYTES: usize = 8 << 10;

/// Computes what becomes of all files, before any is written.
///
/// `files` holds the current content of each of [`Patch::paths`], `None` where there is no file.
///
/// # Errors
/// When any part of the patch does not fit; then nothing is to be written.
pub fn apply(
    patch: &Patch,
    cwd: &Path,
    files: &BTreeMap<PathBuf, Option<Vec<u8>>>,
) -> Result<Applied, ApplyError> {
    if patch.hunks.is_empty() {
        let kind = ApplyErrorKind::Empty;
        return Err(ApplyError { path: PathBuf::new(), line: 0, chunk: None, kind });
    }
    check_sizes(patch, cwd, files)?;
    let mut tree = Tree { files, now: BTreeMap::new() };
    for hunk in &patch.hunks {
        tree.apply(hunk, cwd)?;
    }
    tree.check_clashes(patch, cwd)?;
    Ok(Applied { writes: tree.writes(), changes: tree.changes(), summary: summary(patch) })
}

impl ApplyError {
    /// The error for one of [`Patch::paths`] that the host could not read: `reason` is its word,
    /// for example that it is a folder.
    #[must_use]
    pub fn unreadable(patch: &Patch, cwd: &Path, path: &Path, reason: &str) -> Self {
        let reason = reason.to_owned();
        for hunk in &patch.hunks {
            if absolute(cwd, hunk.path()) == path {
                let kind = match hunk {
                    Hunk::Add { .. } => ApplyErrorKind::Write { reason },
                    Hunk::Delete { .. } => ApplyErrorKind::Delete { reason },
                    Hunk::Update { .. } => ApplyErrorKind::Read { reason },
                };
                return Self::of(hunk, hunk.path(), kind);
            }
            if let Hunk::Update { move_to: Some(written), .. } = hunk
                && absolute(cwd, written) == path
            {
                return Self::of(hunk, written, ApplyErrorKind::Write { reason });
            }
        }
        let kind = ApplyErrorKind::Write { reason };
        Self { path: path.to_owned(), line: 0, chunk: None, kind }
    }

    fn of(hunk: &Hunk, path: &Path, kind: ApplyErrorKind) -> Self {
        Self { path: path.to_owned(), line: hunk.line(), chunk: None, kind }
    }
}

/// Whether there are NUL bytes near the start.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    memchr::memchr(0, &bytes[..bytes.len().min(BINARY_PROBE_BYTES)]).is_some()
}

fn check_sizes(
    patch: &Patch,
    cwd: &Path,
    files: &BTreeMap<PathBuf, Option<Vec<u8>>>,
) -> Result<(), ApplyError> {
    let mut all = 0;
    for path in patch.paths(cwd) {
        let bytes = files.get(&path).and_then(Option::as_ref).map_or(0, Vec::len) as u64;
        all += bytes;
        let excess = if bytes > FILE_BYTES_MAX {
            Some((bytes, FILE_BYTES_MAX))
        } else if all > FILES_BYTES_MAX {
            Some((all, FILES_BYTES_MAX))
        } else {
            None
        };
        if let Some((bytes, bytes_max)) = excess {
            let mut error = ApplyError::unreadable(patch, cwd, &path, "");
            error.kind = ApplyErrorKind::TooLarge { bytes, bytes_max };
            return Err(error);
        }
    }
    Ok(())
}

fn summary(patch: &Patch) -> String {
    let mut groups = [String::new(), String::new(), String::new()];
    for hunk in &patch.hunks {
        let (group, mark, path) = match hunk {
            Hunk::Add { path, .. } => (0, 'A', path),
            Hunk::Update { path, move_to, .. } => (1, 'M', move_to.as_ref().unwrap_or(path)),
            Hunk::Delete { path, .. } => (2, 'D', path),
        };
        groups[group].push_str(&format!("{mark} {}\n", path.display()));
    }
    format!("Success. Updated the following files:\n{}", groups.concat())
}

/// The files as they are while the hunks take effect.
struct Tree<'a> {
    files: &'a BTreeMap<PathBuf, Option<Vec<u8>>>,
    /// Paths that a hunk has touched.
    now: BTreeMap<PathBuf, Option<Entry<'a>>>,
}

#[derive(Clone)]
struct Entry<'a> {
    bytes: Cow<'a, [u8]>,
    /// The path at which this file was before the patch; its permission bits are to stay.
    origin: Option<PathBuf>,
    /// Whether a hunk added it, so that it is no change of what was there.
    added: bool,
}

impl<'a> Tree<'a> {
    fn get(&self, path: &Path) -> Result<Option<Entry<'a>>, ApplyErrorKind> {
        if let Some(entry) = self.now.get(path) {
            return Ok(entry.clone());
        }
        let bytes = self.files.get(path).ok_or(ApplyErrorKind::NotRead)?.as_deref();
        Ok(bytes.map(|bytes| Entry {
            bytes: Cow::Borrowed(bytes),
            origin: Some(path.to_owned()),
            added: false,
        }))
    }

    fn apply(&mut self, hunk: &Hunk, cwd: &Path) -> Result<(), ApplyError> {
        let path = absolute(cwd, hunk.path());
        let entry = self.get(&path).map_err(|kind| ApplyError::of(hunk, hunk.path(), kind))?;
        match hunk {
            Hunk::Add { content, .. } => {
                let bytes = Cow::Owned(content.clone().into_bytes());
                let origin = entry.and_then(|entry| entry.origin);
                self.now.insert(path, Some(Entry { bytes, origin, added: true }));
            }
            Hunk::Delete { .. } => {
                if entry.is_none() {
                    let kind = ApplyErrorKind::Delete { reason: no_file(&path) };
                    return Err(ApplyError::of(hunk, hunk.path(), kind));
                }
                self.now.insert(path, None);
            }
            Hunk::Update { path: written, move_to, chunks, .. } => {
                let Some(mut entry) = entry else {
                    let kind = ApplyErrorKind::Read { reason: no_file(&path) };
                    return Err(ApplyError::of(hunk, written, kind));
                };
                if !chunks.is_empty() {
                    let bytes = update(&entry.bytes, chunks).map_err(|(chunk, kind)| {
                        let at = chunk.and_then(|index| chunks.get(index));
                        let line = at.map_or(hunk.line(), |chunk| chunk.line);
                        let chunk = chunk.map(|index| index + 1);
                        ApplyError { path: written.clone(), line, chunk, kind }
                    })?;
                    entry.bytes = Cow::Owned(bytes);
                }
                let mut target = path;
                if let Some(written) = move_to {
                    let moved = absolute(cwd, written);
                    self.get(&moved).map_err(|kind| ApplyError::of(hunk, written, kind))?;
                    self.now.insert(target, None);
                    target = moved;
                }
                self.now.insert(target, Some(entry));
            }
        }
        Ok(())
    }

    fn is_file(&self, path: &Path) -> bool {
        match self.now.get(path) {
            Some(entry) => entry.is_some(),
            None => self.files.get(path).is_some_and(Option::is_some),
        }
    }

    fn before(&self, path: &Path) -> Option<&'a [u8]> {
        self.files.get(path)?.as_deref()
    }

    fn check_clashes(&self, patch: &Patch, cwd: &Path) -> Result<(), ApplyError> {
        for path in self.now.keys().filter(|path| self.is_file(path)) {
            if let Some(folder) = path.ancestors().skip(1).find(|folder| self.is_file(folder)) {
                let mut error = ApplyError::unreadable(patch, cwd, folder, "");
                error.kind = ApplyErrorKind::PathClash { inside: path.clone() };
                return Err(error);
            }
        }
        Ok(())
    }

    fn writes(&self) -> Vec<FileWrite> {
        let mut writes = Vec::new();
        for (path, entry) in &self.now {
            let before = self.before(path);
            let after = entry.as_ref().map(|entry| &*entry.bytes);
            if before == after {
                continue;
            }
            let mode_from = entry.as_ref().and_then(|entry| entry.origin.clone());
            writes.push(FileWrite {
                path: path.clone(),
                before: before.map(Digest::of),
                after: after.map(<[u8]>::to_vec),
                mode_from: mode_from.filter(|origin| origin != path),
            });
        }
        writes
    }

    fn changes(&self) -> Vec<FileChange> {
        let mut changes = BTreeMap::new();
        let mut moved_onto = Vec::new();
        for (path, entry) in &self.now {
            let Some(entry) = entry else { continue };
            let Some(origin) = entry.origin.as_ref().filter(|origin| *origin != path) else {
                continue;
            };
            if self.is_file(origin) {
                continue;
            }
            moved_onto.push(path);
            let before = self.before(origin).unwrap_or_default();
            let change = FileChange {
                path: origin.clone(),
                kind: FileChangeKind::Update,
                diff: diff::unified(before, &entry.bytes),
                move_path: Some(path.clone()),
            };
            changes.insert(origin.clone(), change);
        }
        for (path, entry) in &self.now {
            if changes.contains_key(path) || moved_onto.contains(&path) {
                continue;
            }
            let (kind, diff) = match (self.before(path), entry) {
                (None, None) => continue,
                (Some(before), None) => (FileChangeKind::Delete, diff::content(before)),
                (Some(before), Some(entry)) if !entry.added => {
                    (FileChangeKind::Update, diff::unified(before, &entry.bytes))
                }
                (_, Some(entry)) => (FileChangeKind::Add, diff::content(&entry.bytes)),
            };
            let change = FileChange { path: path.clone(), kind, diff, move_path: None };
            changes.insert(path.clone(), change);
        }
        changes.into_values().collect()
    }
}

fn no_file(path: &Path) -> String {
    format!("there is no file {}", path.display())
}

/// Applies chunks to one file. An error names the chunk by index, if it is about one.
fn update(bytes: &[u8], chunks: &[Chunk]) -> Result<Vec<u8>, (Option<usize>, ApplyErrorKind)> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err((None, ApplyErrorKind::Utf16));
    }
    if is_binary(bytes) {
        return Err((None, ApplyErrorKind::Binary));
    }
    if std::str::from_utf8(bytes).is_err() {
        let beyond_ascii = |chunk: &Chunk| {
            chunk.lines.iter().any(|line| matches!(line, ChunkLine::Add(text) if !text.is_ascii()))
        };
        if let Some(index) = chunks.iter().position(beyond_ascii) {
            return Err((Some(index), ApplyErrorKind::NotUtf8));
        }
    }
    let lines = Lines::of(bytes);
    let wanted = chunks.iter().flat_map(|chunk| {
        let contexts = chunk.contexts.iter().map(String::as_str);
        contexts.chain(chunk.lines.iter().filter_map(ChunkLine::old))
    });
    let mut placing =
        Placing { lines: &lines, seeker: Seeker::new(&lines.lines, wanted), cursor: 0 };
    let mut edits = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        placing.place(chunk, &mut edits).map_err(|kind| (Some(index), kind))?;
    }
    // Additions at the end of the file may come before chunks further up.
    edits.sort_by_key(|edit| edit.start);
    Ok(lines.replace(&edits))
}

struct Placing<'a> {
    lines: &'a Lines<'a>,
    seeker: Seeker<'a>,
    /// Chunks are looked for from this line on, from 0.
    cursor: usize,
}

impl<'a> Placing<'a> {
    fn place(&mut self, chunk: &'a Chunk, edits: &mut Vec<Edit<'a>>) -> Result<(), ApplyErrorKind> {
        for context in &chunk.contexts {
            let Some(at) = self.seeker.seek(&[context], self.cursor, Place::First) else {
                let cause = Box::new(missing_context(self.lines, context, self.cursor));
                return Err(ApplyErrorKind::ContextNotFound { context: context.clone(), cause });
            };
            self.cursor = at + 1;
        }
        let rows: Vec<Row<'a>> = chunk.lines.iter().map(Row::of).collect();
        let core = &rows[..rows.len().saturating_sub(chunk.blank_tail)];
        if core.iter().all(|row| row.mark == Mark::Add) {
            self.insert(chunk, core, edits);
            return Ok(());
        }
        let mut found = self.find(&rows, chunk).map(|at| (at, &rows[..]));
        if found.is_none()
            && let Some((Row { mark: Mark::Context, text: "" }, shorter)) = rows.split_last()
        {
            found = self.find(shorter, chunk).map(|at| (at, shorter));
            if found.is_none() && core.len() < shorter.len() {
                found = self.find(core, chunk).map(|at| (at, core));
            }
        }
        let at_end = without_last_empty(&rows);
        if found.is_none() {
            found = self.find_at(&at_end, Place::End).map(|at| (at, &at_end[..]));
        }
        let Some((at, rows)) = found else {
            let expected = old_of(core);
            let after: Vec<&str> =
                core.iter().filter(|row| row.mark != Mark::Remove).map(|row| row.text).collect();
            let cause = Box::new(missing_lines(self.lines, &expected, &after, self.cursor));
            let expected = expected.into_iter().map(str::to_owned).collect();
            return Err(ApplyErrorKind::LinesNotFound { expected, cause });
        };
        self.cursor = edits_of(rows, at, edits);
        Ok(())
    }

    /// Places a chunk that only adds.
    fn insert(&mut self, chunk: &Chunk, rows: &[Row<'a>], edits: &mut Vec<Edit<'a>>) {
        let behind_context = !chunk.contexts.is_empty() && !chunk.at_end;
        let at = if behind_context { self.cursor } else { self.lines.lines.len() };
        let added: Vec<&str> = rows.iter().map(|row| row.text).collect();
        if !added.is_empty() {
            edits.push(Edit { start: at, end: at, added });
        }
    }

    fn find(&mut self, rows: &[Row<'_>], chunk: &Chunk) -> Option<usize> {
        if chunk.at_end {
            let end = self.find_at(rows, Place::End);
            return end.or_else(|| self.find_at(rows, Place::Last));
        }
        if let Some(at) = self.find_at(rows, Place::First) {
            return Some(at);
        }
        // The chunk may begin with its own context line.
        let context = chunk.contexts.last()?;
        let first = rows.iter().find(|row| row.mark != Mark::Add)?;
        if first.text.trim() != context.trim() {
            return None;
        }
        self.seeker.seek(&old_of(rows), self.cursor - 1, Place::First)
    }

    fn find_at(&mut self, rows: &[Row<'_>], place: Place) -> Option<usize> {
        self.seeker.seek(&old_of(rows), self.cursor, place)
    }
}

/// A line of a chunk.
#[derive(Clone, Copy)]
struct Row<'a> {
    mark: Mark,
    text: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Add,
    Context,
    Remove,
}

impl<'a> Row<'a> {
    fn of(line: &'a ChunkLine) -> Self {
        let (mark, text) = match line {
            ChunkLine::Add(text) => (Mark::Add, text),
            ChunkLine::Context(text) => (Mark::Context, text),
            ChunkLine::Remove(text) => (Mark::Remove, text),
        };
        Self { mark, text }
    }
}

fn old_of<'a>(rows: &[Row<'a>]) -> Vec<&'a str> {
    rows.iter().filter(|row| row.mark != Mark::Add).map(|row| row.text).collect()
}

/// What the chunk means if its last line of the file is none: an empty line, which stands for the
/// newline at the very end. Context between others becomes a line to add.
fn without_last_empty<'a>(rows: &[Row<'a>]) -> Vec<Row<'a>> {
    let mut rows = rows.to_vec();
    match rows.iter().rposition(|row| row.mark != Mark::Add) {
        Some(last) if rows[last].text.is_empty() => {
            if rows[last].mark == Mark::Context && last + 1 < rows.len() {
                rows[last].mark = Mark::Add;
            } else {
                rows.remove(last);
            }
            rows
        }
        _ => Vec::new(),
    }
}

/// Turns rows that match from line `at` on into edits; returns the line after them.
fn edits_of<'a>(rows: &[Row<'a>], mut at: usize, edits: &mut Vec<Edit<'a>>) -> usize {
    let mut removed: Vec<&str> = Vec::new();
    let mut added: Vec<&str> = Vec::new();
    for row in rows {
        match row.mark {
            Mark::Add => added.push(row.text),
            Mark::Remove => removed.push(row.text),
            Mark::Context => at = run(&mut removed, &mut added, at, edits) + 1,
        }
    }
    run(&mut removed, &mut added, at, edits)
}

/// Turns one run of removed and added lines into an edit; returns the line after it.
///
/// Lines that it takes out and puts back unchanged are left alone, so that they keep their bytes.
fn run<'a>(
    removed: &mut Vec<&'a str>,
    added: &mut Vec<&'a str>,
    at: usize,
    edits: &mut Vec<Edit<'a>>,
) -> usize {
    let (old, new) = (std::mem::take(removed), std::mem::take(added));
    let next = at + old.len();
    let head = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[head..], &new[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    if !(old.is_empty() && new.is_empty()) {
        let start = at + head;
        edits.push(Edit { start, end: start + old.len(), added: new.to_vec() });
    }
    next
}
