//! Claim: each prompt reaches the model once, or comes back once, or was refused.

use std::collections::BTreeMap;

use codex_proto::{
    Event, Input, Op, OpId, Output,
    item::ItemBody,
    op::{Prompt, PromptPart},
};

use super::Check;
use crate::world::World;

#[derive(Default)]
pub(super) struct Prompts {
    /// By text: the op that brought it, and what became of it.
    seen: BTreeMap<String, (OpId, u32)>,
}

fn text(prompt: &Prompt) -> String {
    let texts: Vec<&str> = prompt
        .content
        .iter()
        .filter_map(|part| match part {
            PromptPart::Text(text) => Some(text.as_str()),
            PromptPart::Image { .. } => None,
        })
        .collect();
    texts.join("\n")
}

impl Prompts {
    fn settle(&mut self, text: &str) -> Result<(), String> {
        match self.seen.get_mut(text) {
            Some((_, 1)) => Err(format!("`{text}` was settled twice")),
            Some((_, count)) => {
                *count += 1;
                Ok(())
            }
            // What voice hands over is followed by the claims about voice.
            None if text.starts_with("<realtime_delegation>") => Ok(()),
            None => Err(format!("`{text}` was never said")),
        }
    }
}

impl Check for Prompts {
    fn on_input(&mut self, input: &Input) -> Result<(), String> {
        if let Input::Op(id, Op::Prompt(prompt)) = input {
            self.seen.insert(text(prompt), (*id, 0));
        }
        Ok(())
    }

    fn on_output(&mut self, output: &Output) -> Result<(), String> {
        let Output::Event(event) = output else { return Ok(()) };
        match event {
            Event::ItemCompleted { item, .. } => match &item.body {
                ItemBody::UserMessage { text } => self.settle(text),
                _ => Ok(()),
            },
            Event::PromptsReturned { prompts, .. } => {
                prompts.iter().try_for_each(|prompt| self.settle(&text(prompt)))
            }
            Event::Refused { op, .. } => {
                let refused = self.seen.iter().find(|(_, (id, _))| id == op);
                match refused.map(|(text, _)| text.clone()) {
                    Some(text) => self.settle(&text),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn at_end(&self, _world: &World) -> Result<(), String> {
        match self.seen.iter().find(|(_, (_, count))| *count == 0) {
            Some((text, _)) => Err(format!("`{text}` is lost")),
            None => Ok(()),
        }
    }
}
