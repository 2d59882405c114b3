//! Stories of questions and answers.

#![allow(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::path::Path;

use codex_proto::{
    EffectKind, Event, Op, Refused, Reply, Settings,
    approval::{ApprovalAnswer, ApprovalReason, ApprovalSubject},
    event::{TurnOutcome, WaitPhase},
    item::{ItemBody, ItemStatus},
    policy::{ApprovalPolicy, SandboxPolicy},
};
use harness::{Harness, call, completed, done, exec, message, patch, settings};
use serde_json::{Value, json};

fn asking(approval: ApprovalPolicy) -> Settings {
    Settings { approval, interactive: true, ..settings() }
}

fn escalated(call_id: &str, cmd: &str) -> Value {
    let args = json!({ "cmd": cmd, "sandbox_permissions": "require_escalated",
                       "justification": "needs the network" });
    call(call_id, "exec_command", &args)
}

fn began(approval: ApprovalPolicy, calls: &[Value]) -> Harness {
    let mut h = Harness::new(asking(approval));
    h.prompt("go");
    h.answer(calls);
    h
}

fn sandbox_of(h: &Harness) -> SandboxPolicy {
    let spawn = h.open.iter().rev().find_map(|effect| match &effect.kind {
        EffectKind::Spawn(spawn) => Some(spawn.sandbox.clone()),
        _ => None,
    });
    spawn.expect("a command runs")
}

fn endings(h: &Harness) -> Vec<Option<ApprovalAnswer>> {
    let answer = |event: &Event| match event {
        Event::ApprovalEnded { answer, .. } => Some(answer.clone()),
        _ => None,
    };
    h.events.iter().filter_map(answer).collect()
}

fn refusals(h: &Harness) -> Vec<Refused> {
    let reason = |event: &Event| match event {
        Event::Refused { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    h.events.iter().filter_map(reason).collect()
}

#[test]
fn an_escalation_is_asked_about_and_says_what_is_lost() {
    // A command that is known to be safe is no exception.
    let mut h = began(ApprovalPolicy::OnRequest, &[escalated("c1", "cat /etc/hosts")]);
    let question = h.questions()[0].clone();
    assert_eq!(question.why, ApprovalReason::Escalation);
    assert_eq!(question.justification.as_deref(), Some("needs the network"));
    assert_eq!(
        question.subject,
        ApprovalSubject::Command { command: "cat /etc/hosts".into(), cwd: "/w".into() }
    );
    assert_eq!(question.lost.len(), 3, "{:?}", question.lost);
    assert!(h.spawns().is_empty() && !h.has_request());
    assert_eq!(h.engine.deadline().map(|(_, why)| why), None, "people take their time");
    h.approve(ApprovalAnswer::Once);
    assert!(sandbox_of(&h).is_full_access());
    let (id, _) = h.spawns()[0].clone();
    h.exit(id, "ok\n", 0);
    assert!(h.output("c1").ends_with("ok\n"));
}

#[test]
fn a_yes_within_the_sandbox_runs_within_the_sandbox() {
    let mut h = began(ApprovalPolicy::Untrusted, &[exec("c1", "make")]);
    assert_eq!(h.questions()[0].why, ApprovalReason::Untrusted);
    assert!(h.questions()[0].lost.is_empty());
    h.approve(ApprovalAnswer::Once);
    assert_eq!(sandbox_of(&h), SandboxPolicy::workspace_write("/w".into()));
    let known = began(ApprovalPolicy::Untrusted, &[exec("c1", "ls | head")]);
    assert_eq!(known.spawns().len(), 1);
}

#[test]
fn a_no_reaches_the_model_with_what_the_user_says() {
    let mut h = began(ApprovalPolicy::Untrusted, &[exec("c1", "make"), exec("c2", "make x")]);
    assert_eq!(h.questions().len(), 2);
    h.approve(ApprovalAnswer::Deny { feedback: Some(" use ninja ".into()) });
    h.approve(ApprovalAnswer::Deny { feedback: None });
    assert_eq!(h.output("c1"), "exec command rejected by user\nThe user says: use ninja");
    assert_eq!(h.output("c2"), "exec command rejected by user");
    let declined = h.events.iter().filter(|event| {
        matches!(event, Event::ItemCompleted { item, .. }
            if matches!(&item.body, ItemBody::Command(c) if c.status == ItemStatus::Declined))
    });
    assert_eq!(declined.count(), 2);
    h.answer(&[message("ok")]);
    assert_eq!(h.outcomes(), [TurnOutcome::Completed { last_message: Some("ok".into()) }]);
}

#[test]
fn a_yes_for_the_session_is_not_asked_again_and_covers_its_equals() {
    let calls = [exec("c1", "make"), exec("c2", "'make'"), exec("c3", "make x")];
    let mut h = began(ApprovalPolicy::Untrusted, &calls);
    assert_eq!(h.questions().len(), 3);
    h.approve(ApprovalAnswer::Session);
    assert_eq!(h.spawns().len(), 2, "the same command in other quotes runs, too");
    assert_eq!(h.questions().len(), 1);
    h.approve(ApprovalAnswer::Once);
    for (id, _) in h.spawns() {
        h.exit(id, "", 0);
    }
    h.answer(&[exec("c4", "make"), exec("c5", "make x")]);
    assert_eq!((h.spawns().len(), h.questions().len()), (1, 1));
}

#[test]
fn an_abort_ends_the_turn() {
    let calls = [exec("c1", "make"), exec("c2", "make x"), exec("c3", "ls")];
    let mut h = began(ApprovalPolicy::Untrusted, &calls);
    h.approve(ApprovalAnswer::Abort);
    assert_eq!(endings(&h), [Some(ApprovalAnswer::Abort), None]);
    let (id, _) = h.spawns()[0].clone();
    h.exit(id, "", 143);
    assert_eq!(h.outcomes(), [TurnOutcome::Interrupted]);
    h.prompt("again");
    assert_eq!(h.output("c1"), "exec command rejected by user");
    assert!(h.output("c2").starts_with("aborted by user after"));
}

#[test]
fn an_interrupt_ends_the_question_and_a_late_answer_is_refused() {
    let mut h = began(ApprovalPolicy::Untrusted, &[exec("c1", "make")]);
    let id = h.questions()[0].id;
    h.interrupt();
    assert_eq!(endings(&h), [None]);
    assert_eq!(h.outcomes(), [TurnOutcome::Interrupted]);
    h.op(Op::Approve { thread: h.thread, id, answer: ApprovalAnswer::Once });
    assert_eq!(refusals(&h), [Refused::NoSuchApproval]);
    assert!(h.spawns().is_empty());
}

#[test]
fn an_answer_counts_once() {
    let mut h = began(ApprovalPolicy::Untrusted, &[exec("c1", "make")]);
    let id = h.questions()[0].id;
    for answer in [ApprovalAnswer::Deny { feedback: None }, ApprovalAnswer::Once] {
        h.op(Op::Approve { thread: h.thread, id, answer });
    }
    assert!(h.spawns().is_empty());
    assert_eq!(refusals(&h), [Refused::NoSuchApproval]);
}

#[test]
fn a_stop_ends_the_question() {
    let mut h = began(ApprovalPolicy::Untrusted, &[exec("c1", "make")]);
    h.op(Op::StopThread { thread: h.thread });
    assert_eq!(endings(&h), [None]);
    assert!(matches!(h.events.last(), Some(Event::ThreadStopped { .. })));
}

#[test]
fn what_the_sandbox_stopped_is_asked_about_with_its_own_question() {
    let mut h = began(ApprovalPolicy::OnFailure, &[exec("c1", "touch /etc/x")]);
    let (id, _) = h.spawns()[0].clone();
    h.exit(id, "touch: Read-only file system\n", 1);
    let question = h.questions()[0].clone();
    assert_eq!(question.why, ApprovalReason::Failed);
    assert_eq!(question.session_scope, None);
    assert_eq!(question.lost.len(), 3);
    h.approve(ApprovalAnswer::Once);
    assert!(sandbox_of(&h).is_full_access());
    let (id, _) = h.spawns()[0].clone();
    // What fails outside is not run a third time.
    h.exit(id, "touch: Permission denied\n", 1);
    assert!(h.questions().is_empty());
    assert!(h.output("c1").ends_with("touch: Permission denied\n"));
}

#[test]
fn a_session_that_the_sandbox_stopped_while_it_was_polled_is_answered_and_not_asked_about() {
    let mut h = began(ApprovalPolicy::OnFailure, &[exec("c1", "make install")]);
    let (id, _) = h.spawns()[0].clone();
    h.reply(id, Reply::Opened);
    h.pass_ms(10_000);
    h.reply(id, Reply::Tail { omitted_bytes: 0, bytes: Vec::new() });
    let output = h.output("c1");
    let session = output.split("session ID ").nth(1).unwrap().lines().next().unwrap();
    let args = json!({ "session_id": session.parse::<u32>().unwrap() });
    h.answer(&[call("c2", "write_stdin", &args)]);
    h.exit(id, "install: Permission denied\n", 1);
    assert!(h.questions().is_empty());
    assert!(h.output("c2").ends_with("install: Permission denied\n"), "{}", h.output("c2"));
}

#[test]
fn a_yes_to_the_command_is_no_yes_to_running_it_without_the_sandbox() {
    let mut h = began(ApprovalPolicy::Untrusted, &[exec("c1", "touch /etc/x")]);
    h.approve(ApprovalAnswer::Session);
    let (id, _) = h.spawns()[0].clone();
    h.exit(id, "touch: Read-only file system\n", 1);
    assert_eq!(h.questions()[0].why, ApprovalReason::Failed);
    h.approve(ApprovalAnswer::Deny { feedback: Some("leave it".into()) });
    assert_eq!(h.spawns().len(), 0);
    let output = h.output("c1");
    assert!(output.contains("exited with code 1"), "{output}");
    assert!(output.ends_with(
        "Read-only file system\n\nThe user did not allow running it again without the \
         sandbox.\nThe user says: leave it"
    ));
}

#[test]
fn a_denial_on_request_goes_to_the_model() {
    let mut h = began(ApprovalPolicy::OnRequest, &[exec("c1", "touch /etc/x")]);
    let (id, _) = h.spawns()[0].clone();
    h.exit(id, "touch: Read-only file system\n", 1);
    assert!(h.questions().is_empty());
    assert!(h.output("c1").contains("Read-only"));
}

const OUTSIDE: &str =
    "*** Begin Patch\n*** Add File: /etc/x\n+no\n*** Add File: n\n+n\n*** End Patch";

#[test]
fn a_patch_outside_is_asked_about_and_may_write_there_and_nowhere_else() {
    let mut h = began(ApprovalPolicy::OnFailure, &[patch("c1", OUTSIDE)]);
    let question = h.questions()[0].clone();
    assert_eq!(question.why, ApprovalReason::OutsideRoots);
    assert_eq!(question.lost, ["writes /etc/x"]);
    let ApprovalSubject::Patch { changes } = &question.subject else { panic!("patch") };
    assert_eq!(changes.len(), 2);
    assert!(!h.open.iter().any(|effect| matches!(effect.kind, EffectKind::Patch(_))));
    h.approve(ApprovalAnswer::Once);
    let found = h.open.iter().find_map(|effect| match &effect.kind {
        EffectKind::Patch(patch) => Some((effect.id, patch.sandbox.writable_roots.clone())),
        _ => None,
    });
    let (id, roots) = found.unwrap();
    assert_eq!(roots, [Path::new("/w"), Path::new("/etc")]);
    h.reply(id, Reply::Closed);
    assert!(h.output("c1").starts_with("Exit code: 0"));
    let rollout = String::from_utf8(h.rollout.clone()).unwrap();
    assert!(rollout.contains("\"auto_approved\":false"));
}

#[test]
fn a_patch_that_is_denied_changes_nothing() {
    let mut h = began(ApprovalPolicy::Untrusted, &[patch("c1", OUTSIDE)]);
    h.approve(ApprovalAnswer::Deny { feedback: Some("not there".into()) });
    assert_eq!(h.output("c1"), "patch rejected by user\nThe user says: not there");
    let rollout = String::from_utf8(h.rollout.clone()).unwrap();
    assert!(!rollout.contains("patch_apply_begin"));
}

#[test]
fn nobody_is_asked_where_nobody_is() {
    for approval in [ApprovalPolicy::OnRequest, ApprovalPolicy::Untrusted] {
        let mut h = Harness::new(Settings { approval, ..settings() });
        h.prompt("go");
        h.answer(&[escalated("c1", "ls"), patch("c2", OUTSIDE)]);
        assert!(h.questions().is_empty() && h.spawns().is_empty());
        assert!(h.output("c1").starts_with("refused: escalation_not_allowed"));
        assert!(h.output("c2").starts_with("patch rejected: outside_workspace"));
    }
}

#[test]
fn people_see_that_their_answer_is_waited_for() {
    let mut h = Harness::new(asking(ApprovalPolicy::Untrusted));
    h.prompt("go");
    h.stream(&[done(&exec("c1", "make"))]);
    let phases = |h: &Harness| -> Vec<Option<WaitPhase>> {
        let phase = |event: &Event| match event {
            Event::Waiting { phase, .. } => Some(*phase),
            _ => None,
        };
        h.events.iter().filter_map(phase).collect()
    };
    assert!(!phases(&h).contains(&Some(WaitPhase::Approval)), "the model is still speaking");
    let (request, _) = h.request();
    h.events_to(request, &[completed()]);
    h.reply(request, Reply::Closed);
    assert_eq!(phases(&h).last(), Some(&Some(WaitPhase::Approval)));
    h.approve(ApprovalAnswer::Once);
    assert_eq!(phases(&h).last(), Some(&None));
}

#[test]
fn a_terminal_says_that_typing_is_not_asked_about() {
    let terminal = call("c1", "exec_command", &json!({ "cmd": "bash", "tty": true }));
    let h = began(ApprovalPolicy::Untrusted, std::slice::from_ref(&terminal));
    assert_eq!(h.questions()[0].lost, ["takes what is typed into it later without asking again"]);
    let h = began(ApprovalPolicy::OnRequest, &[terminal]);
    assert_eq!(h.spawns().len(), 1);
}
