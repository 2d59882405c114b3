//! The machine: one message in, effects out; and what it looks like.

use codex_proto::{
    Event, Mono, Now, Op, OpId,
    op::{Prompt, PromptPart},
};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use crate::{
    frame::Scene,
    input::{Input, Said, Submission},
    key::{Key, KeyCode, Modifiers},
    msg::{Answer, Msg, ScreenEffect},
    popup::Handled,
    session::{Sent, Session},
    setup::{Setup, Start},
    text::{Break, Line, draw, wrap},
    theme::{Look, Role},
    transcript::Transcript,
};

/// Everything that is on the screen.
#[derive(Clone, Debug)]
pub struct AppState {
    setup: Setup,
    look: Look,
    now: Now,
    has_focus: bool,
    session: Session,
    transcript: Transcript,
    input: Input,
    last_op: u64,
    effects: Vec<ScreenEffect>,
}

impl AppState {
    /// A screen that has seen nothing, and the effects it begins with.
    #[must_use]
    pub fn new(setup: Setup) -> (Self, Vec<ScreenEffect>) {
        let background = setup.terminal.background.unwrap_or_default();
        let mut app = Self {
            look: Look::new(setup.theme.as_deref(), background, setup.terminal.colors),
            now: Now::default(),
            has_focus: true,
            session: Session::default(),
            transcript: Transcript::default(),
            input: Input::new(&setup),
            last_op: 0,
            effects: Vec::new(),
            setup,
        };
        match app.setup.start.clone() {
            Start::New | Start::Pick { .. } => app.begin(Op::StartThread),
            Start::Resume(path) => app.begin(Op::ResumeThread { path }),
            Start::Fork(path) => app.begin(Op::ForkThread { path, prompts_kept: None }),
        }
        app.effects.push(ScreenEffect::Redraw);
        let effects = std::mem::take(&mut app.effects);
        (app, effects)
    }

    /// Takes a message; total.
    pub fn update(&mut self, now: Now, msg: Msg) -> Vec<ScreenEffect> {
        self.now = Now { mono: self.now.mono.max(now.mono), wall: now.wall };
        match msg {
            Msg::Answer(answer) => self.on_answer(&answer),
            Msg::Background(background) => self.look = self.look.on(background),
            Msg::Event(event) => self.on_event(&event),
            Msg::Focus(has_focus) => self.has_focus = has_focus,
            Msg::Key(key) => self.on_key(key),
            Msg::Mouse(_) => {}
            Msg::Paste(paste) => self.input.on_paste(&paste, &mut self.effects),
            Msg::Resize { .. } | Msg::Tick => {}
        }
        let lines = self.transcript.take_ready();
        if !lines.is_empty() {
            self.effects.push(ScreenEffect::Print(lines));
        }
        self.effects.push(ScreenEffect::Redraw);
        std::mem::take(&mut self.effects)
    }

    /// When to send [`Msg::Tick`], and why; `None` when nothing moves by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<(Mono, &'static str)> {
        self.session.turn.map(|_| (self.now.mono.after_ms(1_000), "elapsed time"))
    }
}

impl Scene for AppState {
    fn height(&mut self, columns: u16, rows: u16) -> u16 {
        let live = u16::try_from(self.live_rows(columns).len()).unwrap_or(u16::MAX);
        live.saturating_add(self.input.height(columns)).saturating_add(1).min(rows)
    }

    fn view(&mut self, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let status = 1.min(area.height);
        let input = self.input.height(area.width).min(area.height - status);
        let live = area.height - status - input;
        let rows = self.live_rows(area.width);
        let hidden = rows.len().saturating_sub(usize::from(live));
        for (y, row) in (area.y..area.y + live).zip(&rows[hidden..]) {
            draw(row, Rect { y, height: 1, ..area }, buffer);
        }
        let at = Rect { y: area.bottom() - status, height: status, ..area };
        let text = self.session.waiting.map_or("", |(phase, _)| phase.as_str());
        draw(&Line::styled(text, self.look.style(Role::Dim)), at, buffer);
        let at = Rect { y: area.y + live, height: input, ..area };
        self.input.view(at, buffer, &self.look)
    }
}

impl AppState {
    fn live_rows(&self, columns: u16) -> Vec<Line> {
        let lines = self.transcript.live();
        lines.iter().flat_map(|line| wrap(line, columns, Break::Anywhere)).collect()
    }

    fn on_answer(&mut self, answer: &Answer) {
        self.input.on_answer(answer);
    }

    fn on_event(&mut self, event: &Event) {
        if !self.session.is_mine(event) {
            return;
        }
        self.session.on(self.now.mono, event);
        self.transcript.on(event);
    }

    fn on_key(&mut self, key: Key) {
        if self.input.on_key(key, &mut self.effects) != Handled::Ignored {
            if let Some(submission) = self.input.take_submission() {
                self.say(submission);
            }
            return;
        }
        match key.code {
            KeyCode::Esc => {
                if let Some(thread) = self.session.thread() {
                    self.op(Op::Interrupt { thread });
                }
            }
            KeyCode::Char('c') if key.modifiers == Modifiers::CTRL => {
                self.effects.push(ScreenEffect::Quit { farewell: Vec::new() });
            }
            _ => {}
        }
    }

    fn say(&mut self, submission: Submission) {
        let thread = self.session.thread();
        if self.setup.history {
            let text = submission.history;
            self.effects.push(ScreenEffect::AppendHistory { thread, text });
        }
        // What cannot be sent yet is put back.
        let Some(thread) = thread else { return self.input.set_draft(&submission.draft) };
        match submission.said {
            Said::Prompt(content) => {
                let delivery = submission.delivery;
                self.prompt(Prompt { thread, content, delivery, output_schema: None });
            }
            Said::Script(script) => {
                self.op(Op::RunCommand { thread, script });
            }
            Said::Command { .. } => {}
        }
    }

    fn prompt(&mut self, prompt: Prompt) {
        let is_text =
            |part: &PromptPart| matches!(part, PromptPart::Text(text) if !text.is_empty());
        if prompt.content.iter().any(is_text) || prompt.content.len() > 1 {
            let op = self.op(Op::Prompt(Box::new(prompt.clone())));
            self.session.sent.push(Sent { op, prompt });
        }
    }

    /// Asks for a thread.
    fn begin(&mut self, op: Op) {
        self.session.starting = Some(self.op(op));
    }

    /// Sends an op.
    fn op(&mut self, op: Op) -> OpId {
        self.last_op += 1;
        let id = OpId(self.last_op);
        self.effects.push(ScreenEffect::Op(id, op));
        id
    }
}
