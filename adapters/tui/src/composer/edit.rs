//! What the keys of an editor do to a text, wherever it is written: in the composer or in the line of a
//! popup.

use std::ops::Range;

use super::{
    action::Action,
    text::{Piece, Text},
    undo::EditKind,
};

/// What was removed last by a kill. The next kill joins it when no other key came between.
#[derive(Clone, Debug, Default)]
pub struct Killed {
    piece: Piece,
    is_open: bool,
}

impl Killed {
    /// Something else was done.
    pub fn close(&mut self) {
        self.is_open = false;
    }

    /// Forgets what refers to placeholders: what they stood for is gone.
    pub fn forget_placeholders(&mut self) {
        if !self.piece.atoms.is_empty() {
            self.piece = Piece::default();
        }
    }

    fn kill(&mut self, range: Range<usize>, backward: bool, joins: bool, text: &mut Text) {
        let removed = text.replace(range, &Piece::default(), EditKind::Other);
        if removed.text.is_empty() {
            self.is_open = joins;
            return;
        }
        let before = std::mem::take(&mut self.piece);
        let (mut first, second) = match (joins, backward) {
            (false, _) => (removed, Piece::default()),
            (true, true) => (removed, before),
            (true, false) => (before, removed),
        };
        first.push(&second);
        *self = Self { piece: first, is_open: true };
    }
}

/// Carries out an action that is about the text alone, within its lines. False when it is not.
pub fn edit(action: Action, text: &mut Text, killed: &mut Killed) -> bool {
    let joins = std::mem::take(&mut killed.is_open);
    let caret = text.caret();
    let len = text.as_str().len();
    let erase = |range, text: &mut Text| {
        text.replace(range, &Piece::default(), EditKind::Erase);
    };
    match action {
        Action::DeleteBackward => erase(text.before(caret)..caret, text),
        Action::DeleteForward => erase(caret..text.after(caret), text),
        Action::DeleteBackwardWord => {
            killed.kill(text.blank_word_before(caret)..caret, true, joins, text);
        }
        Action::DeleteForwardWord => {
            killed.kill(caret..text.word_after(caret), false, joins, text);
        }
        Action::KillLineEnd => {
            let end = text.line_end(caret);
            // At the end of a line its newline goes.
            let end = if end == caret { text.after(caret) } else { end };
            killed.kill(caret..end, false, joins, text);
        }
        Action::KillLineStart => {
            let start = text.line_start(caret);
            let start = if start == caret { text.before(caret) } else { start };
            killed.kill(start..caret, true, joins, text);
        }
        Action::KillWholeLine => {
            let range = text.line_start(caret)..text.after(text.line_end(caret));
            killed.kill(range, false, joins, text);
        }
        Action::MoveLeft => text.set_caret(text.before(caret)),
        Action::MoveRight => text.set_caret(text.after(caret)),
        Action::MoveLineStart => text.set_caret(text.line_start(caret)),
        Action::MoveLineEnd => text.set_caret(text.line_end(caret)),
        Action::MoveTextStart => text.set_caret(0),
        Action::MoveTextEnd => text.set_caret(len),
        Action::MoveWordLeft => text.set_caret(text.word_before(caret)),
        Action::MoveWordRight => text.set_caret(text.word_after(caret)),
        Action::Redo => {
            text.redo();
        }
        Action::Undo => {
            text.undo();
        }
        Action::Yank => text.insert(&killed.piece, EditKind::Other),
        Action::AttachClipboard
        | Action::Complete
        | Action::Editor
        | Action::HistoryNext
        | Action::HistorySearch
        | Action::MoveDown
        | Action::MoveUp
        | Action::NewLine
        | Action::Queue
        | Action::Submit => return false,
    }
    true
}
