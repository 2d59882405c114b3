//! Stories of threads that are configured otherwise, forked, and told again.

#![allow(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use codex_engine::Engine;
use codex_proto::{
    EffectId, EffectKind, Event, HostErrorKind, Input, Now, Op, OpId, Output, Refused, Reply,
    Settings,
    item::{ItemBody, TurnItem},
    op::Configure,
    policy::{ApprovalPolicy, SandboxPolicy},
};
use harness::{Harness, exec, message, settings};
use serde_json::Value;

fn there() -> Settings {
    Settings { interactive: true, ..settings() }
}

fn configured(h: &Harness) -> usize {
    h.events.iter().filter(|event| matches!(event, Event::Configured { .. })).count()
}

fn resets(h: &Harness) -> Vec<String> {
    let cause = |event: &Event| match event {
        Event::PromptCacheReset { cause, .. } => Some(cause.clone()),
        _ => None,
    };
    h.events.iter().filter_map(cause).collect()
}

fn configure(h: &mut Harness, change: impl FnOnce(&mut Configure)) {
    let mut configure = Configure::new(h.thread);
    change(&mut configure);
    h.op(Op::Configure(Box::new(configure)));
}

fn texts(body: &Value) -> String {
    body["input"].to_string()
}

#[test]
fn another_model_leads_from_the_next_turn_on_and_is_told_so() {
    let mut h = Harness::new(there());
    h.prompt("one");
    configure(&mut h, |c| {
        c.model = Some("gpt-5.2".into());
        c.reasoning_effort = Some(Some("high".into()));
    });
    assert_eq!(configured(&h), 1);
    h.answer(&[exec("c1", "ls")]);
    let (id, _) = h.spawns()[0].clone();
    h.exit(id, "", 0);
    let (_, body) = h.request();
    assert_eq!(body["model"], "gpt-5.5", "the running turn ends as it began");
    assert_eq!(body["reasoning"]["effort"], "medium");
    h.answer(&[message("done")]);
    assert_eq!(resets(&h), Vec::<String>::new());
    h.prompt("two");
    let (_, body) = h.request();
    assert_eq!(body["model"], "gpt-5.2");
    assert_eq!(body["reasoning"]["effort"], "high");
    assert!(texts(&body).contains("<model_switch>"));
    assert_eq!(resets(&h), ["the model changed"]);
    let rollout = String::from_utf8(h.rollout.clone()).unwrap();
    assert!(rollout.contains("\"model\":\"gpt-5.2\",\"effort\":\"high\""));
}

#[test]
fn the_effort_alone_is_no_other_model() {
    let mut h = Harness::new(there());
    h.prompt("one");
    h.answer(&[message("ok")]);
    configure(&mut h, |c| c.reasoning_effort = Some(Some("low".into())));
    h.prompt("two");
    let (_, body) = h.request();
    assert_eq!(body["reasoning"]["effort"], "low");
    assert!(!texts(&body).contains("<model_switch>"));
    assert_eq!(resets(&h), ["the reasoning effort changed"]);
    h.answer(&[message("ok")]);
    configure(&mut h, |c| c.reasoning_effort = Some(None));
    h.prompt("three");
    assert_eq!(h.request().1["reasoning"]["effort"], "medium");
}

#[test]
fn policies_count_at_once_and_the_model_is_told_with_the_next_turn() {
    let mut h = Harness::new(there());
    h.prompt("one");
    configure(&mut h, |c| {
        c.approval = Some(ApprovalPolicy::Untrusted);
        c.sandbox = Some(SandboxPolicy::read_only());
    });
    h.answer(&[exec("c1", "ls"), exec("c2", "make")]);
    assert_eq!((h.spawns().len(), h.questions().len()), (1, 1));
    let sandbox = h.open.iter().find_map(|effect| match &effect.kind {
        EffectKind::Spawn(spawn) => Some(spawn.sandbox.clone()),
        _ => None,
    });
    assert_eq!(sandbox, Some(SandboxPolicy::read_only()));
    h.interrupt();
    let (id, _) = h.spawns()[0].clone();
    h.exit(id, "", 143);
    h.prompt("two");
    let told = texts(&h.request().1);
    assert!(told.contains("Sandbox: `read-only`") && told.contains("Approval policy: `untrusted`"));
}

#[test]
fn a_thread_is_configured_alone() {
    let mut h = Harness::new(there());
    let first = h.thread;
    configure(&mut h, |c| c.model = Some("gpt-5.2".into()));
    h.events.clear();
    h.op(Op::StartThread);
    assert_eq!(h.ready().model, "gpt-5.5");
    h.thread = first;
    h.prompt("hi");
    assert_eq!(h.request().1["model"], "gpt-5.2");
    let nobody = "00000000-0000-7000-8000-000000000000".parse().unwrap();
    h.op(Op::Configure(Box::new(Configure::new(nobody))));
    assert!(matches!(
        h.events.last(),
        Some(Event::Refused { reason: Refused::UnknownThread { .. }, .. })
    ));
}

/// The rollout of a thread with three prompts, the last of which steered.
fn past() -> (Harness, Vec<u8>) {
    let mut h = Harness::new(there());
    h.prompt("one");
    h.answer(&[message("1")]);
    h.prompt("two");
    h.prompt("three");
    h.answer(&[exec("c1", "ls")]);
    let (id, _) = h.spawns()[0].clone();
    h.exit(id, "x\n", 0);
    h.answer(&[message("3")]);
    let rollout = h.rollout.clone();
    (h, rollout)
}

fn fork(rollout: &[u8], prompts_kept: Option<u32>) -> Harness {
    let mut h = Harness::bare(there());
    // Every harness has the same seed, so that ids differ by time alone.
    h.now.wall.0 += 60_000;
    let path = PathBuf::from("/parent.jsonl");
    h.files.insert(path.clone(), rollout.to_vec());
    h.op(Op::ForkThread { path, prompts_kept });
    h.thread = h.ready().thread;
    h
}

fn prompts(body: &Value) -> Vec<String> {
    let said = body["input"].as_array().unwrap().iter().filter(|item| item["role"] == "user");
    let texts = said.filter_map(|item| item["content"][0]["text"].as_str());
    texts.filter(|text| !text.starts_with('<')).map(str::to_owned).collect()
}

#[test]
fn a_fork_keeps_the_first_prompts_with_what_followed() {
    let (parent, rollout) = past();
    let all = ["one", "two", "three"];
    for (kept, want) in
        [(Some(0), 0), (Some(1), 1), (Some(2), 2), (Some(3), 3), (Some(9), 3), (None, 3)]
    {
        let mut h = fork(&rollout, kept);
        let ready = h.ready();
        assert_ne!(ready.thread, parent.thread);
        assert_eq!(ready.forked_from, Some(parent.thread));
        assert!(!ready.resumed);
        assert_ne!(ready.rollout.as_deref(), Some(Path::new("/parent.jsonl")));
        h.prompt("new");
        let (_, body) = h.request();
        let mut said: Vec<&str> = all[..want].to_vec();
        said.push("new");
        assert_eq!(prompts(&body), said, "{kept:?}");
        // The context is told once, whether it is the parent's or our own.
        assert_eq!(texts(&body).matches("<permissions instructions>").count(), 1, "{kept:?}");
        h.answer(&[message("ok")]);
        // The file says where it comes from, and resumes as what it is.
        let text = String::from_utf8(h.rollout.clone()).unwrap();
        let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(first["payload"]["id"], h.thread.to_string());
        assert_eq!(first["payload"]["forked_from_id"], parent.thread.to_string());
        let mut again = Harness::resume(there(), h.rollout.clone());
        assert_eq!(again.thread, h.thread);
        again.prompt("more");
        said.push("more");
        assert_eq!(prompts(&again.request().1), said);
    }
}

#[test]
fn what_is_no_rollout_is_not_forked() {
    let mut h = Harness::bare(there());
    let path = PathBuf::from("/nothing.jsonl");
    h.op(Op::ForkThread { path: path.clone(), prompts_kept: None });
    assert!(matches!(
        h.events.last(),
        Some(Event::Refused { reason: Refused::Rollout { path: of, .. }, .. }) if *of == path
    ));
}

fn restored(h: &Harness) -> Option<Vec<TurnItem>> {
    h.events.iter().find_map(|event| match event {
        Event::Restored { items, .. } => Some(items.clone()),
        _ => None,
    })
}

#[test]
fn a_copy_of_a_rollout_is_not_resumed_beside_it_but_after_it() {
    let (_, rollout) = past();
    let mut h = Harness::resume(there(), rollout.clone());
    let path = PathBuf::from("/copy.jsonl");
    h.files.insert(path.clone(), rollout);
    h.op(Op::ResumeThread { path: path.clone() });
    let Some(Event::Refused { reason: Refused::Rollout { why, .. }, .. }) = h.events.last() else {
        panic!("{:?}", h.events.last())
    };
    assert!(why.contains("is open already"), "{why}");
    h.op(Op::StopThread { thread: h.thread });
    h.op(Op::ResumeThread { path });
    let ready = h.events.iter().filter(|event| matches!(event, Event::ThreadReady(_)));
    assert_eq!(ready.count(), 2);
}

#[test]
fn a_turn_without_an_end_is_told_of_where_somebody_is() {
    let cut_off = |settings: Settings, rollout: &[u8]| {
        let h = Harness::resume(settings, rollout.to_vec());
        h.warnings().iter().any(|warning| warning.starts_with("the last turn was cut off"))
    };
    let (mut h, whole) = past();
    h.prompt("four");
    h.answer(&[message("before the kill"), exec("c2", "make")]);
    assert!(!cut_off(there(), &whole));
    assert!(cut_off(there(), &h.rollout));
    assert!(!cut_off(settings(), &h.rollout));
    h.interrupt();
    let (id, _) = h.spawns()[0].clone();
    h.exit(id, "", 143);
    assert!(!cut_off(there(), &h.rollout), "{}", String::from_utf8_lossy(&h.rollout));
}

#[test]
fn a_past_is_told_again_where_somebody_is() {
    let (_, rollout) = past();
    let mut h = Harness::resume(there(), rollout.clone());
    let items = restored(&h).unwrap();
    let kinds: Vec<&str> = items
        .iter()
        .map(|item| match &item.body {
            ItemBody::UserMessage { text } => text.as_str(),
            ItemBody::AgentMessage { text } => text.as_str(),
            ItemBody::Command(command) => command.output.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["one", "1", "two", "x\n", "three", "3"]);
    // How full the window is, is known before the first new turn.
    let usage = |h: &Harness| {
        h.events.iter().find_map(|event| match event {
            Event::UsageUpdated { last, context_window, .. } => Some((*last, *context_window)),
            _ => None,
        })
    };
    let (last, window) = usage(&h).unwrap();
    assert!(last.input_tokens > 0 && window.is_some(), "{last:?} {window:?}");
    // Later items have later ids.
    h.prompt("four");
    let next = h.events.iter().find_map(|event| match event {
        Event::ItemStarted { item, .. } => Some(item.id),
        _ => None,
    });
    assert_eq!(next, Some(6));
    let fork = fork(&rollout, Some(1));
    assert_eq!(restored(&fork).unwrap().len(), 2);
    let alone = Harness::resume(settings(), rollout);
    assert_eq!((restored(&alone), usage(&alone)), (None, None));
}

#[test]
fn a_rollout_that_another_process_has_is_not_resumed_but_can_be_forked() {
    let (_, rollout) = past();
    let mut h = Harness::bare(there());
    let path = PathBuf::from("/rollout.jsonl");
    h.files.insert(path.clone(), rollout.clone());
    h.append_fails = Some(HostErrorKind::InUse);
    h.op(Op::ResumeThread { path: path.clone() });
    let [Event::Refused { reason: Refused::InUse { path: of, why }, .. }] = &h.events[..] else {
        panic!("{:?}", h.events)
    };
    assert_eq!((of, why.as_str()), (&path, "no space left"));
    assert_eq!(h.engine.inflight(), 0);
    h.append_fails = None;
    h.op(Op::ForkThread { path, prompts_kept: None });
    assert!(h.ready().forked_from.is_some());
}

#[test]
fn nothing_is_written_to_a_rollout_that_was_taken_meanwhile() {
    let (_, rollout) = past();
    let mut h = Harness::resume(there(), rollout.clone());
    h.append_fails = Some(HostErrorKind::InUse);
    h.prompt("four");
    h.append_fails = None;
    h.answer(&[message("4")]);
    assert_eq!(h.rollout, rollout);
    let warned = |event: &&Event| matches!(event, Event::Warning { message, .. } if message.contains("nothing more"));
    assert_eq!(h.events.iter().filter(warned).count(), 1);
    // It goes on here all the same, and so is not begun a second time.
    let path = h.ready().rollout.unwrap();
    h.op(Op::ResumeThread { path });
    assert!(matches!(h.events.last(), Some(Event::Refused { .. })), "{:?}", h.events.last());
}

#[test]
fn a_rollout_is_claimed_before_it_is_read_and_let_go_of_at_the_end() {
    let (_, rollout) = past();
    let path = PathBuf::from("/rollout.jsonl");
    let mut engine = Engine::new(Arc::new(there()), [1; 16]);
    let files = |engine: &mut Engine, input| {
        let mut files = Vec::new();
        for output in engine.handle(Now::default(), input) {
            if let Output::Effect(effect) = output
                && ["append", "read", "release"].contains(&effect.kind.name())
            {
                files.push((effect.id, effect.kind));
            }
        }
        files
    };
    let begun = files(&mut engine, Input::Op(OpId(1), Op::ResumeThread { path: path.clone() }));
    let [(claim, EffectKind::Append(append))] = &begun[..] else { panic!("{begun:?}") };
    assert!(append.bytes.is_empty() && append.path == path);
    let then = files(&mut engine, Input::Reply(*claim, Reply::Closed));
    let [(read, EffectKind::Read { .. })] = &then[..] else { panic!("{then:?}") };
    // A file that is no rollout begins nothing, and others may have it.
    let end = files(&mut engine, Input::Reply(*read, Reply::Closed));
    let given_up = |(_, kind): &(EffectId, EffectKind)| match kind {
        EffectKind::Release { thread, path: of } => *thread == append.thread && *of == path,
        _ => false,
    };
    assert!(end.iter().any(given_up), "{end:?}");

    let mut h = Harness::resume(there(), rollout);
    h.op(Op::StopThread { thread: h.thread });
    assert_eq!(h.released, [(h.thread, path)]);
    let mut new = Harness::new(there());
    new.op(Op::StopThread { thread: new.thread });
    assert_eq!(new.released, [], "nothing was written");
}

#[test]
fn a_resumed_thread_that_cannot_be_written_says_so_at_once_and_only_once() {
    let (_, rollout) = past();
    let warnings = |h: &Harness| {
        let warned = |event: &&Event| matches!(event, Event::Warning { message, .. } if message.contains("cannot be saved"));
        h.events.iter().filter(warned).count()
    };
    let mut h = Harness::bare(there());
    let path = PathBuf::from("/rollout.jsonl");
    h.files.insert(path.clone(), rollout.clone());
    h.append_fails = Some(HostErrorKind::Other);
    h.op(Op::ResumeThread { path });
    h.thread = h.ready().thread;
    assert_eq!(warnings(&h), 1, "{:?}", h.events);
    h.prompt("four");
    assert_eq!((warnings(&h), h.rollout.len()), (1, 0));
    // What was said meanwhile is written once that is possible, as ever.
    h.append_fails = None;
    h.answer(&[message("4")]);
    assert!(String::from_utf8(h.rollout.clone()).unwrap().contains("four"));
    let good = Harness::resume(there(), rollout.clone());
    assert_eq!((warnings(&good), &good.rollout), (0, &rollout), "asking writes nothing");
}
