//! What keys do to a conversation: steering, queueing, stopping, leaving, and who is called when.

mod harness;

use codex_proto::{
    Event, Op, OpId, Refused,
    event::TurnOutcome,
    op::{Delivery, Prompt, PromptPart},
};
use codex_tui::{
    Msg, ScreenEffect, Setup,
    setup::{Notifications, NotifyMethod, Start},
};
use harness::{Run, agent, completed, started, thread, turn_ended, turn_started, user};

fn run() -> Run {
    let mut run = Run::ready(Setup::sample(), 80, 24);
    run.take_effects();
    run
}

/// The ops among the effects since the last call.
fn ops(run: &mut Run) -> Vec<Op> {
    let effects = run.take_effects().into_iter();
    effects
        .filter_map(|effect| match effect {
            ScreenEffect::Op(_, op) => Some(op),
            _ => None,
        })
        .collect()
}

fn prompt(text: &str, delivery: Delivery) -> Op {
    let content = vec![PromptPart::Text(text.into())];
    Op::Prompt(Box::new(Prompt { thread: thread(), content, delivery, output_schema: None }))
}

#[test]
fn enter_steers_and_alt_enter_queues() {
    let mut run = run();
    run.event(turn_started()).keys("steer\n").keys("then<alt-enter>");
    let want = [prompt("steer", Delivery::Steer), prompt("then", Delivery::FollowUp)];
    assert_eq!(ops(&mut run), want);
    assert!(run.tell().contains("sent: steer") && run.tell().contains("then: then"));
    // What has reached the model is no longer on its way.
    run.event(completed(1, user("steer")));
    assert!(!run.tell().contains("sent: steer"));
}

#[test]
fn a_note_of_before_is_gone_when_a_prompt_is_sent() {
    let mut run = run();
    run.keys("thrown away<ctrl-c>");
    assert!(run.tell().contains("cleared; Up brings it back"));
    run.keys("sent\n").event(turn_started());
    let told = run.tell();
    assert!(!told.contains("cleared") && told.contains("Esc stops"), "{told}");
}

#[test]
fn prompts_and_scripts_go_into_the_history_and_commands_do_not() {
    let mut run = run();
    run.keys("one\n").keys("!ls\n").keys("/raw on\n");
    let appended = run.take_effects().into_iter().filter_map(|effect| match effect {
        ScreenEffect::AppendHistory { text, .. } => Some(text),
        _ => None,
    });
    assert_eq!(appended.collect::<Vec<_>>(), ["one", "!ls"]);
    run.keys("<up>");
    assert!(run.tell().contains("› /raw on"), "{}", run.tell());
    run.keys("<up>");
    assert!(run.tell().contains("$ !ls"), "{}", run.tell());
}

/// Whether `large` takes less than so many times as long as `small`. Both are measured by turns, again
/// and again, and the least counts, so that what else the machine does cannot make it fail.
#[allow(clippy::disallowed_methods, reason = "what is tested is how long it takes")]
fn keeps_pace(mut small: impl FnMut(), mut large: impl FnMut(), times: u32) {
    let time = |work: &mut dyn FnMut()| {
        let start = std::time::Instant::now();
        work();
        start.elapsed()
    };
    let mut least = [std::time::Duration::MAX; 2];
    for _ in 0..100 {
        least = [least[0].min(time(&mut small)), least[1].min(time(&mut large))];
        if least[1] < least[0] * times {
            return;
        }
    }
    panic!("at least {:?} and {:?}, more than {times} times as long", least[0], least[1]);
}

#[test]
fn a_paste_takes_time_by_its_length_and_arrives_whole() {
    let paste = |megabytes: usize| {
        let text = "0123456789 \u{1b}[31mabcdef\n".repeat((megabytes << 20) / 23);
        move || {
            let mut run = run();
            run.paste(&text);
            assert!(run.tell().contains("[Pasted #1: "));
            run.keys("\n");
            let ops = ops(&mut run);
            let [Op::Prompt(prompt)] = &ops[..] else { panic!("nothing was sent") };
            let [PromptPart::Text(sent)] = &prompt.content[..] else { panic!("no text") };
            // Nothing but the control character of each line and the last line end is gone.
            let lines = text.len() / 23;
            assert_eq!(sent.len(), lines * 22 - 1);
        }
    };
    // While a prompt is on its way, a frame costs the same whatever its length.
    let frame = |bytes: usize| {
        let mut run = run();
        run.event(turn_started()).paste(&"x".repeat(bytes)).keys("\n");
        assert!(run.tell().contains("sent: xxx"));
        move || {
            run.wait(1);
            run.draw();
        }
    };
    keeps_pace(frame(5_000), frame(10 << 20), 20);
    // Ten times as long; were it quadratic, it would be a hundred.
    keeps_pace(paste(1), paste(10), 40);
}

#[test]
fn a_note_is_whole_where_the_screen_is_narrow() {
    let mut run = Run::ready(Setup::sample(), 30, 20);
    run.keys("/nosuch\n");
    let (buffer, _) = run.draw();
    let cells = buffer.content.chunks(30).flat_map(|row| row.iter().map(|cell| cell.symbol()));
    let text: String = cells.collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    let want = "there is no command /nosuch; /help lists all commands";
    assert!(words.join(" ").contains(want), "{words:?}");
}

#[test]
fn a_long_text_leaves_room_for_what_is_waited_for() {
    let mut run = run();
    run.event(turn_started()).keys(&"line<ctrl-j>".repeat(40));
    let (buffer, caret) = run.draw();
    let rows: Vec<String> = buffer
        .content
        .chunks(usize::from(buffer.area.width))
        .map(|cells| cells.iter().map(ratatui::buffer::Cell::symbol).collect())
        .collect();
    let all = rows.join("\n");
    assert!(rows.last().unwrap().contains("gpt"), "{all}");
    assert!(rows[1].contains("working"), "{all}");
    assert!(all.contains("\n↑ line"), "{all}");
    assert_eq!(usize::from(caret.unwrap().y) + 2, rows.len(), "{all}");
}

#[test]
fn esc_stops_and_what_comes_back_is_in_the_composer() {
    let mut run = run();
    run.event(turn_started()).keys("one\n").keys("two<alt-enter>").keys("three");
    ops(&mut run);
    run.keys("<esc>");
    assert_eq!(ops(&mut run), [Op::Interrupt { thread: thread() }]);
    let back = |text: &str| Prompt::text(thread(), text);
    let prompts = vec![back("one"), back("two")];
    run.event(Event::PromptsReturned { thread: thread(), prompts });
    run.event(turn_ended(TurnOutcome::Interrupted));
    let told = run.tell();
    assert!(told.contains("one") && told.contains("two") && told.contains("three"), "{told}");
    assert!(!told.contains("sent: ") && told.contains("stopped"), "{told}");
    run.keys("\n");
    let Some(Op::Prompt(prompt)) = ops(&mut run).pop() else { panic!("nothing is sent") };
    let PromptPart::Text(text) = &prompt.content[0] else { panic!("text") };
    let order: Vec<usize> = ["one", "two", "three"].iter().map(|w| text.find(w).unwrap()).collect();
    assert!(order.is_sorted(), "{text}");
}

#[test]
fn a_command_of_the_users_own_is_run() {
    let mut run = run();
    run.keys("!ls -l\n");
    assert_eq!(ops(&mut run), [Op::RunCommand { thread: thread(), script: "ls -l".into() }]);
}

#[test]
fn ctrl_c_clears_then_stops_then_leaves_when_it_comes_twice() {
    let mut run = run();
    run.event(turn_started()).keys("text<ctrl-c>");
    assert_eq!(ops(&mut run), []);
    run.keys("<ctrl-c>");
    assert_eq!(ops(&mut run), [Op::Interrupt { thread: thread() }]);
    run.event(turn_ended(TurnOutcome::Interrupted));
    run.keys("<ctrl-c>").wait(5_000).keys("<ctrl-c>");
    let quits = |run: &mut Run| {
        run.take_effects().iter().any(|effect| matches!(effect, ScreenEffect::Quit { .. }))
    };
    assert!(!quits(&mut run), "too late for a second one");
    run.keys("<ctrl-c>");
    assert!(quits(&mut run));
}

#[test]
fn who_leaves_is_told_how_to_go_on() {
    let mut run = run();
    run.event(completed(1, user("hello"))).keys("<ctrl-d>");
    let Some(ScreenEffect::Quit { farewell }) = run.take_effects().pop() else { panic!("quits") };
    assert_eq!(farewell, [format!("To go on: codex resume {}", thread())]);
}

#[test]
fn what_is_sent_before_the_thread_is_ready_waits_for_it() {
    let mut run = Run::new(Setup::sample(), 80, 24);
    run.keys("early\n").keys("!ls\n").keys("not yet");
    assert!(run.tell().contains("first: early"));
    run.take_effects();
    run.event(harness::ready());
    let script = Op::RunCommand { thread: thread(), script: "ls".into() };
    assert_eq!(ops(&mut run), [prompt("early", Delivery::Steer), script]);
    assert!(run.tell().contains("not yet"));
}

#[test]
fn a_prompt_that_is_refused_is_in_the_composer_again() {
    let mut run = run();
    run.keys("too much\n");
    let effects = run.take_effects();
    let op = effects.iter().find_map(|effect| match effect {
        ScreenEffect::Op(id, Op::Prompt(_)) => Some(*id),
        _ => None,
    });
    let reason = Refused::QueueFull { limit: 32 };
    run.event(Event::Refused { op: op.unwrap(), reason });
    let told = run.tell();
    assert!(told.contains("> too much") || told.contains("\u{203a} too much"), "{told}");
    assert!(told.contains("32 prompts are waiting"), "{told}");
}

#[test]
fn a_session_that_cannot_be_resumed_gives_a_new_one_and_says_why() {
    let start = Start::Resume("/r.jsonl".into());
    let mut run = Run::new(Setup { start, ..Setup::sample() }, 80, 24);
    assert!(matches!(ops(&mut run)[..], [Op::ResumeThread { .. }]));
    let reason = Refused::Rollout { path: "/r.jsonl".into(), why: "line 3 is no JSON".into() };
    run.event(Event::Refused { op: OpId(1), reason });
    assert_eq!(ops(&mut run), [Op::StartThread]);
    assert!(run.tell().contains("line 3 is no JSON"));
}

/// What is written to the terminal, or shown by the host, since the last call.
fn calls(run: &mut Run) -> Vec<String> {
    let effects = run.take_effects().into_iter();
    effects
        .filter_map(|effect| match effect {
            ScreenEffect::Write(bytes) if !bytes.starts_with("\u{1b}]0;") => Some(bytes),
            ScreenEffect::Toast { title, body } => Some(format!("{title}: {body}")),
            _ => None,
        })
        .collect()
}

fn done() -> Event {
    turn_ended(TurnOutcome::Completed { last_message: Some("All **done**.\n\nReally.".into()) })
}

#[test]
fn the_user_is_called_when_nobody_looks() {
    let mut run = run();
    run.event(turn_started()).event(done());
    assert_eq!(calls(&mut run), <[String; 0]>::default());
    run.msg(Msg::Focus(false)).event(turn_started()).event(done());
    assert_eq!(calls(&mut run), ["\u{1b}]9;All **done**. Really.\u{7}"]);
    run.event(turn_started()).event(turn_ended(TurnOutcome::Interrupted));
    assert_eq!(calls(&mut run), <[String; 0]>::default(), "who stops it is there");
}

#[test]
fn notifications_are_as_configured() {
    for (change, want) in [
        (
            (|setup| setup.notifications.always = true) as fn(&mut Setup),
            vec!["\u{1b}]9;All **done**. Really.\u{7}"],
        ),
        (|setup| setup.terminal.focus_events = false, vec!["\u{1b}]9;All **done**. Really.\u{7}"]),
        (
            |setup| {
                setup.notifications.always = true;
                setup.terminal.notify = NotifyMethod::Toast;
            },
            vec!["Codex: All **done**. Really."],
        ),
        (
            |setup| {
                let none = Notifications { turn: false, approval: false, always: true };
                setup.notifications = none;
            },
            vec![],
        ),
    ] {
        let mut setup = Setup::sample();
        change(&mut setup);
        let mut run = Run::ready(setup, 80, 24);
        run.take_effects();
        run.event(turn_started()).event(done());
        assert_eq!(calls(&mut run), want);
    }
}

#[test]
fn what_an_earlier_thread_left_unfinished_is_not_shown_in_the_next() {
    let mut run = run();
    run.event(turn_started()).event(started(7, agent("half a line")));
    assert!(run.tell().contains("half a line"));
    run.event(turn_ended(TurnOutcome::Interrupted)).keys("/new\n");
    let op = run.take_effects().iter().find_map(|effect| match effect {
        ScreenEffect::Op(id, Op::StartThread) => Some(*id),
        _ => None,
    });
    let mut next = harness::ready();
    if let Event::ThreadReady(ready) = &mut next {
        ready.op = op.unwrap();
    }
    run.event(next);
    assert!(!run.tell().contains("half a line"));
}

#[test]
fn vim_takes_the_keys_that_the_user_gave_it() {
    let keymap = |name: &str, keys: &[&str]| {
        (name.to_owned(), keys.iter().map(|key| key.parse().unwrap()).collect::<Vec<_>>())
    };
    let setup = Setup {
        vim: true,
        keymap: vec![
            keymap("vim_normal.move_left", &["s"]),
            keymap("vim_normal.start_delete_operator", &["q"]),
            keymap("vim_operator.delete_line", &["q"]),
            keymap("vim_operator.motion_word_backward", &["ctrl-b"]),
            keymap("vim_normal.enter_insert", &[]),
        ],
        ..Setup::sample()
    };
    let mut run = Run::ready(setup, 80, 24);
    let written = |run: &mut Run| {
        let told = run.tell();
        let row = told.lines().find(|row| row.starts_with("|› ")).unwrap_or_default();
        row.trim_start_matches("|› ").to_owned()
    };
    run.keys("one two three<esc>ssx");
    assert_eq!(written(&mut run), "one two thee");
    run.keys("q<ctrl-b>");
    assert_eq!(written(&mut run), "one two ee");
    run.keys("d$ix");
    assert_eq!(written(&mut run), "one two e", "neither `d` nor `i` means anything");
    run.keys("fsu");
    assert_eq!(written(&mut run), "one two ee", "a character is meant as it is");
    run.keys("qq");
    assert!(written(&mut run).starts_with("Ask for anything"), "{}", run.tell());
    run.keys("?normal mode: start del");
    assert!(run.tell().contains("|› q"), "{}", run.tell());
}
