//! Words for what can go wrong when a command is started. Pure.

use std::{ffi::OsStr, io, path::Path};

use codex_proto::{HostError, HostErrorKind};

use crate::{link::LinkError, wire::Stage};

/// Why the spawner could not take a request.
pub(crate) fn explain_link(error: &LinkError, program: &Path) -> HostError {
    match error {
        LinkError::Closed => HostError::new(
            HostErrorKind::Cancelled,
            "the session is ending, so no command is started any more",
        ),
        LinkError::Start(error) => HostError::new(
            HostErrorKind::Spawn,
            format!(
                "cannot start {} as the process that runs commands: {}",
                program.display(),
                plain(error)
            ),
        ),
        LinkError::Send(error) => HostError::new(
            HostErrorKind::Spawn,
            format!("cannot reach the process that runs commands: {}", plain(error)),
        ),
    }
}

/// Why a command did not start. `errno` is 0 where there is none.
pub(crate) fn explain_start(
    program: &OsStr,
    cwd: &Path,
    stage: Stage,
    errno: i32,
    text: &str,
) -> HostError {
    let error = io::Error::from_raw_os_error(errno);
    let (program, cwd) = (program.display(), cwd.display());
    let kind = match error.kind() {
        _ if stage == Stage::Sandbox => HostErrorKind::Sandbox,
        io::ErrorKind::NotFound => HostErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => HostErrorKind::Permission,
        _ => HostErrorKind::Spawn,
    };
    let message = match stage {
        Stage::Cwd if errno == libc::ENOENT => {
            format!("cannot run {program}: the working directory {cwd} does not exist")
        }
        Stage::Cwd => {
            format!("cannot run {program}: cannot enter the directory {cwd}: {}", plain(&error))
        }
        Stage::Exec if errno == libc::ENOENT => {
            format!("cannot run {program}: there is no such program (working directory {cwd})")
        }
        Stage::Exec | Stage::Process if errno != 0 => {
            format!("cannot run {program} in {cwd}: {}", plain(&error))
        }
        Stage::Exec | Stage::Process => format!("cannot run {program} in {cwd}: {text}"),
        Stage::Sandbox => format!("{program} was not run because the sandbox failed: {text}"),
    };
    HostError::new(kind, message)
}

/// What the system says, in lower case and without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_program_and_the_place() {
        let explain = |stage, errno, text| {
            let error = explain_start("ls".as_ref(), Path::new("/w"), stage, errno, text);
            (error.kind, error.message)
        };
        assert_eq!(
            explain(Stage::Cwd, libc::ENOENT, ""),
            (
                HostErrorKind::NotFound,
                "cannot run ls: the working directory /w does not exist".into()
            )
        );
        assert_eq!(
            explain(Stage::Exec, libc::EACCES, ""),
            (HostErrorKind::Permission, "cannot run ls in /w: permission denied".into())
        );
        assert_eq!(
            explain(Stage::Exec, libc::E2BIG, ""),
            (HostErrorKind::Spawn, "cannot run ls in /w: argument list too long".into())
        );
        assert_eq!(
            explain(Stage::Sandbox, libc::EPERM, "no user namespaces"),
            (
                HostErrorKind::Sandbox,
                "ls was not run because the sandbox failed: no user namespaces".into()
            )
        );
    }
}
