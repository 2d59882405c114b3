//! Stories of single turns.

#![allow(clippy::unwrap_used, reason = "tests")]

mod harness;

use codex_proto::{
    Effect, EffectKind, Event, HostError, HostErrorKind, Op, Reply, Settings, TurnErrorCode,
    effect::Signal,
    event::TurnOutcome,
    item::ItemBody,
    op::{Delivery, Prompt, PromptPart},
};
use harness::{Harness, call, completed, done, exec, message, patch, settings};
use serde_json::{Value, json};

#[test]
fn a_prompt_gets_an_answer() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    let (_, body) = h.request();
    assert_eq!(body["input"].as_array().unwrap().len(), 3);
    assert_eq!(body["input"][2]["content"][0]["text"], "hi");
    h.answer(&[message("hello")]);
    assert_eq!(h.outcomes(), [TurnOutcome::Completed { last_message: Some("hello".into()) }]);
    assert_eq!(h.engine.inflight(), 0);
}

#[test]
fn the_next_request_begins_with_the_bytes_of_the_one_before() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    let first = h.request_body();
    h.answer(&[message("looking"), exec("c1", "ls")]);
    let (id, _) = h.spawns()[0].clone();
    h.exit(id, "a\n", 0);
    let second = h.request_body();
    let end = |body: &[u8]| {
        let text = String::from_utf8(body.to_vec()).unwrap();
        text.find("],\"tools\":").unwrap()
    };
    let (a, b) = (end(&first), end(&second));
    assert_eq!(first[..a], second[..a]);
    assert_eq!(first[a..], second[b..]);
}

#[test]
fn a_tool_runs_before_the_response_is_complete_and_only_after_its_line_is_written() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    h.stream(&[done(&exec("c1", "ls"))]);
    assert_eq!(h.spawns().len(), 1);
    assert!(String::from_utf8(h.rollout.clone()).unwrap().contains("\"call_id\":\"c1\""));
    let (id, argv) = h.spawns()[0].clone();
    assert_eq!(argv, ["/bin/bash", "-lc", "ls"]);
    h.exit(id, "out\n", 3);
    assert!(h.has_request(), "the stream is still open");
    let (request, _) = h.request();
    h.events_to(request, &[completed()]);
    h.reply(request, Reply::Closed);
    let output = h.output("c1");
    assert!(output.contains("Process exited with code 3"), "{output}");
    assert!(output.ends_with("Output:\nout\n"), "{output}");
}

#[test]
fn outputs_come_in_call_order_whatever_ends_first() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    h.answer(&[exec("c1", "one"), exec("c2", "two")]);
    let spawns = h.spawns();
    h.exit(spawns[1].0, "2", 0);
    h.exit(spawns[0].0, "1", 0);
    let (_, body) = h.request();
    let ids: Vec<&str> = body["input"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["type"] == "function_call_output")
        .map(|item| item["call_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["c1", "c2"]);
}

#[test]
fn a_patch_waits_for_commands_before_it_and_holds_up_those_after_it() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    let add = "*** Begin Patch\n*** Add File: a.txt\n+x\n*** End Patch";
    h.answer(&[exec("c1", "one"), patch("p1", add), exec("c2", "two")]);
    let spawns = h.spawns();
    assert_eq!(spawns.len(), 1);
    assert_eq!(h.open.len(), 1);
    h.exit(spawns[0].0, "", 0);
    let write = h.open.iter().find(|effect| matches!(effect.kind, EffectKind::Patch(_)));
    let write = write.expect("the patch is written").id;
    assert!(h.spawns().is_empty());
    h.reply(write, Reply::Closed);
    let spawns = h.spawns();
    h.exit(spawns[0].0, "", 0);
    assert!(h.output("p1").starts_with("Exit code: 0\n"), "{}", h.output("p1"));
    let changed = h.events.iter().any(|event| {
        matches!(event,
        Event::ItemCompleted { item, .. } if matches!(item.body, ItemBody::FileChange(_)))
    });
    assert!(changed);
}

#[test]
fn a_patch_outside_the_workspace_never_reaches_the_disk() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    for (id, path) in [("p1", "/etc/passwd"), ("p2", "../x"), ("p3", ".git/config")] {
        let text = format!("*** Begin Patch\n*** Add File: {path}\n+x\n*** End Patch");
        h.answer(&[patch(id, &text)]);
        assert!(h.output(id).starts_with("patch rejected: "), "{}", h.output(id));
        assert!(!h.open.iter().any(|effect| matches!(effect.kind, EffectKind::Patch(_))));
    }
}

#[test]
fn a_cut_stream_is_repeated_without_leaving_anything_twice() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    h.stream(&[done(&message("half"))]);
    let (id, _) = h.request();
    h.reply(id, Reply::Closed);
    assert!(matches!(h.events.last(), Some(Event::Waiting { .. })));
    let retried = h
        .events
        .iter()
        .any(|e| matches!(e, Event::Retrying { attempt: 1, attempts_max: Some(5), .. }));
    assert!(retried);
    h.pass_ms(1_000);
    h.answer(&[message("whole")]);
    let messages: Vec<&str> = h
        .events
        .iter()
        .filter_map(|event| match event {
            Event::ItemCompleted { item, .. } => match &item.body {
                ItemBody::AgentMessage { text } => Some(text.as_str()),
                _ => None,
            },
            _ => None,
        })
        .collect();
    assert_eq!(messages, ["whole"]);
    assert!(!String::from_utf8(h.rollout.clone()).unwrap().contains("half"));
}

/// Fails every request for this long, as a network does that is away. How many there were.
fn away(h: &mut Harness, ms: u64) -> usize {
    let end = h.now.mono.after_ms(ms);
    let mut count = 0;
    while h.now.mono < end && h.outcomes().len() < 2 {
        if h.has_request() {
            let (id, _) = h.request();
            let error = HostError::new(HostErrorKind::Connect, "no route to the server");
            h.reply(id, Reply::Failed(error));
            count += 1;
        }
        h.pass_ms(100);
    }
    count
}

#[test]
fn a_server_that_has_answered_before_is_waited_for_while_the_network_is_away() {
    let mut h = Harness::new(Settings { interactive: true, ..settings() });
    h.prompt("hi");
    h.answer(&[message("hello")]);
    h.prompt("more");
    // The connection breaks first, and again when the network is back: that is what counts.
    h.stream(&[]);
    let (id, _) = h.request();
    h.reply(id, Reply::Closed);
    let count = away(&mut h, 600_000);
    assert!((120..=180).contains(&count), "{count} looks for the network in ten minutes");
    h.pass_ms(5_000);
    h.stream(&[]);
    let (id, _) = h.request();
    h.reply(id, Reply::Closed);
    let attempts: Vec<(u32, Option<u32>)> = h
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Retrying { attempt, attempts_max, .. } => Some((*attempt, *attempts_max)),
            _ => None,
        })
        .collect();
    assert_eq!(attempts[..3], [(1, Some(5)), (1, None), (2, None)]);
    assert_eq!(attempts.last(), Some(&(2, Some(5))));
    h.pass_ms(1_000);
    h.answer(&[message("welcome back")]);
    let last = TurnOutcome::Completed { last_message: Some("welcome back".into()) };
    assert_eq!(h.outcomes().last(), Some(&last));
}

#[test]
fn the_network_is_not_waited_for_without_end_nor_without_a_witness_nor_before_a_first_answer() {
    let interactive = Settings { interactive: true, ..settings() };
    let mut h = Harness::new(interactive.clone());
    h.prompt("hi");
    h.answer(&[message("hello")]);
    h.prompt("more");
    away(&mut h, 1_000_000);
    assert!(matches!(h.outcomes()[..], [_, TurnOutcome::Failed(_)]), "{:?}", h.outcomes());

    let mut h = Harness::new(settings());
    h.prompt("hi");
    h.answer(&[message("hello")]);
    h.prompt("more");
    assert_eq!(away(&mut h, 60_000), 6);
    assert!(matches!(h.outcomes()[..], [_, TurnOutcome::Failed(_)]), "{:?}", h.outcomes());

    let mut h = Harness::new(interactive);
    h.prompt("hi");
    assert_eq!(away(&mut h, 60_000), 6);
    assert!(matches!(h.outcomes()[..], [TurnOutcome::Failed(_)]), "{:?}", h.outcomes());
}

#[test]
fn a_repeated_request_never_runs_a_tool_twice() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    h.stream(&[done(&exec("c1", "make"))]);
    let (id, _) = h.request();
    h.reply(id, Reply::Failed(HostError::new(HostErrorKind::Disconnected, "reset")));
    h.pass_ms(10_000);
    assert!(!h.has_request(), "the repetition waits for the tool");
    let spawns = h.spawns();
    assert_eq!(spawns.len(), 1);
    h.exit(spawns[0].0, "ok", 0);
    assert!(h.output("c1").contains("ok"));
    h.answer(&[message("done")]);
    assert_eq!(h.outcomes().len(), 1);
}

#[test]
fn attempts_are_bounded() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    let mut requests = 0;
    while h.has_request() {
        requests += 1;
        let (id, _) = h.request();
        h.head(id, 500, &[]);
        h.reply(id, Reply::Closed);
        h.pass_ms(30_000);
    }
    assert_eq!(requests, 6);
    let [TurnOutcome::Failed(error)] = &h.outcomes()[..] else { panic!("{:?}", h.outcomes()) };
    assert_eq!(error.code, TurnErrorCode::ServerError);
}

#[test]
fn a_demanded_wait_is_honoured_within_the_budget_and_refused_beyond() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    let (id, _) = h.request();
    h.head(id, 429, &[("retry-after", "7")]);
    h.reply(id, Reply::Closed);
    h.pass_ms(6_900);
    assert!(!h.has_request());
    h.pass_ms(200);
    let (id, _) = h.request();
    h.head(id, 429, &[("retry-after", "4000")]);
    h.reply(id, Reply::Closed);
    let [TurnOutcome::Failed(error)] = &h.outcomes()[..] else { panic!("{:?}", h.outcomes()) };
    assert_eq!(error.code, TurnErrorCode::RateLimited);
    assert!(error.resets_at.is_some());
}

#[test]
fn silence_is_named() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    let (id, _) = h.request();
    h.head(id, 200, &[]);
    assert_eq!(h.engine.deadline().unwrap().1, "first token");
    h.events_to(id, &[json!({ "type": "response.created" })]);
    assert_eq!(h.engine.deadline().unwrap().1, "next token");
    h.pass_ms(300_000);
    let cause = h.events.iter().find_map(|event| match event {
        Event::Retrying { cause, .. } => Some(cause.message.clone()),
        _ => None,
    });
    assert_eq!(cause.unwrap(), "waited 300 s for the next token from the model");
}

#[test]
fn a_long_command_yields_and_is_polled() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    h.answer(&[exec("c1", "make")]);
    let (id, _) = h.spawns()[0].clone();
    h.reply(id, Reply::Opened);
    h.reply(id, Reply::Bytes(b"compiling\n".to_vec()));
    h.pass_ms(10_000);
    assert_eq!(h.told, [EffectKind::Flush(id)]);
    h.reply(id, Reply::Tail { omitted_bytes: 0, bytes: Vec::new() });
    let output = h.output("c1");
    let session = output.split("session ID ").nth(1).unwrap().lines().next().unwrap().to_owned();
    assert!(output.contains("compiling"));
    h.answer(&[call(
        "c2",
        "write_stdin",
        &json!({ "session_id": session.parse::<u32>().unwrap() }),
    )]);
    h.exit(id, "linked\n", 0);
    let output = h.output("c2");
    assert!(output.contains("linked") && !output.contains("compiling"), "{output}");
    assert!(output.contains("exited with code 0"));
}

#[test]
fn a_timeout_kills_and_says_so() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    let args = json!({ "command": "sleep 9", "timeout_ms": 500 });
    h.answer(&[call("c1", "shell_command", &args)]);
    let (id, _) = h.spawns()[0].clone();
    h.reply(id, Reply::Opened);
    h.pass_ms(500);
    assert_eq!(h.told, [EffectKind::Signal { spawn: id, signal: Signal::Kill }]);
    h.exit(id, "", 137);
    let output = h.output("c1");
    assert!(output.starts_with("Exit code: 124\n"), "{output}");
    assert!(output.contains("command timed out after 500 milliseconds"));
}

#[test]
fn an_interrupt_answers_every_open_call_and_kills_what_they_started() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    h.answer(&[exec("c1", "make")]);
    let (id, _) = h.spawns()[0].clone();
    h.reply(id, Reply::Opened);
    h.interrupt();
    assert_eq!(h.outcomes(), [TurnOutcome::Interrupted]);
    assert_eq!(h.told, [EffectKind::Signal { spawn: id, signal: Signal::Terminate }]);
    h.pass_ms(900);
    assert_eq!(h.told[1], EffectKind::Signal { spawn: id, signal: Signal::Kill });
    let rollout = String::from_utf8(h.rollout.clone()).unwrap();
    assert!(rollout.contains("aborted by user after") && rollout.contains("<turn_aborted>"));
    h.prompt("again");
    assert!(h.output("c1").contains("aborted by user"));
}

#[test]
fn an_interrupt_also_ends_what_a_failed_turn_still_waits_for() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    let error = json!({ "code": "insufficient_quota", "message": "no" });
    let failed = json!({ "type": "response.failed", "response": { "error": error } });
    h.stream(&[done(&exec("c1", "make")), failed]);
    let (id, _) = h.spawns()[0].clone();
    h.reply(id, Reply::Opened);
    assert_eq!(h.outcomes().len(), 0);
    h.interrupt();
    assert!(h.told.contains(&EffectKind::Signal { spawn: id, signal: Signal::Terminate }));
    assert!(matches!(h.outcomes()[..], [TurnOutcome::Failed(_)]));
}

#[test]
fn steering_joins_before_the_next_request_and_forces_one() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    h.prompt("and this");
    h.answer(&[message("one")]);
    let (_, body) = h.request();
    let last = body["input"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["content"][0]["text"], "and this");
    h.answer(&[message("two")]);
    assert_eq!(h.outcomes().len(), 1);
}

#[test]
fn a_follow_up_waits_for_its_own_turn() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    h.prompt_with("later", Delivery::FollowUp);
    h.answer(&[message("one")]);
    assert_eq!(h.outcomes().len(), 1);
    assert!(h.has_request());
    h.answer(&[message("two")]);
    assert_eq!(h.outcomes().len(), 2);
}

#[test]
fn a_follow_up_does_not_join_between_the_steps_of_a_turn() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    h.prompt_with("later", Delivery::FollowUp);
    h.answer(&[exec("c1", "ls")]);
    let (id, _) = h.spawns()[0].clone();
    h.exit(id, "a", 0);
    assert!(!h.request().1.to_string().contains("later"));
    h.answer(&[message("one")]);
    assert!(h.request().1.to_string().contains("later"));
}

#[test]
fn an_interrupt_gives_queued_prompts_back() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    h.prompt("steer");
    h.prompt_with("later", Delivery::FollowUp);
    h.interrupt();
    let returned = h.events.iter().find_map(|event| match event {
        Event::PromptsReturned { prompts, .. } => Some(prompts.len()),
        _ => None,
    });
    assert_eq!(returned, Some(2));
    assert_eq!(h.outcomes(), [TurnOutcome::Interrupted]);
    assert!(!h.has_request());
}

#[test]
fn escalation_is_declined_and_shown() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    let args = json!({ "cmd": "rm x", "sandbox_permissions": "require_escalated" });
    h.answer(&[call("c1", "exec_command", &args)]);
    assert!(h.output("c1").starts_with("refused: escalation_not_allowed"));
    assert!(h.spawns().is_empty());
}

#[test]
fn the_plan_is_one_item() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    let plan = |status: &str| json!({ "plan": [{ "step": "a", "status": status }] });
    h.answer(&[call("c1", "update_plan", &plan("pending"))]);
    h.answer(&[call("c2", "update_plan", &plan("completed"))]);
    h.answer(&[message("done")]);
    let kinds: Vec<&str> = h
        .events
        .iter()
        .filter_map(|event| match event {
            Event::ItemStarted { item, .. } if matches!(item.body, ItemBody::Plan(_)) => {
                Some("started")
            }
            Event::ItemUpdated { .. } => Some("updated"),
            Event::ItemCompleted { item, .. } if matches!(item.body, ItemBody::Plan(_)) => {
                Some("completed")
            }
            Event::TurnEnded { .. } => Some("ended"),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, ["started", "updated", "completed", "ended"]);
}

#[test]
fn a_full_disk_is_a_warning_and_loses_nothing_once_it_has_room() {
    let mut h = Harness::new(settings());
    h.append_fails = Some(HostErrorKind::DiskFull);
    h.prompt("hi");
    h.answer(&[message("one")]);
    assert_eq!(h.outcomes().len(), 1);
    assert_eq!(h.warnings().len(), 1);
    h.append_fails = None;
    h.prompt("again");
    let rollout = String::from_utf8(h.rollout.clone()).unwrap();
    for part in ["session_meta", "\"hi\"", "one", "\"again\""] {
        assert!(rollout.contains(part), "{part}");
    }
}

#[test]
fn what_could_never_be_saved_is_told_when_the_thread_ends() {
    let mut h = Harness::new(settings());
    h.append_fails = Some(HostErrorKind::DiskFull);
    h.prompt("hi");
    h.answer(&[message("one")]);
    h.op(Op::StopThread { thread: h.thread });
    assert!(matches!(h.events.last(), Some(Event::ThreadStopped { .. })));
    let warnings = h.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[1].ends_with("bytes of the transcript could not be saved and are lost"));
    // A last try that succeeds loses nothing.
    let mut h = Harness::new(settings());
    h.append_fails = Some(HostErrorKind::DiskFull);
    h.prompt("hi");
    h.answer(&[message("one")]);
    h.append_fails = None;
    h.op(Op::StopThread { thread: h.thread });
    assert_eq!(h.warnings().len(), 1);
}

#[test]
fn stopping_ends_everything() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    h.answer(&[exec("c1", "make")]);
    let (id, _) = h.spawns()[0].clone();
    h.reply(id, Reply::Opened);
    h.op(Op::StopThread { thread: h.thread });
    assert!(h.told.contains(&EffectKind::Signal { spawn: id, signal: Signal::Kill }));
    assert!(!h.events.iter().any(|event| matches!(event, Event::ThreadStopped { .. })));
    h.exit(id, "", 137);
    assert!(matches!(h.events.last(), Some(Event::ThreadStopped { .. })));
    assert_eq!(h.engine.inflight(), 0);
    assert_eq!(h.engine.deadline(), None);
}

#[test]
fn a_thread_that_stops_late_ends_its_turn_first() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    h.answer(&[patch("c1", "*** Begin Patch\n*** Add File: n\n+x\n*** End Patch")]);
    assert!(matches!(h.open.last().unwrap().kind, EffectKind::Patch(_)));
    h.append_fails = Some(HostErrorKind::DiskFull);
    h.op(Op::StopThread { thread: h.thread });
    // The machine slept: all deadlines are over at once.
    h.now.mono = h.now.mono.after_ms(60_000);
    h.pass_ms(0);
    assert_eq!(h.outcomes(), [TurnOutcome::Interrupted]);
    assert!(matches!(h.events.last(), Some(Event::ThreadStopped { .. })));
}

#[test]
fn a_resumed_thread_continues_with_the_same_bytes() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    h.answer(&[exec("c1", "ls")]);
    let (id, _) = h.spawns()[0].clone();
    h.exit(id, "a", 0);
    let before = h.request().1["input"].clone();
    h.answer(&[message("done")]);
    let mut r = Harness::resume(settings(), h.rollout.clone());
    assert_eq!(r.thread, h.thread);
    assert_eq!(r.ready().usage.input_tokens, 20);
    r.prompt("more");
    let after = r.request().1["input"].clone();
    let (before, after) = (before.as_array().unwrap(), after.as_array().unwrap());
    assert_eq!(before[..], after[..before.len()]);
    assert_eq!(after.len(), before.len() + 2, "no context is sent again");
}

#[test]
fn a_patch_cut_by_a_kill_is_told_file_by_file() {
    let mut h = Harness::new(settings());
    h.files.insert("/w/a.txt".into(), b"one\n".to_vec());
    h.files.insert("/w/b.txt".into(), b"two\n".to_vec());
    h.prompt("hi");
    let text = "*** Begin Patch\n*** Update File: a.txt\n@@\n-one\n+ONE\n*** Update File: \
                b.txt\n@@\n-two\n+TWO\n*** End Patch";
    h.answer(&[patch("p1", text)]);
    assert!(h.open.iter().any(|effect| matches!(effect.kind, EffectKind::Patch(_))));
    // The process dies here, after the first of both files was replaced.
    let mut r = Harness::bare(settings());
    r.files.insert("/w/a.txt".into(), b"ONE\n".to_vec());
    r.files.insert("/w/b.txt".into(), b"two\n".to_vec());
    r.files.insert("/r.jsonl".into(), h.rollout.clone());
    r.op(Op::ResumeThread { path: "/r.jsonl".into() });
    r.thread = r.ready().thread;
    r.prompt("go on");
    let output = r.output("p1");
    assert!(output.contains("/w/a.txt: new") && output.contains("/w/b.txt: old"), "{output}");
}

#[test]
fn nonsense_from_the_model_is_answered_not_fatal() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    let bad: Value = json!({
        "type": "function_call", "name": "exec_command", "arguments": "{bad", "call_id": "c1",
    });
    h.answer(&[
        bad,
        call("c2", "no_such_tool", &json!({})),
        json!({ "type": "brand_new", "x": 1 }),
    ]);
    assert!(h.output("c1").starts_with("failed to parse function arguments"));
    assert_eq!(h.output("c2"), "unsupported call: no_such_tool");
    assert!(h.request().1.to_string().contains("brand_new"));
}

#[test]
fn the_user_is_told_of_an_image_that_the_model_does_not_get() {
    let mut h = Harness::new(settings());
    let (thread, delivery) = (h.thread, Delivery::Steer);
    let content = vec![
        PromptPart::Text("what is it?".into()),
        PromptPart::Image { path: "/w/no.png".into() },
    ];
    h.op(Op::Prompt(Box::new(Prompt { thread, content, delivery, output_schema: None })));
    let is_image = |effect: &&Effect| matches!(effect.kind, EffectKind::Image { .. });
    let id = h.open.iter().find(is_image).unwrap().id;
    h.reply(id, Reply::Failed(HostError::new(HostErrorKind::NotFound, "cannot read /w/no.png")));
    let told = &h.warnings()[0];
    assert!(told.starts_with("image 1 was not attached: cannot read /w/no.png"), "{told}");
    let (_, body) = h.request();
    assert!(body.to_string().contains("Image #1 could not be attached"), "{body}");
}

#[test]
fn thinking_whose_deltas_were_not_all_of_it_is_told_anew_before_what_follows() {
    let mut h = Harness::new(settings());
    h.prompt("hi");
    let thought = json!({
        "type": "reasoning", "summary": [{ "type": "summary_text", "text": "whole" }],
        "content": [{ "type": "reasoning_text", "text": "raw" }]
    });
    h.stream(&[
        json!({ "type": "response.output_item.added", "item": { "type": "reasoning", "summary": [] } }),
        json!({ "type": "response.reasoning_summary_text.delta", "delta": "who" }),
        done(&thought),
    ]);
    let anew = ItemBody::Reasoning { text: "whole".into(), raw: "raw".into() };
    let is_told =
        |event: &Event| matches!(event, Event::ItemUpdated { item, .. } if item.body == anew);
    assert!(h.events.iter().any(is_told), "{:?}", h.events);
    assert!(
        !h.events
            .iter()
            .any(|event| matches!(event, Event::ItemCompleted { item, .. } if item.body == anew))
    );
}
