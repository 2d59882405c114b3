//! Many seeds, all checkers. `SIM_SEED` is the first seed, `SIM_SEEDS` how many, `SIM_STEPS` how
//! long the safety phase lasts.

use codex_sim::World;

fn number(name: &str, default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a knob of the test, not of the engine")]
    let value = std::env::var(name).ok();
    value.and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn every_seed_holds_every_claim() {
    let first = number("SIM_SEED", 1);
    let seeds = number("SIM_SEEDS", 200);
    let steps = usize::try_from(number("SIM_STEPS", 400)).unwrap_or(400);
    let (mut inputs, mut turns) = (0, 0);
    for seed in first..first + seeds {
        match World::run(seed, steps) {
            Ok(world) => {
                inputs += world.inputs.len();
                turns += world.turns_ended;
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    assert!(turns as u64 > seeds, "{turns} turns in {inputs} inputs: the world is too quiet");
}

/// Prints what goes in and out in one run, for looking into a failure.
#[test]
#[expect(clippy::print_stdout, reason = "only when a person asked for a trace")]
fn trace_one_seed_when_asked() {
    let seed = number("SIM_TRACE", 0);
    if seed == 0 {
        return;
    }
    let mut world = World::from_seed(seed);
    world.trace = true;
    println!("{}", world.swarm);
    if let Err(claim) = world.run_phases(400) {
        println!("{claim}");
    }
}
