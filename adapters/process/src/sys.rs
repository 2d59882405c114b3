//! The system calls that no safe crate offers: fork, exec, signal masks, closing descriptors.
//!
//! Used only in the spawner and its children, which have one thread each.
#![allow(unsafe_code, reason = "fork, execve, signalfd and sigaction have no safe interface")]

use std::{
    ffi::{CStr, CString, c_char},
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use rustix::process::Pid;

/// Which side of a fork this is.
pub(crate) enum Forked {
    Child,
    Parent(Pid),
}

/// Duplicates this process, which must have one thread.
pub(crate) fn fork() -> io::Result<Forked> {
    // SAFETY: the caller has a single thread, so no lock can be held by a thread that the child
    // lacks.
    let pid = unsafe { libc::fork() };
    match Pid::from_raw(pid) {
        _ if pid < 0 => Err(io::Error::last_os_error()),
        None => Ok(Forked::Child),
        Some(pid) => Ok(Forked::Parent(pid)),
    }
}

/// Stack of a borrowing child; it formats nothing and recurses nowhere.
const BORROWER_STACK_BYTES: usize = 64 << 10;

/// Runs `work` in a child that shares this process's memory, while this process stands still until
/// the child executes a program or ends. Much cheaper than a fork, because no memory is copied.
///
/// The child has descriptors, signal dispositions and a working directory of its own; what it
/// writes to `argument` is seen here.
pub(crate) fn borrow_process<T>(work: fn(&mut T), argument: &mut T) -> io::Result<Pid> {
    struct Loan<'a, T> {
        work: fn(&mut T),
        argument: &'a mut T,
    }
    extern "C" fn run<T>(loan: *mut libc::c_void) -> libc::c_int {
        // SAFETY: the pointer is that of the loan below, which the parent does not touch before
        // this child has ended or left its memory.
        let loan = unsafe { &mut *loan.cast::<Loan<'_, T>>() };
        (loan.work)(loan.argument);
        127
    }
    let mut stack = vec![0_u128; BORROWER_STACK_BYTES / size_of::<u128>()];
    let mut loan = Loan { work, argument };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack is 16-byte aligned, grows down from its end, and lives until clone returns,
    // when the child no longer uses it; the same goes for the loan. A panic in `work` cannot unwind
    // past `run`, which would abort.
    let pid = unsafe {
        libc::clone(
            run::<T>,
            stack.as_mut_ptr_range().end.cast(),
            flags,
            (&raw mut loan).cast::<libc::c_void>(),
        )
    };
    Pid::from_raw(pid).filter(|_| pid > 0).ok_or_else(io::Error::last_os_error)
}

/// Ends the process at once: no destructors, no buffers.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: always sound; it does not return.
    unsafe { libc::_exit(code) }
}

/// Pointers for `execve`, valid as long as the strings are.
pub(crate) struct Pointers(Vec<*const c_char>);

impl Pointers {
    pub(crate) fn to(strings: &[CString]) -> Self {
        Self(strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect())
    }
}

/// Replaces the program; returns only on failure.
pub(crate) fn execve(program: &CStr, argv: &Pointers, env: &Pointers) -> io::Error {
    // SAFETY: both arrays end with a null pointer, and the strings they point to outlive the call
    // because their owners are borrowed by the caller for as long as the pointers exist.
    unsafe { libc::execve(program.as_ptr(), argv.0.as_ptr(), env.0.as_ptr()) };
    io::Error::last_os_error()
}

/// Blocks SIGCHLD and makes it readable.
pub(crate) fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised by sigemptyset before use, and signalfd returns a new
    // descriptor that nobody else owns.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}

/// Gives a command the signals of a fresh session: none blocked, none ignored. What the agent was
/// told to ignore (by `nohup`, or by a shell that started it in the background) would keep what we
/// ask of the command from it, and Ctrl-C in a terminal of its own.
pub(crate) fn default_signals() {
    // SAFETY: the set is initialised by sigemptyset; SIG_DFL is a valid disposition.
    unsafe {
        for signal in codex_sandbox::RESET_SIGNALS {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut());
    }
}

/// Makes `target` refer to what `source` does, and survive an exec.
pub(crate) fn install_fd(source: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
    // SAFETY: dup2 on descriptors of this process; `target` is one of the three standard ones,
    // which no Rust value of the calling child relies on any more.
    let result = unsafe {
        if source.as_raw_fd() == target {
            libc::fcntl(target, libc::F_SETFD, 0)
        } else {
            libc::dup2(source.as_raw_fd(), target)
        }
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Closes every descriptor but the standard ones and `keep`, in a freshly forked child.
///
/// Values that own a closed descriptor must not be used or dropped any more; the caller never
/// returns to the code that holds them.
pub(crate) fn close_all_but(keep: &[BorrowedFd<'_>]) {
    let mut keep: Vec<u32> = keep.iter().map(|fd| fd.as_raw_fd().cast_unsigned()).collect();
    keep.sort_unstable();
    let mut first = 3_u32;
    for fd in keep.into_iter().filter(|fd| *fd > 2) {
        if first < fd {
            close_range(first, fd - 1);
        }
        first = fd + 1;
    }
    close_range(first, u32::MAX);
}

fn close_range(first: u32, last: u32) {
    // SAFETY: closes descriptors by number only; see the contract of `close_all_but`.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if result == 0 {
        return;
    }
    // Kernels before 5.9.
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let open: Vec<u32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| (first..=last).contains(fd))
        .collect();
    for fd in open {
        // SAFETY: as above.
        unsafe { libc::close(fd.cast_signed()) };
    }
}

/// Names this process in process lists.
pub(crate) fn set_name(name: &CStr) {
    // SAFETY: PR_SET_NAME reads at most 16 bytes of a string that ends with NUL.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}
