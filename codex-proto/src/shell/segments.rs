//! Takes a script apart into the commands that it runs, where that can be known without running
//! it.
//!
//! ```text
//! script    = command (separator command)* [";" | NL]
//! separator = "&&" | "||" | "|" | ";" | NL
//! command   = word+                         the first word is plain: no assignment, no keyword
//! word      = (bare | 'quoted' | "quoted")+ without expansions but globs and a tilde
//! ```
//!
//! Everything else (redirections, `&`, variables, substitutions, groups, control flow, comments,
//! escapes) is [`None`] from [`segments`]: not known. [`loose_segments`] finds what looks like a
//! command in any script; it is for warnings, never for permissions.

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShellWord {
    /// As the command gets it, unless it expands.
    pub text: String,
    /// Whether the shell replaces it: it has an unquoted `*`, `?`, `[` or `]`, or begins with `~`.
    pub expands: bool,
}

/// Words that begin something else than a simple command.
const KEYWORDS: [&str; 20] = [
    "case",
    "coproc",
    "do",
    "done",
    "elif",
    "else",
    "esac",
    "fi",
    "for",
    "function",
    "if",
    "in",
    "nocorrect",
    "noglob",
    "repeat",
    "select",
    "then",
    "time",
    "until",
    "while",
];

/// The commands of a script, each with one word at least; `None` when that cannot be known.
#[must_use]
pub fn segments(script: &str) -> Option<Vec<Vec<ShellWord>>> {
    let mut rest = script;
    let mut all = Vec::new();
    let mut command: Vec<ShellWord> = Vec::new();
    // Whether a command must follow.
    let mut owed = true;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let Some(next) = rest.chars().next() else { break };
        let separator = ["&&", "||", "|", ";", "\n"].into_iter().find(|s| rest.starts_with(s));
        let Some(separator) = separator else {
            let word = word(&mut rest)?;
            if command.is_empty() && !names_a_command(&word, next) {
                return None;
            }
            command.push(word);
            owed = false;
            continue;
        };
        rest = &rest[separator.len()..];
        if command.is_empty() {
            // Only lines may be empty.
            if separator != "\n" {
                return None;
            }
            continue;
        }
        all.push(std::mem::take(&mut command));
        owed = !matches!(separator, ";" | "\n");
    }
    if !command.is_empty() {
        all.push(command);
    }
    (!owed && !all.is_empty()).then_some(all)
}

fn names_a_command(word: &ShellWord, first: char) -> bool {
    let is_quoted = matches!(first, '\'' | '"');
    !word.expands
        && !word.text.is_empty()
        && !word.text.contains('=')
        && (is_quoted || !KEYWORDS.contains(&word.text.as_str()))
}

/// Takes a word of at least one character from the front.
fn word(rest: &mut &str) -> Option<ShellWord> {
    let mut word = ShellWord::default();
    let before = rest.len();
    while let Some(next) = rest.chars().next() {
        match next {
            ' ' | '\t' | '\n' | ';' | '|' | '&' => break,
            '\'' => {
                let (text, after) = rest[1..].split_once('\'')?;
                word.text.push_str(text);
                *rest = after;
                continue;
            }
            '"' => {
                let (text, after) = rest[1..].split_once('"')?;
                if text.contains(['$', '`', '\\', '!']) {
                    return None;
                }
                word.text.push_str(text);
                *rest = after;
                continue;
            }
            '*' | '?' | '[' | ']' => word.expands = true,
            '~' => word.expands |= word.text.is_empty(),
            c if c.is_alphanumeric() || "_./-+,:@%^=".contains(c) => {}
            _ => return None,
        }
        word.text.push(next);
        *rest = &rest[next.len_utf8()..];
    }
    // A lone `&` is no separator of ours.
    (rest.len() < before).then_some(word)
}

/// What looks like the commands of any script, in words: quotes and escapes are taken away, and
/// whatever else separates anything ends a command.
#[must_use]
pub fn loose_segments(script: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut word = String::new();
    let end_word = |word: &mut String, all: &mut Vec<Vec<String>>| {
        if !word.is_empty()
            && let Some(command) = all.last_mut()
        {
            command.push(std::mem::take(word));
        }
    };
    for c in script.chars() {
        match c {
            '\'' | '"' | '\\' => {}
            ' ' | '\t' => end_word(&mut word, &mut all),
            '\n' | ';' | '|' | '&' | '(' | ')' | '{' | '}' | '`' | '$' | '<' | '>' => {
                end_word(&mut word, &mut all);
                all.push(Vec::new());
            }
            c => word.push(c),
        }
    }
    end_word(&mut word, &mut all);
    all.retain(|command| !command.is_empty());
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(script: &str) -> Option<Vec<Vec<String>>> {
        let commands = segments(script)?.into_iter();
        Some(commands.map(|words| words.into_iter().map(|word| word.text).collect()).collect())
    }

    fn check(script: &str, want: &[&[&str]]) {
        let want: Vec<Vec<String>> =
            want.iter().map(|words| words.iter().map(|&word| word.into()).collect()).collect();
        assert_eq!(texts(script), Some(want), "{script}");
    }

    #[test]
    fn plain_scripts_are_taken_apart() {
        check("ls", &[&["ls"]]);
        check("ls -la 'a b' \"c d\" e'f'\"g\"", &[&["ls", "-la", "a b", "c d", "efg"]]);
        check("a && b || c | d; e", &[&["a"], &["b"], &["c"], &["d"], &["e"]]);
        check("\n a;\n\n b &&\n c \n", &[&["a"], &["b"], &["c"]]);
        check("echo ''", &[&["echo", ""]]);
        check("git log --format=%h", &[&["git", "log", "--format=%h"]]);
        check("'if' x", &[&["if", "x"]]);
    }

    #[test]
    fn words_that_the_shell_replaces_are_marked() {
        let commands = segments("cat *.rs '*.rs' ~/x").unwrap();
        let marks: Vec<bool> = commands[0].iter().map(|word| word.expands).collect();
        assert_eq!(marks, [false, true, false, true]);
    }

    #[test]
    fn what_cannot_be_known_is_not_taken_apart() {
        for script in [
            "",
            " ",
            "a &",
            "a & b",
            "a > b",
            "a < b",
            "a << E",
            "$x",
            "a $x",
            "a \"$x\"",
            "a `b`",
            "a $(b)",
            "(a)",
            "{ a; }",
            "a {b,c}",
            "X=1 a",
            "X=1",
            "if a; then b; fi",
            "a # b",
            "!a",
            "a \\b",
            "a 'b",
            "a \"b",
            "a &&",
            "a |",
            "&& a",
            "; a",
            "a ;; b",
            "a |& b",
            "*",
            "~/a",
            "time a",
            "a \"!x\"",
            "a\rb",
            "=a",
            "''",
            "a && ; b",
        ] {
            assert_eq!(texts(script), None, "{script}");
        }
    }

    #[test]
    fn loose_words_are_found_behind_any_spelling() {
        let found = |script: &str| loose_segments(script).concat();
        for script in
            ["$(rm -rf x)", "r\\m -r\"f\" x", "if y; then 'rm' -rf x; fi", "a>b\nrm -rf x"]
        {
            let words = found(script);
            let at = words.iter().position(|word| word == "rm");
            assert!(at.is_some_and(|at| words[at + 1] == "-rf"), "{script}: {words:?}");
        }
    }

    proptest! {
        /// A script that is known is known exactly: quoting its words again gives the same.
        #[test]
        fn prop_known_scripts_are_their_words(
            script in "(ls|a|'b c'|\"d\"|&&|\\|\\||;|\n| |-x|\\*|\\$|=|#|\\PC){0,10}",
        ) {
            if let Some(commands) = segments(&script)
                && !commands.iter().flatten().any(|word| word.expands)
            {
                let text = |words: &Vec<ShellWord>| words.iter().map(|w| w.text.clone()).collect();
                let words: Vec<Vec<String>> = commands.iter().map(text).collect();
                let again: Vec<String> = words.iter().map(|words| quoted(words)).collect();
                prop_assert_eq!(texts(&again.join("; ")), Some(words));
            }
            let _ = loose_segments(&script);
        }
    }

    fn quoted(words: &[String]) -> String {
        // A single quote cannot be inside single quotes, and only double quotes can give one.
        let quote = |word: &String| match word.contains('\'') {
            true => format!("\"{word}\""),
            false => format!("'{word}'"),
        };
        words.iter().map(quote).collect::<Vec<_>>().join(" ")
    }
}
