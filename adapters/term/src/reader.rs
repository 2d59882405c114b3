//! The thread that reads: keys and reports from the terminal, and signals.
//!
//! ```text
//! state    on                           next
//! Reading  bytes, a signal              Reading; tells the loop
//!          nothing for a while, while   Reading; half a sequence is taken as keys
//!          a sequence is half there
//!          pause                        Paused: the terminal is somebody else's
//!          the end of the terminal      Ended, tells the loop
//! Paused   resume                       Reading
//! any      end                          Ended
//! ```
//!
//! It waits in one `poll`, so that an idle terminal costs nothing. What the loop does not take waits
//! in a bounded channel, and then in the kernel: nothing is lost, nothing grows.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use async_channel::{Receiver, Sender, bounded};
use codex_tui::key::{Key, Mouse, Paste};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::{
    SigId,
    consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH},
    low_level,
};

use crate::{
    burst::Burst,
    parse::{Parser, Report, Token},
};

/// Events that wait for the loop.
const EVENTS_WAITING_MAX: usize = 256;
/// Bytes of one read.
const READ_BYTES: usize = 16 << 10;
/// How long half of a sequence waits for the other half.
const SEQUENCE_WITHIN: Duration = Duration::from_millis(40);
/// How long a paste may be silent before it counts as ended.
const PASTE_WITHIN: Duration = Duration::from_secs(3);
/// Stack of the thread, in bytes.
const STACK_BYTES: usize = 128 << 10;

/// Something that happened at the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TermEvent {
    /// The terminal is gone, or the input was closed: nothing comes any more.
    Closed,
    /// The process goes on after it was stopped.
    Continued,
    /// The terminal won or lost the focus.
    Focus(bool),
    /// A key.
    Key(Key),
    /// The mouse.
    Mouse(Mouse),
    /// Text that came in one piece.
    Paste(Paste),
    /// The reader has paused.
    Paused,
    /// An answer of the terminal.
    Report(Report),
    /// The size may have changed.
    Resized,
    /// Somebody asks the process to stop until it is continued.
    StopAsked,
    /// SIGTERM, SIGHUP or SIGINT: the process is to end.
    Terminate(i32),
}

/// The thread, and the way to it.
#[derive(Debug)]
pub struct Reader {
    control: UnixStream,
    thread: Option<JoinHandle<()>>,
    signals: Vec<SigId>,
}

const PAUSE: u8 = b'p';
const RESUME: u8 = b'r';
const END: u8 = b'e';

impl Reader {
    /// Starts reading from a terminal.
    ///
    /// # Errors
    /// When the system gives no descriptors or no thread.
    pub fn start(input: OwnedFd, burst_off: bool) -> io::Result<(Self, Receiver<TermEvent>)> {
        let (sender, events) = bounded(EVENTS_WAITING_MAX);
        let (control, asked) = UnixStream::pair()?;
        let (signalled, signal) = UnixStream::pair()?;
        signal.set_nonblocking(true)?;
        let mut signals = Vec::new();
        for number in [SIGWINCH, SIGCONT, SIGTSTP, SIGTERM, SIGHUP, SIGINT] {
            signals.push(register(number, &signal)?);
        }
        let job = Job {
            input,
            asked,
            signalled,
            sender,
            parser: Parser::default(),
            burst: Burst::new(burst_off),
            last_read: None,
        };
        let thread = thread::Builder::new()
            .name("codex-keys".into())
            .stack_size(STACK_BYTES)
            .spawn(move || job.run())?;
        Ok((Self { control, thread: Some(thread), signals }, events))
    }

    /// Asks it to leave the terminal alone; `Paused` follows, after what was read before.
    pub fn pause(&mut self) {
        // An error means that it has ended, and reads no more.
        let _ = self.control.write_all(&[PAUSE]);
    }

    /// Lets it read again.
    pub fn resume(&mut self) {
        let _ = self.control.write_all(&[RESUME]);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        for signal in self.signals.drain(..) {
            low_level::unregister(signal);
        }
        let _ = self.control.write_all(&[END]);
        if let Some(thread) = self.thread.take() {
            // It ends at once: it waits for nothing but `poll`, or for a channel that is closed.
            let _ = thread.join();
        }
    }
}

/// Writes the number of the signal into the pipe. What does not fit is lost, with at least one of
/// its kind before it.
fn register(number: i32, pipe: &UnixStream) -> io::Result<SigId> {
    let pipe = pipe.try_clone()?;
    let byte = [u8::try_from(number).unwrap_or(0)];
    let action = move || {
        let _ = rustix::io::write(&pipe, &byte);
    };
    crate::sys::on_signal(number, action)
}

struct Job {
    input: OwnedFd,
    asked: UnixStream,
    signalled: UnixStream,
    sender: Sender<TermEvent>,
    parser: Parser,
    burst: Burst,
    last_read: Option<Instant>,
}

impl Job {
    fn run(mut self) {
        let mut buffer = vec![0; READ_BYTES];
        let mut is_paused = false;
        let mut is_open = true;
        loop {
            let wait = match (is_paused, self.parser.is_pasting(), self.parser.is_waiting()) {
                (true, ..) | (_, _, false) => None,
                (_, true, _) => Some(PASTE_WITHIN),
                (_, _, true) => Some(SEQUENCE_WITHIN),
            };
            let reads = !is_paused && is_open;
            let ready = match wait_for(&self.input, &self.asked, &self.signalled, reads, wait) {
                Ok(ready) => ready,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            if ready == Ready::default() {
                self.flush();
                continue;
            }
            if ready.asked {
                let mut byte = [0];
                match self.asked.read(&mut byte) {
                    Ok(1) if byte[0] == PAUSE => {
                        is_paused = true;
                        self.flush();
                        if !self.send(TermEvent::Paused) {
                            return;
                        }
                    }
                    Ok(1) if byte[0] == RESUME => is_paused = false,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    _ => return,
                }
            }
            if ready.signalled && !self.take_signals() {
                return;
            }
            if ready.input && reads && !self.take_input(&mut buffer, &mut is_open) {
                return;
            }
        }
    }

    fn take_input(&mut self, buffer: &mut [u8], is_open: &mut bool) -> bool {
        let count = match rustix::io::read(&self.input, &mut *buffer) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return true,
            // The terminal is gone, or we are no longer the ones who may read it.
            Err(_) => 0,
        };
        if count == 0 {
            *is_open = false;
            self.flush();
            return self.send(TermEvent::Closed);
        }
        let now = Instant::now();
        let since = self.last_read.replace(now).map_or(Duration::MAX, |last| now - last);
        let mut tokens = Vec::new();
        self.parser.feed(&buffer[..count], &mut tokens);
        self.burst.look(&mut tokens, since);
        self.send_all(tokens)
    }

    fn flush(&mut self) {
        let mut tokens = Vec::new();
        self.parser.flush(&mut tokens);
        self.send_all(tokens);
    }

    fn take_signals(&mut self) -> bool {
        let mut numbers = [0; 64];
        let count = match self.signalled.read(&mut numbers) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return true,
            Err(_) => return false,
        };
        let mut seen = [false; 64];
        for number in &numbers[..count] {
            // A storm of resizes is one.
            let first = seen.get_mut(usize::from(*number));
            if first.is_none_or(|seen| std::mem::replace(seen, true)) {
                continue;
            }
            let event = match i32::from(*number) {
                SIGWINCH => TermEvent::Resized,
                SIGCONT => TermEvent::Continued,
                SIGTSTP => TermEvent::StopAsked,
                other => TermEvent::Terminate(other),
            };
            if !self.send(event) {
                return false;
            }
        }
        true
    }

    fn send_all(&self, tokens: Vec<Token>) -> bool {
        tokens.into_iter().all(|token| {
            self.send(match token {
                Token::Focus(has) => TermEvent::Focus(has),
                Token::Key(key) => TermEvent::Key(key),
                Token::Mouse(mouse) => TermEvent::Mouse(mouse),
                Token::Paste(paste) => TermEvent::Paste(paste),
                Token::Report(report) => TermEvent::Report(report),
            })
        })
    }

    fn send(&self, event: TermEvent) -> bool {
        self.sender.send_blocking(event).is_ok()
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Ready {
    input: bool,
    asked: bool,
    signalled: bool,
}

fn wait_for(
    input: &OwnedFd,
    asked: &UnixStream,
    signalled: &UnixStream,
    reads: bool,
    wait: Option<Duration>,
) -> io::Result<Ready> {
    fn fd<'fd>(of: &'fd impl AsFd) -> PollFd<'fd> {
        let of: BorrowedFd<'fd> = of.as_fd();
        PollFd::from_borrowed_fd(of, PollFlags::IN)
    }
    let mut fds = [fd(asked), fd(signalled), fd(input)];
    let count = if reads { 3 } else { 2 };
    let timeout = wait.and_then(|wait| Timespec::try_from(wait).ok());
    poll(&mut fds[..count], timeout.as_ref())?;
    let is_ready = |index: usize| !fds[index].revents().is_empty();
    Ok(Ready { asked: is_ready(0), signalled: is_ready(1), input: reads && is_ready(2) })
}
