//! Cursors of an account's history: what a page gives and the next one is asked with.

use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, DeviceId};
use rossby_schemas::topic::{Topic, TopicName};

use super::{CursorError, MasterSecret, MasterSecrets, given};
use crate::layout::{LayoutError, Reader, Writer};

const LABEL: &str = "history-cursor";
const MAX_TEXT: usize = 64;
/// Secret's number, two texts, version, hash, MAC.
const MAX_OCTETS: usize = 4 + 2 * (4 + MAX_TEXT) + 8 + 32 + 32;

/// Up to which entry a history has come, and the hash that the stream's next entry hangs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryCursor {
    /// The topic of the entry's stream.
    pub topic: Topic,
    /// The stream.
    pub stream: String,
    /// The entry's version.
    pub version: u64,
    /// The entry's hash.
    pub hash: Sha256Digest,
}

impl HistoryCursor {
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
            let name: TopicName = reader.text(MAX_TEXT, "topic")?.parse().map_err(|_| LayoutError::Field("topic"))?;
            Ok(Self {
                topic: name.topic,
                stream: reader.text(MAX_TEXT, "stream")?.to_owned(),
                version: reader.u64()?,
                hash: Sha256Digest::from(reader.fixed::<32>()?),
            })
        };
        given::take(secrets, (LABEL, MAX_OCTETS), cursor, (box_id, device_id), CursorError::NotGiven, read)
    }

    fn text(&self, number: u32) -> Vec<u8> {
        let mut writer = Writer::new();
        writer
            .u32(number)
            .variable(self.topic.name().as_bytes())
            .variable(self.stream.as_bytes())
            .u64(self.version)
            .fixed(self.hash.as_slice());
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_device_and_unchanged() {
        let cursor =
            HistoryCursor { topic: Topic::Identifiers, stream: "a".repeat(64), version: 7, hash: [4; 32].into() };
        let give = |secret: &MasterSecret, box_id, device| cursor.give(secret, box_id, device);
        let refused = (CursorError::NotGiven, |error: &CursorError| matches!(error, CursorError::Malformed(_)));
        given::tests::is_for_its_own_device(&cursor, give, HistoryCursor::take, refused);
    }
}
