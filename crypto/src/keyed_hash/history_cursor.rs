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
        let mut reader = Reader::new(cursor.as_slice(), MAX_OCTETS)?;
        let number = reader.u32()?;
        let name: TopicName = reader.text(MAX_TEXT, "topic")?.parse().map_err(|_| LayoutError::Field("topic"))?;
        let read = Self {
            topic: name.topic,
            stream: reader.text(MAX_TEXT, "stream")?.to_owned(),
            version: reader.u64()?,
            hash: Sha256Digest::from(reader.fixed::<32>()?),
        };
        let mac = reader.fixed::<32>()?;
        reader.finish()?;
        let text = read.text(number);
        if given::is_given(secrets, number, LABEL, (&text, &mac), (box_id, device_id)) {
            Ok(read)
        } else {
            Err(CursorError::NotGiven)
        }
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
        let secrets = MasterSecrets::new(vec![MasterSecret::new(1, &[1; 32]), MasterSecret::new(2, &[2; 32])]).unwrap();
        let cursor =
            HistoryCursor { topic: Topic::Identifiers, stream: "a".repeat(64), version: 7, hash: [4; 32].into() };
        let (box_id, device) = (BoxId::from_bytes([6; 16]), DeviceId::from_bytes([7; 16]));
        for number in [1, 2] {
            let given = cursor.give(secrets.by_number(number).unwrap(), box_id, device);
            assert_eq!(HistoryCursor::take(&secrets, box_id, device, &given), Ok(cursor.clone()));
            let (other_box, other) = (BoxId::from_bytes([8; 16]), DeviceId::from_bytes([8; 16]));
            assert_eq!(HistoryCursor::take(&secrets, box_id, other, &given), Err(CursorError::NotGiven));
            assert_eq!(HistoryCursor::take(&secrets, other_box, device, &given), Err(CursorError::NotGiven));
            for i in 0..given.as_slice().len() {
                let mut changed = given.as_slice().to_vec();
                changed[i] ^= 0x40;
                assert!(HistoryCursor::take(&secrets, box_id, device, &changed.into()).is_err(), "{i}");
                let short = Octets::from(&given.as_slice()[..i]);
                let taken = HistoryCursor::take(&secrets, box_id, device, &short);
                assert!(matches!(taken, Err(CursorError::Malformed(_))), "{i}");
            }
        }
    }
}
