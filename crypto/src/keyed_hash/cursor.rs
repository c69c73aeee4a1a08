//! Cursors of exports: what a page gives and the next one is asked with. The server keeps nothing of an export between two pages.

use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, DeviceId, OuterId};

use super::{MasterSecret, MasterSecrets, given};
use crate::layout::{LayoutError, Reader, Writer};

/// How many octets a cursor has: the secret's number (u32), outer id, content hash, and a MAC of 32 octets.
pub const EXPORT_CURSOR_OCTETS: usize = 4 + 16 + 32 + 32;

const LABEL: &str = "export-cursor";

/// Up to which message of its box an export has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportCursor {
    /// The message's id in the queue.
    pub outer_id: OuterId,
    /// SHA-256 of its value.
    pub content_hash: Sha256Digest,
}

/// Why a cursor is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// It is not in the layout.
    #[error("is malformed: {0}")]
    Malformed(#[from] LayoutError),
    /// It was not given to this device of this box, or was changed.
    #[error("was not given to this device")]
    NotGiven,
}

impl ExportCursor {
    /// The cursor as it is given to one device: bound to it by a MAC under the secret.
    #[must_use]
    pub fn give(&self, secret: &MasterSecret, box_id: BoxId, device_id: DeviceId) -> Octets {
        given::give(secret, LABEL, self.text(secret.number()), (box_id, device_id))
    }

    /// Reads a cursor that this device of this box was given, under whichever of the secrets.
    ///
    /// # Errors
    /// [`CursorError`].
    pub fn take(
        secrets: &MasterSecrets,
        box_id: BoxId,
        device_id: DeviceId,
        cursor: &Octets,
    ) -> Result<Self, CursorError> {
        let read = |reader: &mut Reader<'_>| {
            Ok(Self {
                outer_id: OuterId::from_bytes(reader.fixed()?),
                content_hash: Sha256Digest::from(reader.fixed::<32>()?),
            })
        };
        let kind = (LABEL, EXPORT_CURSOR_OCTETS);
        given::take(secrets, kind, cursor, (box_id, device_id), CursorError::NotGiven, read)
    }

    fn text(&self, number: u32) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u32(number).fixed(self.outer_id.as_bytes()).fixed(self.content_hash.as_slice());
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_device_and_unchanged() {
        let cursor = ExportCursor { outer_id: OuterId::from_bytes([3; 16]), content_hash: [4; 32].into() };
        let give = |secret: &MasterSecret, box_id, device| cursor.give(secret, box_id, device);
        let refused = (CursorError::NotGiven, |error: &CursorError| matches!(error, CursorError::Malformed(_)));
        let octets = given::tests::is_for_its_own_device(&cursor, give, ExportCursor::take, refused);
        assert_eq!(octets, EXPORT_CURSOR_OCTETS);
    }
}
