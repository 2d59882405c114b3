//! `turn/*`: prompts, steering and interrupts, and how turns begin and end.

use std::path::PathBuf;

use codex_proto::{
    Op, OpId, ThreadId, TurnErrorCode, TurnId, Wall,
    error::TurnError,
    event::{TurnOutcome, Usage},
    op::{Configure, Delivery, Prompt, PromptPart},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    AppServer,
    policy::{AskForApproval, WireSandbox, is_plain, unsupported},
    state::{Pending, Topic, TurnState},
};
use crate::{
    jsonrpc::{ErrorObject, RequestId},
    limits::INPUT_CHARS_MAX,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TurnParams {
    thread_id: ThreadId,
    input: Vec<UserInput>,
    #[serde(default)]
    environments: Option<Vec<Value>>,
    #[serde(default)]
    cwd: Option<PathBuf>,
    #[serde(default)]
    approval_policy: Option<AskForApproval>,
    #[serde(default)]
    approvals_reviewer: Option<String>,
    #[serde(default)]
    sandbox_policy: Option<WireSandbox>,
    #[serde(default)]
    permissions: Option<Value>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    service_tier: Option<String>,
    #[serde(default)]
    effort: Option<String>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    personality: Option<String>,
    #[serde(default)]
    output_schema: Option<Value>,
    #[serde(default)]
    collaboration_mode: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SteerParams {
    thread_id: ThreadId,
    input: Vec<UserInput>,
    expected_turn_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InterruptParams {
    thread_id: ThreadId,
    turn_id: String,
}

/// A piece of what the user says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum UserInput {
    Text { text: String },
    Image {},
    LocalImage { path: PathBuf },
    Skill {},
    Mention {},
}

fn content(input: Vec<UserInput>) -> Result<Vec<PromptPart>, ErrorObject> {
    let mut chars = 0_usize;
    let mut parts = Vec::with_capacity(input.len());
    for (index, piece) in input.into_iter().enumerate() {
        let unsupported = |kind: &str, instead: &str| {
            Err(unsupported(&format!("input[{index}] of type `{kind}`"), instead))
        };
        match piece {
            UserInput::Text { text } => {
                chars = chars.saturating_add(text.chars().count());
                parts.push(PromptPart::Text(text));
            }
            UserInput::LocalImage { path } if is_plain(&path) => {
                parts.push(PromptPart::Image { path });
            }
            UserInput::LocalImage { path } => {
                return Err(ErrorObject::invalid(format!(
                    "input[{index}].path: {} is not absolute, or has `..` in it",
                    path.display()
                )));
            }
            UserInput::Image {} => return unsupported("image", "use `localImage` with a path"),
            UserInput::Skill {} => return unsupported("skill", "name the file in a text"),
            UserInput::Mention {} => return unsupported("mention", "name the file in a text"),
        }
    }
    if chars > INPUT_CHARS_MAX {
        let message =
            format!("Input exceeds the maximum length of {INPUT_CHARS_MAX} characters: {chars}");
        let data = json!({
            "input_error_code": "input_too_large",
            "max_chars": INPUT_CHARS_MAX,
            "actual_chars": chars,
        });
        return Err(ErrorObject::invalid(message).with_data(data));
    }
    Ok(parts)
}

impl AppServer {
    pub(super) fn start_turn(
        &mut self,
        id: RequestId,
        params: TurnParams,
    ) -> Result<(), ErrorObject> {
        let is_experimental = self.is_experimental();
        let thread = params.thread_id;
        let state = self.loaded(thread)?;
        if params.cwd.as_ref().is_some_and(|cwd| *cwd != state.ready.cwd) {
            let instead = format!(
                "this thread works in {}; start another one for another folder",
                state.ready.cwd.display()
            );
            return Err(unsupported("turn/start.cwd", &instead));
        }
        if params.approvals_reviewer.as_deref().is_some_and(|reviewer| reviewer != "user") {
            return Err(unsupported("approvalsReviewer", "leave it out, or use `user`"));
        }
        if params.permissions.is_some() {
            return Err(unsupported("permissions", "use `sandboxPolicy`"));
        }
        if params.environments.is_some_and(|environments| !environments.is_empty()) {
            return Err(unsupported("turn/start.environments", "leave it out"));
        }
        let approval = params.approval_policy.map(|ask| ask.policy(is_experimental)).transpose()?;
        let sandbox =
            params.sandbox_policy.map(|sandbox| sandbox.policy(&state.ready.cwd)).transpose()?;
        let content = content(params.input)?;

        let host = state.host;
        let mut configure = Configure::new(thread);
        configure.model = params.model.filter(|model| *model != state.ready.model);
        configure.reasoning_effort = params
            .effort
            .filter(|effort| Some(effort) != state.ready.reasoning_effort.as_ref())
            .map(Some);
        configure.approval = approval.filter(|approval| *approval != state.approval);
        configure.sandbox = sandbox.filter(|sandbox| *sandbox != state.sandbox);
        let running = state.turn.as_ref().map(|turn| turn_value(turn.id, turn, "inProgress"));
        let service_tier = self.host_facts(host).and_then(|facts| facts.service_tier.clone());
        for (field, is_given) in [
            ("serviceTier", params.service_tier.is_some_and(|tier| Some(tier) != service_tier)),
            ("summary", params.summary.is_some_and(|summary| summary != "auto")),
            ("personality", params.personality.is_some()),
            ("collaborationMode", params.collaboration_mode.is_some()),
        ] {
            if is_given {
                let text = format!("turn/start.{field} is not supported by this version: ignored");
                self.warn(Some(thread), &text);
            }
        }
        if configure != Configure::new(thread) {
            let op = self.send(host, Op::Configure(Box::new(configure)));
            self.recent.push(op, thread, Topic::Configure);
        }
        let prompt = Prompt {
            thread,
            content,
            delivery: Delivery::Steer,
            output_schema: params.output_schema.filter(|schema| !schema.is_null()),
        };
        let op = self.send(host, Op::Prompt(Box::new(prompt)));
        match running {
            // It joins the running turn.
            Some(turn) => {
                self.recent.push(op, thread, Topic::Prompt);
                self.answer(&id, json!({ "turn": turn }));
            }
            None => {
                self.pending.insert(op, Pending::Turn { request: id, thread });
            }
        }
        Ok(())
    }

    pub(super) fn steer_turn(
        &mut self,
        id: &RequestId,
        params: SteerParams,
    ) -> Result<(), ErrorObject> {
        let thread = params.thread_id;
        let (host, turn) = self.active(thread, &params.expected_turn_id, "steer")?;
        let content = content(params.input)?;
        if content.is_empty() {
            return Err(ErrorObject::invalid("input must not be empty"));
        }
        let prompt = Prompt { thread, content, delivery: Delivery::Steer, output_schema: None };
        let op = self.send(host, Op::Prompt(Box::new(prompt)));
        self.recent.push(op, thread, Topic::Prompt);
        self.answer(id, json!({ "turnId": turn }));
        Ok(())
    }

    pub(super) fn interrupt_turn(
        &mut self,
        id: &RequestId,
        params: &InterruptParams,
    ) -> Result<(), ErrorObject> {
        let thread = params.thread_id;
        let (host, _) = self.active(thread, &params.turn_id, "interrupt")?;
        self.send(host, Op::Interrupt { thread });
        self.answer(id, json!({}));
        Ok(())
    }

    /// The engine and the running turn of a thread, which must be the one that is meant.
    fn active(
        &mut self,
        thread: ThreadId,
        expected: &str,
        purpose: &str,
    ) -> Result<(super::boundary::HostId, TurnId), ErrorObject> {
        let state = self.loaded(thread)?;
        let Some(turn) = &state.turn else {
            return Err(ErrorObject::invalid(format!("no active turn to {purpose}")));
        };
        if turn.id.to_string() != expected {
            return Err(ErrorObject::invalid(format!(
                "expected active turn id `{expected}` but found `{}`",
                turn.id
            )));
        }
        Ok((state.host, turn.id))
    }

    pub(super) fn turn_started(&mut self, thread: ThreadId, turn: TurnId, now: Wall) {
        let Some(state) = self.threads.get_mut(&thread) else { return };
        let begun = TurnState { id: turn, started_ms: now.0 };
        let value = turn_value(turn, &begun, "inProgress");
        state.turn = Some(begun);
        state.has_failed = false;
        state.updated_s = now.unix_seconds();
        let waits = |pending: &Pending| matches!(pending, Pending::Turn { thread: waiting, .. } if *waiting == thread);
        let ops: Vec<OpId> =
            self.pending.iter().filter(|(_, it)| waits(it)).map(|(op, _)| *op).collect();
        for op in ops {
            if let Some(Pending::Turn { request, .. }) = self.pending.remove(&op) {
                // The engine may still refuse a later one of them.
                self.recent.push(op, thread, Topic::Prompt);
                self.answer(&request, json!({ "turn": value }));
            }
        }
        self.status_changed(thread);
        self.notify("turn/started", json!({ "threadId": thread, "turn": value }));
    }

    pub(super) fn turn_ended(
        &mut self,
        thread: ThreadId,
        turn: TurnId,
        outcome: &TurnOutcome,
        duration_ms: u64,
        now: Wall,
    ) {
        let Some(state) = self.threads.get_mut(&thread) else { return };
        let begun = state.turn.take();
        let begun = begun.unwrap_or(TurnState { id: turn, started_ms: now.0 });
        state.last_turn = Some(turn);
        state.updated_s = now.unix_seconds();
        let (status, error) = match outcome {
            TurnOutcome::Completed { .. } => ("completed", None),
            TurnOutcome::Failed(error) => ("failed", Some(error)),
            TurnOutcome::Interrupted => ("interrupted", None),
        };
        state.has_failed = error.is_some();
        let mut value = turn_value(turn, &begun, status);
        value["completedAt"] = now.unix_seconds().into();
        value["durationMs"] = duration_ms.into();
        if let Some(error) = error {
            let error = error_value(error);
            value["error"] = error.clone();
            self.tell_error(thread, turn, error, false);
        }
        self.status_changed(thread);
        self.notify("turn/completed", json!({ "threadId": thread, "turn": value }));
    }

    pub(super) fn retrying(
        &mut self,
        thread: ThreadId,
        (attempt, attempts_max): (u32, Option<u32>),
        cause: &TurnError,
    ) {
        let Some(turn) = self.current_turn(thread) else { return };
        let mut error = error_value(cause);
        let most = attempts_max.map(|most| format!("/{most}")).unwrap_or_default();
        error["message"] = format!("Reconnecting... {attempt}{most}").into();
        error["additionalDetails"] = cause.message.clone().into();
        self.tell_error(thread, turn, error, true);
    }

    fn tell_error(&mut self, thread: ThreadId, turn: TurnId, error: Value, will_retry: bool) {
        let params = json!({
            "error": error, "willRetry": will_retry, "threadId": thread, "turnId": turn
        });
        self.notify("error", params);
    }

    pub(super) fn usage(
        &mut self,
        thread: ThreadId,
        total: &Usage,
        last: &Usage,
        window: Option<u64>,
    ) {
        let Some(turn) = self.current_turn(thread) else { return };
        let usage = json!({
            "total": usage_value(total), "last": usage_value(last), "modelContextWindow": window
        });
        let params = json!({ "threadId": thread, "turnId": turn, "tokenUsage": usage });
        self.notify("thread/tokenUsage/updated", params);
    }

    /// Prompts that the model never saw.
    pub(super) fn prompts_returned(&mut self, thread: ThreadId, prompts: &[Prompt]) {
        let (count, s) = (prompts.len(), if prompts.len() == 1 { "" } else { "s" });
        let message = format!(
            "{count} message{s} had not reached the model when the turn was interrupted; send \
             {} again",
            if count == 1 { "it" } else { "them" }
        );
        self.warn(Some(thread), &message);
    }

    /// The running turn of a thread, else the one before.
    pub(super) fn current_turn(&self, thread: ThreadId) -> Option<TurnId> {
        let state = self.threads.get(&thread)?;
        state.turn.as_ref().map(|turn| turn.id).or(state.last_turn)
    }
}

/// A turn as notifications tell it: without its items, which have notifications of their own.
fn turn_value(id: TurnId, turn: &TurnState, status: &str) -> Value {
    json!({
        "id": id,
        "items": [],
        "itemsView": "notLoaded",
        "status": status,
        "error": null,
        "startedAt": turn.started_ms.div_euclid(1_000),
        "completedAt": null,
        "durationMs": null,
    })
}

fn usage_value(usage: &Usage) -> Value {
    json!({
        "totalTokens": usage.total_tokens,
        "inputTokens": usage.input_tokens,
        "cachedInputTokens": usage.cached_input_tokens,
        "outputTokens": usage.output_tokens,
        "reasoningOutputTokens": usage.reasoning_output_tokens,
    })
}

fn error_value(error: &TurnError) -> Value {
    json!({
        "message": error.message,
        "codexErrorInfo": error_info(error.code),
        "additionalDetails": error.hint,
    })
}

fn error_info(code: TurnErrorCode) -> Value {
    let with_status =
        |name: &str, status: Option<u16>| json!({ name: { "httpStatusCode": status } });
    match code {
        TurnErrorCode::BadRequest => "badRequest".into(),
        TurnErrorCode::ConnectionFailed => with_status("httpConnectionFailed", None),
        TurnErrorCode::ContextLengthExceeded => "contextWindowExceeded".into(),
        TurnErrorCode::CyberPolicy => "cyberPolicy".into(),
        TurnErrorCode::InsufficientQuota
        | TurnErrorCode::UsageLimitReached
        | TurnErrorCode::UsageNotIncluded => "usageLimitExceeded".into(),
        TurnErrorCode::MissingCredential | TurnErrorCode::Unauthorized => "unauthorized".into(),
        TurnErrorCode::RateLimited => with_status("responseTooManyFailedAttempts", Some(429)),
        TurnErrorCode::ServerError => "internalServerError".into(),
        TurnErrorCode::ServerOverloaded => "serverOverloaded".into(),
        TurnErrorCode::StreamDisconnected => with_status("responseStreamDisconnected", None),
        TurnErrorCode::TimedOut => with_status("responseStreamConnectionFailed", None),
        TurnErrorCode::Interrupted
        | TurnErrorCode::ResponseIncomplete
        | TurnErrorCode::UnexpectedStatus => "other".into(),
    }
}
