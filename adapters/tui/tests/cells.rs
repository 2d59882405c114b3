//! Each kind of cell and the rows around the composer, as golden screens.

mod harness;

use codex_proto::{
    ApprovalId, CommandId, Event, TurnError, TurnErrorCode,
    approval::{ApprovalAnswer, ApprovalReason, ApprovalRequest, ApprovalSubject},
    event::{RunningCommand, TurnOutcome, Usage, WaitPhase},
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
    let mut told = String::new();
    for width in [40, 60, 80] {
        let mut setup = Setup::sample();
        setup.sandbox_tier = "namespaces, Landlock, seccomp".into();
        setup.trustable = Some("/home/user/project".into());
        setup.notes.push("no key is set; `codex login --with-api-key` takes one".into());
        let mut run = Run::new(setup, width, 24);
        run.event(ready());
        told.push_str(&format!("== {width} columns\n{}", run.tell()));
    }
    golden("header.narrow.txt", &told);
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

    let told = "exec command rejected by user\nThe user says: use the cache";
    run.printed.clear();
    run.event(completed(2, command(ItemStatus::Declined, None, told)));
    let end = "not run: you said no: use the cache \u{b7} 3.2 s";
    assert_eq!(texts(&run), ["", "$ cargo test -p codex-tui --lib", end]);
}

/// What was printed.
fn texts(run: &Run) -> Vec<String> {
    run.printed.iter().map(codex_tui::text::Line::text).collect()
}

#[test]
fn the_end_of_a_turn_stands_behind_the_command_that_it_stopped() {
    for is_next_begun in [false, true] {
        let mut run = Run::ready(Setup::sample(), 80, 24);
        run.event(turn_started());
        run.event(started(1, command(ItemStatus::InProgress, None, "")));
        run.printed.clear();
        run.event(turn_ended(TurnOutcome::Interrupted));
        assert_eq!(texts(&run), [""; 0], "the command has not ended");
        if is_next_begun {
            run.event(turn_started());
        }
        run.event(completed(1, command(ItemStatus::Failed, Some(143), "")));
        let texts = texts(&run);
        let place = |words: &str| texts.iter().position(|text| text.starts_with(words)).unwrap();
        let (command, end) = (place("$ cargo test"), place("stopped"));
        // A turn that follows is not told before the one that was stopped has ended.
        assert_eq!(command > end, is_next_begun, "{texts:?}");
        assert_eq!(texts.iter().filter(|text| text.starts_with("stopped")).count(), 1);
    }
}

#[test]
fn a_command_that_goes_on_in_the_background_is_told_once() {
    let mut run = Run::ready(Setup::sample(), 80, 24);
    run.event(turn_started());
    run.event(started(1, command(ItemStatus::InProgress, None, "")));
    let running = |by_user| {
        vec![RunningCommand {
            id: CommandId(1_000),
            item: 1,
            command: "cargo test -p codex-tui --lib".into(),
            tty: true,
            by_user,
            running_ms: 1_000,
            tail: String::new(),
        }]
    };
    run.printed.clear();
    run.event(Event::Commands { thread: thread(), running: running(true) });
    assert_eq!(texts(&run), [""; 0], "one of the user's own is not news");
    for _ in 0..2 {
        run.event(Event::Commands { thread: thread(), running: running(false) });
    }
    let head = "$ cargo test -p codex-tui --lib";
    assert_eq!(texts(&run), ["", head, "goes on in the background \u{b7} /ps shows it"]);
    run.printed.clear();
    run.event(turn_ended(TurnOutcome::Completed { last_message: None }));
    assert_eq!(texts(&run).len(), 1, "the turn does not wait for it");
    run.printed.clear();
    run.event(completed(1, command(ItemStatus::Completed, Some(0), "ok\n")));
    assert_eq!(texts(&run), ["", head, "ok", "3.2 s"]);
}

#[test]
fn an_answer_that_comes_is_not_waited_for() {
    let mut run = Run::ready(Setup::sample(), 80, 24);
    run.event(turn_started());
    let phase = Some(WaitPhase::Stream);
    run.event(Event::Waiting { thread: thread(), phase }).event(started(1, agent("")));
    let row = |run: &mut Run| {
        let (buffer, _) = run.draw();
        let rows = buffer.content.chunks(usize::from(buffer.area.width));
        let mut rows =
            rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>());
        rows.find(|row| row.contains("Esc stops")).unwrap_or_default()
    };
    for _ in 0..4 {
        run.wait(2_000).event(delta(1, "word "));
        assert!(row(&mut run).contains("answering"), "{}", row(&mut run));
    }
    run.wait(5_000);
    assert!(row(&mut run).contains("waiting for more 5 s"), "{}", row(&mut run));
}

#[test]
fn a_network_that_is_away_is_told_with_its_time_through_all_tries() {
    let mut run = Run::ready(Setup::sample(), 80, 24);
    run.event(turn_started());
    let shown = |run: &mut Run| {
        let (buffer, _) = run.draw();
        buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect::<String>()
    };
    let waiting = |phase| Event::Waiting { thread: thread(), phase: Some(phase) };
    for attempt in 1..=4 {
        let cause = TurnError::new(TurnErrorCode::ConnectionFailed, "no route to the server");
        let (thread, attempts_max) = (thread(), None);
        run.event(Event::Retrying { thread, attempt, attempts_max, delay_ms: 5_000, cause });
        run.event(waiting(WaitPhase::Retry)).wait(4_000);
        let seconds = attempt * 5 - 1;
        let text = format!("no network for {seconds} s, next try in 1 s \u{b7} Esc stops");
        assert!(shown(&mut run).contains(&text), "{}", shown(&mut run));
        run.wait(1_000).event(waiting(WaitPhase::Connect));
        let text = format!("no network for {} s, trying", attempt * 5);
        assert!(shown(&mut run).contains(&text), "{}", shown(&mut run));
    }
    run.event(waiting(WaitPhase::FirstToken));
    assert!(!shown(&mut run).contains("no network"), "{}", shown(&mut run));
    assert!(shown(&mut run).contains("waiting for first token"), "{}", shown(&mut run));
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
    let want = ["", "add new.txt  +1", "+one", "not applied: you said no"];
    assert_eq!(printed, want);
}

#[test]
fn a_file_that_only_moves_and_a_large_one_are_told_in_short() {
    let mut run = Run::ready(Setup::sample(), 80, 24);
    run.printed.clear();
    let moved = FileChange {
        path: "/home/u/project/a.rs".into(),
        kind: FileChangeKind::Update,
        diff: String::new(),
        move_path: Some("/home/u/project/b.rs".into()),
    };
    let large = FileChange {
        path: "/home/u/project/large.txt".into(),
        kind: FileChangeKind::Add,
        diff: "line\n".repeat(10_000),
        move_path: None,
    };
    run.event(completed(
        1,
        ItemBody::FileChange(FileChangeItem {
            call_id: "c".into(),
            changes: vec![moved, large],
            status: ItemStatus::Completed,
            error: None,
        }),
    ));
    let printed: Vec<String> = run.printed.iter().map(codex_tui::text::Line::text).collect();
    assert_eq!(printed.len(), 204);
    assert!(printed[1].starts_with("moved ") && printed[1].ends_with("b.rs"), "{}", printed[1]);
    assert!(printed[2].ends_with("large.txt  +10,000"), "{}", printed[2]);
    assert_eq!(printed[203], "\u{2026} 9,800 more lines; /diff shows all");
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

/// The engine holds back that thinking is complete until the message behind it is, too.
#[test]
fn what_was_thought_leaves_before_the_message_behind_it_and_once() {
    let thought = ItemBody::Reasoning { text: "the thought".into(), raw: String::new() };
    for mode in [Mode::Inline, Mode::Plain] {
        for is_broken in [false, true] {
            let mut run = Run::ready(Setup { mode, ..Setup::sample() }, 80, 24);
            run.printed.clear();
            run.event(turn_started()).event(started(1, thought.clone()));
            run.event(started(2, agent(""))).event(delta(2, "first line\n\nsecond"));
            if is_broken {
                for item in [2, 1] {
                    run.event(Event::ItemDropped { thread: thread(), item });
                }
            } else {
                let (drawn, _) = run.draw();
                let drawn: String =
                    drawn.content.iter().map(ratatui::buffer::Cell::symbol).collect();
                assert!(!drawn.contains("the thought"), "it is drawn again: {drawn}");
                run.event(completed(1, thought.clone()));
                run.event(completed(2, agent("first line\n\nsecond")));
            }
            let lines = texts(&run);
            let end: &[&str] =
                if is_broken { &["", "the answer above was cut off"] } else { &["", "second"] };
            let told = lines.iter().position(|line| line == "the thought");
            let told = told.unwrap_or_else(|| panic!("{mode:?}: {lines:?}"));
            let want = [&["the thought", "", "first line"][..], end].concat();
            assert_eq!(lines[told..], want, "{mode:?}, broken: {is_broken}");
        }
    }
}
