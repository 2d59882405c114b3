//! The sandbox on Linux.
//!
//! Layers, from the outside in. Every one of them must stand, or nothing runs.
//!
//! | layer | keeps commands from | file |
//! | --- | --- | --- |
//! | user namespace | being anyone but the user | `session.rs` |
//! | network, IPC namespaces | the network (unless allowed), other programs' shared memory | `session.rs` |
//! | mount namespace | writing outside the roots; protected names; other programs' `/tmp` | `layout.rs` |
//! | pid namespace | seeing other processes; outliving the command | `init.rs` |
//! | no capabilities, no new privileges | undoing the above, also for root | `init.rs` |
//! | Landlock | signals, FIFOs, devices; a second wall for files | `rights.rs` |
//! | seccomp | Unix sockets, namespaces, set-id files, rare kernel interfaces | `filter.rs` |
//!
//! What the policy means on this host is decided once, in `plan.rs`; what must be protected is
//! looked at again for every command, in `protect.rs`.
//!
//! # What is not here yet
//!
//! Weaker tiers for kernels without user namespaces, letting commands use Unix sockets of their own
//! (by mediating `connect`), a filtering network proxy, hiding secrets from reading, hooks of
//! nested repositories, cgroups, and a self-test. Their place is the list of layers above: a tier
//! is a choice of layers, made in [`Sandbox::prepare`] and carried out in `init.rs`.

use std::{
    fs, io,
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use codex_proto::policy::SandboxPolicy;

use self::{
    filter::Filters,
    init::{Inside, Program},
    layout::Layout,
    plan::{Plan, c_path},
    protect::{Placeholder, Placeholders},
    session::{PRIVATE_STORES, PrivateDir, Session},
};
use crate::{Layer, SandboxError, SandboxHost, SandboxedCommand};

mod filter;
mod init;
mod layout;
mod plan;
mod protect;
mod report;
mod rights;
mod session;
pub(crate) mod sys;

/// A sandbox, prepared once per session for one policy.
///
/// Dropping it ends the session's namespaces and removes what commands wrote to their private
/// `/tmp`.
#[derive(Debug)]
pub struct Sandbox {
    plan: Plan,
    session: Session,
    filters: Filters,
    placeholders: Placeholders,
    _private: PrivateStore,
}

impl Sandbox {
    /// Resolves the policy, makes the session's namespaces and compiles the filters.
    ///
    /// Forks a short-lived process. Removes what a killed session has left in the roots.
    ///
    /// # Errors
    /// The system lacks a layer ([`SandboxError::hint`] says what to change), a protected name is
    /// a symbolic link, the scratch directory cannot be made, or the policy is full access.
    pub fn prepare(policy: &SandboxPolicy, host: &SandboxHost) -> Result<Self, SandboxError> {
        let scratch = &host.scratch;
        make_private_dir(scratch)
            .map_err(|error| SandboxError::io(Layer::Scratch, &error, scratch))?;
        let mut plan = Plan::new(policy, host)?;
        if !rights::is_available() {
            return Err(SandboxError::new(Layer::Landlock, sys::errno()));
        }
        let filters =
            Filters::compile().map_err(|_| SandboxError::new(Layer::Platform, libc::ENOSYS))?;
        protect::sweep(&plan.roots);
        let mut private = PrivateStore::new(scratch)?;
        let dirs = private.add(&plan.private)?;
        let session = Session::found(plan.network, &dirs)?;
        if !session.has_private_dirs {
            plan.notices.push(
                "/tmp is read-only: the kernel gives no overlay of it, which it does not for one that \
                 something is mounted below"
                    .to_owned(),
            );
            plan.private.clear();
        }
        // Tells of symbolic links now rather than at the first command.
        let placeholders = Placeholders::default();
        drop(placeholders.protect(&plan.roots)?);
        Ok(Self { plan, session, filters, placeholders, _private: private })
    }

    /// What the user should know about how the policy was understood.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.plan.notices
    }

    /// Starts a command inside, and returns when it is running or could not be started.
    ///
    /// The process that calls this must have one thread. It becomes the parent of the command's
    /// first process, which is killed when the calling thread ends.
    ///
    /// # Errors
    /// A layer could not be set up, or ([`SandboxError::is_command`]) the command could not be
    /// started. Nothing was run.
    pub fn spawn(&self, command: &SandboxedCommand<'_>) -> Result<SandboxedChild, SandboxError> {
        let fail = |errno| SandboxError::new(Layer::Process, errno);
        let protection = self.placeholders.protect(&self.plan.roots)?;
        let cwd = self.guarded_cwd(command.cwd);
        let layout =
            Layout::new(&self.plan, &self.plan.private, &protection.paths, cwd.as_deref())?;
        let program = Program::new(command)?;
        let (told, status) = sys::pipe().map_err(fail)?;
        let mut inside = Inside {
            session: &self.session,
            layout: &layout,
            filters: &self.filters,
            program: &program,
            stdio: [command.stdin, command.stdout, command.stderr],
            status: &status,
            started: Err(0),
        };
        let started = {
            // A handler must not run in the child that borrows our memory.
            let _quiet = sys::SignalsBlocked::new();
            // Joining a user namespace would leave us undumpable.
            let dumpable = sys::dumpable();
            let launched = sys::borrow_process(init::launch, &mut inside).map_err(fail);
            sys::set_dumpable(dumpable);
            let _ = sys::wait(launched?);
            inside.started
        };
        let pid = started.map_err(|errno| SandboxError::new(Layer::Namespaces, errno))?;
        drop(status);
        let pidfd = sys::pidfd(pid).map_err(fail)?;
        let child = SandboxedChild { pid, pidfd, _placeholders: protection.placeholders };
        match report::hear(&told) {
            Ok(_) => Ok(child),
            Err(mut error) => {
                drop(child);
                let _ = sys::wait(pid);
                if error.layer == Layer::Exec && error.path.is_none() {
                    error.path = init::program_name(command).map(PathBuf::from);
                }
                Err(error)
            }
        }
    }

    /// In read-only mode a working directory in a private directory is shown as the host has it,
    /// so that a write fails instead of going nowhere.
    fn guarded_cwd(&self, cwd: &Path) -> Option<PathBuf> {
        if !self.plan.guards_cwd {
            return None;
        }
        fs::canonicalize(cwd).ok().filter(|cwd| self.plan.is_hidden(cwd))
    }
}

/// A command that runs inside.
///
/// It must be kept until the process has ended: dropping it earlier kills the command, because
/// what protects missing names goes with it. It does not wait for the process; the owner does, with
/// `waitpid` on [`Self::pid`].
#[derive(Debug)]
pub struct SandboxedChild {
    /// The first process inside, as its parent sees it. Its exit status is that of the command:
    /// its code, or 128 plus the number of the signal that ended it. Killing it kills everything
    /// inside.
    pub pid: i32,
    /// The same process as a descriptor: readable once it has ended.
    pub pidfd: OwnedFd,
    _placeholders: Vec<Rc<Placeholder>>,
}

impl SandboxedChild {
    /// Sends a signal. `SIGKILL` ends everything inside; hang-up, interrupt, quit, terminate, the
    /// user signals and window changes reach the command's process group; others are ignored.
    ///
    /// # Errors
    /// The process has ended and was waited for.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        sys::signal(&self.pidfd, signal).map_err(io::Error::from_raw_os_error)
    }

    /// Waits for the command; its exit code, or 128 plus the number of the signal that ended it.
    ///
    /// # Errors
    /// The process was waited for already.
    pub fn wait(&self) -> io::Result<i32> {
        sys::wait(self.pid).map(sys::exit_code).map_err(io::Error::from_raw_os_error)
    }
}

impl Drop for SandboxedChild {
    fn drop(&mut self) {
        use std::os::fd::AsRawFd;
        /// A killed namespace is gone in a few milliseconds.
        const GONE_DEADLINE: Duration = Duration::from_secs(1);
        let fd = self.pidfd.as_raw_fd();
        if let Ok(None) = sys::poll(fd, libc::POLLIN, 0) {
            let _ = self.signal(libc::SIGKILL);
            let killed = Instant::now();
            while let Ok(None) | Err(libc::EINTR) = sys::poll(fd, libc::POLLIN, 10) {
                if killed.elapsed() > GONE_DEADLINE {
                    break;
                }
            }
        }
    }
}

/// The directory in scratch that holds what commands write to private directories.
#[derive(Debug)]
struct PrivateStore(PathBuf);

impl PrivateStore {
    fn new(scratch: &Path) -> Result<Self, SandboxError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = scratch.join(format!("private-{}-{number}", std::process::id()));
        let failed = |error: io::Error| SandboxError::io(Layer::Scratch, &error, &path);
        // One of the same name is left over from a process that had our number.
        remove_tree(&path);
        make_private_dir(&path).map_err(failed)?;
        fs::canonicalize(&path).map(Self).map_err(failed)
    }

    fn add(&mut self, targets: &[PathBuf]) -> Result<Vec<PrivateDir>, SandboxError> {
        targets
            .iter()
            .zip(PRIVATE_STORES)
            .enumerate()
            .map(|(number, (host, store))| {
                let upper = self.0.join(number.to_string());
                make_private_dir(&upper)
                    .map_err(|error| SandboxError::io(Layer::Scratch, &error, &upper))?;
                Ok(PrivateDir { host: c_path(host)?, upper: c_path(&upper)?, store })
            })
            .collect()
    }
}

impl Drop for PrivateStore {
    fn drop(&mut self) {
        remove_tree(&self.0);
    }
}

fn make_private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes a tree in which commands may have taken permissions away from directories.
fn remove_tree(path: &Path) {
    if fs::remove_dir_all(path).is_ok() {
        return;
    }
    let mut dirs = vec![path.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        let _ = fs::set_permissions(&dir, fs::Permissions::from_mode(0o700));
        let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
        dirs.extend(
            entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()),
        );
    }
    // What cannot be removed lies in the session's own directory, which goes with the session.
    let _ = fs::remove_dir_all(path);
}
