//! A popup in words, for plain mode.

use super::{Body, Popup, chrome::Chrome, list::List};
use crate::{desk::Desk, theme::Look};

/// Entries of a list that are told when it opens; the arrows go through all.
const ENTRIES_MAX: usize = 20;
/// Rows of a text that are told.
const ROWS_MAX: usize = 500;

/// What of a popup is told when it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// What it is about; when that changes, all is told.
    pub(crate) subject: String,
    /// Its title.
    pub(crate) title: String,
    /// Whether it is a question of the engine, whose answer is told anyway.
    pub(crate) is_question: bool,
    /// What is typed as a filter, and how many entries match it.
    filter: (String, usize),
    /// The chosen entry.
    chosen: Option<String>,
}

impl Words {
    /// What to tell of a change within the same subject.
    pub(crate) fn since(&self, before: &Self) -> Option<String> {
        let chosen = self.chosen.as_deref().unwrap_or_default();
        if self.filter != before.filter {
            let (filter, count) = &self.filter;
            return Some(match (count, filter.as_str()) {
                (0, filter) => format!("nothing matches {filter}"),
                (1, _) => format!("1 matches: {chosen}"),
                (count, "") => format!("all {count}; chosen: {chosen}"),
                (count, _) => format!("{count} match; chosen: {chosen}"),
            });
        }
        (self.chosen != before.chosen && !chosen.is_empty()).then(|| chosen.to_owned())
    }
}

impl Popup {
    /// What is told of it.
    pub(crate) fn words(&mut self, desk: &Desk) -> Words {
        let is_question = matches!(self, Self::Approval(_));
        let layer = self.layer();
        let title = layer.chrome(desk).title;
        let mut subject = format!("{title} {}", layer.subject(desk));
        let mut filter = (String::new(), 0);
        let mut chosen = layer.chosen(desk);
        if let Body::List(list) = layer.body(desk) {
            let (shown, all) = list.counts();
            // Entries come and go: then the list is told anew.
            subject.push_str(&format!(" {all} {}", list.empty()));
            filter = (list.filter().to_owned(), shown);
            chosen = list.chosen_words();
        }
        Words { subject, title, is_question, filter, chosen }
    }

    /// All of it, as it is told when it opens.
    pub(crate) fn lines(&mut self, desk: &Desk) -> Vec<String> {
        let layer = self.layer();
        let Chrome { title, side, keys } = layer.chrome(desk);
        let side = if side.is_empty() { side } else { format!(", {side}") };
        let mut lines = vec![format!("{title}{side}")];
        let look: &Look = &desk.look;
        match layer.body(desk) {
            Body::List(list) => lines.extend(entries(list)),
            Body::Text(_) => {
                let rows = layer.rows(u16::MAX, desk, look);
                lines
                    .extend(rows.iter().take(ROWS_MAX).map(|row| row.text().trim_end().to_owned()));
                if rows.len() > ROWS_MAX {
                    lines.push(format!("{} more lines are not told", rows.len() - ROWS_MAX));
                }
            }
        }
        let answers = layer.answers(desk);
        let mut hints: Vec<String> =
            keys.into_iter().map(|(key, means)| format!("{key}: {means}")).collect();
        if !answers.is_empty() {
            // They name their keys.
            hints.clear();
        }
        lines.extend(answers);
        if let Body::List(list) = layer.body(desk)
            && list.is_filtered()
        {
            hints.insert(0, "type to filter".into());
        }
        lines.push(hints.join("; "));
        lines.retain(|line| !line.trim().is_empty());
        lines
    }
}

fn entries(list: &List) -> Vec<String> {
    let words: Vec<String> = list.words().collect();
    if words.is_empty() {
        return vec![list.empty().to_owned()];
    }
    let hidden = words.len().saturating_sub(ENTRIES_MAX);
    let mut lines: Vec<String> = words.into_iter().take(ENTRIES_MAX).collect();
    if hidden > 0 {
        lines.push(format!("{hidden} more; Down goes through all of them"));
    }
    lines.extend(list.chosen_place().map(|chosen| format!("chosen: {chosen}")));
    lines
}
