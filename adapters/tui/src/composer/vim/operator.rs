//! What operators do to a part of the text, and the register that they fill.

use std::ops::Range;

use super::{
    Vim, VimMode,
    motion::{Motion, Reach, first_nonblank},
};
use crate::composer::{
    text::{Piece, Text},
    undo::EditKind,
};

/// What a line is moved to the right by.
const INDENT: &str = "    ";

/// What is done to a part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Change,
    Delete,
    Flip,
    Indent,
    Lower,
    Outdent,
    Upper,
    Yank,
}

impl Operator {
    /// Each with its letter, and whether `g` stands before it.
    const ALL: [(Self, char, bool); 8] = [
        (Self::Change, 'c', false),
        (Self::Delete, 'd', false),
        (Self::Flip, '~', true),
        (Self::Indent, '>', false),
        (Self::Lower, 'u', true),
        (Self::Outdent, '<', false),
        (Self::Upper, 'U', true),
        (Self::Yank, 'y', false),
    ];

    pub(super) fn of(char: char, is_g: bool) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, letter, g)| (*letter, *g) == (char, is_g));
        found.map(|(operator, _, _)| *operator)
    }

    /// What means whole lines after it.
    pub(super) fn letter(self) -> char {
        let found = Self::ALL.iter().find(|(operator, _, _)| *operator == self);
        found.map_or('\0', |(_, letter, _)| *letter)
    }
}

/// A part of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Whole lines are without their last newline.
    pub(super) range: Range<usize>,
    pub(super) is_lines: bool,
}

impl Span {
    /// From the caret to where a motion goes.
    pub(super) fn of(motion: &Motion, text: &Text) -> Self {
        let caret = text.caret();
        let (start, mut end) = (caret.min(motion.to), caret.max(motion.to));
        let mut is_lines = motion.reach == Reach::Lines;
        match motion.reach {
            Reach::Onto => end = text.after(end),
            // What ends at the start of a line ends with the line before.
            Reach::Before if end > text.line_end(start) && end == text.line_start(end) => {
                end -= 1;
                is_lines = start <= first_nonblank(text, text.line_start(start));
            }
            Reach::Before | Reach::Lines => {}
        }
        if is_lines {
            return Self { range: text.line_start(start)..text.line_end(end), is_lines };
        }
        Self { range: start..end, is_lines }
    }
}

/// What was deleted or yanked.
#[derive(Clone, Debug, Default)]
pub(super) struct Register {
    piece: Piece,
    is_lines: bool,
}

impl Register {
    pub(super) fn has_placeholders(&self) -> bool {
        !self.piece.atoms.is_empty()
    }
}

/// Whole lines from the caret on, `count` of them.
pub(super) fn lines_from(text: &Text, count: usize) -> Span {
    let start = text.line_start(text.caret());
    let mut end = text.line_end(text.caret());
    for _ in 1..count {
        if end == text.as_str().len() {
            break;
        }
        end = text.line_end(end + 1);
    }
    Span { range: start..end, is_lines: true }
}

impl Vim {
    /// Carries an operator out.
    pub(super) fn operate(&mut self, operator: Operator, span: Span, text: &mut Text) {
        let Span { range, is_lines } = span;
        if matches!(operator, Operator::Change | Operator::Delete | Operator::Yank) {
            if range.is_empty() && !is_lines && operator != Operator::Change {
                return;
            }
            self.register = Register { piece: text.piece(range.clone()), is_lines };
        }
        match operator {
            // The caret stays in its line and column when the lines begin there.
            Operator::Yank if is_lines && range.start == text.line_start(text.caret()) => {}
            Operator::Yank => text.set_caret(range.start),
            Operator::Change => {
                text.set_caret(range.start);
                text.replace(range, &Piece::default(), EditKind::Other);
                self.start_insert(1, "", text);
            }
            Operator::Delete => delete(range, is_lines, text),
            Operator::Indent | Operator::Outdent => {
                self.indent(operator, range, 1, text);
            }
            Operator::Flip | Operator::Lower | Operator::Upper => {
                let start = range.start;
                change_case(operator, range, text);
                text.set_caret(start);
            }
        }
    }

    /// Moves lines to the right or to the left, `times` as far.
    pub(super) fn indent(
        &mut self,
        operator: Operator,
        range: Range<usize>,
        times: usize,
        text: &mut Text,
    ) {
        let start = text.line_start(range.start);
        let count = text.as_str()[start..range.end.max(start)].matches('\n').count() + 1;
        let indent = INDENT.repeat(times);
        if operator == Operator::Indent && !self.fits(indent.len().saturating_mul(count), text) {
            return;
        }
        let mut line = start;
        for _ in 0..count {
            let is_blank = text.line_end(line) == line;
            if operator == Operator::Outdent {
                let have = &text.as_str()[line..first_nonblank(text, line)];
                let mut columns = INDENT.len() * times;
                let cut = have.find(|char| {
                    let width = if char == '\t' { INDENT.len() } else { 1 };
                    let is_over = columns < width;
                    columns = columns.saturating_sub(width);
                    is_over
                });
                let cut = line..line + cut.unwrap_or(have.len());
                text.replace(cut, &Piece::default(), EditKind::Other);
            } else if !is_blank {
                text.replace(line..line, &indent.as_str().into(), EditKind::Other);
            }
            line = (text.line_end(line) + 1).min(text.as_str().len());
        }
        text.set_caret(first_nonblank(text, start));
    }

    /// `p` and `P`.
    pub(super) fn put(&mut self, is_after: bool, times: usize, text: &mut Text) {
        let Register { piece, is_lines } = self.register.clone();
        let caret = text.caret();
        let bytes = (piece.text.len() + usize::from(is_lines)).saturating_mul(times);
        if bytes == 0 || !self.fits(bytes, text) {
            return;
        }
        let mut whole = Piece::default();
        for _ in 0..times {
            if is_lines && is_after {
                whole.push(&"\n".into());
            }
            whole.push(&piece);
            if is_lines && !is_after {
                whole.push(&"\n".into());
            }
        }
        if is_lines {
            let at = if is_after { text.line_end(caret) } else { text.line_start(caret) };
            text.replace(at..at, &whole, EditKind::Other);
            text.set_caret(first_nonblank(text, at + usize::from(is_after)));
        } else {
            let at = if is_after { text.right(caret, 1) } else { caret };
            text.replace(at..at, &whole, EditKind::Other);
            // Several lines: the caret is where they begin.
            let to = if whole.text.contains('\n') { at } else { text.before(text.caret()) };
            text.set_caret(to);
        }
    }

    /// `p` and `P` over a selection. `keeps`: the register stays what it is.
    pub(super) fn put_over(&mut self, span: Span, keeps: bool, times: usize, text: &mut Text) {
        let Register { piece, is_lines } = self.register.clone();
        let bytes = (piece.text.len() + 2).saturating_mul(times);
        if (piece.text.is_empty() && !is_lines) || !self.fits(bytes, text) {
            return;
        }
        let mut whole = Piece::default();
        for index in 0..times {
            if is_lines && (index > 0 || !span.is_lines) {
                whole.push(&"\n".into());
            }
            whole.push(&piece);
        }
        if is_lines && !span.is_lines {
            whole.push(&"\n".into());
        }
        let removed = text.replace(span.range.clone(), &whole, EditKind::Other);
        let first = span.range.start + usize::from(is_lines && !span.is_lines);
        let is_one_line = !whole.text.contains('\n') && !is_lines && !span.is_lines;
        text.set_caret(if is_one_line { text.before(text.caret()) } else { first });
        if !keeps {
            self.register = Register { piece: removed, is_lines: span.is_lines };
        }
    }

    /// `r`: the characters, or those of the selection, become this one.
    pub(super) fn replace(&mut self, char: char, count: usize, text: &mut Text) {
        let caret = text.caret();
        let range = match self.selected(text) {
            Some(span) => span.range,
            None => {
                // Where there are fewer, none is replaced.
                if text.right(caret, count - 1) >= text.line_end(caret) {
                    return;
                }
                caret..text.right(caret, count)
            }
        };
        let is_selection = self.mode.is_visual();
        self.mode = VimMode::Normal;
        let mut new = String::new();
        let mut at = range.start;
        while at < range.end {
            let is_newline = text.as_str()[at..].starts_with('\n');
            new.push(if is_newline { '\n' } else { char });
            at = text.after(at);
        }
        let more = new.len().saturating_sub(range.len());
        if !self.fits(more, text) {
            return;
        }
        let start = range.start;
        text.replace(range, &new.as_str().into(), EditKind::Other);
        text.set_caret(if is_selection { start } else { text.before(text.caret()) });
    }
}

fn delete(range: Range<usize>, is_lines: bool, text: &mut Text) {
    let mut range = range;
    if is_lines {
        // The newline behind the lines goes with them, else the one before.
        if range.end < text.as_str().len() {
            range.end += 1;
        } else {
            range.start = range.start.saturating_sub(1);
        }
    }
    text.replace(range, &Piece::default(), EditKind::Other);
    if is_lines {
        let start = text.line_start(text.caret());
        text.set_caret(first_nonblank(text, start));
    }
}

/// Joins the line with those below, `times` of them.
pub(super) fn join(text: &mut Text, times: usize) {
    for _ in 0..times {
        let end = text.line_end(text.caret());
        if end == text.as_str().len() {
            return;
        }
        let next = first_nonblank(text, end + 1);
        let before = text.as_str()[text.line_start(end)..end].chars().next_back();
        let after = text.as_str()[next..].chars().next();
        let is_apart = before.is_none_or(char::is_whitespace)
            || after.is_none_or(|after| matches!(after, ')' | '\n'));
        let space = if is_apart { "" } else { " " };
        text.replace(end..next, &space.into(), EditKind::Other);
        text.set_caret(end);
    }
}

/// Changes the case of a part of the text, placeholders aside; the caret goes behind it.
pub(super) fn change_case(operator: Operator, range: Range<usize>, text: &mut Text) {
    let to_other = |part: &str| match operator {
        Operator::Lower => part.to_lowercase(),
        Operator::Upper => part.to_uppercase(),
        _ => part.chars().fold(String::new(), |mut out, char| {
            if char.is_uppercase() {
                out.extend(char.to_lowercase());
            } else {
                out.extend(char.to_uppercase());
            }
            out
        }),
    };
    let new = text.piece(range.clone()).map(to_other);
    text.replace(range, &new, EditKind::Other);
}
