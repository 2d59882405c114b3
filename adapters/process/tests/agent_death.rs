//! Nothing survives the agent, whoever of our processes is killed.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use common::{World, alive, came, gone};
use rustix::process::{Pid, Signal, kill_process};

/// A command with a child in its group, one in a session of its own that ignores what can be
/// ignored, and one whose parents are all dead.
fn script(mark: &str) -> String {
    format!(
        "sleep {mark} & (setsid sh -c 'trap \"\" TERM INT HUP; sleep {mark} & sleep {mark}' &); \
         (setsid sh -c 'setsid sleep {mark} &' &); sleep {mark}; exit"
    )
}

/// An agent that a failing test takes along, and that holds none of the test's pipes.
struct Agent(Child);

impl std::ops::Deref for Agent {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl std::ops::DerefMut for Agent {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn agent(world: &World, access: &str, scripts: &[String]) -> Agent {
    fs::create_dir_all(world.path("scratch/x")).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_codex-process-probe"))
        .arg(world.dir.path())
        .arg(access)
        .args(scripts)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Agent(child.unwrap())
}

#[test]
fn killing_the_agent_kills_running_commands_and_what_ended_ones_left_behind() {
    let world = World::new();
    let left_behind = "(setsid sleep 1081 &); true".to_owned();
    let mut agent = agent(&world, "full", &[script("1081"), left_behind, script("1081")]);
    came("1081", 11);
    agent.kill().unwrap();
    assert!(gone("1081", Duration::from_secs(2)), "{} left", alive("1081"));
    agent.wait().unwrap();
    let spawner = world.path("scratch").display().to_string();
    assert!(gone(&spawner, Duration::from_secs(2)), "the spawner stays");
    assert!(!world.path("scratch").exists(), "the scratch directory stays");
}

#[test]
fn killing_the_agent_kills_sandboxed_commands() {
    let world = World::new();
    let mut agent = agent(&world, "boxed", &[script("1084"), script("1084")]);
    came("1084", 11);
    agent.kill().unwrap();
    assert!(gone("1084", Duration::from_secs(2)), "{} left", alive("1084"));
    agent.wait().unwrap();
    assert!(gone(&world.path("scratch").display().to_string(), Duration::from_secs(2)));
    assert!(!world.path("scratch").exists(), "the scratch directory stays");
}

#[test]
fn killing_the_spawner_kills_sandboxed_commands() {
    let world = World::new();
    let mut agent = agent(&world, "boxed", &[script("1085")]);
    came("1085", 6);
    kill_process(spawner_of(&agent), Signal::KILL).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(2);
    while alive("1085") > 1 && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(alive("1085"), 1, "only the agent has the mark among its arguments");
    agent.kill().unwrap();
    agent.wait().unwrap();
}

/// The children of a process, by name.
fn children(pid: u32) -> Vec<(Pid, String)> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_ascii_whitespace()
        .filter_map(|pid| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            Some((Pid::from_raw(pid.parse().ok()?)?, name.trim().to_owned()))
        })
        .collect()
}

fn spawner_of(agent: &Child) -> Pid {
    let deadline = std::time::Instant::now() + Duration::from_secs(2);
    loop {
        // Children belong to the thread that made them, and pass to another one when it ends.
        let tasks = fs::read_dir(format!("/proc/{}/task", agent.id())).unwrap();
        let found = tasks.flatten().find_map(|task| {
            let list = fs::read_to_string(task.path().join("children")).ok()?;
            Pid::from_raw(list.split_ascii_whitespace().next()?.parse().ok()?)
        });
        if let Some(spawner) = found {
            return spawner;
        }
        assert!(std::time::Instant::now() < deadline, "the agent has no spawner");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn killing_the_spawner_kills_its_commands() {
    let world = World::new();
    let mut agent = agent(&world, "full", &[script("1082")]);
    came("1082", 5);
    kill_process(spawner_of(&agent), Signal::KILL).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(2);
    while alive("1082") > 1 && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(alive("1082"), 1, "only the agent has the mark among its arguments");
    agent.kill().unwrap();
    agent.wait().unwrap();
}

#[test]
fn killing_a_keeper_kills_its_command() {
    let world = World::new();
    let mut agent = agent(&world, "full", &[script("1083")]);
    came("1083", 6);
    let spawner = spawner_of(&agent);
    let keepers = children(spawner.as_raw_nonzero().get().unsigned_abs());
    let [(keeper, name)] = &keepers[..] else { panic!("{keepers:?}") };
    assert_eq!(name, "codex-keeper");
    kill_process(*keeper, Signal::KILL).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(2);
    while alive("1083") > 1 && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(alive("1083"), 1, "only the agent has the mark among its arguments");
    agent.kill().unwrap();
    agent.wait().unwrap();
}
