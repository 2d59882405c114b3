//! Words for a shell, and how a command picks up a snapshot of the user's login shell. Pure.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

/// Quotes bytes so that any POSIX shell reads them as one word, exactly.
#[must_use]
pub fn quote(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(b'\'');
    for byte in text {
        match byte {
            b'\'' => out.extend_from_slice(b"'\\''"),
            byte => out.push(*byte),
        }
    }
    out.push(b'\'');
    out
}

/// Makes a shell source a snapshot before its script.
///
/// `[shell, -c | -lc, script]` becomes `[shell, -c, …]`, where the script still sees the same `$0`,
/// no positional parameters and the line numbers of its own text, and its exit status is that of
/// the shell. It is run by `eval` because aliases take effect only in text that is read after they
/// were defined. A snapshot that cannot be read is skipped. Any other `argv` comes back as it is.
#[must_use]
pub fn wrap_with_snapshot(argv: &[OsString], snapshot: &Path) -> Vec<OsString> {
    let [shell, flag, script] = argv else { return argv.to_vec() };
    if flag != "-c" && flag != "-lc" {
        return argv.to_vec();
    }
    let file = quote(snapshot.as_os_str().as_bytes());
    // The blank keeps a script that begins with a dash from being taken for an option of `eval`.
    let script = quote(&[b" ", script.as_bytes()].concat());
    let wrapped =
        [&b"if [ -r "[..], &file, b" ]; then . ", &file, b" >/dev/null 2>&1; fi; eval ", &script];
    vec![shell.clone(), OsStr::new("-c").to_owned(), OsString::from_vec(wrapped.concat())]
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn wrapped(shell: &str, script: &str, snapshot: &Path) -> Command {
        let argv = [shell.into(), "-lc".into(), script.into()];
        let argv = wrap_with_snapshot(&argv, snapshot);
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]);
        command
    }

    fn shells() -> Vec<&'static str> {
        ["/bin/bash", "/bin/sh", "/bin/zsh", "/usr/bin/zsh"]
            .into_iter()
            .filter(|shell| Path::new(shell).exists())
            .collect()
    }

    #[test]
    fn other_shapes_stay_as_they_are() {
        let snapshot = Path::new("/s");
        for argv in [&["ls"][..], &["bash", "-x", "s"], &["bash", "-c", "s", "name"]] {
            let argv: Vec<OsString> = argv.iter().map(OsString::from).collect();
            assert_eq!(wrap_with_snapshot(&argv, snapshot), argv);
        }
    }

    #[test]
    fn any_script_runs_as_it_would_without() {
        let dir = tempfile::tempdir().unwrap();
        let snapshot = dir.path().join("it's a snapshot");
        std::fs::write(&snapshot, "true\n").unwrap();
        let scripts = [
            "echo \"it's\" '\"quoted\"' \\$HOME `echo x`; exit 7",
            "echo $0 $# \"$@\"",
            "cat <<'E O'\nline 'one'\n\\n $x\nE O\nfalse",
            "# only a comment",
            "",
            "set -e; false; echo not reached",
            "trap 'echo bye' EXIT; echo hi; exit 3",
            "echo a\\\nb; (exit 5)",
            "kill -TERM $$",
            "x=1; f() { return 9; }; f",
            "printf '%s\\n' \u{e9}\u{1f980}; true && echo 'end'\n\n",
        ];
        for shell in shells() {
            for script in scripts {
                let plain = Command::new(shell).args(["-c", script]).output().unwrap();
                for file in [snapshot.as_path(), Path::new("/missing")] {
                    let output = wrapped(shell, script, file).output().unwrap();
                    assert_eq!(output.status, plain.status, "{shell} {script}");
                    assert_eq!(output.stdout, plain.stdout, "{shell} {script}");
                }
            }
        }
    }

    #[test]
    fn a_script_that_begins_with_a_dash_is_no_option() {
        for shell in shells() {
            let output = wrapped(shell, "-n echo x", Path::new("/missing")).output().unwrap();
            assert_eq!(output.status.code(), Some(127), "{shell}");
        }
    }

    #[test]
    fn aliases_functions_and_variables_of_the_snapshot_work() {
        let dir = tempfile::tempdir().unwrap();
        let snapshot = dir.path().join("snapshot");
        let text = "f() { echo \"f $1\"; }\nexport V='a b'\nalias hi='echo alias'\necho noise\n";
        for shell in shells() {
            let expand = if shell.ends_with("bash") { "shopt -s expand_aliases\n" } else { "" };
            std::fs::write(&snapshot, format!("{text}{expand}")).unwrap();
            let output =
                wrapped(shell, "hi you; f 1; sh -c 'echo $V'", &snapshot).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), "alias you\nf 1\na b\n", "{shell}");
        }
    }
}
