//! Why lines are not in a file, and what comes nearest.
//!
//! Everything here is linear in the file, or bounded by the constants below.

use std::collections::BTreeMap;

use super::{
    Cause,
    lines::{FileLine, Lines},
    seek::{Level, Place, Seeker},
};

/// Most lines of a chunk that are looked up one by one.
const VOTERS_MAX: usize = 2000;
/// Most places in the file that one line of a chunk votes for.
const VOTES_MAX: usize = 64;
/// Most lines of a chunk that are compared with every line of the file.
const SIMILAR_MAX: usize = 3;
/// Least part of a line that must agree to be called similar, in percent.
const SIMILAR_PERCENT_MIN: usize = 50;

/// Why a `@@` line is not found from line `from` (from 0) on.
pub(super) fn missing_context(lines: &Lines<'_>, context: &str, from: usize) -> Cause {
    let cause = missing_lines(lines, &[context], &[], from);
    if matches!(cause, Cause::Moved { .. } | Cause::Whitespace { .. } | Cause::EmptyFile) {
        return cause;
    }
    if is_unified_header(context) {
        return Cause::UnifiedHeader;
    }
    let needle = context.trim().as_bytes();
    let finder = memchr::memmem::Finder::new(needle);
    let contains = |line: &FileLine<'_>| finder.find(line.text).is_some();
    match lines.lines.iter().skip(from).position(contains) {
        Some(at) if !needle.is_empty() => {
            Cause::PartOfLine { line: from + at + 1, found: text(&lines.lines[from + at]) }
        }
        _ => cause,
    }
}

/// Why the lines of a chunk are not found from line `from` (from 0) on. `after` is what would be
/// there instead of `expected`.
pub(super) fn missing_lines(
    lines: &Lines<'_>,
    expected: &[&str],
    after: &[&str],
    from: usize,
) -> Cause {
    let file = &lines.lines[..];
    if file.is_empty() {
        return Cause::EmptyFile;
    }
    let mut seeker = Seeker::new(file, expected.iter().chain(after).copied());
    if let Some(at) = seeker.seek(expected, 0, Place::First) {
        return Cause::Moved { line: at + 1, from: from + 1 };
    }
    if let Some(at) = seeker.seek_at(Level::NoSpace, expected, 0, Place::First) {
        return whitespace(&mut seeker, file, expected, at);
    }
    let says_something = after.iter().any(|line| !line.trim().is_empty());
    if says_something
        && after.len() >= expected.len()
        && let Some(at) = seeker.seek(after, 0, Place::First)
    {
        return Cause::AlreadyApplied { line: at + 1 };
    }
    if let Some(at) = ignoring_blank_lines(file, expected) {
        return Cause::BlankLines { line: at + 1 };
    }
    if file.len() == 1 && memchr::memchr(b'\r', file[0].text).is_some() {
        return Cause::CarriageReturns;
    }
    let nearest = vote(&mut seeker, expected).or_else(|| similar(file, expected));
    nearest.map_or(Cause::Absent, |start| stale(&mut seeker, file, expected, start))
}

fn text(line: &FileLine<'_>) -> String {
    String::from_utf8_lossy(line.text).into_owned()
}

/// `-1,3 +1,4 @@` and its kin.
fn is_unified_header(context: &str) -> bool {
    let mut words = context.split_whitespace();
    let number = |word: Option<&str>, mark| {
        let digits = word.and_then(|word| word.strip_prefix(mark));
        digits.is_some_and(|d| d.starts_with(|c: char| c.is_ascii_digit()))
    };
    number(words.next(), '-') && number(words.next(), '+')
}

fn whitespace(
    seeker: &mut Seeker<'_>,
    file: &[FileLine<'_>],
    expected: &[&str],
    at: usize,
) -> Cause {
    let differs = first_difference(seeker, expected, at).unwrap_or(0);
    Cause::Whitespace {
        line: at + differs + 1,
        expected: expected[differs].to_owned(),
        found: text(&file[at + differs]),
    }
}

/// Which of the expected lines, put at line `start`, is the first that the file does not have.
fn first_difference(seeker: &mut Seeker<'_>, expected: &[&str], start: usize) -> Option<usize> {
    let numbers = seeker.numbers(Level::Fold, expected)?;
    let file = &seeker.level(Level::Fold).file;
    numbers.iter().enumerate().position(|(index, number)| file.get(start + index) != Some(number))
}

fn ignoring_blank_lines(file: &[FileLine<'_>], expected: &[&str]) -> Option<usize> {
    let blank = |line: &FileLine<'_>| line.text.iter().all(u8::is_ascii_whitespace);
    let (places, file): (Vec<usize>, Vec<FileLine<'_>>) =
        file.iter().copied().enumerate().filter(|(_, line)| !blank(line)).unzip();
    let expected: Vec<&str> =
        expected.iter().copied().filter(|line| !line.trim().is_empty()).collect();
    let mut seeker = Seeker::new(&file, expected.iter().copied());
    seeker.seek_at(Level::Fold, &expected, 0, Place::First).map(|at| places[at])
}

/// The start at which most lines would agree. Lines that the file has many of vote little.
fn vote(seeker: &mut Seeker<'_>, expected: &[&str]) -> Option<usize> {
    let numbers = seeker.numbers(Level::Fold, expected)?;
    let mut voters: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, (number, line)) in numbers.iter().zip(expected).take(VOTERS_MAX).enumerate() {
        if !line.trim().is_empty() {
            voters.entry(*number).or_default().push(index);
        }
    }
    let mut cast: BTreeMap<u32, usize> = BTreeMap::new();
    let mut votes: BTreeMap<usize, usize> = BTreeMap::new();
    for (at, number) in seeker.level(Level::Fold).file.iter().enumerate() {
        let Some(indices) = voters.get(number) else { continue };
        let cast = cast.entry(*number).or_default();
        for index in indices.iter().take_while(|index| **index <= at) {
            if *cast == VOTES_MAX {
                break;
            }
            *cast += 1;
            *votes.entry(at - index).or_default() += 1;
        }
    }
    // The first of those with most votes.
    let (start, _) = votes.into_iter().rev().max_by_key(|(_, count)| *count)?;
    Some(start)
}

/// The start at which one of the longest lines meets the line of the file most like it.
fn similar(file: &[FileLine<'_>], expected: &[&str]) -> Option<usize> {
    let mut longest: Vec<(usize, &[u8])> = expected
        .iter()
        .map(|line| line.trim().as_bytes())
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .collect();
    longest.sort_by_key(|(_, line)| std::cmp::Reverse(line.len()));
    let mut best = None;
    for (index, line) in longest.into_iter().take(SIMILAR_MAX) {
        for (at, other) in file.iter().enumerate().skip(index) {
            let percent = likeness(line, other.text.trim_ascii());
            if percent >= SIMILAR_PERCENT_MIN && best.is_none_or(|(most, _)| percent > most) {
                best = Some((percent, at - index));
            }
        }
    }
    best.map(|(_, start)| start)
}

/// How much of two lines is a common beginning and end, in percent.
fn likeness(a: &[u8], b: &[u8]) -> usize {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let head = short.iter().zip(long).take_while(|(a, b)| a == b).count();
    let rest = &short[head..];
    let tail = rest.iter().rev().zip(long.iter().rev()).take_while(|(a, b)| a == b).count();
    ((head + tail) * 100).checked_div(long.len()).unwrap_or(0)
}

fn stale(seeker: &mut Seeker<'_>, file: &[FileLine<'_>], expected: &[&str], start: usize) -> Cause {
    let differs = first_difference(seeker, expected, start).unwrap_or(0);
    let numbers = seeker.numbers(Level::Fold, expected).unwrap_or_default();
    let there = seeker.level(Level::Fold).file.iter().skip(start);
    let matching = numbers.iter().zip(there).filter(|(a, b)| a == b).count();
    Cause::Stale {
        first: start + 1,
        last: (start + expected.len()).min(file.len()),
        matching,
        of: expected.len(),
        line: start + differs + 1,
        expected: expected[differs].to_owned(),
        found: file.get(start + differs).map(text),
    }
}
