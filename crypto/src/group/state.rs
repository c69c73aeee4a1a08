//! What a graph's changes give: the members, their roles, and the group's name.

use std::collections::{BTreeMap, BTreeSet};

use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::BoxId;

use super::change::GroupChange;
use super::graph::GroupGraph;
use super::set::ChangeSet;
use super::{Action, MAX_MEMBERS, Role};

/// How early a member came. The lower one is the more senior.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seniority {
    /// The depth of the change that made it a member.
    pub depth: u32,
    /// That change's hash.
    pub change: Sha256Digest,
    /// Its place in the change's list; in the founding change the founder has 0 and the list begins at 1.
    pub place: usize,
}

/// A member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its role. The heir is an admin.
    pub role: Role,
    /// How early it came.
    pub seniority: Seniority,
}

/// How a box that was a member came to be none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Former {
    /// It was removed, by this change.
    Removed(Sha256Digest),
    /// It left, by this change.
    Left(Sha256Digest),
}

/// A group as a set of changes gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupState {
    name: String,
    /// With the roles that were given to them, and those beyond the limit too.
    members: BTreeMap<BoxId, Member>,
    beyond: BTreeSet<BoxId>,
    former: BTreeMap<BoxId, Former>,
    heir: Option<BoxId>,
}

impl GroupState {
    /// The group's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The members, in the order of their box ids.
    pub fn members(&self) -> impl Iterator<Item = (BoxId, Member)> {
        let within = self.members.iter().filter(|(box_id, _)| !self.beyond.contains(box_id));
        within.map(|(box_id, member)| (*box_id, self.with_heir(*box_id, *member)))
    }

    /// This box as a member, if it is one.
    #[must_use]
    pub fn member(&self, box_id: BoxId) -> Option<Member> {
        self.added(box_id).filter(|_| !self.beyond.contains(&box_id))
    }

    /// Whether this box is a member.
    #[must_use]
    pub fn is_member(&self, box_id: BoxId) -> bool {
        self.member(box_id).is_some()
    }

    /// Whether this box is an admin.
    #[must_use]
    pub fn is_admin(&self, box_id: BoxId) -> bool {
        self.member(box_id).is_some_and(|member| member.role == Role::Admin)
    }

    /// The boxes that were added when there was no room: the least senior, by additions that were made at once.
    pub fn beyond(&self) -> impl Iterator<Item = BoxId> {
        self.beyond.iter().copied()
    }

    /// The boxes that were members and are none, and how that came.
    pub fn former(&self) -> impl Iterator<Item = (BoxId, Former)> {
        self.former.iter().map(|(box_id, former)| (*box_id, *former))
    }

    /// How this box came to be no member, if it was one.
    #[must_use]
    pub fn former_of(&self, box_id: BoxId) -> Option<Former> {
        self.former.get(&box_id).copied()
    }

    /// The member that is an admin because no other is.
    #[must_use]
    pub const fn heir(&self) -> Option<BoxId> {
        self.heir
    }

    /// This box as it was added, within the limit or beyond.
    pub(super) fn added(&self, box_id: BoxId) -> Option<Member> {
        self.members.get(&box_id).map(|member| self.with_heir(box_id, *member))
    }

    /// How many were added, within the limit or beyond.
    pub(super) fn added_count(&self) -> usize {
        self.members.len()
    }

    fn with_heir(&self, box_id: BoxId, member: Member) -> Member {
        if self.heir == Some(box_id) { Member { role: Role::Admin, ..member } } else { member }
    }

    /// The state that the counting changes of a part of the graph give, the founding change among them.
    pub(super) fn of(graph: &GroupGraph, counting: &ChangeSet) -> Self {
        let counts = |place| counting.contains(place);
        let last = graph.naming().filter(|place| counts(*place)).max_by_key(|place| graph.order(*place));
        let name = last.and_then(|place| given_name(graph.change(place))).unwrap_or_default().to_owned();
        let mut state =
            Self { name, members: BTreeMap::new(), beyond: BTreeSet::new(), former: BTreeMap::new(), heir: None };
        for box_id in graph.boxes() {
            match standing(graph, box_id, counts) {
                Standing::Never => {}
                Standing::Member(member) => {
                    state.members.insert(box_id, member);
                }
                Standing::Former(former) => {
                    state.former.insert(box_id, former);
                }
            }
        }
        state.finish();
        state
    }

    /// The state after one more change that counts and has all others among its ancestors.
    pub(super) fn after(&self, change: &GroupChange, hash: Sha256Digest, depth: u32) -> Self {
        let mut state = self.clone();
        if let Some(name) = given_name(change) {
            name.clone_into(&mut state.name);
        }
        match &change.action {
            Action::Found { .. } | Action::Rename { .. } | Action::Affirm => {}
            Action::Add { members } => {
                for (place, new) in members.iter().enumerate() {
                    let seniority = Seniority { depth, change: hash, place };
                    state.members.insert(new.box_id, Member { role: new.role, seniority });
                    state.former.remove(&new.box_id);
                }
            }
            Action::Remove { member } => {
                state.members.remove(member);
                state.former.insert(*member, Former::Removed(hash));
            }
            Action::Leave => {
                state.members.remove(&change.author);
                state.former.insert(change.author, Former::Left(hash));
            }
            Action::SetRole { member, role } => {
                state.members.entry(*member).and_modify(|member| member.role = *role);
            }
        }
        state.finish();
        state
    }

    fn finish(&mut self) {
        let is_led = self.members.values().any(|member| member.role == Role::Admin);
        let most_senior = self.members.iter().min_by_key(|(_, member)| member.seniority);
        self.heir = most_senior.filter(|_| !is_led).map(|(box_id, _)| *box_id);
        self.beyond.clear();
        if self.members.len() > MAX_MEMBERS {
            let mut by_seniority: Vec<_> = self.members.iter().map(|(box_id, m)| (m.seniority, *box_id)).collect();
            by_seniority.sort_unstable();
            self.beyond.extend(by_seniority.into_iter().skip(MAX_MEMBERS).map(|(_, box_id)| box_id));
        }
    }
}

/// How a box stands to the group.
pub(super) enum Standing {
    /// No addition of it counts.
    Never,
    /// It is a member, with the role that was given to it.
    Member(Member),
    /// It was a member.
    Former(Former),
}

/// How a box stands by those changes about it that count.
pub(super) fn standing(graph: &GroupGraph, box_id: BoxId, counts: impl Fn(usize) -> bool) -> Standing {
    let counting: Vec<usize> = graph.about(box_id).iter().copied().filter(|place| counts(*place)).collect();
    let mut ends = ChangeSet::default();
    counting.iter().filter(|place| ends_membership(graph.change(**place))).for_each(|place| ends.insert(*place));
    // What gives a role counts only if whoever gave it knew of every end.
    let gifts: Vec<(usize, Gift)> = counting
        .into_iter()
        .filter(|place| ends.is_subset(graph.ancestors(*place)))
        .filter_map(|place| gift(graph.change(place), box_id).map(|gift| (place, gift)))
        .collect();
    let seniority = gifts.iter().filter_map(|(place, gift)| {
        let (depth, change) = graph.order(*place);
        gift.place.map(|place| Seniority { depth, change, place })
    });
    let Some(seniority) = seniority.min() else {
        let last = ends.iter().max_by_key(|place| graph.order(*place));
        return last.map_or(Standing::Never, |place| {
            let hash = graph.order(place).1;
            let left = graph.change(place).action == Action::Leave;
            Standing::Former(if left { Former::Left(hash) } else { Former::Removed(hash) })
        });
    };
    let mut superseded = ChangeSet::default();
    gifts.iter().for_each(|(place, _)| superseded.insert_all(graph.ancestors(*place)));
    let last = gifts.iter().filter(|(place, _)| !superseded.contains(*place));
    let role = last.map(|(_, gift)| gift.role).min().unwrap_or(Role::Member);
    Standing::Member(Member { role, seniority })
}

/// What a change gives to a box: a role, and if it adds the box, the place in its list.
struct Gift {
    role: Role,
    place: Option<usize>,
}

fn gift(change: &GroupChange, box_id: BoxId) -> Option<Gift> {
    let listed = |members: &[super::NewMember], first: usize| {
        let index = members.binary_search_by_key(&box_id, |member| member.box_id).ok()?;
        Some(Gift { role: members[index].role, place: Some(first + index) })
    };
    match &change.action {
        Action::Found { .. } if change.author == box_id => Some(Gift { role: Role::Admin, place: Some(0) }),
        Action::Found { members, .. } => listed(members, 1),
        Action::Add { members } => listed(members, 0),
        Action::SetRole { member, role } if *member == box_id => Some(Gift { role: *role, place: None }),
        Action::SetRole { .. } | Action::Remove { .. } | Action::Leave | Action::Rename { .. } | Action::Affirm => None,
    }
}

const fn ends_membership(change: &GroupChange) -> bool {
    matches!(change.action, Action::Remove { .. } | Action::Leave)
}

fn given_name(change: &GroupChange) -> Option<&str> {
    match &change.action {
        Action::Found { name, .. } | Action::Rename { name } => Some(name),
        Action::Add { .. } | Action::Remove { .. } | Action::Leave | Action::SetRole { .. } | Action::Affirm => None,
    }
}
