//! Plays the spawner for the tests of this crate, and an agent that tests kill.

fn main() {
    codex_process::run_spawner_if_asked();
}
