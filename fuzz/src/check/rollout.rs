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
const PREFIXES: usize = 6;

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
        for path in world.files.rollouts() {
            let Some(bytes) = world.files.contents.get(&path) else { continue };
            let last = |id: &&ThreadId| world.threads[*id].rollout.as_ref() == Some(&path);
            // A file that was torn or never written may be beyond use, but not if it was used.
            let Some(id) = world.last.iter().find(last) else { continue };
            self.prefixes(bytes, world.now)?;
            let (thread, input) = resume(&self.settings, bytes, world.now)?;
            if thread != *id {
                return Err(format!("{id} resumed as {thread}"));
            }
            let told: Value = serde_json::from_slice(&world.threads[id].told).unwrap_or_default();
            let told = told["input"].as_array().cloned().unwrap_or_default();
            if !input.starts_with(&told) {
                let at = input.iter().zip(&told).position(|(a, b)| a != b);
                let differs =
                    |items: &[Value]| at.and_then(|at| items.get(at)).map(Value::to_string);
                return Err(format!(
                    "the resumed conversation differs at item {at:?}: {:?}, live {:?}",
                    differs(&input),
                    differs(&told)
                ));
            }
        }
        Ok(())
    }
}

impl Rollout {
    fn prefixes(&self, bytes: &[u8], now: Now) -> Result<(), String> {
        let first_line = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = bytes.len() - first_line;
        // Somewhere else in each run.
        let offset = usize::try_from(now.mono.0).unwrap_or_default() % rest.max(1);
        for step in 0..PREFIXES {
            let cut = first_line + (rest * step + offset) / PREFIXES;
            let (_, input) = resume(&self.settings, &bytes[..cut], now)
                .map_err(|why| format!("cut at {cut} of {}: {why}", bytes.len()))?;
            check_calls(&input).map_err(|why| format!("cut at {cut}: {why}"))?;
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
