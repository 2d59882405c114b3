//! Looks at the project around a working directory: AGENTS.md and its kin, and git.
//!
//! Only single files are read, at paths known beforehand: no program runs, no tree is scanned.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use codex_proto::{
    HostErrorKind, Reply,
    effect::{ProjectDoc, ProjectInfo, ProjectQuery},
};

use crate::{ReplyFn, fail, read};

mod git;

/// The global document has no budget of the user's; this bound keeps a mistake from filling
/// every request.
pub const GLOBAL_DOC_BYTES_MAX: usize = 1024 * 1024;

const OVERRIDE: &str = "AGENTS.override.md";
const STANDARD: &str = "AGENTS.md";

/// Answers `Project Closed`. What cannot be read becomes a warning.
pub fn execute(query: &ProjectQuery, reply: &mut ReplyFn<'_>) {
    if reply(Reply::Project(Box::new(look(query)))) {
        reply(Reply::Closed);
    }
}

/// Collects documents and the state of git.
#[must_use]
pub fn look(query: &ProjectQuery) -> ProjectInfo {
    let mut warnings = Vec::new();
    let global_doc = global_doc(&query.codex_home, &mut warnings);
    let docs = docs(query, &mut warnings);
    ProjectInfo { global_doc, docs, warnings, git: git::look(&query.cwd) }
}

/// The first of the global documents that is not blank.
fn global_doc(codex_home: &Path, warnings: &mut Vec<String>) -> Option<String> {
    [OVERRIDE, STANDARD].into_iter().find_map(|name| {
        let path = codex_home.join(name);
        let doc = read_doc(&path, GLOBAL_DOC_BYTES_MAX, warnings)?;
        if doc.bytes > GLOBAL_DOC_BYTES_MAX as u64 {
            warnings.push(format!(
                "{} has {} bytes; only the first {GLOBAL_DOC_BYTES_MAX} are used",
                path.display(),
                doc.bytes
            ));
        }
        (!doc.text.trim().is_empty()).then_some(doc.text)
    })
}

fn docs(query: &ProjectQuery, warnings: &mut Vec<String>) -> Vec<ProjectDoc> {
    let settings = &query.settings;
    if settings.doc_bytes_max == 0 {
        return Vec::new();
    }
    let root = root(&query.cwd, &settings.root_markers);
    let mut folders: Vec<&Path> = query.cwd.ancestors().take_while(|f| *f != root).collect();
    folders.push(root);
    let fallbacks = settings.fallback_filenames.iter().map(String::as_str);
    let names: Vec<&str> = [OVERRIDE, STANDARD].into_iter().chain(fallbacks).collect();
    folders
        .into_iter()
        .rev()
        .filter_map(|folder| {
            let path = names.iter().map(|n| folder.join(n)).find(|p| is_candidate(p))?;
            read_doc(&path, settings.doc_bytes_max, warnings)
        })
        .collect()
}

/// The nearest folder with a marker, else the working directory itself.
fn root<'a>(cwd: &'a Path, markers: &[String]) -> &'a Path {
    let mut path = PathBuf::new();
    cwd.ancestors()
        .find(|folder| {
            markers.iter().filter(|marker| !marker.is_empty()).any(|marker| {
                path.clear();
                path.push(folder);
                path.push(marker);
                rustix::fs::stat(&path).is_ok()
            })
        })
        .unwrap_or(cwd)
}

/// Whether something is there that may be a document; a folder of that name is none.
fn is_candidate(path: &Path) -> bool {
    use rustix::fs::FileType;
    match rustix::fs::stat(path) {
        Ok(stat) => FileType::from_raw_mode(stat.st_mode) != FileType::Directory,
        Err(error) => error != rustix::io::Errno::NOENT && error != rustix::io::Errno::NOTDIR,
    }
}

fn read_doc(path: &Path, bytes_max: usize, warnings: &mut Vec<String>) -> Option<ProjectDoc> {
    let (file, stat) = match read::open_regular(path) {
        Ok(opened) => opened,
        Err(error) if error.kind == HostErrorKind::NotFound => return None,
        Err(error) => {
            warnings.push(error.message);
            return None;
        }
    };
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let expected = usize::try_from(size).unwrap_or(bytes_max).min(bytes_max);
    let mut bytes = Vec::with_capacity(expected + 1);
    if let Err(error) = file.take(bytes_max as u64).read_to_end(&mut bytes) {
        warnings.push(fail::at("read", path, error).message);
        return None;
    }
    let total = size.max(bytes.len() as u64);
    let text = String::from_utf8(bytes).unwrap_or_else(|error| {
        let valid_up_to = error.utf8_error().valid_up_to();
        let only_cut = error.utf8_error().error_len().is_none() && total > bytes_max as u64;
        let mut bytes = error.into_bytes();
        if only_cut {
            bytes.truncate(valid_up_to);
        } else {
            warnings.push(format!(
                "{} is not valid UTF-8 at byte {valid_up_to}; such bytes are replaced",
                path.display()
            ));
        }
        String::from_utf8_lossy(&bytes).into_owned()
    });
    Some(ProjectDoc { path: path.to_owned(), text, bytes: total })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use codex_proto::settings::ProjectSettings;

    use super::*;

    fn query(home: &Path, cwd: &Path) -> ProjectQuery {
        ProjectQuery {
            cwd: cwd.to_owned(),
            codex_home: home.to_owned(),
            settings: ProjectSettings::default(),
        }
    }

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new(files: &[(&str, &[u8])]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for (name, content) in files {
                let path = dir.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
            Self(dir)
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }
    }

    #[test]
    fn documents_go_from_the_root_down_to_the_working_directory() {
        let tree = Tree::new(&[
            ("AGENTS.md", b"above the root"),
            ("p/.git/HEAD", b"ref: refs/heads/main\n"),
            ("p/AGENTS.md", b"root"),
            ("p/a/AGENTS.md", b"hidden by the override"),
            ("p/a/AGENTS.override.md", b"a"),
            ("p/a/b/NOTES.md", b"b"),
            ("p/a/b/c/AGENTS.md", b"not on the way"),
        ]);
        fs::create_dir_all(tree.at("home/AGENTS.md")).unwrap();
        let mut query = query(&tree.at("home"), &tree.at("p/a/b"));
        query.settings.fallback_filenames = vec!["CLAUDE.md".into(), "NOTES.md".into()];
        let info = look(&query);
        let texts: Vec<&str> = info.docs.iter().map(|doc| doc.text.as_str()).collect();
        assert_eq!(texts, ["root", "a", "b"]);
        assert_eq!(info.docs[1].path, tree.at("p/a/AGENTS.override.md"));
        assert_eq!(info.git.unwrap().branch.unwrap(), "main");
        assert_eq!(info.warnings.len(), 1, "{:?}", info.warnings);

        // Without a marker only the working directory counts.
        query.settings.root_markers = vec!["no-such-marker".into()];
        assert_eq!(look(&query).docs.len(), 1);
        query.settings.root_markers.clear();
        assert_eq!(look(&query).docs.len(), 1);
        query.settings.doc_bytes_max = 0;
        assert!(look(&query).docs.is_empty());
    }

    #[test]
    fn the_global_document_is_the_first_that_is_not_blank() {
        let tree = Tree::new(&[("AGENTS.override.md", b" \n"), ("AGENTS.md", b"  text\n")]);
        let info = look(&query(&tree.at(""), Path::new("/nonexistent")));
        assert_eq!(info.global_doc.as_deref(), Some("  text\n"));
        assert_eq!(info.warnings, [""; 0]);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let tree = Tree::new(&[("p/AGENTS.md", "abé".as_bytes())]);
        let mut query = query(&tree.at("home"), &tree.at("p"));
        query.settings.doc_bytes_max = 3;
        let info = look(&query);
        assert_eq!((info.docs[0].text.as_str(), info.docs[0].bytes), ("ab", 4));
        assert_eq!(info.warnings, [""; 0]);
    }

    #[test]
    fn what_cannot_be_read_is_a_warning() {
        let tree = Tree::new(&[("p/.git/HEAD", b""), ("p/AGENTS.md", b"a\xffb")]);
        let fifo = tree.at("p/q/AGENTS.md");
        fs::create_dir_all(tree.at("p/q/r")).unwrap();
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, 0o600.into(), 0).unwrap();
        std::os::unix::fs::symlink("AGENTS.md", tree.at("p/q/r/AGENTS.md")).unwrap();
        let info = look(&query(&tree.at("home"), &tree.at("p/q/r")));
        assert_eq!(info.docs.len(), 1);
        assert_eq!(info.docs[0].text, "a\u{fffd}b");
        let [utf8, pipe, looped] = &info.warnings[..] else { panic!("{:?}", info.warnings) };
        assert!(
            utf8.ends_with("p/AGENTS.md is not valid UTF-8 at byte 1; such bytes are replaced")
        );
        assert!(pipe.ends_with("p/q/AGENTS.md is a named pipe, not a file"), "{pipe}");
        assert!(looped.contains("too many levels of symbolic links"), "{looped}");
    }
}
