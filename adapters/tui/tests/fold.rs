//! The screen is a fold: what is printed and drawn depends on the messages alone, however often and at
//! whatever sizes it is drawn between them, and wherever deltas are cut.

#![expect(clippy::unwrap_used, reason = "a test")]

mod harness;

use codex_proto::{
    ApprovalId, Event, Mono, Now, Wall,
    approval::{ApprovalAnswer, ApprovalReason, ApprovalRequest, ApprovalSubject},
    event::{TurnOutcome, WaitPhase},
    item::{
        CommandItem, FileChange, FileChangeItem, FileChangeKind, ItemBody, ItemStatus, PlanItem,
        PlanStep, StepStatus,
    },
};
use codex_tui::{
    AppState, Msg, ScreenEffect, Setup,
    frame::{Scene, Writer},
    key::{Key, Paste},
    setup::Mode,
    text::Line,
};
use harness::{agent, completed, delta, ready, started, thread, turn_ended, turn_started, user};
use proptest::prelude::*;
use ratatui::{buffer::Buffer, layout::Rect};

/// Text of every kind that a model, a command or a user may produce.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "word ",
            "\n",
            "\n\n",
            "```rs\n",
            "```\n",
            "- item\n",
            "1. one\n",
            "# head\n",
            "| a | b |\n",
            "|---|---|\n",
            "**b**",
            "`c`",
            "[l](https://a.b)",
            "\u{1b}[31m",
            "\u{1b}]0;t\u{7}",
            "\u{202e}",
            "\u{4f60}\u{597d}",
            "\u{1f468}\u{200d}\u{1f469}",
            "e\u{301}",
            "\t",
            "\r",
            "\0",
            "> q\n",
            "\u{7f}",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,40}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn path() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["/home/user/project/a.rs", "/etc/x", "/home/user/b\u{1b}[2J", "rel"])
        .prop_map(str::to_owned)
}

fn body() -> impl Strategy<Value = ItemBody> {
    let status = prop::sample::select(vec![
        ItemStatus::Completed,
        ItemStatus::Declined,
        ItemStatus::Failed,
        ItemStatus::InProgress,
    ]);
    let kind = prop::sample::select(vec![
        FileChangeKind::Add,
        FileChangeKind::Delete,
        FileChangeKind::Update,
    ]);
    prop_oneof![
        4 => text().prop_map(|text| ItemBody::AgentMessage { text }),
        1 => text().prop_map(|text| ItemBody::UserMessage { text }),
        1 => text().prop_map(|message| ItemBody::Error { message }),
        1 => (text(), text()).prop_map(|(text, raw)| ItemBody::Reasoning { text, raw }),
        2 => (text(), text(), status.clone(), any::<Option<i32>>(), path()).prop_map(
            |(command, output, status, exit_code, cwd)| ItemBody::Command(CommandItem {
                call_id: "c".into(), command, cwd: cwd.into(), output, exit_code, status,
                duration_ms: 1_234, by_user: false,
            })),
        1 => (text(), status, kind, path()).prop_map(|(diff, status, kind, path)| {
            let change = FileChange { path: path.into(), kind, diff, move_path: None };
            ItemBody::FileChange(FileChangeItem {
                call_id: "c".into(), changes: vec![change], status, error: None,
            })
        }),
        1 => text().prop_map(|step| ItemBody::Plan(PlanItem {
            explanation: Some(step.clone()),
            steps: vec![PlanStep { step, status: StepStatus::InProgress }],
        })),
        1 => text().prop_map(|query| ItemBody::WebSearch {
            call_id: "w".into(), query, action: serde_json::Value::Null,
        }),
    ]
}

fn approval(id: u32, command: String) -> Event {
    Event::ApprovalRequested(Box::new(ApprovalRequest {
        thread: thread(),
        id: ApprovalId(id),
        call_id: "c".into(),
        subject: ApprovalSubject::Command { command, cwd: "/w".into() },
        why: ApprovalReason::Untrusted,
        justification: None,
        lost: Vec::new(),
        session_scope: None,
    }))
}

fn event() -> impl Strategy<Value = Event> {
    let id = 0..4_u32;
    prop_oneof![
        3 => (id.clone(), body()).prop_map(|(id, body)| started(id, body)),
        6 => (id.clone(), text()).prop_map(|(id, text)| delta(id, &text)),
        3 => (id.clone(), body()).prop_map(|(id, body)| completed(id, body)),
        1 => id.clone().prop_map(|item| Event::ItemDropped { thread: thread(), item }),
        1 => (id.clone(), text()).prop_map(|(id, text)| approval(id, text)),
        1 => id.prop_map(|id| Event::ApprovalEnded {
            thread: thread(), id: ApprovalId(id), answer: Some(ApprovalAnswer::Once),
        }),
        1 => Just(turn_started()),
        1 => Just(turn_ended(TurnOutcome::Interrupted)),
        1 => Just(Event::Waiting { thread: thread(), phase: Some(WaitPhase::FirstToken) }),
        1 => text().prop_map(|message| Event::Warning { thread: None, message }),
        1 => Just(ready()),
        1 => Just(Event::ThreadStopped { thread: thread() }),
    ]
}

fn msg() -> impl Strategy<Value = Msg> {
    let keys: Vec<Key> = [
        "a",
        "b",
        "/",
        "@",
        "!",
        "?",
        "enter",
        "alt-enter",
        "esc",
        "ctrl-c",
        "up",
        "down",
        "tab",
        "backspace",
        "pageup",
        "pagedown",
        "y",
        "n",
        "f3",
        "ctrl-r",
        "left",
        "space",
        "ctrl-l",
        "ctrl-t",
    ]
    .map(|key| key.parse().unwrap())
    .to_vec();
    prop_oneof![
        8 => event().prop_map(Msg::Event),
        4 => prop::sample::select(keys).prop_map(Msg::Key),
        1 => text().prop_map(|text| Msg::Paste(Paste(text))),
        1 => any::<bool>().prop_map(Msg::Focus),
        1 => Just(Msg::Tick),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop::sample::select(vec![Mode::Inline, Mode::Inline, Mode::FullScreen, Mode::Plain])
}

fn app(mode: Mode, raw: bool) -> AppState {
    let setup = Setup { mode, raw, ..Setup::sample() };
    let (mut app, _) = AppState::new(setup);
    app.update(now(0), Msg::Resize { width: 80, height: 24 });
    app.update(now(0), Msg::Event(ready()));
    app
}

fn now(step: usize) -> Now {
    let ms = u64::try_from(step).unwrap() * 300;
    Now { mono: Mono(ms * 1_000), wall: Wall(i64::try_from(ms).unwrap()) }
}

fn view(
    app: &mut AppState,
    width: u16,
    height: u16,
) -> (Buffer, Option<ratatui::layout::Position>) {
    let rows = app.height(width, height);
    assert!(rows <= height, "{rows} of {height} rows");
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let caret = app.view(area, &mut buffer);
    if let Some(caret) = caret {
        assert!(area.contains(caret), "the caret {caret} is in {area}");
    }
    (buffer, caret)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn drawing_between_messages_is_invisible(
        mode in mode(),
        raw in any::<bool>(),
        msgs in prop::collection::vec(msg(), 0..40),
        sizes in prop::collection::vec((1..300_u16, 1..100_u16), 40),
        cut in 0..40_usize,
    ) {
        // One is drawn after each message, and is cloned in the middle; one never.
        let mut drawn = app(mode, raw);
        let mut bare = app(mode, raw);
        for (step, msg) in msgs.iter().enumerate() {
            if step == cut {
                drawn = drawn.clone();
            }
            let (width, height) = sizes[step];
            if step % 3 == 0 {
                for app in [&mut drawn, &mut bare] {
                    app.update(now(step), Msg::Resize { width, height });
                }
            }
            let one = drawn.update(now(step), msg.clone());
            let two = bare.update(now(step), msg.clone());
            prop_assert_eq!(one, two, "step {}", step);
            let (width, height) = sizes[step / 3 * 3];
            view(&mut drawn, width, height);
        }
        let (one, two) = (view(&mut drawn, 80, 24), view(&mut bare, 80, 24));
        prop_assert_eq!(one.1, two.1);
        prop_assert_eq!(one.0, two.0);
        prop_assert_eq!(drawn.deadline(), bare.deadline());
    }

    #[test]
    fn no_size_is_too_odd(
        mode in mode(),
        msgs in prop::collection::vec(msg(), 0..30),
        sizes in prop::collection::vec(
            prop_oneof![Just((1, 1)), Just((300, 100)), Just((1, 100)), Just((300, 1)), (1..30_u16, 1..12_u16)],
            1..6,
        ),
    ) {
        let mut app = app(mode, false);
        let setup = Setup { mode, ..Setup::sample() };
        let mut writer = Writer::new(&setup);
        for (step, msg) in msgs.into_iter().enumerate() {
            let (width, height) = sizes[step % sizes.len()];
            let mut effects = app.update(now(step), Msg::Resize { width, height });
            effects.extend(app.update(now(step), msg));
            for effect in effects {
                if let ScreenEffect::Print(lines) = effect {
                    writer.print(lines);
                }
            }
            view(&mut app, width, height);
            writer.resize(width, height);
            let bytes = writer.frame(&mut app);
            only_our_sequences(&bytes)?;
            prop_assert!(mode != Mode::Plain || !bytes.contains('\u{1b}'), "{:?}", bytes);
            prop_assert_eq!(writer.frame(&mut app), "", "nothing changed, nothing is written");
        }
    }

    #[test]
    fn where_deltas_are_cut_is_invisible(texts in prop::collection::vec(text(), 1..4), size in 1..7_usize) {
        let mut printed = Vec::new();
        for size in [usize::MAX, size] {
            let mut app = app(Mode::Inline, false);
            let mut lines = Vec::new();
            for (id, text) in (0..).zip(&texts) {
                let mut events = vec![started(id, agent(""))];
                let chars: Vec<char> = text.chars().collect();
                events.extend(chars.chunks(size).map(|part| delta(id, &part.iter().collect::<String>())));
                events.push(completed(id, agent(text)));
                for event in events {
                    take_lines(app.update(now(0), Msg::Event(event)), &mut lines);
                }
            }
            printed.push(lines);
        }
        prop_assert_eq!(&printed[0], &printed[1]);
    }

    #[test]
    fn each_line_of_each_message_leaves_once(
        counts in prop::collection::vec(1..30_usize, 1..6),
        order in prop::collection::vec(0..6_usize, 0..120),
    ) {
        // Several messages and commands grow at once, in any order, and end in any order.
        let mut app = app(Mode::Inline, false);
        let mut lines = Vec::new();
        let mut left: Vec<(u32, usize, usize)> = (0..).zip(&counts).map(|(id, n)| (id, 0, *n)).collect();
        for (id, _, _) in &left {
            take_lines(app.update(now(0), Msg::Event(started(*id, agent("")))), &mut lines);
        }
        let whole = |id: u32, count: usize| {
            (0..count).map(|n| format!("m{id}-{n} text\n\n")).collect::<String>()
        };
        let mut picks = order.into_iter();
        while !left.is_empty() {
            let place = picks.next().unwrap_or(0) % left.len();
            let (id, done, count) = &mut left[place];
            let event = if done < count {
                *done += 1;
                delta(*id, &format!("m{id}-{} text\n\n", *done - 1))
            } else {
                let event = completed(*id, agent(&whole(*id, *count)));
                left.remove(place);
                event
            };
            take_lines(app.update(now(0), Msg::Event(event)), &mut lines);
        }
        let texts: Vec<String> = lines.iter().map(Line::text).filter(|text| text.starts_with('m')).collect();
        let mut sorted = texts.clone();
        sorted.sort();
        let mut want: Vec<String> = Vec::new();
        for (id, count) in counts.iter().enumerate() {
            want.extend((0..*count).map(|n| format!("m{id}-{n} text")));
            // Each message is whole: its lines follow each other.
            let first = texts.iter().position(|text| *text == format!("m{id}-0 text")).unwrap();
            for n in 0..*count {
                prop_assert_eq!(&texts[first + n], &format!("m{id}-{n} text"));
            }
        }
        want.sort();
        prop_assert_eq!(sorted, want);
    }
}

fn take_lines(effects: Vec<ScreenEffect>, lines: &mut Vec<Line>) {
    for effect in effects {
        if let ScreenEffect::Print(new) = effect {
            lines.extend(new);
        }
    }
}

/// Every control code is part of a sequence that the writer makes.
fn only_our_sequences(bytes: &str) -> Result<(), TestCaseError> {
    let mut rest = bytes;
    while let Some(at) = rest.find(|char: char| char.is_control()) {
        rest = &rest[at..];
        let known = if let Some(tail) = rest.strip_prefix(['\r', '\u{8}']) {
            Some(tail.strip_prefix('\n').unwrap_or(tail))
        } else if let Some(tail) = rest.strip_prefix("\x1b]8;;") {
            tail.split_once("\x1b\\").map(|(target, tail)| {
                assert!(target.bytes().all(|byte| byte.is_ascii_graphic()));
                tail
            })
        } else {
            rest.strip_prefix("\x1b[").and_then(|tail| {
                let end = tail.find(|char: char| char.is_ascii_alphabetic())?;
                let (arguments, end) = (&tail[..end], &tail[end..]);
                let is_known = match end.as_bytes()[0] {
                    b'h' | b'l' => ["?2026", "?25"].contains(&arguments),
                    b'A'..=b'D' | b'H' | b'J' | b'K' | b'm' => {
                        arguments.bytes().all(|byte| byte.is_ascii_digit() || byte == b';')
                    }
                    _ => false,
                };
                is_known.then_some(&end[1..])
            })
        };
        let Some(tail) = known else {
            return Err(TestCaseError::fail(format!("{:?}", &rest[..rest.len().min(20)])));
        };
        rest = tail;
    }
    Ok(())
}

#[test]
fn idle_means_no_wake_up_and_no_bytes() {
    let mut app = app(Mode::Inline, false);
    let mut writer = Writer::new(&Setup::sample());
    writer.resize(80, 24);
    assert!(!writer.frame(&mut app).is_empty());
    assert_eq!(app.deadline(), None);
    assert_eq!(writer.frame(&mut app), "");
    // After a turn it is idle again.
    for event in [turn_started(), completed(1, user("x")), turn_ended(TurnOutcome::Interrupted)] {
        app.update(now(1), Msg::Event(event));
    }
    assert_eq!(app.deadline(), None);
}

#[test]
fn waiting_wakes_four_times_a_second_at_most_and_once_when_nobody_looks() {
    for (has_focus, animations, most) in [(true, true, 40), (false, true, 10), (true, false, 10)] {
        let (mut app, _) = AppState::new(Setup { animations, ..Setup::sample() });
        app.update(now(0), Msg::Event(ready()));
        app.update(now(0), Msg::Event(turn_started()));
        app.update(now(0), Msg::Focus(has_focus));
        let mut count = 0;
        let end = Mono(10_000_000);
        while let Some((due, _)) = app.deadline().filter(|(due, _)| *due <= end) {
            app.update(Now { mono: due, wall: Wall(0) }, Msg::Tick);
            count += 1;
        }
        assert_eq!(count, most, "{has_focus} {animations}");
    }
}
