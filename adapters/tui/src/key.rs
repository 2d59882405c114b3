//! Keys, mouse and pastes in our own words: what any terminal may deliver, and how a key is written.
//!
//! A key is kept in one form however the terminal sent it, so that two keys are the same exactly
//! when a person would say so: see [`Key::new`].

use std::{fmt, str::FromStr};

/// A key that was pressed, or that repeats while it is held. Releases are no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Which key.
    pub code: KeyCode,
    /// What was held with it.
    pub modifiers: Modifiers,
    /// Whether it repeats; [`Key::is`] does not look at it.
    pub kind: KeyKind,
}

/// Which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyCode {
    /// Removes what is before the caret.
    Backspace,
    /// A character, as the keyboard's layout made it.
    Char(char),
    /// Removes what is after the caret.
    Delete,
    /// Arrow down.
    Down,
    /// To the end.
    End,
    /// Return.
    Enter,
    /// Escape.
    Esc,
    /// A function key, from 1.
    F(u8),
    /// To the start.
    Home,
    /// Insert.
    Insert,
    /// Arrow to the left.
    Left,
    /// Page down.
    PageDown,
    /// Page up.
    PageUp,
    /// Arrow to the right.
    Right,
    /// Tabulator; backwards with Shift.
    Tab,
    /// Arrow up.
    Up,
}

/// Keys that are held with another: a set.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Modifiers(u8);

impl Modifiers {
    /// Alt, Option or Meta.
    pub const ALT: Self = Self(2);
    /// Control.
    pub const CTRL: Self = Self(1);
    /// None.
    pub const NONE: Self = Self(0);
    /// Shift.
    pub const SHIFT: Self = Self(4);
    /// Command or the Windows key.
    pub const SUPER: Self = Self(8);

    /// In the order in which they are written.
    const NAMES: [(Self, &'static str); 4] =
        [(Self::CTRL, "Ctrl"), (Self::ALT, "Alt"), (Self::SHIFT, "Shift"), (Self::SUPER, "Super")];

    /// Whether all of `other` are held.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those of either.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that `other` has not.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether none is held.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Debug for Modifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = Self::NAMES.iter().filter(|(modifier, _)| self.contains(*modifier));
        f.debug_list().entries(held.map(|(_, name)| name)).finish()
    }
}

/// Whether a key was pressed or is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    /// Pressed.
    #[default]
    Press,
    /// Held, so that it comes again.
    Repeat,
}

impl Key {
    /// A key in its one form: a character tells by itself that Shift was held, unless Ctrl, Alt or
    /// Super is held too, in which case a letter is small and Shift is kept.
    #[must_use]
    pub fn new(code: KeyCode, modifiers: Modifiers) -> Self {
        let (code, modifiers) = match code {
            KeyCode::Char(char) => {
                let is_plain = modifiers.without(Modifiers::SHIFT).is_empty();
                if is_plain {
                    (KeyCode::Char(char), Modifiers::NONE)
                } else if char.is_uppercase() {
                    let small = char.to_lowercase().next().unwrap_or(char);
                    (KeyCode::Char(small), modifiers.with(Modifiers::SHIFT))
                } else if char.is_lowercase() {
                    (code, modifiers)
                } else {
                    (code, modifiers.without(Modifiers::SHIFT))
                }
            }
            _ => (code, modifiers),
        };
        Self { code, modifiers, kind: KeyKind::Press }
    }

    /// A key with nothing held.
    #[must_use]
    pub fn plain(code: KeyCode) -> Self {
        Self::new(code, Modifiers::NONE)
    }

    /// A character with nothing held.
    #[must_use]
    pub fn char(char: char) -> Self {
        Self::plain(KeyCode::Char(char))
    }

    /// A character with Ctrl held.
    #[must_use]
    pub fn ctrl(char: char) -> Self {
        Self::new(KeyCode::Char(char), Modifiers::CTRL)
    }

    /// A character with Alt held.
    #[must_use]
    pub fn alt(char: char) -> Self {
        Self::new(KeyCode::Char(char), Modifiers::ALT)
    }

    /// A key with Shift held.
    #[must_use]
    pub fn shift(code: KeyCode) -> Self {
        Self::new(code, Modifiers::SHIFT)
    }

    /// As it is, but held.
    #[must_use]
    pub fn repeated(self) -> Self {
        Self { kind: KeyKind::Repeat, ..self }
    }

    /// Whether it is the same key, pressed or held.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        (self.code, self.modifiers) == (other.code, other.modifiers)
    }

    /// The character that it writes: one with nothing else held.
    #[must_use]
    pub fn written(&self) -> Option<char> {
        match self.code {
            KeyCode::Char(char) if self.modifiers.is_empty() && !char.is_control() => Some(char),
            _ => None,
        }
    }
}

/// Keys whose name is not their character. The first name of a key is the one that is printed.
const NAMED: [(&str, KeyCode); 27] = [
    ("Backspace", KeyCode::Backspace),
    ("Delete", KeyCode::Delete),
    ("Del", KeyCode::Delete),
    ("Down", KeyCode::Down),
    ("End", KeyCode::End),
    ("Enter", KeyCode::Enter),
    ("Return", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Escape", KeyCode::Esc),
    ("Home", KeyCode::Home),
    ("Insert", KeyCode::Insert),
    ("Left", KeyCode::Left),
    ("PageDown", KeyCode::PageDown),
    ("Page-Down", KeyCode::PageDown),
    ("Page_Down", KeyCode::PageDown),
    ("PgDn", KeyCode::PageDown),
    ("PgDown", KeyCode::PageDown),
    ("PageUp", KeyCode::PageUp),
    ("Page-Up", KeyCode::PageUp),
    ("Page_Up", KeyCode::PageUp),
    ("PgUp", KeyCode::PageUp),
    ("Right", KeyCode::Right),
    ("Space", KeyCode::Char(' ')),
    ("Minus", KeyCode::Char('-')),
    ("Plus", KeyCode::Char('+')),
    ("Tab", KeyCode::Tab),
    ("Up", KeyCode::Up),
];

const F_KEYS_MAX: u8 = 35;

/// As people read it: `Ctrl-A`, `Alt-Enter`, `Shift-Tab`, `?`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (modifier, name) in Modifiers::NAMES {
            if self.modifiers.contains(modifier) {
                write!(f, "{name}-")?;
            }
        }
        if let Some((name, _)) = NAMED.iter().find(|(_, code)| *code == self.code)
            && self.code != KeyCode::Char('+')
            && !(self.code == KeyCode::Char('-') && self.modifiers.is_empty())
        {
            return f.write_str(name);
        }
        match self.code {
            KeyCode::F(number) => write!(f, "F{number}"),
            // A letter is shown as it is on the key cap.
            KeyCode::Char(char) if !self.modifiers.is_empty() => {
                write!(f, "{}", char.to_uppercase())
            }
            KeyCode::Char(char) => write!(f, "{char}"),
            other => unreachable!("{other:?} has a name"),
        }
    }
}

/// A text that names no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError {
    /// The text.
    pub text: String,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` names no key; write it as `ctrl-a`, `alt-enter`, `shift-tab`, `f5` or `?`",
            self.text
        )
    }
}

impl std::error::Error for KeyError {}

/// Reads what `Display` writes, in any case, with `-` or `+` between the parts.
impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let fail = || KeyError { text: text.to_owned() };
        let mut modifiers = Modifiers::NONE;
        let mut rest = text.trim_matches(|char: char| char.is_ascii_whitespace());
        if rest.is_empty() && !text.is_empty() {
            rest = " ";
        }
        // A separator needs something on both sides: `-` and `ctrl--` name the minus itself.
        while let Some(at) = rest.find(['-', '+']).filter(|at| *at > 0 && *at + 1 < rest.len()) {
            let modifier = match rest[..at].to_ascii_lowercase().as_str() {
                "alt" | "meta" | "option" | "opt" => Modifiers::ALT,
                "ctrl" | "control" | "c" => Modifiers::CTRL,
                "shift" => Modifiers::SHIFT,
                "super" | "cmd" | "command" | "win" => Modifiers::SUPER,
                // `page-up` is one name.
                _ => break,
            };
            if modifiers.contains(modifier) {
                return Err(fail());
            }
            modifiers = modifiers.with(modifier);
            rest = &rest[at + 1..];
        }
        let named = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(rest));
        let mut chars = rest.chars();
        let code = match (named, chars.next(), chars.next()) {
            (Some((_, code)), ..) => *code,
            (None, Some(char), None) if !char.is_control() => {
                // `ctrl-A` is `ctrl-a`: Shift is said by its name.
                let small = char.to_lowercase().next().unwrap_or(char);
                KeyCode::Char(if modifiers.is_empty() { char } else { small })
            }
            (None, Some('f' | 'F'), Some(_)) => match rest[1..].parse() {
                Ok(number @ 1..=F_KEYS_MAX) => KeyCode::F(number),
                _ => return Err(fail()),
            },
            _ => return Err(fail()),
        };
        Ok(Self::new(code, modifiers))
    }
}

/// Something the mouse did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mouse {
    /// What.
    pub kind: MouseKind,
    /// Column of the cell, from 0.
    pub column: u16,
    /// Row of the cell, from 0.
    pub row: u16,
    /// What was held.
    pub modifiers: Modifiers,
}

/// What the mouse did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MouseKind {
    /// A button went down.
    Down(MouseButton),
    /// It moved with a button down.
    Drag(MouseButton),
    /// The wheel turned towards the user.
    ScrollDown,
    /// The wheel turned away from the user.
    ScrollUp,
    /// A button went up.
    Up(MouseButton),
}

/// A button of the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MouseButton {
    /// The first one.
    Left,
    /// The wheel.
    Middle,
    /// The second one.
    Right,
}

/// Text that came in one piece, as the terminal sent it: line ends of any kind and control codes
/// may be in it. `composer::paste` makes it safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paste(pub String);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> Key {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_key_is_written_as_people_read_it() {
        for (key, text) in [
            (Key::ctrl('a'), "Ctrl-A"),
            (Key::ctrl('A'), "Ctrl-Shift-A"),
            (Key::ctrl('-'), "Ctrl-Minus"),
            (Key::ctrl(' '), "Ctrl-Space"),
            (Key::char('-'), "-"),
            (Key::char('+'), "+"),
            (Key::ctrl('+'), "Ctrl-+"),
            (Key::char('G'), "G"),
            (Key::char(' '), "Space"),
            (Key::shift(KeyCode::Tab), "Shift-Tab"),
            (Key::new(KeyCode::Enter, Modifiers::ALT.with(Modifiers::CTRL)), "Ctrl-Alt-Enter"),
            (Key::plain(KeyCode::F(12)), "F12"),
            (Key::plain(KeyCode::PageUp), "PageUp"),
        ] {
            assert_eq!(key.to_string(), text);
            assert_eq!(self::key(text), key, "{text}");
        }
    }

    #[test]
    fn the_same_key_is_read_from_every_spelling() {
        for (text, same) in [
            ("ctrl-a", "Control+A"),
            ("alt-enter", "option-return"),
            ("page-up", "PgUp"),
            ("ctrl-page-down", "ctrl+pgdn"),
            ("shift-f5", "Shift-F5"),
            ("ctrl--", "ctrl-minus"),
            ("ctrl-+", "ctrl-plus"),
            (" ", "space"),
        ] {
            assert_eq!(key(text), key(same), "{text}");
        }
        for text in ["", "ctrl-", "ctrl", "hyper-a", "f0", "f36", "ab", "ctrl-ctrl-a", "\u{7}"] {
            assert!(text.parse::<Key>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn shift_is_told_by_the_character_alone() {
        assert_eq!(Key::new(KeyCode::Char('A'), Modifiers::SHIFT), Key::char('A'));
        assert_eq!(Key::new(KeyCode::Char('?'), Modifiers::SHIFT), Key::char('?'));
        let alt_shift = Modifiers::ALT.with(Modifiers::SHIFT);
        assert_eq!(Key::new(KeyCode::Char('<'), alt_shift), Key::alt('<'));
        assert_eq!(Key::new(KeyCode::Char('z'), alt_shift), Key::alt('Z'));
        assert_eq!(Key::char('A').written(), Some('A'));
        assert_eq!(Key::alt('a').written(), None);
        assert!(Key::char('a').repeated().is(&Key::char('a')));
    }

    fn any_key() -> impl Strategy<Value = Key> {
        let code = prop_oneof![
            any::<char>().prop_filter("printable", |c| !c.is_control()).prop_map(KeyCode::Char),
            (1..=F_KEYS_MAX).prop_map(KeyCode::F),
            prop::sample::select(NAMED.map(|(_, code)| code).to_vec()),
        ];
        (code, 0_u8..16).prop_map(|(code, bits)| Key::new(code, Modifiers(bits)))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(key in any_key()) {
            // Letters without one small or capital form are written as they are.
            let is_simple = match key.code {
                KeyCode::Char(char) => {
                    let upper = char.to_uppercase().collect::<String>();
                    char.is_ascii() || upper == char.to_string() && char.to_lowercase().count() == 1
                }
                _ => true,
            };
            prop_assume!(is_simple);
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }
    }
}
