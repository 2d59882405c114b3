//! Shell words: showing an argv as one line, taking scripts apart, and finding a patch inside a
//! shell call.
//!
//! Models sometimes run `apply_patch` as a command although it is a tool.
//! [`intercept_apply_patch`] recognises the forms that can mean nothing else:
//!
//! ```text
//! argv   = [apply, PATCH]
//!        | [bash|zsh|sh, -lc|-c, script]
//!        | [pwsh|powershell, [-NoProfile], -Command, script]
//!        | [cmd, /c, script]
//! script = ["cd" word "&&"] apply "<<" ["-"] word NL patch NL word
//! apply  = "apply_patch" | "applypatch"
//! word   = bare | 'quoted' | "quoted"        without expansions; joined pieces are not accepted
//! ```
//!
//! Everything else is an ordinary command: another statement before or after, an argument, a pipe,
//! an expansion in the folder, an unfinished here-document.

mod segments;

use std::borrow::Cow;

use crate::patch;

pub use self::segments::{ShellWord, loose_segments, segments};

/// Quotes one word for a POSIX shell, if it needs it. NUL, which no command line can hold, is shown
/// as U+2400.
#[must_use]
pub fn quote(word: &str) -> Cow<'_, str> {
    match shlex::try_quote(word) {
        Ok(quoted) => quoted,
        Err(_) => {
            let word = word.replace('\0', "\u{2400}");
            // Invariant: NUL is the only thing that cannot be quoted.
            Cow::Owned(shlex::try_quote(&word).map(Cow::into_owned).unwrap_or_default())
        }
    }
}

/// An argv as one line that a POSIX shell would take apart again into the same words.
#[must_use]
pub fn join<S: AsRef<str>>(argv: &[S]) -> String {
    argv.iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// Takes a line of plain words apart, as a POSIX shell would without expanding anything.
///
/// Returns `None` when a quotation does not end.
#[must_use]
pub fn split(line: &str) -> Option<Vec<String>> {
    shlex::split(line)
}

/// A patch that was meant for the tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intercepted {
    /// The text, not yet parsed.
    pub patch: String,
    /// The folder that the script changes into first, as written.
    pub workdir: Option<String>,
}

/// A patch given where a command belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterceptError {
    /// The patch is the command itself, or the whole script.
    #[error(
        "this is a patch, not a command; pass it to the apply_patch tool, or run [\"apply_patch\", \
         \"<patch>\"]"
    )]
    BarePatch,
}

/// Recognises an argv that applies a patch and does nothing else; `None` for any other command.
#[must_use]
pub fn intercept_apply_patch(argv: &[String]) -> Option<Result<Intercepted, InterceptError>> {
    if let [only] = argv {
        return is_patch(only).then_some(Err(InterceptError::BarePatch));
    }
    if let [name, patch] = argv
        && is_apply(name)
    {
        return Some(Ok(Intercepted { patch: patch.clone(), workdir: None }));
    }
    let script = script_of(argv)?;
    if is_patch(script) {
        return Some(Err(InterceptError::BarePatch));
    }
    heredoc(script).map(Ok)
}

fn is_patch(text: &str) -> bool {
    // Cheap for the usual command: the parser looks at the whole text only after its first line.
    text.contains("*** Begin Patch") && patch::parse(text).is_ok()
}

fn is_apply(name: &str) -> bool {
    matches!(name, "apply_patch" | "applypatch")
}

/// The script of `[shell, flag, script]`, for the shells and flags of the table above.
#[must_use]
pub fn script_of(argv: &[String]) -> Option<&str> {
    let (shell, rest) = argv.split_first()?;
    let name = shell.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = name.strip_suffix(".exe").unwrap_or(name);
    match (name, rest) {
        ("bash" | "zsh" | "sh", [flag, script]) if matches!(flag.as_str(), "-lc" | "-c") => {
            Some(script)
        }
        ("pwsh" | "powershell", [flags @ .., command, script])
            if command.eq_ignore_ascii_case("-Command")
                && flags.len() <= 1
                && flags.iter().all(|flag| flag.eq_ignore_ascii_case("-NoProfile")) =>
        {
            Some(script)
        }
        ("cmd", [flag, script]) if flag.eq_ignore_ascii_case("/c") => Some(script),
        _ => None,
    }
}

/// The one statement of a script, if it is a patch in a here-document.
fn heredoc(script: &str) -> Option<Intercepted> {
    let mut rest = Words(script.trim_start());
    let mut workdir = None;
    let mut name = rest.word()?;
    if name.text == "cd" && !name.quoted {
        let folder = rest.word()?;
        // The shell would read these otherwise than as a folder of that name.
        if folder.text.is_empty() || folder.text.starts_with('-') {
            return None;
        }
        rest.expect("&&")?;
        rest.0 = rest.0.trim_start();
        workdir = Some(folder.text.to_owned());
        name = rest.word()?;
    }
    if name.quoted || !is_apply(name.text) {
        return None;
    }
    rest.expect("<<")?;
    let tabs = rest.0.strip_prefix('-');
    rest.0 = tabs.unwrap_or(rest.0);
    let end = rest.word()?.text;
    let (after_word, body) = rest.0.split_once('\n')?;
    if end.is_empty() || !after_word.trim().is_empty() {
        return None;
    }
    let mut patch = String::new();
    let mut lines = body.split_inclusive('\n');
    loop {
        let line = lines.next()?;
        let line = if tabs.is_some() { line.trim_start_matches('\t') } else { line };
        if line.trim_end_matches(['\r', '\n']) == end {
            break;
        }
        patch.push_str(line);
    }
    lines.all(|line| line.trim().is_empty()).then_some(Intercepted { patch, workdir })
}

/// The unread part of a script.
struct Words<'a>(&'a str);

struct Word<'a> {
    text: &'a str,
    quoted: bool,
}

impl<'a> Words<'a> {
    /// Takes a literal, after blanks.
    fn expect(&mut self, literal: &str) -> Option<()> {
        self.0 = self.0.trim_start_matches([' ', '\t']).strip_prefix(literal)?;
        Some(())
    }

    /// Takes a word, after blanks; `None` when there is none, or it has expansions. A second piece
    /// of a joined word is left, where no caller accepts it.
    fn word(&mut self) -> Option<Word<'a>> {
        let text = self.0.trim_start_matches([' ', '\t']);
        let (word, rest) = if let Some(text) = text.strip_prefix('\'') {
            let (text, rest) = text.split_once('\'')?;
            (Word { text, quoted: true }, rest)
        } else if let Some(text) = text.strip_prefix('"') {
            let (text, rest) = text.split_once('"')?;
            if text.contains(['$', '`', '\\', '!']) {
                return None;
            }
            (Word { text, quoted: true }, rest)
        } else {
            let len = text.find(|c: char| !is_bare(c)).unwrap_or(text.len());
            let (text, rest) = text.split_at(len);
            if text.is_empty() {
                return None;
            }
            (Word { text, quoted: false }, rest)
        };
        self.0 = rest;
        Some(word)
    }
}

/// Whether a shell takes this character as itself, anywhere in a word.
fn is_bare(c: char) -> bool {
    c.is_alphanumeric() || "_./-+,:@%^=".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATCH: &str = "*** Begin Patch\n*** Add File: a\n+x\n*** End Patch\n";

    fn seen(argv: &[&str]) -> Option<Result<Intercepted, InterceptError>> {
        intercept_apply_patch(&argv.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
    }

    fn taken(patch: &str, workdir: Option<&str>) -> Option<Result<Intercepted, InterceptError>> {
        let workdir = workdir.map(str::to_owned);
        Some(Ok(Intercepted { patch: patch.to_owned(), workdir }))
    }

    #[test]
    fn argv_is_joined_with_quotes_only_where_needed() {
        let check = |argv: &[&str], line: &str| assert_eq!(join(argv), line);
        check(&["/bin/bash", "-lc", "echo hi; ls -a"], "/bin/bash -lc 'echo hi; ls -a'");
        check(&["ls", "-la", "a.txt"], "ls -la a.txt");
        check(&["echo", ""], "echo ''");
        check(&["echo", "it's"], r#"echo "it's""#);
        check(&["sh", "-c", "a\nb"], "sh -c 'a\nb'");
        check(&["a\0b"], "'a\u{2400}b'");
    }

    #[test]
    fn direct_calls_are_intercepted() {
        for name in ["apply_patch", "applypatch"] {
            assert_eq!(seen(&[name, PATCH]), taken(PATCH, None));
        }
        assert_eq!(seen(&["apply_patch"]), None);
        assert_eq!(seen(&["apply_patch", PATCH, "x"]), None);
        assert_eq!(seen(&["patch", PATCH]), None);
    }

    #[test]
    fn shells_and_their_flags_are_recognised() {
        let script = format!("apply_patch <<'EOF'\n{PATCH}EOF\n");
        for argv in [
            &["bash", "-lc"][..],
            &["/usr/bin/zsh", "-c"],
            &["sh", "-lc"],
            &["pwsh", "-Command"],
            &["powershell.exe", "-NoProfile", "-Command"],
            &["C:\\Windows\\System32\\cmd.exe", "/c"],
        ] {
            let mut argv = argv.to_vec();
            argv.push(&script);
            assert_eq!(seen(&argv), taken(PATCH, None), "{argv:?}");
        }
        for argv in [&["bash", "-x"][..], &["fish", "-c"], &["bash", "-l", "-c"], &["bash"]] {
            let mut argv = argv.to_vec();
            argv.push(&script);
            assert_eq!(seen(&argv), None, "{argv:?}");
        }
    }

    #[test]
    fn one_here_document_is_intercepted_and_its_folder_kept() {
        for (head, workdir) in [
            ("apply_patch <<'EOF'", None),
            ("\n  apply_patch << \"EOF\"  ", None),
            ("applypatch <<EOF", None),
            ("apply_patch<<-EOF", None),
            ("cd sub/dir && apply_patch <<'EOF'", Some("sub/dir")),
            ("cd 'a b' && apply_patch <<'EOF'", Some("a b")),
            ("cd \"a b\"&&apply_patch <<EOF", Some("a b")),
            ("cd /x &&\n  applypatch <<EOF", Some("/x")),
        ] {
            let script = format!("{head}\n{PATCH}EOF\n\n");
            assert_eq!(seen(&["bash", "-lc", &script]), taken(PATCH, workdir), "{head}");
            let script = format!("{head}\r\n{PATCH}EOF");
            assert_eq!(seen(&["bash", "-lc", &script]), taken(PATCH, workdir), "{head}");
        }
        let script = format!("apply_patch <<'END-1'\n{PATCH}EOF\nEND-1");
        assert_eq!(seen(&["sh", "-c", &script]), taken(&format!("{PATCH}EOF\n"), None));
        let script = "apply_patch <<-EOF\n\ta\n\tEOF\n";
        assert_eq!(seen(&["sh", "-c", script]), taken("a\n", None));
    }

    #[test]
    fn anything_more_than_one_statement_runs_as_a_command() {
        for head in [
            "cd x; apply_patch <<'EOF'",
            "cd x || apply_patch <<'EOF'",
            "cd x | apply_patch <<'EOF'",
            "cd x & apply_patch <<'EOF'",
            "cd x y && apply_patch <<'EOF'",
            "cd && apply_patch <<'EOF'",
            "cd - && apply_patch <<'EOF'",
            "cd ~/x && apply_patch <<'EOF'",
            "cd $HOME && apply_patch <<'EOF'",
            "cd \"$HOME\" && apply_patch <<'EOF'",
            "cd a'b' && apply_patch <<'EOF'",
            "cd a\\ b && apply_patch <<'EOF'",
            "cd x && cd y && apply_patch <<'EOF'",
            "echo hi && apply_patch <<'EOF'",
            "apply_patch foo <<'EOF'",
            "apply_patch <<'EOF' foo",
            "apply_patch <<'EOF' && echo done",
            "apply_patch <<'EOF' | cat",
            "apply_patch <<<EOF",
            "'apply_patch' <<EOF",
            "cat <<'EOF'",
            "# apply_patch\napply_patch <<'EOF'",
            "apply_patch <<''",
        ] {
            let script = format!("{head}\n{PATCH}EOF\n");
            assert_eq!(seen(&["bash", "-lc", &script]), None, "{head}");
        }
        for script in [
            format!("apply_patch <<'EOF'\n{PATCH}EOF\necho done\n"),
            format!("apply_patch <<'EOF'\n{PATCH}"),
            "apply_patch".to_owned(),
            "apply_patch <<".to_owned(),
            "cd".to_owned(),
            String::new(),
        ] {
            assert_eq!(seen(&["bash", "-lc", &script]), None, "{script}");
        }
    }

    #[test]
    fn a_bare_patch_is_an_error() {
        assert_eq!(seen(&[PATCH]), Some(Err(InterceptError::BarePatch)));
        assert_eq!(seen(&["bash", "-lc", PATCH]), Some(Err(InterceptError::BarePatch)));
        assert_eq!(seen(&["ls"]), None);
        assert_eq!(seen(&[]), None);
    }

    proptest! {
        #[test]
        fn prop_split_undoes_join(argv in prop::collection::vec("[^\0]{0,12}", 0..6)) {
            prop_assert_eq!(split(&join(&argv)), Some(argv));
        }

        #[test]
        fn prop_interception_is_total(
            script in "(cd |apply_patch|<<|-|'|\"|EOF|&&|\n| |\\$|\\PC){0,12}",
        ) {
            let _ = seen(&["bash", "-lc", &script]);
        }
    }
}
