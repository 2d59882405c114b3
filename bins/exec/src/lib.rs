//! The headless front end of the agent: `codex exec`.
//!
//! Read [`run`](run()) first (the order of the checks), then [`headless`] (one job on a host) and
//! [`front`] (its states). [`human`] and `codex_proto::wire::exec_json` turn events into text.

pub mod args;
pub mod front;
pub mod headless;
pub mod human;
pub mod paint;
pub mod prompt;
mod run;
pub mod session;
pub mod signals;
pub mod stderr;
pub mod stdin;
mod trace;

pub use run::{Extra, run, seed, trace, trace_to_file};
