//! Completion: what the word at the caret could become.
//!
//! `/` at the start names a command, `@` a file, `$` a skill. Commands and skills are few and ranked
//! here; files are found elsewhere and come as a list for a query, so that no key waits for a disk.

use std::ops::Range;

use super::{
    rank::{meant, rank},
    text::Text,
};

/// Candidates that are kept.
const CANDIDATES_MAX: usize = 50;

/// What is completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `/name`.
    Command,
    /// `@path`.
    File,
    /// `$name`.
    Skill,
}

/// Something to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The name, without its sign.
    pub name: String,
    /// A few words about it.
    pub about: String,
    /// Whether something has to follow the name.
    pub takes_arguments: bool,
    /// Whether it is known and not offered, e.g. a second name of a command.
    pub is_hidden: bool,
}

/// A completion that is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// What is completed.
    pub kind: Kind,
    /// The sign and what was typed after it, in bytes of the text.
    pub range: Range<usize>,
    /// What was typed after the sign.
    pub query: String,
    /// Candidates, best first.
    pub candidates: Vec<Candidate>,
    /// Which one is chosen.
    pub chosen: usize,
    /// Whether more candidates are still being found.
    pub is_searching: bool,
}

/// Where candidates come from, and the completion at the caret.
#[derive(Clone, Debug, Default)]
pub struct Completer {
    commands: Vec<Candidate>,
    skills: Vec<Candidate>,
    current: Option<Completion>,
    /// The word at which the user closed the list; it stays closed for that word.
    closed_at: Option<usize>,
    /// The last file query that was asked for.
    asked: Option<String>,
}

impl Completer {
    /// The commands there are.
    pub fn set_commands(&mut self, commands: Vec<Candidate>) {
        self.commands = commands;
    }

    /// The skills there are.
    pub fn set_skills(&mut self, skills: Vec<Candidate>) {
        self.skills = skills;
    }

    /// The command of this name, in any case.
    #[must_use]
    pub fn command(&self, name: &str) -> Option<&Candidate> {
        self.commands.iter().find(|command| command.name.eq_ignore_ascii_case(name))
    }

    /// The command whose name is most like this one.
    #[must_use]
    pub fn nearest_command(&self, name: &str) -> Option<&str> {
        let names = self.commands.iter().map(|command| command.name.as_str());
        meant(names.clone(), name).or_else(|| rank(names, name, false, 1).first().copied())
    }

    /// The completion that goes on, when it has candidates or waits for some.
    #[must_use]
    pub fn current(&self) -> Option<&Completion> {
        self.current.as_ref().filter(|now| !now.candidates.is_empty() || now.is_searching)
    }

    /// Looks at the text anew; returns a query for files when one is to be asked.
    pub fn update(&mut self, text: &Text) -> Option<String> {
        let Some((kind, range)) = word_at_caret(text) else {
            self.current = None;
            self.closed_at = None;
            self.asked = None;
            return None;
        };
        if self.closed_at == Some(range.start) {
            self.current = None;
            return None;
        }
        self.closed_at = None;
        let query = text.as_str()[range.start + 1..range.end].to_owned();
        let previous =
            self.current.take().filter(|now| now.kind == kind && now.range.start == range.start);
        let is_same = previous.as_ref().is_some_and(|now| now.query == query);
        let mut asks = None;
        let (candidates, is_searching) = match kind {
            // Their names are taken in any case.
            Kind::Command => (self.ranked(&self.commands, &query.to_lowercase()), false),
            Kind::Skill => (self.ranked(&self.skills, &query), false),
            Kind::File => {
                if self.asked.as_deref() != Some(&query) {
                    self.asked = Some(query.clone());
                    asks = Some(query.clone());
                }
                // Until the answer comes, what is there is narrowed down.
                let have = previous.as_ref().map(|now| &now.candidates);
                let have = have.map_or_else(Vec::new, |have| {
                    rank(have, &query, true, CANDIDATES_MAX).into_iter().cloned().collect()
                });
                let waits = asks.is_some() || previous.as_ref().is_some_and(|now| now.is_searching);
                (have, waits)
            }
        };
        let chosen = if is_same { previous.map_or(0, |now| now.chosen) } else { 0 };
        let chosen = chosen.min(candidates.len().saturating_sub(1));
        self.current = Some(Completion { kind, range, query, candidates, chosen, is_searching });
        asks
    }

    fn ranked(&self, all: &[Candidate], query: &str) -> Vec<Candidate> {
        let offered = all.iter().filter(|candidate| !candidate.is_hidden);
        rank(offered, query, false, CANDIDATES_MAX).into_iter().cloned().collect()
    }

    /// Files that were found for a query; an answer to an older query is dropped.
    pub fn files_found(&mut self, query: &str, paths: Vec<String>, more: bool) {
        let Some(now) = &mut self.current else { return };
        if now.kind != Kind::File || now.query != query {
            return;
        }
        let chosen = now.candidates.get(now.chosen).map(|candidate| candidate.name.clone());
        let paths = paths.into_iter().take(CANDIDATES_MAX);
        now.candidates = paths.map(|name| Candidate { name, ..Candidate::default() }).collect();
        // What the user had moved to stays chosen.
        let kept = now.candidates.iter().position(|c| Some(&c.name) == chosen.as_ref());
        now.chosen = if now.chosen == 0 { 0 } else { kept.unwrap_or(0) };
        now.is_searching = more;
    }

    /// Chooses another candidate, `by` further down; wraps around.
    pub fn choose(&mut self, by: isize) {
        let Some(now) = &mut self.current else { return };
        let count = now.candidates.len();
        if count > 0 {
            let count = isize::try_from(count).unwrap_or(isize::MAX);
            let chosen = isize::try_from(now.chosen).unwrap_or(0);
            now.chosen = usize::try_from((chosen + by).rem_euclid(count)).unwrap_or(0);
        }
    }

    /// Closes the list: nothing is being written.
    pub fn stop(&mut self) {
        self.current = None;
        self.closed_at = None;
        self.asked = None;
    }

    /// Closes the list until another word is begun.
    pub fn close(&mut self) {
        self.closed_at = self.current.take().map(|now| now.range.start);
        self.asked = None;
    }

    /// Takes the chosen candidate and closes the list.
    pub fn take(&mut self) -> Option<(Completion, Candidate)> {
        let now = self.current.take()?;
        match now.candidates.get(now.chosen).cloned() {
            Some(candidate) => {
                self.asked = None;
                Some((now, candidate))
            }
            None => {
                self.current = Some(now);
                None
            }
        }
    }
}

impl AsRef<str> for Candidate {
    fn as_ref(&self) -> &str {
        &self.name
    }
}

/// The word around the caret that begins with a sign, up to the caret.
fn word_at_caret(text: &Text) -> Option<(Kind, Range<usize>)> {
    const WORD_BYTES_MAX: usize = 512;
    let caret = text.caret();
    let mut low = caret.saturating_sub(WORD_BYTES_MAX);
    while !text.as_str().is_char_boundary(low) {
        low += 1;
    }
    let before = &text.as_str()[low..caret];
    let start = before
        .rfind(char::is_whitespace)
        .map_or(low, |at| low + at + before[at..].chars().next().map_or(1, char::len_utf8));
    let is_in_atom =
        text.atoms().iter().any(|atom| start < atom.range.end && atom.range.start < caret);
    if is_in_atom {
        return None;
    }
    let word = &text.as_str()[start..caret];
    let kind = match word.chars().next()? {
        '/' if start == 0 && !word[1..].contains('/') => Kind::Command,
        '@' => Kind::File,
        // `$5` and `$HOME` are no skills; only small names are.
        '$' if !word[1..].starts_with(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase()) => {
            Kind::Skill
        }
        _ => return None,
    };
    Some((kind, start..caret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completer() -> Completer {
        let named = |name: &str| Candidate { name: name.into(), ..Candidate::default() };
        let mut completer = Completer::default();
        completer.set_commands(["model", "mention", "new", "help"].map(named).to_vec());
        completer.set_skills(vec![named("review")]);
        completer
    }

    fn text(written: &str) -> Text {
        let mut text = Text::default();
        text.set(&written.into());
        text
    }

    fn names(completer: &Completer) -> Vec<&str> {
        let now = completer.current().map(|now| &now.candidates[..]).unwrap_or_default();
        now.iter().map(|candidate| &candidate.name[..]).collect()
    }

    #[test]
    fn the_sign_says_what_is_completed() {
        for (written, kind) in [
            ("/mo", Some(Kind::Command)),
            ("/etc/", None),
            (" /mo", None),
            ("a @src", Some(Kind::File)),
            ("a@src", None),
            ("x\n@", Some(Kind::File)),
            ("use $re", Some(Kind::Skill)),
            ("$HOME", None),
            ("$5", None),
            ("/mo ", None),
        ] {
            assert_eq!(word_at_caret(&text(written)).map(|(kind, _)| kind), kind, "{written:?}");
        }
    }

    #[test]
    fn commands_are_narrowed_down_and_taken() {
        let mut completer = completer();
        assert_eq!(completer.update(&text("/")), None);
        assert_eq!(names(&completer), ["model", "mention", "new", "help"]);
        completer.update(&text("/m"));
        completer.choose(1);
        completer.choose(1);
        completer.choose(-1);
        let (_, candidate) = completer.take().unwrap();
        assert!(["model", "mention"].contains(&&candidate.name[..]));
        assert!(completer.current().is_none());
    }

    #[test]
    fn files_are_asked_for_once_per_query_and_late_answers_are_dropped() {
        let mut completer = completer();
        assert_eq!(completer.update(&text("@s")), Some("s".into()));
        assert_eq!(completer.update(&text("@s")), None);
        completer.files_found("s", vec!["src/a.rs".into(), "b/s.rs".into()], false);
        assert_eq!(names(&completer), ["src/a.rs", "b/s.rs"]);
        assert_eq!(completer.update(&text("@sa")), Some("sa".into()));
        assert_eq!(names(&completer), ["src/a.rs"], "narrowed down meanwhile");
        completer.files_found("s", vec!["other".into()], false);
        assert_eq!(names(&completer), ["src/a.rs"]);
    }

    #[test]
    fn a_list_that_was_closed_stays_closed_for_its_word() {
        let mut completer = completer();
        completer.update(&text("/m"));
        completer.close();
        completer.update(&text("/mo"));
        assert!(completer.current().is_none());
        completer.update(&text(""));
        completer.update(&text("/"));
        assert!(completer.current().is_some());
    }
}
