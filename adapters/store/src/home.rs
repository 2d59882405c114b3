//! `CODEX_HOME`: where it is, its `.env`, its installation id.
//!
//! A home that cannot be written is usable: what would be kept there is not, and one warning
//! says so.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use codex_proto::{HostError, HostErrorKind};
use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::{fail, host, read};

const ENV_FILE_BYTES_MAX: u64 = 256 * 1024;
const ID_FILE_BYTES_MAX: u64 = 4096;

/// The home directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Absolute.
    pub path: PathBuf,
    /// Why nothing can be kept there, as one sentence for the user; `None` when it is writable.
    pub read_only: Option<String>,
}

/// Finds the home directory: `codex_home` (the variable) must exist; without it, `.codex` in
/// `user_home` (or in the account's home) is created, mode 0700.
///
/// # Errors
/// When `codex_home` names no directory, and when no home can be derived at all.
pub fn resolve(codex_home: Option<&OsStr>, user_home: Option<&Path>) -> Result<Home, HostError> {
    if let Some(set) = codex_home.filter(|set| !set.is_empty()) {
        let wrong = |kind, what: &str| {
            HostError::new(kind, format!("CODEX_HOME points to {set:?}, but that path {what}"))
        };
        let path = match fs::canonicalize(set) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let what = "does not exist; create that folder, or unset the variable";
                return Err(wrong(HostErrorKind::NotFound, what));
            }
            Err(error) => {
                let what = format!("cannot be opened: {}", fail::cause(&error));
                return Err(wrong(fail::kind(&error), &what));
            }
        };
        if !path.is_dir() {
            return Err(wrong(HostErrorKind::Other, "is not a directory"));
        }
        let read_only = read_only(&path);
        return Ok(Home { path, read_only });
    }
    let user_home = match user_home.filter(|home| home.is_absolute()) {
        Some(home) => home.to_owned(),
        None => host::account().map(|account| account.home).ok_or_else(|| {
            let text = "there is no home directory; set HOME or CODEX_HOME";
            HostError::new(HostErrorKind::NotFound, text)
        })?,
    };
    let path = user_home.join(".codex");
    let read_only = match DirBuilder::new().recursive(true).mode(0o700).create(&path) {
        Ok(()) => read_only(&path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let text = format!("{} is not a directory", path.display());
            return Err(HostError::new(HostErrorKind::Other, text));
        }
        Err(error) => Some(unusable(&path, &error)),
    };
    Ok(Home { path, read_only })
}

fn read_only(path: &Path) -> Option<String> {
    let access = Access::WRITE_OK | Access::EXEC_OK;
    let error = accessat(CWD, path, access, AtFlags::EACCESS).err()?;
    Some(unusable(path, &error.into()))
}

fn unusable(path: &Path, error: &io::Error) -> String {
    format!(
        "{} cannot be written ({}): transcripts, logs and settings of this run are not kept",
        path.display(),
        fail::cause(error)
    )
}

/// Variables of `CODEX_HOME/.env` in order, without those whose name starts with `CODEX_`, and
/// what is wrong with the file. The caller sets those that are not in the environment yet.
#[must_use]
pub fn env_file(home: &Path) -> (Vec<(String, String)>, Vec<String>) {
    let path = home.join(".env");
    let bytes = match read::whole(&path, ENV_FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind == HostErrorKind::NotFound => return Default::default(),
        Err(error) => return (Vec::new(), vec![error.message]),
    };
    let (mut variables, mut warnings) = (Vec::new(), Vec::new());
    for entry in dotenvy::from_read_iter(&bytes[..]) {
        match entry {
            Ok((name, _)) if name.to_ascii_uppercase().starts_with("CODEX_") => {}
            Ok(variable) => variables.push(variable),
            // The line may hold a secret, so only its number is told.
            Err(dotenvy::Error::LineParse(line, _)) => {
                let text = String::from_utf8_lossy(&bytes);
                let number = text.lines().position(|l| l.trim_end() == line.trim_end());
                let number = number.map_or(String::new(), |index| format!(":{}", index + 1));
                let path = path.display();
                warnings
                    .push(format!("{path}{number}: this line is not NAME=value; it is ignored"));
            }
            Err(_) => {
                warnings
                    .push(format!("{} is not valid UTF-8; the rest is ignored", path.display()));
                break;
            }
        }
    }
    (variables, warnings)
}

/// The installation id, a UUID v4, created when there is none. When it cannot be kept, an id for
/// this run and, unless the home is known to be read-only, a warning.
#[must_use]
pub fn installation_id(home: &Home) -> (String, Option<String>) {
    let path = home.path.join("installation_id");
    if let Some(id) = read_id(&path) {
        return (id, None);
    }
    let id = uuid::Uuid::new_v4().to_string();
    if home.read_only.is_some() {
        return (id, None);
    }
    match keep_id(&path, &id) {
        Ok(id) => (id, None),
        Err(error) => {
            let warning = fail::at("write", &path, error).message;
            (id, Some(format!("{warning}; the installation id of this run is not kept")))
        }
    }
}

fn read_id(path: &Path) -> Option<String> {
    let bytes = read::whole(path, ID_FILE_BYTES_MAX).ok()?;
    let id = uuid::Uuid::parse_str(std::str::from_utf8(&bytes).ok()?.trim()).ok()?;
    Some(id.to_string())
}

/// Writes an id whole, or takes the one that another process wrote meanwhile.
fn keep_id(path: &Path, id: &str) -> io::Result<String> {
    let staged = path.with_file_name(format!(".installation_id-{id}"));
    let outcome = File::options().write(true).create_new(true).mode(0o644).open(&staged).and_then(
        |mut file| {
            file.write_all(id.as_bytes())?;
            match fs::hard_link(&staged, path) {
                Ok(()) => Ok(id.to_owned()),
                Err(_) => match read_id(path) {
                    Some(theirs) => Ok(theirs),
                    // Garbage, or a file system without links.
                    None => fs::rename(&staged, path).map(|()| id.to_owned()),
                },
            }
        },
    );
    let _ = fs::remove_file(&staged);
    outcome
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_set_home_must_exist_and_the_default_is_created() {
        let tmp = tempfile::tempdir().unwrap();
        let missing = tmp.path().join("no");
        let error = resolve(Some(missing.as_os_str()), None).unwrap_err();
        let want = format!(
            "CODEX_HOME points to {missing:?}, but that path does not exist; create that folder, or \
             unset the variable"
        );
        assert_eq!(error.message, want);
        let file = tmp.path().join("file");
        fs::write(&file, "").unwrap();
        let error = resolve(Some(file.as_os_str()), None).unwrap_err();
        assert!(error.message.ends_with("but that path is not a directory"), "{error}");
        let home = resolve(Some(OsStr::new("")), Some(tmp.path())).unwrap();
        assert_eq!(home, Home { path: tmp.path().join(".codex"), read_only: None });
        let mode = fs::metadata(&home.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_home_that_cannot_be_written_is_one_warning() {
        // On /proc nobody can create anything, root included.
        let home = resolve(None, Some(Path::new("/proc/self"))).unwrap();
        let warning = home.read_only.clone().unwrap();
        assert!(warning.starts_with("/proc/self/.codex cannot be written ("), "{warning}");
        let (id, warning) = installation_id(&home);
        assert_eq!((id.len(), warning), (36, None));
    }

    #[test]
    fn the_installation_id_stays() {
        let tmp = tempfile::tempdir().unwrap();
        let home = Home { path: tmp.path().to_owned(), read_only: None };
        let (id, warning) = installation_id(&home);
        assert_eq!(warning, None);
        assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 4);
        assert_eq!(installation_id(&home).0, id);
        assert_eq!(fs::read_to_string(tmp.path().join("installation_id")).unwrap(), id);
        fs::write(tmp.path().join("installation_id"), "garbage").unwrap();
        let (new, warning) = installation_id(&home);
        assert!(new != id && warning.is_none());
        assert_eq!(installation_id(&home).0, new);
        assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_env_file_cannot_set_our_own_variables() {
        let tmp = tempfile::tempdir().unwrap();
        assert_eq!(env_file(tmp.path()), Default::default());
        let text = "# note\nA=1\nCODEX_HOME=/x\ncodex_api_key=k\nexport B=\"two words\"\nsecret line\nC='3'\n";
        fs::write(tmp.path().join(".env"), text).unwrap();
        let (variables, warnings) = env_file(tmp.path());
        let want = [("A", "1"), ("B", "two words"), ("C", "3")];
        let want: Vec<_> = want.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        assert_eq!(variables, want);
        let place = tmp.path().join(".env:6").display().to_string();
        assert_eq!(warnings, [format!("{place}: this line is not NAME=value; it is ignored")]);
    }
}
