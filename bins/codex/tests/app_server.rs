//! `codex app-server` end to end: the real binary over pipes, a scripted model on loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod client;
mod world;

use std::{fs, io::Write, process::Stdio};

use client::{Client, methods};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use world::{World, finish, processes_with, until};

const HELLO: &str = r#"[{"items": [{"reasoning": "A greeting."}, "Hello there."], "repeat": 9}]"#;

#[test]
fn a_turn_is_told_in_the_order_that_clients_know() {
    let world = World::new(HELLO);
    let mut client = Client::start(&world, &[]);
    let start = client.ask("thread/start", json!({ "sandbox": "workspace-write" }));
    let result = &start["result"];
    let thread = result["thread"]["id"].as_str().unwrap().to_owned();
    assert_eq!(result["modelProvider"], "local");
    assert_eq!(result["cwd"], world.project().canonicalize().unwrap().to_str().unwrap());
    assert_eq!(result["sandbox"]["type"], "workspaceWrite");
    assert_eq!(result["thread"]["source"], "vscode");
    client.turn(&thread, "hi");
    client.until_method("turn/completed");
    let (ran, seen) = client.end();
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr);
    let want = [
        "thread/started",
        "thread/status/changed active",
        "turn/started",
        "item/started userMessage",
        "item/completed userMessage",
        "item/started reasoning",
        "item/started agentMessage",
        "item/completed reasoning",
        "item/completed agentMessage",
        "thread/tokenUsage/updated",
        "thread/status/changed idle",
        "turn/completed",
        "thread/status/changed notLoaded",
        "thread/closed",
    ];
    let mut got = methods(&seen);
    // Both are told as soon as they begin and end; which ends first is up to the model.
    got.retain(|method| !method.ends_with("started thread"));
    for name in want {
        assert!(got.contains(&name.to_owned()), "{name} is missing in {got:#?}");
    }
    let at = |name: &str| got.iter().position(|method| method == name).unwrap();
    let order = [0, 1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 13].map(|index| at(want[index]));
    assert!(order.is_sorted(), "{got:#?}");
    let deltas: String = seen
        .iter()
        .filter(|line| line["method"] == "item/agentMessage/delta")
        .map(|line| line["params"]["delta"].as_str().unwrap())
        .collect();
    assert_eq!(deltas, "Hello there.");
    // What existing consumers look for in the transcript.
    let rollout = fs::read_to_string(&world.rollouts()[0]).unwrap();
    let meta: Value = serde_json::from_str(rollout.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&meta["payload"]["source"], &meta["payload"]["originator"]),
        (&json!("vscode"), &json!("probe"))
    );
}

#[test]
fn an_interrupt_ends_the_turn_and_what_it_started() {
    let marker = format!("27182.{}", std::process::id());
    let world = World::new(&format!(
        r#"[{{"items": [{{"call": "exec_command", "args": {{"cmd": "sleep {marker}"}}}}]}},
            {{"items": ["back again"]}}]"#
    ));
    let mut client = Client::start(&world, &["-s", "workspace-write", "-a", "never"]);
    let thread = client.thread(json!({}));
    let turn = client.turn(&thread, "go");
    let started = client.until(|line| line["params"]["item"]["type"] == "commandExecution");
    assert_eq!(started["params"]["turnId"], turn.as_str());
    until("the command runs", || processes_with(&marker) > 0);
    let wrong = client.ask("turn/interrupt", json!({ "threadId": thread, "turnId": "x" }));
    assert!(wrong["error"]["message"].as_str().unwrap().contains(&turn), "{wrong}");
    let answer = client.ask("turn/interrupt", json!({ "threadId": thread, "turnId": turn }));
    assert_eq!(answer["result"], json!({}));
    let ended = client.until_method("turn/completed");
    assert_eq!(ended["params"]["turn"]["status"], "interrupted");
    until("the command is gone", || processes_with(&marker) == 0);
    client.turn(&thread, "more");
    let ended = client.until_method("turn/completed");
    assert_eq!(ended["params"]["turn"]["status"], "completed");
    assert_eq!(client.end().0.code(), Some(0));
}

/// A turn in which the model asks to leave the sandbox, and what the client says to that.
fn ask_to_leave_the_sandbox(decision: &Value) -> (Vec<Value>, String) {
    let world = World::new(
        r#"[{"items": [{"call": "exec_command", "args": {"cmd": "echo out > made.txt",
            "sandbox_permissions": "require_escalated", "justification": "to leave a mark"}}]},
            {"items": ["done"]}]"#,
    );
    let mut client = Client::start(&world, &[]);
    let params = json!({ "sandbox": "read-only", "approvalPolicy": "on-request" });
    let thread = client.thread(params);
    let turn = client.turn(&thread, "go");
    let question = client.until(|line| line.get("id").is_some() && line.get("method").is_some());
    assert_eq!(question["method"], "item/commandExecution/requestApproval");
    let params = &question["params"];
    assert_eq!((&params["threadId"], &params["turnId"]), (&json!(thread), &json!(turn)));
    assert!(params["command"].as_str().unwrap().contains("echo out"), "{params}");
    let reason = params["reason"].as_str().unwrap();
    assert!(reason.contains("to leave a mark") && reason.contains("gives up"), "{reason}");
    // It waits, and so does the command.
    let waiting = json!({ "type": "active", "activeFlags": ["waitingOnApproval"] });
    assert!(client.seen.iter().any(|line| line["params"]["status"] == waiting));
    assert!(!world.project().join("made.txt").exists());
    client.send(&json!({ "id": question["id"], "result": { "decision": decision } }));
    let resolved = client.until_method("serverRequest/resolved");
    assert_eq!(resolved["params"]["requestId"], question["id"]);
    client.until_method("turn/completed");
    let (ran, seen) = client.end();
    assert_eq!(ran.code(), Some(0));
    let made = fs::read_to_string(world.project().join("made.txt")).unwrap_or_default();
    (seen, made)
}

fn ended(lines: &[Value]) -> (Vec<Value>, Value) {
    let commands = lines.iter().filter(|line| {
        line["method"] == "item/completed" && line["params"]["item"]["type"] == "commandExecution"
    });
    let statuses = commands.map(|line| line["params"]["item"]["status"].clone()).collect();
    let turn = lines.iter().rfind(|line| line["method"] == "turn/completed").unwrap();
    (statuses, turn["params"]["turn"]["status"].clone())
}

#[test]
fn a_yes_runs_what_was_asked_about() {
    let (seen, made) = ask_to_leave_the_sandbox(&json!("accept"));
    assert_eq!(made, "out\n");
    assert_eq!(ended(&seen), (vec![json!("completed")], json!("completed")));
}

#[test]
fn a_no_and_an_odd_answer_run_nothing() {
    for no in [json!("decline"), json!({ "acceptWithExecpolicyAmendment": {} })] {
        let (seen, made) = ask_to_leave_the_sandbox(&no);
        assert_eq!(made, "");
        assert_eq!(ended(&seen), (vec![json!("declined")], json!("completed")), "{no}");
    }
    let (seen, made) = ask_to_leave_the_sandbox(&json!("cancel"));
    assert_eq!(made, "");
    assert_eq!(ended(&seen).1, "interrupted");
}

#[test]
fn the_example_of_the_documentation_runs() {
    let script =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/app-server.py");
    let world = World::new(HELLO);
    let mut command = std::process::Command::new("python3");
    command.arg(script).args(["--codex", world::BINARY, "hi"]).current_dir(world.project());
    for (name, value) in world.command(&[]).get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    match command.output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            assert_eq!(text, "Hello there.\ncompleted\n");
            assert!(output.status.success());
        }
        Err(error) => println!("skipped: python3 cannot be started: {error}"),
    }
}

#[test]
fn the_end_of_input_ends_everything_and_loses_no_line() {
    let marker = format!("16180.{}", std::process::id());
    let world = World::new(&format!(
        r#"[{{"items": [{{"call": "exec_command", "args": {{"cmd": "sleep {marker}"}}}}]}}]"#
    ));
    let mut client = Client::start(&world, &["-s", "workspace-write", "-a", "never"]);
    let thread = client.thread(json!({}));
    client.turn(&thread, "go");
    until("the command runs", || processes_with(&marker) > 0);
    let (ran, seen) = client.end();
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr);
    assert_eq!(processes_with(&marker), 0);
    let methods = methods(&seen);
    let tail = &methods[methods.len() - 2..];
    assert_eq!(tail, ["thread/status/changed notLoaded", "thread/closed"]);
    let is_interrupted = |line: &&Value| line["params"]["turn"]["status"] == "interrupted";
    assert_eq!(seen.iter().filter(is_interrupted).count(), 1);
    assert!(fs::read_to_string(&world.rollouts()[0]).unwrap().contains("turn_aborted"));
}

#[test]
fn every_request_before_the_end_of_input_is_answered() {
    let world = World::new(HELLO);
    let script = concat!(
        r#"{"id":1,"method":"initialize","params":{"clientInfo":{"name":"p","version":"1"}}}"#,
        "\n[]\n{\n\n",
        r#"{"id":"s","method":"thread/start","params":{}}"#,
        "\n",
        r#"{"id":2,"method":"thread/start","params":{"cwd":"/no/such/folder"}}"#,
        "\n",
        r#"{"id":3,"method":"no/such/method"}"#,
        "\n",
        r#"{"id":4,"method":"account/read","params":{}}"#,
    );
    let ran = world.run_with(&["app-server"], script.as_bytes());
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr);
    let answers: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line.get("id").is_some())
        .collect();
    let of = |id: Value| {
        let mut found = answers.iter().filter(|answer| answer["id"] == id);
        let first = found.next().unwrap_or_else(|| panic!("no answer to {id} in {answers:#?}"));
        assert_eq!(found.next(), None);
        first.clone()
    };
    assert!(of(json!(1))["result"]["userAgent"].is_string());
    assert!(of(json!("s"))["result"]["thread"]["id"].is_string());
    assert!(of(json!(2))["error"]["message"].as_str().unwrap().contains("/no/such/folder"));
    assert!(of(json!(3))["error"]["message"].as_str().unwrap().contains("`no/such/method`"));
    assert_eq!(of(json!(4))["result"], json!({ "account": null, "requiresOpenaiAuth": false }));
    assert_eq!(answers.len(), 5);
}

#[test]
fn a_line_that_is_too_long_is_skipped_and_told() {
    let world = World::new(HELLO);
    let mut client = Client::start(&world, &[]);
    let text = "x".repeat(17 << 20);
    let long = json!({ "id": "long", "method": "turn/start", "params": { "threadId": text } });
    client.send(&long);
    let answer = client.until(|line| line["id"] == "long");
    assert!(answer["error"]["message"].as_str().unwrap().contains("16777216"), "{answer}");
    // The next line is read as usual.
    assert!(client.thread(json!({})).len() > 30);
    client.end();
}

#[test]
fn a_key_goes_to_the_home_and_nowhere_else() {
    const KEY: &str = "sk-app-server-0123456789";
    let world = World::new(HELLO);
    let journal = world.project().join("run.journal");
    let mut client = Client::start(
        &world,
        &[
            "--journal",
            journal.to_str().unwrap(),
            "-c",
            "model_providers.local.requires_openai_auth=true",
        ],
    );
    let none = client.ask("account/read", json!({ "refreshToken": false }));
    assert_eq!(none["result"], json!({ "account": null, "requiresOpenaiAuth": true }));
    // Without a key a turn says what to do.
    let thread = client.thread(json!({}));
    client.turn(&thread, "hi");
    let error = client.until_method("error");
    assert_eq!(error["params"]["error"]["codexErrorInfo"], "unauthorized");
    assert!(
        error["params"]["error"]["message"].as_str().unwrap().contains("codex login"),
        "{error}"
    );
    client.until_method("turn/completed");
    let answer = client.ask("account/login/start", json!({ "type": "apiKey", "apiKey": KEY }));
    assert_eq!(answer["result"], json!({ "type": "apiKey" }));
    assert_eq!(client.until_method("account/updated")["params"]["authMode"], "apikey");
    let some = client.ask("account/read", json!({ "refreshToken": false }));
    assert_eq!(some["result"]["account"], json!({ "type": "apiKey" }));
    // A thread that is there already uses it.
    client.turn(&thread, "hi");
    assert_eq!(client.until_method("turn/completed")["params"]["turn"]["status"], "completed");
    let (ran, seen) = client.end();
    assert_eq!(ran.code(), Some(0));
    assert!(!format!("{seen:?}{}", ran.stderr).contains(KEY));
    let stored = world.home().join("auth.json");
    assert!(fs::read_to_string(&stored).unwrap().contains(KEY));
    let mut count = 0;
    for file in world.rollouts().into_iter().chain([journal]) {
        assert!(!fs::read_to_string(&file).unwrap().contains(KEY), "{}", file.display());
        count += 1;
    }
    assert_eq!(count, 2);
}

#[test]
fn a_thread_goes_on_where_it_was() {
    let world = World::new(HELLO);
    let mut client = Client::start(&world, &[]);
    let thread = client.thread(json!({}));
    client.turn(&thread, "the first prompt");
    client.until_method("turn/completed");
    client.end();
    let mut client = Client::start(&world, &[]);
    let answer = client.ask("thread/resume", json!({ "threadId": thread }));
    let past = &answer["result"]["thread"];
    assert_eq!((&past["id"], &past["preview"]), (&json!(thread), &json!("the first prompt")));
    let items = past["turns"][0]["items"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(items[0]["content"][0]["text"], "the first prompt");
    assert_eq!(items.last().unwrap()["text"], "Hello there.");
    client.turn(&thread, "more");
    client.until_method("turn/completed");
    let input = world.requests.lock().unwrap()[1]["input"].to_string();
    assert!(input.contains("the first prompt") && input.contains("Hello there."), "{input}");
    let unknown = "0199a213-81c0-7800-8aa1-bbab2a035a53";
    let answer = client.ask("thread/resume", json!({ "threadId": unknown }));
    assert!(answer["error"]["message"].as_str().unwrap().contains(unknown), "{answer}");
    client.end();
}

#[test]
fn threads_in_different_folders_work_side_by_side() {
    let world = World::new(HELLO);
    let other = world.project().join("other");
    fs::create_dir(&other).unwrap();
    let mut client = Client::start(&world, &[]);
    let threads = [
        client.thread(json!({})),
        client.thread(json!({ "cwd": other })),
        client.thread(json!({})),
    ];
    for thread in &threads {
        client.turn(thread, "hi");
    }
    let done = |client: &Client| -> Vec<Value> {
        let ended = client.seen.iter().filter(|line| line["method"] == "turn/completed");
        ended.map(|line| line["params"]["threadId"].clone()).collect()
    };
    while done(&client).len() < 3 {
        client.line().unwrap();
    }
    let mut done = done(&client);
    done.sort_by_key(ToString::to_string);
    let mut want: Vec<Value> = threads.iter().map(|thread| json!(thread)).collect();
    want.sort_by_key(ToString::to_string);
    assert_eq!(done, want);
    let bodies = world.requests.lock().unwrap().iter().map(Value::to_string).collect::<Vec<_>>();
    let told = |folder: &str| bodies.iter().filter(|body| body.contains(folder)).count();
    assert_eq!(told("project/other"), 1);
    let left = client.ask("thread/unsubscribe", json!({ "threadId": threads[1] }));
    assert_eq!(left["result"]["status"], "unsubscribed");
    client.until_method("thread/closed");
    client.end();
}

#[test]
fn a_client_that_does_not_read_stops_the_model_and_may_still_interrupt() {
    // Far more than the pipe and all buffers hold.
    let world = World::new(r#"[{"items": [{"message": "a line of text\n", "times": 400000}]}]"#);
    let mut command = world.command(&["app-server"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut ask = |line: &str| stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    ask(r#"{"id":1,"method":"initialize","params":{"clientInfo":{"name":"p","version":"1"}}}"#);
    ask(r#"{"id":2,"method":"thread/start","params":{}}"#);
    let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
        serde_json::from_str::<Value>(&line).unwrap_or(Value::Null)
    };
    let thread = loop {
        let line = next();
        if line["id"] == 2 {
            break line["result"]["thread"]["id"].as_str().unwrap().to_owned();
        }
    };
    ask(&json!({ "id": 3, "method": "turn/start", "params": {
        "threadId": thread, "input": [{ "type": "text", "text": "talk" }] } })
    .to_string());
    let turn = loop {
        let line = next();
        if line["id"] == 3 {
            break line["result"]["turn"]["id"].as_str().unwrap().to_owned();
        }
    };
    // Nothing is read now; the interrupt is taken all the same.
    ask(&json!({ "id": 4, "method": "turn/interrupt", "params": {
        "threadId": thread, "turnId": turn } })
    .to_string());
    let (mut deltas, mut status) = (0, None);
    let mut is_answered = false;
    while status.is_none() {
        let line = next();
        assert_ne!(line, Value::Null);
        deltas += usize::from(line["method"] == "item/agentMessage/delta");
        is_answered |= line["id"] == 4;
        if line["method"] == "turn/completed" {
            status = line["params"]["turn"]["status"].as_str().map(str::to_owned);
        }
    }
    assert!(is_answered);
    assert_eq!(status.as_deref(), Some("interrupted"));
    assert!(deltas < 400_000, "{deltas}");
    drop(stdin);
    drop(reader);
    assert!(finish(child).code().is_some());
}

#[test]
fn signals_end_it_in_order() {
    let world = World::new(r#"[{"silent": true, "end": "hang", "repeat": 9}]"#);
    for (signal, want) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let mut client = Client::start(&world, &[]);
        let thread = client.thread(json!({}));
        client.turn(&thread, "go");
        kill_process(Pid::from_child(&client.child), signal).unwrap();
        client.until_method("thread/closed");
        while client.line().is_some() {}
        assert_eq!(finish(client.child).code(), Some(want));
    }
}

#[test]
fn what_is_wrong_at_the_start_is_one_clear_error() {
    let world = World::new(HELLO);
    for (args, want) in [
        (&["app-server", "--listen", "ws://127.0.0.1:1"][..], "stdio:// only"),
        (&["-c", "sandbox_mode=odd", "app-server"], "sandbox_mode"),
    ] {
        let ran = world.run(args);
        assert_eq!((ran.code(), ran.stdout.as_str()), (Some(1), ""), "{args:?}");
        assert!(ran.stderr.contains(want), "{args:?}: {}", ran.stderr);
    }
}
