//! Lines of a unified diff, with what differs within a line.

use codex_proto::item::FileChangeKind;

use crate::{
    diff::{push_marked, words},
    text::{Line, clean_line},
    theme::{Look, Role},
};

/// Lines of a removed and of an added run that are compared pair by pair.
const COMPARED_LINES_MAX: usize = 40;

/// A diff as lines. `diff` is a unified diff without header lines, or the whole content of a file that
/// is added or deleted. The signs at the starts of lines stay, so that what is copied is a diff.
#[must_use]
pub fn diff_lines(diff: &str, kind: FileChangeKind, look: &Look) -> Vec<Line> {
    let whole = |sign: char, role: Role| {
        let style = look.style(role);
        diff.lines()
            .map(|line| Line::styled(format!("{sign}{}", clean_line(line)), style))
            .collect()
    };
    match kind {
        FileChangeKind::Add => whole('+', Role::Added),
        FileChangeKind::Delete => whole('-', Role::Removed),
        FileChangeKind::Update => update(diff, look),
    }
}

fn update(diff: &str, look: &Look) -> Vec<Line> {
    let mut out = Vec::new();
    let mut removed: Vec<&str> = Vec::new();
    let mut added: Vec<&str> = Vec::new();
    for line in diff.lines() {
        match line.as_bytes().first() {
            Some(b'-') if added.is_empty() => removed.push(&line[1..]),
            Some(b'+') => added.push(&line[1..]),
            first => {
                run(&mut removed, &mut added, look, &mut out);
                match first {
                    Some(b'-') => removed.push(&line[1..]),
                    Some(b'@') => out.push(Line::styled(clean_line(line), look.style(Role::Dim))),
                    _ => out.push(Line::plain(clean_line(line))),
                }
            }
        }
    }
    run(&mut removed, &mut added, look, &mut out);
    out
}

/// Removed lines and the added ones that follow them.
fn run(removed: &mut Vec<&str>, added: &mut Vec<&str>, look: &Look, out: &mut Vec<Line>) {
    let is_paired = removed.len() == added.len() && removed.len() <= COMPARED_LINES_MAX;
    let mut old_lines = Vec::new();
    let mut new_lines = Vec::new();
    for (index, old) in removed.iter().enumerate() {
        let pair = added.get(index).filter(|_| is_paired).and_then(|new| compared(old, new, look));
        let (old_line, new_line) = match pair {
            Some((old, new)) => (old, Some(new)),
            None => {
                (Line::styled(format!("-{}", clean_line(old)), look.style(Role::Removed)), None)
            }
        };
        old_lines.push(old_line);
        new_lines.push(new_line);
    }
    out.append(&mut old_lines);
    for (index, new) in added.iter().enumerate() {
        let line = new_lines.get_mut(index).and_then(Option::take);
        let plain = || Line::styled(format!("+{}", clean_line(new)), look.style(Role::Added));
        out.push(line.unwrap_or_else(plain));
    }
    removed.clear();
    added.clear();
}

/// Two versions of a line with the words that differ marked; `None` when they are not alike.
fn compared(old: &str, new: &str, look: &Look) -> Option<(Line, Line)> {
    let (old, new) = (clean_line(old), clean_line(new));
    let (gone, come) = words(&old, &new)?;
    let mut old_line = Line::styled("-", look.style(Role::Removed));
    push_marked(&mut old_line, &old, &gone, Role::Removed, Role::RemovedWord, look);
    let mut new_line = Line::styled("+", look.style(Role::Added));
    push_marked(&mut new_line, &new, &come, Role::Added, Role::AddedWord, look);
    Some((old_line, new_line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{setup::Colors, theme::Background};

    #[test]
    fn words_that_differ_are_marked_and_signs_stay() {
        let look = Look::new(None, Background::Dark, Colors::Sixteen);
        let diff = "@@ -1,3 +1,3 @@\n same\n-let a = one(x);\n+let a = two(x);\n-gone\n";
        let lines = diff_lines(diff, FileChangeKind::Update, &look);
        let text: Vec<String> = lines.iter().map(Line::text).collect();
        let want = ["@@ -1,3 +1,3 @@", " same", "-let a = one(x);", "+let a = two(x);", "-gone"];
        assert_eq!(text, want);
        let marked = |line: &Line, role: Role| {
            let style = look.style(role);
            let spans = line.spans.iter().filter(|span| span.style == style);
            spans.map(|span| span.text.clone()).collect::<String>()
        };
        assert_eq!(marked(&lines[2], Role::RemovedWord), "one(x);");
        assert_eq!(marked(&lines[3], Role::AddedWord), "two(x);");
        assert_eq!(marked(&lines[4], Role::Removed), "-gone");
    }

    #[test]
    fn files_that_come_or_go_are_signed_throughout() {
        let look = Look::new(None, Background::Dark, Colors::None);
        let lines = diff_lines("a\nb", FileChangeKind::Add, &look);
        assert_eq!(lines.iter().map(Line::text).collect::<Vec<_>>(), ["+a", "+b"]);
        let lines = diff_lines("a\u{1b}[0m\n", FileChangeKind::Delete, &look);
        assert_eq!(lines[0].text(), "-a");
    }
}
