//! What lies around a working directory: its documents and its version control.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::settings::ProjectSettings;

/// Where to look for project documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectQuery {
    /// The thread's working directory.
    pub cwd: PathBuf,
    /// Holds the global documents.
    pub codex_home: PathBuf,
    /// Names and limits.
    pub settings: ProjectSettings,
}

/// What was found around a working directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectInfo {
    /// The global document of `CODEX_HOME`, untrimmed.
    pub global_doc: Option<String>,
    /// Project documents from the root down to the working directory; at most one a folder.
    pub docs: Vec<ProjectDoc>,
    /// What could not be read, one sentence each.
    pub warnings: Vec<String>,
    /// Version control, if any.
    pub git: Option<GitInfo>,
}

/// One AGENTS.md or its kin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectDoc {
    /// Absolute path.
    pub path: PathBuf,
    /// Its text, cut at the budget; the engine applies the budget over all documents.
    pub text: String,
    /// Bytes of the whole file.
    pub bytes: u64,
}

/// State of the git work tree, for `session_meta`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitInfo {
    /// The commit of HEAD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_hash: Option<String>,
    /// The branch of HEAD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// URL of `origin`, without credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository_url: Option<String>,
}
