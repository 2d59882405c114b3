//! What a command costs: `cargo run --release -p codex-process --example cost [COUNT]`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the terminal")]

use std::{
    num::NonZeroU64,
    path::Path,
    time::{Duration, Instant},
};

use codex_process::{ProcessConfig, Processes};
use codex_proto::{
    EffectId, Reply,
    effect::{ShellSnapshot, Spawn},
    policy::{EnvPolicy, SandboxPolicy},
    settings::{Shell, ShellKind},
};

fn main() {
    codex_process::run_spawner_if_asked();
    let count = std::env::args().nth(1).map_or(200, |count| count.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    for name in ["work", "home", "home/.codex"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
    }
    std::fs::write(home.join(".bash_profile"), "sleep 0.1; f() { :; }; alias ll='ls -l'\n")
        .unwrap();
    let mut parent_env: Vec<_> = std::env::vars_os().filter(|(name, _)| name != "HOME").collect();
    parent_env.push(("HOME".into(), home.clone().into()));
    let processes = Processes::new(ProcessConfig {
        program: std::env::current_exe().unwrap(),
        own_credentials: Vec::new(),
        parent_env,
        set_values: Vec::new(),
        codex_home: home.join(".codex"),
        home,
        scratch: dir.path().join("scratch"),
        tmpdir: None,
    });

    let start = Instant::now();
    processes.prewarm().unwrap();
    println!("start the spawner, as the caller waits  {:>9}", show(start.elapsed()));
    let full = SandboxPolicy::full_access();
    let boxed = SandboxPolicy::workspace_write(dir.path().join("work"));
    let path = dir.path().join("scratch/snapshot.sh");
    let bash = ["/bin/bash", "-lc", "true"];
    let run = |argv: &[&str], sandbox: &SandboxPolicy, snapshot: bool| {
        one(&processes, dir.path(), argv, sandbox, snapshot.then(|| path.clone()))
    };
    println!("first command                           {:>9}", show(run(&["true"], &full, false)));

    let start = Instant::now();
    snapshot(&processes, dir.path(), &path);
    println!("snapshot of a 100 ms profile            {:>9}", show(start.elapsed()));
    println!("first sandboxed command                 {:>9}", show(run(&["true"], &boxed, false)));
    println!("{count} times each, least, median and 95th percentile:");
    for (name, argv, sandbox, snapshot) in [
        ("bare std::process true", &["true"][..], None, false),
        ("full access: true", &["true"], Some(&full), false),
        ("full access: bash -lc true, snapshot", &bash, Some(&full), true),
        ("sandboxed: true", &["true"], Some(&boxed), false),
        ("sandboxed: bash -lc true, snapshot", &bash, Some(&boxed), true),
    ] {
        let mut times: Vec<Duration> = (0..count)
            .map(|_| sandbox.map_or_else(bare, |sandbox| run(argv, sandbox, snapshot)))
            .collect();
        times.sort_unstable();
        let at = |part: usize| show(times[times.len() * part / 100]);
        println!("{name:<40}{:>9}{:>9}{:>9}", at(0), at(50), at(95));
    }
    let start = Instant::now();
    async_io::block_on(processes.shutdown());
    println!("shutdown                                {:>9}", show(start.elapsed()));
}

fn show(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn bare() -> Duration {
    let start = Instant::now();
    assert!(std::process::Command::new("true").status().unwrap().success());
    start.elapsed()
}

fn one(
    processes: &Processes,
    dir: &Path,
    argv: &[&str],
    sandbox: &SandboxPolicy,
    snapshot: Option<std::path::PathBuf>,
) -> Duration {
    let spawn = Spawn {
        argv: argv.iter().map(ToString::to_string).collect(),
        cwd: dir.join("work"),
        env: EnvPolicy::default(),
        env_overlay: vec![("TERM".into(), "dumb".into())],
        sandbox: sandbox.clone(),
        snapshot,
        stdin: false,
        tty: None,
        spool: dir.join("scratch/spool"),
        spool_after_bytes: 1 << 16,
        head_bytes: 1 << 16,
        tail_bytes: 1 << 16,
        spool_bytes_max: 1 << 20,
    };
    let (sender, replies) = async_channel::bounded(8);
    let start = Instant::now();
    async_io::block_on(processes.spawn(EffectId(NonZeroU64::MIN), spawn, sender));
    let time = start.elapsed();
    let mut end = None;
    while let Ok(reply) = replies.try_recv() {
        end = Some(reply);
    }
    match end {
        Some(Reply::Exited(exit)) => assert_eq!(exit.code, 0),
        other => panic!("{argv:?}: {other:?}"),
    }
    time
}

fn snapshot(processes: &Processes, dir: &Path, path: &Path) {
    let snapshot = ShellSnapshot {
        shell: Shell { path: "/bin/bash".into(), kind: ShellKind::Bash },
        cwd: dir.join("work"),
        env: EnvPolicy::default(),
        path: path.to_owned(),
        deadline_ms: 10_000,
    };
    let (sender, replies) = async_channel::bounded(1);
    async_io::block_on(processes.snapshot(EffectId(NonZeroU64::MIN), snapshot, sender));
    assert_eq!(replies.try_recv(), Ok(Reply::Closed));
}
