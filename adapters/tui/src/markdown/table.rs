//! Tables, with their pipes, so that what is copied is a table again.

use pulldown_cmark::Alignment;

use super::{
    blocks::{Prefix, cells},
    render::{self, Paint},
};
use crate::{
    text::{Line, Span},
    theme::Role,
};

/// Rows that are waited for before the columns are as wide as they stay.
const ROWS_HELD_MAX: usize = 20;
/// The same for a table that is wider than the screen, of which fewer rows can be seen.
const WIDE_ROWS_HELD_MAX: usize = 5;
/// Bytes of them.
const BYTES_HELD_MAX: usize = 8 * 1024;
/// Columns up to which the cells of a column are aligned when the table is wider than the screen.
const NARROW_MAX: usize = 16;

/// A table that grows. Its columns get their widths from its first rows; then each row leaves when it is
/// complete, and one that is wider only moves its own cells.
#[derive(Clone, Debug)]
pub(super) struct Growing {
    /// What stands before its lines.
    pub(super) prefix: Prefix,
    /// The first two lines.
    head: String,
    /// Rows that have not left.
    held: String,
    count: usize,
    shape: Option<Shape>,
}

impl Growing {
    /// A table by its first line.
    pub(super) fn new(prefix: Prefix, head: &str) -> Self {
        let head = format!("{head}\n");
        Self { prefix, head, held: String::new(), count: 0, shape: None }
    }

    /// Takes a line. Returns those that are final.
    pub(super) fn push(&mut self, line: &str, paint: &Paint) -> Vec<Line> {
        self.count += 1;
        if self.count == 1 {
            self.head.push_str(line);
            self.head.push('\n');
            return Vec::new();
        }
        self.hold(line);
        let is_enough = self.shape.is_some()
            || self.count > ROWS_HELD_MAX
            || self.held.len() > BYTES_HELD_MAX
            || (self.count > WIDE_ROWS_HELD_MAX
                && self.shape_of(paint).is_some_and(|shape| !shape.fits));
        if is_enough { self.finish(paint) } else { Vec::new() }
    }

    /// Keeps a row. What stands in cells that the table does not have is left in its last one: mostly they
    /// come from a pipe within code.
    fn hold(&mut self, line: &str) {
        let columns = cells(self.head.lines().next().unwrap_or_default()).len();
        let row = cells(line);
        if row.len() > columns && columns > 0 {
            self.held.push_str("| ");
            self.held.push_str(&row[..columns].join("|"));
            for cell in &row[columns..] {
                self.held.push_str("\\|");
                self.held.push_str(cell);
            }
            self.held.push('|');
        } else {
            self.held.push_str(line);
        }
        self.held.push('\n');
    }

    fn shape_of(&self, paint: &Paint) -> Option<Shape> {
        let table = render::table(&format!("{}{}", self.head, self.held), paint)?;
        let columns = usize::from(paint.columns).saturating_sub(self.prefix.width());
        Some(table.shape(columns))
    }

    /// The lines that have not left.
    pub(super) fn finish(&mut self, paint: &Paint) -> Vec<Line> {
        let source = format!("{}{}", self.head, std::mem::take(&mut self.held));
        let heads = if self.shape.is_some() { 2 } else { 0 };
        let Some(table) = render::table(&source, paint) else {
            let columns = Vec::new();
            self.shape.get_or_insert(Shape { columns, fits: false });
            return source.lines().skip(heads).map(Line::from).collect();
        };
        let columns = usize::from(paint.columns).saturating_sub(self.prefix.width());
        let shape = self.shape.get_or_insert_with(|| table.shape(columns));
        table.lines(shape, paint).split_off(heads)
    }
}

/// How wide the columns of a table are.
#[derive(Clone, Debug)]
struct Shape {
    columns: Vec<usize>,
    /// Whether the table is not wider than the screen.
    fits: bool,
}

#[derive(Debug)]
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

    /// Columns are aligned if the table fits; else only the narrow ones are, and the terminal wraps
    /// the rows.
    fn shape(&self, columns: usize) -> Shape {
        let count = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![3; count];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        let fits = widths.iter().sum::<usize>() + 3 * count < columns;
        if !fits {
            let narrow = NARROW_MAX.min(columns / 4);
            for width in widths.iter_mut().filter(|width| **width > narrow) {
                *width = 1;
            }
        }
        Shape { columns: widths, fits }
    }

    /// All lines at once.
    pub(super) fn whole(self, paint: &Paint) -> Vec<Line> {
        let shape = self.shape(paint.columns.into());
        self.lines(&shape, paint)
    }

    fn lines(self, shape: &Shape, paint: &Paint) -> Vec<Line> {
        let dim = paint.look.style(Role::Dim);
        let mut lines = Vec::new();
        let count = shape.columns.len();
        let alignments: Vec<Alignment> = (0..count).map(|at| self.alignment(at)).collect();
        let plain = ratatui::style::Style::new();
        for (index, row) in self.rows.into_iter().enumerate() {
            let mut line = Line::new();
            let mut cells = row.into_iter();
            for (width, alignment) in shape.columns.iter().zip(&alignments) {
                line.push("| ", dim);
                let cell = cells.next().unwrap_or_default();
                let pad = width.saturating_sub(cell.width());
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
                let rule = shape.columns.iter().zip(&alignments).map(|(width, alignment)| {
                    let mut dashes = "-".repeat(width + 2);
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
