//! What the user said, and the images that went with it.

use std::path::PathBuf;

use super::Context;
use crate::{
    text::{Line, clean, clean_line},
    theme::Role,
};

/// A prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    text: String,
    images: Vec<PathBuf>,
}

impl User {
    /// A prompt without images.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), images: Vec::new() }
    }

    /// With images, each shown as a caption.
    #[must_use]
    pub fn with_images(mut self, images: Vec<PathBuf>) -> Self {
        self.images = images;
        self
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn lines(&self, cx: &Context) -> Vec<Line> {
        let style = cx.paint.look.style(Role::Accent);
        let dim = cx.paint.look.style(Role::Dim);
        let mark = if cx.plain { "you: " } else { "\u{203a} " };
        let mut lines: Vec<Line> = Vec::new();
        for line in clean(self.text.trim_end()).lines() {
            let start = if lines.is_empty() { mark } else { "" };
            lines.push(Line::styled(start, style).with(line, style));
        }
        for image in &self.images {
            lines.push(Line::styled(
                format!("[image] {}", clean_line(&image.to_string_lossy())),
                dim,
            ));
        }
        lines
    }
}
