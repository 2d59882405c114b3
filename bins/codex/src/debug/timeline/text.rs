//! Numbers and texts as people read them.

use std::fmt::Write as _;

/// Characters of a text that are kept at all.
const TEXT_CHARS_MAX: usize = 400;

/// `1 line`, `3 lines`.
pub(super) fn count(number: u64, name: &str) -> String {
    let plural = match name.strip_suffix("ch") {
        _ if number == 1 => name.to_owned(),
        Some(stem) => format!("{stem}ches"),
        None => format!("{name}s"),
    };
    format!("{number} {plural}")
}

/// `812 B`, `12.4 kB`, `1.2 MB`.
pub(super) fn bytes(number: u64) -> String {
    let tenths = |unit: u64| number.saturating_add(unit / 20) / (unit / 10);
    match number {
        0..1_000 => format!("{number} B"),
        1_000..999_950 => format!("{}.{} kB", tenths(1_000) / 10, tenths(1_000) % 10),
        _ => format!("{}.{} MB", tenths(1_000_000) / 10, tenths(1_000_000) % 10),
    }
}

/// `0.3 ms`, `41 ms`, `1.2 s`, `2:05 min`, of microseconds.
pub(super) fn duration(us: u64) -> String {
    match us {
        0 => "0 ms".to_owned(),
        1..1_000 => format!("{}.{} ms", us / 1_000, us / 100 % 10),
        1_000..1_000_000 => format!("{} ms", us / 1_000),
        1_000_000..60_000_000 => format!("{}.{} s", us / 1_000_000, us / 100_000 % 10),
        _ => format!("{}:{:02} min", us / 60_000_000, us / 1_000_000 % 60),
    }
}

/// A text in one line: white space is one space, what cannot be shown is `�`; of a very long one
/// the beginning.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::new();
    let mut chars = 0;
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if chars == TEXT_CHARS_MAX {
                line.push('…');
                return line;
            }
            line.push(if is_shown(c) { c } else { '\u{fffd}' });
            chars += 1;
        }
    }
    line
}

/// Whether XML and a line of text may hold a character.
fn is_shown(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !turns && !matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{2028}' | '\u{2029}')
}

/// Columns of a character.
fn columns(c: char) -> usize {
    if c >= '\u{1100}' && !('\u{2000}'..'\u{2e80}').contains(&c) { 2 } else { 1 }
}

/// A text of at most so many columns; `…` stands for its middle.
pub(super) fn shorten(text: &str, columns_max: usize) -> String {
    if text.chars().map(columns).sum::<usize>() <= columns_max {
        return text.to_owned();
    }
    let tail_max = columns_max / 4;
    let head_max = columns_max.saturating_sub(tail_max + 1);
    let take = |chars: &mut dyn Iterator<Item = char>, max: usize| {
        let mut used = 0;
        let mut taken = Vec::new();
        for c in chars {
            used += columns(c);
            if used > max {
                break;
            }
            taken.push(c);
        }
        taken
    };
    let head: String = take(&mut text.chars(), head_max).into_iter().collect();
    let tail: String = take(&mut text.chars().rev(), tail_max).into_iter().rev().collect();
    format!("{}…{}", head.trim_end(), tail.trim_start())
}

/// Escapes what XML gives a meaning, in text and in attributes.
pub(super) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if is_shown(c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
    out
}

/// Escapes what Mermaid gives a meaning in a message.
pub(super) fn mermaid(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '#' | ';' | '<' | '>' | '&' | '%' | '{' | '}' | '"' | ':' | '\\' | '`' => {
                // Writing to a string does not fail.
                let _ = write!(out, "#{};", u32::from(c));
            }
            c if is_shown(c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
    out
}
