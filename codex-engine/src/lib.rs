//! The pure state machines of the agent.

mod engine;

pub use engine::{Drain, Engine};
