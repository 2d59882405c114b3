//! What two terminals keep after much text and many resizes: each line of the transcript exactly
//! once, in order, and the cursor at the caret after each frame.
//!
//! What "exactly once" means:
//!
//! - A terminal that wraps rows anew (`alacritty_terminal`): its rows, joined where it wrapped them,
//!   are the transcript, line by line and character by character.
//! - A terminal that cuts rows (`vt100`, as xterm does): on each resize to fewer columns it forgets
//!   the ends of the rows on the screen, and nobody can bring them back. So the beginnings of the
//!   lines are compared: each is there once, in order, and nothing else begins a line.
//!
//! Both hold as long as the live region, wrapped anew, fits the screen. Rows of it that a terminal
//! pushes out at the top when it becomes smaller than that stay in its scrollback; the transcript's
//! lines stay exactly once.

#![expect(clippy::unwrap_used, reason = "a test")]

mod harness;

use std::num::NonZeroU16;

use alacritty_terminal::{
    event::VoidListener,
    grid::Dimensions,
    index::{Column, Line as Row},
    term::{Config, Term, cell::Flags},
    vte::ansi::Processor,
};
use codex_proto::{Mono, Now, Wall};
use codex_tui::{
    AppState, Msg, ScreenEffect, Setup,
    frame::{LinkAt, Scene, Writer},
    key::Key,
    setup::Mode,
    text::{Break, Line, draw, wrap},
};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

/// Lines of the transcript.
const LINES: usize = 5_000;
/// Resizes while they are printed.
const RESIZES: usize = 100;

/// A small linear congruential generator; a test needs no more.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// A live region of a few rows, a caret somewhere in it, and words that lead somewhere.
struct Region {
    rows: Vec<String>,
    caret: Position,
    links: Vec<LinkAt>,
}

impl Region {
    fn roll(dice: &mut Dice) -> Self {
        let count = 1 + dice.below(5);
        let rows: Vec<String> = (0..count).map(|_| text(dice, 200)).collect();
        let y = dice.below(count);
        let x = dice.below(rows[y].chars().count() + 1);
        let caret = Position::new(u16::try_from(x).unwrap(), u16::try_from(y).unwrap());
        let links = (0_u16..).zip(&rows).filter(|(_, row)| row.starts_with("word"));
        let links = links.map(|(y, _)| LinkAt {
            y,
            from: 0,
            to: 4,
            target: format!("https://x.test/{}", dice.below(2)).into(),
        });
        Self { links: links.collect(), rows, caret }
    }

    /// Where each cell of a row leads.
    fn link(&self, x: u16, y: u16) -> Option<String> {
        let is_at = |link: &&LinkAt| link.y == y && (link.from..link.to).contains(&x);
        self.links.iter().find(is_at).map(|link| link.target.to_string())
    }
}

impl Scene for Region {
    fn height(&mut self, _columns: u16, rows: u16) -> u16 {
        u16::try_from(self.rows.len()).unwrap().min(rows)
    }

    fn view(&mut self, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        for (y, row) in (0..).zip(&self.rows) {
            draw(&Line::plain(&**row), Rect { y, height: 1, ..area }, buffer);
        }
        Some(self.caret)
    }

    fn links(&self) -> &[LinkAt] {
        &self.links
    }
}

/// Words, some of them wide.
fn text(dice: &mut Dice, columns_max: usize) -> String {
    const PIECES: [(&str, usize); 6] =
        [("word", 4), ("ab ", 3), ("\u{4f60}\u{597d}", 4), ("x", 1), ("-- ", 3), ("caf\u{e9}", 4)];
    let mut left = dice.below(columns_max);
    let mut out = String::new();
    while left > 0 {
        let (piece, width) = PIECES[dice.below(PIECES.len())];
        out.push_str(piece);
        left = left.saturating_sub(width);
    }
    out
}

trait Terminal {
    fn write(&mut self, bytes: &str);
    fn resize(&mut self, columns: u16, rows: u16);
    /// Column and row on the screen.
    fn cursor(&mut self) -> (u16, u16);
    /// A few rows of the screen from one on, without blanks at their ends.
    fn rows(&mut self, first: u16, count: u16) -> Vec<String>;
    /// Where a cell of the screen leads; `None` when the emulator does not know links.
    fn link(&mut self, column: u16, row: u16) -> Option<Option<String>>;
    /// All rows there are, joined where the terminal wrapped them, without blanks at their ends.
    fn lines(&mut self) -> Vec<String>;
}

struct Reflowing {
    term: Term<VoidListener>,
    parser: Processor,
    /// Whether what is shown is worth keeping: not in full-screen mode.
    has_scrollback: bool,
}

struct Size(usize, usize);

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        self.1
    }
    fn screen_lines(&self) -> usize {
        self.1
    }
    fn columns(&self) -> usize {
        self.0
    }
}

impl Reflowing {
    fn new() -> Self {
        let config = Config { scrolling_history: 1_000_000, ..Config::default() };
        let term = Term::new(config, &Size(80, 24), VoidListener);
        Self { term, parser: Processor::new(), has_scrollback: true }
    }

    fn text(&self, row: i32) -> (String, bool) {
        let cells = &self.term.grid()[Row(row)];
        let spacer = Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER;
        let mut out = String::new();
        let mut is_wrapped = false;
        for column in 0..self.term.columns() {
            let cell = &cells[Column(column)];
            is_wrapped = cell.flags.contains(Flags::WRAPLINE);
            if !cell.flags.intersects(spacer) {
                out.push(cell.c);
                out.extend(cell.zerowidth().into_iter().flatten());
            }
        }
        (out, is_wrapped)
    }
}

impl Terminal for Reflowing {
    fn write(&mut self, bytes: &str) {
        // Updates that are to be seen at once would be kept back from the cursor, too.
        let bytes = bytes.replace("\x1b[?2026h", "").replace("\x1b[?2026l", "");
        for part in bytes.split_inclusive("\x1b[J") {
            let before = part.strip_suffix("\x1b[J");
            self.parser.advance(&mut self.term, before.unwrap_or(part).as_bytes());
            if before.is_some() {
                // What tmux shows goes into its scrollback when it is cleared from the first cell.
                let is_kept = self.has_scrollback && self.term.columns() > 1;
                assert!(!is_kept || self.cursor() != (0, 0), "the whole screen is cleared");
                self.parser.advance(&mut self.term, b"\x1b[J");
            }
        }
    }
    fn resize(&mut self, columns: u16, rows: u16) {
        self.term.resize(Size(columns.into(), rows.into()));
    }
    fn cursor(&mut self) -> (u16, u16) {
        let point = self.term.grid().cursor.point;
        (u16::try_from(point.column.0).unwrap(), u16::try_from(point.line.0).unwrap())
    }
    fn rows(&mut self, first: u16, count: u16) -> Vec<String> {
        let row = |row: u16| self.text(row.into()).0.trim_end().to_owned();
        (first..first + count).map(row).collect()
    }
    fn link(&mut self, column: u16, row: u16) -> Option<Option<String>> {
        let cell = &self.term.grid()[Row(row.into())][Column(column.into())];
        Some(cell.hyperlink().map(|link| link.uri().to_owned()))
    }
    fn lines(&mut self) -> Vec<String> {
        let history = i32::try_from(self.term.history_size()).unwrap();
        let rows = i32::try_from(self.term.screen_lines()).unwrap();
        let mut lines = vec![String::new()];
        for row in -history..rows {
            let (text, is_wrapped) = self.text(row);
            let last = lines.last_mut().unwrap();
            last.push_str(&text);
            if !is_wrapped {
                last.truncate(last.trim_end().len());
                lines.push(String::new());
            }
        }
        lines
    }
}

struct Cutting(vt100::Parser);

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}

impl Cutting {
    fn new() -> Self {
        Self(vt100::Parser::new(cells(24), cells(80), 1_000_000))
    }
}

impl Terminal for Cutting {
    fn write(&mut self, bytes: &str) {
        self.0.process(bytes.as_bytes());
    }
    fn resize(&mut self, columns: u16, rows: u16) {
        self.0.screen_mut().set_size(cells(rows), cells(columns));
    }
    fn cursor(&mut self) -> (u16, u16) {
        let (row, column) = self.0.screen().cursor_position();
        (column, row)
    }
    fn rows(&mut self, first: u16, count: u16) -> Vec<String> {
        let columns = self.0.screen().size().1.get();
        let row = |row: u16| {
            let cell = |column: u16| self.0.screen().cell(row, column);
            let cells = (0..columns).filter_map(cell);
            let text = cells.filter(|cell| !cell.is_wide_continuation()).map(|cell| {
                if cell.has_contents() { cell.contents().to_owned() } else { " ".to_owned() }
            });
            text.collect::<String>().trim_end().to_owned()
        };
        (first..first + count).map(row).collect()
    }
    fn link(&mut self, _column: u16, _row: u16) -> Option<Option<String>> {
        None
    }
    fn lines(&mut self) -> Vec<String> {
        let (rows, columns) = self.0.screen().size();
        let (rows, columns) = (rows.get(), columns.get());
        self.0.screen_mut().set_scrollback(usize::MAX);
        let history = self.0.screen().scrollback();
        let mut lines = vec![String::new()];
        // A screenful at a time; the last one begins where it may overlap.
        let total = history + usize::from(rows);
        let mut next = 0;
        while next < total {
            let start = next.min(history);
            self.0.screen_mut().set_scrollback(history - start);
            let shown: Vec<String> = self.0.screen().rows(0, columns).collect();
            for (row, text) in (0_u16..).zip(shown).skip(next - start) {
                let last = lines.last_mut().unwrap();
                last.push_str(&text);
                if !self.0.screen().row_wrapped(row) {
                    last.truncate(last.trim_end().len());
                    lines.push(String::new());
                }
            }
            next = start + usize::from(rows);
        }
        lines
    }
}

/// Prints the transcript with resizes between, checks each frame, returns transcript and result.
fn run(terminal: &mut impl Terminal, reflow: bool, seed: u64) -> (Vec<String>, Vec<String>) {
    let mut setup = Setup::sample();
    setup.terminal.reflow = reflow;
    let mut writer = Writer::new(&setup);
    let mut dice = Dice(seed);
    let (mut columns, mut rows) = (80, 24);
    writer.resize(columns, rows);
    let mut transcript = Vec::new();
    while transcript.len() < LINES {
        let count = dice.below(6).min(LINES - transcript.len());
        let mut lines = Vec::new();
        for _ in 0..count {
            let line = format!("{:05} {}", transcript.len(), text(&mut dice, 300).trim_end());
            transcript.push(line.trim_end().to_owned());
            lines.push(Line::from(line));
        }
        writer.print(lines);
        if dice.below(LINES / 3) < RESIZES {
            columns = u16::try_from(40 + dice.below(120)).unwrap();
            rows = u16::try_from(24 + dice.below(36)).unwrap();
            terminal.resize(columns, rows);
            writer.resize(columns, rows);
        }
        if dice.below(3) == 0 {
            continue;
        }
        let mut region = Region::roll(&mut dice);
        region.caret.x = region.caret.x.min(columns - 1);
        let bytes = writer.frame(&mut region);
        terminal.write(&bytes);
        check(terminal, &region, columns);
    }
    terminal.write(&writer.finish());
    let mut lines = terminal.lines();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    (transcript, lines)
}

/// The region is on the screen as drawn, and the cursor at the caret.
fn check(terminal: &mut impl Terminal, region: &Region, columns: u16) {
    let (x, y) = terminal.cursor();
    assert_eq!(x, region.caret.x, "the cursor's column is the caret's");
    let count = u16::try_from(region.rows.len()).unwrap();
    let shown = terminal.rows(y - region.caret.y, count);
    for (index, (row, shown)) in region.rows.iter().zip(shown).enumerate() {
        let want = wrap(&Line::plain(&**row), columns, Break::Anywhere)[0].text();
        assert_eq!(shown, want.trim_end(), "row {index} of the region");
        let index = u16::try_from(index).unwrap();
        for x in 0..columns {
            if let Some(link) = terminal.link(x, y - region.caret.y + index) {
                assert_eq!(link, region.link(x, index), "cell {x} of row {index} of the region");
            }
        }
    }
}

#[test]
fn a_terminal_that_wraps_anew_keeps_each_line_exactly_once() {
    for seed in [1] {
        let (transcript, lines) = run(&mut Reflowing::new(), true, seed);
        for (index, (want, got)) in transcript.iter().zip(&lines).enumerate() {
            assert_eq!(got, want, "seed {seed}, line {index}");
        }
        assert_eq!(lines.len(), transcript.len(), "seed {seed}");
    }
}

#[test]
fn a_terminal_that_cuts_rows_keeps_each_line_exactly_once() {
    for seed in 1..=3 {
        let (transcript, lines) = run(&mut Cutting::new(), false, seed);
        let start = |line: &String| line.chars().take(30).collect::<String>();
        let is_start =
            |line: &&String| line.len() >= 5 && line.as_bytes()[..5].iter().all(u8::is_ascii_digit);
        let starts: Vec<String> = lines.iter().filter(is_start).map(start).collect();
        let want: Vec<String> = transcript.iter().map(start).collect();
        for (index, (want, got)) in want.iter().zip(&starts).enumerate() {
            assert_eq!(got.trim_end(), want.trim_end(), "seed {seed}, line {index}");
        }
        assert_eq!(starts.len(), want.len(), "seed {seed}");
    }
}

/// Frames of a whole screen, with resizes between.
fn run_full(terminal: &mut impl Terminal, seed: u64) {
    let mut setup = Setup::sample();
    setup.mode = Mode::FullScreen;
    let mut writer = Writer::new(&setup);
    let mut dice = Dice(seed);
    let (mut columns, mut rows) = (80, 24);
    terminal.resize(columns, rows);
    writer.resize(columns, rows);
    for _ in 0..400 {
        if dice.below(40) == 0 {
            columns = u16::try_from(40 + dice.below(120)).unwrap();
            rows = u16::try_from(24 + dice.below(36)).unwrap();
            terminal.resize(columns, rows);
            writer.resize(columns, rows);
        }
        let mut region = Region::roll(&mut dice);
        region.caret.x = region.caret.x.min(columns - 1);
        terminal.write(&writer.frame(&mut region));
        check(terminal, &region, columns);
        let below = u16::try_from(region.rows.len()).unwrap();
        assert!(terminal.rows(below, rows - below).concat().is_empty(), "nothing is left below");
    }
}

#[test]
fn a_whole_screen_is_as_drawn() {
    for seed in 1..=3 {
        run_full(&mut Reflowing { has_scrollback: false, ..Reflowing::new() }, seed);
        run_full(&mut Cutting::new(), seed);
    }
}

/// A conversation that streams, is resized, and is typed into; returns what was printed and what is
/// left in the terminal.
fn converse(terminal: &mut impl Terminal, reflow: bool, seed: u64) -> (Vec<String>, Vec<String>) {
    let mut setup = Setup::sample();
    setup.terminal.reflow = reflow;
    let mut writer = Writer::new(&setup);
    let (mut app, _) = AppState::new(setup);
    let mut dice = Dice(seed);
    let mut printed: Vec<String> = Vec::new();
    let mut typed = 0;
    let mut step = |app: &mut AppState, writer: &mut Writer, msg: Msg, ms: u64| {
        let now = Now { mono: Mono(ms * 1_000), wall: Wall(0) };
        for effect in app.update(now, msg) {
            if let ScreenEffect::Print(lines) = effect {
                printed.extend(lines.iter().map(|line| line.text().trim_end().to_owned()));
                writer.print(lines);
            }
        }
    };
    let (mut columns, mut rows) = (80, 24);
    terminal.resize(columns, rows);
    writer.resize(columns, rows);
    step(&mut app, &mut writer, Msg::Resize { width: columns, height: rows }, 0);
    step(&mut app, &mut writer, Msg::Event(harness::ready()), 0);
    step(&mut app, &mut writer, Msg::Event(harness::turn_started()), 0);
    let mut ms = 0;
    for id in 0..120 {
        step(&mut app, &mut writer, Msg::Event(harness::started(id, harness::agent(""))), ms);
        let mut whole = String::new();
        for n in 0..30 {
            let line = format!("m{id:03}-{n:02} {}\n", text(&mut dice, 150).replace('-', "+"));
            let line = if n % 7 == 0 { format!("{line}\n") } else { line };
            whole.push_str(&line);
            ms += 20;
            step(&mut app, &mut writer, Msg::Event(harness::delta(id, &line)), ms);
            if dice.below(40) == 0 {
                columns = u16::try_from(60 + dice.below(60)).unwrap();
                rows = u16::try_from(30 + dice.below(20)).unwrap();
                terminal.resize(columns, rows);
                writer.resize(columns, rows);
                let msg = Msg::Resize { width: columns, height: rows };
                step(&mut app, &mut writer, msg, ms);
            }
            if dice.below(60) == 0 && typed < 12 {
                typed += 1;
                step(&mut app, &mut writer, Msg::Key(Key::char('\u{4f60}')), ms);
            }
            if dice.below(3) > 0 {
                terminal.write(&writer.frame(&mut app));
                let (x, y) = terminal.cursor();
                assert_eq!(x, 2 + 2 * typed, "the cursor is behind what is typed");
                let row = terminal.rows(y, 1).remove(0);
                assert!(row.starts_with("\u{203a} "), "the cursor is in the composer: {row:?}");
            }
        }
        let event = harness::completed(id, harness::agent(&whole));
        step(&mut app, &mut writer, Msg::Event(event), ms);
    }
    terminal.write(&writer.finish());
    let mut lines = terminal.lines();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    (printed, lines)
}

#[test]
fn a_conversation_is_in_the_scrollback_exactly_once() {
    let (printed, lines) = converse(&mut Reflowing::new(), true, 7);
    assert!(printed.len() > 3_600, "{}", printed.len());
    for (index, (want, got)) in printed.iter().zip(&lines).enumerate() {
        assert_eq!(got, want, "line {index}");
    }
    assert_eq!(lines.len(), printed.len());

    let (printed, lines) = converse(&mut Cutting::new(), false, 7);
    let starts = |lines: &[String]| -> Vec<String> {
        let is_start = |line: &&String| line.as_bytes().get(4) == Some(&b'-');
        lines.iter().filter(is_start).map(|line| line.chars().take(7).collect()).collect()
    };
    assert_eq!(starts(&lines), starts(&printed));
}
