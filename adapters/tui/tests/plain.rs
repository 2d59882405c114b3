//! Plain mode, for ears: all that matters is an appended line, and only one line is redrawn.

mod harness;

use codex_proto::{
    ApprovalId, Event,
    approval::{ApprovalAnswer, ApprovalReason, ApprovalRequest, ApprovalSubject},
};
use codex_tui::{
    Answer, Msg, Setup,
    msg::{SessionEntry, Sessions},
    setup::Mode,
};
use harness::{Run, started, thread, turn_started, user};

fn run() -> Run {
    let mut run = Run::ready(Setup { mode: Mode::Plain, ..Setup::sample() }, 80, 24);
    run.printed.clear();
    run
}

/// What was appended since the last call.
fn said(run: &mut Run) -> Vec<String> {
    run.printed.drain(..).map(|line| line.text()).filter(|line| !line.is_empty()).collect()
}

/// The line that is redrawn.
fn line(run: &mut Run) -> String {
    let (buffer, _) = run.draw();
    assert_eq!(buffer.area.height, 1, "one line");
    buffer.content.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()
}

#[test]
fn a_list_is_told_once_and_then_what_is_chosen() {
    let mut run = run();
    run.keys("/model\n");
    let told = [
        "Model",
        "gpt-5.5 (now): the default; for most work",
        "gpt-5.4-mini: smaller and quicker",
        "chosen: gpt-5.5 (now), 1 of 2",
        "Enter: choose; Esc: leave it",
    ];
    assert!(said(&mut run).ends_with(&told.map(str::to_owned)));
    assert_eq!(line(&mut run), "Model:");
    run.keys("<down>");
    assert_eq!(said(&mut run), ["gpt-5.4-mini, 2 of 2: smaller and quicker"]);
    run.keys("\n");
    assert_eq!(said(&mut run)[0], "Effort of gpt-5.4-mini", "what is asked next is told");
    run.keys("\n");
    assert_eq!(said(&mut run), ["model: gpt-5.4-mini, medium effort"]);
    run.keys("/theme\n<down><esc>");
    assert_eq!(said(&mut run).last().unwrap(), "closed: Theme");
}

#[test]
fn a_filter_tells_what_it_leaves() {
    let mut run = run();
    run.keys("?");
    let told = said(&mut run);
    assert!(
        told.iter().any(|line| line.ends_with("more; Down goes through all of them")),
        "{told:?}"
    );
    assert!(told.last().unwrap().starts_with("type to filter; "), "{told:?}");
    run.keys("zzzz");
    assert_eq!(said(&mut run).last().unwrap(), "nothing matches zzzz");
    assert_eq!(line(&mut run), "filter: zzzz");
    run.keys("<ctrl-u>vim");
    let told = said(&mut run);
    assert!(told.last().unwrap().contains("/vim"), "{told:?}");
    run.keys("<esc>");
    assert!(said(&mut run)[0].starts_with("all "), "the filter is taken back");
    run.keys("<esc>");
    assert_eq!(said(&mut run), ["closed: Commands and keys"]);
}

#[test]
fn sessions_and_diffs_are_told_when_they_are_there() {
    let mut run = run();
    run.keys("/resume\n");
    let told = said(&mut run);
    assert!(told.contains(&"looking\u{2026}".to_owned()), "{told:?}");
    let session = SessionEntry {
        path: "/s".into(),
        thread: thread(),
        name: "fix it".into(),
        cwd: "/home/user/project".into(),
        modified: run.now.wall,
        bytes: 1_200,
    };
    let sessions = Sessions { sessions: vec![session], ..Sessions::default() };
    run.msg(Msg::Answer(Answer::Sessions(sessions)));
    let told = said(&mut run);
    assert!(told.contains(&"fix it (now), now, 1.2 kB".to_owned()), "{told:?}");
    run.keys("<esc>/diff\n");
    said(&mut run);
    let lines: String = (0..60).map(|n| format!("+line {n}\n")).collect();
    let diff = format!("diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -0,0 +1,60 @@\n{lines}");
    run.msg(Msg::Answer(Answer::Diff(Ok(diff))));
    let told = said(&mut run);
    assert!(told.iter().any(|line| line.contains("line 59")), "all of it: {told:?}");
    assert_eq!(line(&mut run), "Changes:");
}

#[test]
fn a_question_is_told_with_its_answers_also_while_a_message_streams() {
    let mut run = run();
    run.event(turn_started()).event(started(1, harness::agent("")));
    run.event(harness::delta(1, "One moment.\n\nI"));
    said(&mut run);
    run.event(Event::ApprovalRequested(Box::new(ApprovalRequest {
        id: ApprovalId(1),
        thread: thread(),
        call_id: "call_1".into(),
        subject: ApprovalSubject::Command {
            command: "touch a".into(),
            cwd: "/home/user/project".into(),
        },
        why: ApprovalReason::Untrusted,
        lost: Vec::new(),
        justification: None,
        session_scope: None,
    })));
    let told = said(&mut run);
    assert_eq!(told[0], "Run this command?", "{told:?}");
    assert!(told.contains(&"y: Yes, this once".to_owned()), "{told:?}");
    run.wait(600).keys("<down><down>");
    assert_eq!(said(&mut run), ["Yes, this once", "No, go on without it"]);
    run.keys("f");
    assert_eq!(said(&mut run), ["say what to do instead; Enter: send; Esc: back"]);
    run.keys("no");
    assert_eq!(line(&mut run), "instead: no");
    run.keys("<esc>y");
    assert!(said(&mut run).iter().all(|line| !line.starts_with("closed")));
    let answer = Some(ApprovalAnswer::Once);
    run.event(Event::ApprovalEnded { thread: thread(), id: ApprovalId(1), answer });
    run.event(harness::completed(1, user("x")));
}

#[test]
fn completions_are_counted_and_told_by_the_arrows() {
    let mut run = run();
    run.keys("/co");
    let told = said(&mut run);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with("commands match; Down goes through them, Tab takes one"), "{told:?}");
    run.keys("<down>");
    let told = said(&mut run);
    assert!(told.len() == 1 && told[0].contains(", 2 of "), "{told:?}");
    assert_eq!(line(&mut run), "\u{203a} /co");
}
