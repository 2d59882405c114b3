//! The journal of a host: what the engine is told goes into a file.
//!
//! Lines collect while the loop works. Some time after the first, or when they are many, a thread of
//! the blocking pool writes them, one batch at a time; the loop never waits for the disk. When too
//! much waits, the journal states a gap and ends. A file that cannot be created is an
//! error before anything runs; a write that fails later ends the journal, is told once, and the
//! run goes on. The lines are in [`codex_proto::journal`].
//!
//! ```text
//! Idle    --first line--> Collecting
//! Collecting --time has passed, or many lines--> Writing
//! Writing --written--> Idle
//! Writing --failed--> Failed      told once
//! any     --end of the run--> Writing --> (closed)
//! ```

use std::{
    fmt,
    fs::{File, OpenOptions, Permissions, TryLockError},
    io::{self, Read as _, Write},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use codex_engine::journal::{BYTES_MAX, Recorder};
use codex_proto::{HostError, HostErrorKind, Input, Now, Output, Settings, journal::GapCause};
use rustix::fs::OFlags;
use smol::{Task, Timer};

/// Lines of this size are written without waiting for more.
const BATCH_BYTES: usize = 64 << 10;

/// Lines are collected for this long before they are written.
const COLLECT: Duration = Duration::from_millis(20);

/// Bytes that may wait for the disk; with more, the journal ends with a gap.
pub(crate) const BEHIND_BYTES_MAX: usize = 16 << 20;

/// How every journal begins.
const MAGIC: &[u8] = b"{\"journal\":";

/// A journal that can be written, for [`crate::HostOptions`].
pub struct Journal {
    path: PathBuf,
    recorder: Recorder,
    state: State,
}

type Sink = Box<dyn Write + Send>;

enum State {
    Collecting(Sink, Timer),
    Failed,
    Idle(Sink),
    Writing(Task<io::Result<Sink>>),
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Journal {
    /// Creates the file, mode 0600, for an engine of these settings and this seed. An existing file
    /// is replaced when it is empty or a journal; a symbolic link is not followed.
    ///
    /// # Errors
    /// When the file cannot be written, is something else, or is in use; when the settings cannot
    /// be written down.
    pub fn create(path: &Path, settings: &Settings, seed: [u8; 16]) -> Result<Self, HostError> {
        let fail = |why: &dyn fmt::Display| {
            let message = format!("cannot write the journal {}: {why}", path.display());
            HostError::new(HostErrorKind::Other, message)
        };
        let recorder = Recorder::new(settings, seed, &settings.host.version, BYTES_MAX)
            .map_err(|error| fail(&error))?;
        let file = open(path).map_err(|error| fail(&error))?;
        Ok(Self::to(path.to_path_buf(), recorder, Box::new(file)))
    }

    pub(crate) fn to(path: PathBuf, recorder: Recorder, to: Sink) -> Self {
        Self { path, recorder, state: State::Idle(to) }
    }

    pub(crate) fn input(&mut self, now: Now, input: &Input) {
        self.recorder.input(now, input);
    }

    pub(crate) fn outputs<'a>(&mut self, outputs: impl IntoIterator<Item = &'a Output>) {
        self.recorder.outputs(outputs);
    }

    pub(crate) fn panicked(&mut self, message: &str) {
        self.recorder.panicked(message);
    }

    /// Lets the journal go on, between inputs; wakes the loop when there is more to do.
    ///
    /// # Errors
    /// Once, after a write failed: what the user should know.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Result<(), String> {
        loop {
            let waiting = self.recorder.waiting_bytes();
            if waiting > BEHIND_BYTES_MAX {
                self.recorder.gap(GapCause::Behind { bytes: waiting as u64 });
            }
            self.state = match std::mem::replace(&mut self.state, State::Failed) {
                State::Idle(sink) if waiting == 0 => {
                    self.state = State::Idle(sink);
                    return Ok(());
                }
                State::Idle(sink) => State::Collecting(sink, Timer::after(COLLECT)),
                State::Collecting(sink, mut timer) => {
                    let is_due = Pin::new(&mut timer).poll(cx).is_ready();
                    if !is_due && waiting < BATCH_BYTES {
                        self.state = State::Collecting(sink, timer);
                        return Ok(());
                    }
                    State::Writing(write(sink, self.recorder.take()))
                }
                State::Writing(mut task) => match Pin::new(&mut task).poll(cx) {
                    Poll::Ready(Ok(sink)) => State::Idle(sink),
                    Poll::Ready(Err(error)) => return Err(self.told(&error)),
                    Poll::Pending => {
                        self.state = State::Writing(task);
                        return Ok(());
                    }
                },
                State::Failed => {
                    // Nobody will write them.
                    drop(self.recorder.take());
                    return Ok(());
                }
            };
        }
    }

    /// Writes the end and waits for the disk, at most `within`.
    ///
    /// # Errors
    /// As [`Self::poll`], or when the disk takes longer.
    pub(crate) async fn finish(&mut self, within: Duration) -> Result<(), String> {
        self.recorder.end();
        let lines = self.recorder.take();
        let state = std::mem::replace(&mut self.state, State::Failed);
        let all = async {
            let sink = match state {
                State::Collecting(sink, _) | State::Idle(sink) => sink,
                State::Failed => return Ok(()),
                State::Writing(task) => task.await?,
            };
            write(sink, lines).await.map(drop)
        };
        let late = async {
            Timer::after(within).await;
            Err(io::Error::other(format!("the disk took more than {within:?}")))
        };
        smol::future::or(all, late).await.map_err(|error| self.told(&error))
    }

    fn told(&self, error: &io::Error) -> String {
        format!("the journal {} is not complete: {error}", self.path.display())
    }
}

/// A file whose lock ends with it.
struct Locked(File);

impl Write for Locked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // A child between its fork and its exec has the descriptor too, and with it the lock.
        let _ = self.0.unlock();
    }
}

/// Opens the file of a journal, locked for this process.
fn open(path: &Path) -> io::Result<Locked> {
    // A pipe must not block, and a link must not lead elsewhere.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|error| match rustix::io::Errno::from_io_error(&error) {
            Some(rustix::io::Errno::LOOP) => io::Error::other("it is a symbolic link"),
            _ => error,
        })?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => io::Error::other("another process is writing it"),
        TryLockError::Error(error) => error,
    })?;
    let mut file = Locked(file);
    if metadata.len() > 0 {
        let mut begin = [0; MAGIC.len()];
        if file.0.read_exact(&mut begin).is_err() || begin != MAGIC {
            let text = "the file exists and is no journal; name another one, or remove it";
            return Err(io::Error::other(text));
        }
        file.0.set_permissions(Permissions::from_mode(0o600))?;
        file.0.set_len(0)?;
        io::Seek::rewind(&mut file.0)?;
    }
    Ok(file)
}

/// Writes a batch on a thread of the blocking pool.
fn write(mut sink: Sink, lines: Vec<u8>) -> Task<io::Result<Sink>> {
    smol::unblock(move || {
        sink.write_all(&lines)?;
        Ok(sink)
    })
}
