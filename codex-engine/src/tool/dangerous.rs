//! Commands that destroy data. Every policy that asks at all asks before them, also where the
//! sandbox would let them. It is a warning, not a wall: the sandbox is the wall.

use codex_proto::shell;

/// Scripts in scripts that are looked into.
const DEPTH_MAX: usize = 4;

/// Programs that run what their arguments say.
const WRAPPERS: [&str; 14] = [
    "busybox", "command", "doas", "env", "exec", "find", "ionice", "nice", "nohup", "setsid",
    "sudo", "time", "timeout", "xargs",
];

/// Programs that destroy whatever they are given.
const DESTROYERS: [&str; 5] = ["blkdiscard", "mke2fs", "mkfs", "shred", "wipefs"];

/// Whether something that an argv runs destroys data.
pub(crate) fn is_dangerous(argv: &[String]) -> bool {
    is_dangerous_within(argv, DEPTH_MAX)
}

fn is_dangerous_within(argv: &[String], depth: usize) -> bool {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    match shell::script_of(argv) {
        Some(_) if depth == 0 => true,
        Some(script) => script_is_dangerous(script, depth),
        None => words_are_dangerous(&words, depth),
    }
}

fn script_is_dangerous(script: &str, depth: usize) -> bool {
    if let Some(commands) = shell::segments(script) {
        return commands.iter().any(|words| {
            let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
            words_are_dangerous(&words, depth)
        });
    }
    // Whatever it is: each of its words may begin a command.
    shell::loose_segments(script).iter().any(|words| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        (0..words.len()).any(|at| destroys(&words[at..]))
    })
}

fn words_are_dangerous(words: &[&str], depth: usize) -> bool {
    let Some(name) = words.first().map(|word| base(word)) else { return false };
    if destroys(words) {
        return true;
    }
    if matches!(name, "bash" | "sh" | "zsh") {
        let argv: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        return shell::script_of(&argv).is_some() && is_dangerous_within(&argv, depth - 1);
    }
    WRAPPERS.contains(&name) && (1..words.len()).any(|at| wrapped(&words[at..], depth))
}

/// What a wrapper runs, perhaps.
fn wrapped(words: &[&str], depth: usize) -> bool {
    destroys(words)
        || matches!(base(words[0]), "bash" | "sh" | "zsh") && words_are_dangerous(words, depth)
}

/// Whether these words, as a command, destroy something.
fn destroys(words: &[&str]) -> bool {
    let Some((program, args)) = words.split_first() else { return false };
    let options = args.iter().take_while(|arg| **arg != "--");
    let mut options = options.filter(|arg| arg.len() > 1 && arg.starts_with('-'));
    match base(program) {
        "rm" => options.any(|arg| match arg.strip_prefix("--") {
            Some(long) => ["f", "no-p", "r"].iter().any(|start| long.starts_with(start)),
            None => arg.contains(['f', 'r', 'R']),
        }),
        "dd" => args.iter().any(|arg| arg.starts_with("of=")),
        "find" => args.contains(&"-delete"),
        "git" => git_destroys(args),
        name => DESTROYERS.contains(&name) && !args.is_empty() || name.starts_with("mkfs."),
    }
}

fn git_destroys(args: &[&str]) -> bool {
    let mut args = args.iter();
    let subcommand = loop {
        match args.next() {
            Some(&("-C" | "-c" | "--exec-path" | "--git-dir" | "--namespace" | "--work-tree")) => {
                args.next();
            }
            Some(arg) if arg.starts_with('-') => {}
            Some(arg) => break *arg,
            None => return false,
        }
    };
    let has = |long: &str, short: char| {
        args.clone().any(|arg| match arg.strip_prefix("--") {
            Some(name) => {
                !name.is_empty() && long.starts_with(name.split('=').next().unwrap_or(""))
            }
            None => arg.starts_with('-') && arg.contains(short),
        })
    };
    match subcommand {
        "checkout" | "clean" | "switch" => has("force", 'f'),
        "push" => has("force", 'f') || args.clone().any(|arg| arg.starts_with("--force")),
        "reset" => has("hard", '\0'),
        _ => false,
    }
}

fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> bool {
        is_dangerous(&["bash", "-lc", text].map(str::to_owned))
    }

    #[test]
    fn destruction_is_seen_in_any_spelling() {
        for text in [
            "rm -rf x",
            "rm -r -f x",
            "rm x -fr",
            "rm --recursive x",
            "rm --rec x",
            "rm --force x",
            "/bin/rm -f x",
            "sudo rm -rf x",
            "sudo -u root rm -rf x",
            "env A=1 rm -rf x",
            "timeout 5 rm -rf x",
            "ls | xargs rm -f",
            "cd x && rm -rf y",
            "if true; then rm -rf x; fi",
            "echo $(rm -rf x)",
            "r'm' -rf x > log",
            "bash -c 'rm -rf x'",
            "sudo bash -c 'rm -rf x'",
            "bash -c 'bash -c \"rm -rf x\"'",
            "find . -delete",
            "find . -exec rm -rf '{}' +",
            "dd if=/dev/zero of=/dev/sda",
            "mkfs.ext4 /dev/sda",
            "shred x",
            "git reset --hard",
            "git -C x reset --hard HEAD~1",
            "git clean -fdx",
            "git push --force-with-lease",
            "git push -f",
            "git checkout -f main",
        ] {
            assert!(script(text), "{text}");
        }
        assert!(is_dangerous(&["rm", "-rf", "x"].map(str::to_owned)));
    }

    #[test]
    fn ordinary_work_is_not() {
        for text in [
            "rm x",
            "rm -i x",
            "rm -v -- -rf",
            "echo 'rm -rf x'",
            "rg 'rm -rf' src",
            "git reset HEAD~1",
            "git push origin main",
            "git checkout main",
            "git clean -n",
            "dd if=a",
            "make clean",
            "find . -name rm",
            "bash -c ls",
            "",
        ] {
            assert!(!script(text), "{text}");
        }
        assert!(!is_dangerous(&[]));
    }
}
