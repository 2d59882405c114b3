//! Commands that are known to change nothing: they read, print, and end. Under `untrusted` only
//! these run unasked. What is not on the list, or cannot be read for certain, is not known.
//!
//! A program counts by its bare name or its place in the system's folders, so that `./ls` is no
//! `ls`. Options that write or run something else are refused in every spelling that the program
//! takes, and a word that the shell replaces is refused where an option could come out of it.

use std::path::Path;

use codex_proto::shell::{self, ShellWord};

/// Folders whose programs are the system's.
const SYSTEM_FOLDERS: [&str; 2] = ["/bin/", "/usr/bin/"];

/// Harmless whatever their arguments are.
const ALWAYS: [&str; 25] = [
    "cat", "cd", "cut", "echo", "expr", "false", "grep", "head", "id", "ls", "nl", "numfmt",
    "paste", "pwd", "rev", "seq", "stat", "tac", "tail", "tr", "true", "uname", "wc", "which",
    "whoami",
];

/// Actions of `find` that write or run something.
const FIND_ACTIONS: [&str; 8] =
    ["-delete", "-exec", "-execdir", "-fls", "-fprint", "-fprint0", "-fprintf", "-ok"];

/// Long options of `git` and its subcommands that write, run something, or look elsewhere.
const GIT_OPTIONS: [&str; 11] = [
    "--config-env",
    "--exec",
    "--exec-path",
    "--ext-diff",
    "--git-dir",
    "--namespace",
    "--output",
    "--paginate",
    "--super-prefix",
    "--textconv",
    "--work-tree",
];

/// What `git branch` takes to list branches.
const GIT_BRANCH_OPTIONS: [&str; 9] =
    ["--all", "--list", "--remotes", "--show-current", "--verbose", "-a", "-l", "-r", "-v"];

/// The commands that an argv runs, in words: the script of a shell we trust, or the argv itself.
/// `None` when that cannot be known.
pub(crate) fn commands(argv: &[String], own_shell: &Path) -> Option<Vec<Vec<ShellWord>>> {
    let program = argv.first()?;
    let is_shell = |name: &str| matches!(name, "bash" | "sh" | "zsh");
    if Path::new(program) == own_shell || name_of(program).is_some_and(is_shell) {
        return shell::segments(shell::script_of(argv)?);
    }
    let plain = |text: &String| ShellWord { text: text.clone(), expands: false };
    Some(vec![argv.iter().map(plain).collect()])
}

/// The name of a program that is found where programs of the system are.
pub(crate) fn name_of(program: &str) -> Option<&str> {
    let bare = SYSTEM_FOLDERS.iter().find_map(|folder| program.strip_prefix(folder));
    let name = bare.unwrap_or(program);
    (!name.contains(['/', '\\'])).then_some(name)
}

/// Whether everything that an argv runs is on the list.
pub(crate) fn is_known_safe(argv: &[String], own_shell: &Path) -> bool {
    commands(argv, own_shell).is_some_and(|all| all.iter().all(|words| is_safe(words)))
}

fn is_safe(words: &[ShellWord]) -> bool {
    let Some((program, args)) = words.split_first() else { return false };
    let Some(name) = name_of(&program.text) else { return false };
    if ALWAYS.contains(&name) {
        return true;
    }
    // From here on an argument decides, so each must be what it looks like.
    if args.iter().any(|word| word.expands) {
        return false;
    }
    let args: Vec<&str> = args.iter().map(|word| word.text.as_str()).collect();
    match name {
        "base64" => !args.iter().any(|arg| arg.starts_with("-o") || arg.starts_with("--o")),
        "find" => !args.iter().any(|arg| FIND_ACTIONS.contains(arg) || *arg == "-okdir"),
        "git" => is_safe_git(&args),
        "rg" => is_safe_search(&args),
        "sed" => is_safe_sed(&args),
        // A second name is that of a file to write.
        "uniq" => args.iter().filter(|arg| !arg.starts_with('-')).count() <= 1,
        _ => false,
    }
}

fn is_safe_git(args: &[&str]) -> bool {
    // Options before the subcommand configure git itself.
    let Some((subcommand, args)) = args.split_first() else { return false };
    // Git takes any beginning of a long option for the option.
    let is_named = |arg: &str| {
        let name = arg.split('=').next().unwrap_or_default();
        name.len() > 2 && GIT_OPTIONS.iter().any(|option| option.starts_with(name))
    };
    if args.iter().any(|arg| is_named(arg)) {
        return false;
    }
    match *subcommand {
        "diff" | "log" | "show" | "status" => true,
        "branch" => args.iter().all(|arg| {
            GIT_BRANCH_OPTIONS.contains(arg) || *arg == "-vv" || arg.starts_with("--format=")
        }),
        _ => false,
    }
}

fn is_safe_search(args: &[&str]) -> bool {
    !args.iter().any(|arg| {
        let name = arg.split('=').next().unwrap_or_default();
        let is_cluster = arg.starts_with('-') && !arg.starts_with("--");
        matches!(name, "--pre" | "--hostname-bin" | "--search-zip")
            || is_cluster && arg.contains('z')
    })
}

/// `sed -n 1,5p [file]` and nothing else.
fn is_safe_sed(args: &[&str]) -> bool {
    let (script, file) = match args {
        ["-n", script] => (script, None),
        ["-n", script, file] => (script, Some(file)),
        _ => return false,
    };
    let Some(range) = script.strip_suffix('p') else { return false };
    let (from, to) = range.split_once(',').unwrap_or((range, "1"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number(from) && is_number(to) && file.is_none_or(|file| !file.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> bool {
        let argv = ["/bin/bash", "-lc", text].map(str::to_owned);
        is_known_safe(&argv, Path::new("/bin/bash"))
    }

    fn argv(words: &[&str]) -> bool {
        let argv: Vec<String> = words.iter().map(|&word| word.into()).collect();
        is_known_safe(&argv, Path::new("/opt/own/fish"))
    }

    #[test]
    fn reading_is_known() {
        for text in [
            "ls",
            "ls -la *.rs | head -5",
            "cd sub && cat a.txt; pwd",
            "/usr/bin/wc -l a",
            "find . -name '*.rs' -type f",
            "rg -n 'fn main' src | head",
            "sed -n 1,20p a.rs",
            "sed -n 7p",
            "git status --short",
            "git log --oneline -5",
            "git diff HEAD~1 -- src",
            "git branch -vv",
            "base64 a",
            "uniq -c a",
        ] {
            assert!(script(text), "{text}");
        }
        assert!(argv(&["ls", "-l"]) && argv(&["bash", "-c", "ls"]) && argv(&["/bin/cat", "*"]));
    }

    #[test]
    fn what_could_write_or_run_something_is_not_known() {
        for text in [
            "",
            "make",
            "ls > out",
            "ls $(touch x)",
            "X=1 ls",
            "ls & touch x",
            "./ls",
            "/tmp/ls",
            "../bin/cat x",
            "ls; make",
            "echo hi | tee x",
            "find . -delete",
            "find . -exec rm {} +",
            "find . '-exec' touch x",
            "find . -okdir touch x",
            "find *",
            "rg --pre ./x y",
            "rg --pre=./x y",
            "rg -nz y",
            "rg --hostname-bin=./x y",
            "sed -n 1,5p -i",
            "sed -n '1w x' a",
            "sed -n 1,p a",
            "sed -i s/a/b/ a",
            "sed -n 1p *",
            "git",
            "git push",
            "git -C /x status",
            "git -c core.fsmonitor=./x status",
            "git -p log",
            "git --git-dir=x log",
            "git diff --output=x",
            "git diff --outp=x",
            "git diff --o x",
            "git show --ext-diff",
            "git log --textc",
            "git branch new",
            "git branch -D x",
            "git branch -d -v",
            "base64 -ox a",
            "base64 --output=x a",
            "uniq a b",
            "[ -f x ]",
            "xargs ls",
            "env ls",
            "sudo ls",
        ] {
            assert!(!script(text), "{text}");
        }
        assert!(!argv(&[]));
        assert!(!argv(&[""]));
        assert!(!argv(&["./bash", "-c", "ls"]), "a shell of unknown origin");
        assert!(!argv(&["bash", "-c", "ls", "x"]), "not a form we know");
        assert!(!argv(&["bash", "-x", "ls"]));
        assert!(!argv(&["pwsh", "-Command", "ls"]));
    }
}
