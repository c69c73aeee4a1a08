//! Where a device that is to be linked and one of the box's leave messages for each other.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::encoding::Octets;

/// How many octets a message has at most.
pub const MAX_RENDEZVOUS_OCTETS: usize = 8 * 1024;
/// How many messages a rendezvous holds at most.
pub const MAX_RENDEZVOUS_MESSAGES: usize = 32;

/// Leaves a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RendezvousRequest {
    /// The message, sealed for the other device.
    pub sealed: Octets,
}

/// The messages that were left, in no order that means anything: each says by itself what it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RendezvousResponse {
    /// All of them, one's own too.
    pub messages: Vec<Octets>,
}
