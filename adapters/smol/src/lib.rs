//! The host on smol: one loop that feeds inputs to the engine and executes its outputs in order.
//!
//! Read [`drive`] first (the loop), then [`executor`] (what an adapter must offer), then
//! `inflight` (whose replies are awaited), `lanes` (which file effects run where) and [`journal`].
//! [`lines`] moves lines between another program and its face.

mod clock;
pub mod drive;
pub mod executor;
mod inflight;
pub mod journal;
mod lanes;
pub mod lines;
#[cfg(test)]
mod tests;
mod wiring;

pub use clock::Clock;
pub use drive::{Crashed, Host, HostOptions, Ops, Stop};
pub use executor::{
    Executors, FileExecutor, HttpExecutor, MediaExecutor, NoCommands, NoMedia, NoSockets,
    ProcessExecutor, Replies, SocketExecutor, Work,
};
pub use journal::Journal;
