//! What we change about a terminal, and the bytes that change it back.

use codex_tui::setup::Mode;
use crossterm::{
    Command,
    cursor::Show,
    event::{
        DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange,
        KeyboardEnhancementFlags, PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
    },
    style::ResetColor,
    terminal::{EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen},
};

/// Clicks, drags and the wheel, with coordinates of any size; not every move.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1002l\x1b[?1000l";
/// Keeps the title of the window, and brings it back.
const TITLE_PUSH: &str = "\x1b[22;0t";
const TITLE_POP: &str = "\x1b[23;0t";

/// What is asked after the first frame: the background, whether pastes are marked, whether keys can be
/// told apart, and last what every terminal answers.
const QUERIES: &str = "\x1b]11;?\x1b\\\x1b[?2004$p\x1b[?u\x1b[c";

/// What is, or is to be, changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modes {
    /// How the screen is used.
    pub mode: Mode,
    /// Whether the title is ours.
    pub title: bool,
    /// Whether the keyboard protocol of kitty is on.
    pub kitty: bool,
    /// Whether it is a terminal to which nothing but text means anything.
    pub dumb: bool,
}

impl Modes {
    /// The bytes that make these changes.
    #[must_use]
    pub fn enter(&self) -> String {
        let mut out = String::new();
        if self.title {
            out.push_str(TITLE_PUSH);
        }
        if self.mode == Mode::FullScreen {
            put(&mut out, EnterAlternateScreen);
            out.push_str(MOUSE_ON);
        }
        if !self.dumb {
            put(&mut out, EnableBracketedPaste);
        }
        if self.mode != Mode::Plain {
            put(&mut out, EnableFocusChange);
        }
        if self.kitty {
            out.push_str(&kitty_on());
        }
        out
    }

    /// The bytes that take them back. Harmless when some were never made, and in the middle of a
    /// frame.
    #[must_use]
    pub fn leave(&self) -> String {
        let mut out = String::new();
        if self.mode == Mode::Plain {
            if !self.dumb {
                put(&mut out, DisableBracketedPaste);
            }
            return out;
        }
        // A frame that was cut off ends here, also in the middle of a string.
        out.push_str("\x1b\\");
        put(&mut out, EndSynchronizedUpdate);
        if self.kitty {
            put(&mut out, PopKeyboardEnhancementFlags);
        }
        put(&mut out, DisableFocusChange);
        put(&mut out, DisableBracketedPaste);
        if self.mode == Mode::FullScreen {
            out.push_str(MOUSE_OFF);
            put(&mut out, LeaveAlternateScreen);
        }
        if self.title {
            out.push_str(TITLE_POP);
        }
        put(&mut out, ResetColor);
        put(&mut out, Show);
        out
    }

    /// The same, and what was drawn stays where it is: what is said next begins on a row of its own,
    /// with nothing below.
    #[must_use]
    pub fn step_off(&self) -> String {
        let below = if self.mode == Mode::Plain { "\r\n" } else { "\r\n\x1b[J" };
        self.leave() + below
    }

    /// What is asked after the first frame; in plain mode nothing hangs on the answers.
    #[must_use]
    pub fn queries(&self) -> &'static str {
        if self.mode == Mode::Plain { "" } else { QUERIES }
    }
}

/// Asks for keys that can be told apart.
#[must_use]
pub fn kitty_on() -> String {
    let mut out = String::new();
    put(
        &mut out,
        PushKeyboardEnhancementFlags(KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES),
    );
    out
}

fn put(out: &mut String, command: impl Command) {
    // Writing to a string does not fail.
    let _ = command.write_ansi(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_turned_on_is_turned_off() {
        let dumb = Modes { mode: Mode::Plain, title: false, kitty: false, dumb: true };
        assert_eq!([dumb.enter(), dumb.leave()], [""; 2]);
        assert_eq!((&*dumb.step_off(), dumb.queries()), ("\r\n", ""));
        let plain = Modes { dumb: false, ..dumb };
        assert_eq!(plain.enter().replace('h', "l"), plain.leave());
        for mode in [Mode::Inline, Mode::FullScreen] {
            for (title, kitty) in [(false, false), (true, true)] {
                let modes = Modes { mode, title, kitty, dumb: false };
                let (enter, leave) = (modes.enter(), modes.leave());
                for on in enter.split_inclusive('h').filter(|part| part.contains("\x1b[?")) {
                    let on = &on[on.find("\x1b[?").unwrap()..];
                    let off = on.replace('h', "l");
                    assert!(leave.contains(&off), "{off:?} is missing in {leave:?}");
                }
                assert_eq!(enter.contains("\x1b[>1u"), leave.contains("\x1b[<1u"));
                assert_eq!(enter.contains(TITLE_PUSH), leave.contains(TITLE_POP));
            }
        }
    }
}
