//! Where lines of a patch are in a file.
//!
//! Linear: each level turns the file into numbers once (a number for each line that the patch asks
//! for, 0 for all others), and searches are Knuth-Morris-Pratt over those.

use std::{borrow::Cow, collections::BTreeMap};

use super::lines::FileLine;

/// How closely lines must agree, strictest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// The same bytes.
    Exact,
    /// Trailing white space does not count.
    TrimEnd,
    /// Nor does leading.
    Trim,
    /// Nor the difference between typographic and ASCII dashes, quotes and spaces.
    Fold,
    /// Nor any white space. Only for finding out what is wrong.
    NoSpace,
}

/// The levels at which a patch applies.
pub(super) const MATCHING: [Level; 4] = [Level::Exact, Level::TrimEnd, Level::Trim, Level::Fold];

/// Which place to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Only the end of the file.
    End,
    /// The first.
    First,
    /// The last.
    Last,
}

/// Searches one file for lines that were announced.
pub(super) struct Seeker<'a> {
    file: &'a [FileLine<'a>],
    /// Texts to their place in `texts`.
    wanted: BTreeMap<&'a str, usize>,
    texts: Vec<&'a str>,
    levels: [Option<Numbers>; 5],
}

/// A file and the wanted lines, as numbers at one level.
pub(super) struct Numbers {
    pub(super) file: Vec<u32>,
    wanted: Vec<u32>,
    /// By number: the last line of the file that has it, plus one; 0 for none.
    last: Vec<usize>,
}

impl<'a> Seeker<'a> {
    pub(super) fn new(file: &'a [FileLine<'a>], wanted: impl IntoIterator<Item = &'a str>) -> Self {
        let mut seeker =
            Self { file, wanted: BTreeMap::new(), texts: Vec::new(), levels: Default::default() };
        for text in wanted {
            let next = seeker.texts.len();
            if *seeker.wanted.entry(text).or_insert(next) == next {
                seeker.texts.push(text);
            }
        }
        seeker
    }

    /// Where `pattern` is, at line `from` or later, at the strictest matching level.
    pub(super) fn seek(&mut self, pattern: &[&str], from: usize, place: Place) -> Option<usize> {
        MATCHING.into_iter().find_map(|level| self.seek_at(level, pattern, from, place))
    }

    /// Where `pattern` is at one level.
    pub(super) fn seek_at(
        &mut self,
        level: Level,
        pattern: &[&str],
        from: usize,
        place: Place,
    ) -> Option<usize> {
        let len = self.file.len();
        if pattern.is_empty() || from + pattern.len() > len {
            return None;
        }
        let numbers = self.numbers(level, pattern)?;
        let table = self.level(level);
        let from = if place == Place::End { len - pattern.len() } else { from };
        if numbers.iter().any(|&number| table.last[number as usize] <= from) {
            return None;
        }
        let found = find(&table.file[from..], &numbers, place == Place::Last)?;
        Some(from + found)
    }

    /// The numbers of announced lines; `None` if one was not announced.
    pub(super) fn numbers(&mut self, level: Level, pattern: &[&str]) -> Option<Vec<u32>> {
        self.level(level);
        let table = self.levels[level as usize].as_ref()?;
        pattern.iter().map(|text| self.wanted.get(text).map(|&at| table.wanted[at])).collect()
    }

    pub(super) fn level(&mut self, level: Level) -> &Numbers {
        let (file, texts) = (self.file, &self.texts);
        self.levels[level as usize].get_or_insert_with(|| Numbers::of(level, file, texts))
    }
}

impl Numbers {
    fn of(level: Level, file: &[FileLine<'_>], texts: &[&str]) -> Self {
        let mut known: BTreeMap<Cow<'_, [u8]>, u32> = BTreeMap::new();
        let mut next = 1;
        let wanted = texts
            .iter()
            .map(|text| {
                let number = *known.entry(normal(level, text.as_bytes())).or_insert(next);
                next = next.max(number + 1);
                number
            })
            .collect();
        let mut last = vec![0; next as usize];
        let file = file
            .iter()
            .enumerate()
            .map(|(index, line)| {
                let number = known.get(&normal(level, line.text)).copied().unwrap_or(0);
                last[number as usize] = index + 1;
                number
            })
            .collect();
        Self { file, wanted, last }
    }
}

/// The form in which lines are compared at a level.
fn normal(level: Level, line: &[u8]) -> Cow<'_, [u8]> {
    if level == Level::Exact {
        return Cow::Borrowed(line);
    }
    // Bytes that are not UTF-8 compare as the replacement character, which is how a model saw them.
    match String::from_utf8_lossy(line) {
        Cow::Borrowed(text) => match loose(level, text) {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        },
        Cow::Owned(text) => Cow::Owned(loose(level, &text).into_owned().into_bytes()),
    }
}

fn loose(level: Level, text: &str) -> Cow<'_, str> {
    let text = text.trim_start_matches('\u{feff}');
    match level {
        Level::Exact => Cow::Borrowed(text),
        Level::TrimEnd => Cow::Borrowed(text.trim_end()),
        Level::Trim => Cow::Borrowed(text.trim()),
        Level::Fold => fold(text.trim()),
        Level::NoSpace => Cow::Owned(fold(text).chars().filter(|c| !c.is_whitespace()).collect()),
    }
}

/// Folds typographic characters to their ASCII kin.
fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let folded = text.chars().map(|c| match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2018}'..='\u{201b}' => '\'',
        '\u{201c}'..='\u{201f}' => '"',
        '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        other => other,
    });
    Cow::Owned(folded.collect())
}

/// Knuth-Morris-Pratt: the first or last place of a non-empty pattern.
fn find(text: &[u32], pattern: &[u32], last: bool) -> Option<usize> {
    let mut border = vec![0; pattern.len()];
    let mut matched = 0;
    for index in 1..pattern.len() {
        while matched > 0 && pattern[index] != pattern[matched] {
            matched = border[matched - 1];
        }
        matched += usize::from(pattern[index] == pattern[matched]);
        border[index] = matched;
    }
    let mut found = None;
    matched = 0;
    for (index, number) in text.iter().enumerate() {
        while matched > 0 && *number != pattern[matched] {
            matched = border[matched - 1];
        }
        matched += usize::from(*number == pattern[matched]);
        if matched == pattern.len() {
            found = Some(index + 1 - matched);
            if !last {
                break;
            }
            matched = border[matched - 1];
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Repetitive texts, where a search that forgets a partial match goes wrong.
        #[test]
        fn prop_find_is_the_naive_search(
            text in prop::collection::vec(0..3u32, 0..30),
            pattern in prop::collection::vec(0..2u32, 1..6),
        ) {
            let places = || text.windows(pattern.len()).enumerate().filter(|(_, w)| *w == pattern);
            prop_assert_eq!(find(&text, &pattern, false), places().next().map(|(at, _)| at));
            prop_assert_eq!(find(&text, &pattern, true), places().next_back().map(|(at, _)| at));
        }
    }
}
