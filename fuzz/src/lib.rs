//! The simulated world. See `docs/testing.md`.

pub mod check;
pub mod dice;
pub mod fake;
pub mod fault;
pub mod lawless;
pub mod mutation;
pub mod orders;
pub mod scene;
pub mod target;
pub mod voice;
pub mod world;

pub use world::World;

/// The example of the page for embedders, compiled and run as a test.
#[cfg(doctest)]
#[doc = include_str!("../../docs/embedding.md")]
pub struct Embedding;
