use std::{cell::RefCell, fs};

use super::*;

fn thread(n: u128) -> ThreadId {
    ThreadId(uuid::Uuid::from_u128(n))
}

fn lines(thread: ThreadId, path: &Path, text: &str) -> Append {
    Append { thread, path: path.to_owned(), bytes: text.as_bytes().to_vec(), sync: true }
}

fn run(appender: &Appender, append: &Append) -> Result<(), HostError> {
    let mut replies = Vec::new();
    appender.execute(append, &mut |reply| {
        replies.push(reply);
        true
    });
    match <[Reply; 1]>::try_from(replies).unwrap() {
        [Reply::Closed] => Ok(()),
        [Reply::Failed(error)] => Err(error),
        other => panic!("{other:?}"),
    }
}

#[test]
fn folders_and_file_are_created_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions/2026/01/02/rollout.jsonl");
    let appender = Appender::default();
    run(&appender, &lines(thread(1), &path, "a\n")).unwrap();
    run(&appender, &lines(thread(1), &path, "b\nc\n")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\nc\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let folder = fs::metadata(dir.path().join("sessions")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
}

#[test]
fn an_unfinished_last_line_is_ended_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.jsonl");
    fs::write(&path, "whole\n{\"torn").unwrap();
    let appender = Appender::default();
    run(&appender, &lines(thread(1), &path, "next\n")).unwrap();
    run(&appender, &lines(thread(1), &path, "last\n")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "whole\n{\"torn\nnext\nlast\n");
}

#[test]
fn a_second_writer_is_told_who_has_the_thread() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.jsonl");
    let (first, second) = (Appender::default(), Appender::default());
    run(&first, &lines(thread(1), &path, "a\n")).unwrap();
    let error = run(&second, &lines(thread(1), &path, "b\n")).unwrap_err();
    assert_is_open(&error);
    first.release(thread(1), &path);
    run(&second, &lines(thread(1), &path, "b\n")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\n");
}

#[test]
fn an_append_of_nothing_takes_the_lock_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.jsonl");
    fs::write(&path, "whole\n{\"torn").unwrap();
    let (first, second) = (Appender::default(), Appender::default());
    run(&first, &lines(thread(1), &path, "")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "whole\n{\"torn");
    for text in ["", "b\n"] {
        let error = run(&second, &lines(thread(1), &path, text)).unwrap_err();
        assert_is_open(&error);
    }
}

/// Which process has it is the kernel's to say, and it may not: its list is cut, and tells files
/// apart by a number that another file system may have given too.
#[track_caller]
fn assert_is_open(error: &HostError) {
    let owner = error.message.strip_prefix("it is open in ");
    assert!(owner.is_some_and(|owner| owner.contains("process")), "{error}");
    assert_eq!(error.kind, HostErrorKind::InUse);
}

#[test]
fn the_owner_of_a_lock_is_found_in_the_table() {
    let table = "\
        1: POSIX  ADVISORY  WRITE 11 fe:01:77 0 EOF\n\
        2: FLOCK  ADVISORY  WRITE 12 fe:01:777 0 EOF\n\
        2: -> FLOCK  ADVISORY  WRITE 13 fe:01:77 0 EOF\n\
        3: FLOCK  ADVISORY  WRITE 14 fe:01:77 0 EOF\n\
        4: FLOCK  ADVISO";
    assert_eq!(owner_in(table, 77), Some(14));
    assert_eq!(owner_in(table, 777), Some(12));
    assert_eq!(owner_in(table, 7), None);
}

#[test]
fn what_is_claimed_is_there_and_belongs_to_the_thread_that_writes_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.jsonl");
    let (first, second) = (Appender::default(), Appender::default());
    let error = run(&first, &lines(thread(1), &path, "")).unwrap_err();
    assert_eq!((error.kind, path.exists()), (HostErrorKind::NotFound, false));
    fs::write(&path, "a\n").unwrap();
    // Who resumes a thread claims its rollout before it knows its id.
    run(&first, &lines(thread(1), &path, "")).unwrap();
    run(&first, &lines(thread(2), &path, "b\n")).unwrap();
    first.release(thread(1), &path);
    run(&second, &lines(thread(3), &path, "c\n")).unwrap_err();
    first.release(thread(2), &path);
    run(&second, &lines(thread(3), &path, "c\n")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\nc\n");
}

#[test]
fn a_process_has_any_number_of_rollouts() {
    let dir = tempfile::tempdir().unwrap();
    let (appender, other) = (Appender::default(), Appender::default());
    for round in 0..3 {
        for n in 0..40 {
            let path = dir.path().join(format!("{n}"));
            run(&appender, &lines(thread(n), &path, &format!("{round}\n"))).unwrap();
            run(&other, &lines(thread(n), &path, "x\n")).unwrap_err();
        }
    }
    for n in 0..40 {
        assert_eq!(fs::read_to_string(dir.path().join(format!("{n}"))).unwrap(), "0\n1\n2\n");
    }
}

#[test]
fn a_released_rollout_is_free_though_a_child_has_its_descriptor() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.jsonl");
    let (first, second) = (Appender::default(), Appender::default());
    run(&first, &lines(thread(1), &path, "a\n")).unwrap();
    let of_child = lock(&first.open)[0].1.file.try_clone().unwrap();
    first.release(thread(1), &path);
    run(&second, &lines(thread(1), &path, "b\n")).unwrap();
    drop(of_child);
}

#[test]
fn a_removed_transcript_is_reported_not_started_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.jsonl");
    let appender = Appender::default();
    run(&appender, &lines(thread(1), &path, "a\n")).unwrap();
    fs::remove_file(&path).unwrap();
    let error = run(&appender, &lines(thread(1), &path, "b\n")).unwrap_err();
    assert_eq!(error.kind, HostErrorKind::NotFound);
    assert!(!path.exists());
}

#[test]
fn what_is_no_file_is_refused_without_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, 0o600.into(), 0).unwrap();
    let appender = Appender::default();
    for path in [&fifo, dir.path(), Path::new("/dev/null"), Path::new("/dev/full")] {
        assert!(run(&appender, &lines(thread(1), path, "a\n")).is_err(), "{}", path.display());
    }
}

/// A disk that holds `room` bytes more, writes at most `step` at once, and interrupts at first.
struct SmallDisk {
    content: RefCell<Vec<u8>>,
    room: usize,
    step: usize,
    calls: RefCell<usize>,
    can_truncate: bool,
}

impl Sink for SmallDisk {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        *self.calls.borrow_mut() += 1;
        if *self.calls.borrow() == 1 {
            return Err(io::Error::from_raw_os_error(Errno::INTR.raw_os_error()));
        }
        let mut content = self.content.borrow_mut();
        let count = bytes.len().min(self.step).min(self.room - content.len());
        if count == 0 {
            return Err(io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error()));
        }
        content.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        if !self.can_truncate {
            return Err(io::Error::from_raw_os_error(Errno::IO.raw_os_error()));
        }
        self.content.borrow_mut().truncate(usize::try_from(size).unwrap());
        Ok(())
    }
}

#[test]
fn a_cut_append_is_taken_back() {
    for room in 4..=16 {
        for step in [1, 3, 100] {
            let disk = SmallDisk {
                content: b"old\n".to_vec().into(),
                room,
                step,
                calls: 0.into(),
                can_truncate: true,
            };
            let outcome = write_whole(&disk, 4, &[b"0123456789\n"]);
            let fits = room >= 15;
            assert_eq!(outcome.error.is_none(), fits, "{room} {step}");
            assert!(!outcome.torn);
            let want: &[u8] = if fits { b"old\n0123456789\n" } else { b"old\n" };
            assert_eq!(*disk.content.borrow(), want);
            if let Some(error) = outcome.error {
                assert_eq!(fail::kind(&error), HostErrorKind::DiskFull);
            }
        }
    }
}

#[test]
fn a_line_that_cannot_be_taken_back_is_remembered() {
    let content = b"old\n".to_vec().into();
    let disk = SmallDisk { content, room: 6, step: 9, calls: 0.into(), can_truncate: false };
    assert!(write_whole(&disk, 4, &[b"0123456789\n"]).torn);
    // And so is one that was unfinished before: nothing of the repair was written.
    let content = b"old".to_vec().into();
    let disk = SmallDisk { content, room: 3, step: 9, calls: 0.into(), can_truncate: true };
    assert!(write_whole(&disk, 3, &[b"\n", b"x\n"]).torn);
}
