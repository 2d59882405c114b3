//! Plays the spawner for the tests of this crate, and an agent that tests kill.

use std::{num::NonZeroU64, path::PathBuf};

use codex_process::{ProcessConfig, Processes};
use codex_proto::{
    EffectId,
    effect::Spawn,
    policy::{EnvPolicy, SandboxPolicy},
};

fn main() {
    codex_process::run_spawner_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, access, scripts @ ..] = &args[..] else { return };
    agent(dir.into(), access == "full", scripts);
}

/// Starts a command per script and waits to be killed.
fn agent(dir: PathBuf, full: bool, scripts: &[String]) {
    let Ok(program) = std::env::current_exe() else { return };
    let processes = Processes::new(ProcessConfig {
        program,
        own_credentials: Vec::new(),
        parent_env: std::env::vars_os().collect(),
        set_values: Vec::new(),
        home: dir.join("home"),
        codex_home: dir.join("home/.codex"),
        scratch: dir.join("scratch"),
        tmpdir: None,
    });
    let mut all = Vec::new();
    for (script, id) in scripts.iter().zip(1..) {
        let Some(id) = NonZeroU64::new(id).map(EffectId) else { return };
        let spawn = Spawn {
            argv: vec!["/bin/bash".into(), "-c".into(), script.clone()],
            cwd: dir.join("work"),
            env: EnvPolicy::default(),
            env_overlay: Vec::new(),
            sandbox: if full { SandboxPolicy::full_access() } else { SandboxPolicy::read_only() },
            snapshot: None,
            stdin: true,
            tty: None,
            spool: dir.join("scratch/spool"),
            spool_after_bytes: 1 << 10,
            head_bytes: 1 << 10,
            tail_bytes: 1 << 10,
            spool_bytes_max: 1 << 20,
        };
        let (sender, receiver) = async_channel::bounded(1);
        let work = processes.spawn(id, spawn, sender);
        std::thread::spawn(move || while receiver.recv_blocking().is_ok() {});
        all.push(std::thread::spawn(move || async_io::block_on(work)));
    }
    for thread in all {
        let _ = thread.join();
    }
    loop {
        std::thread::park();
    }
}
