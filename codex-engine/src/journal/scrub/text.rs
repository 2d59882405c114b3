//! Scrubs text in place: words get pseudonyms, everything else keeps its place and its length.
//!
//! The same rules hold at any depth of quotation, so that a text and the same text inside a JSON
//! string inside another come out alike: after a run of backslashes one of `nrtbf` and the digits of
//! `\uXXXX` belong to the escape. Kept besides: numbers that are values of JSON objects, ISO dates
//! and times, the ids of threads, and what follows `try again in`. Other signs than ASCII become a
//! fixed one of the same length.

use std::collections::BTreeSet;

use super::words::Words;

/// What replaces a sign, by its bytes in UTF-8.
const SIGNS: [&str; 3] = ["é", "語", "𝒙"];

/// What replaces `\uXXXX`: below U+0080, below U+0800, above, and both halves of a pair.
const ESCAPES: [&[u8; 4]; 5] = [b"0078", b"00e9", b"8a9e", b"d835", b"dc99"];

/// A scrubber that remembers words from text to text.
#[derive(Debug)]
pub(super) struct Scrubber {
    pub(super) words: Words,
    /// Ids that are kept.
    pub(super) ids: BTreeSet<Vec<u8>>,
}

impl Scrubber {
    /// Scrubs a text that needs not be UTF-8.
    pub(super) fn scrub(&mut self, text: &mut [u8]) {
        let mut at = 0;
        while at < text.len() {
            at = match text[at] {
                b'\\' => escape(text, at),
                b'"' if ends_key(text, at) => number(text, at + 2),
                byte if byte.is_ascii_alphanumeric() => self.word(text, at),
                byte if byte.is_ascii() => at + 1,
                _ => sign(text, at),
            };
        }
    }

    fn word(&mut self, text: &mut [u8], at: usize) -> usize {
        if let Some(end) = date(text, at).or_else(|| wait(text, at)) {
            return end;
        }
        if let Some(id) = text.get(at..at + 36)
            && self.ids.contains(id)
        {
            return at + 36;
        }
        let end = at + run(&text[at..], u8::is_ascii_alphanumeric);
        self.words.replace(&mut text[at..end]);
        end
    }
}

/// How many bytes at the start are of a kind.
fn run(text: &[u8], is: impl Fn(&u8) -> bool) -> usize {
    text.iter().position(|byte| !is(byte)).unwrap_or(text.len())
}

/// Steps over an escape; `at` is its first backslash.
fn escape(text: &mut [u8], at: usize) -> usize {
    let slashes = run(&text[at..], |byte| *byte == b'\\');
    let next = at + slashes;
    match text.get(next) {
        Some(b'n' | b'r' | b't' | b'b' | b'f') => next + 1,
        Some(b'u') => match unit(text, next + 1) {
            Some(first) => {
                let tail = next + 5;
                // A backslash of the text itself may stand before the first half.
                let between = run(&text[tail..], |byte| *byte == b'\\');
                let low = tail + between + 1;
                let is_pair = (0xd800..0xdc00).contains(&first)
                    && (1..=slashes).contains(&between)
                    && text.get(low - 1) == Some(&b'u')
                    && unit(text, low).is_some_and(|low| low & 0xfc00 == 0xdc00);
                if is_pair {
                    text[next + 1..next + 5].copy_from_slice(ESCAPES[3]);
                    text[low..low + 4].copy_from_slice(ESCAPES[4]);
                    return low + 4;
                }
                if let Some(fixed) = fixed_escape(first) {
                    text[next + 1..next + 5].copy_from_slice(fixed);
                }
                next + 5
            }
            None => next,
        },
        _ => next,
    }
}

/// Four hexadecimal digits.
fn unit(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    is_hex.then(|| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())?
}

fn fixed_escape(unit: u32) -> Option<&'static [u8; 4]> {
    let is_kept = |c: char| is_kept(c) || (c.is_ascii() && !c.is_ascii_alphanumeric());
    match unit {
        // Half a pair alone means nothing.
        0xd800..0xe000 => None,
        _ if char::from_u32(unit).is_some_and(is_kept) => None,
        0..0x80 => Some(ESCAPES[0]),
        0x80..0x800 => Some(ESCAPES[1]),
        _ => Some(ESCAPES[2]),
    }
}

/// Blanks and punctuation, which a patch may match loosely.
fn is_kept(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{2000}'..='\u{206f}' | '\u{3000}' | '\u{fffd}')
}

/// Whether the quotation mark at `at` is behind the name of a JSON member.
fn ends_key(text: &[u8], at: usize) -> bool {
    let Some(last) = text[..at].iter().rposition(|byte| *byte != b'\\') else { return false };
    // What an escape stands for is no part of a name.
    let is_escape = |back: usize| last.checked_sub(back).is_some_and(|from| text[from] == b'\\');
    let is_blank = is_escape(1) && matches!(text[last], b'n' | b'r' | b't' | b'b' | b'f');
    let is_unit = is_escape(5) && text[last - 4] == b'u' && unit(text, last - 3).is_some();
    let is_name =
        (text[last].is_ascii_alphanumeric() || text[last] == b'_') && !is_blank && !is_unit;
    is_name && text[at..].starts_with(b"\":")
}

/// Steps over the value of a JSON member, if it is a number; `at` is behind the colon.
fn number(text: &[u8], at: usize) -> usize {
    let start = at + run(&text[at..], |byte| *byte == b' ');
    match text.get(start) {
        Some(b'-' | b'0'..=b'9') => {
            start
                + run(&text[start..], |byte| {
                    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
                })
        }
        _ => start,
    }
}

/// The end of an ISO date or date and time that begins here.
fn date(text: &[u8], at: usize) -> Option<usize> {
    let matches = |at: usize, form: &[u8]| {
        let found = text.get(at..at + form.len())?;
        let fits = |(byte, form): (&u8, &u8)| match form {
            b'0' => byte.is_ascii_digit(),
            b':' => matches!(byte, b':' | b'-'),
            other => byte == other,
        };
        found.iter().zip(form).all(fits).then_some(at + form.len())
    };
    let date = matches(at, b"0000-00-00")?;
    let end = match matches(date, b"T00:00:00") {
        Some(time) => {
            let fraction = match text.get(time) {
                Some(b'.') => 1 + run(&text[time + 1..], u8::is_ascii_digit),
                _ => 0,
            };
            let end = time + fraction;
            end + usize::from(text.get(end) == Some(&b'Z'))
        }
        None => date,
    };
    text.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric()).then_some(end)
}

/// The end of the time in `try again in 1.5s`.
fn wait(text: &[u8], at: usize) -> Option<usize> {
    const BEFORE: &[u8] = b"try again in ";
    let before = &text[at.checked_sub(BEFORE.len())?..at];
    let is_wait = before.eq_ignore_ascii_case(BEFORE) && text[at].is_ascii_digit();
    is_wait.then(|| at + run(&text[at..], |byte| byte.is_ascii_alphanumeric() || *byte == b'.'))
}

/// Replaces a sign that is not ASCII, or a byte that is none.
fn sign(text: &mut [u8], at: usize) -> usize {
    let length = match text[at] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let found = text.get(at..at + length).and_then(|bytes| std::str::from_utf8(bytes).ok());
    match found.and_then(|sign| sign.chars().next()) {
        Some(c) if is_kept(c) => {}
        Some(c) => text[at..at + length].copy_from_slice(SIGNS[c.len_utf8() - 2].as_bytes()),
        None => {
            text[at] = 0xff;
            return at + 1;
        }
    }
    at + length
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scrubber() -> Scrubber {
        let id = b"01a201e6-d732-7201-96ed-0da22c2c800b".to_vec();
        Scrubber { words: Words::new([]), ids: BTreeSet::from([id]) }
    }

    fn scrubbed(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        scrubber().scrub(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_means_something_to_the_engine_is_kept() {
        for text in [
            "",
            r#"{"type":"response.output_item.added","sequence_number":12,"output_index": -1.5e+3}"#,
            "*** Begin Patch\n*** Update File: \n*** End Patch\n",
            "2026-11-22T06:15:18.541Z 2026-11-22 2026-11-22T06-15-18",
            "01a201e6-d732-7201-96ed-0da22c2c800b",
            r"\n\\n\\\n\u003c\u2019",
            "“—”\u{a0}",
            "Permission denied: Read-only file system",
            "Please try again in 11.054s.".get(7..).unwrap(),
        ] {
            assert_eq!(scrubbed(text), text);
        }
    }

    #[test]
    fn what_may_be_private_is_not() {
        for (text, gone) in [
            ("Alice", "Alice"),
            (r"\nAlice", "Alice"),
            (r#"{"alice":"x"}"#, "alice"),
            ("call_4f9a2b", "4f9a2b"),
            ("2026-11-22x", "2026"),
            ("11111111-d732-7201-96ed-0da22c2c800b", "11111111"),
            ("grüße", "ü"),
            (r"gr\u00fc\u00dfe", "00fc"),
            (r"\ud83d\ude00", "de00"),
            (r"\\ud83d\\ude00", "de00"),
            (r"\u0041", "0041"),
            (r"\users", "users"),
            ("😀", "😀"),
        ] {
            let out = scrubbed(text);
            assert!(!out.contains(gone), "{text}: {out}");
            assert_eq!(out.len(), text.len());
        }
    }

    #[test]
    fn a_quotation_mark_behind_an_escape_ends_no_name() {
        for (plain, quoted) in [("\t\":5", r#"\t\":5"#), ("é\":5", r#"\u00e9\":5"#)] {
            let number = |text: &str| scrubbed(text).chars().last();
            assert_eq!(number(plain), number(quoted), "{quoted}");
        }
    }

    #[test]
    fn numbers_stay_numbers() {
        let out = scrubbed(r#"{"a":[10,0,7.05,"x 10"]}"#);
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert!(value.as_object().is_some());
    }

    #[test]
    fn bytes_that_are_no_text_stay_none() {
        let mut bytes = b"a\xe9\xc3\xa9\xc3".to_vec();
        scrubber().scrub(&mut bytes);
        assert_eq!(bytes[1..], *b"\xff\xc3\xa9\xff");
    }

    fn quoted(text: &str) -> String {
        serde_json::to_string(text).unwrap()
    }

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        for unit in text.encode_utf16() {
            match char::from_u32(u32::from(unit)).filter(char::is_ascii) {
                Some(c) => out.push_str(quoted(&c.to_string()).trim_matches('"')),
                None => out.push_str(&format!("\\u{unit:04x}")),
            }
        }
        out
    }

    proptest! {
        /// However a text is quoted, the same comes out.
        #[test]
        fn prop_quotation_is_invisible(text in r#"([a-c]{1,3}|[\\"/ \n\t:]|[0-2]|\\\\n|u00|é|語|😀|“){0,24}"#) {
            let mut scrubber = scrubber();
            let mut plain = text.clone().into_bytes();
            scrubber.scrub(&mut plain);
            let plain = String::from_utf8(plain).unwrap();
            prop_assert_eq!(plain.len(), text.len());
            let mut json = quoted(&quoted(&text)).into_bytes();
            scrubber.scrub(&mut json);
            let once: String = serde_json::from_slice(&json).unwrap();
            let twice: String = serde_json::from_str(&once).unwrap();
            prop_assert_eq!(&twice, &plain);
            if !text.contains('"') {
                let mut json = format!("\"{}\"", escaped(&text)).into_bytes();
                scrubber.scrub(&mut json);
                prop_assert_eq!(&serde_json::from_slice::<String>(&json).unwrap(), &plain);
            }
        }

        #[test]
        fn prop_any_bytes_keep_their_length_and_their_validity(bytes in any::<Vec<u8>>()) {
            let mut scrubbed = bytes.clone();
            scrubber().scrub(&mut scrubbed);
            prop_assert_eq!(scrubbed.len(), bytes.len());
            prop_assert_eq!(
                std::str::from_utf8(&scrubbed).is_ok(),
                std::str::from_utf8(&bytes).is_ok()
            );
        }
    }
}
