//! The system calls that the sandbox rests on, each with a safe face.
//!
//! Everything here may run between fork and exec: nothing allocates, and errors are bare error
//! numbers.
#![allow(unsafe_code, reason = "namespaces, mounts, capabilities and filters have no safe crate")]

use std::{
    ffi::{CStr, c_char, c_int, c_long, c_void},
    mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

/// An error number of the system.
pub(crate) type Errno = i32;

/// The calling thread's last error number.
pub(super) fn errno() -> Errno {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

fn check(result: c_long) -> Result<c_long, Errno> {
    if result < 0 { Err(errno()) } else { Ok(result) }
}

fn owned(result: c_long) -> Result<OwnedFd, Errno> {
    let fd = check(result)? as RawFd;
    // SAFETY: the kernel has just returned this descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

// ---- descriptors -----------------------------------------------------------------------------

/// A pipe: reading end, writing end; both close on exec.
pub(super) fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let mut fds = [0; 2];
    // SAFETY: the array has room for the two descriptors, which are ours alone.
    unsafe {
        check(c_long::from(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC)))?;
        Ok((OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])))
    }
}

/// Copies `fd` to the lowest free number that is at least `at_least`.
pub(super) fn dup_above(fd: RawFd, at_least: RawFd) -> Result<RawFd, Errno> {
    // SAFETY: fcntl with F_DUPFD touches no memory of ours.
    check(c_long::from(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, at_least) }))
        .map(|fd| fd as RawFd)
}

/// Puts `fd` at exactly `to`, open across exec.
pub(super) fn dup_to(fd: RawFd, to: RawFd) -> Result<(), Errno> {
    // SAFETY: replaces a descriptor number in a process that has been forked for this purpose.
    check(c_long::from(unsafe { libc::dup2(fd, to) })).map(drop)
}

/// Closes all descriptors from `first` on.
pub(super) fn close_from(first: RawFd) -> Result<(), Errno> {
    // SAFETY: only called in a forked process, in which no Rust value owns a descriptor.
    check(unsafe { libc::syscall(libc::SYS_close_range, first as u32, u32::MAX, 0) }).map(drop)
}

/// Closes one descriptor by number, in a forked process.
pub(super) fn close(fd: RawFd) {
    // SAFETY: as for `close_from`.
    unsafe { libc::close(fd) };
}

/// Writes once; a short or failed write is for the reader to notice.
pub(super) fn write(fd: RawFd, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: pointer and length describe a live slice.
    check(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) } as c_long)
        .map(|n| n as usize)
}

/// Reads once.
pub(super) fn read(fd: RawFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        // SAFETY: pointer and length describe a live mutable slice.
        let n = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
        match check(n as c_long) {
            Err(libc::EINTR) => {}
            other => return other.map(|n| n as usize),
        }
    }
}

/// Waits until `fd` has one of `events` or an error; false when `timeout_ms` has passed.
pub(super) fn poll(fd: RawFd, events: i16, timeout_ms: c_int) -> Result<Option<i16>, Errno> {
    let mut set = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one live entry.
    let n = check(c_long::from(unsafe { libc::poll(&raw mut set, 1, timeout_ms) }))?;
    Ok((n > 0).then_some(set.revents))
}

/// Opens `path` relative to `dir` without following any symbolic link, as a mere reference.
pub(super) fn open_no_links(path: &CStr) -> Result<OwnedFd, Errno> {
    #[repr(C)]
    struct How {
        flags: u64,
        mode: u64,
        resolve: u64,
    }
    let how = How {
        flags: (libc::O_PATH | libc::O_CLOEXEC | libc::O_NOFOLLOW) as u64,
        mode: 0,
        resolve: libc::RESOLVE_NO_SYMLINKS,
    };
    // SAFETY: `how` is live and its size is passed with it; the path ends with a NUL.
    owned(unsafe {
        libc::syscall(
            libc::SYS_openat2,
            libc::AT_FDCWD,
            path.as_ptr(),
            &raw const how,
            size_of::<How>(),
        )
    })
}

/// Writes `bytes` to an existing file in one go.
pub(super) fn write_file(path: &CStr, bytes: &[u8]) -> Result<(), Errno> {
    // SAFETY: the path ends with a NUL.
    let fd = owned(c_long::from(unsafe {
        libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC)
    }))?;
    write(fd.as_raw_fd(), bytes).map(drop)
}

/// Creates an empty regular file.
pub(super) fn create_file(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the path ends with a NUL.
    owned(c_long::from(unsafe {
        libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CREAT | libc::O_CLOEXEC, 0o666)
    }))
    .map(drop)
}

/// Creates a directory.
pub(super) fn mkdir(path: &CStr, mode: u32) -> Result<(), Errno> {
    // SAFETY: the path ends with a NUL.
    check(c_long::from(unsafe { libc::mkdir(path.as_ptr(), mode) })).map(drop)
}

/// Sets a mode.
pub(super) fn chmod(path: &CStr, mode: u32) -> Result<(), Errno> {
    // SAFETY: the path ends with a NUL.
    check(c_long::from(unsafe { libc::chmod(path.as_ptr(), mode) })).map(drop)
}

/// Creates a symbolic link at `path`.
pub(super) fn symlink(target: &CStr, path: &CStr) -> Result<(), Errno> {
    // SAFETY: both end with a NUL.
    check(c_long::from(unsafe { libc::symlink(target.as_ptr(), path.as_ptr()) })).map(drop)
}

/// Enters a directory.
pub(super) fn chdir(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the path ends with a NUL.
    check(c_long::from(unsafe { libc::chdir(path.as_ptr()) })).map(drop)
}

// ---- mounts ----------------------------------------------------------------------------------

/// Attributes of a mount: read-only, no set-id programs, no devices.
pub(super) const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY;
/// Set-id bits have no effect.
pub(super) const NO_SUID: u64 = libc::MOUNT_ATTR_NOSUID;
/// Device files cannot be opened.
pub(super) const NO_DEV: u64 = libc::MOUNT_ATTR_NODEV;

/// Whether a mount is taken alone or with all mounts below it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Alone,
    Tree,
}

impl Depth {
    fn flag(self) -> c_int {
        if self == Self::Tree { libc::AT_RECURSIVE } else { 0 }
    }
}

/// A detached copy of the mount at `path`.
pub(super) fn clone_tree(path: &CStr, depth: Depth) -> Result<OwnedFd, Errno> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | depth.flag() as u32;
    // SAFETY: the path ends with a NUL.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })
}

/// A detached copy of the mount that `fd` refers to.
pub(super) fn clone_tree_at(fd: &OwnedFd, depth: Depth) -> Result<OwnedFd, Errno> {
    let flags = libc::OPEN_TREE_CLONE
        | libc::OPEN_TREE_CLOEXEC
        | (depth.flag() | libc::AT_EMPTY_PATH) as u32;
    // SAFETY: an empty path with AT_EMPTY_PATH refers to the descriptor.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, fd.as_raw_fd(), c"".as_ptr(), flags) })
}

/// Adds attributes to the mount that `fd` refers to.
pub(super) fn restrict(fd: &OwnedFd, attributes: u64, depth: Depth) -> Result<(), Errno> {
    set_attributes(fd.as_raw_fd(), c"", libc::AT_EMPTY_PATH | depth.flag(), attributes, 0)
}

/// Adds attributes to the mount at `path`.
pub(super) fn restrict_at(path: &CStr, attributes: u64, depth: Depth) -> Result<(), Errno> {
    set_attributes(libc::AT_FDCWD, path, depth.flag(), attributes, 0)
}

/// Sets how mounts below `path` are shared with other namespaces: `MS_SLAVE` or `MS_PRIVATE`.
pub(super) fn propagate(path: &CStr, kind: u64) -> Result<(), Errno> {
    set_attributes(libc::AT_FDCWD, path, libc::AT_RECURSIVE, 0, kind)
}

fn set_attributes(
    dir: RawFd,
    path: &CStr,
    flags: c_int,
    set: u64,
    propagation: u64,
) -> Result<(), Errno> {
    let attributes = libc::mount_attr { attr_set: set, attr_clr: 0, propagation, userns_fd: 0 };
    // SAFETY: the structure is live and its size is passed with it; the path ends with a NUL.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir,
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    })
    .map(drop)
}

/// Attaches a detached mount on top of what `target` refers to.
pub(super) fn attach(tree: &OwnedFd, target: &OwnedFd) -> Result<(), Errno> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: empty paths refer to the descriptors themselves.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            target.as_raw_fd(),
            c"".as_ptr(),
            flags,
        )
    })
    .map(drop)
}

/// Mounts a new file system.
pub(super) fn mount(kind: &CStr, path: &CStr, flags: u64, data: &CStr) -> Result<(), Errno> {
    // SAFETY: all strings end with a NUL; the file systems used here take a string as data.
    check(c_long::from(unsafe {
        libc::mount(
            kind.as_ptr(),
            path.as_ptr(),
            kind.as_ptr(),
            flags,
            data.as_ptr().cast::<c_void>(),
        )
    }))
    .map(drop)
}

/// Takes the topmost mount at `path` away, if there is one.
pub(super) fn detach(path: &CStr) {
    // SAFETY: the path ends with a NUL.
    unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW) };
}

/// Makes the file system at `path` forget its cached names that nobody uses.
pub(super) fn refresh(path: &CStr) -> Result<(), Errno> {
    const FSPICK_CLOEXEC: c_int = 1;
    const FSCONFIG_CMD_RECONFIGURE: c_int = 7;
    // SAFETY: the path ends with a NUL; a reconfigure without options takes no pointers.
    unsafe {
        let fd =
            owned(libc::syscall(libc::SYS_fspick, libc::AT_FDCWD, path.as_ptr(), FSPICK_CLOEXEC))?;
        check(libc::syscall(
            libc::SYS_fsconfig,
            fd.as_raw_fd(),
            FSCONFIG_CMD_RECONFIGURE,
            ptr::null::<c_char>(),
            ptr::null::<c_void>(),
            0,
        ))
        .map(drop)
    }
}

// ---- processes -------------------------------------------------------------------------------

/// Duplicates the process, into the new namespaces that `flags` name. `Ok(0)` in the child.
///
/// The child shares no memory with its parent and has one thread.
pub(super) fn fork_into(flags: c_int) -> Result<i32, Errno> {
    // SAFETY: without CLONE_VM and with a null stack this is fork: the child continues on its own
    // copy of the stack.
    check(unsafe { libc::syscall(libc::SYS_clone, flags as c_long, 0, 0, 0, 0) })
        .map(|pid| pid as i32)
}

/// Runs `body` in a child that borrows this process's memory, while this thread stands still, and
/// returns the child's id once it has exited or executed a program.
///
/// `body` gets a stack of [`BORROWED_STACK_BYTES`]; it must not unwind and must not return values
/// that own anything.
pub(super) fn borrow_process<T>(
    body: extern "C" fn(*mut T) -> c_int,
    value: &mut T,
) -> Result<i32, Errno> {
    let stack = Stack::new()?;
    let entry: extern "C" fn(*mut c_void) -> c_int =
        // SAFETY: both are C functions of one pointer; the callee gets the pointer it expects.
        unsafe { mem::transmute::<extern "C" fn(*mut T) -> c_int, _>(body) };
    // SAFETY: CLONE_VFORK suspends this thread until the child has gone, so that `value` and the
    // stack outlive the child, and nobody else touches them meanwhile.
    check(c_long::from(unsafe {
        libc::clone(
            entry,
            stack.top(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
            ptr::from_mut(value).cast(),
        )
    }))
    .map(|pid| pid as i32)
}

/// Size of the stack of [`borrow_process`].
const BORROWED_STACK_BYTES: usize = 128 * 1024;

struct Stack(*mut c_void);

impl Stack {
    fn new() -> Result<Self, Errno> {
        // SAFETY: a fresh anonymous mapping.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                BORROWED_STACK_BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED { Err(errno()) } else { Ok(Self(base)) }
    }

    fn top(&self) -> *mut c_void {
        // SAFETY: one past the end of the mapping, which is where a stack begins.
        unsafe { self.0.byte_add(BORROWED_STACK_BYTES) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` and is not used any more.
        unsafe { libc::munmap(self.0, BORROWED_STACK_BYTES) };
    }
}

/// Ends the process at once.
pub(super) fn exit_now(code: c_int) -> ! {
    // SAFETY: does not return.
    unsafe { libc::_exit(code) }
}

/// Waits for a child; its raw status.
pub(crate) fn wait(pid: i32) -> Result<c_int, Errno> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is live.
        match check(c_long::from(unsafe { libc::waitpid(pid, &raw mut status, 0) })) {
            Err(libc::EINTR) => {}
            other => return other.map(|_| status),
        }
    }
}

/// Waits for any child: its id and raw status.
pub(super) fn wait_any() -> Result<(i32, c_int), Errno> {
    let mut status = 0;
    // SAFETY: `status` is live.
    check(c_long::from(unsafe { libc::waitpid(-1, &raw mut status, 0) }))
        .map(|pid| (pid as i32, status))
}

/// The exit code that a shell would show for a raw status: the code, or 128 plus the signal.
pub(crate) fn exit_code(status: c_int) -> i32 {
    if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) }
}

/// A descriptor for a process.
pub(super) fn pidfd(pid: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: plain numbers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// Sends a signal to a process by descriptor.
pub(super) fn signal(pidfd: &OwnedFd, signal: c_int) -> Result<(), Errno> {
    // SAFETY: a null siginfo is what kill(2) would build.
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            ptr::null::<libc::siginfo_t>(),
            0,
        )
    })
    .map(drop)
}

/// Joins the namespace of kind `kind` that `fd` refers to.
pub(super) fn join(fd: &OwnedFd, kind: c_int) -> Result<(), Errno> {
    // SAFETY: plain numbers.
    check(c_long::from(unsafe { libc::setns(fd.as_raw_fd(), kind) })).map(drop)
}

/// Starts a session of its own, without a terminal.
pub(super) fn new_session() {
    // SAFETY: no arguments. It fails only for a group leader, which a fresh child is not.
    unsafe { libc::setsid() };
}

/// Makes a terminal on standard input the controlling one; without effect where there is none.
pub(super) fn take_terminal() {
    // SAFETY: the request takes a plain number.
    unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) };
}

fn prctl(operation: c_int, value: libc::c_ulong) -> Result<c_long, Errno> {
    const NONE: libc::c_ulong = 0;
    // SAFETY: the operations used here take plain numbers.
    check(c_long::from(unsafe { libc::prctl(operation, value, NONE, NONE, NONE) }))
}

/// Whether a core dump and tracing of this process are allowed.
pub(super) fn dumpable() -> c_int {
    prctl(libc::PR_GET_DUMPABLE, 0).map_or(0, |value| value as c_int)
}

/// Sets what [`dumpable`] returns.
pub(super) fn set_dumpable(value: c_int) {
    // It fails only for a value that PR_GET_DUMPABLE can return but nobody may set: then the
    // process keeps the stricter one.
    let _ = prctl(libc::PR_SET_DUMPABLE, value as libc::c_ulong);
}

/// Asks to be killed when the parent dies.
pub(super) fn die_with_parent() -> Result<(), Errno> {
    prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong).map(drop)
}

/// Replaces the program; returns the error.
pub(super) fn execve(program: &CStr, argv: &[*const c_char], env: &[*const c_char]) -> Errno {
    debug_assert!(argv.last().is_some_and(|p| p.is_null()));
    debug_assert!(env.last().is_some_and(|p| p.is_null()));
    // SAFETY: both arrays end with a null pointer, and their strings outlive the call.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    errno()
}

// ---- signals ---------------------------------------------------------------------------------

/// Holds back all signals of this thread until it is dropped.
pub(super) struct SignalsBlocked(libc::sigset_t);

impl SignalsBlocked {
    pub(super) fn new() -> Self {
        // SAFETY: both sets are initialised before use.
        unsafe {
            let mut set = mem::zeroed::<libc::sigset_t>();
            let mut before = mem::zeroed::<libc::sigset_t>();
            libc::sigfillset(&raw mut set);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const set, &raw mut before);
            Self(before)
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: the set was filled by sigprocmask.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

/// Lets all signals through.
pub(super) fn unblock_signals() {
    // SAFETY: the set is initialised by sigemptyset.
    unsafe {
        let mut set = mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut());
    }
}

/// Sets the default action for a signal.
pub(super) fn default_action(signal: c_int) {
    // SAFETY: SIG_DFL is a valid disposition.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// Calls `handler` on a signal.
pub(super) fn on_signal(signal: c_int, handler: extern "C" fn(c_int)) {
    // SAFETY: the structure is zeroed, then its handler set; an empty mask is all zero bits.
    unsafe {
        let mut action = mem::zeroed::<libc::sigaction>();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(signal, &raw const action, ptr::null_mut());
    }
}

/// Sends a signal to a process group.
pub(super) fn signal_group(group: i32, signal: c_int) {
    // SAFETY: plain numbers.
    unsafe { libc::kill(-group, signal) };
}

/// Signals blocked for this process and readable instead. Dropping it restores the mask.
pub(crate) struct SignalFd {
    fd: OwnedFd,
    before: libc::sigset_t,
}

impl SignalFd {
    pub(crate) fn new(signals: &[c_int]) -> Result<Self, Errno> {
        // SAFETY: both sets are initialised before use; signalfd returns a descriptor of ours.
        unsafe {
            let mut set = mem::zeroed::<libc::sigset_t>();
            let mut before = mem::zeroed::<libc::sigset_t>();
            libc::sigemptyset(&raw mut set);
            for signal in signals {
                libc::sigaddset(&raw mut set, *signal);
            }
            let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
            let fd = owned(c_long::from(libc::signalfd(-1, &raw const set, flags)))?;
            libc::sigprocmask(libc::SIG_BLOCK, &raw const set, &raw mut before);
            Ok(Self { fd, before })
        }
    }

    /// The next pending signal.
    pub(crate) fn next(&self) -> Option<c_int> {
        let mut buffer = [0; size_of::<libc::signalfd_siginfo>()];
        let n = read(self.fd.as_raw_fd(), &mut buffer).ok()?;
        (n == buffer.len())
            .then(|| c_int::from_ne_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]))
    }

    /// Waits until a signal is pending or `other` is readable, or `timeout_ms` has passed (never
    /// when negative). Whether `other` is readable.
    pub(crate) fn wait(&self, other: RawFd, timeout_ms: c_int) -> bool {
        let mut set = [
            libc::pollfd { fd: self.fd.as_raw_fd(), events: libc::POLLIN, revents: 0 },
            libc::pollfd { fd: other, events: libc::POLLIN, revents: 0 },
        ];
        // SAFETY: two live entries.
        let n = unsafe { libc::poll(set.as_mut_ptr(), 2, timeout_ms) };
        n > 0 && set[1].revents != 0
    }
}

impl Drop for SignalFd {
    fn drop(&mut self) {
        // SAFETY: `before` was filled by sigprocmask.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut()) };
    }
}

// ---- giving up rights ------------------------------------------------------------------------

/// Real user and group.
pub(super) fn ids() -> (u32, u32) {
    // SAFETY: these calls cannot fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// Makes an empty session keyring, so that the agent's keys are out of reach.
pub(super) fn new_keyring() -> Result<(), Errno> {
    const KEYCTL_JOIN_SESSION_KEYRING: c_int = 1;
    // SAFETY: a null name asks for an anonymous keyring.
    check(unsafe {
        libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, ptr::null::<c_char>())
    })
    .map(drop)
}

/// Lowers a resource limit, hard and soft, to at most `value`.
pub(super) fn limit(resource: libc::__rlimit_resource_t, value: u64) -> Result<(), Errno> {
    // SAFETY: the structure is live.
    unsafe {
        let mut limit = mem::zeroed::<libc::rlimit>();
        check(c_long::from(libc::getrlimit(resource, &raw mut limit)))?;
        limit.rlim_cur = limit.rlim_cur.min(value);
        limit.rlim_max = limit.rlim_max.min(value);
        check(c_long::from(libc::setrlimit(resource, &raw const limit))).map(drop)
    }
}

/// Gives up all capabilities and every way to regain them.
pub(super) fn drop_capabilities() -> Result<(), Errno> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    for capability in 0..64 {
        match prctl(libc::PR_CAPBSET_DROP, capability) {
            Ok(_) => {}
            // The first number beyond the last capability of this kernel.
            Err(libc::EINVAL) if capability > 0 => break,
            Err(other) => return Err(other),
        }
    }
    let header = Header { version: VERSION_3, pid: 0 };
    let data = [Data { effective: 0, permitted: 0, inheritable: 0 }; 2];
    // SAFETY: header and data are live and of the sizes that this version asks for.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) })?;
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1).map(drop)
}

/// Brings up the loopback interface of the current network namespace.
pub(super) fn loopback_up() -> Result<(), Errno> {
    // SAFETY: the request is zeroed, its name a NUL-terminated "lo"; the ioctl reads it.
    unsafe {
        let socket = owned(c_long::from(libc::socket(
            libc::AF_INET,
            libc::SOCK_DGRAM | libc::SOCK_CLOEXEC,
            0,
        )))?;
        let mut request = mem::zeroed::<libc::ifreq>();
        request.ifr_name[0] = b'l' as c_char;
        request.ifr_name[1] = b'o' as c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        check(c_long::from(libc::ioctl(
            socket.as_raw_fd(),
            libc::SIOCSIFFLAGS as _,
            &raw const request,
        )))
        .map(drop)
    }
}
