//! The user's editor, with a text in a file of its own.

use std::{
    ffi::OsString,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// Bytes that come back at most.
const TEXT_BYTES_MAX: u64 = 64 << 20;

/// The editor's command line: `VISUAL`, `EDITOR`, else `vi`. It is a line for the shell, since people
/// write `code --wait`.
pub(crate) fn command(variable: impl Fn(&str) -> Option<OsString>) -> OsString {
    let set = ["VISUAL", "EDITOR"].into_iter().find_map(variable);
    set.filter(|value| !value.is_empty()).unwrap_or_else(|| "vi".into())
}

/// Lets the user edit a text; the terminal must be the editor's. Blocking until it is closed.
pub(crate) fn edit(editor: &OsString, folder: &Path, text: &str) -> Result<String, String> {
    let fail = |error: std::io::Error| format!("cannot open the editor: {error}");
    fs::create_dir_all(folder).map_err(fail)?;
    let path = folder.join("prompt.md");
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut file = fs::File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(fail)?;
        file.write_all(text.as_bytes()).map_err(fail)?;
    }
    let mut line = editor.clone();
    line.push(" \"$1\"");
    let status = Command::new("/bin/sh")
        .arg("-c")
        .arg(line)
        .arg("codex")
        .arg(&path)
        .stdin(Stdio::inherit())
        .status()
        .map_err(fail)?;
    let edited = read(&path);
    let _ = fs::remove_file(&path);
    if !status.success() {
        return Err(format!("`{}` ended with {status}; the text is as it was", editor.display()));
    }
    edited
}

fn read(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| format!("the text is gone: {error}"))?.len();
    if size > TEXT_BYTES_MAX {
        return Err(format!("{} MiB are too much for a prompt", size >> 20));
    }
    let bytes = fs::read(path).map_err(|error| format!("the text is gone: {error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_editor_is_a_shell_line() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("edit.sh");
        fs::write(&script, "#!/bin/sh\necho \"$1\" >> \"$2\"\n").unwrap();
        let editor = OsString::from(format!("/bin/sh {} --wait", script.display()));
        assert_eq!(edit(&editor, folder.path(), "text\n").unwrap(), "text\n--wait\n");
        assert!(!folder.path().join("prompt.md").exists());
        let error = edit(&"false".into(), folder.path(), "text").unwrap_err();
        assert!(error.contains("the text is as it was"), "{error}");
    }

    #[test]
    fn visual_goes_before_editor() {
        let of = |have: &[(&str, &str)]| {
            command(|name| {
                have.iter().find(|(have, _)| *have == name).map(|(_, value)| (*value).into())
            })
        };
        assert_eq!(of(&[("EDITOR", "ed"), ("VISUAL", "vim")]), "vim");
        assert_eq!(of(&[("EDITOR", "ed")]), "ed");
        assert_eq!(of(&[]), "vi");
    }
}
