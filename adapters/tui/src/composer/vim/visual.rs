//! Keys while something is selected.

use std::ops::Range;

use super::{
    Vim, VimMode,
    operator::{Operator, Span, join},
};
use crate::composer::text::Text;

/// What a key does to the selection.
#[derive(Clone, Copy)]
enum Deed {
    /// An operator, for the selection or for its lines.
    Operate {
        operator: Operator,
        is_lines: bool,
    },
    Join,
    Put {
        keeps: bool,
    },
    /// To the other end.
    Swap,
    /// Another mode, or none when it is the one.
    Switch(VimMode),
}

impl Deed {
    fn of(char: char, is_g: bool) -> Option<Self> {
        let operate = |operator, is_lines| Some(Self::Operate { operator, is_lines });
        match char {
            _ if is_g => operate(Operator::of(char, true)?, false),
            'd' | 'x' => operate(Operator::Delete, false),
            'D' | 'X' => operate(Operator::Delete, true),
            'c' | 's' => operate(Operator::Change, false),
            'C' | 'S' | 'R' => operate(Operator::Change, true),
            'y' => operate(Operator::Yank, false),
            'Y' => operate(Operator::Yank, true),
            '>' => operate(Operator::Indent, true),
            '<' => operate(Operator::Outdent, true),
            '~' => operate(Operator::Flip, false),
            'u' => operate(Operator::Lower, false),
            'U' => operate(Operator::Upper, false),
            'J' => Some(Self::Join),
            'p' => Some(Self::Put { keeps: false }),
            'P' => Some(Self::Put { keeps: true }),
            'o' => Some(Self::Swap),
            'v' => Some(Self::Switch(VimMode::Visual)),
            'V' => Some(Self::Switch(VimMode::VisualLine)),
            _ => None,
        }
    }
}

impl Vim {
    /// What is selected, from the first character to the last one, or whole lines.
    pub(super) fn selected(&self, text: &Text) -> Option<Span> {
        let anchor = text.boundary(self.anchor);
        let (first, last) = (anchor.min(text.caret()), anchor.max(text.caret()));
        let range = match self.mode {
            VimMode::Visual => first..text.after(last),
            VimMode::VisualLine => text.line_start(first)..text.line_end(last),
            VimMode::Insert | VimMode::Normal => return None,
        };
        Some(Span { range, is_lines: self.mode == VimMode::VisualLine })
    }

    /// Selects a part of the text.
    pub(super) fn select(&mut self, span: &Span, text: &mut Text) {
        self.anchor = span.range.start;
        let Range { start, end } = span.range;
        let last = if span.is_lines { text.line_start(end) } else { text.before(end) };
        text.set_caret(last.max(start));
        if span.is_lines {
            self.mode = VimMode::VisualLine;
        }
    }

    pub(super) fn visual(&mut self, char: char, is_g: bool, text: &mut Text) {
        let count = self.count();
        let Some(deed) = Deed::of(char, is_g) else {
            self.go(char, is_g, count, text);
            return;
        };
        let times = count.unwrap_or(1);
        let Some(mut span) = self.selected(text) else { return };
        match deed {
            Deed::Swap => {
                let anchor = text.boundary(self.anchor);
                self.anchor = text.caret();
                text.set_caret(anchor);
                return;
            }
            Deed::Switch(mode) => {
                self.mode = if self.mode == mode { VimMode::Normal } else { mode };
                return;
            }
            Deed::Operate { .. } | Deed::Join | Deed::Put { .. } => self.mode = VimMode::Normal,
        }
        // Where undoing comes back to.
        text.set_caret(span.range.start);
        match deed {
            Deed::Operate {
                operator: operator @ (Operator::Indent | Operator::Outdent), ..
            } => {
                self.indent(operator, lines_of(span, text).range, times, text);
            }
            Deed::Operate { operator, is_lines } => {
                if is_lines {
                    span = lines_of(span, text);
                }
                self.operate(operator, span, text);
            }
            Deed::Join => {
                let range = lines_of(span, text).range;
                text.set_caret(range.start);
                let times = text.as_str()[range].matches('\n').count();
                join(text, times.max(1));
            }
            Deed::Put { keeps } => self.put_over(span, keeps, times, text),
            Deed::Swap | Deed::Switch(_) => {}
        }
    }
}

/// The lines of a selection. A newline at its end does not make the next line part of it.
fn lines_of(span: Span, text: &Text) -> Span {
    if span.is_lines {
        return span;
    }
    let Range { start, end } = span.range;
    let last = text.before(end).max(start);
    Span { range: text.line_start(start)..text.line_end(last), is_lines: true }
}
