//! Commands that run in the background: what they print, and how to stop one.

use codex_proto::{CommandId, Event, Mono, Op, event::RunningCommand};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{
    Bound, Handled, Layer,
    chrome::{CHROME_ROWS, Chrome, Scroll},
    list::{Entry, List, Listed},
};
use crate::{
    desk::Desk,
    key::{Key, KeyCode},
    text::{Break, Line, clean, clean_line, draw, last_overprint, wrap},
    theme::{Look, Role},
};

/// Rows of the tail below the list.
const TAIL_ROWS: u16 = 6;

/// The list of commands.
#[derive(Clone, Debug)]
pub struct Terminals {
    list: List,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Listing,
    /// What one of them printed.
    Output(CommandId, Scroll),
}

impl Terminals {
    /// Opens it.
    pub fn open(desk: &mut Desk) {
        if desk.session.commands.is_empty() {
            desk.note("no command runs in the background");
            return;
        }
        let list = List::new(entries(desk)).wide_names();
        desk.open(Self { list, state: State::Listing }.into());
    }

    fn chosen<'a>(&self, desk: &'a Desk) -> Option<&'a RunningCommand> {
        match self.state {
            State::Listing => desk.session.commands.get(self.list.chosen()?),
            State::Output(id, _) => desk.session.commands.iter().find(|have| have.id == id),
        }
    }
}

/// Ends one command, or all.
pub(crate) fn stop(desk: &mut Desk, command: Option<CommandId>) {
    if let Some(thread) = desk.thread() {
        desk.op(Op::StopCommands { thread, command });
    }
}

fn entries(desk: &Desk) -> Vec<Entry> {
    let since = desk.now.mono.ms_since(desk.commands_told);
    let entry = |command: &RunningCommand| {
        let seconds = command.running_ms.saturating_add(since) / 1_000;
        let mut about = if command.by_user { "yours" } else { "the model's" }.to_owned();
        if command.tty {
            about.push_str(", terminal");
        }
        Entry {
            name: format!("{}  {}", command.id, clean_line(&command.command)),
            about,
            tail: duration(seconds),
            is_current: false,
        }
    };
    desk.session.commands.iter().map(entry).collect()
}

/// `5 s`, `3 min`, `2 h 5 min`.
fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

fn tail(command: &RunningCommand, columns: u16, look: &Look) -> Vec<Line> {
    let width = columns.saturating_sub(6).max(1);
    let lines = command.tail.lines();
    let line = |line: &str| {
        let line = clean(last_overprint(line)).into_owned();
        wrap(&Line::styled(line, look.style(Role::Dim)), width, Break::Anywhere)
    };
    lines.flat_map(line).collect()
}

impl Layer for Terminals {
    fn on_key(&mut self, key: Key, desk: &mut Desk) -> Handled {
        let plain = key.modifiers.is_empty();
        let is_stop = plain && matches!(key.code, KeyCode::Char('x') | KeyCode::Delete);
        if is_stop {
            if let Some(id) = self.chosen(desk).map(|command| command.id) {
                stop(desk, Some(id));
                desk.note(format!("stopping {id}"));
            }
            return Handled::Consumed;
        }
        if let State::Output(_, scroll) = &mut self.state {
            if desk.bindings.is(&key, Bound::Close) {
                self.state = State::Listing;
            } else {
                scroll.on_key(&key, desk);
            }
            return Handled::Consumed;
        }
        match self.list.on_key(&key, desk) {
            Listed::Cancelled => Handled::Close,
            Listed::Chosen(_) => {
                if let Some(id) = self.chosen(desk).map(|command| command.id) {
                    self.state = State::Output(id, Scroll::at_end());
                }
                Handled::Consumed
            }
            _ => Handled::Consumed,
        }
    }

    fn on_event(&mut self, event: &Event, desk: &mut Desk) -> Handled {
        if !matches!(event, Event::Commands { .. } | Event::ThreadStopped { .. }) {
            return Handled::Ignored;
        }
        self.list.set(entries(desk));
        if let State::Output(..) = self.state
            && self.chosen(desk).is_none()
        {
            self.state = State::Listing;
        }
        Handled::Ignored
    }

    fn deadline(&self, desk: &Desk) -> Option<(Mono, &'static str)> {
        let is_running = !desk.session.commands.is_empty();
        is_running.then(|| (desk.now.mono.after_ms(1_000), "running time of commands"))
    }

    fn height(&mut self, columns: u16, rows: u16, desk: &Desk) -> u16 {
        let body = match &self.state {
            State::Listing => self.list.height(columns).saturating_add(TAIL_ROWS + 1),
            State::Output(..) => {
                let rows =
                    self.chosen(desk).map_or(1, |have| tail(have, columns, &desk.look).len());
                u16::try_from(rows).unwrap_or(u16::MAX).max(TAIL_ROWS)
            }
        };
        body.saturating_add(CHROME_ROWS).min(rows)
    }

    fn view(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        desk: &Desk,
        look: &Look,
    ) -> Option<Position> {
        self.list.set(entries(desk));
        let close = desk.bindings.label(Bound::Cancel);
        let title = match (&self.state, self.chosen(desk)) {
            (State::Output(..), Some(command)) => clean_line(&command.command).into_owned(),
            _ => "Background terminals".to_owned(),
        };
        let chrome = Chrome::new(title).key("x", "stop");
        let chrome = match self.state {
            State::Listing => chrome.key(desk.bindings.label(Bound::Accept), "output"),
            State::Output(..) => chrome.key(desk.bindings.label(Bound::PageUp), "page"),
        };
        let inner = chrome.key(close, "back").draw(area, buffer, look);
        let rows = self.chosen(desk).map_or_else(Vec::new, |have| tail(have, area.width, look));
        let indented = |area: Rect| Rect {
            x: area.x + 4.min(area.width),
            width: area.width.saturating_sub(4),
            ..area
        };
        if let State::Output(_, scroll) = &mut self.state {
            scroll.draw(&rows, indented(inner), buffer, look);
            return None;
        }
        let list = self.list.height(area.width).min(inner.height);
        let caret = self.list.view(
            "none is running any more",
            Rect { height: list, ..inner },
            buffer,
            look,
        );
        let below = Rect { y: inner.y + list, height: inner.height - list, ..inner };
        let below = Rect {
            y: below.y + 1.min(below.height),
            height: below.height.saturating_sub(1),
            ..indented(below)
        };
        let from = rows.len().saturating_sub(usize::from(below.height));
        for (y, row) in (below.y..below.bottom()).zip(&rows[from..]) {
            draw(row, Rect { y, height: 1, ..below }, buffer);
        }
        caret
    }
}
