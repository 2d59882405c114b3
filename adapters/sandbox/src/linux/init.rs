//! The first process of a command's pid namespace: arranges everything, starts the command,
//! reaps, and ends with it.
//!
//! ```text
//! spawner ──borrowed child──> joins the session's namespaces
//!                 └──fork, as the spawner's child──> init: mounts, rights, filters
//!                                                      └──borrowed child──> the command
//! ```
//!
//! Init is restricted exactly like the command, and cannot be traced or read by it. When init
//! ends, for whatever reason, the kernel kills everything in the namespace. Init itself is killed
//! when the spawner dies.

use std::{
    ffi::{CString, c_char, c_int},
    os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
    ptr,
    sync::atomic::{AtomicI32, Ordering},
};

use super::{
    filter::Filters,
    layout::Layout,
    plan::{c_path, c_string},
    report::{self, Blame, Fault},
    rights,
    session::Session,
    sys,
};
use crate::{Layer, SandboxError, SandboxedCommand};

/// Where a program without a slash is looked for when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Processes and threads of a session. Counted by the kernel for ordinary users only.
const PROCESSES_MAX: u64 = 4096;
/// Signals that init passes on to the command's process group.
const FORWARDED: [c_int; 7] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGWINCH,
];

/// A command as `execve` takes it.
pub(super) struct Program {
    candidates: Vec<CString>,
    argv: Strings,
    env: Strings,
    cwd: CString,
}

/// Strings and the null-terminated array of pointers to them.
struct Strings {
    pointers: Vec<*const c_char>,
    _owner: Vec<CString>,
}

impl Strings {
    fn new(strings: Vec<CString>) -> Self {
        let pointers = strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
        Self { pointers, _owner: strings }
    }
}

impl Program {
    pub(super) fn new(command: &SandboxedCommand<'_>) -> Result<Self, SandboxError> {
        let name = command
            .argv
            .first()
            .filter(|name| !name.is_empty())
            .ok_or_else(|| SandboxError::new(Layer::Exec, libc::ENOENT))?;
        let invalid = || SandboxError::at(Layer::Exec, libc::EINVAL, name);
        let search = command.env.iter().find(|(key, _)| key == "PATH");
        let search = search.map_or(DEFAULT_PATH.as_ref(), |(_, value)| value.as_os_str());
        let candidates = if name.as_encoded_bytes().contains(&b'/') {
            vec![name.into()]
        } else {
            std::env::split_paths(search).map(|dir| dir.join(name)).collect()
        };
        let variable = |(key, value): &(std::ffi::OsString, std::ffi::OsString)| {
            let mut text = key.clone();
            text.push("=");
            text.push(value);
            c_string(&text)
        };
        let collect = |strings: Option<Vec<_>>| strings.map(Strings::new).ok_or_else(invalid);
        Ok(Self {
            candidates: candidates
                .iter()
                .map(|path| c_string(path.as_os_str()))
                .collect::<Option<_>>()
                .ok_or_else(invalid)?,
            argv: collect(command.argv.iter().map(|arg| c_string(arg)).collect())?,
            env: collect(command.env.iter().map(variable).collect())?,
            cwd: c_path(command.cwd)?,
        })
    }

    /// Tries the candidates as a shell does: the first that exists and may be executed. Returns
    /// only the reason why none could be.
    fn exec(&self) -> sys::Errno {
        let mut worst = libc::ENOENT;
        for path in &self.candidates {
            match sys::execve(path, &self.argv.pointers, &self.env.pointers) {
                libc::ENOENT | libc::ENOTDIR => {}
                libc::EACCES => worst = libc::EACCES,
                other => return other,
            }
        }
        worst
    }
}

/// Everything that init needs, lying in the spawner's memory when it is forked.
pub(super) struct Inside<'a> {
    pub(super) session: &'a Session,
    pub(super) layout: &'a Layout,
    pub(super) filters: &'a Filters,
    pub(super) program: &'a Program,
    pub(super) stdio: [BorrowedFd<'a>; 3],
    pub(super) status: &'a OwnedFd,
    /// Out: init's id, or why there is none.
    pub(super) started: Result<i32, sys::Errno>,
}

/// Where init keeps the pipe to the spawner.
const STATUS: RawFd = 3;

/// Runs on the spawner's memory, in a process of its own that ends at once: joins the session and
/// forks init as the spawner's child.
pub(super) extern "C" fn launch(inside: *mut Inside<'_>) -> c_int {
    #![allow(unsafe_code, reason = "the pointer comes through clone(2)")]
    // SAFETY: `sys::borrow_process` passes the exclusive reference it was given.
    let inside = unsafe { &mut *inside };
    let flags = libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_PARENT | libc::SIGCHLD;
    inside.started = inside.session.join().and_then(|()| sys::fork_into(flags));
    if inside.started == Ok(0) {
        init(inside);
    }
    0
}

fn init(inside: &Inside<'_>) -> ! {
    let mut status = inside.status.as_raw_fd();
    let mut launch = Launch { program: inside.program, errno: 0 };
    let pid = match set_up(inside, &mut status)
        .and_then(|()| sys::borrow_process(execute, &mut launch).layer(Layer::Process))
    {
        Ok(pid) if launch.errno == 0 => pid,
        Ok(_) => {
            let path =
                launch.program.candidates.last().filter(|_| launch.program.candidates.len() == 1);
            let path = path.map(CString::as_c_str);
            fail(status, &Fault { layer: Layer::Exec, errno: launch.errno, path })
        }
        Err(fault) => fail(status, &fault),
    };
    COMMAND.store(pid, Ordering::Relaxed);
    for signal in FORWARDED {
        sys::on_signal(signal, forward);
    }
    report::tell_done(status, 0);
    for fd in 0..=STATUS {
        sys::close(fd);
    }
    sys::unblock_signals();
    loop {
        match sys::wait_any() {
            Ok((ended, status)) if ended == pid => sys::exit_now(sys::exit_code(status)),
            Ok(_) | Err(libc::EINTR) => {}
            Err(_) => sys::exit_now(crate::EXIT_SANDBOX_FAILED),
        }
    }
}

fn fail(status: RawFd, fault: &Fault<'_>) -> ! {
    report::tell_fault(status, fault);
    sys::exit_now(crate::EXIT_SANDBOX_FAILED)
}

/// The command's id inside, which is also its process group's.
static COMMAND: AtomicI32 = AtomicI32::new(0);

extern "C" fn forward(signal: c_int) {
    sys::signal_group(COMMAND.load(Ordering::Relaxed), signal);
}

fn set_up<'a>(inside: &Inside<'a>, status: &mut RawFd) -> Result<(), Fault<'a>> {
    sys::set_dumpable(0);
    sys::new_session();
    sys::die_with_parent().layer(Layer::Process)?;
    settle_descriptors(inside, status).layer(Layer::Process)?;
    inside.layout.apply()?;
    sys::new_keyring().layer(Layer::Keyring)?;
    sys::limit(libc::RLIMIT_CORE, 0).layer(Layer::Limits)?;
    sys::limit(libc::RLIMIT_NPROC, PROCESSES_MAX).layer(Layer::Limits)?;
    sys::chdir(&inside.program.cwd).at(Layer::Cwd, &inside.program.cwd)?;
    sys::drop_capabilities().layer(Layer::Capabilities)?;
    rights::restrict(inside.layout.writable()).layer(Layer::Landlock)?;
    inside.filters.attach().layer(Layer::Seccomp)
}

/// Puts the command's descriptors at 0, 1 and 2, the status pipe at 3, and closes all others.
fn settle_descriptors(inside: &Inside<'_>, status: &mut RawFd) -> Result<(), sys::Errno> {
    let [stdin, stdout, stderr] = inside.stdio.map(|fd| fd.as_raw_fd());
    let mut out_of_the_way = [stdin, stdout, stderr, *status];
    for fd in &mut out_of_the_way {
        *fd = sys::dup_above(*fd, STATUS + 1)?;
    }
    for (to, fd) in (0..).zip(out_of_the_way) {
        sys::dup_to(fd, to)?;
    }
    *status = STATUS;
    sys::close_from(STATUS + 1)?;
    // The reading end is the spawner's alone by now. If it is gone, so is the spawner, and the
    // death signal was asked for too late.
    match sys::poll(STATUS, 0, 0)? {
        Some(_) => Err(libc::EPIPE),
        None => Ok(()),
    }
}

struct Launch<'a> {
    program: &'a Program,
    errno: sys::Errno,
}

/// Runs on init's memory, in the process that becomes the command.
extern "C" fn execute(launch: *mut Launch<'_>) -> c_int {
    #![allow(unsafe_code, reason = "the pointer comes through clone(2)")]
    // SAFETY: `sys::borrow_process` passes the exclusive reference it was given.
    let launch = unsafe { &mut *launch };
    sys::new_session();
    sys::take_terminal();
    sys::close(STATUS);
    for signal in crate::RESET_SIGNALS {
        sys::default_action(signal);
    }
    sys::unblock_signals();
    launch.errno = launch.program.exec();
    crate::EXIT_SANDBOX_FAILED
}

/// The program's name for an error that no single path caused.
pub(super) fn program_name<'a>(command: &SandboxedCommand<'a>) -> Option<&'a std::ffi::OsStr> {
    command.argv.first().map(std::ffi::OsString::as_os_str)
}
