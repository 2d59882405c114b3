//! Starts one command, without a sandbox.

use std::{
    ffi::{CString, OsStr, OsString},
    io,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::Path,
};

use rustix::{
    io::Errno,
    process::{
        Pid, Signal, WaitOptions, getpid, getppid, ioctl_tiocsctty,
        set_parent_process_death_signal, setsid, waitpid,
    },
};

use crate::{
    env::{Env, value_of},
    sys::{self, Pointers},
    wire::Stage,
};

/// Where programs are looked for when the command has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A command, with all memory that `execve` needs.
pub(crate) struct Command {
    /// Paths to try, in order.
    programs: Vec<CString>,
    argv: Vec<CString>,
    env: Vec<CString>,
    cwd: CString,
}

/// Why a program did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) errno: i32,
}

impl Failure {
    pub(crate) fn new(stage: Stage, error: &io::Error) -> Self {
        Self { stage, errno: error.raw_os_error().unwrap_or(libc::EINVAL) }
    }
}

/// What the child needs, and what it reports.
struct Launch<'a> {
    command: &'a Command,
    parent: Pid,
    stdin: BorrowedFd<'a>,
    output: BorrowedFd<'a>,
    failure: Option<Failure>,
}

impl Command {
    /// Fails with the `Exec` stage when a string holds NUL or there is no program.
    pub(crate) fn new(argv: Vec<OsString>, env: Env, cwd: &Path) -> Result<Self, Failure> {
        let invalid = |stage| Failure { stage, errno: libc::EINVAL };
        let program = argv.first().filter(|name| !name.is_empty());
        let programs = candidates(
            program.ok_or(Failure { stage: Stage::Exec, errno: libc::ENOENT })?,
            value_of(&env, "PATH"),
        );
        let c_strings = |texts: Vec<OsString>| {
            texts
                .into_iter()
                .map(|text| CString::new(text.into_vec()))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| invalid(Stage::Exec))
        };
        let pairs = env.into_iter().map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            name
        });
        Ok(Self {
            programs: c_strings(programs)?,
            env: c_strings(pairs.collect())?,
            argv: c_strings(argv)?,
            cwd: CString::new(cwd.as_os_str().as_bytes()).map_err(|_| invalid(Stage::Cwd))?,
        })
    }

    /// Starts the command as the leader of a new session and process group; a terminal at its
    /// standard input becomes the session's controlling one. Returns when the
    /// program runs. It is killed when the calling process ends.
    pub(crate) fn launch(
        &self,
        stdin: BorrowedFd<'_>,
        output: BorrowedFd<'_>,
    ) -> Result<Pid, Failure> {
        let mut launch = Launch { command: self, parent: getpid(), stdin, output, failure: None };
        let pid = sys::borrow_process(Launch::run, &mut launch)
            .map_err(|error| Failure::new(Stage::Process, &error))?;
        match launch.failure {
            None => Ok(pid),
            Some(failure) => {
                let _ = waitpid(Some(pid), WaitOptions::empty());
                Err(failure)
            }
        }
    }

    /// Tries one path after the other, as shells do.
    fn exec(&self) -> io::Error {
        let (argv, env) = (Pointers::to(&self.argv), Pointers::to(&self.env));
        let mut result = Errno::NOENT.into();
        for program in &self.programs {
            let error = sys::execve(program, &argv, &env);
            match error.raw_os_error().unwrap_or_default() {
                libc::ENOENT | libc::ENOTDIR => {}
                libc::EACCES => result = error,
                libc::ENOEXEC => return self.exec_script(program, &env),
                _ => return error,
            }
        }
        result
    }

    /// A text file without an interpreter line is a script for `sh`.
    fn exec_script(&self, program: &CString, env: &Pointers) -> io::Error {
        let head = [c"/bin/sh".to_owned(), program.clone()];
        let argv: Vec<CString> =
            head.into_iter().chain(self.argv.iter().skip(1).cloned()).collect();
        sys::execve(c"/bin/sh", &Pointers::to(&argv), env)
    }
}

impl Launch<'_> {
    /// Runs in the child; returns only on failure.
    fn run(&mut self) {
        let failure = match self.prepare() {
            Err(error) => Failure::new(Stage::Process, &error),
            Ok(()) => match rustix::process::chdir(self.command.cwd.as_c_str()) {
                Err(error) => Failure::new(Stage::Cwd, &error.into()),
                Ok(()) => Failure::new(Stage::Exec, &self.command.exec()),
            },
        };
        self.failure = Some(failure);
    }

    fn prepare(&self) -> io::Result<()> {
        setsid()?;
        set_parent_process_death_signal(Some(Signal::KILL))?;
        if getppid() != Some(self.parent) {
            sys::exit_now(127);
        }
        sys::install_fd(self.stdin, 0)?;
        sys::install_fd(self.output, 1)?;
        sys::install_fd(self.output, 2)?;
        // A terminal becomes the session's own; anything else is none.
        let _ = ioctl_tiocsctty(self.stdin);
        sys::default_signals();
        Ok(())
    }
}

/// An empty standard input.
pub(crate) fn open_null() -> io::Result<OwnedFd> {
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    Ok(rustix::fs::open("/dev/null", flags, rustix::fs::Mode::empty())?)
}

/// The paths that a program name stands for.
fn candidates(program: &OsStr, path: Option<&OsStr>) -> Vec<OsString> {
    if program.as_bytes().contains(&b'/') {
        return vec![program.to_owned()];
    }
    let path = path.filter(|path| !path.is_empty()).unwrap_or(OsStr::new(DEFAULT_PATH));
    path.as_bytes()
        .split(|byte| *byte == b':')
        .map(|folder| match folder {
            [] => program.to_owned(),
            folder => Path::new(OsStr::from_bytes(folder)).join(program).into_os_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_in_the_path_of_the_command() {
        let find =
            |name: &str, path: Option<&str>| candidates(OsStr::new(name), path.map(OsStr::new));
        assert_eq!(find("ls", Some("/a:/b")), ["/a/ls", "/b/ls"]);
        assert_eq!(find("ls", Some(":/b")), ["ls", "/b/ls"]);
        assert_eq!(find("./ls", Some("/a")), ["./ls"]);
        assert_eq!(find("ls", None).len(), 3);
    }

    #[test]
    fn a_command_without_program_or_with_nul_is_refused() {
        let new = |argv: &[&str]| {
            let argv = argv.iter().map(OsString::from).collect();
            Command::new(argv, Vec::new(), Path::new("/")).map(drop).unwrap_err().errno
        };
        assert_eq!(new(&[]), libc::ENOENT);
        assert_eq!(new(&[""]), libc::ENOENT);
        assert_eq!(new(&["a", "b\0"]), libc::EINVAL);
    }
}
