//! Claims over random files and patches.

use std::{fmt::Write as _, time::Instant};

use codex_proto::patch::{Chunk, ChunkLine, Hunk, Patch, apply, parse};
use proptest::prelude::*;

use super::{Tree, tree, try_apply, wrap, write};

/// A line and its ending.
type Line = (String, &'static str);

fn lines() -> impl Strategy<Value = Vec<Line>> {
    // Few texts, so that duplicates and near misses are common.
    let text = prop_oneof![
        4 => "[a-d]{0,2}",
        1 => "[ \t]{0,2}[a-d][ \t]{0,2}",
        1 => "[\u{2013}\u{201c}\u{a0}é-]{1,2}",
    ];
    prop::collection::vec((text, prop::sample::select(vec!["\n", "\r\n"])), 0..20)
}

/// A file: lines, whether it begins with a mark, whether it lacks its final newline.
fn file() -> impl Strategy<Value = (Vec<Line>, bool, bool)> {
    (lines(), any::<bool>(), any::<bool>()).prop_map(|(mut lines, bom, open)| {
        // An unended empty line is no line.
        let open = open && lines.last().is_some_and(|(text, _)| !text.is_empty());
        if let Some(last) = lines.last_mut().filter(|_| open) {
            last.1 = "";
        }
        (lines, bom, open)
    })
}

fn bytes_of(lines: &[Line], bom: bool) -> Vec<u8> {
    let mark = if bom { "\u{feff}" } else { "" };
    let body: String = lines.iter().map(|(text, ending)| format!("{text}{ending}")).collect();
    format!("{mark}{body}").into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// One chunk over a random range, its context spoiled as models do: the bytes around the
    /// changed lines are those of the file, and so are the endings of the lines put in.
    #[test]
    fn prop_untouched_lines_are_byte_identical(
        (mut lines, bom, _) in file(),
        at in any::<prop::sample::Index>(),
        removed_count in 0..3usize,
        added in prop::collection::vec("[x-z]{1,3}", 0..3),
        spoil in any::<bool>(),
    ) {
        // Unique lines, so that there is one place.
        for (index, line) in lines.iter_mut().enumerate() {
            line.0 = format!("{}#{index}#", line.0);
        }
        let before = bytes_of(&lines, bom);
        let start = at.index(lines.len() + 1);
        let end = (start + removed_count).min(lines.len());
        let context = |line: &Line| {
            if spoil { format!("  {} ", line.0.trim()) } else { line.0.clone() }
        };
        let mut chunk = String::from("@@\n");
        let first = start.saturating_sub(2);
        for line in &lines[first..start] {
            let _ = writeln!(chunk, " {}", context(line));
        }
        for line in &lines[start..end] {
            let _ = writeln!(chunk, "-{}", context(line));
        }
        for text in &added {
            let _ = writeln!(chunk, "+{text}");
        }
        for line in lines[end..].iter().take(2) {
            let _ = writeln!(chunk, " {}", context(line));
        }
        prop_assume!(chunk.len() > 3);

        let crlf_count = lines.iter().filter(|line| line.1 == "\r\n").count();
        let lf_count = lines.iter().filter(|line| line.1 == "\n").count();
        let dominant = if crlf_count > lf_count { "\r\n" } else { "\n" };
        let whole = |ending: &'static str| if ending.is_empty() { dominant } else { ending };
        let mut expected = lines[..start].to_vec();
        for (index, text) in added.iter().enumerate() {
            let model = lines[start..end].get(index).or(lines[start..end].last());
            let model = model.or(start.checked_sub(1).map(|at| &lines[at])).or(lines.get(start));
            expected.push((text.clone(), model.map_or(dominant, |line| whole(line.1))));
        }
        expected.extend_from_slice(&lines[end..]);
        let last = expected.len().saturating_sub(1);
        for line in &mut expected[..last] {
            line.1 = whole(line.1);
        }
        let hunks = format!("*** Update File: f\n{chunk}");
        let (after, _) = write(&tree(&[("f", &before)]), &wrap(&hunks));
        let after = after[std::path::Path::new("/w/f")].escape_ascii().to_string();
        prop_assert_eq!(after, bytes_of(&expected, bom).escape_ascii().to_string(), "{}", hunks);
    }

    /// A patch made from the difference of two files turns the one into the other.
    #[test]
    fn prop_apply_of_generated_patch_gives_target(
        a in prop::collection::vec("[a-c]{0,1}", 0..25),
        b in prop::collection::vec("[a-c]{0,1}", 0..25),
    ) {
        let text = |lines: &[String]| lines.iter().map(|l| format!("{l}\n")).collect::<String>();
        let (before, after) = (text(&a), text(&b));
        prop_assume!(before != after);
        let mut chunk = String::from("@@\n");
        // The whole file as one chunk, so that duplicates cannot mislead.
        let diff = similar::TextDiff::from_lines(&before, &after);
        for change in diff.iter_all_changes() {
            let mark = match change.tag() {
                similar::ChangeTag::Equal => ' ',
                similar::ChangeTag::Delete => '-',
                similar::ChangeTag::Insert => '+',
            };
            let _ = write!(chunk, "{mark}{}", change.value());
        }
        let hunks = format!("*** Update File: f\n{}", chunk.trim_end_matches('\n'));
        let (found, applied) = write(&tree(&[("f", before.as_bytes())]), &wrap(&hunks));
        prop_assert_eq!(&found, &tree(&[("f", after.as_bytes())]), "{}", hunks);
        // What is shown is the same change.
        let shown = applied.changes[0].diff.lines().filter(|line| !line.starts_with("@@"));
        let removed = shown.clone().filter(|line| line.starts_with('-')).count();
        let added = shown.filter(|line| line.starts_with('+')).count();
        prop_assert_eq!(a.len() + added, b.len() + removed);
    }

    /// Several chunks with context, from the same difference, over lines that are all different.
    #[test]
    fn prop_chunks_of_a_difference_give_target(
        keep in prop::collection::vec(0..6u8, 1..60),
    ) {
        let mut before = String::new();
        let mut after = String::new();
        for (index, kind) in keep.iter().enumerate() {
            if *kind != 0 {
                let _ = writeln!(before, "line {index}");
            }
            match kind {
                1 => {}
                2 => { let _ = writeln!(after, "changed {index}"); }
                _ => { let _ = writeln!(after, "line {index}"); }
            }
        }
        let diff = similar::TextDiff::from_lines(&before, &after);
        let mut hunks = String::from("*** Update File: f\n");
        for hunk in diff.unified_diff().context_radius(1).iter_hunks() {
            hunks.push_str("@@\n");
            for change in hunk.iter_changes() {
                let mark = match change.tag() {
                    similar::ChangeTag::Equal => ' ',
                    similar::ChangeTag::Delete => '-',
                    similar::ChangeTag::Insert => '+',
                };
                let _ = write!(hunks, "{mark}{}", change.value());
            }
        }
        prop_assume!(before != after && !before.is_empty());
        let (found, _) = write(&tree(&[("f", before.as_bytes())]), &wrap(hunks.trim_end()));
        prop_assert_eq!(found, tree(&[("f", after.as_bytes())]), "{}", hunks);
    }

    #[test]
    fn prop_parse_is_total(
        body in "((\\*\\*\\* (Add File: |Update File: |Delete File: |Move to: |End of File|End Patch|\
                 Begin Patch)|@@ ?|[ +-]|<<EOF|EOF|[a-c]|\u{feff}|\r)?\n?){0,24}",
        wrapped in any::<bool>(),
    ) {
        let text = if wrapped { wrap(&body) } else { body };
        if let Err(error) = parse(&text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    /// Any chunks against any bytes: a result or an error with words, never a panic.
    #[test]
    fn prop_apply_is_total(
        file in prop_oneof![
            prop::collection::vec(prop::sample::select(b"ab \t\r\n\n\xc3\xa9\xff\0\xef\xbb\xbf".to_vec()), 0..40),
            file().prop_map(|(lines, bom, _)| bytes_of(&lines, bom)),
        ],
        chunks in prop::collection::vec(
            (
                prop::collection::vec("[ab ]{0,2}", 0..3),
                prop::collection::vec((0..3u8, "[ab\u{e9}\u{feff} ]{0,2}"), 1..6),
                any::<bool>(),
            ),
            1..4,
        ),
        move_to in prop::option::of("[ab/.]{1,3}"),
    ) {
        let chunks = chunks.into_iter().map(|(contexts, lines, at_end)| Chunk {
            contexts,
            lines: lines.into_iter().map(|(kind, text)| match kind {
                0 => ChunkLine::Add(text),
                1 => ChunkLine::Remove(text),
                _ => ChunkLine::Context(text),
            }).collect(),
            blank_tail: 0,
            at_end,
            line: 3,
        }).collect();
        let hunk = Hunk::Update {
            path: "a".into(),
            move_to: move_to.map(Into::into),
            chunks,
            line: 2,
        };
        let patch = Patch { hunks: vec![hunk] };
        let cwd = std::path::Path::new("/w");
        let files = patch.paths(cwd).into_iter().map(|path| (path, Some(file.clone()))).collect();
        if let Err(error) = apply(&patch, cwd, &files) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

/// Times a patch to one file `f`. In a debug build each takes well under a second; the bound is for
/// loaded machines, and anything quadratic takes minutes.
#[expect(clippy::disallowed_methods, reason = "the test measures real time")]
fn timed(file: String, chunks: &str, fits: bool) {
    let files: Tree = [("/w/f".into(), file.into_bytes())].into();
    let text = wrap(&format!("*** Update File: f\n{chunks}"));
    let start = Instant::now();
    assert_eq!(try_apply(&files, &text).is_ok(), fits);
    let took = start.elapsed();
    assert!(took.as_secs() < 120, "took {took:?}");
}

#[test]
fn large_files_take_time_in_proportion() {
    let distinct: String = (0..100_000).map(|index| format!("    line {index}\n")).collect();
    timed(distinct.clone(), "@@\n-    line 99999\n+x", true);
    timed(distinct.clone(), "@@\n-line 99990\n-line 99991\n+x", true);
    timed(distinct.clone(), "@@\n-line 50000\n-lime 50001\n-line 50002\n+x", false);
    timed(distinct, "@@\n-an altogether different line\n+x", false);
    // Every line the same, and a pattern that nearly fits everywhere.
    let same = "a\n".repeat(100_000);
    let pattern = format!("@@\n{}-b\n+x", " a\n".repeat(3000));
    timed(same.clone(), &pattern, false);
    let pattern = format!("@@\n{}-a\n+x\n*** End of File", " a\n".repeat(3000));
    timed(same.clone(), &pattern, true);
    // Everything replaced.
    let all: String = (0..100_000).map(|index| format!("-a\n+{index}\n")).collect();
    timed(same, &format!("@@\n{all}"), true);
    // Everything replaced, with lines that are everywhere in both.
    let mut state = 1_u32;
    let mut random = |count: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % count
    };
    let before: String = (0..30_000).map(|_| format!("{}\n", random(40))).collect();
    let mut chunk = String::from("@@\n");
    before.lines().for_each(|line| {
        let _ = writeln!(chunk, "-{line}");
    });
    (0..30_000).for_each(|_| {
        let _ = writeln!(chunk, "+{}", random(40));
    });
    timed(before, &chunk, true);
    // Many loose chunks.
    let mut chunks = String::new();
    for index in (0..100_000).step_by(100) {
        let _ = writeln!(chunks, "@@\n-line {index} \n+x");
    }
    let indented: String = (0..100_000).map(|index| format!("    line {index}\n")).collect();
    timed(indented, &chunks, true);
}
