//! Claim: nothing runs before the rollout line of its call was written (or its failure reported); a
//! turn ends only when none of its lines is
//! still being written, or the engine says that it stopped waiting.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use codex_proto::{EffectId, EffectKind, Event, Input, Output, Settings, ThreadId, item::ItemBody};

use super::Check;

/// Leads to the id of a call in a line.
const CALL_ID: &str = "\"call_id\":\"";

pub(super) struct Order {
    settings: Arc<Settings>,
    writing: BTreeMap<EffectId, (ThreadId, Vec<u8>)>,
    /// Calls whose lines are written, or could not be.
    settled: BTreeSet<(ThreadId, String)>,
    /// A process whose item follows.
    spawned: bool,
    /// Threads that said that they do not wait for the disk any longer.
    gave_up: BTreeSet<ThreadId>,
}

impl Order {
    pub(super) fn new(settings: &Arc<Settings>) -> Self {
        Self {
            settings: Arc::clone(settings),
            writing: BTreeMap::new(),
            settled: BTreeSet::new(),
            spawned: false,
            gave_up: BTreeSet::new(),
        }
    }

    fn is_settled(&self, thread: ThreadId, call_id: &str) -> bool {
        self.settings.ephemeral || self.settled.contains(&(thread, call_id.to_owned()))
    }

    fn is_writing(&self, thread: ThreadId) -> bool {
        self.writing.values().any(|(of, _)| *of == thread)
    }
}

impl Check for Order {
    fn on_input(&mut self, input: &Input) -> Result<(), String> {
        if let Input::Reply(id, reply) = input
            && reply.is_terminal()
            && let Some((thread, bytes)) = self.writing.remove(id)
        {
            let text = String::from_utf8_lossy(&bytes);
            let ids = text.split(CALL_ID).skip(1).filter_map(|rest| rest.split('"').next());
            self.settled.extend(ids.map(|id| (thread, id.to_owned())));
        }
        Ok(())
    }

    fn on_output(&mut self, output: &Output) -> Result<(), String> {
        match output {
            Output::Effect(effect) => match &effect.kind {
                EffectKind::Append(append) => {
                    // One without bytes only claims the file.
                    if append.bytes.last().is_some_and(|last| *last != b'\n') {
                        return Err("an append that does not end its line".into());
                    }
                    if self.is_writing(append.thread) {
                        return Err("two appends at once".into());
                    }
                    self.writing.insert(effect.id, (append.thread, append.bytes.clone()));
                    Ok(())
                }
                EffectKind::Spawn(_) => {
                    self.spawned = true;
                    Ok(())
                }
                _ => Ok(()),
            },
            Output::Event(Event::ItemStarted { thread, item }) => {
                let call_id = match &item.body {
                    ItemBody::Command(command) if !command.by_user => &command.call_id,
                    ItemBody::Command(_) => {
                        self.spawned = false;
                        return Ok(());
                    }
                    _ => return Ok(()),
                };
                // A declined command is shown, too, but has no process.
                if std::mem::take(&mut self.spawned) && !self.is_settled(*thread, call_id) {
                    return Err(format!("{call_id} ran before its line was written"));
                }
                Ok(())
            }
            Output::Event(Event::Warning { thread: Some(thread), message }) => {
                if message.starts_with("the transcript was not saved")
                    || message.starts_with("the thread was stopped before everything")
                {
                    self.gave_up.insert(*thread);
                }
                Ok(())
            }
            Output::Event(Event::TurnEnded { thread, .. }) => {
                if self.gave_up.remove(thread) || !self.is_writing(*thread) {
                    return Ok(());
                }
                Err("a turn ended while its lines were being written".into())
            }
            Output::Event(_) => Ok(()),
        }
    }
}
