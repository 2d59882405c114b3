//! Claim: `ThreadReady (TurnStarted … TurnEnded)* ThreadStopped`, and per item `ItemStarted
//! (ItemDelta | ItemUpdated)* (ItemCompleted | ItemDropped)`; the deltas of a message concatenate
//! to its text; nothing follows `ThreadStopped`.

use std::collections::BTreeMap;

use codex_proto::{
    Event, Output,
    item::{ItemBody, TurnItem},
};

use super::Check;
use crate::world::World;

#[derive(Default)]
pub(super) struct EventGrammar {
    ready: bool,
    in_turn: bool,
    stopped: bool,
    items: BTreeMap<u32, Item>,
}

struct Item {
    open: bool,
    /// Text so far, of messages that stream.
    text: Option<String>,
}

impl Check for EventGrammar {
    fn on_output(&mut self, output: &Output) -> Result<(), String> {
        let Output::Event(event) = output else { return Ok(()) };
        if self.stopped {
            return Err(format!("{event:?} after ThreadStopped"));
        }
        match event {
            Event::ThreadReady(_) if self.ready => Err("ThreadReady twice".into()),
            Event::ThreadReady(_) => {
                self.ready = true;
                Ok(())
            }
            Event::TurnStarted { .. } if !self.ready || self.in_turn => {
                Err("TurnStarted out of place".into())
            }
            Event::TurnStarted { .. } => {
                self.in_turn = true;
                Ok(())
            }
            Event::TurnEnded { .. } if !self.in_turn => Err("TurnEnded without a turn".into()),
            Event::TurnEnded { .. } => {
                self.in_turn = false;
                Ok(())
            }
            Event::ThreadStopped { .. } if self.in_turn => Err("stopped within a turn".into()),
            Event::ThreadStopped { .. } => {
                self.stopped = true;
                Ok(())
            }
            Event::ItemStarted { item, .. } => self.started(item),
            Event::ItemDelta { item, delta, .. } => self.delta(*item, delta),
            Event::ItemUpdated { item, .. } => self.updated(item),
            Event::ItemCompleted { item, .. } => self.completed(item),
            Event::ItemDropped { item, .. } => {
                self.open(*item)?.open = false;
                Ok(())
            }
            Event::PromptCacheReset { .. }
            | Event::PromptsReturned { .. }
            | Event::Refused { .. }
            | Event::Retrying { .. }
            | Event::UsageUpdated { .. }
            | Event::Waiting { .. }
            | Event::Warning { .. } => Ok(()),
        }
    }

    fn at_end(&self, _world: &World) -> Result<(), String> {
        match self.items.iter().find(|(_, item)| item.open) {
            Some((id, _)) => Err(format!("item {id} never completed")),
            None => Ok(()),
        }
    }
}

impl EventGrammar {
    fn started(&mut self, item: &TurnItem) -> Result<(), String> {
        if !self.in_turn {
            return Err(format!("item {} started outside a turn", item.id));
        }
        let text = match &item.body {
            ItemBody::AgentMessage { text } => Some(text.clone()),
            _ => None,
        };
        let new = Item { open: true, text };
        match self.items.insert(item.id, new) {
            Some(_) => Err(format!("item {} started twice", item.id)),
            None => Ok(()),
        }
    }

    fn open(&mut self, id: u32) -> Result<&mut Item, String> {
        let item = self.items.get_mut(&id).filter(|item| item.open);
        item.ok_or_else(|| format!("item {id} is not open"))
    }

    fn delta(&mut self, id: u32, delta: &str) -> Result<(), String> {
        let item = self.open(id)?;
        if let Some(text) = &mut item.text {
            text.push_str(delta);
        }
        Ok(())
    }

    fn updated(&mut self, item: &TurnItem) -> Result<(), String> {
        let seen = self.open(item.id)?;
        if let ItemBody::AgentMessage { text } = &item.body {
            seen.text = Some(text.clone());
        }
        Ok(())
    }

    fn completed(&mut self, item: &TurnItem) -> Result<(), String> {
        let seen = self.open(item.id)?;
        seen.open = false;
        if let (ItemBody::AgentMessage { text }, Some(deltas)) = (&item.body, &seen.text)
            && text != deltas
        {
            return Err(format!("item {}: deltas {deltas:?}, text {text:?}", item.id));
        }
        Ok(())
    }
}
