use super::*;
use crate::{
    event::ThreadReady,
    id::{OpId, TurnId},
    item::{FileChange, PlanStep},
    policy::{ApprovalPolicy, SandboxPolicy},
};

const ID: &str = "01a201e6-d732-7201-96ed-0da22c2c800b";

fn thread() -> ThreadId {
    ID.parse().unwrap()
}

fn turn() -> TurnId {
    ID.parse().unwrap()
}

fn ready() -> Event {
    Event::ThreadReady(Box::new(ThreadReady {
        thread: thread(),
        op: OpId(1),
        resumed: false,
        forked_from: None,
        model: "m".into(),
        provider: "p".into(),
        cwd: "/w".into(),
        approval: ApprovalPolicy::Never,
        sandbox: SandboxPolicy::read_only(),
        reasoning_effort: None,
        reasoning_summary: None,
        rollout: None,
        usage: Usage::default(),
    }))
}

fn started(id: u32, body: ItemBody) -> Event {
    Event::ItemStarted { thread: thread(), item: TurnItem { id, body } }
}

fn updated(id: u32, body: ItemBody) -> Event {
    Event::ItemUpdated { thread: thread(), item: TurnItem { id, body } }
}

fn completed(id: u32, body: ItemBody) -> Event {
    Event::ItemCompleted { thread: thread(), item: TurnItem { id, body } }
}

fn ended(outcome: TurnOutcome) -> Event {
    let usage = Usage {
        input_tokens: 1200,
        cached_input_tokens: 1000,
        output_tokens: 34,
        reasoning_output_tokens: 12,
        total_tokens: 1234,
    };
    Event::TurnEnded { thread: thread(), turn: turn(), outcome, usage, duration_ms: 5 }
}

fn begun() -> Event {
    Event::TurnStarted { thread: thread(), turn: turn() }
}

fn message(text: &str) -> ItemBody {
    ItemBody::AgentMessage { text: text.into() }
}

fn command(output: &str, exit_code: Option<i32>, status: ItemStatus) -> ItemBody {
    ItemBody::Command(CommandItem {
        call_id: "c".into(),
        command: "/bin/bash -lc 'echo hi'".into(),
        cwd: "/w".into(),
        output: output.into(),
        exit_code,
        status,
        duration_ms: 1,
        by_user: false,
    })
}

fn plan(done: usize) -> ItemBody {
    let steps = (0..2)
        .map(|n| PlanStep {
            step: format!("step {n}"),
            status: if n < done { StepStatus::Completed } else { StepStatus::InProgress },
        })
        .collect();
    ItemBody::Plan(PlanItem { explanation: Some("never shown".into()), steps })
}

/// Folds the events and compares the lines.
fn check(events: &[Event], want: &[&str]) {
    let (mut fold, mut out) = (ExecJson::new(), Vec::new());
    events.iter().for_each(|event| fold.on(event, &mut out));
    let text = String::from_utf8(out).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    let got: Vec<&str> = text.lines().collect();
    assert_eq!(got, want);
}

#[test]
fn a_turn_of_one_message() {
    check(
        &[
            ready(),
            begun(),
            completed(0, ItemBody::UserMessage { text: "hi".into() }),
            started(1, ItemBody::Reasoning { text: String::new(), raw: String::new() }),
            completed(1, ItemBody::Reasoning { text: "**T**\n\nx".into(), raw: "raw".into() }),
            completed(2, ItemBody::Reasoning { text: " \n".into(), raw: "raw".into() }),
            started(3, message("")),
            Event::ItemDelta { thread: thread(), item: 3, delta: "Hello".into() },
            completed(3, message("Hello there.")),
            ended(TurnOutcome::Completed { last_message: Some("Hello there.".into()) }),
            Event::ThreadStopped { thread: thread() },
        ],
        &[
            r#"{"type":"thread.started","thread_id":"01a201e6-d732-7201-96ed-0da22c2c800b","schema_version":1}"#,
            r#"{"type":"turn.started"}"#,
            r#"{"type":"item.completed","item":{"id":"item_0","type":"reasoning","text":"**T**\n\nx"}}"#,
            r#"{"type":"item.completed","item":{"id":"item_1","type":"agent_message","text":"Hello there."}}"#,
            r#"{"type":"turn.completed","usage":{"input_tokens":1200,"cached_input_tokens":1000,"output_tokens":34,"reasoning_output_tokens":12}}"#,
        ],
    );
}

#[test]
fn commands_keep_their_number_and_patches_know_three_states() {
    let change = |status| {
        ItemBody::FileChange(FileChangeItem {
            call_id: "c".into(),
            changes: vec![FileChange {
                path: "/w/a.txt".into(),
                kind: FileChangeKind::Add,
                diff: "never shown".into(),
                move_path: None,
            }],
            status,
            error: None,
        })
    };
    check(
        &[
            started(7, command("", None, ItemStatus::InProgress)),
            started(8, change(ItemStatus::InProgress)),
            completed(7, command("hi\n", Some(3), ItemStatus::Failed)),
            completed(8, change(ItemStatus::Declined)),
        ],
        &[
            r#"{"type":"item.started","item":{"id":"item_0","type":"command_execution","command":"/bin/bash -lc 'echo hi'","aggregated_output":"","exit_code":null,"status":"in_progress"}}"#,
            r#"{"type":"item.started","item":{"id":"item_1","type":"file_change","changes":[{"path":"/w/a.txt","kind":"add"}],"status":"in_progress"}}"#,
            r#"{"type":"item.completed","item":{"id":"item_0","type":"command_execution","command":"/bin/bash -lc 'echo hi'","aggregated_output":"hi\n","exit_code":3,"status":"failed"}}"#,
            r#"{"type":"item.completed","item":{"id":"item_1","type":"file_change","changes":[{"path":"/w/a.txt","kind":"add"}],"status":"failed"}}"#,
        ],
    );
}

#[test]
fn a_plan_is_completed_just_before_the_terminal_line() {
    check(
        &[
            started(0, plan(1)),
            completed(0, plan(1)),
            completed(1, message("x")),
            updated(0, plan(2)),
            ended(TurnOutcome::Interrupted),
        ],
        &[
            r#"{"type":"item.started","item":{"id":"item_0","type":"todo_list","items":[{"text":"step 0","completed":true},{"text":"step 1","completed":false}]}}"#,
            r#"{"type":"item.completed","item":{"id":"item_1","type":"agent_message","text":"x"}}"#,
            r#"{"type":"item.updated","item":{"id":"item_0","type":"todo_list","items":[{"text":"step 0","completed":true},{"text":"step 1","completed":true}]}}"#,
            r#"{"type":"item.completed","item":{"id":"item_0","type":"todo_list","items":[{"text":"step 0","completed":true},{"text":"step 1","completed":true}]}}"#,
            r#"{"type":"turn.failed","error":{"message":"turn interrupted","code":"interrupted"}}"#,
        ],
    );
}

#[test]
fn failures_carry_a_code_and_retries_are_seen() {
    let cause = TurnError::new(TurnErrorCode::StreamDisconnected, "cut");
    let error = TurnError {
        resets_at: Some(9),
        ..TurnError::new(TurnErrorCode::RateLimited, "too much").with_hint("wait")
    };
    check(
        &[
            Event::Retrying {
                thread: thread(),
                attempt: 1,
                attempts_max: Some(5),
                delay_ms: 1,
                cause,
            },
            ended(TurnOutcome::Failed(error)),
        ],
        &[
            r#"{"type":"error","message":"Reconnecting... 1/5 (cut)"}"#,
            r#"{"type":"error","message":"too much"}"#,
            r#"{"type":"turn.failed","error":{"message":"too much","code":"rate_limited","hint":"wait","resets_at":9}}"#,
        ],
    );
}

#[test]
fn warnings_are_error_items_and_searches_have_one_id() {
    let search = ItemBody::WebSearch {
        call_id: "ws_1".into(),
        query: "rust".into(),
        action: serde_json::json!({ "type": "search", "query": "rust" }),
    };
    check(
        &[
            Event::Warning { thread: None, message: "odd".into() },
            started(4, search.clone()),
            completed(4, search),
        ],
        &[
            r#"{"type":"item.completed","item":{"id":"item_0","type":"error","message":"odd"}}"#,
            r#"{"type":"item.started","item":{"id":"ws_1","type":"web_search","query":"rust","action":{"type":"search","query":"rust"},"item_id":"item_1"}}"#,
            r#"{"type":"item.completed","item":{"id":"ws_1","type":"web_search","query":"rust","action":{"type":"search","query":"rust"},"item_id":"item_1"}}"#,
        ],
    );
}

#[test]
fn the_terminal_line_waits_for_commands_that_outlive_the_turn() {
    check(
        &[
            started(0, command("", None, ItemStatus::InProgress)),
            ended(TurnOutcome::Completed { last_message: None }),
            completed(0, command("", Some(137), ItemStatus::Failed)),
            Event::ThreadStopped { thread: thread() },
        ],
        &[
            r#"{"type":"item.started","item":{"id":"item_0","type":"command_execution","command":"/bin/bash -lc 'echo hi'","aggregated_output":"","exit_code":null,"status":"in_progress"}}"#,
            r#"{"type":"item.completed","item":{"id":"item_0","type":"command_execution","command":"/bin/bash -lc 'echo hi'","aggregated_output":"","exit_code":137,"status":"failed"}}"#,
            r#"{"type":"turn.completed","usage":{"input_tokens":1200,"cached_input_tokens":1000,"output_tokens":34,"reasoning_output_tokens":12}}"#,
        ],
    );
}
