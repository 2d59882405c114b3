//! A paragraph, a heading or a table of markdown as styled lines.

use std::sync::Arc;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use ratatui::style::Style;

use super::table::Table;
use crate::{
    text::{Line, Span},
    theme::{Look, Role},
};

/// How text is painted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paint {
    /// Colours.
    pub look: Look,
    /// Whether links are shown by the terminal.
    pub hyperlinks: bool,
    /// Columns there are, for tables.
    pub columns: u16,
    /// Whether the marks of emphasis are kept, because nothing else would show it.
    pub keeps_marks: bool,
}

/// The first or last line of a code block.
pub(super) fn fence(line: &str, paint: &Paint) -> Line {
    Line::styled(line, paint.look.style(Role::Dim))
}

const OPTIONS: Options =
    Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH).union(Options::ENABLE_MATH);

/// Renders a block that holds no others: no control codes but `\n` may be in it.
pub(super) fn render(text: &str, paint: &Paint) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut text = text;
    loop {
        let parser = Parser::new_ext(text, OPTIONS);
        // Targets of links by name stand at the start. They are shown, since what refers to them may be
        // in another block.
        let defined = parser.reference_definitions().iter();
        let end = defined.map(|(_, definition)| definition.span.end).max().unwrap_or(0);
        if end == 0 {
            let mut renderer = Renderer::new(text, paint);
            renderer.run();
            lines.append(&mut renderer.lines);
            return lines;
        }
        let shown = text[..end].lines().map(|line| {
            let target = line.split_whitespace().nth(1).map(|target| {
                let bare = target.strip_prefix('<').and_then(|bare| bare.strip_suffix('>'));
                bare.unwrap_or(target).into()
            });
            let style = paint.look.style(Role::Link);
            let mut shown = Line::new();
            shown.push_span(Span { text: line.into(), style, link: target });
            shown
        });
        lines.extend(shown);
        text = text[end..].trim_start_matches('\n');
        if text.trim().is_empty() {
            return lines;
        }
    }
}

/// Reads a text that is one table; `None` when it is none.
pub(super) fn table(text: &str, paint: &Paint) -> Option<Table> {
    let mut renderer = Renderer { wants_table: true, ..Renderer::new(text, paint) };
    renderer.run();
    renderer.done
}

struct Renderer<'p> {
    source: &'p str,
    paint: &'p Paint,
    lines: Vec<Line>,
    line: Option<Line>,
    styles: Vec<Style>,
    link: Option<Link>,
    table: Option<Table>,
    /// Whether a table is kept, not drawn.
    wants_table: bool,
    /// A table that is complete.
    done: Option<Table>,
    /// Where the last text ended in the source.
    at: usize,
    /// Between `\(` and `\)`, or `\[` and `\]`.
    is_formula: bool,
}

struct Link {
    target: Arc<str>,
    text: String,
}

impl<'p> Renderer<'p> {
    fn new(source: &'p str, paint: &'p Paint) -> Self {
        Self {
            source,
            paint,
            lines: Vec::new(),
            line: None,
            styles: Vec::new(),
            link: None,
            table: None,
            wants_table: false,
            done: None,
            at: 0,
            is_formula: false,
        }
    }

    fn run(&mut self) {
        for (event, range) in Parser::new_ext(self.source, OPTIONS).into_offset_iter() {
            if let Event::Text(_) = &event {
                self.escape(range.start);
            }
            // What begins is entered, all else is passed.
            self.at = if matches!(event, Event::Start(_)) { range.start } else { range.end };
            self.on(event);
        }
        self.end_line();
    }

    /// Shows the backslash before a text where it is no mark of markdown but of a formula.
    fn escape(&mut self, start: usize) {
        let before = self.source.get(self.at..start).unwrap_or_default();
        let next = self.source.get(start..).and_then(|rest| rest.chars().next());
        if !before.ends_with('\\') {
            return;
        }
        let is_edge = matches!(next, Some('(' | ')' | '[' | ']'));
        if is_edge {
            self.is_formula = matches!(next, Some('(' | '['));
        }
        if is_edge || self.is_formula {
            self.text("\\", Style::new());
        }
    }

    fn on(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.text(&text, Style::new()),
            Event::Code(text) => {
                let style = self.paint.look.style(Role::Code);
                if self.paint.keeps_marks {
                    self.text(&format!("`{text}`"), style);
                } else {
                    self.text(&text, style);
                }
            }
            Event::Html(text) | Event::InlineHtml(text) => {
                for (index, line) in text.split('\n').enumerate() {
                    if index > 0 {
                        self.end_line();
                    }
                    if !line.is_empty() {
                        self.text(line, self.dim());
                    }
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if self.table.is_some() {
                    self.text(" ", Style::new());
                } else {
                    self.end_line();
                }
            }
            Event::Rule => {
                let style = self.dim();
                self.text("---", style);
                self.end_line();
            }
            Event::InlineMath(text) => self.formula("$", &text),
            Event::DisplayMath(text) => self.formula("$$", &text),
            Event::FootnoteReference(text) => self.text(&text, Style::new()),
            Event::TaskListMarker(_) => {}
        }
    }

    /// A formula as it is.
    fn formula(&mut self, mark: &str, text: &str) {
        let text = format!("{mark}{text}{mark}");
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 && self.table.is_none() {
                self.end_line();
            }
            self.text(line, Style::new());
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => {
                let style = self.paint.look.style(Role::Heading);
                self.text(&format!("{} ", "#".repeat(level as usize)), style);
                self.styles.push(style);
            }
            Tag::Emphasis => self.mark("*", Role::Emphasis),
            Tag::Strong => self.mark("**", Role::Strong),
            Tag::Strikethrough => {
                self.text("~~", Style::new());
                self.styles.push(Style::new());
            }
            Tag::Link { dest_url, .. } => {
                self.link = Some(Link { target: (&*dest_url).into(), text: String::new() });
                self.styles.push(self.paint.look.style(Role::Link));
            }
            Tag::Image { dest_url, .. } => {
                self.text("[image: ", self.dim());
                self.link = Some(Link { target: (&*dest_url).into(), text: String::new() });
                self.styles.push(Style::new());
            }
            Tag::Table(alignments) => {
                self.end_line();
                self.table = Some(Table::new(alignments));
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.row();
                }
            }
            Tag::TableCell => {
                if let Some(table) = &mut self.table {
                    table.cell();
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.end_line(),
            TagEnd::Heading(_) => {
                self.styles.pop();
                self.end_line();
            }
            TagEnd::Emphasis => self.unmark("*"),
            TagEnd::Strong => self.unmark("**"),
            TagEnd::Strikethrough => {
                self.styles.pop();
                self.text("~~", Style::new());
            }
            TagEnd::Link => {
                self.styles.pop();
                self.end_link(false);
            }
            TagEnd::Image => {
                self.styles.pop();
                self.end_link(true);
            }
            TagEnd::Table => {
                let table = self.table.take();
                if self.wants_table {
                    self.done = table;
                } else if let Some(table) = table {
                    // `blocks` took it for a paragraph.
                    self.lines.extend(table.whole(self.paint));
                }
            }
            _ => {}
        }
    }

    fn dim(&self) -> Style {
        self.paint.look.style(Role::Dim)
    }

    fn mark(&mut self, mark: &str, role: Role) {
        let style = self.paint.look.style(role);
        if self.paint.keeps_marks {
            self.text(mark, style);
        }
        self.styles.push(style);
    }

    fn unmark(&mut self, mark: &str) {
        let style = self.styles.pop().unwrap_or_default();
        if self.paint.keeps_marks {
            self.text(mark, style);
        }
    }

    /// A target that the text does not tell is written behind it, if the terminal does not show
    /// links, or the text claims another one.
    fn end_link(&mut self, is_image: bool) {
        let Some(Link { target, text }) = self.link.take() else { return };
        if is_image {
            self.text("]", self.dim());
        }
        let claims = text.contains("://") || text.starts_with("www.");
        if *text != *target && (is_image || claims || !self.paint.hyperlinks) && !target.is_empty()
        {
            self.text(&format!(" ({target})"), self.dim());
        }
    }

    fn text(&mut self, text: &str, style: Style) {
        if text.is_empty() {
            return;
        }
        let style =
            self.styles.iter().fold(Style::new(), |all, style| all.patch(*style)).patch(style);
        let link = self.link.as_mut().map(|link| {
            link.text.push_str(text);
            Arc::clone(&link.target)
        });
        let span = Span { text: text.to_owned(), style, link };
        match &mut self.table {
            Some(table) => table.push(span),
            None => self.line.get_or_insert_default().push_span(span),
        }
    }

    fn end_line(&mut self) {
        self.lines.extend(self.line.take());
    }
}
