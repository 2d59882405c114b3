//! From the operating system's errors to ours.

use std::{fmt::Display, io, path::Path};

use codex_proto::{HostError, HostErrorKind};
use rustix::io::Errno;

/// Says what failed, where and why: `cannot open /x/y: permission denied`.
pub(crate) fn at(verb: &str, path: &Path, error: impl Into<io::Error>) -> HostError {
    let error = error.into();
    HostError::new(kind(&error), format!("cannot {verb} {}: {}", path.display(), cause(&error)))
}

/// Our own finding about a path: `/x/y is a directory`.
pub(crate) fn found(kind: HostErrorKind, path: &Path, what: impl Display) -> HostError {
    HostError::new(kind, format!("{} {what}", path.display()))
}

/// The kind on which decisions rest.
pub(crate) fn kind(error: &io::Error) -> HostErrorKind {
    match Errno::from_io_error(error) {
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => HostErrorKind::DiskFull,
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => HostErrorKind::Permission,
        Some(Errno::NOENT) => HostErrorKind::NotFound,
        Some(_) => HostErrorKind::Other,
        None => match error.kind() {
            io::ErrorKind::NotFound => HostErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => HostErrorKind::Permission,
            io::ErrorKind::StorageFull => HostErrorKind::DiskFull,
            _ => HostErrorKind::Other,
        },
    }
}

/// The cause in lower case, without the number that the standard library appends.
pub(crate) fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if !chars.as_str().starts_with(char::is_uppercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// What a path is, for messages; `None` for a regular file.
pub(crate) fn not_regular(kind: rustix::fs::FileType) -> Option<&'static str> {
    use rustix::fs::FileType as T;
    Some(match kind {
        T::RegularFile => return None,
        T::Directory => "is a directory, not a file",
        T::Symlink => "is a symbolic link, not a file",
        T::Fifo => "is a named pipe, not a file",
        T::Socket => "is a socket, not a file",
        T::CharacterDevice | T::BlockDevice => "is a device, not a file",
        T::Unknown => "is not a regular file",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_place_and_the_cause() {
        let error = at("open", Path::new("/x"), Errno::ROFS);
        assert_eq!(error.kind, HostErrorKind::Permission);
        assert_eq!(error.message, "cannot open /x: read-only file system");
        assert_eq!(at("write", Path::new("/x"), Errno::NOSPC).kind, HostErrorKind::DiskFull);
    }
}
