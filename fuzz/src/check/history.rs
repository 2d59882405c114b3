//! Claim: in every request each call has exactly one output, in call order, and no output lacks
//! its call; and the request begins with the bytes of the one before, all else being equal, unless
//! an event said why not.

use std::{collections::BTreeMap, ops::Range};

use codex_proto::{EffectKind, Event, Output, ThreadId};
use memchr::memmem;
use serde_json::Value;

use super::{Check, is_call, thread_of};

/// What goes before the items of a body, and what follows them.
const INPUT: &[u8] = b",\"input\":[";
const AFTER_INPUT: &[u8] = b"],\"tools\":[";

#[derive(Default)]
pub(super) struct History(BTreeMap<ThreadId, Told>);

/// What a thread told its model.
#[derive(Default)]
struct Told {
    /// The body of the request before, and where its items are.
    before: Vec<u8>,
    items: Range<usize>,
    calls: Calls,
    reset: bool,
}

impl Check for History {
    fn on_output(&mut self, output: &Output) -> Result<(), String> {
        match output {
            Output::Event(Event::PromptCacheReset { thread, .. }) => {
                self.0.entry(*thread).or_default().reset = true;
            }
            // What a resumed thread says at first is compared by the claim about rollouts.
            Output::Event(Event::ThreadReady(ready)) => drop(self.0.remove(&ready.thread)),
            Output::Effect(effect) => {
                if let EffectKind::Http(request) = &effect.kind
                    && !is_call(request)
                {
                    let thread = thread_of(request).ok_or("a request of no thread")?;
                    self.0.entry(thread).or_default().request(&request.body)?;
                }
            }
            Output::Event(_) => {}
        }
        Ok(())
    }
}

impl Told {
    fn request(&mut self, body: &[u8]) -> Result<(), String> {
        let from = memmem::find(body, INPUT).ok_or("no input")? + INPUT.len();
        let to = memmem::rfind(body, AFTER_INPUT).ok_or("no tools after the input")?;
        let items = body.get(from..to).ok_or("no items")?;
        let known = &self.before[self.items.clone()];
        let mut new = items;
        if self.before.is_empty() || std::mem::take(&mut self.reset) {
            self.calls = Calls::default();
        } else {
            let frame = (&self.before[..self.items.start], &self.before[self.items.end..]);
            if frame != (&body[..from], &body[to..]) {
                return Err("a field other than input changed".into());
            }
            new = items
                .strip_prefix(known)
                .ok_or("the input does not begin with the input of the request before")?;
        }
        // Only what is new is read again: the rest is known to be well formed.
        let new = new.strip_prefix(b",").unwrap_or(new);
        let new: Vec<Value> = serde_json::from_slice(&[b"[", new, b"]"].concat())
            .map_err(|error| error.to_string())?;
        new.iter().try_for_each(|item| self.calls.item(item))?;
        self.calls.all_have_outputs()?;
        self.before.clear();
        self.before.extend_from_slice(body);
        self.items = from..to;
        Ok(())
    }
}

/// The calls and the outputs of a conversation, in order.
#[derive(Default)]
struct Calls {
    calls: Vec<String>,
    outputs: Vec<String>,
}

impl Calls {
    fn item(&mut self, item: &Value) -> Result<(), String> {
        let id = item["call_id"].as_str();
        match (item["type"].as_str(), id) {
            (Some("function_call" | "custom_tool_call"), Some(id)) => self.calls.push(id.into()),
            (Some("function_call_output" | "custom_tool_call_output"), Some(id)) => {
                if !self.calls.iter().any(|call| call == id) {
                    return Err(format!("output of {id} before its call"));
                }
                self.outputs.push(id.into());
            }
            _ => {}
        }
        Ok(())
    }

    fn all_have_outputs(&self) -> Result<(), String> {
        if self.calls == self.outputs {
            return Ok(());
        }
        Err(format!("calls {:?}, outputs {:?}", self.calls, self.outputs))
    }
}

/// Each call has one output, after it; outputs are in call order.
pub(super) fn check_calls(items: &[Value]) -> Result<(), String> {
    let mut calls = Calls::default();
    items.iter().try_for_each(|item| calls.item(item))?;
    calls.all_have_outputs()
}
