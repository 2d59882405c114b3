//! A command: what it is, the last it printed, how it ended.

use std::path::{Path, PathBuf};

use codex_proto::{
    Mono,
    item::{CommandItem, ItemStatus},
    shell,
};

use super::Context;
use crate::{
    text::{Line, clean, clean_line, duration, elapsed, forget_start, grouped, printed},
    theme::Role,
};

/// Lines of a command's own text.
const SCRIPT_LINES_MAX: usize = 12;
/// Lines of output while it runs.
const LIVE_LINES: usize = 5;
/// First and last lines of output when it has ended.
const HEAD_LINES: usize = 4;
const TAIL_LINES: usize = 8;
/// Bytes of output that are kept while it runs, beyond which the oldest are forgotten.
const LIVE_BYTES_MAX: usize = 16 * 1024;
/// Milliseconds from which a time is worth a line of its own.
const WORTH_TELLING_MS: u64 = 1_000;

/// The output of a command to which the user said no; what they said instead may follow.
const REFUSED: &str = "exec command rejected by user";

/// A command and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    item: CommandItem,
    since: Mono,
    /// Where it runs, if that is not the working directory.
    elsewhere: Option<PathBuf>,
}

/// Appends what a running command printed; the oldest of it is forgotten.
pub(crate) fn keep_printed(output: &mut String, delta: &str) {
    output.push_str(delta);
    if output.len() > 2 * LIVE_BYTES_MAX {
        forget_start(output, LIVE_BYTES_MAX);
    }
}

impl Command {
    /// A command that began now, or has ended.
    #[must_use]
    pub fn new(mut item: CommandItem, now: Mono, cwd: &Path) -> Self {
        item.command = script(&item.command);
        let elsewhere = (item.cwd != cwd).then(|| item.cwd.clone());
        Self { item, since: now, elsewhere }
    }

    /// The same, having begun earlier.
    #[must_use]
    pub fn since(mut self, earlier: &Self) -> Self {
        self.since = earlier.since;
        self
    }

    /// The text of the command; the script alone when a shell runs it.
    #[must_use]
    pub fn script(&self) -> &str {
        &self.item.command
    }

    /// All output there is.
    #[must_use]
    pub fn output(&self) -> &str {
        &self.item.output
    }

    pub(super) fn push(&mut self, delta: &str) {
        keep_printed(&mut self.item.output, delta);
    }

    pub(super) fn bytes(&self) -> usize {
        self.item.command.len() + self.item.output.len()
    }

    fn head(&self, cx: &Context) -> Vec<Line> {
        let look = &cx.paint.look;
        let mut lines = Vec::new();
        let script = clean(self.item.command.trim_end());
        let count = script.lines().count();
        for (index, text) in script.lines().take(SCRIPT_LINES_MAX).enumerate() {
            let mark = match (index, cx.plain) {
                (0, true) if self.item.by_user => "your command: ",
                (0, true) => "command: ",
                (0, false) if self.item.by_user => "! ",
                (0, false) => "$ ",
                _ => "",
            };
            lines.push(
                Line::styled(mark, look.style(Role::Accent)).with(text, look.style(Role::Strong)),
            );
        }
        if count > SCRIPT_LINES_MAX {
            lines.push(Line::styled(
                format!("\u{2026} {} more lines", count - SCRIPT_LINES_MAX),
                look.style(Role::Dim),
            ));
        }
        if let Some(folder) = &self.elsewhere {
            let text = format!("in {}", clean_line(&folder.to_string_lossy()));
            lines.push(Line::styled(text, look.style(Role::Dim)));
        }
        lines
    }

    pub(super) fn lines(&self, cx: &Context) -> Vec<Line> {
        let look = &cx.paint.look;
        let dim = look.style(Role::Dim);
        let mut lines = self.head(cx);
        // What the model reads says no more than how it ended.
        let output = if self.is_refused() { "" } else { self.item.output.trim_end() };
        let output = printed(output, dim, look);
        let hidden = output.len().saturating_sub(HEAD_LINES + TAIL_LINES);
        // One hidden line would take as much room as the note about it.
        let hidden = if hidden > 1 { hidden } else { 0 };
        for (index, line) in output.into_iter().enumerate() {
            if hidden > 0 && index == HEAD_LINES {
                let text = format!("\u{2026} {} more lines", grouped(hidden as u64));
                lines.push(Line::styled(text, dim));
            }
            if hidden == 0 || index < HEAD_LINES || index >= HEAD_LINES + hidden {
                lines.push(line);
            }
        }
        lines.extend(self.end(cx));
        lines
    }

    /// Whether the user said no.
    fn is_refused(&self) -> bool {
        self.item.status == ItemStatus::Declined && self.said().is_some()
    }

    /// What the user said with a no; nothing, when the no was all.
    fn said(&self) -> Option<&str> {
        said_instead(self.item.output.trim(), REFUSED)
    }

    /// How it ended; nothing when it went well and at once.
    fn end(&self, cx: &Context) -> Option<Line> {
        let ms = self.item.duration_ms;
        let (text, role) = match (self.item.status, self.item.exit_code) {
            (ItemStatus::Declined, _) if self.is_refused() => {
                ("not run: you said no".into(), Role::Warn)
            }
            (ItemStatus::Declined, _) => ("not run: not allowed".into(), Role::Warn),
            (ItemStatus::Failed, Some(code)) => (format!("exit {code}"), Role::Bad),
            (ItemStatus::Failed, None) => ("ended without an exit code".into(), Role::Bad),
            (ItemStatus::Completed, Some(code)) if code != 0 => (format!("exit {code}"), Role::Bad),
            (ItemStatus::Completed | ItemStatus::InProgress, _) => (String::new(), Role::Dim),
        };
        let mut line = Line::styled(&*text, cx.paint.look.style(role));
        if let Some(said) = self.said().filter(|said| self.is_refused() && !said.is_empty()) {
            line.push(format!(": {}", clean_line(said)), cx.paint.look.style(Role::Plain));
        }
        if ms >= WORTH_TELLING_MS || (cx.plain && text.is_empty()) {
            let sign = match (text.is_empty(), cx.plain) {
                (true, true) => "done \u{b7} ",
                (true, false) => "",
                (false, _) => " \u{b7} ",
            };
            line.push(format!("{sign}{}", duration(ms)), cx.paint.look.style(Role::Dim));
        }
        (!line.is_empty()).then_some(line)
    }

    /// What is said when it goes on without being waited for.
    pub(crate) fn in_background(&self, cx: &Context) -> Vec<Line> {
        let mut lines = self.head(cx);
        let text = "goes on in the background \u{b7} /ps shows it";
        lines.push(Line::styled(text, cx.paint.look.style(Role::Dim)));
        lines
    }

    pub(super) fn live(&self, cx: &Context, now: Mono) -> Vec<Line> {
        let dim = cx.paint.look.style(Role::Dim);
        let mut lines = self.head(cx);
        let output = printed(self.item.output.trim_end(), dim, &cx.paint.look);
        let from = output.len().saturating_sub(LIVE_LINES);
        lines.extend(output.into_iter().skip(from).filter(|line| !line.is_empty()));
        let ms = now.ms_since(self.since);
        if ms >= WORTH_TELLING_MS {
            lines.push(Line::styled(format!("running {}", elapsed(ms)), dim));
        }
        lines
    }
}

/// What follows in a text that tells the model of a no; nothing when it is none.
pub(super) fn said_instead<'a>(text: &'a str, refused: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(refused)?.trim_start();
    if rest.is_empty() { Some("") } else { rest.strip_prefix("The user says: ") }
}

/// What a person would have typed: the script alone when a command is a shell with one.
pub(crate) fn script(command: &str) -> String {
    let argv = shell::split(command);
    let script = argv.as_deref().and_then(shell::script_of);
    script.unwrap_or(command).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_around_a_script_is_not_shown() {
        for (command, want) in [
            ("/bin/bash -lc 'ls -R . && cat README.md'", "ls -R . && cat README.md"),
            ("bash -lc \"echo 'x'\"", "echo 'x'"),
            ("cargo test", "cargo test"),
            ("bash run.sh", "bash run.sh"),
            ("echo 'open", "echo 'open"),
        ] {
            assert_eq!(script(command), want);
        }
    }
}
