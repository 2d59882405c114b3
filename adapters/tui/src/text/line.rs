//! Styled lines.

use std::sync::Arc;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// One line of text before any wrapping. It has no line end in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Its pieces, in order.
    pub spans: Vec<Span>,
}

/// A piece of a line in one style.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Its text: no control codes, see [`super::clean`].
    pub text: String,
    /// How it looks.
    pub style: Style,
    /// Where it leads.
    pub link: Option<Arc<str>>,
}

impl Line {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All in one style.
    #[must_use]
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self::new().with(text, style)
    }

    /// Plain.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        Self::styled(text, Style::new())
    }

    /// With another piece at its end.
    #[must_use]
    pub fn with(mut self, text: impl Into<String>, style: Style) -> Self {
        self.push(text, style);
        self
    }

    /// Appends a piece; the same style as before extends the last one.
    pub fn push(&mut self, text: impl Into<String>, style: Style) {
        self.push_span(Span { text: text.into(), style, link: None });
    }

    /// Appends a piece.
    pub fn push_span(&mut self, span: Span) {
        if span.text.is_empty() {
            return;
        }
        if let Some(last) = self.spans.last_mut()
            && last.style == span.style
            && last.link == span.link
        {
            last.text.push_str(&span.text);
        } else {
            self.spans.push(span);
        }
    }

    /// Its text without styles.
    #[must_use]
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }

    /// Whether it has no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.iter().all(|span| span.text.is_empty())
    }

    /// Its width in cells.
    #[must_use]
    pub fn width(&self) -> usize {
        self.spans.iter().map(|span| width(&span.text)).sum()
    }

    /// Every piece in this style on top of its own.
    #[must_use]
    pub fn patched(mut self, style: Style) -> Self {
        for span in &mut self.spans {
            span.style = span.style.patch(style);
        }
        self
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}

/// Cells that a text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    if is_narrow(text) {
        return text.len();
    }
    text.graphemes(true).map(|grapheme| grapheme.width().min(2)).sum()
}

/// Whether each byte of a text is a cell.
pub(super) fn is_narrow(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..0x7f).contains(&byte))
}

/// Draws a line into the first row of an area, cut at its end. Returns the columns that it took.
pub fn draw(line: &Line, area: Rect, buffer: &mut Buffer) -> u16 {
    let area = area.intersection(buffer.area);
    if area.height == 0 {
        return 0;
    }
    let mut x = area.x;
    for span in &line.spans {
        let room = usize::from(area.right().saturating_sub(x));
        if room == 0 {
            break;
        }
        x = buffer.set_stringn(x, area.y, &span.text, room, span.style).0;
    }
    x.saturating_sub(area.x)
}
