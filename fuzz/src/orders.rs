//! Every order of a few sequences.

use std::{
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Runs every merge of the sequences, each of which keeps its own order. Gives their number.
///
/// # Panics
/// When a run does; `what` and the order are named.
pub fn in_every_order<T: Copy + Debug>(
    what: impl Debug,
    sequences: &[Vec<T>],
    mut run: impl FnMut(&[T]),
) -> usize {
    let all = merges(sequences);
    assert_eq!(all.len(), count(sequences), "each order is there once");
    for order in &all {
        let result = catch_unwind(AssertUnwindSafe(|| run(order)));
        assert!(result.is_ok(), "{what:?}, in the order {order:?}");
    }
    all.len()
}

/// All merges of the sequences, each of which keeps its own order.
fn merges<T: Copy>(sequences: &[Vec<T>]) -> Vec<Vec<T>> {
    if sequences.iter().all(Vec::is_empty) {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, sequence) in sequences.iter().enumerate() {
        let Some((first, rest)) = sequence.split_first() else { continue };
        let mut others = sequences.to_vec();
        others[index] = rest.to_vec();
        for mut merge in merges(&others) {
            merge.insert(0, *first);
            all.push(merge);
        }
    }
    all
}

/// How many merges there are: (n1 + n2 + …)! / (n1! n2! …).
fn count<T>(sequences: &[Vec<T>]) -> usize {
    let factorial = |n: usize| (1..=n).product::<usize>();
    let total = sequences.iter().map(Vec::len).sum();
    sequences.iter().fold(factorial(total), |count, sequence| count / factorial(sequence.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_keep_each_sequence_in_order_and_are_all_there() {
        let sequences = [vec![1, 2], vec![10], vec![20, 21]];
        let all = merges(&sequences);
        assert_eq!(all.len(), count(&sequences));
        assert_eq!(all.len(), 30);
        for merge in &all {
            let place = |x: i32| merge.iter().position(|y| *y == x);
            assert!(place(1) < place(2) && place(20) < place(21));
        }
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
