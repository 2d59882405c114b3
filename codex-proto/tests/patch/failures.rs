//! What a failure says: the known first sentence, where, why, and what comes nearest.

use std::fmt::Write as _;

use codex_proto::patch::{ApplyErrorKind, Cause, FILE_BYTES_MAX};

use super::{Tree, error_of, tree, try_apply, wrap};

/// The cause for one file `f` and chunks.
fn cause_of(file: &[u8], chunks: &str) -> Cause {
    let text = wrap(&format!("*** Update File: f\n{chunks}"));
    match try_apply(&tree(&[("f", file)]), &text).expect_err("must not apply").kind {
        ApplyErrorKind::LinesNotFound { cause, .. }
        | ApplyErrorKind::ContextNotFound { cause, .. } => *cause,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_text_says_what_where_and_why() {
    let file = b"fn main() {\n    let x = 1;\n    go(x);\n}\n";
    assert_eq!(
        error_of(
            &[("src/a.rs", file)],
            "*** Update File: src/a.rs\n@@\n fn main() {\n-    let x = 2;\n+    let x = 3;\n     go(x);"
        ),
        "Failed to find expected lines in src/a.rs:\nfn main() {\n    let x = 2;\n    go(x);\n\
         Where: chunk 1 of this file, line 3 of the patch.\n\
         Why: stale: the nearest place is lines 1-3, where 2 of 3 lines agree. The first \
         difference is at line 2:\n  expected:     let x = 2;\n  found:        let x = 1;"
    );
    let error = error_of(&[("f", b"a\n")], "*** Update File: f\n@@ nope\n-a\n+b");
    assert!(error.starts_with("Failed to find context 'nope' in f\nWhere: chunk 1"), "{error}");
}

#[test]
fn lines_before_the_search_are_moved_lines() {
    let file = b"a\nb\nc\nd\n";
    let moved = Cause::Moved { line: 2, from: 5 };
    assert_eq!(cause_of(file, "@@\n-d\n+D\n@@\n-b\n+B"), moved);
    assert_eq!(cause_of(file, "@@ c\n-b\n+B"), Cause::Moved { line: 2, from: 4 });
    assert_eq!(cause_of(file, "@@\n-d\n+D\n@@ b\n+B"), moved);
}

#[test]
fn white_space_inside_lines_is_named() {
    let cause = cause_of(b"x\nfoo( a,b )\n", "@@\n x\n-foo(a, b)\n+bar");
    let Cause::Whitespace { line, expected, found } = &cause else { panic!("{cause:?}") };
    assert_eq!((*line, expected.as_str(), found.as_str()), (2, "foo(a, b)", "foo( a,b )"));
    assert!(cause_of(b"a\tb\n", "@@\n-a b\n+c").to_string().contains("found:    a\\tb"));
}

#[test]
fn blank_lines_are_named() {
    assert_eq!(cause_of(b"q\na\n\nb\n", "@@\n a\n-b\n+c"), Cause::BlankLines { line: 2 });
    assert_eq!(cause_of(b"q\na\nb\n", "@@\n a\n\n-b\n+c"), Cause::BlankLines { line: 2 });
}

#[test]
fn line_endings_of_old_are_named() {
    assert_eq!(cause_of(b"a\rb\rc", "@@\n-b\n+c"), Cause::CarriageReturns);
}

#[test]
fn a_patch_applied_twice_is_named() {
    assert_eq!(cause_of(b"a\nB\nc\n", "@@\n a\n-b\n+B\n c"), Cause::AlreadyApplied { line: 1 });
}

#[test]
fn stale_lines_show_the_nearest_place() {
    let cause = cause_of(b"one\ntwo\nthree\nfour\n", "@@\n one\n two\n-3\n+x\n four");
    let nearest = Cause::Stale {
        first: 1,
        last: 4,
        matching: 3,
        of: 4,
        line: 3,
        expected: "3".into(),
        found: Some("three".into()),
    };
    assert_eq!(cause, nearest);
    let Cause::Stale { line, matching, .. } =
        cause_of(b"a\nlet count = 11;\nb\n", "@@\n-let count = 12;\n+x")
    else {
        panic!("one line is like it")
    };
    assert_eq!((line, matching), (2, 0));
    let Cause::Stale { line: 3, found: None, last: 2, .. } = cause_of(b"a\nb\n", "@@\n b\n-c\n+d")
    else {
        panic!("the file ends early")
    };
    assert_eq!(cause_of(b"a\n", "@@\n-zebra\n+x"), Cause::Absent);
    assert_eq!(cause_of(b"", "@@\n-a\n+x"), Cause::EmptyFile);
}

#[test]
fn context_lines_have_causes_of_their_own() {
    let part = Cause::PartOfLine { line: 1, found: "def go(self):".into() };
    assert_eq!(cause_of(b"def go(self):\n  x\n", "@@ def go\n-  x\n+  y"), part);
    assert_eq!(cause_of(b"a\nb\n", "@@ -1,2 +1,2 @@\n-a\n+b"), Cause::UnifiedHeader);
}

#[test]
fn files_that_are_not_text_are_named() {
    let update = "*** Update File: f\n@@\n-a\n+b";
    assert!(error_of(&[("f", b"a\n\0")], update).contains("it is a binary file"));
    assert!(error_of(&[("f", b"\xff\xfea\0\n\0")], update).contains("it is UTF-16"));
}

#[test]
fn too_large_files_are_named() {
    let size = usize::try_from(FILE_BYTES_MAX).unwrap() + 1;
    let mut files = Tree::new();
    files.insert("/w/f".into(), vec![b'\n'; size]);
    let error = try_apply(&files, &wrap("*** Delete File: f")).unwrap_err().to_string();
    assert!(error.contains(&size.to_string()), "{error}");
}

#[test]
fn long_errors_are_cut_with_counts() {
    let mut chunk = String::from("@@\n");
    for index in 0..100 {
        let _ = writeln!(chunk, "-{index}{}", "y".repeat(1000));
    }
    let error = error_of(&[("f", b"a\n")], &format!("*** Update File: f\n{chunk}"));
    assert!(error.len() < 10_000 && error.contains("[60 more lines]"), "{error}");
    assert!(error.contains("more bytes]"), "{error}");
}
