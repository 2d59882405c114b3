//! Connections that were made ahead and wait for whom they were made for.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use codex_proto::effect::PreconnectPurpose;

use crate::{target::Origin, wire::Wire};

/// Connections that wait at a time; the oldest goes first.
const KEPT_MAX: usize = 8;

/// The waiting connections.
#[derive(Debug, Default)]
pub(crate) struct Warm {
    kept: Mutex<Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    purpose: PreconnectPurpose,
    origin: Origin,
    wire: Wire,
    until: Instant,
}

impl Warm {
    /// Keeps a connection.
    pub(crate) fn put(
        &self,
        purpose: PreconnectPurpose,
        origin: Origin,
        wire: Wire,
        until: Instant,
    ) {
        let mut kept = self.lock();
        if kept.len() == KEPT_MAX {
            kept.remove(0);
        }
        kept.push(Kept { purpose, origin, wire, until });
    }

    /// Takes the youngest connection to this origin that is still up.
    pub(crate) fn take(&self, purpose: PreconnectPurpose, origin: &Origin) -> Option<Wire> {
        let mut kept = self.lock();
        let now = Instant::now();
        kept.retain(|one| one.until > now);
        loop {
            let mine = |one: &Kept| one.purpose == purpose && one.origin == *origin;
            let index = kept.iter().rposition(mine)?;
            let mut wire = kept.remove(index).wire;
            if wire.is_open() {
                return Some(wire);
            }
        }
    }

    /// Closes those that nobody took in time.
    pub(crate) fn purge(&self) {
        let now = Instant::now();
        self.lock().retain(|one| one.until > now);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
