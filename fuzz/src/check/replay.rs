//! Claim: the same inputs give the same outputs, byte for byte; and the journal of a run, which is
//! written and read for one run in [`JOURNALS`], says the same.

use std::sync::Arc;

use codex_engine::{
    Engine,
    journal::{self, Replay as Replayed},
};
use codex_proto::{Output, Settings, journal::Hash64};

use super::{Check, output_bytes};
use crate::world::World;

/// Writing and reading a journal takes longer than the run.
const JOURNALS: u8 = 16;

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
        let (mut hash, mut bytes) = (Hash64::default(), Vec::new());
        for (step, (now, input)) in world.inputs.iter().enumerate() {
            let outputs: Vec<Output> = engine.handle(*now, input.clone()).collect();
            bytes.clear();
            outputs.iter().for_each(|output| output_bytes(output, &mut bytes));
            hash = hash.then(&bytes);
            if world.hashes.get(step) != Some(&hash) {
                return Err(format!("input {step} gave something else: {outputs:?}"));
            }
        }
        if self.seed[0].is_multiple_of(JOURNALS) { self.journal(world) } else { Ok(()) }
    }
}

impl Replay {
    fn journal(&self, world: &World) -> Result<(), String> {
        let text = journal::record(&self.settings, self.seed, "sim", &world.inputs)
            .map_err(|error| error.to_string())?;
        let mut steps = 0;
        for step in Replayed::open(&text).map_err(|error| error.to_string())? {
            step.map_err(|error| error.to_string())?;
            steps += 1;
        }
        if steps != world.inputs.len() {
            return Err(format!("{} inputs, {steps} in the journal", world.inputs.len()));
        }
        Ok(())
    }
}
