//! Sessions as a person picks one: what they were about, where, when, and how large.
//!
//! The name is what the session was renamed to (`session_index.jsonl`), else its first prompt. Only
//! the head and the end of each rollout are read, of the newest ones first.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use codex_proto::{ThreadId, wire::realtime::envelope::Envelope};
use serde::Deserialize;

use crate::rollouts::{self, Filter};

/// Bytes at the start of a rollout in which its first prompt is looked for.
const HEAD_BYTES_MAX: u64 = 512 << 10;
/// Bytes of the index of names that are read.
const INDEX_BYTES_MAX: u64 = 8 << 20;
/// Characters of a name.
const NAME_CHARS_MAX: usize = 200;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its rollout.
    pub path: PathBuf,
    /// Its thread.
    pub thread: ThreadId,
    /// Its name or first prompt; empty when it has neither.
    pub name: String,
    /// Working directory of the last turn.
    pub cwd: PathBuf,
    /// When it last grew.
    pub modified: SystemTime,
    /// Bytes of the rollout.
    pub bytes: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    /// Newest first.
    pub sessions: Vec<Session>,
    /// Files that look like rollouts and cannot be understood.
    pub unreadable_count: usize,
    /// Older files that were not looked at.
    pub unopened_count: usize,
}

/// The newest sessions that pass a filter, `count_max` at most. Blocking.
#[must_use]
pub fn list(codex_home: &Path, filter: &Filter<'_>, count_max: usize) -> Sessions {
    let found = rollouts::newest(codex_home, filter, count_max);
    let names = names(codex_home);
    let sessions = found.rollouts.into_iter().map(|rollout| {
        let name = names.get(&rollout.thread).cloned();
        let name = name.or_else(|| first_prompt(&rollout.path).ok().flatten()).unwrap_or_default();
        let bytes = std::fs::metadata(&rollout.path).map_or(0, |meta| meta.len());
        Session {
            path: rollout.path,
            thread: rollout.thread,
            name: in_one_line(&Envelope::asked(&name)),
            cwd: rollout.cwd,
            modified: rollout.modified,
            bytes,
        }
    });
    Sessions {
        sessions: sessions.collect(),
        unreadable_count: found.unreadable_count,
        unopened_count: found.unopened_count,
    }
}

/// The thread that was given a name last; `None` when no session has it.
#[must_use]
pub fn by_name(codex_home: &Path, name: &str) -> Option<ThreadId> {
    let named = names(codex_home).into_iter();
    // Ids begin with their time: the last one is the newest.
    named.filter(|(_, have)| have == name).map(|(thread, _)| thread).max()
}

fn in_one_line(text: &str) -> String {
    let is_between = |char: char| char.is_whitespace() || char.is_control();
    let words = text.split(is_between).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(NAME_CHARS_MAX).collect()
}

/// Names that were given; the last one counts.
fn names(codex_home: &Path) -> BTreeMap<ThreadId, String> {
    #[derive(Deserialize)]
    struct Named {
        id: ThreadId,
        thread_name: String,
    }
    let Ok(file) = File::open(codex_home.join("session_index.jsonl")) else {
        return BTreeMap::new();
    };
    let lines = BufReader::new(file.take(INDEX_BYTES_MAX)).split(b'\n').map_while(Result::ok);
    let named = lines.filter_map(|line| serde_json::from_slice::<Named>(&line).ok());
    named.map(|named| (named.id, named.thread_name)).collect()
}

/// The first thing that a person said.
fn first_prompt(path: &Path) -> io::Result<Option<String>> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(rename = "type")]
        kind: String,
        payload: Payload,
    }
    #[derive(Deserialize)]
    struct Payload {
        #[serde(rename = "type", default)]
        kind: String,
        #[serde(default)]
        message: Option<String>,
    }
    let head = BufReader::new(File::open(path)?.take(HEAD_BYTES_MAX));
    for line in head.split(b'\n') {
        let line = line?;
        if memchr::memmem::find(&line, b"\"user_message\"").is_none() {
            continue;
        }
        if let Ok(Line { kind, payload }) = serde_json::from_slice::<Line>(&line)
            && (kind.as_str(), payload.kind.as_str()) == ("event_msg", "user_message")
        {
            return Ok(payload.message);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_session_is_named_by_its_first_prompt_or_its_name() {
        let home = tempfile::tempdir().unwrap();
        let day = home.path().join("sessions/2026/01/02");
        fs::create_dir_all(&day).unwrap();
        let id = |n: u32| format!("0190000{n}-0000-7000-8000-000000000000");
        for n in 1..=4 {
            let meta = format!(
                "{{\"type\":\"session_meta\",\"payload\":{{\"id\":\"{}\",\"cwd\":\"/w\"}}}}\n",
                id(n)
            );
            let said = match n {
                1 => "fix  the\\nbug \\u001b",
                _ => "<realtime_delegation>\\n<input>a &lt; b</input>\\n</realtime_delegation>",
            };
            let said = format!(
                "{{\"type\":\"event_msg\",\"payload\":{{\"type\":\"user_message\",\
                 \"message\":\"{said}\"}}}}\n"
            );
            let text = if n == 3 { meta } else { meta + &said };
            fs::write(day.join(format!("rollout-2026-01-02T00-00-00-{}.jsonl", id(n))), text)
                .unwrap();
        }
        let index = format!(
            "{{\"id\":\"{0}\",\"thread_name\":\"old\",\"updated_at\":\"x\"}}\nbroken\n\
             {{\"id\":\"{0}\",\"thread_name\":\"mine\",\"updated_at\":\"x\"}}\n",
            id(2)
        );
        fs::write(home.path().join("session_index.jsonl"), index).unwrap();
        let found = list(home.path(), &Filter::default(), 9);
        let mut names: Vec<(String, String)> = found
            .sessions
            .iter()
            .map(|session| (session.thread.to_string(), session.name.clone()))
            .collect();
        names.sort();
        let want = [(id(1), "fix the bug"), (id(2), "mine"), (id(3), ""), (id(4), "a < b")];
        assert_eq!(names, want.map(|(id, name)| (id, name.to_owned())));
        assert!(found.sessions.iter().all(|session| session.bytes > 0));
        assert_eq!(by_name(home.path(), "mine"), id(2).parse().ok());
        assert_eq!(by_name(home.path(), "old"), None);
    }
}
