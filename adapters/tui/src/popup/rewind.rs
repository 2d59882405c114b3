//! Earlier prompts: the conversation is forked before the one that is chosen, which can be written
//! anew. Files stay as they are.

use codex_proto::Op;
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{
    Bound, Handled, Layer,
    chrome::{CHROME_ROWS, Chrome},
    list::{Entry, List, Listed},
};
use crate::{
    desk::Desk,
    key::{Key, Paste},
    text::clean_line,
    theme::Look,
};

/// The list of prompts, the last one first.
#[derive(Clone, Debug)]
pub struct Rewind {
    list: List,
    /// How many prompts come before each, and its text.
    prompts: Vec<(u32, String)>,
}

impl Rewind {
    /// Opens it, or says why not.
    pub fn open(desk: &mut Desk) {
        if desk.session.turn.is_some() {
            desk.note("the turn still runs; Esc stops it");
            return;
        }
        let rollout = desk.session.ready.as_ref().and_then(|ready| ready.rollout.as_ref());
        if rollout.is_none() {
            desk.note("this conversation is not written down, so nothing can be taken back");
            return;
        }
        let prompts: Vec<(u32, String)> =
            desk.recall.prompts().map(|(before, text)| (before, text.to_owned())).collect();
        if prompts.is_empty() {
            desk.note("there is no earlier prompt");
            return;
        }
        let entry = |(before, text): &(u32, String)| Entry {
            name: clean_line(text).trim().to_owned(),
            tail: format!("{}", before.saturating_add(1)),
            ..Entry::default()
        };
        let list = List::new(prompts.iter().map(entry).collect()).filtered("").wide_names();
        desk.open(Self { list, prompts }.into());
    }
}

impl Layer for Rewind {
    fn on_key(&mut self, key: Key, desk: &mut Desk) -> Handled {
        match self.list.on_key(&key, desk) {
            Listed::Cancelled => Handled::Close,
            Listed::Chosen(index) => {
                let rollout = desk.session.ready.as_ref().and_then(|ready| ready.rollout.clone());
                if let (Some(path), Some((before, text))) = (rollout, self.prompts.get(index)) {
                    desk.begin(Op::ForkThread { path, prompts_kept: Some(*before) });
                    if desk.input.is_empty() {
                        desk.input.set_text(text);
                    }
                    desk.note("back before that prompt; files stay as they are");
                }
                Handled::Close
            }
            _ => Handled::Consumed,
        }
    }

    fn on_paste(&mut self, paste: &Paste, _desk: &mut Desk) {
        self.list.on_paste(paste);
    }

    fn height(&mut self, columns: u16, rows: u16, _desk: &Desk) -> u16 {
        self.list.height(columns).saturating_add(CHROME_ROWS).min(rows)
    }

    fn view(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        desk: &Desk,
        look: &Look,
    ) -> Option<Position> {
        let inner = Chrome::new("Back to an earlier prompt")
            .key(desk.bindings.label(Bound::Accept), "go on from before it, in a fork")
            .key(desk.bindings.label(Bound::Cancel), "stay")
            .draw(area, buffer, look);
        self.list.view("", inner, buffer, look)
    }
}
