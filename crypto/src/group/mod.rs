//! Groups: the graph of signed changes that each member keeps, and the one membership that it gives.
//!
//! A group is known to its members alone. Whoever changes it signs a *change* that names the changes it was made on, its
//! *parents*: so the changes make a graph that grows from the founding one. Changes meet the members in any order, and two can
//! be made at once; every member comes to the same membership from the same set of changes. A message names the heads of the
//! graph that its sender saw ([`GroupContent`]), so differences show.
//!
//! # When a change is taken
//!
//! A change is taken into the graph, or refused for ever, by its own past alone: itself, its ancestors, and its author's key
//! record. Nothing else that a member knows plays a part, so all take and refuse the same. It is taken if
//!
//! 1. a device of its author's box signed it, which belonged to the box at the head that it names; that head is no older than
//!    those of its author's changes in its past;
//! 2. its parents were taken, and none of them is an ancestor of another;
//! 3. its author was an admin there, or, to leave or to affirm, a member;
//! 4. it says something there: who is added was no member and there is room, who is removed was a member or had left, who gets a
//!    role was a member. Nobody removes themselves: that is to leave.
//!
//! # Which changes count
//!
//! Of the changes that were taken, leaving and affirming always count. Each other change counts or is *void*. Two changes are
//! made *at once* if neither is an ancestor of the other.
//!
//! 1. A change is void if its author made another one at once that names a head at which the signing device was removed from
//!    the author's box.
//! 2. A removal, or a change of role to member, *contests* every change that its subject made at once. Nobody contests their
//!    own changes. A change is void if a change that contests it counts.
//! 3. A change is void if its author was no admin any more at that point of the graph, taking of its ancestors only those that
//!    count. Only those that are about its author are asked (additions, removals, leavings, roles); but if the author was an
//!    admin there as heir (see below), all that are about members.
//! 4. A change counts if 1 does not hold, 3 is known not to hold, and every change that contests it is void.
//! 5. Where these rules decide nothing more, changes wait for each other in circles: two admins who remove each other at once
//!    are the smallest. Of each circle that waits for nothing outside itself (a strongly connected component of "is decided by"
//!    without undecided predecessors) take the changes whose author is known to be an admin by rule 3; the one of the most
//!    senior author counts, of the same author the one of lowest (depth, hash), and those that contest it are void. Then the
//!    rules go on.
//!
//! A member is the more *senior*, the lower (depth, hash, place in the list) of the earliest change that made it a member; the
//! founder is the most senior. Depth is the number of changes on the longest way from the founding change.
//!
//! # What they give
//!
//! - **Members.** An addition makes a member if every removal and leaving of the same box that counts is among its ancestors.
//!   So a removal wins over an addition made at once, and a later addition brings the box back.
//! - **Roles.** Additions and changes of role give a role, under the same condition. Of those that are not an ancestor of
//!   another one, the lowest role holds.
//! - **The heir.** If no member is an admin, the most senior member is one.
//! - **Name.** That of the change with the highest (depth, hash) of the renamings and the founding.
//! - **Size.** Of more than [`MAX_MEMBERS`], which only additions made at once can come to, the most senior are the members;
//!   the others are beyond the limit until there is room.
//!
//! # Why it is the same for all
//!
//! Whether a change is taken follows from its own past, which its hash fixes. All that follows is a function of the set of the
//! changes that were taken: ancestors, depth and "at once" are read from the graph, ties are decided by hashes, and no clock
//! and no order of arrival is looked at. The rules 1 to 4 only ever add decisions and none takes one back, so the order in
//! which they are applied makes no difference; the circles of rule 5 that are open at one time have nothing between them, so
//! their order makes none either. It ends because each step of rule 5 decides at least two changes. So who has the same heads has
//! the same membership.

mod action;
mod admission;
mod change;
mod content;
mod effect;
mod graph;
mod set;
mod state;

use std::fmt;
use std::str::FromStr;

pub use action::{Action, MAX_NAME_OCTETS, NewMember, Role};
pub use admission::Refused;
pub use change::{ChangeError, GroupChange, MAX_CHANGE_OCTETS, MAX_PARENTS, SignedChange, VerifiedChange};
pub use content::{GROUP_CONTENT_VERSION, GroupContent, MAX_SEEN, SeenMessage};
pub use graph::{Fork, GroupGraph, Inserted, MAX_CHANGES, Offered, UnknownHeads};
pub use state::{Former, GroupState, Member, Seniority};

use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

/// How many members a group has at most.
pub const MAX_MEMBERS: usize = 250;

/// A group's id, which is also the id of its conversation: the first 16 octets of SHA-256("rossby/v1/group" ‖ founding change
/// with its signature), as a UUIDv8 (RFC 9562, section 5.8). So nobody can choose it. It stands only inside of what is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub Uuid);

impl GroupId {
    /// The id as its 16 octets.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id of the group that this change founds.
    fn founded_by(founding_change: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(b"rossby/v1/group").chain_update(founding_change).finalize();
        let mut octets = [0; 16];
        octets.copy_from_slice(&digest[..16]);
        Self(Builder::from_custom_bytes(octets).into_uuid())
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for GroupId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}
