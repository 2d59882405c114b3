//! The thread that writes, so that a slow terminal never holds up the loop.
//!
//! It has one piece of work at most. While it writes, the loop makes no further frame: what changes
//! meanwhile is in the next one. So a terminal that is slow gets fewer frames, and no memory grows.

use std::{
    io,
    os::fd::OwnedFd,
    thread::{self, JoinHandle},
};

use async_channel::{Receiver, Sender, bounded};

/// Stack of the thread, in bytes.
const STACK_BYTES: usize = 64 << 10;

/// The thread, and the way to it.
#[derive(Debug)]
pub struct Output {
    work: Option<Sender<Vec<u8>>>,
    done: Receiver<io::Result<()>>,
    is_busy: bool,
    thread: Option<JoinHandle<()>>,
    spare: OwnedFd,
}

impl Output {
    /// Starts a writer to a terminal.
    ///
    /// # Errors
    /// When the system gives no descriptor or no thread.
    pub fn start(terminal: OwnedFd) -> io::Result<Self> {
        let (work, pieces) = bounded::<Vec<u8>>(1);
        let (tell, done) = bounded(1);
        let spare = terminal.try_clone()?;
        let thread = thread::Builder::new()
            .name("codex-frames".into())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                while let Ok(piece) = pieces.recv_blocking() {
                    let written = write_all(&terminal, &piece);
                    // Freed before the loop makes the next one.
                    drop(piece);
                    if tell.send_blocking(written).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Self { work: Some(work), done, is_busy: false, thread: Some(thread), spare })
    }

    /// Whether a piece is being written.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Writes a piece; only when it is not busy, else nothing happens and the piece comes back.
    ///
    /// # Errors
    /// The piece, when it was not taken.
    pub fn write(&mut self, piece: Vec<u8>) -> Result<(), Vec<u8>> {
        match &self.work {
            Some(work) if !self.is_busy => {
                self.is_busy = true;
                work.try_send(piece).map_err(async_channel::TrySendError::into_inner)
            }
            _ => Err(piece),
        }
    }

    /// Waits until the piece is written; for ever when there is none.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub async fn written(&mut self) -> io::Result<()> {
        let written = match self.is_busy {
            true => self.done.recv().await,
            false => std::future::pending().await,
        };
        self.is_busy = false;
        written.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))
    }

    /// Writes on the calling thread, for the last bytes; what is being written comes first if it
    /// is done at once.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn write_now(&self, bytes: &[u8]) -> io::Result<()> {
        write_all(&self.spare, bytes)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.work = None;
        self.done.close();
        if let Some(thread) = self.thread.take().filter(|_| !self.is_busy) {
            let _ = thread.join();
        }
    }
}

/// Writes everything, also to a descriptor that somebody made non-blocking.
pub(crate) fn write_all(terminal: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    use rustix::{
        event::{PollFd, PollFlags, poll},
        io::Errno,
    };
    while !bytes.is_empty() {
        match rustix::io::write(terminal, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let mut fds = [PollFd::new(terminal, PollFlags::OUT)];
                match poll(&mut fds, None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_slow_reader_holds_up_the_writer_and_not_the_caller() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut output = Output::start(writer.into()).unwrap();
        let piece = vec![b'x'; 1 << 20];
        output.write(piece.clone()).unwrap();
        assert!(output.is_busy());
        assert_eq!(output.write(b"y".to_vec()), Err(b"y".to_vec()), "one at a time");
        let mut got = vec![0; piece.len()];
        reader.read_exact(&mut got).unwrap();
        let waker = std::task::Waker::noop();
        let mut written = std::pin::pin!(output.written());
        let mut cx = std::task::Context::from_waker(waker);
        while Future::poll(written.as_mut(), &mut cx).is_pending() {
            thread::yield_now();
        }
        assert_eq!(got, piece);
    }
}
