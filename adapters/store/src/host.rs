//! Facts about the machine and the account: login shell, home, time zone.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use codex_proto::settings::{Shell, ShellKind};
use jiff::{Timestamp, tz::TimeZone};
use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::read;

const ACCOUNTS_BYTES_MAX: u64 = 16 * 1024 * 1024;
const ZONE_BYTES_MAX: u64 = 1024 * 1024;
const ZONE_FOLDERS: [&str; 3] =
    ["/usr/share/zoneinfo", "/etc/zoneinfo", "/var/db/timezone/zoneinfo"];

/// Shells that do not understand POSIX scripts, or are none.
const NOT_POSIX: [&str; 9] =
    ["csh", "elvish", "false", "fish", "nologin", "nu", "tcsh", "true", "xonsh"];

/// What `/etc/passwd` says about the user who runs this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Home directory.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
}

/// Looks this process's user up in `/etc/passwd`; directories on a network are not asked.
#[must_use]
pub fn account() -> Option<Account> {
    let table = read::whole(Path::new("/etc/passwd"), ACCOUNTS_BYTES_MAX).ok()?;
    account_in(&table, rustix::process::getuid().as_raw())
}

fn account_in(table: &[u8], uid: u32) -> Option<Account> {
    table.split(|byte| *byte == b'\n').find_map(|line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let [_, _, id, _, _, home, shell] = fields[..] else { return None };
        let is_ours = std::str::from_utf8(id).ok()?.parse() == Ok(uid);
        let path = |bytes| PathBuf::from(OsStr::from_bytes(bytes));
        (is_ours && home.starts_with(b"/"))
            .then(|| Account { home: path(home), shell: path(shell) })
    })
}

/// The login shell: `$SHELL`, else the account's, when it exists and runs POSIX scripts (or is
/// PowerShell); else bash, else `/bin/sh`.
#[must_use]
pub fn login_shell(env_shell: Option<&OsStr>) -> Shell {
    let usable = |path: &PathBuf| {
        let stem = path.file_stem().unwrap_or_default();
        path.is_absolute()
            && !NOT_POSIX.iter().any(|name| stem == *name)
            && accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
    };
    let path = env_shell
        .map(PathBuf::from)
        .filter(usable)
        .or_else(|| account().map(|account| account.shell).filter(usable))
        .or_else(|| Some(PathBuf::from("/bin/bash")).filter(usable))
        .unwrap_or_else(|| "/bin/sh".into());
    let kind = ShellKind::of(&path);
    Shell { path, kind }
}

/// The local time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// IANA name. A zone that has none is named by its offset, as `Etc/GMT-2`.
    pub name: String,
    /// Offset from UTC at this moment, in minutes, east positive.
    pub utc_offset_minutes: i32,
}

/// The time zone of `tz` (the variable `TZ`), else of `/etc/localtime`, else UTC.
#[must_use]
pub fn time_zone(tz: Option<&str>) -> Zone {
    zone_at(tz, Path::new("/etc/localtime"), Timestamp::now())
}

fn zone_at(tz: Option<&str>, localtime: &Path, now: Timestamp) -> Zone {
    let found = match tz.map(|tz| tz.strip_prefix(':').unwrap_or(tz)) {
        Some("") => None,
        Some(tz) => match zone_name(Path::new(tz)) {
            Some(name) => named(name),
            None => {
                named(tz).or_else(|| TimeZone::posix(tz).ok().map(|zone| (String::new(), zone)))
            }
        },
        None => {
            let link = fs::canonicalize(localtime).unwrap_or_default();
            // The link may be a copy; its name is then told elsewhere, or nowhere.
            zone_name(&link).and_then(named).or_else(|| {
                let bytes = read::whole(localtime, ZONE_BYTES_MAX).ok()?;
                let name = fs::read_to_string("/etc/timezone").unwrap_or_default();
                let name = name.trim().to_owned();
                TimeZone::tzif(&name, &bytes).ok().map(|zone| (name, zone))
            })
        }
    };
    let Some((name, zone)) = found else {
        return Zone { name: "Etc/UTC".into(), utc_offset_minutes: 0 };
    };
    let utc_offset_minutes = zone.to_offset(now).seconds() / 60;
    let name = match (name.is_empty(), utc_offset_minutes) {
        (false, _) => name,
        // Names by offset count westwards, and whole hours only.
        (true, minutes) if minutes % 60 == 0 && minutes != 0 => {
            format!("Etc/GMT{:+}", -minutes / 60)
        }
        (true, _) => "Etc/UTC".into(),
    };
    Zone { name, utc_offset_minutes }
}

/// `Europe/Berlin` of `/usr/share/zoneinfo/Europe/Berlin`.
fn zone_name(path: &Path) -> Option<&str> {
    let (_, name) = path.to_str()?.split_once("/zoneinfo/")?;
    Some(name.strip_prefix("posix/").or_else(|| name.strip_prefix("right/")).unwrap_or(name))
}

fn named(name: &str) -> Option<(String, TimeZone)> {
    let plain = Path::new(name).components().all(|c| matches!(c, std::path::Component::Normal(_)));
    if !plain {
        return None;
    }
    ZONE_FOLDERS.iter().find_map(|folder| {
        let bytes = read::whole(&Path::new(folder).join(name), ZONE_BYTES_MAX).ok()?;
        Some((name.to_owned(), TimeZone::tzif(name, &bytes).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_number() {
        let table = b"root:x:0:0:root:/root:/bin/bash\nbroken\nann:x:7:7::/home/ann:/bin/zsh\n";
        let ann = Account { home: "/home/ann".into(), shell: "/bin/zsh".into() };
        assert_eq!(account_in(table, 7), Some(ann));
        assert_eq!(account_in(table, 8), None);
    }

    #[test]
    fn a_shell_that_cannot_run_scripts_is_replaced() {
        let sh = login_shell(Some(OsStr::new("/bin/sh")));
        assert_eq!((sh.path.as_path(), sh.kind), (Path::new("/bin/sh"), ShellKind::Sh));
        for bad in ["/bin/false", "/no/such/zsh", "bash", "/usr/bin/fish"] {
            let shell = login_shell(Some(OsStr::new(bad)));
            assert!(shell.path.is_absolute() && shell.path != Path::new(bad), "{bad}");
        }
    }

    #[test]
    fn zones_have_names_and_offsets() {
        let winter = Timestamp::from_second(1_767_225_600).unwrap();
        let summer = Timestamp::from_second(1_782_864_000).unwrap();
        let zone = |tz: &str, now| {
            let zone = zone_at(Some(tz), Path::new("/nonexistent"), now);
            (zone.name, zone.utc_offset_minutes)
        };
        assert_eq!(zone("", winter), ("Etc/UTC".into(), 0));
        assert_eq!(zone("nonsense/../x", winter), ("Etc/UTC".into(), 0));
        assert_eq!(zone("EST5EDT,M3.2.0,M11.1.0", winter), ("Etc/GMT+5".into(), -300));
        assert_eq!(zone("CET-1CEST,M3.5.0,M10.5.0/3", summer), ("Etc/GMT-2".into(), 120));
        assert_eq!(
            zone_name(Path::new("/usr/share/zoneinfo/posix/Asia/Tokyo")),
            Some("Asia/Tokyo")
        );
        // Not every machine has the database.
        if Path::new("/usr/share/zoneinfo/Europe/Berlin").exists() {
            let berlin = |minutes| ("Europe/Berlin".to_owned(), minutes);
            assert_eq!(zone("Europe/Berlin", winter), berlin(60));
            assert_eq!(zone(":/usr/share/zoneinfo/Europe/Berlin", summer), berlin(120));
            let link = tempfile::tempdir().unwrap();
            let link = link.path().join("localtime");
            std::os::unix::fs::symlink("/usr/share/zoneinfo/Europe/Berlin", &link).unwrap();
            let zone = zone_at(None, &link, winter);
            assert_eq!((zone.name, zone.utc_offset_minutes), berlin(60));
        }
        let utc = Zone { name: "Etc/UTC".into(), utc_offset_minutes: 0 };
        assert_eq!(zone_at(None, Path::new("/nonexistent"), winter), utc);
    }
}
