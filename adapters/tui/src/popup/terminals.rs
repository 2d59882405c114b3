//! Commands that run in the background: what they print, and how to stop one.

use std::sync::Arc;

use codex_proto::{CommandId, Event, Mono, Op, event::RunningCommand};

use super::{Body, Bound, Chrome, Handled, Layer, List, Scroll, chrome::text_columns, list::Entry};
use crate::{
    cell::shown_script,
    desk::Desk,
    key::{Key, KeyCode},
    text::{Break, Line, clean_line, elapsed, printed, wrap},
    theme::{Look, Role},
};

/// Rows of the tail below the list.
const TAIL_ROWS: usize = 6;

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
        let list = List::new(entries(desk)).wide_names().or_says("none is running any more");
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
        let mut about = if command.by_user { "yours" } else { "the model's" }.to_owned();
        if command.tty {
            about.push_str(", terminal");
        }
        Entry {
            name: format!("{}  {}", command.id, typed(command)),
            about,
            tail: elapsed(command.running_ms.saturating_add(since)),
            is_current: false,
        }
    };
    desk.session.commands.iter().map(entry).collect()
}

/// What was typed, without the shell around it.
fn typed(command: &RunningCommand) -> String {
    clean_line(&shown_script(&command.command)).into_owned()
}

fn tail(command: &RunningCommand, columns: u16, look: &Look) -> Vec<Line> {
    let width = text_columns(columns);
    let lines = printed(&command.tail, look.style(Role::Dim), look);
    lines.iter().flat_map(|line| wrap(line, width, Break::Anywhere)).collect()
}

impl Layer for Terminals {
    fn chrome(&self, desk: &Desk) -> Chrome {
        let chrome = match (&self.state, self.chosen(desk)) {
            (State::Output(..), Some(command)) => {
                Chrome::new(typed(command)).key("x", "stop").on(desk, Bound::PageUp, "page")
            }
            _ => Chrome::new("Background terminals").key("x", "stop").on(
                desk,
                Bound::Accept,
                "output",
            ),
        };
        chrome.on(desk, Bound::Cancel, "back")
    }

    fn body(&mut self, desk: &Desk) -> Body<'_> {
        match &mut self.state {
            State::Listing => {
                self.list.set(entries(desk));
                Body::List(&mut self.list)
            }
            State::Output(_, scroll) => Body::Text(scroll),
        }
    }

    fn rows(&mut self, columns: u16, desk: &Desk, look: &Look) -> Arc<[Line]> {
        let mut rows =
            self.chosen(desk).map_or_else(Vec::new, |command| tail(command, columns, look));
        let mut least = TAIL_ROWS;
        if let State::Listing = self.state {
            rows.drain(..rows.len().saturating_sub(TAIL_ROWS));
            rows.insert(0, Line::new());
            least += 1;
        }
        // So that nothing jumps.
        rows.resize(rows.len().max(least), Line::new());
        rows.into()
    }

    fn on_own_key(&mut self, key: &Key, desk: &mut Desk) -> Option<Handled> {
        let is_stop = matches!(key.code, KeyCode::Char('x') | KeyCode::Delete);
        if !is_stop || !key.modifiers.is_empty() {
            return None;
        }
        if let Some(id) = self.chosen(desk).map(|command| command.id) {
            stop(desk, Some(id));
            desk.note(format!("stopping {id}"));
        }
        Some(Handled::Consumed)
    }

    fn on_chosen(&mut self, _index: usize, desk: &mut Desk) -> Handled {
        if let Some(id) = self.chosen(desk).map(|command| command.id) {
            self.state = State::Output(id, Scroll::at_end());
        }
        Handled::Consumed
    }

    fn on_left(&mut self, _desk: &mut Desk) -> Handled {
        if let State::Listing = self.state {
            return Handled::Close;
        }
        self.state = State::Listing;
        Handled::Consumed
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
}
