//! The transcript: a fold over events into cells, and the lines that are ready to leave.
//!
//! In inline mode a cell leaves when it is complete, in the order in which cells become complete; a
//! message of the model leaves line by line while it grows, and what becomes complete meanwhile waits
//! for its end. What the model thought before a message is complete only with the message, and leaves
//! before its first line. Each line leaves exactly once. In full-screen mode nothing leaves: the cells
//! are kept and drawn from here.

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
};

use codex_proto::{
    ApprovalId, Event, Mono,
    approval::ApprovalRequest,
    event::{RunningCommand, TurnOutcome},
    item::{ItemBody, TurnItem},
    realtime::RealtimeRole,
};

use crate::{
    cell::{Approval, Cell, Command, Context, Footer, Header, Notice, Spoken, Tone, User},
    session::Session,
    setup::{Mode, Setup},
    text::Line,
};

/// Finished cells that are kept: for scrolling in full-screen mode, and for looking back.
const CELLS_MAX: usize = 50_000;
/// Bytes that they take together, roughly; the oldest are forgotten beyond it.
const BYTES_MAX: usize = 32 << 20;
/// Items of a resumed thread that are printed in inline mode.
const RESTORED_MAX: usize = 200;

/// All that was said and done.
#[derive(Clone, Debug)]
pub struct Transcript {
    mode: Mode,
    /// Finished, oldest first.
    cells: VecDeque<Cell>,
    bytes: usize,
    /// Cells that were forgotten; the number of the first one that is kept.
    forgotten: usize,
    /// Unfinished, in the order in which they began.
    live: Vec<(u32, Cell)>,
    /// Thinking that has left, of `live`.
    told: Vec<u32>,
    /// Commands of `live` that were told to go on in the background.
    background: Vec<u32>,
    /// The end of a turn, and the commands that it stopped and that have not ended.
    ending: Option<(Footer, Vec<u32>)>,
    /// The message that is leaving line by line.
    leaving: Option<u32>,
    /// Lines that leave when it has ended.
    held: Vec<Line>,
    ready: Vec<Line>,
    has_left: bool,
    questions: BTreeMap<ApprovalId, ApprovalRequest>,
    /// Images of prompts on their way, by their text.
    images: Vec<(String, Vec<PathBuf>)>,
    prompts: Vec<String>,
    last_message: Option<String>,
    has_header: bool,
    /// Whether what is said by voice is shown as it is said.
    has_spoken: bool,
}

impl Transcript {
    /// Nothing yet.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        Self {
            mode: setup.mode,
            cells: VecDeque::new(),
            bytes: 0,
            forgotten: 0,
            live: Vec::new(),
            told: Vec::new(),
            background: Vec::new(),
            ending: None,
            leaving: None,
            held: Vec::new(),
            ready: Vec::new(),
            has_left: false,
            questions: BTreeMap::new(),
            images: Vec::new(),
            prompts: Vec::new(),
            last_message: None,
            has_header: false,
            has_spoken: false,
        }
    }

    /// Takes an event of the thread on the screen.
    pub fn on(&mut self, event: &Event, now: Mono, setup: &Setup, cx: &Context) {
        match event {
            Event::ApprovalEnded { id, answer, .. } => {
                if let Some(request) = self.questions.remove(id) {
                    let approval = Approval::new(&request, answer.as_ref(), setup);
                    self.add(Cell::Approval(approval), cx);
                }
            }
            Event::ApprovalRequested(request) => {
                self.questions.insert(request.id, (**request).clone());
            }
            Event::Commands { running, .. } => self.tell_background(running, cx),
            Event::ItemCompleted { item, .. } => {
                self.complete(item, now, setup, cx);
                self.has_stopped(item.id, cx);
            }
            Event::ItemDelta { item, delta, .. } => self.grow(*item, delta, cx),
            Event::ItemDropped { item, .. } => self.give_up(*item, cx),
            Event::ItemStarted { item, .. } | Event::ItemUpdated { item, .. } => {
                self.change(item, now, setup, cx);
            }
            Event::PromptCacheReset { cause, .. } => {
                let text = format!("the prompt cache starts anew: {cause}");
                self.notice(Tone::Remark, &text, None, cx);
            }
            Event::Restored { items, .. } => self.restore(items, now, setup, cx),
            Event::ThreadReady(ready) => {
                // What the thread before left unfinished is not of this one.
                self.give_all_up(cx);
                self.end_late(cx);
                self.prompts.clear();
                self.questions.clear();
                self.has_spoken = false;
                self.add(Cell::Header(Header::new(ready, setup, !self.has_header)), cx);
                self.has_header = true;
            }
            Event::ThreadStopped { .. } => {
                self.give_all_up(cx);
                self.end_late(cx);
            }
            Event::TurnEnded { outcome: TurnOutcome::Failed(error), .. } => {
                self.notice(Tone::Error, &error.message, error.hint.as_deref(), cx);
            }
            Event::Warning { message, .. } => self.notice(Tone::Warning, message, None, cx),
            Event::TurnStarted { .. } => self.end_late(cx),
            Event::Configured { .. }
            | Event::PromptsReturned { .. }
            | Event::Realtime(_)
            | Event::Refused { .. }
            | Event::Retrying { .. }
            | Event::TurnEnded { .. }
            | Event::UsageUpdated { .. }
            | Event::Waiting { .. } => {}
        }
    }

    /// An item begins, or changes as a whole.
    fn change(&mut self, item: &TurnItem, now: Mono, setup: &Setup, cx: &Context) {
        let place = self.live.iter_mut().find(|(id, _)| *id == item.id);
        match (place, &item.body) {
            (Some((_, Cell::Agent(cell))), ItemBody::AgentMessage { text }) => {
                if !cell.replace(text) {
                    // What has left cannot be taken back.
                    self.give_up(item.id, cx);
                    self.live.push((item.id, Cell::of(&item.body, now, setup)));
                }
            }
            (Some((_, cell)), body) => *cell = renewed(cell, body, now, setup),
            (None, body) => self.live.push((item.id, Cell::of(body, now, setup))),
        }
        self.let_leave(cx);
    }

    fn grow(&mut self, id: u32, delta: &str, cx: &Context) {
        let Some((_, cell)) = self.live.iter_mut().find(|(live, _)| *live == id) else { return };
        cell.push(delta);
        if matches!(cell, Cell::Agent(_)) {
            self.let_leave(cx);
        }
    }

    /// Renders what came of messages; in inline mode, the oldest one leaves as far as it is final.
    fn let_leave(&mut self, cx: &Context) {
        for place in 0..self.live.len() {
            let (id, Cell::Agent(agent)) = &mut self.live[place] else { continue };
            let id = *id;
            agent.advance(cx);
            if self.mode == Mode::FullScreen || self.leaving.is_some_and(|leaving| leaving != id) {
                continue;
            }
            let is_first = !agent.has_left();
            let lines = agent.take();
            if lines.is_empty() {
                continue;
            }
            if is_first {
                self.tell_thinking(place, cx);
                if self.has_left {
                    self.ready.push(Line::new());
                }
            }
            self.leaving = Some(id);
            self.has_left = true;
            self.ready.extend(lines);
        }
    }

    /// What was thought before the message at `place` leaves before it.
    fn tell_thinking(&mut self, place: usize, cx: &Context) {
        for (id, cell) in &self.live[..place] {
            if !matches!(cell, Cell::Reasoning(_)) || self.told.contains(id) {
                continue;
            }
            self.told.push(*id);
            let lines = cell.lines(cx);
            if !lines.is_empty() {
                if self.has_left {
                    self.ready.push(Line::new());
                }
                self.has_left = true;
                self.ready.extend(lines);
            }
        }
    }

    /// Whether this thinking has left; it is no longer unfinished then.
    fn take_told(&mut self, id: u32) -> bool {
        let place = self.told.iter().position(|told| *told == id);
        place.map(|place| self.told.swap_remove(place)).is_some()
    }

    fn complete(&mut self, item: &TurnItem, now: Mono, setup: &Setup, cx: &Context) {
        let place = self.live.iter().position(|(id, _)| *id == item.id);
        let live = place.map(|place| self.live.remove(place).1);
        match (&item.body, live) {
            (ItemBody::AgentMessage { text }, Some(Cell::Agent(mut agent))) => {
                self.last_message = Some(text.clone());
                if agent.replace(text) {
                    self.finish_message(item.id, agent, cx);
                } else {
                    self.cut_off(cx);
                    self.add(Cell::of(&item.body, now, setup), cx);
                }
            }
            (body, live) => {
                if let ItemBody::AgentMessage { text } = body {
                    self.last_message = Some(text.clone());
                }
                let cell = match live {
                    Some(live) => renewed(&live, body, now, setup),
                    None => Cell::of(body, now, setup),
                };
                let cell = match body {
                    ItemBody::UserMessage { text } => self.prompt(text),
                    _ => cell,
                };
                if self.take_told(item.id) {
                    self.keep(cell);
                } else {
                    self.add(cell, cx);
                }
            }
        }
    }

    fn prompt(&mut self, text: &str) -> Cell {
        self.prompts.push(text.to_owned());
        let place = self.images.iter().position(|(of, _)| of == text);
        let images = place.map(|place| self.images.remove(place).1).unwrap_or_default();
        Cell::User(User::new(text).with_images(images).said_before(self.has_spoken))
    }

    fn finish_message(&mut self, id: u32, mut agent: crate::cell::Agent, cx: &Context) {
        if self.mode == Mode::FullScreen || !agent.has_left() {
            // Nothing of it is out: it is an entry like any other.
            self.add(Cell::Agent(agent), cx);
        } else {
            self.ready.extend(agent.finish(cx));
            self.keep(Cell::Agent(agent));
        }
        if self.leaving == Some(id) {
            self.leaving = None;
            self.ready.append(&mut self.held);
            self.let_leave(cx);
        }
    }

    /// An unfinished item will not be finished.
    fn give_up(&mut self, id: u32, cx: &Context) {
        self.live.retain(|(live, _)| *live != id);
        self.take_told(id);
        if self.leaving == Some(id) {
            self.cut_off(cx);
        }
        self.has_stopped(id, cx);
    }

    fn give_all_up(&mut self, cx: &Context) {
        for (id, _) in std::mem::take(&mut self.live) {
            self.give_up(id, cx);
        }
    }

    /// The message that was leaving ends here.
    fn cut_off(&mut self, cx: &Context) {
        self.leaving = None;
        self.notice(Tone::Remark, "the answer above was cut off", None, cx);
        self.ready.append(&mut self.held);
        self.let_leave(cx);
    }

    fn restore(&mut self, items: &[TurnItem], now: Mono, setup: &Setup, cx: &Context) {
        let hidden = match self.mode {
            Mode::FullScreen => 0,
            Mode::Inline | Mode::Plain => items.len().saturating_sub(RESTORED_MAX),
        };
        for (index, item) in items.iter().enumerate() {
            if index >= hidden {
                self.complete(item, now, setup, cx);
            } else if let ItemBody::UserMessage { text } = &item.body {
                self.prompts.push(text.clone());
            }
            if index + 1 == hidden {
                let text =
                    format!("{hidden} earlier entries are not shown; --alt-screen shows all");
                self.notice(Tone::Remark, &text, None, cx);
            }
        }
    }

    /// A turn has ended. That is said behind the commands that it stopped.
    pub fn end_turn(&mut self, footer: Footer, session: &Session, cx: &Context) {
        let stops = |(id, cell): &(u32, Cell)| {
            let is_stopped = matches!(cell, Cell::Command(_)) && !is_background(*id, session);
            is_stopped.then_some(*id)
        };
        let stopped: Vec<u32> = self.live.iter().filter_map(stops).collect();
        self.ending = Some((footer, stopped));
        self.end_when_stopped(cx);
    }

    /// A command is no longer waited for.
    fn has_stopped(&mut self, id: u32, cx: &Context) {
        self.background.retain(|have| *have != id);
        if let Some((_, stopped)) = &mut self.ending {
            stopped.retain(|have| *have != id);
            self.end_when_stopped(cx);
        }
    }

    fn end_when_stopped(&mut self, cx: &Context) {
        if self.ending.as_ref().is_some_and(|(_, stopped)| stopped.is_empty()) {
            self.end_late(cx);
        }
    }

    /// The end of a turn waits no longer.
    fn end_late(&mut self, cx: &Context) {
        if let Some((footer, _)) = self.ending.take() {
            self.add(Cell::Footer(footer), cx);
        }
    }

    /// A command that goes on without its call is told once: its own entry comes when it ends.
    fn tell_background(&mut self, running: &[RunningCommand], cx: &Context) {
        for RunningCommand { item, by_user, .. } in running {
            if *by_user || self.background.contains(item) {
                continue;
            }
            let live = self.live.iter().find(|(id, _)| id == item);
            if let Some((_, Cell::Command(command))) = live {
                let lines = command.in_background(cx);
                self.background.push(*item);
                self.add(Cell::Lines(lines), cx);
            }
        }
    }

    /// A message of the program.
    pub fn notice(&mut self, tone: Tone, message: &str, hint: Option<&str>, cx: &Context) {
        self.add(Cell::Notice(Notice::new(tone, message, hint)), cx);
    }

    /// Something was said by voice.
    pub fn spoken(&mut self, role: RealtimeRole, text: String, cx: &Context) {
        self.has_spoken = true;
        self.add(Cell::Spoken(Spoken { role, text }), cx);
    }

    /// Lines of the screen's own.
    pub fn tell(&mut self, lines: Vec<Line>, cx: &Context) {
        self.add(Cell::Lines(lines), cx);
    }

    /// Lines that leave at once and are kept nowhere: what plain mode tells of popups.
    pub fn announce(&mut self, lines: Vec<Line>) {
        self.has_left |= !lines.is_empty();
        self.ready.extend(lines);
    }

    /// Whether lines wait to leave.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Images go with a prompt of this text.
    pub fn expect_images(&mut self, text: String, images: Vec<PathBuf>) {
        if !images.is_empty() {
            self.images.push((text, images));
        }
    }

    /// A cell is complete.
    fn add(&mut self, cell: Cell, cx: &Context) {
        if self.mode != Mode::FullScreen {
            let lines = cell.lines(cx);
            // A footer belongs to what it is about.
            let is_apart = !matches!(cell, Cell::Footer(_));
            let to = if self.leaving.is_some() { &mut self.held } else { &mut self.ready };
            if !lines.is_empty() {
                if self.has_left && is_apart {
                    to.push(Line::new());
                }
                self.has_left = true;
                to.extend(lines);
            }
        }
        self.keep(cell);
    }

    fn keep(&mut self, cell: Cell) {
        self.bytes += cell.bytes();
        self.cells.push_back(cell);
        while self.cells.len() > CELLS_MAX || (self.bytes > BYTES_MAX && self.cells.len() > 1) {
            let Some(oldest) = self.cells.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
            self.forgotten += 1;
        }
    }

    /// Lines that are complete since the last call; each leaves once.
    pub fn take_ready(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.ready)
    }

    /// The unfinished entries as lines; of a long one, about the last `most`.
    #[must_use]
    pub fn live(&self, session: &Session, now: Mono, cx: &Context, most: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        let is_shown = |id: &u32| !is_background(*id, session) && !self.told.contains(id);
        for (_, cell) in self.live.iter().filter(|(id, _)| is_shown(id)) {
            let new = cell.live(cx, now, most);
            if !new.is_empty() {
                let goes_on = matches!(cell, Cell::Agent(agent) if agent.has_left());
                if !goes_on && (self.has_left || !lines.is_empty()) {
                    lines.push(Line::new());
                }
                lines.extend(new);
            }
        }
        lines
    }

    /// How many entries are unfinished.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.live.len()
    }

    /// Whether a command runs that is waited for.
    #[must_use]
    pub fn has_running_command(&self, session: &Session) -> bool {
        let is_command = |cell: &Cell| matches!(cell, Cell::Command(_));
        self.live.iter().any(|(id, cell)| is_command(cell) && !is_background(*id, session))
    }

    /// Finished cells, oldest first.
    #[must_use]
    pub fn cells(&self) -> &VecDeque<Cell> {
        &self.cells
    }

    /// How many older ones were forgotten.
    #[must_use]
    pub fn forgotten(&self) -> usize {
        self.forgotten
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prompts.is_empty()
    }

    /// What the user said in this conversation, oldest first.
    #[must_use]
    pub fn prompts(&self) -> &[String] {
        &self.prompts
    }

    /// Whether the user said something.
    #[must_use]
    pub fn has_prompts(&self) -> bool {
        !self.prompts.is_empty()
    }

    /// The source of the model's last message that is complete.
    #[must_use]
    pub fn last_message(&self) -> Option<&str> {
        self.last_message.as_deref()
    }
}

/// A command that goes on without its turn is told by the status line.
fn is_background(item: u32, session: &Session) -> bool {
    session.commands.iter().any(|command| command.item == item)
}

/// A cell with a new body that keeps when it began.
fn renewed(old: &Cell, body: &ItemBody, now: Mono, setup: &Setup) -> Cell {
    match (Cell::of(body, now, setup), old) {
        (Cell::Command(new), Cell::Command(old)) => Cell::Command(Command::since(new, old)),
        (cell, _) => cell,
    }
}
