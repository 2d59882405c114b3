//! One line that is typed in a popup: a filter, a few words of feedback.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};
use unicode_segmentation::UnicodeSegmentation as _;

use crate::{
    key::{Key, KeyCode, Modifiers, Paste},
    text::{Line, clean_line, draw, width},
    theme::{Look, Role},
};

/// Bytes that a field takes.
pub(crate) const FIELD_BYTES_MAX: usize = 16 << 10;

/// The line; the caret is at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Field {
    text: String,
}

impl Field {
    /// With a text.
    pub(crate) fn new(text: &str) -> Self {
        let mut field = Self::default();
        field.push(text);
        field
    }

    /// What was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Empties it.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
    }

    /// Takes a key that writes or removes. False when it does neither.
    pub(crate) fn on_key(&mut self, key: &Key) -> bool {
        if let Some(char) = key.written() {
            self.push(char.encode_utf8(&mut [0; 4]));
            return true;
        }
        let is_word = key.modifiers == Modifiers::CTRL || key.modifiers == Modifiers::ALT;
        match key.code {
            KeyCode::Backspace if is_word => self.remove_word(),
            KeyCode::Backspace => {
                let last = self.text.grapheme_indices(true).next_back();
                self.text.truncate(last.map_or(0, |(at, _)| at));
            }
            KeyCode::Char('h') if key.modifiers == Modifiers::CTRL => {
                let last = self.text.grapheme_indices(true).next_back();
                self.text.truncate(last.map_or(0, |(at, _)| at));
            }
            KeyCode::Char('u') if key.modifiers == Modifiers::CTRL => self.text.clear(),
            KeyCode::Char('w') if key.modifiers == Modifiers::CTRL => self.remove_word(),
            _ => return false,
        }
        true
    }

    /// Takes a paste: its lines become one.
    pub(crate) fn on_paste(&mut self, paste: &Paste) {
        self.push(&paste.0);
    }

    fn push(&mut self, text: &str) {
        let text = clean_line(text);
        let room = FIELD_BYTES_MAX.saturating_sub(self.text.len());
        let mut end = text.len().min(room);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.text.push_str(&text[..end]);
    }

    fn remove_word(&mut self) {
        let kept = self.text.trim_end();
        let at = kept.rfind(' ').map_or(0, |at| at + 1);
        self.text.truncate(at);
    }

    /// Draws the end of it after a label. Returns where the caret is.
    pub(crate) fn view(
        &self,
        label: &str,
        hint: &str,
        area: Rect,
        buffer: &mut Buffer,
        look: &Look,
    ) -> Option<Position> {
        if area.is_empty() {
            return None;
        }
        let columns = usize::from(area.width);
        let mut line = Line::styled(label, look.style(Role::Accent));
        let room = columns.saturating_sub(line.width() + 1);
        let mut at = self.text.len();
        for (start, _) in self.text.grapheme_indices(true).rev() {
            if width(&self.text[start..]) > room {
                break;
            }
            at = start;
        }
        line.push(&self.text[at..], look.style(Role::Plain));
        let caret = u16::try_from(line.width()).unwrap_or(u16::MAX).min(area.width - 1);
        if self.text.is_empty() {
            line.push(hint, look.style(Role::Dim));
        }
        draw(&line, Rect { height: 1, ..area }, buffer);
        Some(Position { x: area.x + caret, y: area.y })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_and_removed_by_what_people_see() {
        let mut field = Field::new("ab e\u{301}");
        assert!(field.on_key(&Key::plain(KeyCode::Backspace)));
        assert_eq!(field.text(), "ab ");
        field.on_paste(&Paste("x\ny\x1b[31m".into()));
        assert_eq!(field.text(), "ab x y");
        assert!(field.on_key(&Key::ctrl('w')));
        assert_eq!(field.text(), "ab x ");
        assert!(!field.on_key(&Key::plain(KeyCode::Enter)));
        field.on_paste(&Paste("\u{4f60}".repeat(FIELD_BYTES_MAX)));
        assert!(field.text().len() <= FIELD_BYTES_MAX);
    }
}
