//! What people see on standard error, told from [`Event`]s. Pure: bytes in memory.
//!
//! Order: a header, what the user said, then one block per item as it begins or ends, then the
//! tokens. Each failure is told once, each patch's diff once.

use std::{collections::BTreeSet, path::Path};

use codex_proto::{
    Event,
    event::{ThreadReady, TurnOutcome, Usage},
    item::{
        CommandItem, FileChange, FileChangeItem, FileChangeKind, ItemBody, ItemStatus, PlanItem,
        StepStatus, TurnItem,
    },
    number::grouped,
    policy::SandboxPolicy,
    wire::exec_json::{INTERRUPTED, reconnecting},
};

use crate::paint::{Paint, Style};

/// Lines of one file's diff that are shown; the rest is counted.
const DIFF_LINES_MAX: usize = 400;

/// What the renderer is told beside events.
#[derive(Clone, Debug)]
pub struct HumanOptions {
    /// Colours.
    pub paint: Paint,
    /// Version of this program, for the header.
    pub version: String,
    /// The key that is used, for the header.
    pub key: Option<String>,
    /// `hide_agent_reasoning`.
    pub hide_reasoning: bool,
    /// `show_raw_agent_reasoning`.
    pub raw_reasoning: bool,
}

/// Renders the events of one thread for people.
#[derive(Clone, Debug)]
pub struct Human {
    options: HumanOptions,
    /// Items whose beginning was shown.
    begun: BTreeSet<u32>,
    plan: Option<PlanItem>,
}

impl Human {
    /// A renderer that has seen nothing.
    #[must_use]
    pub fn new(options: HumanOptions) -> Self {
        Self { options, begun: BTreeSet::new(), plan: None }
    }

    /// Appends what an event looks like.
    pub fn on(&mut self, event: &Event, out: &mut String) {
        match event {
            Event::ItemCompleted { item, .. } => self.completed(item, out),
            Event::ItemStarted { item, .. } => self.started(item, out),
            Event::ItemUpdated { item, .. } => {
                if let ItemBody::Plan(plan) = &item.body {
                    self.plan(plan, out);
                }
            }
            Event::Retrying { attempt, attempts_max, cause, .. } => {
                self.error(&reconnecting(*attempt, *attempts_max, cause), out);
            }
            Event::ThreadReady(ready) => self.header(ready, out),
            Event::TurnEnded { outcome, usage, .. } => self.ended(outcome, usage, out),
            Event::Warning { message, .. } => self.warn(message, out),
            Event::ApprovalEnded { .. }
            | Event::ApprovalRequested(_)
            | Event::Commands { .. }
            | Event::Configured { .. }
            | Event::ItemDelta { .. }
            | Event::ItemDropped { .. }
            | Event::PromptCacheReset { .. }
            | Event::PromptsReturned { .. }
            | Event::Realtime(_)
            | Event::Refused { .. }
            | Event::Restored { .. }
            | Event::ThreadStopped { .. }
            | Event::TurnStarted { .. }
            | Event::UsageUpdated { .. }
            | Event::Waiting { .. } => {}
        }
    }

    /// Appends a warning.
    pub fn warn(&self, message: &str, out: &mut String) {
        let label = self.paint(Style::YellowBold, "warning:");
        line(out, &format!("{label} {message}"));
    }

    fn error(&self, message: &str, out: &mut String) {
        let label = self.paint(Style::RedBold, "ERROR:");
        line(out, &format!("{label} {message}"));
    }

    fn paint<'t>(&self, style: Style, text: &'t str) -> std::borrow::Cow<'t, str> {
        self.options.paint.text(style, text)
    }

    fn header(&self, ready: &ThreadReady, out: &mut String) {
        line(out, &format!("codex v{}", self.options.version));
        line(out, "--------");
        let mut entry = |key: &str, value: &str| {
            line(out, &format!("{} {value}", self.paint(Style::Bold, key)));
        };
        entry("workdir:", &ready.cwd.to_string_lossy());
        entry("model:", &ready.model);
        entry("provider:", &ready.provider);
        entry("approval:", ready.approval.as_str());
        entry("sandbox:", &sandbox(&ready.sandbox, &ready.cwd));
        entry("reasoning effort:", ready.reasoning_effort.as_deref().unwrap_or("none"));
        entry("reasoning summaries:", ready.reasoning_summary.as_deref().unwrap_or("none"));
        entry("session id:", &ready.thread.to_string());
        if let Some(key) = &self.options.key {
            entry("key:", key);
        }
        line(out, "--------");
    }

    fn started(&mut self, item: &TurnItem, out: &mut String) {
        match &item.body {
            ItemBody::Command(command) => self.command_begins(item.id, command, out),
            ItemBody::FileChange(_) => self.patch_begins(item.id, out),
            ItemBody::Plan(plan) => self.plan(plan, out),
            ItemBody::WebSearch { query, .. } => {
                self.begun.insert(item.id);
                line(out, &format!("web search: {query}"));
            }
            ItemBody::AgentMessage { .. }
            | ItemBody::Error { .. }
            | ItemBody::Reasoning { .. }
            | ItemBody::UserMessage { .. } => {}
        }
    }

    fn completed(&mut self, item: &TurnItem, out: &mut String) {
        match &item.body {
            ItemBody::AgentMessage { text } => {
                line(out, &self.paint(Style::MagentaItalic, "codex"));
                line(out, text);
            }
            ItemBody::Command(command) => {
                if !self.begun.contains(&item.id) {
                    self.command_begins(item.id, command, out);
                }
                self.command_ends(command, out);
            }
            ItemBody::Error { message } => self.warn(message, out),
            ItemBody::FileChange(change) => {
                if !self.begun.contains(&item.id) {
                    self.patch_begins(item.id, out);
                }
                self.patch_ends(change, out);
            }
            ItemBody::Plan(plan) => self.plan(plan, out),
            ItemBody::Reasoning { text, raw } => {
                let shown = if self.options.raw_reasoning && !raw.trim().is_empty() {
                    raw
                } else if self.options.hide_reasoning {
                    return;
                } else {
                    text
                };
                if !shown.trim().is_empty() {
                    lines(out, shown, |text| self.paint(Style::Dim, text));
                }
            }
            ItemBody::UserMessage { text } => {
                line(out, &self.paint(Style::Cyan, "user"));
                line(out, text);
            }
            ItemBody::WebSearch { query, .. } => {
                if !self.begun.contains(&item.id) {
                    line(out, &format!("web search: {query}"));
                }
            }
        }
        self.begun.remove(&item.id);
    }

    fn command_begins(&mut self, id: u32, command: &CommandItem, out: &mut String) {
        self.begun.insert(id);
        line(out, &self.paint(Style::Italic, "exec"));
        let shown = self.paint(Style::Bold, &command.command);
        line(out, &format!("{shown} in {}", command.cwd.display()));
    }

    fn command_ends(&self, command: &CommandItem, out: &mut String) {
        let ms = command.duration_ms;
        let (style, text) = match (command.status, command.exit_code) {
            (ItemStatus::Completed, _) => (Style::Green, format!(" succeeded in {ms}ms:")),
            (ItemStatus::Declined, _) => (Style::Red, " declined:".to_owned()),
            (ItemStatus::Failed, Some(code)) => (Style::Red, format!(" exited {code} in {ms}ms:")),
            (ItemStatus::Failed, None) => (Style::Red, format!(" failed in {ms}ms:")),
            (ItemStatus::InProgress, _) => (Style::Dim, format!(" still running after {ms}ms:")),
        };
        line(out, &self.paint(style, &text));
        if !command.output.trim().is_empty() {
            lines(out, &command.output, |text| self.paint(Style::Dim, text));
        }
    }

    fn patch_begins(&mut self, id: u32, out: &mut String) {
        self.begun.insert(id);
        line(out, &self.paint(Style::Italic, "apply patch"));
    }

    fn patch_ends(&self, change: &FileChangeItem, out: &mut String) {
        let (style, status) = match change.status {
            ItemStatus::Completed => (Style::Green, "completed"),
            ItemStatus::Declined => (Style::Red, "declined"),
            ItemStatus::Failed => (Style::Red, "failed"),
            ItemStatus::InProgress => (Style::Dim, "in_progress"),
        };
        line(out, &self.paint(style, &format!("patch: {status}")));
        if let Some(error) = &change.error {
            lines(out, error, std::borrow::Cow::Borrowed);
        }
        for file in &change.changes {
            line(out, &self.paint(Style::Dim, &file.path.to_string_lossy()));
            if change.status == ItemStatus::Completed {
                self.diff(file, out);
            }
        }
    }

    fn diff(&self, file: &FileChange, out: &mut String) {
        if let Some(to) = &file.move_path {
            line(out, &format!("moved to {}", to.display()));
        }
        let mut rest = file.diff.lines();
        for text in rest.by_ref().take(DIFF_LINES_MAX) {
            let text = match file.kind {
                FileChangeKind::Add => format!("+{text}"),
                FileChangeKind::Delete => format!("-{text}"),
                FileChangeKind::Update => text.to_owned(),
            };
            let shown = match text.as_bytes().first() {
                Some(b'+') => self.paint(Style::Green, &text),
                Some(b'-') => self.paint(Style::Red, &text),
                Some(b'@') => self.paint(Style::Cyan, &text),
                _ => text.as_str().into(),
            };
            line(out, &shown);
        }
        let hidden = rest.count();
        if hidden > 0 {
            line(out, &self.paint(Style::Dim, &format!("… {hidden} more lines")));
        }
    }

    fn plan(&mut self, plan: &PlanItem, out: &mut String) {
        if self.plan.as_ref() == Some(plan) {
            return;
        }
        line(out, &self.paint(Style::Italic, "plan"));
        if let Some(explanation) = plan.explanation.as_deref().filter(|text| !text.is_empty()) {
            line(out, &self.paint(Style::Italic, explanation));
        }
        for step in &plan.steps {
            let (style, mark) = match step.status {
                StepStatus::Completed => (Style::Green, "✓"),
                StepStatus::InProgress => (Style::Cyan, "→"),
                StepStatus::Pending => (Style::Dim, "•"),
            };
            line(out, &format!("  {} {}", self.paint(style, mark), step.step));
        }
        self.plan = Some(plan.clone());
    }

    fn ended(&mut self, outcome: &TurnOutcome, usage: &Usage, out: &mut String) {
        match outcome {
            TurnOutcome::Completed { .. } => {}
            TurnOutcome::Failed(error) => {
                self.error(&error.message, out);
                if let Some(hint) = &error.hint {
                    line(out, &format!("{} {hint}", self.paint(Style::Bold, "hint:")));
                }
            }
            TurnOutcome::Interrupted => line(out, INTERRUPTED),
        }
        let used =
            usage.input_tokens.saturating_sub(usage.cached_input_tokens) + usage.output_tokens;
        if *usage != Usage::default() {
            line(out, &self.paint(Style::Italic, "tokens used"));
            line(out, &grouped(used));
        }
    }
}

/// The policy in a few words, as the header has it.
fn sandbox(policy: &SandboxPolicy, cwd: &Path) -> String {
    let mut text = policy.mode.as_str().to_owned();
    if policy.is_full_access() {
        return text;
    }
    let mut roots: Vec<String> = Vec::new();
    for root in &policy.writable_roots {
        let name = if root == cwd { "workdir".into() } else { root.to_string_lossy() };
        roots.push(name.into_owned());
    }
    if policy.mode == codex_proto::policy::SandboxMode::WorkspaceWrite {
        let at = roots.len().min(1);
        let scratch = [("/tmp", policy.writable_tmp), ("$TMPDIR", policy.writable_tmpdir)];
        roots.splice(at..at, scratch.iter().filter(|s| s.1).map(|s| s.0.to_owned()));
    }
    if !roots.is_empty() {
        text.push_str(&format!(" [{}]", roots.join(", ")));
    }
    if policy.network {
        text.push_str(" (network access enabled)");
    }
    text
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.strip_suffix('\n').unwrap_or(text));
    out.push('\n');
}

/// Each line in its own style, so that a pager which cuts lines keeps colours right.
fn lines<'t>(
    out: &mut String,
    text: &'t str,
    style: impl Fn(&'t str) -> std::borrow::Cow<'t, str>,
) {
    text.lines().for_each(|text| line(out, &style(text)));
}

#[cfg(test)]
mod tests;
