//! `/context`.

use super::Command;
use crate::{
    desk::Desk,
    setup::Mode,
    text::{Line, grouped},
    theme::Role,
};

pub(super) const CONTEXT: Command = Command {
    name: "context",
    aliases: &["tokens", "usage"],
    about: "show how much of the model's window is used",
    run: |desk, _| {
        if desk.session.context_used().is_none() {
            return Err("nothing was sent to the model yet".into());
        }
        let lines = lines(desk);
        desk.tell(lines);
        Ok(())
    },
    ..Command::BASE
};

/// Cells of the bar.
const BAR_CELLS: u64 = 20;

fn lines(desk: &Desk) -> Vec<Line> {
    let session = &desk.session;
    let dim = desk.look.style(Role::Dim);
    let plain = desk.look.style(Role::Plain);
    let last = &session.last;
    let used = session.context_used().unwrap_or(0);
    let mut lines = vec![Line::styled("Context", desk.look.style(Role::Strong))];
    if let Some(window) = session.window.filter(|window| *window > 0) {
        let full = used.saturating_mul(BAR_CELLS).div_ceil(window).min(BAR_CELLS);
        let cells = |count: u64, cell: &str| cell.repeat(usize::try_from(count).unwrap_or(0));
        let left = session.context_left_percent().unwrap_or(0);
        let role = if left < 10 { Role::Warn } else { Role::Accent };
        let bar = match desk.setup.mode {
            // No pictures made of characters.
            Mode::Plain => Line::new(),
            _ => Line::styled(format!("  {}", cells(full, "█")), desk.look.style(role))
                .with(cells(BAR_CELLS - full, "░"), dim),
        };
        lines.push(bar.with(format!("  {left} % left"), plain));
        let text = format!("{} of {} tokens", grouped(used), grouped(window));
        lines.push(Line::styled("  used       ", dim).with(text, plain));
    } else {
        let text = format!("{} tokens; the window of this model is not known", grouped(used));
        lines.push(Line::styled("  used       ", dim).with(text, plain));
    }
    let fresh = last.input_tokens.saturating_sub(last.cached_input_tokens);
    let percent = last.cached_input_tokens.saturating_mul(100) / last.input_tokens.max(1);
    let cached = grouped(last.cached_input_tokens);
    let rows = [
        ("input", format!("{} tokens in the last request", grouped(last.input_tokens))),
        ("from cache", format!("{cached} ({percent} %), {} not", grouped(fresh))),
        (
            "answer",
            format!(
                "{} tokens, {} of them reasoning",
                grouped(last.output_tokens),
                grouped(last.reasoning_output_tokens)
            ),
        ),
    ];
    lines.extend(
        rows.into_iter()
            .map(|(name, text)| Line::styled(format!("  {name:<11}"), dim).with(text, plain)),
    );
    lines
}
