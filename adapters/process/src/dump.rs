//! What a login shell says about itself, and the script that gives it to another shell. Pure.
//!
//! A dump is six parts, each ended by NUL: options, more options, functions, names of exported
//! functions, aliases; then the environment as `env -0` prints it. Variables go through the
//! environment, not through `export -p`, so that their values are bytes and the quoting is ours.

use codex_proto::policy::EnvPolicy;

use crate::{env::Env, shell::quote};

/// Variables that a shell keeps for itself.
const SHELL_NAMES: [&str; 4] = ["OLDPWD", "PWD", "SHLVL", "_"];

/// Variables that each command gets from the engine; a profile must not change them.
pub const OVERLAY_NAMES: [&str; 12] = [
    "CODEX_CI",
    "CODEX_SANDBOX_NETWORK_DISABLED",
    "CODEX_THREAD_ID",
    "COLORTERM",
    "GH_PAGER",
    "GIT_PAGER",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "NO_COLOR",
    "PAGER",
    "TERM",
];

/// `set -o` options of bash and POSIX shells that change what scripts do, all off by default.
const SET_OPTIONS: [&str; 6] =
    ["errexit", "noclobber", "noglob", "nounset", "physical", "pipefail"];

/// `shopt` options of bash that change what scripts do, all off by default.
const SHOPT_OPTIONS: [&str; 10] = [
    "dotglob",
    "extglob",
    "failglob",
    "globstar",
    "inherit_errexit",
    "lastpipe",
    "nocaseglob",
    "nocasematch",
    "nullglob",
    "xpg_echo",
];

/// Options of zsh that cannot or must not be set in the shell of a command.
const ZSH_OPTIONS_LEFT_OUT: [&str; 12] = [
    "interactive",
    "login",
    "monitor",
    "norcs",
    "privileged",
    "restricted",
    "shinstdin",
    "singlecommand",
    "verbose",
    "xtrace",
    "zle",
    "exec",
];

/// Options of zsh that would stop the sourcing of the rest.
const ZSH_OPTIONS_LAST: [&str; 3] = ["errexit", "errreturn", "nounset"];

/// The language of a shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Bash,
    Posix,
    Zsh,
}

impl Dialect {
    /// The script that writes a dump to the file `$1`.
    pub(crate) fn script(self) -> &'static str {
        match self {
            Self::Bash => {
                r#"exec >|"$1" 2>/dev/null
set +o; set +eu; \builtin printf '\0'
\builtin shopt -p; \builtin printf '\0'
\builtin declare -f; \builtin printf '\0'
\builtin declare -Fx; \builtin printf '\0'
\builtin alias -p; \builtin printf '\0'
exec /usr/bin/env -0"#
            }
            Self::Posix => {
                r#"exec >|"$1" 2>/dev/null
set +o; set +eu; \command printf '\0\0\0\0'
\command alias; \command printf '\0'
exec /usr/bin/env -0"#
            }
            Self::Zsh => {
                r#"[[ -r ${ZDOTDIR:-$HOME}/.zshrc ]] && . ${ZDOTDIR:-$HOME}/.zshrc
exec >|"$1" 2>/dev/null
\builtin setopt; \builtin setopt no_err_exit no_err_return unset; \builtin printf '\0'
\builtin typeset -p fpath; \builtin printf '\0'
\builtin typeset -f; \builtin printf '\0\0'
\builtin alias -L; \builtin alias -sL; \builtin printf '\0'
exec /usr/bin/env -0"#
            }
        }
    }
}

/// A dump, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dump {
    options: Vec<u8>,
    more_options: Vec<u8>,
    functions: Vec<u8>,
    exported_functions: Vec<u8>,
    aliases: Vec<u8>,
    env: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Dump {
    /// `None` when the shell did not get to the end.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let whole = bytes.strip_suffix(b"\0")?;
        let mut parts = whole.splitn(6, |byte| *byte == 0).map(<[u8]>::to_vec);
        let mut part = || parts.next();
        let (options, more_options, functions) = (part()?, part()?, part()?);
        let (exported_functions, aliases, env) = (part()?, part()?, part()?);
        let env = env
            .split(|byte| *byte == 0)
            .filter_map(|entry| {
                let equals = entry.iter().position(|byte| *byte == b'=')?;
                Some((entry[..equals].to_vec(), entry[equals + 1..].to_vec()))
            })
            .collect();
        Some(Self { options, more_options, functions, exported_functions, aliases, env })
    }
}

/// The script that gives a shell what the dump holds beyond the environment `given` to both.
///
/// `own_credentials` are names that hold credentials of ours, see [`EnvPolicy::keeps`].
pub(crate) fn render(
    dialect: Dialect,
    dump: &Dump,
    given: &Env,
    policy: &EnvPolicy,
    own_credentials: &[String],
) -> Vec<u8> {
    let mut out = b"# The functions, aliases, options and exports of a login shell.\n".to_vec();
    match dialect {
        Dialect::Bash => {
            out.extend(b"[ -n \"${BASH_VERSION-}\" ] || return 0\n");
            options_on(&mut out, "shopt -s ", &dump.more_options, &SHOPT_OPTIONS);
        }
        Dialect::Posix => {}
        Dialect::Zsh => {
            out.extend(b"[ -n \"${ZSH_VERSION-}\" ] || return 0\n");
            out.extend(&dump.more_options);
            zsh_options(&mut out, &dump.options, |name| !ZSH_OPTIONS_LAST.contains(&name));
        }
    }
    out.extend(&dump.functions);
    out.push(b'\n');
    for line in lines(&dump.exported_functions) {
        // `declare -fx NAME`: a name that is not plain is left out rather than quoted wrongly.
        if let Some(name) = line.strip_prefix("declare -fx ").filter(|name| is_plain(name)) {
            out.extend(format!("declare -fx {name}\n").bytes());
        }
    }
    let keeps = |name: &str| {
        policy.keeps(name, own_credentials) && !policy.set.iter().any(|set| set == name)
    };
    exports(&mut out, dump, given, keeps);
    aliases(&mut out, dialect, &dump.aliases);
    match dialect {
        Dialect::Bash | Dialect::Posix => {
            options_on(&mut out, "set -o ", &dump.options, &SET_OPTIONS);
        }
        Dialect::Zsh => {
            zsh_options(&mut out, &dump.options, |name| ZSH_OPTIONS_LAST.contains(&name));
        }
    }
    out
}

/// Repeats the lines `prefix NAME` whose name is known.
fn options_on(out: &mut Vec<u8>, prefix: &str, options: &[u8], known: &[&str]) {
    for name in lines(options).filter_map(|line| line.strip_prefix(prefix)) {
        if known.contains(&name) {
            out.extend(format!("{prefix}{name}\n").bytes());
        }
    }
}

fn zsh_options(out: &mut Vec<u8>, options: &[u8], wanted: impl Fn(&str) -> bool) {
    for name in lines(options) {
        let known = !ZSH_OPTIONS_LEFT_OUT.contains(&name.strip_prefix("no").unwrap_or(name))
            && !ZSH_OPTIONS_LEFT_OUT.contains(&name);
        if known
            && wanted(name)
            && !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            out.extend(format!("setopt {name}\n").bytes());
        }
    }
}

fn exports(out: &mut Vec<u8>, dump: &Dump, given: &Env, keeps: impl Fn(&str) -> bool) {
    let passes = |name: &str| {
        is_identifier(name)
            && !SHELL_NAMES.contains(&name)
            && !OVERLAY_NAMES.contains(&name)
            && keeps(name)
    };
    let given_value = |name: &str| crate::env::value_of(given, name);
    for (name, value) in &dump.env {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        let same = given_value(name).is_some_and(|given| given.as_encoded_bytes() == value);
        if passes(name) && !same {
            out.extend(format!("export {name}=").bytes());
            out.extend(quote(value));
            out.push(b'\n');
        }
    }
    for (name, _) in given {
        let Some(name) = name.to_str().filter(|name| passes(name)) else { continue };
        if !dump.env.iter().any(|(left, _)| left == name.as_bytes()) {
            out.extend(format!("unset {name}\n").bytes());
        }
    }
}

fn aliases(out: &mut Vec<u8>, dialect: Dialect, aliases: &[u8]) {
    if aliases.is_empty() {
        return;
    }
    match dialect {
        Dialect::Bash | Dialect::Zsh => out.extend(aliases),
        Dialect::Posix => {
            for definition in definitions(aliases) {
                if !definition.starts_with(b"alias ") {
                    out.extend(b"alias ");
                }
                out.extend(definition);
                out.push(b'\n');
            }
        }
    }
    if dialect == Dialect::Bash {
        out.extend(b"shopt -s expand_aliases\n");
    }
}

/// Splits shell words at the newlines that no quote protects.
fn definitions(text: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (index, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\'' => quoted = !quoted,
            b'\\' if !quoted => escaped = true,
            b'\n' if !quoted => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.is_empty());
    parts
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &str> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok())
}

fn is_identifier(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:+@".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(env: &str) -> Dump {
        let text = format!(
            "set -o pipefail\nset +o errexit\nset -o vi\n\0shopt -s extglob\nshopt -u nullglob\n\
             shopt -s login_shell\n\0f () \n{{ \n    true\n}}\n\0declare -fx f\ndeclare -fx a;b\n\
             \0alias ll='ls -l'\n\0{env}\0"
        );
        Dump::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_dump_that_was_cut_is_none() {
        for text in ["", "a\0b\0", "a\0b\0c\0d\0e\0A=1"] {
            assert_eq!(Dump::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn bash_gets_options_functions_exports_aliases_in_this_order() {
        let given: Env = vec![
            ("SAME".into(), "1".into()),
            ("GONE".into(), "1".into()),
            ("PAGER".into(), "less".into()),
        ];
        let policy = EnvPolicy {
            set: vec!["FIXED".into()],
            exclude: vec!["HIDE*".into()],
            ..EnvPolicy::default()
        };
        let env = "SAME=1\0NEW=it's\nnew\0GITHUB_TOKEN=x\0OPENAI_API_KEY=x\0HIDE_ME=1\0MINE=1\0FIXED=no\0\
                   PWD=/\0TERM=xterm\0BASH_FUNC_f%%=() { true; }\0_=/usr/bin/env\0PATH=/p";
        let script = render(Dialect::Bash, &dump(env), &given, &policy, &["MINE".into()]);
        let want = "# The functions, aliases, options and exports of a login shell.\n\
                    [ -n \"${BASH_VERSION-}\" ] || return 0\n\
                    shopt -s extglob\n\
                    f () \n{ \n    true\n}\n\n\
                    declare -fx f\n\
                    export NEW='it'\\''s\nnew'\n\
                    export PATH='/p'\n\
                    unset GONE\n\
                    alias ll='ls -l'\n\
                    shopt -s expand_aliases\n\
                    set -o pipefail\n";
        assert_eq!(String::from_utf8(script).unwrap(), want);
    }

    #[test]
    fn definitions_end_at_unquoted_newlines() {
        let text = b"a='x\ny=1'\nb='it'\\''s'\nalias c=d\n";
        let want: [&[u8]; 3] = [b"a='x\ny=1'", b"b='it'\\''s'", b"alias c=d"];
        assert_eq!(definitions(text), want);
    }

    #[test]
    fn zsh_options_that_belong_to_a_terminal_are_left_out() {
        let mut out = Vec::new();
        zsh_options(&mut out, b"autocd\nlogin\nnomonitor\nnounset\n", |name| name != "nounset");
        assert_eq!(out, b"setopt autocd\n");
    }
}
