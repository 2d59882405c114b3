//! One patch, as a machine.
//!
//! ```text
//! (new)     --may run--> Reading
//! Reading   --all files read--> Recording   the result is computed; nothing is written yet
//! Reading   --failed--> (done)              the text says what does not fit
//! Reading   --deadline--> (done)
//! Recording --line settled--> Writing       digests are in the rollout: a crash can be understood
//! Writing   --Closed, Failed--> (done)
//! Reading, Recording --interrupt--> (done)
//! Writing   --abandoned--> (done)           after an interrupt it is let finish, within a deadline
//! ```

use std::{collections::BTreeMap, path::PathBuf};

use codex_proto::{
    EffectId, EffectKind, Event, HostErrorKind, Mono, Reply,
    effect::{FilePatch, FileWrite},
    item::{FileChange, FileChangeItem, FileChangeKind, ItemBody, ItemStatus, TurnItem},
    patch::{self, Applied, Hunk, Patch},
    policy::SandboxPolicy,
    rollout::LineKind,
};
use serde_json::{Map, Value, json};

use super::plan::PatchPlan;
use crate::{
    limits::{PATCH_FILE_BYTES_MAX, PATCH_READ_MS},
    machine::{Cx, NEW, Part},
    rollout::log::{RolloutLog, Ticket},
};

const MACHINE: &str = "patch";

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct PatchRun {
    run: u32,
    call_id: String,
    turn: String,
    plan: PatchPlan,
    started: Mono,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Reading(Reading),
    Recording { applied: Box<Applied>, ticket: Ticket, item: u32 },
    Writing { applied: Box<Applied>, item: u32 },
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Reading(_) => "Reading",
            Self::Recording { .. } => "Recording",
            Self::Writing { .. } => "Writing",
        }
    }
}

#[derive(Clone, Debug)]
struct Reading {
    /// Until all are read.
    effects: Vec<EffectId>,
    patch: Patch,
    paths: Vec<PathBuf>,
    /// Content so far per path; moved to `files` at its end.
    contents: Vec<Vec<u8>>,
    files: BTreeMap<PathBuf, Option<Vec<u8>>>,
    until: Mono,
}

/// What the caller must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The call is answered with this text.
    Done(String),
    /// Nothing yet.
    Wait,
}

impl PatchRun {
    /// Parses the patch and reads its files.
    pub(crate) fn start(
        run: u32,
        call_id: &str,
        turn: &str,
        plan: PatchPlan,
        cx: &mut Cx<'_>,
    ) -> Result<Self, String> {
        let patch = patch::parse(&plan.text)
            .map_err(|error| format!("apply_patch verification failed: {error}"))?;
        if patch.hunks.is_empty() {
            return Err("patch rejected: it changes no file".into());
        }
        let paths = patch.paths(&plan.cwd);
        refuse_outside(&paths, &cx.settings.sandbox)?;
        let mut effects = Vec::new();
        for (file, path) in paths.iter().enumerate() {
            let file = u16::try_from(file).map_err(|_| "patch rejected: too many files")?;
            effects.push(cx.start(
                Part::Tool { run, file },
                EffectKind::Read { path: path.clone(), bytes_max: PATCH_FILE_BYTES_MAX },
            ));
        }
        let reading = Reading {
            effects,
            patch,
            contents: vec![Vec::new(); paths.len()],
            paths,
            files: BTreeMap::new(),
            until: cx.now.mono.after_ms(PATCH_READ_MS),
        };
        cx.moved(MACHINE, NEW, "may run", "Reading");
        Ok(Self {
            run,
            call_id: call_id.to_owned(),
            turn: turn.to_owned(),
            plan,
            started: cx.now.mono,
            state: State::Reading(reading),
        })
    }

    pub(crate) fn deadline(&self) -> Option<(Mono, &'static str)> {
        match &self.state {
            State::Reading(reading) => Some((reading.until, "read patched files")),
            State::Recording { .. } | State::Writing { .. } => None,
        }
    }

    fn go(&mut self, on: &'static str, next: State, cx: &mut Cx<'_>) {
        cx.moved(MACHINE, self.state.name(), on, next.name());
        self.state = next;
    }

    fn done(&self, on: &'static str, text: String, cx: &mut Cx<'_>) -> Step {
        if let State::Reading(reading) = &self.state {
            reading.effects.iter().for_each(|effect| cx.cancel(*effect));
        }
        cx.moved(MACHINE, self.state.name(), on, "(done)");
        Step::Done(text)
    }

    pub(crate) fn on_wake(&self, cx: &mut Cx<'_>) -> Step {
        match &self.state {
            State::Reading(reading) if reading.until <= cx.now.mono => {
                let seconds = PATCH_READ_MS / 1_000;
                let text = format!(
                    "apply_patch verification failed: the files could not be read within \
                     {seconds} s"
                );
                self.done("deadline", text, cx)
            }
            _ => Step::Wait,
        }
    }

    /// Whether files may be changing right now, so that the run cannot be dropped.
    pub(crate) fn is_writing(&self) -> bool {
        matches!(self.state, State::Writing { .. })
    }

    /// The call is answered without waiting any longer: what was shown is closed.
    pub(crate) fn abort(&self, on: &'static str, cx: &mut Cx<'_>) {
        self.done(on, String::new(), cx);
        let (applied, item, why) = match &self.state {
            State::Reading(_) => return,
            State::Recording { applied, item, .. } => {
                (applied, item, "interrupted before anything was written")
            }
            State::Writing { applied, item } => {
                (applied, item, "interrupted while files were being written")
            }
        };
        let body = self.body(applied, ItemStatus::Failed, Some(why.into()));
        let item = TurnItem { id: *item, body };
        cx.emit(Event::ItemCompleted { thread: cx.thread, item });
    }

    pub(crate) fn on_reply(
        &mut self,
        file: u16,
        reply: Reply,
        log: &mut RolloutLog,
        items: &mut u32,
        cx: &mut Cx<'_>,
    ) -> Step {
        match &mut self.state {
            State::Reading(reading) => {
                if let Err(text) = reading.on_reply(usize::from(file), reply) {
                    let text = format!("apply_patch verification failed: {text}");
                    return self.done("failed", text, cx);
                }
                if reading.files.len() < reading.paths.len() {
                    return Step::Wait;
                }
                let result = patch::apply(&reading.patch, &self.plan.cwd, &reading.files);
                match result {
                    Ok(applied) => {
                        let item = *items;
                        *items += 1;
                        self.record(applied, item, log, cx);
                        self.pump(log, cx);
                        Step::Wait
                    }
                    Err(error) => self.verification_failed(&error.to_string(), items, cx),
                }
            }
            State::Writing { .. } => self.on_written(reply, log, cx),
            State::Recording { .. } => Step::Wait,
        }
    }

    /// Shows the failed patch to observers and answers the model.
    fn verification_failed(&self, error: &str, items: &mut u32, cx: &mut Cx<'_>) -> Step {
        let State::Reading(reading) = &self.state else { return Step::Wait };
        let changes = reading.patch.hunks.iter().map(|hunk| intended(hunk, &self.plan)).collect();
        let mut item = FileChangeItem {
            call_id: self.call_id.clone(),
            changes,
            status: ItemStatus::InProgress,
            error: None,
        };
        let id = *items;
        *items += 1;
        let body = |item: &FileChangeItem| ItemBody::FileChange(item.clone());
        let thread = cx.thread;
        cx.emit(Event::ItemStarted { thread, item: TurnItem { id, body: body(&item) } });
        item.status = ItemStatus::Failed;
        item.error = Some(error.to_owned());
        cx.emit(Event::ItemCompleted { thread, item: TurnItem { id, body: body(&item) } });
        self.done("failed", format!("apply_patch verification failed: {error}"), cx)
    }

    fn record(&mut self, applied: Applied, item: u32, log: &mut RolloutLog, cx: &mut Cx<'_>) {
        cx.emit(Event::ItemStarted {
            thread: cx.thread,
            item: TurnItem { id: item, body: self.body(&applied, ItemStatus::InProgress, None) },
        });
        let digests: Vec<Value> = applied.writes.iter().map(digests).collect();
        let payload = json!({
            "type": "patch_apply_begin",
            "call_id": self.call_id,
            "turn_id": self.turn,
            "auto_approved": true,
            "changes": changes(&applied.changes),
            "digests": digests,
        });
        log.record(cx.now.wall, LineKind::EventMsg, &payload.to_string());
        let ticket = log.ticket();
        log.flush(cx);
        let next = State::Recording { applied: Box::new(applied), ticket, item };
        self.go("all files read", next, cx);
    }

    /// Writes once the rollout knows about it.
    pub(crate) fn pump(&mut self, log: &RolloutLog, cx: &mut Cx<'_>) {
        let State::Recording { applied, ticket, item } = &self.state else { return };
        if !log.is_settled(*ticket) {
            return;
        }
        let (applied, item) = (applied.clone(), *item);
        cx.start(
            Part::Tool { run: self.run, file: 0 },
            EffectKind::Patch(Box::new(FilePatch {
                thread: cx.thread,
                sandbox: cx.settings.sandbox.clone(),
                files: applied.writes.clone(),
            })),
        );
        self.go("line settled", State::Writing { applied, item }, cx);
    }

    fn on_written(&self, reply: Reply, log: &mut RolloutLog, cx: &mut Cx<'_>) -> Step {
        let State::Writing { applied, item } = &self.state else { return Step::Wait };
        let error = match reply {
            Reply::Failed(error) => Some(error.to_string()),
            _ => None,
        };
        let status = if error.is_none() { ItemStatus::Completed } else { ItemStatus::Failed };
        cx.emit(Event::ItemCompleted {
            thread: cx.thread,
            item: TurnItem { id: *item, body: self.body(applied, status, error.clone()) },
        });
        let success = error.is_none();
        let text = error.clone().unwrap_or_else(|| applied.summary.clone());
        let payload = json!({
            "type": "patch_apply_end",
            "call_id": self.call_id,
            "turn_id": self.turn,
            "stdout": if success { text.as_str() } else { "" },
            "stderr": if success { "" } else { text.as_str() },
            "success": success,
            "changes": changes(&applied.changes),
            "status": if success { "completed" } else { "failed" },
        });
        log.record(cx.now.wall, LineKind::EventMsg, &payload.to_string());
        let seconds = (cx.now.mono.secs_since(self.started) * 10.0).round() / 10.0;
        let note = if self.plan.intercepted {
            "\nNote: the patch came through a shell command; call the apply_patch tool instead.\n"
        } else {
            ""
        };
        let text = format!(
            "Exit code: {}\nWall time: {seconds} seconds\nOutput:\n{text}{note}",
            i32::from(!success)
        );
        self.done(if success { "Closed" } else { "Failed" }, text, cx)
    }

    fn body(&self, applied: &Applied, status: ItemStatus, error: Option<String>) -> ItemBody {
        ItemBody::FileChange(FileChangeItem {
            call_id: self.call_id.clone(),
            changes: applied.changes.clone(),
            status,
            error,
        })
    }
}

impl Reading {
    fn on_reply(&mut self, file: usize, reply: Reply) -> Result<(), String> {
        let (Some(path), Some(content)) = (self.paths.get(file), self.contents.get_mut(file))
        else {
            return Ok(());
        };
        match reply {
            Reply::Bytes(bytes) => content.extend_from_slice(&bytes),
            Reply::Closed => {
                self.files.insert(path.clone(), Some(std::mem::take(content)));
            }
            Reply::Failed(error) if error.kind == HostErrorKind::NotFound => {
                self.files.insert(path.clone(), None);
            }
            Reply::Failed(error) => return Err(error.to_string()),
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
}

/// Judges the paths of a patch; the adapter judges them again when it opens the files.
fn refuse_outside(paths: &[PathBuf], sandbox: &SandboxPolicy) -> Result<(), String> {
    let Some(path) = paths.iter().find(|path| !sandbox.allows_write(path)) else { return Ok(()) };
    Err(if sandbox.writable_roots.is_empty() {
        "patch rejected: read_only. The sandbox mode is `read-only`, so no file may be changed; \
         tell the user what you would change"
            .into()
    } else if sandbox.writable_roots.iter().any(|root| path.starts_with(root)) {
        format!("patch rejected: protected_path. {} may not be changed", path.display())
    } else {
        format!(
            "patch rejected: outside_workspace. {} is outside the writable folders",
            path.display()
        )
    })
}

fn digests(write: &FileWrite) -> Value {
    let after = write.after.as_deref().map(codex_proto::effect::Digest::of);
    json!({
        "path": write.path.to_string_lossy(),
        "before": write.before.map(|digest| digest.to_string()),
        "after": after.map(|digest| digest.to_string()),
    })
}

/// The `changes` map of the rollout's patch events.
fn changes(list: &[FileChange]) -> Value {
    let mut map = Map::new();
    for change in list {
        let value = match change.kind {
            FileChangeKind::Add => json!({ "type": "add", "content": change.diff }),
            FileChangeKind::Delete => json!({ "type": "delete", "content": change.diff }),
            FileChangeKind::Update => json!({
                "type": "update",
                "unified_diff": change.diff,
                "move_path": change.move_path.as_ref().map(|path| path.to_string_lossy()),
            }),
        };
        map.insert(change.path.to_string_lossy().into_owned(), value);
    }
    Value::Object(map)
}

/// What a hunk of a patch that does not fit wanted to do.
fn intended(hunk: &Hunk, plan: &PatchPlan) -> FileChange {
    let (path, kind) = match hunk {
        Hunk::Add { path, .. } => (path, FileChangeKind::Add),
        Hunk::Delete { path, .. } => (path, FileChangeKind::Delete),
        Hunk::Update { path, .. } => (path, FileChangeKind::Update),
    };
    FileChange {
        path: super::plan::join(&plan.cwd, &path.to_string_lossy()),
        kind,
        diff: String::new(),
        move_path: None,
    }
}
