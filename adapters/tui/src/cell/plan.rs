//! The model's plan.

use codex_proto::item::{PlanItem, StepStatus};

use super::Context;
use crate::{
    text::{Line, clean, clean_line},
    theme::Role,
};

/// A plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan(pub PlanItem);

impl Plan {
    pub(super) fn lines(&self, cx: &Context) -> Vec<Line> {
        let look = &cx.paint.look;
        let mut lines = vec![Line::styled("plan", look.style(Role::Strong))];
        let explanation = self.0.explanation.as_deref().unwrap_or_default();
        lines.extend(
            clean(explanation).lines().map(|line| Line::styled(line, look.style(Role::Dim))),
        );
        for step in &self.0.steps {
            let (mark, role) = match step.status {
                StepStatus::Completed => ("[x] ", Role::Dim),
                StepStatus::InProgress => ("[>] ", Role::Accent),
                StepStatus::Pending => ("[ ] ", Role::Plain),
            };
            let style = look.style(role);
            lines.push(Line::styled(mark, style).with(clean_line(&step.step), style));
        }
        lines
    }

    /// In at most about `most` rows: with its heading, and the steps around the one that is done now.
    pub(super) fn live(&self, cx: &Context, most: usize) -> Vec<Line> {
        // An empty row, the heading, and what is left out before and after.
        const OTHERS: usize = 4;
        let mut lines = self.lines(cx);
        if lines.len() < most || most <= OTHERS {
            return lines;
        }
        let rows = most - OTHERS;
        let steps = lines.split_off(1);
        let done = self.0.steps.iter().take_while(|step| step.status == StepStatus::Completed);
        let now = steps.len() - self.0.steps.len() + done.count();
        let from = now.saturating_sub(rows / 3).min(steps.len() - rows);
        let after = steps.len() - from - rows;
        let dim = cx.paint.look.style(Role::Dim);
        let more = |count: usize, place| {
            (count > 0).then(|| Line::styled(format!("\u{2026} {count} {place}"), dim))
        };
        lines.extend(more(from, "before"));
        lines.extend(steps.into_iter().skip(from).take(rows));
        lines.extend(more(after, "more"));
        lines
    }
}
