//! A conversation that another process has open: nobody else may write it, so it is gone on with in a
//! fork, or when the other one has closed it.

use std::path::PathBuf;

use codex_proto::Op;

use super::{Body, Bound, Chrome, Handled, Layer, List, list::Entry};
use crate::{desk::Desk, text::clean_line};

/// The choice.
#[derive(Clone, Debug)]
pub struct InUse {
    /// The rollout.
    path: PathBuf,
    /// Who has it, as a sentence.
    why: String,
    list: List,
}

impl InUse {
    /// Opens it.
    pub fn open(desk: &mut Desk, path: PathBuf, why: &str) {
        let entry = |name: &str, about: &str| Entry {
            name: name.into(),
            about: about.into(),
            ..Entry::default()
        };
        let list = List::new(vec![
            entry("Go on in a fork", "all of it up to now; the other one stays as it is"),
            entry("Try again", "when it is closed there"),
        ]);
        let mut why = clean_line(why).into_owned();
        if let Some(first) = why.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        desk.open(Self { path, why, list }.into());
    }
}

impl Layer for InUse {
    fn chrome(&self, desk: &Desk) -> Chrome {
        let out = if desk.thread().is_some() { "stay here" } else { "a new conversation" };
        Chrome::new(&self.why).on(desk, Bound::Accept, "choose").on(desk, Bound::Cancel, out)
    }

    fn body(&mut self, _desk: &Desk) -> Body<'_> {
        Body::List(&mut self.list)
    }

    fn on_chosen(&mut self, index: usize, desk: &mut Desk) -> Handled {
        let path = self.path.clone();
        desk.begin(match index {
            0 => Op::ForkThread { path, prompts_kept: None },
            _ => Op::ResumeThread { path },
        });
        Handled::Close
    }

    fn on_left(&mut self, desk: &mut Desk) -> Handled {
        desk.stay();
        Handled::Close
    }
}
