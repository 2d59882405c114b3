//! The pure state machines of the agent: inputs in, effects and events out.
//!
//! ```text
//!             Op (front end) ─┐                              ┌─► Effect (do this)
//!           Reply (adapters) ─┼─► Engine::handle(now, input) ┤
//!   Wake (when deadline says) ┘                              └─► Event  (this happened)
//! ```
//!
//! A host feeds one input at a time, executes the effects in the order they come, and answers
//! each by the grammar of [`codex_proto::effect`]. Nothing here reads a clock, a file, a socket or
//! a random source, so every order in which the world can answer is a value that a test can
//! enumerate. Every bound is in `limits.rs`; reaching one is reported.
//!
//! How to read it: [`Engine`] routes to `thread`, which owns at most one `turn`, which owns at
//! most one `model::stream` and a `tool::board`. Each file opens with its states and transitions.

mod engine;
pub mod journal;
mod limits;
mod machine;
mod model;
mod models;
mod realtime;
mod rng;
mod rollout;
mod thread;
mod tool;
mod turn;

pub use engine::{Drain, Engine};
pub use machine::Move;

/// The models that the catalogue knows, best first: slug, and the effort that is taken when none is
/// configured.
pub fn known_models() -> impl Iterator<Item = (&'static str, &'static str)> {
    models::Model::known()
}
