//! Sequences that draw nothing: links, notifications, the title, the clipboard.

use std::fmt::Write as _;

use crate::{
    setup::{NotifyMethod, Terminal},
    text::{clean_line, fit},
};

/// Bytes of a link's target at most.
const LINK_BYTES_MAX: usize = 2_048;
/// Columns of a notification at most.
const NOTIFICATION_COLUMNS_MAX: usize = 200;
/// Bytes of a text that a terminal takes into its clipboard; many take no more.
pub(crate) const CLIPBOARD_BYTES_MAX: usize = 74_994;

/// A link's target as it may stand in a sequence; `None` for what should not be followed.
pub(super) fn link_target(target: &str) -> Option<String> {
    let schemes = ["http://", "https://", "file://", "mailto:"];
    let has_scheme = |scheme: &&str| {
        target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    if target.len() > LINK_BYTES_MAX || !schemes.iter().any(has_scheme) {
        return None;
    }
    let mut out = String::with_capacity(target.len());
    for byte in target.bytes() {
        match byte {
            b'!'..=b'~' => out.push(char::from(byte)),
            // Writing into a string cannot fail.
            _ => _ = write!(out, "%{byte:02X}"),
        }
    }
    Some(out)
}

/// The bytes of a notification; none for [`NotifyMethod::Toast`], which is no sequence.
#[must_use]
pub fn notification(terminal: &Terminal, text: &str) -> String {
    let text = fit(&clean_line(text), NOTIFICATION_COLUMNS_MAX);
    match terminal.notify {
        NotifyMethod::Bell => "\x07".into(),
        NotifyMethod::Osc777 => {
            passed(terminal, &format!("\x1b]777;notify;Codex;{}\x07", text.replace(';', ",")))
        }
        NotifyMethod::Osc9 => passed(terminal, &format!("\x1b]9;{text}\x07")),
        NotifyMethod::Toast => String::new(),
    }
}

/// The bytes that set the title of the window; an empty one gives it back to the shell.
#[must_use]
pub fn title(text: &str) -> String {
    format!("\x1b]0;{}\x07", fit(&clean_line(text), NOTIFICATION_COLUMNS_MAX))
}

/// The bytes that ask the terminal to put a text into the clipboard (OSC 52), given its base64;
/// `None` when it is more than terminals take.
#[must_use]
pub fn clipboard(terminal: &Terminal, base64: &str) -> Option<String> {
    let is_base64 = base64.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    let fits = base64.len() / 4 * 3 <= CLIPBOARD_BYTES_MAX;
    (is_base64 && fits).then(|| passed(terminal, &format!("\x1b]52;c;{base64}\x07")))
}

/// Through tmux, which else keeps such sequences for itself.
fn passed(terminal: &Terminal, sequence: &str) -> String {
    if terminal.tmux {
        format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b"))
    } else {
        sequence.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Setup;

    #[test]
    fn links_hold_no_sequences() {
        assert_eq!(link_target("https://a.b/c?d=e").as_deref(), Some("https://a.b/c?d=e"));
        let odd = link_target("https://a/\x1b\\\x07 \u{e4}").unwrap();
        assert_eq!(odd, "https://a/%1B\\%07%20%C3%A4");
        assert_eq!(link_target("javascript:alert(1)"), None);
        assert_eq!(link_target(&format!("http://{}", "x".repeat(LINK_BYTES_MAX))), None);
    }

    #[test]
    fn notifications_are_wrapped_for_tmux_and_hold_no_sequences() {
        let mut terminal = Setup::sample().terminal;
        assert_eq!(notification(&terminal, "a\x1b[2Jb\x07\nc"), "\x1b]9;ab c\x07");
        terminal.tmux = true;
        assert_eq!(notification(&terminal, "x"), "\x1bPtmux;\x1b\x1b]9;x\x07\x1b\\");
        terminal.notify = NotifyMethod::Osc777;
        let wrapped = "\x1bPtmux;\x1b\x1b]777;notify;Codex;a, b\x07\x1b\\";
        assert_eq!(notification(&terminal, "a; b"), wrapped);
        terminal.notify = NotifyMethod::Bell;
        assert_eq!(notification(&terminal, "x"), "\x07");
    }

    #[test]
    fn the_clipboard_takes_base64_of_a_bounded_size() {
        let terminal = Setup::sample().terminal;
        assert_eq!(clipboard(&terminal, "YQ==").as_deref(), Some("\x1b]52;c;YQ==\x07"));
        assert_eq!(clipboard(&terminal, "\x1b"), None);
        assert_eq!(clipboard(&terminal, &"A".repeat(CLIPBOARD_BYTES_MAX * 2)), None);
    }
}
