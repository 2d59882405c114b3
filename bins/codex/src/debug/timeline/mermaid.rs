//! The story as a sequence diagram in Mermaid's language.

use std::fmt::Write as _;

use super::{
    story::{Bar, Body, Lifeline, Mood, Story},
    text::{count, duration, mermaid, shorten},
};

/// Columns of a message.
const COLUMNS_MAX: usize = 48;

/// Draws.
pub(super) fn render(story: &Story) -> String {
    let mut out = String::from("sequenceDiagram\n");
    for lifeline in &story.lifelines {
        let kind = if *lifeline == Lifeline::User { "actor" } else { "participant" };
        line(&mut out, &format!("{kind} {}", lifeline.name()));
    }
    let first = Lifeline::User.name();
    let last = story.lifelines.last().map_or(first, |lifeline| lifeline.name());
    line(&mut out, &format!("Note over {first},{last}: {}", mermaid(&story.summary)));
    let mut told = String::new();
    for (index, row) in story.rows.iter().enumerate() {
        let label = |text: &str| mermaid(&shorten(text, COLUMNS_MAX));
        let times = if row.times > 1 { format!(" ×{}", row.times) } else { String::new() };
        let when = duration(row.at_us);
        let at = if when == told { String::new() } else { format!("[{when}] ") };
        match &row.body {
            Body::Arrow { from, to, text, mood } => {
                let arrow = match mood {
                    Mood::Bad => "--x",
                    Mood::Faint | Mood::Plain | Mood::Strong if is_answer(*from, *to) => "-->>",
                    Mood::Faint | Mood::Plain | Mood::Strong => "->>",
                };
                let (from, to) = (from.name(), to.name());
                line(&mut out, &format!("{from}{arrow}{to}: {at}{}{times}", label(text)));
                told = when;
            }
            Body::Note { on, text } => {
                line(&mut out, &format!("Note over {}: {at}{}{times}", on.name(), label(text)));
                told = when;
            }
            Body::Folded { inputs } => {
                let text = format!("… {} folded", count(*inputs, "input"));
                line(&mut out, &format!("Note over {first},{last}: {text}"));
            }
            Body::Silence { us } => {
                let text = format!("{} of silence", duration(*us));
                line(&mut out, &format!("Note over {first},{last}: {text}"));
            }
        }
        // A bar that ends makes room before one that starts.
        for bar in story.bars.iter().filter(|bar| end(bar, story) == index && bar.from < index) {
            line(&mut out, &format!("deactivate {}", bar.lifeline.name()));
        }
        for bar in story.bars.iter().filter(|bar| bar.from == index && end(bar, story) > index) {
            line(&mut out, &format!("activate {}", bar.lifeline.name()));
        }
    }
    out
}

/// The row after which a bar ends.
fn end(bar: &Bar, story: &Story) -> usize {
    bar.to.unwrap_or(story.rows.len().saturating_sub(1))
}

/// Whether an arrow answers or tells, instead of asking.
pub(super) fn is_answer(from: Lifeline, to: Lifeline) -> bool {
    from > to
}

fn line(out: &mut String, text: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "    {text}");
}
