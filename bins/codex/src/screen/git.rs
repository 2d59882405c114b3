//! What `/diff` shows: all changes of the work tree, untracked files included.
//!
//! Programs that a repository configures for its diffs are not run.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use super::run::{Output, run_within};

/// Bytes of a diff.
const DIFF_BYTES_MAX: u64 = 4 << 20;
/// Untracked files that are shown.
const UNTRACKED_MAX: usize = 100;
/// How long all of it may take.
const WITHIN: Duration = Duration::from_secs(10);

fn git(cwd: &Path, args: &[&str], within: Duration) -> Result<Output, String> {
    let mut command = Command::new("git");
    command
        .current_dir(cwd)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_PAGER", "cat")
        .args(["-c", "core.fsmonitor=false", "-c", "core.quotepath=false"])
        // Whoever likes other headers for their eyes: these are read.
        .args(["-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false"])
        .args(["-c", "diff.submodule=short"])
        .args(args);
    run_within(command, b"", DIFF_BYTES_MAX, within).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "git is not installed".into(),
        _ => format!("git: {error}"),
    })
}

/// A unified diff of everything since the last commit.
pub(crate) fn diff(cwd: &Path) -> Result<String, String> {
    const PLAIN: [&str; 4] = ["diff", "--no-color", "--no-ext-diff", "--no-textconv"];
    let until = Instant::now() + WITHIN;
    let left = || until.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
    let head = git(cwd, &["rev-parse", "--verify", "--quiet", "HEAD"], left())?;
    let mut args = PLAIN.to_vec();
    if head.status.success() {
        args.push("HEAD");
    }
    let tracked = git(cwd, &args, left())?;
    if !tracked.status.success() {
        let first = tracked.stderr.lines().next().unwrap_or("no reason given");
        return Err(
            match first.to_lowercase().contains("not a git repository")
                || first.contains("usage: git diff")
            {
                true => format!("{} is not in a git repository", cwd.display()),
                false => first.to_owned(),
            },
        );
    }
    let mut text = String::new();
    let mut is_cut = append(&mut text, &tracked.stdout);
    let listed = git(cwd, &["ls-files", "--others", "--exclude-standard", "-z"], left())?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let untracked: Vec<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
    let mut shown = 0;
    for path in untracked.iter().take(UNTRACKED_MAX) {
        if is_cut || Instant::now() >= until {
            break;
        }
        let mut args = PLAIN.to_vec();
        args.extend(["--no-index", "--", "/dev/null", path]);
        is_cut = append(&mut text, &git(cwd, &args, left())?.stdout);
        shown += 1;
    }
    let more = untracked.len() - shown;
    let files = if more == 1 { "file" } else { "files" };
    match (is_cut, more) {
        (true, 0) => text.push_str("more than 4 MiB: the rest is not shown\n"),
        (true, _) => text.push_str(&format!(
            "more than 4 MiB: the rest, and {more} untracked {files}, is not shown\n"
        )),
        (false, 0) => {}
        (false, _) => text.push_str(&format!("{more} more untracked {files} not shown\n")),
    }
    Ok(text)
}

/// Appends as many whole lines as there may be. Returns whether some were left out.
fn append(text: &mut String, more: &[u8]) -> bool {
    let room = (DIFF_BYTES_MAX as usize).saturating_sub(text.len() + 1);
    let end = match more.get(..room) {
        Some(start) if start.len() < more.len() => {
            start.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
        }
        _ => more.len(),
    };
    text.push_str(&String::from_utf8_lossy(&more[..end]));
    end < more.len()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn changes_and_new_files_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let cwd = folder.path();
        let error = diff(cwd).unwrap_err();
        assert!(error.contains("not in a git repository"), "{error}");
        let run =
            |args: &[&str]| assert!(git(cwd, args, WITHIN).unwrap().status.success(), "{args:?}");
        run(&["init", "-q"]);
        fs::write(cwd.join("a"), "one\n").unwrap();
        run(&["add", "a"]);
        run(&["-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "a"]);
        fs::write(cwd.join("a"), "two\n").unwrap();
        fs::write(cwd.join("new file"), "three\n").unwrap();
        let text = diff(cwd).unwrap();
        for line in ["-one", "+two", "+++ b/new file", "+three"] {
            assert!(text.lines().any(|have| have.trim_end() == line), "{line}: {text}");
        }
    }

    #[test]
    fn what_is_too_much_is_left_out_by_whole_lines() {
        let mut text = String::new();
        assert!(!append(&mut text, b"one\n"));
        let line = [b"x".repeat(999), b"\n".to_vec()].concat();
        assert!(append(&mut text, &line.repeat(5_000)));
        assert!(text.ends_with("x\n") && text.len() as u64 <= DIFF_BYTES_MAX, "{}", text.len());
        assert!(append(&mut text, &line.repeat(5)));
    }
}
