//! Finds files for `@`: a walk in the background, and a ranking per query.
//!
//! ```text
//! state     on                       next
//! none      a query                  Walking: a thread of its own
//! Walking   a query                  Walking; answered with what is known, and again in the end
//!           the end of the walk      Waiting
//! Waiting   a query                  Waiting; answered. An empty one walks anew when it is time
//!           no query for a while     none: what was found is forgotten
//! ```
//!
//! Files that git ignores are left out. The walk ends at a bound.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError},
    thread,
    time::{Duration, Instant},
};

use codex_tui::{Answer, composer::rank::rank};

/// Paths that are kept.
const PATHS_MAX: usize = 200_000;
/// Paths of an answer.
const ANSWER_MAX: usize = 50;
/// Paths between two looks for a new query.
const STRIDE: usize = 2_000;
/// How long what was found counts as fresh.
const FRESH_FOR: Duration = Duration::from_secs(10);
/// How long the thread waits for a query.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// The way to the thread.
#[derive(Debug, Default)]
pub(crate) struct Files {
    queries: Option<Sender<String>>,
}

impl Files {
    /// Asks for files; `answer` is called with what matches, perhaps several times.
    pub(crate) fn find(
        &mut self,
        root: &Path,
        query: String,
        answer: impl Fn(Answer) + Send + 'static,
    ) {
        let query = match &self.queries {
            Some(queries) => match queries.send(query) {
                Ok(()) => return,
                Err(mpsc::SendError(query)) => query,
            },
            None => query,
        };
        let (queries, asked) = mpsc::channel();
        let root = root.to_owned();
        let started = thread::Builder::new()
            .name("codex-files".into())
            .stack_size(512 << 10)
            .spawn(move || Search { root, asked, found: Vec::new() }.run(query, &answer));
        self.queries = started.is_ok().then_some(queries);
    }
}

struct Search {
    root: PathBuf,
    asked: Receiver<String>,
    found: Vec<String>,
}

impl Search {
    fn run(mut self, first: String, answer: &dyn Fn(Answer)) {
        let mut query = first;
        let mut walked: Option<Instant> = None;
        loop {
            let is_stale = walked.is_none_or(|at| at.elapsed() > FRESH_FOR);
            if is_stale {
                query = self.walk(query, answer);
                walked = Some(Instant::now());
            }
            answer(self.matches(&query, false));
            query = match self.asked.recv_timeout(IDLE_MAX) {
                Ok(next) => self.newest(next),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            };
        }
    }

    /// Of queries that wait only the last one counts.
    fn newest(&self, first: String) -> String {
        self.asked.try_iter().last().unwrap_or(first)
    }

    fn walk(&mut self, mut query: String, answer: &dyn Fn(Answer)) -> String {
        let mut found = Vec::new();
        let mut told = Instant::now();
        let walk = ignore::WalkBuilder::new(&self.root)
            .hidden(false)
            .require_git(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .build();
        for (number, entry) in walk.flatten().enumerate() {
            let Ok(path) = entry.path().strip_prefix(&self.root) else { continue };
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            if let Some(text) = path.to_str().filter(|text| !text.is_empty()) {
                let text = if is_folder { format!("{text}/") } else { text.to_owned() };
                // What could not be typed is not offered.
                if !text.chars().any(char::is_control) {
                    found.push(text);
                }
            }
            if found.len() >= PATHS_MAX {
                tracing::info!(PATHS_MAX, "the search for files ended at its bound");
                break;
            }
            if number % STRIDE == STRIDE - 1 {
                match self.asked.try_recv() {
                    Ok(next) => query = self.newest(next),
                    Err(TryRecvError::Empty) if told.elapsed() < Duration::from_millis(200) => {
                        continue;
                    }
                    Err(TryRecvError::Empty) => {}
                    Err(TryRecvError::Disconnected) => break,
                }
                if found.len() > self.found.len() {
                    answer(matches(&found, &query, true));
                    told = Instant::now();
                }
            }
        }
        // Short ones first, as they are nearer.
        found.sort_by(|a, b| depth(a).cmp(&depth(b)).then_with(|| a.cmp(b)));
        self.found = found;
        query
    }

    fn matches(&self, query: &str, more: bool) -> Answer {
        matches(&self.found, query, more)
    }
}

fn depth(path: &str) -> usize {
    path.trim_end_matches('/').matches('/').count()
}

fn matches(found: &[String], query: &str, more: bool) -> Answer {
    let paths = rank(found, query, true, ANSWER_MAX).into_iter().cloned().collect();
    Answer::FilesFound { query: query.to_owned(), paths, more }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_found_and_ignored_ones_are_not() {
        let root = tempfile::tempdir().unwrap();
        for path in
            ["src/main.rs", "src/deep/mod.rs", "target/main.rs", ".git/HEAD", ".github/ci.yml"]
        {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        fs::write(root.path().join(".gitignore"), "target\n").unwrap();
        let (answers, answered) = mpsc::channel();
        let mut files = Files::default();
        let mut find = |query: &str| {
            let answers = answers.clone();
            files.find(root.path(), query.into(), move |answer| {
                let _ = answers.send(answer);
            });
            match answered.recv().unwrap() {
                Answer::FilesFound { query: told, paths, more: false } if told == query => paths,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(find("main"), ["src/main.rs"]);
        let all = [
            ".github/",
            ".gitignore",
            "src/",
            ".github/ci.yml",
            "src/deep/",
            "src/main.rs",
            "src/deep/mod.rs",
        ];
        assert_eq!(find(""), all);
        assert_eq!(find("HEAD"), [""; 0]);
    }
}
