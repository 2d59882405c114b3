//! What the user writes, as the rest of the screen sees it: the face of the composer.

use std::path::PathBuf;

use codex_proto::{op::PromptPart, wire::realtime::envelope::Envelope};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use crate::{
    composer::{
        self, Action, Candidate, Completion, Composer, Draft, Keymap, Options, Output, Styles,
        VimKeymap, VimMode,
    },
    key::{Key, Paste},
    msg::{Answer, ScreenEffect},
    popup::Handled,
    setup::Setup,
    text::width,
    theme::{Look, Role},
};

pub use crate::composer::{Said, Submission};

/// What is written before it is sent.
#[derive(Clone, Debug)]
pub struct Input {
    composer: Composer,
    cwd: PathBuf,
    home: Option<PathBuf>,
    /// Whether prompts of earlier sessions are there to be read.
    has_history: bool,
    submission: Option<Submission>,
    note: Option<String>,
}

impl Input {
    /// Empty.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        let options = Options { vim: setup.vim, keymap: setup.keymap.clone() };
        Self {
            composer: Composer::new(&options),
            cwd: setup.cwd.clone(),
            home: setup.home.clone(),
            has_history: setup.history,
            submission: None,
            note: None,
        }
    }

    /// Takes a key. What Enter sends is taken with [`Self::take_submission`]; Enter with nothing
    /// written, Esc, Ctrl-C and Ctrl-D are ignored unless the editor itself needs them (an open
    /// completion, a search, vim's modes).
    pub fn on_key(&mut self, key: Key, effects: &mut Vec<ScreenEffect>) -> Handled {
        match self.composer.key(&key) {
            composer::Handled::Ignored => Handled::Ignored,
            composer::Handled::Consumed(outputs) => {
                self.carry_out(outputs, effects);
                Handled::Consumed
            }
        }
    }

    /// Takes a paste. It never sends anything.
    pub fn on_paste(&mut self, paste: &Paste, effects: &mut Vec<ScreenEffect>) {
        let outputs = self.composer.paste(paste);
        self.carry_out(outputs, effects);
    }

    /// Takes the answer to an effect of its own.
    pub fn on_answer(&mut self, answer: &Answer) {
        match answer {
            Answer::Edited(Ok(text)) => self.composer.edited(text),
            Answer::FilesFound { query, paths, more } => {
                self.composer.files_found(query, paths.clone(), *more);
            }
            Answer::History(prompts) => self.composer.history_loaded(prompts.clone()),
            Answer::ImagePasted(Ok(path)) => self.composer.attach_image(path.clone()),
            Answer::Edited(Err(why)) | Answer::ImagePasted(Err(why)) => {
                self.note = Some(why.clone());
            }
            _ => {}
        }
    }

    fn carry_out(&mut self, outputs: Vec<Output>, effects: &mut Vec<ScreenEffect>) {
        for output in outputs {
            match output {
                Output::AttachClipboard => effects.push(ScreenEffect::AttachClipboard),
                Output::Editor(text) => effects.push(ScreenEffect::OpenEditor { text }),
                Output::FindFiles(query) => effects.push(ScreenEffect::FindFiles { query }),
                Output::Note(note) => self.note = Some(note),
                Output::ReadHistory if self.has_history => effects.push(ScreenEffect::ReadHistory),
                Output::ReadHistory => {}
                Output::Submit(mut submission) => {
                    if let Said::Prompt(parts) = &mut submission.said {
                        self.make_absolute(parts);
                    }
                    self.submission = Some(submission);
                }
            }
        }
    }

    fn make_absolute(&self, parts: &mut [PromptPart]) {
        for part in parts {
            let PromptPart::Image { path } = part else { continue };
            *path = match (path.strip_prefix("~"), &self.home) {
                (Ok(rest), Some(home)) => home.join(rest),
                _ => self.cwd.join(&*path),
            };
        }
    }

    /// What was sent with the last key.
    pub fn take_submission(&mut self) -> Option<Submission> {
        self.submission.take()
    }

    /// What the user should be told about the last key, e.g. that there is no such command.
    pub fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }

    /// The commands that `/` offers.
    pub fn set_commands(&mut self, commands: Vec<Candidate>) {
        self.composer.set_commands(commands);
    }

    /// The skills that `$` offers.
    pub fn set_skills(&mut self, skills: Vec<Candidate>) {
        self.composer.set_skills(skills);
    }

    /// Turns vim keys on or off.
    pub fn set_vim(&mut self, on: bool) {
        self.composer.set_vim(on);
    }

    /// Which keys do what in vim's modes.
    #[must_use]
    pub fn vim_keymap(&self) -> &VimKeymap {
        self.composer.vim_keymap()
    }

    /// The mode of the vim keys; `None` when they are off.
    #[must_use]
    pub fn vim_mode(&self) -> Option<VimMode> {
        self.composer.vim_mode()
    }

    /// Which key does what where something is written.
    #[must_use]
    pub fn keymap(&self) -> &Keymap {
        self.composer.keymap()
    }

    /// The keys of an action, for help.
    pub fn keys(&self, action: Action) -> impl Iterator<Item = Key> {
        self.composer.keymap().keys(action)
    }

    /// Whether nothing is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.composer.is_empty()
    }

    /// What is written, placeholders as they are shown.
    #[must_use]
    pub fn text(&self) -> &str {
        self.composer.text()
    }

    /// Replaces what is written.
    pub fn set_text(&mut self, text: &str) {
        self.composer.set_draft(&Draft::plain(text));
    }

    /// Puts in what was sent before, placeholders included.
    pub fn set_draft(&mut self, draft: &Draft) {
        self.composer.set_draft(draft);
    }

    /// Empties it; Up brings back what was written. False when there was nothing.
    pub fn clear(&mut self) -> bool {
        self.composer.clear()
    }

    /// Inserts at the caret.
    pub fn insert(&mut self, text: &str) {
        self.composer.insert(text);
    }

    /// Puts a prompt back, before what is written.
    pub fn put_back(&mut self, content: &[PromptPart]) {
        let shown = |part: &PromptPart| match part {
            PromptPart::Text(text) => PromptPart::Text(Envelope::asked(text).into_owned()),
            image @ PromptPart::Image { .. } => image.clone(),
        };
        let parts: Vec<PromptPart> = content.iter().map(shown).collect();
        self.composer.prepend_draft(&Draft::of_parts(&parts));
    }

    /// Rows that it needs, at least 1.
    pub fn height(&mut self, width: u16) -> u16 {
        self.composer.height(width)
    }

    /// Rows that the candidates of a completion need; 0 when there is none.
    #[must_use]
    pub fn candidates_height(&self) -> u16 {
        self.composer.candidates_height()
    }

    /// Keeps where it is scrolled to at a size.
    pub fn settle(&mut self, width: u16, rows: u16) {
        self.composer.settle(width, rows);
    }

    /// Draws it. Returns where the caret is.
    pub fn view(&mut self, area: Rect, buffer: &mut Buffer, look: &Look) -> Option<Position> {
        const HINTS: [&str; 3] = [
            "Ask for anything  ·  / commands  ·  @ files  ·  ? keys",
            "Ask for anything  ·  ? keys",
            "Ask for anything",
        ];
        let room = usize::from(area.width).saturating_sub(2);
        let hint = HINTS.iter().find(|hint| width(hint) <= room).unwrap_or(&"");
        (!area.is_empty()).then(|| self.composer.view(area, buffer, &styles(look), hint))
    }

    /// The completion that goes on.
    #[must_use]
    pub fn completion(&self) -> Option<&Completion> {
        self.composer.completion()
    }

    /// Draws the candidates of a completion.
    pub fn view_candidates(&self, area: Rect, buffer: &mut Buffer, look: &Look) {
        self.composer.view_candidates(area, buffer, &styles(look));
    }
}

fn styles(look: &Look) -> Styles {
    Styles {
        sign: look.style(Role::Accent),
        text: look.style(Role::Plain),
        atom: look.style(Role::Accent),
        dim: look.style(Role::Dim),
        chosen: look.style(Role::Selected),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn images_are_sent_with_absolute_paths() {
        let mut input = Input::new(&Setup::sample());
        for path in ["./a.png", "~/b.png", "/c.png"] {
            input.on_paste(&Paste(path.into()), &mut Vec::new());
        }
        let enter = "enter".parse().unwrap();
        assert_eq!(input.on_key(enter, &mut Vec::new()), Handled::Consumed);
        let Some(Submission { said: Said::Prompt(parts), .. }) = input.take_submission() else {
            panic!("nothing was sent")
        };
        let paths: Vec<&Path> = parts
            .iter()
            .filter_map(|part| match part {
                PromptPart::Image { path } => Some(path.as_path()),
                PromptPart::Text(_) => None,
            })
            .collect();
        let want = ["/home/user/project/./a.png", "/home/user/b.png", "/c.png"];
        assert_eq!(paths, want.map(Path::new));
    }
}
