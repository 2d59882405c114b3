//! One line that is typed in a popup: a filter, a few words of feedback. It is edited with the keys of the
//! composer.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use crate::{
    composer::{
        Keymap,
        edit::{Killed, edit},
        text::Text,
        undo::EditKind,
    },
    key::{Key, Paste},
    text::{Line, clean_line, draw, width},
    theme::{Look, Role},
};

/// Bytes that a field takes.
pub(crate) const FIELD_BYTES_MAX: usize = 16 << 10;

/// The line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Field {
    text: Text,
    killed: Killed,
}

impl Field {
    /// With a text; the caret is at its end.
    pub(crate) fn new(text: &str) -> Self {
        let mut field = Self::default();
        field.insert(text, EditKind::Other);
        field
    }

    /// What was typed.
    pub(crate) fn text(&self) -> &str {
        self.text.as_str()
    }

    /// Empties it.
    pub(crate) fn clear(&mut self) {
        self.text.reset();
    }

    /// Takes a key that edits. False when it does not.
    pub(crate) fn on_key(&mut self, key: &Key, keymap: &Keymap) -> bool {
        if let Some(char) = key.written() {
            self.killed.close();
            self.insert(char.encode_utf8(&mut [0; 4]), EditKind::Type);
            return true;
        }
        keymap.action(key).is_some_and(|action| edit(action, &mut self.text, &mut self.killed))
    }

    /// Takes a paste: its lines become one.
    pub(crate) fn on_paste(&mut self, paste: &Paste) {
        self.killed.close();
        self.insert(&paste.0, EditKind::Other);
    }

    fn insert(&mut self, text: &str, kind: EditKind) {
        let text = clean_line(text);
        let room = FIELD_BYTES_MAX.saturating_sub(self.text.as_str().len());
        let mut end = text.len().min(room);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.text.insert(&text[..end].into(), kind);
    }

    /// Where the part begins that is shown in so many columns, the caret's own included: the caret is
    /// in the middle, nearer to the ends of the text.
    fn first_shown(&self, columns: usize) -> usize {
        let text = self.text.as_str();
        let back = |from: usize, room: usize| {
            let mut at = from;
            while at > 0 && width(&text[self.text.before(at)..from]) <= room {
                at = self.text.before(at);
            }
            at
        };
        let room = columns.saturating_sub(1);
        back(self.text.caret(), room / 2).min(back(text.len(), room))
    }

    /// Draws it after a label. Returns where the caret is.
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
        let mut line = Line::styled(label, look.style(Role::Accent));
        let first = self.first_shown(usize::from(area.width).saturating_sub(line.width()));
        let (text, caret) = (self.text.as_str(), self.text.caret());
        line.push(&text[first..caret], look.style(Role::Plain));
        let column = u16::try_from(line.width()).unwrap_or(u16::MAX).min(area.width - 1);
        line.push(&text[caret..], look.style(Role::Plain));
        if self.text.is_empty() {
            line.push(hint, look.style(Role::Dim));
        }
        draw(&line, Rect { height: 1, ..area }, buffer);
        Some(Position { x: area.x + column, y: area.y })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{setup::Colors, theme::Background};

    fn look() -> Look {
        Look::new(None, Background::Dark, Colors::None)
    }

    fn press(field: &mut Field, keys: &[&str]) {
        for key in keys {
            assert!(field.on_key(&key.parse().unwrap(), &Keymap::default()), "{key}");
        }
    }

    #[test]
    fn it_is_edited_like_a_prompt() {
        let mut field = Field::new("ab e\u{301}");
        press(&mut field, &["backspace"]);
        assert_eq!(field.text(), "ab ");
        field.on_paste(&Paste("x\ny\x1b[31m".into()));
        assert_eq!(field.text(), "ab x y");
        press(&mut field, &["home", "delete", "right", "ctrl-k"]);
        assert_eq!(field.text(), "b");
        press(&mut field, &["ctrl-y", "alt-b", "alt-b", "x", "ctrl-e", "ctrl-w", "left", "z"]);
        assert_eq!(field.text(), "b xxz ");
        press(&mut field, &["ctrl-u", "ctrl-_"]);
        assert_eq!(field.text(), "b xxz ");
        for other in ["enter", "up", "tab", "esc", "ctrl-c", "ctrl-j", "ctrl-n"] {
            assert!(!field.on_key(&other.parse().unwrap(), &Keymap::default()), "{other}");
        }
        field.on_paste(&Paste("\u{4f60}".repeat(FIELD_BYTES_MAX)));
        assert!(field.text().len() <= FIELD_BYTES_MAX);
    }

    fn shown(field: &Field, columns: u16) -> (String, Position) {
        let area = Rect::new(0, 0, columns, 1);
        let mut buffer = Buffer::empty(area);
        let caret = field.view("/ ", "hint", area, &mut buffer, &look()).unwrap();
        let cells = (0..columns).map(|x| buffer[(x, 0)].symbol().to_owned());
        (cells.collect::<String>().trim_end().to_owned(), caret)
    }

    #[test]
    fn the_caret_stays_in_view() {
        let mut field = Field::new("");
        assert_eq!(shown(&field, 12), ("/ hint".into(), Position { x: 2, y: 0 }));
        field = Field::new("abcdefghijklmno");
        assert_eq!(shown(&field, 12), ("/ ghijklmno".into(), Position { x: 11, y: 0 }));
        press(&mut field, &["left", "left"]);
        assert_eq!(shown(&field, 12), ("/ ghijklmno".into(), Position { x: 9, y: 0 }));
        for _ in 0..6 {
            press(&mut field, &["left"]);
        }
        assert_eq!(shown(&field, 12), ("/ defghijklm".into(), Position { x: 6, y: 0 }));
        press(&mut field, &["home"]);
        assert_eq!(shown(&field, 12), ("/ abcdefghij".into(), Position { x: 2, y: 0 }));
    }

    proptest! {
        /// The cell of the caret shows what the caret is at, at any width.
        #[test]
        fn the_caret_is_at_its_character(text in "[a-z漢é ]{0,40}", at in 0_usize..80, columns in 6_u16..30) {
            let mut field = Field::new(&text);
            field.text.set_caret(at);
            let area = Rect::new(0, 0, columns, 1);
            let mut buffer = Buffer::empty(area);
            let caret = field.view("/ ", "", area, &mut buffer, &look()).unwrap();
            let rest = &field.text()[field.text.caret()..];
            let want = rest.chars().next().unwrap_or(' ').to_string();
            // A wide character may be cut at the right edge.
            let symbol = buffer[caret].symbol();
            prop_assert!(symbol == want || (caret.x == columns - 1 && symbol == " "), "{symbol} {want}");
        }
    }
}
