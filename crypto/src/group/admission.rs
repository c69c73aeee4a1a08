//! Whether a change is taken into the graph: by its own past alone.

use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::BoxId;

use super::change::GroupChange;
use super::graph::GroupGraph;
use super::set::ChangeSet;
use super::state::{Former, GroupState};
use super::{Action, MAX_MEMBERS, Role};

/// Why a change is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Changes that it was made on have not come yet. It can be taken once they have.
    #[error("{} of the changes that it was made on are missing", .0.len())]
    MissingParents(Vec<Sha256Digest>),
    /// The first change founds no group.
    #[error("the change founds no group")]
    NotFounding,
    /// It is of another group.
    #[error("the change is of another group")]
    OtherGroup,
    /// One of its parents is an ancestor of another.
    #[error("a parent of the change is an ancestor of another")]
    Parents,
    /// A change of its author in its past names a later head of the author's key record.
    #[error("the author has named a later head before")]
    OlderHead,
    /// Its author was no admin there; or no member, to leave or to affirm.
    #[error("the author had no right to the change")]
    NotAllowed,
    /// It adds who was a member.
    #[error("{0} is a member")]
    AlreadyMember(BoxId),
    /// It removes who was no member, or gives a role to one who was none.
    #[error("{0} is no member")]
    NoMember(BoxId),
    /// There is no room for who is added.
    #[error("a group has {MAX_MEMBERS} members at most")]
    NoRoom,
    /// The graph has as many changes as it may have.
    #[error("the group has been changed too often")]
    Full,
}

/// The places of the change's parents, in ascending order.
pub(super) fn parents(graph: &GroupGraph, change: &GroupChange) -> Result<Vec<usize>, Refused> {
    if change.group != Some(graph.id()) {
        return Err(Refused::OtherGroup);
    }
    let mut parents = graph.find(&change.parents).map_err(Refused::MissingParents)?;
    parents.sort_unstable();
    let is_ancestor = |one: &usize| parents.iter().any(|other| graph.ancestors(*other).contains(*one));
    if parents.iter().any(is_ancestor) { Err(Refused::Parents) } else { Ok(parents) }
}

/// Checks the change against the state before it. True if its author was an admin as heir.
pub(super) fn admit(
    graph: &GroupGraph,
    change: &GroupChange,
    ancestors: &ChangeSet,
    before: &GroupState,
) -> Result<bool, Refused> {
    let own = graph.by(change.author).iter().filter(|place| ancestors.contains(**place));
    if own.map(|place| graph.change(*place).head.version).any(|version| version > change.head.version) {
        return Err(Refused::OlderHead);
    }
    let author = before.added(change.author).ok_or(Refused::NotAllowed)?;
    if author.role != Role::Admin && !change.action.is_for_every_member() {
        return Err(Refused::NotAllowed);
    }
    match &change.action {
        Action::Found { .. } => return Err(Refused::OtherGroup),
        Action::Add { members } => {
            if let Some(known) = members.iter().find(|member| before.added(member.box_id).is_some()) {
                return Err(Refused::AlreadyMember(known.box_id));
            }
            if before.added_count() + members.len() > MAX_MEMBERS {
                return Err(Refused::NoRoom);
            }
        }
        Action::Remove { member } => {
            let has_left = matches!(before.former_of(*member), Some(Former::Left(_)));
            if before.added(*member).is_none() && !has_left {
                return Err(Refused::NoMember(*member));
            }
        }
        Action::SetRole { member, .. } => {
            if before.added(*member).is_none() {
                return Err(Refused::NoMember(*member));
            }
        }
        Action::Leave | Action::Rename { .. } | Action::Affirm => {}
    }
    Ok(before.heir() == Some(change.author))
}
