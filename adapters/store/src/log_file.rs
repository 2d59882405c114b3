//! The log file: `CODEX_HOME/log/codex-tui.log`, private, bounded in size.
//!
//! When it is full it becomes `codex-tui.log.1`, in place of an older one. Several processes may
//! write it; each notices when another has turned it over.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use codex_proto::{HostError, HostErrorKind};
use rustix::fs::{FileType, OFlags};

use crate::fail;

/// Bytes of the log file; with its predecessor, twice as much.
pub const BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The open log file. Each write should be one whole record.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: Mutex<File>,
    bytes_max: u64,
}

impl LogFile {
    /// Opens the log in a folder, creating both.
    ///
    /// # Errors
    /// When that is not possible. The program can do without.
    pub fn open(folder: &Path, bytes_max: u64) -> Result<Self, HostError> {
        let path = folder.join("codex-tui.log");
        let file = match open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(folder)
                    .map_err(|error| fail::at("create the folder", folder, error))?;
                open(&path)
            }
            other => other,
        }
        .map_err(|error| fail::at("open the log file", &path, error))?;
        let stat = rustix::fs::fstat(&file).map_err(|e| fail::at("open the log file", &path, e))?;
        if let Some(what) = fail::not_regular(FileType::from_raw_mode(stat.st_mode)) {
            return Err(fail::found(HostErrorKind::Other, &path, what));
        }
        Ok(Self { path, file: Mutex::new(file), bytes_max: bytes_max.max(1) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn file(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for a record by starting a new file.
    fn turn_over(&self, file: &mut File) -> io::Result<()> {
        let ours = file.metadata()?;
        let is_ours = fs::metadata(&self.path)
            .is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()));
        if is_ours {
            fs::rename(&self.path, self.path.with_file_name("codex-tui.log.1"))?;
        }
        *file = open(&self.path)?;
        Ok(())
    }
}

impl Write for &LogFile {
    /// Takes every byte: what exceeds the bound in one record is cut off.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let mut file = self.file();
        let kept =
            usize::try_from(self.bytes_max).map_or(record.len(), |max| record.len().min(max));
        if file.metadata()?.size() + kept as u64 > self.bytes_max {
            // A log that cannot turn over stops growing.
            self.turn_over(&mut file)?;
        }
        file.write_all(&record[..kept])?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_stays_bounded_and_keeps_the_newest() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("log");
        let (first, second) =
            (LogFile::open(&folder, 100).unwrap(), LogFile::open(&folder, 100).unwrap());
        for n in 0..60 {
            let mut log = if n % 3 == 0 { &second } else { &first };
            log.write_all(format!("record {n:02}\n").as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(home.path().join("log").join(name)).unwrap();
        let (old, new) = (read("codex-tui.log.1"), read("codex-tui.log"));
        assert!(old.len() <= 100 && new.len() <= 100);
        assert!(new.ends_with("record 59\n") && new.starts_with("record "), "{new:?}");
        assert!(old.ends_with('\n'));
        assert_eq!(fs::read_dir(home.path().join("log")).unwrap().count(), 2);
        (&first).write_all(&[b'x'; 1000]).unwrap();
        assert_eq!(read("codex-tui.log").len(), 100);
    }
}
