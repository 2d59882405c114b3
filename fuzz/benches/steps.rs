//! Simulated steps per second on one core, with all checkers after every step; the claims about a
//! whole run (replay, resuming) are checked at its end and timed apart.
//!
//! `cargo bench -p codex-sim --bench steps`

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures and prints")]

use std::time::{Duration, Instant};

use codex_sim::World;

const SEEDS: u64 = 200;
const STEPS: usize = 400;

fn main() {
    let (mut inputs, mut stepping, mut ending) = (0, Duration::ZERO, Duration::ZERO);
    for seed in 1..=SEEDS {
        let mut world = World::from_seed(seed);
        let began = Instant::now();
        let lived = world.live(STEPS);
        stepping += began.elapsed();
        let began = Instant::now();
        let ended = lived.and_then(|()| world.at_end());
        ending += began.elapsed();
        inputs += world.inputs.len();
        if let Err(claim) = ended {
            println!("seed {seed}: {claim}");
        }
    }
    let per_second = inputs as f64 / stepping.as_secs_f64();
    println!(
        "{inputs} steps in {stepping:.2?}: {per_second:.0} steps/s; ends of runs {ending:.2?}"
    );
}
