//! Message handles: what fetch gives with a message and confirm brings back, so that a message can be confirmed in a region
//! that it has not reached.

use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, DeviceId, OuterId};
use rossby_schemas::time::Timestamp;

use super::{MasterSecret, MasterSecrets, given};
use crate::layout::{LayoutError, Reader, Writer};

/// How many octets a handle has: the secret's number (u32), outer id, content hash, expires at, and a MAC of 32 octets.
pub const MESSAGE_HANDLE_OCTETS: usize = 4 + 16 + 32 + 8 + 32;

const LABEL: &str = "handle";

/// What a handle says of a message: all that its acknowledgement needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageHandle {
    /// The message's id in the queue.
    pub outer_id: OuterId,
    /// SHA-256 of its value.
    pub content_hash: Sha256Digest,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Why a handle is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// It is not in the layout.
    #[error("the handle is malformed: {0}")]
    Malformed(#[from] LayoutError),
    /// It was not given to this device of this box, or was changed.
    #[error("the handle was not given to this device")]
    NotGiven,
}

impl MessageHandle {
    /// The handle as it is given to one device: bound to it by a MAC under the secret.
    #[must_use]
    pub fn give(&self, secret: &MasterSecret, box_id: BoxId, device_id: DeviceId) -> Octets {
        given::give(secret, LABEL, self.text(secret.number()), (box_id, device_id))
    }

    /// Reads a handle that this device of this box was given, under whichever of the secrets.
    ///
    /// # Errors
    /// [`HandleError`].
    pub fn take(
        secrets: &MasterSecrets,
        box_id: BoxId,
        device_id: DeviceId,
        handle: &Octets,
    ) -> Result<Self, HandleError> {
        let read = |reader: &mut Reader<'_>| {
            Ok(Self {
                outer_id: OuterId::from_bytes(reader.fixed()?),
                content_hash: Sha256Digest::from(reader.fixed::<32>()?),
                expires_at: reader.time("expires_at")?,
            })
        };
        let kind = (LABEL, MESSAGE_HANDLE_OCTETS);
        given::take(secrets, kind, handle, (box_id, device_id), HandleError::NotGiven, read)
    }

    fn text(&self, number: u32) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u32(number).fixed(self.outer_id.as_bytes()).fixed(self.content_hash.as_slice()).time(self.expires_at);
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_good_for_its_own_device_and_unchanged() {
        let message = MessageHandle {
            outer_id: OuterId::from_bytes([3; 16]),
            content_hash: [4; 32].into(),
            expires_at: Timestamp::from_millis(5).unwrap(),
        };
        let give = |secret: &MasterSecret, box_id, device| message.give(secret, box_id, device);
        let refused = (HandleError::NotGiven, |error: &HandleError| matches!(error, HandleError::Malformed(_)));
        let octets = given::tests::is_for_its_own_device(&message, give, MessageHandle::take, refused);
        assert_eq!(octets, MESSAGE_HANDLE_OCTETS);
    }
}
