//! What the host tells the configuration: the command line, the environment, the project.

use std::{fmt, path::PathBuf};

use super::layer::mask_argument;
use crate::policy::{ApprovalPolicy, SandboxMode};

/// What the command line says.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `-c key=value` arguments, in order.
    pub set: Vec<String>,
    /// `--enable` (true) and `--disable` (false), in order. They beat `-c`.
    pub features: Vec<(String, bool)>,
    /// `-p`.
    pub profile: Option<String>,
    /// `-m`.
    pub model: Option<String>,
    /// `-s`.
    pub sandbox: Option<SandboxMode>,
    /// `-a`.
    pub approval: Option<ApprovalPolicy>,
    /// `--add-dir`, relative ones against the working directory.
    pub add_dirs: Vec<PathBuf>,
    /// `--dangerously-bypass-approvals-and-sandbox`.
    pub bypass: bool,
    /// `--search`.
    pub search: bool,
}

// `-c` may carry a credential.
impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overrides")
            .field("set", &self.set.iter().map(|set| mask_argument(set)).collect::<Vec<_>>())
            .field("features", &self.features)
            .field("profile", &self.profile)
            .field("model", &self.model)
            .field("sandbox", &self.sandbox)
            .field("approval", &self.approval)
            .field("add_dirs", &self.add_dirs)
            .field("bypass", &self.bypass)
            .field("search", &self.search)
            .finish()
    }
}

/// Variables of the environment that stand in for keys. Blank ones count as unset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvFacts {
    /// `OPENAI_BASE_URL`.
    pub openai_base_url: Option<String>,
    /// `CODEX_OSS_BASE_URL`.
    pub oss_base_url: Option<String>,
    /// `CODEX_OSS_PORT`.
    pub oss_port: Option<String>,
}

/// What the host knows and a configuration refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFacts {
    /// Absolute working directory.
    pub cwd: PathBuf,
    /// `CODEX_HOME`, absolute.
    pub codex_home: PathBuf,
    /// The user's home directory, for `~/`.
    pub home: Option<PathBuf>,
    /// Variables that matter.
    pub env: EnvFacts,
    /// A front end that never asks says so here; it beats every layer and flag.
    pub approval_forced: Option<ApprovalPolicy>,
}

/// What the host found around the working directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectFacts {
    /// Spellings under which trust is looked up, in order: working directory, project root, root of
    /// the main checkout of a work tree; of each the canonical path first.
    pub trust_keys: Vec<PathBuf>,
    /// The path that a user would trust.
    pub root: PathBuf,
}

/// What the user thinks of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// `trust_level = "trusted"`.
    Trusted,
    /// `trust_level = "untrusted"`.
    Untrusted,
}
