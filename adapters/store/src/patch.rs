//! Writes the files of a patch, all or none.
//!
//! ```text
//! check  every file is what the plan was made from, and may be written     nothing is written
//! stage  new contents go into `.codex-patch-*` files beside their targets  targets untouched
//! commit each staged file is swapped with its target; then deletions       old ones kept aside
//! finish the old ones are removed                                          cannot fail
//! ```
//!
//! An error before `finish` undoes everything done so far. A kill at any moment leaves each file
//! wholly old or wholly new; what lies aside is swept by the next patch in that directory.
//!
//! Decisions: a patched file gets a new inode, so other hard links keep the old content (they
//! may lie where the sandbox forbids writing). Permission bits, extended attributes and, as far
//! as permitted, owner and group are carried over. A file without any write permission is refused
//! even where the owner of the directory could replace it. Symbolic links are followed when
//! writing, as long as they stay within reach; deleting one deletes the link.

use std::{
    ffi::OsString,
    fs::File,
    io::{Read as _, Write as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    rc::Rc,
};

use codex_proto::{
    HostError, HostErrorKind, Reply,
    effect::{Digest, FilePatch, FileWrite},
};
use rustix::{
    fs::{
        Access, AtFlags, FileType, Mode, OFlags, RenameFlags, Stat, accessat, fchmod, fchown,
        mkdirat, openat, renameat, renameat_with, statat, unlinkat,
    },
    io::Errno,
};
use sha2::Digest as _;

use crate::{ReplyFn, fail};

mod attributes;
mod leftover;
mod reach;

use attributes::Attributes;
use reach::{Identity, Place, Reach, identity};

/// A larger file is not patched.
pub const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Answers `Closed` when every file is new, `Failed` when every file is as before.
///
/// With `sync`, new contents are on the disk before they take the place of old ones.
pub fn execute(patch: FilePatch, sync: bool, reply: &mut ReplyFn<'_>) {
    reply(match apply(patch, sync, &mut |_| Ok(())) {
        Ok(()) => Reply::Closed,
        Err(error) => Reply::Failed(error),
    });
}

/// Called before each change to a file system; an error counts as the change's own.
type Gate<'a> = dyn FnMut(&'static str) -> Result<(), Errno> + 'a;

fn apply(patch: FilePatch, sync: bool, gate: &mut Gate<'_>) -> Result<(), HostError> {
    let FilePatch { sandbox, files, thread: _ } = patch;
    let mut work = Work { targets: Vec::new(), folders: Vec::new(), sync, gate };
    let reach = Reach::open(&sandbox)?;
    for file in files {
        let target = Target::check(&reach, file)?;
        work.refuse_twins(&target)?;
        work.targets.push(target);
    }
    work.sweep();
    match work.stage().and_then(|()| work.commit()) {
        Ok(()) => {
            work.finish();
            Ok(())
        }
        Err(error) => Err(work.undo(error)),
    }
}

struct Work<'a, 'g> {
    targets: Vec<Target>,
    /// Folders that were created: where, and their names.
    folders: Vec<(Rc<OwnedFd>, OsString, Rc<OwnedFd>)>,
    sync: bool,
    gate: &'a mut Gate<'g>,
}

/// One file on its way from old to new.
struct Target {
    path: PathBuf,
    place: Place,
    old: Option<Old>,
    /// `None` deletes.
    after: Option<Vec<u8>>,
    /// Permission bits that are not those of the old file.
    mode: Option<Mode>,
    progress: Progress,
}

/// The file that is there now.
struct Old {
    stat: Stat,
    attributes: Attributes,
}

enum Progress {
    /// Nothing was done.
    Checked,
    /// The new content is in this file beside the target.
    Staged(String),
    /// There was no target; now there is.
    Created,
    /// Target and staged file changed places: this one holds the old content.
    Swapped(String),
    /// The target was replaced; a copy of the old content is in this file.
    Replaced(String),
    /// The target was moved to this file.
    Removed(String),
}

impl Target {
    /// Looks without writing anything.
    fn check(reach: &Reach<'_>, file: FileWrite) -> Result<Self, HostError> {
        let FileWrite { path, before, after, mode_from } = file;
        let place = reach.place(&path, after.is_some())?;
        let stat = if place.missing.is_empty() {
            match statat(&place.dir, &place.name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => Some(stat),
                Err(Errno::NOENT) => None,
                Err(error) => return Err(fail::at("read", &path, error)),
            }
        } else {
            None
        };
        let stale = |what| Err(fail::found(HostErrorKind::Stale, &path, what));
        let old = match (stat, before) {
            (None, None) => None,
            (None, Some(_)) => return stale("no longer exists"),
            (Some(stat), before) => {
                let kind = FileType::from_raw_mode(stat.st_mode);
                if let Some(what) = fail::not_regular(kind).filter(|_| kind != FileType::Symlink) {
                    return Err(fail::found(HostErrorKind::Other, &path, what));
                }
                let Some(before) = before else { return stale("exists already") };
                writable(&path, &place, &stat, kind)?;
                let (digest, attributes) = contents(&path, &place, kind)?;
                if digest != before {
                    return stale("changed since it was read");
                }
                Some(Old { stat, attributes })
            }
        };
        if place.missing.is_empty()
            && let Err(error) = accessat(&place.dir, ".", Access::WRITE_OK, AtFlags::EACCESS)
        {
            return Err(fail::at("write into the folder of", &path, error));
        }
        let mode = match mode_from {
            Some(from) => match rustix::fs::stat(&from) {
                Ok(stat) => Some(Mode::from_raw_mode(stat.st_mode)),
                Err(Errno::NOENT) => None,
                Err(error) => return Err(fail::at("read the mode of", &from, error)),
            },
            None => None,
        };
        Ok(Self { path, place, old, after, mode, progress: Progress::Checked })
    }

    fn dir(&self) -> &OwnedFd {
        &self.place.dir
    }

    /// Whether the file at `name` is still the one that was checked.
    fn is_old(&self, name: impl rustix::path::Arg) -> bool {
        let Some(old) = &self.old else { return false };
        let Ok(now) = statat(self.dir(), name, AtFlags::SYMLINK_NOFOLLOW) else { return false };
        identity(&now) == identity(&old.stat)
            && now.st_size == old.stat.st_size
            && (now.st_mtime, now.st_mtime_nsec) == (old.stat.st_mtime, old.stat.st_mtime_nsec)
    }

    fn changed(&self) -> HostError {
        fail::found(HostErrorKind::Stale, &self.path, "changed while the patch was applied")
    }
}

/// Refuses what permission bits say is not to be written, also for a user above them.
fn writable(path: &Path, place: &Place, stat: &Stat, kind: FileType) -> Result<(), HostError> {
    if kind == FileType::Symlink {
        return Ok(());
    }
    if stat.st_mode & 0o222 == 0 {
        let what = "is read-only; change its mode first";
        return Err(fail::found(HostErrorKind::Permission, path, what));
    }
    accessat(&place.dir, &place.name, Access::WRITE_OK, AtFlags::EACCESS)
        .map_err(|error| fail::at("write", path, error))
}

/// Digest and attributes of the current file. The content of a link is that of its target.
fn contents(path: &Path, place: &Place, kind: FileType) -> Result<(Digest, Attributes), HostError> {
    if kind == FileType::Symlink {
        let (file, _) = crate::read::open_regular(path)?;
        return Ok((digest(path, &file)?, Attributes::default()));
    }
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(&place.dir, &place.name, flags, Mode::empty())
        .map_err(|error| fail::at("read", path, error))?;
    let attributes = Attributes::of(&file);
    Ok((digest(path, &file.into())?, attributes))
}

fn digest(path: &Path, file: &File) -> Result<Digest, HostError> {
    let mut hash = sha2::Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut total = 0_u64;
    loop {
        match (&*file).read(&mut buffer) {
            Ok(0) => return Ok(Digest(hash.finalize().into())),
            Ok(count) => {
                total += count as u64;
                hash.update(&buffer[..count]);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(fail::at("read", path, error)),
        }
        if total > FILE_BYTES_MAX {
            let what = format!("has more than the {FILE_BYTES_MAX} bytes a patched file may have");
            return Err(fail::found(HostErrorKind::TooLarge, path, what));
        }
    }
}

impl Work<'_, '_> {
    /// Two paths may lead to one file.
    fn refuse_twins(&self, target: &Target) -> Result<(), HostError> {
        let key = |target: &Target| -> (Identity, Vec<OsString>, OsString) {
            let place = &target.place;
            (place.dir_identity, place.missing.clone(), place.name.clone())
        };
        let wanted = key(target);
        match self.targets.iter().find(|other| key(other) == wanted) {
            None => Ok(()),
            Some(other) => {
                let what = format!("is the same file as {}", other.path.display());
                Err(fail::found(HostErrorKind::Other, &target.path, what))
            }
        }
    }

    fn sweep(&self) {
        let mut seen: Vec<Identity> = Vec::new();
        for target in &self.targets {
            if !seen.contains(&target.place.dir_identity) {
                seen.push(target.place.dir_identity);
                leftover::sweep(target.dir());
            }
        }
    }

    fn stage(&mut self) -> Result<(), HostError> {
        for index in 0..self.targets.len() {
            if self.targets[index].after.is_some() {
                self.make_folders(index)?;
                self.stage_one(index)?;
            }
        }
        Ok(())
    }

    /// Creates the folders above a new file.
    fn make_folders(&mut self, index: usize) -> Result<(), HostError> {
        let target = &mut self.targets[index];
        for name in std::mem::take(&mut target.place.missing) {
            let fail = |error| fail::at("create the folder of", &target.path, error);
            let parent = Rc::clone(&target.place.dir);
            (self.gate)("mkdir").map_err(fail)?;
            let made = match mkdirat(&parent, &name, Mode::from_raw_mode(0o777)) {
                Ok(()) => true,
                // Another file of this patch, or of another process, had the same need.
                Err(Errno::EXIST) => false,
                Err(error) => return Err(fail(error)),
            };
            let child = Rc::new(reach::open_child(&parent, &name).map_err(fail)?);
            if made {
                self.folders.push((parent, name, Rc::clone(&child)));
            }
            target.place.dir = child;
        }
        Ok(())
    }

    fn stage_one(&mut self, index: usize) -> Result<(), HostError> {
        let target = &mut self.targets[index];
        let fail = |error: std::io::Error| fail::at("write", &target.path, error);
        let Some(after) = target.after.take() else { return Ok(()) };
        // The process's mask, or the folder's own rules, apply to new files only.
        let mode = Mode::from_raw_mode(if target.old.is_some() { 0o600 } else { 0o666 });
        let name = leftover::name();
        (self.gate)("create").map_err(|e| fail(e.into()))?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file =
            openat(&target.place.dir, &name, flags, mode).map_err(|error| fail(error.into()))?;
        target.progress = Progress::Staged(name);
        let mut file = File::from(file);
        (self.gate)("write").map_err(|e| fail(e.into()))?;
        file.write_all(&after).map_err(fail)?;
        if let Some(old) = &target.old {
            adopt_owner(&file, &old.stat);
        }
        let mode = target.mode.or(target.old.as_ref().map(|o| Mode::from_raw_mode(o.stat.st_mode)));
        if let Some(mode) = mode {
            fchmod(&file, mode).map_err(|error| fail(error.into()))?;
        }
        if let Some(old) = &target.old {
            old.attributes.put(&file);
        }
        if self.sync {
            (self.gate)("sync").map_err(|e| fail(e.into()))?;
            file.sync_data().map_err(fail)?;
        }
        Ok(())
    }

    /// Writes first, deletions last: what is moved exists at every moment.
    fn commit(&mut self) -> Result<(), HostError> {
        for index in 0..self.targets.len() {
            if matches!(self.targets[index].progress, Progress::Staged(_)) {
                self.replace(index)?;
            }
        }
        for index in 0..self.targets.len() {
            if matches!(self.targets[index].progress, Progress::Checked) {
                self.remove(index)?;
            }
        }
        Ok(())
    }

    fn replace(&mut self, index: usize) -> Result<(), HostError> {
        let target = &mut self.targets[index];
        let Progress::Staged(staged) = &target.progress else { return Ok(()) };
        let staged = staged.clone();
        let (dir, name) = (Rc::clone(&target.place.dir), target.place.name.clone());
        let fail = |error: Errno| match error {
            Errno::BUSY => {
                let what = "is a mount point and cannot be replaced";
                fail::found(HostErrorKind::Permission, &target.path, what)
            }
            error => fail::at("replace", &target.path, error),
        };
        (self.gate)("rename").map_err(fail)?;
        if target.old.is_none() {
            match rename_new(&dir, &staged, &name) {
                Ok(()) => {}
                Err(Errno::EXIST) => return Err(target.changed()),
                Err(error) => return Err(fail(error)),
            }
            target.progress = Progress::Created;
            return Ok(());
        }
        let swap = |()| renameat_with(&dir, &staged, &dir, &name, RenameFlags::EXCHANGE);
        match (self.gate)("swap").and_then(swap) {
            Ok(()) => {
                let is_old = target.is_old(staged.as_str());
                target.progress = Progress::Swapped(staged);
                return if is_old { Ok(()) } else { Err(target.changed()) };
            }
            Err(Errno::NOENT) => return Err(target.changed()),
            // Not every file system can swap.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            Err(error) => return Err(fail(error)),
        }
        let aside = self.copy_aside(index)?;
        let target = &mut self.targets[index];
        if let Err(error) = renameat(&dir, &staged, &dir, &name) {
            let _ = unlinkat(&dir, &aside, AtFlags::empty());
            return Err(fail::at("replace", &target.path, error));
        }
        target.progress = Progress::Replaced(aside);
        Ok(())
    }

    /// Copies the old content of a target, with its mode and attributes.
    fn copy_aside(&mut self, index: usize) -> Result<String, HostError> {
        let target = &self.targets[index];
        let fail = |error: std::io::Error| fail::at("keep a copy of", &target.path, error);
        let Some(old) = &target.old else { return Err(target.changed()) };
        let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let write =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = target.dir();
        let mut from: File = openat(dir, &target.place.name, read, Mode::empty())
            .map_err(|e| fail(e.into()))?
            .into();
        let name = leftover::name();
        let mut to: File = openat(dir, &name, write, Mode::from_raw_mode(0o600))
            .map_err(|e| fail(e.into()))?
            .into();
        let copied = std::io::copy(&mut from, &mut to).and_then(|_| {
            adopt_owner(&to, &old.stat);
            fchmod(&to, Mode::from_raw_mode(old.stat.st_mode))?;
            old.attributes.put(&to);
            if self.sync { to.sync_data() } else { Ok(()) }
        });
        let outcome = match copied {
            Err(error) => Err(fail(error)),
            Ok(()) if !target.is_old(&target.place.name) => Err(target.changed()),
            Ok(()) => Ok(name.clone()),
        };
        if outcome.is_err() {
            let _ = unlinkat(dir, &name, AtFlags::empty());
        }
        outcome
    }

    fn remove(&mut self, index: usize) -> Result<(), HostError> {
        let target = &mut self.targets[index];
        if target.old.is_none() {
            return Ok(());
        }
        let dir = Rc::clone(&target.place.dir);
        let aside = leftover::name();
        let fail = |error| fail::at("delete", &target.path, error);
        (self.gate)("remove").map_err(fail)?;
        match renameat(&dir, &target.place.name, &dir, &aside) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Err(target.changed()),
            Err(Errno::BUSY) => {
                let what = "is a mount point and cannot be deleted";
                return Err(fail::found(HostErrorKind::Permission, &target.path, what));
            }
            Err(error) => return Err(fail(error)),
        }
        let is_old = target.is_old(aside.as_str());
        target.progress = Progress::Removed(aside);
        if is_old { Ok(()) } else { Err(target.changed()) }
    }

    /// Removes what was kept aside. What cannot be removed now is swept another time.
    fn finish(&mut self) {
        for target in &self.targets {
            match &target.progress {
                Progress::Swapped(aside) | Progress::Replaced(aside) | Progress::Removed(aside) => {
                    let _ = unlinkat(target.dir(), aside, AtFlags::empty());
                }
                Progress::Checked | Progress::Created | Progress::Staged(_) => {}
            }
        }
    }

    /// Brings back every old file, and says whether that worked.
    fn undo(&mut self, mut error: HostError) -> HostError {
        let mut lost = Vec::new();
        let mut changed = false;
        for target in self.targets.iter().rev() {
            let (dir, name) = (target.dir(), &target.place.name);
            let outcome = match &target.progress {
                Progress::Checked => Ok(()),
                Progress::Staged(staged) => {
                    let _ = unlinkat(dir, staged, AtFlags::empty());
                    Ok(())
                }
                Progress::Created => {
                    changed = true;
                    unlinkat(dir, name, AtFlags::empty()).map_err(|error| (error, None))
                }
                Progress::Swapped(aside) => {
                    changed = true;
                    renameat_with(dir, aside, dir, name, RenameFlags::EXCHANGE)
                        .map(|()| {
                            let _ = unlinkat(dir, aside, AtFlags::empty());
                        })
                        .map_err(|error| (error, Some(aside)))
                }
                Progress::Replaced(aside) => {
                    changed = true;
                    renameat(dir, aside, dir, name).map_err(|error| (error, Some(aside)))
                }
                Progress::Removed(aside) => {
                    changed = true;
                    rename_new(dir, aside, name).map_err(|error| (error, Some(aside)))
                }
            };
            if let Err((why, aside)) = outcome {
                let aside = aside.map_or(String::new(), |a| format!("; its old content is in {a}"));
                lost.push(format!(
                    "{} could not be restored ({}){aside}",
                    target.path.display(),
                    fail::cause(&why.into())
                ));
            }
        }
        for (dir, name, _) in self.folders.iter().rev() {
            let _ = unlinkat(dir, name, AtFlags::REMOVEDIR);
        }
        error.message = match (lost.is_empty(), changed) {
            (true, false) => format!("{}; nothing was changed", error.message),
            (true, true) => format!("{}; every file is as it was before", error.message),
            (false, _) => format!("{}; {}", error.message, lost.join("; ")),
        };
        error
    }
}

/// Renames onto a name that must not be taken.
fn rename_new(
    dir: &OwnedFd,
    from: &str,
    to: &(impl rustix::path::Arg + Clone),
) -> Result<(), Errno> {
    match renameat_with(dir, from, dir, to.clone(), RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
        other => return other,
    }
    match statat(dir, to.clone(), AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => renameat(dir, from, dir, to.clone()),
        Ok(_) => Err(Errno::EXIST),
        Err(error) => Err(error),
    }
}

/// Gives a new file the owner of the old one, as far as we may.
fn adopt_owner(file: &File, old: &Stat) {
    use rustix::process::{Gid, Uid};
    let Ok(new) = rustix::fs::fstat(file) else { return };
    let owner = (new.st_uid != old.st_uid).then(|| Uid::from_raw(old.st_uid));
    let group = (new.st_gid != old.st_gid).then(|| Gid::from_raw(old.st_gid));
    if (owner.is_some() || group.is_some()) && fchown(file, owner, group).is_err() {
        let _ = fchown(file, None, group);
    }
}

#[cfg(test)]
mod tests;
