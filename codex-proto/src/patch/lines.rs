//! A file's bytes as lines that can be put back exactly.

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    CrLf,
    Lf,
    /// Only the last line of a file.
    None,
}

impl Ending {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::CrLf => b"\r\n",
            Self::Lf => b"\n",
            Self::None => b"",
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        if self == Self::None { other } else { self }
    }
}

/// One line. A lone CR is part of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileLine<'a> {
    pub(super) text: &'a [u8],
    pub(super) ending: Ending,
}

/// The lines of a file.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    pub(super) bom: bool,
    pub(super) lines: Vec<FileLine<'a>>,
    /// What most lines have; never `None`.
    pub(super) dominant: Ending,
}

pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

impl<'a> Lines<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        let (bom, mut rest) = match bytes.strip_prefix(BOM) {
            Some(rest) => (true, rest),
            None => (false, bytes),
        };
        let mut lines = Vec::new();
        let mut crlf_count = 0;
        let mut lf_count = 0;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (text, ending) = match rest[..end].strip_suffix(b"\r") {
                Some(text) => (text, Ending::CrLf),
                None => (&rest[..end], Ending::Lf),
            };
            if ending == Ending::CrLf {
                crlf_count += 1;
            } else {
                lf_count += 1;
            }
            lines.push(FileLine { text, ending });
            rest = &rest[end + 1..];
        }
        if !rest.is_empty() {
            lines.push(FileLine { text: rest, ending: Ending::None });
        }
        let dominant = if crlf_count > lf_count { Ending::CrLf } else { Ending::Lf };
        Self { bom, lines, dominant }
    }

    /// The bytes after replacing ranges of lines.
    ///
    /// `edits` are in file order and do not overlap.
    pub(super) fn replace(&self, edits: &[Edit<'_>]) -> Vec<u8> {
        let added: usize = edits.iter().flat_map(|edit| &edit.added).map(|t| t.len() + 2).sum();
        let kept: usize = self.lines.iter().map(|line| line.text.len() + 2).sum();
        let mut out =
            Out { bytes: Vec::with_capacity(added + kept + BOM.len()), due: Ending::None };
        if self.bom {
            out.bytes.extend_from_slice(BOM);
        }
        let mut at = 0;
        for edit in edits {
            // Invariant: at <= start <= end <= len, by the order of edits.
            self.lines[at..edit.start]
                .iter()
                .for_each(|line| out.line(self, line.text, line.ending));
            for (index, text) in edit.added.iter().enumerate() {
                let ending = self.ending_for(edit, index);
                let first = self.bom && edit.start == 0 && index == 0;
                let text = if first { text.trim_start_matches('\u{feff}') } else { text };
                out.line(self, text.as_bytes(), ending);
            }
            at = edit.end;
        }
        self.lines[at..].iter().for_each(|line| out.line(self, line.text, line.ending));
        out.bytes
    }

    fn ending_for(&self, edit: &Edit<'_>, index: usize) -> Ending {
        let replaced = &self.lines[edit.start..edit.end];
        let model = replaced
            .get(index)
            .or(replaced.last())
            .or(edit.start.checked_sub(1).and_then(|before| self.lines.get(before)))
            .or(self.lines.get(edit.start));
        model.map_or(self.dominant, |line| line.ending.or(self.dominant))
    }
}

/// Replaces lines `start..end` (from 0).
#[derive(Debug)]
pub(super) struct Edit<'a> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) added: Vec<&'a str>,
}

struct Out {
    bytes: Vec<u8>,
    /// Owed to the line before, which had none, if another one follows.
    due: Ending,
}

impl Out {
    fn line(&mut self, lines: &Lines<'_>, text: &[u8], ending: Ending) {
        self.bytes.extend_from_slice(self.due.bytes());
        self.bytes.extend_from_slice(text);
        self.bytes.extend_from_slice(ending.bytes());
        self.due = if ending == Ending::None { lines.dominant } else { Ending::None };
    }
}
