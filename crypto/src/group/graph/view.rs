//! What a graph tells.

use std::collections::BTreeSet;
use std::sync::Arc;

use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::{BoxId, DeviceId, Head};
use rossby_schemas::time::Timestamp;

use super::{Fork, GroupGraph, UnknownHeads};
use crate::group::change::{GroupChange, MAX_PARENTS, VerifiedChange};
use crate::group::set::ChangeSet;
use crate::group::state::GroupState;
use crate::group::{Action, GroupId};

impl GroupGraph {
    /// The group.
    #[must_use]
    pub const fn id(&self) -> GroupId {
        self.id
    }

    /// The state that the whole graph gives.
    #[must_use]
    pub fn state(&self) -> &GroupState {
        &self.evaluated().state
    }

    /// The state that was there for someone whose graph had these heads.
    ///
    /// # Errors
    /// [`UnknownHeads`], those that the graph lacks.
    pub fn state_at(&self, heads: &[Sha256Digest]) -> Result<Arc<GroupState>, UnknownHeads> {
        let mut places = self.find(heads).map_err(UnknownHeads)?;
        places.sort_unstable();
        places.dedup();
        Ok(self.state_on(&places, &self.with_ancestors(&places)))
    }

    /// The hashes of the changes that no other change has as a parent, in ascending order.
    pub fn heads(&self) -> impl Iterator<Item = Sha256Digest> {
        self.heads.keys().copied()
    }

    /// How many changes there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a graph has its founding change")]
    pub const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// All changes, each after its parents.
    pub fn changes(&self) -> impl Iterator<Item = &VerifiedChange> {
        self.nodes.iter().map(|node| &node.change)
    }

    /// Whether the graph has the change with this hash.
    #[must_use]
    pub fn contains(&self, hash: &Sha256Digest) -> bool {
        self.places.contains_key(hash)
    }

    /// Whether the change with this hash counts; none if the graph does not have it.
    #[must_use]
    pub fn counts(&self, hash: &Sha256Digest) -> Option<bool> {
        self.places.get(hash).map(|place| self.evaluated().counting.contains(*place))
    }

    /// The change with this hash.
    #[must_use]
    pub fn change_of(&self, hash: &Sha256Digest) -> Option<&VerifiedChange> {
        self.places.get(hash).map(|place| &self.nodes[*place].change)
    }

    /// The changes that someone with these heads lacks, each after its parents. Heads that the graph lacks are passed over.
    pub fn since(&self, heads: &[Sha256Digest]) -> impl Iterator<Item = &VerifiedChange> {
        let known = self.seen_with(heads);
        self.nodes.iter().enumerate().filter(move |(place, _)| !known.contains(*place)).map(|(_, node)| &node.change)
    }

    /// Of the changes that someone with these heads lacks, one of this hash and its ancestors.
    pub fn since_up_to(&self, heads: &[Sha256Digest], last: Sha256Digest) -> impl Iterator<Item = &VerifiedChange> {
        let wanted = self.seen_with(&[last]);
        self.since(heads)
            .filter(move |change| self.places.get(&change.hash()).is_some_and(|place| wanted.contains(*place)))
    }

    /// Whether someone who had seen `heads` had seen `others`. Those that the graph lacks nobody has seen.
    #[must_use]
    pub fn includes(&self, heads: &[Sha256Digest], others: &[Sha256Digest]) -> bool {
        let seen = self.seen_with(heads);
        others.iter().all(|other| self.places.get(other).is_some_and(|place| seen.contains(*place)))
    }

    fn seen_with(&self, heads: &[Sha256Digest]) -> ChangeSet {
        let places: Vec<usize> = heads.iter().filter_map(|head| self.places.get(head).copied()).collect();
        self.with_ancestors(&places)
    }

    /// The devices that made changes at once: of each the first two.
    #[must_use]
    pub fn forks(&self) -> &[Fork] {
        &self.forks
    }

    /// The next change of a device: on the heads, but [`MAX_PARENTS`] at most, and on the device's own changes in any case.
    #[must_use]
    pub fn next(&self, author: BoxId, device: DeviceId, head: Head, time: Timestamp, action: Action) -> GroupChange {
        GroupChange {
            author,
            device,
            head,
            group: Some(self.id),
            parents: self.heads_for(author, device),
            time,
            action,
        }
    }

    /// The heads that a device names in what it writes: all of them, or [`MAX_PARENTS`] that have its own changes among their
    /// ancestors. In ascending order.
    #[must_use]
    pub fn heads_for(&self, author: BoxId, device: DeviceId) -> Vec<Sha256Digest> {
        let own = self.by_author.get(&author).and_then(|places| {
            places.iter().rev().find(|place| self.nodes[**place].change.change().device == device).copied()
        });
        let has_own = |head: usize| own.is_some_and(|own| own == head || self.nodes[head].ancestors.contains(own));
        let mut heads: Vec<_> = self.heads.iter().collect();
        heads.sort_by_key(|(hash, place)| (!has_own(**place), **hash));
        let chosen: BTreeSet<Sha256Digest> = heads.into_iter().take(MAX_PARENTS).map(|(hash, _)| *hash).collect();
        chosen.into_iter().collect()
    }
}
