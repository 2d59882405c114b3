//! One running command, on the agent's side: its output, its input, its end.
//!
//! ```text
//! Starting --- started -----------> Running   Opened
//! Starting --- failed ------------> Ended     Failed
//! Running  --- command ended -----> Draining
//! Draining --- pipe closed, or 50 ms passed and what was in it is read -> Ended   Tail? Exited
//! Starting, Running --- control socket broke, or a kill took too long --> Ended   Failed
//! ```
//!
//! In every state at most one reply is on its way. While it waits for room, nothing more is read,
//! so a slow reader stops the command at a full pipe; asks (signals, kill) are passed on all the
//! same. Dropping the future kills the command.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_io::{Async, Timer};
use codex_proto::{
    HostError, HostErrorKind, Reply,
    effect::{Exit, Signal, TtySize},
};
use rustix::io::Errno;

use crate::{
    output::Output,
    spool::Spool,
    terminal,
    wire::{Ask, Stage, Told, send_fds},
};

/// How long after a command's end its output is waited for while something still holds the pipe.
const DRAIN_TIME: Duration = Duration::from_millis(50);

/// How long after a kill the end is waited for.
const KILL_TIME_MAX: Duration = Duration::from_secs(3);

/// Bytes read from a command at once.
const READ_BYTES: usize = 64 << 10;

/// Bytes of standard input that wait at most.
pub(crate) const STDIN_BYTES_MAX: usize = 8 << 20;

/// Asks that wait at most; more of them would say nothing new.
const ASKS_MAX: usize = 64;

/// What others want of a running command; shared between them and the command's future.
#[derive(Debug, Default)]
pub(crate) struct Asks(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    asks: VecDeque<Ask>,
    flushes: usize,
    stdin: VecDeque<u8>,
    stdin_ended: bool,
    /// The last size that was asked for.
    size: Option<TtySize>,
    waker: Option<Waker>,
}

impl Asks {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(mut waiting: MutexGuard<'_, Waiting>) {
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let mut waiting = self.lock();
        let ask = match signal {
            Signal::Interrupt => Ask::Interrupt,
            Signal::Kill => Ask::Kill,
            Signal::Terminate => Ask::Terminate,
        };
        if waiting.asks.len() < ASKS_MAX || ask == Ask::Kill {
            waiting.asks.push_back(ask);
        }
        Self::wake(waiting);
    }

    pub(crate) fn resize(&self, size: TtySize) {
        let mut waiting = self.lock();
        waiting.size = Some(size);
        Self::wake(waiting);
    }

    pub(crate) fn flush(&self) {
        let mut waiting = self.lock();
        waiting.flushes += 1;
        Self::wake(waiting);
    }

    /// Queues input; nothing at all ends it.
    pub(crate) fn stdin(&self, bytes: &[u8]) -> Result<(), HostError> {
        let mut waiting = self.lock();
        if waiting.stdin.len() + bytes.len() > STDIN_BYTES_MAX {
            return Err(HostError::new(
                HostErrorKind::TooLarge,
                format!(
                    "{} bytes of input were left out: the command has not read the {} before them",
                    bytes.len(),
                    waiting.stdin.len()
                ),
            ));
        }
        waiting.stdin.extend(bytes);
        waiting.stdin_ended |= bytes.is_empty();
        Self::wake(waiting);
        Ok(())
    }
}

/// Where replies go.
pub(crate) trait Sink {
    /// Starts to send; the future yields false when nobody wants replies any more.
    fn send(&self, reply: Reply) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;
}

impl Sink for async_channel::Sender<Reply> {
    fn send(&self, reply: Reply) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        let send = Self::send(self, reply);
        Box::pin(async move { send.await.is_ok() })
    }
}

/// The agent's ends of a command that was requested.
pub(crate) struct Ends {
    pub(crate) control: Async<UnixStream>,
    pub(crate) output: Async<OwnedFd>,
    pub(crate) stdin: Option<Async<OwnedFd>>,
    /// Whether both are our end of a terminal.
    pub(crate) is_terminal: bool,
}

/// What to do with the output; by default it is thrown away.
#[derive(Default)]
pub(crate) struct Limits {
    pub(crate) head_bytes: usize,
    pub(crate) tail_bytes: usize,
    pub(crate) spool: PathBuf,
    pub(crate) spool_after_bytes: usize,
    pub(crate) spool_bytes_max: u64,
}

/// Names the command in messages.
pub(crate) type Explain = dyn Fn(Stage, i32, &str) -> HostError + Send + Sync;

/// Looks after a command until its terminal reply is sent, or nobody wants replies any more.
pub(crate) async fn attend<'a>(
    ends: Ends,
    limits: Limits,
    asks: &Asks,
    explain: &'a Explain,
    sink: &'a (dyn Sink + Send + Sync),
) {
    let Ends { control, output, stdin, is_terminal } = ends;
    let mut command = Attended {
        control,
        heard: Vec::new(),
        output: Some(output),
        stdin,
        is_terminal,
        input: VecDeque::new(),
        input_ended: false,
        kept: Output::new(limits.head_bytes, limits.tail_bytes, limits.spool_after_bytes),
        spool: Spooling::Idle(Box::new(Spool::new(limits.spool, limits.spool_bytes_max))),
        forward: None,
        flushes: 0,
        flush_after: None,
        state: State::Starting,
        outbox: VecDeque::new(),
        out_asks: VecDeque::new(),
        kill_timer: None,
        sending: None,
        explain,
    };
    poll_fn(|cx| command.poll(cx, asks, sink)).await;
}

enum State {
    Starting,
    Running,
    /// The command ended.
    Draining {
        code: i32,
        /// Bytes that were in the pipe at the end and are read in any case.
        must_read: u64,
        timer: Timer,
        timed_out: bool,
    },
    /// The terminal reply is queued or sent.
    Ended,
}

enum Spooling {
    Idle(Box<Spool>),
    Writing(blocking::Task<Box<Spool>>),
}

struct Attended<'a> {
    control: Async<UnixStream>,
    /// Bytes from the keeper that do not make a message yet.
    heard: Vec<u8>,
    /// `None` once the pipe is closed.
    output: Option<Async<OwnedFd>>,
    stdin: Option<Async<OwnedFd>>,
    is_terminal: bool,
    input: VecDeque<u8>,
    input_ended: bool,
    kept: Output,
    spool: Spooling,
    /// Bytes read and not yet queued as a reply.
    forward: Option<Vec<u8>>,
    /// Flushes that were asked for and not yet answered.
    flushes: usize,
    /// Bytes to read before the next flush is answered: what was in the pipe when it was asked for.
    flush_after: Option<u64>,
    state: State,
    /// Replies to send, in order; at most the few that one event makes.
    outbox: VecDeque<Reply>,
    out_asks: VecDeque<Ask>,
    kill_timer: Option<Timer>,
    sending: Option<Pin<Box<dyn Future<Output = bool> + Send + 'a>>>,
    explain: &'a Explain,
}

impl<'a> Attended<'a> {
    /// Runs everything that can run. Ready when the terminal reply is sent or cannot be.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        asks: &Asks,
        sink: &'a (dyn Sink + Send + Sync),
    ) -> Poll<()> {
        loop {
            self.take_asks(cx, asks);
            let mut moved = self.pass_asks(cx);
            moved |= self.hear(cx);
            moved |= self.feed(cx);
            moved |= self.write_spool(cx);
            moved |= self.read(cx);
            moved |= self.answer();
            moved |= self.tick(cx);
            match self.deliver(cx, sink) {
                Delivered::Done => return Poll::Ready(()),
                Delivered::Moved => moved = true,
                Delivered::Waiting => {}
            }
            if !moved {
                return Poll::Pending;
            }
        }
    }

    fn take_asks(&mut self, cx: &mut Context<'_>, asks: &Asks) {
        let mut waiting = asks.lock();
        for ask in waiting.asks.drain(..) {
            self.out_asks.push_back(ask);
            // Shells in a terminal do not mind SIGTERM.
            if ask == Ask::Terminate && self.is_terminal {
                self.out_asks.push_back(Ask::HangUp);
            }
        }
        if let (Some(size), Some(output), true) =
            (waiting.size.take(), &self.output, self.is_terminal)
        {
            // A terminal that is gone has no size.
            let _ = terminal::set_size(output, size);
        }
        self.flushes += std::mem::take(&mut waiting.flushes);
        // Input stays where it is counted until there is room for it here.
        if self.input.is_empty() {
            std::mem::swap(&mut self.input, &mut waiting.stdin);
        }
        self.input_ended = waiting.stdin_ended && waiting.stdin.is_empty();
        if self.stdin.is_none() {
            self.input.clear();
        }
        match &mut waiting.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// Passes asks on to the keeper.
    fn pass_asks(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        while let Some(ask) = self.out_asks.front() {
            match send_fds(self.control.as_fd(), ask.byte(), &[]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.control.poll_writable(cx).is_pending() {
                        break;
                    }
                    moved = true;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // A broken socket is noticed where it is read.
                Ok(()) | Err(_) => {}
            }
            if *ask == Ask::Kill && self.kill_timer.is_none() {
                self.kill_timer = Some(Timer::after(KILL_TIME_MAX));
            }
            self.out_asks.pop_front();
            moved = true;
        }
        moved
    }

    /// Hears from the keeper.
    fn hear(&mut self, cx: &mut Context<'_>) -> bool {
        if !matches!(self.state, State::Starting | State::Running) {
            return false;
        }
        let mut buffer = [0; 512];
        match rustix::io::read(&self.control, &mut buffer) {
            Err(Errno::AGAIN) => return self.control.poll_readable(cx).is_ready(),
            Err(Errno::INTR) => return true,
            Ok(count) if count > 0 => self.heard.extend_from_slice(&buffer[..count]),
            Ok(_) | Err(_) => {
                self.fail(HostError::new(
                    HostErrorKind::Spawn,
                    "the process that looks after the command ended unexpectedly",
                ));
                return true;
            }
        }
        loop {
            match Told::decode(&mut self.heard) {
                Ok(Some(told)) => self.told(told),
                Ok(None) => return true,
                Err(()) => {
                    let text = "the process that looks after the command sent nonsense";
                    self.fail(HostError::new(HostErrorKind::Spawn, text));
                    return true;
                }
            }
        }
    }

    fn told(&mut self, told: Told) {
        match (&self.state, told) {
            (State::Starting, Told::Started) => {
                self.state = State::Running;
                self.outbox.push_back(Reply::Opened);
            }
            (State::Starting, Told::Failed { stage, errno, text }) => {
                self.fail((self.explain)(stage, errno, &text));
            }
            (State::Running, Told::Exited(code)) => {
                let must_read = self.in_pipe();
                let timer = Timer::after(DRAIN_TIME);
                self.state = State::Draining { code, must_read, timer, timed_out: false };
            }
            _ => {}
        }
    }

    fn fail(&mut self, error: HostError) {
        self.state = State::Ended;
        self.outbox.extend(self.forward.take().map(Reply::Bytes));
        if self.kept.holds() {
            self.push_tail();
        }
        self.outbox.push_back(Reply::Failed(error));
    }

    fn in_pipe(&self) -> u64 {
        let count = self.output.as_ref().map(rustix::io::ioctl_fionread);
        count.and_then(Result::ok).unwrap_or(0)
    }

    /// Writes to standard input.
    fn feed(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(stdin) = &self.stdin else { return false };
        if matches!(self.state, State::Draining { .. } | State::Ended) {
            self.stdin = None;
            return true;
        }
        let (first, _) = self.input.as_slices();
        if first.is_empty() {
            if self.input_ended {
                self.stdin = None;
            }
            return false;
        }
        match rustix::io::write(stdin, first) {
            Ok(count) => {
                self.input.drain(..count);
                true
            }
            Err(Errno::AGAIN) => stdin.poll_writable(cx).is_ready(),
            Err(Errno::INTR) => true,
            // The command closed its input; what it did not want is dropped.
            Err(_) => {
                self.stdin = None;
                true
            }
        }
    }

    fn write_spool(&mut self, cx: &mut Context<'_>) -> bool {
        let Spooling::Writing(task) = &mut self.spool else { return false };
        match Pin::new(task).poll(cx) {
            Poll::Pending => false,
            Poll::Ready(spool) => {
                self.spool = Spooling::Idle(spool);
                true
            }
        }
    }

    /// Reads output, when everything read before is on its way.
    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        if matches!(self.state, State::Starting | State::Ended) || self.busy() {
            return false;
        }
        let Some(output) = &self.output else { return false };
        let mut bytes = Vec::with_capacity(READ_BYTES);
        match rustix::io::read(output, rustix::buffer::spare_capacity(&mut bytes)) {
            Err(Errno::AGAIN) => {
                self.read_so_far(None);
                return self
                    .output
                    .as_ref()
                    .is_some_and(|output| output.poll_readable(cx).is_ready());
            }
            Err(Errno::INTR) => return true,
            Ok(count) if count > 0 => {}
            Ok(_) | Err(_) => {
                self.output = None;
                self.read_so_far(None);
                return true;
            }
        }
        self.read_so_far(Some(bytes.len() as u64));
        self.keep(bytes);
        true
    }

    /// Whether output waits to be passed on.
    fn busy(&self) -> bool {
        self.sending.is_some()
            || !self.outbox.is_empty()
            || self.forward.is_some()
            || matches!(self.spool, Spooling::Writing(_))
    }

    /// Counts down what must be read before a flush is answered and before the end; `None` means
    /// that the pipe is empty.
    fn read_so_far(&mut self, count: Option<u64>) {
        let less = |left: &mut u64| *left = count.map_or(0, |count| left.saturating_sub(count));
        self.flush_after.as_mut().map(less);
        if let State::Draining { must_read, .. } = &mut self.state {
            less(must_read);
        }
    }

    fn keep(&mut self, mut bytes: Vec<u8>) {
        let pushed = self.kept.push(&bytes);
        if pushed.spool
            && let Spooling::Idle(spool) = &mut self.spool
        {
            let mut spool = std::mem::take(spool);
            let chunk =
                if pushed.forward == 0 { std::mem::take(&mut bytes) } else { bytes.clone() };
            self.spool = Spooling::Writing(blocking::unblock(move || {
                spool.write(&pushed.spool_first.unwrap_or_default());
                spool.write(&chunk);
                spool
            }));
        }
        bytes.truncate(pushed.forward);
        if !bytes.is_empty() {
            bytes.shrink_to_fit();
            self.forward = Some(bytes);
        }
    }

    /// Queues the replies that are due.
    fn answer(&mut self) -> bool {
        if self.sending.is_some() || !self.outbox.is_empty() {
            return false;
        }
        if let Some(bytes) = self.forward.take() {
            self.outbox.push_back(Reply::Bytes(bytes));
            return true;
        }
        if matches!(self.state, State::Starting | State::Ended) {
            return false;
        }
        if self.flushes > 0 {
            let left = match self.flush_after {
                Some(left) => left,
                None => {
                    let left = self.in_pipe();
                    self.flush_after = Some(left);
                    left
                }
            };
            if left == 0 && matches!(self.spool, Spooling::Idle(_)) {
                self.flush_after = None;
                self.flushes -= 1;
                self.push_tail();
                return true;
            }
        }
        self.end()
    }

    fn push_tail(&mut self) {
        let (omitted_bytes, bytes) = self.kept.flush();
        self.outbox.push_back(Reply::Tail { omitted_bytes, bytes });
    }

    /// Queues the end when all output there will be is on its way.
    fn end(&mut self) -> bool {
        let State::Draining { code, must_read, timed_out, .. } = self.state else { return false };
        let Spooling::Idle(spool) = &self.spool else { return false };
        let done = self.output.is_none() || (timed_out && must_read == 0);
        if !done || self.flushes > 0 {
            return false;
        }
        let (spool, spool_cut_bytes) = spool.result();
        if self.kept.holds() {
            self.push_tail();
        }
        let output_bytes = self.kept.total();
        self.outbox.push_back(Reply::Exited(Exit { code, output_bytes, spool, spool_cut_bytes }));
        if let Some(output) = self.output.take() {
            // Left-over children hold the pipe; their keeper empties it from here on.
            let _ = send_fds(self.control.as_fd(), Ask::Detach.byte(), &[output.as_fd()]);
        }
        self.state = State::Ended;
        true
    }

    fn tick(&mut self, cx: &mut Context<'_>) -> bool {
        if let State::Draining { timer, timed_out: timed_out @ false, .. } = &mut self.state
            && Pin::new(timer).poll(cx).is_ready()
        {
            *timed_out = true;
            return true;
        }
        if matches!(self.state, State::Starting | State::Running)
            && let Some(timer) = &mut self.kill_timer
            && Pin::new(timer).poll(cx).is_ready()
        {
            self.fail(HostError::new(
                HostErrorKind::TimedOut,
                format!(
                    "the command did not end within {} s of being killed",
                    KILL_TIME_MAX.as_secs()
                ),
            ));
            return true;
        }
        false
    }

    fn deliver(&mut self, cx: &mut Context<'_>, sink: &'a (dyn Sink + Send + Sync)) -> Delivered {
        if self.sending.is_none() {
            match self.outbox.pop_front() {
                Some(reply) => self.sending = Some(sink.send(reply)),
                None if matches!(self.state, State::Ended) => return Delivered::Done,
                None => return Delivered::Waiting,
            }
        }
        let Some(sending) = &mut self.sending else { return Delivered::Waiting };
        match sending.as_mut().poll(cx) {
            Poll::Pending => Delivered::Waiting,
            Poll::Ready(taken) => {
                self.sending = None;
                if taken { Delivered::Moved } else { Delivered::Done }
            }
        }
    }
}

enum Delivered {
    /// Nothing more will be sent.
    Done,
    Moved,
    Waiting,
}
