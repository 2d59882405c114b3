//! From the bytes of a terminal to keys, mouse, pastes and reports. Pure: bytes in, tokens out.
//!
//! ```text
//! state     on                                next
//! Ground    a character or control code       Ground: a key
//!           ESC and what makes it whole       Ground: a key, a report
//!           ESC [ 200 ~                       Pasting
//!           half of a sequence or character   Waiting
//! Waiting   more bytes                        Ground
//!           flush (nothing came for a while)  Ground: Esc, Alt and a key
//! Pasting   bytes                             Pasting
//!           ESC [ 201 ~, or flush             Ground: a paste
//! ```
//!
//! It knows what xterm and its kin send, the keys of the Linux console and rxvt, and the keyboard
//! protocol of kitty. What it does not know it drops, whole: no part of an answer that nobody asked
//! for is ever taken for typing.

use codex_tui::key::{Key, KeyCode, Modifiers, Mouse, MouseButton, MouseKind, Paste};

/// Bytes of a sequence at most; a longer one is dropped.
const SEQUENCE_BYTES_MAX: usize = 4_096;
/// Bytes of a paste at most; what follows is counted and dropped.
pub const PASTE_BYTES_MAX: usize = 80 << 20;

const PASTE_END: &[u8] = b"\x1b[201~";

/// Something that the terminal sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// It won or lost the focus.
    Focus(bool),
    /// A key.
    Key(Key),
    /// The mouse.
    Mouse(Mouse),
    /// A bracketed paste.
    Paste(Paste),
    /// An answer to a question of ours.
    Report(Report),
}

/// An answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The colour of the background (OSC 11), 8 bits each.
    Background(u8, u8, u8),
    /// The terminal marks pastes (DECRQM 2004).
    BracketedPaste,
    /// What it is (DA1): the last answer to a row of questions, given by every terminal.
    Device,
    /// It speaks the keyboard protocol of kitty.
    KittyKeys,
}

/// Bytes that are not yet a token.
#[derive(Debug, Default)]
pub struct Parser {
    buffer: Vec<u8>,
    paste: Option<Vec<u8>>,
    /// Bytes of the paste that did not fit.
    dropped: usize,
}

/// How the start of some bytes reads.
enum Found {
    /// A token, or nothing, of so many bytes.
    Token(Option<Token>, usize),
    /// A paste begins behind so many bytes.
    Paste(usize),
    /// It goes on.
    Partial,
}

impl Parser {
    /// Takes bytes as they came.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Token>) {
        if self.paste.is_some() {
            self.feed_paste(bytes, out);
        } else {
            self.buffer.extend_from_slice(bytes);
            self.run(out);
        }
    }

    /// Whether something waits for its other half.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.paste.is_some() || !self.buffer.is_empty()
    }

    /// Whether a paste has begun and not ended.
    #[must_use]
    pub fn is_pasting(&self) -> bool {
        self.paste.is_some()
    }

    /// Nothing came for a while: what waits is taken as it is.
    pub fn flush(&mut self, out: &mut Vec<Token>) {
        if let Some(paste) = self.paste.take() {
            let half = std::mem::take(&mut self.buffer);
            self.end_paste(paste, &half, out);
            return;
        }
        let bytes = std::mem::take(&mut self.buffer);
        let mut rest = &bytes[..];
        while let Some((&first, after)) = rest.split_first() {
            if first == 0x1b {
                match after.split_first() {
                    Some((&next, tail)) if next != 0x1b && next.is_ascii() => {
                        let key = control_key(next);
                        out.push(Token::Key(Key::new(
                            key.code,
                            key.modifiers.with(Modifiers::ALT),
                        )));
                        rest = tail;
                    }
                    _ => {
                        out.push(Token::Key(Key::plain(KeyCode::Esc)));
                        rest = after;
                    }
                }
            } else {
                // Half a character: it is lost; the rest of a sequence is no typing.
                break;
            }
        }
    }

    fn run(&mut self, out: &mut Vec<Token>) {
        let bytes = std::mem::take(&mut self.buffer);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match read(rest) {
                Found::Token(token, length) => {
                    out.extend(token);
                    rest = &rest[length.clamp(1, rest.len())..];
                }
                Found::Paste(length) => {
                    self.paste = Some(Vec::new());
                    self.dropped = 0;
                    self.feed_paste(&rest[length..], out);
                    return;
                }
                Found::Partial if rest.len() > SEQUENCE_BYTES_MAX => return,
                Found::Partial => break,
            }
        }
        self.buffer = rest.to_vec();
    }

    fn feed_paste(&mut self, bytes: &[u8], out: &mut Vec<Token>) {
        let Some(paste) = &mut self.paste else { return };
        // The end may be split over two reads.
        let held = std::mem::take(&mut self.buffer);
        let joined;
        let bytes = if held.is_empty() {
            bytes
        } else {
            joined = [&held[..], bytes].concat();
            &joined[..]
        };
        if let Some(at) = memchr::memmem::find(bytes, PASTE_END) {
            let paste = std::mem::take(paste);
            self.paste = None;
            self.end_paste(paste, &bytes[..at], out);
            self.buffer = bytes[at + PASTE_END.len()..].to_vec();
            self.run(out);
            return;
        }
        let keep = (1..PASTE_END.len())
            .rev()
            .find(|length| bytes.ends_with(&PASTE_END[..*length]))
            .unwrap_or(0);
        let (text, half) = bytes.split_at(bytes.len() - keep);
        let room = PASTE_BYTES_MAX.saturating_sub(paste.len());
        paste.extend_from_slice(&text[..text.len().min(room)]);
        self.dropped += text.len().saturating_sub(room);
        self.buffer = half.to_vec();
    }

    fn end_paste(&mut self, mut paste: Vec<u8>, rest: &[u8], out: &mut Vec<Token>) {
        paste.extend_from_slice(rest);
        let text = String::from_utf8(paste)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        out.push(Token::Paste(Paste(text)));
    }
}

fn read(bytes: &[u8]) -> Found {
    match bytes[0] {
        0x1b => read_escape(bytes),
        byte if byte < 0x20 || byte == 0x7f => Found::Token(Some(Token::Key(control_key(byte))), 1),
        _ => read_char(bytes),
    }
}

fn read_char(bytes: &[u8]) -> Found {
    let want = match bytes[0] {
        0..0x80 => 1,
        0xc2..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf5 => 4,
        _ => return Found::Token(None, 1),
    };
    let have = &bytes[..want.min(bytes.len())];
    match std::str::from_utf8(have) {
        // C1 control characters are no keys.
        Ok(text) => match text.chars().next() {
            Some(char) if !char.is_control() => {
                Found::Token(Some(Token::Key(Key::char(char))), want)
            }
            _ => Found::Token(None, want),
        },
        Err(error) if error.error_len().is_none() && bytes.len() < want => Found::Partial,
        Err(error) => Found::Token(None, error.valid_up_to() + error.error_len().unwrap_or(1)),
    }
}

/// The key of a control code, or of a character after ESC.
fn control_key(byte: u8) -> Key {
    match byte {
        0x00 => Key::ctrl(' '),
        0x09 => Key::plain(KeyCode::Tab),
        0x0d => Key::plain(KeyCode::Enter),
        0x1b => Key::plain(KeyCode::Esc),
        0x7f => Key::plain(KeyCode::Backspace),
        0x01..=0x1a => Key::ctrl(char::from(b'a' + byte - 1)),
        0x1c..=0x1f => Key::ctrl(char::from(byte + 0x40)),
        _ => Key::char(char::from(byte)),
    }
}

fn read_escape(bytes: &[u8]) -> Found {
    let Some(&next) = bytes.get(1) else { return Found::Partial };
    match next {
        b'[' => read_csi(bytes, 2, Modifiers::NONE),
        b'O' => read_ss3(bytes, 2, Modifiers::NONE),
        b']' | b'P' | b'_' | b'^' | b'X' => read_string(bytes),
        0x1b => match bytes.get(2) {
            None => Found::Partial,
            // rxvt: Alt and a sequence.
            Some(b'[') => read_csi(bytes, 3, Modifiers::ALT),
            Some(b'O') => read_ss3(bytes, 3, Modifiers::ALT),
            Some(_) => Found::Token(Some(Token::Key(Key::plain(KeyCode::Esc))), 1),
        },
        _ => match read(&bytes[1..]) {
            Found::Token(Some(Token::Key(key)), length) => {
                let key = match key.code {
                    // What a terminal sends for Alt-A says nothing of Shift but by the letter.
                    KeyCode::Char(char) => {
                        Key::new(KeyCode::Char(char), key.modifiers.with(Modifiers::ALT))
                    }
                    code => Key::new(code, key.modifiers.with(Modifiers::ALT)),
                };
                Found::Token(Some(Token::Key(key)), length + 1)
            }
            Found::Token(_, length) => Found::Token(None, length + 1),
            other => other,
        },
    }
}

fn read_ss3(bytes: &[u8], at: usize, held: Modifiers) -> Found {
    let Some(&last) = bytes.get(at) else { return Found::Partial };
    let code = match last {
        b'M' => Some(KeyCode::Enter),
        b'j'..=b'y' => Some(KeyCode::Char(char::from(last - 0x40))),
        // rxvt: Ctrl and an arrow.
        b'a'..=b'd' => {
            let code = letter_key(last.to_ascii_uppercase());
            let token = code.map(|code| Token::Key(Key::new(code, held.with(Modifiers::CTRL))));
            return Found::Token(token, at + 1);
        }
        _ => letter_key(last),
    };
    Found::Token(code.map(|code| Token::Key(Key::new(code, held))), at + 1)
}

fn letter_key(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P' => KeyCode::F(1),
        b'Q' => KeyCode::F(2),
        b'R' => KeyCode::F(3),
        b'S' => KeyCode::F(4),
        _ => return None,
    })
}

/// OSC, DCS and the like: up to BEL or ST.
fn read_string(bytes: &[u8]) -> Found {
    let body = &bytes[2..];
    let bell = body.iter().position(|byte| *byte == 0x07);
    let st = memchr::memmem::find(body, b"\x1b\\");
    let (end, length) = match (bell, st) {
        (Some(bell), Some(st)) if st < bell => (st, st + 2),
        (Some(bell), _) => (bell, bell + 1),
        (None, Some(st)) => (st, st + 2),
        (None, None) => return Found::Partial,
    };
    let report = (bytes[1] == b']').then(|| background(&body[..end])).flatten();
    Found::Token(report.map(Token::Report), length + 2)
}

/// `11;rgb:1e1e/1e1e/2e2e`, with one to four digits each.
fn background(body: &[u8]) -> Option<Report> {
    let text = std::str::from_utf8(body).ok()?.strip_prefix("11;")?;
    let colour = |text: &str| {
        let digits = text.len();
        let value = u32::from_str_radix(text, 16).ok().filter(|_| (1..=4).contains(&digits))?;
        let most = (1_u32 << (4 * digits)) - 1;
        u8::try_from(value * 255 / most).ok()
    };
    if let Some(hex) = text.strip_prefix('#') {
        let third = hex.len() / 3;
        let part = |index: usize| colour(hex.get(index * third..(index + 1) * third)?);
        return Some(Report::Background(part(0)?, part(1)?, part(2)?));
    }
    let rest = text.strip_prefix("rgb:").or_else(|| text.strip_prefix("rgba:"))?;
    let mut parts = rest.split('/').map(colour);
    Some(Report::Background(parts.next()??, parts.next()??, parts.next()??))
}

fn read_csi(bytes: &[u8], start: usize, held: Modifiers) -> Found {
    // The Linux console's function keys, and the mouse of old.
    if bytes.get(start) == Some(&b'[') {
        return match bytes.get(start + 1) {
            None => Found::Partial,
            Some(last @ b'A'..=b'E') => {
                let key = Key::new(KeyCode::F(last - b'A' + 1), held);
                Found::Token(Some(Token::Key(key)), start + 2)
            }
            Some(_) => Found::Token(None, start + 2),
        };
    }
    let mut at = start;
    while bytes.get(at).is_some_and(|byte| (0x20..0x40).contains(byte)) {
        at += 1;
    }
    let Some(&last) = bytes.get(at) else { return Found::Partial };
    if !(0x40..0x7f).contains(&last) {
        // Something else begins here; what came so far is dropped.
        return Found::Token(None, at.max(1));
    }
    let length = at + 1;
    if last == b'M' && at == start {
        return if bytes.len() < length + 3 {
            Found::Partial
        } else {
            Found::Token(None, length + 3)
        };
    }
    let body = std::str::from_utf8(&bytes[start..at]).unwrap_or_default();
    if last == b'~' && body == "200" {
        return Found::Paste(length);
    }
    Found::Token(csi_token(body, last, held), length)
}

fn csi_token(body: &str, last: u8, held: Modifiers) -> Option<Token> {
    if let Some(body) = body.strip_prefix('<') {
        return mouse(body, last).map(Token::Mouse);
    }
    if let Some(body) = body.strip_prefix('?') {
        return match last {
            b'c' => Some(Token::Report(Report::Device)),
            b'u' => Some(Token::Report(Report::KittyKeys)),
            b'y' => {
                let (mode, state) = body.trim_end_matches('$').split_once(';')?;
                let is_known = mode == "2004" && matches!(state, "1" | "2" | "3");
                is_known.then_some(Token::Report(Report::BracketedPaste))
            }
            _ => None,
        };
    }
    // Answers about the terminal's kind.
    if body.starts_with(['>', '=']) {
        return None;
    }
    let mut params = body.split(';');
    let first = params.next().unwrap_or_default();
    let second = params.next().unwrap_or_default();
    let third = params.next().unwrap_or_default();
    let (modifiers, kind) = held_with(second)?;
    let modifiers = modifiers.with(held);
    let key = |code| Some(Token::Key(kind.of(Key::new(code, modifiers))));
    match last {
        b'I' => Some(Token::Focus(true)),
        b'O' => Some(Token::Focus(false)),
        b'Z' => key(KeyCode::Tab).map(|token| match token {
            Token::Key(key) => Token::Key(Key::new(key.code, key.modifiers.with(Modifiers::SHIFT))),
            other => other,
        }),
        b'u' => {
            let code = kitty_key(first.split(':').next()?.parse().ok()?)?;
            key(code)
        }
        b'~' => {
            let code = match first.parse::<u32>().ok()? {
                // xterm's modifyOtherKeys.
                27 => kitty_key(third.parse().ok()?)?,
                1 | 7 => KeyCode::Home,
                2 => KeyCode::Insert,
                3 => KeyCode::Delete,
                4 | 8 => KeyCode::End,
                5 => KeyCode::PageUp,
                6 => KeyCode::PageDown,
                number @ 11..=15 => function(number - 10)?,
                number @ 17..=21 => function(number - 11)?,
                number @ 23..=26 => function(number - 12)?,
                number @ 28..=29 => function(number - 13)?,
                number @ 31..=34 => function(number - 14)?,
                _ => return None,
            };
            key(code)
        }
        // rxvt: Shift and an arrow.
        b'a'..=b'd' => {
            let code = letter_key(last.to_ascii_uppercase())?;
            Some(Token::Key(Key::new(code, modifiers.with(Modifiers::SHIFT))))
        }
        // `R` with two numbers may be a position; nobody asked for one.
        b'R' if first != "1" && !first.is_empty() => None,
        _ => key(letter_key(last)?),
    }
}

fn function(number: u32) -> Option<KeyCode> {
    u8::try_from(number).ok().map(KeyCode::F)
}

#[derive(Clone, Copy)]
enum Kind {
    Press,
    Repeat,
}

impl Kind {
    fn of(self, key: Key) -> Key {
        match self {
            Self::Press => key,
            Self::Repeat => key.repeated(),
        }
    }
}

/// `5` or `5:2`: one more than a set of modifiers, and whether the key repeats. `None` for a key that
/// was let go.
fn held_with(param: &str) -> Option<(Modifiers, Kind)> {
    let (held, kind) = param.split_once(':').unwrap_or((param, "1"));
    let kind = match kind {
        "3" => return None,
        "2" => Kind::Repeat,
        _ => Kind::Press,
    };
    let bits = held.parse::<u32>().unwrap_or(1).saturating_sub(1);
    let all = [
        (1, Modifiers::SHIFT),
        (2, Modifiers::ALT),
        (4, Modifiers::CTRL),
        (8, Modifiers::SUPER),
        (32, Modifiers::ALT),
    ];
    let set = all.iter().filter(|(bit, _)| bits & bit != 0);
    Some((set.fold(Modifiers::NONE, |all, (_, one)| all.with(*one)), kind))
}

/// The key of a code point, as kitty and xterm number them.
fn kitty_key(code: u32) -> Option<KeyCode> {
    Some(match code {
        9 => KeyCode::Tab,
        13 | 57414 => KeyCode::Enter,
        27 => KeyCode::Esc,
        8 | 127 => KeyCode::Backspace,
        57376..=57398 => function(code - 57376 + 13)?,
        57399..=57408 => KeyCode::Char(char::from_digit(code - 57399, 10)?),
        57409 => KeyCode::Char('.'),
        57410 => KeyCode::Char('/'),
        57411 => KeyCode::Char('*'),
        57412 => KeyCode::Char('-'),
        57413 => KeyCode::Char('+'),
        57415 => KeyCode::Char('='),
        57416 => KeyCode::Char(','),
        57417 => KeyCode::Left,
        57418 => KeyCode::Right,
        57419 => KeyCode::Up,
        57420 => KeyCode::Down,
        57421 => KeyCode::PageUp,
        57422 => KeyCode::PageDown,
        57423 => KeyCode::Home,
        57424 => KeyCode::End,
        57425 => KeyCode::Insert,
        57426 => KeyCode::Delete,
        // Caps lock, media keys, modifiers alone.
        57344..=63743 => return None,
        _ => KeyCode::Char(char::from_u32(code).filter(|char| !char.is_control())?),
    })
}

/// `button;column;row`, as SGR mouse reports have it.
fn mouse(body: &str, last: u8) -> Option<Mouse> {
    let mut numbers = body.split(';').map(str::parse::<u16>);
    let (Some(Ok(button)), Some(Ok(column)), Some(Ok(row))) =
        (numbers.next(), numbers.next(), numbers.next())
    else {
        return None;
    };
    let which = match button & 3 {
        0 => MouseButton::Left,
        1 => MouseButton::Middle,
        _ => MouseButton::Right,
    };
    let kind = match (button & 0x60, last) {
        (0x40, b'M') if button & 3 == 0 => MouseKind::ScrollUp,
        (0x40, b'M') if button & 3 == 1 => MouseKind::ScrollDown,
        (0x20, b'M') if button & 3 != 3 => MouseKind::Drag(which),
        (0, b'M') => MouseKind::Down(which),
        (0, b'm') => MouseKind::Up(which),
        _ => return None,
    };
    let bits = [(4, Modifiers::SHIFT), (8, Modifiers::ALT), (16, Modifiers::CTRL)];
    let set = bits.iter().filter(|(bit, _)| button & bit != 0);
    let modifiers = set.fold(Modifiers::NONE, |all, (_, one)| all.with(*one));
    let (column, row) = (column.saturating_sub(1), row.saturating_sub(1));
    Some(Mouse { kind, column, row, modifiers })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens(bytes: &[u8]) -> Vec<Token> {
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        parser.feed(bytes, &mut out);
        parser.flush(&mut out);
        out
    }

    fn keys(bytes: &[u8]) -> String {
        let name = |token: &Token| match token {
            Token::Key(key) => key.to_string(),
            other => format!("{other:?}"),
        };
        tokens(bytes).iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn keys_of_all_kinds_of_terminals() {
        for (bytes, want) in [
            (&b"aA"[..], "a A"),
            ("漢e\u{301}".as_bytes(), "漢 e \u{301}"),
            (b"\r\n\t\x7f\x08", "Enter Ctrl-J Tab Backspace Ctrl-H"),
            (b"\x01\x1a\x00\x1f\x1c", "Ctrl-A Ctrl-Z Ctrl-Space Ctrl-_ Ctrl-\\"),
            (b"\x1b", "Esc"),
            (b"\x1b\x1b", "Esc Esc"),
            (b"\x1b\x1bx", "Esc Alt-X"),
            (b"\x1bx\x1b\r\x1b\x7f", "Alt-X Alt-Enter Alt-Backspace"),
            (b"\x1bX\x1b\x01", "Alt-Shift-X Ctrl-Alt-A"),
            ("\x1bü".as_bytes(), "Alt-Ü"),
            (b"\x1b[A\x1bOB\x1b[1;5C\x1b[1;2D", "Up Down Ctrl-Right Shift-Left"),
            (b"\x1b[H\x1b[4~\x1b[5~\x1b[6;3~\x1b[3~", "Home End PageUp Alt-PageDown Delete"),
            (b"\x1bOP\x1b[15~\x1b[24~\x1b[25~\x1b[[A", "F1 F5 F12 F13 F1"),
            (b"\x1b[Z", "Shift-Tab"),
            (
                b"\x1b[13;2u\x1b[27u\x1b[97;6u\x1b[27;5;13~",
                "Shift-Enter Esc Ctrl-Shift-A Ctrl-Enter",
            ),
            (b"\x1b[97;5:2u\x1b[97;5:3u\x1b[57414u", "Ctrl-A Enter"),
            (b"\x1b\x1b[A\x1b[a\x1bOa", "Alt-Up Shift-Up Ctrl-Up"),
            (b"\x1b[57441;2u\x1b[99;1Rz", "z"),
            (b"\x1b[I\x1b[O", "Focus(true) Focus(false)"),
            (b"\x1b[", "Alt-["),
            (b"\xff\xc3(\xe2\x82x\xc2\x85", "( x"),
        ] {
            assert_eq!(keys(bytes), want, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn answers_are_never_typing() {
        let report = |report| vec![Token::Report(report)];
        for (bytes, want) in [
            (&b"\x1b]11;rgb:1e1e/ffff/0000\x1b\\"[..], report(Report::Background(30, 255, 0))),
            (b"\x1b]11;rgb:f/8/0\x07", report(Report::Background(255, 136, 0))),
            (b"\x1b]11;#102030\x07", report(Report::Background(16, 32, 48))),
            (b"\x1b]11;what\x07", vec![]),
            (b"\x1b]52;c;aGVsbG8=\x07", vec![]),
            (b"\x1bP>|XTerm(390)\x1b\\", vec![]),
            (b"\x1b[?1u", report(Report::KittyKeys)),
            (b"\x1b[?62;c", report(Report::Device)),
            (b"\x1b[?2004;2$y", report(Report::BracketedPaste)),
            (b"\x1b[?2004;0$y", vec![]),
            (b"\x1b[>1;10;0c", vec![]),
            (b"\x1b[12;40R", vec![]),
            (b"\x1b[M !!", vec![]),
        ] {
            assert_eq!(tokens(bytes), want, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn the_mouse_is_read() {
        let mouse = |kind, modifiers| Token::Mouse(Mouse { kind, column: 9, row: 4, modifiers });
        let none = Modifiers::NONE;
        for (bytes, want) in [
            (&b"\x1b[<0;10;5M"[..], Some(mouse(MouseKind::Down(MouseButton::Left), none))),
            (b"\x1b[<2;10;5m", Some(mouse(MouseKind::Up(MouseButton::Right), none))),
            (b"\x1b[<36;10;5M", Some(mouse(MouseKind::Drag(MouseButton::Left), Modifiers::SHIFT))),
            (b"\x1b[<64;10;5M", Some(mouse(MouseKind::ScrollUp, none))),
            (b"\x1b[<81;10;5M", Some(mouse(MouseKind::ScrollDown, Modifiers::CTRL))),
            (b"\x1b[<35;10;5M", None),
            (b"\x1b[<99999;10;5M", None),
        ] {
            assert_eq!(tokens(bytes), Vec::from_iter(want), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_paste_is_one_token_however_it_is_cut() {
        let bytes = "\x1b[200~a\r\nb\x1b[31m\x1b[201漢\x1b[201~z".as_bytes();
        let want =
            [Token::Paste(Paste("a\r\nb\x1b[31m\x1b[201漢".into())), Token::Key(Key::char('z'))];
        for cut in 0..bytes.len() {
            let (mut parser, mut out) = (Parser::default(), Vec::new());
            parser.feed(&bytes[..cut], &mut out);
            parser.feed(&bytes[cut..], &mut out);
            assert_eq!(out, want, "cut at {cut}");
            assert!(!parser.is_waiting());
        }
        assert_eq!(tokens(b"\x1b[200~half\x1b[2"), [Token::Paste(Paste("half\x1b[2".into()))]);
    }

    #[test]
    fn a_sequence_that_never_ends_is_dropped() {
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        let mut bytes = b"\x1b]".to_vec();
        bytes.resize(SEQUENCE_BYTES_MAX + 2, b'x');
        parser.feed(&bytes, &mut out);
        parser.feed(b"a", &mut out);
        assert_eq!(out, [Token::Key(Key::char('a'))]);
    }

    proptest! {
        #[test]
        fn bytes_mean_the_same_in_one_piece_and_in_many(
            parts in prop::collection::vec(prop::sample::select(vec![
                &b"a"[..], b"\x1b[A", b"\x1b[1;5C", b"\x1bOP", b"\x1bx", "漢".as_bytes(), b"\r", b"\xff",
                b"\x1b[200~p\x1bq\x1b[201~", b"\x1b]11;rgb:0/0/0\x07", b"\x1b[<0;1;1M", b"\x1b[M !!",
            ]), 0..20),
            cuts in prop::collection::vec(1_usize..5, 0..80),
        ) {
            let bytes = parts.concat();
            let (mut parser, mut whole) = (Parser::default(), Vec::new());
            parser.feed(&bytes, &mut whole);
            let (mut parser, mut pieces) = (Parser::default(), Vec::new());
            let mut rest = &bytes[..];
            for cut in cuts {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                parser.feed(now, &mut pieces);
                rest = later;
            }
            parser.feed(rest, &mut pieces);
            prop_assert_eq!(whole, pieces);
        }

        #[test]
        fn any_bytes_do_no_harm(chunks in prop::collection::vec(prop::collection::vec(
            prop_oneof![
                prop::sample::select(b"\x1b[]O;0123456789~mMuRc?<\x07\\".to_vec()),
                any::<u8>(),
            ], 0..40), 0..8)) {
            let (mut parser, mut out) = (Parser::default(), Vec::new());
            for chunk in &chunks {
                parser.feed(chunk, &mut out);
            }
            parser.flush(&mut out);
            prop_assert!(!parser.is_waiting());
        }
    }
}
