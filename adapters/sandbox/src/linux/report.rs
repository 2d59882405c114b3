//! How a process inside tells the spawner what became of the set-up: one short message on a pipe.

use std::{
    ffi::{CStr, OsStr},
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    time::{Duration, Instant},
};

use super::sys::{self, Errno};
use crate::{Layer, SandboxError};

/// A failed step inside.
#[derive(Clone, Copy)]
pub(super) struct Fault<'a> {
    pub(super) layer: Layer,
    pub(super) errno: Errno,
    pub(super) path: Option<&'a CStr>,
}

/// Adds the layer and the path to a bare error number.
pub(super) trait Blame<T> {
    fn layer<'a>(self, layer: Layer) -> Result<T, Fault<'a>>;
    fn at(self, layer: Layer, path: &CStr) -> Result<T, Fault<'_>>;
}

impl<T> Blame<T> for Result<T, Errno> {
    fn layer<'a>(self, layer: Layer) -> Result<T, Fault<'a>> {
        self.map_err(|errno| Fault { layer, errno, path: None })
    }

    fn at(self, layer: Layer, path: &CStr) -> Result<T, Fault<'_>> {
        self.map_err(|errno| Fault { layer, errno, path: Some(path) })
    }
}

/// Message: layer (0 for success), error number, path. Written in one piece, so at most PIPE_BUF.
const MESSAGE_BYTES_MAX: usize = 4096;
const HEADER_BYTES: usize = 5;

/// Tells that everything went well. `note` is passed on as it is.
pub(super) fn tell_done(fd: RawFd, note: u8) {
    // A spawner that has died is noticed by its death signal.
    let _ = sys::write(fd, &[0, note, 0, 0, 0]);
}

/// Tells what failed.
pub(super) fn tell_fault(fd: RawFd, fault: &Fault<'_>) {
    let mut message = [0; MESSAGE_BYTES_MAX];
    message[0] = fault.layer as u8;
    message[1..HEADER_BYTES].copy_from_slice(&fault.errno.to_ne_bytes());
    let path = fault.path.map_or(&b""[..], CStr::to_bytes);
    let path = &path[..path.len().min(MESSAGE_BYTES_MAX - HEADER_BYTES)];
    message[HEADER_BYTES..HEADER_BYTES + path.len()].copy_from_slice(path);
    let _ = sys::write(fd, &message[..HEADER_BYTES + path.len()]);
}

/// How long a set-up may take. It has no reason to wait for anything but the disk.
const SETUP_DEADLINE: Duration = Duration::from_secs(10);

/// Waits for the message; the note of a success.
///
/// # Errors
/// What the process inside told; [`Layer::Process`] when it died without a word;
/// [`Layer::Deadline`].
pub(super) fn hear(fd: &OwnedFd) -> Result<u8, SandboxError> {
    let started = Instant::now();
    loop {
        let left = SETUP_DEADLINE.saturating_sub(started.elapsed());
        match sys::poll(fd.as_raw_fd(), libc::POLLIN, left.as_millis() as i32 + 1) {
            Err(libc::EINTR) => {}
            Err(errno) => return Err(SandboxError::new(Layer::Process, errno)),
            Ok(None) => return Err(SandboxError::new(Layer::Deadline, 0)),
            Ok(Some(_)) => break,
        }
    }
    let mut message = [0; MESSAGE_BYTES_MAX];
    let n = sys::read(fd.as_raw_fd(), &mut message)
        .map_err(|errno| SandboxError::new(Layer::Process, errno))?;
    if n < HEADER_BYTES {
        return Err(SandboxError::new(Layer::Process, 0));
    }
    if message[0] == 0 {
        return Ok(message[1]);
    }
    let errno = Errno::from_ne_bytes([message[1], message[2], message[3], message[4]]);
    let layer =
        LAYERS.into_iter().find(|layer| *layer as u8 == message[0]).unwrap_or(Layer::Process);
    let path = &message[HEADER_BYTES..n];
    Err(SandboxError {
        layer,
        errno,
        path: (!path.is_empty()).then(|| OsStr::from_bytes(path).into()),
    })
}

/// The layers that fail inside.
const LAYERS: [Layer; 15] = [
    Layer::Process,
    Layer::Namespaces,
    Layer::UserMap,
    Layer::Mounts,
    Layer::Devices,
    Layer::Proc,
    Layer::Tmp,
    Layer::Loopback,
    Layer::Keyring,
    Layer::Limits,
    Layer::Capabilities,
    Layer::Landlock,
    Layer::Seccomp,
    Layer::Cwd,
    Layer::Exec,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_arrive_as_they_were_told() {
        let (reader, writer) = sys::pipe().unwrap();
        let fault = Fault { layer: Layer::Mounts, errno: libc::EPERM, path: Some(c"/a\xff") };
        tell_fault(writer.as_raw_fd(), &fault);
        let error = hear(&reader).unwrap_err();
        assert_eq!((error.layer, error.errno), (Layer::Mounts, libc::EPERM));
        assert_eq!(error.path.unwrap().as_os_str().as_bytes(), b"/a\xff");
        tell_done(writer.as_raw_fd(), 3);
        assert_eq!(hear(&reader), Ok(3));
        drop(writer);
        assert_eq!(hear(&reader).unwrap_err().layer, Layer::Process);
    }
}
