//! Claim: in every request each call has exactly one output, in call order, and no output lacks
//! its call; and the request begins with the bytes of the one before, all else being equal, unless
//! an event said why not.

use codex_proto::{EffectKind, Event, Output};
use serde_json::Value;

use super::Check;

#[derive(Default)]
pub(super) struct History {
    before: Option<Parts>,
    reset: bool,
}

struct Parts {
    frame: (Vec<u8>, Vec<u8>),
    items: Vec<u8>,
}

impl Check for History {
    fn on_output(&mut self, output: &Output) -> Result<(), String> {
        match output {
            Output::Event(Event::PromptCacheReset { .. }) => self.reset = true,
            Output::Effect(effect) => {
                if let EffectKind::Http(request) = &effect.kind {
                    let parts = well_formed(&request.body)?;
                    self.compare(&parts)?;
                    self.before = Some(parts);
                }
            }
            Output::Event(_) => {}
        }
        Ok(())
    }
}

impl History {
    fn compare(&mut self, parts: &Parts) -> Result<(), String> {
        let Some(before) = &self.before else { return Ok(()) };
        if std::mem::take(&mut self.reset) {
            return Ok(());
        }
        if before.frame != parts.frame {
            return Err("a field other than input changed".into());
        }
        if !parts.items.starts_with(&before.items) {
            return Err("the input does not begin with the input of the request before".into());
        }
        Ok(())
    }
}

/// Splits a body around its items, and checks calls against outputs.
fn well_formed(body: &[u8]) -> Result<Parts, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let from = text.find(",\"input\":[").ok_or("no input")? + ",\"input\":[".len();
    let to = text.rfind("],\"tools\":[").ok_or("no tools after the input")?;
    let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    check_calls(value["input"].as_array().ok_or("input is no array")?)?;
    Ok(Parts {
        frame: (body[..from].to_vec(), body[to..].to_vec()),
        items: body[from..to].to_vec(),
    })
}

/// Each call has one output, after it; outputs are in call order.
pub(super) fn check_calls(items: &[Value]) -> Result<(), String> {
    let mut calls: Vec<&str> = Vec::new();
    let mut outputs: Vec<&str> = Vec::new();
    for item in items {
        let id = item["call_id"].as_str();
        match (item["type"].as_str(), id) {
            (Some("function_call" | "custom_tool_call"), Some(id)) => calls.push(id),
            (Some("function_call_output" | "custom_tool_call_output"), Some(id)) => {
                if !calls.contains(&id) {
                    return Err(format!("output of {id} before its call"));
                }
                outputs.push(id);
            }
            _ => {}
        }
    }
    if calls == outputs {
        return Ok(());
    }
    Err(format!("calls {calls:?}, outputs {outputs:?}"))
}
