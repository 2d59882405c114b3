//! How a question was answered.

use codex_proto::approval::{ApprovalAnswer, ApprovalRequest, ApprovalSubject};

use super::{Context, short_path};
use crate::{
    setup::Setup,
    text::{Line, clean_line, fit},
    theme::Role,
};

/// Columns of a command in the one line that is said about it.
const COMMAND_COLUMNS_MAX: usize = 100;

/// A question and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// What it was about.
    subject: String,
    scope: Option<String>,
    answer: Option<ApprovalAnswer>,
}

impl Approval {
    /// An answered question.
    #[must_use]
    pub fn new(request: &ApprovalRequest, answer: Option<&ApprovalAnswer>, setup: &Setup) -> Self {
        let scope = request.session_scope.as_deref().map(|scope| clean_line(scope).into_owned());
        Self { subject: subject(request, setup), scope, answer: answer.cloned() }
    }

    pub(super) fn lines(&self, cx: &Context) -> Vec<Line> {
        let look = &cx.paint.look;
        let (verb, role) = match &self.answer {
            Some(ApprovalAnswer::Once) => ("allowed once: ", Role::Good),
            Some(ApprovalAnswer::Session) => ("allowed for this session: ", Role::Good),
            // Told by the command or the patch itself, and by the end of a turn that was stopped.
            Some(ApprovalAnswer::Abort | ApprovalAnswer::Deny { .. }) => {
                return Vec::new();
            }
            None => ("no longer asked: ", Role::Dim),
        };
        let subject = match (&self.answer, &self.scope) {
            (Some(ApprovalAnswer::Session), Some(scope)) => scope,
            _ => &self.subject,
        };
        vec![Line::styled(verb, look.style(role)).with(&**subject, look.style(Role::Dim))]
    }
}

/// What a question is about, in one line.
#[must_use]
pub(crate) fn subject(request: &ApprovalRequest, setup: &Setup) -> String {
    match &request.subject {
        ApprovalSubject::Command { command, .. } => fit(&clean_line(command), COMMAND_COLUMNS_MAX),
        ApprovalSubject::Patch { changes } => match changes.as_slice() {
            [change] => format!("edit {}", short_path(&change.path, setup)),
            changes => format!("edit {} files", changes.len()),
        },
    }
}
