//! Markdown as it streams in: which lines are final, and how they look.
//!
//! The text is cut into blocks line by line (`blocks`), so that where the deltas are cut is
//! invisible; a block that is closed is rendered once (`render`) and never again. What is shown is
//! the source, styled: list marks, fences and table pipes stay, only the marks of emphasis and the
//! targets of links are folded away where the terminal can show them otherwise.

mod blocks;
mod code;
mod render;
mod table;

pub use code::Highlighter;
pub use render::Paint;

use self::blocks::{Block, Blocks};
use crate::text::{Line, clean_line};

/// Bytes of an open block that are rendered while it grows; of a larger one the end is shown plain.
const OPEN_BYTES_MAX: usize = 16 * 1024;

/// A text that grows.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    blocks: Blocks,
    code: Option<Highlighter>,
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
        let mut lines = self.render(blocks, paint);
        self.code = None;
        while lines.last().is_some_and(Line::is_empty) {
            lines.pop();
        }
        lines
    }

    /// Lines that are not final, as they look now.
    #[must_use]
    pub fn rest(&self, paint: &Paint) -> Vec<Line> {
        let (open, line) = self.blocks.rest();
        let line = clean_line(line);
        if self.blocks.is_in_code() {
            // The highlighter has not seen the line, and must not before it is complete.
            return if line.is_empty() { Vec::new() } else { vec![Line::plain(line)] };
        }
        let mut text = open.to_owned();
        text.push_str(&line);
        if text.trim().is_empty() {
            return Vec::new();
        }
        if text.len() > OPEN_BYTES_MAX {
            let from = text.len() - OPEN_BYTES_MAX;
            let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(from);
            return text[from..].lines().map(Line::from).collect();
        }
        render::render(&text, paint)
    }

    fn render(&mut self, blocks: Vec<Block>, paint: &Paint) -> Vec<Line> {
        let mut lines = Vec::new();
        for block in blocks {
            match block {
                Block::Blank => lines.push(Line::new()),
                Block::Code(line) => lines.push(match &mut self.code {
                    Some(code) => code.line(&line, &paint.look),
                    None => Line::plain(line),
                }),
                Block::Fence { line, language } => {
                    self.code = language.and_then(|name| Highlighter::new(&name));
                    lines.push(render::fence(&line, paint));
                }
                Block::Text(text) => lines.extend(render::render(&text, paint)),
            }
        }
        lines
    }
}

/// A whole text at once: the same lines as when it streams.
#[must_use]
pub fn lines(text: &str, paint: &Paint) -> Vec<Line> {
    let mut stream = Stream::default();
    let mut lines = stream.push(text, paint);
    lines.extend(stream.finish(paint));
    while lines.last().is_some_and(Line::is_empty) {
        lines.pop();
    }
    lines
}

#[cfg(test)]
mod tests;
