use std::{fs, path::Path, str::FromStr as _};

use codex_engine::{
    Engine, Move,
    journal::{Reader, Step, record},
};
use codex_proto::{
    ApprovalId, Effect, EffectId, EffectKind, Event, HostError, HostErrorKind, Input, Mono, Now,
    Op, OpId, Output, Refused, Reply, ThreadId, Wall,
    approval::ApprovalAnswer,
    effect::{Exit, HttpHead, HttpRequest, Method, Signal, SocketMessage, SocketRequest},
    realtime::{RealtimeClosed, RealtimeEvent, RealtimeNews, RealtimeStart, RealtimeTransport},
};

use super::{
    Edge, mermaid,
    story::{Body, Lifeline, Mood, Selection, Story, Teller},
    svg,
    text::{bytes, count, duration, one_line, shorten, xml},
};

const ALL: Selection = Selection { from: (0, 0), to: (u64::MAX, u64::MAX), rows_max: 300 };

fn id(number: u64) -> EffectId {
    EffectId(number.try_into().unwrap())
}

fn step(n: u64, ms: u64, input: Input, outputs: Vec<Output>) -> Step {
    let now = Now { mono: Mono(ms * 1_000), wall: Wall(0) };
    Step { line: n + 1, n, now, input, outputs, moves: vec![] }
}

fn effect(number: u64, kind: EffectKind) -> Output {
    Output::Effect(Effect { id: id(number), kind })
}

fn read(number: u64, path: &str) -> Output {
    effect(number, EffectKind::Read { path: path.into(), bytes_max: 9 })
}

fn reply(number: u64, reply: Reply) -> Input {
    Input::Reply(id(number), reply)
}

fn warning(message: &str) -> Output {
    Output::Event(Event::Warning { thread: None, message: message.into() })
}

fn story(steps: &[Step], selection: &Selection) -> Story {
    let mut teller = Teller::new(false);
    steps.iter().for_each(|step| teller.push(step, None));
    teller.finish(selection)
}

/// The rows as texts, for comparing.
fn texts(story: &Story) -> Vec<String> {
    let text = |body: &Body| match body {
        Body::Arrow { from, to, text, mood } => {
            let cross = if *mood == Mood::Bad { " ✕" } else { "" };
            format!("{} > {}: {text}{cross}", from.name(), to.name())
        }
        Body::Folded { inputs } => format!("folded {inputs}"),
        Body::Note { on, text } => format!("{}: {text}", on.name()),
        Body::Silence { us } => format!("silence {}", duration(*us)),
    };
    story.rows.iter().map(|row| text(&row.body)).collect()
}

/// Whether a text is XML that any reader takes: tags in pairs, attributes in quotes, known
/// entities only, no character that XML forbids.
fn is_well_formed(text: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        if rest[at..].starts_with('&') {
            let known = ["&amp;", "&lt;", "&gt;", "&quot;"];
            if !known.iter().any(|entity| rest[at..].starts_with(entity)) {
                return Err(format!(
                    "entity: {}",
                    &rest[at..].chars().take(20).collect::<String>()
                ));
            }
            rest = &rest[at + 1..];
            continue;
        }
        let end = rest[at..].find('>').ok_or("a tag without end")? + at;
        let tag = &rest[at + 1..end];
        if !tag.matches('"').count().is_multiple_of(2) || tag.contains('<') {
            return Err(format!("tag: {tag}"));
        }
        let name = tag.split([' ', '/']).find(|name| !name.is_empty()).unwrap_or_default();
        if tag.starts_with('/') {
            if open.pop() != Some(name) {
                return Err(format!("{name} closes another"));
            }
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        rest = &rest[end + 1..];
    }
    let odd = text.chars().find(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{fffe}'));
    match (open.is_empty(), odd) {
        (false, _) => Err(format!("open: {open:?}")),
        (_, Some(c)) => Err(format!("character {c:?}")),
        (true, None) => Ok(()),
    }
}

/// Two effects side by side, a silence, a cancelled and a failed one.
fn side_by_side() -> Vec<Step> {
    let failed = |kind, text: &str| Reply::Failed(HostError::new(kind, text));
    vec![
        step(1, 10, Input::Op(OpId(1), Op::StartThread), vec![read(1, "/a"), read(2, "/b")]),
        step(2, 11, reply(1, Reply::Bytes(b"12".to_vec())), vec![]),
        step(3, 12, reply(1, Reply::Bytes(b"345".to_vec())), vec![warning("a; b # c\nd")]),
        step(4, 13, reply(1, Reply::Closed), vec![effect(3, EffectKind::Cancel(id(2)))]),
        step(
            5,
            2_013,
            reply(2, failed(HostErrorKind::Cancelled, "cancelled")),
            vec![read(4, "/c")],
        ),
        step(6, 2_014, reply(4, failed(HostErrorKind::NotFound, "/c is not there")), vec![]),
    ]
}

/// A call of a client's peer: the answer leaves before the socket is there.
fn call() -> Vec<Step> {
    let thread = ThreadId::from_str("0199a213-81c0-7800-8aa1-bbab2a035a53").unwrap();
    let voice =
        |news| Output::Event(Event::Realtime(Box::new(RealtimeEvent { thread, attempt: 1, news })));
    let request = HttpRequest {
        method: Method::Post,
        url: "https://api.example/v1/realtime/calls".into(),
        headers: vec![],
        auth: None,
        body: vec![0; 700],
        connect_ms: 1,
    };
    let socket = SocketRequest {
        url: "wss://api.example/v1/realtime?call_id=rtc_1".into(),
        headers: vec![],
        auth: None,
        connect_ms: 1,
        message_bytes_max: 1,
    };
    let head = HttpHead { status: 201, headers: vec![] };
    let send = |message| {
        effect(4, EffectKind::Send(Box::new(codex_proto::effect::Send { socket: id(3), message })))
    };
    let offer = "v=0".to_owned();
    let transport = RealtimeTransport::WebRtcClient { offer };
    let start = Op::RealtimeStart(Box::new(RealtimeStart::new(thread, transport)));
    let nobody = ApprovalId(u32::MAX);
    let echo = Op::Approve { thread, id: nobody, answer: ApprovalAnswer::Deny { feedback: None } };
    let refused = Event::Refused { op: OpId(2), reason: Refused::NoSuchApproval };
    let text = |text: &str| Reply::Bytes(text.into());
    vec![
        step(1, 0, Input::Op(OpId(1), start), vec![effect(1, EffectKind::Http(Box::new(request)))]),
        step(2, 0, Input::Op(OpId(2), echo), vec![Output::Event(refused)]),
        step(3, 50, reply(1, Reply::Head(Box::new(head))), vec![]),
        step(4, 50, reply(1, text("v=0")), vec![]),
        step(
            5,
            50,
            reply(1, Reply::Closed),
            vec![
                voice(RealtimeNews::Answer { sdp: "v=0".into() }),
                effect(3, EffectKind::Socket(Box::new(socket))),
            ],
        ),
        step(
            6,
            90,
            reply(3, Reply::Opened),
            vec![send(SocketMessage::Text(r#"{"type":"session.update"}"#.into()))],
        ),
        step(7, 95, reply(3, Reply::Sent { messages: 1 }), vec![]),
        step(8, 99, reply(3, text(r#"{"type":"session.updated"}"#)), vec![]),
        step(9, 100, reply(3, text(r#"{"type":"response.output_text.delta"}"#)), vec![]),
        step(10, 101, reply(3, text(r#"{"type":"response.output_text.delta"}"#)), vec![]),
        step(11, 102, reply(3, text(r#"{"type":"response.done"}"#)), vec![]),
        step(12, 103, reply(3, text("odd")), vec![]),
        step(
            13,
            110,
            Input::Op(OpId(3), Op::RealtimeStop { thread }),
            vec![
                send(SocketMessage::Close),
                voice(RealtimeNews::Closed { reason: RealtimeClosed::Requested }),
            ],
        ),
        step(14, 111, reply(3, Reply::Closed), vec![]),
    ]
}

#[test]
fn a_call_is_told_with_its_answer_before_the_sideband() {
    let story = story(&call(), &ALL);
    let want = [
        "user > engine: start voice (offer)",
        "engine > call: POST /v1/realtime/calls 700 B",
        "call > engine: 201 Created",
        "call > engine: 1 piece, 3 B, end",
        "engine > user: SDP answer",
        "engine > sideband: join /v1/realtime",
        "sideband > engine: joined",
        "engine > sideband: session.update",
        "sideband > engine: session.updated",
        "sideband > engine: 2 pieces, 98 B",
        "sideband > engine: response.done",
        "sideband > engine: a message of 3 bytes",
        "user > engine: stop voice",
        "engine > sideband: close",
        "engine > user: voice closed: requested",
        "sideband > engine: done",
    ];
    assert_eq!(texts(&story), want);
    use Lifeline::{Call, Engine, Sideband, User};
    assert_eq!(story.lifelines, [User, Engine, Call, Sideband]);
    assert!(story.summary.contains("1 conversation"), "{}", story.summary);
    is_well_formed(&svg::render(&story, "call")).unwrap();
}

#[test]
fn a_run_is_told_in_the_order_in_which_things_follow() {
    let story = story(&side_by_side(), &ALL);
    let want = [
        "user > engine: start thread",
        "engine > disk: read /a",
        "engine > disk: read /b",
        "disk > engine: 2 pieces, 5 B",
        "engine > user: warning: a; b # c d",
        "disk > engine: done (read /a)",
        "engine > disk: cancel read /b",
        "silence 2.0 s",
        "disk > engine: cancelled ✕",
        "engine > disk: read /c",
        "disk > engine: failed: /c is not there ✕",
    ];
    assert_eq!(texts(&story), want);
    let bars: Vec<_> =
        story.bars.iter().map(|bar| (bar.text.as_str(), bar.from, bar.to, bar.place)).collect();
    let want =
        [("read /a", 1, Some(5), 0), ("read /b", 2, Some(8), 1), ("read /c", 9, Some(10), 0)];
    assert_eq!(bars, want);
    assert_eq!(story.lifelines, [Lifeline::User, Lifeline::Engine, Lifeline::Disk]);
    assert_eq!(story.summary, "6 inputs in 2.0 s");
}

#[test]
fn the_end_of_an_answer_is_a_row_only_when_it_comes_late() {
    let request = || HttpRequest {
        method: Method::Get,
        url: "https://host/path?query".into(),
        headers: vec![],
        auth: None,
        body: vec![],
        connect_ms: 1,
    };
    for (ms, want) in [(4, &["model > engine: 200 OK"][..]), (5, &["model > engine: end"])] {
        let http = || effect(1, EffectKind::Http(Box::new(request())));
        let head = Reply::Head(Box::new(HttpHead { status: 200, headers: vec![] }));
        let story = story(
            &[
                step(1, 0, Input::Op(OpId(1), Op::StartThread), vec![http()]),
                step(2, 1, reply(1, head), vec![]),
                step(3, 1 + ms, reply(1, Reply::Closed), vec![]),
            ],
            &ALL,
        );
        let told = texts(&story);
        assert_eq!(told[1], "engine > model: GET /path");
        assert_eq!(&told[told.len() - 1..], want);
        assert_eq!(story.bars[0].to, Some(told.len() - 1));
    }
}

#[test]
fn mermaid_text_holds_the_same_story() {
    let want = "\
sequenceDiagram
    actor user
    participant engine
    participant disk
    Note over user,disk: 6 inputs in 2.0 s
    user->>engine: [0 ms] start thread
    engine->>disk: read /a
    activate disk
    engine->>disk: read /b
    activate disk
    disk-->>engine: [2 ms] 2 pieces, 5 B
    engine-->>user: warning#58; a#59; b #35; c d
    disk-->>engine: [3 ms] done (read /a)
    deactivate disk
    engine->>disk: cancel read /b
    Note over user,disk: 2.0 s of silence
    disk--xengine: [2.0 s] cancelled
    deactivate disk
    engine->>disk: read /c
    activate disk
    disk--xengine: failed#58; /c is not there
    deactivate disk
";
    assert_eq!(mermaid::render(&story(&side_by_side(), &ALL)), want);
}

#[test]
fn state_changes_are_marks_or_rows() {
    let moved = vec![Move { machine: "turn", from: "(new)", on: "prompt", to: "Sampling" }];
    let told = |all| {
        let mut teller = Teller::new(all);
        let step = step(1, 0, Input::Wake, vec![read(1, "/a")]);
        teller.push(&Step { moves: moved.clone(), ..step }, Some("retry"));
        teller.finish(&ALL)
    };
    let marked = told(false);
    assert_eq!(texts(&marked), ["engine: timer: retry", "engine > disk: read /a"]);
    assert_eq!(marked.rows[1].state.as_deref(), Some("Sampling"));
    assert!(svg::render(&marked, "t").contains(">Sampling</text>"));
    assert!(!mermaid::render(&marked).contains("activate"), "a bar without length is none");
    assert_eq!(texts(&told(true))[2], "engine: turn: (new) → Sampling, on prompt");
}

#[test]
fn a_long_run_is_folded_and_the_fold_is_counted() {
    let steps: Vec<Step> = (1..=50_000)
        .map(|n| step(n, n, Input::Op(OpId(n), Op::StartThread), vec![warning(&n.to_string())]))
        .collect();
    let whole = story(&steps, &ALL);
    assert_eq!(whole.rows.len(), 300);
    let Body::Folded { inputs } = whole.rows[149].body else { panic!("{:?}", whole.rows[149]) };
    // Two rows an input; the first and the last folded input are shown in part.
    assert_eq!(inputs, 50_000 - 149);
    let some = story(&steps, &Selection { from: (7, 0), to: (9, u64::MAX), ..ALL });
    assert_eq!(some.rows.len(), 6);
    assert!(some.rows.iter().all(|row| (7..=9).contains(&row.n)));
    let times = story(&steps, &Selection { from: (0, 99_000), to: (9_000, 120_000), ..ALL });
    assert_eq!(times.rows.iter().map(|row| row.n).min(), Some(100));
    assert_eq!(times.rows.iter().map(|row| row.n).max(), Some(121));
}

#[test]
fn the_same_again_is_one_row_with_its_number() {
    let steps: Vec<Step> = (1..=9).map(|n| step(n, n, Input::Wake, vec![warning("x")])).collect();
    let mut teller = Teller::new(false);
    for step in &steps {
        teller.push(&Step { input: reply(1, Reply::Opened), ..step.clone() }, None);
    }
    // Nine answers to nothing, each followed by a warning: no two in a row are alike.
    assert_eq!(teller.finish(&ALL).rows.len(), 18);
    let again = vec![warning("x"), warning("x"), warning("x")];
    let story = story(&[step(1, 0, Input::Wake, again)], &ALL);
    assert_eq!(story.rows.iter().map(|row| row.times).collect::<Vec<_>>(), [1, 3]);
    assert!(svg::render(&story, "t").contains("warning: x ×3"));
}

#[test]
fn a_bar_that_reaches_beyond_what_is_drawn_is_cut_there() {
    let steps = side_by_side();
    let early = story(&steps, &Selection { to: (3, u64::MAX), ..ALL });
    assert!(early.bars.iter().all(|bar| bar.to.is_none()), "{:?}", early.bars);
    let late = story(&steps, &Selection { from: (5, 0), ..ALL });
    let bars: Vec<_> = late.bars.iter().map(|bar| (bar.text.as_str(), bar.from, bar.to)).collect();
    assert_eq!(bars, [("read /c", 1, Some(2))], "of /b only the end is drawn");
    let none = story(&steps, &Selection { from: (99, 0), ..ALL });
    assert_eq!((none.rows.len(), none.bars.len()), (0, 0));
    is_well_formed(&svg::render(&none, "t")).unwrap();
}

#[test]
fn prop_any_steps_are_a_well_formed_picture() {
    let odd = "\u{0}\u{1b}[31m<b a='\"'>&amp;\u{202e}\u{fffe}]]>;#%%{init}\n\r\t\u{85}ü漢字🦀";
    let huge = odd.repeat(3_000);
    let texts = ["", "x", odd, &huge, "漢字".repeat(300).as_str()].map(str::to_owned);
    let exit = |code, bytes| Exit { code, output_bytes: bytes, ..Exit::default() };
    let thread: ThreadId = "01a20d9d-b51e-71b5-a18d-0f8df41c1204".parse().unwrap();
    let mut steps = Vec::new();
    // Any reply to any effect at any time, also to none and after the end, with a clock that jumps.
    for round in 0..400_u64 {
        let text = &texts[usize::try_from(round % 5).unwrap()];
        let answers = [
            Reply::Bytes(text.clone().into_bytes()),
            Reply::Closed,
            Reply::Exited(exit(i32::MIN, u64::MAX)),
            Reply::Failed(HostError::new(HostErrorKind::Other, text.as_str())),
            Reply::Failed(HostError::new(HostErrorKind::Cancelled, text.as_str())),
            Reply::Head(Box::new(HttpHead { status: u16::MAX, headers: vec![] })),
            Reply::Opened,
            Reply::Project(Box::default()),
            Reply::Tail { omitted_bytes: u64::MAX, bytes: vec![0xff] },
        ];
        let answer = answers[usize::try_from(round * 7 % 9).unwrap()].clone();
        let target = id(round * 3 % 11 + 1);
        let input = match round % 4 {
            0 => Input::Wake,
            1 => Input::Op(OpId(round), Op::ResumeThread { path: text.into() }),
            _ => Input::Reply(target, answer),
        };
        let spawn = target;
        let outputs = [
            read(round % 11 + 1, text),
            effect(99, EffectKind::Cancel(target)),
            effect(98, EffectKind::Flush(target)),
            effect(97, EffectKind::Signal { spawn, signal: Signal::Kill }),
            effect(96, EffectKind::Stdin { spawn, bytes: text.clone().into_bytes() }),
            warning(text),
            Output::Event(Event::ThreadStopped { thread }),
        ];
        let ms = if round % 50 == 49 { 0 } else { round * round * 100 };
        let end = usize::try_from(round % 8).unwrap();
        steps.push(step(round + 1, ms, input, outputs[..end].to_vec()));
    }
    for rows_max in [0, 1, 5, 300, usize::MAX] {
        let story = story(&steps, &Selection { rows_max, ..ALL });
        let drawn = svg::render(&story, odd);
        is_well_formed(&drawn).unwrap();
        let text = mermaid::render(&story);
        for line in text.lines().skip(1) {
            assert!(line.starts_with("    ") && line.len() < 500, "{line}");
            assert!(!line.chars().any(char::is_control), "{line:?}");
            // Only escapes have these signs.
            let said = line.split_once(": ").map_or("", |(_, said)| said);
            let bare = said.split('#').skip(1).all(|rest| {
                rest.split(';').next().is_some_and(|code| {
                    !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit())
                })
            });
            assert!(bare && said.matches('#').count() == said.matches(';').count(), "{line}");
        }
        let (begun, ended) =
            (text.matches(" activate").count(), text.matches("deactivate").count());
        assert_eq!(begun, ended);
        // No text meets another: each row has a line of its own, far enough from the next.
        let mut lines: Vec<f64> = drawn
            .lines()
            .filter_map(|line| {
                line.split_once("class=\"halo")?.1.split_once("y=\"")?.1.split_once('"')
            })
            .map(|(y, _)| y.parse().unwrap())
            .collect();
        lines.dedup();
        assert!(lines.windows(2).all(|pair| pair[1] - pair[0] >= 14.0), "{lines:?}");
    }
}

#[test]
fn a_picture_that_is_not_well_formed_is_noticed() {
    for text in ["<a>", "<a></b>", "<a>&nbsp;</a>", "<a b=\"></a>", "<a>\u{1}</a>", "</a>"] {
        assert!(is_well_formed(text).is_err(), "{text}");
    }
    is_well_formed("<a b=\"c\"><d/>&lt;\n</a>").unwrap();
}

/// The documentation's picture is what the command draws of a rehearsal. `UPDATE_GOLDEN=1` lives
/// through the journal again and draws anew; look at the picture before you commit it. When the
/// engine asks for other things than the journal answers, record a new rehearsal.
#[test]
fn the_picture_of_the_documentation_is_drawn_from_its_journal() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (file, picture) =
        (here.join("tests/timeline/rehearsal.journal"), here.join("../../docs/timeline.svg"));
    let journal = fs::read(&file).unwrap();
    let reader = Reader::open(&journal).unwrap();
    let (settings, seed) = (reader.settings().clone(), reader.seed());
    let program = reader.program().to_owned();
    let inputs: Vec<_> =
        reader.map(|entry| entry.map(|entry| (entry.now, entry.input)).unwrap()).collect();
    // Other bytes of a request are no other story, so the hashes of the journal do not count here.
    let mut engine = Engine::new(settings.clone(), seed);
    let mut teller = Teller::new(false);
    for (n, (now, input)) in (1..).zip(&inputs) {
        let due = engine.deadline().map(|(_, why)| why);
        let outputs = engine.handle(*now, input.clone()).collect();
        let (moves, input) = (engine.moves().to_vec(), input.clone());
        let step = Step { line: n + 1, n, now: *now, input, outputs, moves };
        teller.push(&step, due);
    }
    let drawn = svg::render(&teller.finish(&ALL), "Timeline of rehearsal.journal");
    is_well_formed(&drawn).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, record(&settings, seed, &program, &inputs).unwrap()).unwrap();
        fs::write(&picture, &drawn).unwrap();
    }
    let stored = fs::read_to_string(&picture).unwrap_or_default();
    let differs = stored.lines().zip(drawn.lines()).find(|(a, b)| a != b);
    assert!(stored == drawn, "docs/timeline.svg is stale, run with UPDATE_GOLDEN=1: {differs:?}");
}

#[test]
fn edges_are_inputs_or_times() {
    for (text, want) in [
        ("250", Some(Edge::Input(250))),
        ("1.5s", Some(Edge::Time(1_500_000))),
        ("300ms", Some(Edge::Time(300_000))),
        ("-1", None),
        ("-1s", None),
        ("NaNs", None),
        ("", None),
        ("s", None),
    ] {
        assert_eq!(Edge::parse(text).ok(), want, "{text}");
    }
    let (input, time) = (Edge::Input(7), Edge::Time(9));
    assert_eq!([input.least(), time.least()], [(7, 0), (0, 9)]);
    assert_eq!([input.most(), time.most()], [(7, u64::MAX), (u64::MAX, 9)]);
}

#[test]
fn numbers_are_short() {
    let sizes = [0, 999, 1_000, 1_949, 999_949, 999_950, 12_340_000];
    let want = ["0 B", "999 B", "1.0 kB", "1.9 kB", "999.9 kB", "1.0 MB", "12.3 MB"];
    assert_eq!(sizes.map(bytes), want);
    assert!(bytes(u64::MAX).ends_with(" MB"));
    let times = [0, 340, 41_999, 1_250_000, 125_000_000];
    assert_eq!(times.map(duration), ["0 ms", "0.3 ms", "41 ms", "1.2 s", "2:05 min"]);
    assert_eq!((count(1, "patch"), count(2, "patch")), ("1 patch".into(), "2 patches".into()));
    assert_eq!(one_line(" a\n\tb \u{7} "), "a b \u{fffd}");
    assert_eq!(shorten("abcdefghijkl", 8), "abcde…kl");
    assert_eq!(shorten("漢字漢字漢字", 8), "漢字…字");
    assert_eq!(xml("<&\">\u{0}"), "&lt;&amp;&quot;&gt;\u{fffd}");
}
