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
}
