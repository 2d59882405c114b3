//! Claim: a rollout cut anywhere is usable. From any prefix a thread resumes, its request is well
//! formed, and from the whole file it begins with what the model had been told.

use std::{path::PathBuf, sync::Arc};

use codex_engine::Engine;
use codex_proto::{
    EffectKind, Event, Input, Now, Op, OpId, Output, Reply, Settings, ThreadId,
    op::{Delivery, Prompt, PromptPart},
};
use serde_json::Value;

use super::{Check, history::check_calls};
use crate::world::World;

/// Prefixes that are tried per run.
const PREFIXES: usize = 12;

pub(super) struct Rollout {
    settings: Arc<Settings>,
}

impl Rollout {
    pub(super) fn new(settings: &Arc<Settings>) -> Self {
        Self { settings: Arc::clone(settings) }
    }
}

impl Check for Rollout {
    fn at_end(&self, world: &World) -> Result<(), String> {
        let rollout = world.files.contents.iter().find(|(path, _)| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rollout-"))
        });
        let Some((_, bytes)) = rollout else { return Ok(()) };
        let first_line = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for step in 0..PREFIXES {
            let cut = first_line + (bytes.len() - first_line) * step / PREFIXES;
            let (_, input) = resume(&self.settings, &bytes[..cut], world.now)
                .map_err(|why| format!("cut at {cut} of {}: {why}", bytes.len()))?;
            check_calls(&input).map_err(|why| format!("cut at {cut}: {why}"))?;
        }
        let (thread, input) = resume(&self.settings, bytes, world.now)?;
        if Some(thread) != world.thread {
            return Err(format!("resumed as {thread}"));
        }
        let told: Value = serde_json::from_slice(&world.told).unwrap_or_default();
        let told = told["input"].as_array().cloned().unwrap_or_default();
        if !input.starts_with(&told) {
            let at = input.iter().zip(&told).position(|(a, b)| a != b);
            return Err(format!("the resumed conversation differs at item {at:?}"));
        }
        Ok(())
    }
}

/// Resumes from `bytes` and gives the thread and the input of its first request.
///
/// # Errors
/// Why it was refused.
pub fn resume(
    settings: &Arc<Settings>,
    bytes: &[u8],
    now: Now,
) -> Result<(ThreadId, Vec<Value>), String> {
    let mut engine = Engine::new(Arc::clone(settings), [9; 16]);
    let path = PathBuf::from("/resumed.jsonl");
    let mut inputs = vec![Input::Op(OpId(1), Op::ResumeThread { path })];
    let mut request = None;
    let mut ready = None;
    while let Some(input) = inputs.pop() {
        for output in engine.handle(now, input) {
            match output {
                Output::Effect(effect) => {
                    let id = effect.id;
                    let replies = match effect.kind {
                        EffectKind::Read { .. } => {
                            vec![Reply::Bytes(bytes.to_vec()), Reply::Closed]
                        }
                        EffectKind::Project(_) => {
                            vec![Reply::Project(Box::default()), Reply::Closed]
                        }
                        EffectKind::Append(_) => vec![Reply::Closed],
                        EffectKind::Http(http) => {
                            request = Some(http.body.clone());
                            Vec::new()
                        }
                        _ => Vec::new(),
                    };
                    inputs.extend(replies.into_iter().rev().map(|r| Input::Reply(id, r)));
                }
                Output::Event(Event::ThreadReady(thread)) => {
                    ready = Some(thread.thread);
                    let prompt = Prompt {
                        thread: thread.thread,
                        content: vec![PromptPart::Text("go on".into())],
                        delivery: Delivery::Steer,
                        output_schema: None,
                    };
                    inputs.insert(0, Input::Op(OpId(2), Op::Prompt(Box::new(prompt))));
                }
                Output::Event(Event::Refused { reason, .. }) => {
                    return Err(reason.to_string());
                }
                Output::Event(_) => {}
            }
        }
    }
    let body = request.ok_or("no request after resuming")?;
    let body: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    let input = body["input"].as_array().cloned().unwrap_or_default();
    Ok((ready.ok_or("never ready")?, input))
}
