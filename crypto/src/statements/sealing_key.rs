//! The sealing statement: the key to which messages for one device are sealed, stated by the device itself.

use std::time::Duration;

use rossby_schemas::ids::{BoxId, DeviceId, Head};
use rossby_schemas::time::Timestamp;

use super::{Content, Statement, sign};
use crate::layout::{LayoutError, Reader, Writer};
use crate::sealing::SealingPublicKey;
use crate::signing::SigningKey;

/// How long a sealing key may be sealed to at most, after its statement was made.
pub const SEALING_KEY_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// How far a device's clock may be ahead of ours: a statement from further in the future is not sealed to, or its key could
/// be used long after it should have been erased.
pub const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(24 * 3600);

/// The highest counter: what every implementation can hold in a JSON number.
pub const MAX_SEALING_COUNTER: u64 = (1 << 53) - 1;

/// A device stated the key that messages are sealed to. Signed by that device.
///
/// Body: BoxID, device id, counter (u64, from 1), X-Wing public key (1216), created, expires, head (version and hash). It
/// expires at most 30 days after it was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingKeyStated {
    /// The box.
    pub box_id: BoxId,
    /// The device.
    pub device_id: DeviceId,
    /// Higher with each statement of the device; lower ones are refused.
    pub counter: u64,
    /// The key.
    pub key: SealingPublicKey,
    /// When the device made it, by its own clock.
    pub created: Timestamp,
    /// When messages are no longer sealed to it.
    pub expires: Timestamp,
    /// The head of the record that the device knew.
    pub head: Head,
}

/// Why messages can't be sealed to a key now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotUsable {
    /// It has expired.
    #[error("the sealing key has expired")]
    Expired,
    /// It was made more than [`MAX_CLOCK_DIFFERENCE`] from now in the future.
    #[error("the sealing key was made in the future")]
    FromTheFuture,
}

impl SealingKeyStated {
    /// Whether messages can be sealed to the key at this time.
    ///
    /// # Errors
    /// [`NotUsable`] says why not.
    pub fn usable_at(&self, now: Timestamp) -> Result<(), NotUsable> {
        if self.expires <= now {
            Err(NotUsable::Expired)
        } else if self.created > now.plus(MAX_CLOCK_DIFFERENCE) {
            Err(NotUsable::FromTheFuture)
        } else {
            Ok(())
        }
    }
}

impl Content for SealingKeyStated {
    const KIND: &'static str = "sealing";

    fn write(&self, writer: &mut Writer) {
        writer
            .fixed(self.box_id.as_bytes())
            .fixed(self.device_id.as_bytes())
            .u64(self.counter)
            .fixed(self.key.as_bytes())
            .time(self.created)
            .time(self.expires)
            .head(self.head);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, LayoutError> {
        let box_id = BoxId::from_bytes(reader.fixed()?);
        let device_id = DeviceId::from_bytes(reader.fixed()?);
        let counter = reader.u64()?;
        if !(1..=MAX_SEALING_COUNTER).contains(&counter) {
            return Err(LayoutError::Field("counter"));
        }
        let key = SealingPublicKey::from_bytes(reader.fixed()?).map_err(|_| LayoutError::Field("sealing key"))?;
        let (created, expires) = (reader.time("created")?, reader.time("expires")?);
        if expires <= created || expires.since(created) > SEALING_KEY_LIFETIME {
            return Err(LayoutError::Field("expires"));
        }
        Ok(Self { box_id, device_id, counter, key, created, expires, head: reader.head()? })
    }
}

/// The device whose signing key is `key` states its sealing key. `content` must keep the limits that its parser checks: a
/// counter from 1 to [`MAX_SEALING_COUNTER`] and a lifetime of at most [`SEALING_KEY_LIFETIME`].
#[must_use]
pub fn state_sealing_key(key: &SigningKey, content: SealingKeyStated) -> Statement<SealingKeyStated> {
    sign(content, key)
}
