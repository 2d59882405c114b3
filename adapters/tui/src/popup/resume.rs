//! Earlier conversations: to go on with one, or to fork it. When there are none, it says why.

use codex_proto::{Op, Wall};

use super::{
    Body, Bound, Chrome, Handled, Layer, List, approval::short, chrome::counted, list::Entry,
};
use crate::{
    desk::Desk,
    key::{Key, KeyCode},
    msg::{Answer, ScreenEffect, SessionEntry, Sessions},
    text::{bytes, clean_line},
};

/// The picker of sessions.
#[derive(Clone, Debug)]
pub struct SessionPicker {
    /// Those of all folders.
    all: bool,
    /// To fork the one that is picked.
    fork: bool,
    /// What there is; none until they are listed.
    sessions: Option<Sessions>,
    list: List,
}

/// Before they are listed.
fn looking(filter: &str) -> List {
    List::new(Vec::new()).filtered(filter).or_says("looking…")
}

impl SessionPicker {
    /// Opens it and asks for the sessions.
    pub fn open(desk: &mut Desk, all: bool, fork: bool, filter: &str) {
        desk.effect(ScreenEffect::ListSessions { all });
        desk.open(Self { all, fork, sessions: None, list: looking(filter) }.into());
    }

    fn begin(&self, entry: &SessionEntry, desk: &mut Desk) {
        let path = entry.path.clone();
        if self.fork {
            desk.begin(Op::ForkThread { path, prompts_kept: None });
        } else if desk.thread() == Some(entry.thread) {
            desk.note("this is the conversation on the screen");
        } else {
            desk.begin(Op::ResumeThread { path });
        }
    }

    /// Why there is nothing to choose, and what to do.
    fn why_empty(&self, sessions: &Sessions, desk: &Desk) -> String {
        if let Some(error) = &sessions.error {
            return format!("No sessions can be listed: {}", clean_line(error));
        }
        let looked = short(&sessions.folder, desk);
        let mut why = if self.all {
            format!("No sessions yet in {looked}.")
        } else {
            let cwd = short(&desk.setup.cwd, desk);
            format!("No session of {cwd} in {looked}. Tab shows those of all folders.")
        };
        if sessions.unreadable_count > 0 {
            let count = counted(sessions.unreadable_count, "file");
            why.push_str(&format!(" {count} there cannot be read."));
        }
        if sessions.unopened_count > 0 {
            let count = counted(sessions.unopened_count, "older file");
            why.push_str(&format!(" {count} not looked at."));
        }
        clean_line(&why).into_owned()
    }

    fn side(&self) -> String {
        let (shown, all) = self.list.counts();
        // When there are none, the list itself says why.
        let Some(sessions) = self.sessions.as_ref().filter(|_| all > 0) else {
            return String::new();
        };
        let mut side = if shown == all { all.to_string() } else { format!("{shown} of {all}") };
        if sessions.unopened_count > 0 {
            side.push_str(&format!(", {} older not listed", sessions.unopened_count));
        }
        if sessions.unreadable_count > 0 {
            side.push_str(&format!(", {} unreadable", sessions.unreadable_count));
        }
        side
    }

    fn entries(&self, sessions: &Sessions, desk: &Desk) -> Vec<Entry> {
        let entry = |session: &SessionEntry| {
            let name = clean_line(&session.name);
            let name = if name.trim().is_empty() { "(no prompt yet)" } else { name.trim() };
            let about = if self.all { short(&session.cwd, desk) } else { String::new() };
            Entry {
                name: name.into(),
                about: clean_line(&about).into_owned(),
                tail: format!(
                    "{:>8}  {:>6}",
                    age(desk.now.wall, session.modified),
                    bytes(session.bytes)
                ),
                is_current: desk.thread() == Some(session.thread),
            }
        };
        sessions.sessions.iter().map(entry).collect()
    }
}

/// `now`, `5 min`, `3 h`, `12 d`, `4 mo`, `2 y`.
fn age(now: Wall, then: Wall) -> String {
    let minutes = now.0.saturating_sub(then.0).max(0) / 60_000;
    match minutes {
        0 => "now".into(),
        1..60 => format!("{minutes} min"),
        60..1_440 => format!("{} h", minutes / 60),
        1_440..86_400 => format!("{} d", minutes / 1_440),
        86_400..525_600 => format!("{} mo", minutes / 43_200),
        _ => format!("{} y", minutes / 525_600),
    }
}

impl Layer for SessionPicker {
    fn chrome(&self, desk: &Desk) -> Chrome {
        let (verb, title) = match (self.fork, self.all) {
            (false, false) => ("resume", "Resume a conversation of this folder"),
            (false, true) => ("resume", "Resume a conversation of any folder"),
            (true, false) => ("fork", "Fork a conversation of this folder"),
            (true, true) => ("fork", "Fork a conversation of any folder"),
        };
        let mut chrome = Chrome::new(title).side(self.side());
        if self.list.chosen().is_some() {
            chrome = chrome.on(desk, Bound::Accept, verb);
        }
        chrome.key("Tab", if self.all { "this folder" } else { "all folders" }).on(
            desk,
            Bound::Cancel,
            "back",
        )
    }

    fn body(&mut self, _desk: &Desk) -> Body<'_> {
        Body::List(&mut self.list)
    }

    fn on_own_key(&mut self, key: &Key, desk: &mut Desk) -> Option<Handled> {
        if !key.is(&Key::plain(KeyCode::Tab)) {
            return None;
        }
        self.all = !self.all;
        self.list = looking(self.list.filter());
        self.sessions = None;
        desk.effect(ScreenEffect::ListSessions { all: self.all });
        Some(Handled::Consumed)
    }

    fn on_chosen(&mut self, index: usize, desk: &mut Desk) -> Handled {
        let sessions = self.sessions.as_ref().map(|have| &have.sessions);
        if let Some(entry) = sessions.and_then(|have| have.get(index)) {
            self.begin(entry, desk);
        }
        Handled::Close
    }

    fn on_left(&mut self, desk: &mut Desk) -> Handled {
        desk.stay();
        Handled::Close
    }

    fn on_answer(&mut self, answer: &Answer, desk: &mut Desk) {
        let Answer::Sessions(sessions) = answer else { return };
        self.list = List::new(self.entries(sessions, desk))
            .filtered(self.list.filter())
            .wide_names()
            .tall(desk.setup.comfortable_sessions)
            .or_says(self.why_empty(sessions, desk));
        self.sessions = Some(sessions.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let after = |minutes: i64| age(Wall(minutes * 60_000), Wall(0));
        assert_eq!(
            [0, 59, 60, 1_439, 1_440, 86_400, 525_600].map(after),
            ["now", "59 min", "1 h", "23 h", "1 d", "2 mo", "1 y"]
        );
        assert_eq!(age(Wall(0), Wall(9)), "now", "a clock that went back");
    }
}
