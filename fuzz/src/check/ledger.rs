//! Claim: every effect with replies gets replies by its grammar and exactly one terminal one; ids
//! are never reused; effects that name another effect name one that was started.

use std::collections::BTreeMap;

use codex_proto::{Effect, EffectId, EffectKind, Input, Output, effect::Grammar};

use super::Check;
use crate::world::World;

#[derive(Default)]
pub(super) struct Ledger {
    last: Option<EffectId>,
    grammars: BTreeMap<EffectId, Grammar>,
}

impl Check for Ledger {
    fn on_input(&mut self, input: &Input) -> Result<(), String> {
        let Input::Reply(id, reply) = input else { return Ok(()) };
        let Some(grammar) = self.grammars.get_mut(id) else {
            return Err(format!("a reply to {id}, which has none or was never started"));
        };
        grammar.on(reply).map_err(|error| format!("{id}: {reply:?}: {error}"))
    }

    fn on_output(&mut self, output: &Output) -> Result<(), String> {
        let Output::Effect(Effect { id, kind }) = output else { return Ok(()) };
        if self.last.is_some_and(|last| *id <= last) {
            return Err(format!("{id} is not newer than the one before"));
        }
        self.last = Some(*id);
        if let EffectKind::Cancel(of)
        | EffectKind::Flush(of)
        | EffectKind::Signal { spawn: of, .. }
        | EffectKind::Stdin { spawn: of, .. } = kind
            && !self.grammars.contains_key(of)
        {
            return Err(format!("{} names {of}, which was never started", kind.name()));
        }
        if let Some(grammar) = Grammar::of(kind) {
            self.grammars.insert(*id, grammar);
        }
        Ok(())
    }

    fn at_end(&self, _world: &World) -> Result<(), String> {
        match self.grammars.iter().find(|(_, grammar)| !grammar.is_done()) {
            Some((id, _)) => Err(format!("{id} has no terminal reply")),
            None => Ok(()),
        }
    }
}
