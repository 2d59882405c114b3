//! What the model says, as it comes.

use super::Context;
use crate::{
    markdown::{self, Stream},
    text::{Line, clean},
};

/// A message of the model.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    text: String,
    stream: Stream,
    /// Bytes of the text that the stream has seen.
    streamed: usize,
    /// Lines that are final and were not taken.
    done: Vec<Line>,
    /// Whether lines were taken.
    has_left: bool,
    /// Whether it is shown as it came. A message that began one way ends that way.
    is_raw: Option<bool>,
}

impl Agent {
    /// A message so far.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    /// Its source.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Takes more of it.
    pub fn push(&mut self, delta: &str) {
        self.text.push_str(delta);
    }

    /// Whether some of its lines have left.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.has_left
    }

    /// Replaces the text; false when it does not begin with what has left already.
    pub fn replace(&mut self, text: &str) -> bool {
        let goes_on = text.get(..self.streamed) == Some(&self.text[..self.streamed]);
        if goes_on || !self.has_left {
            let mut new = if goes_on { std::mem::take(self) } else { Self::default() };
            new.text = text.to_owned();
            *self = new;
        }
        goes_on || !self.has_left
    }

    /// Renders what came since the last call.
    pub fn advance(&mut self, cx: &Context) {
        let is_raw = *self.is_raw.get_or_insert(cx.raw);
        let new = &self.text[self.streamed..];
        self.streamed = self.text.len();
        if is_raw {
            // Whole lines only; the last one may grow.
            let from = self.streamed - new.len();
            let end = new.rfind('\n').map_or(0, |at| at + 1);
            self.streamed = from + end;
            self.done.extend(clean(&new[..end]).lines().map(Line::from));
        } else {
            self.done.extend(self.stream.push(new, &cx.paint));
        }
    }

    /// Takes the lines that are final.
    pub fn take(&mut self) -> Vec<Line> {
        self.has_left |= !self.done.is_empty();
        std::mem::take(&mut self.done)
    }

    /// Takes the last lines of a message that is complete.
    pub fn finish(&mut self, cx: &Context) -> Vec<Line> {
        self.advance(cx);
        let mut lines = self.take();
        if self.is_raw == Some(true) {
            lines.extend(clean(&self.text[self.streamed..]).lines().map(Line::from));
            self.streamed = self.text.len();
        } else {
            lines.extend(self.stream.finish(&cx.paint));
        }
        lines
    }

    /// All of it.
    #[must_use]
    pub fn lines(&self, cx: &Context) -> Vec<Line> {
        if cx.raw {
            return clean(self.text.trim_end()).lines().map(Line::from).collect();
        }
        markdown::lines(&self.text, &cx.paint)
    }

    /// What has not left; of many lines, about the last `most`.
    #[must_use]
    pub fn live(&self, cx: &Context, most: usize) -> Vec<Line> {
        let mut lines = self.done[self.done.len().saturating_sub(most)..].to_vec();
        if self.is_raw == Some(true) {
            lines.extend(clean(&self.text[self.streamed..]).lines().map(Line::from));
        } else {
            lines.extend(self.stream.rest(&cx.paint));
        }
        lines
    }
}
