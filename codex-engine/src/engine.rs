//! The root machine.

use std::{collections::VecDeque, sync::Arc};

use codex_proto::{Input, Mono, Now, Output, Settings};

/// The root machine: owns every other one; has no locks, no tasks, no callbacks.
#[derive(Clone, Debug)]
pub struct Engine {
    queue: VecDeque<Output>,
}

/// What one input produced. Borrowing the engine makes "feed, then drain" the only order.
/// Dropping it early is legal: the rest leads the next one.
#[must_use = "the engine's outputs must be executed"]
#[derive(Debug)]
pub struct Drain<'e>(&'e mut VecDeque<Output>);

impl Iterator for Drain<'_> {
    type Item = Output;
    fn next(&mut self) -> Option<Output> {
        self.0.pop_front()
    }
}

impl Engine {
    /// An engine without threads. `seed` is its only source of randomness.
    #[must_use]
    pub fn new(_settings: Arc<Settings>, _seed: [u8; 16]) -> Self {
        Self { queue: VecDeque::new() }
    }

    /// Consumes one input. Total: never blocks, never fails.
    pub fn handle(&mut self, _now: Now, _input: Input) -> Drain<'_> {
        Drain(&mut self.queue)
    }

    /// When to send [`Input::Wake`], and why.
    #[must_use]
    pub fn deadline(&self) -> Option<(Mono, &'static str)> {
        None
    }
}
