//! `rossby.inbox`: keyed by BoxID, facts without versions, kept as long as messages live and two days more.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DecodeError;
use crate::encoding::{Octets, Sha256Digest};
use crate::envelope::Envelope;
use crate::ids::{BoxId, DeviceId, OuterId, RendezvousId};
use crate::time::Timestamp;

/// A message entered a box's queue. The value is octets in the layout of `rossby_crypto::message`; the outer id and the
/// box stand in the envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageEnqueuedV1 {
    /// The box, from the envelope's stream.
    pub box_id: BoxId,
    /// The message's id in the queue, from the envelope.
    pub outer_id: OuterId,
    /// The message's value.
    pub value: Octets,
}

impl MessageEnqueuedV1 {
    /// The type's name with its version.
    pub const TYPE: &str = "org.rossby.inbox.message-enqueued.v1";

    pub(super) fn decode(envelope: &Envelope) -> Result<Self, DecodeError> {
        let (box_id, outer_id, value) = super::octets(envelope)?;
        Ok(Self { box_id, outer_id, value })
    }
}

/// A message that a device confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgedMessage {
    /// The message's id in the queue.
    pub outer_id: OuterId,
    /// SHA-256 of the message's value.
    pub content_hash: Sha256Digest,
    /// When the message expires, copied from it.
    pub expires_at: Timestamp,
}

/// A device confirmed messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessagesAcknowledgedV1 {
    /// The box.
    pub box_id: BoxId,
    /// The device.
    pub device_id: DeviceId,
    /// What it confirmed.
    pub messages: Vec<AcknowledgedMessage>,
}

/// A device that is to be linked, or the one that links it, left a message for the other. Keyed by the rendezvous.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RendezvousPostedV1 {
    /// Where.
    pub rendezvous_id: RendezvousId,
    /// The message, sealed: the server can't read it.
    pub sealed: Octets,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}
