//! Recent threads: where they worked, and what the user asked first.

use std::{collections::HashSet, io::Read as _, path::Path, time::Instant};

use codex_proto::{
    HostError,
    effect::{RecentThread, SurveyQuery},
    rollout::is_contextual,
};
use memchr::memmem;
use serde::Deserialize;

use super::line;
use crate::{
    fail, read,
    rollouts::{self, Line, Meta},
};

/// Threads, whatever was asked.
const THREADS_MAX: usize = 64;
/// Asks of a thread.
const ASKS_MAX: usize = 8;
/// Characters of an ask.
const ASK_CHARS_MAX: usize = 240;
/// Bytes at the start of a rollout in which asks are looked for.
const ROLLOUT_BYTES_MAX: u64 = 1 << 20;

pub(super) fn recent(query: &SurveyQuery, until: Instant) -> Vec<RecentThread> {
    let count_max = (query.threads_max as usize).min(THREADS_MAX);
    let mut threads = Vec::new();
    let mut seen = HashSet::new();
    for path in rollouts::by_use(&query.codex_home) {
        if threads.len() == count_max || Instant::now() >= until {
            break;
        }
        match examine(&path) {
            Ok(Some(thread)) if seen.insert(thread.thread) => threads.push(thread),
            // A thread without a question says nothing.
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "skipping a rollout"),
        }
    }
    threads
}

#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    content: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
}

fn examine(path: &Path) -> Result<Option<RecentThread>, HostError> {
    let (file, _) = read::open_regular(path)?;
    let mut head = Vec::new();
    file.take(ROLLOUT_BYTES_MAX)
        .read_to_end(&mut head)
        .map_err(|error| fail::at("read", path, error))?;
    let mut lines = head.split(|byte| *byte == b'\n');
    let Some(meta) = Meta::of(lines.next().unwrap_or_default()) else { return Ok(None) };
    let mut asks = Asks::default();
    // What was cut off is no JSON, and says nothing.
    lines.take_while(|line| asks.take(line)).for_each(drop);
    let asks = asks.done();
    Ok((!asks.is_empty()).then_some(RecentThread {
        thread: meta.id,
        cwd: meta.cwd,
        branch: meta.git.and_then(|git| git.branch).map(|branch| line(&branch, ASK_CHARS_MAX)),
        asks,
    }))
}

#[derive(Default)]
struct Asks {
    /// As the user typed them.
    events: Vec<String>,
    /// As the model got them; for older rollouts, which have no others.
    items: Vec<String>,
}

impl Asks {
    /// Takes in a line; says whether more are wanted.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let may_be = |mark: &[u8]| memmem::find(bytes, mark).is_some();
        if !may_be(b"user_message") && !may_be(br#""user""#) {
            return true;
        }
        let Ok(Line { kind, payload: said }) = serde_json::from_slice::<Line<Said>>(bytes) else {
            return true;
        };
        let is = |kinds: (&str, &str)| (kind.as_str(), said.kind.as_str()) == kinds;
        if is(("event_msg", "user_message")) {
            let text = said.message.unwrap_or_default();
            push(&mut self.events, &text);
        } else if is(("response_item", "message")) && said.role.as_deref() == Some("user") {
            let texts = said.content.into_iter().filter_map(|part| part.text);
            let texts: Vec<String> = texts.filter(|text| !is_contextual(text)).collect();
            push(&mut self.items, &texts.join(" "));
        }
        self.events.len() < ASKS_MAX
    }

    fn done(self) -> Vec<String> {
        if self.events.is_empty() { self.items } else { self.events }
    }
}

fn push(asks: &mut Vec<String>, text: &str) {
    let ask = line(text, ASK_CHARS_MAX);
    if !ask.is_empty() && !is_contextual(text) && asks.len() < ASKS_MAX {
        asks.push(ask);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        time::{Duration, SystemTime},
    };

    use codex_proto::ThreadId;
    use serde_json::{Value, json};

    use super::*;

    fn event(text: &str) -> Value {
        json!({"type": "event_msg", "payload": {"type": "user_message", "message": text}})
    }

    fn item(text: &str) -> Value {
        let content = json!([{"type": "input_text", "text": text}]);
        json!({
            "type": "response_item",
            "payload": {"type": "message", "role": "user", "content": content},
        })
    }

    fn add(home: &Path, number: u32, age: u64, lines: &[Value]) -> ThreadId {
        let id = format!("0190{number:04x}-0000-7000-8000-000000000000");
        let folder = home.join("sessions/2026/01/01");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("rollout-2026-01-01T01-02-03-{id}.jsonl"));
        let git = json!({"branch": "main"});
        let meta = json!({"type": "session_meta", "payload": {"id": id, "cwd": "/w", "git": git}});
        let text: String =
            std::iter::once(&meta).chain(lines).map(|line| format!("{line}\n")).collect();
        fs::write(&path, text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600 - age);
        fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
        id.parse().unwrap()
    }

    fn recent(home: &Path, threads_max: u32) -> Vec<RecentThread> {
        let query = SurveyQuery {
            cwd: home.into(),
            codex_home: home.into(),
            threads_max,
            depth_max: 0,
            entries_max: 0,
        };
        super::recent(&query, Instant::now() + Duration::from_secs(60))
    }

    #[test]
    fn asks_of_the_user_are_told_newest_thread_first() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let old = add(home, 1, 20, &[item("<environment_context>\n"), item("an older ask")]);
        let lines = [
            item("# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>"),
            item("fix  the\nbug"),
            event("fix  the\nbug"),
            json!({"type": "response_item", "payload": {"type": "message", "role": "assistant",
                   "content": [{"type": "output_text", "text": "said to the \"user\""}]}}),
            event(&"long ".repeat(100)),
            event(""),
            event("<turn_aborted>\nnot said by the user"),
        ];
        let new = add(home, 2, 10, &lines);
        add(home, 3, 5, &[]);
        fs::write(home.join("sessions/2026/01/01/rollout-broken.jsonl"), "{").unwrap();
        let found = recent(home, 9);
        let ids: Vec<ThreadId> = found.iter().map(|thread| thread.thread).collect();
        assert_eq!(ids, [new, old]);
        assert_eq!(found[0].branch.as_deref(), Some("main"));
        assert_eq!(found[0].cwd, Path::new("/w"));
        assert_eq!(found[0].asks[0], "fix the bug");
        assert_eq!(found[0].asks[1].chars().count(), ASK_CHARS_MAX);
        assert_eq!(found[0].asks.len(), 2);
        assert_eq!(found[1].asks, ["an older ask"]);
        assert_eq!(recent(home, 1).len(), 1);
    }

    #[test]
    fn the_first_asks_count_and_a_long_rollout_is_cut() {
        let home = tempfile::tempdir().unwrap();
        let many: Vec<Value> = (0..20).map(|n| event(&format!("ask {n}"))).collect();
        add(home.path(), 1, 0, &many);
        let asks = &recent(home.path(), 1)[0].asks;
        assert_eq!(asks.len(), ASKS_MAX);
        assert_eq!((asks[0].as_str(), asks[7].as_str()), ("ask 0", "ask 7"));
        let padding = json!({"type": "event_msg", "payload": {"x": "x".repeat(1 << 20)}});
        add(home.path(), 1, 0, &[event("near"), padding, event("far")]);
        assert_eq!(recent(home.path(), 1)[0].asks, ["near"]);
    }
}
