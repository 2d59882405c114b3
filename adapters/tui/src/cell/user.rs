//! What the user said, and the images that went with it; for a task that was given by voice, what was
//! said before.

use std::path::PathBuf;

use codex_proto::wire::realtime::envelope::Envelope;

use super::Context;
use crate::{
    text::{Line, clean, clean_line},
    theme::Role,
};

/// Lines of a prompt that are shown; of a longer one these are its start and its end. All of it was sent.
const LINES_MAX: usize = 60;
const HEAD_LINES: usize = 40;
const TAIL_LINES: usize = 10;
/// Bytes of a line that are shown.
const LINE_BYTES_MAX: usize = 4_000;

/// Lines of what was said before a task that are shown.
const SAID_LINES_MAX: usize = 6;

/// A prompt, or a task that was given by voice.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    text: String,
    images: Vec<PathBuf>,
    /// Whether what was said before a task stands above it already.
    is_said: bool,
}

impl User {
    /// A prompt without images.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), images: Vec::new(), is_said: false }
    }

    /// With images, each shown as a caption.
    #[must_use]
    pub fn with_images(mut self, images: Vec<PathBuf>) -> Self {
        self.images = images;
        self
    }

    /// Whether what was said before a task stands above it already.
    #[must_use]
    pub fn said_before(mut self, is_said: bool) -> Self {
        self.is_said = is_said;
        self
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn lines(&self, cx: &Context) -> Vec<Line> {
        let style = cx.paint.look.style(Role::Accent);
        let dim = cx.paint.look.style(Role::Dim);
        let spoken = Envelope::read(&self.text);
        let (text, mark) = match (&spoken, cx.plain) {
            (Some(task), true) => (&task.input, "you, by voice: "),
            (Some(task), false) => (&task.input, "\u{203a} by voice: "),
            (None, true) => (&self.text, "you: "),
            (None, false) => (&self.text, "\u{203a} "),
        };
        let mut lines: Vec<Line> = Vec::new();
        let (head, left_out, tail) = ends(text.trim_end());
        for line in clean(head).lines() {
            let (line, more) = start_of(line);
            let start = if lines.is_empty() { mark } else { "" };
            lines.push(Line::styled(start, style).with(line, style).with(more, dim));
        }
        if left_out > 0 {
            lines.push(Line::styled(format!("\u{2026} {left_out} more lines, then"), dim));
        }
        for line in clean(tail).lines() {
            let (line, more) = start_of(line);
            lines.push(Line::styled(line, style).with(more, dim));
        }
        if let Some(task) = spoken.as_ref().filter(|_| !self.is_said) {
            lines.extend(said(task).into_iter().map(|line| Line::styled(line, dim)));
        }
        for image in &self.images {
            lines.push(Line::styled(
                format!("[image] {}", clean_line(&image.to_string_lossy())),
                dim,
            ));
        }
        lines
    }
}

/// The start of a long text, how many lines follow, and its end.
fn ends(text: &str) -> (&str, usize, &str) {
    let count = text.matches('\n').count() + 1;
    if count <= LINES_MAX {
        return (text, 0, "");
    }
    let nth = |nth| text.match_indices('\n').nth(nth).map_or(0, |(at, _)| at);
    let (head, tail) = (nth(HEAD_LINES - 1), nth(count - TAIL_LINES - 1) + 1);
    (&text[..head], count - HEAD_LINES - TAIL_LINES, &text[tail..])
}

/// The start of a long line, and how much follows.
fn start_of(line: &str) -> (&str, String) {
    if line.len() <= LINE_BYTES_MAX {
        return (line, String::new());
    }
    let end = (0..=LINE_BYTES_MAX).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    let more = line[end..].chars().count();
    (&line[..end], format!(" \u{2026} {more} more characters"))
}

/// The last that was said before a task, but for the task itself.
fn said(task: &Envelope) -> Vec<String> {
    let transcript = clean(&task.transcript);
    let mut lines = Vec::new();
    for line in transcript.lines() {
        let (who, text) = match (line.strip_prefix("user: "), line.strip_prefix("assistant: ")) {
            (Some(text), _) => ("you said: ", text),
            (_, Some(text)) => ("codex said: ", text),
            (None, None) => ("", line),
        };
        if text.trim() != task.input.trim() {
            lines.push(format!("{who}{text}"));
        }
    }
    let hidden = lines.len().saturating_sub(SAID_LINES_MAX);
    if hidden > 1 {
        lines.drain(..hidden);
        lines.insert(0, format!("\u{2026} {hidden} more lines"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        setup::{Colors, Setup},
        theme::{Background, Look},
    };

    fn shown(text: &str) -> Vec<String> {
        let look = Look::new(None, Background::Dark, Colors::None);
        let cx = Context::new(&Setup::sample(), look, 80);
        User::new(text).lines(&cx).iter().map(Line::text).collect()
    }

    #[test]
    fn a_long_prompt_is_shown_by_its_ends() {
        let text: String = (1..=60).map(|line| format!("{line}\n")).collect();
        assert_eq!(shown(&text).len(), 60);
        let text: String = (1..=100_000).map(|line| format!("{line}\n")).collect();
        let lines = shown(&text);
        assert_eq!((&*lines[0], &*lines[39]), ("\u{203a} 1", "40"));
        assert_eq!(lines[40], "\u{2026} 99950 more lines, then");
        assert_eq!((&*lines[41], &**lines.last().unwrap()), ("99991", "100000"));
        assert_eq!(lines.len(), 51);
        let lines = shown(&"\u{e9}".repeat(10_000));
        assert_eq!(
            lines[0].chars().count(),
            2 + 2_000 + " \u{2026} 8000 more characters".chars().count()
        );
    }
}
