//! What a turn took.

use codex_proto::event::Usage;

use super::Context;
use crate::{
    setup::Price,
    text::{Line, duration, grouped},
    theme::Role,
};

/// The end of a turn in numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Footer {
    /// Wall time.
    pub duration_ms: u64,
    /// Tokens of this turn.
    pub usage: Usage,
    /// How much of the model's window is left.
    pub context_left_percent: Option<u64>,
    /// What its tokens cost.
    pub price: Option<Price>,
    /// Whether the user stopped it.
    pub is_interrupted: bool,
}

impl Footer {
    pub(super) fn lines(&self, cx: &Context) -> Vec<Line> {
        let look = &cx.paint.look;
        let mut parts = vec![duration(self.duration_ms)];
        let usage = &self.usage;
        let cached = usage.cached_input_tokens.saturating_mul(100);
        if let Some(cached) = cached.checked_div(usage.input_tokens) {
            parts.push(format!("{} in ({cached} % cached)", grouped(usage.input_tokens)));
        }
        if usage.output_tokens > 0 {
            parts.push(format!("{} out", grouped(usage.output_tokens)));
        }
        if let Some(price) = &self.price {
            parts.push(format!("{}{:.2}", price.currency, cost(usage, price)));
        }
        // Last, since the status line has it, too.
        if let Some(left) = self.context_left_percent {
            parts.push(format!("{left} % context left"));
        }
        let mut line = Line::new();
        if self.is_interrupted {
            line.push("stopped \u{b7} ", look.style(Role::Warn));
        }
        let whole = |line: &Line, parts: &[String]| {
            line.clone().with(parts.join(" \u{b7} "), look.style(Role::Dim))
        };
        // What does not fit is left out from the end, but for the time.
        while !cx.plain
            && parts.len() > 1
            && whole(&line, &parts).width() > usize::from(cx.paint.columns)
        {
            parts.pop();
        }
        vec![whole(&line, &parts)]
    }
}

/// What tokens cost.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
pub(crate) fn cost(usage: &Usage, price: &Price) -> f64 {
    let fresh = usage.input_tokens.saturating_sub(usage.cached_input_tokens);
    let sum = fresh as f64 * price.input
        + usage.cached_input_tokens as f64 * price.cached
        + usage.output_tokens as f64 * price.output;
    sum / 1_000_000.0
}
