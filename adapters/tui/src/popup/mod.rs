//! Layers above the transcript: the top one is asked first for each key. One popup per file.
//!
//! In inline mode a popup takes the place of the composer at the bottom of the live region; in
//! full-screen mode it is drawn there, too. It acts on the rest of the screen through [`Desk`].

use codex_proto::Event;
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use crate::{
    desk::Desk,
    key::{Key, Mouse, Paste},
    msg::Answer,
    theme::Look,
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

/// An open popup.
#[derive(Clone, Debug)]
pub enum Popup {}

impl Popup {
    /// Takes a key.
    pub(crate) fn on_key(&mut self, _key: Key, _desk: &mut Desk) -> Handled {
        match *self {}
    }

    /// Takes the mouse, in full-screen mode.
    pub(crate) fn on_mouse(&mut self, _mouse: Mouse, _desk: &mut Desk) -> Handled {
        match *self {}
    }

    /// Takes a paste. It is never lost to the layer below.
    pub(crate) fn on_paste(&mut self, _paste: &Paste, _desk: &mut Desk) {
        match *self {}
    }

    /// Takes the answer to an effect; every layer sees each.
    pub(crate) fn on_answer(&mut self, _answer: &Answer, _desk: &mut Desk) {
        match *self {}
    }

    /// Takes an event of the thread on the screen, after the session did. `Close` when the popup has
    /// lost its reason, e.g. the question is answered elsewhere.
    pub(crate) fn on_event(&mut self, _event: &Event, _desk: &mut Desk) -> Handled {
        match *self {}
    }

    /// Rows that it needs, at most `rows`.
    pub(crate) fn height(&mut self, _columns: u16, _rows: u16, _desk: &Desk) -> u16 {
        match *self {}
    }

    /// Draws it. Returns where the caret is, if it takes text.
    pub(crate) fn view(
        &mut self,
        _area: Rect,
        _buffer: &mut Buffer,
        _desk: &Desk,
        _look: &Look,
    ) -> Option<Position> {
        match *self {}
    }

    /// The popup as lines, for plain mode: printed when it opens.
    pub(crate) fn lines(&self, _desk: &Desk) -> Vec<crate::text::Line> {
        match *self {}
    }
}

/// Opens what a start asks for: the picker of sessions.
pub(crate) fn at_start(_desk: &mut Desk) {}

/// Opens what an event asks for: a question.
pub(crate) fn for_event(_event: &Event, _desk: &mut Desk) {}

/// Opens the list of earlier prompts to go back to.
pub(crate) fn rewind(desk: &mut Desk) {
    desk.note("there is no earlier prompt");
}
