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
mod in_use;
mod list;
pub(crate) mod model;
pub(crate) mod permissions;
mod resume;
mod rewind;
pub(crate) mod terminals;
pub(crate) mod theme;
mod words;

use std::sync::Arc;

use codex_proto::{Event, Mono};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

pub(crate) use self::field::Field;
pub(crate) use self::{approval::short, words::Words};
pub use self::{
    approval::{APPROVAL_ALONE_MS, APPROVAL_REST_MS, Approval},
    bindings::{Bindings, Bound, is_action},
    diff::DiffViewer,
    help::Help,
    in_use::InUse,
    model::ModelPicker,
    permissions::PermissionsPicker,
    resume::SessionPicker,
    rewind::Rewind,
    terminals::Terminals,
    theme::ThemePicker,
};
use self::{
    chrome::{CHROME_ROWS, Chrome, Scroll, draw_rows, indented},
    list::{List, Listed},
};
use crate::{
    desk::Desk,
    key::{Key, KeyCode, Mouse, MouseKind, Paste},
    msg::Answer,
    setup::{Mode, Start},
    text::{Line, draw},
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

/// What stands between the title and the keys of a popup.
enum Body<'p> {
    /// A list; below it, [`Layer::rows`].
    List(&'p mut List),
    /// [`Layer::rows`], which scroll.
    Text(&'p mut Scroll),
}

/// A layer that takes keys. Most say only what they are, what they show, and what follows from a
/// choice.
trait Layer {
    /// Its title and the keys that matter.
    fn chrome(&self, desk: &Desk) -> Chrome;

    /// What stands between.
    fn body(&mut self, desk: &Desk) -> Body<'_>;

    /// Rows of text below a list, or all there is; for `columns`, of which the last two stay free.
    fn rows(&mut self, _columns: u16, _desk: &Desk, _look: &Look) -> Arc<[Line]> {
        Arc::default()
    }

    /// Takes a key that means something in this popup alone, before the body is asked.
    fn on_own_key(&mut self, _key: &Key, _desk: &mut Desk) -> Option<Handled> {
        None
    }

    /// An entry of the list was taken.
    fn on_chosen(&mut self, _index: usize, _desk: &mut Desk) -> Handled {
        Handled::Close
    }

    /// Another entry of the list may be the chosen one now.
    fn on_moved(&mut self, _desk: &mut Desk) {}

    /// The user wants to leave.
    fn on_left(&mut self, _desk: &mut Desk) -> Handled {
        Handled::Close
    }

    /// Takes a key.
    fn on_key(&mut self, key: Key, desk: &mut Desk) -> Handled {
        if let Some(handled) = self.on_own_key(&key, desk) {
            return handled;
        }
        let listed = match self.body(desk) {
            Body::List(list) => list.on_key(&key, desk),
            Body::Text(_) if desk.bindings.is(&key, Bound::Close) => Listed::Cancelled,
            Body::Text(scroll) => scroll.on_key(&key, desk),
        };
        match listed {
            Listed::Cancelled => return self.on_left(desk),
            Listed::Chosen(index) => return self.on_chosen(index, desk),
            Listed::Moved => self.on_moved(desk),
            Listed::Consumed | Listed::Ignored => {}
        }
        Handled::Consumed
    }

    /// Takes a paste: into the filter, else it is not lost to what the user writes.
    fn on_paste(&mut self, paste: &Paste, desk: &mut Desk) {
        if let Body::List(list) = self.body(desk)
            && list.on_paste(paste)
        {
            return self.on_moved(desk);
        }
        let mut effects = Vec::new();
        desk.input.on_paste(paste, &mut effects);
        desk.effects().extend(effects);
    }

    /// Takes a turn of the wheel, in full-screen mode. It moves, and answers nothing.
    fn on_wheel(&mut self, turn: Key, desk: &mut Desk) {
        match self.body(desk) {
            Body::List(list) => list.on_key(&turn, desk),
            Body::Text(scroll) => scroll.on_key(&turn, desk),
        };
        self.on_moved(desk);
    }

    /// Takes the answer to an effect; every layer sees each.
    fn on_answer(&mut self, _answer: &Answer, _desk: &mut Desk) {}

    /// Takes an event of the thread on the screen, after the session did. `Close` when the popup has
    /// lost its reason.
    fn on_event(&mut self, _event: &Event, _desk: &mut Desk) -> Handled {
        Handled::Ignored
    }

    /// Time has passed. `Close` when the popup has lost its reason.
    fn on_time(&mut self, _desk: &mut Desk) -> Handled {
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

    /// What it is about beside its title; when that changes, plain mode tells all of it.
    fn subject(&self, _desk: &Desk) -> String {
        String::new()
    }

    /// What is chosen, in words, where no list tells it.
    fn chosen(&self, _desk: &Desk) -> Option<String> {
        None
    }

    /// Answers that follow the text, in words.
    fn answers(&mut self, _desk: &Desk) -> Vec<String> {
        Vec::new()
    }

    /// Draws the line that plain mode has for it: what is typed, else its title. Returns where the
    /// caret is.
    fn view_line(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        desk: &Desk,
        look: &Look,
    ) -> Option<Position> {
        if let Body::List(list) = self.body(desk)
            && let Some(caret) = list.view_filter(area, buffer, look)
        {
            return Some(caret);
        }
        let title = self.chrome(desk).title;
        let sign = if title.ends_with('?') { "" } else { ":" };
        let line = Line::plain(format!("{title}{sign} "));
        let end = area.x.saturating_add(draw(&line, area, buffer));
        Some(Position { x: end.min(area.right() - 1), y: area.y })
    }

    /// Rows that it wants, of at most `rows`.
    fn height(&mut self, columns: u16, rows: u16, desk: &Desk) -> u16 {
        let text = u16::try_from(self.rows(columns, desk, &desk.look).len()).unwrap_or(u16::MAX);
        let body = match self.body(desk) {
            Body::List(list) => list.height(columns, rows).saturating_add(text),
            Body::Text(_) => text.max(1),
        };
        body.saturating_add(CHROME_ROWS).min(rows)
    }

    /// Draws it. Returns where the caret is, if it takes text.
    fn view(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        desk: &Desk,
        look: &Look,
    ) -> Option<Position> {
        let inner = self.chrome(desk).draw(area, buffer, look);
        let rows = self.rows(area.width, desk, look);
        match self.body(desk) {
            Body::List(list) => {
                let text = u16::try_from(rows.len()).unwrap_or(u16::MAX);
                let room = inner.height.saturating_sub(text).max(inner.height / 2);
                let height = list.height(area.width, u16::MAX).min(room);
                let caret = list.view(Rect { height, ..inner }, buffer, look);
                let below = Rect { y: inner.y + height, height: inner.height - height, ..inner };
                draw_rows(&rows, indented(below), buffer);
                caret
            }
            Body::Text(scroll) => {
                scroll.draw(&rows, indented(inner), buffer, look);
                None
            }
        }
    }
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
    /// A conversation that another process has.
    InUse(InUse),
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

    /// Time has passed; comes before everything else at that time.
    pub(crate) fn on_time(&mut self, desk: &mut Desk) -> Handled {
        self.layer().on_time(desk)
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
        match desk.setup.mode {
            Mode::Plain => 1.min(rows),
            _ => self.layer().height(columns, rows, desk).min(rows),
        }
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
        match desk.setup.mode {
            Mode::Plain => self.layer().view_line(area, buffer, desk, look),
            _ => self.layer().view(area, buffer, desk, look),
        }
    }
}

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
