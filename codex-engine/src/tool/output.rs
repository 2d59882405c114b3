//! Command output within bounds: the head and the tail are kept, what is between is counted.

use std::path::Path;

use crate::models::BYTES_PER_TOKEN;

/// The first and last part of a stream of bytes.
#[derive(Clone, Debug)]
pub(crate) struct HeadTail {
    head_max: usize,
    tail_max: usize,
    head: Vec<u8>,
    /// Up to twice `tail_max`, trimmed when it grows beyond.
    tail: Vec<u8>,
    omitted: u64,
}

impl HeadTail {
    pub(crate) fn new(head_max: usize, tail_max: usize) -> Self {
        Self { head_max, tail_max, head: Vec::new(), tail: Vec::new(), omitted: 0 }
    }

    /// Takes bytes that follow directly.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        if self.tail.is_empty() && self.omitted == 0 {
            let room = self.head_max - self.head.len();
            let (head, rest) = bytes.split_at(room.min(bytes.len()));
            self.head.extend_from_slice(head);
            bytes = rest;
        }
        if bytes.is_empty() {
            return;
        }
        self.tail.extend_from_slice(bytes);
        if self.tail.len() > self.tail_max * 2 {
            self.trim();
        }
    }

    /// Notes bytes that the host left out, before `bytes` that follow them.
    pub(crate) fn push_after_gap(&mut self, omitted: u64, bytes: &[u8]) {
        if omitted > 0 {
            // Saturating: a host may say anything.
            self.omitted =
                self.omitted.saturating_add(omitted).saturating_add(self.tail.len() as u64);
            self.tail.clear();
        }
        self.push(bytes);
    }

    fn trim(&mut self) {
        let excess = self.tail.len().saturating_sub(self.tail_max);
        self.tail.drain(..excess);
        self.omitted = self.omitted.saturating_add(excess as u64);
    }

    /// All bytes seen.
    pub(crate) fn total(&self) -> u64 {
        self.omitted.saturating_add((self.head.len() + self.tail.len()) as u64)
    }

    /// The end, as text of so many bytes at most.
    pub(crate) fn tail_text(&self, budget: usize) -> String {
        let all = if self.tail.is_empty() { &self.head } else { &self.tail };
        let end = &all[all.len().saturating_sub(budget)..];
        String::from_utf8_lossy(&end[char_ceil(end)..]).into_owned()
    }

    /// As text for people: what was left out is said in a line of its own.
    pub(crate) fn text(&self) -> String {
        self.render(self.head_max + self.tail_max, None)
    }

    /// As text of about `budget` bytes at most, half from each end, cut between characters.
    /// `spool` is where the whole output can be read.
    pub(crate) fn render(&self, budget: usize, spool: Option<&Path>) -> String {
        let kept = self.head.len() + self.tail.len();
        if self.omitted == 0 && kept <= budget {
            let mut all = self.head.clone();
            all.extend_from_slice(&self.tail);
            return String::from_utf8_lossy(&all).into_owned();
        }
        // Both ends of what is kept, however it is split over the two buffers.
        let half = budget / 2;
        let mut front = self.head.clone();
        if self.omitted == 0 {
            front.extend_from_slice(&self.tail);
        }
        let back = if self.tail.len() < half && self.omitted == 0 {
            front.clone()
        } else {
            self.tail.clone()
        };
        let front = &front[..half.min(front.len())];
        let front = &front[..char_floor(front)];
        let back = &back[back.len().saturating_sub(budget - half)..];
        let back = &back[char_ceil(back)..];
        let left_out = self.total() - (front.len() + back.len()) as u64;
        let place = spool.map_or_else(String::new, |path| {
            format!("; the whole output is in {}", path.display())
        });
        let mut text = String::from_utf8_lossy(front).into_owned();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&format!(
            "[… {left_out} of {} bytes (about {} tokens) left out{place} …]\n",
            self.total(),
            left_out.div_ceil(BYTES_PER_TOKEN as u64),
        ));
        text.push_str(&String::from_utf8_lossy(back));
        text
    }
}

/// Length without an incomplete character at the end.
fn char_floor(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    for at in (tail..bytes.len()).rev() {
        let width = match bytes[at] {
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF7 => 4,
            0x80..=0xBF => continue,
            _ => 1,
        };
        return if at + width > bytes.len() { at } else { bytes.len() };
    }
    bytes.len()
}

/// Continuation bytes at the start.
fn char_ceil(bytes: &[u8]) -> usize {
    bytes.iter().take(3).take_while(|byte| (0x80..=0xBF).contains(*byte)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_output_is_whole() {
        let mut output = HeadTail::new(4, 4);
        output.push(b"abcdef");
        assert_eq!(output.render(100, None), "abcdef");
        assert_eq!(output.total(), 6);
    }

    #[test]
    fn both_ends_and_the_exact_count_are_shown() {
        let mut output = HeadTail::new(100, 100);
        output.push(b"start ");
        output.push(&[b'x'; 80]);
        output.push(b" end");
        let text = output.render(20, Some(Path::new("/s/1.txt")));
        assert_eq!(
            text,
            "start xxxx\n[… 70 of 90 bytes (about 18 tokens) left out; the whole output is in \
             /s/1.txt …]\nxxxxxx end"
        );
    }

    proptest! {
        #[test]
        fn prop_nothing_is_lost_without_being_counted(
            parts in prop::collection::vec((0u64..3, prop::collection::vec(any::<u8>(), 0..20)), 0..20),
            budget in 2usize..60,
        ) {
            let mut output = HeadTail::new(16, 8);
            let mut total = 0;
            for (gap, bytes) in &parts {
                output.push_after_gap(*gap, bytes);
                total += gap + bytes.len() as u64;
            }
            prop_assert_eq!(output.total(), total);
            prop_assert!(output.tail.len() <= 2 * 8 && output.head.len() <= 16);
            let _ = output.render(budget, None);
        }

        #[test]
        fn prop_cuts_never_split_a_character(text in "[aé€😀]{0,40}", budget in 2usize..60) {
            let mut output = HeadTail::new(1 << 10, 1 << 10);
            output.push(text.as_bytes());
            prop_assert!(!output.render(budget, None).contains(char::REPLACEMENT_CHARACTER));
        }
    }
}
