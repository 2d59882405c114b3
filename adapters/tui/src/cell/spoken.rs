//! What was said by voice.

use codex_proto::realtime::RealtimeRole;

use super::Context;
use crate::{
    text::{Line, clean},
    theme::Role,
};

/// An utterance that is finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Who spoke.
    pub role: RealtimeRole,
    /// The words.
    pub text: String,
}

impl Spoken {
    pub(super) fn lines(&self, cx: &Context) -> Vec<Line> {
        let look = &cx.paint.look;
        let (who, role) = match self.role {
            RealtimeRole::Assistant => ("codex says: ", Role::Plain),
            RealtimeRole::User => ("you say: ", Role::Accent),
        };
        let mut lines: Vec<Line> = Vec::new();
        for text in clean(self.text.trim()).lines() {
            let who = if lines.is_empty() { who } else { "" };
            lines.push(Line::styled(who, look.style(Role::Dim)).with(text, look.style(role)));
        }
        lines
    }
}
