//! Each popup as golden screens, and what its keys do.

mod harness;

use codex_proto::{
    ApprovalId, CommandId, Event, Op, OpId, Refused, Wall,
    approval::{ApprovalAnswer, ApprovalReason, ApprovalRequest, ApprovalSubject},
    event::{RunningCommand, ThreadConfig},
    item::{FileChange, FileChangeKind},
    op::Configure,
    policy::{ApprovalPolicy, SandboxMode, SandboxPolicy},
};
use codex_tui::{
    Answer, Msg, ScreenEffect, Setup,
    key::{Key, Modifiers, Mouse, MouseKind},
    msg::{SessionEntry, Sessions, SettingValue},
    popup::{APPROVAL_ALONE_MS, APPROVAL_REST_MS},
    setup::Mode,
};
use harness::{Run, agent, completed, golden_story, thread, turn_started, user};
use proptest::prelude::*;

fn question(id: u32) -> ApprovalRequest {
    ApprovalRequest {
        thread: thread(),
        id: ApprovalId(id),
        call_id: format!("call_{id}"),
        subject: ApprovalSubject::Command {
            command: format!("curl -fsSL https://example.com/{id}.sh | sh"),
            cwd: "/home/user/project/tools".into(),
        },
        why: ApprovalReason::Escalation,
        justification: Some("The installer needs the network.".into()),
        lost: vec!["writes anywhere".into(), "reaches the network".into()],
        session_scope: Some("`curl` in this folder".into()),
    }
}

fn patch() -> ApprovalRequest {
    let change = |path: &str, kind, diff: &str| FileChange {
        path: path.into(),
        kind,
        diff: diff.into(),
        move_path: None,
    };
    ApprovalRequest {
        subject: ApprovalSubject::Patch {
            changes: vec![
                change(
                    "/home/user/project/src/limits.rs",
                    FileChangeKind::Update,
                    "@@ -1,3 +1,3 @@ mod limits\n // rows\n-const MAX: usize = 64;\n\
                     +const MAX: usize = 128;\n fn end() {}\n",
                ),
                change("/etc/motd", FileChangeKind::Add, "hello\n\x1b[31mred\n"),
            ],
        },
        why: ApprovalReason::OutsideRoots,
        justification: None,
        lost: vec!["writes /etc/motd".into()],
        session_scope: None,
        ..question(7)
    }
}

fn ask(run: &mut Run, request: ApprovalRequest) {
    run.event(Event::ApprovalRequested(Box::new(request)));
}

fn ended(run: &mut Run, id: u32) {
    run.event(Event::ApprovalEnded { thread: thread(), id: ApprovalId(id), answer: None });
}

/// The answers that were sent since the last call.
/// Answers since the last call, after the time for which a yes must stand alone.
fn answers(run: &mut Run) -> Vec<(u32, ApprovalAnswer)> {
    run.wait(APPROVAL_ALONE_MS);
    let answer = |effect| match effect {
        ScreenEffect::Op(_, Op::Approve { id, answer, .. }) => Some((id.0, answer)),
        _ => None,
    };
    run.take_effects().into_iter().filter_map(answer).collect()
}

/// Effects since the last call, but for the history file.
fn effects(run: &mut Run) -> Vec<ScreenEffect> {
    let mut effects = run.take_effects();
    effects.retain(|effect| !matches!(effect, ScreenEffect::AppendHistory { .. }));
    effects
}

fn ops(run: &mut Run) -> Vec<Op> {
    let op = |effect| match effect {
        ScreenEffect::Op(_, op) => Some(op),
        _ => None,
    };
    run.take_effects().into_iter().filter_map(op).collect()
}

fn run() -> Run {
    let mut run = Run::ready(Setup::sample(), 80, 30);
    run.take_effects();
    run
}

fn text(run: &mut Run) -> String {
    let (buffer, _) = run.draw();
    let rows = buffer.content.chunks(usize::from(buffer.area.width));
    let row = |cells: &[ratatui::buffer::Cell]| {
        cells.iter().map(ratatui::buffer::Cell::symbol).collect::<String>() + "\n"
    };
    rows.map(row).collect()
}

fn commands() -> Event {
    let command = |id, command: &str, by_user: bool, tail: &str| RunningCommand {
        id: CommandId(id),
        item: id,
        command: command.into(),
        tty: !by_user,
        by_user,
        running_ms: 65_000,
        tail: tail.into(),
    };
    Event::Commands {
        thread: thread(),
        running: vec![
            command(
                1000,
                "/bin/bash -lc 'npm run dev'",
                false,
                "ready on :3000\nGET / 200\n10%\r50%\r90%\n",
            ),
            command(1001, "tail -f /var/log/syslog", true, "a \x1b[31mred\x1b[0m line\n"),
        ],
    }
}

fn sessions(run: &Run) -> Sessions {
    let entry = |number: u8, name: &str, minutes: i64, bytes| SessionEntry {
        path: format!("/home/user/.codex/sessions/{number}.jsonl").into(),
        thread: format!("0199a3b0-0000-7000-8000-0000000001{number:02}").parse().expect("an id"),
        name: name.into(),
        cwd: "/home/user/project".into(),
        modified: Wall(run.now.wall.0 - minutes * 60_000),
        bytes,
    };
    Sessions {
        sessions: vec![
            entry(1, "Why does the soak test of the store stop after an hour?", 3, 12_345),
            entry(2, "rename\nthe crates", 190, 2_345_678),
            entry(3, "", 60 * 24 * 40, 812),
        ],
        folder: "/home/user/.codex/sessions".into(),
        unreadable_count: 1,
        unopened_count: 0,
        error: None,
    }
}

const DIFF: &str = "diff --git a/src/a.rs b/src/a.rs\nindex 1..2 100644\n--- a/src/a.rs\n\
+++ b/src/a.rs\n@@ -3,4 +3,4 @@ fn main() {\n     let one = 1;\n-    let two = 2;\n+    let two = 22;\n\
\x20    let long = \"a line that is longer than forty columns and must be broken\";\n }\n\
diff --git a/notes.md b/notes.md\nnew file mode 100644\n--- /dev/null\n+++ b/notes.md\n@@ -0,0 +1,2 @@\n\
+# Notes\n+\ttab and \x1b[2Jescape\n";

#[test]
fn approval() {
    golden_story("popup.approval", |run| {
        run.event(turn_started());
        ask(run, question(1));
        ask(run, question(2));
        run.wait(APPROVAL_REST_MS);
    });
    golden_story("popup.approval.early", |run| {
        run.keys("please wai");
        ask(run, question(1));
        run.keys("t");
    });
    golden_story("popup.approval.feedback", |run| {
        ask(run, question(1));
        run.wait(APPROVAL_REST_MS).keys("fuse the cache");
    });
    golden_story("popup.approval.patch", |run| {
        ask(run, patch());
        run.wait(APPROVAL_REST_MS).keys("<down>");
    });
}

#[test]
fn pickers() {
    golden_story("popup.resume", |run| {
        run.keys("/resume\n");
        let sessions = sessions(run);
        run.msg(Msg::Answer(Answer::Sessions(sessions))).keys("<down>");
    });
    golden_story("popup.resume.empty", |run| {
        run.keys("/resume\n");
        let sessions = Sessions { sessions: Vec::new(), unopened_count: 3, ..sessions(run) };
        run.msg(Msg::Answer(Answer::Sessions(sessions)));
    });
    golden_story("popup.in_use", |run| {
        run.keys("/new\n");
        let op = run
            .take_effects()
            .iter()
            .find_map(|effect| match effect {
                ScreenEffect::Op(id, Op::StartThread) => Some(*id),
                _ => None,
            })
            .unwrap();
        let reason =
            Refused::InUse { path: "/r.jsonl".into(), why: "it is open in process 4711".into() };
        run.event(Event::Refused { op, reason }).wait(APPROVAL_REST_MS);
    });
    golden_story("popup.model", |run| {
        run.keys("/model\n");
    });
    golden_story("popup.model.effort", |run| {
        run.keys("/model\n<down>\n");
    });
    golden_story("popup.permissions", |run| {
        run.keys("/permissions\n");
    });
    golden_story("popup.permissions.confirm", |run| {
        run.keys("/permissions full-access\n");
    });
    golden_story("popup.theme", |run| {
        run.keys("/theme\n<down>");
    });
    golden_story("popup.rewind", |run| {
        run.event(completed(1, user("first\nof all"))).event(completed(2, user("and then")));
        run.printed.clear();
        run.keys("<esc><esc>");
    });
}

#[test]
fn viewers() {
    golden_story("popup.help", |run| {
        run.keys("?copy");
    });
    golden_story("popup.diff", |run| {
        run.keys("/diff\n").msg(Msg::Answer(Answer::Diff(Ok(DIFF.into()))));
    });
    golden_story("popup.diff.failed", |run| {
        run.keys("/diff\n").msg(Msg::Answer(Answer::Diff(Err("this is no git repository".into()))));
    });
    golden_story("popup.terminals", |run| {
        run.event(commands()).keys("/ps\n");
    });
    golden_story("popup.terminals.output", |run| {
        run.event(commands()).keys("/ps\n\n");
    });
}

#[test]
fn keys_typed_before_a_question_was_seen_answer_nothing() {
    let mut run = run();
    run.keys("ok");
    ask(&mut run, question(1));
    // Each key makes the rest begin anew; what is typed goes on being written.
    for key in "ays y".chars() {
        run.wait(APPROVAL_REST_MS - 1).keys(&key.to_string());
    }
    assert_eq!(answers(&mut run), []);
    assert!(text(&mut run).contains("› okays y"), "{}", text(&mut run));
    run.wait(APPROVAL_REST_MS).keys("y");
    assert_eq!(answers(&mut run), [(1, ApprovalAnswer::Once)]);
    assert!(text(&mut run).contains("› okays y"));
}

#[test]
fn words_approve_nothing() {
    for words in ["/ps", "stop that", "are you sure?", "yes please", "so", "aa", "ssh", "why"] {
        let mut run = run();
        ask(&mut run, question(1));
        run.wait(APPROVAL_REST_MS);
        for (index, key) in words.chars().enumerate() {
            // As fast as a person types.
            run.wait(if index == 0 { 0 } else { APPROVAL_ALONE_MS - 1 });
            run.msg(Msg::Key(Key::char(key)));
        }
        assert_eq!(answers(&mut run), [], "{words}");
        assert!(text(&mut run).contains(&format!("› {words}")), "{words}: {}", text(&mut run));
        // The question is still there for an answer.
        run.wait(APPROVAL_REST_MS).keys("y");
        assert_eq!(answers(&mut run), [(1, ApprovalAnswer::Once)], "{words}");
    }
}

#[test]
fn a_yes_counts_when_it_stands_alone_or_with_enter() {
    let mut run = run();
    ask(&mut run, question(1));
    run.wait(APPROVAL_REST_MS).keys("y");
    run.wait(APPROVAL_ALONE_MS - 1);
    assert!(run.take_effects().iter().all(|effect| !matches!(effect, ScreenEffect::Op(..))));
    let (due, _) = run.app.deadline().expect("a deadline");
    assert_eq!(due, run.now.mono.after_ms(1));
    assert_eq!(answers(&mut run), [(1, ApprovalAnswer::Once)]);
    ask(&mut run, question(2));
    run.wait(APPROVAL_REST_MS).keys("s\n");
    assert!(matches!(
        &run.take_effects()[..],
        [
            ..,
            ScreenEffect::Op(_, Op::Approve { answer: ApprovalAnswer::Session, .. }),
            ScreenEffect::Redraw
        ] | [.., ScreenEffect::Op(_, Op::Approve { answer: ApprovalAnswer::Session, .. })]
    ));
    // Esc takes it back and means what it says.
    ask(&mut run, question(3));
    run.wait(APPROVAL_REST_MS).keys("y<esc>");
    assert_eq!(answers(&mut run), [(3, ApprovalAnswer::Abort)]);
    // A paste makes words of it, too.
    ask(&mut run, question(4));
    run.wait(APPROVAL_REST_MS).keys("y").paste("es");
    assert_eq!(answers(&mut run), []);
    assert!(text(&mut run).contains("› yes"), "{}", text(&mut run));
}

#[test]
fn enter_and_held_keys_approve_nothing() {
    let mut run = run();
    ask(&mut run, question(1));
    run.wait(APPROVAL_REST_MS).keys("\n\n\n");
    for key in ["y", "s"] {
        run.msg(Msg::Key(key.parse::<Key>().unwrap().repeated()));
    }
    assert_eq!(answers(&mut run), []);
    // An answer that was chosen is taken.
    run.keys("<down>\n");
    assert_eq!(answers(&mut run), [(1, ApprovalAnswer::Once)]);
}

#[test]
fn each_answer_has_its_key() {
    for (keys, answer) in [
        ("y", ApprovalAnswer::Once),
        ("s", ApprovalAnswer::Session),
        ("a", ApprovalAnswer::Session),
        ("n", ApprovalAnswer::Deny { feedback: None }),
        ("fuse tabs\n", ApprovalAnswer::Deny { feedback: Some("use tabs".into()) }),
        ("<esc>", ApprovalAnswer::Abort),
        ("<ctrl-c>", ApprovalAnswer::Abort),
        ("fx<esc>y", ApprovalAnswer::Once),
        ("<up>\n", ApprovalAnswer::Abort),
    ] {
        let mut run = run();
        ask(&mut run, question(1));
        run.wait(APPROVAL_REST_MS).keys(keys);
        assert_eq!(answers(&mut run), [(1, answer)], "{keys}");
        assert!(!text(&mut run).contains("Run this command?"), "{keys}");
    }
}

#[test]
fn the_session_is_only_offered_where_it_is_known_what_it_covers() {
    let mut run = run();
    ask(&mut run, patch());
    run.wait(APPROVAL_REST_MS).keys("sa");
    assert_eq!(answers(&mut run), []);
    assert!(!text(&mut run).contains("this session:"));
}

#[test]
fn questions_wait_in_line_and_each_is_seen_before_it_is_answered() {
    let mut run = run();
    for id in 1..=3 {
        ask(&mut run, question(id));
    }
    run.wait(APPROVAL_REST_MS);
    assert!(text(&mut run).contains("1 of 3"));
    // Who is impatient is understood; a third press that follows at once is for nobody.
    run.keys("yyy");
    assert_eq!(answers(&mut run), [(1, ApprovalAnswer::Once)]);
    assert!(text(&mut run).contains("1 of 2") && text(&mut run).contains("/2.sh"));
    assert!(!text(&mut run).contains("› y"), "it is not written either");
    ended(&mut run, 1);
    run.wait(APPROVAL_REST_MS).keys("n");
    assert_eq!(answers(&mut run), [(2, ApprovalAnswer::Deny { feedback: None })]);
    // The third was answered elsewhere.
    ended(&mut run, 3);
    assert!(!text(&mut run).contains("Run this command?"));
    ended(&mut run, 2);
    run.keys("y");
    assert_eq!(answers(&mut run), []);
}

#[test]
fn a_question_survives_a_lost_focus_and_any_size_and_what_is_written_outlives_it() {
    let mut run = run();
    ask(&mut run, question(1));
    run.wait(APPROVAL_REST_MS).keys("fuse the ");
    run.msg(Msg::Focus(false)).msg(Msg::Resize { width: 9, height: 3 });
    run.msg(Msg::Focus(true)).msg(Msg::Resize { width: 80, height: 30 }).paste("cache");
    assert!(text(&mut run).contains("Instead: use the cache"));
    ended(&mut run, 1);
    assert!(text(&mut run).contains("› use the cache"), "{}", text(&mut run));
    assert_eq!(answers(&mut run), []);
}

#[test]
fn permissions_can_be_changed_from_within_a_question() {
    let mut run = run();
    ask(&mut run, question(1));
    run.wait(APPROVAL_REST_MS).keys("m");
    assert!(text(&mut run).contains("─ Permissions"));
    run.keys("<home>\n");
    let configure = Configure {
        approval: Some(ApprovalPolicy::OnRequest),
        sandbox: Some(SandboxPolicy::read_only()),
        ..Configure::new(thread())
    };
    assert_eq!(ops(&mut run), [Op::Configure(Box::new(configure))]);
    assert!(text(&mut run).contains("Run this command?"), "it still waits");
    run.keys("n");
    assert_eq!(answers(&mut run).len(), 1);
}

#[test]
fn full_access_is_asked_for_once_more() {
    for (opening, refusals) in [("/permissions\n<end>\n", ["n", "<enter>"]), ("/yolo\n", ["", ""])]
    {
        for refusal in refusals {
            let mut run = run();
            run.keys(opening).keys(refusal);
            assert_eq!(ops(&mut run), [], "{opening}{refusal}");
        }
    }
    let mut run = run();
    run.keys("/permissions full\n");
    assert!(text(&mut run).contains("Full access?"));
    run.msg(Msg::Key(Key::char('y').repeated()));
    assert_eq!(ops(&mut run), []);
    run.keys("y");
    let [Op::Configure(configure)] = &ops(&mut run)[..] else { panic!("one change") };
    assert_eq!(configure.approval, Some(ApprovalPolicy::Never));
    assert_eq!(configure.sandbox, Some(SandboxPolicy::full_access()));
}

#[test]
fn the_workspace_keeps_the_folders_and_the_network_that_are_configured() {
    let mut run = run();
    let Event::ThreadReady(mut ready) = harness::ready() else { panic!("ready") };
    let sandbox = SandboxPolicy {
        network: true,
        writable_roots: vec!["/home/user/project".into(), "/srv".into()],
        ..SandboxPolicy::workspace_write("/home/user/project".into())
    };
    ready.sandbox = sandbox.clone();
    // The first op of the run asked for it.
    ready.op = OpId(1);
    let mut again = Run::new(Setup::sample(), 80, 30);
    again.event(Event::ThreadReady(ready));
    again.take_effects();
    again.keys("/permissions read-only\n/permissions workspace\n");
    let changes = ops(&mut again);
    let [Op::Configure(one), Op::Configure(two)] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!(one.sandbox.as_ref().map(|policy| policy.mode), Some(SandboxMode::ReadOnly));
    assert_eq!(two.sandbox, Some(sandbox));
    run.keys("/permissions nonsense\n");
    assert_eq!(ops(&mut run), []);
    assert!(text(&mut run).contains("/permissions nonsense"), "what was written is put back");
}

#[test]
fn a_model_is_taken_with_its_effort_for_now_and_for_later() {
    let mut run = run();
    run.keys("/model\n<down>\n");
    // The default effort is chosen, in the order from low to high.
    run.keys("<down>\n");
    let effects = effects(&mut run);
    let configure = Configure {
        model: Some("gpt-5.4-mini".into()),
        reasoning_effort: Some(Some("high".into())),
        ..Configure::new(thread())
    };
    assert!(
        matches!(&effects[0], ScreenEffect::Op(_, Op::Configure(have)) if **have == configure),
        "{effects:?}"
    );
    let saved = |key: &str, value: &str| ScreenEffect::SaveSetting {
        key: key.into(),
        value: SettingValue::Text(value.into()),
    };
    let want = [saved("model", "gpt-5.4-mini"), saved("model_reasoning_effort", "high")];
    assert_eq!(effects[1..3], want);
}

#[test]
fn a_session_is_found_and_gone_on_with() {
    let mut run = run();
    run.keys("/resume\n");
    assert!(run.take_effects().contains(&ScreenEffect::ListSessions { all: false }));
    let sessions = sessions(&run);
    run.msg(Msg::Answer(Answer::Sessions(sessions.clone())));
    run.keys("crates<tab>");
    assert!(run.take_effects().contains(&ScreenEffect::ListSessions { all: true }));
    // What was typed still holds.
    run.msg(Msg::Answer(Answer::Sessions(sessions))).keys("\n");
    let path = "/home/user/.codex/sessions/2.jsonl".into();
    assert_eq!(ops(&mut run), [Op::ResumeThread { path }]);
}

#[test]
fn what_is_typed_in_a_popup_is_edited_where_the_caret_is() {
    let mut run = run();
    run.keys("/help\nmodexs<left><backspace>l<delete><home>");
    assert!(text(&mut run).contains("/ model"), "{}", text(&mut run));
    let caret = |run: &mut Run| {
        let (buffer, caret) = run.draw();
        buffer[caret.unwrap()].symbol().to_owned()
    };
    assert_eq!(caret(&mut run), "m");
    // An arrow down is still the list's, and moving the caret chooses nothing else.
    run.keys("<down>");
    let chosen = text(&mut run);
    run.keys("<right>");
    assert_eq!((text(&mut run), caret(&mut run)), (chosen, "o".into()));
    run.keys("<esc>");
    assert!(text(&mut run).contains("type to filter"));
    run.keys("<esc>");
    ask(&mut run, question(1));
    run.wait(APPROVAL_REST_MS).keys("fuse cache<alt-b>the <end>!<home>");
    assert!(text(&mut run).contains("Instead: use the cache!"));
    assert_eq!(caret(&mut run), "u");
    run.keys("\n");
    let feedback = Some("use the cache!".into());
    assert_eq!(answers(&mut run), [(1, ApprovalAnswer::Deny { feedback })]);
}

#[test]
fn a_theme_is_tried_and_taken_back() {
    let mut run = run();
    let before = run.tell();
    run.keys("/theme\n");
    let untried = run.tell();
    run.keys("<end>");
    assert_ne!(run.tell().matches("lightcyan").count(), untried.matches("lightcyan").count());
    run.keys("<esc>");
    assert_eq!(run.tell(), before);
    assert_eq!(effects(&mut run), []);
    run.keys("/theme\n<end>\n");
    let value = SettingValue::Text("mono".into());
    assert_eq!(effects(&mut run), [ScreenEffect::SaveSetting { key: "tui.theme".into(), value }]);
}

#[test]
fn going_back_forks_before_the_prompt_and_gives_its_text() {
    let mut run = run();
    for (id, prompt) in (1..).zip(["one", "two", "three"]) {
        run.event(completed(id * 2, user(prompt))).event(completed(id * 2 + 1, agent("fine")));
    }
    // A key between two Esc makes them two first ones.
    run.keys("<esc>");
    assert!(text(&mut run).contains("Esc again"));
    run.keys("x<backspace>");
    assert!(!text(&mut run).contains("Esc again"));
    run.keys("<esc>");
    assert!(text(&mut run).contains("Esc again"));
    run.keys("<esc><down>\n");
    let path = "/home/user/.codex/sessions/r.jsonl".into();
    let fork = Op::ForkThread { path, prompts_kept: Some(1) };
    assert_eq!(ops(&mut run), [fork]);
    assert!(text(&mut run).contains("› two"));
}

#[test]
fn background_terminals_are_stopped_one_by_one() {
    let mut run = run();
    run.event(commands()).keys("/ps\n<down>x");
    let stop = |command| Op::StopCommands { thread: thread(), command };
    assert_eq!(ops(&mut run), [stop(Some(CommandId(1001)))]);
    run.event(Event::Commands { thread: thread(), running: Vec::new() });
    assert!(text(&mut run).contains("none is running"));
    run.keys("x");
    assert_eq!(ops(&mut run), []);
}

#[test]
fn a_background_terminal_is_watched_while_it_prints() {
    let mut run = run();
    run.event(commands()).keys("/ps\n");
    let delta =
        |item, delta: &str| Event::ItemDelta { thread: thread(), item, delta: delta.into() };
    run.event(delta(1001, "not this one\n")).event(delta(1000, "GET /later 200\n"));
    let shown = text(&mut run);
    assert!(shown.contains("GET /later 200") && !shown.contains("not this one"), "{shown}");
    // A megabyte later it is bounded and still the newest.
    for n in 0..20_000 {
        run.event(delta(1000, &format!("a line of fifty bytes or so, with a number: {n}\n")));
    }
    assert!(text(&mut run).contains("number: 19999"));
    assert!(run.app.desk().session.commands[0].tail.len() <= 32 << 10);
}

#[test]
fn the_diff_moves_by_files() {
    let mut run = run();
    run.msg(Msg::Resize { width: 80, height: 9 });
    run.height = 9;
    run.keys("/diff\n").msg(Msg::Answer(Answer::Diff(Ok(DIFF.into()))));
    assert!(text(&mut run).contains("file 1 of 2"));
    run.keys("n");
    assert!(text(&mut run).contains("file 2 of 2") && text(&mut run).contains("# Notes"));
    run.keys("p");
    assert!(text(&mut run).contains("file 1 of 2"));
    run.keys("q");
    assert!(!text(&mut run).contains("Changes"));
}

#[test]
fn a_question_stays_above_what_is_opened_meanwhile() {
    let mut run = run();
    ask(&mut run, question(1));
    run.keys("/diff\n").wait(APPROVAL_REST_MS);
    assert!(text(&mut run).contains("Run this command?"));
    run.keys("n");
    assert_eq!(answers(&mut run).len(), 1);
    assert!(text(&mut run).contains("─ Changes"));
}

#[test]
fn the_wheel_moves_and_answers_nothing() {
    let mut run = run();
    let wheel =
        Mouse { kind: MouseKind::ScrollDown, column: 3, row: 3, modifiers: Modifiers::NONE };
    ask(&mut run, question(1));
    run.wait(APPROVAL_REST_MS).msg(Msg::Mouse(wheel)).keys("\n");
    assert_eq!(answers(&mut run), [], "no answer was chosen");
    run.keys("n/model\n").msg(Msg::Mouse(wheel)).wait(0);
    assert!(text(&mut run).contains("› gpt-5.4-mini"));
    run.keys("<esc>/permissions full\n").msg(Msg::Mouse(wheel));
    assert!(text(&mut run).contains("Full access?"));
}

fn any_key() -> impl Strategy<Value = String> {
    let named = [
        "<up>",
        "<down>",
        "<pageup>",
        "<pagedown>",
        "<home>",
        "<end>",
        "<tab>",
        "<shift-tab>",
        "\n",
        "<esc>",
        "<backspace>",
        "<ctrl-c>",
        "<ctrl-u>",
        "<delete>",
        "<space>",
        "<ctrl-d>",
    ];
    prop_oneof![
        prop::sample::select(named.map(str::to_owned).to_vec()),
        "[a-zG?/@\u{4f60}]".prop_map(|char| char),
    ]
}

fn any_opening() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "/resume\n",
        "/model\n",
        "/permissions\n",
        "/permissions full\n",
        "/theme\n",
        "/diff\n",
        "/ps\n",
        "/help\n",
        "/rewind\n",
        "/status\n",
        "/context\n",
        "/copy\n",
        "?",
    ])
}

/// Something that happens while popups are open.
#[derive(Clone, Debug)]
enum Step {
    Ask,
    Commands(bool),
    Ended(u32),
    Keys(String),
    Open(&'static str),
    Paste,
    Sessions,
    Size(u16, u16),
    Wait(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![3 => 1..40_u16, 1 => 1..300_u16];
    prop_oneof![
        6 => any_key().prop_map(Step::Keys),
        2 => any_opening().prop_map(Step::Open),
        1 => Just(Step::Ask),
        1 => (1..4_u32).prop_map(Step::Ended),
        1 => any::<bool>().prop_map(Step::Commands),
        1 => Just(Step::Paste),
        1 => Just(Step::Sessions),
        3 => (size, 1..100_u16).prop_map(|(width, height)| Step::Size(width, height)),
        1 => prop_oneof![Just(10), Just(600)].prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Popups never panic, never draw outside of their area, and approve only what was asked.
    #[test]
    fn popups_can_be_drawn_at_any_size(steps in prop::collection::vec(any_step(), 1..40)) {
        let mut run = run();
        run.event(completed(1, user("a prompt"))).event(completed(2, agent("an answer")));
        let mut asked = 0;
        for step in steps {
            match step {
                Step::Ask => {
                    asked += 1;
                    let request = if asked % 2 == 0 { patch() } else { question(1) };
                    ask(&mut run, ApprovalRequest { id: ApprovalId(asked), ..request });
                }
                Step::Commands(some) => {
                    let none = Event::Commands { thread: thread(), running: Vec::new() };
                    run.event(if some { commands() } else { none });
                }
                Step::Ended(id) => ended(&mut run, id),
                Step::Keys(keys) => {
                    run.keys(&keys);
                }
                Step::Open(keys) => {
                    run.keys("<ctrl-u>").keys(keys);
                    run.msg(Msg::Answer(Answer::Diff(Ok(DIFF.into()))));
                }
                Step::Paste => {
                    run.paste("some\npasted \x1b[31mtext");
                }
                Step::Sessions => {
                    let sessions = sessions(&run);
                    run.msg(Msg::Answer(Answer::Sessions(sessions)));
                }
                Step::Size(width, height) => {
                    (run.width, run.height) = (width, height);
                    run.msg(Msg::Resize { width, height });
                }
                Step::Wait(ms) => {
                    run.wait(ms);
                }
            }
            let (buffer, caret) = run.draw();
            prop_assert!(buffer.area.height <= run.height);
            if let Some(caret) = caret {
                prop_assert!(buffer.area.contains(caret), "{caret} in {}", buffer.area);
            }
            run.draw_whole();
            for (id, _) in answers(&mut run) {
                prop_assert!(id <= asked);
            }
        }
    }
}

#[test]
fn a_config_that_is_no_preset_is_told_as_it_is() {
    let mut run = run();
    let config = ThreadConfig {
        model: "gpt-5.5".into(),
        reasoning_effort: None,
        approval: ApprovalPolicy::OnFailure,
        sandbox: SandboxPolicy::read_only(),
    };
    run.event(Event::Configured { thread: thread(), config }).keys("/permissions\n");
    assert!(text(&mut run).contains("now: on-failure, read-only"));
}

/// Lines that were printed, as one text.
fn told(run: &Run) -> String {
    run.printed.iter().map(|line| line.text() + "\n").collect()
}

/// The one row of plain mode.
fn row(run: &mut Run) -> String {
    text(run).lines().next().unwrap_or_default().trim_end().to_owned()
}

#[test]
fn in_plain_mode_a_question_is_told_when_it_is_the_one_that_keys_answer() {
    let mut run = Run::ready(Setup { mode: Mode::Plain, ..Setup::sample() }, 80, 30);
    run.event(turn_started());
    ask(&mut run, question(1));
    ask(&mut run, question(2));
    assert!(told(&run).contains("/1.sh") && !told(&run).contains("/2.sh"), "{}", told(&run));
    run.wait(APPROVAL_REST_MS).keys("y").wait(APPROVAL_ALONE_MS);
    assert_eq!(told(&run).matches("/2.sh | sh").count(), 1, "{}", told(&run));
    assert_eq!(answers(&mut run), [(1, ApprovalAnswer::Once)]);
    // A popup above it, and the question again when it is gone.
    run.wait(APPROVAL_REST_MS).keys("m");
    assert!(told(&run).contains("chosen: workspace (now), 3 of 5"), "{}", told(&run));
    run.keys("<down>");
    assert!(told(&run).contains("unattended, 4 of 5"), "{}", told(&run));
    assert_eq!(row(&mut run), "Permissions:");
    run.keys("<down>\n");
    assert!(told(&run).contains("Commands would run without any sandbox"), "{}", told(&run));
    assert_eq!(row(&mut run), "Full access?");
}

#[test]
fn a_session_may_have_two_rows() {
    let mut run = Run::ready(Setup { comfortable_sessions: true, ..Setup::sample() }, 60, 30);
    let sessions = sessions(&run);
    let first = sessions.sessions[0].name.clone();
    run.keys("/resume\n").msg(Msg::Answer(Answer::Sessions(sessions)));
    let shown = text(&mut run);
    let rows: Vec<&str> = shown.lines().collect();
    let at = rows.iter().position(|row| row.contains(&first)).unwrap();
    assert!(rows[at].starts_with("› "), "{shown}");
    assert!(rows[at + 1].starts_with("  ") && rows[at + 1].contains(" · "), "{shown}");
    assert!(rows[at + 2].starts_with("  ") && !rows[at + 2].contains(" · "), "{shown}");
}

#[test]
fn keys_come_first_when_keys_are_asked_for() {
    let first = |keys: &str| {
        let mut run = run();
        let shown = text(run.keys(keys));
        shown.lines().find(|row| row.starts_with("› ")).unwrap_or_default().to_owned()
    };
    assert!(first("/help\n").starts_with("› /model"), "{}", first("/help\n"));
    assert!(first("?").starts_with("› /  "), "{}", first("?"));
}

#[test]
fn a_question_in_a_small_terminal_offers_a_yes_a_no_and_the_way_out() {
    let mut run = Run::ready(Setup::sample(), 40, 10);
    ask(&mut run, question(1));
    run.wait(APPROVAL_REST_MS);
    let shown = text(&mut run);
    assert!(shown.lines().any(|row| row.trim() == "y yes  ·  n no  ·  Esc stop"), "{shown}");
}

#[test]
fn a_list_that_is_longer_than_its_room_says_so_at_its_ends() {
    let mut run = Run::ready(Setup::sample(), 40, 12);
    let marks = |run: &mut Run| {
        let shown = text(run);
        let first = |row: &str| row.chars().next().filter(|char| "›↑↓".contains(*char));
        shown.lines().filter_map(first).collect::<String>()
    };
    run.keys("/help\n");
    assert_eq!(marks(&mut run), "›↓");
    run.keys("<pagedown>");
    assert_eq!(marks(&mut run), "↑›↓");
    run.keys("<end>");
    assert_eq!(marks(&mut run), "↑›");
    run.keys("<esc>/theme\n");
    assert_eq!(marks(&mut run), "›", "all are there");
}
