//! When to ask, and what commands may touch: presets of approval policy and sandbox.

use std::sync::Arc;

use codex_proto::{
    Op,
    op::Configure,
    policy::{ApprovalPolicy, SandboxMode, SandboxPolicy},
};

use super::{Body, Bound, Chrome, Handled, Layer, List, Scroll, chrome::text_columns, list::Entry};
use crate::{
    desk::Desk,
    key::{Key, KeyCode, KeyKind},
    text::{Break, Line, wrap},
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
    named(config.approval, config.sandbox.mode)
}

/// The name of the preset that a policy and a mode make.
pub(crate) fn named(approval: ApprovalPolicy, sandbox: SandboxMode) -> Option<&'static str> {
    let is = |preset: &&Preset| (preset.approval, preset.sandbox) == (approval, sandbox);
    PRESETS.iter().find(is).map(|preset| preset.name)
}

/// Lets a preset hold at once.
pub(crate) fn set(desk: &mut Desk, preset: &Preset) {
    let Some(thread) = desk.settled() else {
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
pub(crate) fn sandbox(desk: &Desk, mode: SandboxMode) -> SandboxPolicy {
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
    Confirming(Scroll),
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
        desk.open(Self { state: State::Confirming(Scroll::default()) }.into());
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

impl Layer for PermissionsPicker {
    fn chrome(&self, desk: &Desk) -> Chrome {
        if let State::Confirming(_) = self.state {
            return Chrome::new("Full access?").key("y", "yes").key("any other key", "no");
        }
        let config = desk.session.config.as_ref().filter(|_| current(desk).is_none());
        let side = config.map_or_else(String::new, |config| {
            format!("now: {}, {}", config.approval.as_str(), config.sandbox.mode.as_str())
        });
        Chrome::new("Permissions").side(side).on(desk, Bound::Accept, "choose").on(
            desk,
            Bound::Cancel,
            "leave it",
        )
    }

    fn body(&mut self, _desk: &Desk) -> Body<'_> {
        match &mut self.state {
            State::Confirming(scroll) => Body::Text(scroll),
            State::Presets(list) => Body::List(list),
        }
    }

    fn rows(&mut self, columns: u16, _desk: &Desk, look: &Look) -> Arc<[Line]> {
        match self.state {
            State::Confirming(_) => {
                let warning = Line::styled(WARNING, look.style(Role::Warn));
                wrap(&warning, text_columns(columns), Break::Words).into()
            }
            State::Presets(_) => Arc::default(),
        }
    }

    fn on_own_key(&mut self, key: &Key, desk: &mut Desk) -> Option<Handled> {
        let State::Confirming(_) = self.state else { return None };
        if key.code == KeyCode::Char('y') && key.modifiers.is_empty() {
            if key.kind == KeyKind::Repeat {
                return Some(Handled::Consumed);
            }
            set(desk, &PRESETS[PRESETS.len() - 1]);
            return Some(Handled::Close);
        }
        self.state = State::Presets(presets(desk));
        Some(Handled::Consumed)
    }

    fn on_chosen(&mut self, index: usize, desk: &mut Desk) -> Handled {
        let preset = &PRESETS[index.min(PRESETS.len() - 1)];
        if needs_confirmation(preset) && current(desk) != Some(preset.name) {
            self.state = State::Confirming(Scroll::default());
            return Handled::Consumed;
        }
        set(desk, preset);
        Handled::Close
    }
}
