//! Claim: whatever a host does, the engine neither panics nor grows without bound.

use crate::{dice::Dice, lawless};

/// Inputs at most; they end with the bytes.
const STEPS_MAX: usize = 2_000;

/// Decisions of the host.
pub fn run(bytes: &[u8]) {
    let _ = lawless::run(&mut Dice::from_bytes(bytes), STEPS_MAX);
}
