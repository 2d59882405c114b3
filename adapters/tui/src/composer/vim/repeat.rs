//! `.`: the last change once more, with what was written after it.

use super::{Pending, Vim, VimMode, operator::Span};
use crate::composer::{
    text::{Piece, Text},
    undo::EditKind,
};

/// A change that can be repeated.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    /// Its keys, counts aside.
    pub(super) keys: String,
    pub(super) count: Option<usize>,
    /// How much was selected.
    pub(super) extent: Option<Extent>,
    /// What was written.
    pub(super) inserted: Piece,
}

impl Change {
    pub(super) fn has_placeholders(&self) -> bool {
        !self.inserted.atoms.is_empty()
    }
}

/// How much was selected, wherever it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    mode: VimMode,
    /// Lines below the first one.
    lines: usize,
    /// Characters on the last line.
    characters: usize,
}

/// What is being written after a command.
#[derive(Clone, Debug)]
pub(super) struct Insertion {
    /// The text before it, and where it goes in.
    before: String,
    at: usize,
    /// How often it is to be there, and what stands between.
    times: usize,
    between: &'static str,
}

impl Vim {
    /// Insert mode, as part of a command. What is written will be there `times`.
    pub(super) fn start_insert(&mut self, times: usize, between: &'static str, text: &Text) {
        self.mode = VimMode::Insert;
        let (before, at) = (text.as_str().to_owned(), text.caret());
        self.insertion = Some(Insertion { before, at, times, between });
    }

    /// Esc in insert mode.
    pub fn leave_insert(&mut self, text: &mut Text) {
        self.mode = VimMode::Normal;
        self.pending = Pending::default();
        if let Some(Insertion { before, at, times, between }) = self.insertion.take() {
            let now = text.as_str();
            let tail = before.len() - at;
            // Who wrote in more than one place, or took away what was there, repeats nothing of it.
            let is_one_piece = now.len() >= before.len()
                && now.starts_with(&before[..at])
                && now.ends_with(&before[at..]);
            let end = now.len().saturating_sub(tail);
            let inserted = if is_one_piece { text.piece(at..end) } else { Piece::default() };
            let bytes = inserted.text.len() + between.len();
            if !inserted.text.is_empty() && self.fits(bytes.saturating_mul(times - 1), text) {
                text.set_caret(end);
                for _ in 1..times {
                    text.insert(&between.into(), EditKind::Other);
                    text.insert(&inserted, EditKind::Other);
                }
            }
            if let Some(last) = &mut self.last {
                last.inserted = inserted;
            }
        }
        text.end_group();
        let caret = text.caret();
        if caret > text.line_start(caret) {
            text.set_caret(text.before(caret));
        }
    }

    /// How much is selected.
    pub(super) fn extent(&self, text: &Text) -> Option<Extent> {
        let Span { range, .. } = self.selected(text)?;
        let last = text.line_start(range.end).max(range.start);
        let lines = text.as_str()[range.clone()].matches('\n').count();
        let mut characters = 0;
        let mut at = last;
        while at < range.end && self.mode == VimMode::Visual {
            at = text.after(at);
            characters += 1;
        }
        Some(Extent { mode: self.mode, lines, characters })
    }

    /// Selects as much from the caret on.
    fn select_extent(&mut self, extent: Extent, text: &mut Text) {
        self.anchor = text.caret();
        self.mode = extent.mode;
        let mut at = text.caret();
        for _ in 0..extent.lines {
            let end = text.line_end(at);
            at = if end < text.as_str().len() { end + 1 } else { at };
        }
        text.set_caret(text.right(at, extent.characters.saturating_sub(1)));
    }

    /// `.`
    pub(super) fn repeat(&mut self, count: Option<usize>, text: &mut Text) {
        let Some(mut change) = self.last.take() else { return };
        change.count = count.or(change.count);
        if self.fits(change.inserted.text.len(), text) {
            if let Some(extent) = change.extent {
                self.select_extent(extent, text);
            }
            self.pending = Pending { count: change.count, ..Pending::default() };
            for char in change.keys.chars() {
                self.char(char, text);
            }
            if self.mode == VimMode::Insert {
                text.insert(&change.inserted, EditKind::Other);
                self.leave_insert(text);
            }
            self.pending = Pending { keys: ".".into(), ..Pending::default() };
        }
        self.last = Some(change);
    }
}
