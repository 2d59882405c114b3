//! Slash commands: what each does, as keys and effects.

mod harness;

use codex_proto::{
    CommandId, Event, Op,
    event::{RunningCommand, Usage},
    op::{Configure, Prompt},
};
use codex_tui::{ScreenEffect, Setup, msg::SettingValue};
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
fn conversations_begin_and_fork() {
    let mut run = run();
    assert_eq!(ops(&mut run, "/fork"), [], "nothing to fork yet");
    run.event(completed(1, user("hello")));
    let stop = Op::StopThread { thread: thread() };
    let fork = Op::ForkThread { path: rollout(), prompts_kept: None };
    assert_eq!(ops(&mut run, "/fork"), [stop.clone(), fork]);
    let mut run = self::run();
    assert_eq!(ops(&mut run, "/clear"), [stop, Op::StartThread]);
    let mut run = self::run();
    let [Op::Prompt(prompt)] = &ops(&mut run, "/init")[..] else { panic!("a prompt") };
    let Prompt { content, .. } = &**prompt;
    assert!(format!("{content:?}").contains("AGENTS.md"));
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
