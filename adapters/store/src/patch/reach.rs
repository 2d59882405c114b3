//! Where a patch may write: directories are opened beneath the writable roots, and everything
//! later happens relative to those descriptors.
//!
//! A path passes three checks. Its text must be allowed by the policy. Its directory must open
//! beneath a root whatever symbolic links it contains, and whoever changes them meanwhile. And
//! the directory that was really opened must not be, or lie in, a protected one; the nearest
//! root above it decides.

use std::{
    ffi::{OsStr, OsString},
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
    rc::Rc,
};

use codex_proto::{
    HostError, HostErrorKind,
    policy::{PROTECTED_NAMES, SandboxPolicy},
};
use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, Stat, fstat, openat, statat},
    io::Errno,
};

use crate::fail;

/// Directories between a file and its root.
const DEPTH_MAX: usize = 1024;

/// Device and inode.
pub(super) type Identity = (u64, u64);

#[expect(clippy::unnecessary_cast, reason = "types differ by system")]
pub(super) fn identity(stat: &Stat) -> Identity {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// Everything that one patch may reach.
pub(super) struct Reach<'a> {
    policy: &'a SandboxPolicy,
    roots: Vec<Root>,
}

struct Root {
    path: PathBuf,
    /// Without symbolic links.
    real: PathBuf,
    dir: OwnedFd,
    identity: Identity,
    /// Identities of the protected directories at its top.
    protected: Vec<Identity>,
}

/// A place for a file.
#[derive(Clone)]
pub(super) struct Place {
    /// The deepest directory on the way that exists.
    pub(super) dir: Rc<OwnedFd>,
    pub(super) dir_identity: Identity,
    /// Directories to create below it.
    pub(super) missing: Vec<OsString>,
    pub(super) name: OsString,
}

impl<'a> Reach<'a> {
    pub(super) fn open(policy: &'a SandboxPolicy) -> Result<Self, HostError> {
        let mut roots = Vec::new();
        if !policy.is_full_access() {
            for path in &policy.writable_roots {
                roots.extend(Root::open(path)?);
            }
        }
        Ok(Self { policy, roots })
    }

    /// Finds the place of a file without touching anything. A symbolic link in the last position
    /// is followed when `follow` is set.
    pub(super) fn place(&self, path: &Path, follow: bool) -> Result<Place, HostError> {
        let plain = path.is_absolute()
            && !path.components().any(|c| matches!(c, Component::ParentDir | Component::CurDir));
        if !plain || path.file_name().is_none() {
            let what = "is not an absolute path of a file";
            return Err(fail::found(HostErrorKind::Other, path, what));
        }
        if !self.policy.allows_write(path) {
            return Err(self.refusal(path));
        }
        let place = self.open_parent(path, path)?;
        if !follow || !place.missing.is_empty() || !is_symlink(&place)? {
            return Ok(place);
        }
        let real = std::fs::canonicalize(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => fail::found(
                HostErrorKind::NotFound,
                path,
                "is a symbolic link to a file that does not exist",
            ),
            _ => fail::at("follow", path, error),
        })?;
        let place = self.open_parent(path, &real)?;
        if place.missing.is_empty() && !is_symlink(&place)? {
            return Ok(place);
        }
        Err(fail::found(HostErrorKind::Stale, path, "changed while it was followed"))
    }

    /// Opens the directory of `target`; errors speak about `path`.
    fn open_parent(&self, path: &Path, target: &Path) -> Result<Place, HostError> {
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(fail::found(HostErrorKind::Other, path, "is a directory, not a file"));
        };
        let mut missing = Vec::new();
        let mut existing = parent;
        // Above a root that does not exist yet: the way to it is the user's, and made on demand.
        let mut above_root = false;
        let dir = loop {
            let opened = if self.policy.is_full_access() || above_root {
                open_dir(existing)
            } else {
                self.open_beneath(path, existing)?
            };
            match opened {
                Ok(dir) => break dir,
                Err(Errno::NOENT) => {
                    let (Some(up), Some(name)) = (existing.parent(), existing.file_name()) else {
                        return Err(fail::at("open the folder of", path, Errno::NOENT));
                    };
                    above_root |= self.policy.writable_roots.iter().any(|root| root == existing);
                    missing.insert(0, name.to_owned());
                    existing = up;
                }
                Err(Errno::NOTDIR) => {
                    return Err(fail::found(HostErrorKind::Other, existing, "is not a directory"));
                }
                Err(error) => return Err(fail::at("open the folder of", path, error)),
            }
        };
        let stat = fstat(&dir).map_err(|e| fail::at("open the folder of", path, e))?;
        let next = missing.first().map_or(name, OsString::as_os_str);
        if !self.policy.is_full_access() && !above_root {
            self.guard(path, &dir, identity(&stat), next)?;
        }
        Ok(Place {
            dir: Rc::new(dir),
            dir_identity: identity(&stat),
            missing,
            name: name.to_owned(),
        })
    }

    /// Opens a directory beneath a root; the inner result is for the caller to judge.
    fn open_beneath(&self, path: &Path, dir: &Path) -> Result<Result<OwnedFd, Errno>, HostError> {
        if let Some((root, rest)) = self.root_of(dir, |root| &root.path) {
            match beneath::open(&root.dir, rest) {
                // It leaves the root, or contains an absolute link: perhaps into a root again.
                Err(Errno::XDEV | Errno::LOOP) => {}
                other => return Ok(other),
            }
        }
        let real = match std::fs::canonicalize(dir) {
            Ok(real) => real,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Err(Errno::NOENT));
            }
            Err(error) => return Err(fail::at("open the folder of", path, error)),
        };
        match self.root_of(&real, |root| &root.real) {
            Some((root, rest)) => match beneath::open(&root.dir, rest) {
                Err(Errno::XDEV | Errno::LOOP) => Err(escape(path, &real)),
                other => Ok(other),
            },
            None => Err(escape(path, &real)),
        }
    }

    /// The deepest root that holds `path`, and the rest of the path.
    fn root_of<'p>(
        &self,
        path: &'p Path,
        at: impl Fn(&Root) -> &Path,
    ) -> Option<(&Root, &'p Path)> {
        self.roots
            .iter()
            .filter_map(|root| Some((root, path.strip_prefix(at(root)).ok()?)))
            .min_by_key(|(_, rest)| rest.components().count())
    }

    /// Walks up from an opened directory to the nearest root, and refuses protected ground.
    fn guard(
        &self,
        path: &Path,
        dir: &OwnedFd,
        dir_identity: Identity,
        next: &OsStr,
    ) -> Result<(), HostError> {
        let fail = |error| fail::at("open the folder of", path, error);
        let mut chain = Vec::new();
        let mut here = dir_identity;
        let mut up: Option<OwnedFd> = None;
        for _ in 0..DEPTH_MAX {
            if let Some(root) = self.roots.iter().find(|root| root.identity == here) {
                let at_top = chain.is_empty();
                let named = PROTECTED_NAMES.iter().any(|name| next.eq_ignore_ascii_case(name));
                if (at_top && named) || chain.iter().any(|dir| root.protected.contains(dir)) {
                    return Err(protected(path));
                }
                return Ok(());
            }
            chain.push(here);
            let below = up.as_ref().unwrap_or(dir);
            let above = openat(below, "..", DIRECTORY, Mode::empty()).map_err(fail)?;
            here = identity(&fstat(&above).map_err(fail)?);
            up = Some(above);
        }
        Err(fail::found(HostErrorKind::Permission, path, "is not beneath a writable root"))
    }

    fn refusal(&self, path: &Path) -> HostError {
        if self.policy.writable_roots.iter().any(|root| path.starts_with(root)) {
            return protected(path);
        }
        let roots: Vec<String> =
            self.policy.writable_roots.iter().map(|root| root.display().to_string()).collect();
        let what = if roots.is_empty() {
            "cannot be written: the sandbox is read-only".to_owned()
        } else {
            format!("is outside the writable roots ({})", roots.join(", "))
        };
        fail::found(HostErrorKind::Permission, path, what)
    }
}

impl Root {
    /// `None` when there is no such directory: nothing is beneath it yet.
    fn open(path: &Path) -> Result<Option<Self>, HostError> {
        let fail = |error| fail::at("open the writable root", path, error);
        let dir = match open_dir(path) {
            Ok(dir) => dir,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        let real = std::fs::canonicalize(path)
            .map_err(|error| fail::at("open the writable root", path, error))?;
        let protected = PROTECTED_NAMES
            .iter()
            .flat_map(|name| {
                [AtFlags::empty(), AtFlags::SYMLINK_NOFOLLOW]
                    .map(|flags| statat(&dir, *name, flags).ok().map(|stat| identity(&stat)))
            })
            .flatten()
            .collect();
        let identity = identity(&fstat(&dir).map_err(fail)?);
        Ok(Some(Self { path: path.to_owned(), real, dir, identity, protected }))
    }
}

fn escape(path: &Path, real: &Path) -> HostError {
    let what =
        format!("leads through a symbolic link to {}, outside the writable roots", real.display());
    fail::found(HostErrorKind::Permission, path, what)
}

fn protected(path: &Path) -> HostError {
    let what = format!("is protected: patches do not change {}", PROTECTED_NAMES.join(", "));
    fail::found(HostErrorKind::Permission, path, what)
}

fn is_symlink(place: &Place) -> Result<bool, HostError> {
    use rustix::fs::FileType;
    match statat(&place.dir, &place.name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Symlink),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(fail::at("read", Path::new(&place.name), error)),
    }
}

#[cfg(target_os = "linux")]
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn open_dir(path: &Path) -> Result<OwnedFd, Errno> {
    openat(CWD, path, DIRECTORY, Mode::empty())
}

/// Opens a directory named `name` right below `dir`, never through a link.
pub(super) fn open_child(dir: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    openat(dir, name, DIRECTORY.union(OFlags::NOFOLLOW), Mode::empty())
}

mod beneath {
    use super::*;

    /// Opens `rest` beneath `root`: by one call where the kernel can, else step by step without
    /// following links. `XDEV` or `LOOP` when it would leave the root.
    pub(super) fn open(root: &OwnedFd, rest: &Path) -> Result<OwnedFd, Errno> {
        #[cfg(target_os = "linux")]
        match by_kernel(root, rest) {
            // An old kernel, or a filter that does not know the call.
            Err(Errno::NOSYS | Errno::PERM) => {}
            other => return other,
        }
        by_steps(root, rest)
    }

    #[cfg(target_os = "linux")]
    fn by_kernel(root: &OwnedFd, rest: &Path) -> Result<OwnedFd, Errno> {
        use rustix::fs::{ResolveFlags, openat2};
        let rest = if rest.as_os_str().is_empty() { Path::new(".") } else { rest };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        // The kernel gives up when something is renamed meanwhile.
        for _ in 0..16 {
            match openat2(root, rest, DIRECTORY, Mode::empty(), resolve) {
                Err(Errno::AGAIN) => {}
                other => return other,
            }
        }
        Err(Errno::AGAIN)
    }

    pub(super) fn by_steps(root: &OwnedFd, rest: &Path) -> Result<OwnedFd, Errno> {
        let mut dir = openat(root, ".", DIRECTORY, Mode::empty())?;
        for component in rest.components() {
            let Component::Normal(name) = component else { return Err(Errno::XDEV) };
            dir = match open_child(&dir, name) {
                // What a link in the middle gives depends on the flags; ask what it is.
                Err(Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => {
                    use rustix::fs::FileType;
                    let stat = statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
                    let is_link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
                    return Err(if is_link { Errno::LOOP } else { Errno::NOTDIR });
                }
                other => other?,
            };
        }
        Ok(dir)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn both_ways_of_opening_agree_and_stay_beneath() {
        let tmp = tempfile::tempdir().unwrap();
        let root_path = tmp.path().join("root");
        fs::create_dir_all(root_path.join("a/b")).unwrap();
        fs::create_dir(tmp.path().join("out")).unwrap();
        fs::write(root_path.join("file"), "").unwrap();
        symlink("../out", root_path.join("escape")).unwrap();
        symlink(tmp.path().join("out"), root_path.join("absolute")).unwrap();
        symlink("a", root_path.join("inside")).unwrap();
        let root = open_dir(&root_path).unwrap();
        let id = |fd: Result<OwnedFd, Errno>| fd.map(|fd| identity(&fstat(&fd).unwrap()));
        let want = |name: &str| {
            let stat = rustix::fs::stat(root_path.join(name)).unwrap();
            Ok(identity(&stat))
        };
        for name in ["", "a", "a/b"] {
            assert_eq!(id(beneath::open(&root, Path::new(name))), want(name), "{name}");
            assert_eq!(id(beneath::by_steps(&root, Path::new(name))), want(name), "{name}");
        }
        assert_eq!(id(beneath::open(&root, Path::new("inside/b"))), want("a/b"));
        for (name, by_kernel, by_steps) in [
            ("escape", Errno::XDEV, Errno::LOOP),
            ("absolute", Errno::XDEV, Errno::LOOP),
            ("escape/x", Errno::XDEV, Errno::LOOP),
            ("no", Errno::NOENT, Errno::NOENT),
            ("file", Errno::NOTDIR, Errno::NOTDIR),
            ("file/x", Errno::NOTDIR, Errno::NOTDIR),
        ] {
            assert_eq!(beneath::open(&root, Path::new(name)).unwrap_err(), by_kernel, "{name}");
            assert_eq!(beneath::by_steps(&root, Path::new(name)).unwrap_err(), by_steps, "{name}");
        }
    }

    #[test]
    fn places_are_judged_by_where_they_really_are() {
        let tmp = tempfile::tempdir().unwrap();
        let root = tmp.path().join("root");
        for dir in ["root/.git/hooks", "root/src/deep", "root/sub/.git", "out", "extra"] {
            fs::create_dir_all(tmp.path().join(dir)).unwrap();
        }
        fs::write(root.join("src/f"), "").unwrap();
        for (target, link) in [
            (".git", "root/to-git"),
            (".git/hooks", "root/to-hooks"),
            ("../out", "root/to-out"),
            (".", "root/to-self"),
            ("../extra", "root/to-extra"),
            ("src/f", "root/to-f"),
            ("nothing", "root/dangling"),
            ("../out/f", "root/to-out-f"),
        ] {
            symlink(target, tmp.path().join(link)).unwrap();
        }
        symlink(root.join("src"), root.join("absolute")).unwrap();
        let mut policy = SandboxPolicy::workspace_write(root.clone());
        policy.writable_roots.push(tmp.path().join("extra"));
        let reach = Reach::open(&policy).unwrap();
        for (path, want) in [
            ("root/new", ""),
            ("root/src/f", ""),
            ("root/src/new/deep/er", ""),
            ("root/to-self/src/f", ""),
            ("root/to-extra/f", ""),
            ("root/absolute/f", ""),
            ("root/to-f", ""),
            ("root/sub/.git/config", ""),
            ("root/.git/config", "is protected"),
            ("root/to-git/config", "is protected"),
            ("root/to-git/new/config", "is protected"),
            ("root/to-hooks/pre-commit", "is protected"),
            ("root/to-self/.git/config", "is protected"),
            ("root/to-self/.agents/x", "is protected"),
            ("root/to-self/.CODEX", "is protected"),
            ("root/to-extra/.git", "is protected"),
            ("root/to-out/f", "outside the writable roots"),
            ("root/to-out/new/f", "outside the writable roots"),
            ("root/to-out-f", "is a symbolic link to a file that does not exist"),
            ("root/dangling", "is a symbolic link to a file that does not exist"),
            ("out/f", "is outside the writable roots ("),
            ("root/src/../../out/f", "is not an absolute path"),
            ("root/src/f/x", "is not a directory"),
        ] {
            let got = reach.place(&tmp.path().join(path), true).map(|_| ());
            match got {
                Ok(()) => assert_eq!(want, "", "{path} was allowed"),
                Err(error) => {
                    assert!(!want.is_empty() && error.message.contains(want), "{path}: {error}");
                }
            }
        }
        fs::write(tmp.path().join("out/f"), "").unwrap();
        let error = reach.place(&root.join("to-out-f"), true).err().unwrap();
        assert!(error.message.contains("outside the writable roots"), "{error}");
        // Without following, the link itself is the place.
        assert!(reach.place(&root.join("to-out-f"), false).is_ok());
    }
}
