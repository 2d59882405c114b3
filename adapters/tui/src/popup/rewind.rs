//! Earlier prompts: the conversation is forked before the one that is chosen, which can be written
//! anew. Files stay as they are.

use codex_proto::Op;

use super::{Body, Bound, Chrome, Handled, Layer, List, list::Entry};
use crate::{desk::Desk, text::clean_line};

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
    fn chrome(&self, desk: &Desk) -> Chrome {
        Chrome::new("Back to an earlier prompt").on(desk, Bound::Accept, "go back, in a fork").on(
            desk,
            Bound::Cancel,
            "stay",
        )
    }

    fn body(&mut self, _desk: &Desk) -> Body<'_> {
        Body::List(&mut self.list)
    }

    fn on_chosen(&mut self, index: usize, desk: &mut Desk) -> Handled {
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
}
