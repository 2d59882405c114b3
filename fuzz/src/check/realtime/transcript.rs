//! Claim: each item's final text is told once, nothing of it grows afterwards, and nothing is told
//! that was not said.

use std::collections::BTreeMap;

use codex_proto::{Input, Output, ThreadId, realtime::RealtimeNews};

use super::{Claim, news, said};

#[derive(Default)]
pub(super) struct Transcripts {
    threads: BTreeMap<ThreadId, Items>,
}

#[derive(Default)]
struct Items {
    done: BTreeMap<String, String>,
    /// Everything the service said in this conversation, as text.
    said: String,
}

impl Claim for Transcripts {
    fn on_input(&mut self, thread: ThreadId, input: &Input) -> Result<(), String> {
        if let Some((_, value)) = said(input) {
            self.threads.entry(thread).or_default().said = value.to_string();
        }
        Ok(())
    }

    fn on_output(&mut self, thread: ThreadId, output: &Output) -> Result<(), String> {
        let items = self.threads.entry(thread).or_default();
        let Some(event) = news(output) else { return Ok(()) };
        match &event.news {
            RealtimeNews::Started { .. } => items.done.clear(),
            RealtimeNews::TranscriptDelta { item, delta, .. } => {
                if items.done.contains_key(item) {
                    return Err(format!("{item} grows after its final text"));
                }
                if !items.said.contains(delta.as_str()) {
                    return Err(format!("`{delta}` was not said"));
                }
            }
            RealtimeNews::TranscriptDone { item, text, .. } => {
                let before = items.done.insert(item.clone(), text.clone());
                if before.as_ref() == Some(text) {
                    return Err(format!("the final text of {item} is told twice"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
