use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
};

use codex_proto::{ThreadId, policy::SandboxPolicy};
use proptest::prelude::*;

use super::*;

/// A workspace in a temporary directory.
struct Space(tempfile::TempDir);

impl Space {
    fn new(files: &[(&str, &str)]) -> Self {
        let space = Self(tempfile::tempdir().unwrap());
        for (name, content) in files {
            fs::create_dir_all(space.at(name).parent().unwrap()).unwrap();
            fs::write(space.at(name), content).unwrap();
        }
        space
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn change(&self, name: &str, before: Option<&str>, after: Option<&str>) -> FileWrite {
        FileWrite {
            path: self.at(name),
            before: before.map(|text| Digest::of(text.as_bytes())),
            after: after.map(|text| text.as_bytes().to_vec()),
            mode_from: None,
        }
    }

    fn patch(&self, files: Vec<FileWrite>) -> FilePatch {
        FilePatch {
            thread: ThreadId(uuid::Uuid::nil()),
            sandbox: SandboxPolicy::workspace_write(self.0.path().to_owned()),
            files,
        }
    }

    fn apply(&self, files: Vec<FileWrite>) -> Result<(), HostError> {
        apply(self.patch(files), false, &mut |_| Ok(()))
    }

    /// Applies a patch that may write in these folders of the space besides `work`.
    fn apply_beyond(&self, folders: &[&str], files: Vec<FileWrite>) -> Result<(), HostError> {
        let mut sandbox = SandboxPolicy::workspace_write(self.at("work"));
        sandbox.writable_roots.extend(folders.iter().map(|name| self.at(name)));
        apply(FilePatch { sandbox, ..self.patch(files) }, false, &mut |_| Ok(()))
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.at(name)).ok()
    }

    /// Every file and folder below the root, with content, mode and inode.
    fn everything(&self) -> BTreeMap<PathBuf, (Option<Vec<u8>>, u32)> {
        let mut all = BTreeMap::new();
        let mut folders = vec![self.0.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let meta = fs::symlink_metadata(&path).unwrap();
                if meta.is_dir() {
                    folders.push(path.clone());
                }
                let content = (meta.is_file() || meta.is_symlink()).then(|| fs::read(&path).ok());
                all.insert(path.clone(), (content.flatten(), meta.mode()));
            }
        }
        all
    }
}

#[test]
fn a_folder_that_was_allowed_is_made_and_no_other_is_written() {
    let space = Space::new(&[("work/a", "a"), ("other/x", "x")]);
    let add = |name: &str| vec![space.change(name, None, Some("new"))];
    space.apply_beyond(&["other/new/deep"], add("other/new/deep/f")).unwrap();
    assert_eq!(space.read("other/new/deep/f").as_deref(), Some("new"));
    space.apply_beyond(&["work/.git"], add("work/.git/config")).unwrap();
    let folders = ["other/fresh"];
    assert!(space.apply_beyond(&folders, add("other/y")).is_err());
    assert!(space.apply_beyond(&folders, add("work/.git/hooks/x")).is_err());
    // A link in the workspace leads nowhere new.
    symlink(space.at("other"), space.at("work/link")).unwrap();
    assert!(space.apply_beyond(&folders, add("work/link/z")).is_err());
    assert_eq!(space.read("other/z"), None);
}

#[test]
fn files_are_added_updated_moved_and_deleted() {
    let space = Space::new(&[("a", "old"), ("run.sh", "x"), ("gone", "bye")]);
    fs::set_permissions(space.at("a"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(space.at("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut moved = space.change("bin/deep/run.sh", None, Some("y"));
    moved.mode_from = Some(space.at("run.sh"));
    space
        .apply(vec![
            space.change("a", Some("old"), Some("new")),
            moved,
            space.change("run.sh", Some("x"), None),
            space.change("bin/deep/other", None, Some("")),
            space.change("gone", Some("bye"), None),
        ])
        .unwrap();
    let all = space.everything();
    let mode = |name: &str| all[&space.at(name)].1 & 0o777;
    assert_eq!(space.read("a").as_deref(), Some("new"));
    assert_eq!(mode("a"), 0o640);
    assert_eq!(space.read("bin/deep/run.sh").as_deref(), Some("y"));
    assert_eq!(mode("bin/deep/run.sh"), 0o755);
    assert_eq!(mode("bin/deep/other") & 0o700, 0o600);
    // Nothing else, so nothing is left behind.
    assert_eq!(all.len(), 5, "{all:?}");
}

#[test]
fn a_plan_that_no_longer_holds_is_stale_and_changes_nothing() {
    let space = Space::new(&[("a", "old"), ("b", "other"), ("c", "x")]);
    let before = space.everything();
    let a = || space.change("a", Some("old"), Some("new"));
    for (second, text) in [
        (space.change("b", Some("expected"), Some("y")), "changed since it was read"),
        (space.change("b", None, Some("y")), "exists already"),
        (space.change("no", Some("was"), Some("y")), "no longer exists"),
        (space.change("no", Some("was"), None), "no longer exists"),
        (space.change("new/no", Some("was"), None), "no longer exists"),
    ] {
        let error = space.apply(vec![a(), second]).unwrap_err();
        assert_eq!(error.kind, HostErrorKind::Stale, "{error}");
        assert!(error.message.contains(text), "{error}");
        assert!(space.everything() == before);
    }
}

#[test]
fn what_must_not_be_written_is_refused_before_anything_is() {
    let space = Space::new(&[("a", "old"), ("locked", "x"), ("dir/f", "x"), (".git/config", "x")]);
    fs::set_permissions(space.at("locked"), fs::Permissions::from_mode(0o444)).unwrap();
    let fifo = space.at("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, 0o600.into(), 0).unwrap();
    symlink(".git", space.at("link")).unwrap();
    symlink("a", space.at("alias")).unwrap();
    let outside = tempfile::NamedTempFile::new().unwrap();
    let before = space.everything();
    let mut away = space.change("x", None, Some("y"));
    away.path = outside.path().to_owned();
    for (change, kind, text) in [
        (space.change("locked", Some("x"), Some("y")), HostErrorKind::Permission, "is read-only"),
        (space.change("locked", Some("x"), None), HostErrorKind::Permission, "is read-only"),
        (space.change("dir", Some("x"), Some("y")), HostErrorKind::Other, "is a directory"),
        (space.change("fifo", Some("x"), Some("y")), HostErrorKind::Other, "is a named pipe"),
        (space.change(".git/config", Some("x"), None), HostErrorKind::Permission, "is protected"),
        (space.change("link/config", Some("x"), None), HostErrorKind::Permission, "is protected"),
        (space.change("alias", Some("old"), Some("y")), HostErrorKind::Other, "is the same file"),
        (away, HostErrorKind::Permission, "is outside the writable roots"),
    ] {
        let name = change.path.clone();
        let files = vec![space.change("a", Some("old"), Some("new")), change];
        let error = space.apply(files).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(text), "{}: {error}", name.display());
        assert!(space.everything() == before);
    }
}

#[test]
fn links_are_followed_when_writing_and_removed_when_deleting() {
    let space = Space::new(&[("real", "old"), ("other", "x")]);
    symlink("real", space.at("soft")).unwrap();
    symlink(space.at("other"), space.at("absolute")).unwrap();
    fs::hard_link(space.at("real"), space.at("hard")).unwrap();
    space.apply(vec![space.change("soft", Some("old"), Some("new"))]).unwrap();
    assert!(fs::symlink_metadata(space.at("soft")).unwrap().is_symlink());
    assert_eq!(space.read("real").as_deref(), Some("new"));
    assert_eq!(space.read("hard").as_deref(), Some("old"));
    space
        .apply(vec![
            space.change("soft", Some("new"), None),
            space.change("absolute", Some("x"), Some("y")),
        ])
        .unwrap();
    assert!(fs::symlink_metadata(space.at("soft")).is_err());
    assert_eq!(space.read("real").as_deref(), Some("new"));
    assert_eq!(space.read("other").as_deref(), Some("y"));
}

#[test]
fn extended_attributes_survive() {
    let space = Space::new(&[("a", "old")]);
    let flags = rustix::fs::XattrFlags::empty();
    // Not every file system has them.
    if rustix::fs::setxattr(space.at("a"), "user.note", b"kept", flags).is_ok() {
        space.apply(vec![space.change("a", Some("old"), Some("new"))]).unwrap();
        let mut value = [0; 16];
        let length = rustix::fs::getxattr(space.at("a"), "user.note", &mut value[..]).unwrap();
        assert_eq!(&value[..length], b"kept");
    }
}

#[test]
fn full_access_writes_anywhere() {
    let space = Space::new(&[(".git/config", "x")]);
    let mut patch = space.patch(vec![space.change(".git/config", Some("x"), Some("y"))]);
    patch.sandbox = SandboxPolicy::full_access();
    let mut replies = Vec::new();
    execute(patch, true, &mut |reply| {
        replies.push(reply);
        true
    });
    assert_eq!(replies, [Reply::Closed]);
    assert_eq!(space.read(".git/config").as_deref(), Some("y"));
}

#[test]
fn a_file_that_changes_meanwhile_is_not_overwritten() {
    // Between check and commit, somebody else writes: by replacing, in place, or anew.
    for (name, before, meddle) in [
        (
            "a",
            Some("old"),
            &(|path: &Path| {
                fs::write(path.with_extension("tmp"), "theirs").unwrap();
                fs::rename(path.with_extension("tmp"), path).unwrap();
            }) as &dyn Fn(&Path),
        ),
        ("a", Some("old"), &|path| fs::write(path, "theirs").unwrap()),
        ("new", None, &|path| fs::write(path, "theirs").unwrap()),
    ] {
        for after in [Some("ours"), None] {
            if before.is_none() && after.is_none() {
                continue;
            }
            let space = Space::new(&[("a", "old"), ("b", "x")]);
            let files =
                vec![space.change("b", Some("x"), Some("y")), space.change(name, before, after)];
            let path = space.at(name);
            let mut done = false;
            let error = apply(space.patch(files), false, &mut |step| {
                if !done && matches!(step, "rename" | "remove") {
                    done = true;
                    meddle(&path);
                }
                Ok(())
            })
            .unwrap_err();
            assert_eq!(error.kind, HostErrorKind::Stale, "{error}");
            assert!(error.message.ends_with("; every file is as it was before"), "{error}");
            assert_eq!(space.read(name).as_deref(), Some("theirs"));
            assert_eq!(space.read("b").as_deref(), Some("x"));
            assert_eq!(space.everything().len(), if name == "a" { 2 } else { 3 });
        }
    }
}

#[derive(Clone, Debug)]
enum Change {
    Add { folder: u8 },
    Delete,
    Update,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        (0..3_u8).prop_map(|folder| Change::Add { folder }),
        Just(Change::Delete),
        Just(Change::Update),
    ];
    prop::collection::vec(change, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever step fails, every file, mode and folder is as before; and when none fails,
    /// every file is as planned.
    #[test]
    fn prop_patch_is_all_or_nothing(
        changes in changes(),
        cut in 0..60_usize,
        can_swap in any::<bool>(),
    ) {
        let names: Vec<String> = (0..changes.len()).map(|n| format!("d{}/f{n}", n % 3)).collect();
        let files: Vec<(&str, &str)> = names
            .iter()
            .zip(&changes)
            .filter(|(_, change)| !matches!(change, Change::Add { .. }))
            .map(|(name, _)| (name.as_str(), "old"))
            .collect();
        let space = Space::new(&files);
        let mut expected = BTreeMap::new();
        let writes: Vec<FileWrite> = names
            .iter()
            .zip(&changes)
            .map(|(name, change)| match change {
                Change::Add { folder } => {
                    let name = format!("{}{name}", ["", "n/", "n/m/"][usize::from(*folder)]);
                    expected.insert(space.at(&name), "new");
                    space.change(&name, None, Some("new"))
                }
                Change::Delete => space.change(name, Some("old"), None),
                Change::Update => {
                    expected.insert(space.at(name), "new");
                    space.change(name, Some("old"), Some("new"))
                }
            })
            .collect();
        let before = space.everything();
        let mut steps = 0;
        let outcome = apply(space.patch(writes), false, &mut |step| {
            // Some file systems cannot swap files; the patch must manage without.
            if step == "swap" {
                return if can_swap { Ok(()) } else { Err(Errno::INVAL) };
            }
            steps += 1;
            if steps == cut + 1 { Err(Errno::NOSPC) } else { Ok(()) }
        });
        let after = space.everything();
        if steps > cut {
            let error = outcome.unwrap_err();
            prop_assert_eq!(error.kind, HostErrorKind::DiskFull);
            prop_assert!(error.message.ends_with("nothing was changed")
                || error.message.ends_with("every file is as it was before"), "{}", error);
            prop_assert_eq!(before, after);
        } else {
            outcome.unwrap();
            let files: BTreeMap<PathBuf, &str> = after
                .iter()
                .filter_map(|(path, (content, _))| Some((path, content.as_ref()?)))
                .map(|(path, content)| (path.clone(), std::str::from_utf8(content).unwrap()))
                .collect();
            prop_assert_eq!(files, expected);
        }
    }
}
