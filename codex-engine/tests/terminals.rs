//! Stories of commands that outlive their calls, and of those that the user runs.

#![allow(clippy::unwrap_used, reason = "tests")]

mod harness;

use codex_proto::{
    CommandId, EffectId, EffectKind, Event, Op, Refused, Reply, Settings,
    effect::{Exit, Signal, TtySize},
    event::{RunningCommand, TurnOutcome},
    item::{ItemBody, ItemStatus},
};
use harness::{Harness, call, message, settings};
use serde_json::{Value, json};

fn terminal(call_id: &str, cmd: &str) -> Value {
    call(call_id, "exec_command", &json!({ "cmd": cmd, "tty": true, "yield_time_ms": 250 }))
}

fn typed(call_id: &str, session: u32, chars: &str) -> Value {
    call(call_id, "write_stdin", &json!({ "session_id": session, "chars": chars }))
}

/// A command in a terminal that has yielded, and what the model knows it by.
fn yielded() -> (Harness, EffectId, u32) {
    let mut h = Harness::new(settings());
    h.prompt("go");
    h.answer(&[terminal("c1", "python3")]);
    let (id, _) = h.spawns()[0].clone();
    h.reply(id, Reply::Opened);
    h.reply(id, Reply::Bytes(b"one\r\ntwo\r\n>>> ".to_vec()));
    h.pass_ms(300);
    h.reply(id, Reply::Tail { omitted_bytes: 0, bytes: Vec::new() });
    let output = h.output("c1");
    let session = output.split("session ID ").nth(1).unwrap();
    let session = session.split('\n').next().unwrap().parse().unwrap();
    assert!(output.ends_with("two\r\n>>> "), "{output}");
    (h, id, session)
}

fn lists(h: &Harness) -> Vec<Vec<RunningCommand>> {
    let list = |event: &Event| match event {
        Event::Commands { running, .. } => Some(running.clone()),
        _ => None,
    };
    h.events.iter().filter_map(list).collect()
}

fn last_refusal(h: &Harness) -> Option<Refused> {
    h.events.iter().rev().find_map(|event| match event {
        Event::Refused { reason, .. } => Some(reason.clone()),
        _ => None,
    })
}

#[test]
fn a_terminal_is_typed_to_and_takes_ctrl_c_as_a_key() {
    let (mut h, id, session) = yielded();
    h.answer(&[typed("c2", session, "1+1\n")]);
    h.answer_tail(id, "2\r\n>>> ");
    assert!(h.output("c2").ends_with("Output:\n2\r\n>>> "));
    h.answer(&[typed("c3", session, "\u{3}")]);
    let keys: Vec<&[u8]> = h
        .told
        .iter()
        .filter_map(|kind| match kind {
            EffectKind::Stdin { spawn, bytes } if *spawn == id => Some(bytes.as_slice()),
            _ => None,
        })
        .collect();
    assert_eq!(keys, [&b"1+1\n"[..], b"\x03"]);
    assert!(!h.told.iter().any(|kind| matches!(kind, EffectKind::Signal { .. })));
}

#[test]
fn a_command_without_a_terminal_takes_only_ctrl_c() {
    let mut h = Harness::new(settings());
    h.prompt("go");
    let args = json!({ "cmd": "sleep 9", "yield_time_ms": 250 });
    h.answer(&[call("c1", "exec_command", &args)]);
    let (id, _) = h.spawns()[0].clone();
    h.reply(id, Reply::Opened);
    h.pass_ms(300);
    h.reply(id, Reply::Tail { omitted_bytes: 0, bytes: Vec::new() });
    let session = lists(&h)[0][0].id.0;
    h.answer(&[typed("c2", session, "x\n")]);
    assert!(h.output("c2").contains("tty=true"));
    h.answer(&[typed("c3", session, "\u{3}")]);
    assert!(h.told.contains(&EffectKind::Signal { spawn: id, signal: Signal::Interrupt }));
}

#[test]
fn a_terminal_outlives_interrupts_and_turns_and_is_listed() {
    let (mut h, id, session) = yielded();
    let list = lists(&h);
    assert_eq!(list.len(), 1);
    assert_eq!((list[0][0].id, list[0][0].tty), (CommandId(session), true));
    assert_eq!(list[0][0].tail, "one\ntwo\n>>> ");
    h.answer(&[typed("c2", session, "")]);
    h.interrupt();
    assert_eq!(h.outcomes(), [TurnOutcome::Interrupted]);
    assert!(!h.told.iter().any(|kind| matches!(kind, EffectKind::Signal { .. })));
    h.prompt("again");
    h.answer(&[typed("c3", session, "")]);
    h.reply(id, Reply::Exited(Exit { code: 3, ..Exit::default() }));
    assert!(h.output("c3").contains("exited with code 3"));
    assert_eq!(lists(&h).last(), Some(&Vec::new()));
}

#[test]
fn commands_are_stopped_one_or_all_and_what_does_not_go_is_killed() {
    let (mut h, id, session) = yielded();
    let thread = h.thread;
    h.op(Op::StopCommands { thread, command: Some(CommandId(1)) });
    assert_eq!(last_refusal(&h), Some(Refused::NoSuchCommand { command: CommandId(1) }));
    h.op(Op::StopCommands { thread, command: None });
    assert!(h.told.contains(&EffectKind::Signal { spawn: id, signal: Signal::Terminate }));
    h.pass_ms(1_000);
    assert!(h.told.contains(&EffectKind::Signal { spawn: id, signal: Signal::Kill }));
    h.reply(id, Reply::Exited(Exit { code: 137, ..Exit::default() }));
    h.answer(&[typed("c2", session, "")]);
    assert!(h.output("c2").contains("exited with code 137"));
}

#[test]
fn a_terminal_is_told_its_size() {
    let (mut h, id, session) = yielded();
    let (thread, command) = (h.thread, CommandId(session));
    let size = TtySize { rows: 0, columns: 120 };
    h.op(Op::ResizeCommand { thread, command, size });
    let size = TtySize { rows: 1, columns: 120 };
    assert_eq!(h.told.last(), Some(&EffectKind::Resize { spawn: id, size }));
    h.reply(id, Reply::Exited(Exit::default()));
    h.op(Op::ResizeCommand { thread, command, size });
    assert_eq!(last_refusal(&h), Some(Refused::NoSuchCommand { command }));
}

fn run(h: &mut Harness, script: &str) {
    h.op(Op::RunCommand { thread: h.thread, script: script.into() });
}

#[test]
fn the_users_own_command_runs_free_and_the_model_is_told_with_the_next_prompt() {
    let mut h = Harness::new(settings());
    run(&mut h, "git stash");
    let (id, argv) = h.spawns()[0].clone();
    assert_eq!(argv, ["/bin/bash", "-lc", "git stash"]);
    let free = h.open.iter().any(
        |effect| matches!(&effect.kind, EffectKind::Spawn(spawn) if spawn.sandbox.is_full_access()),
    );
    assert!(free && lists(&h)[0][0].by_user);
    h.pass_ms(1_500);
    h.exit(id, "saved\n", 1);
    let ended = h.events.iter().find_map(|event| match event {
        Event::ItemCompleted { item, .. } => Some(item.body.clone()),
        _ => None,
    });
    let Some(ItemBody::Command(command)) = ended else { panic!("command") };
    assert!(command.by_user);
    assert_eq!((command.command.as_str(), command.status), ("git stash", ItemStatus::Failed));
    assert!(h.rollout.is_empty() && !h.has_request());
    h.prompt("go");
    let input = h.request().1["input"].clone();
    let at = input.as_array().unwrap().len() - 2;
    assert_eq!(
        input[at]["content"][0]["text"],
        "<user_shell_command>\n<command>\ngit stash\n</command>\n<result>\nExit code: 1\nDuration: \
         1.5000 seconds\nOutput:\nsaved\n\n</result>\n</user_shell_command>"
    );
    assert_eq!(input[at + 1]["content"][0]["text"], "go");
    // It is told again as what it was.
    h.answer(&[message("ok")]);
    let there = Settings { interactive: true, ..settings() };
    let again = Harness::resume(there, h.rollout.clone());
    let told = again.events.iter().any(|event| {
        matches!(event, Event::Restored { items, .. } if matches!(&items[0].body,
            ItemBody::Command(c) if c.by_user && c.output == "saved\n"))
    });
    assert!(told);
}

#[test]
fn the_users_command_goes_beside_a_turn_and_is_told_when_it_has_ended() {
    let mut h = Harness::new(settings());
    h.prompt("one");
    run(&mut h, "sleep 9");
    let (id, _) = h.spawns()[0].clone();
    h.interrupt();
    assert!(!h.told.iter().any(|kind| matches!(kind, EffectKind::Signal { .. })));
    h.prompt("two");
    assert!(!h.request().1["input"].to_string().contains("user_shell_command"));
    h.exit(id, "", 0);
    h.prompt("three");
    h.answer(&[message("ok")]);
    assert!(h.request().1["input"].to_string().contains("user_shell_command"));
}

#[test]
fn the_model_has_no_hand_in_the_users_command() {
    let mut h = Harness::new(settings());
    run(&mut h, "sleep 9");
    let session = lists(&h)[0][0].id.0;
    h.prompt("go");
    h.answer(&[typed("c1", session, "\u{3}"), typed("c2", session, "")]);
    assert!(h.output("c1").contains("there is no command session"));
    assert!(h.output("c2").contains("there is no command session"));
    assert!(!h.told.iter().any(|kind| matches!(kind, EffectKind::Signal { .. })));
}

#[test]
fn the_users_command_has_a_time_and_ends_with_the_thread() {
    let mut h = Harness::new(settings());
    run(&mut h, "a");
    run(&mut h, "b");
    run(&mut h, " ");
    assert_eq!(last_refusal(&h), Some(Refused::EmptyPrompt));
    let ids: Vec<EffectId> = h.spawns().into_iter().map(|(id, _)| id).collect();
    let thread = h.thread;
    let command = lists(&h).last().unwrap()[0].id;
    h.op(Op::StopCommands { thread, command: Some(command) });
    assert!(h.told.contains(&EffectKind::Signal { spawn: ids[0], signal: Signal::Terminate }));
    h.exit(ids[0], "", 143);
    h.pass_ms(3_600_000);
    assert!(h.told.contains(&EffectKind::Signal { spawn: ids[1], signal: Signal::Kill }));
    h.exit(ids[1], "", 137);
    run(&mut h, "c");
    h.op(Op::StopThread { thread });
    let (id, _) = h.spawns()[0].clone();
    assert!(h.told.contains(&EffectKind::Signal { spawn: id, signal: Signal::Kill }));
    h.exit(id, "", 137);
    assert!(matches!(h.events.last(), Some(Event::ThreadStopped { .. })));
}

#[test]
fn at_most_64_commands_run() {
    let mut h = Harness::new(settings());
    for number in 0..65 {
        run(&mut h, &number.to_string());
    }
    assert_eq!(h.spawns().len(), 64);
    assert_eq!(last_refusal(&h), Some(Refused::TooManyCommands { limit: 64 }));
}
