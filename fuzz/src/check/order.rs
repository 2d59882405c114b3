//! Claim: nothing runs before the rollout line of its call was written (or its failure reported); a
//! turn ends only when none of its lines is still being written, or the engine says that it stopped
//! waiting; nothing is written to a rollout that another process has.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use codex_proto::{
    EffectId, EffectKind, Event, HostErrorKind, Input, Output, Reply, Settings, ThreadId,
    item::ItemBody,
};

use super::Check;

/// Leads to the id of a call in a line.
const CALL_ID: &str = "\"call_id\":\"";

pub(super) struct Order {
    settings: Arc<Settings>,
    writing: BTreeMap<EffectId, (ThreadId, Vec<u8>)>,
    /// Rollouts that are being claimed, and those that another process had when they were.
    claims: BTreeMap<EffectId, PathBuf>,
    taken: BTreeSet<PathBuf>,
    /// Calls whose lines are written, or could not be.
    settled: BTreeSet<(ThreadId, String)>,
    /// A process whose item follows.
    spawned: bool,
    /// Threads that said that they do not wait for the disk any longer.
    gave_up: BTreeSet<ThreadId>,
    /// Threads that said that they are written no more.
    unsaved: BTreeSet<ThreadId>,
}

impl Order {
    pub(super) fn new(settings: &Arc<Settings>) -> Self {
        Self {
            settings: Arc::clone(settings),
            writing: BTreeMap::new(),
            claims: BTreeMap::new(),
            taken: BTreeSet::new(),
            settled: BTreeSet::new(),
            spawned: false,
            gave_up: BTreeSet::new(),
            unsaved: BTreeSet::new(),
        }
    }

    fn is_settled(&self, thread: ThreadId, call_id: &str) -> bool {
        self.settings.ephemeral
            || self.unsaved.contains(&thread)
            || self.settled.contains(&(thread, call_id.to_owned()))
    }

    fn is_writing(&self, thread: ThreadId) -> bool {
        self.writing.values().any(|(of, _)| *of == thread)
    }
}

impl Check for Order {
    fn on_input(&mut self, input: &Input) -> Result<(), String> {
        if let Input::Reply(id, reply) = input
            && let Some(path) = self.claims.remove(id)
        {
            match reply {
                Reply::Failed(error) if error.kind == HostErrorKind::InUse => {
                    self.taken.insert(path);
                }
                _ => drop(self.taken.remove(&path)),
            }
        }
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
                    if append.bytes.is_empty() {
                        self.claims.insert(effect.id, append.path.clone());
                    } else if self.taken.contains(&append.path) {
                        return Err("an append to a rollout that another process has".into());
                    }
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
                if message.starts_with("nothing more of this conversation is saved") {
                    self.unsaved.insert(*thread);
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
