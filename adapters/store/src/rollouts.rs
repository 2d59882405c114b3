//! Finds the rollout to resume.
//!
//! `CODEX_HOME/sessions/YYYY/MM/DD/rollout-TIME-ID.jsonl`: most questions are answered by names
//! alone. Which thread was used last is told by file times, since resumed threads grow in the
//! folder of their first day; files are opened from the newest on until one fits, and then only
//! their first line and their end are read.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use codex_proto::{HostError, HostErrorKind, ThreadId, effect::GitInfo};
use memchr::{memchr, memmem, memrchr};
use serde::Deserialize;

use crate::{fail, read};

/// Bytes at the start of a rollout in which its first line must end.
const HEAD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes at the end of a rollout in which the last turn's context is looked for, in steps.
const TAIL_BYTES: [u64; 4] = [32 * 1024, 256 * 1024, 2 * 1024 * 1024, 16 * 1024 * 1024];
/// Rollouts that one search opens.
const OPENED_MAX: usize = 10_000;

/// What is known of a rollout without reading it whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// The file.
    pub path: PathBuf,
    /// The thread it records.
    pub thread: ThreadId,
    /// Working directory of the last turn, else of the thread's start.
    pub cwd: PathBuf,
    /// The provider it was started with; older files do not say.
    pub provider: Option<String>,
    /// When it last grew.
    pub modified: SystemTime,
}

/// Which rollouts count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Those whose last turn was in this directory; `None` for all.
    pub cwd: Option<&'a Path>,
    /// Those of this provider, or that do not say; `None` for all.
    pub provider: Option<&'a str>,
}

/// The result of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Newest first.
    pub rollouts: Vec<Rollout>,
    /// Files that look like rollouts and cannot be read or understood.
    pub unreadable_count: usize,
    /// Older files that were not looked at because the search opened enough.
    pub unopened_count: usize,
}

/// The newest rollouts that pass a filter, `count_max` at most. No sessions are no error.
#[must_use]
pub fn newest(codex_home: &Path, filter: &Filter<'_>, count_max: usize) -> Found {
    let mut found = Found::default();
    let files = files_by_use(codex_home, &mut found.unreadable_count);
    let same_place = SamePlace::new(filter.cwd);
    for (index, path) in files.iter().enumerate() {
        if found.rollouts.len() == count_max {
            break;
        }
        if index == OPENED_MAX {
            found.unopened_count = files.len() - index;
            break;
        }
        match examine(path, filter.provider) {
            Ok(Some(rollout)) if same_place.as_ref().is_none_or(|p| p.is(&rollout.cwd)) => {
                found.rollouts.push(rollout);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "skipping a rollout");
                found.unreadable_count += 1;
            }
        }
    }
    found
}

/// The rollouts below `CODEX_HOME/sessions`, those used last first; unopened.
pub(crate) fn by_use(codex_home: &Path) -> Vec<PathBuf> {
    files_by_use(codex_home, &mut 0)
}

fn files_by_use(codex_home: &Path, unreadable_count: &mut usize) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for_each_day(codex_home, &mut |folder| {
        for_each_file(folder, &mut |_, entry| {
            match entry.metadata() {
                Ok(meta) => {
                    files.push((meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), entry.path()))
                }
                Err(_) => *unreadable_count += 1,
            }
            true
        })
    });
    files.sort_unstable_by(|a, b| b.cmp(a));
    files.into_iter().map(|(_, path)| path).collect()
}

/// The rollout at a path.
///
/// # Errors
/// When it cannot be read, or its first line does not say which thread it records.
pub fn by_path(path: &Path) -> Result<Rollout, HostError> {
    let unmatched = || fail::found(HostErrorKind::NotFound, path, "is not a rollout");
    examine(path, None)?.ok_or_else(unmatched)
}

/// The file of a thread, archived ones included; `None` when there is none.
#[must_use]
pub fn by_id(codex_home: &Path, thread: ThreadId) -> Option<PathBuf> {
    let mut path = None;
    let mut look = |folder: &Path| {
        for_each_file(folder, &mut |id, entry| {
            if id == thread {
                path = Some(entry.path());
            }
            path.is_none()
        })
    };
    // Ids that carry a time tell the folder, up to the time zone.
    let days = thread.0.get_timestamp().map(|time| time.to_unix().0.cast_signed());
    for seconds in days.into_iter().flat_map(|s| [s, s - 86_400, s + 86_400]) {
        let wall = codex_proto::Wall(seconds.saturating_mul(1000));
        if !look(&codex_home.join("sessions").join(wall.civil(0).date_folder())) {
            return path;
        }
    }
    if for_each_day(codex_home, &mut look) {
        look(&codex_home.join("archived_sessions"));
    }
    path
}

/// The file of the only thread whose id starts so; `None` when there is none.
///
/// # Errors
/// When several threads do.
pub fn by_id_prefix(codex_home: &Path, prefix: &str) -> Result<Option<PathBuf>, HostError> {
    let prefix = prefix.to_ascii_lowercase();
    let mut matches: Vec<(ThreadId, PathBuf)> = Vec::new();
    let mut look = |folder: &Path| {
        for_each_file(folder, &mut |id, entry| {
            if id.to_string().starts_with(&prefix) && !matches.iter().any(|(m, _)| *m == id) {
                matches.push((id, entry.path()));
            }
            true
        })
    };
    for_each_day(codex_home, &mut look);
    look(&codex_home.join("archived_sessions"));
    match &matches[..] {
        [] => Ok(None),
        [(_, path)] => Ok(Some(path.clone())),
        several => {
            const SHOWN_MAX: usize = 5;
            let ids: Vec<String> =
                several.iter().take(SHOWN_MAX).map(|(id, _)| id.to_string()).collect();
            let more = several.len().saturating_sub(SHOWN_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let count = several.len();
            let text = format!("{count} threads start with `{prefix}`: {}{more}", ids.join(", "));
            Err(HostError::new(HostErrorKind::Other, text))
        }
    }
}

/// Calls `look` with each day's folder, newest first, while it returns true.
fn for_each_day(codex_home: &Path, look: &mut dyn FnMut(&Path) -> bool) -> bool {
    fn numbered(folder: &Path) -> Vec<PathBuf> {
        let is_number = |name: &OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> =
            entries.filter(|e| is_number(&e.file_name())).map(|e| e.path()).collect();
        folders.sort_unstable_by(|a, b| b.cmp(a));
        folders
    }
    numbered(&codex_home.join("sessions"))
        .iter()
        .flat_map(|year| numbered(year))
        .flat_map(|month| numbered(&month))
        .all(|day| look(&day))
}

/// Calls `look` with each rollout of a folder, while it returns true.
fn for_each_file(folder: &Path, look: &mut dyn FnMut(ThreadId, &fs::DirEntry) -> bool) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().all(|entry| {
        let id = thread_of(&entry.file_name());
        id.is_none_or(|id| look(id, &entry))
    })
}

/// The thread in `rollout-2026-01-02T03-04-05-ID.jsonl`.
fn thread_of(name: &OsStr) -> Option<ThreadId> {
    let name = name.to_str()?.strip_prefix("rollout-")?.strip_suffix(".jsonl")?;
    name.get(name.len().checked_sub(36)?..)?.parse().ok()
}

/// A line of a rollout.
#[derive(Deserialize)]
pub(crate) struct Line<P> {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) payload: P,
}

/// What the first line says.
#[derive(Deserialize)]
pub(crate) struct Meta {
    pub(crate) id: ThreadId,
    pub(crate) cwd: PathBuf,
    #[serde(default)]
    model_provider: Option<String>,
    #[serde(default)]
    pub(crate) git: Option<GitInfo>,
}

impl Meta {
    /// `None` when this is no first line.
    pub(crate) fn of(line: &[u8]) -> Option<Self> {
        let line: Line<Self> = serde_json::from_slice(line).ok()?;
        (line.kind == "session_meta").then_some(line.payload)
    }
}

#[derive(Deserialize)]
struct Context {
    cwd: PathBuf,
}

/// Reads head and end of a rollout; `None` when it is another provider's.
fn examine(path: &Path, provider: Option<&str>) -> Result<Option<Rollout>, HostError> {
    let (file, stat) = read::open_regular(path)?;
    let fail = |error: io::Error| fail::at("read", path, error);
    let head = head(&file).map_err(fail)?;
    let first = &head[..memchr(b'\n', &head).unwrap_or(head.len())];
    let what = "does not start with a session_meta line";
    let meta = Meta::of(first).ok_or_else(|| fail::found(HostErrorKind::Other, path, what))?;
    if let (Some(wanted), Some(theirs)) = (provider, &meta.model_provider)
        && wanted != theirs
    {
        return Ok(None);
    }
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    Ok(Some(Rollout {
        path: path.to_owned(),
        thread: meta.id,
        cwd: last_cwd(&file, size).map_err(fail)?.unwrap_or(meta.cwd),
        provider: meta.model_provider,
        modified: file.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH),
    }))
}

/// The start of a file, up to the end of its first line at least, if that is within bounds.
fn head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; 16 * 1024];
    let mut filled = 0;
    loop {
        match file.read_at(&mut head[filled..], filled as u64) {
            Ok(0) => break,
            Ok(count) => {
                let ends = memchr(b'\n', &head[filled..filled + count]).is_some();
                filled += count;
                if ends || filled >= HEAD_BYTES_MAX {
                    break;
                }
                if filled == head.len() {
                    head.resize(head.len() * 4, 0);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    head.truncate(filled);
    Ok(head)
}

/// The working directory of the last turn, if that began near the end.
fn last_cwd(file: &File, size: u64) -> io::Result<Option<PathBuf>> {
    let mark = memmem::FinderRev::new(br#""type":"turn_context""#);
    for bytes in TAIL_BYTES {
        let bytes = bytes.min(size);
        let mut tail = vec![0; usize::try_from(bytes).unwrap_or(0)];
        match file.read_exact_at(&mut tail, size - bytes) {
            Ok(()) => {}
            // It shrank: an append that was taken back.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut before = tail.len();
        while let Some(at) = mark.rfind(&tail[..before]) {
            let start = memrchr(b'\n', &tail[..at]).map(|newline| newline + 1);
            let Some(start) = start.or((bytes == size).then_some(0)) else { break };
            let end = memchr(b'\n', &tail[at..]).map_or(tail.len(), |length| at + length);
            match serde_json::from_slice::<Line<Context>>(&tail[start..end]) {
                Ok(line) if line.kind == "turn_context" => return Ok(Some(line.payload.cwd)),
                _ => before = start,
            }
        }
        if bytes == size {
            break;
        }
    }
    Ok(None)
}

/// Compares directories by name, and by what the name leads to.
struct SamePlace<'a> {
    path: &'a Path,
    real: Option<PathBuf>,
}

impl<'a> SamePlace<'a> {
    fn new(path: Option<&'a Path>) -> Option<Self> {
        path.map(|path| Self { path, real: fs::canonicalize(path).ok() })
    }

    fn is(&self, other: &Path) -> bool {
        other == self.path
            || self.real.as_ref().is_some_and(|real| {
                other == real || fs::canonicalize(other).is_ok_and(|other| other == *real)
            })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Sessions(tempfile::TempDir);

    impl Sessions {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn home(&self) -> &Path {
            self.0.path()
        }

        /// A rollout that was last used `age` seconds ago.
        fn add(&self, day: &str, id: &str, age: u64, lines: &[String]) -> PathBuf {
            let folder = self.home().join("sessions").join(day);
            fs::create_dir_all(&folder).unwrap();
            let name = format!("rollout-{}T01-02-03-{id}.jsonl", day.replace('/', "-"));
            let path = folder.join(name);
            fs::write(&path, lines.concat()).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600 - age);
            File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
            path
        }
    }

    fn id(n: u32) -> String {
        format!("0190{n:04x}-0000-7000-8000-000000000000")
    }

    fn meta(n: u32, cwd: &str, provider: &str) -> String {
        let id = id(n);
        format!(
            "{{\"timestamp\":\"t\",\"type\":\"session_meta\",\"payload\":{{\"id\":\"{id}\",\
             \"cwd\":\"{cwd}\",\"model_provider\":\"{provider}\",\"base_instructions\":\
             {{\"text\":\"{}\"}}}}}}\n",
            "long ".repeat(8000)
        )
    }

    fn context(cwd: &str) -> String {
        format!(
            "{{\"timestamp\":\"t\",\"type\":\"turn_context\",\"payload\":{{\"cwd\":\"{cwd}\"}}}}\n"
        )
    }

    fn item(bytes: usize) -> String {
        let text = "\\\"type\\\":\\\"turn_context\\\"".to_owned() + &"x".repeat(bytes);
        format!("{{\"type\":\"response_item\",\"payload\":{{\"text\":\"{text}\"}}}}\n")
    }

    #[test]
    fn the_newest_is_the_one_used_last_in_this_directory() {
        let sessions = Sessions::new();
        let a = sessions.add(
            "2026/01/01",
            &id(1),
            10,
            &[meta(1, "/a", "p"), context("/b"), context("/a"), item(9)],
        );
        let b = sessions.add(
            "2026/01/02",
            &id(2),
            20,
            &[meta(2, "/a", "p"), context("/a"), context("/b"), item(700_000)],
        );
        let c = sessions.add("2025/12/31", &id(3), 5, &[meta(3, "/a", "q")]);
        sessions.add("2026/01/03", &id(4), 1, &["garbage\n".into()]);
        fs::write(sessions.home().join("sessions/2026/01/03/notes.txt"), "").unwrap();
        let find = |cwd: Option<&str>, provider, count| {
            let found =
                newest(sessions.home(), &Filter { cwd: cwd.map(Path::new), provider }, count);
            let paths: Vec<PathBuf> = found.rollouts.into_iter().map(|r| r.path).collect();
            (paths, found.unreadable_count)
        };
        assert_eq!(find(Some("/a"), None, 1), (vec![c.clone()], 1));
        assert_eq!(find(Some("/a"), Some("p"), 9), (vec![a.clone()], 1));
        assert_eq!(find(Some("/b"), None, 9), (vec![b.clone()], 1));
        assert_eq!(find(None, None, 9), (vec![c, a, b], 1));
        assert_eq!(find(Some("/none"), None, 9), (vec![], 1));
        assert_eq!(newest(Path::new("/nonexistent"), &Filter::default(), 9), Found::default());
    }

    #[test]
    fn threads_are_found_by_id_prefix_and_path() {
        let sessions = Sessions::new();
        let one = sessions.add("2020/02/02", &id(0x11), 0, &[meta(0x11, "/a", "p"), "torn".into()]);
        let two = sessions.add("2026/01/02", &id(0x12), 0, &[meta(0x12, "/a", "p")]);
        let home = sessions.home();
        assert_eq!(by_id(home, id(0x11).parse().unwrap()), Some(one.clone()));
        assert_eq!(by_id(home, id(0x13).parse().unwrap()), None);
        assert_eq!(by_id_prefix(home, "01900011-").unwrap(), Some(one.clone()));
        assert_eq!(by_id_prefix(home, "FFFF").unwrap(), None);
        let error = by_id_prefix(home, "0190").unwrap_err();
        assert!(error.message.starts_with("2 threads start with `0190`: 0190001"), "{error}");
        assert_eq!(by_path(&one).unwrap().thread, id(0x11).parse().unwrap());
        // An archived thread, and one whose id tells its day.
        let archive = home.join("archived_sessions");
        fs::create_dir(&archive).unwrap();
        let archived = archive.join(two.file_name().unwrap());
        fs::rename(&two, &archived).unwrap();
        assert_eq!(by_id(home, id(0x12).parse().unwrap()), Some(archived));
        let error = by_path(&home.join("no.jsonl")).unwrap_err();
        assert_eq!(error.kind, HostErrorKind::NotFound);
        fs::write(home.join("bad.jsonl"), "{}\n").unwrap();
        let error = by_path(&home.join("bad.jsonl")).unwrap_err();
        assert!(error.message.ends_with("does not start with a session_meta line"), "{error}");
    }
}
