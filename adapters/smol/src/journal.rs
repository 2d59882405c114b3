//! The journal of a host: what the engine is told goes into a file.
//!
//! The loop hands lines over and never waits for the disk; a thread writes them, several at a time.
//! When too much waits, the journal states a gap and ends. A file that cannot be created is an
//! error before anything runs; a write that fails later ends the journal, is told once, and the
//! run goes on. The lines are in [`codex_proto::journal`].
//!
//! ```text
//! Ready   --run--> Writing | Failed
//! Writing --a write failed--> Failed
//! Writing --end of the run--> (closed)
//! ```

use std::{
    fmt,
    fs::{File, OpenOptions, Permissions, TryLockError},
    io::{self, Read as _, Write},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use codex_engine::journal::{BYTES_MAX, Recorder};
use codex_proto::{HostError, HostErrorKind, Input, Now, Output, Settings, journal::GapCause};
use rustix::fs::OFlags;

/// Lines of this size are handed over although the loop is busy.
const BATCH_BYTES: usize = 64 << 10;

/// The writer collects lines for this long before it writes.
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

enum State {
    Failed,
    Ready(Box<dyn Write + Send>),
    Writing(Writer),
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

    pub(crate) fn to(path: PathBuf, recorder: Recorder, to: Box<dyn Write + Send>) -> Self {
        Self { path, recorder, state: State::Ready(to) }
    }

    /// Starts the thread that writes.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        if let State::Ready(to) = std::mem::replace(&mut self.state, State::Failed) {
            let writer = Writer::start(to).map_err(|error| self.told(&error))?;
            self.state = State::Writing(writer);
        }
        Ok(())
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

    /// Whether enough lines wait for [`Self::hand_over`].
    pub(crate) fn is_due(&self) -> bool {
        self.recorder.waiting_bytes() >= BATCH_BYTES
    }

    /// Passes the lines on to the writer, between inputs.
    ///
    /// # Errors
    /// The first time after a write failed: what the user should know.
    pub(crate) fn hand_over(&mut self) -> Result<(), String> {
        let State::Writing(writer) = &self.state else { return Ok(()) };
        if self.recorder.waiting_bytes() == 0 {
            return Ok(());
        }
        match writer.push(&mut self.recorder) {
            Ok(waiting) if waiting > BEHIND_BYTES_MAX => {
                self.recorder.gap(GapCause::Behind { bytes: waiting as u64 });
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => Err(self.fail(&error)),
        }
    }

    /// Writes the end and waits for the disk, at most `within`.
    ///
    /// # Errors
    /// As [`Self::hand_over`], or when the disk takes longer.
    pub(crate) fn finish(&mut self, within: Duration) -> Result<(), String> {
        self.recorder.end();
        self.hand_over()?;
        let State::Writing(writer) = std::mem::replace(&mut self.state, State::Failed) else {
            return Ok(());
        };
        writer.finish(within).map_err(|error| self.told(&error))
    }

    fn fail(&mut self, error: &io::Error) -> String {
        self.state = State::Failed;
        self.told(error)
    }

    fn told(&self, error: &io::Error) -> String {
        format!("the journal {} is not complete: {error}", self.path.display())
    }
}

/// Opens the file of a journal, locked for this process.
fn open(path: &Path) -> io::Result<File> {
    // A pipe must not block, and a link must not lead elsewhere.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut file = OpenOptions::new()
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
    if metadata.len() > 0 {
        let mut begin = [0; MAGIC.len()];
        if file.read_exact(&mut begin).is_err() || begin != MAGIC {
            let text = "the file exists and is no journal; name another one, or remove it";
            return Err(io::Error::other(text));
        }
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.set_len(0)?;
        io::Seek::rewind(&mut file)?;
    }
    Ok(file)
}

/// The thread that writes, and what waits for it.
struct Writer {
    shared: Arc<Shared>,
    /// Closes when the thread has ended.
    ended: Receiver<()>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    is_closing: bool,
    /// Whether the thread waits for the first bytes; only then is it woken for some.
    is_parked: bool,
    failure: Option<io::Error>,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // No code panics while it holds the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills `bytes` with what is to be written next, and says whether it is the last. Both sides
    /// use the same two buffers again and again.
    fn next(&self, bytes: &mut Vec<u8>) -> bool {
        let mut queue = self.queue();
        queue.is_parked = true;
        let mut queue = self
            .wake
            .wait_while(queue, |queue| queue.bytes.is_empty() && !queue.is_closing)
            .unwrap_or_else(PoisonError::into_inner);
        queue.is_parked = false;
        let (mut queue, _) = self
            .wake
            .wait_timeout_while(queue, COLLECT, |queue| !queue.is_closing)
            .unwrap_or_else(PoisonError::into_inner);
        bytes.clear();
        std::mem::swap(bytes, &mut queue.bytes);
        queue.is_closing
    }
}

impl Writer {
    fn start(mut to: Box<dyn Write + Send>) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let (done, ended) = channel();
        let for_thread = Arc::clone(&shared);
        thread::Builder::new().name("codex-journal".into()).spawn(move || {
            let (_done, shared): (Sender<()>, _) = (done, for_thread);
            let mut bytes = Vec::new();
            loop {
                let is_last = shared.next(&mut bytes);
                if let Err(error) = to.write_all(&bytes) {
                    shared.queue().failure = Some(error);
                    return;
                }
                if is_last {
                    return;
                }
            }
        })?;
        Ok(Self { shared, ended })
    }

    /// Adds lines and says how many bytes wait.
    fn push(&self, recorder: &mut Recorder) -> io::Result<usize> {
        let mut queue = self.shared.queue();
        if let Some(error) = queue.failure.take() {
            return Err(error);
        }
        recorder.take_into(&mut queue.bytes);
        let (waiting, is_parked) = (queue.bytes.len(), queue.is_parked);
        drop(queue);
        if is_parked {
            self.shared.wake.notify_one();
        }
        Ok(waiting)
    }

    fn finish(self, within: Duration) -> io::Result<()> {
        self.close();
        // The thread never sends: the wait ends when it drops its side.
        if let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = self.ended.recv_timeout(within) {
            return Err(io::Error::other(format!("the disk took more than {within:?}")));
        }
        self.shared.queue().failure.take().map_or(Ok(()), Err)
    }

    fn close(&self) {
        self.shared.queue().is_closing = true;
        self.shared.wake.notify_one();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}
