//! Cuts a growing markdown text into blocks that will not change any more.
//!
//! The cut is coarser than CommonMark: a block ends where whatever follows cannot change how it looks.
//! Lines of a fenced code block and items of a list are blocks of their own, so that long ones leave
//! while they grow.

use crate::text::clean_line;

/// A part of the text that is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// An empty line between blocks.
    Blank,
    /// A line of a fenced code block.
    Code(String),
    /// The first or the last line of a fenced code block.
    Fence {
        /// As it is.
        line: String,
        /// Of the code that follows; `None` for the last line.
        language: Option<String>,
    },
    /// Anything else, with its line ends.
    Text(String),
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    /// A line that has not ended.
    line: String,
    open: Open,
    has_begun: bool,
}

#[derive(Clone, Debug, Default)]
enum Open {
    /// A fenced code block.
    Code(Fence),
    /// An item of a list, with everything that belongs to it.
    Item {
        text: String,
        /// Empty lines at its end, which belong to it if it goes on.
        blanks: usize,
        /// A fenced code block in it.
        fence: Option<Fence>,
    },
    #[default]
    Nothing,
    /// A paragraph, a table, a quote or such.
    Text(String),
}

/// What closes a fenced code block.
#[derive(Clone, Copy, Debug)]
struct Fence {
    mark: char,
    count: usize,
}

impl Blocks {
    pub(super) fn push(&mut self, delta: &str) -> Vec<Block> {
        let mut out = Vec::new();
        let mut rest = delta;
        while let Some(end) = rest.find('\n') {
            self.line.push_str(&rest[..end]);
            let line = std::mem::take(&mut self.line);
            self.on_line(&clean_line(line.strip_suffix('\r').unwrap_or(&line)), &mut out);
            rest = &rest[end + 1..];
        }
        self.line.push_str(rest);
        out
    }

    pub(super) fn finish(&mut self) -> Vec<Block> {
        let mut out = Vec::new();
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.on_line(&clean_line(line.strip_suffix('\r').unwrap_or(&line)), &mut out);
        }
        self.close(&mut out);
        out
    }

    pub(super) fn is_in_code(&self) -> bool {
        matches!(self.open, Open::Code(_))
    }

    /// The open block and the line that has not ended.
    pub(super) fn rest(&self) -> (&str, &str) {
        match &self.open {
            Open::Item { text, .. } | Open::Text(text) => (text, &self.line),
            Open::Code(_) | Open::Nothing => ("", &self.line),
        }
    }

    fn on_line(&mut self, line: &str, out: &mut Vec<Block>) {
        let is_blank = line.trim().is_empty();
        if is_blank && !self.has_begun {
            return;
        }
        self.has_begun = true;
        match &mut self.open {
            Open::Code(fence) => {
                if closes(line, *fence) {
                    out.push(Block::Fence { line: line.to_owned(), language: None });
                    self.open = Open::Nothing;
                } else {
                    out.push(Block::Code(line.to_owned()));
                }
            }
            Open::Item { text, blanks, fence } => {
                if let Some(inner) = *fence {
                    if closes(line.trim_start(), inner) {
                        *fence = None;
                    }
                } else if is_blank {
                    *blanks += 1;
                    return;
                } else {
                    let indent = line.len() - line.trim_start_matches(' ').len();
                    let ends = indent < 2 && (is_item(line) || *blanks > 0 || begins_block(line));
                    if ends {
                        self.close(out);
                        return self.on_line(line, out);
                    }
                    *fence = fence_of(line.trim_start()).map(|(fence, _)| fence);
                }
                text.extend(std::iter::repeat_n('\n', std::mem::take(blanks)));
                text.push_str(line);
                text.push('\n');
            }
            Open::Text(_) if is_blank => {
                self.close(out);
                out.push(Block::Blank);
            }
            Open::Text(_) if begins_block(line) || is_bullet(line) => {
                self.close(out);
                self.on_line(line, out);
            }
            Open::Text(text) => {
                text.push_str(line);
                text.push('\n');
                if is_underline(line) {
                    self.close(out);
                }
            }
            Open::Nothing if is_blank => out.push(Block::Blank),
            Open::Nothing => self.begin(line, out),
        }
    }

    fn begin(&mut self, line: &str, out: &mut Vec<Block>) {
        if let Some((fence, language)) = fence_of(line) {
            out.push(Block::Fence { line: line.to_owned(), language: Some(language) });
            self.open = Open::Code(fence);
        } else if is_heading(line) || is_rule(line) {
            out.push(Block::Text(format!("{line}\n")));
        } else if is_item(line) {
            self.open = Open::Item { text: format!("{line}\n"), blanks: 0, fence: None };
        } else {
            self.open = Open::Text(format!("{line}\n"));
        }
    }

    fn close(&mut self, out: &mut Vec<Block>) {
        match std::mem::take(&mut self.open) {
            Open::Code(_) | Open::Nothing => {}
            Open::Item { text, blanks, .. } => {
                out.push(Block::Text(text));
                out.extend(std::iter::repeat_n(Block::Blank, blanks));
            }
            Open::Text(text) => out.push(Block::Text(text)),
        }
    }
}

/// Whether a line begins a block whatever came before it.
fn begins_block(line: &str) -> bool {
    is_heading(line) || fence_of(line).is_some()
}

fn is_heading(line: &str) -> bool {
    let line = line.trim_start_matches(' ');
    let level = line.len() - line.trim_start_matches('#').len();
    (1..=6).contains(&level) && line[level..].chars().next().is_none_or(|char| char == ' ')
}

/// `---`, `***`, `___`.
fn is_rule(line: &str) -> bool {
    let mut marks = line.chars().filter(|char| *char != ' ');
    let Some(mark @ ('-' | '*' | '_')) = marks.next() else { return false };
    let mut count = 1;
    for char in marks {
        if char != mark {
            return false;
        }
        count += 1;
    }
    count >= 3
}

/// What makes a heading of the lines before it, or a rule.
fn is_underline(line: &str) -> bool {
    let line = line.trim();
    let is_all = |mark| line.chars().all(|char| char == mark);
    line.len() >= 2 && (is_all('=') || is_all('-'))
}

/// Whether a line begins a list, also right after a paragraph.
fn is_bullet(line: &str) -> bool {
    is_item(line) && !line.trim_start().starts_with(|char: char| ('2'..='9').contains(&char))
}

/// Whether a line begins an item of a list.
fn is_item(line: &str) -> bool {
    let bare = line.trim_start_matches(' ');
    if line.len() - bare.len() > 3 || is_rule(line) {
        return false;
    }
    let digits = bare.len() - bare.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    let rest = match digits {
        0 => bare.strip_prefix(['-', '*', '+']),
        1..=9 => bare[digits..].strip_prefix(['.', ')']),
        _ => None,
    };
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// The fence that a line opens, and the language behind it.
fn fence_of(line: &str) -> Option<(Fence, String)> {
    let bare = line.trim_start_matches(' ');
    if line.len() - bare.len() > 3 {
        return None;
    }
    let mark = bare.chars().next().filter(|char| matches!(char, '`' | '~'))?;
    let info = bare.trim_start_matches(mark);
    let count = bare.len() - info.len();
    // A line of code between backticks is no fence.
    if count < 3 || (mark == '`' && info.contains('`')) {
        return None;
    }
    let language = info.split_whitespace().next().unwrap_or_default();
    Some((Fence { mark, count }, language.to_owned()))
}

fn closes(line: &str, fence: Fence) -> bool {
    let bare = line.trim_start_matches(' ');
    let rest = bare.trim_start_matches(fence.mark);
    line.len() - bare.len() <= 3 && bare.len() - rest.len() >= fence.count && rest.trim().is_empty()
}
