//! What front ends go by.

use std::path::PathBuf;

use super::{error::Place, typing::Typing, value::Node};

/// Settings of front ends, which the engine does not need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ui {
    /// `hide_agent_reasoning`.
    pub hide_agent_reasoning: bool,
    /// `show_raw_agent_reasoning`.
    pub show_raw_agent_reasoning: bool,
    /// `file_opener`; `None` makes no links.
    pub file_opener: Option<String>,
    /// `disable_paste_burst`.
    pub disable_paste_burst: bool,
    /// `check_for_update_on_startup`.
    pub check_for_update: bool,
    /// Whether prompts are kept in `history.jsonl` (`history.persistence`).
    pub history: bool,
    /// `history.max_bytes`.
    pub history_bytes_max: Option<u64>,
    /// `log_dir`, absolute.
    pub log_dir: PathBuf,
    /// `exec.stdin_wait_ms`: how long a prompt with a piped stdin waits for its first byte.
    pub stdin_wait_ms: u64,
    /// `tui`.
    pub tui: Tui,
}

/// `tui`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of the user")]
pub struct Tui {
    /// `tui.notifications`: on the end of a turn.
    pub notify_turn: bool,
    /// `tui.notifications`: on a question.
    pub notify_approval: bool,
    /// `tui.notification_method`: `osc9` or `bel`; `None` chooses by the terminal.
    pub notification_method: Option<String>,
    /// `tui.notification_condition` is `always`.
    pub notify_always: bool,
    /// `tui.animations`.
    pub animations: bool,
    /// `tui.vim_mode_default`.
    pub vim: bool,
    /// `tui.raw_output_mode`.
    pub raw_output: bool,
    /// `tui.show_tooltips`.
    pub tooltips: bool,
    /// `tui.status_line_use_colors`.
    pub status_line_colors: bool,
    /// `tui.session_picker_view` is `comfortable`.
    pub comfortable_sessions: bool,
    /// `tui.alternate_screen` is `always`.
    pub alternate_screen: bool,
    /// `tui.plain`.
    pub plain: bool,
    /// `tui.status_line`: ids, or the default.
    pub status_line: Option<Vec<String>>,
    /// `tui.status_command`: program and arguments; empty for none.
    pub status_command: Vec<String>,
    /// `tui.terminal_title`: ids, or the default.
    pub terminal_title: Option<Vec<String>>,
    /// `tui.theme`.
    pub theme: Option<String>,
    /// `tui.keymap`.
    pub keymap: Vec<Binding>,
}

/// Keys of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// `CONTEXT.ACTION`.
    pub action: String,
    /// As they are written.
    pub keys: Vec<String>,
    /// Where.
    pub place: Place,
}

impl Typing<'_> {
    pub(super) fn ui(&self) -> Ui {
        Ui {
            hide_agent_reasoning: self.bool("hide_agent_reasoning", false),
            show_raw_agent_reasoning: self.bool("show_raw_agent_reasoning", false),
            file_opener: match self.string("file_opener").as_deref() {
                Some("none") => None,
                other => Some(other.unwrap_or("vscode").to_owned()),
            },
            disable_paste_burst: self.bool("disable_paste_burst", false),
            check_for_update: self.bool("check_for_update_on_startup", true),
            history: self.string("history.persistence").as_deref() != Some("none"),
            history_bytes_max: self.u64("history.max_bytes"),
            log_dir: self
                .string("log_dir")
                .map_or_else(|| self.facts.codex_home.join("log"), PathBuf::from),
            stdin_wait_ms: self.u64("exec.stdin_wait_ms").unwrap_or(10_000),
            tui: self.tui(),
        }
    }

    fn tui(&self) -> Tui {
        let is = |path: &str, value: &str| self.string(path).as_deref() == Some(value);
        // A boolean for all, or a list of some.
        let switch = self.node("tui.notifications").and_then(Node::as_bool);
        let listed = if switch.is_none() { self.strings("tui.notifications") } else { None };
        let notifies = |event: &str| match &listed {
            Some(listed) => listed.iter().any(|name| name == event),
            None => switch.unwrap_or(true),
        };
        let contexts = self.node("tui.keymap").and_then(Node::as_table).into_iter().flatten();
        let keymap = contexts.flat_map(|(context, actions)| {
            let actions = actions.as_table().into_iter().flatten();
            actions.map(move |(action, node)| Binding {
                action: format!("{context}.{action}"),
                keys: match node.as_str() {
                    Some(key) => vec![key.to_owned()],
                    None => node.strings(),
                },
                place: self.layers.place(node.key),
            })
        });
        Tui {
            notify_turn: notifies("agent-turn-complete"),
            notify_approval: notifies("approval-requested"),
            notification_method: self
                .string("tui.notification_method")
                .filter(|method| method != "auto"),
            notify_always: is("tui.notification_condition", "always"),
            animations: self.bool("tui.animations", true),
            vim: self.bool("tui.vim_mode_default", false),
            raw_output: self.bool("tui.raw_output_mode", false),
            tooltips: self.bool("tui.show_tooltips", true),
            status_line_colors: self.bool("tui.status_line_use_colors", true),
            comfortable_sessions: is("tui.session_picker_view", "comfortable"),
            alternate_screen: is("tui.alternate_screen", "always"),
            plain: self.bool("tui.plain", false),
            status_line: self.strings("tui.status_line"),
            status_command: self.strings("tui.status_command").unwrap_or_default(),
            terminal_title: self.strings("tui.terminal_title"),
            theme: self.string("tui.theme"),
            keymap: keymap.collect(),
        }
    }
}
