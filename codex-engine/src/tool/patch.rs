//! One patch, as a machine.
//!
//! ```text
//! (new)     --may run--> Reading
//! Reading   --all files read--> Recording   the result is computed; nothing is written yet
//! Reading   --asked--> Asking               until the user answers
//! Asking    --allowed--> Recording
//! Asking    --denied--> (done)
//! Reading   --failed--> (done)              the text says what does not fit
//! Reading   --deadline--> (done)
//! Recording --line settled--> Writing       digests are in the rollout: a crash can be understood
//! Writing   --Closed, Failed--> (done)
//! Reading, Asking, Recording --interrupt--> (done)
//! Writing   --abandoned--> (done)           after an interrupt it is let finish, within a deadline
//! ```

use std::{collections::BTreeMap, path::PathBuf};

use codex_proto::{
    ApprovalId, EffectId, EffectKind, Event, HostErrorKind, Mono, Reply,
    approval::ApprovalAnswer,
    effect::{FilePatch, FileWrite},
    item::{FileChange, FileChangeItem, FileChangeKind, ItemBody, ItemStatus, TurnItem},
    patch::{self, Applied, Hunk, Patch},
    rollout::LineKind,
};
use serde_json::{Map, Value, json};

use super::{
    grants::Grants,
    plan::PatchPlan,
    policy::{self, Verdict},
    question::{self, Question},
};
use crate::{
    limits::{PATCH_FILE_BYTES_MAX, PATCH_READ_MS},
    machine::{Cx, NEW, Part},
    rollout::log::{RolloutLog, Ticket},
    thread::shared::Shared,
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
    Asking { applied: Box<Applied>, paths: Vec<PathBuf>, outside: Vec<PathBuf>, question: Question },
    Reading(Reading),
    Recording { applied: Box<Applied>, beyond: Vec<PathBuf>, ticket: Ticket, item: u32 },
    Writing { applied: Box<Applied>, item: u32 },
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Asking { .. } => "Asking",
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
        shared: &Shared,
        cx: &mut Cx<'_>,
    ) -> Result<Self, String> {
        let patch = patch::parse(&plan.text)
            .map_err(|error| format!("apply_patch verification failed: {error}"))?;
        if patch.hunks.is_empty() {
            return Err("patch rejected: it changes no file".into());
        }
        let paths = patch.paths(&plan.cwd);
        if let Verdict::Refuse(refusal) = policy::judge_patch(&paths, &shared.grants, cx.settings) {
            return Err(refusal.text());
        }
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
            State::Asking { .. } | State::Recording { .. } | State::Writing { .. } => None,
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
            State::Asking { question, .. } => return question.close(None, cx),
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
        shared: &mut Shared,
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
                        let paths = std::mem::take(&mut reading.paths);
                        self.admit(applied, paths, shared, cx)
                    }
                    Err(error) => {
                        self.verification_failed(&error.to_string(), &mut shared.next_item, cx)
                    }
                }
            }
            State::Writing { .. } => self.on_written(reply, &mut shared.log, cx),
            State::Asking { .. } | State::Recording { .. } => Step::Wait,
        }
    }

    /// The result is known: it is written, or the user is asked.
    fn admit(
        &mut self,
        applied: Applied,
        paths: Vec<PathBuf>,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Step {
        let outside = policy::outside(&paths, &cx.settings.sandbox);
        match policy::judge_patch(&paths, &shared.grants, cx.settings) {
            // The policy is another one by now.
            Verdict::Refuse(refusal) => self.done("failed", refusal.text(), cx),
            Verdict::Run(_) => {
                self.record("all files read", applied, outside, shared, cx);
                Step::Wait
            }
            Verdict::Ask(why, _) => {
                let changes = &applied.changes;
                let (call, out) = (&self.call_id, &outside);
                let question = Question::about_patch(call, changes, &paths, out, why, shared, cx);
                let applied = Box::new(applied);
                self.go("asked", State::Asking { applied, paths, outside, question }, cx);
                Step::Wait
            }
        }
    }

    /// The question that the patch waits with.
    pub(crate) fn question(&self) -> Option<ApprovalId> {
        match &self.state {
            State::Asking { question, .. } => Some(question.id),
            State::Reading(_) | State::Recording { .. } | State::Writing { .. } => None,
        }
    }

    /// Whether it waits for an answer that was given for the session.
    pub(crate) fn is_granted(&self, grants: &Grants) -> bool {
        matches!(&self.state, State::Asking { paths, .. } if grants.has_paths(paths))
    }

    /// Takes the user's answer.
    pub(crate) fn on_answer(
        &mut self,
        answer: &ApprovalAnswer,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Step {
        let State::Asking { applied, paths, outside, question } = &self.state else {
            return Step::Wait;
        };
        question.close(Some(answer), cx);
        let (applied, paths, outside) = ((**applied).clone(), paths.clone(), outside.clone());
        match answer {
            ApprovalAnswer::Once | ApprovalAnswer::Session => {
                if *answer == ApprovalAnswer::Session && !shared.grants.allow_paths(&paths) {
                    question::warn_of_too_many(cx);
                }
                // What was not asked about is not allowed, though the folders may be others by now.
                self.record("allowed", applied, outside, shared, cx);
                Step::Wait
            }
            ApprovalAnswer::Abort | ApprovalAnswer::Deny { .. } => {
                let text = question::denial("patch", None, answer);
                let id = shared.next_item;
                shared.next_item += 1;
                let thread = cx.thread;
                let body = self.body(&applied, ItemStatus::InProgress, None);
                cx.emit(Event::ItemStarted { thread, item: TurnItem { id, body } });
                let body = self.body(&applied, ItemStatus::Declined, Some(text.clone()));
                cx.emit(Event::ItemCompleted { thread, item: TurnItem { id, body } });
                self.done("denied", text, cx)
            }
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

    /// Writes down what is about to be written; `beyond` are the files outside of what the sandbox
    /// allows that the user has allowed.
    fn record(
        &mut self,
        on: &'static str,
        applied: Applied,
        beyond: Vec<PathBuf>,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        let item = shared.next_item;
        shared.next_item += 1;
        cx.emit(Event::ItemStarted {
            thread: cx.thread,
            item: TurnItem { id: item, body: self.body(&applied, ItemStatus::InProgress, None) },
        });
        let digests: Vec<Value> = applied.writes.iter().map(digests).collect();
        let payload = json!({
            "type": "patch_apply_begin",
            "call_id": self.call_id,
            "turn_id": self.turn,
            "auto_approved": self.question().is_none(),
            "changes": changes(&applied.changes),
            "digests": digests,
        });
        shared.log.record(cx.now.wall, LineKind::EventMsg, &payload.to_string());
        let ticket = shared.log.ticket();
        shared.log.flush(cx);
        let next = State::Recording { applied: Box::new(applied), beyond, ticket, item };
        self.go(on, next, cx);
        self.pump(&shared.log, cx);
    }

    /// Writes once the rollout knows about it.
    pub(crate) fn pump(&mut self, log: &RolloutLog, cx: &mut Cx<'_>) {
        let State::Recording { applied, beyond, ticket, item } = &self.state else { return };
        if !log.is_settled(*ticket) {
            return;
        }
        let (applied, item) = (applied.clone(), *item);
        // A root is a folder; what lies outside is opened beneath its own and nowhere else.
        let mut sandbox = cx.settings.sandbox.clone();
        let written = applied.writes.iter().map(|file| &file.path);
        let written = written.filter(|path| beyond.contains(path)).filter_map(|path| path.parent());
        sandbox.writable_roots.extend(written.map(PathBuf::from));
        cx.start(
            Part::Tool { run: self.run, file: 0 },
            EffectKind::Patch(Box::new(FilePatch {
                thread: cx.thread,
                sandbox,
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
            // The grammar of a read has nothing else.
            _ => {}
        }
        Ok(())
    }
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
