//! What the user writes, as the rest of the screen sees it: the face of the composer.

use codex_proto::op::PromptPart;
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use crate::{
    key::{Key, KeyCode, Paste},
    msg::{Answer, ScreenEffect},
    popup::Handled,
    session::text_of,
    setup::Setup,
    text::{Break, Line, draw, wrap},
    theme::{Look, Role},
};

/// What is written before it is sent.
#[derive(Clone, Debug)]
pub struct Input {
    text: String,
}

impl Input {
    /// Empty.
    #[must_use]
    pub fn new(_setup: &Setup) -> Self {
        Self { text: String::new() }
    }

    /// Takes a key. Enter, Alt-Enter, Esc, Ctrl-C and Ctrl-D are ignored unless the editor itself
    /// needs them (an open completion, vim's modes).
    pub fn on_key(&mut self, key: Key, _effects: &mut Vec<ScreenEffect>) -> Handled {
        if let Some(char) = key.written() {
            self.text.push(char);
        } else if key.code == KeyCode::Backspace {
            self.text.pop();
        } else {
            return Handled::Ignored;
        }
        Handled::Consumed
    }

    /// Takes a paste.
    pub fn on_paste(&mut self, paste: &Paste, _effects: &mut Vec<ScreenEffect>) {
        self.text.push_str(&crate::text::clean(&paste.0));
    }

    /// Takes the answer to an effect of its own.
    pub fn on_answer(&mut self, _answer: &Answer) {}

    /// Whether nothing is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// What is written, placeholders as they are shown.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Replaces what is written.
    pub fn set_text(&mut self, text: &str) {
        text.clone_into(&mut self.text);
    }

    /// Inserts at the caret.
    pub fn insert(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Takes everything out, placeholders expanded: images first, then the text.
    pub fn take(&mut self) -> Vec<PromptPart> {
        vec![PromptPart::Text(std::mem::take(&mut self.text))]
    }

    /// Puts a prompt back, before what is written.
    pub fn put_back(&mut self, content: &[PromptPart]) {
        let text = text_of(content);
        self.text = if self.text.is_empty() { text } else { format!("{text}\n{}", self.text) };
    }

    /// Rows that it needs, at least 1.
    pub fn height(&mut self, width: u16) -> u16 {
        u16::try_from(wrap(&Line::plain(&*self.text), width.max(3) - 2, Break::Anywhere).len())
            .unwrap_or(u16::MAX)
    }

    /// Draws it. Returns where the caret is.
    pub fn view(&mut self, area: Rect, buffer: &mut Buffer, look: &Look) -> Option<Position> {
        let rows = wrap(&Line::plain(&*self.text), area.width.max(3) - 2, Break::Anywhere);
        let hidden = rows.len().saturating_sub(usize::from(area.height));
        let mut caret = None;
        for (y, row) in (area.y..area.bottom()).zip(rows.iter().skip(hidden)) {
            let mark = if y == area.y { "\u{203a} " } else { "  " };
            let mut line = Line::styled(mark, look.style(Role::Accent));
            line.spans.extend(row.spans.iter().cloned());
            let used = draw(&line, Rect { y, height: 1, ..area }, buffer);
            caret = Some(Position::new((area.x + used).min(area.right().saturating_sub(1)), y));
        }
        caret
    }
}
