//! Each kind of cell and the rows around the composer, as golden screens.

mod harness;

use codex_proto::{
    ApprovalId, Event, TurnError, TurnErrorCode,
    approval::{ApprovalAnswer, ApprovalReason, ApprovalRequest, ApprovalSubject},
    event::{TurnOutcome, Usage, WaitPhase},
    item::{
        CommandItem, FileChange, FileChangeItem, FileChangeKind, ItemBody, ItemStatus, PlanItem,
        PlanStep, StepStatus,
    },
};
use codex_tui::{Answer, Msg, Setup, setup::Mode};
use harness::{
    Run, agent, completed, delta, golden, golden_story, ready, started, thread, turn_ended,
    turn_started, user,
};
use serde_json::json;

fn command(status: ItemStatus, exit_code: Option<i32>, output: &str) -> ItemBody {
    ItemBody::Command(CommandItem {
        call_id: "c1".into(),
        command: "cargo test -p codex-tui --lib".into(),
        cwd: "/home/user/project".into(),
        output: output.into(),
        exit_code,
        status,
        duration_ms: 3_210,
        by_user: false,
    })
}

const MESSAGE: &str = "## Result\n\nThe *bound* is **wrong**: see [the docs](https://example.com/a) and \
`limits.rs`.\n\n1. raise it\n2. test it\n   - at the edge\n\n```rust\nconst MAX: usize = 64; // rows\n\
```\n\n| file | lines |\n|---|---|\n| a.rs | 12 |\n\n> done\n";

#[test]
fn header() {
    for (name, mode) in [("header", Mode::Inline), ("header.plain", Mode::Plain)] {
        let mut setup = Setup { mode, ..Setup::sample() };
        setup.notes.push("no key is set; `codex login --with-api-key` takes one".into());
        let mut run = Run::new(setup, 80, 24);
        let starting = run.tell();
        run.event(ready());
        golden(&format!("{name}.txt"), &format!("{starting}{}", run.tell()));
    }
}

#[test]
fn message() {
    golden_story("message", |run| {
        run.event(completed(1, user("What is wrong?\nTell me.")));
        run.event(turn_started()).event(started(2, agent("")));
        // All but the last block has left, and left once.
        run.event(delta(2, MESSAGE)).event(delta(2, "an open **paragra"));
    });
    golden_story("message.complete", |run| {
        run.event(completed(2, agent(MESSAGE)));
        run.event(turn_ended(TurnOutcome::Completed { last_message: None }));
    });
}

#[test]
fn reasoning() {
    golden_story("reasoning", |run| {
        let body = |text: &str| ItemBody::Reasoning { text: text.into(), raw: String::new() };
        run.event(completed(1, body("**Reading**\n\nThe bound is in `limits.rs`.")));
        run.event(turn_started()).event(started(2, body("")));
        run.event(delta(2, "**Comparing**\n\nThe two")).wait(12_000);
    });
}

#[test]
fn commands() {
    golden_story("command", |run| {
        run.event(turn_started());
        let long: String = (1..=40).map(|n| format!("line {n}\n")).collect();
        run.event(completed(1, command(ItemStatus::Completed, Some(0), &long)));
        run.event(completed(
            2,
            command(ItemStatus::Failed, Some(101), "\u{1b}[31merror\u{1b}[0m: no\n"),
        ));
        run.event(completed(3, command(ItemStatus::Declined, None, "")));
        run.event(started(4, command(ItemStatus::InProgress, None, "")));
        run.event(delta(4, "compiling\n 10 %\r 50 %\r100 %\n\u{202e}odd\n")).wait(7_000);
    });
}

#[test]
fn changes() {
    golden_story("change", |run| {
        let change = |path: &str, kind, diff: &str| FileChange {
            path: path.into(),
            kind,
            diff: diff.into(),
            move_path: None,
        };
        let changes = vec![
            change(
                "/home/user/project/src/limits.rs",
                FileChangeKind::Update,
                "@@ -1,3 +1,3 @@\n //! Limits.\n-const MAX: usize = 64;\n+const MAX: usize = 128;\n",
            ),
            change("/home/user/project/new.txt", FileChangeKind::Add, "one\ntwo\n"),
        ];
        let item = |status, error: Option<&str>| {
            ItemBody::FileChange(FileChangeItem {
                call_id: "c".into(),
                changes: changes.clone(),
                status,
                error: error.map(str::to_owned),
            })
        };
        run.event(completed(1, item(ItemStatus::Completed, None)));
        run.event(completed(2, item(ItemStatus::Failed, Some("src/limits.rs changed meanwhile"))));
    });
}

#[test]
fn plan_search_and_notices() {
    golden_story("plan", |run| {
        run.event(turn_started());
        let step = |step: &str, status| PlanStep { step: step.into(), status };
        let plan = PlanItem {
            explanation: Some("Smallest change first.".into()),
            steps: vec![
                step("Read the code", StepStatus::Completed),
                step("Raise the bound", StepStatus::InProgress),
                step("Test it", StepStatus::Pending),
            ],
        };
        run.event(started(1, ItemBody::Plan(plan.clone())));
        let search = ItemBody::WebSearch {
            call_id: "s".into(),
            query: "ratatui inline viewport".into(),
            action: json!({"type": "search"}),
        };
        run.event(completed(2, search));
        let message = "the project's AGENTS.md is longer than 32 kB and was cut".to_owned();
        run.event(Event::Warning { thread: None, message });
        let cause = "the list of tools changed".to_owned();
        run.event(Event::PromptCacheReset { thread: thread(), cause });
        run.event(completed(1, ItemBody::Plan(plan)));
        let error = TurnError::new(TurnErrorCode::RateLimited, "Too many requests.")
            .with_hint("wait a minute, then send the prompt again");
        run.event(turn_ended(TurnOutcome::Failed(error)));
    });
}

#[test]
fn approvals_leave_a_line() {
    golden_story("approved", |run| {
        run.event(turn_started());
        for (id, answer) in (1..).zip([
            Some(ApprovalAnswer::Once),
            Some(ApprovalAnswer::Session),
            Some(ApprovalAnswer::Deny { feedback: Some("use the cache".into()) }),
            Some(ApprovalAnswer::Abort),
            None,
        ]) {
            let id = ApprovalId(id);
            run.event(Event::ApprovalRequested(Box::new(ApprovalRequest {
                thread: thread(),
                id,
                call_id: "c".into(),
                subject: ApprovalSubject::Command {
                    command: "curl https://example.com".into(),
                    cwd: "/home/user/project".into(),
                },
                why: ApprovalReason::Escalation,
                justification: None,
                lost: vec!["reaches the network".into()],
                session_scope: Some("`curl https://example.com`".into()),
            })));
            run.event(Event::ApprovalEnded { thread: thread(), id, answer });
        }
    });
}

#[test]
fn status_and_queue() {
    golden_story("status", |run| {
        run.msg(Msg::Answer(Answer::Branch(Some("main".into()))));
        let last = Usage { input_tokens: 90_000, output_tokens: 1_200, ..Usage::default() };
        run.event(Event::UsageUpdated {
            thread: thread(),
            total: last,
            last,
            context_window: Some(272_000),
        });
        run.keys("first\n").event(turn_started()).event(completed(1, user("first")));
        let phase = Some(WaitPhase::FirstToken);
        run.event(Event::Waiting { thread: thread(), phase }).wait(12_000);
        run.keys("look at the tests too\n").keys("then write the docs<alt-enter>");
        run.keys("and");
    });
}

#[test]
fn a_script_replaces_the_status_line() {
    let mut setup = Setup { status_script: true, ..Setup::sample() };
    setup.terminal_title = Some(vec!["activity".into(), "model".into()]);
    let mut run = Run::ready(setup, 60, 24);
    run.event(turn_started());
    run.event(turn_ended(TurnOutcome::Completed { last_message: None }));
    let effects: Vec<String> =
        run.take_effects().iter().map(|effect| format!("{effect:?}")).collect();
    run.msg(Msg::Answer(Answer::StatusLine(Ok("from \u{1b}[31mthe script".into()))));
    golden("status.script.txt", &format!("{}\n{}", effects.join("\n"), run.tell()));
}

#[test]
fn a_denied_command_says_so_once() {
    let mut run = Run::ready(Setup::sample(), 80, 24);
    run.event(turn_started());
    let body = command(ItemStatus::Declined, None, "exec command rejected by user");
    run.printed.clear();
    run.event(completed(1, body));
    let printed: Vec<String> = run.printed.iter().map(codex_tui::text::Line::text).collect();
    let want = ["", "$ cargo test -p codex-tui --lib", "not run: you said no \u{b7} 3.2 s"];
    assert_eq!(printed, want);
}

#[test]
fn a_denied_patch_says_so_once() {
    let mut run = Run::ready(Setup::sample(), 80, 24);
    let change = FileChange {
        path: "/home/user/project/new.txt".into(),
        kind: FileChangeKind::Add,
        diff: "one\n".into(),
        move_path: None,
    };
    let id = ApprovalId(1);
    let request = ApprovalRequest {
        thread: thread(),
        id,
        call_id: "c".into(),
        subject: ApprovalSubject::Patch { changes: vec![change.clone()] },
        why: ApprovalReason::OutsideRoots,
        justification: None,
        lost: Vec::new(),
        session_scope: None,
    };
    run.event(turn_started()).event(Event::ApprovalRequested(Box::new(request)));
    run.printed.clear();
    let answer = Some(ApprovalAnswer::Deny { feedback: None });
    run.event(Event::ApprovalEnded { thread: thread(), id, answer });
    run.event(completed(
        1,
        ItemBody::FileChange(FileChangeItem {
            call_id: "c".into(),
            changes: vec![change],
            status: ItemStatus::Declined,
            error: Some("patch rejected by user".into()),
        }),
    ));
    let printed: Vec<String> = run.printed.iter().map(codex_tui::text::Line::text).collect();
    let want = ["", "add new.txt  +1 \u{2212}0", "+one", "not applied: you said no"];
    assert_eq!(printed, want);
}

#[test]
fn a_long_plan_keeps_its_heading_and_shows_the_step_that_is_done_now() {
    let mut run = Run::ready(Setup::sample(), 80, 24);
    run.event(turn_started());
    let status = |n| match n {
        0..20 => StepStatus::Completed,
        20 => StepStatus::InProgress,
        _ => StepStatus::Pending,
    };
    let steps = (0..40).map(|n| PlanStep { step: format!("step {n}"), status: status(n) });
    let plan = PlanItem { explanation: None, steps: steps.collect() };
    run.event(started(1, ItemBody::Plan(plan)));
    let told = run.tell();
    let screen = told.split_once("screen ").map_or("", |(_, screen)| screen);
    for words in ["|plan\n", "before\n", "[>] step 20\n", "more\n"] {
        assert!(screen.contains(words), "{words:?} in {screen}");
    }
    let blank = screen.find("|\n").unwrap_or(usize::MAX);
    assert!(blank < screen.find("|plan").unwrap_or(0), "an empty row stands above it: {screen}");
}
