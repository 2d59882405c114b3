//! What keys do in the composer: one table of actions, their names in `tui.keymap`, and their keys.

use std::collections::BTreeMap;

use crate::key::Key;

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident, $context:literal, $name:literal, [$($key:literal),*];)*) => {
        /// Something that a key does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Action { $($(#[$doc])* $variant,)* }

        impl Action {
            /// All of them, with context and name in `tui.keymap`, and default keys.
            pub const ALL: &'static [(Self, &'static str, &'static str, &'static [&'static str])] =
                &[$((Self::$variant, $context, $name, &[$($key),*]),)*];
        }
    };
}

actions! {
    /// Puts an image of the clipboard in.
    AttachClipboard, "composer", "attach_clipboard", ["ctrl-v", "alt-v"];
    /// Takes the chosen candidate, or expands the placeholder beside the caret.
    Complete, "composer", "complete", ["tab"];
    /// Removes what is before the caret.
    DeleteBackward, "editor", "delete_backward", ["backspace", "shift-backspace", "ctrl-h"];
    /// Removes the word before the caret.
    DeleteBackwardWord, "editor", "delete_backward_word", ["alt-backspace", "ctrl-backspace", "ctrl-w"];
    /// Removes what is after the caret.
    DeleteForward, "editor", "delete_forward", ["delete", "ctrl-d"];
    /// Removes the word after the caret.
    DeleteForwardWord, "editor", "delete_forward_word", ["alt-d", "alt-delete", "ctrl-delete"];
    /// Opens the user's editor.
    Editor, "global", "open_external_editor", ["ctrl-g"];
    /// The next match of a search in the history.
    HistoryNext, "composer", "history_search_next", ["ctrl-s"];
    /// Searches the history, then the match before.
    HistorySearch, "composer", "history_search_previous", ["ctrl-r"];
    /// Removes to the end of the line.
    KillLineEnd, "editor", "kill_line_end", ["ctrl-k"];
    /// Removes to the start of the line.
    KillLineStart, "editor", "kill_line_start", ["ctrl-u"];
    /// Removes the line.
    KillWholeLine, "editor", "kill_whole_line", [];
    /// One row down, or a newer prompt.
    MoveDown, "editor", "move_down", ["down", "ctrl-n"];
    /// One character to the left.
    MoveLeft, "editor", "move_left", ["left", "ctrl-b"];
    /// To the end of the line.
    MoveLineEnd, "editor", "move_line_end", ["end", "ctrl-e"];
    /// To the start of the line.
    MoveLineStart, "editor", "move_line_start", ["home", "ctrl-a"];
    /// One character to the right.
    MoveRight, "editor", "move_right", ["right", "ctrl-f"];
    /// To the end of the text.
    MoveTextEnd, "editor", "move_text_end", ["ctrl-end", "alt->"];
    /// To the start of the text.
    MoveTextStart, "editor", "move_text_start", ["ctrl-home", "alt-<"];
    /// One row up, or an older prompt.
    MoveUp, "editor", "move_up", ["up", "ctrl-p"];
    /// One word to the left.
    MoveWordLeft, "editor", "move_word_left", ["alt-left", "ctrl-left", "alt-b"];
    /// One word to the right.
    MoveWordRight, "editor", "move_word_right", ["alt-right", "ctrl-right", "alt-f"];
    /// A new line.
    NewLine, "editor", "insert_newline", ["ctrl-j", "shift-enter"];
    /// Sends it for after the running turn.
    Queue, "composer", "queue", ["alt-enter"];
    /// Does again what was undone.
    Redo, "editor", "redo", ["ctrl-shift-z", "alt-_"];
    /// Sends it.
    Submit, "composer", "submit", ["enter"];
    /// Takes back the last change.
    Undo, "editor", "undo", ["ctrl-_", "ctrl-/", "ctrl-7"];
    /// Inserts what was removed last.
    Yank, "editor", "yank", ["ctrl-y"];
}

/// Which key does what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap(BTreeMap<Key, Action>);

impl Default for Keymap {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl Keymap {
    /// The defaults, and over them what the user set: `CONTEXT.ACTION` and its keys. Names of other
    /// contexts are left alone. A key that the user gave to one action is taken from all others.
    #[must_use]
    pub fn new(user: &[(String, Vec<Key>)]) -> Self {
        let mut map = BTreeMap::new();
        let set_by_user = |context: &str, name: &str| {
            let full = |context: &str| format!("{context}.{name}");
            let find = |full: &str| user.iter().find(|(have, _)| have == full);
            find(&full(context)).or_else(|| find(&full("global"))).map(|(_, keys)| keys)
        };
        for (action, context, name, keys) in Action::ALL {
            if set_by_user(context, name).is_none() {
                for key in *keys {
                    map.insert(key.parse().expect("a default key is a key"), *action);
                }
            }
        }
        for (action, context, name, _) in Action::ALL {
            for key in set_by_user(context, name).into_iter().flatten() {
                map.insert(*key, *action);
            }
        }
        Self(map)
    }

    /// What a key does.
    #[must_use]
    pub fn action(&self, key: &Key) -> Option<Action> {
        let pressed = Key { kind: crate::key::KeyKind::Press, ..*key };
        self.0.get(&pressed).copied()
    }

    /// The keys of an action, for help.
    pub fn keys(&self, action: Action) -> impl Iterator<Item = Key> {
        self.0.iter().filter(move |(_, have)| **have == action).map(|(key, _)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_key_is_bound_once() {
        let count: usize = Action::ALL.iter().map(|(_, _, _, keys)| keys.len()).sum();
        assert_eq!(Keymap::default().0.len(), count);
    }

    #[test]
    fn the_user_rebinds_and_unbinds() {
        let key = |text: &str| text.parse::<Key>().unwrap();
        let map = Keymap::new(&[
            ("editor.yank".into(), vec![key("ctrl-e")]),
            ("composer.queue".into(), Vec::new()),
            ("pager.close".into(), vec![key("q")]),
            ("global.submit".into(), vec![key("ctrl-enter")]),
        ]);
        assert_eq!(map.action(&key("ctrl-e")), Some(Action::Yank), "taken from the line's end");
        assert_eq!(map.action(&key("ctrl-y")), None);
        assert_eq!(map.action(&key("alt-enter")), None);
        assert_eq!(map.action(&key("ctrl-enter").repeated()), Some(Action::Submit));
        assert_eq!(map.keys(Action::MoveLineEnd).collect::<Vec<_>>(), [key("end")]);
    }
}
