//! Claim: attempts at a request stay within 1 + max(request_max_retries, stream_max_retries), and
//! each repetition was announced.

use std::sync::Arc;

use codex_proto::{EffectKind, Event, Output, Settings};

use super::Check;

pub(super) struct Limits {
    most: u32,
    announced: u32,
    awaiting: bool,
    open_commands: usize,
}

impl Limits {
    pub(super) fn new(settings: &Arc<Settings>) -> Self {
        let provider = &settings.provider;
        let most = provider.request_retries_max.max(provider.stream_retries_max);
        Self { most, announced: 0, awaiting: false, open_commands: 0 }
    }
}

impl Check for Limits {
    fn on_output(&mut self, output: &Output) -> Result<(), String> {
        match output {
            Output::Effect(effect) => match &effect.kind {
                EffectKind::Http(_) => {
                    if !std::mem::take(&mut self.awaiting) {
                        self.announced = 0;
                    }
                    Ok(())
                }
                EffectKind::Spawn(_) => {
                    self.open_commands += 1;
                    if self.open_commands > 4_096 {
                        return Err("commands without end".into());
                    }
                    Ok(())
                }
                _ => Ok(()),
            },
            Output::Event(Event::Retrying { attempt, attempts_max, .. }) => {
                self.awaiting = true;
                if *attempt != self.announced + 1 {
                    return Err(format!("attempt {attempt} after {}", self.announced));
                }
                self.announced = *attempt;
                if attempt > attempts_max || *attempts_max > self.most {
                    return Err(format!(
                        "attempt {attempt} of {attempts_max}, at most {}",
                        self.most
                    ));
                }
                Ok(())
            }
            Output::Event(Event::TurnEnded { .. }) => {
                self.awaiting = false;
                self.announced = 0;
                Ok(())
            }
            Output::Event(_) => Ok(()),
        }
    }
}
