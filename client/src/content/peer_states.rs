//! Kind 1004, among the own devices: how the person stands to others, and whether receipts are sent.

use rossby_schemas::ids::{BoxId, Head};
use rossby_schemas::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Body, ContentError};

/// How many peers one such message names at most, in each of its lists.
pub(crate) const MAX_PEERS: usize = 200;

/// How the person stands to others. Of what the devices say, the latest counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeerStates {
    /// Other people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) peers: Vec<PeerState>,
    /// Which receipts the person sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) receipts: Option<ReceiptsState>,
    /// Boxes that the person has verified, or no longer takes for verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) verified: Vec<Mark>,
}

/// What a person said of a box: that they have compared its safety number, or that this counts no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The box.
    pub(crate) box_id: BoxId,
    #[serde(rename = "verified")]
    pub(crate) is_verified: bool,
    /// The head of the box's record then.
    pub(crate) head: Head,
    /// When the person said so.
    pub(crate) changed_at: Timestamp,
}

/// How the person stands to a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeerState {
    /// The box.
    pub(crate) box_id: BoxId,
    /// How.
    pub(crate) standing: Standing,
    /// When the person said so.
    pub(crate) changed_at: Timestamp,
    /// What the server had accepted from it by then was declined as a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) declined_at: Option<Timestamp>,
}

/// How a person stands to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// What they write is a request.
    Stranger,
    /// The person wrote to them, took their request, or made them a contact.
    Accepted,
    /// The person has blocked them.
    Blocked,
}

impl Standing {
    /// A short stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::Accepted => "accepted",
            Self::Blocked => "blocked",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::Stranger, Self::Accepted, Self::Blocked].into_iter().find(|standing| standing.name() == name)
    }
}

/// Which receipts the person sends, and whether others see that they write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReceiptsState {
    pub(crate) delivery: bool,
    pub(crate) read: bool,
    /// A device that doesn't know it says nothing of it.
    #[serde(default = "yes")]
    pub(crate) typing: bool,
    /// When the person said so.
    pub(crate) changed_at: Timestamp,
}

const fn yes() -> bool {
    true
}

impl Body for PeerStates {
    fn check(&self) -> Result<(), ContentError> {
        for (field, count) in [("peers", self.peers.len()), ("verified", self.verified.len())] {
            if count > MAX_PEERS {
                return Err(ContentError::field(field, format!("has {count} entries; at most {MAX_PEERS} are taken")));
            }
        }
        Ok(())
    }
}
