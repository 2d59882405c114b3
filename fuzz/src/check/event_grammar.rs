//! Claim: `ThreadReady (TurnStarted … TurnEnded)* ThreadStopped`, and per item `ItemStarted
//! (ItemDelta | ItemUpdated)* (ItemCompleted | ItemDropped)`; the deltas of a message concatenate
//! to its text; nothing follows `ThreadStopped`.

use std::collections::BTreeMap;

use codex_proto::{
    Event, Output, ThreadId,
    item::{ItemBody, TurnItem},
};

use super::Check;
use crate::world::World;

#[derive(Default)]
pub(super) struct EventGrammar(BTreeMap<ThreadId, Thread>);

#[derive(Default)]
struct Thread {
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
        match event {
            Event::ThreadReady(ready) => match self
                .0
                .insert(ready.thread, Thread { ready: true, ..Thread::default() })
            {
                Some(before) if before.ready && !before.stopped => Err("ThreadReady twice".into()),
                Some(before) if before.ready && !ready.resumed => {
                    Err("two new threads have one id".into())
                }
                _ => Ok(()),
            },
            Event::TurnStarted { thread, .. } => self.thread(*thread)?.turn_started(),
            Event::TurnEnded { thread, .. } => self.thread(*thread)?.turn_ended(),
            // A thread may be stopped, and give back what it was told, before it is ready.
            Event::ThreadStopped { thread } => self.known(*thread)?.stopped(),
            Event::PromptsReturned { thread, .. } => self.known(*thread).map(drop),
            Event::ItemStarted { thread, item } => self.thread(*thread)?.started(item),
            Event::ItemDelta { thread, item, delta } => self.thread(*thread)?.delta(*item, delta),
            Event::ItemUpdated { thread, item } => self.thread(*thread)?.updated(item),
            Event::ItemCompleted { thread, item } => self.thread(*thread)?.completed(item),
            Event::ItemDropped { thread, item } => {
                self.thread(*thread)?.open(*item)?.open = false;
                Ok(())
            }
            Event::PromptCacheReset { thread, .. }
            | Event::Retrying { thread, .. }
            | Event::UsageUpdated { thread, .. }
            | Event::Waiting { thread, .. } => self.thread(*thread).map(drop),
            Event::ApprovalEnded { thread, .. }
            | Event::Commands { thread, .. }
            | Event::Configured { thread, .. }
            | Event::Restored { thread, .. } => self.thread(*thread).map(drop),
            Event::ApprovalRequested(request) => self.thread(request.thread).map(drop),
            Event::Realtime(event) => self.thread(event.thread).map(drop),
            // A thread may warn before it is ready.
            Event::Refused { .. } | Event::Warning { .. } => Ok(()),
        }
    }

    fn at_end(&self, _world: &World) -> Result<(), String> {
        let mut items = self.0.values().flat_map(|thread| &thread.items);
        match items.find(|(_, item)| item.open) {
            Some((id, _)) => Err(format!("item {id} never completed")),
            None => Ok(()),
        }
    }
}

impl EventGrammar {
    /// A thread that may say something.
    fn thread(&mut self, id: ThreadId) -> Result<&mut Thread, String> {
        let thread = self.0.get_mut(&id).filter(|thread| thread.ready && !thread.stopped);
        thread.ok_or_else(|| format!("an event of {id}, which is not ready or has stopped"))
    }

    /// A thread that has not stopped.
    fn known(&mut self, id: ThreadId) -> Result<&mut Thread, String> {
        let thread = self.0.entry(id).or_default();
        if thread.stopped {
            Err(format!("an event of {id}, which has stopped"))
        } else {
            Ok(thread)
        }
    }
}

impl Thread {
    fn turn_started(&mut self) -> Result<(), String> {
        match std::mem::replace(&mut self.in_turn, true) {
            true => Err("a turn within a turn".into()),
            false => Ok(()),
        }
    }

    fn turn_ended(&mut self) -> Result<(), String> {
        match std::mem::take(&mut self.in_turn) {
            true => Ok(()),
            false => Err("TurnEnded without a turn".into()),
        }
    }

    fn stopped(&mut self) -> Result<(), String> {
        self.stopped = true;
        if self.in_turn { Err("stopped within a turn".into()) } else { Ok(()) }
    }

    fn started(&mut self, item: &TurnItem) -> Result<(), String> {
        let by_user = matches!(&item.body, ItemBody::Command(command) if command.by_user);
        if !self.in_turn && !by_user {
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
