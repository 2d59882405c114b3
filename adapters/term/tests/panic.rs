//! A panic puts the terminal right before it is told, and what it says stays readable.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs::File,
    io::Read as _,
    process::{Command, Stdio},
};

use codex_term::{Options, Terminal};
use codex_tui::setup::Mode;
use rustix::{
    fs::OFlags,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};

const MODE: &str = "CODEX_TERM_TEST_PANICS_IN";

/// What the other test runs on a terminal of its own; nothing without one.
#[test]
fn child_that_panics() {
    let mode = match std::env::var(MODE).as_deref() {
        Ok("full") => Mode::FullScreen,
        Ok(_) => Mode::Inline,
        Err(_) => return,
    };
    let terminal =
        Terminal::take(&Options { mode, title: true, burst_off: false, dumb: false }).unwrap();
    assert!(terminal.is_ours());
    panic!("on purpose, with {} columns", terminal.size().0);
}

#[test]
fn a_panic_is_told_on_a_terminal_that_is_put_right() {
    for (mode, entered) in [("inline", "\x1b[?2004h"), ("full", "\x1b[?1049h")] {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(&*name, flags, rustix::fs::Mode::empty()).unwrap();
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_panics", "--nocapture", "--test-threads=1"])
            .env(MODE, mode)
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .unwrap();
        let mut from = File::from(master.try_clone().unwrap());
        let reader = std::thread::spawn(move || {
            let (mut all, mut buffer) = (Vec::new(), [0; 4_096]);
            // The end is an error once nobody holds the other side.
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                all.extend_from_slice(&buffer[..count]);
            }
            String::from_utf8_lossy(&all).into_owned()
        });
        assert!(!child.wait().unwrap().success());
        let modes = tcgetattr(&slave).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO), "{modes:?}");
        drop(slave);
        let text = reader.join().unwrap();
        let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what:?} in {text:?}"));
        let left = at(&entered.replace('h', "l"));
        let told = at("on purpose, with");
        assert!(at(entered) < left && left < told, "{text:?}");
        assert!(text[left..told].contains("\r\n\x1b[J"), "on a row of its own: {text:?}");
        assert!(!text[told..].contains("\x1b["), "nothing is written over it: {text:?}");
    }
}
