//! Pseudonyms for words: as long, of the same signs, and one for each.
//!
//! A pseudonym depends on the shape of its word and on how many words of that shape came before,
//! never on the word itself, so it tells nothing but length and capitals. Hexadecimal words stay
//! hexadecimal, so that an id stays an id; a number keeps having a leading zero or none.

use std::collections::{BTreeMap, BTreeSet};

use codex_proto::journal::Hash64;

use super::vocabulary::PUBLIC;

/// Pseudonyms that are drawn before free ones are searched for in order.
const DRAWS: u64 = 64;

/// Pseudonyms that are tried in order: all there are of up to three letters.
const TRIES: usize = 200_000;

/// The words so far. Two words never share a pseudonym, and no pseudonym is a public word.
#[derive(Debug)]
pub(super) struct Words {
    public: BTreeSet<Vec<u8>>,
    known: BTreeMap<Vec<u8>, Vec<u8>>,
    taken: BTreeSet<Vec<u8>>,
    /// Words so far of each shape.
    counts: BTreeMap<Vec<u8>, u64>,
}

/// What each place of a word may hold.
fn alphabet(byte: u8, is_first_of_many: bool, is_hex: bool) -> &'static [u8] {
    match byte {
        b'0' if is_first_of_many => b"0",
        b'0'..=b'9' if is_first_of_many => b"123456789",
        b'0'..=b'9' => b"0123456789",
        b'A'..=b'Z' if is_hex => b"ABCDEF",
        b'A'..=b'Z' => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        _ if is_hex => b"abcdef",
        _ => b"abcdefghijklmnopqrstuvwxyz",
    }
}

fn is_hex(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_hexdigit)
}

impl Words {
    /// Knows the public words and `more` of them.
    pub(super) fn new<'a>(more: impl IntoIterator<Item = &'a str>) -> Self {
        let public = PUBLIC.iter().flat_map(|words| words.split_whitespace());
        let more = more.into_iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        Self {
            public: public.chain(more).map(|word| word.as_bytes().to_vec()).collect(),
            known: BTreeMap::new(),
            taken: BTreeSet::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Replaces a word by its pseudonym.
    pub(super) fn replace(&mut self, word: &mut [u8]) {
        if self.public.contains(&*word) {
            return;
        }
        if !self.known.contains_key(&*word) {
            let pseudonym = self.invent(word);
            self.taken.insert(pseudonym.clone());
            self.known.insert(word.to_vec(), pseudonym);
        }
        if let Some(pseudonym) = self.known.get(&*word) {
            word.copy_from_slice(pseudonym);
        }
    }

    fn invent(&mut self, word: &[u8]) -> Vec<u8> {
        let is_hex_word = is_hex(word);
        let alphabets: Vec<&[u8]> = word
            .iter()
            .enumerate()
            .map(|(at, byte)| alphabet(*byte, at == 0 && word.len() > 1, is_hex_word))
            .collect();
        let mut shape: Vec<u8> = alphabets.iter().map(|letters| letters[0]).collect();
        shape.push(u8::from(is_hex_word));
        let count = self.counts.entry(shape.clone()).or_default();
        let fits = |candidate: &[u8]| {
            candidate != word
                && is_hex(candidate) == is_hex_word
                && !self.public.contains(candidate)
                && !self.taken.contains(candidate)
        };
        let mut candidate = Vec::new();
        for _ in 0..DRAWS {
            *count += 1;
            candidate = draw(&alphabets, Hash64::of(&shape).then(&count.to_le_bytes()));
            if fits(&candidate) {
                return candidate;
            }
        }
        for _ in 0..TRIES {
            increment(&alphabets, &mut candidate);
            if fits(&candidate) {
                return candidate;
            }
        }
        // Of a shape that has few words all others are taken: this one must be free.
        word.to_vec()
    }
}

fn draw(alphabets: &[&[u8]], seed: Hash64) -> Vec<u8> {
    let mut state = seed;
    let pick = |letters: &&[u8]| {
        state = state.then(b"");
        #[expect(clippy::cast_possible_truncation, reason = "a few bits are enough")]
        let at = state.0 as usize % letters.len();
        letters[at]
    };
    alphabets.iter().map(pick).collect()
}

/// The next of all words of these alphabets, after the last the first.
fn increment(alphabets: &[&[u8]], word: &mut [u8]) {
    for (letters, byte) in alphabets.iter().zip(word).rev() {
        let at = letters.iter().position(|letter| letter == byte).unwrap_or(0) + 1;
        *byte = letters[at % letters.len()];
        if at < letters.len() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(words: &mut Words, word: &str) -> String {
        let mut bytes = word.as_bytes().to_vec();
        words.replace(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_word_keeps_its_shape_and_its_pseudonym() {
        let mut words = Words::new(["gpt-5.5"]);
        let secret = replaced(&mut words, "Secret7x");
        assert_ne!(secret, "Secret7x");
        let shape = |word: &str| {
            let sign = |c: char| match c {
                '0'..='9' => '0',
                'A'..='Z' => 'A',
                _ => 'a',
            };
            word.chars().map(sign).collect::<String>()
        };
        assert_eq!(shape(&secret), "Aaaaaa0a");
        assert_eq!(replaced(&mut words, "Secret7x"), secret);
        for public in ["output", "gpt", "5"] {
            assert_eq!(replaced(&mut words, public), public);
        }
        let id = replaced(&mut words, "deadBEEF01");
        assert!(is_hex(id.as_bytes()) && id != "deadBEEF01", "{id}");
        assert!(!replaced(&mut words, "10").starts_with('0'));
        assert!(replaced(&mut words, "007").starts_with('0'));
    }

    #[test]
    fn all_words_of_a_small_shape_find_a_place() {
        let mut words = Words::new([]);
        let letters = b'a'..=b'z';
        let mut all: Vec<String> = letters
            .clone()
            .flat_map(|a| letters.clone().map(move |b| String::from_utf8(vec![a, b]).unwrap()))
            .chain((b'a'..=b'z').map(|a| char::from(a).to_string()))
            .chain((0..100).map(|n| n.to_string()))
            .collect();
        // Hexadecimal words come last, and still find theirs.
        let mut seen: Vec<String> =
            all.iter().rev().map(|word| replaced(&mut words, word)).collect();
        seen.sort();
        all.sort();
        assert_eq!(seen, all, "a permutation");
    }

    #[test]
    fn a_pseudonym_does_not_depend_on_the_word() {
        let first = replaced(&mut Words::new([]), "hunter");
        assert_eq!(first, replaced(&mut Words::new([]), "secret"));
    }
}
