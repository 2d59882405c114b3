//! The wire of the realtime service, in its three dialects: what a session is, where it is, what is
//! sent and what comes. Pure; the machines that speak it are in `codex-engine`.
//!
//! - [`version`]: what each dialect allows and prefers.
//! - [`session`]: the session object.
//! - [`call`]: the request that creates a call, and the call's id.
//! - [`url`]: addresses of calls and sockets.
//! - [`sdp`]: whether an answer can be one.
//! - [`send`](mod@send), [`receive`]: messages.
//! - [`audio`]: audio messages, which adapters build.
//! - [`envelope`]: the user message in which a task reaches the agent.

pub mod audio;
pub mod call;
pub mod envelope;
pub mod receive;
pub mod sdp;
pub mod send;
pub mod session;
pub mod url;
pub mod version;
