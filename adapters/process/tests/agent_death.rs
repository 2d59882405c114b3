//! Nothing survives the agent, whoever of our processes is killed.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    fs,
    process::Child,
    time::{Duration, Instant},
};

use common::{Agent, LONG, World, alive, came, fell, gone, mark};
use rustix::process::{Pid, Signal, kill_process};

/// A command with a child in its group, one in a session of its own that ignores what can be
/// ignored, and one whose parents are all dead.
fn script(mark: &str) -> String {
    format!(
        "sleep {mark} & (setsid sh -c 'trap \"\" TERM INT HUP; sleep {mark} & sleep {mark}' &); \
         (setsid sh -c 'setsid sleep {mark} &' &); sleep {mark}; exit"
    )
}

#[test]
fn killing_the_agent_kills_running_commands_and_what_ended_ones_left_behind() {
    let world = World::new();
    let mark = mark();
    let left_behind = format!("(setsid sleep {mark} &); true");
    let mut agent = Agent::start(&world, "full", &[script(&mark), left_behind, script(&mark)]);
    came(&mark, 11);
    agent.kill().unwrap();
    gone(&mark);
    agent.wait().unwrap();
    // The spawner's.
    gone(&world.path("scratch").display().to_string());
    assert!(!world.path("scratch").exists(), "the scratch directory stays");
}

#[test]
fn killing_the_agent_kills_sandboxed_commands() {
    let world = World::new();
    let mark = mark();
    let mut agent = Agent::start(&world, "boxed", &[script(&mark), script(&mark)]);
    came(&mark, 11);
    agent.kill().unwrap();
    gone(&mark);
    agent.wait().unwrap();
    gone(&world.path("scratch").display().to_string());
    assert!(!world.path("scratch").exists(), "the scratch directory stays");
}

#[test]
fn killing_the_spawner_kills_sandboxed_commands() {
    let world = World::new();
    let mark = mark();
    let mut agent = Agent::start(&world, "boxed", &[script(&mark)]);
    came(&mark, 6);
    kill_process(spawner_of(&agent), Signal::KILL).unwrap();
    fell(&mark, 1);
    assert_eq!(alive(&mark), 1, "only the agent has the mark among its arguments");
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
    let deadline = Instant::now() + LONG;
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
        assert!(Instant::now() < deadline, "the agent has no spawner");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn killing_the_spawner_kills_its_commands() {
    let world = World::new();
    let mark = mark();
    let mut agent = Agent::start(&world, "full", &[script(&mark)]);
    came(&mark, 5);
    kill_process(spawner_of(&agent), Signal::KILL).unwrap();
    fell(&mark, 1);
    assert_eq!(alive(&mark), 1, "only the agent has the mark among its arguments");
    agent.kill().unwrap();
    agent.wait().unwrap();
}

#[test]
fn killing_a_keeper_kills_its_command() {
    let world = World::new();
    let mark = mark();
    let mut agent = Agent::start(&world, "full", &[script(&mark)]);
    came(&mark, 6);
    let spawner = spawner_of(&agent);
    let keepers = children(spawner.as_raw_nonzero().get().unsigned_abs());
    let [(keeper, name)] = &keepers[..] else { panic!("{keepers:?}") };
    assert_eq!(name, "codex-keeper");
    kill_process(*keeper, Signal::KILL).unwrap();
    fell(&mark, 1);
    assert_eq!(alive(&mark), 1, "only the agent has the mark among its arguments");
    agent.kill().unwrap();
    agent.wait().unwrap();
}
