//! Keys of lists, of texts that scroll, and of questions: `tui.keymap` of the contexts `list`, `pager`
//! and `approval`. The composer has its own, see [`crate::composer::Action`].

use crate::{
    composer::{Action, VIM_ACTIONS},
    key::Key,
};

/// Whether `tui.keymap` may give keys to this `CONTEXT.ACTION`.
#[must_use]
pub fn is_action(name: &str) -> bool {
    let of_composer = |(_, context, action, _): &(Action, &str, &str, &[&str])| {
        name.split_once('.')
            .is_some_and(|(have, rest)| rest == *action && (have == *context || have == "global"))
    };
    Action::ALL.iter().any(of_composer)
        || Bound::ALL.iter().any(|(_, have, _)| *have == name)
        || VIM_ACTIONS.iter().any(|(have, _)| *have == name)
}

macro_rules! bounds {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, [$($key:literal),*];)*) => {
        /// Something that a key does in a popup.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Bound { $($(#[$doc])* $variant,)* }

        impl Bound {
            /// All of them, with `CONTEXT.ACTION` of `tui.keymap` and default keys.
            pub const ALL: &'static [(Self, &'static str, &'static [&'static str])] =
                &[$((Self::$variant, $name, &[$($key),*]),)*];
        }
    };
}

bounds! {
    /// Yes, once.
    Approve, "approval.approve", ["y"];
    /// Yes, for the session.
    ApproveForSession, "approval.approve_for_session", ["s", "a"];
    /// No, and end the turn.
    Abort, "approval.cancel", ["esc", "ctrl-c"];
    /// No, and say what to do instead.
    DenyWithFeedback, "approval.decline", ["f"];
    /// No; the turn goes on.
    Deny, "approval.deny", ["n", "d"];
    /// Other permissions, while the question waits.
    Permissions, "approval.permissions", ["m"];
    /// Takes the chosen entry.
    Accept, "list.accept", ["enter"];
    /// Leaves.
    Cancel, "list.cancel", ["esc", "ctrl-c"];
    /// One entry down.
    Down, "list.move_down", ["down", "ctrl-n", "j"];
    /// One entry up.
    Up, "list.move_up", ["up", "ctrl-p", "k"];
    /// Leaves.
    Close, "pager.close", ["q", "esc", "ctrl-c"];
    /// Half a page down.
    HalfDown, "pager.half_page_down", ["ctrl-d"];
    /// Half a page up.
    HalfUp, "pager.half_page_up", ["ctrl-u"];
    /// To the end.
    Bottom, "pager.jump_bottom", ["end", "G"];
    /// To the start.
    Top, "pager.jump_top", ["home", "g"];
    /// A page down.
    PageDown, "pager.page_down", ["pagedown", "space", "ctrl-f"];
    /// A page up.
    PageUp, "pager.page_up", ["pageup", "b", "ctrl-b"];
    /// One row down.
    ScrollDown, "pager.scroll_down", ["down", "j", "ctrl-n"];
    /// One row up.
    ScrollUp, "pager.scroll_up", ["up", "k", "ctrl-p"];
}

impl Bound {
    /// `CONTEXT.ACTION` in `tui.keymap`.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(bound, _, _)| *bound == self);
        found.map_or("", |(_, name, _)| name)
    }
}

/// Which keys do what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bindings(Vec<(Bound, Vec<Key>)>);

impl Bindings {
    /// The defaults, and what the user set in their place: `CONTEXT.ACTION` and its keys.
    #[must_use]
    pub fn new(user: &[(String, Vec<Key>)]) -> Self {
        let bind = |(bound, name, keys): &(Bound, &str, &[&str])| {
            let set = user.iter().find(|(have, _)| have == name).map(|(_, keys)| keys.clone());
            let own = || keys.iter().filter_map(|key| key.parse().ok()).collect();
            (*bound, set.unwrap_or_else(own))
        };
        Self(Bound::ALL.iter().map(bind).collect())
    }

    /// The keys of an action.
    #[must_use]
    pub fn keys(&self, bound: Bound) -> &[Key] {
        self.0.iter().find(|(have, _)| *have == bound).map_or(&[], |(_, keys)| keys)
    }

    /// The first key of an action in words; empty when it has none.
    #[must_use]
    pub fn label(&self, bound: Bound) -> String {
        self.keys(bound).first().map(ToString::to_string).unwrap_or_default()
    }

    /// Whether a key does it.
    #[must_use]
    pub fn is(&self, key: &Key, bound: Bound) -> bool {
        self.keys(bound).iter().any(|have| have.is(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_key_and_the_user_may_replace_it() {
        let bindings = Bindings::new(&[("approval.deny".into(), vec![Key::char('x')])]);
        for (bound, name, keys) in Bound::ALL {
            if *bound == Bound::Deny {
                assert!(bindings.is(&Key::char('x'), *bound));
                assert!(!bindings.is(&Key::char('n'), *bound));
            } else {
                assert_eq!(bindings.keys(*bound).len(), keys.len(), "{name}");
            }
            assert_eq!(bound.name(), *name);
        }
    }

    #[test]
    fn what_has_keys_has_a_name() {
        let known = ["editor.yank", "global.submit", "list.accept", "vim_operator.cancel"];
        assert!(known.into_iter().all(is_action));
        for name in ["editor.fly", "list.yank", "yank", "vim_normal.", ""] {
            assert!(!is_action(name), "{name}");
        }
    }

    #[test]
    fn no_key_of_a_question_means_two_things() {
        let bindings = Bindings::new(&[]);
        let names = |key: &Key| {
            let of = |(bound, name, _): &(Bound, &'static str, _)| {
                (name.starts_with("approval.") && bindings.is(key, *bound)).then_some(*name)
            };
            Bound::ALL.iter().filter_map(of).collect::<Vec<_>>()
        };
        for (bound, _, _) in Bound::ALL.iter().filter(|(_, name, _)| name.starts_with("approval")) {
            for key in bindings.keys(*bound) {
                assert_eq!(names(key), [bound.name()], "{key}");
            }
        }
    }
}
