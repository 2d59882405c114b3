//! Cuts a growing markdown text into blocks that will not change any more.
//!
//! Quotes and items of lists are followed here, line by line as CommonMark does it, so that what they
//! hold is cut like anything else: what is open is never more than one paragraph, and a line of code
//! or a row of a table is final when it ends, however deep it stands. Where a block ends is coarser
//! than in CommonMark: where whatever follows cannot change how it looks.

use crate::text::{clean_line, width};

/// Quotes and items within each other that are followed; what is deeper is shown as it is.
const DEPTH_MAX: usize = 32;
/// Bytes of whole lines of a paragraph beyond which it is cut into two.
const PARAGRAPH_BYTES_MAX: usize = 4 * 1024;

/// A part of the text that is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// A line of a fenced code block.
    Code(String),
    /// The first or the last line of a fenced code block.
    Fence {
        /// As it is.
        line: String,
        /// Of the code that follows; `None` for the last line.
        language: Option<String>,
    },
    /// A line that is shown as it is; an empty one stands between blocks.
    Plain(String),
    /// A line of a table: its head, the line below it, then its rows.
    Row(String),
    /// No more rows come.
    TableEnd,
    /// Anything else, with its line ends: a paragraph, a heading, a rule.
    Text(String),
}

/// A block and what stands before its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) prefix: Prefix,
    pub(super) block: Block,
}

/// What lines begin with: marks of quotes and lists, or as much room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prefix(pub(super) Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Columns below the mark of a list.
    Indent(usize),
    /// The mark of a list, for the first line.
    Mark(String),
    /// The mark of a quote.
    Quote,
}

impl Prefix {
    /// Columns of it.
    pub(super) fn width(&self) -> usize {
        let of = |part: &Part| match part {
            Part::Indent(columns) => *columns,
            Part::Mark(mark) => width(mark),
            Part::Quote => 2,
        };
        self.0.iter().map(of).sum()
    }

    /// Takes the marks of lists: what comes is below them.
    pub(super) fn go_on(&mut self) {
        for part in &mut self.0 {
            if let Part::Mark(mark) = part {
                *part = Part::Indent(width(mark));
            }
        }
    }
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    /// A line that has not ended.
    line: String,
    containers: Vec<Container>,
    leaf: Leaf,
    /// Empty lines that are shown when something follows, by how many containers they stand in.
    blanks: Vec<usize>,
    has_begun: bool,
}

/// What holds blocks.
#[derive(Clone, Debug)]
enum Container {
    /// An item of a list.
    Item {
        /// Columns before its mark.
        at: usize,
        /// Columns before its content.
        content: usize,
        is_ordered: bool,
        /// Until it is shown.
        mark: Option<String>,
        /// Columns of the mark as it is shown.
        width: usize,
    },
    Quote,
}

/// What is open in the innermost container.
#[derive(Clone, Debug, Default)]
enum Leaf {
    /// A fenced code block.
    Code(Fence),
    #[default]
    Nothing,
    Table,
    /// A paragraph or such.
    Text(String),
}

/// What closes a fenced code block.
#[derive(Clone, Copy, Debug)]
struct Fence {
    mark: char,
    count: usize,
    /// Columns before it, which are taken from each line.
    indent: usize,
}

impl Blocks {
    pub(super) fn push(&mut self, delta: &str) -> Vec<Placed> {
        let mut out = Vec::new();
        let mut rest = delta;
        while let Some(end) = rest.find('\n') {
            self.line.push_str(&rest[..end]);
            self.end_line(&mut out);
            rest = &rest[end + 1..];
        }
        self.line.push_str(rest);
        out
    }

    pub(super) fn finish(&mut self) -> Vec<Placed> {
        let mut out = Vec::new();
        if !self.line.is_empty() {
            self.end_line(&mut out);
        }
        self.close_to(0, &mut out);
        self.blanks.clear();
        out
    }

    /// The paragraph that is open, and the line that has not ended.
    pub(super) fn open(&self) -> (&str, &str) {
        match &self.leaf {
            Leaf::Text(text) => (text, &self.line),
            Leaf::Code(_) | Leaf::Nothing | Leaf::Table => ("", &self.line),
        }
    }

    /// Without the line that has not ended, if it does not tell yet what it will be: a dash may begin an
    /// item or make a heading of the line above.
    pub(super) fn without_riddle(&self) -> Self {
        let is_mark = |char: char| "-=*_+>#`~|:.) ".contains(char) || char.is_ascii_digit();
        let is_riddle = self.line.len() < 512 && self.line.chars().all(is_mark);
        let is_code = matches!(self.leaf, Leaf::Code(_));
        let line = if is_riddle && !is_code { String::new() } else { self.line.clone() };
        Self { line, ..self.clone() }
    }

    /// What stands before the lines of the open block.
    pub(super) fn prefix(&self) -> Prefix {
        self.clone().take_prefix()
    }

    fn end_line(&mut self, out: &mut Vec<Placed>) {
        let line = std::mem::take(&mut self.line);
        self.on_line(&clean_line(line.strip_suffix('\r').unwrap_or(&line)), out);
    }

    fn on_line(&mut self, line: &str, out: &mut Vec<Placed>) {
        let (matched, mut rest) = self.matched(line);
        let is_inside = matched == self.containers.len();
        if let (Leaf::Code(fence), true) = (&self.leaf, is_inside) {
            let fence = *fence;
            return self.on_code(rest, fence, out);
        }
        if rest.trim().is_empty() {
            self.close_to(matched, out);
            if self.has_mark() {
                self.emit(Block::Plain(String::new()), out);
            }
            if self.has_begun {
                self.blanks.push(matched);
            }
            return;
        }
        self.has_begun = true;
        let mut is_paragraph = is_inside && matches!(self.leaf, Leaf::Text(_));
        let mut depth = matched;
        while depth < DEPTH_MAX
            && let Some((container, inner)) = begin_container(rest, is_paragraph)
        {
            if depth == matched {
                self.close_to(matched, out);
            }
            self.containers.push(container);
            (rest, is_paragraph, depth) = (inner, false, depth + 1);
        }
        if rest.is_empty() {
            return;
        }
        if !is_inside && depth == matched {
            if let Leaf::Text(text) = &mut self.leaf
                && !begins_block(rest)
            {
                if let Some(head) = take_head(text, rest) {
                    self.close_to(matched, out);
                    return self.begin_table(head, rest, out);
                }
                // A paragraph goes on without the marks of what it stands in.
                text.push_str(rest);
                text.push('\n');
                return;
            }
            self.close_to(matched, out);
        }
        self.on_leaf(rest, out);
    }

    /// How many containers a line stays in, and what is left of it.
    fn matched<'l>(&self, line: &'l str) -> (usize, &'l str) {
        let mut rest = line;
        for (index, container) in self.containers.iter().enumerate() {
            let inner = match container {
                Container::Item { at, content, is_ordered, .. } => {
                    let indent = indent_of(rest);
                    // Less room than the mark takes is enough, but not for the next item.
                    let is_near = || {
                        let next = item_of(&rest[indent..]);
                        indent >= at + 2 && next.is_none_or(|next| next.is_ordered != *is_ordered)
                    };
                    let is_in = rest.len() == indent || indent >= *content || is_near();
                    is_in.then(|| &rest[indent.min(*content)..])
                }
                Container::Quote => after_quote(rest),
            };
            match inner {
                Some(inner) => rest = inner,
                None => return (index, rest),
            }
        }
        (self.containers.len(), rest)
    }

    fn on_code(&mut self, line: &str, fence: Fence, out: &mut Vec<Placed>) {
        if closes(line, fence) {
            self.leaf = Leaf::Nothing;
            return self.emit(Block::Fence { line: line.trim().to_owned(), language: None }, out);
        }
        let from = indent_of(line).min(fence.indent);
        self.emit(Block::Code(line[from..].to_owned()), out);
    }

    fn on_leaf(&mut self, line: &str, out: &mut Vec<Placed>) {
        match &mut self.leaf {
            Leaf::Text(text) if is_underline(line) => {
                text.push_str(line);
                self.close_leaf(out);
            }
            Leaf::Text(text) if !begins_block(line) => {
                if let Some(head) = take_head(text, line) {
                    self.close_leaf(out);
                    return self.begin_table(head, line, out);
                }
                text.push_str(line);
                text.push('\n');
                if text.len() > PARAGRAPH_BYTES_MAX {
                    self.close_leaf(out);
                }
            }
            Leaf::Table if line.contains('|') && !begins_block(line) => {
                self.emit(Block::Row(line.to_owned()), out);
            }
            Leaf::Code(_) | Leaf::Nothing | Leaf::Table | Leaf::Text(_) => {
                self.close_leaf(out);
                self.begin(line, out);
            }
        }
    }

    fn begin(&mut self, line: &str, out: &mut Vec<Placed>) {
        if indent_of(line) >= CODE_INDENT || begin_container(line, false).is_some() {
            // Code by its indent, or deeper than is followed.
            self.emit(Block::Plain(line.to_owned()), out);
        } else if let Some((fence, language)) = fence_of(line) {
            let line = line.trim().to_owned();
            self.emit(Block::Fence { line, language: Some(language) }, out);
            self.leaf = Leaf::Code(fence);
        } else if begins_block(line) {
            self.emit(Block::Text(format!("{line}\n")), out);
        } else {
            self.leaf = Leaf::Text(format!("{line}\n"));
        }
    }

    fn begin_table(&mut self, head: String, line: &str, out: &mut Vec<Placed>) {
        self.emit(Block::Row(head), out);
        self.emit(Block::Row(line.to_owned()), out);
        self.leaf = Leaf::Table;
    }

    fn close_leaf(&mut self, out: &mut Vec<Placed>) {
        match std::mem::take(&mut self.leaf) {
            Leaf::Code(_) | Leaf::Nothing => {}
            Leaf::Table => self.emit(Block::TableEnd, out),
            Leaf::Text(text) if text.is_empty() => {}
            Leaf::Text(text) => self.emit(Block::Text(text), out),
        }
    }

    /// Closes what is open in the first `depth` containers, and those behind them.
    fn close_to(&mut self, depth: usize, out: &mut Vec<Placed>) {
        self.close_leaf(out);
        while self.containers.len() > depth {
            if self.has_mark() {
                // An item without text is its mark.
                self.emit(Block::Plain(String::new()), out);
            }
            self.containers.pop();
        }
        for blank in &mut self.blanks {
            *blank = depth.min(*blank);
        }
    }

    fn emit(&mut self, block: Block, out: &mut Vec<Placed>) {
        for depth in std::mem::take(&mut self.blanks) {
            let part = |container: &Container| match container {
                Container::Item { width, .. } => Part::Indent(*width),
                Container::Quote => Part::Quote,
            };
            let prefix = Prefix(self.containers.iter().take(depth).map(part).collect());
            out.push(Placed { prefix, block: Block::Plain(String::new()) });
        }
        out.push(Placed { prefix: self.take_prefix(), block });
    }

    fn take_prefix(&mut self) -> Prefix {
        let part = |container: &mut Container| match container {
            Container::Item { mark, width, .. } => {
                mark.take().map_or(Part::Indent(*width), Part::Mark)
            }
            Container::Quote => Part::Quote,
        };
        Prefix(self.containers.iter_mut().map(part).collect())
    }

    /// Whether the mark of an item waits for what it stands before.
    fn has_mark(&self) -> bool {
        let waits =
            |container: &Container| matches!(container, Container::Item { mark: Some(_), .. });
        self.containers.iter().any(waits)
    }
}

/// Columns from which a line is code.
const CODE_INDENT: usize = 4;

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The quote or the item that a line begins, and what is in it. A paragraph that is open is ended by
/// few of them.
fn begin_container(line: &str, is_paragraph: bool) -> Option<(Container, &str)> {
    if let Some(inner) = after_quote(line) {
        return Some((Container::Quote, inner));
    }
    let at = indent_of(line);
    let item = item_of(&line[at..]).filter(|_| at < CODE_INDENT && !is_rule(line))?;
    let inner = &line[at + item.mark_bytes..];
    let is_empty = inner.trim().is_empty();
    if is_paragraph && (is_empty || (item.is_ordered && item.number != 1)) {
        return None;
    }
    let room = indent_of(inner);
    // What stands far behind the mark is code.
    let room = if is_empty || room > CODE_INDENT { 1 } else { room };
    let mark = format!("{} ", if item.is_ordered { &line[at..at + item.mark_bytes] } else { "-" });
    let container = Container::Item {
        at,
        content: at + item.mark_bytes + room,
        is_ordered: item.is_ordered,
        width: mark.len(),
        mark: Some(mark),
    };
    Some((container, if is_empty { "" } else { &inner[room..] }))
}

/// What is behind the mark of a quote.
fn after_quote(line: &str) -> Option<&str> {
    let indent = indent_of(line);
    let inner = line[indent..].strip_prefix('>').filter(|_| indent < CODE_INDENT)?;
    Some(inner.strip_prefix(' ').unwrap_or(inner))
}

struct Item {
    mark_bytes: usize,
    is_ordered: bool,
    number: u32,
}

/// The mark of a list at the start of a line.
fn item_of(bare: &str) -> Option<Item> {
    let digits = bare.len() - bare.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    let rest = match digits {
        0 => bare.strip_prefix(['-', '*', '+']),
        1..=9 => bare[digits..].strip_prefix(['.', ')']),
        _ => None,
    }?;
    let number = bare[..digits].parse().unwrap_or(0);
    let item = Item { mark_bytes: digits + 1, is_ordered: digits > 0, number };
    (rest.is_empty() || rest.starts_with(' ')).then_some(item)
}

/// Whether a line begins a block whatever came before it.
fn begins_block(line: &str) -> bool {
    is_heading(line) || is_rule(line) || fence_of(line).is_some()
}

fn is_heading(line: &str) -> bool {
    let indent = indent_of(line);
    let line = &line[indent..];
    let level = line.len() - line.trim_start_matches('#').len();
    let is_apart = line[level..].chars().next().is_none_or(|char| char == ' ');
    indent < CODE_INDENT && (1..=6).contains(&level) && is_apart
}

/// `---`, `***`, `___`.
fn is_rule(line: &str) -> bool {
    let mut marks = line.chars().filter(|char| *char != ' ');
    let Some(mark @ ('-' | '*' | '_')) = marks.next() else { return false };
    let mut count = 1;
    for char in marks {
        if char != mark {
            return false;
        }
        count += 1;
    }
    count >= 3 && indent_of(line) < CODE_INDENT
}

/// What makes a heading of the lines before it.
fn is_underline(line: &str) -> bool {
    let indent = indent_of(line);
    let line = line.trim();
    let is_all = |mark| line.chars().all(|char| char == mark);
    indent < CODE_INDENT && line.len() >= 2 && (is_all('=') || is_all('-'))
}

/// Takes the last line of a paragraph if with the next one it is the head of a table.
fn take_head(text: &mut String, line: &str) -> Option<String> {
    let at = text.trim_end_matches('\n').rfind('\n').map_or(0, |at| at + 1);
    let mut head = is_table(&text[at..], line).then(|| text.split_off(at))?;
    head.truncate(head.trim_end().len());
    Some(head)
}

/// Whether two lines are the head of a table and the line below it.
fn is_table(head: &str, line: &str) -> bool {
    let is_column = |cell: &str| {
        let cell = cell.trim();
        let dashes = cell.strip_prefix(':').unwrap_or(cell);
        let dashes = dashes.strip_suffix(':').unwrap_or(dashes);
        !dashes.is_empty() && dashes.bytes().all(|byte| byte == b'-')
    };
    let columns = cells(line);
    indent_of(line) < CODE_INDENT
        && line.contains('|')
        && columns.iter().all(|cell| is_column(cell))
        && cells(head).len() == columns.len()
}

/// The cells of a row of a table.
pub(super) fn cells(row: &str) -> Vec<&str> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let mut cells = Vec::new();
    let (mut from, mut is_escaped) = (0, false);
    for (at, byte) in row.bytes().enumerate() {
        if byte == b'|' && !is_escaped {
            cells.push(&row[from..at]);
            from = at + 1;
        }
        is_escaped = byte == b'\\' && !is_escaped;
    }
    if from < row.len() {
        cells.push(&row[from..]);
    }
    cells
}

/// The fence that a line opens, and the language behind it.
fn fence_of(line: &str) -> Option<(Fence, String)> {
    let indent = indent_of(line);
    if indent >= CODE_INDENT {
        return None;
    }
    let bare = &line[indent..];
    let mark = bare.chars().next().filter(|char| matches!(char, '`' | '~'))?;
    let info = bare.trim_start_matches(mark);
    let count = bare.len() - info.len();
    // A line of code between backticks is no fence.
    if count < 3 || (mark == '`' && info.contains('`')) {
        return None;
    }
    let language = info.split_whitespace().next().unwrap_or_default();
    Some((Fence { mark, count, indent }, language.to_owned()))
}

fn closes(line: &str, fence: Fence) -> bool {
    let indent = indent_of(line);
    let rest = line[indent..].trim_start_matches(fence.mark);
    let count = line.len() - indent - rest.len();
    indent < CODE_INDENT && count >= fence.count && rest.trim().is_empty()
}
