//! What the user is writing: keys and pastes in, prompts and commands out.
//!
//! ```text
//! state       on                                next
//! Writing     Ctrl-R                            Searching
//!             `/`, `@`, `$` at a word's start   Writing, with candidates
//!             Enter                             Writing, empty: Submit
//! Searching   Enter, Tab, arrows                Writing, with the match
//!             Esc, Ctrl-C, Ctrl-G               Writing, as before
//! ```
//!
//! Read `text` first (the model), then `wrap` (rows and the caret's cell), then this file.

pub mod action;
pub mod complete;
pub mod draft;
pub mod edit;
pub mod history;
mod keys;
pub mod rank;
#[cfg(test)]
mod tests;
pub mod text;
pub mod undo;
mod view;
pub mod vim;
pub mod wrap;

use std::{ops::Range, path::PathBuf};

use codex_proto::op::{Delivery, PromptPart};

pub use self::{
    action::{Action, Keymap},
    complete::{Candidate, Completion, Kind},
    draft::{Attachment, Draft},
    view::Styles,
    vim::{VIM_ACTIONS, VimKeymap, VimMode},
};
use self::{
    complete::Completer,
    draft::{image_path, is_long, label},
    edit::Killed,
    history::{History, Search},
    text::{Atom, Piece, Text, without_controls},
    undo::EditKind,
    vim::Vim,
    wrap::Layout,
};
use crate::key::{Key, Paste};

/// Bytes of text, placeholders' content aside; more is refused with a note.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Bytes of all pasted text of one draft; more is refused with a note.
pub const PASTES_BYTES_MAX: usize = 64 << 20;

/// What the composer wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// An image from the clipboard; [`Composer::attach_image`] answers.
    AttachClipboard,
    /// The user's editor with this text; [`Composer::edited`] answers.
    Editor(String),
    /// Files that match; [`Composer::files_found`] answers.
    FindFiles(String),
    /// A line to show to the user.
    Note(String),
    /// The prompts of the history file; [`Composer::history_loaded`] answers.
    ReadHistory,
    /// What was written is sent; the composer is empty again.
    Submit(Submission),
}

/// Something that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// What.
    pub said: Said,
    /// Steer with Enter, follow up with Alt-Enter.
    pub delivery: Delivery,
    /// What goes into the history file.
    pub history: String,
    /// As it was written, to show it or to put it back.
    pub draft: Draft,
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// `/name arguments`, a command that there is.
    Command {
        /// Without the slash.
        name: String,
        /// What followed, trimmed.
        arguments: String,
    },
    /// Something for the model. Paths of images are as they were given: relative to the working
    /// directory, or to the home directory after `~/`.
    Prompt(Vec<PromptPart>),
    /// `!script`, for the user's shell.
    Script(String),
}

/// Whether a key meant something here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handled {
    /// It did.
    Consumed(Vec<Output>),
    /// It is for somebody else.
    Ignored,
}

/// How a composer is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `tui.vim_mode_default`.
    pub vim: bool,
    /// Keys of the user: `CONTEXT.ACTION` and its keys.
    pub keymap: Vec<(String, Vec<Key>)>,
}

/// The text being written and everything around it.
#[derive(Clone, Debug)]
pub struct Composer {
    text: Text,
    attachments: Vec<(u32, Attachment)>,
    next_attachment: u32,
    killed: Killed,
    history: History,
    /// Up was pressed, and the prompt that it shows is still being read.
    is_up_waiting: bool,
    completer: Completer,
    keymap: Keymap,
    vim_keymap: VimKeymap,
    vim: Option<Vim>,
    /// The column that moving up and down keeps.
    goal: Option<usize>,
    layout: Option<(u64, u16, Layout)>,
    /// First row that is shown.
    scroll: usize,
    /// Width of the last view, for moving by rows.
    width: u16,
}

impl Composer {
    /// An empty composer.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let mut text = Text::default();
        let vim = options.vim.then(|| Vim::new(&mut text));
        Self {
            text,
            attachments: Vec::new(),
            next_attachment: 1,
            killed: Killed::default(),
            history: History::default(),
            is_up_waiting: false,
            completer: Completer::default(),
            keymap: Keymap::new(&options.keymap),
            vim_keymap: VimKeymap::new(&options.keymap),
            vim,
            goal: None,
            layout: None,
            scroll: 0,
            width: 80,
        }
    }

    /// The commands there are.
    pub fn set_commands(&mut self, commands: Vec<Candidate>) {
        self.completer.set_commands(commands);
    }

    /// The skills there are.
    pub fn set_skills(&mut self, skills: Vec<Candidate>) {
        self.completer.set_skills(skills);
    }

    /// Which keys do what in vim's modes.
    #[must_use]
    pub fn vim_keymap(&self) -> &VimKeymap {
        &self.vim_keymap
    }

    /// Turns vim keys on or off.
    pub fn set_vim(&mut self, on: bool) {
        self.vim = on.then(|| Vim::new(&mut self.text));
    }

    /// The mode of the vim keys; `None` when they are off.
    #[must_use]
    pub fn vim_mode(&self) -> Option<VimMode> {
        self.vim.as_ref().map(Vim::mode)
    }

    /// Which key does what.
    #[must_use]
    pub fn keymap(&self) -> &Keymap {
        &self.keymap
    }

    /// Whether nothing is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text, with the labels of placeholders.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.as_str()
    }

    /// What is written is a script for the user's shell.
    #[must_use]
    pub fn is_script(&self) -> bool {
        self.text.as_str().starts_with('!')
    }

    /// The search in the history, while there is one.
    #[must_use]
    pub fn search(&self) -> Option<&Search> {
        self.history.search()
    }

    /// The candidates, while there are some.
    #[must_use]
    pub fn completion(&self) -> Option<&Completion> {
        self.completer.current()
    }

    /// What is written.
    #[must_use]
    pub fn draft(&self) -> Draft {
        let piece = self.text.piece(0..self.text.as_str().len());
        let used = |id: &u32| piece.atoms.iter().any(|atom| atom.id == *id);
        let attachments = self.attachments.iter().filter(|(id, _)| used(id)).cloned().collect();
        Draft { piece, attachments }
    }

    /// Puts a draft in place of what is written; Ctrl-_ takes that back.
    pub fn set_draft(&mut self, draft: &Draft) {
        // Ids of the draft are its own.
        let mut piece = draft.piece.clone();
        for atom in &mut piece.atoms {
            if let Some(attachment) = draft.attachment(atom.id) {
                atom.id = self.keep(attachment.clone());
            }
        }
        self.text.set(&piece);
        if let Some(vim) = &mut self.vim {
            vim.deselect();
        }
        self.changed();
    }

    /// Puts a draft before what is written, e.g. a prompt that came back.
    pub fn prepend_draft(&mut self, draft: &Draft) {
        let mine = self.draft();
        if mine.is_blank() {
            self.set_draft(draft);
            return;
        }
        self.set_draft(draft);
        let end = self.text.as_str().len();
        self.text.replace(end..end, &"\n".into(), EditKind::Other);
        self.text.insert(&mine.piece, EditKind::Other);
        self.changed();
    }

    /// Empties it and keeps what was written for Up. False when there was nothing.
    pub fn clear(&mut self) -> bool {
        let draft = self.draft();
        self.history.cancel_search();
        if draft.piece.text.is_empty() {
            return false;
        }
        if !draft.is_blank() {
            self.history.push(draft);
        }
        self.reset();
        true
    }

    /// A text came back from the editor.
    pub fn edited(&mut self, text: &str) {
        // Placeholders of images that are still there stay what they are.
        let text = without_controls(text);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let mut piece = Piece::from(text);
        let draft = self.draft();
        for (id, attachment) in &draft.attachments {
            let label = label(attachment, *id);
            if matches!(attachment, Attachment::Image(_))
                && let Some(at) = text.find(&label)
            {
                piece.atoms.push(Atom { range: at..at + label.len(), id: *id });
            }
        }
        piece.atoms.sort_by_key(|atom| atom.range.start);
        if text.len() > TEXT_BYTES_MAX {
            let id = self.keep(Attachment::Paste(text.into()));
            piece = labelled(&self.attachments, id);
        }
        self.text.set(&piece);
        if let Some(vim) = &mut self.vim {
            vim.deselect();
        }
        self.changed();
    }

    /// Prompts of the history file, oldest first.
    pub fn history_loaded(&mut self, prompts: Vec<String>) {
        self.history.load(prompts);
        self.show_match();
        if std::mem::take(&mut self.is_up_waiting) {
            self.step_history(true);
        }
    }

    /// Files that match a query, best first.
    pub fn files_found(&mut self, query: &str, paths: Vec<String>, more: bool) {
        self.completer.files_found(query, paths, more);
    }

    /// Puts an image at the caret.
    pub fn attach_image(&mut self, path: PathBuf) {
        self.insert_attachment(Attachment::Image(path));
    }

    /// Puts text at the caret, as typed.
    pub fn insert(&mut self, text: &str) {
        self.text.insert(&text.into(), EditKind::Other);
        self.changed();
    }

    fn keep(&mut self, attachment: Attachment) -> u32 {
        let id = self.next_attachment;
        self.next_attachment += 1;
        self.attachments.push((id, attachment));
        id
    }

    fn insert_attachment(&mut self, attachment: Attachment) {
        let id = self.keep(attachment);
        let piece = labelled(&self.attachments, id);
        self.text.insert(&piece, EditKind::Other);
        self.text.insert(&" ".into(), EditKind::Other);
        self.changed();
    }

    fn reset(&mut self) {
        self.text.reset();
        self.attachments.clear();
        self.next_attachment = 1;
        self.killed.forget_placeholders();
        self.history.stop();
        self.scroll = 0;
        if let Some(vim) = &mut self.vim {
            vim.forget_placeholders();
            vim.insert(&mut self.text);
        }
        self.changed();
    }

    /// After each change of the text.
    fn changed(&mut self) -> Vec<Output> {
        self.goal = None;
        self.rest();
        if self.vim_mode().is_some_and(|mode| mode != VimMode::Insert) {
            // Nothing is being written.
            self.completer.stop();
            return Vec::new();
        }
        match self.completer.update(&self.text) {
            Some(query) => vec![Output::FindFiles(query)],
            None => Vec::new(),
        }
    }

    /// Text that came in one piece. It never sends anything.
    pub fn paste(&mut self, paste: &Paste) -> Vec<Output> {
        if self.history.search().is_some() {
            let line = without_controls(&paste.0);
            let line = line.lines().next().unwrap_or_default().to_owned();
            self.history.edit_query(|query| query.push_str(&line));
            self.show_match();
            return Vec::new();
        }
        self.killed.close();
        self.is_up_waiting = false;
        if let Some(vim) = &mut self.vim {
            vim.insert(&mut self.text);
        }
        if let Some(path) = image_path(&paste.0) {
            self.insert_attachment(Attachment::Image(path));
            return Vec::new();
        }
        let text = without_controls(&paste.0);
        if is_long(&text) {
            let is_paste = |(_, attachment): &(u32, Attachment)| match attachment {
                Attachment::Paste(text) => text.len(),
                Attachment::Image(_) => 0,
            };
            let have: usize = self.attachments.iter().map(is_paste).sum();
            if have + text.len() > PASTES_BYTES_MAX {
                let note = format!(
                    "{} MiB do not fit: a prompt takes {} MiB of pasted text. Write it to a file \
                     and name the file.",
                    text.len() >> 20,
                    PASTES_BYTES_MAX >> 20
                );
                return vec![Output::Note(note)];
            }
            self.insert_attachment(Attachment::Paste(text.into()));
            return Vec::new();
        }
        if let Some(note) = self.is_full(text.len()) {
            return vec![note];
        }
        self.text.insert(&text.as_str().into(), EditKind::Other);
        self.changed()
    }

    /// In vim's normal mode the caret is on a character.
    fn rest(&mut self) {
        if let Some(vim) = &self.vim {
            vim.rest(&mut self.text);
        }
    }

    /// What is selected.
    #[must_use]
    pub fn selection(&self) -> Option<Range<usize>> {
        self.vim.as_ref().and_then(|vim| vim.selection(&self.text))
    }

    fn is_full(&self, more: usize) -> Option<Output> {
        (self.text.as_str().len() + more > TEXT_BYTES_MAX).then(full)
    }

    fn submit(&mut self, delivery: Delivery) -> Vec<Output> {
        let draft = self.draft();
        if draft.is_blank() {
            return Vec::new();
        }
        let written = draft.piece.text.trim();
        let said = if written.starts_with('!') {
            let script = draft.expanded();
            let script = script.trim().trim_start_matches('!').trim().to_owned();
            if script.is_empty() {
                return vec![Output::Note("nothing to run: write a command after the `!`".into())];
            }
            Said::Script(script)
        } else if let Some((name, arguments)) = command(written) {
            if self.completer.command(name).is_none() {
                let hint = match self.completer.nearest_command(name) {
                    Some(near) => format!("; did you mean /{near}?"),
                    None => "; /help lists all commands".to_owned(),
                };
                return vec![Output::Note(format!("there is no command /{name}{hint}"))];
            }
            Said::Command { name: name.to_owned(), arguments: arguments.to_owned() }
        } else {
            Said::Prompt(draft.parts())
        };
        let history = draft.for_history();
        self.history.push(draft.clone());
        self.reset();
        vec![Output::Submit(Submission { said, delivery, history, draft })]
    }
}

fn full() -> Output {
    Output::Note(format!("the prompt is full ({} KiB)", TEXT_BYTES_MAX >> 10))
}

/// `/name arguments`; a path is no command.
fn command(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix('/')?;
    let (name, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let is_name = !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    is_name.then(|| (name, arguments.trim()))
}

fn labelled(attachments: &[(u32, Attachment)], id: u32) -> Piece {
    let found = attachments.iter().find(|(have, _)| *have == id);
    let text = found.map_or_else(String::new, |(id, attachment)| label(attachment, *id));
    let atoms = vec![Atom { range: 0..text.len(), id }];
    Piece { text, atoms }
}
