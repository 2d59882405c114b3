//! Carries out what the screen wants done. Nothing here waits: what takes time runs elsewhere and
//! answers later.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use codex_proto::{HostError, Wall, effect::ProjectQuery, settings::ProjectSettings};
use codex_store::{config_edit, history, project, rollouts::Filter, sessions};
use codex_tui::{
    Answer,
    msg::{SessionEntry, Sessions, SettingValue},
    setup::Terminal as Facts,
};
use smol::channel::Sender;

use super::{
    clipboard::{self, Place},
    files::Files,
    git,
    run::run_within,
    start::Plan,
};

/// Stack of a thread that does something for the screen, in bytes.
const STACK_BYTES: usize = 512 << 10;
/// Sessions that the picker lists.
const SESSIONS_MAX: usize = 500;
/// How long the status command may take, and what it may print.
const STATUS_WITHIN: Duration = Duration::from_secs(2);
const STATUS_BYTES_MAX: u64 = 4 << 10;
/// How long a toast may take.
const TOAST_WITHIN: Duration = Duration::from_secs(10);

/// What effects need.
#[derive(Debug)]
pub(super) struct Services {
    pub(super) answers: Sender<Answer>,
    pub(super) codex_home: PathBuf,
    pub(super) cwd: PathBuf,
    pub(super) scratch: PathBuf,
    pub(super) provider: String,
    pub(super) facts: Facts,
    pub(super) place: Place,
    pub(super) status_command: Vec<String>,
    pub(super) history_bytes_max: Option<u64>,
    files: Files,
    saves: Arc<Saves>,
    /// That prompts are not kept is told once.
    is_history_told: Arc<AtomicBool>,
}

/// Settings that are to be written, in order: each file is read, changed and replaced as a whole.
#[derive(Debug, Default)]
struct Saves {
    waiting: Mutex<VecDeque<(String, SettingValue)>>,
    writing: Mutex<()>,
}

impl Saves {
    /// Writes the next one.
    fn write(&self, path: &Path) -> Option<HostError> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let (key, value) = next?;
        let saved = config_edit::keys(&key).and_then(|keys| {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            match value {
                SettingValue::Bool(value) => config_edit::set(path, &keys, value),
                SettingValue::Text(value) => config_edit::set(path, &keys, value),
                SettingValue::Default => config_edit::unset(path, &key),
            }
        });
        saved.err()
    }
}

impl Services {
    pub(super) fn new(
        session: &codex_exec::session::Session,
        plan: &Plan,
        answers: Sender<Answer>,
    ) -> Self {
        Self {
            answers,
            codex_home: session.home.path.clone(),
            cwd: session.cwd.clone(),
            scratch: session.scratch().to_path_buf(),
            provider: session.resolved.part.provider.id.clone(),
            facts: plan.setup.terminal.clone(),
            place: plan.place,
            status_command: plan.status_command.clone(),
            history_bytes_max: plan.history_bytes_max,
            files: Files::default(),
            saves: Arc::default(),
            is_history_told: Arc::default(),
        }
    }

    /// Runs something that blocks on a thread of its own; its answer comes as a message. A pool
    /// would keep a thread that wakes up for nothing.
    fn elsewhere(&self, work: impl FnOnce() -> Option<Answer> + Send + 'static) {
        let answers = self.answers.clone();
        let work = move || {
            if let Some(answer) = work() {
                // A screen that is gone needs no answer.
                let _ = answers.send_blocking(answer);
            }
        };
        let started =
            thread::Builder::new().name("codex-work".into()).stack_size(STACK_BYTES).spawn(work);
        if let Err(error) = started {
            tracing::warn!(%error, "something the screen wanted was not done");
        }
    }

    pub(super) fn append_history(
        &self,
        thread: Option<codex_proto::ThreadId>,
        text: String,
        now: Wall,
    ) {
        let (home, bytes_max) = (self.codex_home.clone(), self.history_bytes_max);
        let seconds = u64::try_from(now.0 / 1_000).unwrap_or(0);
        let is_told = Arc::clone(&self.is_history_told);
        self.elsewhere(move || {
            let error = history::append(&home, thread, seconds, &text, bytes_max).err()?;
            tracing::warn!(%error, "a prompt is not in the history");
            let is_first = !is_told.swap(true, Ordering::Relaxed);
            is_first.then(|| Answer::NotSaved(format!("prompts of this run: {error}")))
        });
    }

    pub(super) fn read_history(&self) {
        let home = self.codex_home.clone();
        self.elsewhere(move || {
            let prompts = history::read(&home).unwrap_or_else(|error| {
                tracing::warn!(%error, "the history cannot be read");
                Vec::new()
            });
            Some(Answer::History(prompts))
        });
    }

    pub(super) fn find_files(&mut self, query: String) {
        let answers = self.answers.clone();
        self.files.find(&self.cwd, query, move |answer| {
            let _ = answers.send_blocking(answer);
        });
    }

    pub(super) fn list_sessions(&self, all: bool) {
        let (home, cwd) = (self.codex_home.clone(), self.cwd.clone());
        let provider = self.provider.clone();
        self.elsewhere(move || {
            let filter = Filter { cwd: (!all).then_some(cwd.as_path()), provider: Some(&provider) };
            let found = sessions::list(&home, &filter, SESSIONS_MAX);
            let entry = |session: sessions::Session| SessionEntry {
                path: session.path,
                thread: session.thread,
                name: session.name,
                cwd: session.cwd,
                modified: wall(session.modified),
                bytes: session.bytes,
            };
            Some(Answer::Sessions(Sessions {
                sessions: found.sessions.into_iter().map(entry).collect(),
                folder: home.join("sessions"),
                unreadable_count: found.unreadable_count,
                unopened_count: found.unopened_count,
                error: None,
            }))
        });
    }

    pub(super) fn read_branch(&self) {
        let query = ProjectQuery {
            cwd: self.cwd.clone(),
            codex_home: self.codex_home.clone(),
            settings: ProjectSettings { doc_bytes_max: 0, ..ProjectSettings::default() },
        };
        self.elsewhere(move || {
            let git = project::look(&query).git;
            let branch = git.and_then(|git| {
                let short = |hash: String| hash.chars().take(8).collect();
                git.branch.or_else(|| git.commit_hash.map(short))
            });
            Some(Answer::Branch(branch))
        });
    }

    pub(super) fn read_diff(&self) {
        let cwd = self.cwd.clone();
        self.elsewhere(move || Some(Answer::Diff(git::diff(&cwd))));
    }

    /// Copies with a program of this machine, else by the terminal: the bytes for it.
    pub(super) fn copy(&self, text: String) -> Option<String> {
        let bytes = codex_tui::frame::clipboard(&self.facts, &base64(text.as_bytes()));
        let place = self.place;
        let is_sent = bytes.is_some();
        self.elsewhere(move || {
            Some(Answer::Copied(match (clipboard::copy(place, &text), is_sent) {
                (Some(program), _) => Ok(format!("by {program}")),
                (None, true) => Ok("by the terminal, if it allows that".into()),
                (None, false) => Err("it is too long for the terminal's clipboard".into()),
            }))
        });
        bytes
    }

    pub(super) fn attach_clipboard(&self) {
        let (place, folder) = (self.place, self.scratch.join("images"));
        self.elsewhere(move || Some(Answer::ImagePasted(clipboard::save_image(place, &folder))));
    }

    pub(super) fn save_setting(&self, key: String, value: SettingValue) {
        let path = self.codex_home.join("config.toml");
        let saves = Arc::clone(&self.saves);
        saves.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back((key, value));
        self.elsewhere(move || saves.write(&path).map(|error| Answer::NotSaved(error.to_string())));
    }

    pub(super) fn status_script(&self, json: String) {
        let Some((program, args)) = self.status_command.split_first() else { return };
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.cwd);
        self.elsewhere(move || {
            let ran = run_within(command, json.as_bytes(), STATUS_BYTES_MAX, STATUS_WITHIN);
            Some(Answer::StatusLine(match ran {
                Ok(output) if output.status.success() => {
                    let text = String::from_utf8_lossy(&output.stdout).into_owned();
                    Ok(text.lines().next().unwrap_or_default().to_owned())
                }
                Ok(output) => Err(format!("it ended with {}: {}", output.status, output.stderr)),
                Err(error) => Err(error.to_string()),
            }))
        });
    }

    /// A native notification of Windows, from within WSL.
    pub(super) fn toast(&self, title: &str, body: &str) {
        let mut command = Command::new("powershell.exe");
        command.args(["-NoProfile", "-NoLogo", "-EncodedCommand", &encoded(&toast(title, body))]);
        self.elsewhere(move || {
            if let Err(error) = run_within(command, b"", STATUS_BYTES_MAX, TOAST_WITHIN) {
                tracing::warn!(%error, "a notification cannot be shown");
            }
            None
        });
    }
}

fn wall(time: std::time::SystemTime) -> Wall {
    let since = time.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The script of a toast. Both texts are data in it, whatever they hold.
fn toast(title: &str, body: &str) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace(['\'', '\u{2018}', '\u{2019}'], "''"));
    format!(
        "$ErrorActionPreference='Stop'\n\
         [void][Windows.UI.Notifications.ToastNotificationManager,Windows.UI.Notifications,ContentType=WindowsRuntime]\n\
         $t=[Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent(\
         [Windows.UI.Notifications.ToastTemplateType]::ToastText02)\n\
         $x=$t.GetElementsByTagName('text')\n\
         [void]$x.Item(0).AppendChild($t.CreateTextNode({}))\n\
         [void]$x.Item(1).AppendChild($t.CreateTextNode({}))\n\
         $n=[Windows.UI.Notifications.ToastNotification]::new($t)\n\
         [Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier('codex').Show($n)\n",
        quoted(title),
        quoted(body)
    )
}

/// As PowerShell takes a script on its command line: UTF-16, in base64.
fn encoded(script: &str) -> String {
    let bytes: Vec<u8> = script.encode_utf16().flat_map(u16::to_le_bytes).collect();
    base64(&bytes)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_are_saved_at_once_are_all_there() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.toml");
        let saves = Saves::default();
        for n in 0..8 {
            let save = (format!("k{}", n % 4), SettingValue::Text(n.to_string()));
            saves.waiting.lock().unwrap().push_back(save);
        }
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(saves.write(&path), None));
            }
        });
        let text = std::fs::read_to_string(&path).unwrap();
        for n in 4..8 {
            assert!(text.contains(&format!("k{} = \"{n}\"", n - 4)), "{text}");
        }
        assert_eq!(saves.write(&path), None, "nothing waits");
    }

    #[test]
    fn a_toast_runs_nothing_of_its_text() {
        let script = toast("it's done", "');Remove-Item x;('");
        assert!(script.contains("CreateTextNode('it''s done')"), "{script}");
        assert!(script.contains("CreateTextNode(''');Remove-Item x;(''')"), "{script}");
        assert_eq!(encoded("a"), "YQA=");
    }
}
