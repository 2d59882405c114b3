//! Undo steps: what was replaced by what, grouped as a person thinks of it.

use super::text::Piece;

/// Steps that are kept.
const STEPS_MAX: usize = 1_000;
/// Bytes of text that the steps hold together; the oldest are forgotten beyond it.
const BYTES_MAX: usize = 4 << 20;

/// One replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) at: usize,
    pub(super) removed: Piece,
    pub(super) inserted: Piece,
    /// Where the caret was before.
    pub(super) caret: usize,
}

impl Edit {
    fn bytes(&self) -> usize {
        self.removed.text.len() + self.inserted.text.len()
    }
}

/// What kind of change an edit is: equal neighbours join into one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditKind {
    /// Characters removed one by one.
    Erase,
    /// A step of its own.
    Other,
    /// Characters typed one by one; a step ends with a word.
    Type,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Undo {
    done: Vec<Vec<Edit>>,
    undone: Vec<Vec<Edit>>,
    /// The kind of the last step while it may grow.
    open: Option<EditKind>,
    /// Steps that were there when a group began.
    group: Option<usize>,
    bytes: usize,
}

fn bytes_of(steps: &[Vec<Edit>]) -> usize {
    steps.iter().flatten().map(Edit::bytes).sum()
}

impl Undo {
    pub(super) fn push(&mut self, edit: Edit, kind: EditKind) {
        self.bytes -= bytes_of(&self.undone);
        self.undone.clear();
        self.bytes += edit.bytes();
        let typed = edit.inserted.text.clone();
        let joins = kind != EditKind::Other && self.open == Some(kind);
        match self.done.last_mut() {
            Some(step) if joins => step.push(edit),
            _ => self.done.push(vec![edit]),
        }
        let ends_word = kind == EditKind::Type && typed.ends_with(char::is_whitespace);
        self.open = (kind != EditKind::Other && !ends_word).then_some(kind);
        while self.done.len() > STEPS_MAX || (self.bytes > BYTES_MAX && self.done.len() > 1) {
            let oldest = self.done.remove(0);
            self.bytes -= bytes_of(&[oldest]);
            self.group = self.group.map(|from| from.saturating_sub(1));
        }
    }

    pub(super) fn begin_group(&mut self) {
        self.open = None;
        self.group.get_or_insert(self.done.len());
    }

    pub(super) fn end_group(&mut self) {
        self.open = None;
        let Some(from) = self.group.take().filter(|from| *from < self.done.len()) else { return };
        let rest = self.done.split_off(from + 1);
        self.done[from].extend(rest.into_iter().flatten());
    }

    pub(super) fn close(&mut self) {
        self.open = None;
    }

    pub(super) fn undo(&mut self) -> Option<Vec<Edit>> {
        self.open = None;
        let step = self.done.pop()?;
        self.group = self.group.map(|from| from.min(self.done.len()));
        self.undone.push(step.clone());
        Some(step)
    }

    pub(super) fn redo(&mut self) -> Option<Vec<Edit>> {
        self.open = None;
        let step = self.undone.pop()?;
        self.done.push(step.clone());
        Some(step)
    }
}
