//! Claim: the same inputs give the same outputs, byte for byte.

use std::sync::Arc;

use codex_engine::Engine;
use codex_proto::{Output, Settings};

use super::Check;
use crate::world::World;

pub(super) struct Replay {
    settings: Arc<Settings>,
    seed: [u8; 16],
}

impl Replay {
    pub(super) fn new(settings: &Arc<Settings>, seed: [u8; 16]) -> Self {
        Self { settings: Arc::clone(settings), seed }
    }
}

impl Check for Replay {
    fn at_end(&self, world: &World) -> Result<(), String> {
        let mut engine = Engine::new(Arc::clone(&self.settings), self.seed);
        let mut expected = world.outputs.iter();
        for (step, (now, input)) in world.inputs.iter().enumerate() {
            let outputs: Vec<Output> = engine.handle(*now, input.clone()).collect();
            for output in &outputs {
                if Some(output) != expected.next() {
                    return Err(format!("input {step} gave another output: {output:?}"));
                }
            }
        }
        match expected.next() {
            Some(output) => Err(format!("{output:?} did not come again")),
            None => Ok(()),
        }
    }
}
