//! What of a run is drawn, and where.

use std::collections::BTreeMap;

use super::picture::{Bar, Body, Lifeline, Row};

/// A time without rows that is drawn as a break, in microseconds.
const SILENCE_US: u64 = 500_000;

/// What of a run is drawn.
#[derive(Clone, Copy, Debug)]
pub(in crate::debug::timeline) struct Selection {
    /// First input, and first microsecond since the start.
    pub(in crate::debug::timeline) from: (u64, u64),
    /// Last input, and last microsecond since the start.
    pub(in crate::debug::timeline) to: (u64, u64),
    /// Most rows; what is in the middle of more is folded.
    pub(in crate::debug::timeline) rows_max: usize,
}

impl Selection {
    fn has(&self, row: &Row) -> bool {
        (self.from.0..=self.to.0).contains(&row.n) && (self.from.1..=self.to.1).contains(&row.at_us)
    }
}

/// The rows that are drawn, with breaks, and for each old row its new place.
pub(super) fn select(old: Vec<Row>, selection: &Selection) -> (Vec<Row>, Vec<Option<usize>>) {
    let chosen = old.iter().filter(|row| selection.has(row)).count();
    let rows_max = selection.rows_max.max(3);
    let folded = if chosen > rows_max { chosen - rows_max + 1 } else { 0 };
    let head = (rows_max - 1) / 2;
    let (mut rows, mut places): (Vec<Row>, Vec<Option<usize>>) = (Vec::new(), Vec::new());
    let (mut seen, mut first_folded) = (0, 0);
    let mut before_us = None;
    for row in old {
        if !selection.has(&row) {
            places.push(None);
            continue;
        }
        seen += 1;
        let (at_us, n) = (row.at_us, row.n);
        if folded > 0 && (head..head + folded).contains(&(seen - 1)) {
            if seen - 1 == head {
                first_folded = n;
                rows.push(Row { body: Body::Folded { inputs: 1 }, times: 1, ..row });
            } else if let Some(last) = rows.last_mut() {
                last.body = Body::Folded { inputs: n - first_folded + 1 };
                last.lines += row.lines;
            }
            places.push(Some(rows.len() - 1));
            before_us = Some(at_us);
            continue;
        }
        let silent_us = before_us.map_or(0, |before: u64| at_us.saturating_sub(before));
        if silent_us >= SILENCE_US {
            let body = Body::Silence { us: silent_us };
            rows.push(Row { at_us, n, body, times: 1, lines: 0, state: None });
        }
        before_us = Some(at_us);
        places.push(Some(rows.len()));
        rows.push(row);
    }
    (rows, places)
}

/// A bar at the new places of its rows; `None` when nothing of it is drawn.
pub(super) fn visible(bar: Bar, places: &[Option<usize>]) -> Option<Bar> {
    let end = bar.to.unwrap_or(places.len().saturating_sub(1));
    let inside = places.get(bar.from..=end)?;
    let from = inside.iter().flatten().next().copied()?;
    let last = inside.iter().flatten().next_back().copied()?;
    let is_whole = bar.to.is_some_and(|to| places.get(to).is_some_and(Option::is_some));
    if is_whole && from == last && bar.from != end {
        return None;
    }
    Some(Bar { from, to: is_whole.then_some(last), ..bar })
}

/// Gives bars that are under way at the same time different places.
pub(super) fn arrange(bars: &mut [Bar]) {
    bars.sort_by_key(|bar| bar.from);
    let mut busy: BTreeMap<Lifeline, Vec<usize>> = BTreeMap::new();
    for bar in bars {
        let ends = busy.entry(bar.lifeline).or_default();
        let end = bar.to.unwrap_or(usize::MAX);
        let free = ends.iter().position(|until| *until <= bar.from);
        bar.place = free.unwrap_or(ends.len());
        match free {
            Some(place) => ends[place] = end,
            None => ends.push(end),
        }
    }
}
