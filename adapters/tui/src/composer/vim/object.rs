//! Text objects: the word, the quoted text, the brackets or the paragraph around the caret.

use std::ops::Range;

use super::{
    motion::{Class, class},
    operator::Span,
};
use crate::composer::text::Text;

const PAIRS: [(u8, u8); 4] = [(b'(', b')'), (b'[', b']'), (b'{', b'}'), (b'<', b'>')];

/// The object with this letter. `selected`: what it has to go beyond.
pub(super) fn find(
    char: char,
    is_around: bool,
    count: usize,
    selected: Option<Range<usize>>,
    text: &Text,
) -> Option<Span> {
    let caret = text.caret();
    // One character is no selection yet.
    let selected = selected.filter(|range| text.after(range.start) < range.end);
    let part = |range| Some(Span { range, is_lines: false });
    match char {
        'w' | 'W' => part(words(text, is_around, count, char == 'W', selected)),
        '"' | '\'' | '`' => part(quoted(text, u8::try_from(char).ok()?, is_around)?),
        'p' => Some(Span { range: paragraphs(text, is_around, count), is_lines: true }),
        _ => {
            let pair = match char {
                'b' => PAIRS[0],
                'B' => PAIRS[2],
                _ => *PAIRS.iter().find(|(open, close)| {
                    [char::from(*open), char::from(*close)].contains(&char)
                })?,
            };
            let within = selected.clone().unwrap_or(caret..caret);
            let around = enclosing(text, pair, &within).or_else(|| ahead(text, pair, caret));
            let (mut open, mut close) = around?;
            for _ in 1..count {
                (open, close) = enclosing(text, pair, &(open..close + 1))?;
            }
            let span = bracketed(text, open, close, is_around);
            if selected.as_ref() != Some(&span.range) {
                return Some(span);
            }
            let (open, close) = enclosing(text, pair, &(open..close + 1))?;
            Some(bracketed(text, open, close, is_around))
        }
    }
}

/// The byte at an offset, unless it belongs to a placeholder.
fn plain(text: &Text, at: usize) -> Option<u8> {
    let byte = text.as_str().as_bytes().get(at).copied()?;
    let next = text.atoms().partition_point(|atom| atom.range.end <= at);
    text.atoms().get(next).is_none_or(|atom| at < atom.range.start).then_some(byte)
}

/// The end of the run of one class that begins at an offset, within its line.
fn run_end(text: &Text, at: usize, is_big: bool) -> usize {
    let (end, of) = (text.line_end(at), class(text, at, is_big));
    let mut at = at;
    while at < end && class(text, at, is_big) == of {
        at = text.after(at);
    }
    at
}

/// The start of the run of one class that ends at an offset, within its line.
fn run_start(text: &Text, at: usize, of: Class, is_big: bool) -> usize {
    let start = text.line_start(at);
    let mut at = at;
    while at > start && class(text, text.before(at), is_big) == of {
        at = text.before(at);
    }
    at
}

fn words(
    text: &Text,
    is_around: bool,
    count: usize,
    is_big: bool,
    selected: Option<Range<usize>>,
) -> Range<usize> {
    let caret = text.caret();
    let is_space = |at: usize| class(text, at, is_big) == Class::Space;
    let (mut start, mut end) = match selected {
        // One goes on behind what is selected.
        Some(range) => (range.start, range.end),
        None => (run_start(text, caret, class(text, caret, is_big), is_big), caret),
    };
    let begins_with_space = is_space(end);
    let mut has_space = false;
    for _ in 0..count {
        if end >= text.line_end(end) {
            break;
        }
        has_space = is_space(end);
        end = run_end(text, end, is_big);
        if is_around && end < text.line_end(end) && (has_space || is_space(end)) {
            has_space = true;
            end = run_end(text, end, is_big);
        }
    }
    if is_around && !has_space && !begins_with_space {
        // Without space behind it, the space before it goes along.
        let before = run_start(text, start, Class::Space, is_big);
        if before > text.line_start(start) {
            start = before;
        }
    }
    start..end
}

/// The quoted text at the caret, or the next one of the line.
fn quoted(text: &Text, quote: u8, is_around: bool) -> Option<Range<usize>> {
    let caret = text.caret();
    let (start, end) = (text.line_start(caret), text.line_end(caret));
    let mut marks = Vec::new();
    let mut at = start;
    while at < end {
        match plain(text, at) {
            Some(b'\\') => at += 1,
            Some(byte) if byte == quote => marks.push(at),
            _ => {}
        }
        at += 1;
    }
    let is_on = marks.contains(&caret);
    let (pairs, _) = marks.as_chunks::<2>();
    let within = pairs.iter().copied().find(|[_, close]| caret <= *close);
    // Between two quoted texts one is between quotes, too.
    let around = marks.windows(2).find(|pair| pair[0] < caret && caret < pair[1]);
    let [open, close] = match (within?, around) {
        ([open, _], Some(pair)) if !is_on && caret < open => [pair[0], pair[1]],
        (pair, _) => pair,
    };
    if !is_around {
        return Some(open + 1..close);
    }
    let space_end = |at: usize| {
        let rest = &text.as_str()[at..end];
        at + (rest.len() - rest.trim_start().len())
    };
    let behind = space_end(close + 1);
    if behind > close + 1 {
        return Some(open..behind);
    }
    Some(start + text.as_str()[start..open].trim_end().len()..close + 1)
}

/// The brackets around a part of the text; at the caret, a bracket is within itself.
fn enclosing(
    text: &Text,
    (open, close): (u8, u8),
    within: &Range<usize>,
) -> Option<(usize, usize)> {
    let is_caret = within.is_empty();
    let mut depth = 0_usize;
    let mut at = within.start;
    if is_caret && plain(text, at) == Some(open) {
        return Some((at, closing(text, open, close, at)?));
    }
    loop {
        at = at.checked_sub(1)?;
        match plain(text, at) {
            Some(byte) if byte == close => depth += 1,
            Some(byte) if byte == open && depth > 0 => depth -= 1,
            Some(byte) if byte == open => {
                let end = closing(text, open, close, at)?;
                // The selection may be all that is between them.
                let is_beyond = is_caret || end >= within.end;
                if is_beyond && end >= within.start {
                    return Some((at, end));
                }
            }
            _ => {}
        }
    }
}

/// The next brackets of the line.
fn ahead(text: &Text, (open, close): (u8, u8), from: usize) -> Option<(usize, usize)> {
    let at = (from..text.line_end(from)).find(|at| plain(text, *at) == Some(open))?;
    Some((at, closing(text, open, close, at)?))
}

fn closing(text: &Text, open: u8, close: u8, from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for at in from..text.as_str().len() {
        match plain(text, at) {
            Some(byte) if byte == open => depth += 1,
            Some(byte) if byte == close => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn bracketed(text: &Text, open: usize, close: usize, is_around: bool) -> Span {
    if is_around {
        return Span { range: open..close + 1, is_lines: false };
    }
    let (mut start, end) = (open + 1, close);
    let last = text.line_start(end);
    let is_alone = last > start && text.as_str()[last..end].trim().is_empty();
    if is_alone {
        let opens_line = plain(text, start) == Some(b'\n');
        start += usize::from(opens_line);
        // Lines of their own are taken as lines.
        return Span { range: start..(last - 1).max(start), is_lines: opens_line && last > start };
    }
    Span { range: start..end, is_lines: false }
}

/// The bracket that belongs to the first one at or behind an offset, in its line.
pub(super) fn partner(text: &Text, at: usize) -> Option<usize> {
    let pair_of =
        |byte: u8| PAIRS[..3].iter().find(|(open, close)| byte == *open || byte == *close).copied();
    let mut line = at..text.line_end(at);
    let (at, byte, (open, close)) =
        line.find_map(|at| plain(text, at).and_then(|b| Some((at, b, pair_of(b)?))))?;
    if byte == open {
        return closing(text, open, close, at);
    }
    let (open, end) = enclosing(text, (open, close), &(at..at))?;
    (end == at).then_some(open)
}

/// Whole lines: the paragraph at the caret, or the empty lines.
fn paragraphs(text: &Text, is_around: bool, count: usize) -> Range<usize> {
    let len = text.as_str().len();
    let is_blank =
        |at: usize| text.as_str()[text.line_start(at)..text.line_end(at)].trim().is_empty();
    let caret = text.caret();
    let kind = is_blank(caret);
    // The end of the lines of a kind that begin with that of an offset.
    let run = |at: usize| {
        let (mut end, kind) = (text.line_end(at), is_blank(at));
        while end < len && is_blank(end + 1) == kind {
            end = text.line_end(end + 1);
        }
        end
    };
    let mut start = text.line_start(caret);
    let go_up = |start: &mut usize, kind: bool| {
        while *start > 0 && is_blank(*start - 1) == kind {
            *start = text.line_start(*start - 1);
        }
    };
    go_up(&mut start, kind);
    let mut end = run(caret);
    let runs = if is_around { count * 2 } else { count };
    let mut done = 1;
    while done < runs && end < len {
        end = run(end + 1);
        done += 1;
    }
    if is_around && done < runs && !kind {
        // Without empty lines behind it, those before it go along.
        go_up(&mut start, true);
    }
    start..end
}
