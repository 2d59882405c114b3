//! What a command may touch, when to ask, and which variables it inherits.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// When the user is asked before a tool call runs.
/// Wire names: `untrusted`, `on-failure`, `on-request`, `never`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalPolicy {
    /// Never ask; what is not allowed is refused. The policy of `exec`.
    Never,
    /// Ask when a sandboxed command failed and may need more rights.
    OnFailure,
    /// Ask when the model requests more rights.
    #[default]
    OnRequest,
    /// Ask for everything that is not known to be harmless.
    Untrusted,
}

impl ApprovalPolicy {
    /// The wire name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::OnFailure => "on-failure",
            Self::OnRequest => "on-request",
            Self::Untrusted => "untrusted",
        }
    }
}

/// The three sandbox modes by their configuration names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxMode {
    /// No sandbox at all.
    DangerFullAccess,
    /// Commands read everything and write only to scratch space; no network.
    #[default]
    ReadOnly,
    /// As read-only, but the workspace and further roots are writable; network by setting.
    WorkspaceWrite,
}

impl SandboxMode {
    /// The configuration name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DangerFullAccess => "danger-full-access",
            Self::ReadOnly => "read-only",
            Self::WorkspaceWrite => "workspace-write",
        }
    }
}

/// Names at the top of every writable root that commands and patches may not change.
pub const PROTECTED_NAMES: [&str; 3] = [".git", ".codex", ".agents"];

/// What a command may touch, fixed when the session starts. A tool's `workdir` never widens it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SandboxPolicy {
    /// Which of the three modes.
    pub mode: SandboxMode,
    /// Absolute roots that are writable: the workspace first, then `--add-dir` and configured
    /// ones. Empty in read-only mode unless a root was added by the user; ignored under full
    /// access.
    pub writable_roots: Vec<PathBuf>,
    /// Whether commands reach the network. Loopback inside the sandbox works either way.
    pub network: bool,
    /// Whether `/tmp` inside the sandbox is writable (it is private to the session).
    pub writable_tmp: bool,
    /// Whether `$TMPDIR` is writable.
    pub writable_tmpdir: bool,
}

impl SandboxPolicy {
    /// Full access: no sandbox.
    #[must_use]
    pub fn full_access() -> Self {
        Self {
            mode: SandboxMode::DangerFullAccess,
            writable_roots: Vec::new(),
            network: true,
            writable_tmp: true,
            writable_tmpdir: true,
        }
    }

    /// Reads everything, writes nothing outside scratch space, no network.
    #[must_use]
    pub fn read_only() -> Self {
        Self::default()
    }

    /// The workspace is writable; no network.
    #[must_use]
    pub fn workspace_write(workspace: PathBuf) -> Self {
        Self {
            mode: SandboxMode::WorkspaceWrite,
            writable_roots: vec![workspace],
            network: false,
            writable_tmp: true,
            writable_tmpdir: true,
        }
    }

    /// Whether commands run without any sandbox.
    #[must_use]
    pub fn is_full_access(&self) -> bool {
        self.mode == SandboxMode::DangerFullAccess
    }

    /// Whether a patch may write `path`, judged lexically. `path` must be absolute and free of
    /// `..`; symbolic links are judged again by the adapter when it opens the file.
    #[must_use]
    pub fn allows_write(&self, path: &Path) -> bool {
        self.is_full_access()
            || self.writable_roots.iter().any(|root| {
                path.strip_prefix(root).is_ok_and(|rest| {
                    rest.components().next().is_none_or(|first| {
                        !PROTECTED_NAMES.iter().any(|name| first.as_os_str() == *name)
                    })
                })
            })
    }
}

/// Which variables of the agent's environment a command inherits, as
/// `[shell_environment_policy]` has it. Applied by the adapter, which alone knows the values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EnvPolicy {
    /// Where to start from.
    pub inherit: EnvInherit,
    /// When true, names that look like credentials pass through. Ours are removed all the same.
    pub ignore_default_excludes: bool,
    /// Case-insensitive globs (`*`, `?`) of names to remove.
    pub exclude: Vec<String>,
    /// Names of variables to set after the exclusions; the adapter has the values.
    pub set: Vec<String>,
    /// When not empty, only names that match one of these globs are kept.
    pub include_only: Vec<String>,
}

impl Default for EnvPolicy {
    fn default() -> Self {
        Self {
            inherit: EnvInherit::All,
            ignore_default_excludes: false,
            exclude: Vec::new(),
            set: Vec::new(),
            include_only: Vec::new(),
        }
    }
}

/// The starting point of a command's environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvInherit {
    /// Everything the agent has.
    #[default]
    All,
    /// `PATH SHELL TMPDIR TEMP TMP HOME LANG LC_ALL LC_CTYPE LOGNAME USER`.
    Core,
    /// Nothing.
    None,
}

/// The names kept by [`EnvInherit::Core`].
pub const ENV_CORE_NAMES: [&str; 11] = [
    "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TEMP", "TMP", "TMPDIR",
    "USER",
];

/// Name patterns removed unless the user asks for them: what usually holds a credential.
pub const ENV_DEFAULT_EXCLUDES: [&str; 3] = ["*KEY*", "*SECRET*", "*TOKEN*"];

/// Names never passed to a child, whatever the policy says: the agent's own credentials.
pub const ENV_NEVER_INHERITED: [&str; 3] =
    ["CODEX_ACCESS_TOKEN", "CODEX_API_KEY", "OPENAI_API_KEY"];

impl EnvPolicy {
    /// Whether a variable of the agent's environment reaches a command.
    /// `own_credentials` are further names that hold our credentials (a provider's `env_key`).
    #[must_use]
    pub fn keeps(&self, name: &str, own_credentials: &[String]) -> bool {
        let inherited = match self.inherit {
            EnvInherit::All => true,
            EnvInherit::Core => ENV_CORE_NAMES.contains(&name),
            EnvInherit::None => false,
        };
        let own = ENV_NEVER_INHERITED.contains(&name) || own_credentials.iter().any(|c| c == name);
        let secret = !self.ignore_default_excludes
            && ENV_DEFAULT_EXCLUDES.iter().any(|glob| glob_matches(glob, name));
        inherited
            && !own
            && !secret
            && !self.exclude.iter().any(|glob| glob_matches(glob, name))
            && (self.include_only.is_empty()
                || self.include_only.iter().any(|glob| glob_matches(glob, name)))
    }
}

/// Matches a name against a case-insensitive glob of `*` and `?`, in time linear in the product of
/// the lengths.
fn glob_matches(glob: &str, name: &str) -> bool {
    let (glob, name) = (glob.as_bytes(), name.as_bytes());
    let (mut g, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match glob.get(g) {
            Some(b'*') => {
                star = Some((g, n));
                g += 1;
            }
            Some(&c) if c == b'?' || c.eq_ignore_ascii_case(&name[n]) => {
                g += 1;
                n += 1;
            }
            _ => {
                let Some((star_g, star_n)) = star else { return false };
                g = star_g + 1;
                n = star_n + 1;
                star = Some((star_g, n));
            }
        }
    }
    glob[g..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_case_insensitive_and_anchored() {
        for (glob, name, want) in [
            ("*KEY*", "my_api_key", true),
            ("*KEY", "KEYS", false),
            ("A?C", "abc", true),
            ("A?C", "ac", false),
            ("**", "", true),
            ("a*b*c", "aXbXbc", true),
            ("", "x", false),
        ] {
            assert_eq!(glob_matches(glob, name), want, "{glob} {name}");
        }
    }

    #[test]
    fn own_credentials_never_pass() {
        let open = EnvPolicy { ignore_default_excludes: true, ..EnvPolicy::default() };
        assert!(open.keeps("GITHUB_TOKEN", &[]));
        assert!(!open.keeps("OPENAI_API_KEY", &[]));
        assert!(!open.keeps("MY_KEY", &["MY_KEY".into()]));
        assert!(!EnvPolicy::default().keeps("GITHUB_TOKEN", &[]));
        assert!(EnvPolicy::default().keeps("PATH", &[]));
    }

    #[test]
    fn protected_names_are_not_writable() {
        let policy = SandboxPolicy::workspace_write("/w".into());
        assert!(policy.allows_write(Path::new("/w/src/a.rs")));
        assert!(policy.allows_write(Path::new("/w/sub/.git/x")));
        assert!(!policy.allows_write(Path::new("/w/.git/config")));
        assert!(!policy.allows_write(Path::new("/w/.codex")));
        assert!(!policy.allows_write(Path::new("/wx/a")));
        assert!(!SandboxPolicy::read_only().allows_write(Path::new("/w/a")));
    }
}
