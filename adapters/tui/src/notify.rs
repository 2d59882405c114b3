//! When the user is called, and with which words.

use codex_proto::{Event, approval::ApprovalSubject, event::TurnOutcome};

use crate::{
    cell::short_path,
    desk::Desk,
    frame::notification,
    msg::ScreenEffect,
    setup::NotifyMethod,
    text::{clean_line, fit},
};

/// Columns of a command in a notification.
const COMMAND_COLUMNS: usize = 30;
/// Columns of an answer in a notification.
const ANSWER_COLUMNS: usize = 200;

/// Calls the user for an event, if it is worth it and nobody is looking.
pub(crate) fn on_event(event: &Event, desk: &mut Desk) {
    let setup = &desk.setup;
    let is_looked_at = desk.has_focus && setup.terminal.focus_events;
    if is_looked_at && !setup.notifications.always {
        return;
    }
    let text = match event {
        Event::ApprovalRequested(request) if setup.notifications.approval => {
            match &request.subject {
                ApprovalSubject::Command { command, .. } => {
                    let command = fit(&clean_line(command), COMMAND_COLUMNS);
                    format!("Approval requested: {command}")
                }
                ApprovalSubject::Patch { changes } => match changes.as_slice() {
                    [change] => format!("Codex wants to edit {}", short_path(&change.path, setup)),
                    changes => format!("Codex wants to edit {} files", changes.len()),
                },
            }
        }
        // A question that waits outranks the end of anything else.
        Event::TurnEnded { outcome, .. }
            if setup.notifications.turn && desk.session.questions.is_empty() =>
        {
            match outcome {
                TurnOutcome::Completed { last_message: Some(message) } => {
                    let words = message.split_whitespace().collect::<Vec<_>>().join(" ");
                    fit(&clean_line(&words), ANSWER_COLUMNS)
                }
                TurnOutcome::Completed { last_message: None } => "Agent turn complete".into(),
                TurnOutcome::Failed(error) => format!("Failed: {}", clean_line(&error.message)),
                // Who stops it is looking.
                TurnOutcome::Interrupted => return,
            }
        }
        _ => return,
    };
    if desk.setup.terminal.notify == NotifyMethod::Toast {
        desk.effect(ScreenEffect::Toast { title: "Codex".into(), body: text });
    } else {
        let bytes = notification(&desk.setup.terminal, &text);
        desk.effect(ScreenEffect::Write(bytes));
    }
}
