//! A prompt as it was written: text, and what its placeholders stand for.

use std::{ops::Range, path::PathBuf, sync::Arc};

use codex_proto::{number::grouped, op::PromptPart};

use super::text::{Atom, Piece, without_controls};

/// Pasted text with more bytes becomes a placeholder.
pub const PASTE_INLINE_BYTES_MAX: usize = 1_000;
/// Pasted text with more lines becomes a placeholder.
pub const PASTE_INLINE_LINES_MAX: usize = 10;
/// Bytes that a placeholder may expand to within the composer; more is for an editor.
pub const PASTE_EXPANDED_BYTES_MAX: usize = 256 << 10;
/// Bytes of a prompt that go into the history file; of a longer one its placeholders are kept.
pub const HISTORY_ENTRY_BYTES_MAX: usize = 64 << 10;

/// What a placeholder stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// An image file.
    Image(PathBuf),
    /// Text that was pasted.
    Paste(Arc<str>),
}

/// Text and attachments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The text with its placeholders.
    pub piece: Piece,
    /// What they stand for, by [`Atom::id`].
    pub attachments: Vec<(u32, Attachment)>,
}

impl Draft {
    /// A draft of plain text.
    #[must_use]
    pub fn plain(text: &str) -> Self {
        Self { piece: without_controls(text).as_str().into(), attachments: Vec::new() }
    }

    /// The draft that would make this prompt: long texts become placeholders.
    #[must_use]
    pub fn of_parts(parts: &[PromptPart]) -> Self {
        let mut draft = Self::default();
        for part in parts {
            if let PromptPart::Image { path } = part {
                draft.push_attachment(Attachment::Image(path.clone()));
                draft.piece.text.push(' ');
            }
        }
        for part in parts {
            let PromptPart::Text(text) = part else { continue };
            // The labels of its images are made anew.
            let mut text = text.as_str();
            while let Some(rest) = text.strip_prefix("[Image #")
                && let Some((number, rest)) = rest.split_once(']')
                && number.bytes().all(|byte| byte.is_ascii_digit())
            {
                text = rest.trim_start();
            }
            if is_long(text) {
                draft.push_attachment(Attachment::Paste(text.into()));
            } else {
                draft.piece.text.push_str(text);
            }
        }
        draft
    }

    fn push_attachment(&mut self, attachment: Attachment) {
        let id = u32::try_from(self.attachments.len() + 1).unwrap_or(u32::MAX);
        let start = self.piece.text.len();
        self.piece.text.push_str(&label(&attachment, id));
        self.piece.atoms.push(Atom { range: start..self.piece.text.len(), id });
        self.attachments.push((id, attachment));
    }

    /// What a placeholder stands for.
    #[must_use]
    pub fn attachment(&self, id: u32) -> Option<&Attachment> {
        self.attachments.iter().find(|(have, _)| *have == id).map(|(_, attachment)| attachment)
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.piece.atoms.is_empty() && self.piece.text.trim().is_empty()
    }

    /// The text with pasted text in place of its placeholders, and images numbered in order.
    #[must_use]
    pub fn expanded(&self) -> String {
        self.fold(|text, attachment, image, label| match attachment {
            Some(Attachment::Paste(paste)) => text.push_str(paste),
            Some(Attachment::Image(_)) => text.push_str(&format!("[Image #{image}]")),
            None => text.push_str(label),
        })
    }

    fn fold(&self, mut put: impl FnMut(&mut String, Option<&Attachment>, usize, &str)) -> String {
        let (mut text, mut from, mut image) = (String::new(), 0, 0);
        for Atom { range, id } in &self.piece.atoms {
            text.push_str(&self.piece.text[from..range.start]);
            let attachment = self.attachment(*id);
            image += usize::from(matches!(attachment, Some(Attachment::Image(_))));
            put(&mut text, attachment, image, &self.piece.text[range.clone()]);
            from = range.end;
        }
        text.push_str(&self.piece.text[from..]);
        text
    }

    /// What is sent: images first, in the order of their placeholders, then the text.
    #[must_use]
    pub fn parts(&self) -> Vec<PromptPart> {
        let images = self.piece.atoms.iter().filter_map(|atom| match self.attachment(atom.id) {
            Some(Attachment::Image(path)) => Some(PromptPart::Image { path: path.clone() }),
            _ => None,
        });
        let mut parts: Vec<PromptPart> = images.collect();
        let text = self.expanded();
        let text = text.trim();
        if !text.is_empty() {
            parts.push(PromptPart::Text(text.to_owned()));
        }
        parts
    }

    /// What goes into the history file.
    #[must_use]
    pub fn for_history(&self) -> String {
        let expanded = self.expanded();
        if expanded.len() <= HISTORY_ENTRY_BYTES_MAX {
            expanded.trim().to_owned()
        } else {
            self.piece.text.trim().to_owned()
        }
    }

    /// The draft between two offsets of its text.
    #[must_use]
    pub fn range(&self, range: Range<usize>) -> &str {
        &self.piece.text[range]
    }
}

/// Whether pasted text becomes a placeholder.
#[must_use]
pub fn is_long(text: &str) -> bool {
    text.len() > PASTE_INLINE_BYTES_MAX || memchr_count(text) >= PASTE_INLINE_LINES_MAX
}

fn memchr_count(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// What a placeholder shows.
#[must_use]
pub fn label(attachment: &Attachment, id: u32) -> String {
    match attachment {
        Attachment::Image(_) => format!("[Image #{id}]"),
        Attachment::Paste(text) => {
            let lines = memchr_count(text) + usize::from(!text.ends_with('\n'));
            if lines > 1 {
                format!("[Pasted #{id}: {} lines]", grouped(lines as u64))
            } else {
                format!("[Pasted #{id}: {} characters]", grouped(text.chars().count() as u64))
            }
        }
    }
}

/// The image file that a pasted text names, if it is nothing but the path of one: quoted, with
/// escaped spaces, or as a `file:` URL.
#[must_use]
pub fn image_path(pasted: &str) -> Option<PathBuf> {
    const ENDINGS: [&str; 6] = [".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp"];
    const PATH_BYTES_MAX: usize = 4_096;
    let text = pasted.trim();
    if text.is_empty() || text.len() > PATH_BYTES_MAX || text.contains('\n') {
        return None;
    }
    let quoted = ['\'', '"'].iter().find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q));
    let path = match (quoted, text.strip_prefix("file://")) {
        (Some(inner), _) => inner.to_owned(),
        (None, Some(url)) => percent_decoded(url.strip_prefix("localhost").unwrap_or(url))?,
        (None, None) => {
            // A shell's escapes, as terminals write them when a file is dropped.
            let mut out = String::new();
            let mut chars = text.chars();
            while let Some(char) = chars.next() {
                match char {
                    '\\' => out.push(chars.next()?),
                    ' ' => return None,
                    char => out.push(char),
                }
            }
            out
        }
    };
    let small = path.to_ascii_lowercase();
    let is_path = ["/", "~/", "./", "../"].iter().any(|start| path.starts_with(start));
    let is_image = ENDINGS.iter().any(|ending| small.ends_with(ending));
    (is_path && is_image).then(|| PathBuf::from(path))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let value = digit(bytes.next()?)? * 16 + digit(bytes.next()?)?;
            out.push(u8::try_from(value).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_that_comes_back_is_the_prompt_that_was_sent() {
        let long = "line\n".repeat(20);
        let image = |name: &str| PromptPart::Image { path: name.into() };
        for parts in [
            vec![PromptPart::Text("short".into())],
            vec![PromptPart::Text(long.trim().into())],
            vec![image("/a.png"), PromptPart::Text("[Image #1] what is it?".into())],
            vec![
                image("/a.png"),
                image("/b.png"),
                PromptPart::Text("[Image #1] [Image #2] x".into()),
            ],
        ] {
            assert_eq!(Draft::of_parts(&parts).parts(), parts);
        }
        assert_eq!(Draft::of_parts(&[PromptPart::Text(long)]).piece.text, "[Pasted #1: 20 lines]");
    }

    #[test]
    fn images_are_numbered_in_the_order_of_the_text() {
        let mut draft = Draft::default();
        draft.push_attachment(Attachment::Image("/b.png".into()));
        draft.attachments[0].0 = 7;
        draft.piece.atoms[0].id = 7;
        draft.piece.text.push_str(" then ");
        draft.push_attachment(Attachment::Image("/a.png".into()));
        let image = |name: &str| PromptPart::Image { path: name.into() };
        let text = PromptPart::Text("[Image #1] then [Image #2]".into());
        assert_eq!(draft.parts(), [image("/b.png"), image("/a.png"), text]);
    }

    #[test]
    fn the_path_of_an_image_is_an_image() {
        for (pasted, path) in [
            ("/tmp/a.png", Some("/tmp/a.png")),
            (" ~/Pictures/Bild\\ 1.JPG\n", Some("~/Pictures/Bild 1.JPG")),
            ("'/tmp/my file.webp'", Some("/tmp/my file.webp")),
            ("file:///tmp/a%20b.gif", Some("/tmp/a b.gif")),
            ("see /tmp/a.png", None),
            ("a.png", None),
            ("/tmp/a.txt", None),
            ("/tmp/a.png\n/tmp/b.png", None),
            ("", None),
        ] {
            assert_eq!(image_path(pasted), path.map(PathBuf::from), "{pasted:?}");
        }
    }

    #[test]
    fn a_long_prompt_goes_into_the_history_with_its_placeholder() {
        let mut draft = Draft::plain("look: ");
        draft.push_attachment(Attachment::Paste("x".repeat(HISTORY_ENTRY_BYTES_MAX).into()));
        assert_eq!(draft.for_history(), "look: [Pasted #1: 65,536 characters]");
        assert_eq!(draft.expanded().len(), 6 + HISTORY_ENTRY_BYTES_MAX);
    }
}
