//! Sets of a graph's changes, by their place in it.

/// A set of places, a bit each.
#[derive(Debug, Clone, Default)]
pub(super) struct ChangeSet(Vec<u64>);

impl ChangeSet {
    /// The set of all places before `end`.
    pub(super) fn before(end: usize) -> Self {
        let mut words = vec![u64::MAX; end / 64];
        if !end.is_multiple_of(64) {
            words.push((1 << (end % 64)) - 1);
        }
        Self(words)
    }

    /// Puts a place in.
    pub(super) fn insert(&mut self, place: usize) {
        let word = place / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (place % 64);
    }

    /// Whether a place is in it.
    pub(super) fn contains(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word & (1 << (place % 64)) != 0)
    }

    /// Puts all places of another in.
    pub(super) fn insert_all(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(word, others)| *word |= others);
    }

    /// Leaves out all places that are not in another.
    pub(super) fn keep_all(&mut self, other: &Self) {
        self.0.truncate(other.0.len());
        self.0.iter_mut().zip(&other.0).for_each(|(word, others)| *word &= others);
    }

    /// Whether all of its places are in the other.
    pub(super) fn is_subset(&self, other: &Self) -> bool {
        let word_of = |i: usize| other.0.get(i).copied().unwrap_or_default();
        self.0.iter().enumerate().all(|(i, word)| word & !word_of(i) == 0)
    }

    /// Its places in ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(i, word)| {
            let bits = std::iter::successors(Some(*word), |rest| Some(rest & rest.wrapping_sub(1)));
            bits.take_while(|rest| *rest != 0).map(move |rest| i * 64 + rest.trailing_zeros() as usize)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(places: &BTreeSet<usize>) -> ChangeSet {
        let mut set = ChangeSet::default();
        places.iter().for_each(|place| set.insert(*place));
        set
    }

    proptest! {
        #[test]
        fn it_is_a_set(
            one in proptest::collection::btree_set(0_usize..300, 0..40),
            other in proptest::collection::btree_set(0_usize..300, 0..40), end in 0_usize..300,
        ) {
            let mut both = set(&one);
            both.insert_all(&set(&other));
            prop_assert!(both.iter().eq(one.union(&other).copied()));
            let mut common = set(&one);
            common.keep_all(&set(&other));
            prop_assert!(common.iter().eq(one.intersection(&other).copied()));
            prop_assert!((0..400).all(|place| set(&one).contains(place) == one.contains(&place)));
            prop_assert_eq!(set(&one).is_subset(&set(&other)), one.is_subset(&other));
            prop_assert!(set(&one).is_subset(&both));
            prop_assert!(ChangeSet::before(end).iter().eq(0..end));
        }
    }
}
