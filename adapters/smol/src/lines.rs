//! Lines in and out of another program, each direction on a thread of its own, because pipes and
//! terminals block. What waits is bounded both ways: a reader of ours that does not take lines stops
//! the peer, and how much waits for a peer that does not read is told by [`LineWriter::waiting`].

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use smol::channel::{Receiver, Sender, bounded, unbounded};

/// Bytes that are written at once at most.
const BATCH_BYTES: usize = 64 << 10;
/// Stack of a thread that moves lines.
const STACK_BYTES: usize = 128 << 10;

/// How long lines may be.
#[derive(Clone, Copy, Debug)]
pub struct LineLimits {
    /// Longest line that is taken, without its end, in bytes.
    pub line_bytes_max: usize,
    /// How much of a longer one is kept, in bytes; the rest is skipped.
    pub start_bytes: usize,
}

/// A line that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// All of it, without LF or CR LF.
    Whole(Vec<u8>),
    /// It was longer than allowed.
    Long {
        /// Its beginning.
        start: Vec<u8>,
        /// All its bytes, without the LF.
        length: u64,
    },
}

/// Reads lines until the end, or until nobody takes them. The last line needs no LF. An error of
/// the reader counts as the end.
///
/// # Errors
/// When no thread can be started.
pub fn read_lines(
    reader: impl Read + Send + 'static,
    limits: LineLimits,
) -> io::Result<Receiver<Line>> {
    // One line waits while the next is read: they may be long.
    let (sender, receiver) = bounded(1);
    thread::Builder::new().name("codex-lines-in".into()).stack_size(STACK_BYTES).spawn(
        move || {
            let mut reader = BufReader::new(reader);
            loop {
                match next_line(&mut reader, limits) {
                    Ok(Some(line)) => {
                        if sender.send_blocking(line).is_err() {
                            return;
                        }
                    }
                    Ok(None) => return,
                    Err(error) => {
                        tracing::warn!(%error, "reading lines failed");
                        return;
                    }
                }
            }
        },
    )?;
    Ok(receiver)
}

fn next_line(reader: &mut impl BufRead, limits: LineLimits) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut length = 0_u64;
    loop {
        let available = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        };
        let end = available.iter().position(|byte| *byte == b'\n');
        let piece = &available[..end.unwrap_or(available.len())];
        let used = piece.len() + usize::from(end.is_some());
        if used == 0 && length == 0 {
            return Ok(None);
        }
        let is_done = end.is_some() || used == 0;
        length += piece.len() as u64;
        if length <= limits.line_bytes_max as u64 {
            line.extend_from_slice(piece);
        } else {
            line.extend_from_slice(&piece[..piece.len().min(limits.start_bytes)]);
            line.truncate(limits.start_bytes);
            // A line that was nearly too long leaves no big buffer behind.
            line.shrink_to(limits.start_bytes);
        }
        reader.consume(used);
        if is_done {
            break;
        }
    }
    if length > limits.line_bytes_max as u64 {
        return Ok(Some(Line::Long { start: line, length }));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(Line::Whole(line)))
}

/// Writes lines in order. Dropping it lets the thread write what waits, then end.
#[derive(Debug)]
pub struct LineWriter {
    lines: Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    /// One entry after each write that moved something; closed when writing has ended.
    moved: Receiver<()>,
}

impl LineWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(writer: impl Write + Send + 'static) -> io::Result<Self> {
        let (sender, lines) = unbounded::<Vec<u8>>();
        let (moving, moved) = bounded(1);
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        thread::Builder::new()
            .name("codex-lines-out".into())
            .stack_size(STACK_BYTES)
            .spawn(move || write_lines(writer, &lines, &left, &moving))?;
        Ok(Self { lines: sender, waiting, moved })
    }

    /// Adds a line, its end included. It never waits: look at [`Self::waiting`] before there is more
    /// to say. False when writing has ended.
    pub fn push(&self, line: Vec<u8>) -> bool {
        self.waiting.fetch_add(line.len(), Ordering::SeqCst);
        self.lines.try_send(line).is_ok()
    }

    /// Bytes that are not written yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Waits until something was written since the last time, or writing has ended: false.
    pub async fn moved(&self) -> bool {
        self.moved.recv().await.is_ok()
    }
}

fn write_lines(
    mut writer: impl Write,
    lines: &Receiver<Vec<u8>>,
    waiting: &AtomicUsize,
    moving: &Sender<()>,
) {
    let mut batch = Vec::new();
    while let Ok(line) = lines.recv_blocking() {
        batch.clear();
        batch.extend_from_slice(&line);
        while batch.len() < BATCH_BYTES
            && let Ok(line) = lines.try_recv()
        {
            batch.extend_from_slice(&line);
        }
        let mut rest = batch.as_slice();
        while !rest.is_empty() {
            let written = match writer.write(rest) {
                Ok(0) => Err(io::Error::from(io::ErrorKind::WriteZero)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result,
            };
            let flushed = written.and_then(|count| writer.flush().map(|()| count));
            match flushed {
                Ok(count) => {
                    rest = &rest[count..];
                    waiting.fetch_sub(count, Ordering::SeqCst);
                    // An entry that waits already says the same.
                    let _ = moving.try_send(());
                }
                Err(error) => {
                    // Somebody who closed the pipe knows; anything else has to be told.
                    if error.kind() != io::ErrorKind::BrokenPipe {
                        tracing::error!(%error, "writing lines failed");
                    }
                    lines.close();
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const LIMITS: LineLimits = LineLimits { line_bytes_max: 8, start_bytes: 3 };

    fn lines(text: &[u8]) -> Vec<Line> {
        // A small buffer, so that lines come in pieces.
        let mut reader = BufReader::with_capacity(2, Cursor::new(text.to_vec()));
        std::iter::from_fn(|| next_line(&mut reader, LIMITS).unwrap()).collect()
    }

    #[test]
    fn lines_are_cut_at_line_feeds_and_bounded() {
        let whole = |text: &str| Line::Whole(text.as_bytes().to_vec());
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"a\r\n\nb"), [whole("a"), whole(""), whole("b")]);
        assert_eq!(lines(b"12345678\n"), [whole("12345678")]);
        let long = Line::Long { start: b"123".to_vec(), length: 9 };
        assert_eq!(lines(b"123456789\nx\n"), [long.clone(), whole("x")]);
        assert_eq!(lines(b"123456789"), [long]);
    }

    #[test]
    fn what_is_written_is_counted_down_and_a_closed_pipe_ends_it() {
        let (mut reader, writer) = io::pipe().unwrap();
        let lines = LineWriter::start(writer).unwrap();
        assert!(lines.push(b"one\n".to_vec()));
        assert!(smol::block_on(lines.moved()));
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).unwrap();
        assert_eq!((&bytes, lines.waiting()), (b"one\n", 0));
        drop(reader);
        lines.push(b"two\n".to_vec());
        assert!(!smol::block_on(lines.moved()));
        assert!(!lines.push(b"three\n".to_vec()));
    }

    #[test]
    fn nothing_is_lost_when_the_writer_is_dropped() {
        let (mut reader, writer) = io::pipe().unwrap();
        let lines = LineWriter::start(writer).unwrap();
        for _ in 0..100 {
            lines.push(b"0123456789\n".to_vec());
        }
        drop(lines);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text.lines().count(), 100);
    }
}
