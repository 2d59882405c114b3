//! A question to the user, from the request to the answer.

use std::path::PathBuf;

use codex_proto::{
    ApprovalId, Event,
    approval::{ApprovalAnswer, ApprovalReason, ApprovalRequest, ApprovalSubject},
    item::FileChange,
    policy::ApprovalPolicy,
    shell,
};

use super::{
    plan::CommandPlan,
    policy::{self, Rights},
};
use crate::{limits::GRANTS_MAX, machine::Cx, thread::shared::Shared};

/// A question that is open. Whoever holds it closes it, once.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) id: ApprovalId,
}

impl Question {
    /// Asks about a command.
    pub(crate) fn about_command(
        call_id: &str,
        plan: &CommandPlan,
        why: ApprovalReason,
        rights: Rights,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Self {
        let command =
            shell::script_of(&plan.argv).map_or_else(|| shell::join(&plan.argv), str::to_owned);
        let mut lost = match rights {
            Rights::Session => Vec::new(),
            Rights::Unlimited => policy::lost_without(&cx.settings.sandbox),
        };
        let asks_often = cx.settings.approval == ApprovalPolicy::Untrusted;
        if plan.tty && (asks_often || rights == Rights::Unlimited) {
            lost.push("takes what is typed into it later without asking again".into());
        }
        // Another run without the sandbox is asked about each time.
        let session_scope = (why != ApprovalReason::Failed).then(|| {
            let limits = if rights == Rights::Unlimited { ", without the sandbox" } else { "" };
            format!("exactly this command in {}{limits}", plan.cwd.display())
        });
        Self::ask(
            ApprovalRequest {
                thread: cx.thread,
                id: ApprovalId(shared.next_approval),
                call_id: call_id.to_owned(),
                subject: ApprovalSubject::Command { command, cwd: plan.cwd.clone() },
                why,
                justification: plan.justification.clone().filter(|text| !text.trim().is_empty()),
                lost,
                session_scope,
            },
            shared,
            cx,
        )
    }

    /// Asks about a patch that changes `paths`, some of them `outside` of what may be written.
    pub(crate) fn about_patch(
        call_id: &str,
        changes: &[FileChange],
        paths: &[PathBuf],
        outside: &[PathBuf],
        why: ApprovalReason,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Self {
        let scope = match paths {
            [path] => format!("changes to {}", path.display()),
            _ => format!("changes to these {} files", paths.len()),
        };
        Self::ask(
            ApprovalRequest {
                thread: cx.thread,
                id: ApprovalId(shared.next_approval),
                call_id: call_id.to_owned(),
                subject: ApprovalSubject::Patch { changes: changes.to_vec() },
                why,
                justification: None,
                lost: policy::lost_to_patch(outside),
                session_scope: Some(scope),
            },
            shared,
            cx,
        )
    }

    fn ask(request: ApprovalRequest, shared: &mut Shared, cx: &mut Cx<'_>) -> Self {
        shared.next_approval += 1;
        let id = request.id;
        cx.emit(Event::ApprovalRequested(Box::new(request)));
        Self { id }
    }

    /// Says that the question is answered, or that nobody needs its answer any more.
    pub(crate) fn close(&self, answer: Option<&ApprovalAnswer>, cx: &mut Cx<'_>) {
        cx.emit(Event::ApprovalEnded { thread: cx.thread, id: self.id, answer: answer.cloned() });
    }
}

/// What the model is told after a no. `first` is what a command printed before the user was asked
/// about running it again.
pub(crate) fn denial(what: &str, first: Option<&str>, answer: &ApprovalAnswer) -> String {
    let mut text = match first {
        Some(first) => {
            format!("{first}\nThe user did not allow running it again without the sandbox.")
        }
        None => format!("{what} rejected by user"),
    };
    if let ApprovalAnswer::Deny { feedback: Some(feedback) } = answer
        && !feedback.trim().is_empty()
    {
        text.push_str(&format!("\nThe user says: {}", feedback.trim()));
    }
    text
}

/// Says that an answer counts only once.
pub(crate) fn warn_of_too_many(cx: &mut Cx<'_>) {
    cx.warn(format!("{GRANTS_MAX} answers hold for this session already; this one counts once"));
}
