//! When to ask, and what commands may touch: presets of approval policy and sandbox.

use codex_proto::{
    Op,
    op::Configure,
    policy::{ApprovalPolicy, SandboxMode, SandboxPolicy},
};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{
    Bound, Handled, Layer,
    chrome::{CHROME_ROWS, Chrome},
    list::{Entry, List, Listed},
};
use crate::{
    desk::Desk,
    key::{Key, KeyCode, KeyKind},
    text::{Break, Line, draw, wrap},
    theme::{Look, Role},
};

/// A pair of approval policy and sandbox mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preset {
    /// As `/permissions` takes it.
    pub(crate) name: &'static str,
    /// Other names for it.
    pub(crate) aliases: &'static [&'static str],
    /// What it means.
    pub(crate) about: &'static str,
    pub(crate) approval: ApprovalPolicy,
    pub(crate) sandbox: SandboxMode,
}

/// All of them, from the most careful on.
pub(crate) const PRESETS: [Preset; 5] = [
    Preset {
        name: "read-only",
        aliases: &["readonly", "read"],
        about: "Reads everything, changes nothing, no network. Asks before it does more.",
        approval: ApprovalPolicy::OnRequest,
        sandbox: SandboxMode::ReadOnly,
    },
    Preset {
        name: "ask-first",
        aliases: &["untrusted", "ask"],
        about: "Asks before each command that is not known to be harmless. Commands may change \
                this folder.",
        approval: ApprovalPolicy::Untrusted,
        sandbox: SandboxMode::WorkspaceWrite,
    },
    Preset {
        name: "workspace",
        aliases: &["auto", "default", "agent", "workspace-write"],
        about: "Changes files in this folder and runs commands there without asking. Asks before \
                it leaves the sandbox.",
        approval: ApprovalPolicy::OnRequest,
        sandbox: SandboxMode::WorkspaceWrite,
    },
    Preset {
        name: "unattended",
        aliases: &["never"],
        about: "As workspace, but never asks: what the sandbox does not allow is refused.",
        approval: ApprovalPolicy::Never,
        sandbox: SandboxMode::WorkspaceWrite,
    },
    Preset {
        name: "full-access",
        aliases: &["full", "yolo", "danger-full-access"],
        about: "No sandbox and no questions: commands do anything that you may do, network \
                included.",
        approval: ApprovalPolicy::Never,
        sandbox: SandboxMode::DangerFullAccess,
    },
];

/// The preset of a name.
pub(crate) fn find(name: &str) -> Option<&'static Preset> {
    let name = name.to_ascii_lowercase();
    let is = |preset: &&Preset| preset.name == name || preset.aliases.contains(&name.as_str());
    PRESETS.iter().find(is)
}

/// The name of the preset that holds; `None` when what holds is none.
pub(crate) fn current(desk: &Desk) -> Option<&'static str> {
    let config = desk.session.config.as_ref()?;
    let is = |preset: &&Preset| {
        (preset.approval, preset.sandbox) == (config.approval, config.sandbox.mode)
    };
    PRESETS.iter().find(is).map(|preset| preset.name)
}

/// Lets a preset hold at once.
pub(crate) fn set(desk: &mut Desk, preset: &Preset) {
    let Some(thread) = desk.thread() else {
        desk.note("the conversation is still starting");
        return;
    };
    let configure = Configure {
        approval: Some(preset.approval),
        sandbox: Some(sandbox(desk, preset.sandbox)),
        ..Configure::new(thread)
    };
    desk.op(Op::Configure(Box::new(configure)));
    desk.note(format!("permissions: {}", preset.name));
}

/// The policy of a mode. Folders and network that the user configured for the workspace stay.
fn sandbox(desk: &Desk, mode: SandboxMode) -> SandboxPolicy {
    let ready = desk.session.ready.as_ref();
    let cwd = ready.map_or_else(|| desk.setup.cwd.clone(), |ready| ready.cwd.clone());
    match mode {
        SandboxMode::DangerFullAccess => SandboxPolicy::full_access(),
        SandboxMode::ReadOnly => SandboxPolicy::read_only(),
        SandboxMode::WorkspaceWrite => {
            let configured = ready.map(|ready| &ready.sandbox);
            match configured {
                Some(policy) if policy.mode == SandboxMode::WorkspaceWrite => policy.clone(),
                Some(policy) if policy.mode == SandboxMode::ReadOnly => {
                    let mut roots = vec![cwd.clone()];
                    roots
                        .extend(policy.writable_roots.iter().filter(|root| **root != cwd).cloned());
                    SandboxPolicy { writable_roots: roots, ..SandboxPolicy::workspace_write(cwd) }
                }
                _ => SandboxPolicy::workspace_write(cwd),
            }
        }
    }
}

/// The picker of presets.
#[derive(Clone, Debug)]
pub struct PermissionsPicker {
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Full access is asked for once more.
    Confirming,
    Presets(List),
}

impl PermissionsPicker {
    /// Opens it.
    pub fn open(desk: &mut Desk) {
        let state = State::Presets(presets(desk));
        desk.open(Self { state }.into());
    }

    /// Opens it where full access is asked for once more.
    pub(crate) fn confirm(desk: &mut Desk) {
        desk.open(Self { state: State::Confirming }.into());
    }
}

/// Whether a preset is only taken after one more question.
pub(crate) fn needs_confirmation(preset: &Preset) -> bool {
    preset.sandbox == SandboxMode::DangerFullAccess
}

fn presets(desk: &Desk) -> List {
    let now = current(desk);
    let entry = |preset: &Preset| Entry {
        name: preset.name.into(),
        about: preset.about.into(),
        is_current: now == Some(preset.name),
        ..Entry::default()
    };
    List::new(PRESETS.iter().map(entry).collect())
}

const WARNING: &str = "Commands would run without any sandbox and nothing would be asked: they can \
                       delete or send away whatever you can. Take it only in a machine or container \
                       that may be lost.";

fn warning(columns: u16, look: &Look) -> Vec<Line> {
    wrap(
        &Line::styled(WARNING, look.style(Role::Warn)),
        columns.saturating_sub(4).max(1),
        Break::Words,
    )
}

impl Layer for PermissionsPicker {
    fn on_key(&mut self, key: Key, desk: &mut Desk) -> Handled {
        match &mut self.state {
            State::Presets(list) => match list.on_key(&key, desk) {
                Listed::Cancelled => Handled::Close,
                Listed::Chosen(index) => {
                    let preset = &PRESETS[index.min(PRESETS.len() - 1)];
                    if needs_confirmation(preset) && current(desk) != Some(preset.name) {
                        self.state = State::Confirming;
                        return Handled::Consumed;
                    }
                    set(desk, preset);
                    Handled::Close
                }
                _ => Handled::Consumed,
            },
            State::Confirming => {
                if key.code == KeyCode::Char('y') && key.modifiers.is_empty() {
                    if key.kind == KeyKind::Repeat {
                        return Handled::Consumed;
                    }
                    set(desk, &PRESETS[PRESETS.len() - 1]);
                    return Handled::Close;
                }
                self.state = State::Presets(presets(desk));
                Handled::Consumed
            }
        }
    }

    fn on_wheel(&mut self, turn: Key, desk: &mut Desk) {
        if let State::Presets(_) = self.state {
            self.on_key(turn, desk);
        }
    }

    fn height(&mut self, columns: u16, rows: u16, desk: &Desk) -> u16 {
        let body = match &self.state {
            State::Presets(list) => list.height(columns),
            State::Confirming => {
                u16::try_from(warning(columns, &desk.look).len()).unwrap_or(u16::MAX)
            }
        };
        body.saturating_add(CHROME_ROWS).min(rows)
    }

    fn view(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        desk: &Desk,
        look: &Look,
    ) -> Option<Position> {
        match &mut self.state {
            State::Presets(list) => {
                let mut chrome = Chrome::new("Permissions");
                if current(desk).is_none()
                    && let Some(config) = &desk.session.config
                {
                    let (approval, mode) = (config.approval.as_str(), config.sandbox.mode.as_str());
                    chrome = chrome.side(format!("now: {approval}, {mode}"));
                }
                let inner = chrome
                    .key(desk.bindings.label(Bound::Accept), "choose")
                    .key(desk.bindings.label(Bound::Cancel), "leave it")
                    .draw(area, buffer, look);
                list.view("", inner, buffer, look)
            }
            State::Confirming => {
                let chrome = Chrome::new("Full access?").key("y", "yes").key("any other key", "no");
                let inner = chrome.draw(area, buffer, look);
                let rows = warning(area.width, look);
                for (y, row) in (inner.y..inner.bottom()).zip(&rows) {
                    let at = Rect { x: inner.x + 2.min(inner.width), y, height: 1, ..inner };
                    draw(row, at.intersection(inner), buffer);
                }
                None
            }
        }
    }
}
