//! Vim keys: commands with counts, operators, motions, text objects, a selection, and `.`. Insert
//! mode is the composer's own.
//!
//! ```text
//! state      on                             next
//! Normal     i a I A o O s S C              Insert (the composer takes keys)
//!            d c y > < gu gU g~             Operator
//!            r f F t T                      Character
//!            v V                            Visual
//!            0–9                            Normal, with a count
//! Operator   a motion, an object, its own   Normal, or Insert after `c`
//!            letter
//!            f F t T                        Character
//!            Esc, anything else             Normal
//! Character  a character                    Normal, or Insert after `c`
//! Visual     a motion, an object            Visual, with another selection
//!            an operator, Esc, v V          Normal, or Insert after `c`
//! Insert     Esc                            Normal
//! ```
//!
//! What a command changes, with what is written after it, is one step to undo and one to repeat.

mod keymap;
mod motion;
mod object;
mod operator;
mod repeat;
#[cfg(test)]
mod tests;
mod visual;

use std::ops::Range;

pub(super) use self::keymap::Place;
pub use self::keymap::{VIM_ACTIONS, VimKeymap};
use self::{
    motion::{Find, Reach, first_nonblank},
    operator::{Operator, Register, Span},
    repeat::{Change, Insertion},
};
use super::{TEXT_BYTES_MAX, text::Text, undo::EditKind};
use crate::key::{Key, KeyCode};

/// Largest count that is taken.
const COUNT_MAX: usize = 9_999;

/// What keys mean now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VimMode {
    /// Keys write.
    #[default]
    Insert,
    /// Keys are commands.
    Normal,
    /// Keys are commands for the characters that are selected.
    Visual,
    /// The same for whole lines.
    VisualLine,
}

impl VimMode {
    /// As the status line says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Normal => "normal",
            Self::Visual => "visual",
            Self::VisualLine => "visual line",
        }
    }

    /// Whether something is selected.
    #[must_use]
    pub const fn is_visual(self) -> bool {
        matches!(self, Self::Visual | Self::VisualLine)
    }
}

/// What was typed of a command that is not whole yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Pending {
    count: Option<usize>,
    /// An operator, and the count before it.
    operator: Option<(Operator, Option<usize>)>,
    /// A character is still to come.
    find: Option<Find>,
    /// `g`, or `i` and `a` before an object.
    prefix: Option<char>,
    /// All of it but the counts.
    keys: String,
}

impl Pending {
    fn is_idle(&self) -> bool {
        self.count.is_none()
            && self.operator.is_none()
            && self.find.is_none()
            && self.prefix.is_none()
    }
}

/// The state of vim keys.
#[derive(Clone, Debug, Default)]
pub struct Vim {
    mode: VimMode,
    pending: Pending,
    /// The end of the selection where the caret is not.
    anchor: usize,
    register: Register,
    last_find: Option<(Find, char)>,
    /// The count of the command that became whole last.
    counted: Option<usize>,
    insertion: Option<Insertion>,
    last: Option<Change>,
    /// Whether something did not fit.
    is_full: bool,
}

/// What a key outside insert mode leaves to the composer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VimKey {
    /// Done.
    Done,
    /// Not done: the text would become too long.
    Full,
    /// No vim key: what the composer makes of it counts.
    Other,
    /// One row up or down, that many times.
    Row(isize),
}

impl Vim {
    /// In insert mode, where one is who writes.
    #[must_use]
    pub fn new(text: &mut Text) -> Self {
        let mut vim = Self::default();
        vim.insert(text);
        vim
    }

    /// Which mode.
    #[must_use]
    pub fn mode(&self) -> VimMode {
        self.mode
    }

    /// Back to writing.
    pub fn insert(&mut self, text: &mut Text) {
        self.pending = Pending::default();
        self.mode = VimMode::Insert;
        text.begin_group();
    }

    /// Forgets placeholders: what they stood for is gone.
    pub fn forget_placeholders(&mut self) {
        if self.register.has_placeholders() {
            self.register = Register::default();
        }
        if self.last.as_ref().is_some_and(Change::has_placeholders) {
            self.last = None;
        }
        self.insertion = None;
    }

    /// Another text is there: nothing of it is selected.
    pub fn deselect(&mut self) {
        if self.mode.is_visual() {
            self.mode = VimMode::Normal;
            self.pending = Pending::default();
        }
    }

    /// What is selected, to show it: of whole lines with the last newline, be there one or not.
    #[must_use]
    pub fn selection(&self, text: &Text) -> Option<Range<usize>> {
        let Span { range, is_lines } = self.selected(text)?;
        Some(range.start..range.end + usize::from(is_lines))
    }

    /// Where the next key is pressed; `None` when any character is meant as it is.
    pub(super) fn place(&self) -> Option<Place> {
        match (&self.pending, self.mode) {
            (Pending { find: Some(_), .. } | Pending { prefix: Some(_), .. }, _)
            | (_, VimMode::Insert) => None,
            (Pending { operator: Some(_), .. }, _) => Some(Place::Operator),
            (_, VimMode::Normal) => Some(Place::Normal),
            (_, VimMode::Visual | VimMode::VisualLine) => Some(Place::Visual),
        }
    }

    /// Forgets what was typed of a command.
    pub(super) fn cancel(&mut self) {
        self.pending = Pending::default();
    }

    /// A key outside insert mode.
    pub fn key(&mut self, key: &Key, text: &mut Text) -> VimKey {
        let is_idle = self.pending.is_idle() && self.mode == VimMode::Normal;
        if is_escape(key) || (key.is(&Key::ctrl('c')) && !is_idle) {
            self.pending = Pending::default();
            self.mode = VimMode::Normal;
            self.rest(text);
            return if is_idle { VimKey::Other } else { VimKey::Done };
        }
        if key.is(&Key::ctrl('r')) && self.mode == VimMode::Normal {
            for _ in 0..self.count().unwrap_or(1) {
                text.redo();
            }
            self.pending = Pending::default();
            self.rest(text);
            return VimKey::Done;
        }
        let wants_char = self.pending.find.is_some() || self.pending.prefix.is_some();
        let char = key.written().or_else(|| letter(key).filter(|_| !wants_char));
        let Some(char) = char else {
            let was_idle = self.pending.is_idle();
            self.pending = Pending::default();
            return if was_idle { VimKey::Other } else { VimKey::Done };
        };
        let revision = text.revision();
        let extent = self.extent(text);
        text.begin_group();
        let out = self.char(char, text);
        if self.mode != VimMode::Insert {
            text.end_group();
        }
        if self.pending.is_idle() {
            let keys = std::mem::take(&mut self.pending.keys);
            let is_change = text.revision() != revision || self.mode == VimMode::Insert;
            if is_change && !matches!(&keys[..], "u" | ".") {
                self.last = Some(Change { keys, count: self.counted, extent, ..Change::default() });
            }
        }
        self.rest(text);
        if std::mem::take(&mut self.is_full) { VimKey::Full } else { out }
    }

    /// The count of a command that is whole now.
    fn count(&mut self) -> Option<usize> {
        let before = self.pending.operator.and_then(|(_, count)| count);
        let count = match (before, self.pending.count.take()) {
            (Some(first), Some(second)) => Some(first.saturating_mul(second).min(COUNT_MAX)),
            (first, second) => first.or(second),
        };
        self.counted = count;
        count
    }

    /// Takes a part of a command, and carries the command out when it is whole.
    fn char(&mut self, char: char, text: &mut Text) -> VimKey {
        let is_digit = char.is_ascii_digit() && (char != '0' || self.pending.count.is_some());
        if is_digit && self.pending.find.is_none() && self.pending.prefix.is_none() {
            let digit = char.to_digit(10).unwrap_or(0) as usize;
            let count = self.pending.count.unwrap_or(0) * 10 + digit;
            self.pending.count = Some(count.min(COUNT_MAX));
            return VimKey::Done;
        }
        self.pending.keys.push(char);
        if let Some(find) = self.pending.find.take() {
            self.found(find, char, text);
            return VimKey::Done;
        }
        let prefix = self.pending.prefix.take();
        if let Some(prefix @ ('i' | 'a')) = prefix {
            self.object(prefix == 'a', char, text);
            return VimKey::Done;
        }
        let is_g = prefix == Some('g');
        let operator = self.pending.operator.map(|(operator, _)| operator);
        let takes_object = operator.is_some() || self.mode.is_visual();
        match char {
            'g' if !is_g => self.pending.prefix = Some('g'),
            'i' | 'a' if takes_object && !is_g => self.pending.prefix = Some(char),
            'r' if operator.is_none() && !is_g => self.pending.find = Some(Find::Replace),
            _ if !is_g && Find::of(char).is_some() => self.pending.find = Find::of(char),
            _ if operator.is_some() => self.operand(char, is_g, text),
            'j' | 'k' if !is_g => {
                let count = isize::try_from(self.count().unwrap_or(1)).unwrap_or(1);
                return VimKey::Row(if char == 'j' { count } else { -count });
            }
            _ if self.mode.is_visual() => self.visual(char, is_g, text),
            _ => match Operator::of(char, is_g) {
                Some(operator) => {
                    self.pending.operator = Some((operator, self.pending.count.take()));
                }
                None => self.command(char, is_g, text),
            },
        }
        VimKey::Done
    }

    /// What an operator is for: a motion, or its own letter for whole lines.
    fn operand(&mut self, char: char, is_g: bool, text: &mut Text) {
        let count = self.count();
        let Some((operator, _)) = self.pending.operator.take() else { return };
        if operator.letter() == char {
            let lines = operator::lines_from(text, count.unwrap_or(1));
            self.operate(operator, lines, text);
        } else if let Some(motion) = self.motion(char, is_g, count, Some(operator), text) {
            self.operate(operator, Span::of(&motion, text), text);
        }
    }

    /// An object: the operator's, or the selection from now on.
    fn object(&mut self, is_around: bool, char: char, text: &mut Text) {
        let count = self.count().unwrap_or(1);
        let operator = self.pending.operator.take();
        let selected = if operator.is_some() { None } else { self.selected(text) };
        let Some(span) =
            object::find(char, is_around, count, selected.map(|span| span.range), text)
        else {
            return;
        };
        match operator {
            Some((operator, _)) => self.operate(operator, span, text),
            None => self.select(&span, text),
        }
    }

    /// The character after `f`, `F`, `t`, `T` or `r`.
    fn found(&mut self, find: Find, char: char, text: &mut Text) {
        let count = self.count();
        let operator = self.pending.operator.take();
        if find == Find::Replace {
            self.replace(char, count.unwrap_or(1), text);
            return;
        }
        self.last_find = Some((find, char));
        let Some(motion) = motion::find(text, find, char, count.unwrap_or(1), false) else {
            return;
        };
        match operator {
            Some((operator, _)) => self.operate(operator, Span::of(&motion, text), text),
            None => text.set_caret(motion.to),
        }
    }

    fn command(&mut self, char: char, is_g: bool, text: &mut Text) {
        let count = self.count();
        let times = count.unwrap_or(1);
        let caret = text.caret();
        let (start, end) = (text.line_start(caret), text.line_end(caret));
        let span = |range| Span { range, is_lines: false };
        match char {
            _ if is_g => self.go(char, is_g, count, text),
            'i' => self.start_insert(times, "", text),
            'a' => {
                text.set_caret(text.after(caret).min(end));
                self.start_insert(times, "", text);
            }
            'I' => {
                text.set_caret(first_nonblank(text, start));
                self.start_insert(times, "", text);
            }
            'A' => {
                text.set_caret(end);
                self.start_insert(times, "", text);
            }
            'o' | 'O' => {
                let at = if char == 'o' { end } else { start };
                text.replace(at..at, &"\n".into(), EditKind::Other);
                if char == 'O' {
                    text.set_caret(start);
                }
                self.start_insert(times, "\n", text);
            }
            'x' => self.operate(Operator::Delete, span(caret..text.right(caret, times)), text),
            's' => self.operate(Operator::Change, span(caret..text.right(caret, times)), text),
            'X' => self.operate(Operator::Delete, span(text.left(caret, times)..caret), text),
            'D' => self.operate(Operator::Delete, span(caret..end), text),
            'C' => self.operate(Operator::Change, span(caret..end), text),
            'S' => self.operate(Operator::Change, operator::lines_from(text, times), text),
            'Y' => self.operate(Operator::Yank, operator::lines_from(text, times), text),
            'p' | 'P' => self.put(char == 'p', times, text),
            'J' => operator::join(text, times.max(2) - 1),
            '~' => {
                let to = text.right(caret, times);
                operator::change_case(Operator::Flip, caret..to, text);
            }
            'u' => {
                for _ in 0..times {
                    text.undo();
                }
            }
            'v' | 'V' => {
                self.anchor = caret;
                self.mode = if char == 'v' { VimMode::Visual } else { VimMode::VisualLine };
            }
            '.' => self.repeat(count, text),
            _ => self.go(char, is_g, count, text),
        }
    }

    /// A motion of the caret.
    fn go(&mut self, char: char, is_g: bool, count: Option<usize>, text: &mut Text) {
        if let Some(motion) = self.motion(char, is_g, count, None, text) {
            let is_line = motion.reach == Reach::Lines && !matches!(char, 'j' | 'k');
            let to = motion.to;
            text.set_caret(if is_line { first_nonblank(text, text.line_start(to)) } else { to });
        }
    }

    /// Whether so many bytes more fit; what does not is told to the user.
    fn fits(&mut self, bytes: usize, text: &Text) -> bool {
        let fits = text.as_str().len().saturating_add(bytes) <= TEXT_BYTES_MAX;
        self.is_full |= !fits;
        fits
    }

    /// In normal mode the caret is on a character, not behind the last one.
    pub fn rest(&self, text: &mut Text) {
        if self.mode == VimMode::Normal {
            let caret = text.caret();
            if caret == text.line_end(caret) && caret > text.line_start(caret) {
                text.set_caret(text.before(caret));
            }
        }
    }
}

/// Esc, or what vim takes for it.
pub(super) fn is_escape(key: &Key) -> bool {
    key.is(&Key::plain(KeyCode::Esc)) || key.is(&Key::ctrl('['))
}

/// The letter that a key with a name stands for.
fn letter(key: &Key) -> Option<char> {
    if !key.modifiers.is_empty() {
        return None;
    }
    match key.code {
        KeyCode::Backspace | KeyCode::Left => Some('h'),
        KeyCode::Delete => Some('x'),
        KeyCode::Down => Some('j'),
        KeyCode::End => Some('$'),
        KeyCode::Home => Some('0'),
        KeyCode::Right => Some('l'),
        KeyCode::Up => Some('k'),
        _ => None,
    }
}
