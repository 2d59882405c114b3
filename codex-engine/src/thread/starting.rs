//! What a thread needs before it can begin: a checklist of slots that are asked for at once and
//! filled in any order. Each slot is a machine:
//!
//! ```text
//! (new)   --start--> Waiting
//! Waiting --answered--> Filled
//! Waiting --failed, late--> Filled      the project is optional: the thread says what is missing
//! Waiting --failed, late--> (refused)   the rollout of a thread to resume is not
//! ```

use std::path::{Path, PathBuf};

use codex_proto::{
    EffectId, EffectKind, HostErrorKind, Mono, Refused, Reply,
    effect::{ProjectInfo, ProjectQuery},
    rollout,
};

use super::{early::Early, recovering::Recovering, shared::Shared};
use crate::{
    limits::{PROJECT_MS, RESUME_MS, ROLLOUT_BYTES_MAX},
    machine::{Cx, NEW, Part},
    models::{self, Model},
    rollout::{
        log::RolloutLog,
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

#[derive(Clone, Debug)]
enum Resume {
    New,
    Read { path: PathBuf, resumed: Box<Resumed> },
    Reading { path: PathBuf, reader: Box<Reader>, until: Mono },
}

impl Starting {
    /// Asks for everything at once.
    pub(super) fn start(resume: Option<PathBuf>, cx: &mut Cx<'_>) -> Self {
        let now = cx.now.mono;
        let query = ProjectQuery {
            cwd: cx.settings.cwd.clone(),
            codex_home: cx.settings.host.codex_home.clone(),
            settings: cx.settings.project.clone(),
        };
        let effect = cx.start(Part::Project, EffectKind::Project(Box::new(query)));
        cx.moved(MACHINE, NEW, "start", "Waiting");
        let resume = match resume {
            None => Resume::New,
            Some(path) => {
                cx.start(
                    Part::Resume,
                    EffectKind::Read { path: path.clone(), bytes_max: ROLLOUT_BYTES_MAX },
                );
                cx.moved(MACHINE, NEW, "start", "Waiting");
                let until = now.after_ms(RESUME_MS);
                Resume::Reading { path, reader: Box::default(), until }
            }
        };
        let until = now.after_ms(PROJECT_MS);
        let project = Slot::Waiting { effect, so_far: ProjectInfo::default(), until };
        Self { project, resume, early: Early::default() }
    }

    /// The rollout that is read, if one is.
    pub(super) fn rollout(&self) -> Option<&Path> {
        match &self.resume {
            Resume::New => None,
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
            (Part::Resume, reply) => self.on_rollout(reply, cx)?,
            _ => {}
        }
        Ok(())
    }

    fn on_rollout(&mut self, reply: Reply, cx: &mut Cx<'_>) -> Result<(), Refused> {
        let Resume::Reading { path, reader, .. } = &mut self.resume else { return Ok(()) };
        let refused = |path: &PathBuf, why: String, cx: &mut Cx<'_>| {
            cx.moved(MACHINE, "Waiting", "failed", "(refused)");
            Refused::Rollout { path: path.clone(), why }
        };
        match reply {
            Reply::Bytes(bytes) => reader.push(&bytes),
            Reply::Closed => {
                let resumed =
                    std::mem::take(&mut **reader).finish().map_err(|why| refused(path, why, cx))?;
                cx.moved(MACHINE, "Waiting", "answered", "Filled");
                let path = std::mem::take(path);
                self.resume = Resume::Read { path, resumed: Box::new(resumed) };
            }
            Reply::Failed(error) => {
                let why = match error.kind {
                    HostErrorKind::NotFound => "there is no such file".to_owned(),
                    _ => error.to_string(),
                };
                return Err(refused(path, why, cx));
            }
            Reply::Audio(_)
            | Reply::Channel(_)
            | Reply::Exited(_)
            | Reply::Head(_)
            | Reply::Link(_)
            | Reply::Offer(_)
            | Reply::Opened
            | Reply::Project(_)
            | Reply::Sent { .. }
            | Reply::Survey(_)
            | Reply::Tail { .. } => {}
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
        let (mut shared, calls, resumed) = match resume {
            Resume::New | Resume::Reading { .. } => {
                let host = &settings.host;
                let path = (!settings.ephemeral).then(|| {
                    let offset = host.utc_offset_minutes;
                    rollout::path(&host.codex_home, cx.thread, cx.now.wall, offset)
                });
                (Shared::new(model, base(), RolloutLog::new(path), cx), Vec::new(), false)
            }
            Resume::Read { path, resumed } => {
                let Resumed { thread, instructions, items, context, total, .. } = *resumed;
                cx.thread = thread.unwrap_or(cx.thread);
                if resumed.skipped_lines > 0 {
                    cx.warn(format!(
                        "{} unreadable lines of {} were skipped",
                        resumed.skipped_lines,
                        path.display()
                    ));
                }
                let path = (!settings.ephemeral).then_some(path);
                let instructions = instructions.unwrap_or_else(base);
                let mut shared = Shared::new(model, instructions, RolloutLog::new(path), cx);
                shared.has_meta = true;
                shared.calls = items.iter().filter_map(call_id).collect();
                shared.history = items;
                shared.context = context;
                shared.usage = total;
                (shared, resumed.open_calls, true)
            }
        };
        shared.project = project;
        Recovering::start(shared, calls, early, resumed, cx)
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
