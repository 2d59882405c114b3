//! All commands and keys, with a filter.

use super::{Body, Bound, Chrome, Handled, Layer, List, list::Entry};
use crate::{
    command::{self, Command},
    composer::{Action, VIM_ACTIONS},
    desk::Desk,
    key::Key,
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
    /// Opens it, with a filter; what begins with a slash comes before the keys, or after them.
    pub fn open(desk: &mut Desk, filter: &str, commands_first: bool) {
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
        if desk.input.vim_mode().is_some() {
            for (name, own) in VIM_ACTIONS {
                let keys = joined(desk.input.vim_keymap().keys(name, own).into_iter());
                let (context, action) = name.split_once('.').unwrap_or(("", name));
                let place = match context {
                    "vim_normal" => "in normal mode",
                    _ => "after an operator",
                };
                if !keys.is_empty() {
                    add(keys, format!("{place}: {}", action.replace('_', " ")), Topic::Key);
                }
            }
        }
        if !commands_first {
            let commands = topics.iter().filter(|topic| matches!(topic, Topic::Command(_))).count();
            entries.rotate_left(commands);
            topics.rotate_left(commands);
        }
        let list = List::new(entries).filtered(filter);
        desk.open(Self { list, topics }.into());
    }
}

fn joined(keys: impl Iterator<Item = Key>) -> String {
    keys.map(|key| key.to_string()).collect::<Vec<_>>().join(", ")
}

impl Layer for Help {
    fn chrome(&self, desk: &Desk) -> Chrome {
        let (shown, all) = self.list.counts();
        let side = if shown == all { String::new() } else { format!("{shown} of {all}") };
        let mut chrome = Chrome::new("Commands and keys").side(side);
        let topic = self.list.chosen().and_then(|index| self.topics.get(index));
        if matches!(topic, Some(Topic::Command(_))) {
            chrome = chrome.on(desk, Bound::Accept, "write it");
        }
        chrome.on(desk, Bound::Cancel, "back")
    }

    fn body(&mut self, _desk: &Desk) -> Body<'_> {
        Body::List(&mut self.list)
    }

    fn on_chosen(&mut self, index: usize, desk: &mut Desk) -> Handled {
        if let Some(Topic::Command(command)) = self.topics.get(index) {
            desk.input.insert(&format!("/{}", command.name));
        }
        Handled::Close
    }
}
