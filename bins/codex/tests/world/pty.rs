//! A terminal for one run of the binary: a pty, an emulator of what it shows, and the answers that a
//! terminal gives.
#![allow(clippy::unwrap_used, dead_code, reason = "each test binary uses its part")]
#![allow(unsafe_code, reason = "the child takes the terminal between fork and exec")]

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Termios, Winsize, tcgetattr, tcsetwinsize},
};

/// How long something on the screen is waited for.
const SHOWN_WITHIN: Duration = Duration::from_secs(120);

pub(crate) struct Pty {
    pub(crate) child: Child,
    master: File,
    /// Kept open, so that the terminal lives on when the child is gone.
    slave: OwnedFd,
    before: Termios,
    seen: Arc<Mutex<Seen>>,
}

pub(crate) struct Seen {
    parser: vt100::Parser,
    /// Everything that was written.
    pub(crate) bytes: Vec<u8>,
    /// When so many bytes had come.
    arrivals: Vec<(usize, Instant)>,
}

impl Pty {
    /// Starts a command on a terminal of this size.
    pub(crate) fn start(mut command: Command, columns: u16, rows: u16) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = rustix::fs::open(
            &*name,
            rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )
        .unwrap();
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let before = tcgetattr(&slave).unwrap();
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        command.stdin(stdio()).stdout(stdio()).stderr(stdio()).env("TERM", "xterm-256color");
        // SAFETY: only two system calls between fork and exec.
        unsafe {
            command.pre_exec(|| {
                if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        let master = File::from(master);
        let parser = vt100::Parser::new(cells(rows), cells(columns), 10_000);
        let seen = Arc::new(Mutex::new(Seen { parser, bytes: Vec::new(), arrivals: Vec::new() }));
        let (mut from, mut to) = (master.try_clone().unwrap(), master.try_clone().unwrap());
        let shown = Arc::clone(&seen);
        thread::spawn(move || {
            let mut buffer = [0; 16 << 10];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                let bytes = &buffer[..count];
                let text = String::from_utf8_lossy(bytes).into_owned();
                let mut seen = shown.lock().unwrap();
                seen.parser.process(bytes);
                seen.bytes.extend_from_slice(bytes);
                let count = seen.bytes.len();
                seen.arrivals.push((count, Instant::now()));
                drop(seen);
                for (question, answer) in [
                    ("\x1b]11;?", "\x1b]11;rgb:0000/0000/0000\x1b\\"),
                    ("\x1b[?2004$p", "\x1b[?2004;1$y"),
                    ("\x1b[c", "\x1b[?62;c"),
                ] {
                    if text.contains(question) {
                        let _ = to.write_all(answer.as_bytes());
                    }
                }
            }
        });
        Self { child, master, slave, before, seen }
    }

    /// Starts a command and waits for its composer.
    pub(crate) fn composer(command: Command) -> Self {
        let pty = Self::start(command, 90, 30);
        pty.until_shown("\u{203a} ");
        pty
    }

    /// Leaves by Ctrl-D; the terminal is as it was.
    pub(crate) fn quit(&mut self) {
        self.send(b"\x04");
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{}", self.text());
        assert!(self.is_put_right());
        // What was written last may still be on its way.
        crate::world::until("all modes are left", || self.modes_left_on().is_empty());
    }

    /// Types bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.master.write_all(bytes).unwrap();
    }

    /// Types a line and presses Enter, in two pieces as a person does.
    pub(crate) fn line(&mut self, text: &str) {
        self.send(text.as_bytes());
        self.until_shown(text.split('\n').next_back().unwrap_or(text));
        self.send(b"\r");
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        self.seen.lock().unwrap().parser.screen_mut().set_size(cells(rows), cells(columns));
        tcsetwinsize(&self.master, size).unwrap();
    }

    /// What is on the screen.
    pub(crate) fn text(&self) -> String {
        self.seen.lock().unwrap().parser.screen().contents()
    }

    /// Row and column of the cursor.
    pub(crate) fn cursor(&self) -> (u16, u16) {
        self.seen.lock().unwrap().parser.screen().cursor_position()
    }

    pub(crate) fn written(&self) -> Vec<u8> {
        self.seen.lock().unwrap().bytes.clone()
    }

    /// Bytes that were written so far.
    pub(crate) fn byte_count(&self) -> usize {
        self.seen.lock().unwrap().bytes.len()
    }

    /// When this byte came.
    pub(crate) fn arrived(&self, byte: usize) -> Instant {
        let seen = self.seen.lock().unwrap();
        let at = seen.arrivals.partition_point(|(count, _)| *count < byte);
        seen.arrivals[at.min(seen.arrivals.len() - 1)].1
    }

    /// Frames that were written so far: synchronized updates.
    pub(crate) fn frame_count(&self) -> usize {
        const BEGIN: &[u8] = b"\x1b[?2026h";
        self.seen.lock().unwrap().bytes.windows(BEGIN.len()).filter(|at| *at == BEGIN).count()
    }

    /// Waits for a text among the bytes, looking all the time.
    pub(crate) fn until_bytes(&self, wanted: &str) {
        let started = Instant::now();
        loop {
            let seen = self.seen.lock().unwrap();
            if seen.bytes.windows(wanted.len()).any(|at| at == wanted.as_bytes()) {
                return;
            }
            drop(seen);
            assert!(started.elapsed() < SHOWN_WITHIN, "in vain: {wanted}");
            thread::sleep(Duration::from_micros(100));
        }
    }

    /// Waits for more bytes than so many.
    pub(crate) fn until_more_than(&self, count: usize) {
        let started = Instant::now();
        while self.byte_count() <= count {
            assert!(started.elapsed() < SHOWN_WITHIN, "nothing was written");
            thread::sleep(Duration::from_micros(50));
        }
    }

    /// Presses a key until the screen shows a text; again after a while, since a key may come too
    /// early to count.
    pub(crate) fn press_until(&mut self, key: &[u8], wanted: &str) {
        let started = Instant::now();
        while !self.text().contains(wanted) {
            assert!(started.elapsed() < SHOWN_WITHIN, "in vain: {wanted}\n{}", self.text());
            self.send(key);
            self.shows_within(Duration::from_secs(3), wanted);
        }
    }

    /// Whether the screen shows a text in time.
    pub(crate) fn shows_within(&self, time: Duration, wanted: &str) -> bool {
        let end = Instant::now() + time;
        while !self.text().contains(wanted) {
            if Instant::now() > end {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Waits for a text that may take minutes.
    pub(crate) fn until_long(&self, wanted: &str) {
        let started = Instant::now();
        while !self.text().contains(wanted) {
            assert!(started.elapsed() < Duration::from_secs(300), "in vain: {wanted}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the screen shows a text.
    pub(crate) fn until_shown(&self, wanted: &str) {
        self.until(wanted, |text| text.contains(wanted));
    }

    pub(crate) fn until(&self, what: &str, holds: impl Fn(&str) -> bool) {
        let started = Instant::now();
        loop {
            let text = self.text();
            if holds(&text) {
                return;
            }
            assert!(started.elapsed() < SHOWN_WITHIN, "in vain: {what}\n{text}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        crate::world::wait_within(&mut self.child, SHOWN_WITHIN)
    }

    pub(crate) fn signal(&self, signal: i32) {
        // SAFETY: a plain system call.
        unsafe { libc::kill(i32::try_from(self.child.id()).unwrap(), signal) };
    }

    /// Whether the terminal's settings are what they were.
    pub(crate) fn is_put_right(&self) -> bool {
        let now = tcgetattr(&self.slave).unwrap();
        now.local_modes == self.before.local_modes
            && now.input_modes == self.before.input_modes
            && now.output_modes == self.before.output_modes
    }

    /// Modes that were turned on and not off again.
    pub(crate) fn modes_left_on(&self) -> Vec<String> {
        let bytes = self.written();
        let text = String::from_utf8_lossy(&bytes);
        let last = |mode: &str, on: char| text.rfind(&format!("\x1b[?{mode}{on}"));
        let modes = ["2004", "1004", "1049", "1000", "1002", "1006", "2026"];
        let is_left = |mode: &&&str| last(mode, 'h') > last(mode, 'l');
        modes.iter().filter(is_left).map(|mode| (*mode).to_owned()).collect()
    }

    pub(crate) fn raw_descriptor(&self) -> i32 {
        self.master.as_raw_fd()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cells(count: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(count).unwrap()
}
