//! What is asked: ops of the front end, effects of the engine.

use codex_proto::{
    Effect, EffectKind, Op,
    effect::{FileWrite, Method, Signal},
    op::{Delivery, PromptPart},
};

use super::{Lifeline, Mood, Open, Teller, What, voice};
use crate::debug::timeline::text::{bytes, count, one_line};

impl Teller {
    pub(super) fn op(&mut self, op: &Op) {
        match op {
            Op::Interrupt { .. } => self.ask(Mood::Strong, "interrupt"),
            Op::Prompt(prompt) => {
                let parts: Vec<&str> = prompt
                    .content
                    .iter()
                    .map(|part| match part {
                        PromptPart::Image { .. } => "[image]",
                        PromptPart::Text(text) => text,
                    })
                    .collect();
                let is_busy = self.turns.contains_key(&prompt.thread);
                let how = match prompt.delivery {
                    _ if !is_busy => "prompt",
                    Delivery::FollowUp => "follow-up",
                    Delivery::Steer => "steer",
                };
                self.ask(Mood::Strong, format!("{how} “{}”", parts.join(" ").trim()));
            }
            Op::ResumeThread { path } => {
                self.ask(Mood::Plain, format!("resume {}", path.display()));
            }
            Op::Approve { answer, .. } => {
                self.ask(Mood::Strong, format!("answer: {}", answer.as_str()));
            }
            Op::Configure(_) => self.ask(Mood::Plain, "configure"),
            Op::ForkThread { path, .. } => {
                self.ask(Mood::Plain, format!("fork {}", path.display()));
            }
            Op::RealtimeAudio { .. }
            | Op::RealtimeMute { .. }
            | Op::RealtimePrepare { .. }
            | Op::RealtimeSpeech { .. }
            | Op::RealtimeStart(_)
            | Op::RealtimeStop { .. }
            | Op::RealtimeText { .. } => self.voice_op(op),
            Op::ResizeCommand { size, .. } => {
                self.ask(Mood::Faint, format!("resize to {}×{}", size.columns, size.rows));
            }
            Op::RunCommand { script, .. } => self.ask(Mood::Plain, format!("!{script}")),
            Op::StopCommands { .. } => self.ask(Mood::Plain, "stop commands"),
            Op::StartThread => self.ask(Mood::Plain, "start thread"),
            Op::StopThread { .. } => self.ask(Mood::Plain, "stop thread"),
        }
    }

    pub(super) fn effect(&mut self, effect: &Effect) {
        use Lifeline::{Call, Commands, Disk, Model};
        let id = effect.id;
        match &effect.kind {
            EffectKind::Append(append) => {
                let lines = append.bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
                self.count("rollout line", lines);
                self.lines += lines;
                let name = format!("append {}", count(lines, "line"));
                let mut open = Open::new(Disk, What::Append { lines }, name);
                open.row = self.rows.len().saturating_sub(1);
                open.since_us = self.at_us;
                self.open.insert(id, open);
            }
            EffectKind::Cancel(target) => {
                let (lifeline, name) = self.target(*target);
                if let Some(open) = self.open.get_mut(target) {
                    open.is_cancelled = true;
                }
                self.arrow(Lifeline::Engine, lifeline, Mood::Plain, format!("cancel {name}"));
            }
            EffectKind::Flush(target) => {
                let (lifeline, name) = self.target(*target);
                let text = format!("output so far of {name}?");
                self.arrow(Lifeline::Engine, lifeline, Mood::Faint, text);
            }
            EffectKind::Http(request) => {
                let lifeline = if voice::is_call(&request.url) { Call } else { Model };
                if lifeline == Model {
                    self.count("request", 1);
                }
                let method = match request.method {
                    Method::Get => "GET",
                    Method::Post => "POST",
                };
                let name = format!("{method} {}", path_of(&request.url));
                let size = match request.body.len() {
                    0 => String::new(),
                    size => format!(" {}", bytes(size as u64)),
                };
                self.start(id, lifeline, What::Http, name, &size);
            }
            EffectKind::Image { path } => {
                self.start(id, Disk, What::Other, format!("image {}", path.display()), "");
            }
            EffectKind::AudioOpen(_)
            | EffectKind::AudioPlay(_)
            | EffectKind::Microphone { .. }
            | EffectKind::PlaybackClear { .. }
            | EffectKind::Preconnect(_)
            | EffectKind::RtcAnswer(_)
            | EffectKind::RtcOpen(_)
            | EffectKind::RtcSend(_)
            | EffectKind::Send(_)
            | EffectKind::Socket(_) => self.voice_effect(effect),
            EffectKind::Release { .. } | EffectKind::Resize { .. } => {}
            EffectKind::Survey(_) => {
                self.start(id, Disk, What::Other, "look at recent work".into(), "");
            }
            EffectKind::Patch(patch) => {
                self.count("patch", 1);
                let name = match &patch.files[..] {
                    [FileWrite { path, .. }] => match path.file_name() {
                        Some(name) => format!("patch {}", name.to_string_lossy()),
                        None => format!("patch {}", path.display()),
                    },
                    files => format!("patch {}", count(files.len() as u64, "file")),
                };
                self.start(id, Disk, What::Other, name, "");
            }
            EffectKind::Project(_) => {
                self.start(id, Disk, What::Other, "look at the project".into(), "");
            }
            EffectKind::Read { path, .. } => {
                self.start(id, Disk, What::Other, format!("read {}", path.display()), "");
            }
            EffectKind::Signal { spawn, signal } => {
                let (lifeline, name) = self.target(*spawn);
                let signal = match signal {
                    Signal::Interrupt => "SIGINT",
                    Signal::Kill => "SIGKILL",
                    Signal::Terminate => "SIGTERM",
                };
                self.arrow(Lifeline::Engine, lifeline, Mood::Plain, format!("{signal} to {name}"));
            }
            EffectKind::Snapshot(_) => {
                self.start(id, Commands, What::Other, "snapshot of the shell".into(), "");
            }
            EffectKind::Spawn(spawn) => {
                self.count("command", 1);
                let name = match &spawn.argv[..] {
                    [_, flag, script] if flag.starts_with('-') && flag.ends_with('c') => {
                        script.clone()
                    }
                    argv => argv.join(" "),
                };
                self.start(id, Commands, What::Spawn, format!("exec {}", one_line(&name)), "");
            }
            EffectKind::Stdin { spawn, bytes } => {
                let (lifeline, _) = self.target(*spawn);
                let text = format!("type {:?}", String::from_utf8_lossy(bytes));
                self.arrow(Lifeline::Engine, lifeline, Mood::Plain, text);
            }
        }
    }
}

/// A URL without scheme, host and query.
pub(super) fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or(path)
}
