//! The keeper: a tiny process that puts the terminal right when we are killed.
//!
//! It is our own program again, with a session of its own so that nothing meant for us reaches it.
//! Its standard input is a pipe whose other end only we hold; its standard output is the terminal.
//!
//! ```text
//! state     on                        next
//! Keeping   `leave HEX`               Keeping, with these bytes
//!           `end`                     gone: we have put the terminal right ourselves
//!           the end of the pipe       writes the bytes, restores the settings, gone
//! ```
//!
//! The settings are restored only when they are still ours: a shell that was quicker has its own.

use std::{
    ffi::OsString,
    io::{self, BufRead, Write},
    os::fd::{AsFd, OwnedFd},
    process::{Child, Command, Stdio},
};

use rustix::{
    io::Errno,
    termios::{
        ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex,
        Termios, tcgetattr, tcsetattr,
    },
};

use crate::sys::in_own_session;

/// The first argument that makes a program of ours a keeper.
pub const KEEPER_ARG: &str = "--codex-run-as-keeper";
/// Bytes of a line at most.
const LINE_BYTES_MAX: u64 = 4_096;

/// What raw mode changes of a terminal's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    input: u64,
    output: u64,
    control: u64,
    local: u64,
    min: u8,
    time: u8,
}

impl Line {
    /// Those of a terminal's settings.
    #[must_use]
    pub fn of(termios: &Termios) -> Self {
        Self {
            input: termios.input_modes.bits().into(),
            output: termios.output_modes.bits().into(),
            control: termios.control_modes.bits().into(),
            local: termios.local_modes.bits().into(),
            min: termios.special_codes[SpecialCodeIndex::VMIN],
            time: termios.special_codes[SpecialCodeIndex::VTIME],
        }
    }

    /// Puts them into a terminal's settings.
    fn put(self, termios: &mut Termios) {
        termios.input_modes = InputModes::from_bits_retain(self.input as _);
        termios.output_modes = OutputModes::from_bits_retain(self.output as _);
        termios.control_modes = ControlModes::from_bits_retain(self.control as _);
        termios.local_modes = LocalModes::from_bits_retain(self.local as _);
        termios.special_codes[SpecialCodeIndex::VMIN] = self.min;
        termios.special_codes[SpecialCodeIndex::VTIME] = self.time;
    }

    fn write(self) -> String {
        let Self { input, output, control, local, min, time } = self;
        format!("{input}:{output}:{control}:{local}:{min}:{time}")
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(':').map(|part| part.parse::<u64>().ok());
        let mut next = || parts.next().flatten();
        Some(Self {
            input: next()?,
            output: next()?,
            control: next()?,
            local: next()?,
            min: u8::try_from(next()?).ok()?,
            time: u8::try_from(next()?).ok()?,
        })
    }
}

/// A keeper that runs.
#[derive(Debug)]
pub struct Keeper {
    child: Child,
}

impl Keeper {
    /// Starts one: `program` is ours, `cooked` what the terminal had, `raw` what we made of it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        program: &std::path::Path,
        terminal: OwnedFd,
        cooked: Line,
        raw: Line,
    ) -> io::Result<Self> {
        // When we are killed, the terminal hangs up: that must not reach a keeper that still starts.
        let child = in_own_session(&mut Command::new(program))
            .args([KEEPER_ARG, &cooked.write(), &raw.write()])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(terminal)
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child })
    }

    /// Which process it is.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What is to be written when we are killed.
    pub fn leave(&mut self, bytes: &str) {
        let hex: String = bytes.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.tell(&format!("leave {hex}\n"));
    }

    /// We end by ourselves.
    pub fn end(mut self) {
        self.tell("end\n");
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }

    fn tell(&mut self, line: &str) {
        if let Some(stdin) = &mut self.child.stdin {
            // A keeper that is gone cannot be told anything.
            let _ = stdin.write_all(line.as_bytes());
        }
    }
}

/// Becomes the keeper when the arguments say so; returns at once otherwise. To be called first thing
/// in `main`, before there is a second thread.
pub fn run_keeper_if_asked() {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_none_or(|arg| arg != KEEPER_ARG) {
        return;
    }
    let line = |arg: Option<OsString>| Line::read(arg?.to_str()?);
    let (cooked, raw) = (line(args.next()), line(args.next()));
    let leave = keep(&mut io::stdin().lock());
    if let (Some(leave), Some(cooked), Some(raw)) = (leave, cooked, raw) {
        restore(io::stdout().as_fd(), &leave, cooked, raw);
    }
    std::process::exit(0);
}

/// Reads until the end; `None` when nothing is to be done.
fn keep(input: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut leave = Vec::new();
    let mut line = String::new();
    loop {
        line.clear();
        match io::Read::take(&mut *input, LINE_BYTES_MAX).read_line(&mut line) {
            Ok(0) | Err(_) => return Some(leave),
            Ok(_) if line == "end\n" => return None,
            Ok(_) => {
                if let Some(hex) = line.trim_end().strip_prefix("leave ") {
                    leave = unhex(hex).unwrap_or(leave);
                } else if line == "leave\n" || line == "leave \n" {
                    leave.clear();
                }
            }
        }
    }
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn restore(terminal: impl AsFd, leave: &[u8], cooked: Line, raw: Line) {
    let mut rest = leave;
    while !rest.is_empty() {
        match rustix::io::write(&terminal, rest) {
            Ok(count) => rest = &rest[count..],
            Err(Errno::INTR) => {}
            Err(_) => break,
        }
    }
    if let Ok(mut termios) = tcgetattr(&terminal)
        && Line::of(&termios) == raw
    {
        cooked.put(&mut termios);
        let _ = tcsetattr(&terminal, OptionalActions::Now, &termios);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_unless_we_end_by_ourselves() {
        let keep = |text: &str| keep(&mut text.as_bytes());
        assert_eq!(keep(""), Some(Vec::new()));
        assert_eq!(keep("leave 6162\nleave 1b5b\n"), Some(b"\x1b[".to_vec()));
        assert_eq!(keep("leave 6162\nleave \n"), Some(Vec::new()));
        assert_eq!(keep("leave 6162\nleave zz\n"), Some(b"ab".to_vec()));
        assert_eq!(keep("leave 6162\nend\n"), None);
    }

    #[test]
    fn settings_survive_the_way() {
        let line = Line { input: 1, output: 2, control: 3, local: u64::MAX, min: 1, time: 255 };
        assert_eq!(Line::read(&line.write()), Some(line));
        assert_eq!(Line::read("1:2:3"), None);
    }
}
