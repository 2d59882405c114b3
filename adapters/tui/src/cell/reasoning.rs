//! What the model thought: its own summary.

use super::Context;
use crate::{
    markdown,
    text::{Line, clean_line},
    theme::Role,
};

/// A piece of thinking.
#[derive(Clone, Debug, PartialEq)]
pub struct Reasoning {
    /// The summary so far.
    pub text: String,
    /// Raw thinking.
    pub raw: String,
    /// `hide_agent_reasoning`.
    pub is_hidden: bool,
    /// `show_raw_agent_reasoning`.
    pub is_raw_shown: bool,
}

impl Reasoning {
    pub(super) fn lines(&self, cx: &Context) -> Vec<Line> {
        if self.is_hidden {
            return Vec::new();
        }
        let shows_raw = self.is_raw_shown && !self.raw.trim().is_empty();
        let text = if shows_raw { &self.raw } else { &self.text };
        if text.trim().is_empty() {
            return Vec::new();
        }
        let dim = cx.paint.look.style(Role::Dim);
        let lines = markdown::lines(text, &cx.paint).into_iter();
        lines.map(|line| line.patched(dim)).collect()
    }

    /// The headline that was reached.
    pub(super) fn live(&self, cx: &Context) -> Vec<Line> {
        if self.is_hidden {
            return Vec::new();
        }
        let headline = self.text.lines().rev().find(|line| {
            let line = line.trim();
            line.len() > 4 && line.starts_with("**") && line.ends_with("**")
        });
        let line = headline.or_else(|| self.text.lines().last()).unwrap_or_default();
        let line = clean_line(line.trim().trim_matches('*'));
        if line.is_empty() {
            return Vec::new();
        }
        vec![Line::styled(line, cx.paint.look.style(Role::Dim))]
    }
}
