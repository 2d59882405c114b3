//! The story as a picture: SVG without scripts, fonts or anything else from outside.
//!
//! Time runs down. Each row has its own height, so no two texts meet; a row that comes later than
//! the one before keeps more distance, and a long silence is a band with its length.

use std::fmt::Write as _;

use super::{
    mermaid::is_answer,
    story::{Bar, Body, Lifeline, Mood, Row, Story},
    text::{count, duration, shorten, xml},
};

/// Width of the picture; all lengths are in pixels.
const WIDTH: f64 = 1000.0;
const USER_X: f64 = 108.0;
/// The rightmost lifeline, with room for the counts beside it.
const LAST_X: f64 = 918.0;
const TIME_X: f64 = 64.0;
const HEADS_Y: f64 = 86.0;
const ROWS_Y: f64 = 112.0;
const ROW_HEIGHT: f64 = 25.0;
const BAND_HEIGHT: f64 = 34.0;
const FOOT_HEIGHT: f64 = 44.0;
const BAR_WIDTH: f64 = 9.0;
/// From one bar to the next beside it, and from the first to the last of many.
const BAR_STEP: f64 = 11.0;
const BARS_WIDTH: f64 = 55.0;
/// Between a lifeline and the texts beside it.
const TEXT_GAP: f64 = 14.0;
/// A column of text, generously.
const COLUMN_WIDTH: f64 = 6.3;

/// Light colours, and dark ones for those who prefer them.
const STYLE: &str = "\
text{font:11.5px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2933}
.halo{stroke:#ffffff;stroke-width:4px;stroke-linejoin:round;paint-order:stroke}
.page{fill:#ffffff}.title{font-size:15px;font-weight:600}
.head{fill:#f1f4f8;stroke:#c3ccd6}.name{font-weight:600;text-anchor:middle}
.dim{fill:#66727f}.time{font:10.5px ui-monospace,Menlo,Consolas,monospace;text-anchor:end}
.mark{font-size:10.5px;text-anchor:end;font-style:italic}.small{font-size:10.5px}
.strong{font-weight:600}.bad{fill:#b42318;font-weight:600}
.life{stroke:#c3ccd6}.tick{stroke:#66727f}.arrow{stroke:#3e4c59;stroke-width:1.2;fill:none}
.answer{stroke-dasharray:4 3}.tip{fill:#3e4c59}.open{stroke:#3e4c59;stroke-width:1.2;fill:none}
.cross{stroke:#b42318;stroke-width:2.2;fill:none}.band{fill:#ffffff;fill-opacity:.82}
.edge{stroke:#9aa5b1;stroke-dasharray:2 4}.middle{text-anchor:middle}
.bar{fill-opacity:.9}.engine{fill:#cfe0fb;stroke:#4a7fd6}.model{fill:#e3d8fa;stroke:#8b62d9}
.commands{fill:#fbe3bd;stroke:#c98a1b}.disk{fill:#c9ebe1;stroke:#2f9a7d}.user{fill:#e4e7eb;stroke:#7b8794}
.call,.sideband,.media{fill:#fbd0dd;stroke:#cf4f78}
@media (prefers-color-scheme:dark){
text{fill:#e4e7eb}.halo{stroke:#14181d}.page{fill:#14181d}.head{fill:#232a32;stroke:#4b5763}
.dim{fill:#9aa5b1}.bad{fill:#ff8a80}.life{stroke:#4b5763}.tick{stroke:#9aa5b1}
.arrow,.open{stroke:#b8c2cc}.tip{fill:#b8c2cc}.cross{stroke:#ff8a80}.band{fill:#14181d}
.engine{fill:#23406e;stroke:#79a6f2}.model{fill:#46307a;stroke:#b595f5}
.commands{fill:#66470f;stroke:#e5ad48}.disk{fill:#17564a;stroke:#58c4a6}.user{fill:#3e4c59;stroke:#9aa5b1}
.call,.sideband,.media{fill:#6b2340;stroke:#f08bab}
}
";

/// Draws.
pub(super) fn render(story: &Story, title: &str) -> String {
    let page = Page::new(story);
    let mut out = page.frame(title);
    page.lifelines(&mut out);
    page.bars(&mut out);
    for (index, row) in story.rows.iter().enumerate() {
        page.row(&mut out, index, row);
    }
    page.times(&mut out);
    out.push_str("</svg>\n");
    out
}

struct Page<'a> {
    story: &'a Story,
    /// Each with its place, and the last place of a bar on it.
    lifelines: Vec<(Lifeline, f64, usize)>,
    /// The line of each row.
    y: Vec<f64>,
    height: f64,
}

impl<'a> Page<'a> {
    fn new(story: &'a Story) -> Self {
        // Texts stand left and right of the engine, so there is more room.
        let weight = |index: usize| if index < 2 { 2.6 } else { 1.0 };
        let steps = story.lifelines.len().saturating_sub(1);
        let whole: f64 = (0..steps).map(weight).sum();
        let mut x = USER_X;
        let mut lifelines = Vec::new();
        for (index, lifeline) in story.lifelines.iter().enumerate() {
            let bars = story.bars.iter().filter(|bar| bar.lifeline == *lifeline);
            lifelines.push((*lifeline, x, bars.map(|bar| bar.place).max().unwrap_or(0)));
            x += (LAST_X - USER_X) * weight(index) / whole.max(1.0);
        }
        let mut y = Vec::with_capacity(story.rows.len());
        let mut at = ROWS_Y;
        let mut before_us = None;
        for row in &story.rows {
            let height = match row.body {
                Body::Folded { .. } | Body::Silence { .. } => BAND_HEIGHT,
                Body::Arrow { .. } | Body::Note { .. } => {
                    ROW_HEIGHT + distance(row.at_us - before_us.unwrap_or(row.at_us).min(row.at_us))
                }
            };
            before_us = Some(row.at_us);
            at += height;
            y.push(at);
        }
        Self { story, lifelines, y, height: at + FOOT_HEIGHT + 16.0 }
    }

    fn x(&self, lifeline: Lifeline) -> f64 {
        let found = self.lifelines.iter().find(|(other, ..)| *other == lifeline);
        found.map_or(WIDTH, |(_, x, _)| *x)
    }

    fn frame(&self, title: &str) -> String {
        let height = self.height;
        let (title, summary) = (xml(title), xml(&self.story.summary));
        let foot = height - 16.0;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-labelledby=\"t d\">\n\
             <title id=\"t\">{title}</title>\n\
             <desc id=\"d\">A sequence diagram; time runs down. {summary}.</desc>\n\
             <style>\n{STYLE}</style>\n\
             <rect class=\"page\" width=\"{WIDTH}\" height=\"{height:.0}\"/>\n\
             <text class=\"title\" x=\"24\" y=\"32\">{title}</text>\n\
             <text class=\"dim\" x=\"24\" y=\"51\">{summary}</text>\n\
             <text class=\"dim small\" x=\"24\" y=\"{foot:.0}\">Solid: asked. Dashed: answered, or \
             told. Bar: under way. Cross: failed or cancelled. +n: lines for the rollout.</text>\n"
        )
    }

    fn lifelines(&self, out: &mut String) {
        let (top, bottom) = (HEADS_Y, self.height - FOOT_HEIGHT);
        for (lifeline, x, _) in &self.lifelines {
            let name = lifeline.name();
            let width = 84.0;
            let left = x - width / 2.0;
            put(
                out,
                &format!(
                    "<line class=\"life\" x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>\
                     <rect class=\"head\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{width}\" height=\"24\" \
                     rx=\"5\"/><text class=\"name\" x=\"{x:.1}\" y=\"{:.1}\">{name}</text>",
                    top - 12.0,
                    top + 4.0,
                ),
            );
        }
    }

    fn bars(&self, out: &mut String) {
        for bar in &self.story.bars {
            let left = self.left(bar);
            let top = self.y.get(bar.from).copied().unwrap_or(ROWS_Y);
            let end = bar.to.and_then(|to| self.y.get(to).copied());
            let bottom = end.unwrap_or(self.height - FOOT_HEIGHT);
            let height = (bottom - top).max(2.0);
            let (class, text) = (bar.lifeline.name(), xml(&bar.text));
            put(
                out,
                &format!(
                    "<rect class=\"bar {class}\" x=\"{left:.1}\" y=\"{top:.1}\" \
                     width=\"{BAR_WIDTH}\" height=\"{height:.1}\" rx=\"1.5\"><title>{text}</title></rect>"
                ),
            );
        }
    }

    fn left(&self, bar: &Bar) -> f64 {
        let count = |places: usize| u32::try_from(places).map_or(f64::MAX, f64::from);
        let found = self.lifelines.iter().find(|(lifeline, ..)| *lifeline == bar.lifeline);
        let last = found.map_or(0, |(_, _, last)| *last);
        let step = BAR_STEP.min(BARS_WIDTH / count(last.max(1)));
        self.x(bar.lifeline) - BAR_WIDTH / 2.0 + count(bar.place) * step
    }

    /// Where an arrow of a row touches a lifeline: at the bar that it starts or ends, or at what
    /// is under way.
    fn touch(&self, lifeline: Lifeline, row: usize, is_from_left: bool) -> f64 {
        let bars = self.story.bars.iter().filter(|bar| bar.lifeline == lifeline);
        let side = |bar: &Bar| {
            let left = self.left(bar);
            if is_from_left { left } else { left + BAR_WIDTH }
        };
        let mut touched = None;
        let mut edge: Option<f64> = None;
        for bar in bars.filter(|bar| bar.from <= row && bar.to.is_none_or(|to| to >= row)) {
            if bar.from == row || bar.to == Some(row) {
                touched = Some(side(bar));
            }
            let side = side(bar);
            edge = Some(match edge {
                None => side,
                Some(edge) if is_from_left => edge.min(side),
                Some(edge) => edge.max(side),
            });
        }
        touched.or(edge).unwrap_or_else(|| self.x(lifeline))
    }

    fn row(&self, out: &mut String, index: usize, row: &Row) {
        let Some(y) = self.y.get(index).copied() else { return };
        let when = format!("{}, input {}", duration(row.at_us), row.n);
        let times = if row.times > 1 { format!(" ×{}", row.times) } else { String::new() };
        match &row.body {
            Body::Arrow { from, to, text, mood } => {
                put(out, &format!("<g><title>{} ({when})</title>", xml(&format!("{text}{times}"))));
                self.arrow(out, index, y, (*from, *to), *mood);
                let is_right = (*from).max(*to) > Lifeline::Engine;
                let left = if is_right { Lifeline::Engine } else { Lifeline::User };
                let room = match self.lifelines.iter().position(|(other, ..)| *other == left) {
                    Some(at) => {
                        self.lifelines.get(at + 1).map_or(200.0, |(_, x, _)| x - self.x(left))
                    }
                    None => 200.0,
                };
                let x = self.x(left) + TEXT_GAP;
                let class = match mood {
                    Mood::Bad => "halo bad",
                    Mood::Faint => "halo dim",
                    Mood::Plain => "halo",
                    Mood::Strong => "halo strong",
                };
                let columns = columns(room - 2.0 * TEXT_GAP, *mood) - times.chars().count();
                let text = xml(&(shorten(text, columns) + &times));
                let y = y - 5.0;
                put(
                    out,
                    &format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"),
                );
                if is_right {
                    self.mark(out, y + 5.0, row);
                }
                out.push_str("</g>\n");
            }
            Body::Note { on, text } => {
                put(out, &format!("<g><title>{} ({when})</title>", xml(&format!("{text}{times}"))));
                let (at, y1, y2) = (self.x(*on), y - 4.0, y + 4.0);
                let (x1, x2) = (at - 4.0, at + 4.0);
                let middle = y;
                put(
                    out,
                    &format!(
                        "<path class=\"tip\" d=\"M{x1:.1} {middle:.1}L{at:.1} {y1:.1}L{x2:.1} \
                         {middle:.1}L{at:.1} {y2:.1}Z\"/>"
                    ),
                );
                let text = xml(&(shorten(text, 60) + &times));
                let x = at + TEXT_GAP;
                put(
                    out,
                    &format!(
                        "<text class=\"halo dim\" x=\"{x:.1}\" y=\"{:.1}\">{text}</text>",
                        y + 4.0
                    ),
                );
                self.mark(out, y, row);
                out.push_str("</g>\n");
            }
            Body::Folded { inputs } => {
                self.band(out, y, &format!("… {} folded", count(*inputs, "input")));
            }
            Body::Silence { us } => self.band(out, y, &format!("{} of silence", duration(*us))),
        }
        if row.lines > 0 && self.story.lifelines.contains(&Lifeline::Disk) {
            let x = self.touch(Lifeline::Disk, index, false).max(self.x(Lifeline::Disk) + 4.0);
            let (x1, x2, middle) = (x - 8.0, x + 4.0, y + 3.5);
            put(
                out,
                &format!(
                    "<line class=\"tick\" x1=\"{x1:.1}\" y1=\"{y:.1}\" x2=\"{x2:.1}\" y2=\"{y:.1}\"/>\
                     <text class=\"dim small\" x=\"{:.1}\" y=\"{middle:.1}\">+{}</text>",
                    x2 + 4.0,
                    row.lines
                ),
            );
            out.push('\n');
        }
    }

    /// The state that the turn is in now, where there is room for it.
    fn mark(&self, out: &mut String, y: f64, row: &Row) {
        if let Some(state) = &row.state {
            let x = self.x(Lifeline::Engine) - 10.0;
            let (y, state) = (y + 3.5, xml(&shorten(state, 24)));
            put(
                out,
                &format!("<text class=\"halo dim mark\" x=\"{x:.1}\" y=\"{y:.1}\">{state}</text>"),
            );
        }
    }

    fn arrow(
        &self,
        out: &mut String,
        index: usize,
        y: f64,
        ends: (Lifeline, Lifeline),
        mood: Mood,
    ) {
        let (from, to) = ends;
        let is_right = to > from;
        let x1 = self.touch(from, index, !is_right);
        let x2 = self.touch(to, index, is_right);
        let back = if is_right { -7.0 } else { 7.0 };
        let is_answer = is_answer(from, to);
        let class = if is_answer { "arrow answer" } else { "arrow" };
        put(
            out,
            &format!(
                "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y:.1}\" x2=\"{x2:.1}\" y2=\"{y:.1}\"/>"
            ),
        );
        let (tip, shut) = if is_answer { ("open", "") } else { ("tip", "Z") };
        let (x, up, down) = (x2 + back, y - 4.0, y + 4.0);
        put(
            out,
            &format!(
                "<path class=\"{tip}\" d=\"M{x:.1} {up:.1}L{x2:.1} {y:.1}L{x:.1} {down:.1}{shut}\"/>"
            ),
        );
        if mood == Mood::Bad {
            let x =
                self.touch(from, index, true) + if self.is_busy(from, index) { 4.5 } else { 0.0 };
            let (l, r, t, b) = (x - 5.0, x + 5.0, y - 5.0, y + 5.0);
            put(
                out,
                &format!(
                    "<path class=\"cross\" d=\"M{l:.1} {t:.1}L{r:.1} {b:.1}M{l:.1} {b:.1}L{r:.1} {t:.1}\"/>"
                ),
            );
        }
    }

    fn is_busy(&self, lifeline: Lifeline, row: usize) -> bool {
        let mut bars = self.story.bars.iter().filter(|bar| bar.lifeline == lifeline);
        bars.any(|bar| bar.from <= row && bar.to.is_none_or(|to| to >= row))
    }

    fn band(&self, out: &mut String, y: f64, text: &str) {
        let (top, bottom, middle) = (y - 25.0, y + 1.0, y - 8.0);
        let x = WIDTH / 2.0;
        let (left, right) = (USER_X - 34.0, LAST_X + 34.0);
        let width = right - left;
        put(
            out,
            &format!(
                "<g><rect class=\"band\" x=\"{left}\" y=\"{top:.1}\" width=\"{width}\" height=\"26\"/>\
                 <line class=\"edge\" x1=\"{left}\" y1=\"{top:.1}\" x2=\"{right}\" y2=\"{top:.1}\"/>\
                 <line class=\"edge\" x1=\"{left}\" y1=\"{bottom:.1}\" x2=\"{right}\" y2=\"{bottom:.1}\"/>\
                 <text class=\"halo dim middle\" x=\"{x}\" y=\"{middle:.1}\">{}</text></g>",
                xml(text)
            ),
        );
        out.push('\n');
    }

    /// When each row is, said once per moment.
    fn times(&self, out: &mut String) {
        let mut told = String::new();
        for (row, y) in self.story.rows.iter().zip(&self.y) {
            let when = duration(row.at_us);
            if matches!(row.body, Body::Silence { .. } | Body::Folded { .. }) || when == told {
                continue;
            }
            let y = y + 3.5;
            put(
                out,
                &format!("<text class=\"dim time\" x=\"{TIME_X}\" y=\"{y:.1}\">{when}</text>"),
            );
            out.push('\n');
            told = when;
        }
    }
}

/// How much further apart rows are that lie so many microseconds apart.
fn distance(us: u64) -> f64 {
    match us {
        0..5_000 => 0.0,
        5_000..20_000 => 4.0,
        20_000..100_000 => 9.0,
        _ => 16.0,
    }
}

/// Columns that fit; strong letters are wider.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
fn columns(room: f64, mood: Mood) -> usize {
    let wide = if matches!(mood, Mood::Bad | Mood::Strong) { 1.08 } else { 1.0 };
    ((room / (COLUMN_WIDTH * wide)) as usize).max(12)
}

fn put(out: &mut String, text: &str) {
    // Writing to a string does not fail.
    let _ = write!(out, "{text}");
}
