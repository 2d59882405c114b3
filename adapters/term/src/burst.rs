//! Pastes on terminals that do not mark them: characters and line ends that came at once.
//!
//! A person does not press Enter and go on writing within one read. When that is what came, it is a
//! paste, and its line ends send nothing. An Enter that ends what came at once is a key, so that a
//! script which types a line works; unless the read before was such a paste and has only just come,
//! since a long paste comes in several reads. Once the terminal is known to mark pastes, or has
//! marked one, nothing is changed any more.

use std::time::Duration;

use codex_tui::key::{KeyCode, Modifiers, Paste};

use crate::parse::{Report, Token};

/// Reads that come within this time of a paste belong to it.
const FOLLOWS_WITHIN: Duration = Duration::from_millis(12);

/// Watches what is read.
#[derive(Debug, Default)]
pub struct Burst {
    is_off: bool,
    was_paste: bool,
}

impl Burst {
    /// `off` takes fast typing for typing (`disable_paste_burst`).
    #[must_use]
    pub fn new(off: bool) -> Self {
        Self { is_off: off, was_paste: false }
    }

    /// Looks at the tokens of one read; `since` is how long ago the read before was.
    pub fn look(&mut self, tokens: &mut Vec<Token>, since: Duration) {
        let is_marked = |token: &Token| {
            matches!(token, Token::Paste(_) | Token::Report(Report::BracketedPaste))
        };
        if tokens.iter().any(is_marked) {
            self.is_off = true;
        }
        if self.is_off {
            return;
        }
        let follows = self.was_paste && since <= FOLLOWS_WITHIN;
        let Some(text) = written(tokens) else {
            self.was_paste = false;
            return;
        };
        let line_goes_on = text.trim_end_matches('\n').contains('\n') && text.len() > 2;
        self.was_paste = line_goes_on || (follows && !text.is_empty());
        if self.was_paste {
            *tokens = vec![Token::Paste(Paste(text))];
        }
    }
}

/// The text of tokens that all write something.
fn written(tokens: &[Token]) -> Option<String> {
    let char = |token: &Token| match token {
        Token::Key(key) => match key.code {
            KeyCode::Enter if key.modifiers.is_empty() => Some('\n'),
            KeyCode::Char('j') if key.modifiers == Modifiers::CTRL => Some('\n'),
            KeyCode::Tab if key.modifiers.is_empty() => Some('\t'),
            _ => key.written(),
        },
        _ => None,
    };
    tokens.iter().map(char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Parser;

    fn look(burst: &mut Burst, bytes: &[u8], since_ms: u64) -> String {
        let mut tokens = Vec::new();
        Parser::default().feed(bytes, &mut tokens);
        burst.look(&mut tokens, Duration::from_millis(since_ms));
        let name = |token: &Token| match token {
            Token::Key(key) => key.to_string(),
            Token::Paste(Paste(text)) => format!("{text:?}"),
            other => format!("{other:?}"),
        };
        tokens.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lines_that_come_at_once_are_a_paste() {
        let mut burst = Burst::default();
        assert_eq!(look(&mut burst, b"one\rtwo\r", 900), "\"one\\ntwo\\n\"");
        assert_eq!(look(&mut burst, b"three\r", 2), "\"three\\n\"", "the paste goes on");
        assert_eq!(look(&mut burst, b"\r", 50), "Enter");
    }

    #[test]
    fn typing_is_typing() {
        let mut burst = Burst::default();
        for (bytes, keys) in [
            (&b"hi\r"[..], "h i Enter"),
            (b"\r\r", "Enter Enter"),
            (b"a\x1b[A\rb", "a Up Enter b"),
            (b"ab", "a b"),
        ] {
            assert_eq!(look(&mut burst, bytes, 0), keys);
        }
        let mut off = Burst::new(true);
        assert_eq!(look(&mut off, b"a\rb", 0), "a Enter b");
    }

    #[test]
    fn a_terminal_that_marks_pastes_is_believed() {
        let mut burst = Burst::default();
        look(&mut burst, b"\x1b[?2004;1$y", 0);
        assert_eq!(look(&mut burst, b"a\rb", 0), "a Enter b");
    }
}
