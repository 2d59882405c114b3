//! Claim: a conversation that ends with an open socket says goodbye on it, in V3 by `session.close`,
//! too, and does not cut it in the same step.

use std::collections::{BTreeMap, BTreeSet};

use codex_proto::{
    Effect, EffectId, EffectKind, Input, Output, Reply, ThreadId,
    effect::SocketMessage,
    realtime::{RealtimeNews, RealtimeVersion},
};

use super::{Claim, member, news, text};

#[derive(Default)]
pub(super) struct Closings {
    threads: BTreeMap<ThreadId, Lines>,
}

#[derive(Default)]
struct Lines {
    version: Option<RealtimeVersion>,
    sockets: BTreeSet<EffectId>,
    open: BTreeSet<EffectId>,
    closed: BTreeSet<EffectId>,
    goodbyes: BTreeSet<EffectId>,
    /// In this step; and so were said goodbye to.
    cut: BTreeSet<EffectId>,
    parting: BTreeSet<EffectId>,
}

impl Claim for Closings {
    fn on_input(&mut self, thread: ThreadId, input: &Input) -> Result<(), String> {
        let lines = self.threads.entry(thread).or_default();
        lines.cut.clear();
        lines.parting.clear();
        if let Input::Reply(id, reply) = input
            && lines.sockets.contains(id)
        {
            if *reply == Reply::Opened {
                lines.open.insert(*id);
            } else if reply.is_terminal() {
                lines.open.remove(id);
            }
        }
        Ok(())
    }

    fn on_output(&mut self, thread: ThreadId, output: &Output) -> Result<(), String> {
        let lines = self.threads.entry(thread).or_default();
        if let Some((line, value)) = text(output) {
            if lines.closed.contains(&line) {
                return Err(format!("{value} after the goodbye"));
            }
            if member(&value, "type") == "session.close" {
                lines.goodbyes.insert(line);
            }
        }
        if let Output::Effect(effect) = output {
            match &effect.kind {
                EffectKind::Socket(_) => drop(lines.sockets.insert(effect.id)),
                EffectKind::Cancel(id) => {
                    lines.cut.insert(*id);
                    lines.open.remove(id);
                    // It may still answer, but nobody hears it.
                    lines.sockets.remove(id);
                }
                EffectKind::Send(send) if send.message == SocketMessage::Close => {
                    lines.closed.insert(send.socket);
                    lines.parting.insert(send.socket);
                }
                _ => {}
            }
        }
        match news(output).map(|event| &event.news) {
            Some(RealtimeNews::Started { version, .. }) => lines.version = Some(*version),
            Some(RealtimeNews::Closed { .. }) => {
                for socket in lines.open.iter().chain(&lines.cut) {
                    if lines.open.contains(socket) && !lines.closed.contains(socket) {
                        return Err(format!("socket {socket} got no goodbye"));
                    }
                    // One of an earlier conversation may be late to go when this one ends.
                    if lines.cut.contains(socket) && lines.parting.contains(socket) {
                        return Err(format!("socket {socket} was cut with its goodbye"));
                    }
                    let is_v3 = lines.version == Some(RealtimeVersion::V3);
                    if is_v3 && lines.open.contains(socket) && !lines.goodbyes.contains(socket) {
                        return Err(format!("session of {socket} was not closed"));
                    }
                }
                // Later conversations have sockets of their own.
                lines.open.retain(|socket| !lines.closed.contains(socket));
            }
            _ => {}
        }
        if let Output::Effect(Effect { kind: EffectKind::Send(send), .. }) = output
            && send.message != SocketMessage::Close
            && !lines.open.contains(&send.socket)
        {
            return Err(format!("a message over {}, which is not open", send.socket));
        }
        Ok(())
    }
}
