//! Unified diffs: read into files and lines, and drawn with the words that differ.

use std::{borrow::Cow, ops::Range, path::Path};

use codex_proto::item::{FileChange, FileChangeKind};
use similar::{ChangeTag, TextDiff};

use crate::{
    text::{Line, clean, clean_line, grouped},
    theme::{Look, Role},
};

/// Lines of one diff that are read; how many more there were is said.
pub const DIFF_LINES_MAX: usize = 50_000;
/// Bytes of a line of a work tree's diff that are shown; how many more there were is said.
const LINE_BYTES_MAX: usize = 4 << 10;
/// Shown for a carriage return at the end of a line, where not all lines have one.
pub(crate) const RETURN: char = '\u{240d}';
/// What a line that begins with a backslash says.
const NO_LINE_END: &str = "no line end at the end of the file";
/// Bytes of a line above which its words are not compared.
const WORDS_BYTES_MAX: usize = 400;
/// Lines of a replaced block above which their words are not compared.
const WORDS_LINES_MAX: usize = 100;
/// Lines that have less in common are shown as wholly different.
const WORDS_RATIO_MIN: f32 = 0.5;

/// What happened to one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileDiff {
    /// Its path, safe to show; of a moved one the new path.
    pub path: String,
    /// Where it was before it moved.
    pub old_path: Option<String>,
    /// `A`dded, `D`eleted, `M`odified or `R`enamed.
    pub sign: char,
    /// Its lines in order.
    pub lines: Vec<DiffLine>,
    /// How many were added.
    pub added: usize,
    /// How many were removed.
    pub removed: usize,
}

/// A line of a diff; its text has no control codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiffLine {
    /// A new line, with its number.
    Added(u32, String),
    /// A line that stays, with its new number.
    Context(u32, String),
    /// What a hunk begins with: the name of the function, often nothing.
    Hunk(String),
    /// Something about the file, e.g. that it is binary.
    Note(String),
    /// A line that is gone, with its old number.
    Removed(u32, String),
}

/// Reads a diff with headers, as git writes it. What is no diff is kept as notes.
#[must_use]
pub fn read(text: &str) -> Vec<FileDiff> {
    let mut files: Vec<FileDiff> = Vec::new();
    let mut hunk = Hunk::default();
    let mut count = 0;
    let mut old_mode = "";
    for line in text.split_terminator('\n') {
        count += 1;
        if count > DIFF_LINES_MAX {
            continue;
        }
        if hunk.is_open()
            && let Some(file) = files.last_mut()
            && hunk.take(&cut_line(line), file)
        {
            continue;
        }
        let line = line.strip_suffix('\r').unwrap_or(line);
        if let Some(names) = line.strip_prefix("diff --git ") {
            let new = names.rsplit_once(" b/").or_else(|| names.rsplit_once(" \"b/"));
            let path = new.map_or(names, |(_, new)| new);
            files.push(FileDiff { path: name(path, ""), sign: 'M', ..FileDiff::default() });
            continue;
        }
        if let Some(old) = line.strip_prefix("--- ") {
            // A diff without git's own header begins here.
            if files.last().is_none_or(|file| !file.lines.is_empty()) {
                let path = name(old, "a/");
                files.push(FileDiff { path, sign: 'M', ..FileDiff::default() });
            }
            if old.trim_end() == "/dev/null"
                && let Some(file) = files.last_mut()
            {
                file.sign = 'A';
            }
            continue;
        }
        if files.is_empty() {
            if line.trim().is_empty() {
                continue;
            }
            files.push(FileDiff { sign: 'M', ..FileDiff::default() });
        }
        let Some(file) = files.last_mut() else { continue };
        if let Some(new) = line.strip_prefix("+++ ") {
            match new.trim_end() {
                "/dev/null" => file.sign = 'D',
                new => file.path = name(new, "b/"),
            }
        } else if line.starts_with("@@ ") {
            hunk = Hunk::begin(line);
            // Nothing is left out before the first line.
            let is_start = file.lines.is_empty() && hunk.old <= 1 && hunk.new <= 1;
            if !is_start || !hunk.about.is_empty() {
                file.lines.push(DiffLine::Hunk(hunk.about.clone()));
            }
        } else if line.starts_with("new file mode") {
            file.sign = 'A';
        } else if line.starts_with("deleted file mode") {
            file.sign = 'D';
        } else if let Some(old) = line.strip_prefix("rename from ") {
            (file.sign, file.old_path) = ('R', Some(name(old, "")));
        } else if let Some(new) = line.strip_prefix("rename to ") {
            file.path = name(new, "");
        } else if let Some(mode) = line.strip_prefix("old mode ") {
            old_mode = mode;
        } else if let Some(mode) = line.strip_prefix("new mode ") {
            let text = format!("mode {old_mode} \u{2192} {mode}");
            file.lines.push(DiffLine::Note(clean_line(&text).into_owned()));
        } else if line.starts_with('\\') {
            file.lines.push(DiffLine::Note(NO_LINE_END.into()));
        } else if line.starts_with("Binary files ") {
            file.lines.push(DiffLine::Note("binary".into()));
        } else if !is_git_noise(line) {
            file.lines.push(DiffLine::Note(clean_line(line).into_owned()));
        }
    }
    if count > DIFF_LINES_MAX
        && let Some(file) = files.last_mut()
    {
        let more = count - DIFF_LINES_MAX;
        let text = format!("{} more lines are not shown", grouped(more as u64));
        file.lines.push(DiffLine::Note(text));
    }
    files.iter_mut().for_each(settle_returns);
    files
}

/// A line of which no more is shown than is read by anybody.
pub(crate) fn cut_line(line: &str) -> Cow<'_, str> {
    if line.len() <= LINE_BYTES_MAX {
        return line.into();
    }
    let end = (0..=LINE_BYTES_MAX).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    format!("{}\u{2026} {} more bytes", &line[..end], grouped((line.len() - end) as u64)).into()
}

/// Returns at the ends of lines are shown where they tell something: in changed lines of a file whose lines
/// do not all have one.
fn settle_returns(file: &mut FileDiff) {
    let has = |line: &DiffLine| number(line) == 0 || text(line).ends_with(RETURN);
    let is_usual = file.lines.iter().all(has);
    for line in &mut file.lines {
        if let DiffLine::Context(_, text) = line {
            text.truncate(text.trim_end_matches(RETURN).len());
        } else if let DiffLine::Added(_, text) | DiffLine::Removed(_, text) = line
            && is_usual
        {
            text.truncate(text.trim_end_matches(RETURN).len());
        }
    }
}

/// A line's content, safe to show, with a sign for a return at its end.
fn content(line: &str) -> String {
    let mut text = clean(line).into_owned();
    text.extend(line.ends_with('\r').then_some(RETURN));
    text
}

fn is_git_noise(line: &str) -> bool {
    const PREFIXES: [&str; 3] = ["index ", "similarity index", "dissimilarity index"];
    line.is_empty() || PREFIXES.iter().any(|prefix| line.starts_with(prefix))
}

/// A path as git writes it: quotes, a trailing tab and the folder that git puts before it are taken off.
fn name(path: &str, folder: &str) -> String {
    let path = path.trim_end_matches('\t').trim_matches('"');
    clean_line(path.strip_prefix(folder).unwrap_or(path)).into_owned()
}

/// Reads one file of a patch.
#[must_use]
pub fn of_change(change: &FileChange, cwd: &Path) -> FileDiff {
    let shown = |path: &Path| {
        let path = path.strip_prefix(cwd).unwrap_or(path);
        clean_line(&path.to_string_lossy()).into_owned()
    };
    let mut file = FileDiff {
        path: shown(change.move_path.as_deref().unwrap_or(&change.path)),
        old_path: change.move_path.as_ref().map(|_| shown(&change.path)),
        sign: match change.kind {
            FileChangeKind::Add => 'A',
            FileChangeKind::Delete => 'D',
            FileChangeKind::Update if change.move_path.is_some() => 'R',
            FileChangeKind::Update => 'M',
        },
        ..FileDiff::default()
    };
    let mut hunk = Hunk::default();
    for (number, line) in (1..).zip(change.diff.split_terminator('\n').take(DIFF_LINES_MAX)) {
        match change.kind {
            FileChangeKind::Add => {
                file.added += 1;
                file.lines.push(DiffLine::Added(number, content(line)));
            }
            FileChangeKind::Delete => {
                file.removed += 1;
                file.lines.push(DiffLine::Removed(number, content(line)));
            }
            FileChangeKind::Update => {
                if line.starts_with("@@") {
                    hunk = Hunk::begin(line);
                    file.lines.push(DiffLine::Hunk(hunk.about.clone()));
                } else if !hunk.take(line, &mut file) {
                    file.lines.push(DiffLine::Note(clean_line(line).into_owned()));
                }
            }
        }
    }
    let count = change.diff.lines().count();
    if count > DIFF_LINES_MAX {
        let more = count - DIFF_LINES_MAX;
        let text = format!("{} more lines are not shown", grouped(more as u64));
        file.lines.push(DiffLine::Note(text));
    }
    settle_returns(&mut file);
    file
}

/// Where a hunk stands.
#[derive(Clone, Debug, Default)]
struct Hunk {
    about: String,
    old: u32,
    new: u32,
    /// Lines that are still to come, old and new; a hunk without counts takes all that fit.
    left: Option<(u32, u32)>,
    is_open: bool,
}

impl Hunk {
    /// `@@ -1,2 +3,4 @@ about`.
    fn begin(line: &str) -> Self {
        let mut hunk = Self { old: 1, new: 1, is_open: true, ..Self::default() };
        let Some((ranges, about)) = line[2..].split_once("@@") else { return hunk };
        hunk.about = clean_line(about.trim()).into_owned();
        let mut lefts = [0, 0];
        let mut known = 0;
        for range in ranges.split_whitespace() {
            let (at, sign) = match (range.strip_prefix('-'), range.strip_prefix('+')) {
                (Some(range), _) => (range, 0),
                (_, Some(range)) => (range, 1),
                _ => continue,
            };
            let (start, count) = at.split_once(',').unwrap_or((at, "1"));
            let (Ok(start), Ok(count)) = (start.parse(), count.parse()) else { continue };
            if sign == 0 {
                hunk.old = start;
            } else {
                hunk.new = start;
            }
            lefts[sign] = count;
            known += 1;
        }
        hunk.left = (known == 2).then_some((lefts[0], lefts[1]));
        hunk
    }

    fn is_open(&self) -> bool {
        self.is_open && self.left != Some((0, 0))
    }

    /// Takes a line of the hunk. False when it is none.
    fn take(&mut self, line: &str, file: &mut FileDiff) -> bool {
        let mut chars = line.chars();
        let sign = chars.next().unwrap_or(' ');
        let text = content(chars.as_str());
        let (old, new) = match sign {
            ' ' => (1, 1),
            '-' => (1, 0),
            '+' => (0, 1),
            '\\' => {
                file.lines.push(DiffLine::Note(NO_LINE_END.into()));
                return true;
            }
            _ => return false,
        };
        let line = match sign {
            ' ' => DiffLine::Context(self.new, text),
            '-' => DiffLine::Removed(self.old, text),
            _ => DiffLine::Added(self.new, text),
        };
        file.lines.push(line);
        file.removed += usize::from(sign == '-');
        file.added += usize::from(sign == '+');
        self.old = self.old.saturating_add(old);
        self.new = self.new.saturating_add(new);
        if let Some((old_left, new_left)) = &mut self.left {
            *old_left = old_left.saturating_sub(old);
            *new_left = new_left.saturating_sub(new);
        }
        true
    }
}

impl FileDiff {
    /// Columns before the text of a line.
    #[must_use]
    pub fn text_column(&self, numbers: bool) -> usize {
        let digits = self.lines.iter().map(number).max().unwrap_or(0).to_string().len();
        if numbers { digits + 2 } else { 1 }
    }

    /// `M src/a.rs  +3 −1`.
    #[must_use]
    pub fn heading(&self, look: &Look) -> Line {
        let mut line = Line::styled(format!("{} ", self.sign), look.style(Role::Accent));
        if let Some(old) = &self.old_path {
            line.push(format!("{old} → "), look.style(Role::Dim));
        }
        line.push(self.path.as_str(), look.style(Role::Strong));
        if self.added > 0 {
            line.push(format!("  +{}", grouped(self.added as u64)), look.style(Role::Added));
        }
        if self.removed > 0 {
            let room = if self.added > 0 { " " } else { "  " };
            line.push(
                format!("{room}−{}", grouped(self.removed as u64)),
                look.style(Role::Removed),
            );
        }
        line
    }

    /// Its lines as they are shown, unwrapped; with numbers if wanted.
    #[must_use]
    pub fn lines(&self, numbers: bool, look: &Look) -> Vec<Line> {
        let digits = self.lines.iter().map(number).max().unwrap_or(0).to_string().len();
        let mut out = Vec::with_capacity(self.lines.len());
        let mut at = 0;
        while at < self.lines.len() {
            let removed = run(&self.lines[at..], |line| matches!(line, DiffLine::Removed(..)));
            let rest = &self.lines[at + removed..];
            let added = run(rest, |line| matches!(line, DiffLine::Added(..)));
            let gutter = |line: &DiffLine| match number(line) {
                0 => String::new(),
                number if numbers => format!("{number:>digits$} "),
                _ => String::new(),
            };
            if removed + added == 0 {
                out.push(plain(&self.lines[at], &gutter(&self.lines[at]), look));
                at += 1;
                continue;
            }
            let pairs = if removed == added && removed <= WORDS_LINES_MAX { removed } else { 0 };
            let words: Vec<_> = (0..pairs)
                .map(|pair| words(text(&self.lines[at + pair]), text(&rest[pair])))
                .map(Option::unwrap_or_default)
                .collect();
            for (index, line) in self.lines[at..at + removed].iter().enumerate() {
                let differ = words.get(index).map_or(&[][..], |(old, _)| old);
                out.push(changed(line, differ, &gutter(line), look));
            }
            for (index, line) in rest[..added].iter().enumerate() {
                let differ = words.get(index).map_or(&[][..], |(_, new)| new);
                out.push(changed(line, differ, &gutter(line), look));
            }
            at += removed + added;
        }
        out
    }
}

fn run(lines: &[DiffLine], is: impl Fn(&DiffLine) -> bool) -> usize {
    lines.iter().take_while(|line| is(line)).count()
}

fn number(line: &DiffLine) -> u32 {
    match line {
        DiffLine::Added(number, _)
        | DiffLine::Context(number, _)
        | DiffLine::Removed(number, _) => *number,
        DiffLine::Hunk(_) | DiffLine::Note(_) => 0,
    }
}

fn text(line: &DiffLine) -> &str {
    match line {
        DiffLine::Added(_, text)
        | DiffLine::Context(_, text)
        | DiffLine::Removed(_, text)
        | DiffLine::Hunk(text)
        | DiffLine::Note(text) => text,
    }
}

fn plain(line: &DiffLine, gutter: &str, look: &Look) -> Line {
    let dim = look.style(Role::Dim);
    match line {
        DiffLine::Hunk(about) if about.is_empty() => Line::styled("⋯", dim),
        DiffLine::Hunk(about) => Line::styled(format!("⋯ {about}"), dim),
        DiffLine::Note(note) => Line::styled(note.as_str(), dim),
        _ => Line::styled(gutter, dim).with(format!(" {}", text(line)), look.style(Role::Plain)),
    }
}

fn changed(line: &DiffLine, differ: &[Range<usize>], gutter: &str, look: &Look) -> Line {
    let (sign, role, word) = match line {
        DiffLine::Added(..) => ("+", Role::Added, Role::AddedWord),
        _ => ("-", Role::Removed, Role::RemovedWord),
    };
    let text = text(line);
    let mut out = Line::styled(gutter, look.style(Role::Dim)).with(sign, look.style(role));
    push_marked(&mut out, text, differ, role, word, look);
    out
}

/// Appends a text with the ranges that differ in another role.
pub(crate) fn push_marked(
    line: &mut Line,
    text: &str,
    differ: &[Range<usize>],
    role: Role,
    word: Role,
    look: &Look,
) {
    let mut from = 0;
    for range in differ {
        line.push(&text[from..range.start], look.style(role));
        line.push(&text[range.clone()], look.style(word));
        from = range.end;
    }
    line.push(&text[from..], look.style(role));
}

/// Bytes of a line that differ, in order.
pub(crate) type Ranges = Vec<Range<usize>>;

/// Ranges of the words that differ, in the old and in the new line; `None` when the lines are too
/// long or have too little in common.
pub(crate) fn words(old: &str, new: &str) -> Option<(Ranges, Ranges)> {
    let mut ranges = (Vec::new(), Vec::new());
    if old.len().max(new.len()) > WORDS_BYTES_MAX {
        return None;
    }
    let diff = TextDiff::from_words(old, new);
    if diff.ratio() < WORDS_RATIO_MIN {
        return None;
    }
    let (mut old_at, mut new_at) = (0, 0);
    let join = |ranges: &mut Vec<Range<usize>>, range: Range<usize>| match ranges.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => ranges.push(range),
    };
    for change in diff.iter_all_changes() {
        let len = change.value().len();
        match change.tag() {
            ChangeTag::Equal => {
                old_at += len;
                new_at += len;
            }
            ChangeTag::Delete => {
                join(&mut ranges.0, old_at..old_at + len);
                old_at += len;
            }
            ChangeTag::Insert => {
                join(&mut ranges.1, new_at..new_at + len);
                new_at += len;
            }
        }
    }
    Some(ranges)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{setup::Colors, theme::Background};

    const SAMPLE: &str = "diff --git a/src/a.rs b/src/a.rs\nindex 1..2 100644\n--- a/src/a.rs\n\
        +++ b/src/a.rs\n@@ -3,3 +3,3 @@ fn main() {\n one\n-let a = 1;\n+let a = 2;\n two\n\
        diff --git a/new b/new\nnew file mode 100644\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n\
        +--- no header\n\\ No newline at end of file\n\
        diff --git a/p.png b/p.png\nBinary files a/p.png and b/p.png differ\n\
        diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n";

    #[test]
    fn files_and_their_lines_are_read() {
        let files = read(SAMPLE);
        let heads: Vec<_> = files
            .iter()
            .map(|file| (file.sign, file.path.as_str(), file.added, file.removed))
            .collect();
        let want =
            [('M', "src/a.rs", 1, 1), ('A', "new", 1, 0), ('M', "p.png", 0, 0), ('R', "y", 0, 0)];
        assert_eq!(heads, want);
        assert_eq!(files[0].lines[0], DiffLine::Hunk("fn main() {".into()));
        assert_eq!(files[0].lines[2], DiffLine::Removed(4, "let a = 1;".into()));
        assert_eq!(files[1].lines[0], DiffLine::Added(1, "--- no header".into()));
        assert_eq!(files[3].old_path.as_deref(), Some("x"));
    }

    #[test]
    fn what_is_no_text_is_told() {
        let lines = &read("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n")[0].lines;
        assert_eq!(lines.iter().filter(|line| text(line) == NO_LINE_END).count(), 2);
        let files = read(
            "diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n\
             diff --git a/p.png b/p.png\nBinary files a/p.png and b/p.png differ\n\
             diff --git \"a/a\\tb\" \"b/a\\tb\"\n--- \"a/a\\tb\"\n+++ \"b/a\\tb\"\n@@ -1 +1 @@\n-x\n+y\n",
        );
        assert_eq!(files[0].lines, [DiffLine::Note("mode 100644 \u{2192} 100755".into())]);
        assert_eq!(files[1].lines, [DiffLine::Note("binary".into())]);
        assert_eq!(files[2].path, "a\\tb");
    }

    #[test]
    fn returns_are_shown_where_they_differ() {
        let read = |text: &str| read(&format!("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n{text}"));
        let shown = |text: &str| -> Vec<String> {
            read(text)[0].lines.iter().map(|line| super::text(line).to_owned()).collect()
        };
        assert_eq!(shown(" a\r\n-b\r\n+b\n"), ["a", "b\u{240d}", "b"]);
        assert_eq!(shown(" a\r\n-b\r\n+c\r\n"), ["a", "b", "c"]);
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let line = format!("+{}\n", "x".repeat(LINE_BYTES_MAX + 1_000));
        let text = format!("--- a/x\n+++ b/x\n@@ -0,0 +1,60000 @@\n{}", line.repeat(2));
        let files = read(&text);
        let long = super::text(&files[0].lines[0]);
        assert!(long.ends_with("\u{2026} 1,001 more bytes"), "{}", &long[LINE_BYTES_MAX - 10..]);
        let text = format!("--- a/x\n+++ b/x\n@@ -0,0 +1,60000 @@\n{}", "+a\n".repeat(60_000));
        let files = read(&text);
        let last = files[0].lines.last();
        assert_eq!(last, Some(&DiffLine::Note("10,003 more lines are not shown".into())));
    }

    #[test]
    fn the_words_that_differ_are_marked() {
        let look = Look::new(None, Background::Dark, Colors::Sixteen);
        let lines = read(SAMPLE)[0].lines(true, &look);
        let marked = |line: &Line, role| {
            let style = look.style(role);
            let spans = line.spans.iter().filter(|span| span.style == style);
            spans.map(|span| span.text.clone()).collect::<String>()
        };
        assert_eq!(lines[2].text(), "4 -let a = 1;");
        assert_eq!(marked(&lines[2], Role::RemovedWord), "1;");
        assert_eq!(marked(&lines[3], Role::AddedWord), "2;");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(diff --git a/x b/x\n|--- a\n|\\+\\+\\+ b\n|@@ -[0-9],[0-9] \\+1 @@\n|[-+ \\\\a\u{4f60}]{0,6}\n)*") {
            let look = Look::new(None, Background::Dark, Colors::Sixteen);
            for file in read(&text) {
                prop_assert_eq!(file.lines(true, &look).len(), file.lines.len());
            }
        }
    }
}
