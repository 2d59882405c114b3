use codex_proto::{OpId, TurnError, TurnErrorCode, item::PlanStep, policy::ApprovalPolicy};

use super::*;

const ID: &str = "01a201e6-d732-7201-96ed-0da22c2c800b";

fn human() -> Human {
    Human::new(HumanOptions {
        paint: Paint::plain(),
        version: "1.2.3".into(),
        key: Some("OPENAI_API_KEY".into()),
        hide_reasoning: false,
        raw_reasoning: false,
    })
}

fn completed(id: u32, body: ItemBody) -> Event {
    Event::ItemCompleted { thread: ID.parse().unwrap(), item: TurnItem { id, body } }
}

fn started(id: u32, body: ItemBody) -> Event {
    Event::ItemStarted { thread: ID.parse().unwrap(), item: TurnItem { id, body } }
}

fn ended(outcome: TurnOutcome, usage: Usage) -> Event {
    let (thread, turn) = (ID.parse().unwrap(), ID.parse().unwrap());
    Event::TurnEnded { thread, turn, outcome, usage, duration_ms: 1 }
}

fn check(events: &[Event], want: &str) {
    let (mut human, mut out) = (human(), String::new());
    events.iter().for_each(|event| human.on(event, &mut out));
    assert_eq!(out, want);
}

fn command(status: ItemStatus, exit_code: Option<i32>, output: &str) -> ItemBody {
    ItemBody::Command(CommandItem {
        call_id: "c".into(),
        command: "/bin/bash -lc 'cargo test'".into(),
        cwd: "/w".into(),
        output: output.into(),
        exit_code,
        status,
        duration_ms: 12,
        by_user: false,
    })
}

#[test]
fn the_header_names_what_a_run_may_touch() {
    let mut sandbox = SandboxPolicy::workspace_write("/w".into());
    sandbox.writable_roots.push("/more".into());
    sandbox.network = true;
    let ready = Event::ThreadReady(Box::new(ThreadReady {
        thread: ID.parse().unwrap(),
        op: OpId(1),
        resumed: false,
        forked_from: None,
        model: "m".into(),
        provider: "p".into(),
        cwd: "/w".into(),
        approval: ApprovalPolicy::Never,
        sandbox,
        reasoning_effort: Some("high".into()),
        reasoning_summary: None,
        rollout: None,
        usage: Usage::default(),
    }));
    check(
        &[ready, completed(0, ItemBody::UserMessage { text: "fix it".into() })],
        "codex v1.2.3\n--------\nworkdir: /w\nmodel: m\nprovider: p\napproval: never\n\
         sandbox: workspace-write [workdir, /tmp, $TMPDIR, /more] (network access enabled)\n\
         reasoning effort: high\nreasoning summaries: none\n\
         session id: 01a201e6-d732-7201-96ed-0da22c2c800b\nkey: OPENAI_API_KEY\n--------\n\
         user\nfix it\n",
    );
}

#[test]
fn commands_show_their_begin_their_end_and_their_output() {
    check(
        &[
            started(1, command(ItemStatus::InProgress, None, "")),
            completed(1, command(ItemStatus::Failed, Some(101), "one\ntwo\n")),
            completed(2, command(ItemStatus::Declined, None, "not now")),
        ],
        "exec\n/bin/bash -lc 'cargo test' in /w\n exited 101 in 12ms:\none\ntwo\n\
         exec\n/bin/bash -lc 'cargo test' in /w\n declined:\nnot now\n",
    );
}

#[test]
fn a_patch_shows_its_diff_once() {
    let change = |status| {
        ItemBody::FileChange(FileChangeItem {
            call_id: "c".into(),
            changes: vec![FileChange {
                path: "/w/a".into(),
                kind: FileChangeKind::Update,
                diff: "@@ -1 +1 @@\n-old\n+new\n".into(),
                move_path: None,
            }],
            status,
            error: None,
        })
    };
    check(
        &[started(1, change(ItemStatus::InProgress)), completed(1, change(ItemStatus::Completed))],
        "apply patch\npatch: completed\n/w/a\n@@ -1 +1 @@\n-old\n+new\n",
    );
}

#[test]
fn a_failure_is_told_once_with_its_next_step() {
    let error = TurnError::new(TurnErrorCode::Unauthorized, "401").with_hint("check the key");
    let usage = Usage { input_tokens: 1_200_000, cached_input_tokens: 1, ..Usage::default() };
    check(
        &[ended(TurnOutcome::Failed(error), usage)],
        "ERROR: 401\nhint: check the key\ntokens used\n1,199,999\n",
    );
    check(&[ended(TurnOutcome::Interrupted, Usage::default())], "turn interrupted\n");
}

#[test]
fn a_plan_is_shown_when_it_changes() {
    let plan = |status| {
        let steps = vec![PlanStep { step: "look".into(), status }];
        ItemBody::Plan(PlanItem { explanation: None, steps })
    };
    check(
        &[
            started(1, plan(StepStatus::InProgress)),
            completed(1, plan(StepStatus::InProgress)),
            completed(1, plan(StepStatus::Completed)),
        ],
        "plan\n  → look\nplan\n  ✓ look\n",
    );
}

#[test]
fn colours_close_on_every_line() {
    let mut human = human();
    human.options.paint = Paint::choose(crate::args::ColorArg::Always, false, None, None);
    let mut out = String::new();
    human.on(&completed(1, command(ItemStatus::Completed, Some(0), "a\nb\n")), &mut out);
    for line in out.lines() {
        assert_eq!(line.matches("\x1b[").count(), 2 * line.matches("\x1b[0m").count(), "{line:?}");
    }
}
