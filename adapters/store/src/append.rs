//! Appends lines to rollouts.
//!
//! A rollout is the user's only record, so an append is all or nothing: what a full disk cut is
//! taken back, and a line that a killed process left unfinished is ended before the next one.
//! One process writes a rollout at a time (an advisory lock on the file): its descriptor stays open,
//! and with it the lock, until the thread lets go of it. An append of nothing takes the lock alone.
//! New files are private (0600), since transcripts hold what commands printed.

use std::{
    fs::{DirBuilder, File},
    io::{self, Read as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use codex_proto::{HostError, HostErrorKind, Reply, ThreadId, effect::Append};
use rustix::{
    fs::{FileType, FlockOperation, OFlags, Stat, flock, fstat, ftruncate},
    io::Errno,
};

use crate::{ReplyFn, fail};

/// The most that is read of the kernel's list of locks, in bytes.
const LOCK_TABLE_BYTES_MAX: usize = 1 << 16;

/// The rollouts that threads of this process have, one each.
#[derive(Debug, Default)]
pub(crate) struct Appender {
    open: Mutex<Vec<(ThreadId, Arc<Rollout>)>>,
}

#[derive(Debug)]
struct Rollout {
    path: PathBuf,
    file: File,
    /// Held while writing; true when an unfinished line could not be taken back.
    torn: Mutex<bool>,
}

impl Appender {
    /// Answers `Closed | Failed`, then syncs if that was asked.
    pub(crate) fn execute(&self, append: &Append, reply: &mut ReplyFn<'_>) {
        let rollout = match self.append(append) {
            Ok(rollout) => rollout,
            Err(error) => {
                reply(Reply::Failed(error));
                return;
            }
        };
        reply(Reply::Closed);
        if append.sync
            && let Err(error) = rollout.file.sync_data()
        {
            tracing::warn!(path = %append.path.display(), %error, "rollout could not be synced");
        }
    }

    /// Forgets a thread's rollout, so that another process may append to it.
    pub(crate) fn release(&self, thread: ThreadId, path: &Path) {
        lock(&self.open).retain(|(of, rollout)| *of != thread || rollout.path != path);
    }

    fn append(&self, append: &Append) -> Result<Arc<Rollout>, HostError> {
        let rollout = self.rollout(append)?;
        if append.bytes.is_empty() {
            return Ok(rollout);
        }
        let mut torn = lock(&rollout.torn);
        let before = rollout.usable()?;
        let outcome = if *torn {
            write_whole(&rollout.file, before, &[b"\n", &append.bytes])
        } else {
            write_whole(&rollout.file, before, &[&append.bytes])
        };
        *torn = outcome.torn;
        drop(torn);
        match outcome.error {
            None => Ok(rollout),
            Some(error) => Err(fail::at("write the transcript", &append.path, error)),
        }
    }

    fn rollout(&self, append: &Append) -> Result<Arc<Rollout>, HostError> {
        let mut open = lock(&self.open);
        if let Some((thread, rollout)) = open.iter_mut().find(|(_, it)| it.path == append.path) {
            // A thread that is resumed learns its own id from its rollout.
            *thread = append.thread;
            return Ok(Arc::clone(rollout));
        }
        let rollout = Arc::new(Rollout::open(append)?);
        open.push((append.thread, Arc::clone(&rollout)));
        Ok(rollout)
    }
}

impl Rollout {
    fn open(append: &Append) -> Result<Self, HostError> {
        let path = &append.path;
        let fail = |error: io::Error| fail::at("open the transcript", path, error);
        // What is claimed is there already.
        let create = !append.bytes.is_empty();
        let open = || {
            File::options()
                .read(true)
                .append(true)
                .create(create)
                .mode(0o600)
                .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32)
                .open(path)
        };
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
                let folder = path.parent().unwrap_or(Path::new("/"));
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(folder)
                    .map_err(|e| fail::at("create the folder", folder, e))?;
                open()
            }
            other => other,
        }
        .map_err(fail)?;
        let stat = fstat(&file).map_err(|e| fail(e.into()))?;
        if let Some(what) = fail::not_regular(FileType::from_raw_mode(stat.st_mode)) {
            return Err(fail::found(HostErrorKind::Other, path, what));
        }
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let owner = lock_owner(&stat).map_or("another process".to_owned(), |pid| {
                    if pid == std::process::id() {
                        "this process".to_owned()
                    } else {
                        format!("process {pid}")
                    }
                });
                let text = format!("it is open in {owner}");
                return Err(HostError::new(HostErrorKind::InUse, text));
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "rollout cannot be locked");
            }
        }
        let torn = ends_inside_a_line(&file, size(&stat)).map_err(fail)?;
        Ok(Self { path: path.clone(), file, torn: Mutex::new(torn) })
    }

    /// The size before an append.
    fn usable(&self) -> Result<u64, HostError> {
        let stat = fstat(&self.file).map_err(|e| fail::at("read", &self.path, e))?;
        if stat.st_nlink == 0 {
            let what = "was removed while its thread was open";
            return Err(fail::found(HostErrorKind::NotFound, &self.path, what));
        }
        Ok(size(&stat))
    }
}

impl Drop for Rollout {
    fn drop(&mut self) {
        // A child between its fork and its exec has the descriptor too, and with it the lock.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

struct Outcome {
    error: Option<io::Error>,
    torn: bool,
}

/// What appending needs of a file.
trait Sink {
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;
    fn truncate(&self, size: u64) -> io::Result<()>;
}

impl Sink for File {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut &*self, bytes)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        Ok(ftruncate(self, size)?)
    }
}

/// Appends all parts as one, or takes back what was written of them.
fn write_whole(file: &impl Sink, before: u64, parts: &[&[u8]]) -> Outcome {
    let joined;
    let mut rest = match parts {
        [one] => *one,
        _ => {
            joined = parts.concat();
            &joined[..]
        }
    };
    let all = rest.len();
    let torn_before = parts.len() > 1;
    while !rest.is_empty() {
        let error = match file.write(rest) {
            Ok(0) => io::Error::from(io::ErrorKind::WriteZero),
            // A short write is followed by one that says why it was short.
            Ok(count) => {
                rest = &rest[count..];
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        if rest.len() == all {
            return Outcome { error: Some(error), torn: torn_before };
        }
        let torn = match file.truncate(before) {
            Ok(()) => torn_before,
            Err(undo) => {
                tracing::warn!(error = %undo, "an unfinished line could not be taken back");
                true
            }
        };
        return Outcome { error: Some(error), torn };
    }
    Outcome { error: None, torn: false }
}

/// Whether the last line lacks its end, as after a kill.
fn ends_inside_a_line(file: &File, size: u64) -> io::Result<bool> {
    let Some(last) = size.checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    let count = std::os::unix::fs::FileExt::read_at(file, &mut byte, last)?;
    Ok(count == 1 && byte != *b"\n")
}

/// Which process holds the lock on a file, where the kernel tells: its list may lack an entry
/// while other locks come and go, so that nothing may rest on an answer.
fn lock_owner(stat: &Stat) -> Option<u32> {
    let mut table = vec![0; LOCK_TABLE_BYTES_MAX];
    // One read, since each read goes on by position in a list that has changed meanwhile.
    let count = File::open("/proc/locks").ok()?.read(&mut table).ok()?;
    owner_in(&String::from_utf8_lossy(&table[..count]), stat.st_ino)
}

/// Who holds the lock on an inode, by a table as in proc_locks(5).
fn owner_in(table: &str, inode: u64) -> Option<u32> {
    let inode = format!(":{inode}");
    table.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let pid = words.clone().nth(4)?.parse().ok()?;
        let is_lock = words.nth(1)? == "FLOCK" && words.nth(3)?.ends_with(&inode);
        is_lock.then_some(pid)
    })
}

fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
