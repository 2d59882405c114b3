//! Prompts from before: stepping through them, and searching them.
//!
//! The list is what the history file had, then what was sent in this session. It is asked for when
//! it is first wanted; until it comes, this session's prompts are all there are. What was said more
//! than once is there once, where it was said last.

use std::{collections::BTreeSet, ops::Range};

use codex_proto::op::PromptPart;

use super::draft::{Attachment, Draft, HISTORY_ENTRY_BYTES_MAX};

/// Drafts of this session that keep what their placeholders stand for; of older ones only the
/// labels are kept.
const WITH_ATTACHMENTS_MAX: usize = 8;
/// Prompts of this session that are kept.
const SESSION_MAX: usize = 1_000;

/// Prompts, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// From the file; `None` until it came.
    older: Option<Vec<String>>,
    is_asked: bool,
    session: Vec<Draft>,
    /// Which one is shown, and what was written before.
    shown: Option<(usize, Draft)>,
    search: Option<Search>,
}

/// A search, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// What is looked for, ignoring case.
    pub query: String,
    /// Which entry matches.
    pub found: Option<usize>,
    /// What was written before.
    before: Draft,
}

impl History {
    /// The prompts of the file, oldest first.
    pub fn load(&mut self, mut older: Vec<String>) {
        // The file has what was sent in this session, too.
        let session: Vec<String> = self.session.iter().map(Draft::for_history).collect();
        let mut seen: BTreeSet<&str> = session.iter().map(String::as_str).collect();
        let mut keeps: Vec<bool> = older.iter().rev().map(|text| seen.insert(text)).collect();
        older.retain(|_| keeps.pop().unwrap_or(true));
        // What is shown keeps its place.
        let before = self.older.as_ref().map_or(0, Vec::len);
        if let Some((index, _)) = &mut self.shown {
            *index = (*index + older.len()).saturating_sub(before);
        }
        self.older = Some(older);
        if self.search.is_some() {
            self.find_from(self.len());
        }
    }

    /// Whether the file has to be asked for; true once.
    pub fn ask(&mut self) -> bool {
        !std::mem::replace(&mut self.is_asked, true)
    }

    /// Remembers what was sent.
    pub fn push(&mut self, draft: Draft) {
        self.stop();
        let text = draft.for_history();
        self.session.retain(|have| *have != draft);
        if let Some(older) = &mut self.older {
            older.retain(|have| *have != text);
        }
        self.session.push(draft);
        if self.session.len() > SESSION_MAX {
            self.session.remove(0);
        }
        if let Some(index) = self.session.len().checked_sub(WITH_ATTACHMENTS_MAX + 1) {
            let old = &mut self.session[index];
            old.attachments.retain(|(_, attachment)| matches!(attachment, Attachment::Image(_)));
        }
    }

    /// Stops stepping and searching.
    pub fn stop(&mut self) {
        self.shown = None;
        self.search = None;
    }

    /// Whether a prompt from before is shown as it was.
    #[must_use]
    pub fn is_stepping(&self) -> bool {
        self.shown.is_some()
    }

    fn len(&self) -> usize {
        self.older.as_ref().map_or(0, Vec::len) + self.session.len()
    }

    fn get(&self, index: usize) -> Option<Draft> {
        let older = self.older.as_deref().unwrap_or_default();
        match older.get(index) {
            // What was never typed in one go is no text to edit.
            Some(text) if text.len() > HISTORY_ENTRY_BYTES_MAX => {
                Some(Draft::of_parts(&[PromptPart::Text(text.clone())]))
            }
            Some(text) => Some(Draft::plain(text)),
            None => self.session.get(index - older.len()).cloned(),
        }
    }

    fn text(&self, index: usize) -> &str {
        let older = self.older.as_deref().unwrap_or_default();
        older.get(index).map_or_else(
            || self.session.get(index - older.len()).map_or("", |draft| &draft.piece.text),
            String::as_str,
        )
    }

    /// The prompt before the one that is shown; `current` is kept for the way back.
    pub fn older(&mut self, current: &Draft) -> Option<Draft> {
        let (at, shown_text) = match &self.shown {
            Some((index, _)) => (*index, Some(self.text(*index).to_owned())),
            None => (self.len(), None),
        };
        // The same prompt twice in a row is one step.
        let index = (0..at).rev().find(|index| Some(self.text(*index)) != shown_text.as_deref())?;
        let draft = self.get(index)?;
        let before = self.shown.take().map_or_else(|| current.clone(), |(_, before)| before);
        self.shown = Some((index, before));
        Some(draft)
    }

    /// The prompt after the one that is shown; at the end, what was written before.
    pub fn newer(&mut self) -> Option<Draft> {
        let (index, before) = self.shown.take()?;
        let shown_text = self.text(index).to_owned();
        let next = (index + 1..self.len()).find(|next| self.text(*next) != shown_text);
        match next.and_then(|next| Some((next, self.get(next)?))) {
            Some((next, draft)) => {
                self.shown = Some((next, before));
                Some(draft)
            }
            None => Some(before),
        }
    }

    /// The search that goes on.
    #[must_use]
    pub fn search(&self) -> Option<&Search> {
        self.search.as_ref()
    }

    /// Begins a search.
    pub fn start_search(&mut self, current: Draft) {
        self.search = Some(Search { query: String::new(), found: None, before: current });
    }

    /// Changes what is looked for, beginning at the newest prompt.
    pub fn edit_query(&mut self, edit: impl FnOnce(&mut String)) {
        let Some(search) = &mut self.search else { return };
        edit(&mut search.query);
        self.find_from(self.len());
    }

    /// The next match before, or after, the one that is shown; false when there is none.
    pub fn next_match(&mut self, is_older: bool) -> bool {
        let Some(search) = &self.search else { return false };
        let Some(found) = search.found else { return false };
        let shown = self.text(found).to_owned();
        let is_match = |index: &usize| self.matches(*index) && self.text(*index) != shown;
        let next = if is_older {
            (0..found).rev().find(is_match)
        } else {
            (found + 1..self.len()).find(is_match)
        };
        if let (Some(search), Some(_)) = (&mut self.search, next) {
            search.found = next;
        }
        next.is_some()
    }

    /// What the search shows: the match, or what was written before.
    #[must_use]
    pub fn match_shown(&self) -> Option<Draft> {
        let search = self.search.as_ref()?;
        Some(
            search.found.and_then(|index| self.get(index)).unwrap_or_else(|| search.before.clone()),
        )
    }

    /// Ends the search; gives back what was written before.
    pub fn cancel_search(&mut self) -> Option<Draft> {
        self.search.take().map(|search| search.before)
    }

    /// Ends the search with what it shows.
    pub fn accept_search(&mut self) {
        self.search = None;
    }

    fn find_from(&mut self, end: usize) {
        let found = (0..end).rev().find(|index| self.matches(*index));
        let Some(search) = &mut self.search else { return };
        search.found = if search.query.is_empty() { None } else { found };
    }

    fn matches(&self, index: usize) -> bool {
        let Some(search) = &self.search else { return false };
        let (text, query) = (self.text(index), search.query.as_str());
        query.is_empty()
            || find_ignoring_case(text, query).is_some()
            || (!query.is_ascii() && text.to_lowercase().contains(&query.to_lowercase()))
    }

    /// The part of a text that the search is about.
    #[must_use]
    pub fn found_in(&self, text: &str) -> Option<Range<usize>> {
        let search = self.search.as_ref()?;
        search.found.and_then(|_| find_ignoring_case(text, &search.query))
    }
}

/// Where a text has another, small and capital letters of ASCII being the same. Nothing is copied:
/// this runs over the whole history with each key.
fn find_ignoring_case(text: &str, query: &str) -> Option<Range<usize>> {
    let (bytes, query) = (text.as_bytes(), query.as_bytes());
    if query.is_empty() {
        return None;
    }
    let mut windows = bytes.windows(query.len());
    let at = windows.position(|window| window.eq_ignore_ascii_case(query))?;
    Some(at..at + query.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let mut history = History::default();
        history.load(vec!["one".into(), "two".into(), "two".into()]);
        history.push(Draft::plain("Three"));
        history
    }

    #[test]
    fn stepping_comes_back_to_what_was_written() {
        let mut history = history();
        let mut texts = Vec::new();
        while let Some(draft) = history.older(&Draft::plain("new")) {
            texts.push(draft.piece.text);
        }
        assert_eq!(texts, ["Three", "two", "one"]);
        let mut texts = Vec::new();
        while let Some(draft) = history.newer() {
            texts.push(draft.piece.text);
        }
        assert_eq!(texts, ["two", "Three", "new"]);
        assert!(!history.is_stepping());
    }

    #[test]
    fn a_file_that_comes_late_keeps_the_place() {
        let mut history = History::default();
        assert!(history.ask() && !history.ask());
        history.push(Draft::plain("b"));
        assert_eq!(history.older(&Draft::default()).unwrap().piece.text, "b");
        history.load(vec!["a".into()]);
        assert_eq!(history.older(&Draft::default()).unwrap().piece.text, "a");
    }

    #[test]
    fn a_search_goes_from_new_to_old() {
        let mut history = history();
        history.start_search(Draft::plain("new"));
        let shown = |history: &History| history.match_shown().unwrap().piece.text;
        assert_eq!(shown(&history), "new");
        history.edit_query(|query| query.push('t'));
        assert_eq!(shown(&history), "Three");
        assert!(history.next_match(true));
        assert_eq!(shown(&history), "two");
        assert!(!history.next_match(true), "the same prompt is no other match");
        assert!(history.next_match(false));
        history.edit_query(|query| query.push('x'));
        assert_eq!(shown(&history), "new");
        assert_eq!(history.cancel_search().unwrap().piece.text, "new");
    }

    #[test]
    fn what_was_said_twice_is_there_once() {
        let mut history = History::default();
        history.push(Draft::plain("b"));
        history.push(Draft::plain("c"));
        let file = ["b", "a", "x", "a", "b", "c"];
        history.load(file.map(str::to_owned).to_vec());
        history.push(Draft::plain("x"));
        history.push(Draft::plain("b"));
        let mut texts = Vec::new();
        while let Some(draft) = history.older(&Draft::default()) {
            texts.push(draft.piece.text);
        }
        assert_eq!(texts, ["b", "x", "c", "a"]);
        // A search meets each of them once, there and back.
        history.stop();
        history.start_search(Draft::default());
        history.load(["ab", "b", "ab", "b", "ab"].map(str::to_owned).to_vec());
        history.edit_query(|query| query.push('b'));
        let shown = |history: &History| history.match_shown().unwrap().piece.text;
        assert_eq!(shown(&history), "b");
        assert!(history.next_match(true));
        assert_eq!(shown(&history), "ab");
        assert!(!history.next_match(true) && history.next_match(false));
    }

    #[test]
    fn only_the_newest_drafts_keep_their_pastes() {
        let mut history = History::default();
        for index in 0..=WITH_ATTACHMENTS_MAX {
            let mut draft = Draft::plain(&index.to_string());
            draft.attachments.push((1, Attachment::Paste("x".into())));
            history.push(draft);
        }
        let kept: Vec<usize> =
            history.session.iter().map(|draft| draft.attachments.len()).collect();
        assert_eq!(kept.iter().sum::<usize>(), WITH_ATTACHMENTS_MAX);
        assert_eq!(kept[0], 0);
    }
}
