//! The Landlock rules: a second wall behind the mounts, and the only one against signals to the
//! outside, FIFOs and devices.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use super::sys;

/// The newest rights that the rules name; older kernels enforce those that they know.
const KNOWN: ABI = ABI::V7;

/// Restricts this process for good: everything is readable, `writable` is writable too.
///
/// The paths are looked up now, inside the sandbox. One that cannot be opened gets no right.
pub(super) fn restrict<'a>(writable: impl Iterator<Item = &'a Path>) -> Result<(), i32> {
    let status = rules(writable).map_err(|_| sys::errno())?;
    // The crate reports an absent Landlock as success.
    if status == RulesetStatus::NotEnforced { Err(libc::EOPNOTSUPP) } else { Ok(()) }
}

fn rules<'a>(writable: impl Iterator<Item = &'a Path>) -> Result<RulesetStatus, RulesetError> {
    let all = AccessFs::from_all(KNOWN);
    let write = all & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
    let device =
        AccessFs::from_read(KNOWN) | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?;
    rules = allow(rules, Path::new("/"), AccessFs::from_read(KNOWN))?;
    // The private /dev has harmless nodes only, and no new ones can be made.
    rules = allow(rules, Path::new("/dev"), device)?;
    for path in [Path::new("/dev/shm"), Path::new("/proc")].into_iter().chain(writable) {
        rules = allow(rules, path, write)?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    match PathFd::new(path) {
        Ok(fd) => rules.add_rule(PathBeneath::new(fd, access)),
        Err(_) => Ok(rules),
    }
}

/// Whether the kernel enforces Landlock at all; asked once, so that the error comes early.
pub(super) fn is_available() -> bool {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(Ruleset::create)
        .is_ok()
}
