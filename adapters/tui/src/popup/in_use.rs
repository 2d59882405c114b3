//! A conversation that another process has open: nobody else may write it, so it is gone on with in a
//! fork, or when the other one has closed it. It may appear while somebody types: a key counts when the
//! keyboard has rested for [`APPROVAL_REST_MS`], as in a question, and is written until then.

use std::path::PathBuf;

use codex_proto::{Mono, Op};

use super::{APPROVAL_REST_MS, Body, Bound, Chrome, Handled, Layer, List, list::Entry};
use crate::{
    desk::Desk,
    key::{Key, KeyCode},
    setup::Mode,
    text::clean_line,
};

/// The choice.
#[derive(Clone, Debug)]
pub struct InUse {
    /// The rollout.
    path: PathBuf,
    /// Who has it, as a sentence.
    why: String,
    /// When a key was last pressed that did not count, or when it appeared.
    rested_since: Mono,
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
        desk.open(Self { path, why, rested_since: desk.now.mono, list }.into());
    }

    /// When keys count.
    fn armed_at(&self) -> Mono {
        self.rested_since.after_ms(APPROVAL_REST_MS)
    }
}

impl Layer for InUse {
    fn chrome(&self, desk: &Desk) -> Chrome {
        if desk.now.mono < self.armed_at() && desk.setup.mode != Mode::Plain {
            return Chrome::new(&self.why).key("pause typing", "to choose");
        }
        let out = if desk.thread().is_some() { "stay here" } else { "a new conversation" };
        Chrome::new(&self.why).on(desk, Bound::Accept, "choose").on(desk, Bound::Cancel, out)
    }

    fn body(&mut self, _desk: &Desk) -> Body<'_> {
        Body::List(&mut self.list)
    }

    fn on_own_key(&mut self, key: &Key, desk: &mut Desk) -> Option<Handled> {
        if desk.now.mono >= self.armed_at() {
            return None;
        }
        self.rested_since = desk.now.mono;
        // What is written stays there: nobody knows yet whom it is for.
        let sends = key.code == KeyCode::Enter;
        Some(if sends { Handled::Consumed } else { Handled::Ignored })
    }

    fn deadline(&self, desk: &Desk) -> Option<(Mono, &'static str)> {
        Some((self.armed_at(), "keys answer")).filter(|(at, _)| desk.now.mono < *at)
    }

    fn shows_input(&self) -> bool {
        true
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
