//! Which prompt is sent: the argument, standard input, or both. Pure.

use thiserror::Error;

/// Why there is no prompt to send.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PromptError {
    /// `codex exec ""`.
    #[error("The prompt is empty. Say what to do, or pipe the prompt into stdin.")]
    Empty,
    /// Bytes that are no text.
    #[error(
        "Failed to read prompt from stdin: input is not valid UTF-8 (invalid byte at offset \
         {offset}). Convert it to UTF-8 and retry (e.g., `iconv -f ENCODING -t UTF-8`)."
    )]
    NotText {
        /// Where the first wrong byte is.
        offset: usize,
    },
    /// Neither an argument nor a pipe.
    #[error("No prompt provided. Either specify one as an argument or pipe the prompt into stdin.")]
    Missing,
    /// A pipe without content.
    #[error("No prompt provided via stdin.")]
    MissingOnStdin,
    /// An encoding that is not read.
    #[error(
        "Failed to read prompt from stdin: input is {0}. Convert it to UTF-8 and retry (e.g., \
         `iconv -f {0} -t UTF-8`)."
    )]
    Encoding(&'static str),
}

/// What standard input has to do with the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StdinUse {
    /// It is not read.
    Ignored,
    /// It is appended to the argument, if it says anything.
    Appended,
    /// It is the prompt.
    Prompt,
}

/// Decides from the argument whether standard input is needed.
///
/// # Errors
/// When the argument is empty, or nothing can provide a prompt.
pub fn stdin_use(
    argument: Option<&str>,
    is_terminal: bool,
    is_resume: bool,
) -> Result<StdinUse, PromptError> {
    match argument {
        Some("-") => Ok(StdinUse::Prompt),
        Some(text) if text.trim().is_empty() => Err(PromptError::Empty),
        Some(_) if is_terminal || is_resume => Ok(StdinUse::Ignored),
        Some(_) => Ok(StdinUse::Appended),
        None if is_terminal => Err(PromptError::Missing),
        None => Ok(StdinUse::Prompt),
    }
}

/// Makes the prompt of an argument and what standard input held.
///
/// # Errors
/// When the bytes are no text, or blank where they have to be the prompt.
pub fn compose(
    argument: Option<&str>,
    stdin: Option<&[u8]>,
    stdin_use: StdinUse,
) -> Result<String, PromptError> {
    let stdin = stdin.map(decode).transpose()?.filter(|text| !text.trim().is_empty());
    match (stdin_use, argument, stdin) {
        (StdinUse::Prompt, _, Some(stdin)) => Ok(stdin),
        (StdinUse::Prompt, _, None) => Err(PromptError::MissingOnStdin),
        (StdinUse::Appended, Some(prompt), Some(stdin)) => {
            let newline = if stdin.ends_with('\n') { "" } else { "\n" };
            Ok(format!("{prompt}\n\n<stdin>\n{stdin}{newline}</stdin>"))
        }
        (_, Some(prompt), _) => Ok(prompt.to_owned()),
        (_, None, _) => Err(PromptError::Missing),
    }
}

/// Decodes UTF-8, and UTF-16 that begins with a byte order mark.
fn decode(bytes: &[u8]) -> Result<String, PromptError> {
    match bytes {
        [0xFF, 0xFE, 0, 0, ..] => Err(PromptError::Encoding("UTF-32LE")),
        [0, 0, 0xFE, 0xFF, ..] => Err(PromptError::Encoding("UTF-32BE")),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => {
            let (text, skipped) = match bytes.strip_prefix(b"\xEF\xBB\xBF") {
                Some(rest) => (rest, 3),
                None => (bytes, 0),
            };
            match std::str::from_utf8(text) {
                Ok(text) => Ok(text.to_owned()),
                Err(error) => Err(PromptError::NotText { offset: error.valid_up_to() + skipped }),
            }
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, PromptError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    let mut offset = 2;
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let Ok(char) = decoded else { return Err(PromptError::NotText { offset }) };
        offset += 2 * char.len_utf16();
        text.push(char);
    }
    if rest.is_empty() { Ok(text) } else { Err(PromptError::NotText { offset }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(argument: Option<&str>, stdin: Option<&[u8]>, want: Result<&str, PromptError>) {
        let got = stdin_use(argument, stdin.is_none(), false)
            .and_then(|stdin_use| compose(argument, stdin, stdin_use));
        assert_eq!(got, want.map(str::to_owned), "{argument:?} {stdin:?}");
    }

    #[test]
    fn the_argument_and_stdin_are_combined() {
        check(Some("do"), None, Ok("do"));
        check(Some("do"), Some(b"x"), Ok("do\n\n<stdin>\nx\n</stdin>"));
        check(Some("do"), Some(b"x\n"), Ok("do\n\n<stdin>\nx\n</stdin>"));
        check(Some("do"), Some(b" \n"), Ok("do"));
        check(Some("-"), Some(b" x\n"), Ok(" x\n"));
        check(None, Some(b"x\n\n"), Ok("x\n\n"));
    }

    #[test]
    fn nothing_to_do_is_an_error() {
        check(Some(""), None, Err(PromptError::Empty));
        check(Some(" "), Some(b"x"), Err(PromptError::Empty));
        check(None, None, Err(PromptError::Missing));
        check(None, Some(b"\n"), Err(PromptError::MissingOnStdin));
        check(Some("-"), Some(b""), Err(PromptError::MissingOnStdin));
        assert_eq!(stdin_use(Some("x"), false, true), Ok(StdinUse::Ignored));
    }

    #[test]
    fn encodings_are_told_apart_by_their_marks() {
        check(None, Some(b"\xEF\xBB\xBFhi"), Ok("hi"));
        check(None, Some(b"\xFF\xFEh\0\xe9\0"), Ok("hé"));
        check(None, Some(b"\xFE\xFF\0h\0i"), Ok("hi"));
        check(None, Some(b"\xFF\xFEh\0i"), Err(PromptError::NotText { offset: 4 }));
        check(None, Some(b"\xFF\xFE\0\xD8h\0"), Err(PromptError::NotText { offset: 2 }));
        check(None, Some(b"\xFF\xFE\0\0x\0\0\0"), Err(PromptError::Encoding("UTF-32LE")));
        check(None, Some(b"\0\0\xFE\xFF\0\0\0x"), Err(PromptError::Encoding("UTF-32BE")));
        check(None, Some(b"ab\xFFc"), Err(PromptError::NotText { offset: 2 }));
        check(None, Some(b"\xEF\xBB\xBFab\xFF"), Err(PromptError::NotText { offset: 5 }));
    }
}
