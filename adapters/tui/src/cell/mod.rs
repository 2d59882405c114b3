//! The entries of the transcript as they are shown: one kind per file.

use codex_proto::item::ItemBody;

use crate::text::{Line, clean};

/// An entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// What it shows.
    pub body: ItemBody,
}

impl Cell {
    /// Its lines, unwrapped.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let text = match &self.body {
            ItemBody::AgentMessage { text } | ItemBody::UserMessage { text } => text.clone(),
            other => format!("{other:?}"),
        };
        clean(&text).lines().map(Line::from).collect()
    }
}
