//! The removing statement.

use rossby_schemas::ids::{BoxId, DeviceId, Head};
use rossby_schemas::time::Timestamp;

use super::{Content, Place, Statement, sign};
use crate::layout::{LayoutError, Reader, Writer};
use crate::signing::SigningKey;

/// A device was removed. Signed by the device itself, by one linked before it, or by the recovery key.
///
/// Body: BoxID, version, previous hash, the removed device's id, the signer (0 and its device id, or 1 for the recovery
/// key), time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Where it stands.
    pub place: Place,
    /// The device that was removed.
    pub device_id: DeviceId,
    /// Who removed it.
    pub signer: Remover,
    /// When the signer signed, by its own clock.
    pub time: Timestamp,
}

/// Who removes a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remover {
    /// A device of the record: the removed one itself, or one linked before it.
    Device(DeviceId),
    /// The recovery key.
    RecoveryKey,
}

impl Content for Removed {
    const KIND: &'static str = "removed";

    fn write(&self, writer: &mut Writer) {
        self.place.write(writer);
        writer.fixed(self.device_id.as_bytes());
        match self.signer {
            Remover::Device(device_id) => writer.u8(0).fixed(device_id.as_bytes()),
            Remover::RecoveryKey => writer.u8(1),
        };
        writer.time(self.time);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, LayoutError> {
        let place = Place::read(reader)?;
        let device_id = DeviceId::from_bytes(reader.fixed()?);
        let signer = match reader.u8()? {
            0 => Remover::Device(DeviceId::from_bytes(reader.fixed()?)),
            1 => Remover::RecoveryKey,
            _ => return Err(LayoutError::Field("signer")),
        };
        Ok(Self { place, device_id, signer, time: reader.time("time")? })
    }
}

/// Removes a device from the box whose record has this head; `key` is the signer's.
#[must_use]
pub fn remove(
    key: &SigningKey,
    signer: Remover,
    box_id: BoxId,
    head: Head,
    device_id: DeviceId,
    time: Timestamp,
) -> Statement<Removed> {
    let place = Place { box_id, version: head.version.saturating_add(1), previous: head.hash };
    sign(Removed { place, device_id, signer, time }, key)
}
