//! The system call filters: two programs, compiled once per session, attached to every command.
//!
//! The first makes calls look absent, so that libraries use their older counterparts, which the
//! second can judge by their arguments. The second refuses what a command has no business with.
//! Calls of a foreign architecture kill the process.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, sock_filter,
};

#[derive(Debug)]
/// The compiled filters, in the order in which they are attached.
pub(super) struct Filters {
    absent: BpfProgram,
    refused: BpfProgram,
}

impl Filters {
    /// Compiles the filters for this processor.
    pub(super) fn compile() -> Result<Self, BackendError> {
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        Ok(Self {
            absent: without_x32(program(absent(), libc::ENOSYS, arch)?),
            refused: program(refused()?, libc::EPERM, arch)?,
        })
    }

    /// Attaches the filters to this thread, for good.
    pub(super) fn attach(&self) -> Result<(), i32> {
        for program in [&self.absent, &self.refused] {
            seccompiler::apply_filter(program).map_err(|_| super::sys::errno())?;
        }
        Ok(())
    }
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn program(rules: Rules, errno: i32, arch: TargetArch) -> Result<BpfProgram, BackendError> {
    let refuse = SeccompAction::Errno(errno as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
}

/// Calls whose arguments lie in memory, where no filter can see them, or that go round the filter.
fn absent() -> Rules {
    [
        libc::SYS_clone3,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_io_uring_setup,
        libc::SYS_openat2,
    ]
    .into_iter()
    .map(|number| (number, Vec::new()))
    .collect()
}

/// Puts a test in front that makes the x32 variant of every call look absent. Their numbers are
/// those of x86-64 with one more bit, so that rules on numbers do not see them.
#[cfg(target_arch = "x86_64")]
fn without_x32(program: BpfProgram) -> BpfProgram {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const X32_BIT: u32 = 0x4000_0000;
    let absent = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    let mut guarded = vec![
        sock_filter { code: LOAD_WORD, jt: 0, jf: 0, k: 0 },
        sock_filter { code: JUMP_IF_SET, jt: 0, jf: 1, k: X32_BIT },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: absent },
    ];
    guarded.extend(program);
    guarded
}

#[cfg(not(target_arch = "x86_64"))]
fn without_x32(program: BpfProgram) -> BpfProgram {
    program
}

/// Numbers that libc does not name everywhere; the same on all processors.
const SYS_FCHMODAT2: i64 = 452;
const SYS_OPEN_TREE_ATTR: i64 = 467;

fn refused() -> Result<Rules, BackendError> {
    let mut rules: Rules = always_refused().map(|number| (number, Vec::new())).collect();
    namespaces(&mut rules)?;
    terminals(&mut rules)?;
    file_modes(&mut rules)?;
    sockets(&mut rules)?;
    Ok(rules)
}

/// Calls that are refused whatever their arguments: mounts, other processes' memory, the
/// machine's clock and kernel, keys, and the larger parts of the kernel's attack surface.
fn always_refused() -> impl Iterator<Item = i64> {
    let everywhere = [
        libc::SYS_acct,
        libc::SYS_add_key,
        libc::SYS_adjtimex,
        libc::SYS_bpf,
        libc::SYS_chroot,
        libc::SYS_clock_adjtime,
        libc::SYS_clock_settime,
        libc::SYS_delete_module,
        libc::SYS_fanotify_init,
        libc::SYS_finit_module,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fsopen,
        libc::SYS_fspick,
        libc::SYS_init_module,
        libc::SYS_kexec_file_load,
        libc::SYS_kexec_load,
        libc::SYS_keyctl,
        libc::SYS_mount,
        libc::SYS_mount_setattr,
        libc::SYS_move_mount,
        libc::SYS_open_by_handle_at,
        libc::SYS_open_tree,
        SYS_OPEN_TREE_ATTR,
        libc::SYS_perf_event_open,
        libc::SYS_pidfd_getfd,
        libc::SYS_pivot_root,
        libc::SYS_process_madvise,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_quotactl,
        libc::SYS_reboot,
        libc::SYS_request_key,
        libc::SYS_setdomainname,
        libc::SYS_sethostname,
        libc::SYS_setns,
        libc::SYS_settimeofday,
        libc::SYS_swapoff,
        libc::SYS_swapon,
        libc::SYS_syslog,
        libc::SYS_umount2,
        libc::SYS_userfaultfd,
        libc::SYS_vhangup,
    ];
    #[cfg(target_arch = "x86_64")]
    let here = [libc::SYS_ioperm, libc::SYS_iopl];
    #[cfg(not(target_arch = "x86_64"))]
    let here = [];
    everywhere.into_iter().chain(here)
}

/// No namespace may be created: each is a way to capabilities, at least over itself.
fn namespaces(rules: &mut Rules) -> Result<(), BackendError> {
    const CLONE_NEWTIME: u64 = 0x80;
    let kinds = [
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWUTS,
    ]
    .map(|flag| flag as u64);
    for flag in kinds {
        deny(rules, libc::SYS_clone, [has_bits(0, flag)])?;
        deny(rules, libc::SYS_unshare, [has_bits(0, flag)])?;
    }
    // In clone these bits are part of the exit signal.
    deny(rules, libc::SYS_unshare, [has_bits(0, CLONE_NEWTIME)])
}

/// Nothing may type into a terminal for the user.
fn terminals(rules: &mut Rules) -> Result<(), BackendError> {
    const TIOCSTI: u64 = 0x5412;
    const TIOCLINUX: u64 = 0x541c;
    for request in [TIOCSTI, TIOCLINUX] {
        deny(rules, libc::SYS_ioctl, [equals(1, request)])?;
    }
    Ok(())
}

/// No set-user-id or set-group-id files, which would lend this user's rights to others, and no
/// device nodes.
fn file_modes(rules: &mut Rules) -> Result<(), BackendError> {
    #[cfg(target_arch = "x86_64")]
    let (modes, opens, nodes) = (
        [(libc::SYS_chmod, 1), (libc::SYS_creat, 1)],
        [(libc::SYS_open, 1, 2)],
        [(libc::SYS_mknod, 1)],
    );
    #[cfg(not(target_arch = "x86_64"))]
    let (modes, opens, nodes) = ([], [], []);
    let set_id = [u64::from(libc::S_ISUID), u64::from(libc::S_ISGID)];
    let modes = modes.into_iter().chain([
        (libc::SYS_fchmod, 1),
        (libc::SYS_fchmodat, 2),
        (SYS_FCHMODAT2, 2),
    ]);
    let nodes = nodes.into_iter().chain([(libc::SYS_mknodat, 2)]);
    for bit in set_id {
        for (number, mode) in modes.clone().chain(nodes.clone()) {
            deny(rules, number, [has_bits(mode, bit)])?;
        }
        for (number, flags, mode) in opens.into_iter().chain([(libc::SYS_openat, 2, 3)]) {
            // The mode is garbage unless the call creates a file.
            for creates in [libc::O_CREAT, libc::O_TMPFILE & !libc::O_DIRECTORY] {
                deny(rules, number, [has_bits(flags, creates as u64), has_bits(mode, bit)])?;
            }
        }
    }
    for kind in [libc::S_IFBLK, libc::S_IFCHR] {
        for (number, mode) in nodes.clone() {
            let is_kind = masked(mode, u64::from(libc::S_IFMT), u64::from(kind));
            deny(rules, number, [is_kind])?;
        }
    }
    Ok(())
}

/// Sockets: TCP and UDP over IP, and netlink for looking at interfaces and routes. Where the
/// network is off these reach nothing but the sandbox's own loopback.
///
/// A Unix socket could reach any service of the host that has a name in the file system, so none
/// may be created; connected pairs may, of the kinds that cannot address anyone else.
fn sockets(rules: &mut Rules) -> Result<(), BackendError> {
    const TYPE_MASK: u64 = 0xf;
    const NETLINK_ROUTE: u64 = 0;
    let [unix, inet, inet6, netlink] =
        [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK].map(|x| x as u64);
    let [datagram, raw] = [libc::SOCK_DGRAM, libc::SOCK_RAW].map(|x| x as u64);
    let socket = libc::SYS_socket;
    deny(rules, socket, [differs(0, inet), differs(0, inet6), differs(0, netlink)])?;
    deny(rules, socket, [equals(0, netlink), differs(2, NETLINK_ROUTE)])?;
    for family in [inet, inet6] {
        deny(rules, socket, [equals(0, family), masked(1, TYPE_MASK, raw)])?;
    }
    let pair = libc::SYS_socketpair;
    deny(rules, pair, [differs(0, unix)])?;
    for kind in [datagram, raw] {
        deny(rules, pair, [masked(1, TYPE_MASK, kind)])?;
    }
    Ok(())
}

type Condition = Result<SeccompCondition, BackendError>;

fn deny<const N: usize>(
    rules: &mut Rules,
    number: i64,
    conditions: [Condition; N],
) -> Result<(), BackendError> {
    let conditions = conditions.into_iter().collect::<Result<Vec<_>, _>>()?;
    rules.entry(number).or_default().push(SeccompRule::new(conditions)?);
    Ok(())
}

fn compare(argument: u8, how: SeccompCmpOp, value: u64) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value)
}

fn equals(argument: u8, value: u64) -> Condition {
    compare(argument, SeccompCmpOp::Eq, value)
}

fn differs(argument: u8, value: u64) -> Condition {
    compare(argument, SeccompCmpOp::Ne, value)
}

fn masked(argument: u8, mask: u64, value: u64) -> Condition {
    compare(argument, SeccompCmpOp::MaskedEq(mask), value)
}

fn has_bits(argument: u8, bits: u64) -> Condition {
    masked(argument, bits, bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_fit_the_kernel_limit() {
        const INSTRUCTIONS_MAX: usize = 4096;
        let filters = Filters::compile().unwrap();
        assert!(filters.absent.len() + filters.refused.len() < INSTRUCTIONS_MAX / 2);
    }
}
