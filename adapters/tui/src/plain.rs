//! Plain mode, for ears: what a popup or a completion shows is told once, and then only what changes,
//! one appended line at a time.

use crate::{
    composer::{Completion, Kind},
    desk::Desk,
    popup::{Popup, Words},
    setup::Mode,
    text::{Line, clean_line},
};

/// What was told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Told {
    popup: Option<Words>,
    completion: Option<Completion>,
}

impl Told {
    /// Tells what changed since the last message.
    pub(crate) fn update(&mut self, layers: &mut [Popup], desk: &mut Desk) {
        if desk.setup.mode != Mode::Plain {
            return;
        }
        let mut lines = Vec::new();
        let mut top = layers.last_mut();
        let words = top.as_mut().map(|top| top.words(desk));
        match (&self.popup, &words, top) {
            (Some(before), Some(now), _) if before.subject == now.subject => {
                lines.extend(now.since(before).map(Line::plain));
            }
            (_, Some(_), Some(top)) => {
                lines.push(Line::new());
                lines.extend(top.lines(desk).into_iter().map(Line::plain));
            }
            // What came of it says that it is gone.
            (Some(before), None, _) if !before.is_question && !desk.transcript.has_ready() => {
                lines.push(Line::plain(format!("closed: {}", before.title)));
            }
            _ => {}
        }
        self.popup = words;
        let completion = desk.input.completion().filter(|_| layers.is_empty()).cloned();
        if let Some(now) = &completion {
            lines.extend(completed(self.completion.as_ref(), now).map(Line::plain));
        }
        self.completion = completion;
        desk.transcript.announce(lines);
    }
}

/// What to tell of a completion.
fn completed(before: Option<&Completion>, now: &Completion) -> Option<String> {
    let before = before.filter(|before| before.range.start == now.range.start);
    let count = now.candidates.len();
    if count == 0 {
        return None;
    }
    if before.is_none_or(|before| before.candidates.is_empty()) {
        let (one, many) = match now.kind {
            Kind::Command => ("command matches", "commands match"),
            Kind::File => ("file matches", "files match"),
            Kind::Skill => ("skill matches", "skills match"),
        };
        let noun = if count == 1 { one } else { many };
        return Some(format!("{count} {noun}; Down goes through them, Tab takes one"));
    }
    let is_moved = before.is_some_and(|b| b.query == now.query && b.chosen != now.chosen);
    let candidate = now.candidates.get(now.chosen).filter(|_| is_moved)?;
    let about = if candidate.about.is_empty() { "" } else { ": " };
    let name = clean_line(&candidate.name);
    let about = format!("{about}{}", clean_line(&candidate.about));
    Some(format!("{name}, {} of {count}{about}", now.chosen + 1))
}
