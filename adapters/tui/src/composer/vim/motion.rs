//! Where a motion goes, and how much of the text an operator takes with it.

use super::{Operator, Vim};
use crate::composer::text::Text;

/// What a character that comes next is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Find {
    /// `f` or `F`: onto it. `t` or `T`: next to it.
    To { forward: bool, till: bool },
    /// `r`.
    Replace,
}

impl Find {
    pub(super) fn of(char: char) -> Option<Self> {
        Some(match char {
            'f' => Self::To { forward: true, till: false },
            'F' => Self::To { forward: false, till: false },
            't' => Self::To { forward: true, till: true },
            'T' => Self::To { forward: false, till: true },
            _ => return None,
        })
    }
}

/// What an operator takes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Up to the end.
    Before,
    /// The character at the end, too.
    Onto,
    /// Whole lines.
    Lines,
}

/// Where a motion ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Motion {
    pub(super) to: usize,
    pub(super) reach: Reach,
}

impl Vim {
    /// Where a motion goes; `None` when it is none or goes nowhere. `operator`: what it is for.
    pub(super) fn motion(
        &self,
        char: char,
        is_g: bool,
        count: Option<usize>,
        operator: Option<Operator>,
        text: &Text,
    ) -> Option<Motion> {
        let caret = text.caret();
        let (start, end) = (text.line_start(caret), text.line_end(caret));
        let times = count.unwrap_or(1);
        let again = |step: &dyn Fn(usize) -> usize| {
            let mut at = caret;
            for _ in 0..times {
                let next = step(at);
                if next == at {
                    break;
                }
                at = next;
            }
            at
        };
        let is_big = char.is_uppercase();
        let (to, reach) = match char {
            'g' if is_g => (line_number(text, times), Reach::Lines),
            _ if is_g => return None,
            'G' => (line_number(text, count.unwrap_or(usize::MAX)), Reach::Lines),
            'h' => (text.left(caret, times), Reach::Before),
            'l' | ' ' => (text.right(caret, times), Reach::Before),
            // `cw` leaves the space behind the word.
            'w' | 'W' if operator == Some(Operator::Change) && caret < end => {
                let end = |at, index| word_end(text, at, is_big, index == 0);
                ((0..times).fold(caret, end), Reach::Onto)
            }
            'w' | 'W' if operator.is_some() => {
                let last = (1..times).fold(caret, |at, _| word_start(text, at, is_big));
                // The line end behind the last word stays.
                let to = word_start(text, last, is_big);
                let line_end = text.line_end(last);
                (if last < line_end { to.min(line_end) } else { to }, Reach::Before)
            }
            'w' | 'W' => (again(&|at| word_start(text, at, is_big)), Reach::Before),
            'e' | 'E' => (again(&|at| word_end(text, at, is_big, false)), Reach::Onto),
            'b' | 'B' => (again(&|at| word_back(text, at, is_big)), Reach::Before),
            '0' => (start, Reach::Before),
            '^' => (first_nonblank(text, start), Reach::Before),
            '$' => {
                let line = (1..times).fold(end, |at, _| line_below(text, at));
                (text.line_end(line), Reach::Before)
            }
            'j' | 'k' => {
                let line =
                    |at| if char == 'j' { line_below(text, at) } else { line_above(text, at) };
                let to = again(&|at| text.line_start(line(at)));
                if text.line_start(to) == start {
                    return None;
                }
                (to, Reach::Lines)
            }
            '}' => (again(&|at| paragraph(text, at, true)), Reach::Before),
            '{' => (again(&|at| paragraph(text, at, false)), Reach::Before),
            '%' => (super::object::partner(text, caret)?, Reach::Onto),
            ';' | ',' => {
                let (Find::To { forward, till }, target) = self.last_find? else { return None };
                let find_now = Find::To { forward: forward == (char == ';'), till };
                return find(text, find_now, target, times, true);
            }
            _ => return None,
        };
        Some(Motion { to, reach })
    }
}

/// The nth such character of the line. `is_again`: one that is next to the caret does not count for
/// `t`, as it would hold the caret where it is.
pub(super) fn find(
    text: &Text,
    find: Find,
    char: char,
    count: usize,
    is_again: bool,
) -> Option<Motion> {
    let Find::To { forward, till } = find else { return None };
    let caret = text.caret();
    let (start, end) = (text.line_start(caret), text.line_end(caret));
    let is_it = |at: usize| text.atom_from(at).is_none() && text.as_str()[at..].starts_with(char);
    let step = |at: usize| {
        if forward {
            Some(text.after(at)).filter(|at| *at < end)
        } else {
            (at > start).then(|| text.before(at))
        }
    };
    let mut at = if is_again && till && caret < end { step(caret)? } else { caret };
    for _ in 0..count {
        at = step(at)?;
        while !is_it(at) {
            at = step(at)?;
        }
    }
    let to = match (till, forward) {
        (false, _) => at,
        (true, true) => text.before(at),
        (true, false) => text.after(at),
    };
    Some(Motion { to, reach: if forward { Reach::Onto } else { Reach::Before } })
}

/// The first character of a line that is no space; its last one when there is none.
pub(super) fn first_nonblank(text: &Text, start: usize) -> usize {
    let line = &text.as_str()[start..text.line_end(start)];
    start + (line.len() - line.trim_start().len())
}

fn line_number(text: &Text, number: usize) -> usize {
    let starts = text.as_str().match_indices('\n').map(|(at, _)| at + 1);
    let last = || text.line_start(text.as_str().len());
    std::iter::once(0).chain(starts).nth(number.max(1) - 1).unwrap_or_else(last)
}

fn line_below(text: &Text, at: usize) -> usize {
    let end = text.line_end(at);
    if end < text.as_str().len() { end + 1 } else { at }
}

fn line_above(text: &Text, at: usize) -> usize {
    match text.line_start(at) {
        0 => at,
        start => text.line_start(start - 1),
    }
}

fn is_empty_line(text: &Text, at: usize) -> bool {
    text.line_start(at) == at && text.line_end(at) == at
}

/// The next empty line in a direction behind lines that are not; an end of the text without one.
fn paragraph(text: &Text, at: usize, forward: bool) -> usize {
    let len = text.as_str().len();
    let next = |at: usize| {
        let line = if forward { line_below(text, at) } else { line_above(text, at) };
        (text.line_start(line) != text.line_start(at)).then(|| text.line_start(line))
    };
    let mut at = text.line_start(at);
    let mut was_text = !is_empty_line(text, at);
    while let Some(line) = next(at) {
        at = line;
        match (is_empty_line(text, at), was_text) {
            (true, true) => return at,
            (is_empty, _) => was_text |= !is_empty,
        }
    }
    if forward { len } else { 0 }
}

/// What kind of character stands somewhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Mark,
    Space,
    Word,
}

pub(super) fn class(text: &Text, at: usize, is_big: bool) -> Class {
    if text.atom_from(at).is_some() {
        return Class::Word;
    }
    match text.as_str()[at..].chars().next() {
        None => Class::Space,
        Some(char) if char.is_whitespace() => Class::Space,
        Some(char) if is_big || char.is_alphanumeric() || char == '_' => Class::Word,
        Some(_) => Class::Mark,
    }
}

fn word_start(text: &Text, at: usize, is_big: bool) -> usize {
    let len = text.as_str().len();
    let (mut at, from, start) = (at, class(text, at, is_big), at);
    while at < len && from != Class::Space && class(text, at, is_big) == from {
        at = text.after(at);
    }
    // An empty line is a word.
    while at < len
        && class(text, at, is_big) == Class::Space
        && !(at != start && is_empty_line(text, at))
    {
        at = text.after(at);
    }
    at
}

fn word_end(text: &Text, at: usize, is_big: bool, stays: bool) -> usize {
    let len = text.as_str().len();
    let mut at = at;
    if !stays && at < len {
        at = text.after(at);
    }
    while at < len && !stays && class(text, at, is_big) == Class::Space {
        at = text.after(at);
    }
    let from = if at < len { class(text, at, is_big) } else { return text.before(len) };
    loop {
        let next = text.after(at);
        let is_same = next < len && class(text, next, is_big) == from;
        if !is_same || text.as_str()[next..].starts_with('\n') {
            return at;
        }
        at = next;
    }
}

fn word_back(text: &Text, at: usize, is_big: bool) -> usize {
    let mut at = at;
    while at > 0 && class(text, text.before(at), is_big) == Class::Space {
        at = text.before(at);
        if is_empty_line(text, at) {
            return at;
        }
    }
    if at == 0 {
        return 0;
    }
    let from = class(text, text.before(at), is_big);
    while at > 0 && class(text, text.before(at), is_big) == from {
        at = text.before(at);
    }
    at
}
