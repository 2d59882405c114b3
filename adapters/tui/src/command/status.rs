//! `/status`.

use codex_proto::policy::SandboxPolicy;

use super::Command;
use crate::{
    desk::Desk,
    popup::{permissions, short},
    setup::Mode,
    text::{Break, Line, clean_line, grouped, wrap},
    theme::Role,
};

pub(super) const STATUS: Command = Command {
    name: "status",
    aliases: &["config", "about"],
    about: "show what this conversation runs with, and its tokens",
    run: |desk, _| {
        let lines = lines(desk);
        desk.tell(lines);
        Ok(())
    },
    ..Command::BASE
};

/// Columns of the names.
const NAME_COLUMNS: usize = 12;
/// Columns of a value, however few there are.
const VALUE_COLUMNS_MIN: u16 = 16;

fn lines(desk: &Desk) -> Vec<Line> {
    let mut rows: Vec<(&str, String)> = Vec::new();
    let session = &desk.session;
    if let (Some(ready), Some(config)) = (&session.ready, &session.config) {
        let effort = config.reasoning_effort.as_deref().unwrap_or("default");
        rows.push(("model", format!("{} ({effort} effort) at {}", config.model, ready.provider)));
        rows.push(("folder", short(&ready.cwd, desk)));
        let preset = permissions::current(desk).unwrap_or("your own");
        let asks = config.approval.as_str();
        rows.push(("permissions", format!("{preset}: asks {asks}; {}", sandbox(&config.sandbox))));
    } else {
        rows.push(("thread", "still starting".into()));
    }
    rows.push(("sandbox", desk.setup.sandbox_tier.clone()));
    let key = desk.setup.key.as_deref();
    rows.push(("key", key.map_or_else(|| "none".into(), |key| format!("from {key}"))));
    if let Some(ready) = &session.ready {
        rows.push(("thread", ready.thread.to_string()));
        if let Some(other) = ready.forked_from {
            rows.push(("forked from", other.to_string()));
        }
        let rollout = ready.rollout.as_ref().map(|path| short(path, desk));
        rows.push(("written to", rollout.unwrap_or_else(|| "nowhere".into())));
    }
    let total = &session.total;
    rows.push((
        "tokens",
        format!(
            "{} in ({} from the cache), {} out ({} of them reasoning)",
            grouped(total.input_tokens),
            grouped(total.cached_input_tokens),
            grouped(total.output_tokens),
            grouped(total.reasoning_output_tokens)
        ),
    ));
    if let (Some(used), Some(window)) = (session.context_used(), session.window) {
        let left = session.context_left_percent().unwrap_or(0);
        let (used, window) = (grouped(used), grouped(window));
        rows.push(("context", format!("{used} of {window} tokens used, {left} % left")));
    }
    rows.push(("version", desk.setup.version.clone()));
    let dim = desk.look.style(Role::Dim);
    let mut lines = vec![Line::styled("Status", desk.look.style(Role::Strong))];
    let name_columns = NAME_COLUMNS + 2;
    let columns = desk.columns.saturating_sub(name_columns as u16).max(VALUE_COLUMNS_MIN);
    for (name, value) in rows {
        // What is read aloud stays whole, and so do names and paths, which are copied.
        let is_whole = desk.setup.mode == Mode::Plain || !value.contains(' ');
        let room = if is_whole { u16::MAX } else { columns };
        let mut name = format!("  {name:<NAME_COLUMNS$}");
        let value = Line::styled(clean_line(&value), desk.look.style(Role::Plain));
        for row in wrap(&value, room, Break::Words) {
            let mut line = Line::styled(name, dim);
            row.spans.into_iter().for_each(|span| line.push_span(span));
            lines.push(line);
            name = " ".repeat(name_columns);
        }
    }
    lines
}

fn sandbox(policy: &SandboxPolicy) -> String {
    let mut text = policy.mode.as_str().to_owned();
    if !policy.is_full_access() {
        let others = policy.writable_roots.len().saturating_sub(1);
        if others > 0 {
            text.push_str(&format!(", {others} more writable"));
        }
        text.push_str(if policy.network { ", network" } else { ", no network" });
    }
    text
}
