//! Starts commands for the agent and makes sure that they end.
//!
//! ```text
//! agent: Processes ──requests──> spawner ──forks──> supervisor ──forks──> command   full access
//!    └── one future per command <──control socket, output pipe──┘  └─forks─> command   sandboxed
//! ```
//!
//! How to read: [`processes`] is the face; `command` is one running command as the agent sees it;
//! `link` starts the spawner; `wire` is what the processes say to each other; `spawner`,
//! `supervisor`, `exec` and `tree` run outside the agent; `shell` and `snapshot` make the user's
//! login shell fast; `env` and `output` are pure.
//!
//! Invariants:
//! - Nothing that a command started survives the agent, however the agent ends.
//! - Memory per command is bounded by head, tail and one read buffer, whatever it prints.
//! - Each `Spawn` gets exactly one terminal reply as long as its future is polled.

#![cfg(target_os = "linux")]

mod boxed;
mod command;
mod dump;
pub mod env;
mod exec;
mod explain;
mod link;
mod output;
pub mod processes;
pub mod shell;
mod snapshot;
mod spawner;
mod spool;
mod supervisor;
mod sys;
mod terminal;
mod tree;
mod wire;

pub use dump::OVERLAY_NAMES;
pub use processes::{ProcessConfig, Processes};
pub use shell::wrap_with_snapshot;
pub use spawner::{SPAWNER_ARG, run_spawner_if_asked, spawner_main};
