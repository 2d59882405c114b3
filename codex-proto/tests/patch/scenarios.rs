//! What existing patches rely on: one test per known scenario.

use codex_proto::patch::parse;

use super::{CWD, check, check_update, error_of, tree, try_apply, wrap, write};

#[test]
fn a_file_is_added() {
    check(&[], "*** Add File: bar.md\n+a\n+b", &[("bar.md", b"a\nb\n")], "A bar.md\n");
}

#[test]
fn operations_are_combined_and_listed_by_kind() {
    check(
        &[("modify.txt", b"line1\nline2\n"), ("delete.txt", b"obsolete\n")],
        "*** Add File: nested/new.txt\n+created\n*** Delete File: delete.txt\n\
         *** Update File: modify.txt\n@@\n-line2\n+changed",
        &[("modify.txt", b"line1\nchanged\n"), ("nested/new.txt", b"created\n")],
        "A nested/new.txt\nM modify.txt\nD delete.txt\n",
    );
}

#[test]
fn chunks_of_one_file_are_applied_in_order() {
    check_update(b"1\n2\n3\n4\n", "@@\n-2\n+two\n@@\n-4\n+four", b"1\ntwo\n3\nfour\n");
}

#[test]
fn a_file_is_moved_to_a_new_folder() {
    let applied = check(
        &[("old/name.txt", b"old content\n"), ("old/other.txt", b"x\n")],
        "*** Update File: old/name.txt\n*** Move to: renamed/dir/name.txt\n@@\n-old content\n\
         +new content",
        &[("old/other.txt", b"x\n"), ("renamed/dir/name.txt", b"new content\n")],
        "M renamed/dir/name.txt\n",
    );
    let [change] = &applied.changes[..] else { panic!("one change") };
    assert!(change.path.ends_with("old/name.txt"));
    assert!(change.move_path.as_ref().is_some_and(|path| path.ends_with("renamed/dir/name.txt")));
    let moved = applied.writes.iter().find(|write| write.after.is_some()).unwrap();
    assert!(moved.mode_from.as_ref().is_some_and(|path| path.ends_with("old/name.txt")));
}

#[test]
fn an_empty_patch_is_an_error() {
    let error = try_apply(&tree(&[]), "*** Begin Patch\n*** End Patch").unwrap_err();
    assert_eq!(error.to_string(), "No files were modified.");
}

#[test]
fn a_missing_line_is_an_error() {
    let error = error_of(&[("f", b"line1\n")], "*** Update File: f\n@@\n-missing\n+x");
    assert!(error.starts_with("Failed to find expected lines in f:\nmissing\n"), "{error}");
}

#[test]
fn deleting_no_file_is_an_error() {
    let error = error_of(&[], "*** Delete File: f");
    assert!(error.starts_with("Failed to delete file f: there is no file /w/f"), "{error}");
}

#[test]
fn an_update_without_chunks_is_an_error() {
    let error = parse(&wrap("*** Update File: foo.txt")).unwrap_err().to_string();
    assert_eq!(error, "invalid hunk at line 2, Update file hunk for path 'foo.txt' is empty");
}

#[test]
fn updating_no_file_is_an_error() {
    let error = error_of(&[], "*** Update File: f\n@@\n-a\n+b");
    assert!(error.starts_with("Failed to read file to update f: there is no file /w/f"), "{error}");
}

#[test]
fn a_move_replaces_what_is_there() {
    let applied = check(
        &[("a", b"from\n"), ("b", b"existing\n")],
        "*** Update File: a\n*** Move to: b\n@@\n-from\n+new",
        &[("b", b"new\n")],
        "M b\n",
    );
    assert_eq!(applied.changes.len(), 1);
}

#[test]
fn adding_replaces_what_is_there() {
    check(&[("f", b"old\r\n")], "*** Add File: f\n+new", &[("f", b"new\n")], "A f\n");
}

#[test]
fn a_folder_cannot_be_deleted() {
    let patch = parse(&wrap("*** Delete File: dir")).unwrap();
    let error = codex_proto::patch::ApplyError::unreadable(
        &patch,
        CWD.as_ref(),
        "/w/dir".as_ref(),
        "it is a folder",
    );
    assert!(error.to_string().starts_with("Failed to delete file dir: it is a folder"));
}

#[test]
fn an_unknown_header_is_an_error() {
    let error = parse(&wrap("*** Frobnicate File: foo")).unwrap_err().to_string();
    assert_eq!(
        error,
        "invalid hunk at line 2, '*** Frobnicate File: foo' is not a valid hunk header. Valid hunk \
         headers: '*** Add File: {path}', '*** Delete File: {path}', '*** Update File: {path}'"
    );
}

#[test]
fn a_replaced_last_line_gets_its_newline() {
    check_update(b"no newline", "@@\n-no newline\n+first\n+second", b"first\nsecond\n");
}

/// Recorded behaviour kept the added file; here nothing is written when anything fails.
#[test]
fn a_later_failure_leaves_everything_alone() {
    let error = error_of(&[], "*** Add File: new\n+x\n*** Update File: missing\n@@\n-a\n+b");
    assert!(error.contains("missing"), "{error}");
}

#[test]
fn added_lines_alone_go_to_the_end() {
    check_update(b"a\nb\n", "@@\n+c\n+d", b"a\nb\nc\nd\n");
}

#[test]
fn headers_may_be_indented() {
    check(&[("f", b"old\n")], "  *** Update File: f\n@@\n-old\n+new", &[("f", b"new\n")], "M f\n");
}

#[test]
fn markers_may_have_white_space_around() {
    for (begin, end) in [
        (" *** Begin Patch", "*** End Patch "),
        ("*** Begin Patch ", " *** End Patch"),
        ("\n\n*** Begin Patch\t", "*** End Patch\n\n"),
    ] {
        let text = format!("{begin}\n*** Update File: f\n@@\n-one\n+two\n{end}");
        let (after, _) = write(&tree(&[("f", b"one\n")]), &text);
        assert_eq!(after, tree(&[("f", b"two\n")]));
    }
}

#[test]
fn lines_beyond_ascii_are_changed() {
    check_update(
        "naïve café\nαβγ\n".as_bytes(),
        "@@\n-naïve café\n+naïve café ✅\n αβγ",
        "naïve café ✅\nαβγ\n".as_bytes(),
    );
}

#[test]
fn a_file_is_deleted_and_others_stay() {
    let applied = check(
        &[("keep", b"k\n"), ("obsolete", b"o\n")],
        "*** Delete File: obsolete",
        &[("keep", b"k\n")],
        "D obsolete\n",
    );
    assert_eq!(applied.changes[0].diff, "o\n");
}

#[test]
fn a_chunk_may_only_remove() {
    check_update(b"1\n2\n3\n", "@@\n 1\n-2\n 3", b"1\n3\n");
}

#[test]
fn the_end_of_the_file_may_be_marked() {
    check_update(
        b"first\nsecond\n",
        "@@\n first\n-second\n+changed\n*** End of File",
        b"first\nchanged\n",
    );
}
