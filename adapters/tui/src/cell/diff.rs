//! Lines of a unified diff, with what differs within a line.

use codex_proto::item::FileChangeKind;

use crate::{
    diff::{RETURN, cut_line, push_marked, words},
    text::{Line, clean_line},
    theme::{Look, Role},
};

/// Lines of a removed and of an added run that are compared pair by pair.
const COMPARED_LINES_MAX: usize = 40;

/// The first lines of a diff. `diff` is a unified diff without header lines, or the whole content of a file
/// that is added or deleted. The signs at the starts of lines stay, so that what is copied is a diff.
#[must_use]
pub fn diff_lines(diff: &str, kind: FileChangeKind, look: &Look, most: usize) -> Vec<Line> {
    let signs: &[u8] = if kind == FileChangeKind::Update { b"+- " } else { b"" };
    let is_content = |line: &&str| {
        signs.is_empty() || line.as_bytes().first().is_some_and(|first| signs.contains(first))
    };
    // Where all lines have a return, none is shown.
    let is_usual = lines_of(diff).filter(is_content).all(|line| line.ends_with('\r'));
    let lines = lines_of(diff).take(most).map(|line| {
        let bare = line.strip_suffix('\r').unwrap_or(line);
        let sign = if is_usual || bare.len() == line.len() { "" } else { "\u{240d}" };
        format!("{}{sign}", clean_line(&cut_line(bare)))
    });
    let whole = |sign: char, role: Role| {
        lines.clone().map(|line| Line::styled(format!("{sign}{line}"), look.style(role))).collect()
    };
    match kind {
        FileChangeKind::Add => whole('+', Role::Added),
        FileChangeKind::Delete => whole('-', Role::Removed),
        FileChangeKind::Update => update(&lines.collect::<Vec<_>>(), look),
    }
}

/// The lines of a diff, with their returns.
pub(super) fn lines_of(diff: &str) -> impl Iterator<Item = &str> + Clone {
    diff.split_terminator('\n')
}

fn update(lines: &[String], look: &Look) -> Vec<Line> {
    let mut out = Vec::new();
    let mut removed: Vec<&str> = Vec::new();
    let mut added: Vec<&str> = Vec::new();
    for line in lines {
        match line.as_bytes().first() {
            Some(b'-') if added.is_empty() => removed.push(&line[1..]),
            Some(b'+') => added.push(&line[1..]),
            first => {
                run(&mut removed, &mut added, look, &mut out);
                match first {
                    Some(b'-') => removed.push(&line[1..]),
                    Some(b'@' | b'\\') => {
                        out.push(Line::styled(line.as_str(), look.style(Role::Dim)));
                    }
                    _ => {
                        let line = line.strip_suffix(RETURN).unwrap_or(line);
                        out.push(Line::plain(line));
                    }
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
            None => (Line::styled(format!("-{old}"), look.style(Role::Removed)), None),
        };
        old_lines.push(old_line);
        new_lines.push(new_line);
    }
    out.append(&mut old_lines);
    for (index, new) in added.iter().enumerate() {
        let line = new_lines.get_mut(index).and_then(Option::take);
        let plain = || Line::styled(format!("+{new}"), look.style(Role::Added));
        out.push(line.unwrap_or_else(plain));
    }
    removed.clear();
    added.clear();
}

/// Two versions of a line with the words that differ marked; `None` when they are not alike.
fn compared(old: &str, new: &str, look: &Look) -> Option<(Line, Line)> {
    let (gone, come) = words(old, new)?;
    let mut old_line = Line::styled("-", look.style(Role::Removed));
    push_marked(&mut old_line, old, &gone, Role::Removed, Role::RemovedWord, look);
    let mut new_line = Line::styled("+", look.style(Role::Added));
    push_marked(&mut new_line, new, &come, Role::Added, Role::AddedWord, look);
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
        let lines = diff_lines(diff, FileChangeKind::Update, &look, 99);
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
        let lines = diff_lines("a\nb", FileChangeKind::Add, &look, 99);
        assert_eq!(lines.iter().map(Line::text).collect::<Vec<_>>(), ["+a", "+b"]);
        let lines = diff_lines("a\u{1b}[0m\n", FileChangeKind::Delete, &look, 99);
        assert_eq!(lines[0].text(), "-a");
    }

    #[test]
    fn returns_are_shown_where_they_differ_and_long_lines_are_cut() {
        let look = Look::new(None, Background::Dark, Colors::None);
        let shown = |diff: &str, kind| -> Vec<String> {
            diff_lines(diff, kind, &look, 99).iter().map(Line::text).collect()
        };
        let update = FileChangeKind::Update;
        assert_eq!(shown("@@\n a\r\n-b\r\n+b\n", update), ["@@", " a", "-b\u{240d}", "+b"]);
        assert_eq!(shown("@@\n a\r\n-b\r\n+c\r\n", update), ["@@", " a", "-b", "+c"]);
        assert_eq!(shown("a\r\nb\r\n", FileChangeKind::Add), ["+a", "+b"]);
        assert_eq!(diff_lines("a\nb\nc", FileChangeKind::Add, &look, 2).len(), 2);
        let long = shown(&"x".repeat(10_000), FileChangeKind::Add);
        assert!(long[0].ends_with("\u{2026} 5,904 more bytes"), "{}", &long[0][4_000..]);
    }
}
