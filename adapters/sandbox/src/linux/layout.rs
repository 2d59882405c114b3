//! How the file system looks to one command: computed by the spawner, applied inside.

use std::{
    ffi::{CStr, CString},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use super::{
    plan::{Plan, c_path},
    protect::Protected,
    report::{Blame, Fault},
    session::{DEV_STORE, EMPTY_STORE, PRIVATE_STORES},
    sys::{self, Depth, Errno, NO_DEV, NO_SUID, READ_ONLY},
};
use crate::{Layer, SandboxError};

/// What is mounted at one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The host's tree, writable.
    Writable,
    /// The host's tree, read-only.
    ReadOnly,
    /// An empty directory that stays empty.
    Empty,
}

#[derive(Debug)]
struct Place {
    path: CString,
    kind: Kind,
}

/// Mounts for one command.
#[derive(Debug)]
pub(super) struct Layout {
    /// Directories whose renaming would carry a place away from its path.
    pins: Vec<CString>,
    /// Mounted in this order: parents before children.
    places: Vec<Place>,
    /// Targets of the private directories, as in [`PRIVATE_STORES`].
    private: Vec<CString>,
}

/// Parts of `/proc` that change the machine, not the process. They are root's, and root inside is
/// root outside.
const MACHINE_PARTS: [&CStr; 7] = [
    c"/proc/acpi",
    c"/proc/bus",
    c"/proc/fs",
    c"/proc/irq",
    c"/proc/scsi",
    c"/proc/sys",
    c"/proc/sysrq-trigger",
];

impl Layout {
    /// Combines the session's plan with what is protected now.
    pub(super) fn new(
        plan: &Plan,
        private: &[PathBuf],
        protected: &[Protected],
        cwd: Option<&Path>,
    ) -> Result<Self, SandboxError> {
        let writable = plan.roots.iter().chain(&plan.tmpdir);
        let mut all: Vec<(&Path, Kind)> = writable.map(|path| (&**path, Kind::Writable)).collect();
        let guarded = plan.guarded.iter().map(|path| &**path).chain(cwd);
        all.extend(guarded.map(|path| (path, Kind::ReadOnly)));
        all.extend(
            protected.iter().map(|path| {
                (&*path.path, if path.is_missing { Kind::Empty } else { Kind::ReadOnly })
            }),
        );
        // Stable: where a path has several kinds the last one wins by lying on top.
        all.sort_by_key(|(path, _)| *path);
        let mut pins: Vec<&Path> = protected
            .iter()
            .flat_map(|path| path.pins.iter().map(|pin| &**pin))
            .chain(all.iter().flat_map(|(path, _)| pins_between(&plan.roots, path)))
            .collect();
        pins.sort();
        pins.dedup();
        Ok(Self {
            pins: pins.into_iter().map(c_path).collect::<Result<_, _>>()?,
            places: all
                .into_iter()
                .map(|(path, kind)| Ok(Place { path: c_path(path)?, kind }))
                .collect::<Result<_, SandboxError>>()?,
            private: private.iter().map(|path| c_path(path)).collect::<Result<_, _>>()?,
        })
    }

    /// Paths that Landlock lets the command write.
    pub(super) fn writable(&self) -> impl Iterator<Item = &Path> {
        let places = self.places.iter().filter(|place| place.kind == Kind::Writable);
        places
            .map(|place| &place.path)
            .chain(&self.private)
            .map(|path| Path::new(std::ffi::OsStr::from_bytes(path.to_bytes())))
    }

    /// Arranges the mounts. This process must be alone in a copy of the session's base.
    pub(super) fn apply(&self) -> Result<(), Fault<'_>> {
        let layer = Layer::Mounts;
        sys::propagate(c"/", libc::MS_PRIVATE).at(layer, c"/")?;
        // Taken before everything becomes read-only.
        let dev = sys::clone_tree(DEV_STORE, Depth::Tree).at(Layer::Devices, c"/dev")?;
        let mut private = Vec::with_capacity(self.private.len());
        for (path, store) in self.private.iter().zip(PRIVATE_STORES) {
            // Only what is cached gets lost; a failure costs freshness, nothing else.
            let _ = sys::refresh(store);
            private.push((path, sys::clone_tree(store, Depth::Alone).at(Layer::Tmp, path)?));
        }
        let mut trees = Vec::with_capacity(self.places.len());
        for place in &self.places {
            trees.extend(place.tree().at(layer, &place.path)?.map(|tree| (place, tree)));
        }
        sys::restrict_at(c"/", READ_ONLY | NO_SUID | NO_DEV, Depth::Tree).at(layer, c"/")?;
        put(&dev, c"/dev").at(Layer::Devices, c"/dev")?;
        mount_proc()?;
        // Below the roots' own mounts, where they are not seen and still cannot be renamed.
        for pin in &self.pins {
            let tree = sys::open_no_links(pin).and_then(|fd| sys::clone_tree_at(&fd, Depth::Alone));
            match tree.and_then(|tree| put(&tree, pin)) {
                Ok(()) | Err(libc::ENOENT) => {}
                Err(errno) => return Err(Fault { layer, errno, path: Some(pin) }),
            }
        }
        for (path, tree) in &private {
            put(tree, path).at(Layer::Tmp, path)?;
        }
        for (place, tree) in &trees {
            place.attach(tree).at(layer, &place.path)?;
        }
        Ok(())
    }
}

impl Place {
    /// A detached tree with the right attributes; `None` when the path is gone: then there is
    /// nothing to write or to protect.
    fn tree(&self) -> Result<Option<OwnedFd>, Errno> {
        let opened = match self.kind {
            Kind::Empty => sys::clone_tree(EMPTY_STORE, Depth::Alone),
            Kind::Writable | Kind::ReadOnly => {
                sys::open_no_links(&self.path).and_then(|fd| sys::clone_tree_at(&fd, Depth::Tree))
            }
        };
        let tree = match opened {
            Err(libc::ENOENT) => return Ok(None),
            other => other?,
        };
        let attributes = match self.kind {
            Kind::Writable => NO_SUID | NO_DEV,
            Kind::Empty | Kind::ReadOnly => READ_ONLY | NO_SUID | NO_DEV,
        };
        sys::restrict(&tree, attributes, Depth::Tree)?;
        Ok(Some(tree))
    }

    fn attach(&self, tree: &OwnedFd) -> Result<(), Errno> {
        match put(tree, &self.path) {
            // Commands of this session may have removed it from a private directory.
            Err(libc::ENOENT) => {
                make_parents(&self.path);
                put(tree, &self.path)
            }
            other => other,
        }
    }
}

/// Mounts `tree` at `path`, on top of whatever is there.
fn put(tree: &OwnedFd, path: &CStr) -> Result<(), Errno> {
    sys::open_no_links(path).and_then(|target| sys::attach(tree, &target))
}

/// Makes the directories of `path`, itself included, as far as the file system lets it.
fn make_parents(path: &CStr) {
    let bytes = path.to_bytes();
    for end in (1..=bytes.len()).filter(|end| bytes.get(*end).is_none_or(|byte| *byte == b'/')) {
        if let Ok(prefix) = CString::new(&bytes[..end]) {
            let _ = sys::mkdir(&prefix, 0o755);
        }
    }
}

fn mount_proc<'a>() -> Result<(), Fault<'a>> {
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    sys::mount(c"proc", c"/proc", flags, c"").at(Layer::Proc, c"/proc")?;
    for part in MACHINE_PARTS {
        let covered = sys::open_no_links(part).and_then(|target| {
            let tree = sys::clone_tree_at(&target, Depth::Tree)?;
            sys::restrict(&tree, READ_ONLY | NO_SUID | NO_DEV, Depth::Tree)?;
            sys::attach(&tree, &target)
        });
        match covered {
            Ok(()) | Err(libc::ENOENT) => {}
            Err(errno) => return Err(Fault { layer: Layer::Proc, errno, path: Some(part) }),
        }
    }
    Ok(())
}

/// The directories between `path` and the writable roots around it.
fn pins_between<'a>(roots: &'a [PathBuf], path: &'a Path) -> impl Iterator<Item = &'a Path> {
    let inside = |dir: &Path| {
        !roots.iter().any(|root| dir == root) && roots.iter().any(|root| dir.starts_with(root))
    };
    path.ancestors().skip(1).take_while(move |dir| inside(dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_mounted_before_children_and_what_lies_between_is_pinned() {
        let plan = Plan {
            roots: vec!["/w".into(), "/w/a/b".into()],
            guarded: vec!["/w/home/.codex".into()],
            ..Plan::default()
        };
        let git =
            |path: &str, is_missing| Protected { path: path.into(), pins: vec![], is_missing };
        let protected = [git("/w/.git", false), git("/w/a/b/.git", true)];
        let layout = Layout::new(&plan, &[], &protected, None).unwrap();
        let places: Vec<_> =
            layout.places.iter().map(|place| (place.path.to_str().unwrap(), place.kind)).collect();
        assert_eq!(
            places,
            [
                ("/w", Kind::Writable),
                ("/w/.git", Kind::ReadOnly),
                ("/w/a/b", Kind::Writable),
                ("/w/a/b/.git", Kind::Empty),
                ("/w/home/.codex", Kind::ReadOnly),
            ]
        );
        let pins: Vec<_> = layout.pins.iter().map(|pin| pin.to_str().unwrap()).collect();
        assert_eq!(pins, ["/w/a", "/w/home"]);
        assert_eq!(layout.writable().count(), 2);
    }
}
