//! Fakes: what answers the engine's effects. Each is sans-IO: an effect goes in, timed replies
//! come out.

pub mod files;
pub mod model;
pub mod realtime;
pub mod shell;
pub mod user;

use codex_proto::Reply;

/// Replies with the delay of each in milliseconds, counted from the one before.
pub type Replies = Vec<(u64, Reply)>;
