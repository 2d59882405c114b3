//! Slash commands: one per file, and the table that lists them.

mod context;
mod copy;
mod diff;
mod fork;
mod help;
mod init;
mod mention;
mod model;
mod new;
mod permissions;
mod ps;
mod quit;
mod raw;
mod resume;
mod rewind;
mod screen;
mod status;
mod stop;
mod theme;
mod trust;
mod vim;
mod voice;

use crate::{composer::complete::Candidate, desk::Desk, setup::Setup, text::clean_line};

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
    /// Why it cannot be used with this setup, and what to do about it. It is not offered then.
    pub unavailable: fn(&Setup) -> Option<&'static str>,
    /// Does it. Arguments are trimmed. The error says what is wrong and how it is written.
    pub run: fn(&mut Desk, &str) -> Result<(), String>,
}

impl Command {
    /// A command without arguments that can be used at any time and does nothing.
    const BASE: Self = Self {
        name: "",
        aliases: &[],
        about: "",
        arguments: "",
        in_turn: true,
        unavailable: |_| None,
        run: |_, _| Ok(()),
    };
}

/// All of them, in the order in which they are offered.
pub const COMMANDS: &[Command] = &[
    model::MODEL,
    permissions::PERMISSIONS,
    trust::TRUST,
    new::NEW,
    resume::RESUME,
    fork::FORK,
    rewind::REWIND,
    init::INIT,
    diff::DIFF,
    mention::MENTION,
    status::STATUS,
    context::CONTEXT,
    theme::THEME,
    screen::SCREEN,
    vim::VIM,
    copy::COPY,
    raw::RAW,
    ps::PS,
    stop::STOP,
    voice::VOICE,
    help::HELP,
    quit::QUIT,
];

/// A command by any of its names, in any case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Command> {
    let name = name.to_ascii_lowercase();
    let is = |command: &&Command| command.name == name || command.aliases.contains(&&*name);
    COMMANDS.iter().find(is)
}

/// Runs a command by its name. What is wrong is said, and what was written is put back.
pub(crate) fn run(name: &str, arguments: &str, desk: &mut Desk) {
    let done = match find(name) {
        // The composer sends no others.
        None => Err(format!("there is no command /{}", clean_line(name))),
        Some(command) => match (command.unavailable)(&desk.setup) {
            Some(why) => Err(format!("/{}: {why}", command.name)),
            None if !command.in_turn && desk.session.turn.is_some() => {
                Err(format!("/{} waits for the end of the turn; Esc ends it", command.name))
            }
            None if command.arguments.is_empty() && !arguments.is_empty() => {
                Err(format!("/{} takes no arguments", command.name))
            }
            None => (command.run)(desk, arguments),
        },
    };
    if let Err(why) = done {
        desk.note(why);
        if desk.input.is_empty() {
            let space = if arguments.is_empty() { "" } else { " " };
            desk.input.set_text(&format!("/{name}{space}{arguments}"));
        }
    }
}

/// Those that can be used with this setup.
pub(crate) fn offered(setup: &Setup) -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().filter(|command| (command.unavailable)(setup).is_none())
}

/// What the composer knows as commands; names that are not offered are hidden.
#[must_use]
pub fn candidates(setup: &Setup) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for command in COMMANDS {
        let is_offered = (command.unavailable)(setup).is_none();
        for name in std::iter::once(&command.name).chain(command.aliases) {
            candidates.push(Candidate {
                name: (*name).into(),
                about: command.about.into(),
                // What is optional is in brackets.
                takes_arguments: !command.arguments.is_empty()
                    && !command.arguments.starts_with('['),
                is_hidden: !is_offered || *name != command.name,
            });
        }
    }
    candidates
}

/// `on`, `off`, or the other of what is.
fn switch(now: bool, arguments: &str, usage: &str) -> Result<bool, String> {
    match arguments {
        "" => Ok(!now),
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("`{}` is neither on nor off: {usage}", clean_line(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_are_told_apart_and_explained() {
        let mut seen = std::collections::BTreeSet::new();
        for command in COMMANDS {
            assert!(!command.about.is_empty() && !command.about.ends_with('.'), "{command:?}");
            for name in std::iter::once(&command.name).chain(command.aliases) {
                assert!(seen.insert(*name), "{name} twice");
                assert_eq!(find(name).map(|found| found.name), Some(command.name));
            }
        }
    }

    #[test]
    fn what_cannot_be_used_is_not_offered() {
        let setup = Setup { voice: false, ..Setup::sample() };
        let hidden = |name: &str| {
            candidates(&setup).iter().find(|have| have.name == name).map(|have| have.is_hidden)
        };
        assert_eq!(hidden("voice"), Some(true));
        assert_eq!(hidden("model"), Some(false));
        assert_eq!(hidden("exit"), Some(true), "a second name");
    }
}
