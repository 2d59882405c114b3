//! `history.jsonl`: the prompts of all sessions, one line each.
//!
//! `{"session_id":"…","ts":1795329396,"text":"hello"}`, appended in one write under an advisory lock,
//! private to the user. Only the end of a large file is read: prompts from years ago are in their
//! sessions. A line that cannot be understood is skipped.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use codex_proto::{HostError, HostErrorKind, ThreadId};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::fail;

/// Name of the file in `CODEX_HOME`.
pub const NAME: &str = "history.jsonl";
/// Bytes at the end of the file that are read.
pub const READ_BYTES_MAX: u64 = 8 << 20;
/// Prompts that are given.
pub const PROMPTS_MAX: usize = 20_000;
/// Bytes that are moved at once.
const MOVE_BYTES: usize = 64 << 10;
/// How long a lock is waited for, and how long between two looks.
const LOCK_TIME_MAX: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

#[derive(Serialize, Deserialize)]
struct Entry {
    session_id: String,
    ts: u64,
    text: String,
}

/// Appends a prompt. `bytes_max` is `history.max_bytes`: beyond it the oldest prompts go, until 80 %
/// are left. Blocking, up to ten seconds when another process holds the file.
///
/// # Errors
/// When the file cannot be written, or stays locked.
pub fn append(
    codex_home: &Path,
    thread: Option<ThreadId>,
    seconds: u64,
    text: &str,
    bytes_max: Option<u64>,
) -> Result<(), HostError> {
    let path = codex_home.join(NAME);
    let session_id = thread.map(|thread| thread.to_string()).unwrap_or_default();
    let mut line = serde_json::to_string(&Entry { session_id, ts: seconds, text: text.to_owned() })
        .map_err(|error| HostError::new(HostErrorKind::Other, error.to_string()))?;
    line.push('\n');
    let mut file = File::options()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| fail::at("open", &path, error))?;
    let _lock = Lock::take(&file, &path)?;
    let fail = |error: io::Error| fail::at("write", &path, error);
    // A line that somebody left unfinished is ended first.
    let size = file.metadata().map_err(fail)?.len();
    if size > 0 && !ends_with_newline(&mut file).map_err(fail)? {
        line.insert(0, '\n');
    }
    file.write_all(line.as_bytes()).map_err(fail)?;
    if let Some(max) = bytes_max.filter(|max| *max > 0 && size + line.len() as u64 > *max) {
        trim(&path, size + line.len() as u64, line.len() as u64, max / 5 * 4).map_err(fail)?;
    }
    Ok(())
}

/// The lock of an open file, let go of when dropped.
struct Lock(File);

impl Lock {
    fn take(file: &File, path: &Path) -> Result<Self, HostError> {
        let lock = file.try_clone().map_err(|error| fail::at("lock", path, error))?;
        let deadline = Instant::now() + LOCK_TIME_MAX;
        loop {
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {
                    thread::sleep(LOCK_PAUSE);
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let what = "is locked by another process";
                    return Err(fail::found(HostErrorKind::Other, path, what));
                }
                // A file system without locks is no obstacle; one write is whole all the same.
                Ok(()) | Err(_) => return Ok(Self(lock)),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A child between its fork and its exec has the descriptor too, and with it the lock.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

fn ends_with_newline(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Keeps whole lines at the end, `keep` bytes at most; the newest one whatever its size.
fn trim(path: &Path, size: u64, newest: u64, keep: u64) -> io::Result<()> {
    // Not the one that appends: it would write at the end, wherever it is told to.
    let file = File::options().read(true).write(true).open(path)?;
    let mut start = size.saturating_sub(keep);
    if start > 0 {
        let mut reader = BufReader::new(&file);
        reader.seek(SeekFrom::Start(start - 1))?;
        start = start - 1 + reader.skip_until(b'\n')? as u64;
    }
    // In place and front to back, since others may have it open; they wait for the lock.
    let (mut from, mut to) = (start.min(size - newest), 0);
    let mut bytes = vec![0; MOVE_BYTES];
    loop {
        let count = file.read_at(&mut bytes, from)?;
        if count == 0 {
            return file.set_len(to);
        }
        file.write_all_at(&bytes[..count], to)?;
        from += count as u64;
        to += count as u64;
    }
}

/// The newest prompts, oldest first; none when there is no file. Blocking.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn read(codex_home: &Path) -> Result<Vec<String>, HostError> {
    let path = codex_home.join(NAME);
    let fail = |error: io::Error| fail::at("read", &path, error);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let size = file.metadata().map_err(fail)?.len();
    let from = size.saturating_sub(READ_BYTES_MAX);
    file.seek(SeekFrom::Start(from)).map_err(fail)?;
    let mut bytes = Vec::new();
    file.take(READ_BYTES_MAX).read_to_end(&mut bytes).map_err(fail)?;
    let start = match from {
        0 => 0,
        // The line in the middle of which it begins is left out.
        _ => memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1),
    };
    let lines = bytes[start..].split(|byte| *byte == b'\n').rev();
    let texts = lines.filter_map(|line| serde_json::from_slice::<Entry>(line).ok());
    let mut prompts: Vec<String> = texts.map(|entry| entry.text).take(PROMPTS_MAX).collect();
    prompts.reverse();
    Ok(prompts)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn prompts_come_back_in_order() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(read(home.path()).unwrap(), Vec::<String>::new());
        let thread = "01900000-0000-7000-8000-000000000000".parse().ok();
        append(home.path(), thread, 7, "one\ntwo", None).unwrap();
        append(home.path(), None, 8, "three", None).unwrap();
        let path = home.path().join(NAME);
        let text = fs::read_to_string(&path).unwrap();
        let first = "{\"session_id\":\"01900000-0000-7000-8000-000000000000\",\"ts\":7,\
                     \"text\":\"one\\ntwo\"}\n";
        assert!(text.starts_with(first), "{text}");
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // An unfinished line and a foreign one.
        fs::write(&path, text + "{\"x\":1}\n{\"session_id\":\"a\",\"ts\"").unwrap();
        append(home.path(), None, 9, "four", None).unwrap();
        assert_eq!(read(home.path()).unwrap(), ["one\ntwo", "three", "four"]);
    }

    #[test]
    fn the_file_is_kept_within_its_bound() {
        let home = tempfile::tempdir().unwrap();
        for number in 0..100 {
            append(home.path(), None, number, &format!("prompt {number:03}"), Some(1_000)).unwrap();
            let size = fs::metadata(home.path().join(NAME)).unwrap().len();
            assert!(size <= 1_000, "{size}");
        }
        let prompts = read(home.path()).unwrap();
        assert_eq!(prompts.last().unwrap(), "prompt 099");
        assert!(prompts.len() >= 10, "{}", prompts.len());
        append(home.path(), None, 1, &"x".repeat(5_000), Some(1_000)).unwrap();
        assert_eq!(read(home.path()).unwrap().len(), 1, "the newest one stays, whatever its size");
    }

    #[test]
    fn only_the_end_of_a_large_file_is_read() {
        let home = tempfile::tempdir().unwrap();
        append(home.path(), None, 1, "old", None).unwrap();
        let path = home.path().join(NAME);
        let file = File::options().append(true).open(&path).unwrap();
        file.set_len(1 << 30).unwrap();
        append(home.path(), None, 1, "new", None).unwrap();
        assert_eq!(read(home.path()).unwrap(), ["new"]);
        // Only the end of it is kept, too.
        append(home.path(), None, 1, "newer", Some(1 << 20)).unwrap();
        assert_eq!(read(home.path()).unwrap(), ["new", "newer"]);
        assert!(fs::metadata(&path).unwrap().len() < 1_000);
    }

    #[test]
    fn lines_that_cannot_be_understood_are_skipped() {
        let home = tempfile::tempdir().unwrap();
        let entry = |text: &str| format!("{{\"session_id\":\"a\",\"ts\":1,\"text\":{text}}}");
        let mut bytes = Vec::new();
        for line in [
            entry("\"one\"").as_bytes(),
            b"",
            b"not json",
            b"\xff\xfe\0\0",
            entry("7").as_bytes(),
            entry("\"cut").as_bytes(),
            b"{\"session_id\":\"a\",\"ts\":1,\"text\":\"two\",\"new\":{}}",
            &b"[".repeat(200_000),
            entry("\"three\\u0000\\ud83d\\ude00\"").as_bytes(),
        ] {
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
        fs::write(home.path().join(NAME), bytes).unwrap();
        assert_eq!(read(home.path()).unwrap(), ["one", "two", "three\0😀"]);
    }

    #[test]
    fn a_lock_is_let_go_of_though_a_child_has_its_descriptor() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(NAME);
        let file = File::create(&path).unwrap();
        drop(Lock::take(&file, &path).unwrap());
        // `file` stands for the child's copy.
        let other = File::open(&path).unwrap();
        flock(&other, FlockOperation::NonBlockingLockExclusive).unwrap();
    }

    #[test]
    fn many_processes_may_write() {
        let home = tempfile::tempdir().unwrap();
        thread::scope(|scope| {
            for writer in 0..4 {
                let home = home.path();
                scope.spawn(move || {
                    for number in 0..20 {
                        append(home, None, number, &format!("{writer}"), None).unwrap();
                    }
                });
            }
        });
        assert_eq!(read(home.path()).unwrap().len(), 80);
    }
}
