//! Journals of simulated runs: a replay gives the same outputs; a scrubbed journal has the same
//! inputs, lengths and kinds of outputs, and no private word.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use codex_engine::{
    Engine,
    journal::{Replay, Step, record, scrub},
};
use codex_proto::{Input, Output, journal::Hash64};
use codex_sim::{fault::Fault, world::World};

const SEEDS: u64 = 16;
const STEPS: usize = 200;

/// Words of the fakes that nobody else uses.
const PRIVATE: [&str; 6] = ["Looking", "boom", "gateway", "garbage", "hello", "😀"];

fn journal(seed: u64) -> (World, Vec<u8>) {
    let world = World::run(seed, STEPS).unwrap();
    let journal = record(&world.settings, world.engine_seed, "0.1.0", &world.inputs).unwrap();
    (world, journal)
}

fn replay(journal: &[u8]) -> (Vec<Step>, Hash64) {
    let mut replay = Replay::open(journal).unwrap();
    let steps = replay.by_ref().collect::<Result<_, _>>().unwrap();
    (steps, replay.hash())
}

#[test]
fn prop_a_replay_gives_the_same_inputs_and_outputs() {
    for seed in 0..SEEDS {
        let (world, journal) = journal(seed);
        let (steps, _) = replay(&journal);
        // Audio crosses a journal as its length.
        let json = |input: &Input| serde_json::to_string(input).unwrap();
        let fed = steps.iter().map(|step| (step.now, json(&step.input)));
        let inputs = world.inputs.iter().map(|(now, input)| (*now, json(input)));
        assert!(fed.eq(inputs), "seed {seed}");
        let mut engine = Engine::new(Arc::clone(&world.settings), world.engine_seed);
        for ((now, input), step) in world.inputs.into_iter().zip(steps) {
            let outputs: Vec<Output> = engine.handle(now, input).collect();
            let json = |outputs: &[Output]| serde_json::to_string(outputs).unwrap();
            assert_eq!(json(&outputs), json(&step.outputs), "seed {seed}");
        }
    }
}

#[test]
fn prop_scrubbing_keeps_the_shape_and_no_private_word() {
    let mut seen = [false; PRIVATE.len()];
    for seed in 0..SEEDS {
        let (_, journal) = journal(seed);
        let scrubbed = scrub(&journal).unwrap();
        assert_eq!(scrubbed.differs_from, None, "seed {seed}");
        // Where events change places, a text and its deltas disagree; scrubbed, they may agree.
        let is_odd = World::from_seed(seed).swarm.has(Fault::Reorder);
        assert!(is_odd || scrubbed.reshaped.is_empty(), "seed {seed}: {:?}", scrubbed.reshaped);
        assert_eq!(scrubbed.journal.len(), journal.len(), "seed {seed}");
        let (old, hash) = replay(&journal);
        let (new, new_hash) = replay(&scrubbed.journal);
        assert_eq!(new.len(), old.len(), "seed {seed}");
        assert_ne!(new_hash, hash, "seed {seed}");
        let times = |steps: &[Step]| steps.iter().map(|step| step.now).collect::<Vec<_>>();
        assert_eq!(times(&new), times(&old), "seed {seed}");
        let (old, new) = (String::from_utf8(journal).unwrap(), scrubbed.journal);
        let new = String::from_utf8(new).unwrap();
        for (word, seen) in PRIVATE.iter().zip(&mut seen) {
            *seen |= old.contains(word);
            assert!(!new.contains(word), "seed {seed}: {word}");
        }
    }
    assert_eq!(seen, [true; PRIVATE.len()], "each word was there to be found");
}
