//! How a conversation begins: which model, which key, what commands may touch.

use codex_proto::{event::ThreadReady, policy::SandboxMode};

use super::{Context, home_path};
use crate::{
    setup::Setup,
    text::{Line, clean_line},
    theme::Role,
};

/// The first lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    title: String,
    about: Vec<String>,
    /// What should be read: a key that is missing, a sandbox that cannot work.
    notes: Vec<String>,
}

impl Header {
    /// What is worth saying once.
    #[must_use]
    pub fn new(ready: &ThreadReady, setup: &Setup, is_first: bool) -> Self {
        let verb = if ready.resumed { "continued" } else { "new conversation" };
        let title = format!("codex {} \u{b7} {verb}", setup.version);
        let effort = ready.reasoning_effort.as_ref().map(|effort| format!(" ({effort})"));
        let mut about = vec![format!(
            "{}{} \u{b7} {}",
            clean_line(&ready.model),
            effort.as_deref().unwrap_or_default(),
            home_path(&ready.cwd, setup)
        )];
        let network = if ready.sandbox.network { ", network" } else { ", no network" };
        let sandbox = match ready.sandbox.mode {
            SandboxMode::DangerFullAccess => "no sandbox: commands may do anything you may".into(),
            mode => format!("sandbox {}{network} ({})", mode.as_str(), setup.sandbox_tier),
        };
        about.push(format!("{sandbox} \u{b7} approvals {}", ready.approval.as_str()));
        if setup.trustable.is_some() && ready.sandbox.mode == SandboxMode::ReadOnly {
            about.push("new folder, commands only read \u{b7} /trust lets them change it".into());
        }
        if let Some(key) = &setup.key {
            about.push(format!("key from {key}"));
        }
        if is_first {
            about.push("? keys \u{b7} / commands \u{b7} @ files \u{b7} ! shell".into());
        }
        let notes = if is_first { setup.notes.clone() } else { Vec::new() };
        Self { title, about, notes }
    }

    pub(super) fn lines(&self, cx: &Context) -> Vec<Line> {
        let look = &cx.paint.look;
        let mut lines = vec![Line::styled(&*self.title, look.style(Role::Strong))];
        lines.extend(self.about.iter().map(|text| Line::styled(&**text, look.style(Role::Dim))));
        for note in &self.notes {
            lines.push(
                Line::styled("note: ", look.style(Role::Warn))
                    .with(clean_line(note), look.style(Role::Plain)),
            );
        }
        lines
    }
}
