//! Claim: where no conversation is, none is worked on: no call, no answer, no socket, no device.

use std::collections::BTreeSet;

use codex_proto::{EffectKind, Event, Input, Output, ThreadId, realtime::RealtimeNews};

use super::{Claim, is_call, is_refused, news, start};

#[derive(Default)]
pub(super) struct Stopped {
    live: BTreeSet<ThreadId>,
    started: BTreeSet<ThreadId>,
    starting: Option<ThreadId>,
}

impl Claim for Stopped {
    fn on_input(&mut self, thread: ThreadId, input: &Input) -> Result<(), String> {
        self.starting = start(input).map(|_| thread);
        Ok(())
    }

    fn on_output(&mut self, thread: ThreadId, output: &Output) -> Result<(), String> {
        if is_refused(output) {
            self.starting = None;
        }
        match news(output).map(|event| &event.news) {
            Some(RealtimeNews::Started { .. }) => drop(self.started.insert(thread)),
            Some(RealtimeNews::Closed { .. }) => {
                self.live.remove(&thread);
                self.started.remove(&thread);
            }
            Some(RealtimeNews::Error { .. }) if !self.started.contains(&thread) => {
                self.live.remove(&thread);
            }
            _ => {}
        }
        if let Output::Event(Event::ThreadStopped { .. }) = output
            && self.live.contains(&thread)
        {
            return Err("the thread stopped without the end of its conversation".into());
        }
        let Output::Effect(effect) = output else { return Ok(()) };
        let works = is_call(effect)
            || matches!(
                effect.kind,
                EffectKind::AudioOpen(_) | EffectKind::RtcAnswer(_) | EffectKind::Socket(_)
            );
        let may = self.live.contains(&thread) || self.starting == Some(thread);
        if works && !may {
            return Err(format!("a {} without a conversation", effect.kind.name()));
        }
        Ok(())
    }

    fn after_step(&mut self, thread: ThreadId) -> Result<(), String> {
        if self.starting.take() == Some(thread) {
            self.live.insert(thread);
        }
        Ok(())
    }
}
