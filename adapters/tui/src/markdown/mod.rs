//! Markdown as it streams in: which lines are final, and how they look.
//!
//! The text is cut into blocks line by line (`blocks`), so that where the deltas are cut is
//! invisible; a block that is closed is rendered once (`render`) and never again. What is shown is
//! the source, styled: list marks, fences and table pipes stay, only the marks of emphasis and the
//! targets of links are folded away where the terminal can show them otherwise. What is not final is
//! shown as it would be if the text ended there, so that it mostly stays where it is.

mod blocks;
mod code;
mod render;
mod table;

pub use code::Highlighter;
pub use render::Paint;

use ratatui::style::Style;

use self::{
    blocks::{Block, Blocks, Part, Placed, Prefix},
    table::Growing,
};
use crate::{
    text::{Line, clean},
    theme::Role,
};

/// Bytes of what is open that are rendered while it grows; of more the end is shown plain.
const OPEN_BYTES_MAX: usize = 16 * 1024;
/// Bytes by which that end begins later. Between these steps its rows stay where they are.
const OPEN_BYTES_STEP: usize = 8 * 1024;

/// A text that grows.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    blocks: Blocks,
    code: Option<Highlighter>,
    table: Option<Box<Growing>>,
}

impl Stream {
    /// Takes more of the text. Returns the lines that became final.
    pub fn push(&mut self, delta: &str, paint: &Paint) -> Vec<Line> {
        let blocks = self.blocks.push(delta);
        self.render(blocks, paint)
    }

    /// The text is complete. Returns what was left.
    pub fn finish(&mut self, paint: &Paint) -> Vec<Line> {
        let blocks = self.blocks.finish();
        self.render(blocks, paint)
    }

    /// Lines that are not final, as they look now.
    #[must_use]
    pub fn rest(&self, paint: &Paint) -> Vec<Line> {
        let (open, line) = self.blocks.open();
        if open.len() + line.len() > OPEN_BYTES_MAX {
            let text = end_of(open, line);
            let mut prefix = self.blocks.prefix();
            return clean(&text)
                .lines()
                .map(|line| place(&mut prefix, line.into(), paint))
                .collect();
        }
        let mut ahead = Self { blocks: self.blocks.without_riddle(), ..self.clone() };
        ahead.finish(paint)
    }

    fn render(&mut self, blocks: Vec<Placed>, paint: &Paint) -> Vec<Line> {
        let mut out = Vec::new();
        for Placed { mut prefix, block } in blocks {
            let lines = match block {
                Block::Code(line) => vec![match &mut self.code {
                    Some(code) => code.line(&line, &paint.look),
                    None => Line::plain(line),
                }],
                Block::Fence { line, language } => {
                    self.code = language.and_then(|name| Highlighter::new(&name));
                    vec![render::fence(&line, paint)]
                }
                Block::Plain(line) => vec![Line::plain(line)],
                Block::Row(line) => match &mut self.table {
                    Some(table) => {
                        let lines = table.push(&line, paint);
                        out.extend(
                            lines.into_iter().map(|line| place(&mut table.prefix, line, paint)),
                        );
                        continue;
                    }
                    None => {
                        self.table = Some(Box::new(Growing::new(prefix, &line)));
                        continue;
                    }
                },
                Block::TableEnd => {
                    let Some(mut table) = self.table.take() else { continue };
                    prefix = table.prefix.clone();
                    table.finish(paint)
                }
                Block::Text(text) => render::render(&text, paint),
            };
            out.extend(lines.into_iter().map(|line| place(&mut prefix, line, paint)));
        }
        out
    }
}

/// The end of what is open. Where it begins changes in steps.
fn end_of(open: &str, line: &str) -> String {
    let beyond = open.len() + line.len() - OPEN_BYTES_MAX;
    let from = beyond.next_multiple_of(OPEN_BYTES_STEP);
    let (text, more) = match from.checked_sub(open.len()) {
        Some(from) => (behind(line, from), ""),
        None => (behind(open, from), line),
    };
    // A word that was cut is left out.
    let start = text.bytes().take(MARGIN_BYTES).position(|byte| byte == b' ' || byte == b'\n');
    let text = &text[start.map_or(0, |at| at + 1)..];
    format!("{text}{more}")
}

/// A text without its first bytes.
fn behind(text: &str, bytes: usize) -> &str {
    let from = (bytes..text.len()).find(|at| text.is_char_boundary(*at));
    &text[from.unwrap_or(text.len())..]
}

/// Bytes in which a space is looked for to begin behind it.
const MARGIN_BYTES: usize = 256;

/// A line behind what stands before it, which goes on for the next one.
fn place(prefix: &mut Prefix, line: Line, paint: &Paint) -> Line {
    if prefix.0.is_empty() {
        return line;
    }
    let dim = paint.look.style(Role::Dim);
    let mut out = Line::new();
    let mut base = Style::new();
    // Room behind which nothing stands is not written.
    let is_bare = line.is_empty();
    let seen = |part: &Part| !matches!(part, Part::Indent(_));
    let end = if is_bare {
        prefix.0.iter().rposition(seen).map_or(0, |at| at + 1)
    } else {
        prefix.0.len()
    };
    for (index, part) in prefix.0[..end].iter().enumerate() {
        let is_last = is_bare && index + 1 == end;
        match part {
            Part::Indent(columns) => out.push(" ".repeat(*columns), Style::new()),
            Part::Mark(mark) => out.push(if is_last { mark.trim_end() } else { mark }, base),
            Part::Quote => {
                base = dim;
                out.push(if is_last { ">" } else { "> " }, dim);
            }
        }
    }
    for mut span in line.spans {
        span.style = base.patch(span.style);
        out.push_span(span);
    }
    prefix.go_on();
    out
}

/// A whole text at once: the same lines as when it streams.
#[must_use]
pub fn lines(text: &str, paint: &Paint) -> Vec<Line> {
    let mut stream = Stream::default();
    let mut lines = stream.push(text, paint);
    lines.extend(stream.finish(paint));
    lines
}

#[cfg(test)]
mod tests;
