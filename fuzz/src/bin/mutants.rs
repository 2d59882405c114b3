//! Proves that the tests bite: applies each change of [`codex_sim::mutation::ALL`] to a copy of the
//! tree, one at a time, and runs the tests of the engine and of the simulator on it.
//!
//! `cargo run -p codex-sim --bin mutants [-- NAME…]`; exits 1 when a change survives or does not
//! compile. The copy and its build live below `target/mutants`.

#![expect(clippy::disallowed_methods, reason = "a tool that runs cargo, not the engine")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is its purpose")]

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use codex_sim::mutation::{ALL, Mutation};

/// A change that makes a test run longer than this has killed it by a hang.
const TEST_SECONDS_MAX: u64 = 300;

/// What a run of the tests said.
enum Verdict {
    Broken(String),
    Killed(BTreeSet<String>),
    Survived,
}

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = names.iter().find(|name| ALL.iter().all(|m| m.name != **name)) {
        eprintln!("usage: mutants [NAME…]; no mutation is called `{unknown}`; there are:");
        ALL.iter().for_each(|mutation| eprintln!("  {}", mutation.name));
        return ExitCode::from(2);
    }
    let chosen: Vec<&Mutation> =
        ALL.iter().filter(|m| names.is_empty() || names.iter().any(|n| n == m.name)).collect();
    match run(&chosen) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(bad) => {
            eprintln!("{bad} of {} were not killed as they should be", chosen.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("mutants: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(chosen: &[&Mutation]) -> io::Result<usize> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let base = root.join("target/mutants");
    let tree = base.join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    copy(&root, &tree)?;
    match test(&tree, &base)? {
        Verdict::Survived => {}
        Verdict::Broken(why) => return Err(io::Error::other(format!("unchanged: {why}"))),
        Verdict::Killed(by) => {
            return Err(io::Error::other(format!("the unchanged tree fails {by:?}")));
        }
    }
    let mut bad = 0;
    for mutation in chosen {
        let began = Instant::now();
        let path = tree.join(mutation.file);
        let original = fs::read_to_string(&path)?;
        let verdict = match mutation.apply(&original) {
            Ok(changed) => {
                fs::write(&path, changed)?;
                let verdict = test(&tree, &base);
                fs::write(&path, original)?;
                verdict?
            }
            Err(why) => Verdict::Broken(why),
        };
        let seconds = began.elapsed().as_secs();
        let said = match verdict {
            Verdict::Killed(by) => {
                let expected = by.iter().any(|killer| killer.contains(mutation.killed_by));
                let by: Vec<String> = by.into_iter().collect();
                if expected {
                    format!("killed by {}", by.join(", "))
                } else {
                    bad += 1;
                    format!("KILLED, but not by {}: {}", mutation.killed_by, by.join(", "))
                }
            }
            Verdict::Survived => {
                bad += 1;
                "SURVIVED".into()
            }
            Verdict::Broken(why) => {
                bad += 1;
                format!("BROKEN: {why}")
            }
        };
        println!("{} ({seconds} s): {said}", mutation.name);
    }
    Ok(bad)
}

/// Copies what a build needs: everything but builds and version control.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == ".git" || entry.path().join("CACHEDIR.TAG").exists() {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn cargo(tree: &Path, base: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    command
        .args(["test", "--locked", "-p", "codex-engine", "-p", "codex-sim"])
        // Tests about the tree's own texts would see every change and prove nothing.
        .args(["--lib", "--tests", "--no-fail-fast"])
        .args(more)
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", base.join("build"));
    command
}

fn test(tree: &Path, base: &Path) -> io::Result<Verdict> {
    let built = cargo(tree, base, &["--no-run"]).output()?;
    if !built.status.success() {
        let text = String::from_utf8_lossy(&built.stderr);
        let first = text.lines().find(|line| line.starts_with("error")).unwrap_or("no build");
        return Ok(Verdict::Broken(first.to_owned()));
    }
    let log = base.join("log");
    let output = fs::File::create(&log)?;
    let mut child = cargo(tree, base, &["--", "--skip", "mutation", "--skip", "pages_show"])
        .stdout(Stdio::from(output.try_clone()?))
        .stderr(Stdio::from(output))
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()?;
    let until = Instant::now() + Duration::from_secs(TEST_SECONDS_MAX);
    loop {
        if let Some(status) = child.try_wait()? {
            if status.success() {
                return Ok(Verdict::Survived);
            }
            return Ok(Verdict::Killed(killers(&log)?));
        }
        if Instant::now() > until {
            // The group: cargo and the test that hangs.
            Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status()?;
            child.wait()?;
            return Ok(Verdict::Killed(BTreeSet::from(["a hang".to_owned()])));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Tests that failed, and checkers that a failing run names (`step 12: history: …`).
fn killers(log: &PathBuf) -> io::Result<BTreeSet<String>> {
    let text = String::from_utf8_lossy(&fs::read(log)?).into_owned();
    let test =
        |line: &str| Some(line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?.to_owned());
    let checker = |line: &str| {
        let (_, claim) = line.strip_prefix("step ")?.split_once(": ")?;
        Some(format!("checker {}", claim.split_once(": ")?.0))
    };
    Ok(text.lines().filter_map(|line| test(line).or_else(|| checker(line))).collect())
}
