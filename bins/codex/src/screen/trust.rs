//! Whether a project's own configuration counts: asked once per project, before the screen, and only
//! when it has one.
//!
//! What it would change is shown first. Without an answer it does not count.

use std::{
    fs,
    io::{self, BufRead as _, Write as _},
    path::{Path, PathBuf},
};

use codex_exec::session::{Session, StartError};
use codex_store::config_edit;
use codex_tui::text::clean_line;

/// Bytes of a project's file that are read to show it.
const FILE_BYTES_MAX: usize = 64 << 10;
/// Lines of a file that are shown.
const LINES_MAX: usize = 20;
/// Folders above the working directory that are looked at.
const ANCESTORS_MAX: usize = 256;

/// Asks when there is something to ask; true when the configuration is another with the answer.
pub(super) fn ask(session: &Session) -> Result<bool, StartError> {
    if session.resolved.trust.is_some() {
        return Ok(false);
    }
    let files = configured(session);
    if files.is_empty() {
        return Ok(false);
    }
    let root = root(&session.cwd);
    let mut out = io::stdout().lock();
    let told = (|| {
        out.write_all(question(&root, &files).as_bytes())?;
        out.flush()
    })();
    told.map_err(|error| StartError::Other(format!("cannot ask: {error}")))?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| StartError::Other(format!("cannot read the answer: {error}")))?;
    let level = match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => "trusted",
        "n" | "no" => "untrusted",
        // Asked again next time.
        _ => return Ok(false),
    };
    let path = session.home.path.join("config.toml");
    let keys = ["projects", &root.to_string_lossy(), "trust_level"];
    if let Err(error) = config_edit::set(&path, &keys, level) {
        let _ = writeln!(out, "The answer cannot be kept: {error}. It does not count.");
        return Ok(false);
    }
    Ok(true)
}

/// The folder that could be trusted without showing anything: not answered yet, without a sandbox
/// mode that says what holds everywhere, and without configuration of its own.
pub(super) fn trustable(session: &Session) -> Option<PathBuf> {
    let resolved = &session.resolved;
    let is_said = |key: &str| resolved.sources.place(key).is_some();
    let is_new = resolved.trust.is_none()
        && !is_said("sandbox_mode")
        && !is_said("default_permissions")
        && configured(session).is_empty();
    is_new.then(|| root(&session.cwd))
}

/// The nearest folder above that git knows, else the working directory.
fn root(cwd: &Path) -> PathBuf {
    let mut above = cwd.ancestors().take(ANCESTORS_MAX);
    above.find(|folder| folder.join(".git").exists()).unwrap_or(cwd).to_owned()
}

/// Configuration files of the project that do not count yet.
fn configured(session: &Session) -> Vec<(PathBuf, String)> {
    let root = root(&session.cwd);
    let folders = session.cwd.ancestors().take(ANCESTORS_MAX);
    let mut files = Vec::new();
    for folder in folders {
        let path = folder.join(".codex/config.toml");
        let is_ours = path.starts_with(&session.home.path);
        if let (false, Ok(text)) = (is_ours, fs::read(&path)) {
            let text =
                String::from_utf8_lossy(&text[..text.len().min(FILE_BYTES_MAX)]).into_owned();
            files.push((path, text));
        }
        if folder == root {
            break;
        }
    }
    files
}

fn question(root: &Path, files: &[(PathBuf, String)]) -> String {
    let mut text = format!("{} brings configuration of its own:\n\n", root.display());
    for (path, content) in files {
        text.push_str(&format!("  {}\n", clean_line(&path.display().to_string())));
        let lines: Vec<&str> = content.lines().filter(|line| !line.trim().is_empty()).collect();
        for line in lines.iter().take(LINES_MAX) {
            text.push_str(&format!("    {}\n", clean_line(line)));
        }
        if lines.len() > LINES_MAX {
            text.push_str(&format!("    … and {} more lines\n", lines.len() - LINES_MAX));
        }
    }
    text.push_str(
        "\nIt may choose the model, weaken the sandbox and start programs. Should it count?\n\
         y yes, from now on · n no, and do not ask again · Enter not now: ",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_shows_what_would_count_and_nothing_escapes() {
        let content =
            format!("sandbox_mode = \"danger-full-access\"\n\x1b[2J\n{}", "x = 1\n".repeat(40));
        let text = question(Path::new("/w"), &[("/w/.codex/config.toml".into(), content)]);
        assert!(text.contains("    sandbox_mode = \"danger-full-access\"\n"), "{text}");
        assert!(text.contains("… and 22 more lines"), "{text}");
        assert!(!text.contains('\x1b'), "{text:?}");
    }
}
