//! Tables, with their pipes, so that what is copied is a table again.

use pulldown_cmark::Alignment;

use super::render::Paint;
use crate::{
    text::{Line, Span},
    theme::Role,
};

pub(super) struct Table {
    alignments: Vec<Alignment>,
    rows: Vec<Vec<Line>>,
}

impl Table {
    pub(super) fn new(alignments: Vec<Alignment>) -> Self {
        Self { alignments, rows: Vec::new() }
    }

    fn alignment(&self, column: usize) -> Alignment {
        self.alignments.get(column).copied().unwrap_or(Alignment::None)
    }

    pub(super) fn row(&mut self) {
        self.rows.push(Vec::new());
    }

    pub(super) fn cell(&mut self) {
        if let Some(row) = self.rows.last_mut() {
            row.push(Line::new());
        }
    }

    pub(super) fn push(&mut self, span: Span) {
        if let Some(cell) = self.rows.last_mut().and_then(|row| row.last_mut()) {
            cell.push_span(span);
        }
    }

    /// Columns are aligned if the table fits; else each row is as short as it can be, and the
    /// terminal wraps it.
    pub(super) fn lines(self, paint: &Paint) -> Vec<Line> {
        let count = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![3; count];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        let fits = widths.iter().sum::<usize>() + 3 * count < usize::from(paint.columns);
        let dim = paint.look.style(Role::Dim);
        let mut lines = Vec::new();
        let alignments: Vec<Alignment> = (0..count).map(|at| self.alignment(at)).collect();
        let plain = ratatui::style::Style::new();
        for (index, row) in self.rows.into_iter().enumerate() {
            let mut line = Line::new();
            let mut cells = row.into_iter();
            for (width, alignment) in widths.iter().zip(&alignments) {
                line.push("| ", dim);
                let cell = cells.next().unwrap_or_default();
                let pad = if fits { width.saturating_sub(cell.width()) } else { 0 };
                let before = match alignment {
                    Alignment::Center => pad / 2,
                    Alignment::Right => pad,
                    Alignment::Left | Alignment::None => 0,
                };
                line.push(" ".repeat(before), plain);
                for mut span in cell.spans {
                    if index == 0 {
                        span.style = span.style.patch(paint.look.style(Role::Strong));
                    }
                    line.push_span(span);
                }
                line.push(" ".repeat(pad - before + 1), plain);
            }
            line.push("|", dim);
            lines.push(line);
            if index == 0 {
                let rule = widths.iter().zip(&alignments).map(|(width, alignment)| {
                    let mut dashes = "-".repeat(if fits { width + 2 } else { 3 });
                    if matches!(alignment, Alignment::Left | Alignment::Center) {
                        dashes.replace_range(..1, ":");
                    }
                    if matches!(alignment, Alignment::Right | Alignment::Center) {
                        dashes.replace_range(dashes.len() - 1.., ":");
                    }
                    dashes
                });
                let rule = format!("|{}|", rule.collect::<Vec<_>>().join("|"));
                lines.push(Line::styled(rule, dim));
            }
        }
        lines
    }
}
