//! A tip under the composer: one quiet line, until something was said.

use crate::{
    composer::Action,
    desk::Desk,
    setup::Mode,
    text::{Line, width},
    theme::Role,
};

/// Rows of the terminal below which there is none.
const ROWS_MIN: u16 = 16;

/// An action whose key the tip begins with, and its words.
const TIPS: [(Option<Action>, &str); 10] = [
    (Some(Action::Queue), " sends a prompt for after the running turn"),
    (Some(Action::HistorySearch), " searches what you asked before"),
    (Some(Action::Editor), " opens what you write in your editor"),
    (None, "! at the start runs a command in your own shell"),
    (None, "@ finds a file of this folder"),
    (None, "Esc twice goes back to an earlier prompt"),
    (None, "/permissions chooses when you are asked and what commands may touch"),
    (None, "/diff shows what changed in this folder"),
    (None, "codex resume --last goes on with the newest conversation"),
    (None, "/copy code copies the code of the last answer"),
];

/// The tip of this conversation.
pub(crate) fn line(desk: &Desk, columns: u16, rows: u16) -> Option<Line> {
    let is_wanted = desk.setup.tooltips && desk.setup.mode != Mode::Plain && rows >= ROWS_MIN;
    let is_first = desk.transcript.is_empty() && desk.early.is_empty();
    let thread = desk.thread().filter(|_| is_wanted && is_first)?;
    // As good as random, and the same for as long as the conversation.
    let first: usize = thread.to_string().bytes().map(usize::from).sum();
    let (key, words) = (first..first + TIPS.len()).find_map(|at| tip(at % TIPS.len(), desk))?;
    let dim = desk.look.style(Role::Dim);
    let fits = 2 + width(&key) + width(words) <= usize::from(columns);
    fits.then(|| Line::styled(format!("  {key}{words}"), dim))
}

/// A tip as it is for this user's keys; `None` when the action has no key.
fn tip(at: usize, desk: &Desk) -> Option<(String, &'static str)> {
    let (action, words) = TIPS[at];
    let Some(action) = action else { return Some((String::new(), words)) };
    desk.input.keys(action).next().map(|key| (key.to_string(), words))
}
