//! What the screen is told, and what it wants done.

use std::path::PathBuf;

use codex_proto::{Event, Op, OpId, ThreadId, Wall};

use crate::{
    key::{Key, Mouse, Paste},
    text::Line,
    theme::Background,
};

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Msg {
    /// The answer to a [`ScreenEffect`].
    Answer(Answer),
    /// The terminal told its background (OSC 11). It may come late or never.
    Background(Background),
    /// The engine told something.
    Event(Event),
    /// The terminal won or lost the focus. Until told otherwise it has it.
    Focus(bool),
    /// A key.
    Key(Key),
    /// The mouse; only in full-screen mode.
    Mouse(Mouse),
    /// Text that came in one piece.
    Paste(Paste),
    /// The terminal's new size in cells; the first message there is.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// Time has passed: [`crate::AppState::deadline`] is reached, or the process was stopped and goes on.
    Tick,
}

/// What became of a [`ScreenEffect`].
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To `ReadBranch`: the branch that is checked out, or a short commit; `None` outside of git.
    Branch(Option<String>),
    /// To `Copy`: how it was copied, e.g. `by the terminal`, or why not.
    Copied(Result<String, String>),
    /// To `ReadDiff`: a unified diff with headers, untracked files included, or why not.
    Diff(Result<String, String>),
    /// To `OpenEditor`: the text as it was left, or why not.
    Edited(Result<String, String>),
    /// To `FindFiles`: what matched, best first.
    FilesFound {
        /// The query of the effect.
        query: String,
        /// Paths relative to the working directory; folders end in `/`.
        paths: Vec<String>,
        /// Whether more files are still being found; then another answer follows.
        more: bool,
    },
    /// To `ReadHistory`: prompts, oldest first.
    History(Vec<String>),
    /// To `AttachClipboard`: the file that now holds the clipboard's image, or why there is none.
    ImagePasted(Result<PathBuf, String>),
    /// To `SaveSetting`, when it failed: why. The setting holds for this session.
    NotSaved(String),
    /// To `ListSessions`.
    Sessions(Sessions),
    /// To `StatusScript`: the first line that the script printed, or why not.
    StatusLine(Result<String, String>),
}

/// Sessions that can be resumed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    /// Newest first.
    pub sessions: Vec<SessionEntry>,
    /// Where was looked.
    pub folder: PathBuf,
    /// Files that look like sessions and cannot be read.
    pub unreadable_count: usize,
    /// Older files that were not looked at.
    pub unopened_count: usize,
    /// Why nothing could be listed at all.
    pub error: Option<String>,
}

/// A session as the picker shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEntry {
    /// Its rollout file.
    pub path: PathBuf,
    /// Which thread.
    pub thread: ThreadId,
    /// Its name: the first prompt, or what it was renamed to.
    pub name: String,
    /// Working directory of the last turn.
    pub cwd: PathBuf,
    /// When it last grew.
    pub modified: Wall,
    /// Bytes of the rollout file.
    pub bytes: u64,
}

/// Something that the screen wants done. Each is carried out in order; those that say so are
/// answered by one [`Msg::Answer`].
#[derive(Clone, Debug, PartialEq)]
pub enum ScreenEffect {
    /// Append a prompt to `history.jsonl`.
    AppendHistory {
        /// Whose.
        thread: Option<ThreadId>,
        /// All of it.
        text: String,
    },
    /// Save the clipboard's image in a file: `ImagePasted`.
    AttachClipboard,
    /// Put text into the clipboard: `Copied`.
    Copy(String),
    /// Find files by a fuzzy query; an older search is given up: `FilesFound`.
    FindFiles {
        /// What was typed after the `@`.
        query: String,
    },
    /// List sessions: `Sessions`.
    ListSessions {
        /// Those of all folders, not only of the working directory.
        all: bool,
    },
    /// Send it to the engine.
    Op(OpId, Op),
    /// Open the user's editor with a text: `Edited`. The terminal is the editor's until then.
    OpenEditor {
        /// The text.
        text: String,
    },
    /// Print finished lines into the terminal's own scrollback, each once, unwrapped. Never in
    /// full-screen mode.
    Print(Vec<Line>),
    /// Leave, after what was printed is written.
    Quit {
        /// What to print on the plain terminal afterwards.
        farewell: Vec<String>,
    },
    /// Find the branch of the working directory: `Branch`.
    ReadBranch,
    /// Compute the changes of the working directory: `Diff`.
    ReadDiff,
    /// Read the prompts of `history.jsonl`: `History`.
    ReadHistory,
    /// The view changed; draw it when a frame is due.
    Redraw,
    /// Set or take away a key of the user's `config.toml`; answered only when it fails: `NotSaved`.
    SaveSetting {
        /// As TOML writes it: dotted, e.g. `tui.theme`, parts with other signs in quotes.
        key: String,
        /// What it is then.
        value: SettingValue,
    },
    /// Give JSON to the user's status script: `StatusLine`.
    StatusScript {
        /// One line.
        json: String,
    },
    /// Stop the process until the shell continues it; a `Tick` follows then.
    Suspend,
    /// Show a native notification (WSL).
    Toast {
        /// One line.
        title: String,
        /// A few words.
        body: String,
    },
    /// Write these bytes to the terminal between two frames: they move no cursor and draw nothing
    /// (bell, notification, title).
    Write(String),
}

/// A value of `config.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingValue {
    /// `true` or `false`.
    Bool(bool),
    /// What holds when the key is not there; for keys outside of tables.
    Default,
    /// A string.
    Text(String),
}
