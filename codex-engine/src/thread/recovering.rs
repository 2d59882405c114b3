//! What a crash left behind: calls without an output, and patches that may be half applied. Their
//! files are read, within a deadline, so that the model is told what is in place.

use codex_proto::{
    EffectId, EffectKind, HostErrorKind, Mono, Reply, ThreadId, effect::Digest, item::ResponseItem,
    rollout::PatchedFile,
};

use super::{early::Early, shared::Shared};
use crate::{
    limits::{PATCH_FILE_BYTES_MAX, PROJECT_MS},
    machine::{Cx, Part},
    rollout::{restore::Restored, resume::OpenCall},
};

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Recovering {
    pub(super) shared: Box<Shared>,
    calls: Vec<OpenCall>,
    /// Per file of all calls in order: what is there now.
    found: Vec<Found>,
    until: Mono,
    pub(super) early: Early,
    pub(super) past: Past,
}

/// Where a thread comes from.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    /// Whether the thread continues a rollout.
    pub(super) resumed: bool,
    /// Whose rollout it begins with.
    pub(super) forked_from: Option<ThreadId>,
    /// What it tells again; `None` when nobody is there or it has no past.
    pub(super) restored: Option<Restored>,
}

#[derive(Clone, Debug)]
enum Found {
    Known(Option<String>),
    Reading { effect: EffectId, bytes: Vec<u8> },
    Unknown,
}

impl Recovering {
    /// Reads the files of the patches among `calls`.
    pub(super) fn start(
        shared: Shared,
        calls: Vec<OpenCall>,
        early: Early,
        past: Past,
        cx: &mut Cx<'_>,
    ) -> Self {
        let mut found = Vec::new();
        for PatchedFile { path, .. } in calls.iter().flat_map(|open| &open.files) {
            let Ok(file) = u16::try_from(found.len()) else { break };
            let effect = cx.start(
                Part::Recovery { file },
                EffectKind::Read { path: path.clone(), bytes_max: PATCH_FILE_BYTES_MAX },
            );
            found.push(Found::Reading { effect, bytes: Vec::new() });
        }
        let until = cx.now.mono.after_ms(PROJECT_MS);
        Self { shared: Box::new(shared), calls, found, until, early, past }
    }

    pub(super) fn deadline(&self) -> (Mono, &'static str) {
        (self.until, "read patched files")
    }

    /// Answers every call that was left open.
    pub(super) fn answer(&mut self, cx: &mut Cx<'_>) {
        let mut found = std::mem::take(&mut self.found).into_iter();
        for open in &std::mem::take(&mut self.calls) {
            let text = recovered(open, &mut found);
            self.shared.record(ResponseItem::output(&open.call, &text), cx);
        }
    }

    pub(super) fn on_reply(&mut self, part: Part, reply: Reply) {
        let Part::Recovery { file } = part else { return };
        let Some(found) = self.found.get_mut(usize::from(file)) else { return };
        let Found::Reading { bytes, .. } = found else { return };
        match reply {
            Reply::Bytes(more) => bytes.extend_from_slice(&more),
            Reply::Closed => *found = Found::Known(Some(Digest::of(bytes).to_string())),
            Reply::Failed(error) if error.kind == HostErrorKind::NotFound => {
                *found = Found::Known(None);
            }
            Reply::Failed(_) => *found = Found::Unknown,
            // The grammar of a read has nothing else.
            _ => {}
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.found.iter().any(|found| matches!(found, Found::Reading { .. }))
    }

    /// Goes on without the files that are late.
    pub(super) fn on_wake(&mut self, cx: &mut Cx<'_>) {
        if self.until > cx.now.mono {
            return;
        }
        for found in &mut self.found {
            if let Found::Reading { effect, .. } = found {
                cx.cancel(*effect);
                *found = Found::Unknown;
            }
        }
    }
}

/// What the model is told about a call that a crash left open.
fn recovered(open: &OpenCall, found: &mut impl Iterator<Item = Found>) -> String {
    if open.files.is_empty() {
        return "aborted: the agent was stopped while this ran, so it may have done a part of its \
                work; look before you repeat it"
            .into();
    }
    let mut text = String::from(
        "aborted: the agent was stopped while this patch was applied. Each file is wholly old or \
         wholly new:",
    );
    for (PatchedFile { path, before, after }, found) in open.files.iter().zip(found) {
        let state = match found {
            Found::Known(digest) if digest == *after => "new",
            Found::Known(digest) if digest == *before => "old",
            Found::Known(_) => "changed by something else since",
            Found::Reading { .. } | Found::Unknown => "could not be read",
        };
        text.push_str(&format!("\n{}: {state}", path.display()));
    }
    text
}
