//! The machine: one message in, effects out; and what it looks like.

use codex_proto::{Event, Mono, Now, Op, op::Prompt};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use crate::{
    command,
    desk::Desk,
    frame::Scene,
    input::{Said, Submission},
    key::{Key, KeyCode, Modifiers},
    msg::{Answer, Msg, ScreenEffect},
    popup::{self, Handled, Popup},
    session::refusal,
    setup::{Mode, Setup, Start},
    text::{Break, Line, draw, wrap},
    theme::Role,
};

/// Milliseconds within which a second Esc or Ctrl-C counts as one more of the same.
const TWICE_MS: u64 = 1_500;

/// Everything that is on the screen.
#[derive(Clone, Debug)]
pub struct AppState {
    desk: Desk,
    /// Layers above the composer, the last one on top.
    layers: Vec<Popup>,
    /// A key that does something when it is pressed once more before this instant.
    armed: Option<(Armed, Mono)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Armed {
    Quit,
    Rewind,
}

impl AppState {
    /// A screen that has seen nothing, and the effects it begins with.
    #[must_use]
    pub fn new(setup: Setup) -> (Self, Vec<ScreenEffect>) {
        let mut desk = Desk::new(setup);
        desk.input.set_commands(command::candidates());
        match desk.setup.start.clone() {
            Start::New | Start::Pick { .. } => desk.begin(Op::StartThread),
            Start::Resume(path) => desk.begin(Op::ResumeThread { path }),
            Start::Fork(path) => desk.begin(Op::ForkThread { path, prompts_kept: None }),
        }
        desk.effect(ScreenEffect::ReadBranch);
        let mut app = Self { desk, layers: Vec::new(), armed: None };
        popup::at_start(&mut app.desk);
        let effects = app.settle();
        (app, effects)
    }

    /// Takes a message; total.
    pub fn update(&mut self, now: Now, msg: Msg) -> Vec<ScreenEffect> {
        let mono = self.desk.now.mono.max(now.mono);
        self.desk.now = Now { mono, wall: now.wall };
        self.armed = self.armed.filter(|(_, until)| *until > mono);
        if self.desk.note.as_ref().is_some_and(|(_, until)| *until <= mono) {
            self.desk.note = None;
        }
        match msg {
            Msg::Answer(answer) => self.on_answer(&answer),
            Msg::Background(background) => self.desk.look = self.desk.look.on(background),
            Msg::Event(event) => self.on_event(&event),
            Msg::Focus(has_focus) => self.desk.has_focus = has_focus,
            Msg::Key(key) => self.on_key(key),
            Msg::Mouse(mouse) => {
                if let Some(mut layer) = self.layers.pop() {
                    let handled = layer.on_mouse(mouse, &mut self.desk);
                    self.put_back(layer, handled);
                }
            }
            Msg::Paste(paste) => match self.layers.last_mut() {
                Some(layer) => layer.on_paste(&paste, &mut self.desk),
                None => {
                    let mut effects = Vec::new();
                    self.desk.input.on_paste(&paste, &mut effects);
                    self.desk.effects().extend(effects);
                }
            },
            Msg::Resize { .. } | Msg::Tick => {}
        }
        self.settle()
    }

    /// When to send [`Msg::Tick`], and why; `None` when nothing moves by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<(Mono, &'static str)> {
        let now = self.desk.now.mono;
        let note = self.desk.note.as_ref().map(|(_, until)| (*until, "a note ends"));
        let turn = self.desk.session.turn.map(|_| (now.after_ms(1_000), "elapsed time"));
        note.into_iter().chain(turn).min()
    }

    /// The effects of a message, with what follows from its end.
    fn settle(&mut self) -> Vec<ScreenEffect> {
        for layer in std::mem::take(&mut self.desk.opening) {
            if self.desk.setup.mode == Mode::Plain {
                let lines = layer.lines(&self.desk);
                self.desk.tell(lines);
            }
            self.layers.push(layer);
        }
        if let Some(note) = self.desk.input.take_note() {
            self.desk.note(note);
        }
        let lines = self.desk.transcript.take_ready();
        if !lines.is_empty() {
            self.desk.effect(ScreenEffect::Print(lines));
        }
        self.desk.effect(ScreenEffect::Redraw);
        std::mem::take(self.desk.effects())
    }

    fn put_back(&mut self, layer: Popup, handled: Handled) {
        if handled != Handled::Close {
            self.layers.push(layer);
        }
    }

    fn on_answer(&mut self, answer: &Answer) {
        for layer in &mut self.layers {
            layer.on_answer(answer, &mut self.desk);
        }
        self.desk.input.on_answer(answer);
        if let Answer::NotSaved(why) = answer {
            self.desk.note(format!("not saved: {why}"));
        }
    }

    fn on_event(&mut self, event: &Event) {
        if !self.desk.session.is_mine(event) {
            return;
        }
        let now = self.desk.now.mono;
        self.desk.session.on(now, event);
        self.desk.transcript.on(event);
        match event {
            Event::PromptsReturned { prompts, .. } => {
                for prompt in prompts.iter().rev() {
                    self.desk.input.put_back(&prompt.content);
                }
            }
            Event::Refused { reason, .. } => {
                let (message, hint) = refusal(reason);
                self.desk.note(match hint {
                    Some(hint) => format!("{message}; {hint}"),
                    None => message,
                });
            }
            _ => {}
        }
        for mut layer in std::mem::take(&mut self.layers) {
            let handled = layer.on_event(event, &mut self.desk);
            self.put_back(layer, handled);
        }
        popup::for_event(event, &mut self.desk);
    }

    fn on_key(&mut self, key: Key) {
        // From the top down; what a layer ignores is for the one below.
        for index in (0..self.layers.len()).rev() {
            match self.layers[index].on_key(key, &mut self.desk) {
                Handled::Ignored => {}
                Handled::Consumed => return,
                Handled::Close => {
                    self.layers.remove(index);
                    return;
                }
            }
        }
        let mut effects = Vec::new();
        let handled = if self.layers.is_empty() {
            self.desk.input.on_key(key, &mut effects)
        } else {
            Handled::Ignored
        };
        self.desk.effects().extend(effects);
        if handled != Handled::Ignored {
            if let Some(submission) = self.desk.input.take_submission() {
                self.say(submission);
            }
            return;
        }
        match key.code {
            KeyCode::Esc => self.on_esc(),
            KeyCode::Char('c') if key.modifiers == Modifiers::CTRL => self.on_ctrl_c(),
            KeyCode::Char('d') if key.modifiers == Modifiers::CTRL => self.desk.quit(),
            KeyCode::Char('z') if key.modifiers == Modifiers::CTRL => {
                self.desk.effect(ScreenEffect::Suspend);
            }
            _ => {}
        }
    }

    /// Stops the turn; twice without one, goes back to an earlier prompt.
    fn on_esc(&mut self) {
        if self.interrupt() {
            return;
        }
        if self.take_armed(Armed::Rewind) {
            popup::rewind(&mut self.desk);
        } else if self.desk.input.is_empty() && self.desk.transcript.has_prompts() {
            self.arm(Armed::Rewind, "Esc again: back to an earlier prompt");
        }
    }

    /// Clears what is written, else stops the turn; twice without one, leaves.
    fn on_ctrl_c(&mut self) {
        if !self.desk.input.is_empty() {
            self.desk.input.clear();
            self.desk.note("cleared; Up brings it back");
        } else if !self.interrupt() {
            if self.take_armed(Armed::Quit) {
                self.desk.quit();
            } else {
                self.arm(Armed::Quit, "Ctrl-C again: leave");
            }
        }
    }

    fn arm(&mut self, what: Armed, note: &str) {
        self.armed = Some((what, self.desk.now.mono.after_ms(TWICE_MS)));
        self.desk.note(note);
    }

    fn take_armed(&mut self, what: Armed) -> bool {
        let is_armed = self.armed.is_some_and(|(armed, _)| armed == what);
        if is_armed {
            self.armed = None;
            self.desk.note = None;
        }
        is_armed
    }

    /// Whether there was a turn to stop.
    fn interrupt(&mut self) -> bool {
        let (Some(thread), Some(turn)) = (self.desk.thread(), &mut self.desk.session.turn) else {
            return false;
        };
        turn.interrupted = true;
        self.desk.op(Op::Interrupt { thread });
        true
    }

    fn say(&mut self, submission: Submission) {
        let thread = self.desk.thread();
        if self.desk.setup.history {
            let text = submission.history;
            self.desk.effect(ScreenEffect::AppendHistory { thread, text });
        }
        let delivery = submission.delivery;
        match (submission.said, thread) {
            (Said::Command { name, arguments }, _) => {
                command::run(&name, &arguments, &mut self.desk);
            }
            (Said::Prompt(content), Some(thread)) => {
                self.desk.prompt(Prompt { thread, content, delivery, output_schema: None });
            }
            (Said::Script(script), Some(thread)) => {
                self.desk.op(Op::RunCommand { thread, script });
            }
            // What cannot be sent yet is put back.
            (Said::Prompt(_) | Said::Script(_), None) => {
                self.desk.input.set_draft(&submission.draft);
                self.desk.note("the conversation is still starting");
            }
        }
    }

    fn live_rows(&self, columns: u16) -> Vec<Line> {
        let lines = self.desk.transcript.live();
        lines.iter().flat_map(|line| wrap(line, columns, Break::Anywhere)).collect()
    }
}

impl Scene for AppState {
    fn height(&mut self, columns: u16, rows: u16) -> u16 {
        let live = u16::try_from(self.live_rows(columns).len()).unwrap_or(u16::MAX);
        let bottom = match self.layers.last_mut() {
            Some(layer) => layer.height(columns, rows, &self.desk),
            None => {
                let input = self.desk.input.height(columns);
                input.saturating_add(self.desk.input.candidates_height())
            }
        };
        live.saturating_add(bottom).saturating_add(1).min(rows)
    }

    fn view(&mut self, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let status = 1.min(area.height);
        let left = area.height - status;
        let bottom = match self.layers.last_mut() {
            Some(layer) => layer.height(area.width, left, &self.desk),
            None => {
                let input = self.desk.input.height(area.width);
                input.saturating_add(self.desk.input.candidates_height())
            }
        };
        let bottom = bottom.min(left);
        let live = left - bottom;
        let rows = self.live_rows(area.width);
        let hidden = rows.len().saturating_sub(usize::from(live));
        for (y, row) in (area.y..area.y + live).zip(&rows[hidden..]) {
            draw(row, Rect { y, height: 1, ..area }, buffer);
        }
        let desk = &mut self.desk;
        let at = Rect { y: area.bottom() - status, height: status, ..area };
        let waiting = desk.session.waiting.map_or("", |(phase, _)| phase.as_str());
        let text = desk.note.as_ref().map_or(waiting, |(note, _)| note);
        draw(&Line::styled(text, desk.look.style(Role::Dim)), at, buffer);

        let at = Rect { y: area.y + live, height: bottom, ..area };
        let look = desk.look;
        match self.layers.last_mut() {
            Some(layer) => layer.view(at, buffer, desk, &look),
            None => {
                let candidates = desk.input.candidates_height().min(at.height.saturating_sub(1));
                let above = Rect { height: candidates, ..at };
                desk.input.view_candidates(above, buffer, &look);
                let at = Rect { y: at.y + candidates, height: at.height - candidates, ..at };
                desk.input.view(at, buffer, &look)
            }
        }
    }
}
