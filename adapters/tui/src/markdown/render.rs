//! A closed block of markdown as styled lines.

use std::sync::Arc;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use ratatui::style::Style;

use super::{code::Highlighter, table::Table};
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

/// Renders a block: no control codes but `\n` may be in it.
pub(super) fn render(text: &str, paint: &Paint) -> Vec<Line> {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut renderer = Renderer {
        paint,
        lines: Vec::new(),
        line: None,
        styles: Vec::new(),
        link: None,
        prefixes: Vec::new(),
        lists: Vec::new(),
        table: None,
        code: None,
    };
    for event in Parser::new_ext(text, options) {
        renderer.on(event);
    }
    renderer.end_line();
    renderer.lines
}

struct Renderer<'p> {
    paint: &'p Paint,
    lines: Vec<Line>,
    line: Option<Line>,
    styles: Vec<Style>,
    link: Option<Link>,
    /// What each line begins with: quotes, and the indent of lists.
    prefixes: Vec<Prefix>,
    /// The next number of each list; `None` for bullets.
    lists: Vec<Option<u64>>,
    table: Option<Table>,
    /// Inside of a code block.
    code: Option<Option<Highlighter>>,
}

struct Prefix {
    /// For the first line, once.
    first: Option<String>,
    /// For each other line.
    then: String,
}

struct Link {
    target: Arc<str>,
    text: String,
}

impl Renderer<'_> {
    fn on(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match self.code.take() {
                Some(mut code) => {
                    for line in text.lines() {
                        let line = match &mut code {
                            Some(code) => code.line(line, &self.paint.look),
                            None => Line::plain(line),
                        };
                        self.whole_line(line);
                    }
                    self.code = Some(code);
                }
                None => self.text(&text, Style::new()),
            },
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
                        self.text(line, self.paint.look.style(Role::Dim));
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
            Event::Rule => self.whole_line(Line::styled("---", self.paint.look.style(Role::Dim))),
            Event::TaskListMarker(done) => {
                self.text(if done { "[x] " } else { "[ ] " }, Style::new());
            }
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.text(&text, Style::new());
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => {
                self.between();
                let style = self.paint.look.style(Role::Heading);
                self.text(&format!("{} ", "#".repeat(level as usize)), style);
                self.styles.push(style);
            }
            Tag::Paragraph => self.between(),
            Tag::BlockQuote(_) => {
                self.end_line();
                self.prefixes.push(Prefix { first: None, then: "> ".into() });
                self.styles.push(self.paint.look.style(Role::Dim));
            }
            Tag::List(number) => {
                self.end_line();
                self.lists.push(number);
            }
            Tag::Item => {
                self.end_line();
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let mark = format!("{number}. ");
                        *number = number.saturating_add(1);
                        mark
                    }
                    _ => "- ".into(),
                };
                let then = " ".repeat(mark.len());
                self.prefixes.push(Prefix { first: Some(mark), then });
            }
            Tag::CodeBlock(kind) => {
                self.between();
                let language = match kind {
                    CodeBlockKind::Fenced(info) => {
                        let line = Line::styled(format!("```{info}"), self.dim());
                        self.whole_line(line);
                        info.split_whitespace().next().and_then(Highlighter::new)
                    }
                    CodeBlockKind::Indented => {
                        self.prefixes.push(Prefix { first: None, then: "    ".into() });
                        None
                    }
                };
                self.code = Some(language);
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
            TagEnd::Paragraph => self.end_line(),
            TagEnd::Heading(_) => {
                self.styles.pop();
                self.end_line();
            }
            TagEnd::BlockQuote(_) => {
                self.end_line();
                self.styles.pop();
                self.prefixes.pop();
            }
            TagEnd::List(_) => {
                self.end_line();
                self.lists.pop();
            }
            TagEnd::Item => {
                // An item without text is its mark.
                if self.prefixes.last().is_some_and(|prefix| prefix.first.is_some()) {
                    self.open_line();
                }
                self.end_line();
                self.prefixes.pop();
            }
            TagEnd::CodeBlock => {
                if self.prefixes.last().is_some_and(|prefix| prefix.then == "    ")
                    && self.prefixes.len() > self.lists.len()
                {
                    self.prefixes.pop();
                } else {
                    let line = Line::styled("```", self.dim());
                    self.whole_line(line);
                }
                self.code = None;
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
                if let Some(table) = self.table.take() {
                    for line in table.lines(self.paint) {
                        self.whole_line(line);
                    }
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
            None => self.open_line().push_span(span),
        }
    }

    fn open_line(&mut self) -> &mut Line {
        let dim = self.paint.look.style(Role::Dim);
        let prefixes = &mut self.prefixes;
        self.line.get_or_insert_with(|| {
            let mut line = Line::new();
            for prefix in prefixes.iter_mut() {
                let style = if prefix.then == "> " { dim } else { Style::new() };
                let text = prefix.first.take().unwrap_or_else(|| prefix.then.clone());
                line.push(text, style);
            }
            line
        })
    }

    fn whole_line(&mut self, line: Line) {
        self.end_line();
        let open = self.open_line();
        for span in line.spans {
            open.push_span(span);
        }
        self.end_line();
    }

    fn end_line(&mut self) {
        self.lines.extend(self.line.take());
    }

    /// An empty line between two blocks of one item or quote.
    fn between(&mut self) {
        let is_first = self.prefixes.last().is_some_and(|prefix| prefix.first.is_some());
        self.end_line();
        if !self.lines.is_empty() && !is_first && self.lists.len() + self.prefixes.len() > 0 {
            let has_quote = self.prefixes.iter().any(|prefix| prefix.then == "> ");
            self.lines.push(if has_quote { Line::styled(">", self.dim()) } else { Line::new() });
        }
    }
}
