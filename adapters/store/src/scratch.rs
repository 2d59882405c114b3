//! A private directory for the life of the process: spooled output, shell snapshots.
//!
//! Its owner holds a lock on the directory itself, so whoever gets that lock knows the owner is
//! gone, also across containers that share a folder.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use codex_proto::HostError;
use rustix::fs::{FlockOperation, flock, statvfs};

use crate::fail;

const PREFIX: &str = "codex-scratch-";
/// Free bytes that a runtime directory, which is memory, must have to be used.
const RUNTIME_BYTES_MIN: u64 = 1 << 30;
/// Younger directories are not swept: their owner may not hold the lock yet.
const SWEEP_AGE: Duration = Duration::from_secs(60);
/// Entries looked at by one sweep.
const SWEEP_ENTRIES_MAX: usize = 10_000;

/// The folder for scratch directories: `$XDG_RUNTIME_DIR` when it is private and roomy, else `/tmp`,
/// else `$TMPDIR`.
///
/// `$TMPDIR` comes last because commands may write to it, unless it holds files of ours.
#[must_use]
pub fn base(runtime_dir: Option<&OsStr>, tmpdir: Option<&OsStr>) -> PathBuf {
    let folder = |set: Option<&OsStr>| set.map(PathBuf::from).filter(|path| path.is_absolute());
    let roomy = |path: &PathBuf| {
        let private = fs::metadata(path).is_ok_and(|meta| {
            let ours = meta.uid() == rustix::process::geteuid().as_raw();
            ours && meta.is_dir() && meta.mode() & 0o077 == 0
        });
        private && statvfs(path).is_ok_and(|fs| fs.f_bavail * fs.f_frsize >= RUNTIME_BYTES_MIN)
    };
    folder(runtime_dir)
        .filter(roomy)
        .or_else(|| Some(PathBuf::from("/tmp")).filter(|path| is_writable(path)))
        .or_else(|| folder(tmpdir).filter(|path| path.is_dir()))
        .unwrap_or_else(|| "/tmp".into())
}

fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

/// A scratch directory; removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// Keeps the lock.
    _lock: Option<File>,
}

impl Scratch {
    /// Creates a directory with a name nobody can guess and mode 0700.
    ///
    /// # Errors
    /// When `base` cannot be written.
    pub fn create(base: &Path) -> Result<Self, HostError> {
        let path = base.join(format!("{PREFIX}{}", uuid::Uuid::new_v4().simple()));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| fail::at("create the scratch directory", &path, error))?;
        let lock = File::open(&path).ok();
        if let Some(lock) = &lock {
            // Without a lock it may be swept while in use, but only by our own user.
            let _ = flock(lock, FlockOperation::NonBlockingLockExclusive);
        }
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes what dead processes of this user left in `base`, and says how many directories. Not
/// for the start of a program: it lists the folder.
pub fn sweep(base: &Path) -> usize {
    sweep_older(base, SWEEP_AGE)
}

fn sweep_older(base: &Path, age: Duration) -> usize {
    let Ok(entries) = fs::read_dir(base) else { return 0 };
    let user = rustix::process::geteuid().as_raw();
    let mut count = 0;
    for entry in entries.take(SWEEP_ENTRIES_MAX).flatten() {
        let is_scratch = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !is_scratch {
            continue;
        }
        let Ok(meta) = fs::symlink_metadata(entry.path()) else { continue };
        let modified = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let is_old = modified.elapsed().is_ok_and(|elapsed| elapsed >= age);
        if !meta.is_dir() || meta.uid() != user || !is_old {
            continue;
        }
        let Ok(dir) = File::open(entry.path()) else { continue };
        let is_free = flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok();
        if is_free && fs::remove_dir_all(entry.path()).is_ok() {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_is_private_and_goes_with_its_owner() {
        let base = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(base.path()).unwrap();
        assert_eq!(fs::metadata(scratch.path()).unwrap().mode() & 0o777, 0o700);
        fs::write(scratch.path().join("spool"), "x").unwrap();
        let left = base.path().join(format!("{PREFIX}left"));
        fs::create_dir(&left).unwrap();
        fs::create_dir(base.path().join("other")).unwrap();
        // What is young stays; what is held stays; only what was left goes.
        assert_eq!(sweep(base.path()), 0);
        assert_eq!(sweep_older(base.path(), Duration::ZERO), 1);
        assert!(scratch.path().exists() && !left.exists());
        drop(scratch);
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_open_runtime_directory_is_not_used() {
        let tmp = tempfile::tempdir().unwrap();
        let open = tmp.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(base(Some(open.as_os_str()), Some(tmp.path().as_os_str())), Path::new("/tmp"));
        assert_eq!(base(None, Some(OsStr::new("relative"))), Path::new("/tmp"));
        assert_eq!(base(None, None), Path::new("/tmp"));
    }
}
