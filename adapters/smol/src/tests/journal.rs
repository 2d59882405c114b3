use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use codex_engine::journal::{BYTES_MAX, JournalErrorKind, Reader, Recorder};
use codex_proto::{
    Settings,
    journal::{Entry, GapCause, Outcome},
};

use super::*;
use crate::journal::BEHIND_BYTES_MAX;

const SEED: [u8; 16] = [1; 16];

fn settings() -> Settings {
    Settings::sample("/w".into())
}

fn create(path: &Path) -> Result<Journal, String> {
    Journal::create(path, &settings(), SEED).map_err(|error| error.message)
}

fn to(writer: impl Write + Send + 'static) -> Journal {
    let recorder = Recorder::new(&settings(), SEED, "0.1.0", BYTES_MAX).unwrap();
    Journal::to("/j".into(), recorder, Box::new(writer))
}

/// Echoes each op as a warning.
fn echo(_: Now, input: &Input, out: &mut VecDeque<Output>) {
    if let Input::Op(id, _) = input {
        out.push_back(warning(&id.0.to_string()));
    }
}

fn entries(path: &Path) -> Vec<Entry> {
    let text = fs::read(path).unwrap();
    Reader::open(&text).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn every_input_is_in_the_file_when_the_host_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j");
    let World { host, ops, events, .. } = world_with(Some(create(&path).unwrap()), echo);
    let front = async {
        for id in 1..=200 {
            ops.send(OpId(id), Op::StartThread).await.unwrap();
        }
        ops.close();
        while events.recv().await.is_ok() {}
    };
    let (ran, ()) = run(host, front);
    assert_eq!(ran, Ok(()));
    let inputs: Vec<Input> = entries(&path).into_iter().map(|entry| entry.input).collect();
    let want: Vec<Input> = (1..=200).map(|id| Input::Op(OpId(id), Op::StartThread)).collect();
    assert_eq!(inputs, want);
}

#[test]
fn the_input_of_a_panic_is_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j");
    let World { host, ops, .. } = world_with(Some(create(&path).unwrap()), |_, input, _| {
        assert!(!matches!(input, Input::Op(OpId(2), _)), "a bug");
    });
    let front = async {
        ops.send(OpId(1), Op::StartThread).await.unwrap();
        ops.send(OpId(2), Op::StartThread).await.unwrap();
    };
    let (ran, ()) = run(host, front);
    assert_eq!(ran, Err(Crashed { message: "a bug".into() }));
    let entries = entries(&path);
    assert_eq!(entries.len(), 2);
    assert!(matches!(entries[0].outcome, Outcome::Outputs(_)));
    assert_eq!(entries[1].outcome, Outcome::Panic("a bug".into()));
    assert_eq!(entries[1].input, Input::Op(OpId(2), Op::StartThread));
}

/// Takes nothing.
struct Full(Sender<()>);

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.0.send(()).unwrap();
        Err(io::ErrorKind::StorageFull.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_write_that_fails_is_told_once_and_the_run_goes_on() {
    let (sender, writes) = channel();
    let World { host, ops, events, .. } = world_with(Some(to(Full(sender))), echo);
    let front = async {
        ops.send(OpId(1), Op::StartThread).await.unwrap();
        smol::unblock(move || writes.recv().unwrap()).await;
        // The loop learns of it when it next has nothing to do.
        let mut told = Vec::new();
        for id in 2.. {
            ops.send(OpId(id), Op::StartThread).await.unwrap();
            let Event::Warning { message, .. } = events.recv().await.unwrap() else { panic!() };
            let is_problem = message.starts_with("the journal /j is not complete: ");
            told.push(message);
            if is_problem {
                break;
            }
        }
        ops.send(OpId(0), Op::StartThread).await.unwrap();
        ops.close();
        while let Ok(Event::Warning { message, .. }) = events.recv().await {
            told.push(message);
        }
        told
    };
    let (ran, told) = run(host, front);
    assert_eq!(ran, Ok(()));
    assert_eq!(told.iter().filter(|message| message.starts_with("the journal")).count(), 1);
    assert_eq!(told.last().map(String::as_str), Some("0"));
}

/// A disk that takes nothing until the gate opens.
struct Slow {
    gate: Receiver<()>,
    to: Arc<Mutex<Vec<u8>>>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A closed gate is an open one.
        let _ = self.gate.recv();
        self.to.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_is_too_slow_leaves_a_stated_gap() {
    let (opener, gate) = channel();
    let file = Arc::<Mutex<Vec<u8>>>::default();
    let journal = to(Slow { gate, to: Arc::clone(&file) });
    let World { host, ops, events, log, .. } =
        world_with(Some(journal), |_, input, out| match input {
            Input::Op(..) => out.push_back(http(1)),
            Input::Reply(_, Reply::Closed) => out.push_back(warning("all")),
            Input::Reply(..) | Input::Wake => {}
        });
    let front = async {
        ops.send(OpId(1), Op::StartThread).await.unwrap();
        while log.all().is_empty() {
            smol::future::yield_now().await;
        }
        let replies = log.replies(0);
        replies.send(Reply::Opened).await.unwrap();
        replies.send(Reply::Head(Box::default())).await.unwrap();
        for _ in 0..=BEHIND_BYTES_MAX >> 19 {
            replies.send(Reply::Bytes(vec![b'a'; 1 << 20])).await.unwrap();
        }
        replies.send(Reply::Closed).await.unwrap();
        drop(replies);
        events.recv().await.unwrap();
        drop(opener);
        ops.close();
    };
    let (ran, ()) = run(host, front);
    assert_eq!(ran, Ok(()));
    let text = file.lock().unwrap();
    let last = Reader::open(&text).unwrap().last().unwrap();
    let JournalErrorKind::Gap { gap, inputs: Some(inputs) } = last.unwrap_err().kind else {
        panic!("no gap")
    };
    assert!(matches!(gap.cause, GapCause::Behind { bytes } if bytes as usize > BEHIND_BYTES_MAX));
    assert!(gap.after < inputs, "{gap:?} {inputs}");
    assert!(text.len() < BEHIND_BYTES_MAX * 2);
}

#[test]
fn a_journal_is_created_for_its_owner_alone_and_replaces_a_journal_only() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let text = |name: &str| fs::read_to_string(at(name)).unwrap();
    let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
    fs::write(at("other"), "dear diary").unwrap();
    fs::write(at("short"), "{").unwrap();
    fs::write(at("old"), "{\"journal\":1} and more").unwrap();
    fs::set_permissions(at("old"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(at("empty"), "").unwrap();
    symlink(at("old"), at("link")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    for (name, words) in [
        ("other", "is no journal; name another one"),
        ("short", "is no journal; name another one"),
        ("link", "it is a symbolic link"),
        ("folder", "directory"),
        ("missing/j", "No such file"),
    ] {
        let error = create(&at(name)).unwrap_err();
        assert!(error.starts_with("cannot write the journal /"), "{error}");
        assert!(error.contains(words), "{name}: {error}");
    }
    assert_eq!((text("other"), text("short")), ("dear diary".into(), "{".into()));
    assert_eq!(text("old"), "{\"journal\":1} and more");
    for name in ["new", "empty", "old"] {
        let journal = create(&at(name)).unwrap();
        let error = create(&at(name)).unwrap_err();
        assert!(error.contains("another process is writing it"), "{name}: {error}");
        drop(journal);
        assert_eq!(text(name), "", "{name}");
    }
    assert_eq!((mode("new"), mode("old")), (0o600, 0o600));
    assert_eq!(mode("other"), mode("short"));
}
