//! What each key does: the search first, then the candidates, then vim, then the keymap, then
//! writing.

use std::path::PathBuf;

use codex_proto::op::Delivery;
use unicode_segmentation::UnicodeSegmentation as _;

use super::{
    Action, Attachment, Completion, Composer, Draft, Handled, Kind, Output, VimMode,
    draft::{PASTE_EXPANDED_BYTES_MAX, image_path},
    edit::edit,
    full,
    text::{Atom, Piece},
    undo::EditKind,
    vim::{VimKey, is_escape},
    wrap::Layout,
};
use crate::key::{Key, KeyCode, Modifiers};

impl Composer {
    /// A key.
    pub fn key(&mut self, key: &Key) -> Handled {
        self.is_up_waiting = false;
        if self.history.search().is_some() {
            return self.search_key(key);
        }
        if self.completion().is_some()
            && let Some(outputs) = self.completion_key(key)
        {
            return Handled::Consumed(outputs);
        }
        let commands = self.vim_mode().is_some_and(|mode| mode != VimMode::Insert);
        if commands && let Some(handled) = self.vim_key(key) {
            return handled;
        }
        if !commands
            && is_escape(key)
            && let Some(vim) = &mut self.vim
        {
            vim.leave_insert(&mut self.text);
            return Handled::Consumed(self.changed());
        }
        if let Some(action) = self.keymap.action(key) {
            return self.act(action);
        }
        match key.written() {
            Some(char) if !commands => {
                self.killed.close();
                if let Some(note) = self.is_full(char.len_utf8()) {
                    return Handled::Consumed(vec![note]);
                }
                let mut buffer = [0; 4];
                self.text.insert(&(&*char.encode_utf8(&mut buffer)).into(), EditKind::Type);
                Handled::Consumed(self.changed())
            }
            _ => Handled::Ignored,
        }
    }

    fn vim_key(&mut self, key: &Key) -> Option<Handled> {
        let vim = self.vim.as_mut()?;
        let own = vim.place().map_or(Some(*key), |place| self.vim_keymap.own(place, key));
        let Some(key) = own else {
            vim.cancel();
            return Some(Handled::Consumed(Vec::new()));
        };
        match vim.key(&key, &mut self.text) {
            VimKey::Done => Some(Handled::Consumed(self.changed())),
            VimKey::Full => Some(Handled::Consumed(vec![full()])),
            // One row beyond the edge is another prompt.
            VimKey::Row(rows @ (-1 | 1)) => Some(self.move_row(rows < 0)),
            VimKey::Row(rows) => {
                for _ in 0..rows.unsigned_abs() {
                    if !self.move_within(rows < 0) {
                        break;
                    }
                }
                Some(Handled::Consumed(Vec::new()))
            }
            VimKey::Other => None,
        }
    }

    fn completion_key(&mut self, key: &Key) -> Option<Vec<Output>> {
        let action = self.keymap.action(key);
        match (key.code, action) {
            (KeyCode::Esc, _) if key.modifiers.is_empty() => self.completer.close(),
            (_, Some(Action::MoveUp)) => self.completer.choose(-1),
            (_, Some(Action::MoveDown)) => self.completer.choose(1),
            (KeyCode::Tab, _) if key.modifiers == Modifiers::SHIFT => self.completer.choose(-1),
            (_, Some(Action::Complete)) => return Some(self.complete(false)),
            (_, Some(Action::Submit)) => {
                let now = self.completer.current()?;
                // What is typed in full needs no completion.
                let is_whole =
                    now.kind == Kind::Command && self.completer.command(&now.query).is_some();
                if is_whole || now.candidates.is_empty() {
                    self.completer.close();
                    return None;
                }
                return Some(self.complete(true));
            }
            _ => return None,
        }
        Some(Vec::new())
    }

    /// Takes the chosen candidate. `is_final`: a command that needs nothing more is sent.
    fn complete(&mut self, is_final: bool) -> Vec<Output> {
        let Some((Completion { kind, range, .. }, candidate)) = self.completer.take() else {
            return Vec::new();
        };
        let name = &candidate.name;
        match kind {
            Kind::Command => {
                let line = format!("/{name} ");
                self.text.replace(range, &line.as_str().into(), EditKind::Other);
                if is_final && !candidate.takes_arguments {
                    return self.submit(Delivery::Steer);
                }
            }
            Kind::Skill => {
                let word = format!("${name} ");
                self.text.replace(range, &word.as_str().into(), EditKind::Other);
            }
            Kind::File => {
                let is_folder = name.ends_with('/');
                if let Some(path) = image_path(&format!("./{name}")).filter(|_| !is_folder) {
                    let path = path.strip_prefix("./").map_or(path.clone(), PathBuf::from);
                    self.text.replace(range, &Piece::default(), EditKind::Other);
                    self.insert_attachment(Attachment::Image(path));
                    return Vec::new();
                }
                let word = match (is_folder, name.contains(char::is_whitespace)) {
                    // One looks further into a folder.
                    (true, false) => format!("@{name}"),
                    (_, true) => format!("\"{name}\" "),
                    (false, false) => format!("{name} "),
                };
                self.text.replace(range, &word.as_str().into(), EditKind::Other);
            }
        }
        self.changed()
    }

    fn search_key(&mut self, key: &Key) -> Handled {
        let action = self.keymap.action(key);
        let is_cancel =
            key.is(&Key::plain(KeyCode::Esc)) || key.is(&Key::ctrl('c')) || key.is(&Key::ctrl('g'));
        if is_cancel {
            if let Some(before) = self.history.cancel_search() {
                self.set_draft(&before);
            }
            return Handled::Consumed(Vec::new());
        }
        match (action, key.written()) {
            (Some(Action::HistorySearch), _) => {
                self.history.next_match(true);
            }
            (Some(Action::HistoryNext), _) => {
                self.history.next_match(false);
            }
            (Some(Action::DeleteBackward), _) => self.history.edit_query(|query| {
                let last = query.grapheme_indices(true).next_back();
                query.truncate(last.map_or(0, |(at, _)| at));
            }),
            (Some(Action::KillLineStart), _) => self.history.edit_query(String::clear),
            (Some(Action::Submit | Action::Complete), _) => {
                self.history.accept_search();
                return Handled::Consumed(self.changed());
            }
            (None, Some(char)) => self.history.edit_query(|query| query.push(char)),
            (Some(_), _) => {
                // Any other key goes on with the match.
                self.history.accept_search();
                return self.key(key);
            }
            (None, None) => return Handled::Ignored,
        }
        self.show_match();
        Handled::Consumed(Vec::new())
    }

    pub(super) fn show_match(&mut self) {
        if let Some(draft) = self.history.match_shown() {
            self.set_draft(&draft);
            self.completer.close();
        }
    }

    fn act(&mut self, action: Action) -> Handled {
        if action == Action::DeleteForward && self.text.is_empty() {
            // Ctrl-D with nothing written is for somebody else.
            return Handled::Ignored;
        }
        if edit(action, &mut self.text, &mut self.killed) {
            return Handled::Consumed(self.changed());
        }
        match action {
            Action::AttachClipboard => Handled::Consumed(vec![Output::AttachClipboard]),
            Action::Complete => self.expand(),
            Action::Editor => {
                let draft = self.draft();
                Handled::Consumed(vec![Output::Editor(for_editor(&draft))])
            }
            Action::HistorySearch | Action::HistoryNext => {
                self.history.start_search(self.draft());
                let asks = self.history.ask();
                Handled::Consumed(asks.then_some(Output::ReadHistory).into_iter().collect())
            }
            Action::MoveDown => self.move_row(false),
            Action::MoveUp => self.move_row(true),
            Action::NewLine => {
                self.text.insert(&"\n".into(), EditKind::Other);
                Handled::Consumed(self.changed())
            }
            Action::Queue => Handled::Consumed(self.submit(Delivery::FollowUp)),
            Action::Submit => self.enter(),
            _ => Handled::Ignored,
        }
    }

    fn enter(&mut self) -> Handled {
        let caret = self.text.caret();
        // A backslash before Enter makes a line of it, where no other key can.
        if self.text.as_str()[..caret].ends_with('\\') && self.text.atom_to(caret).is_none() {
            self.text.replace(caret - 1..caret, &"\n".into(), EditKind::Other);
            return Handled::Consumed(self.changed());
        }
        if self.draft().is_blank() {
            return Handled::Ignored;
        }
        Handled::Consumed(self.submit(Delivery::Steer))
    }

    /// Replaces the placeholder beside the caret by the text that it stands for.
    fn expand(&mut self) -> Handled {
        let caret = self.text.caret();
        let skipped = self.text.before(caret);
        let atom = self
            .text
            .atom_from(caret)
            .or_else(|| self.text.atom_to(caret))
            // A space follows each placeholder that was pasted.
            .or_else(|| self.text.atom_to(skipped))
            .cloned();
        let Some(Atom { range, id }) = atom else { return Handled::Ignored };
        let found = self.attachments.iter().find(|(have, _)| *have == id);
        let Some((_, Attachment::Paste(paste))) = found else { return Handled::Ignored };
        if paste.len() > PASTE_EXPANDED_BYTES_MAX {
            let note = format!(
                "{} KiB are too much to edit here; {} opens them in your editor",
                paste.len() >> 10,
                self.keymap.keys(Action::Editor).next().map_or("/editor".into(), |k| k.to_string())
            );
            return Handled::Consumed(vec![Output::Note(note)]);
        }
        let paste = paste.to_string();
        if let Some(note) = self.is_full(paste.len()) {
            return Handled::Consumed(vec![note]);
        }
        self.text.replace(range, &paste.as_str().into(), EditKind::Other);
        Handled::Consumed(self.changed())
    }

    pub(super) fn layout(&mut self) -> &Layout {
        let width = self.width;
        let revision = self.text.revision();
        let is_fresh = self.layout.as_ref().is_some_and(|(r, w, _)| (*r, *w) == (revision, width));
        if !is_fresh {
            self.layout = Some((revision, width, Layout::new(&self.text, width)));
        }
        let (_, _, layout) = self.layout.as_ref().expect("it was just made");
        layout
    }

    /// One row up or down, or another prompt.
    fn move_row(&mut self, up: bool) -> Handled {
        let is_visual = self.vim_mode().is_some_and(VimMode::is_visual);
        let steps = self.history.is_stepping() && self.is_at_edge(up);
        if (steps && !is_visual) || !self.move_within(up) {
            if is_visual {
                return Handled::Consumed(Vec::new());
            }
            return self.step_history(up);
        }
        Handled::Consumed(Vec::new())
    }

    /// One row up or down; false at the edge.
    fn move_within(&mut self, up: bool) -> bool {
        let caret = self.text.caret();
        self.layout();
        let (_, _, layout) = self.layout.as_ref().expect("it was just made");
        let (row, column) = layout.cell(&self.text, caret);
        let is_edge = if up { row == 0 } else { row + 1 == layout.rows.len() };
        if is_edge {
            return false;
        }
        let goal = self.goal.unwrap_or(column);
        let row = if up { row - 1 } else { row + 1 };
        let at = layout.offset(&self.text, row, goal);
        self.text.set_caret(at);
        self.goal = Some(goal);
        self.rest();
        true
    }

    fn is_at_edge(&self, up: bool) -> bool {
        let caret = self.text.caret();
        if up { caret == 0 } else { caret == self.text.as_str().len() }
    }

    pub(super) fn step_history(&mut self, up: bool) -> Handled {
        if up {
            // The first Up within a text goes to its start.
            if self.text.caret() > 0 && !self.history.is_stepping() && !self.text.is_empty() {
                self.text.set_caret(0);
                return Handled::Consumed(Vec::new());
            }
            let mut outputs = Vec::new();
            if self.history.ask() {
                outputs.push(Output::ReadHistory);
            }
            let current = self.draft();
            match self.history.older(&current) {
                Some(draft) => {
                    self.set_draft(&draft);
                    self.completer.close();
                }
                None => self.is_up_waiting = !outputs.is_empty(),
            }
            return Handled::Consumed(outputs);
        }
        match self.history.newer() {
            Some(draft) => {
                self.set_draft(&draft);
                self.completer.close();
                Handled::Consumed(Vec::new())
            }
            None if self.is_at_edge(false) => Handled::Ignored,
            None => {
                self.text.set_caret(self.text.as_str().len());
                Handled::Consumed(Vec::new())
            }
        }
    }
}

/// The text for an editor: pasted text in full, images as they are labelled here.
fn for_editor(draft: &Draft) -> String {
    let (mut text, mut from) = (String::new(), 0);
    for Atom { range, id } in &draft.piece.atoms {
        text.push_str(&draft.piece.text[from..range.start]);
        match draft.attachment(*id) {
            Some(Attachment::Paste(paste)) => text.push_str(paste),
            _ => text.push_str(&draft.piece.text[range.clone()]),
        }
        from = range.end;
    }
    text.push_str(&draft.piece.text[from..]);
    text
}
