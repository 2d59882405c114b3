//! The door for foreign text: what a model, a command or a file says never reaches the terminal raw.
//!
//! Escape sequences are removed whole. Control codes are removed, tabs become spaces. Characters that
//! reorder or hide text (direction overrides, tags, other invisible ones) are shown by their code
//! point, since they can make a command look like another one.

use std::borrow::Cow;

/// Columns between tab stops.
const TAB: usize = 4;

/// Makes a text of many lines safe. `\n` and `\r\n` end lines.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte) || byte == b'\n') {
        return Cow::Borrowed(text);
    }
    if !text.chars().any(|char| char != '\n' && is_odd(char)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    // Columns are counted in characters here: a tab after wide characters is a little short.
    let mut column = 0;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\n' => {
                out.push('\n');
                column = 0;
                continue;
            }
            '\t' => {
                let count = TAB - column % TAB;
                out.extend(std::iter::repeat_n(' ', count));
                column += count;
                continue;
            }
            '\x1b' => skip_escape(&mut chars),
            // The single-character forms of CSI, OSC and the strings.
            '\u{9b}' => skip_csi(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut chars),
            _ if char.is_control() => {}
            _ => match shown_char(char) {
                Some(text) => {
                    column += text.chars().count();
                    out.push_str(&text);
                }
                None => {
                    out.push(char);
                    column += 1;
                }
            },
        }
    }
    Cow::Owned(out)
}

/// Makes a text safe as a single line: line ends become spaces.
#[must_use]
pub fn clean_line(text: &str) -> Cow<'_, str> {
    match clean(text) {
        Cow::Borrowed(text) if !text.contains('\n') => Cow::Borrowed(text),
        text => Cow::Owned(text.trim_end_matches('\n').replace('\n', " ")),
    }
}

/// What remains of a line that was written over with carriage returns, as progress bars do.
pub(super) fn last_overprint(line: &str) -> &str {
    let line = line.trim_end_matches('\r');
    line.rsplit('\r').next().unwrap_or(line)
}

/// What is shown for a character that must not be shown as it is, if it is no control code.
pub(crate) fn shown_char(char: char) -> Option<String> {
    is_odd(char).then(|| format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(char)))
}

/// Whether a character must not be shown as it is.
fn is_odd(char: char) -> bool {
    char.is_control()
        || matches!(char,
            // Marks and overrides of direction.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separators, byte order mark, invisible operators and fillers.
            | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}'
            | '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}'
            // Interlinear annotation, musical format controls, tags.
            | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Bytes of the escape sequence with which a text begins.
pub(super) fn escape_bytes(text: &str) -> usize {
    let mut chars = text.chars().peekable();
    if chars.next_if_eq(&'\x1b').is_some() {
        skip_escape(&mut chars);
    }
    text.len() - chars.map(char::len_utf8).sum::<usize>()
}

type Chars<'t> = std::iter::Peekable<std::str::Chars<'t>>;

fn skip_escape(chars: &mut Chars<'_>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_csi(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            skip_string(chars);
        }
        // Intermediate characters, then one final one.
        Some(' '..='/') => {
            while chars.next_if(|char| matches!(char, ' '..='/')).is_some() {}
            chars.next_if(|char| matches!(char, '0'..='~'));
        }
        Some('0'..='~') => {
            chars.next();
        }
        _ => {}
    }
}

fn skip_csi(chars: &mut Chars<'_>) {
    while chars.next_if(|char| matches!(char, ' '..='?')).is_some() {}
    chars.next_if(|char| matches!(char, '@'..='~'));
}

/// Up to the end of a string sequence; one without an end takes its line only.
fn skip_string(chars: &mut Chars<'_>) {
    while let Some(char) = chars.next_if(|char| *char != '\n') {
        match char {
            '\u{7}' | '\u{9c}' => return,
            '\x1b' => {
                chars.next_if(|char| *char == '\\');
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_go_whole() {
        for (text, want) in [
            ("plain\ntext", "plain\ntext"),
            ("\x1b[31mred\x1b[0m", "red"),
            ("a\x1b]0;title\x07b", "ab"),
            ("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b", "alinkb"),
            ("a\x1bPq#0\x1b\\b", "ab"),
            ("a\x1b(Bb\x1b=c\x1bMd", "abcd"),
            ("a\u{9b}2Jb", "ab"),
            ("a\u{9d}0;t\u{9c}b", "ab"),
            ("open\x1b]0;no end\nnext", "open\nnext"),
            ("a\r\nb\x08\x7f\0", "a\nb"),
            ("a\tb\n\tc", "a   b\n    c"),
            ("\u{1f468}\u{200d}\u{1f469}", "\u{1f468}\u{200d}\u{1f469}"),
        ] {
            assert_eq!(clean(text), want, "{text:?}");
        }
    }

    #[test]
    fn hidden_characters_are_shown() {
        assert_eq!(clean("rm \u{202e}x"), "rm \u{27e8}U+202E\u{27e9}x");
        assert_eq!(clean("a\u{e0041}"), "a\u{27e8}U+E0041\u{27e9}");
        assert_eq!(clean("a\u{200b}b"), "a\u{27e8}U+200B\u{27e9}b");
        assert_eq!(clean_line("a\nb\n"), "a b");
    }

    #[test]
    fn progress_bars_show_their_last_state() {
        assert_eq!(last_overprint("10%\r50%\r100%"), "100%");
        assert_eq!(last_overprint("done\r"), "done");
    }

    proptest! {
        #[test]
        fn nothing_odd_is_left(text in "(\\PC|[\\x00-\\x1f\\x7f-\\x9f\u{202e}\u{e0041}\\[\\]P;m])*") {
            let once = clean(&text);
            prop_assert!(once.chars().all(|char| char == '\n' || !is_odd(char)), "{:?}", once);
            prop_assert_eq!(clean(&once), once.clone(), "cleaning again changes nothing");
        }
    }
}
