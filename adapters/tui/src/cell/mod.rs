//! The entries of the transcript as they are shown: one kind per file.
//!
//! A cell is made from what the engine tells and gives unwrapped lines; while it may still change it
//! gives a few lines for the live region. Everything foreign in it has gone through
//! [`crate::text::clean`].

mod agent;
mod approval;
mod change;
mod command;
mod diff;
mod footer;
mod header;
mod notice;
mod plan;
mod reasoning;
mod search;
mod spoken;
mod user;

use std::path::Path;

use codex_proto::{Mono, item::ItemBody};

pub use self::{
    agent::Agent,
    approval::Approval,
    change::Change,
    command::Command,
    diff::diff_lines,
    footer::Footer,
    header::Header,
    notice::{Notice, Tone},
    plan::Plan,
    reasoning::Reasoning,
    search::Search,
    spoken::Spoken,
    user::User,
};
pub(crate) use self::{
    command::{keep_printed, script as shown_script},
    footer::cost,
};
use crate::{
    markdown::Paint,
    setup::{Mode, Setup},
    text::Line,
    theme::Look,
};

/// How cells are shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Context {
    /// Colours, links, columns.
    pub paint: Paint,
    /// Messages as they came, without markdown.
    pub raw: bool,
    /// No pictures made of characters, everything in words.
    pub plain: bool,
}

impl Context {
    /// How cells are shown on this terminal.
    #[must_use]
    pub fn new(setup: &Setup, look: Look, columns: u16) -> Self {
        let paint = Paint {
            look,
            hyperlinks: setup.terminal.hyperlinks && setup.mode != Mode::Plain,
            columns,
            keeps_marks: !look.has_colors() || setup.mode == Mode::Plain,
        };
        Self { paint, raw: setup.raw, plain: setup.mode == Mode::Plain }
    }
}

/// An entry.
#[derive(Clone, Debug)]
pub enum Cell {
    /// What the model said.
    Agent(Agent),
    /// How a question was answered.
    Approval(Approval),
    /// A patch.
    Change(Change),
    /// A command.
    Command(Command),
    /// What a turn took.
    Footer(Footer),
    /// How the conversation began.
    Header(Header),
    /// Lines of the screen's own.
    Lines(Vec<Line>),
    /// Something the user should know.
    Notice(Notice),
    /// The plan.
    Plan(Plan),
    /// What the model thought.
    Reasoning(Reasoning),
    /// A search of the web.
    Search(Search),
    /// What was said by voice.
    Spoken(Spoken),
    /// What the user said.
    User(User),
}

impl Cell {
    /// A cell of an item, as it begins or when it is complete.
    #[must_use]
    pub fn of(body: &ItemBody, now: Mono, setup: &Setup) -> Self {
        match body {
            ItemBody::AgentMessage { text } => Self::Agent(Agent::new(text)),
            ItemBody::Command(item) => Self::Command(Command::new(item.clone(), now, &setup.cwd)),
            ItemBody::Error { message } => Self::Notice(Notice::new(Tone::Error, message, None)),
            ItemBody::FileChange(item) => Self::Change(Change::new(item.clone(), setup)),
            ItemBody::Plan(plan) => Self::Plan(Plan(plan.clone())),
            ItemBody::Reasoning { text, raw } => Self::Reasoning(Reasoning {
                text: text.clone(),
                raw: raw.clone(),
                is_hidden: setup.hide_reasoning,
                is_raw_shown: setup.raw_reasoning,
            }),
            ItemBody::UserMessage { text } => Self::User(User::new(text)),
            ItemBody::WebSearch { query, action, .. } => Self::Search(Search::new(query, action)),
        }
    }

    /// Its lines once it is complete. Empty for what is not shown.
    #[must_use]
    pub fn lines(&self, cx: &Context) -> Vec<Line> {
        match self {
            Self::Agent(cell) => cell.lines(cx),
            Self::Approval(cell) => cell.lines(cx),
            Self::Change(cell) => cell.lines(cx),
            Self::Command(cell) => cell.lines(cx),
            Self::Footer(cell) => cell.lines(cx),
            Self::Header(cell) => cell.lines(cx),
            Self::Lines(lines) => lines.clone(),
            Self::Notice(cell) => cell.lines(cx),
            Self::Plan(cell) => cell.lines(cx),
            Self::Reasoning(cell) => cell.lines(cx),
            Self::Search(cell) => cell.lines(cx),
            Self::Spoken(cell) => cell.lines(cx),
            Self::User(cell) => cell.lines(cx),
        }
    }

    /// Its lines while it may change; of many, about the last `most`.
    #[must_use]
    pub fn live(&self, cx: &Context, now: Mono, most: usize) -> Vec<Line> {
        match self {
            Self::Agent(cell) => cell.live(cx, most),
            Self::Command(cell) => cell.live(cx, now),
            Self::Plan(cell) => cell.live(cx, most),
            Self::Reasoning(cell) => cell.live(cx),
            other => other.lines(cx),
        }
    }

    /// Takes a piece of text, where that means something.
    pub fn push(&mut self, delta: &str) {
        match self {
            Self::Agent(cell) => cell.push(delta),
            Self::Command(cell) => cell.push(delta),
            Self::Reasoning(cell) => cell.text.push_str(delta),
            _ => {}
        }
    }

    /// Bytes that it keeps, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        const EMPTY: usize = 128;
        EMPTY
            + match self {
                Self::Agent(cell) => cell.text().len(),
                Self::Change(cell) => cell.bytes(),
                Self::Command(cell) => cell.bytes(),
                Self::Lines(lines) => lines.iter().map(|line| line.text().len() + 64).sum(),
                Self::Reasoning(cell) => cell.text.len() + cell.raw.len(),
                Self::Spoken(cell) => cell.text.len(),
                Self::User(cell) => cell.text().len(),
                _ => 0,
            }
    }
}

/// A path as people read it: relative to the working directory, or to their home.
#[must_use]
pub fn short_path(path: &Path, setup: &Setup) -> String {
    match path.strip_prefix(&setup.cwd) {
        Ok(rest) if rest.as_os_str().is_empty() => ".".into(),
        Ok(rest) => crate::text::clean_line(&rest.to_string_lossy()).into_owned(),
        Err(_) => home_path(path, setup),
    }
}

/// A path as people read it: relative to their home, else whole.
#[must_use]
pub fn home_path(path: &Path, setup: &Setup) -> String {
    let text = match setup.home.as_ref().and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) if rest.as_os_str().is_empty() => "~".into(),
        Some(rest) => format!("~/{}", rest.to_string_lossy()),
        None => path.to_string_lossy().into_owned(),
    };
    crate::text::clean_line(&text).into_owned()
}
