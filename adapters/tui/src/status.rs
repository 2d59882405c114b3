//! The status line below the composer, the window's title, and what a status script is told: all from
//! the same items, by the names of `tui.status_line` and `tui.terminal_title`.

use codex_proto::policy::SandboxMode;
use ratatui::style::Style;
use serde_json::json;

use crate::{
    cell::{home_path, short_path},
    desk::Desk,
    frame::title,
    msg::ScreenEffect,
    setup::Mode,
    text::{Break, Line, clean_line, fit, grouped, printed, width, wrap},
    theme::Role,
};

/// Shown unless `tui.status_line` says otherwise.
const DEFAULT: [&str; 7] = [
    "model-with-reasoning",
    "permissions",
    "current-dir",
    "git-branch",
    "context-remaining",
    "queue",
    "commands",
];
/// In the title unless `tui.terminal_title` says otherwise.
const TITLE_DEFAULT: [&str; 2] = ["activity", "project-name"];
/// Percent of the context below which what is left is a warning.
const CONTEXT_LOW: u64 = 10;
const SEPARATOR: &str = " \u{b7} ";

/// An item in words; `None` when it has nothing to say or is not known.
#[must_use]
pub(crate) fn item(id: &str, desk: &Desk) -> Option<String> {
    let session = &desk.session;
    let config = session.config.as_ref();
    let text = match id {
        "app-name" => "codex".into(),
        "activity" | "spinner" => match (session.questions.is_empty(), session.turn) {
            (false, _) => "?".into(),
            (true, Some(_)) => "\u{25cf}".into(),
            (true, None) => return None,
        },
        "run-state" | "status" => match (session.questions.is_empty(), session.turn) {
            (false, _) => "asking".into(),
            (true, Some(_)) => "working".into(),
            (true, None) if session.ready.is_none() => "starting".into(),
            (true, None) => "ready".into(),
        },
        "model" | "model-name" => clean_line(&config?.model).into_owned(),
        "model-with-reasoning" => {
            let config = config?;
            let model = clean_line(&config.model);
            match &config.reasoning_effort {
                Some(effort) => format!("{model} {}", clean_line(effort)),
                None => model.into_owned(),
            }
        }
        "permissions" | "sandbox" => {
            let config = config?;
            let sandbox = match config.sandbox.mode {
                SandboxMode::DangerFullAccess => "no sandbox",
                mode => mode.as_str(),
            };
            let network = config.sandbox.network && !config.sandbox.is_full_access();
            format!("{sandbox}{}", if network { " + network" } else { "" })
        }
        "approvals" => config?.approval.as_str().into(),
        "sandbox-tier" => clean_line(&desk.setup.sandbox_tier).into_owned(),
        "current-dir" => home_path(&desk.setup.cwd, &desk.setup),
        "project-name" | "project" | "project-root" => {
            clean_line(&desk.setup.cwd.file_name()?.to_string_lossy()).into_owned()
        }
        "git-branch" => clean_line(desk.branch.as_deref()?).into_owned(),
        "context-remaining" => format!("{} % context left", session.context_left_percent()?),
        "context-used" | "context-usage" => {
            let used = grouped(session.context_used()?);
            match session.window {
                Some(window) => format!("{used} of {} tokens", grouped(window)),
                None => format!("{used} tokens"),
            }
        }
        "context-window-size" => format!("window {}", grouped(session.window?)),
        "used-tokens" => {
            let total = session.total.input_tokens.saturating_add(session.total.output_tokens);
            format!("{} used", grouped(total))
        }
        "total-input-tokens" => format!("{} in", grouped(session.total.input_tokens)),
        "total-output-tokens" => format!("{} out", grouped(session.total.output_tokens)),
        "codex-version" => format!("v{}", desk.setup.version),
        "session-id" => session.thread()?.to_string(),
        "raw-output" => desk.setup.raw.then(|| "raw".to_owned())?,
        "queue" => match session.sent.len() {
            0 => return None,
            count => format!("{count} queued"),
        },
        "commands" => match session.commands.len() {
            0 => return None,
            1 => "1 command running (/ps)".into(),
            count => format!("{count} commands running (/ps)"),
        },
        _ => return None,
    };
    Some(text)
}

/// The status line, cut to the columns there are. What is least worth reading is last.
pub(crate) fn line(desk: &Desk, columns: u16) -> Line {
    let columns = usize::from(columns);
    let dim = desk.look.style(Role::Dim);
    if let Some(script) = &desk.status_line {
        if !desk.setup.status_line_colors {
            return Line::styled(fit(&clean_line(script), columns), dim);
        }
        let line = printed(script, dim, &desk.look).into_iter().next().unwrap_or_default();
        let rows = wrap(&line, u16::try_from(columns).unwrap_or(u16::MAX), Break::Anywhere);
        return rows.into_iter().next().unwrap_or_default();
    }
    let mut line = Line::new();
    let mut left = columns;
    let style = |role: Role| {
        let style = desk.look.style(role);
        if desk.setup.status_line_colors || role == Role::Dim {
            return style;
        }
        Style { fg: dim.fg, ..style }
    };
    let mut push = |text: &str, role: Role| {
        let separator = if left == columns { "" } else { SEPARATOR };
        let need = width(text) + width(separator);
        if need <= left {
            line.push(separator, dim);
            line.push(text, style(role));
            left -= need;
        } else if left == columns {
            line.push(fit(text, left), style(role));
            left = 0;
        }
    };
    if let Some(mode) = desk.input.vim_mode() {
        push(mode.name(), Role::Accent);
    }
    let is_open = desk.session.config.as_ref().is_some_and(|c| c.sandbox.is_full_access());
    let is_full = desk.session.context_left_percent().is_some_and(|left| left < CONTEXT_LOW);
    for id in ids(desk.setup.status_line.as_deref(), &DEFAULT) {
        if let Some(text) = item(id, desk) {
            let is_warning = match id {
                "permissions" | "sandbox" => is_open,
                "context-remaining" | "context-used" | "context-usage" => is_full,
                _ => false,
            };
            push(&text, if is_warning { Role::Warn } else { Role::Dim });
        }
    }
    line
}

fn ids<'d>(chosen: Option<&'d [String]>, default: &'d [&'d str]) -> Vec<&'d str> {
    match chosen {
        Some(chosen) => chosen.iter().map(String::as_str).collect(),
        None => default.to_vec(),
    }
}

/// The text of the window's title; `None` when it is left alone.
pub(crate) fn title_text(desk: &Desk) -> Option<String> {
    let ids = ids(desk.setup.terminal_title.as_deref(), &TITLE_DEFAULT);
    if ids.is_empty() || desk.setup.mode == Mode::Plain {
        return None;
    }
    let items: Vec<String> = ids.into_iter().filter_map(|id| item(id, desk)).collect();
    Some(items.join(" "))
}

/// Sets the title if it changed.
pub(crate) fn keep_title(shown: &mut Option<String>, desk: &mut Desk) {
    let text = title_text(desk);
    let is_first_and_empty = shown.is_none() && text.as_deref() == Some("");
    if text != *shown
        && !is_first_and_empty
        && let Some(text) = &text
    {
        desk.effect(ScreenEffect::Write(title(text)));
    }
    *shown = text;
}

/// Asks the status script, if there is one.
pub(crate) fn ask_script(desk: &mut Desk) {
    if desk.setup.status_script {
        let json = script_input(desk);
        desk.effect(ScreenEffect::StatusScript { json });
    }
}

/// What a status script reads: one line of JSON.
fn script_input(desk: &Desk) -> String {
    let session = &desk.session;
    let config = session.config.as_ref();
    json!({
        "version": desk.setup.version,
        "session_id": session.thread().map(|thread| thread.to_string()),
        "transcript_path": session.ready.as_ref().and_then(|ready| ready.rollout.as_ref()),
        "cwd": desk.setup.cwd,
        "project": short_path(&desk.setup.cwd, &desk.setup),
        "git_branch": desk.branch,
        "model": config.map(|config| &config.model),
        "reasoning_effort": config.and_then(|config| config.reasoning_effort.as_ref()),
        "approval_policy": config.map(|config| config.approval.as_str()),
        "sandbox_mode": config.map(|config| config.sandbox.mode.as_str()),
        "sandbox_tier": desk.setup.sandbox_tier,
        "state": item("run-state", desk),
        "context": {
            "used_tokens": session.context_used(),
            "window_tokens": session.window,
            "left_percent": session.context_left_percent(),
        },
        "total": session.total,
        "cost": crate::app::price(desk).map(|price| crate::cell::cost(&session.total, &price)),
        "queued": session.sent.len(),
        "running_commands": session.commands.len(),
    })
    .to_string()
}
