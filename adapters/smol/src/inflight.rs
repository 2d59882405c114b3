//! The effects whose replies are awaited.
//!
//! Each has a channel of its own; they are polled in rotation, so that one busy stream does not
//! starve another. There are dozens at most, so a plain vector is enough. A channel that ends
//! without a terminal reply gets one here: the engine is never left waiting.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use codex_proto::{EffectId, EffectKind, HostError, HostErrorKind, Reply, effect::Grammar};
use smol::{channel::Receiver, stream::Stream};

/// Which executor an effect was given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    File,
    Http,
    Media,
    Process,
    Socket,
}

#[derive(Default)]
pub(crate) struct Inflight {
    entries: Vec<Entry>,
    /// Where the next poll begins.
    turn: usize,
}

struct Entry {
    id: EffectId,
    name: &'static str,
    family: Family,
    grammar: Grammar,
    replies: Pin<Box<Receiver<Reply>>>,
}

impl Inflight {
    pub(crate) fn insert(
        &mut self,
        id: EffectId,
        kind: &EffectKind,
        family: Family,
        replies: Receiver<Reply>,
    ) {
        let Some(grammar) = Grammar::of(kind) else { return };
        let name = kind.name();
        self.entries.push(Entry { id, name, family, grammar, replies: Box::pin(replies) });
    }

    pub(crate) fn family(&self, id: EffectId) -> Option<Family> {
        self.entries.iter().find(|entry| entry.id == id).map(|entry| entry.family)
    }

    pub(crate) fn ids(&self) -> Vec<(EffectId, Family)> {
        self.entries.iter().map(|entry| (entry.id, entry.family)).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The next reply of any effect. Pending also when there are no effects.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(EffectId, Reply)> {
        let count = self.entries.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            let entry = &mut self.entries[index];
            let Poll::Ready(reply) = entry.replies.as_mut().poll_next(cx) else { continue };
            let reply = reply.unwrap_or_else(|| {
                let message = format!("the {} adapter ended without an answer", entry.name);
                Reply::Failed(HostError::new(HostErrorKind::Other, message))
            });
            let (id, name) = (entry.id, entry.name);
            if let Err(error) = entry.grammar.on(&reply) {
                tracing::error!(%id, name, %error, "an adapter broke its reply grammar");
                debug_assert!(false, "{id} ({name}): {reply:?}: {error}");
            }
            if reply.is_terminal() {
                self.entries.remove(index);
                self.turn = index;
            } else {
                self.turn = index + 1;
            }
            return Poll::Ready((id, reply));
        }
        Poll::Pending
    }
}
