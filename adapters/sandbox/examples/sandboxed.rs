//! Runs a command in the sandbox, or measures how long that takes. For the tests of this crate.
//!
//! ```text
//! sandboxed [--home DIR] [--scratch DIR] [-c KEY=VALUE]… -- COMMAND…
//! sandboxed … --repeat N -- COMMAND…    median wall time in microseconds, beside a plain spawn
//! sandboxed … --together -- SCRIPT…     each SCRIPT in a shell, all at once, in one session
//! sandboxed … --in-turn -- SCRIPT…      each SCRIPT in a shell, one after the other
//! ```
//!
//! Keys: `sandbox_mode`, `sandbox_workspace_write.{network_access,writable_roots,
//! exclude_slash_tmp}`.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test program: bad arguments may end it"
)]

use std::{
    env,
    ffi::OsString,
    fs::File,
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

use codex_proto::policy::{EnvPolicy, SandboxMode, SandboxPolicy};
use codex_sandbox::{
    EXIT_SANDBOX_FAILED, Sandbox, SandboxError, SandboxHost, SandboxedCommand, run_foreground,
};

type Env = Vec<(OsString, OsString)>;

fn main() -> ExitCode {
    let cwd = env::current_dir().unwrap();
    let mut policy = SandboxPolicy::read_only();
    let mut home = PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/".into()));
    let mut scratch = None;
    let mut repeat: Option<u32> = None;
    let (mut together, mut in_turn) = (false, false);
    let mut args = env::args_os().skip(1);
    while let Some(arg) = args.next() {
        let mut next = || args.next().unwrap();
        match arg.to_str().unwrap_or_default() {
            "--" => break,
            "sandbox" | "linux" => {}
            "--home" => home = next().into(),
            "--scratch" => scratch = Some(PathBuf::from(next())),
            "--repeat" => repeat = Some(next().to_str().unwrap().parse().unwrap()),
            "--together" => together = true,
            "--in-turn" => in_turn = true,
            "-c" => set(&mut policy, &cwd, next().to_str().unwrap()),
            other => panic!("unknown option {other}"),
        }
    }
    let argv: Vec<OsString> = args.collect();
    let codex_home = env::var_os("CODEX_HOME").map_or_else(|| home.join(".codex"), PathBuf::from);
    let own_scratch = scratch.is_none();
    let scratch =
        scratch.unwrap_or_else(|| codex_home.join(format!("tmp/scratch-{}", std::process::id())));
    let tmpdir = env::var_os("TMPDIR").map(PathBuf::from);
    let host = SandboxHost { home, codex_home, scratch: scratch.clone(), tmpdir };
    let filter = EnvPolicy::default();
    let env: Env =
        env::vars_os().filter(|(name, _)| filter.keeps(&name.to_string_lossy(), &[])).collect();
    let result = Sandbox::prepare(&policy, &host).and_then(|sandbox| {
        for notice in sandbox.notices() {
            eprintln!("sandbox: {notice}");
        }
        if let Some(count) = repeat {
            measure(&sandbox, &argv, &cwd, &env, count)
        } else if together {
            run_together(&sandbox, &argv, &cwd, &env)
        } else if in_turn {
            let mut worst = 0;
            for script in argv {
                let argv = vec!["bash".into(), "-c".into(), script];
                worst = worst.max(run_foreground(&sandbox, argv, &cwd, env.clone())?);
            }
            Ok(worst)
        } else {
            run_foreground(&sandbox, argv, &cwd, env)
        }
    });
    if own_scratch {
        let _ = std::fs::remove_dir_all(scratch);
    }
    let code = result.unwrap_or_else(|error| {
        eprintln!("sandbox: {error}");
        if let Some(hint) = error.hint() {
            eprintln!("hint: {hint}");
        }
        EXIT_SANDBOX_FAILED
    });
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn set(policy: &mut SandboxPolicy, cwd: &Path, setting: &str) {
    let (key, value) = setting.split_once('=').unwrap();
    match key {
        "sandbox_mode" if value.contains("workspace-write") => {
            policy.mode = SandboxMode::WorkspaceWrite;
            policy.writable_roots.insert(0, cwd.to_path_buf());
            policy.writable_tmp = true;
            policy.writable_tmpdir = true;
        }
        "sandbox_mode" => {}
        "sandbox_workspace_write.network_access" => policy.network = value == "true",
        "sandbox_workspace_write.exclude_slash_tmp" => policy.writable_tmp = value != "true",
        "sandbox_workspace_write.writable_roots" => {
            let list = value.trim_matches(['[', ']']);
            policy
                .writable_roots
                .extend(list.split(',').map(|p| p.trim().trim_matches('"').into()));
        }
        other => panic!("unknown key {other}"),
    }
}

fn run_together(
    sandbox: &Sandbox,
    scripts: &[OsString],
    cwd: &Path,
    env: &Env,
) -> Result<i32, SandboxError> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let mut children = Vec::new();
    for script in scripts {
        let argv = ["bash".into(), "-c".into(), script.clone()];
        children.push(sandbox.spawn(&SandboxedCommand {
            argv: &argv,
            env,
            cwd,
            stdin: stdin.as_fd(),
            stdout: stdout.as_fd(),
            stderr: stderr.as_fd(),
        })?);
    }
    Ok(children.iter().map(|child| child.wait().unwrap()).max().unwrap_or(0))
}

fn measure(
    sandbox: &Sandbox,
    argv: &[OsString],
    cwd: &Path,
    env: &Env,
    count: u32,
) -> Result<i32, SandboxError> {
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let (mut inside, mut started, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..count {
        let start = Instant::now();
        let child = sandbox.spawn(&SandboxedCommand {
            argv,
            env,
            cwd,
            stdin: null.as_fd(),
            stdout: null.as_fd(),
            stderr: null.as_fd(),
        })?;
        started.push(start.elapsed().as_micros());
        child.wait().unwrap();
        drop(child);
        inside.push(start.elapsed().as_micros());
        let start = Instant::now();
        Command::new(&argv[0])
            .args(&argv[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        plain.push(start.elapsed().as_micros());
    }
    let median = |mut times: Vec<u128>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    println!(
        "median microseconds: sandboxed {} (of which until it runs {}), plain {}",
        median(inside),
        median(started),
        median(plain)
    );
    Ok(0)
}
