//! Files: everything this workspace keeps on, or takes from, a disk.
//!
//! [`Store`] executes the effects that are about files; the other modules are plain blocking
//! functions that the binary calls at start (home directory, credentials, rollouts to resume).
//! There is no policy here: no retry, no decision what to do about a failure.
//!
//! | module | what |
//! | --- | --- |
//! | [`append`](mod@append) | rollout lines, whole or not at all, under a lock per rollout |
//! | [`read`](mod@read) | bounded reads of regular files |
//! | [`patch`](mod@patch) | file changes, all or none, beneath the writable roots |
//! | [`image`](mod@image) | pictures as data URLs |
//! | [`config`](mod@config) | configuration files |
//! | [`project`](mod@project) | AGENTS.md and git, by reading files only |
//! | [`rollouts`] | which rollout to resume |
//! | [`sessions`] | sessions as a person picks one |
//! | [`survey`](mod@survey) | recent threads and a map of the directory |
//! | [`credentials`] | `auth.json` |
//! | [`home`] | `CODEX_HOME`, its `.env` and installation id |
//! | [`host`] | login shell and time zone |
//! | [`log_file`] | the log file, bounded in size |
//! | [`scratch`] | a private directory for the life of the process |

mod fail;

pub mod append;
pub mod config;
pub mod config_edit;
pub mod credentials;
pub mod history;
pub mod home;
pub mod host;
pub mod image;
pub mod log_file;
pub mod patch;
pub mod project;
pub mod read;
pub mod rollouts;
pub mod scratch;
pub mod sessions;
mod store;
pub mod survey;

pub use store::{Store, StoreConfig};

/// Takes the next reply of an effect; false when nobody wants more.
pub type ReplyFn<'a> = dyn FnMut(codex_proto::Reply) -> bool + 'a;
