//! What every machine shares: the outbox, the routing of replies, the context of a step.

use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroU64,
    path::PathBuf,
};

use codex_proto::{
    CommandId, Effect, EffectId, EffectKind, Event, Mono, Now, Output, Settings, ThreadId,
};

use crate::rng::Rng;

/// Index of a thread in the engine; never reused.
pub(crate) type Slot = u32;

/// Which machine of a thread an effect's replies go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The rollout log.
    Append,
    /// A command.
    Command(CommandId),
    /// An image of a prompt: the prompt's number and the image's index.
    Image { prompt: u64, part: u16 },
    /// The stream of the model.
    Model,
    /// The project query of a starting thread.
    Project,
    /// The claim on the rollout of a resuming thread.
    Claim,
    /// The rollout of a resuming thread.
    Resume,
    /// The shell snapshot.
    Snapshot,
    /// A leg of a conversation by voice, and its effect.
    Realtime(Leg, EffectId),
    /// A tool run: its number and the index of the file it reads, if it reads.
    Tool { run: u32, file: u16 },
    /// A file whose state is checked after a crash.
    Recovery { file: u16 },
}

/// What of a conversation by voice an effect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leg {
    /// Microphone and speaker without a peer.
    Audio,
    /// The request that creates a call.
    Call,
    /// Our peer.
    Peer,
    /// A connection for later.
    Preconnect,
    /// The socket.
    Socket,
    /// What the user has been working on.
    Survey,
}

/// Where the replies of an effect go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Nobody waits; the terminal reply is still counted.
    Abandoned,
    /// A part of a thread.
    Thread(Slot, Part),
}

/// A state change of one machine. Each is a row of the table that opens the machine's module;
/// `docs/machines` shows them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Move {
    /// Which kind of machine, e.g. `turn`.
    pub machine: &'static str,
    /// The state that was left; `(new)` for a machine that came to be.
    pub from: &'static str,
    /// Why.
    pub on: &'static str,
    /// The state that was entered; in parentheses when the machine is no more.
    pub to: &'static str,
}

/// The state of a machine that does not exist yet.
pub(crate) const NEW: &str = "(new)";

/// Everything that leaves the engine, and who waits for what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) queue: VecDeque<Output>,
    /// State changes of the last input.
    pub(crate) moves: Vec<Move>,
    inflight: BTreeMap<EffectId, Owner>,
    /// Responses that are read to their end for the sake of the connection, and until when.
    lingering: Vec<(EffectId, Mono)>,
    last_id: u64,
    /// The threads that are open, or about to be.
    threads: BTreeMap<ThreadId, Slot>,
}

impl Outbox {
    /// Takes an id for the thread of a slot. `false` when another one has it.
    pub(crate) fn take_id(&mut self, thread: ThreadId, slot: Slot) -> bool {
        *self.threads.entry(thread).or_insert(slot) == slot
    }

    fn next_id(&mut self) -> EffectId {
        self.last_id += 1;
        // Invariant: counts from 1 and would need 2^64 effects to wrap.
        EffectId(NonZeroU64::new(self.last_id).unwrap_or(NonZeroU64::MAX))
    }

    /// Who waits for a reply; a terminal reply removes the entry.
    pub(crate) fn owner(&mut self, id: EffectId, terminal: bool) -> Option<Owner> {
        if !terminal {
            return self.inflight.get(&id).copied();
        }
        self.lingering.retain(|(lingering, _)| *lingering != id);
        self.inflight.remove(&id)
    }

    pub(crate) fn inflight(&self) -> usize {
        self.inflight.len()
    }

    fn abandon(&mut self, id: EffectId) -> bool {
        self.inflight.get_mut(&id).is_some_and(|owner| {
            let live = *owner != Owner::Abandoned;
            *owner = Owner::Abandoned;
            live
        })
    }

    fn push_effect(&mut self, kind: EffectKind) -> EffectId {
        let id = self.next_id();
        self.queue.push_back(Output::Effect(Effect { id, kind }));
        id
    }

    /// Ends everything that an ended thread still waits for.
    pub(crate) fn abandon_thread(&mut self, slot: Slot) {
        self.threads.retain(|_, of| *of != slot);
        let ids: Vec<EffectId> = self
            .inflight
            .iter()
            .filter(|(_, owner)| matches!(owner, Owner::Thread(of, _) if *of == slot))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.abandon(id);
            self.push_effect(EffectKind::Cancel(id));
        }
    }

    pub(crate) fn linger_deadline(&self) -> Option<Mono> {
        self.lingering.iter().map(|(_, until)| *until).min()
    }

    /// Cuts responses that did not close in time.
    pub(crate) fn cut_lingering(&mut self, now: Mono) {
        while let Some(at) = self.lingering.iter().position(|(_, until)| *until <= now) {
            let (id, _) = self.lingering.swap_remove(at);
            self.push_effect(EffectKind::Cancel(id));
        }
    }
}

/// What a machine of a thread may touch while it handles one input.
pub(crate) struct Cx<'a> {
    pub(crate) now: Now,
    /// Of the thread: it may be configured otherwise than others.
    pub(crate) settings: &'a Settings,
    pub(crate) rng: &'a mut Rng,
    pub(crate) slot: Slot,
    pub(crate) thread: ThreadId,
    pub(crate) out: &'a mut Outbox,
}

impl Cx<'_> {
    /// Starts an effect whose replies come back to `part` of this thread.
    pub(crate) fn start(&mut self, part: Part, kind: EffectKind) -> EffectId {
        let id = self.out.push_effect(kind);
        self.out.inflight.insert(id, Owner::Thread(self.slot, part));
        id
    }

    /// Starts an effect of a conversation by voice.
    pub(crate) fn start_leg(&mut self, leg: Leg, kind: EffectKind) -> EffectId {
        let id = self.out.push_effect(kind);
        self.out.inflight.insert(id, Owner::Thread(self.slot, Part::Realtime(leg, id)));
        id
    }

    /// Lets another process write a rollout; nobody waits until that is so.
    pub(crate) fn release(&mut self, path: PathBuf) {
        let id = self.out.push_effect(EffectKind::Release { thread: self.thread, path });
        self.out.inflight.insert(id, Owner::Abandoned);
    }

    /// Asks for an effect that has no reply.
    pub(crate) fn tell(&mut self, kind: EffectKind) {
        self.out.push_effect(kind);
    }

    /// Ends an effect early: its remaining replies are swallowed, its terminal one awaited.
    pub(crate) fn cancel(&mut self, id: EffectId) {
        if self.out.abandon(id) {
            self.tell(EffectKind::Cancel(id));
        }
    }

    /// Loses interest in an effect that is about to end by itself, and cuts it after `ms`.
    pub(crate) fn linger(&mut self, id: EffectId, ms: u64) {
        if self.out.abandon(id) {
            self.out.lingering.push((id, self.now.mono.after_ms(ms)));
        }
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.out.queue.push_back(Output::Event(event));
    }

    /// Notes a state change.
    pub(crate) fn moved(
        &mut self,
        machine: &'static str,
        from: &'static str,
        on: &'static str,
        to: &'static str,
    ) {
        self.out.moves.push(Move { machine, from, on, to });
    }

    pub(crate) fn warn(&mut self, message: impl Into<String>) {
        let thread = Some(self.thread);
        self.emit(Event::Warning { thread, message: message.into() });
    }
}
