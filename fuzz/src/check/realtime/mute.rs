//! Claim: nothing that was captured while the microphone was muted leaves, and audio leaves in the
//! order of its capture. Captured audio of fakes begins with a number of its own.

use std::collections::{BTreeMap, BTreeSet};

use codex_proto::{
    Effect, EffectKind, Input, Op, Output, Reply, ThreadId,
    effect::{AudioNews, MicrophoneState, Pcm},
    realtime::{RealtimeNews, RealtimeStart},
};

use super::{Claim, audio, is_refused, news, start};

#[derive(Default)]
pub(super) struct Mutes {
    threads: BTreeMap<ThreadId, Microphone>,
}

#[derive(Default)]
struct Microphone {
    muted: bool,
    /// What this step makes of it, unless it is refused.
    next: Option<bool>,
    silenced: BTreeSet<u64>,
    last: u64,
}

fn number(pcm: &Pcm) -> Option<u64> {
    let bytes: [u8; 8] = pcm.0.get(..8)?.try_into().ok()?;
    Some(u64::from_le_bytes(bytes)).filter(|number| *number > 0)
}

impl Claim for Mutes {
    fn on_input(&mut self, thread: ThreadId, input: &Input) -> Result<(), String> {
        let of = self.threads.entry(thread).or_default();
        let pcm = match input {
            Input::Op(_, Op::RealtimeMute { muted, .. }) => {
                of.next = Some(*muted);
                return Ok(());
            }
            Input::Op(_, Op::RealtimeAudio { pcm, .. })
            | Input::Reply(_, Reply::Audio(AudioNews::Captured(pcm))) => pcm,
            _ => {
                if let Some(RealtimeStart { muted, .. }) = start(input) {
                    of.next = Some(*muted);
                }
                return Ok(());
            }
        };
        if of.muted
            && let Some(number) = number(pcm)
        {
            of.silenced.insert(number);
        }
        Ok(())
    }

    fn on_output(&mut self, thread: ThreadId, output: &Output) -> Result<(), String> {
        let of = self.threads.entry(thread).or_default();
        if is_refused(output) {
            of.next = None;
        }
        if let Some(number) = audio(output).and_then(number) {
            if of.silenced.contains(&number) {
                return Err(format!("audio {number} was captured while muted"));
            }
            if number <= of.last {
                return Err(format!("audio {number} after {}", of.last));
            }
            of.last = number;
        }
        // A device that is opened muted, or told to be, is the promise to those who do not look.
        if let Output::Effect(Effect { kind: EffectKind::Microphone { state, .. }, .. }) = output
            && of.next.unwrap_or(of.muted)
            && *state == MicrophoneState::On
        {
            return Err("a muted microphone is opened".into());
        }
        if let Some(RealtimeNews::Muted(muted)) = news(output).map(|event| &event.news)
            && *muted != of.next.unwrap_or(of.muted)
        {
            return Err(format!("told that it is {muted}"));
        }
        Ok(())
    }

    fn after_step(&mut self, thread: ThreadId) -> Result<(), String> {
        let of = self.threads.entry(thread).or_default();
        of.muted = of.next.take().unwrap_or(of.muted);
        Ok(())
    }
}
