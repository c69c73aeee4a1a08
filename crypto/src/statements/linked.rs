//! The linking statement: a device of the record takes a new one in, and the new one agrees.

use rossby_schemas::encoding::{FixedOctets, Sha256Digest};
use rossby_schemas::ids::{BoxId, DeviceId, Head};
use rossby_schemas::time::Timestamp;

use super::{Content, Place, Statement, read_key, sign};
use crate::layout::{LayoutError, Reader, Writer, of_kind};
use crate::signing::{BadSignature, Signature, SigningKey, VerificationKey};

/// The kind of what the new device signs.
const REQUEST_KIND: &str = "linking";

/// A device was linked. Signed by a device of the record over the new device's own signature.
///
/// Body: BoxID, version, previous hash, signer's device id, new device's id, its signing key (32), time, countersignature
/// (64). The countersignature is the new device's, over `"rossby/v1/linking" ‖ 0x00 ‖ BoxID ‖ previous hash ‖ device id ‖
/// signing key`: so no device can be taken into a record that it didn't mean, or at another place of it. The sealing key is
/// left out because it changes weekly; the new device states it beside the chain, signed by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// Where it stands.
    pub place: Place,
    /// The device that signs.
    pub signer: DeviceId,
    /// The new device.
    pub device_id: DeviceId,
    /// Its verification key.
    pub signing_key: VerificationKey,
    /// When the signer signed, by its own clock.
    pub time: Timestamp,
    /// The new device's signature.
    pub countersignature: Signature,
}

/// What a new device signs to be linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRequest {
    /// The new device.
    pub device_id: DeviceId,
    /// Its verification key.
    pub signing_key: VerificationKey,
    /// Its signature over the box, the statement before and its key.
    pub countersignature: Signature,
}

impl Content for Linked {
    const KIND: &'static str = "linked";

    fn write(&self, writer: &mut Writer) {
        self.place.write(writer);
        writer
            .fixed(self.signer.as_bytes())
            .fixed(self.device_id.as_bytes())
            .fixed(self.signing_key.as_bytes())
            .time(self.time)
            .fixed(self.countersignature.as_slice());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, LayoutError> {
        Ok(Self {
            place: Place::read(reader)?,
            signer: DeviceId::from_bytes(reader.fixed()?),
            device_id: DeviceId::from_bytes(reader.fixed()?),
            signing_key: read_key(reader, "signing key")?,
            time: reader.time("time")?,
            countersignature: FixedOctets(reader.fixed()?),
        })
    }
}

impl Linked {
    pub(crate) fn verify_countersignature(&self) -> Result<(), BadSignature> {
        let octets = request_octets(self.place.box_id, self.place.previous, self.device_id, &self.signing_key);
        self.signing_key.verify(&octets, &self.countersignature)
    }
}

fn request_octets(box_id: BoxId, previous: Sha256Digest, device_id: DeviceId, key: &VerificationKey) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.fixed(box_id.as_bytes()).fixed(previous.as_slice()).fixed(device_id.as_bytes()).fixed(key.as_bytes());
    of_kind(REQUEST_KIND, &writer.finish())
}

/// The new device, whose key is `key`, asks to be linked to the box whose record has this head.
#[must_use]
pub fn request_link(key: &SigningKey, device_id: DeviceId, box_id: BoxId, head: Head) -> LinkRequest {
    let signing_key = key.verification_key();
    let countersignature = key.sign(&request_octets(box_id, head.hash, device_id, &signing_key));
    LinkRequest { device_id, signing_key, countersignature }
}

/// The device `signer` of the record, whose key is `key`, links the device that asked.
#[must_use]
pub fn link(
    key: &SigningKey,
    signer: DeviceId,
    box_id: BoxId,
    head: Head,
    request: &LinkRequest,
    time: Timestamp,
) -> Statement<Linked> {
    let content = Linked {
        place: Place { box_id, version: head.version.saturating_add(1), previous: head.hash },
        signer,
        device_id: request.device_id,
        signing_key: request.signing_key,
        time,
        countersignature: request.countersignature,
    };
    sign(content, key)
}
