//! Everything below the layers: what popups and commands read and act on.

use std::collections::BTreeSet;

use codex_proto::{
    ApprovalId, Mono, Now, Op, OpId, ThreadId,
    op::{Delivery, Prompt, PromptPart},
};

use crate::{
    cell::Context,
    input::Input,
    key::Key,
    msg::ScreenEffect,
    popup::{Bindings, Popup},
    recall::Recall,
    session::{Sent, Session, text_of},
    setup::{Mode, Setup},
    text::{Line, clean_line},
    theme::{Look, Theme},
    transcript::Transcript,
    voice::VoiceState,
};

/// Milliseconds that a note stays in the status line.
const NOTE_MS: u64 = 5_000;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Facts and configuration.
    pub setup: Setup,
    /// Colours.
    pub look: Look,
    /// The time of the message that is handled.
    pub now: Now,
    /// Columns of the terminal.
    pub columns: u16,
    /// Rows of the terminal.
    pub rows: u16,
    /// The branch of the working directory.
    pub branch: Option<String>,
    /// What the user's status script printed last.
    pub status_line: Option<String>,
    /// Whether the terminal has the focus.
    pub has_focus: bool,
    /// What the engine told.
    pub session: Session,
    /// What was said and done.
    pub transcript: Transcript,
    /// The conversation by voice.
    pub voice: VoiceState,
    /// What the user writes.
    pub input: Input,
    /// Popups to open after the current message, the last one on top.
    pub opening: Vec<Popup>,
    /// What was said before there was a thread, in order.
    pub early: Vec<Early>,
    /// A note in the status line, and since when it is there.
    pub note: Option<(String, Mono)>,
    /// Questions that were answered here and are not yet reported as ended.
    pub answered: BTreeSet<ApprovalId>,
    /// When the engine last told which commands run.
    pub commands_told: Mono,
    /// Keys of popups.
    pub bindings: Bindings,
    /// What was said, to come back to.
    pub recall: Recall,
    /// The model that was chosen in this run, with its effort; it outlives the conversation.
    pub model: Option<(String, Option<String>)>,
    /// Whether the folder was trusted in this run; it outlives the conversation, too.
    pub trusted: bool,
    last_op: u64,
    effects: Vec<ScreenEffect>,
}

/// Something that waits for a thread.
#[derive(Clone, Debug, PartialEq)]
pub enum Early {
    /// For the model.
    Prompt(Vec<PromptPart>, Delivery),
    /// For the user's shell.
    Script(String),
}

impl Desk {
    pub(crate) fn new(mut setup: Setup) -> Self {
        let first = std::mem::take(&mut setup.prompt);
        let early =
            if first.is_empty() { Vec::new() } else { vec![Early::Prompt(first, Delivery::Steer)] };
        let background = setup.terminal.background.unwrap_or_default();
        Self {
            look: Look::new(setup.theme.as_deref(), background, setup.terminal.colors),
            now: Now::default(),
            columns: 80,
            rows: 24,
            branch: None,
            status_line: None,
            has_focus: true,
            session: Session::default(),
            transcript: Transcript::new(&setup),
            voice: VoiceState::default(),
            input: Input::new(&setup),
            early,
            opening: Vec::new(),
            note: None,
            answered: BTreeSet::new(),
            commands_told: Mono::default(),
            bindings: Bindings::new(&setup.keymap),
            recall: Recall::default(),
            model: None,
            trusted: false,
            last_op: 0,
            effects: Vec::new(),
            setup,
        }
    }

    /// The thread on the screen.
    #[must_use]
    pub fn thread(&self) -> Option<ThreadId> {
        self.session.thread()
    }

    /// Wants something done.
    pub fn effect(&mut self, effect: ScreenEffect) {
        self.effects.push(effect);
    }

    pub(crate) fn effects(&mut self) -> &mut Vec<ScreenEffect> {
        &mut self.effects
    }

    /// Sends an op.
    pub fn op(&mut self, op: Op) -> OpId {
        self.last_op += 1;
        let id = OpId(self.last_op);
        self.effects.push(ScreenEffect::Op(id, op));
        id
    }

    /// The thread on the screen, unless it is about to be left for another.
    #[must_use]
    pub fn settled(&self) -> Option<ThreadId> {
        self.thread().filter(|_| self.session.starting.is_none())
    }

    /// Asks for another thread. The one on the screen goes on until the other is there, so that
    /// nothing is lost when it is refused.
    pub fn begin(&mut self, op: Op) {
        self.session.starting = Some(self.op(op));
    }

    /// No other thread is wanted: the one on the screen goes on, or a new one is begun. What was said
    /// meanwhile goes to the first; for a new one it is taken back, since it was meant for another.
    pub(crate) fn stay(&mut self) {
        if self.session.starting.is_some() {
            return;
        }
        if self.thread().is_some() {
            return self.say_early();
        }
        for said in std::mem::take(&mut self.early).into_iter().rev() {
            match said {
                Early::Prompt(content, _) => self.input.put_back(&content),
                Early::Script(script) => {
                    self.input.put_back(&[PromptPart::Text(format!("!{script}"))]);
                }
            }
        }
        self.begin(Op::StartThread);
    }

    /// Sends what was said before there was a thread, the prompt of the command line first.
    pub(crate) fn say_early(&mut self) {
        let Some(thread) = self.thread() else { return };
        for said in std::mem::take(&mut self.early) {
            match said {
                Early::Prompt(content, delivery) => {
                    self.prompt(Prompt { thread, content, delivery, output_schema: None });
                }
                Early::Script(script) => {
                    self.op(Op::RunCommand { thread, script });
                }
            }
        }
    }

    /// Another thread is there: the one on the screen ends.
    pub(crate) fn leave(&mut self) {
        match self.session.commands.len() {
            0 => {}
            1 => self.note("a command of the other conversation is stopped"),
            count => self.note(format!("{count} commands of the other conversation are stopped")),
        }
        if let Some(thread) = self.thread() {
            self.op(Op::StopThread { thread });
        }
    }

    /// Says something to the model.
    pub fn prompt(&mut self, prompt: Prompt) {
        let has_content = prompt.content.iter().any(|part| match part {
            PromptPart::Image { .. } => true,
            PromptPart::Text(text) => !text.trim().is_empty(),
        });
        if has_content {
            // What it told is of before, and it stands where the wait for the answer is told.
            self.note = None;
            let images = prompt.content.iter().filter_map(|part| match part {
                PromptPart::Image { path } => Some(path.clone()),
                PromptPart::Text(_) => None,
            });
            self.transcript.expect_images(text_of(&prompt.content), images.collect());
            let op = self.op(Op::Prompt(Box::new(prompt.clone())));
            self.session.sent.push(Sent { op, prompt });
        }
    }

    /// Writes at the caret, as if it were typed: a completion may begin.
    pub fn write(&mut self, text: &str) {
        for char in text.chars() {
            self.input.on_key(Key::char(char), &mut self.effects);
        }
    }

    /// Opens a popup above all others once the current message is handled.
    pub fn open(&mut self, popup: Popup) {
        self.opening.push(popup);
    }

    /// Tells the user something small for a few seconds; in plain mode, where nothing goes away, as
    /// a line that stays.
    pub fn note(&mut self, note: impl Into<String>) {
        if self.setup.mode == Mode::Plain {
            let line = clean_line(&note.into()).into_owned();
            return self.transcript.announce(vec![Line::plain(line)]);
        }
        self.note = Some((note.into(), self.now.mono.after_ms(NOTE_MS)));
    }

    /// Tells the user something that stays: an entry of the transcript.
    pub fn tell(&mut self, lines: Vec<Line>) {
        let cx = self.context();
        self.transcript.tell(lines, &cx);
    }

    /// How entries of the transcript are shown now.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::new(&self.setup, self.look, self.columns)
    }

    /// Changes the colours.
    pub fn set_theme(&mut self, theme: &'static Theme) {
        self.look = self.look.with(theme);
    }

    /// Leaves. What runs is stopped by the engine.
    pub fn quit(&mut self) {
        let mut farewell = Vec::new();
        if let Some(ready) = self.session.ready.as_ref().filter(|_| !self.transcript.is_empty())
            && ready.rollout.is_some()
        {
            farewell.push(format!("To go on: codex resume {}", ready.thread));
        }
        self.effects.push(ScreenEffect::Quit { farewell });
    }
}
