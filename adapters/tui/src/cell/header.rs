//! How a conversation begins: which model, which key, what commands may touch.

use codex_proto::{event::ThreadReady, policy::SandboxMode};

use super::{Context, home_path};
use crate::{
    setup::Setup,
    text::{Line, clean_line, width},
    theme::Role,
};

/// The first lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    title: String,
    about: Vec<String>,
    /// What should be read: a key that is missing, a sandbox that cannot work.
    notes: Vec<String>,
}

impl Header {
    /// What is worth saying once.
    #[must_use]
    pub fn new(ready: &ThreadReady, setup: &Setup, is_first: bool) -> Self {
        let verb = if ready.resumed { "continued" } else { "new conversation" };
        let title = format!("codex {} \u{b7} {verb}", setup.version);
        let effort = ready.reasoning_effort.as_ref().map(|effort| format!(" ({effort})"));
        let mut about = vec![format!(
            "{}{} \u{b7} {}",
            clean_line(&ready.model),
            effort.as_deref().unwrap_or_default(),
            home_path(&ready.cwd, setup)
        )];
        let network = if ready.sandbox.network { ", network" } else { ", no network" };
        let sandbox = match ready.sandbox.mode {
            SandboxMode::DangerFullAccess => "no sandbox: commands may do anything you may".into(),
            mode => format!("sandbox {}{network} ({})", mode.as_str(), setup.sandbox_tier),
        };
        about.push(format!("{sandbox} \u{b7} approvals {}", ready.approval.as_str()));
        if setup.trustable.is_some() && ready.sandbox.mode == SandboxMode::ReadOnly {
            about.push("new folder, commands only read \u{b7} /trust lets them change it".into());
        }
        if let Some(key) = &setup.key {
            about.push(format!("key from {key}"));
        }
        if is_first {
            about.push("? keys \u{b7} / commands \u{b7} @ files \u{b7} ! shell".into());
        }
        let notes = if is_first { setup.notes.clone() } else { Vec::new() };
        Self { title, about, notes }
    }

    pub(super) fn lines(&self, cx: &Context) -> Vec<Line> {
        let look = &cx.paint.look;
        // These are our words: unlike what others wrote, they may be broken where they read well.
        let columns = if cx.plain { usize::MAX } else { usize::from(cx.paint.columns) };
        let mut lines = vec![Line::styled(&*self.title, look.style(Role::Strong))];
        for text in &self.about {
            let rows = fill(text, " \u{b7} ", columns);
            lines.extend(rows.into_iter().map(|row| Line::styled(row, look.style(Role::Dim))));
        }
        for note in &self.notes {
            let text = format!("{NOTE}{}", clean_line(note));
            let mut rows = fill(&text, " ", columns).into_iter();
            let first = rows.next().unwrap_or_default();
            let first = first.strip_prefix(NOTE).unwrap_or_default().to_owned();
            lines.push(
                Line::styled(NOTE, look.style(Role::Warn)).with(first, look.style(Role::Plain)),
            );
            lines.extend(rows.map(|row| Line::styled(row, look.style(Role::Plain))));
        }
        lines
    }
}

/// What a note begins with.
const NOTE: &str = "note: ";

/// Rows of as many parts as fit. A part that is too wide is broken between its words; a word that is
/// too wide, a path perhaps, is left to the terminal, which can join it again.
fn fill(text: &str, between: &str, columns: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    let mut is_open = false;
    for part in text.split(between) {
        match rows.last_mut().filter(|_| is_open) {
            Some(row) if width(row) + width(between) + width(part) <= columns => {
                row.push_str(between);
                row.push_str(part);
            }
            _ if width(part) > columns && between != " " => {
                rows.extend(fill(part, " ", columns));
                is_open = false;
            }
            _ => {
                rows.push(part.to_owned());
                is_open = true;
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_break_between_parts_then_between_words_and_never_in_a_word() {
        let text = "sandbox read-only, no network \u{b7} approvals on-request";
        assert_eq!(fill(text, " \u{b7} ", 80), [text]);
        let two = ["sandbox read-only, no network", "approvals on-request"];
        assert_eq!(fill(text, " \u{b7} ", 40), two);
        let three = ["sandbox read-only, no", "network", "approvals on-request"];
        assert_eq!(fill(text, " \u{b7} ", 22), three);
        let path = "see /a/path/that/is/longer/than/a/row now";
        assert_eq!(fill(path, " ", 10), ["see", "/a/path/that/is/longer/than/a/row", "now"]);
    }
}
