//! Claim: attempts at a request stay within 1 + max(request_max_retries, stream_max_retries), those
//! during which the network is away not counted, which are only made where somebody is there, and
//! each repetition was announced; commands that live at once are bounded.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use codex_proto::{EffectId, EffectKind, Event, Input, Output, Settings, ThreadId};

use super::{Check, is_call, thread_of};

/// Commands of one thread that live at once, and as many again that are being killed.
const COMMANDS_MAX: usize = 2 * 64;

pub(super) struct Limits {
    most: u32,
    is_interactive: bool,
    threads: BTreeMap<ThreadId, Attempts>,
    /// Commands that have not ended.
    commands: BTreeSet<EffectId>,
}

#[derive(Default)]
struct Attempts {
    announced: u32,
    /// Since the network is away.
    away: u32,
    awaiting: bool,
}

impl Limits {
    pub(super) fn new(settings: &Arc<Settings>) -> Self {
        let provider = &settings.provider;
        let most = provider.request_retries_max.max(provider.stream_retries_max);
        let is_interactive = settings.interactive;
        Self { most, is_interactive, threads: BTreeMap::new(), commands: BTreeSet::new() }
    }
}

impl Check for Limits {
    fn on_input(&mut self, input: &Input) -> Result<(), String> {
        if let Input::Reply(id, reply) = input
            && reply.is_terminal()
        {
            self.commands.remove(id);
        }
        Ok(())
    }

    fn on_output(&mut self, output: &Output) -> Result<(), String> {
        match output {
            Output::Effect(effect) => match &effect.kind {
                EffectKind::Http(request) if !is_call(request) => {
                    let thread = thread_of(request).ok_or("a request of no thread")?;
                    let attempts = self.threads.entry(thread).or_default();
                    if !std::mem::take(&mut attempts.awaiting) {
                        *attempts = Attempts::default();
                    }
                    Ok(())
                }
                EffectKind::Spawn(_) => {
                    self.commands.insert(effect.id);
                    let most = COMMANDS_MAX * self.threads.len();
                    if self.commands.len() > most {
                        return Err(format!("{} commands, at most {most}", self.commands.len()));
                    }
                    Ok(())
                }
                _ => Ok(()),
            },
            Output::Event(Event::Retrying { thread, attempt, attempts_max, .. }) => {
                let attempts = self.threads.entry(*thread).or_default();
                attempts.awaiting = true;
                let before = match attempts_max {
                    Some(_) => &mut attempts.announced,
                    None => &mut attempts.away,
                };
                if *attempt != *before + 1 {
                    return Err(format!("attempt {attempt} after {before}"));
                }
                *before = *attempt;
                match attempts_max {
                    None if !self.is_interactive => {
                        Err("nobody is there while the network is waited for".into())
                    }
                    Some(most) if attempt > most || *most > self.most => {
                        Err(format!("attempt {attempt} of {most}, at most {}", self.most))
                    }
                    Some(_) => {
                        attempts.away = 0;
                        Ok(())
                    }
                    None => Ok(()),
                }
            }
            Output::Event(Event::ThreadReady(ready)) => {
                self.threads.entry(ready.thread).or_default();
                Ok(())
            }
            Output::Event(Event::TurnEnded { thread, .. }) => {
                self.threads.insert(*thread, Attempts::default());
                Ok(())
            }
            Output::Event(_) => Ok(()),
        }
    }
}
