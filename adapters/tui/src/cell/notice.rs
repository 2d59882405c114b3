//! Something the user should know: errors with what to do about them, warnings, remarks.

use super::Context;
use crate::{
    text::{Line, clean},
    theme::Role,
};

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something failed.
    Error,
    /// Worth a line, no more.
    Remark,
    /// Something needs attention.
    Warning,
}

/// A message of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    tone: Tone,
    message: String,
    hint: Option<String>,
}

impl Notice {
    /// A message, and what to do about it.
    #[must_use]
    pub fn new(tone: Tone, message: &str, hint: Option<&str>) -> Self {
        Self { tone, message: message.to_owned(), hint: hint.map(str::to_owned) }
    }

    pub(super) fn lines(&self, cx: &Context) -> Vec<Line> {
        let look = &cx.paint.look;
        let (label, role, text_role) = match self.tone {
            Tone::Error => ("error: ", Role::Bad, Role::Plain),
            Tone::Remark => ("", Role::Dim, Role::Dim),
            Tone::Warning => ("warning: ", Role::Warn, Role::Plain),
        };
        let mut lines: Vec<Line> = Vec::new();
        for text in clean(self.message.trim_end()).lines() {
            let label = if lines.is_empty() { label } else { "" };
            lines.push(Line::styled(label, look.style(role)).with(text, look.style(text_role)));
        }
        if let Some(hint) = &self.hint {
            for (index, text) in clean(hint.trim_end()).lines().enumerate() {
                let label = if index == 0 { "hint: " } else { "" };
                lines.push(
                    Line::styled(label, look.style(Role::Strong))
                        .with(text, look.style(Role::Plain)),
                );
            }
        }
        lines
    }
}
