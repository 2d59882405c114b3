//! The namespaces that all commands of a session share, held open by descriptors.
//!
//! A short-lived process, the *founder*, makes them once and ends. Shared are: the user namespace,
//! in which the user is who they are and nobody else exists; the network, so that a server that
//! one command starts on loopback can be reached by the next; System V IPC; the host name; and a
//! *base* mount namespace, of which every command gets a copy. The base receives what the host
//! mounts later. It differs from the host in one place only: a store on `/proc`, which is covered
//! again in every command, with what commands have in common.
//!
//! ```text
//! /proc/dev      devices, terminals, shared memory
//! /proc/empty    covers missing protected names
//! /proc/p0 …     private directories: overlays, the host's directory below, the session's above
//! ```
//!
//! **Why overlays.** `/tmp` must show the host's files, and what commands write must reach later
//! commands but not the host. Only an overlay does both without listing the directory. Two live
//! overlays may not share their upper directory, so there is one per session, in the base. Its
//! upper directory lies in the session's scratch directory, or, where that file system cannot
//! carry one (an overlay itself, or below `/tmp`), in memory. An overlay caches the names of its
//! lower directory; each command drops that cache first, so that what the host has done since is
//! seen. Without overlays in the kernel `/tmp` stays read-only, and a notice says so.

use std::{
    ffi::CStr,
    fs::File,
    os::fd::{AsRawFd, OwnedFd, RawFd},
};

use super::{
    report::{self, Blame, Fault},
    sys,
};
use crate::{Layer, SandboxError};

/// Where a private directory comes from and where the founder keeps it.
pub(super) struct PrivateDir {
    /// The directory on the host.
    pub(super) host: std::ffi::CString,
    /// The directory that holds the session's changes, in scratch.
    pub(super) upper: std::ffi::CString,
    /// Its place in the store.
    pub(super) store: &'static CStr,
}

/// Places in the store: for `/tmp` and for `TMPDIR`.
pub(super) const PRIVATE_STORES: [&CStr; 2] = [c"/proc/p0", c"/proc/p1"];
/// The private `/dev` in the store.
pub(super) const DEV_STORE: &CStr = c"/proc/dev";
/// The empty directory in the store.
pub(super) const EMPTY_STORE: &CStr = c"/proc/empty";

/// Set in the founder's note when no overlay could be mounted.
const NOTE_NO_OVERLAY: u8 = 1;

/// The session's namespaces.
#[derive(Debug)]
pub(super) struct Session {
    /// In the order in which they are joined: the user namespace first, for the right to join the
    /// others.
    namespaces: Vec<(i32, OwnedFd)>,
    /// Whether private directories could be made.
    pub(super) has_private_dirs: bool,
}

impl Session {
    /// Makes the namespaces.
    pub(super) fn found(network: bool, private: &[PrivateDir]) -> Result<Self, SandboxError> {
        let fail = |errno| SandboxError::new(Layer::Process, errno);
        let mut kinds = vec![
            (libc::CLONE_NEWUSER, c"user"),
            (libc::CLONE_NEWNS, c"mnt"),
            (libc::CLONE_NEWIPC, c"ipc"),
            (libc::CLONE_NEWUTS, c"uts"),
        ];
        if !network {
            kinds.push((libc::CLONE_NEWNET, c"net"));
        }
        let flags = kinds.iter().fold(libc::SIGCHLD, |flags, (kind, _)| flags | kind);
        let (told, tell) = sys::pipe().map_err(fail)?;
        let (linger, hold) = sys::pipe().map_err(fail)?;
        let identity = Identity::current();
        let pid =
            sys::fork_into(flags).map_err(|errno| SandboxError::new(Layer::Namespaces, errno))?;
        if pid == 0 {
            sys::close(told.as_raw_fd());
            sys::close(hold.as_raw_fd());
            founder(&identity, network, private, tell.as_raw_fd(), linger.as_raw_fd());
        }
        drop((tell, linger));
        let result = report::hear(&told).and_then(|note| {
            let namespaces = kinds
                .iter()
                .map(|(kind, name)| {
                    let path = format!("/proc/{pid}/ns/{}", name.to_string_lossy());
                    File::open(&path)
                        .map(|file| (*kind, file.into()))
                        .map_err(|error| SandboxError::io(Layer::Namespaces, &error, path))
                })
                .collect::<Result<_, _>>()?;
            Ok(Self { namespaces, has_private_dirs: note != NOTE_NO_OVERLAY })
        });
        if result.is_err()
            && let Ok(founder) = sys::pidfd(pid)
        {
            // It may hang in the very step that made the deadline pass.
            let _ = sys::signal(&founder, libc::SIGKILL);
        }
        drop(hold);
        // It ends at once: its pipe is closed, or it was killed.
        let _ = sys::wait(pid);
        result
    }

    /// Moves this process, which has one thread, into the session's namespaces.
    pub(super) fn join(&self) -> Result<(), sys::Errno> {
        self.namespaces.iter().try_for_each(|(kind, fd)| sys::join(fd, *kind))
    }
}

/// The maps of the user namespace: one user, one group, each itself.
struct Identity {
    user: Vec<u8>,
    group: Vec<u8>,
}

impl Identity {
    fn current() -> Self {
        let (user, group) = sys::ids();
        Self {
            user: format!("{user} {user} 1").into_bytes(),
            group: format!("{group} {group} 1").into_bytes(),
        }
    }
}

fn founder(
    identity: &Identity,
    network: bool,
    private: &[PrivateDir],
    tell: RawFd,
    linger: RawFd,
) -> ! {
    match found(identity, network, private) {
        Ok(note) => report::tell_done(tell, note),
        Err(fault) => report::tell_fault(tell, &fault),
    }
    // The spawner opens the namespaces meanwhile, and then closes its end.
    let _ = sys::read(linger, &mut [0]);
    sys::exit_now(0);
}

fn found<'a>(
    identity: &Identity,
    network: bool,
    private: &'a [PrivateDir],
) -> Result<u8, Fault<'a>> {
    sys::die_with_parent().layer(Layer::Process)?;
    sys::write_file(c"/proc/self/setgroups", b"deny").layer(Layer::UserMap)?;
    sys::write_file(c"/proc/self/uid_map", &identity.user).layer(Layer::UserMap)?;
    sys::write_file(c"/proc/self/gid_map", &identity.group).layer(Layer::UserMap)?;
    sys::propagate(c"/", libc::MS_SLAVE).at(Layer::Mounts, c"/")?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV;
    sys::mount(c"tmpfs", c"/proc", flags, c"mode=755,size=1m").at(Layer::Mounts, c"/proc")?;
    sys::mkdir(EMPTY_STORE, 0o555).at(Layer::Mounts, EMPTY_STORE)?;
    devices()?;
    let mut note = 0;
    for dir in private {
        if !overlay(dir)? {
            note = NOTE_NO_OVERLAY;
        }
    }
    if !network {
        sys::loopback_up().layer(Layer::Loopback)?;
    }
    Ok(note)
}

fn devices<'a>() -> Result<(), Fault<'a>> {
    const NODES: [(&CStr, &CStr); 6] = [
        (c"/dev/full", c"/proc/dev/full"),
        (c"/dev/null", c"/proc/dev/null"),
        (c"/dev/random", c"/proc/dev/random"),
        (c"/dev/tty", c"/proc/dev/tty"),
        (c"/dev/urandom", c"/proc/dev/urandom"),
        (c"/dev/zero", c"/proc/dev/zero"),
    ];
    const LINKS: [(&CStr, &CStr); 5] = [
        (c"/proc/self/fd", c"/proc/dev/fd"),
        (c"/proc/self/fd/0", c"/proc/dev/stdin"),
        (c"/proc/self/fd/1", c"/proc/dev/stdout"),
        (c"/proc/self/fd/2", c"/proc/dev/stderr"),
        (c"pts/ptmx", c"/proc/dev/ptmx"),
    ];
    let no_programs = libc::MS_NOSUID | libc::MS_NOEXEC;
    let layer = Layer::Devices;
    sys::mkdir(DEV_STORE, 0o755).at(layer, DEV_STORE)?;
    sys::mount(c"tmpfs", DEV_STORE, no_programs, c"mode=755,size=64k").at(layer, c"/dev")?;
    for (host, node) in NODES {
        let device = sys::clone_tree(host, sys::Depth::Alone).at(layer, host)?;
        sys::create_file(node).at(layer, host)?;
        let target = sys::open_no_links(node).at(layer, host)?;
        sys::attach(&device, &target).at(layer, host)?;
    }
    for (target, link) in LINKS {
        sys::symlink(target, link).at(layer, link)?;
    }
    let (pts, shm) = (c"/proc/dev/pts", c"/proc/dev/shm");
    sys::mkdir(pts, 0o755).at(layer, pts)?;
    sys::mount(c"devpts", pts, no_programs, c"newinstance,ptmxmode=0666,mode=620")
        .at(layer, c"/dev/pts")?;
    sys::mkdir(shm, 0o755).at(layer, shm)?;
    sys::mount(c"tmpfs", shm, libc::MS_NOSUID | libc::MS_NODEV, c"mode=1777")
        .at(layer, c"/dev/shm")?;
    sys::restrict_at(DEV_STORE, sys::READ_ONLY, sys::Depth::Alone).at(layer, c"/dev")
}

/// Mounts one private directory in the store. False when the kernel cannot.
fn overlay(dir: &PrivateDir) -> Result<bool, Fault<'_>> {
    // Fixed names, because the options of an overlay cannot hold every path.
    let (lower, upper) = (c"/proc/lower", c"/proc/upper");
    let options: &CStr =
        c"lowerdir=/proc/lower,upperdir=/proc/upper/u,workdir=/proc/upper/w,userxattr,index=off";
    let layer = Layer::Tmp;
    for path in [lower, upper, dir.store] {
        match sys::mkdir(path, 0o755) {
            Ok(()) | Err(libc::EEXIST) => {}
            Err(errno) => return Err(Fault { layer, errno, path: Some(&dir.host) }),
        }
    }
    let place = |tree: &OwnedFd, target| {
        sys::open_no_links(target).and_then(|target| sys::attach(tree, &target))
    };
    // With what is mounted below it, which the kernel does not let us uncover. The overlay does not show
    // it: there its mount points are empty.
    let host = sys::clone_tree(&dir.host, sys::Depth::Tree).at(layer, &dir.host)?;
    place(&host, lower).at(layer, &dir.host)?;
    let scratch = sys::clone_tree(&dir.upper, sys::Depth::Alone).at(layer, &dir.upper)?;
    place(&scratch, upper).at(layer, &dir.upper)?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV;
    let mounted = make_layers()
        .and_then(|()| sys::mount(c"overlay", dir.store, flags, options))
        .or_else(|_| {
            sys::mount(c"tmpfs", upper, flags, c"mode=700")?;
            make_layers()?;
            sys::mount(c"overlay", dir.store, flags, options)
        })
        .is_ok();
    // Left by the kernel without any permission, which would keep the owner from removing it.
    let _ = sys::chmod(c"/proc/upper/w/work", 0o700);
    // The overlay holds on to its layers by itself; commands have no use for them.
    for path in [upper, upper, lower] {
        sys::detach(path);
    }
    Ok(mounted)
}

fn make_layers() -> Result<(), sys::Errno> {
    for (path, mode) in [(c"/proc/upper/u", 0o1777), (c"/proc/upper/w", 0o700)] {
        match sys::mkdir(path, 0o700) {
            Ok(()) | Err(libc::EEXIST) => sys::chmod(path, mode)?,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
