//! Claim: all of the simulator's, in a world whose chances are the fuzzer's bytes.

use crate::World;

/// Steps of the safety phase at most; it ends with the bytes.
const STEPS_MAX: usize = 1_000;

/// Decisions of the world, in the order in which it makes them.
pub fn run(bytes: &[u8]) {
    let mut world = World::from_bytes(bytes);
    if let Err(claim) = world.run_phases(STEPS_MAX) {
        panic!("after {} inputs: {claim}", world.inputs.len());
    }
}
