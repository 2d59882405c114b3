//! Layers above the transcript: the top one is asked first for each key. One popup per file, each with
//! one enum for what it is doing.
//!
//! In inline mode a popup takes the place of the composer at the bottom of the live region; in
//! full-screen mode it is drawn there, too. It acts on the rest of the screen through [`Desk`].

mod approval;
mod bindings;
mod chrome;
mod diff;
mod field;
mod help;
mod list;
pub(crate) mod model;
pub(crate) mod permissions;
mod resume;
mod rewind;
pub(crate) mod terminals;
pub(crate) mod theme;

use codex_proto::{Event, Mono};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

pub(crate) use self::approval::short;
pub use self::{
    approval::{APPROVAL_REST_MS, Approval},
    bindings::{Bindings, Bound},
    diff::DiffViewer,
    help::Help,
    model::ModelPicker,
    permissions::PermissionsPicker,
    resume::SessionPicker,
    rewind::Rewind,
    terminals::Terminals,
    theme::ThemePicker,
};
use crate::{
    desk::Desk,
    key::{Key, KeyCode, Mouse, MouseKind, Paste},
    msg::Answer,
    setup::Start,
    text::{Line, width},
    theme::Look,
    voice::VoiceState,
};

/// What a layer did with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// The layer is done and wants to be gone; the key goes no further.
    Close,
    /// The key goes no further.
    Consumed,
    /// The key is for the layer below.
    Ignored,
}

/// Popups that are open at once; more are not opened.
const LAYERS_MAX: usize = 8;

/// A layer that takes keys.
trait Layer {
    /// Takes a key.
    fn on_key(&mut self, key: Key, desk: &mut Desk) -> Handled;

    /// Takes a paste. It is never lost to the layer below.
    fn on_paste(&mut self, paste: &Paste, desk: &mut Desk) {
        let mut effects = Vec::new();
        desk.input.on_paste(paste, &mut effects);
        desk.effects().extend(effects);
    }

    /// Takes a turn of the wheel, in full-screen mode.
    fn on_wheel(&mut self, turn: Key, desk: &mut Desk) {
        self.on_key(turn, desk);
    }

    /// Takes the answer to an effect; every layer sees each.
    fn on_answer(&mut self, _answer: &Answer, _desk: &mut Desk) {}

    /// Takes an event of the thread on the screen, after the session did. `Close` when the popup has
    /// lost its reason.
    fn on_event(&mut self, _event: &Event, _desk: &mut Desk) -> Handled {
        Handled::Ignored
    }

    /// When it changes by itself, and why.
    fn deadline(&self, _desk: &Desk) -> Option<(Mono, &'static str)> {
        None
    }

    /// Whether what the user writes stays on the screen below it.
    fn shows_input(&self) -> bool {
        false
    }

    /// Rows that it wants, of at most `rows`.
    fn height(&mut self, columns: u16, rows: u16, desk: &Desk) -> u16;

    /// Draws it. Returns where the caret is, if it takes text.
    fn view(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        desk: &Desk,
        look: &Look,
    ) -> Option<Position>;
}

macro_rules! popups {
    ($($(#[$doc:meta])* $variant:ident($type:ty),)*) => {
        /// An open popup.
        #[derive(Clone, Debug)]
        pub enum Popup { $($(#[$doc])* $variant($type),)* }

        impl Popup {
            fn layer(&mut self) -> &mut dyn Layer {
                match self { $(Self::$variant(popup) => popup,)* }
            }

            fn layer_ref(&self) -> &dyn Layer {
                match self { $(Self::$variant(popup) => popup,)* }
            }
        }

        $(impl From<$type> for Popup {
            fn from(popup: $type) -> Self {
                Self::$variant(popup)
            }
        })*
    };
}

popups! {
    /// A question of the engine.
    Approval(Approval),
    /// Changes of the working directory.
    Diff(DiffViewer),
    /// Keys and commands.
    Help(Help),
    /// Which model.
    Model(ModelPicker),
    /// When to ask, and what commands may touch.
    Permissions(PermissionsPicker),
    /// Which earlier conversation.
    Resume(SessionPicker),
    /// Which earlier prompt.
    Rewind(Rewind),
    /// Commands that run in the background.
    Terminals(Terminals),
    /// Which theme.
    Theme(ThemePicker),
}

impl Popup {
    /// Takes a key.
    pub(crate) fn on_key(&mut self, key: Key, desk: &mut Desk) -> Handled {
        self.layer().on_key(key, desk)
    }

    /// Takes the mouse, in full-screen mode.
    pub(crate) fn on_mouse(&mut self, mouse: Mouse, desk: &mut Desk) -> Handled {
        match mouse.kind {
            MouseKind::ScrollDown => self.layer().on_wheel(Key::plain(KeyCode::Down), desk),
            MouseKind::ScrollUp => self.layer().on_wheel(Key::plain(KeyCode::Up), desk),
            MouseKind::Down(_) | MouseKind::Drag(_) | MouseKind::Up(_) => {}
        }
        Handled::Consumed
    }

    /// Takes a paste. It is never lost to the layer below.
    pub(crate) fn on_paste(&mut self, paste: &Paste, desk: &mut Desk) {
        self.layer().on_paste(paste, desk);
    }

    /// Takes the answer to an effect; every layer sees each.
    pub(crate) fn on_answer(&mut self, answer: &Answer, desk: &mut Desk) {
        self.layer().on_answer(answer, desk);
    }

    /// Takes an event of the thread on the screen, after the session did. `Close` when the popup has
    /// lost its reason, e.g. the question is answered elsewhere.
    pub(crate) fn on_event(&mut self, event: &Event, desk: &mut Desk) -> Handled {
        self.layer().on_event(event, desk)
    }

    /// When it changes by itself, and why.
    pub(crate) fn deadline(&self, desk: &Desk) -> Option<(Mono, &'static str)> {
        self.layer_ref().deadline(desk)
    }

    /// Whether what the user writes stays on the screen below it.
    pub(crate) fn shows_input(&self) -> bool {
        self.layer_ref().shows_input()
    }

    /// Rows that it needs, at most `rows`.
    pub(crate) fn height(&mut self, columns: u16, rows: u16, desk: &Desk) -> u16 {
        self.layer().height(columns, rows, desk).min(rows)
    }

    /// Draws it. Returns where the caret is, if it takes text.
    pub(crate) fn view(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        desk: &Desk,
        look: &Look,
    ) -> Option<Position> {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return None;
        }
        self.layer().view(area, buffer, desk, look)
    }

    /// The popup as lines, for plain mode: printed when it opens.
    pub(crate) fn lines(&self, desk: &Desk) -> Vec<Line> {
        let mut copy = self.clone();
        let rows = copy.height(PLAIN_COLUMNS, PLAIN_ROWS, desk);
        let area = Rect { x: 0, y: 0, width: PLAIN_COLUMNS, height: rows };
        let mut buffer = Buffer::empty(area);
        copy.view(area, &mut buffer, desk, &desk.look);
        let row = |y| {
            let (mut text, mut x) = (String::new(), 0);
            while let Some(cell) = buffer.cell((x, y)) {
                text.push_str(cell.symbol());
                // What follows a wide character belongs to it.
                x += u16::try_from(width(cell.symbol())).unwrap_or(1).max(1);
            }
            Line::plain(text.trim_end())
        };
        (0..rows).map(row).collect()
    }
}

/// Columns and rows of a popup as lines.
const PLAIN_COLUMNS: u16 = 80;
const PLAIN_ROWS: u16 = 40;

/// Puts a popup on top; one of its kind that is open already is replaced, but a question stays as it
/// is, since it asks one after the other. A question stays above all but the permissions.
pub(crate) fn push(layers: &mut Vec<Popup>, popup: Popup) {
    let kind = std::mem::discriminant(&popup);
    let is_same = |open: &Popup| std::mem::discriminant(open) == kind;
    if matches!(popup, Popup::Approval(_)) && layers.iter().any(is_same) {
        return;
    }
    layers.retain(|open| !is_same(open));
    if layers.len() < LAYERS_MAX {
        let question = layers.iter().position(|open| matches!(open, Popup::Approval(_)));
        match question {
            // Permissions may have been opened from within it.
            Some(at) if !matches!(popup, Popup::Permissions(_)) => layers.insert(at, popup),
            _ => layers.push(popup),
        }
    }
}

/// Opens what a start asks for: the picker of sessions.
pub(crate) fn at_start(desk: &mut Desk) {
    if let Start::Pick { all, fork } = desk.setup.start {
        SessionPicker::open(desk, all, fork, "");
    }
}

/// Opens what an event asks for: a question.
pub(crate) fn for_event(event: &Event, desk: &mut Desk) {
    match event {
        Event::ApprovalRequested(request) => {
            let approval = Approval::new(request.id, desk.now.mono);
            desk.open(approval.into());
        }
        Event::ApprovalEnded { id, .. } => {
            desk.answered.remove(id);
        }
        Event::Commands { .. } => desk.commands_told = desk.now.mono,
        Event::ThreadReady(_) => {
            desk.answered.clear();
            // A conversation by voice ends with its thread.
            desk.voice = VoiceState::default();
        }
        Event::ThreadStopped { .. } => desk.voice = VoiceState::default(),
        _ => {}
    }
    desk.recall.on(event);
}

/// Opens the list of earlier prompts to go back to.
pub(crate) fn rewind(desk: &mut Desk) {
    Rewind::open(desk);
}
