//! What a thread needs before it can begin: a checklist of slots that are asked for at once and
//! filled in any order. Each slot is a machine:
//!
//! ```text
//! (new)   --start--> Waiting
//! Waiting --answered--> Filled
//! Waiting --failed, late--> Filled      the project is optional: the thread says what is missing
//! Waiting --failed, late--> (refused)   the rollout of a thread to resume is not
//! ```
//!
//! The rollout of a thread to resume is claimed before it is read, so that no other process adds to it
//! what this one does not know. One that another process has is not resumed.

use std::path::{Path, PathBuf};

use codex_proto::{
    EffectId, EffectKind, HostErrorKind, Mono, Refused, Reply,
    effect::{Append, ProjectInfo, ProjectQuery},
    rollout::{self, LineKind},
};

use super::{
    early::Early,
    recovering::{Past, Recovering},
    shared::Shared,
};
use crate::{
    limits::{FORK_BYTES_MAX, PROJECT_MS, RESUME_MS, ROLLOUT_BYTES_MAX},
    machine::{Cx, NEW, Part},
    models::{self, Model},
    rollout::{
        log::RolloutLog,
        restore::Restored,
        resume::{Reader, Resumed, call_id},
    },
};

/// The base instructions of a new thread.
const INSTRUCTIONS: &str = include_str!("../../prompts/base.md");

const MACHINE: &str = "slot";

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Starting {
    project: Slot<ProjectInfo>,
    resume: Resume,
    pub(super) early: Early,
}

#[derive(Clone, Debug)]
enum Slot<T> {
    Filled(T),
    Waiting { effect: EffectId, so_far: T, until: Mono },
}

/// What a thread begins with.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The past of another thread: its rollout, and how many of its prompts; `None` takes all.
    Fork { path: PathBuf, prompts_kept: Option<u32> },
    /// Nothing.
    New,
    /// Its own rollout.
    Resume(PathBuf),
}

#[derive(Clone, Debug)]
enum Resume {
    New,
    Read { path: PathBuf, resumed: Box<Resumed>, fork: Option<Fork> },
    Reading { path: PathBuf, reader: Box<Reader>, until: Mono, fork: Option<Option<u32>> },
}

/// What a fork takes over: the lines that are kept.
#[derive(Clone, Debug)]
struct Fork(Vec<u8>);

impl Starting {
    /// Asks for everything at once.
    pub(super) fn start(source: Source, cx: &mut Cx<'_>) -> Self {
        let now = cx.now.mono;
        let query = ProjectQuery {
            cwd: cx.settings.cwd.clone(),
            codex_home: cx.settings.host.codex_home.clone(),
            settings: cx.settings.project.clone(),
        };
        let effect = cx.start(Part::Project, EffectKind::Project(Box::new(query)));
        cx.moved(MACHINE, NEW, "start", "Waiting");
        let (path, fork, bytes_max) = match source {
            Source::New => (None, None, 0),
            Source::Resume(path) => (Some(path), None, ROLLOUT_BYTES_MAX),
            Source::Fork { path, prompts_kept } => (Some(path), Some(prompts_kept), FORK_BYTES_MAX),
        };
        let resume = match path {
            None => Resume::New,
            Some(path) => {
                let (thread, path_of) = (cx.thread, path.clone());
                if fork.is_some() || cx.settings.ephemeral {
                    cx.start(Part::Resume, EffectKind::Read { path: path_of, bytes_max });
                } else {
                    let claim = Append { thread, path: path_of, bytes: Vec::new(), sync: false };
                    cx.start(Part::Claim, EffectKind::Append(claim));
                }
                cx.moved(MACHINE, NEW, "start", "Waiting");
                let until = now.after_ms(RESUME_MS);
                let reader = Box::new(Reader::new(cx.settings.interactive, fork.is_some()));
                Resume::Reading { path, reader, until, fork }
            }
        };
        let until = now.after_ms(PROJECT_MS);
        let project = Slot::Waiting { effect, so_far: ProjectInfo::default(), until };
        Self { project, resume, early: Early::default() }
    }

    /// The rollout that the thread will write, if it is read first.
    pub(super) fn rollout(&self) -> Option<&Path> {
        match &self.resume {
            Resume::New
            | Resume::Read { fork: Some(_), .. }
            | Resume::Reading { fork: Some(_), .. } => None,
            Resume::Read { path, .. } | Resume::Reading { path, .. } => Some(path),
        }
    }

    /// Takes a reply.
    ///
    /// # Errors
    /// When the rollout cannot be used: there is no thread to start.
    pub(super) fn on_reply(
        &mut self,
        part: Part,
        reply: Reply,
        cx: &mut Cx<'_>,
    ) -> Result<(), Refused> {
        match (part, reply) {
            (Part::Project, Reply::Project(info)) => {
                if let Slot::Waiting { so_far, .. } = &mut self.project {
                    *so_far = *info;
                }
            }
            (Part::Project, Reply::Closed) => self.project.fill("answered", cx),
            (Part::Project, Reply::Failed(error)) => {
                if let Slot::Waiting { so_far, .. } = &mut self.project {
                    so_far.warnings.push(format!("the project was not looked at: {error}"));
                }
                self.project.fill("failed", cx);
            }
            (Part::Claim, reply) => self.on_claim(&reply, cx)?,
            (Part::Resume, reply) => self.on_rollout(reply, cx)?,
            _ => {}
        }
        Ok(())
    }

    /// A file that cannot be written for another reason is read all the same: that is told later.
    fn on_claim(&mut self, reply: &Reply, cx: &mut Cx<'_>) -> Result<(), Refused> {
        let Resume::Reading { path, .. } = &self.resume else { return Ok(()) };
        let path = path.clone();
        match reply {
            Reply::Failed(error) if error.kind == HostErrorKind::InUse => {
                cx.moved(MACHINE, "Waiting", "failed", "(refused)");
                Err(Refused::InUse { path, why: error.message.clone() })
            }
            _ => {
                let bytes_max = ROLLOUT_BYTES_MAX;
                cx.start(Part::Resume, EffectKind::Read { path, bytes_max });
                Ok(())
            }
        }
    }

    /// There will be no thread: another process may have the file.
    pub(super) fn give_up(&self, cx: &mut Cx<'_>) {
        if let Some(path) = self.rollout().filter(|_| !cx.settings.ephemeral) {
            cx.release(path.to_owned());
        }
    }

    fn on_rollout(&mut self, reply: Reply, cx: &mut Cx<'_>) -> Result<(), Refused> {
        let Resume::Reading { path, reader, fork, .. } = &mut self.resume else { return Ok(()) };
        let refused = |path: &PathBuf, why: String, cx: &mut Cx<'_>| {
            cx.moved(MACHINE, "Waiting", "failed", "(refused)");
            Refused::Rollout { path: path.clone(), why }
        };
        match reply {
            Reply::Bytes(bytes) => reader.push(&bytes),
            Reply::Closed => {
                let reader = std::mem::take(&mut **reader);
                let read = match fork {
                    None => reader.finish().map(|resumed| (resumed, None)),
                    Some(kept) => {
                        reader.fork(*kept).map(|(resumed, lines)| (resumed, Some(Fork(lines))))
                    }
                };
                let (resumed, fork) = read.map_err(|why| refused(path, why, cx))?;
                // Two files may have one id, as when one is a copy of the other.
                if fork.is_none()
                    && let Some(thread) = resumed.thread
                    && !cx.out.take_id(thread, cx.slot)
                {
                    let why = format!("thread {thread} is open already; go on in a fork of it");
                    return Err(refused(path, why, cx));
                }
                cx.moved(MACHINE, "Waiting", "answered", "Filled");
                let path = std::mem::take(path);
                self.resume = Resume::Read { path, resumed: Box::new(resumed), fork };
            }
            Reply::Failed(error) => {
                let why = match error.kind {
                    HostErrorKind::NotFound => "there is no such file".to_owned(),
                    _ => error.to_string(),
                };
                return Err(refused(path, why, cx));
            }
            // The grammar of a read has nothing else.
            _ => {}
        }
        Ok(())
    }

    /// Goes on without what is late.
    ///
    /// # Errors
    /// When that is the rollout.
    pub(super) fn on_wake(&mut self, cx: &mut Cx<'_>) -> Result<(), Refused> {
        let now = cx.now.mono;
        if let Slot::Waiting { effect, so_far, until } = &mut self.project
            && *until <= now
        {
            cx.cancel(*effect);
            so_far.warnings.push(format!(
                "the project was not looked at within {} s; the thread starts without its \
                 documents",
                PROJECT_MS / 1_000
            ));
            self.project.fill("late", cx);
        }
        match &self.resume {
            Resume::Reading { path, until, .. } if *until <= now => {
                cx.moved(MACHINE, "Waiting", "late", "(refused)");
                let why = format!("it could not be read within {} s", RESUME_MS / 1_000);
                Err(Refused::Rollout { path: path.clone(), why })
            }
            Resume::New | Resume::Read { .. } | Resume::Reading { .. } => Ok(()),
        }
    }

    /// Whether every slot is filled.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.project, Slot::Filled(_)) && !matches!(self.resume, Resume::Reading { .. })
    }

    pub(super) fn deadline(&self) -> Option<(Mono, &'static str)> {
        let project = match &self.project {
            Slot::Waiting { until, .. } => Some((*until, "read project documents")),
            Slot::Filled(_) => None,
        };
        let resume = match &self.resume {
            Resume::Reading { until, .. } => Some((*until, "read rollout")),
            Resume::New | Resume::Read { .. } => None,
        };
        [project, resume].into_iter().flatten().min()
    }

    /// All slots are filled: the thread takes shape.
    pub(super) fn finish(self: Box<Self>, cx: &mut Cx<'_>) -> Recovering {
        let Self { project, resume, early } = *self;
        let settings = cx.settings;
        let model = Model::of(settings.model.as_deref().unwrap_or(models::DEFAULT));
        let base = || settings.instructions.clone().unwrap_or_else(|| INSTRUCTIONS.to_owned());
        let project = match project {
            Slot::Filled(info) => info,
            Slot::Waiting { so_far, .. } => so_far,
        };
        let new_path = |thread| {
            let host = &settings.host;
            rollout::path(&host.codex_home, thread, cx.now.wall, host.utc_offset_minutes)
        };
        let (mut shared, calls, past) = match resume {
            Resume::New | Resume::Reading { .. } => {
                let path = (!settings.ephemeral).then(|| new_path(cx.thread));
                let shared = Shared::new(model, base(), RolloutLog::new(path), cx);
                (shared, Vec::new(), Past::default())
            }
            Resume::Read { path, resumed, fork } => {
                let Resumed { thread, instructions, items, context, total, last, told, .. } =
                    *resumed;
                let forked_from = fork.is_some().then_some(thread).flatten();
                let own = if fork.is_some() { cx.thread } else { thread.unwrap_or(cx.thread) };
                let written = if fork.is_some() { new_path(own) } else { path.clone() };
                cx.thread = own;
                if resumed.skipped_lines > 0 {
                    cx.warn(format!(
                        "{} unreadable lines of {} were skipped",
                        resumed.skipped_lines,
                        path.display()
                    ));
                }
                let written = (!settings.ephemeral).then_some(written);
                let instructions = instructions.unwrap_or_else(base);
                let mut shared = Shared::new(model, instructions, RolloutLog::new(written), cx);
                if let Some(Fork(lines)) = fork {
                    let text = &shared.instructions;
                    let git = project.git.as_ref();
                    let meta =
                        rollout::session_meta(settings, own, forked_from, cx.now.wall, text, git);
                    shared.log.record(cx.now.wall, LineKind::SessionMeta, &meta);
                    shared.log.take_over(&lines);
                }
                shared.has_meta = true;
                shared.calls = items.iter().filter_map(call_id).collect();
                shared.history = items;
                shared.context = context;
                shared.usage = total;
                let restored = told.map(|told| {
                    let is_cut_off = resumed.is_cut_off;
                    Restored { is_cut_off, ..told.restore(settings, last) }
                });
                let past = Past { resumed: forked_from.is_none(), forked_from, restored };
                (shared, resumed.open_calls, past)
            }
        };
        shared.project = project;
        Recovering::start(shared, calls, early, past, cx)
    }
}

impl<T: Default> Slot<T> {
    fn fill(&mut self, on: &'static str, cx: &mut Cx<'_>) {
        if let Self::Waiting { so_far, .. } = self {
            cx.moved(MACHINE, "Waiting", on, "Filled");
            *self = Self::Filled(std::mem::take(so_far));
        }
    }
}
