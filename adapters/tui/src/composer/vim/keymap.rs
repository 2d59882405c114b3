//! `tui.keymap` of the contexts `vim_normal` and `vim_operator`: other keys for vim's own. A key that
//! the user gave to an action stands for the key that the action has by itself.

use std::collections::BTreeMap;

use crate::key::{Key, KeyKind};

/// Where a key is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::composer) enum Place {
    /// Before a command.
    Normal,
    /// Behind an operator.
    Operator,
    /// With a selection: motions alone are the user's.
    Visual,
}

/// All actions: `CONTEXT.ACTION`, and the key of vim that does it.
pub const VIM_ACTIONS: &[(&str, &str)] = &[
    ("vim_normal.append_after_cursor", "a"),
    ("vim_normal.append_line_end", "A"),
    ("vim_normal.cancel_operator", "esc"),
    ("vim_normal.delete_char", "x"),
    ("vim_normal.delete_to_line_end", "D"),
    ("vim_normal.enter_insert", "i"),
    ("vim_normal.insert_line_start", "I"),
    ("vim_normal.move_down", "j"),
    ("vim_normal.move_left", "h"),
    ("vim_normal.move_line_end", "$"),
    ("vim_normal.move_line_start", "0"),
    ("vim_normal.move_right", "l"),
    ("vim_normal.move_up", "k"),
    ("vim_normal.move_word_backward", "b"),
    ("vim_normal.move_word_end", "e"),
    ("vim_normal.move_word_forward", "w"),
    ("vim_normal.open_line_above", "O"),
    ("vim_normal.open_line_below", "o"),
    ("vim_normal.paste_after", "p"),
    ("vim_normal.start_delete_operator", "d"),
    ("vim_normal.start_yank_operator", "y"),
    ("vim_normal.yank_line", "Y"),
    ("vim_operator.cancel", "esc"),
    ("vim_operator.delete_line", "d"),
    ("vim_operator.motion_down", "j"),
    ("vim_operator.motion_left", "h"),
    ("vim_operator.motion_line_end", "$"),
    ("vim_operator.motion_line_start", "0"),
    ("vim_operator.motion_right", "l"),
    ("vim_operator.motion_up", "k"),
    ("vim_operator.motion_word_backward", "b"),
    ("vim_operator.motion_word_end", "e"),
    ("vim_operator.motion_word_forward", "w"),
    ("vim_operator.yank_line", "y"),
];

/// Which key stands for which; `None` when it does nothing any more. Keys that mean what they always
/// do are not in it.
type Changes = BTreeMap<Key, Option<Key>>;

/// What the user changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VimKeymap {
    normal: Changes,
    operator: Changes,
    visual: Changes,
    /// The keys of the actions that the user set.
    set: BTreeMap<&'static str, Vec<Key>>,
}

impl VimKeymap {
    /// What the user set: `CONTEXT.ACTION` and its keys. Names of other contexts are left alone.
    #[must_use]
    pub fn new(user: &[(String, Vec<Key>)]) -> Self {
        let mut map = Self::default();
        let set = |name: &str| user.iter().find(|(have, _)| have == name).map(|(_, keys)| keys);
        let changed = VIM_ACTIONS.iter().filter_map(|(name, own)| Some((*name, *own, set(name)?)));
        let changed: Vec<(&'static str, Key, &Vec<Key>)> =
            changed.filter_map(|(name, own, keys)| Some((name, own.parse().ok()?, keys))).collect();
        // What is taken away comes first: a key may be given to another action.
        for (name, own, _) in &changed {
            for changes in map.of(name) {
                changes.insert(*own, None);
            }
        }
        for (name, own, keys) in changed {
            for key in keys {
                for changes in map.of(name) {
                    changes.insert(*key, Some(own));
                }
            }
            map.set.insert(name, keys.clone());
        }
        map
    }

    fn of(&mut self, name: &str) -> Vec<&mut Changes> {
        match name.split_once('.') {
            // It is pressed behind an operator.
            Some((_, "cancel_operator")) | Some(("vim_operator", _)) => vec![&mut self.operator],
            Some((_, action)) if action.starts_with("move_") => {
                vec![&mut self.normal, &mut self.visual]
            }
            _ => vec![&mut self.normal],
        }
    }

    /// The key of vim that a key stands for; `None` when it does nothing.
    pub(in crate::composer) fn own(&self, place: Place, key: &Key) -> Option<Key> {
        let changes = match place {
            Place::Normal => &self.normal,
            Place::Operator => &self.operator,
            Place::Visual => &self.visual,
        };
        let pressed = Key { kind: KeyKind::Press, ..*key };
        changes.get(&pressed).copied().unwrap_or(Some(*key))
    }

    /// The keys of an action, for help.
    #[must_use]
    pub fn keys(&self, name: &str, own: &str) -> Vec<Key> {
        match self.set.get(name) {
            Some(keys) => keys.clone(),
            None => own.parse().into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        text.parse().unwrap()
    }

    #[test]
    fn every_action_has_a_key_and_one_name() {
        let map = VimKeymap::default();
        for (name, own) in VIM_ACTIONS {
            assert_eq!(map.keys(name, own), [key(own)], "{name}");
            assert_eq!(VIM_ACTIONS.iter().filter(|(have, _)| have == name).count(), 1, "{name}");
        }
    }

    #[test]
    fn keys_change_places_and_places_are_apart() {
        let user = |name: &str, keys: &[&str]| {
            (name.to_owned(), keys.iter().map(|text| key(text)).collect::<Vec<_>>())
        };
        let map = VimKeymap::new(&[
            user("vim_normal.move_left", &["j"]),
            user("vim_normal.move_down", &["k", "ctrl-n"]),
            user("vim_normal.enter_insert", &["k"]),
            user("vim_operator.delete_line", &[]),
            user("editor.yank", &["h"]),
        ]);
        let own = |place, text| map.own(place, &key(text));
        assert_eq!(own(Place::Normal, "j"), Some(key("h")));
        assert_eq!(own(Place::Normal, "h"), None, "taken from the motion");
        assert_eq!(own(Place::Normal, "ctrl-n"), Some(key("j")));
        assert_eq!(own(Place::Visual, "ctrl-n"), Some(key("j")));
        assert_eq!(own(Place::Visual, "i"), Some(key("i")), "an object");
        assert_eq!(own(Place::Normal, "i"), None);
        assert_eq!(own(Place::Operator, "d"), None);
        assert_eq!(own(Place::Operator, "j"), Some(key("j")));
        assert_eq!(map.keys("vim_operator.delete_line", "d"), []);
    }
}
