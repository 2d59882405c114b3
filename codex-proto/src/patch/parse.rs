//! From text to [`Patch`].
//!
//! ```text
//! patch  = "*** Begin Patch" hunk* "*** End Patch"
//! hunk   = "*** Add File: " path ("+" text)*
//!        | "*** Delete File: " path
//!        | "*** Update File: " path ["*** Move to: " path] chunk*     at least one of the two
//! chunk  = ("@@" | "@@ " text)* line+ ["*** End of File"]             "@@" optional for the first
//! line   = (" " | "+" | "-") text | ""                                "" is an empty context line
//! ```
//!
//! Lenient: white space around the whole text, the two marker lines and file headers; CRLF; a
//! here-document wrapper around the patch; blank lines between hunks and chunks.

use std::path::PathBuf;

use super::{
    Chunk, ChunkLine, HUNKS_MAX, Hunk, PATCH_BYTES_MAX, ParseError, ParseErrorKind, Patch,
};

const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const ADD: &str = "*** Add File:";
const DELETE: &str = "*** Delete File:";
const UPDATE: &str = "*** Update File:";
const MOVE: &str = "*** Move to:";
const END_OF_FILE: &str = "*** End of File";

/// Parses a patch. One without hunks parses; applying it is an error.
///
/// # Errors
/// Where the text is not in the language. Lines count from 1, which is `*** Begin Patch`.
pub fn parse(text: &str) -> Result<Patch, ParseError> {
    let whole = |kind| ParseError { line: None, kind };
    if text.len() > PATCH_BYTES_MAX {
        return Err(whole(ParseErrorKind::TooLong { bytes: text.len() }));
    }
    let text = text.trim();
    let lines: Vec<&str> = text.strip_prefix('\u{feff}').unwrap_or(text).trim().lines().collect();
    let lines = unwrap(&lines);
    if lines.first().is_none_or(|line| line.trim() != BEGIN) {
        return Err(whole(ParseErrorKind::NoBegin));
    }
    if lines.len() < 2 || lines.last().is_none_or(|line| line.trim() != END) {
        return Err(whole(ParseErrorKind::NoEnd));
    }
    let mut parser = Parser { lines: &lines[..lines.len() - 1], at: 1 };
    let mut hunks = Vec::new();
    while parser.skip_blank() {
        if hunks.len() == HUNKS_MAX {
            return Err(parser.error(ParseErrorKind::TooManyHunks));
        }
        hunks.push(parser.hunk()?);
    }
    Ok(Patch { hunks })
}

/// Takes off `<<EOF … EOF`, which models put around a patch out of habit.
fn unwrap<'a, 'b>(lines: &'a [&'b str]) -> &'a [&'b str] {
    match lines {
        ["<<EOF" | "<<'EOF'" | "<<\"EOF\"", inner @ .., last]
            if inner.len() >= 2 && last.ends_with("EOF") =>
        {
            inner
        }
        _ => lines,
    }
}

struct Parser<'a> {
    /// All lines but the end marker.
    lines: &'a [&'a str],
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.at).copied()
    }

    /// Line number of the current line, from 1.
    fn line(&self) -> u32 {
        // Invariant: PATCH_BYTES_MAX is far below u32::MAX lines.
        u32::try_from(self.at + 1).unwrap_or(u32::MAX)
    }

    fn error(&self, kind: ParseErrorKind) -> ParseError {
        ParseError { line: Some(self.line()), kind }
    }

    /// Moves to the next line with text; whether there is one.
    fn skip_blank(&mut self) -> bool {
        while self.peek().is_some_and(|line| line.trim().is_empty()) {
            self.at += 1;
        }
        self.at < self.lines.len()
    }

    fn path(&self, written: &str) -> Result<PathBuf, ParseError> {
        let written = written.trim();
        if written.is_empty() || written.contains('\0') {
            return Err(self.error(ParseErrorKind::BadPath { path: written.to_owned() }));
        }
        Ok(PathBuf::from(written))
    }

    fn hunk(&mut self) -> Result<Hunk, ParseError> {
        let line = self.line();
        let header = self.peek().unwrap_or_default().trim();
        if let Some(written) = header.strip_prefix(ADD) {
            let path = self.path(written)?;
            self.at += 1;
            let mut content = String::new();
            while let Some(text) = self.peek().and_then(|line| line.strip_prefix('+')) {
                content.push_str(text);
                content.push('\n');
                self.at += 1;
            }
            Ok(Hunk::Add { path, content, line })
        } else if let Some(written) = header.strip_prefix(DELETE) {
            let path = self.path(written)?;
            self.at += 1;
            Ok(Hunk::Delete { path, line })
        } else if let Some(written) = header.strip_prefix(UPDATE) {
            let path = self.path(written)?;
            self.update(path, line)
        } else {
            Err(self.error(ParseErrorKind::BadHeader { found: header.to_owned() }))
        }
    }

    fn update(&mut self, path: PathBuf, line: u32) -> Result<Hunk, ParseError> {
        self.at += 1;
        let mut move_to = None;
        if let Some(written) = self.peek().and_then(|line| line.strip_prefix(MOVE)) {
            move_to = Some(self.path(written)?);
            self.at += 1;
        }
        let mut chunks = Vec::new();
        while self.skip_blank() && self.peek().is_some_and(|line| !line.starts_with('*')) {
            chunks.push(self.chunk(chunks.is_empty())?);
        }
        if chunks.is_empty() && move_to.is_none() {
            return Err(ParseError { line: Some(line), kind: ParseErrorKind::NoChunks { path } });
        }
        Ok(Hunk::Update { path, move_to, chunks, line })
    }

    fn chunk(&mut self, first: bool) -> Result<Chunk, ParseError> {
        let line = self.line();
        let mut contexts = Vec::new();
        let mut marks = 0;
        while let Some(context) = self.peek().and_then(context_of) {
            if marks > 0 && context.is_empty() {
                return Err(self.error(ParseErrorKind::NoLines));
            }
            if !context.is_empty() {
                contexts.push(context.to_owned());
            }
            marks += 1;
            self.at += 1;
        }
        if marks == 0 && !first {
            let found = self.peek().unwrap_or_default().to_owned();
            return Err(self.error(ParseErrorKind::NoMark { found }));
        }
        let mut lines = Vec::new();
        let mut at_end = false;
        let mut blank_tail = 0;
        while let Some(text) = self.peek() {
            if text.trim_end() == END_OF_FILE {
                if lines.is_empty() {
                    return Err(self.error(ParseErrorKind::NoLines));
                }
                at_end = true;
                self.at += 1;
                break;
            }
            let mut chars = text.chars();
            let chunk_line = match chars.next() {
                None => ChunkLine::Context(String::new()),
                Some(' ') => ChunkLine::Context(chars.as_str().to_owned()),
                Some('+') => ChunkLine::Add(chars.as_str().to_owned()),
                Some('-') => ChunkLine::Remove(chars.as_str().to_owned()),
                Some(_) if lines.is_empty() => {
                    return Err(self.error(ParseErrorKind::BadLine { found: text.to_owned() }));
                }
                Some(_) => break,
            };
            blank_tail = if text.is_empty() { blank_tail + 1 } else { 0 };
            lines.push(chunk_line);
            self.at += 1;
        }
        if lines.is_empty() {
            return Err(self.error(ParseErrorKind::NoLines));
        }
        Ok(Chunk { contexts, lines, blank_tail, at_end, line })
    }
}

/// The text of a `@@` line, empty when it has none.
fn context_of(line: &str) -> Option<&str> {
    let text = line.strip_prefix("@@")?;
    if text.trim().is_empty() { Some("") } else { text.strip_prefix(' ') }
}
