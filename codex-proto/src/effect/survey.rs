//! What the user has been working on, for a conversation by voice.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::id::ThreadId;

/// What to look at for the startup context of a conversation by voice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurveyQuery {
    /// The thread's working directory.
    pub cwd: PathBuf,
    /// Holds the rollouts.
    pub codex_home: PathBuf,
    /// Threads that are looked at, the newest.
    pub threads_max: u32,
    /// Depth of the directory map.
    pub depth_max: u32,
    /// Entries of a folder that are named.
    pub entries_max: u32,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// Recent threads, the newest first.
    pub threads: Vec<RecentThread>,
    /// The directory map: one entry a line, indented by depth.
    pub map: Vec<String>,
}

/// A recent thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentThread {
    /// Its id.
    pub thread: ThreadId,
    /// Where it worked.
    pub cwd: PathBuf,
    /// The branch it began on.
    pub branch: Option<String>,
    /// What the user asked, oldest first, cut at 240 characters each, the first eight.
    pub asks: Vec<String>,
}
