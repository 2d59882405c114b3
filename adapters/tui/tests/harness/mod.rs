//! A screen that is driven by keys and events, and told as text: rows, style runs, the caret.
//!
//! `UPDATE_GOLDEN=1` rewrites the files of `tests/golden`.

#![allow(dead_code, reason = "each test uses a part")]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test reads its golden files"
)]

use std::{fmt::Write as _, fs, path::PathBuf};

use codex_proto::{
    Event, Mono, Now, OpId, ThreadId, TurnId, Wall,
    event::{ThreadReady, TurnOutcome, Usage},
    item::{ItemBody, TurnItem},
    policy::{ApprovalPolicy, SandboxPolicy},
};
use codex_tui::{
    AppState, Msg, ScreenEffect, Setup,
    frame::Scene,
    key::{Key, KeyCode, Paste},
    text::Line,
};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::{Color, Modifier, Style},
};

/// A screen and what it did.
pub(crate) struct Run {
    pub(crate) app: AppState,
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) now: Now,
    pub(crate) printed: Vec<Line>,
    pub(crate) effects: Vec<ScreenEffect>,
}

/// The thread of all tests.
pub(crate) fn thread() -> ThreadId {
    "0199a3b0-0000-7000-8000-000000000001".parse().unwrap()
}

/// The turn of all tests.
pub(crate) fn turn() -> TurnId {
    "0199a3b0-0000-7000-8000-000000000002".parse().unwrap()
}

/// A thread as it begins.
pub(crate) fn ready() -> Event {
    Event::ThreadReady(Box::new(ThreadReady {
        thread: thread(),
        op: OpId(1),
        resumed: false,
        forked_from: None,
        model: "gpt-5.5".into(),
        provider: "openai".into(),
        cwd: "/home/user/project".into(),
        approval: ApprovalPolicy::OnRequest,
        sandbox: SandboxPolicy::workspace_write("/home/user/project".into()),
        reasoning_effort: Some("medium".into()),
        reasoning_summary: None,
        rollout: Some("/home/user/.codex/sessions/r.jsonl".into()),
        usage: Usage::default(),
    }))
}

pub(crate) fn turn_started() -> Event {
    Event::TurnStarted { thread: thread(), turn: turn() }
}

pub(crate) fn turn_ended(outcome: TurnOutcome) -> Event {
    let usage = Usage {
        input_tokens: 4_512,
        cached_input_tokens: 3_900,
        output_tokens: 312,
        reasoning_output_tokens: 64,
        total_tokens: 4_824,
    };
    Event::TurnEnded { thread: thread(), turn: turn(), outcome, usage, duration_ms: 12_340 }
}

pub(crate) fn started(id: u32, body: ItemBody) -> Event {
    Event::ItemStarted { thread: thread(), item: TurnItem { id, body } }
}

pub(crate) fn completed(id: u32, body: ItemBody) -> Event {
    Event::ItemCompleted { thread: thread(), item: TurnItem { id, body } }
}

pub(crate) fn delta(item: u32, delta: &str) -> Event {
    Event::ItemDelta { thread: thread(), item, delta: delta.into() }
}

pub(crate) fn agent(text: &str) -> ItemBody {
    ItemBody::AgentMessage { text: text.into() }
}

pub(crate) fn user(text: &str) -> ItemBody {
    ItemBody::UserMessage { text: text.into() }
}

impl Run {
    /// A screen of a size whose thread is not ready yet.
    pub(crate) fn new(setup: Setup, width: u16, height: u16) -> Self {
        let (app, effects) = AppState::new(setup);
        let now = Now { mono: Mono(1_000_000), wall: Wall(1_764_000_000_000) };
        let mut run = Self { app, width, height, now, printed: Vec::new(), effects };
        run.msg(Msg::Resize { width, height });
        run
    }

    /// A screen whose thread is ready.
    pub(crate) fn ready(setup: Setup, width: u16, height: u16) -> Self {
        let mut run = Self::new(setup, width, height);
        run.event(ready());
        run
    }

    /// Gives a message. What is printed is kept apart from the other effects.
    pub(crate) fn msg(&mut self, msg: Msg) -> &mut Self {
        for effect in self.app.update(self.now, msg) {
            match effect {
                ScreenEffect::Print(lines) => self.printed.extend(lines),
                ScreenEffect::Redraw => {}
                effect => self.effects.push(effect),
            }
        }
        self
    }

    pub(crate) fn event(&mut self, event: Event) -> &mut Self {
        self.msg(Msg::Event(event))
    }

    /// Types: characters as they are, other keys as `<esc>`, `<ctrl-c>`, `<lt>`.
    pub(crate) fn keys(&mut self, keys: &str) -> &mut Self {
        let mut rest = keys;
        while let Some(char) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|after| after.split_once('>'));
            let key: Key = match named {
                Some(("lt", after)) => {
                    rest = after;
                    Key::char('<')
                }
                Some((name, after)) => {
                    rest = after;
                    name.parse().unwrap()
                }
                None => {
                    rest = &rest[char.len_utf8()..];
                    if char == '\n' { Key::plain(KeyCode::Enter) } else { Key::char(char) }
                }
            };
            self.msg(Msg::Key(key));
        }
        self
    }

    pub(crate) fn paste(&mut self, text: &str) -> &mut Self {
        self.msg(Msg::Paste(Paste(text.into())))
    }

    /// Lets time pass, and tells the screen.
    pub(crate) fn wait(&mut self, ms: u64) -> &mut Self {
        self.now.mono = self.now.mono.after_ms(ms);
        self.now.wall.0 += i64::try_from(ms).unwrap();
        self.msg(Msg::Tick)
    }

    /// Takes the effects since the last call.
    pub(crate) fn take_effects(&mut self) -> Vec<ScreenEffect> {
        std::mem::take(&mut self.effects)
    }

    /// The live region as it would be drawn.
    pub(crate) fn draw(&mut self) -> (Buffer, Option<Position>) {
        let height = self.app.height(self.width, self.height).clamp(1, self.height);
        let area = Rect::new(0, 0, self.width, height);
        let mut buffer = Buffer::empty(area);
        let caret = self.app.view(area, &mut buffer);
        (buffer, caret)
    }

    /// The whole screen, as full-screen mode draws it.
    pub(crate) fn draw_whole(&mut self) -> (Buffer, Option<Position>) {
        let area = Rect::new(0, 0, self.width, self.height);
        let mut buffer = Buffer::empty(area);
        let caret = self.app.view(area, &mut buffer);
        (buffer, caret)
    }

    /// What was printed and what is drawn, as text.
    pub(crate) fn tell(&mut self) -> String {
        let mut out = String::new();
        if !self.printed.is_empty() {
            out.push_str("printed\n");
            for line in &self.printed {
                let text = line.text();
                row(&mut out, &text, line.spans.iter().map(|s| (s.text.chars().count(), s.style)));
                for span in &line.spans {
                    if let Some(link) = &span.link {
                        writeln!(out, "    link {:?} {link}", span.text).unwrap();
                    }
                }
            }
        }
        let (buffer, caret) = self.draw();
        writeln!(out, "screen {}x{}", buffer.area.width, buffer.area.height).unwrap();
        tell_buffer(&mut out, &buffer, caret);
        out
    }
}

pub(crate) fn tell_buffer(out: &mut String, buffer: &Buffer, caret: Option<Position>) {
    let width = usize::from(buffer.area.width);
    for cells in buffer.content.chunks(width) {
        let text: String = cells.iter().map(|cell| cell.symbol()).collect();
        row(out, text.trim_end(), cells.iter().map(|cell| (1, cell.style())));
    }
    match caret {
        Some(at) => writeln!(out, "caret {},{}", at.x, at.y).unwrap(),
        None => writeln!(out, "no caret").unwrap(),
    }
}

/// A row and its style runs, in columns of characters.
fn row(out: &mut String, text: &str, runs: impl Iterator<Item = (usize, Style)>) {
    writeln!(out, "|{text}").unwrap();
    let mut told = Vec::new();
    let mut at = 0;
    let mut open: Option<(usize, String)> = None;
    let mut close = |open: &mut Option<(usize, String)>, at: usize| {
        if let Some((from, name)) = open.take()
            && !name.is_empty()
        {
            told.push(format!("{from}-{} {name}", at - 1));
        }
    };
    for (count, style) in runs {
        let name = style_name(style);
        if open.as_ref().is_none_or(|(_, of)| *of != name) {
            close(&mut open, at);
            open = Some((at, name));
        }
        at += count;
    }
    close(&mut open, at);
    if !told.is_empty() {
        writeln!(out, "    {}", told.join(", ")).unwrap();
    }
}

fn style_name(style: Style) -> String {
    let mut parts = Vec::new();
    if let Some(color) = style.fg.filter(|color| *color != Color::Reset) {
        parts.push(color.to_string().to_lowercase());
    }
    if let Some(color) = style.bg.filter(|color| *color != Color::Reset) {
        parts.push(format!("on {}", color.to_string().to_lowercase()));
    }
    for (modifier, name) in [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::ITALIC, "italic"),
        (Modifier::UNDERLINED, "underlined"),
        (Modifier::REVERSED, "reversed"),
        (Modifier::CROSSED_OUT, "crossed"),
    ] {
        if style.add_modifier.contains(modifier) {
            parts.push(name.into());
        }
    }
    parts.join("+")
}

/// Compares with a file of `tests/golden`, or writes it.
pub(crate) fn golden(name: &str, got: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, got).unwrap();
        return;
    }
    let want = fs::read_to_string(&path).unwrap_or_default();
    for (index, (want, got)) in want.lines().zip(got.lines()).enumerate() {
        assert_eq!(got, want, "{name}, line {}", index + 1);
    }
    assert_eq!(got, want, "{name}");
}

/// A story in both forms of the default theme and at three widths, in one file each.
pub(crate) fn golden_story(name: &str, story: impl Fn(&mut Run)) {
    use codex_tui::theme::Background;
    for (background, label) in [(Background::Dark, "dark"), (Background::Light, "light")] {
        let mut told = String::new();
        for width in [40, 80, 120] {
            let mut setup = Setup::sample();
            setup.terminal.background = Some(background);
            let mut run = Run::ready(setup, width, 30);
            // The header has a story of its own.
            run.printed.clear();
            run.take_effects();
            story(&mut run);
            writeln!(told, "== {width} columns").unwrap();
            told.push_str(&run.tell());
        }
        golden(&format!("{name}.{label}.txt"), &told);
    }
}
