//! Rarer forms, and what is kept byte by byte.

use codex_proto::{
    item::FileChangeKind,
    patch::{Hunk, parse},
};

use super::{check, check_update, error_of, tree, wrap, write};

fn parse_error(text: &str) -> String {
    parse(text).expect_err("must not parse").to_string()
}

#[test]
fn both_markers_are_needed() {
    let first = "invalid patch: The first line of the patch must be '*** Begin Patch'";
    let last = "invalid patch: The last line of the patch must be '*** End Patch'";
    for (text, error) in [
        ("", first),
        ("hello", first),
        ("*** Add File: a\n+x\n*** End Patch", first),
        ("*** Begin Patch", last),
        ("*** Begin Patch\n*** Add File: a\n+x", last),
        ("*** Begin Patch\n*** Add File: a\n+x\n*** End Patch\nbye", last),
    ] {
        assert_eq!(parse_error(text), error, "{text}");
    }
}

#[test]
fn a_here_document_around_the_patch_is_taken_off() {
    for start in ["<<EOF", "<<'EOF'", "<<\"EOF\""] {
        let text = format!("{start}\n{}\nEOF", wrap("*** Add File: a\n+x"));
        assert_eq!(parse(&text).unwrap().hunks.len(), 1);
    }
    assert!(parse(&format!("<<END\n{}\nEND", wrap("*** Add File: a\n+x"))).is_err());
}

#[test]
fn a_patch_with_crlf_is_accepted() {
    let text =
        wrap("*** Update File: f\n@@\n a\n-b\n+c\n*** Add File: g\n+x").replace('\n', "\r\n");
    let (after, _) = write(&tree(&[("f", b"a\nb\n")]), &text);
    assert_eq!(after, tree(&[("f", b"a\nc\n"), ("g", b"x\n")]));
}

#[test]
fn new_lines_take_the_ending_of_those_they_replace() {
    check_update(b"a\r\nb\r\nc\r\n", "@@\n-b\n+B", b"a\r\nB\r\nc\r\n");
    check_update(b"a\r\nb\nc\n", "@@\n-a\n-b\n+A\n+B\n+C", b"A\r\nB\nC\nc\n");
    // Insertions: after the line before, else before the line after, else as most lines.
    check_update(b"a\r\nb\nc\n", "@@\n a\n+x\n b\n+y", b"a\r\nx\r\nb\ny\nc\n");
    check_update(b"a\r\nb\n", "@@\n+x\n a", b"x\r\na\r\nb\n");
    check_update(b"a\r\nb\r\nc", "@@\n-c\n+C\n+D", b"a\r\nb\r\nC\r\nD\r\n");
    check_update(b"a\r\nb\r\nc", "@@\n c\n+d", b"a\r\nb\r\nc\r\nd\r\n");
    check_update(b"a\r\nb\r\n", "@@\n+c", b"a\r\nb\r\nc\r\n");
}

#[test]
fn a_byte_order_mark_stays() {
    check_update(b"\xef\xbb\xbfa\nb\n", "@@\n-a\n+A", b"\xef\xbb\xbfA\nb\n");
    check_update(b"\xef\xbb\xbfa\nb\n", "@@\n a\n-b\n+B", b"\xef\xbb\xbfa\nB\n");
    let with_mark = "@@\n-\u{feff}a\n+\u{feff}A\n b";
    check_update(b"\xef\xbb\xbfa\nb\n", with_mark, b"\xef\xbb\xbfA\nb\n");
    check_update(b"\xef\xbb\xbfa\n", "@@\n-a", b"\xef\xbb\xbf");
}

#[test]
fn a_missing_final_newline_stays_missing_unless_the_last_line_changes() {
    check_update(b"a\nb\nc", "@@\n-a\n+A", b"A\nb\nc");
    check_update(b"a\nb\nc", "@@\n-b\n+B\n c", b"a\nB\nc");
    check_update(b"a\nb\nc", "@@\n b\n+x\n c", b"a\nb\nx\nc");
    check_update(b"a\nb\nc", "@@\n b\n-c", b"a\nb\n");
    check_update(b"a\nb", "@@\n a\n-b\n+B", b"a\nB\n");
    check_update(b"a\nb", "@@\n+c", b"a\nb\nc\n");
    // Taken out and put back is not changed.
    check_update(b"a\nb", "@@\n-a\n-b\n+A\n+b", b"A\nb");
}

#[test]
fn lines_matched_loosely_keep_their_bytes() {
    check_update(b"if x:  \n\tgo()\n", "@@\n if x:\n-    go()\n+\tstop()", b"if x:  \n\tstop()\n");
    check_update(b"a\t\r\nb\r\n", "@@\n a\n-b\n+c", b"a\t\r\nc\r\n");
    let dash = "x \u{2013} y\nq \u{201c}z\u{201d}\n";
    check_update(dash.as_bytes(), "@@\n x - y\n-q \"z\"\n+end", "x \u{2013} y\nend\n".as_bytes());
    // A whole block rewritten for one line.
    check_update(b"a \nb\r\nc  \n", "@@\n-a\n-b\n-c\n+a\n+B\n+c", b"a \nB\r\nc  \n");
}

#[test]
fn strict_matches_come_before_loose_ones() {
    check_update(b"  a\na\n", "@@\n-a\n+b", b"  a\nb\n");
}

#[test]
fn bytes_that_are_not_utf8_stay() {
    check_update(b"caf\xe9\nb\n", "@@\n-b\n+c", b"caf\xe9\nc\n");
    check_update(b"caf\xe9\nb\n", "@@\n caf\u{fffd}\n-b\n+c", b"caf\xe9\nc\n");
    let error = error_of(&[("f", b"caf\xe9\n")], "*** Update File: f\n@@\n+\u{e9}");
    assert!(error.contains("not UTF-8"), "{error}");
}

#[test]
fn the_first_chunk_needs_no_mark() {
    check_update(b"a\nb\n", " a\n-b\n+c", b"a\nc\n");
    check_update(b"a\nb\n", "\n a\n-b\n+c", b"a\nc\n");
    assert_eq!(
        parse_error(&wrap("*** Update File: f\n@@\n-a\n+b\nxfoo")),
        "invalid hunk at line 6, Expected update hunk to start with a @@ context marker, got: 'xfoo'"
    );
    for first in ["@@\nxfoo", "xfoo"] {
        let error = parse_error(&wrap(&format!("*** Update File: f\n{first}")));
        assert!(
            error.contains("Unexpected line found in update hunk: 'xfoo'. Every line"),
            "{error}"
        );
    }
    for none in ["@@", "@@\n*** End of File", "@@ x", "@@\n@@\n+a"] {
        let error = parse_error(&wrap(&format!("*** Update File: f\n{none}")));
        assert!(error.ends_with("Update hunk does not contain any lines"), "{error}");
    }
    for path in ["*** Add File:", "*** Delete File:  ", "*** Add File: a\0b"] {
        assert!(parse_error(&wrap(path)).ends_with("is not a path"));
    }
}

#[test]
fn a_context_line_moves_on_behind_itself() {
    let file = b"fn a\n  x\nfn b\n  x\n  y\nfn c\n  x\n";
    check_update(file, "@@ fn b\n-  x\n+  z", b"fn a\n  x\nfn b\n  z\n  y\nfn c\n  x\n");
    check_update(file, "@@ fn b\n@@   y\n-  x\n+  z", b"fn a\n  x\nfn b\n  x\n  y\nfn c\n  z\n");
    check_update(file, "@@ fn b\n+  w", b"fn a\n  x\nfn b\n  w\n  x\n  y\nfn c\n  x\n");
    check_update(
        file,
        "@@ fn b\n+  w\n*** End of File",
        b"fn a\n  x\nfn b\n  x\n  y\nfn c\n  x\n  w\n",
    );
    // The chunk may repeat the context line.
    check_update(file, "@@ fn b\n-fn b\n+fn B", b"fn a\n  x\nfn B\n  x\n  y\nfn c\n  x\n");
    check_update(file, "@@ fn b\n fn b\n-  x\n+  z", b"fn a\n  x\nfn b\n  z\n  y\nfn c\n  x\n");
}

#[test]
fn blank_lines_of_the_patch_are_layout_or_context() {
    check_update(b"a\n\nb\n", "@@\n a\n\n-b\n+c", b"a\n\nc\n");
    check_update(b"a\nb\nc\n", "@@\n-a\n+A\n\n@@\n-c\n+C\n\n\n", b"A\nb\nC\n");
    check_update(b"a\nb\n", "@@\n+c\n\n", b"a\nb\nc\n");
    check(
        &[("f", b"a\n")],
        "\n*** Add File: g\n+x\n\n*** Update File: f\n@@\n-a\n+b\n\n",
        &[("f", b"b\n"), ("g", b"x\n")],
        "A g\nM f\n",
    );
    // With a mark it is context.
    check_update(b"a\n\nb\n", "@@\n+c\n ", b"a\nc\n\nb\n");
    // At the end it may stand for the final newline.
    check_update(b"a\nb", "@@\n-b\n-\n+c", b"a\nc\n");
    check_update(b"a\nb\n", "@@\n b\n \n+c", b"a\nb\n\nc\n");
    let inside = "*** Update File: f\n@@\n-a\n-\n+c";
    assert!(error_of(&[("f", b"a\nb\n")], inside).contains("blank lines differ"));
}

#[test]
fn indented_markers_are_context() {
    check_update(b"*** Add File: x\na\n", "@@\n *** Add File: x\n-a\n+b", b"*** Add File: x\nb\n");
    let patch = parse(&wrap("*** Add File: f\n+*** End Patch\n+@@")).unwrap();
    let [Hunk::Add { content, .. }] = &patch.hunks[..] else { panic!("one file") };
    assert_eq!(content, "*** End Patch\n@@\n");
}

#[test]
fn duplicates_are_taken_in_order() {
    check_update(b"a\nx\na\nx\n", "@@\n-x\n+1", b"a\n1\na\nx\n");
    check_update(b"a\nx\na\nx\n", "@@\n-x\n+1\n@@\n-x\n+2", b"a\n1\na\n2\n");
    check_update(b"a\nx\na\nx\n", "@@\n-x\n+1\n*** End of File", b"a\nx\na\n1\n");
    // What goes to the end does not stand in the way of later chunks.
    check_update(b"a\nb\n", "@@\n+end\n@@\n-a\n+A", b"A\nb\nend\n");
    // The mark is a preference.
    check_update(b"x\nx\nb\n\n", "@@\n-x\n+1\n*** End of File", b"x\n1\nb\n\n");
}

#[test]
fn empty_files_and_contents_are_possible() {
    check(&[], "*** Add File: f", &[("f", b"")], "A f\n");
    check_update(b"", "@@\n+a", b"a\n");
    check_update(b"a\nb\n", "@@\n-a\n-b", b"");
}

#[test]
fn paths_are_resolved_lexically_and_shown_as_written() {
    check(
        &[],
        "*** Add File: /w/x/../a\n+1\n*** Add File: ./b/./c\n+2",
        &[("a", b"1\n"), ("b/c", b"2\n")],
        "A /w/x/../a\nA ./b/./c\n",
    );
    let patch =
        parse(&wrap("*** Delete File: ../../../a\n*** Update File: b\n*** Move to: /a")).unwrap();
    let paths = patch.paths("/w".as_ref());
    assert_eq!(paths, [std::path::Path::new("/a"), std::path::Path::new("/w/b")]);
}

#[test]
fn a_move_needs_no_chunks() {
    let applied = check(
        &[("a", b"\0binary")],
        "*** Update File: a\n*** Move to: b",
        &[("b", b"\0binary")],
        "M b\n",
    );
    assert_eq!(applied.changes[0].diff, "");
}

#[test]
fn a_move_onto_itself_is_an_update() {
    for to in ["a", "./a", "/w/x/../a"] {
        let applied = check(
            &[("a", b"1\n")],
            &format!("*** Update File: a\n*** Move to: {to}\n@@\n-1\n+2"),
            &[("a", b"2\n")],
            &format!("M {to}\n"),
        );
        assert_eq!(applied.writes[0].mode_from, None);
        assert_eq!(applied.changes[0].move_path, None);
    }
    let applied =
        check(&[("a", b"1\n")], "*** Update File: a\n*** Move to: a", &[("a", b"1\n")], "M a\n");
    assert!(applied.writes.is_empty());
}

#[test]
fn later_hunks_see_earlier_ones() {
    check(
        &[("f", b"1\n")],
        "*** Update File: f\n@@\n-1\n+2\n*** Update File: f\n@@\n-2\n+3",
        &[("f", b"3\n")],
        "M f\nM f\n",
    );
    let applied = check(
        &[],
        "*** Add File: f\n+1\n*** Update File: f\n@@\n-1\n+2",
        &[("f", b"2\n")],
        "A f\nM f\n",
    );
    assert_eq!(applied.changes[0].kind, FileChangeKind::Add);
    assert_eq!(applied.changes[0].diff, "2\n");
    check(&[], "*** Add File: f\n+1\n*** Delete File: f", &[], "A f\nD f\n");
    check(
        &[("f", b"1\n")],
        "*** Delete File: f\n*** Add File: f\n+2",
        &[("f", b"2\n")],
        "A f\nD f\n",
    );
    let error = error_of(&[("f", b"1\n")], "*** Delete File: f\n*** Update File: f\n@@\n-1\n+2");
    assert!(error.contains("there is no file /w/f"), "{error}");
}

#[test]
fn moves_may_be_chained_and_swapped() {
    let applied = check(
        &[("a", b"1\n")],
        "*** Update File: a\n*** Move to: b\n@@\n-1\n+2\n*** Update File: b\n*** Move to: c\n@@\n-2\n+3",
        &[("c", b"3\n")],
        "M b\nM c\n",
    );
    assert_eq!(applied.writes.len(), 2);
    assert_eq!(applied.writes[1].mode_from.as_deref(), Some("/w/a".as_ref()));
    let [change] = &applied.changes[..] else { panic!("one change") };
    assert_eq!(change.move_path.as_deref(), Some("/w/c".as_ref()));
    assert_eq!(change.diff, "@@ -1 +1 @@\n-1\n+3\n");
    let applied = check(
        &[("a", b"1\n"), ("b", b"2\n")],
        "*** Update File: a\n*** Move to: t\n*** Update File: b\n*** Move to: a\n\
         *** Update File: t\n*** Move to: b",
        &[("a", b"2\n"), ("b", b"1\n")],
        "M t\nM a\nM b\n",
    );
    assert_eq!(applied.changes.len(), 2);
    assert!(applied.changes.iter().all(|change| change.move_path.is_none()));
    assert_eq!(applied.changes[0].diff, "@@ -1 +1 @@\n-1\n+2\n");
    assert_eq!(applied.writes[0].mode_from.as_deref(), Some("/w/b".as_ref()));
    // There and back again is nothing.
    let applied = check(
        &[("a", b"1\n")],
        "*** Update File: a\n*** Move to: b\n*** Update File: b\n*** Move to: a",
        &[("a", b"1\n")],
        "M b\nM a\n",
    );
    assert!(applied.writes.is_empty());
}

#[test]
fn a_path_cannot_be_a_file_and_a_folder() {
    let error = error_of(&[("a", b"1\n")], "*** Update File: a\n@@\n-1\n+2\n*** Add File: a/b\n+x");
    assert!(error.starts_with("Failed to write file a: it would be a file"), "{error}");
    check(
        &[("a", b"1\n")],
        "*** Delete File: a\n*** Add File: a/b\n+x",
        &[("a/b", b"x\n")],
        "A a/b\nD a\n",
    );
}

#[test]
fn diffs_have_three_lines_around_and_no_header() {
    let file = b"1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    let hunks = "*** Update File: f\n@@\n-5\n+five";
    let after = b"1\n2\n3\n4\nfive\n6\n7\n8\n9\n";
    let applied = check(&[("f", file)], hunks, &[("f", after)], "M f\n");
    assert_eq!(applied.changes[0].diff, "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}
