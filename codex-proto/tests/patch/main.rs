//! The patch language, from text to file contents.

mod edges;
mod failures;
mod props;
mod scenarios;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use codex_proto::patch::{Applied, ApplyError, apply, parse};

/// The folder that test paths are relative to.
const CWD: &str = "/w";

type Files<'a> = &'a [(&'a str, &'a [u8])];

/// A tree, by absolute path.
type Tree = BTreeMap<PathBuf, Vec<u8>>;

fn tree(files: Files<'_>) -> Tree {
    files.iter().map(|(path, bytes)| (Path::new(CWD).join(path), bytes.to_vec())).collect()
}

/// Wraps hunks into a patch.
fn wrap(hunks: &str) -> String {
    format!("*** Begin Patch\n{hunks}\n*** End Patch")
}

fn try_apply(files: &Tree, text: &str) -> Result<Applied, ApplyError> {
    let patch = parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let cwd = Path::new(CWD);
    let read = patch.paths(cwd).into_iter().map(|path| (path.clone(), files.get(&path).cloned()));
    let read = read.collect();
    apply(&patch, cwd, &read)
}

/// Applies and writes, as an adapter would; also checks what holds for every result.
fn write(files: &Tree, text: &str) -> (Tree, Applied) {
    let applied = try_apply(files, text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut after = files.clone();
    let mut last: Option<&PathBuf> = None;
    for write in &applied.writes {
        assert!(last.is_none_or(|last| *last < write.path), "sorted, no path twice");
        last = Some(&write.path);
        let before = files.get(&write.path).map(|bytes| codex_proto::effect::Digest::of(bytes));
        assert_eq!(write.before, before);
        assert_ne!(write.after.as_ref(), files.get(&write.path), "a write changes something");
        match &write.after {
            Some(bytes) => after.insert(write.path.clone(), bytes.clone()),
            None => after.remove(&write.path),
        };
    }
    assert!(applied.changes.is_sorted_by(|a, b| a.path < b.path));
    (after, applied)
}

/// Checks the tree after a patch, and what the model is told.
fn check(before: Files<'_>, hunks: &str, after: Files<'_>, marks: &str) -> Applied {
    let (found, applied) = write(&tree(before), &wrap(hunks));
    let show = |tree: &Tree| -> Vec<_> {
        tree.iter().map(|(path, b)| (path.clone(), b.escape_ascii().to_string())).collect()
    };
    assert_eq!(show(&found), show(&tree(after)), "{hunks}");
    assert_eq!(applied.summary, format!("Success. Updated the following files:\n{marks}"));
    applied
}

/// Checks one file `f` updated by chunks.
fn check_update(before: &[u8], chunks: &str, after: &[u8]) {
    check(&[("f", before)], &format!("*** Update File: f\n{chunks}"), &[("f", after)], "M f\n");
}

/// The whole text of an error.
fn error_of(before: Files<'_>, hunks: &str) -> String {
    try_apply(&tree(before), &wrap(hunks)).expect_err("must not apply").to_string()
}
