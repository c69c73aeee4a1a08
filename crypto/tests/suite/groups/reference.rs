//! The rules of the merge a second time: word for word, over sets of hashes, and slowly. What the crate does must come to the
//! same.

use std::collections::{BTreeMap, BTreeSet};

use rossby_crypto::group::{Action, Former, GroupGraph, GroupState, MAX_MEMBERS, Role, VerifiedChange};
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::BoxId;

type Hash = Sha256Digest;
type Hashes = BTreeSet<Hash>;
/// (depth, hash, place): how senior a member is.
type Seniority = (u32, Hash, usize);

/// What a group's changes give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    name: String,
    members: BTreeMap<BoxId, (Role, Seniority)>,
    beyond: BTreeSet<BoxId>,
    former: BTreeMap<BoxId, Former>,
    heir: Option<BoxId>,
}

impl From<&GroupState> for Shown {
    fn from(state: &GroupState) -> Self {
        let seniority = |member: rossby_crypto::group::Member| {
            (member.role, (member.seniority.depth, member.seniority.change, member.seniority.place))
        };
        Self {
            name: state.name().to_owned(),
            members: state.members().map(|(box_id, member)| (box_id, seniority(member))).collect(),
            beyond: state.beyond().collect(),
            former: state.former().collect(),
            heir: state.heir(),
        }
    }
}

/// Everyone that was added, within the limit or beyond, with the roles that were given.
type Members = BTreeMap<BoxId, (Role, Seniority)>;

pub(crate) struct Reference<'a> {
    changes: BTreeMap<Hash, &'a VerifiedChange>,
    past: BTreeMap<Hash, Hashes>,
    depth: BTreeMap<Hash, u32>,
    by_heir: Hashes,
}

impl<'a> Reference<'a> {
    pub(crate) fn of(graph: &'a GroupGraph) -> Self {
        let mut reference =
            Self { changes: BTreeMap::new(), past: BTreeMap::new(), depth: BTreeMap::new(), by_heir: Hashes::new() };
        for change in graph.changes() {
            let (hash, parents) = (change.hash(), &change.change().parents);
            let past = parents.iter().flat_map(|p| reference.past[p].iter().copied().chain([*p])).collect();
            let depth = parents.iter().map(|parent| reference.depth[parent] + 1).max().unwrap_or(0);
            let counting = reference.counting(&past);
            if !parents.is_empty() && reference.shown(&counting).heir == Some(change.change().author) {
                reference.by_heir.insert(hash);
            }
            reference.changes.insert(hash, change);
            reference.past.insert(hash, past);
            reference.depth.insert(hash, depth);
        }
        reference
    }

    pub(crate) fn all(&self) -> Hashes {
        self.changes.keys().copied().collect()
    }

    pub(crate) fn change(&self, hash: &Hash) -> Option<&'a VerifiedChange> {
        self.changes.get(hash).copied()
    }

    /// A change and its past.
    pub(crate) fn up_to(&self, hash: Hash) -> Hashes {
        self.past[&hash].iter().copied().chain([hash]).collect()
    }

    pub(crate) fn at_once(&self, one: Hash, other: Hash) -> bool {
        one != other && !self.past[&one].contains(&other) && !self.past[&other].contains(&one)
    }

    fn author(&self, hash: Hash) -> BoxId {
        self.changes[&hash].change().author
    }

    fn action(&self, hash: Hash) -> &Action {
        &self.changes[&hash].change().action
    }

    fn contests(&self, one: Hash, other: Hash) -> bool {
        let subject = match self.action(one) {
            Action::Remove { member } | Action::SetRole { member, role: Role::Member } => *member,
            _ => return false,
        };
        subject == self.author(other) && subject != self.author(one) && self.at_once(one, other)
    }

    /// Which changes of a set that has the past of all that it has count.
    pub(crate) fn counting(&self, scope: &Hashes) -> Hashes {
        let mut verdicts: BTreeMap<Hash, Option<bool>> = scope.iter().map(|hash| (*hash, None)).collect();
        for hash in scope {
            let device = self.changes[hash].change().device;
            let is_removed = scope.iter().any(|other| {
                let names_it = self.changes[other].removed_devices().contains(&device);
                self.author(*other) == self.author(*hash) && names_it && self.at_once(*other, *hash)
            });
            if matches!(self.action(*hash), Action::Leave | Action::Affirm) {
                verdicts.insert(*hash, Some(true));
            } else if is_removed {
                verdicts.insert(*hash, Some(false));
            }
        }
        loop {
            while self.settle(scope, &mut verdicts) {}
            let open: Hashes = scope.iter().filter(|hash| verdicts[hash].is_none()).copied().collect();
            if open.is_empty() {
                return scope.iter().filter(|hash| verdicts[hash] == Some(true)).copied().collect();
            }
            for circle in self.open_circles(&open) {
                let senior = circle.iter().filter_map(|hash| {
                    let right = self.right(*hash, &verdicts)??;
                    Some((right, self.depth[hash], *hash))
                });
                let (_, _, chosen) = senior.min().expect("one of a circle has its grounds outside of it");
                for other in scope.iter().filter(|other| self.contests(**other, chosen)) {
                    verdicts.insert(*other, Some(false));
                }
                verdicts.insert(chosen, Some(true));
            }
        }
    }

    /// One more round of the rules 2 to 4.
    fn settle(&self, scope: &Hashes, verdicts: &mut BTreeMap<Hash, Option<bool>>) -> bool {
        let mut settled = false;
        for hash in scope {
            if verdicts[hash].is_some() {
                continue;
            }
            let contests: Vec<_> =
                scope.iter().filter(|other| self.contests(**other, *hash)).map(|other| verdicts[other]).collect();
            let verdict = match self.right(*hash, verdicts) {
                _ if contests.contains(&Some(true)) => Some(false),
                Some(None) => Some(false),
                Some(Some(_)) if contests.iter().all(|contest| *contest == Some(false)) => Some(true),
                Some(Some(_)) | None => None,
            };
            settled |= verdict.is_some();
            verdicts.insert(*hash, verdict);
        }
        settled
    }

    fn grounds(&self, hash: Hash) -> Hashes {
        let is_ground = |other: &&Hash| match self.action(**other) {
            Action::Rename { .. } | Action::Affirm => false,
            _ if self.by_heir.contains(&hash) => true,
            Action::Found { members, .. } => {
                let author = self.author(hash);
                self.author(**other) == author || members.iter().any(|member| member.box_id == author)
            }
            Action::Add { members } => members.iter().any(|member| member.box_id == self.author(hash)),
            Action::Remove { member } | Action::SetRole { member, .. } => *member == self.author(hash),
            Action::Leave => self.author(**other) == self.author(hash),
        };
        self.past[&hash].iter().filter(is_ground).copied().collect()
    }

    /// None if it is not known; no seniority if the author was no admin.
    fn right(&self, hash: Hash, verdicts: &BTreeMap<Hash, Option<bool>>) -> Option<Option<Seniority>> {
        if self.past[&hash].is_empty() {
            return Some(Some((0, hash, 0)));
        }
        let grounds = self.grounds(hash);
        if grounds.iter().any(|ground| verdicts[ground].is_none()) {
            return None;
        }
        let counting = grounds.into_iter().filter(|ground| verdicts[ground] == Some(true)).collect();
        let (members, _) = self.members(&counting);
        let (role, seniority) = *members.get(&self.author(hash)).unwrap_or(&(Role::Member, (0, hash, 0)));
        let is_heir = self.by_heir.contains(&hash) && heir(&members) == Some(self.author(hash));
        Some((role == Role::Admin || is_heir).then_some(seniority))
    }

    /// The circles among these that wait for nothing outside of themselves.
    fn open_circles(&self, open: &Hashes) -> BTreeSet<Hashes> {
        // Who decides whom, directly or over others.
        let decides = |one: Hash, other: Hash| self.contests(one, other) || self.grounds(other).contains(&one);
        let mut deciders: BTreeMap<Hash, Hashes> = open
            .iter()
            .map(|hash| (*hash, open.iter().filter(|other| decides(**other, *hash)).copied().collect()))
            .collect();
        for _ in 0..open.len() {
            for hash in open {
                let further: Hashes = deciders[hash].iter().flat_map(|other| deciders[other].clone()).collect();
                deciders.get_mut(hash).unwrap().extend(further);
            }
        }
        let waits_for_itself_only = |hash: &&Hash| deciders[hash].iter().all(|other| deciders[other].contains(hash));
        open.iter().filter(waits_for_itself_only).map(|hash| deciders[hash].clone()).collect()
    }

    fn members(&self, counting: &Hashes) -> (Members, BTreeMap<BoxId, Former>) {
        let (mut members, mut former) = (Members::new(), BTreeMap::new());
        let boxes: BTreeSet<BoxId> = counting.iter().flat_map(|hash| self.boxes_of(*hash)).collect();
        for box_id in boxes {
            let ends: Vec<Hash> = counting
                .iter()
                .filter(|hash| match self.action(**hash) {
                    Action::Remove { member } => *member == box_id,
                    Action::Leave => self.author(**hash) == box_id,
                    _ => false,
                })
                .copied()
                .collect();
            let gifts: Vec<(Hash, Role, Option<usize>)> = counting
                .iter()
                .filter(|hash| ends.iter().all(|end| self.past[hash].contains(end)))
                .filter_map(|hash| self.gift(*hash, box_id).map(|(role, place)| (*hash, role, place)))
                .collect();
            let added = gifts.iter().filter_map(|(hash, _, place)| Some((self.depth[hash], *hash, (*place)?)));
            if let Some(seniority) = added.min() {
                let is_last = |hash: Hash| !gifts.iter().any(|(other, ..)| self.past[other].contains(&hash));
                let role = gifts.iter().filter(|(hash, ..)| is_last(*hash)).map(|(_, role, _)| *role).min().unwrap();
                members.insert(box_id, (role, seniority));
            } else if let Some(end) = ends.iter().max_by_key(|end| (self.depth[end], **end)) {
                let left = matches!(self.action(*end), Action::Leave);
                former.insert(box_id, if left { Former::Left(*end) } else { Former::Removed(*end) });
            }
        }
        (members, former)
    }

    fn boxes_of(&self, hash: Hash) -> Vec<BoxId> {
        let author = self.author(hash);
        match self.action(hash) {
            Action::Found { members, .. } => members.iter().map(|member| member.box_id).chain([author]).collect(),
            Action::Add { members } => members.iter().map(|member| member.box_id).collect(),
            Action::Remove { member } | Action::SetRole { member, .. } => vec![*member],
            Action::Leave => vec![author],
            Action::Rename { .. } | Action::Affirm => Vec::new(),
        }
    }

    fn gift(&self, hash: Hash, box_id: BoxId) -> Option<(Role, Option<usize>)> {
        let place_in = |members: &[rossby_crypto::group::NewMember], first| {
            let place = members.iter().position(|member| member.box_id == box_id)?;
            Some((members[place].role, Some(place + first)))
        };
        match self.action(hash) {
            Action::Found { .. } if self.author(hash) == box_id => Some((Role::Admin, Some(0))),
            Action::Found { members, .. } => place_in(members, 1),
            Action::Add { members } => place_in(members, 0),
            Action::SetRole { member, role } if *member == box_id => Some((*role, None)),
            _ => None,
        }
    }

    pub(crate) fn shown(&self, counting: &Hashes) -> Shown {
        let named = counting.iter().filter_map(|hash| match self.action(*hash) {
            Action::Found { name, .. } | Action::Rename { name } => Some((self.depth[hash], *hash, name.clone())),
            _ => None,
        });
        let name = named.max().map(|(_, _, name)| name).unwrap_or_default();
        let (mut members, former) = self.members(counting);
        let heir = heir(&members);
        if let Some(heir) = heir.and_then(|heir| members.get_mut(&heir)) {
            heir.0 = Role::Admin;
        }
        let mut by_seniority: Vec<_> = members.iter().map(|(box_id, (_, seniority))| (*seniority, *box_id)).collect();
        by_seniority.sort_unstable();
        let beyond: BTreeSet<_> = by_seniority.into_iter().skip(MAX_MEMBERS).map(|(_, box_id)| box_id).collect();
        members.retain(|box_id, _| !beyond.contains(box_id));
        Shown { name, members, beyond, former, heir }
    }
}

fn heir(members: &Members) -> Option<BoxId> {
    if members.values().any(|(role, _)| *role == Role::Admin) {
        return None;
    }
    members.iter().min_by_key(|(_, (_, seniority))| *seniority).map(|(box_id, _)| *box_id)
}
