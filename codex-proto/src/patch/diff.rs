//! What a change looks like to people and programs.

use similar::{Algorithm, TextDiff};

use super::{DIFF_BYTES_MAX, apply::is_binary};

/// A unified diff with three lines of context and no header lines.
///
/// The algorithm gives up minimality rather than time, so it needs no clock.
pub(super) fn unified(before: &[u8], after: &[u8]) -> String {
    if before == after || is_binary(before) || is_binary(after) {
        return String::new();
    }
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    let diff = TextDiff::configure().algorithm(Algorithm::Myers).diff_lines(&*before, &*after);
    cut(diff.unified_diff().context_radius(3).to_string())
}

/// The content of a file that is added or deleted.
pub(super) fn content(bytes: &[u8]) -> String {
    if is_binary(bytes) { String::new() } else { cut(String::from_utf8_lossy(bytes).into_owned()) }
}

fn cut(mut text: String) -> String {
    if text.len() > DIFF_BYTES_MAX {
        let mut end = DIFF_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let left_out = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("\n[{left_out} bytes left out]\n"));
    }
    text
}
