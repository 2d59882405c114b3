//! The protected names at the top of the writable roots, as they are when a command starts.
//!
//! ```text
//! exists   ─> covered by itself, read-only
//! missing  ─> Placeholder made ─> covered ─> command ends ─> Placeholder removed
//! symlink  ─> error
//! ```
//!
//! Nothing can be mounted on a name that does not exist, so a missing name gets a *placeholder*:
//! an empty directory that exists on the host only while a command runs. It is marked by its
//! modification time, which any use of it changes, so that a placeholder left behind by a killed
//! process is known for what it is. Everyone who relies on one holds a shared lock on it, and it
//! is removed only by who gets the exclusive lock.

use std::{
    cell::RefCell,
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    rc::{Rc, Weak},
    time::{Duration, Instant, SystemTime},
};

use codex_proto::policy::PROTECTED_NAMES;

use crate::{Layer, SandboxError};

/// The modification time that marks a placeholder: an instant in 1976 that no real file has.
const MARK: Duration = Duration::from_secs(206_158_430);

/// An existing path that must be read-only.
#[derive(Debug)]
pub(super) struct Protected {
    pub(super) path: PathBuf,
    /// Directories between the root and the path, which must not be renamed.
    pub(super) pins: Vec<PathBuf>,
    /// Whether it is a placeholder.
    pub(super) is_missing: bool,
}

/// What to cover for one command. The placeholders live as long as this value.
#[derive(Debug, Default)]
pub(super) struct Protection {
    pub(super) paths: Vec<Protected>,
    pub(super) placeholders: Vec<Rc<Placeholder>>,
}

/// Placeholders in use by commands of this session.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    live: RefCell<Vec<Weak<Placeholder>>>,
}

/// One empty directory on the host, locked. Removed with the last user.
#[derive(Debug)]
pub(super) struct Placeholder {
    path: PathBuf,
    dir: File,
}

impl Placeholders {
    /// Looks at the protected names of all roots and makes placeholders for the missing ones.
    pub(super) fn protect(&self, roots: &[PathBuf]) -> Result<Protection, SandboxError> {
        let mut protection = Protection::default();
        for root in roots {
            for name in PROTECTED_NAMES {
                self.protect_name(roots, root, name, &mut protection)?;
            }
        }
        Ok(protection)
    }

    fn protect_name(
        &self,
        roots: &[PathBuf],
        root: &Path,
        name: &str,
        protection: &mut Protection,
    ) -> Result<(), SandboxError> {
        let path = root.join(name);
        let mut is_missing = false;
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_symlink() => {
                return Err(SandboxError::at(Layer::ProtectedLink, 0, path));
            }
            Ok(meta) if !is_placeholder(&meta) => {
                if name == ".git" && meta.is_file() {
                    protect_worktree(roots, root, &path, protection);
                }
                if meta.is_dir() && is_young(&meta) {
                    // Perhaps another session's placeholder that is not marked yet: the lock keeps
                    // it in place. Where it is not to be had the directory is somebody's own.
                    protection.placeholders.extend(self.hold(&path).ok());
                }
            }
            Ok(_) => is_missing = true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => is_missing = true,
            Err(error) => return Err(SandboxError::io(Layer::Placeholder, &error, path)),
        }
        if is_missing {
            match self.hold(&path) {
                Ok(placeholder) => protection.placeholders.push(placeholder),
                // The command could not create the name either.
                Err(error) if cannot_create(&error) => return Ok(()),
                Err(error) => return Err(SandboxError::io(Layer::Placeholder, &error, path)),
            }
        }
        protection.paths.push(Protected { path, pins: Vec::new(), is_missing });
        Ok(())
    }

    fn hold(&self, path: &Path) -> io::Result<Rc<Placeholder>> {
        let mut live = self.live.borrow_mut();
        live.retain(|placeholder| placeholder.strong_count() > 0);
        let known = live
            .iter()
            .filter_map(Weak::upgrade)
            .find(|known| known.path == path && known.is_at_path());
        if let Some(known) = known {
            return Ok(known);
        }
        let placeholder = Rc::new(Placeholder::make(path)?);
        live.push(Rc::downgrade(&placeholder));
        Ok(placeholder)
    }
}

/// Whether creating a directory failed for a reason that holds for the command as well.
fn cannot_create(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
    )
}

/// A worktree's `.git` is a file that names the real directory. Where that lies below a writable
/// root, it and the repository that it shares are protected too.
fn protect_worktree(roots: &[PathBuf], root: &Path, file: &Path, protection: &mut Protection) {
    /// Longer files are no pointers to a directory.
    const POINTER_BYTES_MAX: u64 = 16 * 1024;
    let read = |path: &Path| {
        fs::metadata(path)
            .ok()
            .filter(|meta| meta.len() <= POINTER_BYTES_MAX)
            .and_then(|_| fs::read(path).ok())
    };
    let pointer = |bytes: &[u8], base: &Path| {
        use std::os::unix::ffi::OsStrExt;
        fs::canonicalize(base.join(std::ffi::OsStr::from_bytes(bytes.trim_ascii()))).ok()
    };
    let Some(git_dir) = read(file)
        .and_then(|text| text.strip_prefix(b"gitdir:").and_then(|path| pointer(path, root)))
    else {
        return;
    };
    let common = read(&git_dir.join("commondir")).and_then(|text| pointer(&text, &git_dir));
    for path in [Some(git_dir), common].into_iter().flatten() {
        let Some(root) = roots.iter().rfind(|root| path.starts_with(root) && path != **root) else {
            continue;
        };
        let pins =
            path.ancestors().skip(1).take_while(|dir| dir != root).map(Path::to_path_buf).collect();
        if !protection.paths.iter().any(|known| known.path == path) {
            protection.paths.push(Protected { path, pins, is_missing: false });
        }
    }
}

fn is_placeholder(meta: &Metadata) -> bool {
    meta.is_dir() && meta.mtime() as u64 == MARK.as_secs()
}

fn is_young(meta: &Metadata) -> bool {
    const YOUNG: Duration = Duration::from_secs(2);
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(meta.ctime().max(0) as u64);
    changed.elapsed().map_or(true, |age| age < YOUNG)
}

impl Placeholder {
    fn make(path: &Path) -> io::Result<Self> {
        /// Others remove or make the directory at the same time at most this long.
        const BUSY_TIME_MAX: Duration = Duration::from_secs(2);
        let deadline = Instant::now() + BUSY_TIME_MAX;
        while Instant::now() < deadline {
            let made = fs::create_dir(path);
            if let Err(error) = &made
                && error.kind() != io::ErrorKind::AlreadyExists
            {
                return made.map(|()| unreachable!());
            }
            let placeholder = match open_dir(path) {
                Ok(dir) => Self { path: path.to_path_buf(), dir },
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if placeholder.dir.try_lock_shared().is_err() {
                // Its remover is at work.
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            if made.is_ok() {
                placeholder.dir.set_modified(SystemTime::UNIX_EPOCH + MARK)?;
            }
            if placeholder.is_at_path() {
                return Ok(placeholder);
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    fn is_at_path(&self) -> bool {
        let (Ok(here), Ok(there)) = (self.dir.metadata(), fs::symlink_metadata(&self.path)) else {
            return false;
        };
        here.dev() == there.dev() && here.ino() == there.ino()
    }

    fn remove(&self) {
        // Turns the shared lock into an exclusive one, unless somebody else relies on it too.
        if self.dir.try_lock().is_ok()
            && self.is_at_path()
            && self.dir.metadata().is_ok_and(|meta| is_placeholder(&meta))
        {
            // One that somebody has filled is theirs, and stays.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

impl Drop for Placeholder {
    fn drop(&mut self) {
        self.remove();
        // A child between its fork and its exec has the descriptor too, and with it the lock.
        let _ = self.dir.unlock();
    }
}

fn open_dir(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(path)
}

/// Removes placeholders that killed processes have left in `roots`.
pub(super) fn sweep(roots: &[PathBuf]) {
    for path in roots.iter().flat_map(|root| PROTECTED_NAMES.map(|name| root.join(name))) {
        if fs::symlink_metadata(&path).is_ok_and(|meta| is_placeholder(&meta))
            && let Ok(dir) = open_dir(&path)
        {
            // Removed by its destructor.
            drop(Placeholder { path, dir });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn placeholders_leave_with_their_last_user() {
        let dir = tempfile::tempdir().unwrap();
        let roots = [dir.path().to_path_buf()];
        let (ours, other_session) = (Placeholders::default(), Placeholders::default());
        let first = ours.protect(&roots).unwrap();
        let second = ours.protect(&roots).unwrap();
        let third = other_session.protect(&roots).unwrap();
        assert!(third.paths.iter().all(|path| path.is_missing));
        for user in [first, second] {
            assert_eq!(names(dir.path()), [".agents", ".codex", ".git"]);
            drop(user);
        }
        sweep(&roots);
        assert_eq!(names(dir.path()), [".agents", ".codex", ".git"]);
        drop(third);
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn a_placeholder_that_was_used_stays() {
        let dir = tempfile::tempdir().unwrap();
        let roots = [dir.path().to_path_buf()];
        let users = Placeholders::default();
        let user = users.protect(&roots).unwrap();
        fs::write(dir.path().join(".git/HEAD"), "ref").unwrap();
        // Whoever replaces a placeholder owns the result.
        fs::remove_dir(dir.path().join(".codex")).unwrap();
        fs::create_dir(dir.path().join(".codex")).unwrap();
        let later = users.protect(&roots).unwrap();
        assert_eq!(later.paths.iter().filter(|path| path.is_missing).count(), 1);
        drop((user, later));
        assert_eq!(names(dir.path()), [".codex", ".git"]);
    }

    #[test]
    fn leftovers_are_swept_and_real_directories_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let roots = [dir.path().to_path_buf()];
        fs::create_dir(dir.path().join(".git")).unwrap();
        let left = dir.path().join(".codex");
        fs::create_dir(&left).unwrap();
        File::open(&left).unwrap().set_modified(SystemTime::UNIX_EPOCH + MARK).unwrap();
        sweep(&roots);
        assert_eq!(names(dir.path()), [".git"]);
    }

    #[test]
    fn a_protected_link_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("elsewhere", dir.path().join(".codex")).unwrap();
        let error = Placeholders::default().protect(&[dir.path().to_path_buf()]).unwrap_err();
        assert_eq!(error.layer, Layer::ProtectedLink);
        assert!(error.to_string().contains(".codex"));
    }

    #[test]
    fn a_worktree_protects_its_repository() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let work = root.join("a/.git/worktrees/w");
        fs::create_dir_all(&work).unwrap();
        fs::write(work.join("commondir"), "../..\n").unwrap();
        fs::create_dir(root.join("w")).unwrap();
        fs::write(root.join("w/.git"), "gitdir: ../a/.git/worktrees/w\n").unwrap();
        let users = Placeholders::default();
        let protection = users.protect(&[root.clone(), root.join("w")]).unwrap();
        let find = |path: &Path| protection.paths.iter().find(|known| known.path == path).unwrap();
        assert_eq!(find(&root.join("a/.git")).pins, [root.join("a")]);
        assert_eq!(find(&work).pins.len(), 3);
    }
}
