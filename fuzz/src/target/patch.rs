//! Claim: a patch that applies puts only its own lines and lines that were there into files, names
//! each file once, and knows what it replaces; one that does not says why.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use codex_proto::{
    effect::Digest,
    patch::{self, ChunkLine, Hunk},
};

/// A patch, then the contents of the files that it names, in the order of their names, each after
/// a NUL. Files without content do not exist.
pub fn run(bytes: &[u8]) {
    let mut parts = bytes.split(|byte| *byte == 0);
    let text = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let patch = match patch::parse(&text) {
        Ok(patch) => patch,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let cwd = Path::new("/w");
    let paths = patch.paths(cwd);
    let files: BTreeMap<_, _> =
        paths.iter().map(|path| (path.clone(), parts.next().map(<[u8]>::to_vec))).collect();
    let applied = match patch::apply(&patch, cwd, &files) {
        Ok(applied) => applied,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let known = lines_of(&patch.hunks, &files);
    let mut seen = BTreeSet::new();
    for write in &applied.writes {
        assert!(seen.insert(&write.path), "{} is written twice", write.path.display());
        let before = files.get(&write.path);
        let before = before.unwrap_or_else(|| panic!("{} was not named", write.path.display()));
        assert_eq!(write.before, before.as_deref().map(Digest::of));
        assert_ne!(write.after, *before, "{} is written as it was", write.path.display());
        for line in write.after.iter().flat_map(|after| lines(after)) {
            let text = String::from_utf8_lossy(line);
            assert!(known.contains(line), "{text:?} comes from nowhere");
        }
    }
}

/// Every line that may be in a result.
fn lines_of(
    hunks: &[Hunk],
    files: &BTreeMap<std::path::PathBuf, Option<Vec<u8>>>,
) -> BTreeSet<Vec<u8>> {
    let mut known: BTreeSet<Vec<u8>> =
        files.values().flatten().flat_map(|file| lines(file)).map(<[u8]>::to_vec).collect();
    // What follows the last line feed.
    known.insert(Vec::new());
    // A byte order mark is kept, whatever line comes to stand behind it.
    let mut add = |line: &[u8]| {
        known.insert([b"\xEF\xBB\xBF", line].concat());
        known.insert(line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).to_vec());
        known.insert(line.to_vec());
    };
    files.values().flatten().flat_map(|file| lines(file)).for_each(&mut add);
    for hunk in hunks {
        match hunk {
            Hunk::Add { content, .. } => lines(content.as_bytes()).for_each(&mut add),
            Hunk::Delete { .. } => {}
            Hunk::Update { chunks, .. } => {
                for line in chunks.iter().flat_map(|chunk| &chunk.lines) {
                    if let ChunkLine::Add(text) | ChunkLine::Context(text) = line {
                        lines(text.as_bytes()).for_each(&mut add);
                        add(text.as_bytes());
                    }
                }
            }
        }
    }
    known
}

/// Lines without their ends, whichever those are.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| matches!(byte, b'\n' | b'\r'))
}
