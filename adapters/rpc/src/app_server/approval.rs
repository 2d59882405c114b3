//! Questions before a command runs or files change, as requests of ours. Whatever is not a clear
//! yes is a no.

use codex_proto::{
    ApprovalId, Op, ThreadId, Wall,
    approval::{ApprovalAnswer, ApprovalRequest, ApprovalSubject},
};
use serde_json::{Value, json};

use super::{AppServer, state::Topic};
use crate::jsonrpc::{Outgoing, RequestId};

/// A request of ours that waits for the client.
pub(super) struct Question {
    pub(super) thread: ThreadId,
    pub(super) id: ApprovalId,
    /// Whether the client has answered; the engine may not have heard it yet.
    is_answered: bool,
}

impl AppServer {
    pub(super) fn approval_requested(&mut self, request: &ApprovalRequest, now: Wall) {
        let turn = self.current_turn(request.thread);
        let Some(state) = self.threads.get_mut(&request.thread) else { return };
        let number = self.next_request;
        self.next_request += 1;
        state.questions.insert(request.id, number);
        let question = Question { thread: request.thread, id: request.id, is_answered: false };
        self.questions.insert(number, question);
        self.status_changed(request.thread);
        let mut params = json!({
            "threadId": request.thread,
            "turnId": turn,
            "itemId": request.call_id,
            "startedAtMs": now.0,
            "reason": reason(request),
        });
        let method = match &request.subject {
            ApprovalSubject::Command { command, cwd } => {
                params["command"] = command.as_str().into();
                params["cwd"] = json!(cwd);
                params["commandActions"] = json!([{ "type": "unknown", "command": command }]);
                params["proposedExecpolicyAmendment"] = Value::Null;
                params["availableDecisions"] = decisions(request);
                "item/commandExecution/requestApproval"
            }
            ApprovalSubject::Patch { .. } => {
                params["grantRoot"] = Value::Null;
                "item/fileChange/requestApproval"
            }
        };
        self.line(Outgoing::Request(number, method, params));
    }

    pub(super) fn answered(&mut self, id: &RequestId, result: &Result<Value, String>) {
        let RequestId::Number(number) = id else { return };
        let Some(question) = self.questions.get_mut(number).filter(|it| !it.is_answered) else {
            return;
        };
        question.is_answered = true;
        let (thread, approval) = (question.thread, question.id);
        let Some(host) = self.threads.get(&thread).map(|state| state.host) else { return };
        let answer = decision(result);
        let op = self.send(host, Op::Approve { thread, id: approval, answer });
        self.recent.push(op, thread, Topic::Approval);
    }

    pub(super) fn approval_ended(&mut self, thread: ThreadId, id: ApprovalId) {
        let Some(state) = self.threads.get_mut(&thread) else { return };
        let Some(number) = state.questions.remove(&id) else { return };
        self.questions.remove(&number);
        self.resolved(thread, number);
        self.status_changed(thread);
    }

    /// Withdraws what nobody needs an answer to any more.
    pub(super) fn drop_questions(&mut self, thread: ThreadId) {
        let Some(state) = self.threads.get_mut(&thread) else { return };
        for number in std::mem::take(&mut state.questions).into_values() {
            self.questions.remove(&number);
            self.resolved(thread, number);
        }
    }

    fn resolved(&mut self, thread: ThreadId, number: i64) {
        let params = json!({ "threadId": thread, "requestId": number });
        self.notify("serverRequest/resolved", params);
    }
}

/// Why it is asked, what the model said about it, and what a yes gives up.
fn reason(request: &ApprovalRequest) -> String {
    let mut text = request.why.sentence().to_owned();
    if let Some(justification) = &request.justification {
        text.push_str(&format!(" The model says: {justification}"));
    }
    if !request.lost.is_empty() {
        text.push_str(&format!(" A yes gives up: {}.", request.lost.join(", ")));
    }
    if let Some(scope) = &request.session_scope {
        text.push_str(&format!(" For the session it covers: {scope}."));
    }
    text
}

fn decisions(request: &ApprovalRequest) -> Value {
    let for_session: &[&str] =
        if request.session_scope.is_some() { &["acceptForSession"] } else { &[] };
    let all: Vec<&str> =
        ["accept"].iter().chain(for_session).chain(&["decline", "cancel"]).copied().collect();
    json!(all)
}

/// What the client decided. An amendment was not offered, so it is no yes either.
fn decision(result: &Result<Value, String>) -> ApprovalAnswer {
    let no = ApprovalAnswer::Deny { feedback: None };
    let Ok(result) = result else { return no };
    match result.get("decision").and_then(Value::as_str) {
        Some("accept") => ApprovalAnswer::Once,
        Some("acceptForSession") => ApprovalAnswer::Session,
        Some("cancel") => ApprovalAnswer::Abort,
        _ => no,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        let of = |value: Value| decision(&Ok(value));
        assert_eq!(of(json!({ "decision": "accept" })), ApprovalAnswer::Once);
        assert_eq!(of(json!({ "decision": "acceptForSession" })), ApprovalAnswer::Session);
        assert_eq!(of(json!({ "decision": "cancel" })), ApprovalAnswer::Abort);
        let no = ApprovalAnswer::Deny { feedback: None };
        for odd in [
            json!({ "decision": "decline" }),
            json!({ "decision": "Accept" }),
            json!({ "decision": { "acceptWithExecpolicyAmendment": {} } }),
            json!({ "decision": null }),
            json!("accept"),
            Value::Null,
        ] {
            assert_eq!(of(odd.clone()), no, "{odd}");
        }
        assert_eq!(decision(&Err("cancelled".into())), no);
    }
}
