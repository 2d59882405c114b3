//! Reads standard input without ever hanging on it.
//!
//! ```text
//! state     waits for            at most                       then
//! First     a byte or the end    `first_within`                [`Outcome::Silent`]
//! Rest      the next byte        [`SILENCE_MAX`]               an error
//! Done      -
//! ```

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Longest silence once a first byte has come, and while a prompt is awaited that only standard
/// input can provide.
pub const SILENCE_MAX: Duration = Duration::from_secs(600);
/// Most that is read, in bytes.
pub const STDIN_BYTES_MAX: usize = 64 << 20;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything until the end.
    Bytes(Vec<u8>),
    /// Neither a byte nor the end within the time; nothing was consumed.
    Silent,
}

/// Reads `input` to its end, waiting at most `first_within` for its first byte or end.
///
/// # Errors
/// When it cannot be read, falls silent half-way, or is larger than [`STDIN_BYTES_MAX`].
pub fn read(input: &File, first_within: Duration) -> io::Result<Outcome> {
    if !is_ready(input.as_fd(), first_within)? {
        return Ok(Outcome::Silent);
    }
    let (mut bytes, mut chunk) = (Vec::new(), vec![0_u8; 64 << 10]);
    loop {
        let count = match (&*input).read(&mut chunk) {
            Ok(0) => return Ok(Outcome::Bytes(bytes)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // A descriptor that somebody made non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        bytes.extend_from_slice(&chunk[..count]);
        if bytes.len() > STDIN_BYTES_MAX {
            let text =
                format!("more than {} MiB; write it to a file instead", STDIN_BYTES_MAX >> 20);
            return Err(io::Error::other(text));
        }
        if !is_ready(input.as_fd(), SILENCE_MAX)? {
            let seconds = SILENCE_MAX.as_secs();
            let text = format!("neither a byte nor the end for {seconds} s");
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
    }
}

fn is_ready(input: BorrowedFd<'_>, within: Duration) -> io::Result<bool> {
    let deadline = std::time::Instant::now() + within;
    loop {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        let timeout = Timespec::try_from(left).unwrap_or_default();
        let mut fds = [PollFd::from_borrowed_fd(input, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => return Ok(false),
            // Errors and a closed writer show in the read that follows.
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::fd::OwnedFd};

    use super::*;

    fn pipe() -> (File, File) {
        let (reader, writer) = io::pipe().unwrap();
        (File::from(OwnedFd::from(reader)), File::from(OwnedFd::from(writer)))
    }

    #[test]
    fn an_open_pipe_without_a_writer_does_not_hang() {
        let (reader, _writer) = pipe();
        assert_eq!(read(&reader, Duration::from_millis(20)).unwrap(), Outcome::Silent);
    }

    #[test]
    fn after_a_first_byte_everything_is_read() {
        let (reader, mut writer) = pipe();
        writer.write_all(b"a").unwrap();
        let slow = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            writer.write_all(&[b'b'; 200_000]).unwrap();
        });
        let Outcome::Bytes(bytes) = read(&reader, Duration::from_millis(1)).unwrap() else {
            panic!("silent")
        };
        slow.join().unwrap();
        assert_eq!(bytes.len(), 200_001);
    }

    #[test]
    fn the_end_counts_as_an_answer() {
        let null = File::open("/dev/null").unwrap();
        assert_eq!(read(&null, Duration::ZERO).unwrap(), Outcome::Bytes(Vec::new()));
    }
}
