//! Files: a workspace, rollouts, and a disk that may be full.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use codex_proto::{
    EffectKind, HostError, HostErrorKind, Reply,
    effect::{Digest, FilePatch, ProjectDoc, ProjectInfo},
};

use super::Replies;
use crate::{
    dice::Dice,
    fault::{Fault, Swarm},
};

/// The disk.
#[derive(Clone, Debug)]
pub struct Files {
    /// Contents by path.
    pub contents: BTreeMap<PathBuf, Vec<u8>>,
    /// Writes that will fail because the disk is full.
    full_for: u64,
    /// Rollouts that the engine's process has; no other one can have them.
    ours: BTreeSet<PathBuf>,
}

impl Default for Files {
    fn default() -> Self {
        let contents = [("/w/a.txt", "one\n"), ("/w/b.txt", "b\n")];
        Self {
            contents: contents
                .iter()
                .map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()))
                .collect(),
            full_for: 0,
            ours: BTreeSet::new(),
        }
    }
}

impl Files {
    /// Carries out an effect; the caller delivers the replies. `None` for effects that are not
    /// about files.
    pub fn on(&mut self, kind: &EffectKind, swarm: &Swarm, rng: &mut Dice) -> Option<Replies> {
        let delay =
            if swarm.strikes(Fault::Slow, rng) { rng.u64(0..3_000) } else { rng.u64(0..10) };
        let failed = |kind, text: &str| Reply::Failed(HostError::new(kind, text));
        let replies = match kind {
            EffectKind::Append(append) => {
                if swarm.strikes(Fault::Full, rng) {
                    self.full_for = rng.u64(1..20);
                }
                // Without faults somebody has made room.
                let is_full = self.full_for > 0 && swarm.has(Fault::Full);
                self.full_for = self.full_for.saturating_sub(1);
                let is_taken =
                    swarm.strikes(Fault::Taken, rng) && !self.ours.contains(&append.path);
                let is_claim = append.bytes.is_empty();
                if is_claim && is_taken {
                    vec![(delay, failed(HostErrorKind::InUse, "it is open in process 7"))]
                } else if is_full || swarm.strikes(Fault::Disk, rng) {
                    vec![(delay, failed(HostErrorKind::DiskFull, "no space left on device"))]
                } else if is_claim && !self.contents.contains_key(&append.path) {
                    vec![(delay, failed(HostErrorKind::NotFound, "no such file"))]
                } else {
                    self.ours.insert(append.path.clone());
                    let file = self.contents.entry(append.path.clone()).or_default();
                    // As the host does: a torn line is ended first.
                    if !is_claim && file.last().is_some_and(|byte| *byte != b'\n') {
                        file.push(b'\n');
                    }
                    file.extend_from_slice(&append.bytes);
                    vec![(delay, Reply::Closed)]
                }
            }
            EffectKind::Read { path, .. } => match self.contents.get(path) {
                Some(bytes) => {
                    let cut = rng.usize(0..=bytes.len());
                    vec![
                        (delay, Reply::Bytes(bytes[..cut].to_vec())),
                        (1, Reply::Bytes(bytes[cut..].to_vec())),
                        (1, Reply::Closed),
                    ]
                }
                None => vec![(delay, failed(HostErrorKind::NotFound, "no such file"))],
            },
            EffectKind::Release { path, .. } => {
                self.ours.remove(path);
                vec![(delay, Reply::Closed)]
            }
            EffectKind::Image { path } => {
                if rng.bool() {
                    vec![
                        (delay, Reply::Bytes(b"data:image/png;base64,AA".to_vec())),
                        (0, Reply::Closed),
                    ]
                } else {
                    let text = format!("{} is no image", path.display());
                    vec![(delay, failed(HostErrorKind::Other, &text))]
                }
            }
            EffectKind::Patch(patch) => vec![(delay, self.patch(patch, swarm, rng))],
            EffectKind::Project(_) => {
                if swarm.strikes(Fault::Disk, rng) {
                    vec![(delay, failed(HostErrorKind::Permission, "permission denied"))]
                } else {
                    let doc = ProjectDoc {
                        path: "/w/AGENTS.md".into(),
                        text: "be kind".into(),
                        bytes: 7,
                    };
                    let info = ProjectInfo { docs: vec![doc], ..ProjectInfo::default() };
                    vec![(delay, Reply::Project(Box::new(info))), (0, Reply::Closed)]
                }
            }
            EffectKind::Snapshot(_) => {
                if rng.bool() {
                    vec![(delay, Reply::Closed)]
                } else {
                    vec![(delay, failed(HostErrorKind::TimedOut, "the shell took too long"))]
                }
            }
            _ => return None,
        };
        Some(replies)
    }

    /// The rollouts on the disk.
    #[must_use]
    pub fn rollouts(&self) -> Vec<PathBuf> {
        let is_rollout = |path: &&PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rollout-"))
        };
        self.contents.keys().filter(is_rollout).cloned().collect()
    }

    /// What a crash or a bad disk does to a file: it ends anywhere, or holds garbage.
    pub fn tear(&mut self, path: &Path, rng: &mut Dice) {
        let Some(bytes) = self.contents.get_mut(path) else { return };
        let at = rng.usize(0..=bytes.len());
        match rng.u8(0..4) {
            0 => bytes.splice(at..at, *b"\xff\x00garbage").for_each(drop),
            1 => bytes.splice(at..at, *b"\n{\"timestamp\":1}\nnull\n").for_each(drop),
            _ => bytes.truncate(at),
        }
    }

    fn patch(&mut self, patch: &FilePatch, swarm: &Swarm, rng: &mut Dice) -> Reply {
        if swarm.strikes(Fault::Stale, rng)
            && let Some(file) = patch.files.first()
        {
            self.contents.entry(file.path.clone()).or_default().extend_from_slice(b"stale\n");
        }
        if let Some(file) = patch.files.iter().find(|f| !patch.sandbox.allows_write(&f.path)) {
            let text = format!("{} may not be written", file.path.display());
            return Reply::Failed(HostError::new(HostErrorKind::Permission, text));
        }
        let stale = patch.files.iter().any(|file| {
            self.contents.get(&file.path).map(|bytes| Digest::of(bytes)) != file.before
        });
        if stale {
            let text = "a file changed since it was read";
            return Reply::Failed(HostError::new(HostErrorKind::Stale, text));
        }
        for file in &patch.files {
            match &file.after {
                Some(bytes) => self.contents.insert(file.path.clone(), bytes.clone()),
                None => self.contents.remove(&file.path),
            };
        }
        Reply::Closed
    }
}
