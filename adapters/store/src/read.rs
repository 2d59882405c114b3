//! Reads regular files in chunks, never more than asked, never a pipe or device.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use codex_proto::{HostError, HostErrorKind, Reply};
use rustix::fs::{FileType, OFlags, Stat, fstat, stat};

use crate::{ReplyFn, fail};

/// Bytes of one `Bytes` reply at most.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// Reads the file at `path` and answers `Bytes* (Closed | Failed)`.
///
/// Directories, pipes, sockets and devices fail at once; a file of more than `bytes_max` bytes
/// fails with [`HostErrorKind::TooLarge`], also when it grows while it is read.
pub fn execute(path: &Path, bytes_max: u64, reply: &mut ReplyFn<'_>) {
    match chunks(path, bytes_max, &mut |bytes| reply(Reply::Bytes(bytes))) {
        Ok(true) => reply(Reply::Closed),
        Ok(false) => false,
        Err(error) => reply(Reply::Failed(error)),
    };
}

/// Reads a whole file of at most `bytes_max` bytes.
///
/// # Errors
/// As [`execute`].
pub fn whole(path: &Path, bytes_max: u64) -> Result<Vec<u8>, HostError> {
    let mut all = Vec::new();
    chunks(path, bytes_max, &mut |bytes| {
        if all.is_empty() {
            all = bytes;
        } else {
            all.extend_from_slice(&bytes);
        }
        true
    })?;
    Ok(all)
}

/// Opens a regular file for reading, without ever waiting for the other end of a pipe.
pub(crate) fn open_regular(path: &Path) -> Result<(File, Stat), HostError> {
    let fail = |error: io::Error| fail::at("read", path, error);
    let regular = |stat: &Stat| match fail::not_regular(FileType::from_raw_mode(stat.st_mode)) {
        Some(what) => Err(fail::found(HostErrorKind::Other, path, what)),
        None => Ok(()),
    };
    // Opening a device can have effects of its own, so look first.
    regular(&stat(path).map_err(|e| fail(e.into()))?)?;
    let file = File::options()
        .read(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32)
        .open(path)
        .map_err(fail)?;
    let stat = fstat(&file).map_err(|e| fail(e.into()))?;
    regular(&stat)?;
    Ok((file, stat))
}

fn chunks(
    path: &Path,
    bytes_max: u64,
    take: &mut dyn FnMut(Vec<u8>) -> bool,
) -> Result<bool, HostError> {
    let (file, stat) = open_regular(path)?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let too_large = |bytes: u64, at_least: &str| {
        let what = format!("has {at_least}{bytes} bytes, more than the {bytes_max} allowed");
        fail::found(HostErrorKind::TooLarge, path, what)
    };
    if size > bytes_max {
        return Err(too_large(size, ""));
    }
    let mut total = 0_u64;
    loop {
        // Files that state no size, as those of /proc, still have content.
        let room = usize::try_from(size.saturating_sub(total)).unwrap_or(CHUNK_BYTES);
        let mut chunk = Vec::with_capacity(room.clamp(4096, CHUNK_BYTES - 1) + 1);
        let limit = chunk.capacity() as u64;
        (&file).take(limit).read_to_end(&mut chunk).map_err(|e| fail::at("read", path, e))?;
        if chunk.is_empty() {
            return Ok(true);
        }
        let done = (chunk.len() as u64) < limit;
        total += chunk.len() as u64;
        if total > bytes_max {
            return Err(too_large(total, "at least "));
        }
        if !take(chunk) {
            return Ok(false);
        }
        if done {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(path: &Path, bytes_max: u64) -> Vec<Reply> {
        let mut replies = Vec::new();
        execute(path, bytes_max, &mut |reply| {
            replies.push(reply);
            true
        });
        replies
    }

    fn failure(path: &Path, bytes_max: u64) -> HostError {
        match run(path, bytes_max).pop() {
            Some(Reply::Failed(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn files_come_whole_and_in_bounded_chunks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        for size in [0, 1, 4095, 4096, 4097, CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 5] {
            let content: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            std::fs::write(&path, &content).unwrap();
            let mut replies = run(&path, size as u64);
            assert_eq!(replies.pop(), Some(Reply::Closed));
            let mut got = Vec::new();
            for reply in replies {
                let Reply::Bytes(bytes) = reply else { panic!("{reply:?}") };
                assert!(!bytes.is_empty() && bytes.len() <= CHUNK_BYTES);
                got.extend(bytes);
            }
            assert!(got == content, "{size}");
            assert!(whole(&path, size as u64).unwrap() == content);
        }
    }

    #[test]
    fn a_larger_file_fails_with_both_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, b"12345").unwrap();
        let error = failure(&path, 4);
        assert_eq!(error.kind, HostErrorKind::TooLarge);
        assert!(error.message.ends_with("f has 5 bytes, more than the 4 allowed"), "{error}");
        // A file that states no size is bounded all the same.
        assert_eq!(failure(Path::new("/proc/self/status"), 10).kind, HostErrorKind::TooLarge);
    }

    #[test]
    fn what_is_no_file_is_refused_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(failure(&fifo, 10).message.ends_with("is a named pipe, not a file"));
        assert!(failure(dir.path(), 10).message.ends_with("is a directory, not a file"));
        assert!(failure(Path::new("/dev/zero"), 10).message.ends_with("is a device, not a file"));
        assert_eq!(failure(&dir.path().join("no"), 10).kind, HostErrorKind::NotFound);
    }

    #[test]
    fn reading_stops_when_nobody_listens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, vec![0; 4 * CHUNK_BYTES]).unwrap();
        let mut count = 0;
        execute(&path, u64::MAX, &mut |_| {
            count += 1;
            false
        });
        assert_eq!(count, 1);
    }
}
