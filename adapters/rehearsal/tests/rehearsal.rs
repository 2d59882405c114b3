//! The embedded rehearsal, played by a minimal agent whose commands and patches are real.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path, process::Command};

use codex_rehearsal::{
    ScriptedModel,
    rehearsal::{Outcome, PROMPT, embedded_script, write_project},
};
use serde_json::{Value, json};

/// What the machine around the model does.
#[derive(Clone, Copy, PartialEq)]
enum World {
    Honest,
    /// Says that it patched, and does not.
    IgnoresPatches,
    /// Refuses patches.
    RefusesPatches,
    /// Cannot start the sandbox.
    NoSandbox,
    /// Each command is still running when it is looked at first.
    Slow,
}

fn exec(dir: &Path, cmd: &str) -> (i32, String) {
    let script = format!("exec 2>&1\n{cmd}");
    let output = Command::new("sh").arg("-c").arg(script).current_dir(dir).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// Applies a patch of one update with one hunk.
fn patch(dir: &Path, patch: &str) {
    let (mut path, mut old, mut new) = (dir.to_owned(), String::new(), String::new());
    for line in patch.lines() {
        if let Some(name) = line.strip_prefix("*** Update File: ") {
            path = dir.join(name);
        } else if line.starts_with("***") || line.starts_with("@@") {
        } else if let Some(text) = line.strip_prefix('-') {
            old += &format!("{text}\n");
        } else if let Some(text) = line.strip_prefix('+') {
            new += &format!("{text}\n");
        } else {
            old += &format!("{}\n", &line[1..]);
            new += &format!("{}\n", &line[1..]);
        }
    }
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches(&old).count(), 1, "{old}");
    fs::write(&path, text.replace(&old, &new)).unwrap();
}

fn done_items(body: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(body)
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str::<Value>(data).unwrap())
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|mut event| event["item"].take())
        .collect()
}

/// Runs the rehearsal and gives its last message.
fn run(dir: &Path, world: World) -> String {
    let mut model = ScriptedModel::new(embedded_script());
    let mut input = vec![json!({"type": "message", "role": "user", "content": PROMPT})];
    let mut waiting = String::new();
    for _ in 0..40 {
        let body = json!({"input": input}).to_string();
        let response = model.respond(body.as_bytes(), &[]);
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body()));
        let items = done_items(&response.body());
        let mut outputs = Vec::new();
        for item in &items {
            let call_id = &item["call_id"];
            let exited = |(code, text): (i32, String)| {
                format!(
                    "Wall time: 0.0100 seconds\nProcess exited with code {code}\nOutput:\n{text}"
                )
            };
            let (kind, output) = match item["name"].as_str() {
                Some("exec_command") => {
                    let args: Value =
                        serde_json::from_str(item["arguments"].as_str().unwrap()).unwrap();
                    let run = || exited(exec(dir, args["cmd"].as_str().unwrap()));
                    let output = match world {
                        World::NoSandbox => {
                            "the sandbox cannot start: user namespaces are off".to_owned()
                        }
                        World::Slow => {
                            waiting = run();
                            "Wall time: 10 seconds\nProcess running with session ID 1234\nOutput:\n"
                                .to_owned()
                        }
                        _ => run(),
                    };
                    ("function_call_output", output)
                }
                Some("write_stdin") => {
                    let args: Value =
                        serde_json::from_str(item["arguments"].as_str().unwrap()).unwrap();
                    assert_eq!(args["session_id"], 1234);
                    ("function_call_output", waiting.clone())
                }
                Some("update_plan") => ("function_call_output", "Plan updated".to_owned()),
                Some("apply_patch") => {
                    let text = match world {
                        World::RefusesPatches => "patch rejected: read-only".to_owned(),
                        _ => {
                            if world != World::IgnoresPatches {
                                patch(dir, item["input"].as_str().unwrap());
                            }
                            "Exit code: 0\nWall time: 0 seconds\nOutput:\nSuccess. Updated the \
                             following files:\nM total.sh\n"
                                .to_owned()
                        }
                    };
                    ("custom_tool_call_output", text)
                }
                Some(other) => panic!("unknown tool {other}"),
                None => continue,
            };
            outputs.push(json!({"type": kind, "call_id": call_id, "output": output}));
        }
        if outputs.is_empty() {
            let last = items.last().unwrap();
            assert_eq!(last["phase"], "final_answer");
            return last["content"][0]["text"].as_str().unwrap().to_owned();
        }
        input.extend(items);
        input.extend(outputs);
    }
    panic!("the rehearsal does not end");
}

fn check(world: World, spoil: impl FnOnce(&Path), outcome: Outcome, part: &str) {
    let dir = tempfile::tempdir().unwrap();
    write_project(dir.path()).unwrap();
    spoil(dir.path());
    let message = run(dir.path(), world);
    assert_eq!(Outcome::of(&message), outcome, "{message}");
    assert!(message.contains(part), "{message}");
    if outcome == Outcome::Fixed {
        assert_eq!(exec(dir.path(), "sh test.sh").0, 0);
    }
}

fn replace(dir: &Path, name: &str, from: &str, to: &str) {
    let text = fs::read_to_string(dir.join(name)).unwrap();
    assert!(text.contains(from));
    fs::write(dir.join(name), text.replace(from, to)).unwrap();
}

#[test]
fn the_project_is_broken_and_the_rehearsal_repairs_it() {
    let dir = tempfile::tempdir().unwrap();
    write_project(dir.path()).unwrap();
    assert_eq!(exec(dir.path(), "sh test.sh").0, 1);
    check(World::Honest, |_| {}, Outcome::Fixed, "prints 43.40");
}

#[test]
fn a_slow_machine_is_waited_for() {
    check(World::Slow, |_| {}, Outcome::Fixed, "43.40");
}

#[test]
fn a_patch_that_changes_nothing_is_not_reported_as_a_repair() {
    check(World::IgnoresPatches, |_| {}, Outcome::NotFixed, "expected 43.40, got 28.40");
}

#[test]
fn a_patch_that_does_not_help_is_not_reported_as_a_repair() {
    // A second bug hides behind the first: the loop also ends after the second book.
    let spoil = |dir: &Path| {
        let add = "sum=$((sum + cents))";
        replace(dir, "total.sh", add, &format!("{add}\n    [ \"$cents\" != 1550 ] || break"));
    };
    check(World::Honest, spoil, Outcome::NotFixed, "expected 43.40, got 28.40");
}

#[test]
fn a_sandbox_that_cannot_start_is_named() {
    check(World::NoSandbox, |_| {}, Outcome::Refused, "user namespaces are off");
}

#[test]
fn a_refused_patch_is_named() {
    check(World::RefusesPatches, |_| {}, Outcome::Refused, "patch rejected: read-only");
}

#[test]
fn another_bug_is_not_taken_for_the_known_one() {
    let spoil = |dir: &Path| replace(dir, "total.sh", "sum + cents", "sum - cents");
    check(World::Honest, spoil, Outcome::Unexpected, "3 checks failed");
}

#[test]
fn a_project_that_works_is_not_repaired() {
    let spoil = |dir: &Path| {
        let path = dir.join("receipts/books.txt");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text + "\n").unwrap();
    };
    check(World::Honest, spoil, Outcome::Unexpected, "passes already");
}

#[test]
fn a_missing_test_ends_the_run() {
    let spoil = |dir: &Path| fs::remove_file(dir.join("test.sh")).unwrap();
    check(World::Honest, spoil, Outcome::Unexpected, "cannot be read");
}

#[test]
fn a_folder_with_anything_in_it_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine"), "x").unwrap();
    let error = write_project(dir.path()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("not empty"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
