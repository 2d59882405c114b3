//! Earlier conversations: to go on with one, or to fork it. When there are none, it says why.

use codex_proto::{Op, Wall};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{
    Bound, Handled, Layer,
    approval::short,
    chrome::{CHROME_ROWS, Chrome, counted},
    list::{Entry, List, Listed},
};
use crate::{
    desk::Desk,
    key::{Key, KeyCode, Paste},
    msg::{Answer, ScreenEffect, SessionEntry, Sessions},
    text::clean_line,
    theme::Look,
};

/// The picker of sessions.
#[derive(Clone, Debug)]
pub struct SessionPicker {
    /// Those of all folders.
    all: bool,
    /// To fork the one that is picked.
    fork: bool,
    /// What was typed before the sessions came.
    filter: String,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Loading,
    Ready { sessions: Sessions, list: List },
}

impl SessionPicker {
    /// Opens it and asks for the sessions.
    pub fn open(desk: &mut Desk, all: bool, fork: bool, filter: &str) {
        desk.effect(ScreenEffect::ListSessions { all });
        let picker = Self { all, fork, filter: filter.into(), state: State::Loading };
        desk.open(picker.into());
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

    fn side(sessions: &Sessions, list: &List) -> String {
        let (shown, all) = list.counts();
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
                    size(session.bytes)
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

/// `812 B`, `12 kB`, `3.4 MB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => {
            format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
        }
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}

impl Layer for SessionPicker {
    fn on_key(&mut self, key: Key, desk: &mut Desk) -> Handled {
        if key.is(&Key::plain(KeyCode::Tab)) {
            self.all = !self.all;
            if let State::Ready { list, .. } = &self.state {
                self.filter = list.filter().to_owned();
            }
            self.state = State::Loading;
            desk.effect(ScreenEffect::ListSessions { all: self.all });
            return Handled::Consumed;
        }
        let State::Ready { sessions, list } = &mut self.state else {
            let leaves = desk.bindings.is(&key, Bound::Cancel);
            return if leaves { Handled::Close } else { Handled::Consumed };
        };
        match list.on_key(&key, desk) {
            Listed::Cancelled => Handled::Close,
            Listed::Chosen(index) => {
                let Some(entry) = sessions.sessions.get(index).cloned() else {
                    return Handled::Consumed;
                };
                self.begin(&entry, desk);
                Handled::Close
            }
            Listed::Consumed | Listed::Moved | Listed::Ignored => Handled::Consumed,
        }
    }

    fn on_paste(&mut self, paste: &Paste, _desk: &mut Desk) {
        if let State::Ready { list, .. } = &mut self.state {
            list.on_paste(paste);
        }
    }

    fn on_answer(&mut self, answer: &Answer, desk: &mut Desk) {
        let Answer::Sessions(sessions) = answer else { return };
        let entries = self.entries(sessions, desk);
        let list = List::new(entries).filtered(&self.filter).wide_names();
        self.state = State::Ready { sessions: sessions.clone(), list };
    }

    fn height(&mut self, columns: u16, rows: u16, desk: &Desk) -> u16 {
        let body = match &self.state {
            State::Loading => 1,
            State::Ready { sessions, list } if sessions.sessions.is_empty() => {
                let why = self.why_empty(sessions, desk);
                let room = usize::from(columns.saturating_sub(4).max(1));
                let rows = crate::text::width(&why) / room + 2;
                list.height(columns).max(u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(1))
            }
            State::Ready { list, .. } => list.height(columns),
        };
        body.saturating_add(CHROME_ROWS).min(rows)
    }

    fn view(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        desk: &Desk,
        look: &Look,
    ) -> Option<Position> {
        let title = match (self.fork, self.all) {
            (false, false) => "Resume a conversation of this folder",
            (false, true) => "Resume a conversation of any folder",
            (true, false) => "Fork a conversation of this folder",
            (true, true) => "Fork a conversation of any folder",
        };
        let mut chrome = Chrome::new(title);
        if let State::Ready { sessions, list } = &self.state {
            chrome = chrome.side(Self::side(sessions, list));
        }
        let verb = if self.fork { "fork" } else { "resume" };
        let tab = if self.all { "this folder" } else { "all folders" };
        let chrome = chrome
            .key(desk.bindings.label(Bound::Accept), verb)
            .key("Tab", tab)
            .key(desk.bindings.label(Bound::Cancel), "back");
        let inner = chrome.draw(area, buffer, look);
        let why = match &self.state {
            State::Ready { sessions, .. } => self.why_empty(sessions, desk),
            State::Loading => "looking…".to_owned(),
        };
        match &mut self.state {
            State::Ready { list, .. } => list.view(&why, inner, buffer, look),
            State::Loading => List::default().view(&why, inner, buffer, look),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_short() {
        let after = |minutes: i64| age(Wall(minutes * 60_000), Wall(0));
        assert_eq!(
            [0, 59, 60, 1_439, 1_440, 86_400, 525_600].map(after),
            ["now", "59 min", "1 h", "23 h", "1 d", "2 mo", "1 y"]
        );
        assert_eq!(age(Wall(0), Wall(9)), "now", "a clock that went back");
        assert_eq!(
            [999, 1_000, 3_450_000, 2_100_000_000].map(size),
            ["999 B", "1 kB", "3.4 MB", "2.1 GB"]
        );
    }
}
