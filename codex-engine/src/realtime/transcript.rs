//! What was said, by item: deltas and final texts in any order give each item once.

use std::collections::VecDeque;

use codex_proto::{realtime::RealtimeRole, wire::realtime::receive::TranscriptText};

use crate::limits::{TRANSCRIPT_BYTES_MAX, TRANSCRIPT_DELTA_BYTES, TRANSCRIPT_ENTRIES_MAX};

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(super) struct Transcript {
    entries: VecDeque<Entry>,
    /// Counts entries that the service gave no id.
    unnamed: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    id: String,
    named: bool,
    role: RealtimeRole,
    text: String,
    done: bool,
    /// What of it the agent was given.
    handed: String,
    /// Nothing may be added to it for want of an id: a new turn has begun.
    past: bool,
}

/// What a piece did, for observers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Done { item: String, text: String },
    Grew { item: String, delta: String },
}

impl Transcript {
    /// Takes a piece. `None` when it says nothing new.
    pub(super) fn on(
        &mut self,
        role: RealtimeRole,
        id: Option<String>,
        text: TranscriptText,
    ) -> Option<Change> {
        match text {
            TranscriptText::Delta(delta) => {
                let entry = self.entry(role, id, false);
                // A delta that comes after the final text is a part of it.
                if entry.done || delta.is_empty() {
                    return None;
                }
                let room = TRANSCRIPT_BYTES_MAX.saturating_sub(entry.text.len());
                let delta = clip(&delta, room).to_owned();
                if delta.is_empty() {
                    return None;
                }
                entry.text.push_str(&delta);
                Some(Change::Grew { item: entry.id.clone(), delta })
            }
            TranscriptText::Done(text) => {
                let text = clip(&text, TRANSCRIPT_BYTES_MAX).to_owned();
                let entry = self.entry(role, id, true);
                if entry.done && entry.text == text {
                    return None;
                }
                entry.text.clone_from(&text);
                entry.done = true;
                Some(Change::Done { item: entry.id.clone(), text })
            }
        }
    }

    /// The entry that a piece belongs to; made when there is none. Without an id it is the last one
    /// of the role that nothing has ended.
    fn entry(&mut self, role: RealtimeRole, id: Option<String>, is_done: bool) -> &mut Entry {
        let open = |entry: &Entry| !entry.named && entry.role == role && !entry.past && !entry.done;
        let found = match &id {
            Some(id) => {
                let by_id = self.entries.iter().rposition(|e| e.named && e.id == *id);
                // A final text may be the first to name what was unnamed so far.
                by_id.or_else(|| is_done.then(|| self.entries.iter().rposition(open)).flatten())
            }
            None => self.entries.iter().rposition(open),
        };
        if let Some(at) = found {
            return &mut self.entries[at];
        }
        if self.entries.len() >= TRANSCRIPT_ENTRIES_MAX {
            self.entries.pop_front();
        }
        let named = id.is_some();
        let id = id.unwrap_or_else(|| {
            self.unnamed += 1;
            format!("{}_{}", role.as_str(), self.unnamed)
        });
        self.entries.push_back(Entry {
            id,
            named,
            role,
            text: String::new(),
            done: false,
            handed: String::new(),
            past: false,
        });
        let last = self.entries.len() - 1;
        &mut self.entries[last]
    }

    /// What is unnamed and of this role begins anew.
    pub(super) fn turn_of(&mut self, role: RealtimeRole) {
        self.entries.iter_mut().filter(|entry| entry.role == role).for_each(|e| e.past = true);
    }

    /// What was said since the last call, oldest first. `but` is said elsewhere.
    pub(super) fn take(&mut self, but: &str) -> Vec<(RealtimeRole, String)> {
        let but = but.trim();
        let mut all = Vec::new();
        for entry in &mut self.entries {
            entry.past = true;
            let new = entry.text.strip_prefix(entry.handed.as_str()).unwrap_or(&entry.text).trim();
            if !new.is_empty() && entry.text.trim() != but {
                all.push((entry.role, new.to_owned()));
            }
            entry.handed.clone_from(&entry.text);
        }
        all
    }
}

/// One entry a line; the newest where it is too long.
pub(super) fn lines(said: &[(RealtimeRole, String)]) -> String {
    let line = |(role, text): &(RealtimeRole, String)| format!("{}: {text}", role.as_str());
    let text = said.iter().map(line).collect::<Vec<_>>().join("\n");
    let mut from = text.len().saturating_sub(TRANSCRIPT_DELTA_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].to_owned()
}

/// The beginning of a text, cut between characters.
pub(super) fn clip(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use RealtimeRole::{Assistant, User};

    use super::*;

    fn delta(text: &str) -> TranscriptText {
        TranscriptText::Delta(text.into())
    }

    fn done(text: &str) -> TranscriptText {
        TranscriptText::Done(text.into())
    }

    fn id(text: &str) -> Option<String> {
        Some(text.into())
    }

    #[test]
    fn a_late_final_text_replaces_in_place_and_is_not_handed_twice() {
        let mut transcript = Transcript::default();
        transcript.on(User, id("u1"), delta("fix the"));
        transcript.on(Assistant, id("a1"), delta("sure"));
        assert_eq!(lines(&transcript.take("")), "user: fix the\nassistant: sure");
        transcript.on(User, id("u1"), done("fix the bug"));
        transcript.on(Assistant, id("a1"), done("sure"));
        assert_eq!(lines(&transcript.take("")), "user: bug");
        assert_eq!(lines(&transcript.take("")), "");
        assert_eq!(transcript.on(User, id("u1"), done("fix the bug")), None);
        assert_eq!(transcript.on(User, id("u1"), delta("late")), None);
    }

    #[test]
    fn without_ids_pieces_go_to_the_open_entry_of_their_role() {
        let mut transcript = Transcript::default();
        let first = transcript.on(User, None, delta("a"));
        assert_eq!(first, Some(Change::Grew { item: "user_1".into(), delta: "a".into() }));
        transcript.on(Assistant, None, delta("x"));
        transcript.on(User, None, delta("b"));
        let ended = transcript.on(User, None, done("ab."));
        assert_eq!(ended, Some(Change::Done { item: "user_1".into(), text: "ab.".into() }));
        transcript.on(User, None, delta("c"));
        transcript.turn_of(User);
        transcript.on(User, None, delta("d"));
        assert_eq!(lines(&transcript.take("")), "user: ab.\nassistant: x\nuser: c\nuser: d");
    }

    #[test]
    fn what_is_said_elsewhere_is_left_out_and_the_newest_is_kept() {
        let mut transcript = Transcript::default();
        transcript.on(User, id("u"), done("do it"));
        transcript.on(Assistant, id("a"), done("yes"));
        assert_eq!(lines(&transcript.take(" do it ")), "assistant: yes");
        for n in 0..TRANSCRIPT_ENTRIES_MAX + 10 {
            transcript.on(User, id(&n.to_string()), done(&"ü".repeat(100)));
        }
        let text = lines(&transcript.take(""));
        assert!(text.len() <= TRANSCRIPT_DELTA_BYTES && text.ends_with('ü'));
        assert_eq!(transcript.entries.len(), TRANSCRIPT_ENTRIES_MAX);
    }
}
