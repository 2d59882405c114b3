//! All commands and keys, with a filter.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{
    Bound, Handled, Layer,
    chrome::{CHROME_ROWS, Chrome},
    list::{Entry, List, Listed},
};
use crate::{
    command::{self, Command},
    composer::Action,
    desk::Desk,
    key::{Key, Paste},
    theme::Look,
};

/// Keys that are the same for everybody.
const FIXED: [(&str, &str); 12] = [
    ("/", "at the start: a command"),
    ("@", "a file of this folder"),
    ("$", "a skill"),
    ("!", "at the start: a command for your own shell, outside the sandbox"),
    ("?", "with nothing written: this help"),
    ("Esc", "stop the turn; close what is open"),
    ("Esc Esc", "with nothing written: back to an earlier prompt"),
    ("Ctrl-C", "end voice, clear what is written, or stop the turn; twice: leave"),
    ("Ctrl-D", "with nothing written: leave"),
    ("Ctrl-X", "while voice is on: mute or open the microphone"),
    ("Ctrl-Z", "to the shell; `fg` comes back"),
    ("Shift-Enter", "a new line, where the terminal tells it from Enter; Ctrl-J always does"),
];

/// The help.
#[derive(Clone, Debug)]
pub struct Help {
    list: List,
    /// What each entry is.
    topics: Vec<Topic>,
}

/// What an entry of the help is about.
#[derive(Clone, Copy, Debug)]
enum Topic {
    Command(&'static Command),
    Key,
}

impl Help {
    /// Opens it, with a filter.
    pub fn open(desk: &mut Desk, filter: &str) {
        let mut entries = Vec::new();
        let mut topics = Vec::new();
        let mut add = |name: String, about: String, topic| {
            entries.push(Entry { name, about, ..Entry::default() });
            topics.push(topic);
        };
        for command in command::offered(&desk.setup) {
            let arguments = command.arguments;
            let space = if arguments.is_empty() { "" } else { " " };
            let mut about = command.about.to_owned();
            if !command.aliases.is_empty() {
                let names: Vec<_> = command.aliases.iter().map(|name| format!("/{name}")).collect();
                about.push_str(&format!(" (also {})", names.join(", ")));
            }
            let name = format!("/{}{space}{arguments}", command.name);
            add(name, about, Topic::Command(command));
        }
        for (name, about) in FIXED {
            add(name.to_owned(), about.to_owned(), Topic::Key);
        }
        for (action, _, name, _) in Action::ALL {
            let keys = joined(desk.input.keys(*action));
            if !keys.is_empty() {
                add(keys, name.replace('_', " "), Topic::Key);
            }
        }
        for (bound, name, _) in Bound::ALL {
            let keys = joined(desk.bindings.keys(*bound).iter().copied());
            let (context, action) = name.split_once('.').unwrap_or(("", name));
            let place = match context {
                "approval" => "in a question",
                "list" => "in a list",
                _ => "in a long text",
            };
            if !keys.is_empty() {
                add(keys, format!("{place}: {}", action.replace('_', " ")), Topic::Key);
            }
        }
        let list = List::new(entries).filtered(filter);
        desk.open(Self { list, topics }.into());
    }
}

fn joined(keys: impl Iterator<Item = Key>) -> String {
    keys.map(|key| key.to_string()).collect::<Vec<_>>().join(", ")
}

impl Layer for Help {
    fn on_key(&mut self, key: Key, desk: &mut Desk) -> Handled {
        match self.list.on_key(&key, desk) {
            Listed::Cancelled => Handled::Close,
            Listed::Chosen(index) => {
                if let Some(Topic::Command(command)) = self.topics.get(index) {
                    desk.input.insert(&format!("/{}", command.name));
                }
                Handled::Close
            }
            _ => Handled::Consumed,
        }
    }

    fn on_paste(&mut self, paste: &Paste, _desk: &mut Desk) {
        self.list.on_paste(paste);
    }

    fn height(&mut self, columns: u16, rows: u16, _desk: &Desk) -> u16 {
        self.list.height(columns).saturating_add(CHROME_ROWS).min(rows)
    }

    fn view(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        desk: &Desk,
        look: &Look,
    ) -> Option<Position> {
        let (shown, all) = self.list.counts();
        let side = if shown == all { String::new() } else { format!("{shown} of {all}") };
        let is_command = self.list.chosen().and_then(|index| self.topics.get(index));
        let mut chrome = Chrome::new("Commands and keys").side(side);
        if matches!(is_command, Some(Topic::Command(_))) {
            chrome = chrome.key(desk.bindings.label(Bound::Accept), "write it");
        }
        let inner = chrome.key(desk.bindings.label(Bound::Cancel), "back").draw(area, buffer, look);
        self.list.view("", inner, buffer, look)
    }
}
