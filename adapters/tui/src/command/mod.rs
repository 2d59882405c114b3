//! Slash commands: one per file, and the table that lists them.

mod quit;

use crate::{composer::complete::Candidate, desk::Desk};

/// A slash command.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Without the slash.
    pub name: &'static str,
    /// Other names, which are not offered.
    pub aliases: &'static [&'static str],
    /// A few words.
    pub about: &'static str,
    /// What may follow, as help shows it; empty when nothing may.
    pub arguments: &'static str,
    /// Whether it can be used while a turn runs.
    pub in_turn: bool,
    /// Does it. Arguments are trimmed.
    pub run: fn(&mut Desk, &str),
}

/// All of them, in the order in which they are offered.
pub const COMMANDS: &[Command] = &[quit::QUIT];

/// A command by any of its names.
#[must_use]
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name || command.aliases.contains(&name))
}

/// Runs a command by its name.
pub(crate) fn run(name: &str, arguments: &str, desk: &mut Desk) {
    match find(name) {
        None => desk.note(format!("there is no /{name}; / shows all")),
        Some(command) if !command.in_turn && desk.session.turn.is_some() => {
            desk.note(format!("/{name} waits for the end of the turn; Esc ends it"));
        }
        Some(command) => (command.run)(desk, arguments),
    }
}

/// What the composer offers after a slash.
#[must_use]
pub fn candidates() -> Vec<Candidate> {
    let candidate = |command: &Command| Candidate {
        name: command.name.into(),
        about: command.about.into(),
        takes_arguments: !command.arguments.is_empty(),
    };
    COMMANDS.iter().map(candidate).collect()
}
