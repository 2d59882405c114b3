//! The small sub-commands, end to end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod world;

use std::{fs, os::unix::fs::PermissionsExt};

use codex_rehearsal::rehearsal;
use world::World;

#[test]
fn the_version_names_the_program() {
    let ran = World::without_server().run(&["--version"]);
    assert_eq!(ran.stdout, format!("codex-cli {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_key_is_stored_shown_masked_and_removed() {
    let world = World::without_server();
    let key = "sk-proj-0123456789abcdefghij";
    assert_eq!(world.run(&["login", "status"]).code(), Some(1));
    let ran = world.run_with(&["login", "--with-api-key"], format!("{key}\n").as_bytes());
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr);
    let file = world.home().join("auth.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let status = world.run(&["login", "status"]);
    assert_eq!((status.code(), status.stdout.as_str()), (Some(0), ""));
    assert!(
        status.stderr.contains("Logged in using an API key - sk-proj-***"),
        "{}",
        status.stderr
    );
    assert!(!status.stderr.contains(key));
    assert_eq!(world.run(&["logout"]).stderr, "Successfully logged out\n");
    assert_eq!(world.run(&["logout"]).stderr, "Not logged in\n");
    assert!(!file.exists());
    let blank = world.run_with(&["login", "--with-api-key"], b" \n");
    assert_eq!(blank.code(), Some(1));
    assert!(blank.stderr.contains("No API key provided via stdin."), "{}", blank.stderr);
}

#[test]
fn the_sandbox_passes_exit_codes_and_refuses_writes() {
    let world = World::without_server();
    let run = |mode: &[&str], script: &str| {
        let args = [&["sandbox", "linux"], mode, &["--", "sh", "-c", script]].concat();
        world.run(&args)
    };
    assert_eq!(run(&[], "exit 7").code(), Some(7));
    assert_ne!(run(&[], "echo x > made").code(), Some(0));
    assert!(!world.project().join("made").exists());
    let mode = ["-c", "sandbox_mode=workspace-write"];
    assert_eq!(run(&mode, "echo x > made").code(), Some(0));
    assert_eq!(fs::read_to_string(world.project().join("made")).unwrap(), "x\n");
    let alias = world.run(&["debug", "landlock", "true"]);
    assert_eq!(alias.code(), Some(0), "{}", alias.stderr);
}

#[test]
fn features_are_listed_in_three_columns() {
    let ran = World::without_server().run(&["features", "list", "--disable", "shell_tool"]);
    let line = ran.stdout.lines().find(|line| line.starts_with("shell_tool ")).unwrap();
    let columns: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(columns, ["shell_tool", "stable", "false"]);
}

#[test]
fn the_rehearsal_repairs_the_project() {
    let world = World::without_server();
    let dir = world.project().join("rehearsal");
    let ran = world.run(&["rehearse", "--dir", dir.to_str().unwrap()]);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("FIXED:"), "{}", ran.stdout);
    for want in ["scripted", "transcript: ", "OPENAI_API_KEY"] {
        assert!(ran.stderr.contains(want), "{want}: {}", ran.stderr);
    }
    let test = std::process::Command::new("sh").arg(dir.join("test.sh")).output().unwrap();
    assert!(test.status.success());
    let again = world.run(&["rehearse", "--dir", dir.to_str().unwrap()]);
    assert_eq!(again.code(), Some(1), "a folder with files is left alone");
}

#[test]
fn the_rehearsal_answers_what_the_tools_really_print() {
    let world = World::new(rehearsal::SCRIPT);
    let dir = world.project().join("broken");
    rehearsal::write_project(&dir).unwrap();
    // Another bug: the script's patch goes in, and does not help.
    let total = fs::read_to_string(dir.join("total.sh")).unwrap();
    fs::write(dir.join("total.sh"), total.replace("sum + cents", "sum + cents + 1")).unwrap();
    let args = ["exec", "-s", "workspace-write", "--skip-git-repo-check", "-C", "broken"];
    let ran = world.run(&[&args[..], &[rehearsal::PROMPT]].concat());
    assert!(!rehearsal::Outcome::of(&ran.stdout).is_success(), "{}", ran.stdout);
    let test = std::process::Command::new("sh").arg(dir.join("test.sh")).output().unwrap();
    assert!(!test.status.success());
}
