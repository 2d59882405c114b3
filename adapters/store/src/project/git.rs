//! Reads the state of a git work tree from its files, without running git.

use std::{
    fs::File,
    io::Read as _,
    path::{Component, Path, PathBuf},
};

use codex_proto::effect::GitInfo;

use crate::read;

const SMALL_FILE_BYTES_MAX: u64 = 64 * 1024;
const PACKED_REFS_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// References that point to references.
const REF_DEPTH_MAX: usize = 5;

/// The work tree that holds `cwd`, if there is one.
pub(super) fn look(cwd: &Path) -> Option<GitInfo> {
    let git_dir = cwd.ancestors().find_map(git_dir)?;
    // A linked work tree has its own HEAD and shares the rest.
    let common = match small(&git_dir.join("commondir")) {
        Some(text) => git_dir.join(text.trim()),
        None => git_dir.clone(),
    };
    let head = small(&git_dir.join("HEAD"))?;
    let head = head.trim();
    let branch = head
        .strip_prefix("ref:")
        .and_then(|name| name.trim().strip_prefix("refs/heads/"))
        .filter(|name| !name.is_empty() && *name != ".invalid")
        .map(str::to_owned);
    Some(GitInfo {
        commit_hash: commit(head, &git_dir, &common, REF_DEPTH_MAX),
        branch,
        repository_url: small(&common.join("config"))
            .and_then(|text| origin_url(&text))
            .map(|url| without_credentials(&url)),
    })
}

fn git_dir(folder: &Path) -> Option<PathBuf> {
    let path = folder.join(".git");
    let stat = rustix::fs::stat(&path).ok()?;
    if rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory {
        return rustix::fs::stat(path.join("HEAD")).is_ok().then_some(path);
    }
    let text = small(&path)?;
    Some(folder.join(text.strip_prefix("gitdir:")?.trim()))
}

/// Follows `ref: NAME` to a commit.
fn commit(value: &str, git_dir: &Path, common: &Path, depth: usize) -> Option<String> {
    let Some(name) = value.strip_prefix("ref:") else {
        let hex = matches!(value.len(), 40 | 64) && value.bytes().all(|b| b.is_ascii_hexdigit());
        return hex.then(|| value.to_owned());
    };
    let name = name.trim();
    // The name becomes a path: it must not lead elsewhere.
    let plain = Path::new(name).components().all(|c| matches!(c, Component::Normal(_)));
    if depth == 0 || !plain || !name.starts_with("refs/") {
        return None;
    }
    match small(&git_dir.join(name)).or_else(|| small(&common.join(name))) {
        Some(text) => commit(text.trim(), git_dir, common, depth - 1),
        None => packed(&common.join("packed-refs"), name),
    }
}

fn packed(path: &Path, name: &str) -> Option<String> {
    let text = bounded(path, PACKED_REFS_BYTES_MAX)?;
    let wanted = format!(" {name}");
    memchr::memmem::find_iter(&text, wanted.as_bytes()).find_map(|at| {
        let ends = matches!(text.get(at + wanted.len()), None | Some(b'\n' | b'\r'));
        let start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |newline| newline + 1);
        let hash = std::str::from_utf8(&text[start..at]).ok()?;
        let hex = matches!(hash.len(), 40 | 64) && hash.bytes().all(|b| b.is_ascii_hexdigit());
        (ends && hex).then(|| hash.to_owned())
    })
}

/// `url` of `[remote "origin"]` in a git configuration file.
fn origin_url(config: &str) -> Option<String> {
    let mut in_origin = false;
    let mut url = None;
    for line in config.lines() {
        let mut line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            let (header, rest) = section.split_once(']')?;
            let (name, subsection) = header.split_once('"').unwrap_or((header, ""));
            in_origin = name.trim().eq_ignore_ascii_case("remote")
                && subsection.trim_end().strip_suffix('"') == Some("origin");
            line = rest.trim();
        }
        if let Some((key, value)) = line.split_once('=')
            && in_origin
            && key.trim().eq_ignore_ascii_case("url")
        {
            let value = value.trim();
            let value = match value.strip_prefix('"').and_then(|v| v.split_once('"')) {
                Some((quoted, _)) => quoted,
                None => value.split([' ', '\t']).next().unwrap_or(value),
            };
            // Later values win in git, too.
            url = Some(value.to_owned()).filter(|url| !url.is_empty());
        }
    }
    url
}

/// Removes what may be secret: user and query of web addresses, the password of others.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let rest = if web { rest.split(['?', '#']).next().unwrap_or(rest) } else { rest };
    let authority_end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    match authority.rsplit_once('@') {
        None => format!("{scheme}://{rest}"),
        Some((_, host)) if web => format!("{scheme}://{host}{path}"),
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or(user);
            format!("{scheme}://{user}@{host}{path}")
        }
    }
}

fn small(path: &Path) -> Option<String> {
    String::from_utf8(bounded(path, SMALL_FILE_BYTES_MAX)?).ok()
}

fn bounded(path: &Path, bytes_max: u64) -> Option<Vec<u8>> {
    let (file, stat): (File, _) = read::open_regular(path).ok()?;
    let size = u64::try_from(stat.st_size).ok().filter(|size| *size <= bytes_max)?;
    let mut bytes = Vec::with_capacity(usize::try_from(size).ok()? + 1);
    file.take(bytes_max).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (name, content) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    #[test]
    fn branch_commit_and_origin_are_read_from_files() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        write(
            root,
            &[
                (".git/HEAD", "ref: refs/heads/feat/x\n"),
                (
                    ".git/packed-refs",
                    &format!("# pack-refs\n{B} refs/heads/feat/xy\n{A} refs/heads/feat/x\n^{B}\n"),
                ),
                (
                    ".git/config",
                    "[core]\n\tbare = false\n[remote \"up\"]\n\turl = no\n[Remote \"origin\"]\n\tURL = https://me:secret@host.example/a/b.git ; note\n",
                ),
                ("src/deep/f", ""),
            ],
        );
        let info = look(&root.join("src/deep")).unwrap();
        assert_eq!(info.branch.as_deref(), Some("feat/x"));
        assert_eq!(info.commit_hash.as_deref(), Some(A));
        assert_eq!(info.repository_url.as_deref(), Some("https://host.example/a/b.git"));
        // A loose reference wins over a packed one.
        write(root, &[(".git/refs/heads/feat/x", &format!("{B}\n"))]);
        assert_eq!(look(root).unwrap().commit_hash.as_deref(), Some(B));
        write(root, &[(".git/HEAD", &format!("{A}\n"))]);
        let detached = look(root).unwrap();
        assert_eq!((detached.branch, detached.commit_hash.as_deref()), (None, Some(A)));
    }

    #[test]
    fn linked_work_trees_share_references() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        write(
            root,
            &[
                ("main/.git/refs/heads/side", A),
                ("main/.git/worktrees/w/HEAD", "ref: refs/heads/side"),
                ("main/.git/worktrees/w/commondir", "../..\n"),
                ("main/.git/config", "[remote \"origin\"] url = git@host:a/b\n"),
                ("w/.git", "gitdir: ../main/.git/worktrees/w\n"),
            ],
        );
        let info = look(&root.join("w")).unwrap();
        assert_eq!(info.branch.as_deref(), Some("side"));
        assert_eq!(info.commit_hash.as_deref(), Some(A));
        assert_eq!(info.repository_url.as_deref(), Some("git@host:a/b"));
    }

    #[test]
    fn hostile_repositories_lead_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        write(
            root,
            &[
                ("refs/x", A),
                (".git/HEAD", "ref: refs/../../refs/x"),
                (".git/refs/l", "ref: refs/l"),
            ],
        );
        assert_eq!(look(root).unwrap(), GitInfo::default());
        write(root, &[(".git/HEAD", "ref: refs/l")]);
        assert_eq!(look(root).unwrap(), GitInfo::default());
        write(root, &[(".git/HEAD", "ref: refs/heads/new")]);
        assert_eq!(look(root).unwrap().branch.as_deref(), Some("new"));
    }

    #[test]
    fn credentials_are_stripped() {
        for (url, want) in [
            ("https://token@h/a@b", "https://h/a@b"),
            ("https://u:p@h:8443/a?private_token=x", "https://h:8443/a"),
            ("ssh://git:p@h/a", "ssh://git@h/a"),
            ("git@h:a/b.git", "git@h:a/b.git"),
            ("/srv/git/a", "/srv/git/a"),
            ("https://h", "https://h"),
        ] {
            assert_eq!(without_credentials(url), want);
        }
    }
}
