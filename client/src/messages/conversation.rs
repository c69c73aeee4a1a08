//! Conversations: with one box, or in a group.

use rossby_crypto::conversation::{conversation_beside_group, direct_conversation};
use rossby_crypto::group::GroupId;
use rossby_schemas::ids::BoxId;
use uuid::Uuid;

/// What a message belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Conversation {
    /// With this box. With the own one it is what a person's devices say to each other.
    Direct(BoxId),
    /// In the group with this id.
    Group(Uuid),
}

impl Conversation {
    /// The id that stands in its messages, as this box names it.
    pub(crate) fn id(self, own: BoxId) -> Uuid {
        match self {
            Self::Direct(peer) => direct_conversation(own, peer),
            Self::Group(id) => id,
        }
    }

    /// The id that stands in messages which bring something of a group to the other box of this conversation: they take no number
    /// in it, so that none is missing there if they don't go out.
    pub(crate) fn id_beside(self, own: BoxId, group: GroupId) -> Uuid {
        match self {
            Self::Direct(peer) => conversation_beside_group(own, peer, group),
            Self::Group(id) => id,
        }
    }

    /// The other box, if there is but one.
    #[must_use]
    pub const fn peer(self) -> Option<BoxId> {
        match self {
            Self::Direct(peer) => Some(peer),
            Self::Group(_) => None,
        }
    }
}
