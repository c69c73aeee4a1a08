//! `rossby.signals`: keyed by BoxID, in no table, for devices that are connected now.

use super::DecodeError;
use crate::encoding::Octets;
use crate::envelope::Envelope;
use crate::ids::{BoxId, OuterId};

/// A signal was sent to a box. The value is octets in the layout of `rossby_crypto::message`, as a message's is; the outer id
/// and the box stand in the envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalSentV1 {
    /// The box, from the envelope's stream.
    pub box_id: BoxId,
    /// The signal's id, from the envelope.
    pub outer_id: OuterId,
    /// The signal's value.
    pub value: Octets,
}

impl SignalSentV1 {
    /// The type's name with its version.
    pub const TYPE: &str = "org.rossby.signals.signal-sent.v1";

    pub(super) fn decode(envelope: &Envelope) -> Result<Self, DecodeError> {
        let (box_id, outer_id, value) = super::octets(envelope)?;
        Ok(Self { box_id, outer_id, value })
    }
}
