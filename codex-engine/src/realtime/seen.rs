//! Ids that were met, the newest of them.

use std::collections::{BTreeSet, VecDeque};

use crate::limits::IDS_REMEMBERED_MAX;

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    order: VecDeque<String>,
    ids: BTreeSet<String>,
}

impl Seen {
    /// Notes an id; `false` when it was met before.
    pub(super) fn is_new(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > IDS_REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.ids.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_while_it_is_remembered() {
        let mut seen = Seen::default();
        assert!(seen.is_new("a") && !seen.is_new("a") && seen.has("a"));
        (0..IDS_REMEMBERED_MAX).for_each(|n| assert!(seen.is_new(&n.to_string())));
        assert!(!seen.has("a") && seen.ids.len() == IDS_REMEMBERED_MAX);
    }
}
