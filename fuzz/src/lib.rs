//! The simulated world. See `docs/testing.md`.

pub mod check;
pub mod fake;
pub mod fault;
pub mod world;

pub use world::World;
