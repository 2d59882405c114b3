//! Checkers: one file and one claim each. They see every input and every output, in order.

mod event_grammar;
mod history;
mod ledger;
mod limits;
mod order;
mod prompts;
mod replay;
mod rollout;
mod secrets;

use std::sync::Arc;

use codex_proto::{Input, Output, Settings};

use crate::world::World;

pub use secrets::MARKER;

/// A claim about a run.
pub trait Check {
    /// An input is about to be fed.
    ///
    /// # Errors
    /// When the claim does not hold.
    fn on_input(&mut self, _input: &Input) -> Result<(), String> {
        Ok(())
    }

    /// An output came.
    ///
    /// # Errors
    /// When the claim does not hold.
    fn on_output(&mut self, _output: &Output) -> Result<(), String> {
        Ok(())
    }

    /// The run is over, with nothing left to happen.
    ///
    /// # Errors
    /// When the claim does not hold.
    fn at_end(&self, _world: &World) -> Result<(), String> {
        Ok(())
    }
}

/// All checkers of a run.
pub struct Checks {
    all: Vec<(&'static str, Box<dyn Check>)>,
    started: usize,
    ended: usize,
}

/// The checkers there are.
#[must_use]
pub fn all(settings: &Arc<Settings>, seed: [u8; 16]) -> Checks {
    let all: Vec<(&'static str, Box<dyn Check>)> = vec![
        ("ledger", Box::<ledger::Ledger>::default()),
        ("history", Box::<history::History>::default()),
        ("event grammar", Box::<event_grammar::EventGrammar>::default()),
        ("order", Box::new(order::Order::new(settings))),
        ("limits", Box::new(limits::Limits::new(settings))),
        ("prompts", Box::<prompts::Prompts>::default()),
        ("secrets", Box::new(secrets::Secrets)),
        ("replay", Box::new(replay::Replay::new(settings, seed))),
        ("rollout", Box::new(rollout::Rollout::new(settings))),
    ];
    Checks { all, started: 0, ended: 0 }
}

impl Checks {
    /// Turns that began, and turns that ended.
    #[must_use]
    pub fn turns(&self) -> (usize, usize) {
        (self.started, self.ended)
    }
}

impl Check for Checks {
    fn on_input(&mut self, input: &Input) -> Result<(), String> {
        for (name, check) in &mut self.all {
            check.on_input(input).map_err(|claim| format!("{name}: {claim}"))?;
        }
        Ok(())
    }

    fn on_output(&mut self, output: &Output) -> Result<(), String> {
        match output {
            Output::Event(codex_proto::Event::TurnStarted { .. }) => self.started += 1,
            Output::Event(codex_proto::Event::TurnEnded { .. }) => self.ended += 1,
            _ => {}
        }
        for (name, check) in &mut self.all {
            check.on_output(output).map_err(|claim| format!("{name}: {claim}"))?;
        }
        Ok(())
    }

    fn at_end(&self, world: &World) -> Result<(), String> {
        for (name, check) in &self.all {
            check.at_end(world).map_err(|claim| format!("{name}: {claim}"))?;
        }
        Ok(())
    }
}
