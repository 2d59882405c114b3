//! What of a command's output is kept, passed on and left out. Pure.
//!
//! ```text
//! Forwarding --- head_bytes forwarded since the last flush ---> Holding
//! Holding    --- flush --------------------------------------> Forwarding
//! ```
//!
//! While holding, only the last `tail_bytes` are kept and the rest is counted, so memory is bounded
//! by `spool_after_bytes + tail_bytes` whatever the command prints: the beginning of the output is
//! kept until it exceeds `spool_after_bytes`, then it opens the spool file, so that the file holds
//! everything from the first byte.

use std::collections::VecDeque;

/// Bookkeeping over one command's output.
#[derive(Debug)]
pub(crate) struct Output {
    head_bytes: usize,
    tail_bytes: usize,
    /// How many more bytes may be forwarded before the next flush.
    head_left: usize,
    /// All bytes so far.
    total: u64,
    /// Output up to this size is not spooled.
    spool_after_bytes: usize,
    /// The whole output while it is not spooled.
    first: Option<Vec<u8>>,
    /// The end of what was held back since the last flush.
    tail: VecDeque<u8>,
    /// Bytes held back since the last flush, those in `tail` included.
    held: u64,
}

/// What becomes of one chunk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// The first so many bytes are forwarded; the others are held back.
    pub(crate) forward: usize,
    /// What precedes the chunk in the spool file, when this chunk is the first that
    /// goes there. A later chunk is spooled without anything before it.
    pub(crate) spool_first: Option<Vec<u8>>,
    /// Whether the chunk belongs into the spool file.
    pub(crate) spool: bool,
}

impl Output {
    pub(crate) fn new(head_bytes: usize, tail_bytes: usize, spool_after_bytes: usize) -> Self {
        Self {
            spool_after_bytes,
            head_bytes,
            tail_bytes,
            head_left: head_bytes,
            total: 0,
            first: Some(Vec::new()),
            tail: VecDeque::new(),
            held: 0,
        }
    }

    /// All bytes so far.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Whether bytes are held back.
    pub(crate) fn holds(&self) -> bool {
        self.held > 0
    }

    /// Takes in a chunk.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Pushed {
        self.total += chunk.len() as u64;
        let forward = chunk.len().min(self.head_left);
        self.head_left -= forward;
        self.hold(&chunk[forward..]);
        let fits = self.total <= self.spool_after_bytes as u64;
        let spool_first = match &mut self.first {
            Some(first) if fits => {
                first.extend_from_slice(chunk);
                None
            }
            first => first.take(),
        };
        Pushed { forward, spool_first, spool: !fits && !chunk.is_empty() }
    }

    fn hold(&mut self, bytes: &[u8]) {
        self.held += bytes.len() as u64;
        let keep = &bytes[bytes.len() - bytes.len().min(self.tail_bytes)..];
        let excess = (self.tail.len() + keep.len()).saturating_sub(self.tail_bytes);
        self.tail.drain(..excess);
        self.tail.extend(keep);
    }

    /// Ends a stretch of output: how many bytes are left out, and what follows them. Starts a
    /// fresh head.
    pub(crate) fn flush(&mut self) -> (u64, Vec<u8>) {
        let bytes: Vec<u8> = std::mem::take(&mut self.tail).into();
        let omitted = self.held - bytes.len() as u64;
        self.held = 0;
        self.head_left = self.head_bytes;
        (omitted, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwards_the_head_and_keeps_the_tail() {
        let mut output = Output::new(4, 3, 4);
        assert_eq!(output.push(b"ab"), Pushed { forward: 2, spool_first: None, spool: false });
        let pushed = output.push(b"cdefghij");
        assert_eq!(pushed, Pushed { forward: 2, spool_first: Some(b"ab".to_vec()), spool: true });
        assert_eq!(output.push(b"k"), Pushed { forward: 0, spool_first: None, spool: true });
        assert_eq!(output.flush(), (4, b"ijk".to_vec()));
        assert_eq!(output.flush(), (0, Vec::new()));
        assert_eq!(output.push(b"lm").forward, 2);
        assert_eq!(output.total(), 13);
    }

    #[test]
    fn output_of_just_the_threshold_is_not_spooled() {
        let mut output = Output::new(4, 3, 4);
        assert_eq!(output.push(b"abcd"), Pushed { forward: 4, spool_first: None, spool: false });
        assert!(!output.holds());
        assert_eq!(output.flush(), (0, Vec::new()));
        let pushed = output.push(b"e");
        assert_eq!(pushed.forward, 1, "a flush opens a fresh head");
        assert_eq!(pushed.spool_first.as_deref(), Some(&b"abcd"[..]), "the total counts");
    }

    #[test]
    fn nothing_is_lost_or_invented_for_any_chunking() {
        let all: Vec<u8> = (0..=255).cycle().take(2_000).collect();
        for (head, tail, chunk) in [(0, 0, 7), (1, 0, 3), (0, 5, 64), (100, 100, 33), (9, 4_000, 1)]
        {
            let mut output = Output::new(head, tail, head / 2);
            let (mut seen, mut spool) = (Vec::new(), Vec::new());
            for part in all.chunks(chunk) {
                let pushed = output.push(part);
                seen.extend_from_slice(&part[..pushed.forward]);
                spool.extend(pushed.spool_first.unwrap_or_default());
                if pushed.spool {
                    spool.extend_from_slice(part);
                }
                assert!(output.tail.len() <= tail);
                assert!(output.first.as_ref().is_none_or(|first| first.len() <= head / 2));
            }
            assert_eq!(spool, all);
            let (omitted, end) = output.flush();
            assert_eq!(seen, all[..head]);
            assert_eq!(end, all[all.len() - end.len()..]);
            assert_eq!(seen.len() as u64 + omitted + end.len() as u64, 2_000);
        }
    }
}
