//! `codex exec` end to end, against a scripted model on loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod world;

use std::{fs, os::fd::OwnedFd, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use world::{World, finish, processes_with, until, wait_within};

const HELLO: &str = r#"[{"items": [{"reasoning": "A greeting."}, "Hello there."], "repeat": 9}]"#;

#[test]
fn the_final_message_alone_goes_to_standard_output() {
    let world = World::new(HELLO);
    let ran = world.run(&["exec", "-o", "last.txt", "hi"]);
    assert_eq!((ran.code(), ran.stdout.as_str()), (Some(0), "Hello there.\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("\nuser\nhi\n"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(world.project().join("last.txt")).unwrap(), "Hello there.");
    assert_eq!(world.rollouts().len(), 1);
    assert_eq!(world.run(&["exec", "--ephemeral", "hi"]).code(), Some(0));
    assert_eq!(world.rollouts().len(), 1);
}

#[test]
fn json_lines_are_what_consumers_know() {
    let world = World::new(HELLO);
    let ran = world.run(&["exec", "--json", "hi"]);
    let mut events = ran.events();
    assert!(events[0]["thread_id"].is_string());
    events[0]["thread_id"] = json!("ID");
    let usage = json!({"input_tokens": 100, "cached_input_tokens": 0, "output_tokens": 10,
        "reasoning_output_tokens": 0});
    let want = [
        json!({"type": "thread.started", "thread_id": "ID", "schema_version": 1}),
        json!({"type": "turn.started"}),
        json!({"type": "item.completed",
            "item": {"id": "item_0", "type": "reasoning", "text": "A greeting."}}),
        json!({"type": "item.completed",
            "item": {"id": "item_1", "type": "agent_message", "text": "Hello there."}}),
        json!({"type": "turn.completed", "usage": usage}),
    ];
    assert_eq!(events, want);
}

#[test]
fn commands_run_in_the_sandbox_and_patches_reach_the_files() {
    let script = r#"[
        {"items": [{"call": "exec_command", "args": {"cmd": "echo one > made.txt; echo $((6 * 7)); touch .git/x"}}]},
        {"items": [{"custom": "apply_patch",
            "input": ["*** Begin Patch", "*** Update File: made.txt", "@@", "-one", "+two", "*** End Patch"]}]},
        {"items": ["done"]}]"#;
    let world = World::new(script);
    let ran = world.run(&["exec", "--json", "-s", "workspace-write", "go"]);
    assert_eq!(ran.code(), Some(0), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(fs::read_to_string(world.project().join("made.txt")).unwrap(), "two\n");
    assert!(!world.project().join(".git/x").exists(), "the sandbox protects .git");
    let kinds = ran.kinds();
    for kind in ["command_execution", "file_change"] {
        for phase in ["item.started", "item.completed"] {
            assert!(kinds.contains(&format!("{phase} {kind}")), "{kinds:?}");
        }
    }
    assert!(ran.stdout.contains("42\\n"), "{}", ran.stdout);
}

#[test]
fn a_prompt_never_waits_for_a_pipe_that_nobody_ends() {
    let world = World::new(HELLO);
    let (reader, writer) = std::io::pipe().unwrap();
    let child = world.command(&["exec", "hi"]).stdin(OwnedFd::from(reader)).spawn().unwrap();
    let ran = finish(child);
    drop(writer);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("nothing came on stdin for 0.2 s"), "{}", ran.stderr);
}

#[test]
fn standard_input_joins_or_becomes_the_prompt() {
    let world = World::new(HELLO);
    let sent = |index: usize| world.requests.lock().unwrap()[index]["input"].to_string();
    assert_eq!(world.run_with(&["exec", "read"], b"data").code(), Some(0));
    assert!(sent(0).contains(r"read\n\n<stdin>\ndata\n</stdin>"), "{}", sent(0));
    assert_eq!(world.run_with(&["exec", "-"], b"piped").code(), Some(0));
    assert!(sent(1).contains(r#""piped""#), "{}", sent(1));
    // A closed descriptor is an empty input, not a hang and not an error.
    let closed = world.command(&["-c", "exec \"$0\" exec hi 0<&-", world::BINARY]);
    let mut shell = std::process::Command::new("sh");
    shell.args(closed.get_args()).current_dir(world.project()).env_clear();
    shell.envs(closed.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(finish(child).code(), Some(0));
    for (args, stdin, want) in [
        (&["exec", ""][..], &b""[..], "The prompt is empty"),
        (&["exec"], b" \n", "No prompt provided via stdin."),
        (&["exec"], b"ab\xff", "invalid byte at offset 2"),
    ] {
        let ran = world.run_with(args, stdin);
        assert_eq!((ran.code(), ran.stdout.as_str()), (Some(1), ""), "{args:?}");
        assert!(ran.stderr.contains(want), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(world.requests.lock().unwrap().len(), 3);
}

#[test]
fn a_refused_connection_fails_the_turn_with_a_code() {
    let world = World::without_server();
    let ran = world.run(&["exec", "--json", "hi"]);
    assert_eq!(ran.code(), Some(1), "{}", ran.stdout);
    let want = ["thread.started", "turn.started", "error", "error", "turn.failed"];
    assert_eq!(ran.kinds(), want);
    let events = ran.events();
    assert!(events[2]["message"].as_str().unwrap().starts_with("Reconnecting... 1/1 ("));
    assert_eq!(events[4]["error"]["code"], "connection_failed");
}

#[test]
fn one_interrupt_ends_the_turn_and_what_it_started() {
    let marker = format!("31536.{}", std::process::id());
    let world = World::new(&format!(
        r#"[{{"items": [{{"call": "exec_command", "args": {{"cmd": "sleep {marker}"}}}}]}}]"#
    ));
    let child = world.command(&["exec", "--json", "-s", "workspace-write", "go"]).spawn().unwrap();
    until("the command runs", || processes_with(&marker) > 0);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ran = finish(child);
    assert_eq!(ran.code(), Some(1), "{}", ran.stderr);
    let last = ran.events().pop().unwrap();
    assert_eq!(
        (&last["type"], &last["error"]["code"]),
        (&json!("turn.failed"), &json!("interrupted"))
    );
    assert_eq!(processes_with(&marker), 0);
    let rollout = fs::read_to_string(&world.rollouts()[0]).unwrap();
    assert!(rollout.contains("turn_aborted"), "{rollout}");
}

#[test]
fn signals_decide_the_exit_code() {
    let world = World::new(r#"[{"silent": true, "end": "hang", "repeat": 9}]"#);
    for (signals, want) in [(&[Signal::TERM][..], 143), (&[Signal::HUP], 129)] {
        let before = world.requests.lock().unwrap().len();
        let child = world.command(&["exec", "--json", "go"]).spawn().unwrap();
        until("the model is asked", || world.requests.lock().unwrap().len() > before);
        signals.iter().for_each(|signal| kill_process(Pid::from_child(&child), *signal).unwrap());
        let ran = finish(child);
        assert_eq!(ran.code(), Some(want), "{}", ran.stderr);
        assert_eq!(ran.events().pop().unwrap()["type"], "turn.failed");
    }
}

#[test]
fn a_second_interrupt_leaves_at_once_whatever_the_loop_does() {
    // Nobody reads on when the long line has begun, so the front end is stuck in a write.
    let world = World::new(r#"[{"items": [{"message": "a line of text\n", "times": 100000}]}]"#);
    let mut child = world.command(&["exec", "--json", "go"]).spawn().unwrap();
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0; 1_000]).unwrap();
    let mut status = None;
    until("the process leaves", || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        // The process is not reaped before `try_wait` says so, hence the id is still its own.
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(130));
}

#[test]
fn killing_the_agent_leaves_no_process() {
    for sandbox in ["workspace-write", "danger-full-access"] {
        let marker = format!("4242{}.{}", sandbox.len(), std::process::id());
        let world = World::new(&format!(
            r#"[{{"items": [{{"call": "exec_command",
                "args": {{"cmd": "(setsid sleep {marker} &) ; sleep {marker}"}}}}]}}]"#
        ));
        let mut child = world.command(&["exec", "--json", "-s", sandbox, "go"]).spawn().unwrap();
        until("both commands run", || processes_with(&marker) == 2);
        child.kill().unwrap();
        wait_within(&mut child, std::time::Duration::from_secs(120));
        until("everything is dead", || processes_with(&marker) == 0);
        // What it left is a session that can be resumed.
        let next = World::new(HELLO);
        let copied = next.home().join("sessions/2026/01/01");
        fs::create_dir_all(&copied).unwrap();
        let rollout = &world.rollouts()[0];
        fs::copy(rollout, copied.join(rollout.file_name().unwrap())).unwrap();
        let ran = next.run(&[
            "exec",
            "resume",
            "--last",
            "--all",
            "-C",
            "/",
            "--skip-git-repo-check",
            "on",
        ]);
        assert_eq!(ran.code(), Some(0), "{}", ran.stderr);
    }
}

#[test]
fn a_session_goes_on_where_it_was() {
    let world = World::new(HELLO);
    let first = world.run(&["exec", "--json", "the first prompt"]);
    let id = first.events()[0]["thread_id"].as_str().unwrap().to_owned();
    for args in [
        &["exec", "--json", "resume", "--last", "more"][..],
        &["exec", "resume", &id, "more", "--json"],
    ] {
        let ran = world.run(args);
        assert_eq!(ran.code(), Some(0), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.events()[0]["thread_id"], id.as_str());
    }
    let input = world.requests.lock().unwrap()[2]["input"].to_string();
    assert!(input.contains("the first prompt") && input.contains("Hello there."), "{input}");
    assert_eq!(world.rollouts().len(), 1);
    for args in [
        &["exec", "resume", "no-such-session", "x"][..],
        &["exec", "-C", "/", "--skip-git-repo-check", "resume", "--last", "x"],
    ] {
        let ran = world.run(args);
        assert_eq!((ran.code(), ran.stdout.as_str()), (Some(1), ""), "{args:?}");
        assert!(ran.stderr.contains("sessions"), "{}", ran.stderr);
    }
}

#[test]
fn the_schema_of_the_answer_is_sent() {
    let world = World::new(HELLO);
    let schema = world.project().join("schema.json");
    fs::write(&schema, r#"{"type":"object"}"#).unwrap();
    assert_eq!(world.run(&["exec", "--output-schema", "schema.json", "hi"]).code(), Some(0));
    let format = world.requests.lock().unwrap()[0]["text"]["format"].clone();
    assert_eq!(
        (&format["type"], &format["schema"]["type"]),
        (&json!("json_schema"), &json!("object"))
    );
    fs::write(&schema, "{").unwrap();
    let ran = world.run(&["exec", "--output-schema", "schema.json", "hi"]);
    assert_eq!(ran.code(), Some(1));
    assert!(ran.stderr.contains("schema.json is not valid JSON"), "{}", ran.stderr);
}

#[test]
fn a_reader_that_leaves_ends_the_run_quietly() {
    let world = World::new(r#"[{"items": ["one"], "delay_ms": 1000}]"#);
    let mut child = world.command(&["exec", "--json", "hi"]).spawn().unwrap();
    drop(child.stdout.take());
    let ran = finish(child);
    assert_eq!(
        (ran.code(), ran.stderr.as_str()),
        (Some(1), "Reading additional input from stdin...\n")
    );
}

#[test]
fn what_is_wrong_at_the_start_is_one_clear_error() {
    let world = World::new(HELLO);
    let git = world.project().join(".git");
    fs::remove_dir(&git).unwrap();
    for (args, want) in [
        (&["exec", "hi"][..], "--skip-git-repo-check"),
        (&["exec", "-C", "nowhere", "hi"], "nowhere"),
        (&["exec", "-c", "model_provider=openai", "hi"], "codex login --with-api-key"),
        (&["exec", "-c", "sandbox_mode=odd", "hi"], "sandbox_mode"),
        (&["exec", "--enable", "no_such_feature", "hi"], "Unknown feature flag: no_such_feature"),
    ] {
        let ran = world.run(args);
        assert_eq!((ran.code(), ran.stdout.as_str()), (Some(1), ""), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(want), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(world.run(&["exec", "--no-such-flag"]).code(), Some(2));
    assert!(world.requests.lock().unwrap().is_empty());
}

#[test]
fn a_terminal_in_the_sandbox_is_typed_to() {
    let script = r#"[
        {"items": [{"call": "exec_command", "args":
            {"cmd": "test -t 0 && stty size && read word && echo got $word", "tty": true, "yield_time_ms": 500}}]},
        {"items": [{"call": "write_stdin", "args":
            "{\"session_id\": {{ session_id }}, \"chars\": \"hello\\n\", \"yield_time_ms\": 30000}"}]},
        {"items": ["{{ output }}"]}]"#;
    let world = World::new(script);
    let ran = world.run(&["exec", "-s", "workspace-write", "go"]);
    assert_eq!(ran.code(), Some(0), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("got hello"), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("24 80"), "{}", ran.stderr);
}
