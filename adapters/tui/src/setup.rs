//! What the screen is told once, before its first message: facts about the terminal, and the user's
//! configuration.

use std::path::PathBuf;

use codex_proto::op::PromptPart;

use crate::{key::Key, theme::Background};

/// Facts and choices that hold for the whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// Version of this program.
    pub version: String,
    /// Which credential is used, in words, e.g. `OPENAI_API_KEY`; `None` when there is none.
    pub key: Option<String>,
    /// What else the header says, one line each: the sandbox tier that this machine gives, a key
    /// that is missing and how to give one, warnings of the configuration.
    pub notes: Vec<String>,
    /// What the sandbox of this machine is, e.g. `landlock + namespaces`, or why there is none.
    pub sandbox_tier: String,
    /// Working directory.
    pub cwd: PathBuf,
    /// The project's folder, where nobody has said yet what may be done in it, by trust, sandbox
    /// mode or flag, and it brings no configuration of its own: then commands only read at first.
    pub trustable: Option<PathBuf>,
    /// The user's home, shown as `~`.
    pub home: Option<PathBuf>,
    /// Facts about the terminal.
    pub terminal: Terminal,
    /// How the screen is used.
    pub mode: Mode,
    /// `tui.theme`.
    pub theme: Option<String>,
    /// `tui.animations`.
    pub animations: bool,
    /// `tui.vim_mode_default`.
    pub vim: bool,
    /// `tui.raw_output_mode`: messages are shown as they came, without markdown.
    pub raw: bool,
    /// `tui.show_tooltips`: a tip under the composer until something was said.
    pub tooltips: bool,
    /// `tui.status_line_use_colors`.
    pub status_line_colors: bool,
    /// `tui.session_picker_view` is `comfortable`: two rows for each session.
    pub comfortable_sessions: bool,
    /// `hide_agent_reasoning`.
    pub hide_reasoning: bool,
    /// `show_raw_agent_reasoning`.
    pub raw_reasoning: bool,
    /// `history.persistence` is not `none`.
    pub history: bool,
    /// `tui.notifications`.
    pub notifications: Notifications,
    /// `tui.status_line`: ids in order; `None` takes the default.
    pub status_line: Option<Vec<String>>,
    /// Whether a status script is configured; then it is asked for the line.
    pub status_script: bool,
    /// `tui.terminal_title`: ids in order; `None` takes the default, empty leaves the title alone.
    pub terminal_title: Option<Vec<String>>,
    /// Models to choose from, best first.
    pub models: Vec<ModelChoice>,
    /// Keys of the user: `CONTEXT.ACTION`, and what is bound to it; empty unbinds.
    pub keymap: Vec<(String, Vec<Key>)>,
    /// What the run begins with.
    pub start: Start,
    /// The first prompt, sent when the thread is ready.
    pub prompt: Vec<PromptPart>,
    /// Whether a microphone and a speaker may be used.
    pub voice: bool,
    /// `realtime.transport = "websocket"`: voice goes over the socket instead of WebRTC.
    pub voice_over_socket: bool,
}

/// Facts about the terminal, from the environment and never from a query.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Terminal {
    /// How many colours it has; [`Colors::None`] under `NO_COLOR`.
    pub colors: Colors,
    /// The background, if the environment tells (`COLORFGBG`).
    pub background: Option<Background>,
    /// Whether it shows hyperlinks (OSC 8) or ignores them silently.
    pub hyperlinks: bool,
    /// Whether rows that are too long wrap anew when it gets narrower.
    pub reflow: bool,
    /// Whether we are inside tmux, so that some sequences must be wrapped.
    pub tmux: bool,
    /// How it shows notifications.
    pub notify: NotifyMethod,
    /// Whether it reports focus; without, notifications are given always.
    pub focus_events: bool,
}

/// How many colours a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colors {
    /// None: bold, underline and reverse alone.
    None,
    /// The 16 of the user's palette.
    Sixteen,
    /// 256.
    Indexed,
    /// 24 bits.
    True,
}

/// How the screen is used. Holds for a whole run; `/screen` chooses for later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The alternate screen, with scrolling and search of our own.
    FullScreen,
    /// The transcript goes into the terminal's scrollback, a small live region is redrawn.
    Inline,
    /// Lines are appended, nothing is redrawn but the line that is typed: for screen readers and
    /// terminals that can do no more.
    Plain,
}

impl Mode {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FullScreen => "full screen",
            Self::Inline => "inline",
            Self::Plain => "plain",
        }
    }
}

/// How a terminal shows a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyMethod {
    /// The bell.
    Bell,
    /// OSC 777, `notify` (rxvt and its kin).
    Osc777,
    /// OSC 9.
    Osc9,
    /// A native toast through the host (WSL).
    Toast,
}

/// `tui.notifications` and `tui.notification_condition`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notifications {
    /// On the end of a turn: `agent-turn-complete`.
    pub turn: bool,
    /// On a question: `approval-requested`.
    pub approval: bool,
    /// Also while the terminal has the focus.
    pub always: bool,
}

impl Default for Notifications {
    fn default() -> Self {
        Self { turn: true, approval: true, always: false }
    }
}

/// A model to choose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelChoice {
    /// Its slug.
    pub slug: String,
    /// A few words.
    pub about: String,
    /// Efforts that it knows; the first is its default.
    pub efforts: Vec<String>,
    /// What it costs, where that is configured.
    pub price: Option<Price>,
}

impl ModelChoice {
    fn sample(slug: &str, about: &str) -> Self {
        let efforts = ["medium", "low", "high", "xhigh"].map(str::to_owned).to_vec();
        Self { slug: slug.into(), about: about.into(), efforts, price: None }
    }
}

/// Prices per million tokens, in the user's currency.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Price {
    /// Sign or code of the currency.
    pub currency: String,
    /// Input tokens that no cache had.
    pub input: f64,
    /// Input tokens from the cache.
    pub cached: f64,
    /// Output tokens.
    pub output: f64,
}

/// What the run begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// The past of another thread, in a new one.
    Fork(PathBuf),
    /// A new thread.
    #[default]
    New,
    /// The picker of sessions.
    Pick {
        /// Of all folders.
        all: bool,
        /// To fork the one that is picked.
        fork: bool,
    },
    /// An earlier thread.
    Resume(PathBuf),
}

impl Setup {
    /// A setup for tests and examples: inline, 16 colours on a dark background, two models,
    /// everything on but tips.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            version: "0.0.0".into(),
            key: Some("OPENAI_API_KEY".into()),
            notes: Vec::new(),
            sandbox_tier: "landlock".into(),
            cwd: PathBuf::from("/home/user/project"),
            trustable: None,
            home: Some(PathBuf::from("/home/user")),
            terminal: Terminal {
                colors: Colors::Sixteen,
                background: Some(Background::Dark),
                hyperlinks: true,
                reflow: true,
                tmux: false,
                notify: NotifyMethod::Osc9,
                focus_events: true,
            },
            mode: Mode::Inline,
            theme: None,
            animations: true,
            vim: false,
            raw: false,
            tooltips: false,
            status_line_colors: true,
            comfortable_sessions: false,
            hide_reasoning: false,
            raw_reasoning: false,
            history: true,
            notifications: Notifications::default(),
            status_line: None,
            status_script: false,
            terminal_title: None,
            models: vec![
                ModelChoice::sample("gpt-5.5", "the default; for most work"),
                ModelChoice::sample("gpt-5.4-mini", "smaller and quicker"),
            ],
            keymap: Vec::new(),
            start: Start::New,
            prompt: Vec::new(),
            voice: true,
            voice_over_socket: false,
        }
    }
}
