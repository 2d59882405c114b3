//! Claim: each delegation reaches the agent at most once, nothing else does in its clothes, and a
//! function call gets at most one output, while the conversation lives.

use std::collections::{BTreeMap, BTreeSet};

use codex_proto::{Event, Input, Output, ThreadId, item::ItemBody, realtime::RealtimeNews};

use super::{Claim, member, news, said, text};

#[derive(Default)]
pub(super) struct Delegations {
    threads: BTreeMap<ThreadId, Asked>,
}

#[derive(Default)]
struct Asked {
    /// Delegations of all conversations.
    asked: usize,
    ids: BTreeSet<String>,
    delivered: usize,
    answered: BTreeSet<String>,
}

impl Claim for Delegations {
    fn on_input(&mut self, thread: ThreadId, input: &Input) -> Result<(), String> {
        let Some((_, value)) = said(input) else { return Ok(()) };
        let asked = self.threads.entry(thread).or_default();
        let item = &value["item"];
        let id = match member(&value, "type") {
            "conversation.handoff.requested" => member(&value, "handoff_id"),
            "conversation.item.done" if member(item, "name") == "background_agent" => {
                let call = member(item, "call_id");
                if call.is_empty() { member(item, "id") } else { call }
            }
            "delegation.created" => member(item, "id"),
            _ => return Ok(()),
        };
        if asked.ids.insert(id.to_owned()) {
            asked.asked += 1;
        }
        Ok(())
    }

    fn on_output(&mut self, thread: ThreadId, output: &Output) -> Result<(), String> {
        let asked = self.threads.entry(thread).or_default();
        if let Some((_, value)) = text(output) {
            let item = &value["item"];
            if member(item, "type") == "function_call_output" {
                let id = member(item, "call_id").to_owned();
                if !asked.answered.insert(id.clone()) {
                    return Err(format!("the call {id} is answered twice"));
                }
            }
        }
        if let Some(RealtimeNews::Started { .. }) = news(output).map(|event| &event.news) {
            asked.ids.clear();
            asked.answered.clear();
        }
        if let Output::Event(Event::ItemCompleted { item, .. }) = output
            && let ItemBody::UserMessage { text } = &item.body
            && text.starts_with("<realtime_delegation>")
            && !text.contains("<source>")
        {
            asked.delivered += 1;
            if asked.delivered > asked.asked {
                let Asked { asked, delivered, .. } = asked;
                return Err(format!("{delivered} tasks for {asked} delegations"));
            }
        }
        Ok(())
    }
}
