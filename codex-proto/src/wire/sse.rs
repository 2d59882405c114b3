//! Server-sent events, decoded from bytes in any chunking.
//!
//! Spec: WHATWG HTML, "Server-sent events". `id` and `retry` are ignored: streams are not resumed.

/// Largest event and largest unfinished line, in bytes. A peer that exceeds it misbehaves.
pub const EVENT_BYTES_MAX: usize = 16 << 20;

/// Bytes already consumed are moved out of the buffer once there are this many of them.
const COMPACT_BYTES: usize = 64 << 10;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Decodes a stream of server-sent events.
///
/// Feed bytes with [`push`](Self::push), then call [`next`](Self::next) until it returns `None`.
/// Any cut of the same bytes gives the same events; total work is linear in the bytes; memory is
/// bounded by [`EVENT_BYTES_MAX`] plus one push. After an error the decoder stays at its end.
#[derive(Clone, Debug, Default)]
pub struct SseDecoder {
    buffer: Vec<u8>,
    /// Start of the first unread line.
    head: usize,
    /// No line end before this index.
    scanned: usize,
    /// Data of the event under way.
    data: Vec<u8>,
    has_data: bool,
    bom_checked: bool,
    failed: bool,
}

/// Why a stream of events cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event's data is not UTF-8.
    #[error("an event of the stream is not valid UTF-8")]
    NotUtf8,
    /// A line or an event exceeds [`EVENT_BYTES_MAX`].
    #[error("an event of the stream is larger than {} MiB", EVENT_BYTES_MAX >> 20)]
    TooLong,
}

impl SseDecoder {
    /// Takes bytes from the peer.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed {
            return;
        }
        if self.head == self.buffer.len() {
            self.buffer.clear();
            self.scanned = 0;
            self.head = 0;
        } else if self.head > COMPACT_BYTES {
            self.buffer.drain(..self.head);
            self.scanned -= self.head;
            self.head = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The data of the next complete event.
    ///
    /// # Errors
    /// When the peer broke the format or a bound; nothing follows.
    #[expect(clippy::should_implement_trait, reason = "the item borrows from the decoder")]
    pub fn next(&mut self) -> Option<Result<&str, SseError>> {
        if self.failed || !self.skip_bom() {
            return None;
        }
        loop {
            let Some(found) = memchr::memchr2(b'\n', b'\r', &self.buffer[self.scanned..]) else {
                self.scanned = self.buffer.len();
                return self.bounded(self.buffer.len() - self.head);
            };
            let end = self.scanned + found;
            let is_cr = self.buffer[end] == b'\r';
            if is_cr && end + 1 == self.buffer.len() {
                // A line feed may follow in the next chunk.
                self.scanned = end;
                return None;
            }
            let next = end + 1 + usize::from(is_cr && self.buffer[end + 1] == b'\n');
            let line = self.head..end;
            (self.head, self.scanned) = (next, next);
            if line.is_empty() {
                if !std::mem::take(&mut self.has_data) {
                    continue;
                }
                self.data.pop();
                if std::str::from_utf8(&self.data).is_err() {
                    self.failed = true;
                    return Some(Err(SseError::NotUtf8));
                }
                return Some(Ok(std::str::from_utf8(&self.data).unwrap_or_default()));
            }
            if !self.has_data {
                self.data.clear();
            }
            let line = &self.buffer[line];
            let value = match line.strip_prefix(b"data") {
                Some([]) => Some(&b""[..]),
                Some([b':', b' ', value @ ..] | [b':', value @ ..]) => Some(value),
                _ => None, // event, id, retry, comments, unknown fields
            };
            if let Some(value) = value {
                self.has_data = true;
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
                if self.data.len() > EVENT_BYTES_MAX {
                    return self.bounded(self.data.len());
                }
            }
        }
    }

    fn bounded(&mut self, bytes: usize) -> Option<Result<&str, SseError>> {
        if bytes <= EVENT_BYTES_MAX {
            return None;
        }
        self.failed = true;
        self.buffer = Vec::new();
        self.data = Vec::new();
        (self.head, self.scanned) = (0, 0);
        Some(Err(SseError::TooLong))
    }

    /// Whether reading may begin: false while a byte-order mark may still be incomplete.
    fn skip_bom(&mut self) -> bool {
        if self.bom_checked {
            return true;
        }
        let have = &self.buffer[self.head..];
        if have.len() < BOM.len() && BOM.starts_with(have) {
            return false;
        }
        if have.starts_with(BOM) {
            self.head += BOM.len();
            self.scanned = self.head;
        }
        self.bom_checked = true;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(chunks: &[&[u8]]) -> Vec<Result<String, SseError>> {
        let mut decoder = SseDecoder::default();
        let mut events = Vec::new();
        for chunk in chunks {
            decoder.push(chunk);
            while let Some(event) = decoder.next() {
                events.push(event.map(str::to_owned));
            }
        }
        events
    }

    #[test]
    fn fields_follow_the_specification() {
        let got = decode(&[b"\xEF\xBB\xBFevent: a\r\ndata: 1\ndata:2\r\r: note\n\ndata\n\n"]);
        assert_eq!(got, [Ok("1\n2".into()), Ok(String::new())]);
    }

    #[test]
    fn an_endless_line_is_an_error_not_memory() {
        let mut decoder = SseDecoder::default();
        let chunk = vec![b'x'; 1 << 20];
        let mut failed = 0;
        for _ in 0..40 {
            decoder.push(&chunk);
            while let Some(event) = decoder.next() {
                assert_eq!(event, Err(SseError::TooLong));
                failed += 1;
            }
        }
        assert_eq!(failed, 1);
        assert!(decoder.buffer.capacity() <= EVENT_BYTES_MAX * 2);
    }

    #[test]
    fn broken_utf8_is_an_error() {
        assert_eq!(decode(&[b"data: \xFF\n\ndata: ok\n\n"]), [Err(SseError::NotUtf8)]);
    }

    proptest! {
        #[test]
        fn prop_sse_chunking_is_invisible(
            parts in prop::collection::vec(prop::sample::select(vec![
                &b"data: x\n"[..], b"\n", b"\r", b"\r\n", b"event: e", b": c", b"data",
                b"\xEF\xBB\xBF", "é".as_bytes(), b":", b"\xFF",
            ]), 0..40),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let bytes: Vec<u8> = parts.concat();
            let mut at: Vec<usize> = cuts.iter().map(|i| i.index(bytes.len() + 1)).collect();
            at.sort_unstable();
            let (mut from, mut chunks) = (0, vec![]);
            for cut in at {
                chunks.push(&bytes[from..cut]);
                from = cut;
            }
            chunks.push(&bytes[from..]);
            prop_assert_eq!(decode(&chunks), decode(&[&bytes]));
        }
    }
}
