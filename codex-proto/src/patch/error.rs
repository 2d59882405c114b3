//! Why a patch cannot be parsed or applied, in words that let a model repair it in one go.

use std::{fmt, path::PathBuf};

/// Most lines of the patch that an error repeats.
const SHOWN_LINES_MAX: usize = 40;
/// Most characters of a line that an error repeats.
const SHOWN_CHARS_MAX: usize = 160;

/// A text that is not a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Line of the patch, from 1; `None` when it is about the whole text.
    pub line: Option<u32>,
    /// What is wrong.
    pub kind: ParseErrorKind,
}

/// Kinds of [`ParseError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseErrorKind {
    /// A line that is neither a file header nor part of a hunk.
    BadHeader {
        /// The line, trimmed.
        found: String,
    },
    /// A line of a chunk without a mark.
    BadLine {
        /// The line.
        found: String,
    },
    /// No path, or one with a NUL.
    BadPath {
        /// What stands there.
        path: String,
    },
    /// The first line is not `*** Begin Patch`.
    NoBegin,
    /// An update without chunks and without a move.
    NoChunks {
        /// Of which file, as written.
        path: PathBuf,
    },
    /// The last line is not `*** End Patch`.
    NoEnd,
    /// A chunk without lines.
    NoLines,
    /// A chunk, not the first of its file, without `@@`.
    NoMark {
        /// The line that should be one.
        found: String,
    },
    /// More than [`super::PATCH_BYTES_MAX`].
    TooLong {
        /// Bytes of the patch.
        bytes: usize,
    },
    /// More than [`super::HUNKS_MAX`].
    TooManyHunks,
}

impl std::error::Error for ParseError {}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "invalid hunk at line {line}, ")?,
            None => f.write_str("invalid patch: ")?,
        }
        match &self.kind {
            ParseErrorKind::BadHeader { found } => write!(
                f,
                "'{}' is not a valid hunk header. Valid hunk headers: '*** Add File: {{path}}', \
                 '*** Delete File: {{path}}', '*** Update File: {{path}}'",
                shown(found)
            ),
            ParseErrorKind::BadLine { found } => write!(
                f,
                "Unexpected line found in update hunk: '{}'. Every line should start with ' ' \
                 (context line), '+' (added line), or '-' (removed line)",
                shown(found)
            ),
            ParseErrorKind::BadPath { path } => write!(f, "'{}' is not a path", shown(path)),
            ParseErrorKind::NoBegin => {
                f.write_str("The first line of the patch must be '*** Begin Patch'")
            }
            ParseErrorKind::NoChunks { path } => {
                write!(f, "Update file hunk for path '{}' is empty", path.display())
            }
            ParseErrorKind::NoEnd => {
                f.write_str("The last line of the patch must be '*** End Patch'")
            }
            ParseErrorKind::NoLines => f.write_str("Update hunk does not contain any lines"),
            ParseErrorKind::NoMark { found } => write!(
                f,
                "Expected update hunk to start with a @@ context marker, got: '{}'",
                shown(found)
            ),
            ParseErrorKind::TooLong { bytes } => {
                write!(f, "it has {bytes} bytes, the most is {}; split it", super::PATCH_BYTES_MAX)
            }
            ParseErrorKind::TooManyHunks => {
                write!(f, "the most is {} hunks in one patch; split it", super::HUNKS_MAX)
            }
        }
    }
}

/// A patch that does not fit the files. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyError {
    /// The file, as written; empty when it is about no file.
    pub path: PathBuf,
    /// Line of the patch where the chunk or hunk begins, from 1; 0 when it is about no line.
    pub line: u32,
    /// Which chunk of the hunk, from 1; `None` when it is about the file.
    pub chunk: Option<usize>,
    /// What is wrong.
    pub kind: ApplyErrorKind,
}

/// Kinds of [`ApplyError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyErrorKind {
    /// The file holds NUL bytes near its start.
    Binary,
    /// A `@@` line is not in the file.
    ContextNotFound {
        /// Its text.
        context: String,
        /// Why.
        cause: Box<Cause>,
    },
    /// No such file to delete, or the host could not look at it.
    Delete {
        /// Why.
        reason: String,
    },
    /// The patch has no hunks.
    Empty,
    /// The lines of a chunk are not in the file.
    LinesNotFound {
        /// The context and removed lines.
        expected: Vec<String>,
        /// Why.
        cause: Box<Cause>,
    },
    /// The file is not UTF-8, and the chunk would put characters into it that need UTF-8.
    NotUtf8,
    /// The content was not given to [`super::apply()`]: a bug of the caller.
    NotRead,
    /// After the patch a path would be a file and a folder.
    PathClash {
        /// The file inside it.
        inside: PathBuf,
    },
    /// No such file to update, or the host could not read it.
    Read {
        /// Why.
        reason: String,
    },
    /// A file, or all of them together, exceed what a patch may touch.
    TooLarge {
        /// Bytes found.
        bytes: u64,
        /// Bytes allowed.
        bytes_max: u64,
    },
    /// The file is UTF-16.
    Utf16,
    /// The host could not look at a file that is to be written.
    Write {
        /// Why.
        reason: String,
    },
}

/// Why lines are not found, and what comes nearest. Lines of the file count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing like it is in the file.
    Absent,
    /// The file already reads as it would afterwards.
    AlreadyApplied {
        /// Where.
        line: usize,
    },
    /// The same lines, but with other blank lines between them.
    BlankLines {
        /// Where.
        line: usize,
    },
    /// The file ends its lines by CR alone, so that it is one line.
    CarriageReturns,
    /// The file is empty.
    EmptyFile,
    /// The lines are there, but before the place where the search begins.
    Moved {
        /// Where.
        line: usize,
        /// The search begins at this line.
        from: usize,
    },
    /// A `@@` line that is only a part of a line.
    PartOfLine {
        /// Which.
        line: usize,
        /// The whole line.
        found: String,
    },
    /// The file has changed, or was never so.
    Stale {
        /// First line of the nearest place.
        first: usize,
        /// Last line of the nearest place.
        last: usize,
        /// How many lines agree there.
        matching: usize,
        /// Of how many.
        of: usize,
        /// The first line that does not.
        line: usize,
        /// What the patch has.
        expected: String,
        /// What the file has; `None` behind its end.
        found: Option<String>,
    },
    /// Line numbers after `@@`, as in a unified diff.
    UnifiedHeader,
    /// The same lines, but with other white space.
    Whitespace {
        /// The first line that differs.
        line: usize,
        /// What the patch has.
        expected: String,
        /// What the file has.
        found: String,
    },
}

impl std::error::Error for ApplyError {}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        let cause = match &self.kind {
            ApplyErrorKind::Binary => {
                write!(f, "Failed to read file to update {path}: it is a binary file")?;
                None
            }
            ApplyErrorKind::ContextNotFound { context, cause } => {
                write!(f, "Failed to find context '{}' in {path}", shown(context))?;
                Some(cause)
            }
            ApplyErrorKind::Delete { reason } => {
                write!(f, "Failed to delete file {path}: {reason}")?;
                None
            }
            ApplyErrorKind::Empty => return f.write_str("No files were modified."),
            ApplyErrorKind::LinesNotFound { expected, cause } => {
                write!(f, "Failed to find expected lines in {path}:")?;
                for line in expected.iter().take(SHOWN_LINES_MAX) {
                    write!(f, "\n{}", clip(line))?;
                }
                if expected.len() > SHOWN_LINES_MAX {
                    write!(f, "\n[{} more lines]", expected.len() - SHOWN_LINES_MAX)?;
                }
                Some(cause)
            }
            ApplyErrorKind::NotUtf8 => {
                write!(
                    f,
                    "Failed to write file {path}: it is not UTF-8, and the added lines hold \
                     characters beyond ASCII, which would mix encodings; convert the file first"
                )?;
                None
            }
            ApplyErrorKind::NotRead => {
                write!(f, "Failed to read file to update {path}: its content was not given")?;
                None
            }
            ApplyErrorKind::PathClash { inside } => {
                write!(
                    f,
                    "Failed to write file {path}: it would be a file, and the folder of {}",
                    inside.display()
                )?;
                None
            }
            ApplyErrorKind::Read { reason } => {
                write!(f, "Failed to read file to update {path}: {reason}")?;
                None
            }
            ApplyErrorKind::TooLarge { bytes, bytes_max } => {
                write!(
                    f,
                    "Failed to read file to update {path}: a patch may touch {bytes_max} bytes, \
                     here are {bytes}; use a command instead"
                )?;
                None
            }
            ApplyErrorKind::Utf16 => {
                write!(
                    f,
                    "Failed to read file to update {path}: it is UTF-16; convert it to UTF-8 first"
                )?;
                None
            }
            ApplyErrorKind::Write { reason } => {
                write!(f, "Failed to write file {path}: {reason}")?;
                None
            }
        };
        if let Some(chunk) = self.chunk {
            write!(f, "\nWhere: chunk {chunk} of this file, line {} of the patch.", self.line)?;
        } else if self.line > 0 {
            write!(f, "\nWhere: line {} of the patch.", self.line)?;
        }
        if let Some(cause) = cause {
            write!(f, "\nWhy: {cause}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => {
                f.write_str("stale: the file has nothing like these lines. Read the file again.")
            }
            Self::AlreadyApplied { line } => write!(
                f,
                "already applied: from line {line} on the file reads as it would after this chunk."
            ),
            Self::BlankLines { line } => write!(
                f,
                "blank lines differ: from line {line} on the file has the same text with other \
                 blank lines. Copy them as they are."
            ),
            Self::CarriageReturns => f.write_str(
                "line endings differ: the file ends its lines by CR alone, so it counts as one \
                 line. Convert it to LF first.",
            ),
            Self::EmptyFile => f.write_str("the file is empty."),
            Self::Moved { line, from } => write!(
                f,
                "lines moved: they are at line {line} of the file, but this chunk is looked for \
                 from line {from} on, behind the chunk or @@ line before it. Put chunks in file \
                 order."
            ),
            Self::PartOfLine { line, found } => write!(
                f,
                "line {line} of the file only contains it; write the whole line after @@:\n{}",
                clip(found)
            ),
            Self::Stale { first, last, matching, of, line, expected, found } => {
                write!(
                    f,
                    "stale: the nearest place is lines {first}-{last}, where {matching} of {of} \
                     lines agree. The first difference is at line {line}:\n  expected: {}\n",
                    shown(expected)
                )?;
                match found {
                    Some(found) => write!(f, "  found:    {}", shown(found)),
                    None => f.write_str("  found:    the end of the file"),
                }
            }
            Self::UnifiedHeader => f.write_str(
                "@@ takes the text of a line of the file, not line numbers. Write @@ alone, or \
                 followed by such a line.",
            ),
            Self::Whitespace { line, expected, found } => write!(
                f,
                "whitespace differs, first at line {line}:\n  expected: {}\n  found:    {}",
                shown(expected),
                shown(found)
            ),
        }
    }
}

/// A line, cut at a readable length.
fn clip(line: &str) -> String {
    match line.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => {
            format!("{} [{} more bytes]", &line[..end], line.len() - end)
        }
        None => line.to_owned(),
    }
}

/// A line with its invisible characters made visible.
fn shown(line: &str) -> String {
    let mut out = String::new();
    for c in clip(line).chars() {
        if c == ' ' || !(c.is_control() || c.is_whitespace() || c == '\u{feff}') {
            out.push(c);
        } else {
            out.extend(c.escape_default());
        }
    }
    out
}
