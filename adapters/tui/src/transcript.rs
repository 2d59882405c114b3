//! The transcript: a fold over events into cells, and the lines that are ready to be printed.

use std::collections::BTreeMap;

use codex_proto::{Event, item::ItemBody};

use crate::{cell::Cell, setup::Setup, text::Line};

/// All that was said and done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    open: BTreeMap<u32, Cell>,
    ready: Vec<Line>,
    prompts: usize,
}

impl Transcript {
    /// Takes an event of the thread on the screen.
    pub fn on(&mut self, event: &Event) {
        match event {
            Event::ItemStarted { item, .. } | Event::ItemUpdated { item, .. } => {
                self.open.insert(item.id, Cell { body: item.body.clone() });
            }
            Event::ItemDelta { item, delta, .. } => {
                if let Some(Cell { body: ItemBody::AgentMessage { text } }) =
                    self.open.get_mut(item)
                {
                    text.push_str(delta);
                }
            }
            Event::ItemDropped { item, .. } => {
                self.open.remove(item);
            }
            Event::ItemCompleted { item, .. } => {
                self.open.remove(&item.id);
                self.prompts += usize::from(matches!(item.body, ItemBody::UserMessage { .. }));
                self.ready.extend(Cell { body: item.body.clone() }.lines());
                self.ready.push(Line::new());
            }
            _ => {}
        }
    }

    /// Nothing yet.
    #[must_use]
    pub fn new(_setup: &Setup) -> Self {
        Self::default()
    }

    /// Appends an entry of the screen's own.
    pub fn tell(&mut self, lines: Vec<Line>) {
        self.ready.extend(lines);
        self.ready.push(Line::new());
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prompts == 0
    }

    /// Whether the user said something.
    #[must_use]
    pub fn has_prompts(&self) -> bool {
        self.prompts > 0
    }

    /// Lines that are finished since the last call; each leaves once.
    pub fn take_ready(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.ready)
    }

    /// Lines that may still change.
    #[must_use]
    pub fn live(&self) -> Vec<Line> {
        self.open.values().flat_map(Cell::lines).collect()
    }
}
