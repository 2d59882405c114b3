//! Slash commands: what each does, as keys and effects.

mod harness;

use codex_proto::{
    CommandId, Event, Op, Refused,
    event::{RunningCommand, Usage},
    op::{Configure, Prompt},
    policy::{SandboxMode, SandboxPolicy},
    realtime::{
        RealtimeClosed, RealtimeEvent, RealtimeNews, RealtimePhase, RealtimeRole,
        RealtimeTransport, RealtimeVersion,
    },
};
use codex_tui::{
    ScreenEffect, Setup,
    command::{COMMANDS, Command},
    key::Key,
    msg::SettingValue,
    popup::Bound,
    setup::Mode,
    text::Line,
};
use harness::{Run, agent, completed, golden_story, thread, turn_started, user};

fn run() -> Run {
    let mut run = Run::ready(Setup::sample(), 80, 30);
    run.take_effects();
    run
}

/// Effects of a line that is typed and sent, but for the history file.
fn effects(run: &mut Run, line: &str) -> Vec<ScreenEffect> {
    run.keys("<ctrl-u>").take_effects();
    run.keys(line).keys("\n");
    let mut effects = run.take_effects();
    effects.retain(|effect| !matches!(effect, ScreenEffect::AppendHistory { .. }));
    effects
}

fn ops(run: &mut Run, line: &str) -> Vec<Op> {
    let op = |effect| match effect {
        ScreenEffect::Op(_, op) => Some(op),
        _ => None,
    };
    effects(run, line).into_iter().filter_map(op).collect()
}

fn shown(run: &mut Run) -> String {
    let (buffer, _) = run.draw();
    let rows = buffer.content.chunks(usize::from(buffer.area.width));
    let row = |cells: &[ratatui::buffer::Cell]| {
        cells.iter().map(ratatui::buffer::Cell::symbol).collect::<String>() + "\n"
    };
    rows.map(row).collect()
}

fn rollout() -> std::path::PathBuf {
    "/home/user/.codex/sessions/r.jsonl".into()
}

#[test]
fn told() {
    let usage = Usage {
        input_tokens: 48_000,
        cached_input_tokens: 36_000,
        output_tokens: 1_500,
        reasoning_output_tokens: 700,
        total_tokens: 49_500,
    };
    let counted = Event::UsageUpdated {
        thread: thread(),
        total: usage,
        last: usage,
        context_window: Some(258_400),
    };
    golden_story("command.status", |run| {
        run.event(counted.clone()).keys("/status\n");
    });
    golden_story("command.context", |run| {
        run.event(counted.clone()).keys("/context\n");
    });
    golden_story("command.completion", |run| {
        run.keys("/co");
    });
}

#[test]
fn models_and_efforts_are_set_by_name() {
    let change = |model: &str, effort: Option<&str>| {
        let configure = Configure {
            model: Some(model.into()),
            reasoning_effort: Some(effort.map(str::to_owned)),
            ..Configure::new(thread())
        };
        vec![Op::Configure(Box::new(configure))]
    };
    let mut run = run();
    assert_eq!(ops(&mut run, "/model gpt-5.5 high"), change("gpt-5.5", Some("high")));
    assert_eq!(ops(&mut run, "/model xhigh"), change("gpt-5.5", Some("xhigh")));
    assert_eq!(ops(&mut run, "/model local/llama"), change("local/llama", None));
    assert_eq!(ops(&mut run, "/model gpt-5.5 huge"), []);
    assert!(shown(&mut run).contains("it knows medium, low, high, xhigh"), "{}", shown(&mut run));
    assert_eq!(ops(&mut run, "/model a b c"), []);
}

#[test]
fn a_model_without_an_effort_is_saved_with_its_own() {
    let save = |key: &str, value| ScreenEffect::SaveSetting { key: key.into(), value };
    let mut run = run();
    for (line, effort) in [
        ("/model gpt-5.5 xhigh", SettingValue::Text("xhigh".into())),
        ("/model gpt-5.4-mini", SettingValue::Default),
        ("/model local/llama", SettingValue::Default),
    ] {
        let effects = effects(&mut run, line);
        assert!(effects.contains(&save("model_reasoning_effort", effort)), "{line}: {effects:?}");
    }
}

#[test]
fn conversations_begin_and_fork() {
    let mut run = run();
    assert_eq!(ops(&mut run, "/fork"), [], "nothing to fork yet");
    run.event(completed(1, user("hello")));
    let fork = Op::ForkThread { path: rollout(), prompts_kept: None };
    assert_eq!(ops(&mut run, "/fork"), [fork]);
    let mut run = self::run();
    assert_eq!(ops(&mut run, "/clear"), [Op::StartThread]);
    let mut run = self::run();
    let [Op::Prompt(prompt)] = &ops(&mut run, "/init")[..] else { panic!("a prompt") };
    let Prompt { content, .. } = &**prompt;
    assert!(format!("{content:?}").contains("AGENTS.md"));
}

#[test]
fn a_new_folder_is_trusted_by_a_command_and_not_by_accident() {
    let setup = Setup { trustable: Some("/home/user/my.project".into()), ..Setup::sample() };
    let mut run = Run::new(setup, 80, 30);
    let Event::ThreadReady(mut ready) = harness::ready() else { unreachable!() };
    ready.sandbox = SandboxPolicy::read_only();
    run.event(Event::ThreadReady(ready));
    assert!(run.tell().contains("/trust lets them change it"), "{}", run.tell());
    let effects = effects(&mut run, "/trust");
    let save = ScreenEffect::SaveSetting {
        key: "projects.\"/home/user/my.project\".trust_level".into(),
        value: SettingValue::Text("trusted".into()),
    };
    assert_eq!(effects[0], save);
    assert!(
        matches!(&effects[1], ScreenEffect::Op(_, Op::Configure(configure))
            if configure.sandbox.as_ref().is_some_and(|have| have.mode == SandboxMode::WorkspaceWrite)),
        "{effects:?}"
    );
    // Once is enough, and the next conversation keeps it.
    assert_eq!(self::effects(&mut run, "/trust"), []);
    let started = self::effects(&mut run, "/new");
    let op = started.iter().find_map(|effect| match effect {
        ScreenEffect::Op(id, Op::StartThread) => Some(*id),
        _ => None,
    });
    let Event::ThreadReady(mut next) = harness::ready() else { unreachable!() };
    next.op = op.expect("a new conversation");
    next.thread = "0199a3b0-0000-7000-8000-000000000002".parse().unwrap();
    next.sandbox = SandboxPolicy::read_only();
    run.event(Event::ThreadReady(next));
    assert!(
        run.take_effects().iter().any(|effect| matches!(effect,
            ScreenEffect::Op(_, Op::Configure(configure)) if configure.sandbox.as_ref()
                .is_some_and(|have| have.mode == SandboxMode::WorkspaceWrite))),
        "the new conversation only reads"
    );
    // Where the user has said what counts, nothing is offered and nothing happens.
    assert_eq!(self::effects(&mut self::run(), "/trust"), []);
}

#[test]
fn how_later_runs_use_the_screen_is_written_down() {
    let mut run = run();
    let save = |key: &str, value| ScreenEffect::SaveSetting { key: key.into(), value };
    let saves = |run: &mut Run, line: &str| {
        let mut effects = effects(run, line);
        effects.retain(|effect| matches!(effect, ScreenEffect::SaveSetting { .. }));
        effects
    };
    let never = SettingValue::Text("never".into());
    let always = SettingValue::Text("always".into());
    let plain = |on| save("tui.plain", SettingValue::Bool(on));
    let alternate = |value| save("tui.alternate_screen", value);
    assert_eq!(saves(&mut run, "/screen full"), [plain(false), alternate(always)]);
    assert!(shown(&mut run).contains("from the next start on: full screen"));
    assert_eq!(saves(&mut run, "/screen inline"), [plain(false), alternate(never)]);
    assert_eq!(saves(&mut run, "/screen PLAIN"), [plain(true)]);
    assert_eq!(saves(&mut run, "/screen"), []);
    assert!(shown(&mut run).contains("this run is inline"), "{}", shown(&mut run));
    assert_eq!(saves(&mut run, "/screen half"), []);
    assert!(shown(&mut run).contains("`half` is no way to use the screen"));
}

#[test]
fn what_would_lose_a_turn_waits_for_its_end() {
    let mut run = run();
    run.event(completed(1, user("hello"))).event(turn_started());
    for line in ["/new", "/fork", "/resume", "/rewind", "/init"] {
        assert_eq!(ops(&mut run, line), [], "{line}");
        let shown = shown(&mut run);
        assert!(shown.contains("waits for the end of the turn"), "{line}: {shown}");
        assert!(shown.contains(&format!("› {line}")), "{line} is put back: {shown}");
    }
    assert!(!effects(&mut run, "/copy code").contains(&ScreenEffect::Redraw));
    assert_eq!(ops(&mut run, "/model gpt-5.5").len(), 1);
}

#[test]
fn answers_and_their_code_are_copied_as_they_came() {
    let mut run = run();
    assert_eq!(effects(&mut run, "/copy"), []);
    assert!(shown(&mut run).contains("no answer to copy yet"));
    run.event(completed(1, agent("one")));
    run.event(completed(2, agent("two\n\n```sh\nls\n```\n\n```\na\n  b\n```")));
    let copy = |text: &str| [ScreenEffect::Copy(text.into())];
    assert_eq!(effects(&mut run, "/copy"), copy("two\n\n```sh\nls\n```\n\n```\na\n  b\n```"));
    assert_eq!(effects(&mut run, "/copy 2"), copy("one"));
    assert_eq!(effects(&mut run, "/copy code"), copy("a\n  b\n"));
    assert_eq!(effects(&mut run, "/copy code 1"), copy("ls\n"));
    for wrong in ["/copy 3", "/copy 0", "/copy code 3", "/copy code 0", "/copy x", "/copy 1 2 3"] {
        assert_eq!(effects(&mut run, wrong), [], "{wrong}");
    }
}

#[test]
fn commands_of_the_background_are_stopped() {
    let mut run = run();
    assert_eq!(ops(&mut run, "/stop"), []);
    let command = RunningCommand {
        id: CommandId(1000),
        item: 3,
        command: "npm run dev".into(),
        tty: true,
        by_user: false,
        running_ms: 1,
        tail: String::new(),
    };
    run.event(Event::Commands { thread: thread(), running: vec![command] });
    let stop = |command| vec![Op::StopCommands { thread: thread(), command }];
    assert_eq!(ops(&mut run, "/clean"), stop(None));
    assert_eq!(ops(&mut run, "/stop 1000"), stop(Some(CommandId(1000))));
    assert_eq!(ops(&mut run, "/stop 7"), []);
    assert!(shown(&mut run).contains("what runs: 1000"));
}

#[test]
fn switches_turn_and_are_kept() {
    let mut run = run();
    let vim = |on| ScreenEffect::SaveSetting {
        key: "tui.vim_mode_default".into(),
        value: SettingValue::Bool(on),
    };
    assert_eq!(effects(&mut run, "/vim"), [vim(true)]);
    assert_eq!(effects(&mut run, "/vim off"), [vim(false)]);
    assert_eq!(effects(&mut run, "/vim maybe"), []);
    let theme = ScreenEffect::SaveSetting {
        key: "tui.theme".into(),
        value: SettingValue::Text("ember".into()),
    };
    assert_eq!(effects(&mut run, "/theme ember"), [theme]);
    assert_eq!(effects(&mut run, "/theme light"), []);
    assert_eq!(effects(&mut run, "/theme pink"), []);
    assert!(shown(&mut run).contains("is none of terminal, meadow"));
    assert_eq!(effects(&mut run, "/raw"), []);
    assert!(shown(&mut run).contains("as they come"));
}

#[test]
fn a_slip_is_answered_with_the_name_that_was_meant() {
    let mut run = run();
    assert_eq!(effects(&mut run, "/modle"), []);
    assert!(shown(&mut run).contains("did you mean /model?"), "{}", shown(&mut run));
    assert_eq!(effects(&mut run, "/quit now"), []);
    assert!(shown(&mut run).contains("takes no arguments"));
    for line in ["/exit", "/q", "/QUIT", "/quit"] {
        let mut run = self::run();
        let quits = |effect: &ScreenEffect| matches!(effect, ScreenEffect::Quit { .. });
        assert!(effects(&mut run, line).iter().any(quits), "{line}");
    }
}

#[test]
fn a_mention_begins_a_search_for_files() {
    let mut run = run();
    let find = |query: &str| ScreenEffect::FindFiles { query: query.into() };
    assert!(effects(&mut run, "/mention").contains(&find("")));
    assert!(shown(&mut run).contains("› @"));
    let mut run = self::run();
    assert!(effects(&mut run, "/mention src/m").contains(&find("src/m")));
}

#[test]
fn voice_is_refused_with_a_hint_unless_it_is_on() {
    let mut run = Run::ready(Setup { voice: false, ..Setup::sample() }, 80, 30);
    for line in ["/voice", "/realtime"] {
        assert_eq!(ops(&mut run, line), []);
        assert!(shown(&mut run).contains("--enable realtime_conversation"), "{line}");
    }
}

fn news(attempt: u32, news: RealtimeNews) -> Event {
    Event::Realtime(Box::new(RealtimeEvent { thread: thread(), attempt, news }))
}

#[test]
fn voice_starts_is_muted_and_ends_before_anything_else_does() {
    let mut run = run();
    run.event(turn_started());
    let [Op::RealtimeStart(start)] = &ops(&mut run, "/voice")[..] else { panic!("one start") };
    assert_eq!((&start.transport, start.muted), (&RealtimeTransport::WebRtc, false));
    assert!(shown(&mut run).contains("voice connecting"), "{}", shown(&mut run));
    let session_id = "s".into();
    run.event(news(1, RealtimeNews::Started { session_id, version: RealtimeVersion::V2 }));
    run.event(news(1, RealtimeNews::Phase(RealtimePhase::MediaUp)));
    assert!(shown(&mut run).contains("voice listening"));
    let mute = |muted| Op::RealtimeMute { thread: thread(), muted };
    assert_eq!(ops(&mut run, "/voice mute"), [mute(true)]);
    assert!(shown(&mut run).contains("voice muted"));
    let (item, role) = ("i".to_owned(), RealtimeRole::Assistant);
    let text = "Hello\x1b[31m there".to_owned();
    run.event(news(1, RealtimeNews::TranscriptDone { role, item, text }));
    let last = run.printed.iter().rfind(|line| !line.is_empty()).map(Line::text);
    assert_eq!(last.as_deref(), Some("codex says: Hello there"));
    // The turn goes on, and what is written stays.
    run.keys("draft<ctrl-c>");
    let stop = Op::RealtimeStop { thread: thread() };
    assert!(run.take_effects().iter().any(|e| matches!(e, ScreenEffect::Op(_, op) if *op == stop)));
    assert!(shown(&mut run).contains("› draft") && shown(&mut run).contains("voice stopping"));
    run.event(news(1, RealtimeNews::Closed { reason: RealtimeClosed::Requested }));
    assert!(!shown(&mut run).contains("Ctrl-X"));
    assert_eq!(ops(&mut run, "/voice stop"), []);
}

#[test]
fn voice_that_is_refused_can_be_started_again() {
    let mut run = run();
    run.keys("/voice\n");
    let started = |effect: &ScreenEffect| match effect {
        ScreenEffect::Op(id, Op::RealtimeStart(start)) => Some((*id, start.transport.clone())),
        _ => None,
    };
    let (op, transport) = run.take_effects().iter().find_map(started).expect("a start");
    assert_eq!(transport, RealtimeTransport::WebRtc);
    let reason = Refused::Realtime { why: "no key".into(), hint: None };
    run.event(Event::Refused { op, reason });
    assert!(!shown(&mut run).contains("Ctrl-X"));
    assert_eq!(ops(&mut run, "/voice").len(), 1);
    // What belongs to a thread ends with it.
    run.event(Event::ThreadStopped { thread: thread() });
    assert!(!shown(&mut run).contains("Ctrl-X"));
}

#[test]
fn in_plain_mode_everything_is_told_in_lines_that_stay() {
    let mut run = Run::ready(Setup { mode: Mode::Plain, ..Setup::sample() }, 80, 30);
    run.printed.clear();
    run.keys("/modle\n");
    let printed: Vec<String> = run.printed.iter().map(Line::text).collect();
    let has = |words: &str| printed.iter().any(|line| line.contains(words));
    assert!(has("did you mean /model?"), "{printed:?}");
    run.keys("<ctrl-u>/permissions\n");
    let printed: Vec<String> = run.printed.iter().map(Line::text).collect();
    let has = |words: &str| printed.iter().any(|line| line.contains(words));
    assert!(has("chosen: workspace (now), 3 of 5") && has("full-access"), "{printed:?}");
}

/// The row of a command in `docs/tui.md`.
fn documented(command: &Command) -> String {
    let space = if command.arguments.is_empty() { "" } else { " " };
    let also = command.aliases.iter().map(|name| format!("`/{name}`")).collect::<Vec<_>>();
    let turn = if command.in_turn { "yes" } else { "no" };
    let (name, arguments) = (command.name, command.arguments.replace('|', "\\|"));
    format!("| `/{name}{space}{arguments}` | {} | {} | {turn} |", command.about, also.join(" "))
}

#[test]
fn the_documentation_lists_every_command_and_every_key_of_popups() {
    let docs = include_str!("../../../docs/tui.md");
    for command in COMMANDS {
        let row = documented(command);
        assert!(docs.contains(&row), "docs/tui.md lacks\n{row}");
    }
    for (_, name, keys) in Bound::ALL {
        let keys: Vec<String> = keys
            .iter()
            .map(|key| format!("`{}`", key.parse::<Key>().expect("a default key is a key")))
            .collect();
        let row = format!("| `{name}` | {} |", keys.join(" "));
        assert!(docs.contains(&row), "docs/tui.md lacks\n{row}");
    }
}

#[test]
fn a_tip_stands_under_the_first_composer_and_has_a_key_that_works() {
    let mut run = Run::ready(Setup { tooltips: true, ..Setup::sample() }, 100, 30);
    let (buffer, _) = run.draw();
    let rows = |buffer: &ratatui::buffer::Buffer| -> Vec<String> {
        let row =
            |cells: &[ratatui::buffer::Cell]| cells.iter().map(|cell| cell.symbol()).collect();
        buffer.content.chunks(100).map(row).collect()
    };
    let shown = rows(&buffer);
    assert_eq!(shown.len(), 4, "a gap, the composer, the tip, the status line: {shown:?}");
    assert!(shown[2].starts_with("  ") && !shown[2].trim().is_empty(), "{shown:?}");
    // A popup has hints of its own, and who has said something knows how.
    run.keys("?");
    assert!(!rows(&run.draw().0).iter().any(|row| row == &shown[2]));
    run.keys("<esc>").event(completed(1, user("hi")));
    assert_eq!(run.draw().0.area.height, 3);
}

#[test]
fn the_status_line_has_colours_where_they_are_wanted() {
    let told = |status_line_colors| {
        let mut run = Run::ready(Setup { status_line_colors, ..Setup::sample() }, 80, 24);
        run.msg(codex_tui::Msg::Answer(codex_tui::Answer::StatusLine(Ok(
            "\x1b[31mred\x1b[0m and not".into(),
        ))));
        let (buffer, _) = run.draw();
        let cell = |x| buffer.cell((x, buffer.area.height - 1)).map(|cell| cell.fg);
        (cell(0), cell(5))
    };
    use ratatui::style::Color::{DarkGray, Red};
    assert_eq!(told(true), (Some(Red), Some(DarkGray)));
    assert_eq!(told(false), (Some(DarkGray), Some(DarkGray)));
}
