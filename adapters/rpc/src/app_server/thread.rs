//! `thread/*`: starting, resuming and unloading threads, and what clients are told of them.

use std::collections::BTreeMap;

use codex_proto::{
    Op, OpId, ThreadId, Wall,
    approval::ApprovalAnswer,
    event::{ThreadConfig, ThreadReady},
    item::{ItemBody, TurnItem},
};
use serde_json::{Map, Value, json};

use super::{
    AppServer,
    boundary::{Ask, HostId, Told},
    initialize::experimental,
    item,
    policy::{is_plain, sandbox, unsupported},
    state::{NOBODY_ASKED, Pending, Start, ThreadState, Waiting},
    thread_params::{ResumeParams, StartParams},
};
use crate::jsonrpc::{ErrorObject, RequestId};

/// Longest `preview`, in characters.
const PREVIEW_CHARS_MAX: usize = 200;

impl AppServer {
    pub(super) fn start_thread_request(
        &mut self,
        id: RequestId,
        params: StartParams,
    ) -> Result<(), ErrorObject> {
        let is_experimental = self.is_experimental();
        if params.dynamic_tools.is_some() && !is_experimental {
            return Err(experimental("thread/start.dynamicTools"));
        }
        if params.dynamic_tools.is_some_and(|tools| !tools.is_empty()) {
            return Err(unsupported("thread/start.dynamicTools", "leave it out"));
        }
        if params.environments.is_some_and(|environments| !environments.is_empty()) {
            return Err(unsupported("thread/start.environments", "leave it out; use `cwd`"));
        }
        let mut host = params.common.host(self.client_name(), is_experimental)?;
        host.ephemeral = params.ephemeral.unwrap_or(false);
        self.begin(id, host, Start::New)
    }

    pub(super) fn resume_thread(
        &mut self,
        id: RequestId,
        params: ResumeParams,
    ) -> Result<(), ErrorObject> {
        if params.history.is_some() {
            return Err(unsupported("thread/resume.history", "use `threadId` or `path`"));
        }
        if let Some(path) = params.path.as_ref().filter(|path| !is_plain(path)) {
            return Err(ErrorObject::invalid(format!("path: {} is not absolute", path.display())));
        }
        let thread = params.thread_id;
        if self.threads.contains_key(&thread) {
            let result = self.thread_result(thread, Vec::new());
            self.answer(&id, result);
            return Ok(());
        }
        let path = params.path.clone();
        self.ask(Waiting::FindThread(id, Box::new(params)), Ask::FindThread { thread, path });
        Ok(())
    }

    pub(super) fn told_rollout(&mut self, id: &RequestId, params: ResumeParams, told: Told) {
        let (path, cwd) = match told {
            Told::Rollout { path, cwd } => (path, cwd),
            Told::Failed(message) => return self.fail(id, ErrorObject::invalid(message)),
            other => return self.fail_told(id, &other),
        };
        let begun =
            params.common.host(self.client_name(), self.is_experimental()).and_then(|mut host| {
                host.cwd.get_or_insert(cwd);
                let start = Start::Resumed { path, tells_turns: !params.exclude_turns };
                self.begin(id.clone(), host, start)
            });
        if let Err(error) = begun {
            self.fail(id, error);
        }
    }

    pub(super) fn unsubscribe(&mut self, id: &RequestId, thread: ThreadId) {
        let status = match self.threads.get_mut(&thread) {
            None => "notLoaded",
            Some(state) if state.is_leaving => "notSubscribed",
            Some(state) => {
                state.is_leaving = true;
                let host = state.host;
                self.send(host, Op::StopThread { thread });
                "unsubscribed"
            }
        };
        self.answer(id, json!({ "status": status }));
    }

    pub(super) fn thread_ready(&mut self, host: HostId, ready: &ThreadReady, now: Wall) {
        let seconds = now.unix_seconds();
        let is_ephemeral = self.hosts.get(&host).is_some_and(|state| state.request.ephemeral);
        let state = ThreadState {
            host,
            ready: Box::new(ready.clone()),
            approval: ready.approval,
            sandbox: ready.sandbox.clone(),
            created_s: seconds,
            updated_s: seconds,
            is_ephemeral,
            preview: String::new(),
            turn: None,
            last_turn: None,
            has_failed: false,
            items: BTreeMap::new(),
            questions: BTreeMap::new(),
            voice_begun: 0,
            voice_started: 0,
            voice_ended: 0,
            is_leaving: false,
        };
        self.threads.insert(ready.thread, state);
        match self.pending.remove(&ready.op) {
            Some(Pending::Start { request, start: Start::New, .. }) => {
                self.thread_begun(Some(&request), ready.thread, Vec::new());
            }
            Some(Pending::Start { request, start: Start::Resumed { tells_turns, .. }, .. }) => {
                let thread = ready.thread;
                let answer = ApprovalAnswer::Deny { feedback: None };
                let op = self.send(host, Op::Approve { thread, id: NOBODY_ASKED, answer });
                self.pending.insert(op, Pending::Past { request, thread, tells_turns });
            }
            _ => self.thread_begun(None, ready.thread, Vec::new()),
        }
    }

    /// What a resumed thread said and did before.
    pub(super) fn restored(&mut self, thread: ThreadId, items: &[TurnItem]) {
        let Some(state) = self.threads.get_mut(&thread) else { return };
        let first = items.iter().find_map(|item| match &item.body {
            ItemBody::UserMessage { text } => Some(text),
            _ => None,
        });
        if let Some(text) = first {
            state.set_preview(text);
        }
        let waits = |pending: &Pending| matches!(pending, Pending::Past { thread: of, .. } if *of == thread);
        let op = self.pending.iter().find(|(_, pending)| waits(pending)).map(|(op, _)| *op);
        if let Some(Pending::Past { request, tells_turns, .. }) =
            op.and_then(|op| self.pending.remove(&op))
        {
            let turns = if tells_turns { past_turns(thread, items) } else { Vec::new() };
            self.thread_begun(Some(&request), thread, turns);
        }
    }

    pub(super) fn thread_begun(
        &mut self,
        request: Option<&RequestId>,
        thread: ThreadId,
        turns: Vec<Value>,
    ) {
        let result = self.thread_result(thread, turns);
        let mut told = result["thread"].clone();
        if let Some(request) = request {
            self.answer(request, result);
        }
        told["turns"] = json!([]);
        self.notify("thread/started", json!({ "thread": told }));
    }

    fn thread_result(&self, thread: ThreadId, turns: Vec<Value>) -> Value {
        let Some(state) = self.threads.get(&thread) else { return Value::Null };
        let ready = &state.ready;
        let service_tier = self.host_facts(state.host).and_then(|facts| facts.service_tier.clone());
        json!({
            "thread": self.thread_value(thread, turns),
            "model": ready.model,
            "modelProvider": ready.provider,
            "serviceTier": service_tier,
            "cwd": ready.cwd,
            "instructionSources": [],
            "approvalPolicy": state.approval.as_str(),
            "approvalsReviewer": "user",
            "sandbox": sandbox(&state.sandbox, &ready.cwd),
            "permissionProfile": null,
            "activePermissionProfile": null,
            "reasoningEffort": ready.reasoning_effort,
        })
    }

    fn thread_value(&self, thread: ThreadId, turns: Vec<Value>) -> Value {
        let Some(state) = self.threads.get(&thread) else { return Value::Null };
        let ready = &state.ready;
        json!({
            "id": thread,
            "sessionId": thread,
            "forkedFromId": null,
            "preview": state.preview,
            "ephemeral": state.is_ephemeral,
            "modelProvider": ready.provider,
            "createdAt": state.created_s,
            "updatedAt": state.updated_s,
            "status": state.status(),
            "path": ready.rollout,
            "cwd": ready.cwd,
            "cliVersion": self.facts.version,
            "source": "vscode",
            "threadSource": null,
            "agentNickname": null,
            "agentRole": null,
            "gitInfo": null,
            "name": null,
            "turns": turns,
        })
    }

    pub(super) fn configured(&mut self, thread: ThreadId, config: &ThreadConfig) {
        let Some(state) = self.threads.get_mut(&thread) else { return };
        state.ready.model.clone_from(&config.model);
        state.ready.reasoning_effort.clone_from(&config.reasoning_effort);
        state.approval = config.approval;
        state.sandbox = config.sandbox.clone();
    }

    pub(super) fn thread_stopped(&mut self, thread: ThreadId) {
        self.drop_pending(thread, "the thread has ended");
        self.drop_questions(thread);
        let Some(state) = self.threads.remove(&thread) else { return };
        let params = json!({ "threadId": thread, "status": { "type": "notLoaded" } });
        self.notify("thread/status/changed", params);
        self.notify("thread/closed", json!({ "threadId": thread }));
        self.release(state.host);
    }

    /// A thread that went with its engine.
    pub(super) fn thread_lost(&mut self, thread: ThreadId, why: &str) {
        self.drop_questions(thread);
        self.notify("warning", json!({ "threadId": thread, "message": why }));
        if self.threads.remove(&thread).is_some() {
            let params = json!({ "threadId": thread, "status": { "type": "systemError" } });
            self.notify("thread/status/changed", params);
            self.notify("thread/closed", json!({ "threadId": thread }));
        }
    }

    /// Fails what waits for a thread that takes nothing more.
    fn drop_pending(&mut self, gone: ThreadId, why: &str) {
        let ops: Vec<OpId> = self
            .pending
            .iter()
            .filter(|(_, pending)| match pending {
                Pending::Past { thread, .. }
                | Pending::Turn { thread, .. }
                | Pending::Voice { thread, .. } => *thread == gone,
                Pending::Start { .. } => false,
            })
            .map(|(op, _)| *op)
            .collect();
        for op in ops {
            if let Some(request) = self.pending.remove(&op).map(Pending::into_request) {
                self.fail(&request, ErrorObject::invalid(why));
            }
        }
    }

    pub(super) fn status_changed(&mut self, thread: ThreadId) {
        let Some(state) = self.threads.get(&thread) else { return };
        let params = json!({ "threadId": thread, "status": state.status() });
        self.notify("thread/status/changed", params);
    }

    /// The state of a thread that takes requests.
    pub(super) fn loaded(&mut self, thread: ThreadId) -> Result<&mut ThreadState, ErrorObject> {
        let not_found = || ErrorObject::invalid(format!("thread not found: {thread}"));
        self.threads.get_mut(&thread).filter(|state| !state.is_leaving).ok_or_else(not_found)
    }

    /// Threads that are loaded, with their engines, for a host that ends.
    pub fn threads(&self) -> impl Iterator<Item = (HostId, ThreadId)> {
        self.threads.iter().map(|(thread, state)| (state.host, *thread))
    }

    /// Tells something that the user should know.
    pub(super) fn warn(&mut self, thread: Option<ThreadId>, message: &str) {
        self.notify("warning", json!({ "threadId": thread, "message": message }));
    }
}

impl ThreadState {
    fn status(&self) -> Value {
        let flags: &[&str] = if self.questions.is_empty() { &[] } else { &["waitingOnApproval"] };
        match (&self.turn, self.has_failed) {
            (Some(_), _) => json!({ "type": "active", "activeFlags": flags }),
            (None, true) => json!({ "type": "systemError" }),
            (None, false) => json!({ "type": "idle" }),
        }
    }

    /// Keeps what the user said first.
    pub(super) fn set_preview(&mut self, text: &str) {
        if self.preview.is_empty() {
            self.preview = text.chars().take(PREVIEW_CHARS_MAX).collect();
        }
    }
}

/// Turns of a resumed thread: each begins with what the user said. Their ids were not kept, so they
/// are made of the thread's and a number.
fn past_turns(thread: ThreadId, items: &[TurnItem]) -> Vec<Value> {
    let mut turns: Vec<Vec<Value>> = Vec::new();
    for entry in items {
        let is_start = matches!(entry.body, ItemBody::UserMessage { .. });
        let Some(value) = item::value(entry) else { continue };
        match turns.last_mut() {
            Some(turn) if !is_start => turn.push(value),
            _ => turns.push(vec![value]),
        }
    }
    let turn = |(index, items): (usize, Vec<Value>)| {
        let mut turn = Map::new();
        turn.insert("id".into(), format!("{thread}-{}", index + 1).into());
        turn.insert("items".into(), items.into());
        turn.insert("itemsView".into(), "full".into());
        turn.insert("status".into(), "completed".into());
        for name in ["error", "startedAt", "completedAt", "durationMs"] {
            turn.insert(name.into(), Value::Null);
        }
        Value::Object(turn)
    };
    turns.into_iter().enumerate().map(turn).collect()
}
