//! Checkers: one file and one claim each. They see every input and every output, in order.

mod approval;
mod event_grammar;
mod history;
mod ledger;
mod limits;
mod order;
mod prompts;
mod realtime;
mod replay;
pub mod rollout;
mod secrets;

use std::sync::Arc;

use codex_proto::{
    Effect, EffectKind, Input, Output, Settings, ThreadId, effect::HttpRequest,
    settings::HeaderValue,
};
use serde::Serialize;

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

    /// All outputs of one input came, as [`output_bytes`]. What is claimed of each follows.
    ///
    /// # Errors
    /// When the claim does not hold.
    fn on_bytes(&mut self, _outputs: &[u8]) -> Result<(), String> {
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

/// Whose request it is.
#[must_use]
pub fn thread_of(request: &HttpRequest) -> Option<ThreadId> {
    request.headers.iter().find_map(|(name, value)| match value {
        HeaderValue::Plain(value) if name == "thread_id" => value.parse().ok(),
        _ => None,
    })
}

/// Whether a request creates a call by voice rather than a response.
#[must_use]
pub fn is_call(request: &HttpRequest) -> bool {
    request.url.contains("/realtime/calls") || request.url.contains("/live")
}

/// Appends everything an output says. What is long goes as it is, all else as JSON: to hash and to
/// search, not to read back.
pub fn output_bytes(output: &Output, to: &mut Vec<u8>) {
    match output {
        Output::Effect(Effect { id, kind: EffectKind::Append(append) }) => {
            write_json(&(id, &append.thread, &append.path, append.sync), to);
            to.extend_from_slice(&append.bytes);
        }
        Output::Effect(Effect { id, kind: EffectKind::Http(http) }) => {
            let HttpRequest { method, url, headers, auth, body, connect_ms } = &**http;
            write_json(&(id, method, url, headers, auth, connect_ms), to);
            to.extend_from_slice(body);
        }
        other => write_json(other, to),
    }
    to.push(b'\n');
}

fn write_json(value: &impl Serialize, to: &mut Vec<u8>) {
    if let Err(error) = serde_json::to_writer(&mut *to, value) {
        to.extend_from_slice(error.to_string().as_bytes());
    }
}

/// All checkers of a run.
#[derive(Default)]
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
        ("approval", Box::new(approval::Approval::new(settings))),
        ("order", Box::new(order::Order::new(settings))),
        ("limits", Box::new(limits::Limits::new(settings))),
        ("prompts", Box::<prompts::Prompts>::default()),
        ("realtime", Box::<realtime::Realtime>::default()),
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

    fn on_bytes(&mut self, outputs: &[u8]) -> Result<(), String> {
        for (name, check) in &mut self.all {
            check.on_bytes(outputs).map_err(|claim| format!("{name}: {claim}"))?;
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
