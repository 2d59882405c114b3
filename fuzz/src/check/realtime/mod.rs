//! Claims about conversations by voice, one file each. They see every input and every output with
//! the thread that it is about.

mod answer;
mod closing;
mod delegation;
mod join;
mod mute;
mod order;
mod response;
mod sending;
mod stopped;
mod tail;
mod transcript;
mod truncate;

use std::collections::BTreeMap;

use codex_proto::{
    Effect, EffectId, EffectKind, Event, Input, Op, Output, Reply, ThreadId,
    effect::{ChannelNews, Pcm, SocketMessage},
    realtime::RealtimeEvent,
    settings::HeaderValue,
};
use serde_json::Value;

use super::Check;

/// A claim about the conversations of one thread after the other.
trait Claim {
    fn on_input(&mut self, _thread: ThreadId, _input: &Input) -> Result<(), String> {
        Ok(())
    }

    fn on_output(&mut self, _thread: ThreadId, _output: &Output) -> Result<(), String> {
        Ok(())
    }

    /// Time passes.
    fn on_wake(&mut self) {}

    /// All outputs of the last input came.
    fn after_step(&mut self, _thread: ThreadId) -> Result<(), String> {
        Ok(())
    }
}

/// All of them.
pub(super) struct Realtime {
    claims: Vec<(&'static str, Box<dyn Claim>)>,
    /// Whose effects are whose.
    threads: BTreeMap<EffectId, ThreadId>,
    /// The thread of the input.
    thread: Option<ThreadId>,
}

impl Default for Realtime {
    fn default() -> Self {
        Self {
            claims: vec![
                ("answer", Box::<answer::Answers>::default()),
                ("closing", Box::<closing::Closings>::default()),
                ("delegation", Box::<delegation::Delegations>::default()),
                ("join", Box::<join::Joins>::default()),
                ("mute", Box::<mute::Mutes>::default()),
                ("order", Box::<order::Order>::default()),
                ("response", Box::<response::Responses>::default()),
                ("sending", Box::<sending::Sending>::default()),
                ("stopped", Box::<stopped::Stopped>::default()),
                ("tail", Box::<tail::Tails>::default()),
                ("transcript", Box::<transcript::Transcripts>::default()),
                ("truncate", Box::<truncate::Truncates>::default()),
            ],
            threads: BTreeMap::new(),
            thread: None,
        }
    }
}

impl Realtime {
    fn each(
        &mut self,
        mut ask: impl FnMut(&mut dyn Claim) -> Result<(), String>,
    ) -> Result<(), String> {
        for (name, claim) in &mut self.claims {
            ask(claim.as_mut()).map_err(|why| format!("voice {name}: {why}"))?;
        }
        Ok(())
    }
}

impl Check for Realtime {
    fn on_input(&mut self, input: &Input) -> Result<(), String> {
        if let Some(thread) = self.thread.take() {
            self.each(|claim| claim.after_step(thread))?;
        }
        self.thread = match input {
            Input::Op(_, op) => op.thread(),
            Input::Reply(id, _) => self.threads.get(id).copied(),
            Input::Wake => None,
        };
        if *input == Input::Wake {
            self.claims.iter_mut().for_each(|(_, claim)| claim.on_wake());
        }
        match self.thread {
            Some(thread) => self.each(|claim| claim.on_input(thread, input)),
            None => Ok(()),
        }
    }

    fn on_output(&mut self, output: &Output) -> Result<(), String> {
        let thread = match output {
            Output::Event(event) => thread_of_event(event),
            Output::Effect(effect) => thread_of_effect(effect, &self.threads),
        };
        let Some(thread) = thread.or(self.thread) else { return Ok(()) };
        if let Output::Effect(effect) = output {
            self.threads.insert(effect.id, thread);
        }
        self.each(|claim| claim.on_output(thread, output))
    }
}

fn thread_of_event(event: &Event) -> Option<ThreadId> {
    match event {
        Event::Realtime(event) => Some(event.thread),
        Event::ItemCompleted { thread, .. } | Event::ThreadStopped { thread } => Some(*thread),
        _ => None,
    }
}

fn thread_of_effect(effect: &Effect, threads: &BTreeMap<EffectId, ThreadId>) -> Option<ThreadId> {
    let of_headers = |headers: &[(String, HeaderValue)]| {
        headers.iter().find_map(|(name, value)| match value {
            HeaderValue::Plain(value) if name == "thread-id" => value.parse().ok(),
            _ => None,
        })
    };
    let of = |id: &EffectId| threads.get(id).copied();
    match &effect.kind {
        EffectKind::AudioPlay(play) => of(&play.audio),
        EffectKind::Cancel(id)
        | EffectKind::Microphone { target: id, .. }
        | EffectKind::PlaybackClear { target: id } => of(id),
        EffectKind::Http(request) => of_headers(&request.headers),
        EffectKind::RtcAnswer(answer) => of(&answer.rtc),
        EffectKind::RtcSend(send) => of(&send.rtc),
        EffectKind::Send(send) => of(&send.socket),
        EffectKind::Socket(request) => of_headers(&request.headers),
        _ => None,
    }
}

/// News of a conversation.
fn news(output: &Output) -> Option<&RealtimeEvent> {
    match output {
        Output::Event(Event::Realtime(event)) => Some(event),
        _ => None,
    }
}

/// Whether a request creates a call.
fn is_call(effect: &Effect) -> bool {
    matches!(&effect.kind, EffectKind::Http(request) if super::is_call(request))
}

/// A text that leaves, and over what.
fn text(output: &Output) -> Option<(EffectId, Value)> {
    let Output::Effect(effect) = output else { return None };
    let (line, text) = match &effect.kind {
        EffectKind::RtcSend(send) => (send.rtc, &send.text),
        EffectKind::Send(send) => match &send.message {
            SocketMessage::Text(text) => (send.socket, text),
            SocketMessage::Audio { .. } | SocketMessage::Close => return None,
        },
        _ => return None,
    };
    Some((line, serde_json::from_str(text).unwrap_or_default()))
}

/// Audio that leaves.
fn audio(output: &Output) -> Option<&Pcm> {
    match output {
        Output::Effect(Effect { kind: EffectKind::Send(send), .. }) => match &send.message {
            SocketMessage::Audio { pcm, .. } => Some(pcm),
            SocketMessage::Close | SocketMessage::Text(_) => None,
        },
        _ => None,
    }
}

/// What the service says.
fn said(input: &Input) -> Option<(EffectId, Value)> {
    match input {
        Input::Reply(id, Reply::Bytes(bytes) | Reply::Channel(ChannelNews::Text(bytes))) => {
            Some((*id, serde_json::from_slice(bytes).unwrap_or_default()))
        }
        _ => None,
    }
}

/// A member of an object.
fn member<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The start that an input asks for.
fn start(input: &Input) -> Option<&codex_proto::realtime::RealtimeStart> {
    match input {
        Input::Op(_, Op::RealtimeStart(start)) => Some(start),
        _ => None,
    }
}

/// Whether the op of this step was refused.
fn is_refused(output: &Output) -> bool {
    matches!(output, Output::Event(Event::Refused { .. }))
}
