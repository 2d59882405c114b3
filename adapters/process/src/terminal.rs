//! A terminal of its own for a command: both ends of a pair, and its size.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use codex_proto::effect::TtySize;
use rustix::{
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// Opens a pair: our end, and the command's. Neither becomes the controlling terminal of this
/// process.
pub(crate) fn open_pair(size: TtySize) -> io::Result<(OwnedFd, OwnedFd)> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let name = ptsname(&ours, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let theirs = open(name, flags, Mode::empty())?;
    set_size(&ours, size)?;
    Ok((ours, theirs))
}

/// Sets the size; whatever runs in the foreground is told.
pub(crate) fn set_size(terminal: impl AsFd, size: TtySize) -> io::Result<()> {
    let TtySize { rows, columns } = size;
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(tcsetwinsize(terminal, size)?)
}
