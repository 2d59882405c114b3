//! Names of the files that a patch makes for itself, and the removal of those that a killed
//! process left behind.
//!
//! A name is `.codex-patch-TAG-PID-RANDOM`. The tag stands for this boot of this machine and
//! this pid namespace: with an equal tag, the process id tells whether the owner lives;
//! with any other, age must do.

use std::{ffi::OsStr, fs, os::fd::OwnedFd, sync::OnceLock, time::SystemTime};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat, unlinkat};

const PREFIX: &str = ".codex-patch-";
/// Age at which a file of an owner that cannot be asked counts as left behind.
const FOREIGN_AGE_SECONDS: i64 = 3600;

pub(super) fn name() -> String {
    let random = uuid::Uuid::new_v4().simple();
    format!("{PREFIX}{:08x}-{}-{random}", tag(), std::process::id())
}

/// Removes what dead processes left in a directory. Best effort: failures are not reported.
pub(super) fn sweep(dir: &OwnedFd) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(dir) = openat(dir, ".", flags, Mode::empty()) else { return };
    let Ok(entries) = Dir::read_from(&dir) else { return };
    for entry in entries.flatten() {
        let name = OsStr::new(entry.file_name().to_str().unwrap_or_default());
        let Some(owner) = name.to_str().and_then(owner) else { continue };
        let Ok(stat) = statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let is_ours = matches!(kind, FileType::RegularFile | FileType::Symlink);
        if is_ours && owner.is_gone(stat.st_ctime) {
            tracing::debug!(?name, "removing what an interrupted patch left");
            let _ = unlinkat(&dir, name, AtFlags::empty());
        }
    }
}

struct Owner {
    tag: u32,
    pid: u32,
}

impl Owner {
    fn is_gone(&self, changed_seconds: i64) -> bool {
        if self.tag == tag() {
            let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
            return pid.is_none_or(|pid| {
                rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
            });
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_secs()).unwrap_or(i64::MAX) - changed_seconds > FOREIGN_AGE_SECONDS
    }
}

fn owner(name: &str) -> Option<Owner> {
    let mut parts = name.strip_prefix(PREFIX)?.split('-');
    let (tag, pid, random) = (parts.next()?, parts.next()?, parts.next()?);
    let is_random = random.len() == 32 && random.bytes().all(|b| b.is_ascii_hexdigit());
    (is_random && parts.next().is_none()).then_some(())?;
    Some(Owner { tag: u32::from_str_radix(tag, 16).ok()?, pid: pid.parse().ok()? })
}

fn tag() -> u32 {
    static TAG: OnceLock<u32> = OnceLock::new();
    *TAG.get_or_init(|| {
        let boot = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let both = [boot, namespace.into_os_string().into_encoded_bytes()].concat();
        let digest = codex_proto::effect::Digest::of(&both).0;
        u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_dead_left_is_swept() {
        let tmp = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = child.id();
        child.wait().unwrap();
        let random = "0123456789abcdef0123456789abcdef";
        let dead_name = format!("{PREFIX}{:08x}-{dead}-{random}", tag());
        let foreign = format!("{PREFIX}{:08x}-{dead}-{random}", tag() ^ 1);
        let ours = name();
        let keep = [foreign.as_str(), &ours, ".codex-patch-", ".codex-patch-notes", "other"];
        for name in keep.iter().chain([&dead_name.as_str()]) {
            fs::write(tmp.path().join(name), "").unwrap();
        }
        sweep(&fs::File::open(tmp.path()).unwrap().into());
        assert!(!tmp.path().join(&dead_name).exists());
        for name in keep {
            assert!(tmp.path().join(name).exists(), "{name}");
        }
    }
}
