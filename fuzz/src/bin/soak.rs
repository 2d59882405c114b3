//! Fresh seeds for as long as asked; a failure is made small and written down as a journal.
//!
//! `cargo run --release -p codex-sim --bin soak -- [--from SEED] [--seconds N] [--steps N]`; exits 1
//! at the first failure.

#![expect(clippy::disallowed_methods, reason = "a tool with a clock and a file, not the engine")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is its purpose")]

use std::{
    fs,
    process::ExitCode,
    time::{Duration, Instant},
};

use codex_engine::journal;
use codex_sim::{World, fault::Fault};

const USAGE: &str = "usage: soak [--from SEED] [--seconds N] [--steps N]";

struct Options {
    from: u64,
    seconds: u64,
    steps: usize,
}

/// A failing run, as small as it was made.
struct Small {
    steps: usize,
    without: Vec<Fault>,
    claim: String,
    world: World,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let began = Instant::now();
    let (mut seed, mut inputs) = (options.from, 0);
    while Instant::now() < until {
        match World::run(seed, options.steps) {
            Ok(world) => inputs += world.inputs.len(),
            Err(failure) => {
                println!("{failure}");
                report(seed, options.steps);
                return ExitCode::FAILURE;
            }
        }
        seed += 1;
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("seeds {} to {}: {inputs} steps in {seconds:.0} s, no failure", options.from, seed);
    ExitCode::SUCCESS
}

fn options() -> Option<Options> {
    let mut options = Options { from: 1_000, seconds: 60, steps: 400 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value: u64 = arguments.next()?.parse().ok()?;
        match name.as_str() {
            "--from" => options.from = value,
            "--seconds" => options.seconds = value,
            "--steps" => options.steps = usize::try_from(value).ok()?,
            _ => return None,
        }
    }
    Some(options)
}

/// Runs a seed with fewer steps and fewer faults. `None` when it holds.
fn fails(seed: u64, steps: usize, without: &[Fault]) -> Option<Small> {
    let mut world = World::from_seed(seed);
    without.iter().for_each(|fault| world.swarm.remove(*fault));
    let claim = world.run_phases(steps).err()?;
    Some(Small { steps, without: without.to_vec(), claim, world })
}

/// Makes a failure small: half the steps while it stays, then one fault less at a time.
fn shrink(seed: u64, steps: usize) -> Option<Small> {
    let mut small = fails(seed, steps, &[])?;
    let mut cut = small.steps / 2;
    while cut > 0 && small.steps > 0 {
        let fewer = small.steps.saturating_sub(cut);
        match fails(seed, fewer, &small.without) {
            Some(smaller) => small = smaller,
            None => cut /= 2,
        }
    }
    for fault in Fault::ALL.iter().filter(|fault| World::from_seed(seed).swarm.has(**fault)) {
        let without = [small.without.clone(), vec![*fault]].concat();
        if let Some(smaller) = fails(seed, small.steps, &without) {
            small = smaller;
        }
    }
    Some(small)
}

fn report(seed: u64, steps: usize) {
    let Some(Small { steps, without, claim, world }) = shrink(seed, steps) else { return };
    println!(
        "smallest: {steps} steps, {} inputs, without {without:?}: {claim}",
        world.inputs.len()
    );
    println!("faults: {}", world.swarm);
    let program = env!("CARGO_PKG_VERSION");
    let recorded = journal::record(&world.settings, world.engine_seed, program, &world.inputs);
    let path = std::env::temp_dir().join(format!("codex-sim-{seed}.journal"));
    match recorded {
        Ok(bytes) => match fs::write(&path, bytes) {
            Ok(()) => println!("journal: {}", path.display()),
            Err(error) => eprintln!("{}: {error}", path.display()),
        },
        Err(error) => eprintln!("no journal: {error}"),
    }
}
