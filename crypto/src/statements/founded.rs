//! The founding statement: the first of every key record, from which the BoxID comes.

use rossby_schemas::ids::{BoxId, DeviceId, RegionNumber};
use rossby_schemas::time::Timestamp;

use super::{Content, Statement, read_key, sign};
use crate::box_id::box_id;
use crate::layout::{LayoutError, Reader, Writer};
use crate::signing::{SigningKey, VerificationKey};

/// A box was founded. Signed by the founding device itself.
///
/// Body: device id, signing key (32), region (1 octet), random (32), recovery key (optional, 32), time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founded {
    /// The founding device.
    pub device_id: DeviceId,
    /// Its verification key.
    pub signing_key: VerificationKey,
    /// The region in which the box is born. Never 0.
    pub region: RegionNumber,
    /// Random octets, so that no one can guess the BoxID from the rest.
    pub random: [u8; 32],
    /// The key that can remove any device, if the person made one.
    pub recovery_key: Option<VerificationKey>,
    /// When the device signed, by its own clock.
    pub time: Timestamp,
}

impl Content for Founded {
    const KIND: &'static str = "founded";

    fn write(&self, writer: &mut Writer) {
        writer
            .fixed(self.device_id.as_bytes())
            .fixed(self.signing_key.as_bytes())
            .u8(self.region.0)
            .fixed(&self.random)
            .optional(self.recovery_key.as_ref().map(|key| &key.as_bytes()[..]))
            .time(self.time);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, LayoutError> {
        let device_id = DeviceId::from_bytes(reader.fixed()?);
        let signing_key = read_key(reader, "signing key")?;
        let region = RegionNumber(reader.u8()?);
        if region.0 == 0 {
            return Err(LayoutError::Field("region"));
        }
        let random = reader.fixed()?;
        let recovery_key = reader
            .optional("recovery key")?
            .map(|key| VerificationKey::from_bytes(key).map_err(|_| LayoutError::Field("recovery key")))
            .transpose()?;
        if recovery_key == Some(signing_key) {
            return Err(LayoutError::Field("recovery key"));
        }
        Ok(Self { device_id, signing_key, region, random, recovery_key, time: reader.time("time")? })
    }
}

impl Statement<Founded> {
    /// The BoxID of the box that this statement founds.
    #[must_use]
    pub fn box_id(&self) -> BoxId {
        box_id(self.content.region, self.octets.as_slice())
    }
}

/// Founds a box: the device whose key is `key` signs its own membership. `random` must be 32 fresh random octets, `region`
/// one of 1 to 255.
#[must_use]
pub fn found(
    key: &SigningKey,
    device_id: DeviceId,
    region: RegionNumber,
    random: [u8; 32],
    recovery_key: Option<VerificationKey>,
    time: Timestamp,
) -> Statement<Founded> {
    let signing_key = key.verification_key();
    sign(Founded { device_id, signing_key, region, random, recovery_key, time }, key)
}
