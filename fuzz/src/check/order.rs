//! Claim: nothing runs before the rollout line of its call was written (or its failure reported);
//! every command and patch has the session's sandbox; a turn ends only when none of its lines is
//! still being written, or the engine says that it stopped waiting.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use codex_proto::{
    EffectId, EffectKind, Event, Input, Output, Settings,
    item::{ItemBody, ItemStatus},
};

use super::Check;

/// Leads to the id of a call in a line.
const CALL_ID: &str = "\"call_id\":\"";

pub(super) struct Order {
    settings: Arc<Settings>,
    writing: BTreeMap<EffectId, Vec<u8>>,
    /// Calls whose lines are written, or could not be.
    settled: BTreeSet<String>,
    /// The engine said that it does not wait for the disk any longer.
    gave_up: bool,
}

impl Order {
    pub(super) fn new(settings: &Arc<Settings>) -> Self {
        Self {
            settings: Arc::clone(settings),
            writing: BTreeMap::new(),
            settled: BTreeSet::new(),
            gave_up: false,
        }
    }

    fn is_settled(&self, call_id: &str) -> bool {
        self.settings.ephemeral || self.settled.contains(call_id)
    }
}

impl Check for Order {
    fn on_input(&mut self, input: &Input) -> Result<(), String> {
        if let Input::Reply(id, reply) = input
            && reply.is_terminal()
            && let Some(bytes) = self.writing.remove(id)
        {
            let text = String::from_utf8_lossy(&bytes);
            let ids = text.split(CALL_ID).skip(1).filter_map(|rest| rest.split('"').next());
            self.settled.extend(ids.map(str::to_owned));
        }
        Ok(())
    }

    fn on_output(&mut self, output: &Output) -> Result<(), String> {
        match output {
            Output::Effect(effect) => match &effect.kind {
                EffectKind::Append(append) => {
                    if append.bytes.last() != Some(&b'\n') {
                        return Err("an append that does not end its line".into());
                    }
                    if !self.writing.is_empty() {
                        return Err("two appends at once".into());
                    }
                    self.writing.insert(effect.id, append.bytes.clone());
                    Ok(())
                }
                EffectKind::Spawn(spawn) if spawn.sandbox != self.settings.sandbox => {
                    Err("a command has another sandbox than the session".into())
                }
                EffectKind::Patch(patch) if patch.sandbox != self.settings.sandbox => {
                    Err("a patch has another sandbox than the session".into())
                }
                _ => Ok(()),
            },
            Output::Event(Event::ItemStarted { item, .. }) => {
                let call_id = match &item.body {
                    ItemBody::Command(command) => &command.call_id,
                    _ => return Ok(()),
                };
                // A declined command starts and completes in one breath; it never runs.
                let runs = matches!(&item.body,
                    ItemBody::Command(command) if command.status == ItemStatus::InProgress);
                if runs && !self.is_settled(call_id) {
                    return Err(format!("{call_id} ran before its line was written"));
                }
                Ok(())
            }
            Output::Event(Event::Warning { message, .. }) => {
                self.gave_up |= message.starts_with("the transcript was not saved");
                Ok(())
            }
            Output::Event(Event::TurnEnded { .. }) => {
                if self.writing.is_empty() || std::mem::take(&mut self.gave_up) {
                    return Ok(());
                }
                Err("a turn ended while its lines were being written".into())
            }
            Output::Event(_) => Ok(()),
        }
    }
}
