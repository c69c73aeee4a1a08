//! A message's value in a box's queue: what the server sees of a message, and all that it can check.

use rossby_schemas::encoding::{FixedOctets, Octets, Sha256Digest};
use rossby_schemas::ids::{DeviceId, Head};
use rossby_schemas::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::content::{MAX_PADDED_OCTETS, MIN_PADDED_OCTETS};
use crate::layout::{LayoutError, Reader, Writer};
use crate::sealing::{ENC_OCTETS, Enc, TAG_OCTETS};

/// The only layout version there is.
pub const VALUE_VERSION: u8 = 1;
/// How many devices a message is sealed to at most.
pub const MAX_RECIPIENT_DEVICES: usize = 64;
/// How many octets the commitment to the content key has, which begins the ciphertext.
pub const COMMITMENT_OCTETS: usize = 32;
/// How many octets a sealed content key has: 32 and a tag.
pub const WRAPPED_KEY_OCTETS: usize = 32 + TAG_OCTETS;
/// How many octets a content's ciphertext has at most.
pub const MAX_CIPHERTEXT_OCTETS: usize = COMMITMENT_OCTETS + MAX_PADDED_OCTETS + TAG_OCTETS;
/// How many octets a value has at most.
pub const MAX_VALUE_OCTETS: usize = 1 + 36 + 8 + 4 + MAX_CIPHERTEXT_OCTETS + 4 + MAX_RECIPIENT_DEVICES * WRAP_OCTETS;

const WRAP_OCTETS: usize = 16 + 8 + ENC_OCTETS + WRAPPED_KEY_OCTETS;

/// The content's key, sealed to one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrap {
    /// The device.
    pub device_id: DeviceId,
    /// The counter of the sealing statement whose key it was sealed to.
    pub sealing_counter: u64,
    /// HPKE's encapsulated key.
    pub enc: Enc,
    /// The content's key, sealed.
    pub wrapped_key: FixedOctets<WRAPPED_KEY_OCTETS>,
}

/// A message's value.
///
/// Layout: version (1 octet), the recipient's head, expires at, the content's ciphertext (variable), the number of wraps
/// (u32), and each wrap: device id, sealing counter (u64), enc (1120), wrapped key (48), in ascending order of device ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageValue {
    /// The head of the recipient's key record that the sender stated: the message is owed to its devices.
    pub recipient_head: Head,
    /// When the message expires, by the sender's choice.
    pub expires_at: Timestamp,
    /// The commitment and the content's ciphertext.
    pub content: Octets,
    /// The content's key for each device.
    pub wraps: Vec<Wrap>,
}

impl MessageValue {
    /// The value's octets. Wraps are put in order.
    #[must_use]
    pub fn to_octets(&self) -> Octets {
        let mut wraps: Vec<&Wrap> = self.wraps.iter().collect();
        wraps.sort_by_key(|wrap| wrap.device_id);
        let mut writer = Writer::new();
        writer
            .u8(VALUE_VERSION)
            .head(self.recipient_head)
            .time(self.expires_at)
            .variable(self.content.as_slice())
            .count(wraps.len());
        for wrap in wraps {
            writer
                .fixed(wrap.device_id.as_bytes())
                .u64(wrap.sealing_counter)
                .fixed(wrap.enc.as_slice())
                .fixed(wrap.wrapped_key.as_slice());
        }
        writer.finish().into()
    }

    /// Reads a value. Needs no key and tells nothing of the content.
    ///
    /// # Errors
    /// [`LayoutError`] for anything that is not exactly in the layout, with a ciphertext of a padded length and at least one
    /// wrap.
    pub fn parse(octets: &Octets) -> Result<Self, LayoutError> {
        let mut reader = Reader::new(octets.as_slice(), MAX_VALUE_OCTETS)?;
        if reader.u8()? != VALUE_VERSION {
            return Err(LayoutError::OtherKind);
        }
        let recipient_head = reader.head()?;
        let expires_at = reader.time("expires_at")?;
        let content = reader.variable(MAX_CIPHERTEXT_OCTETS)?;
        let padded = content.len().saturating_sub(COMMITMENT_OCTETS + TAG_OCTETS);
        if padded < MIN_PADDED_OCTETS || !padded.is_power_of_two() {
            return Err(LayoutError::Field("content"));
        }
        let content = Octets(octets.0.slice_ref(content));
        let count = reader.count(MAX_RECIPIENT_DEVICES)?;
        let wraps: Vec<Wrap> = (0..count).map(|_| read_wrap(&mut reader)).collect::<Result<_, _>>()?;
        reader.finish()?;
        if wraps.is_empty() || !wraps.is_sorted_by(|a, b| a.device_id < b.device_id) {
            return Err(LayoutError::Field("wraps"));
        }
        Ok(Self { recipient_head, expires_at, content, wraps })
    }

    /// The wrap for a device, if the message is sealed to it.
    #[must_use]
    pub fn wrap(&self, device_id: DeviceId) -> Option<&Wrap> {
        self.wraps.iter().find(|wrap| wrap.device_id == device_id)
    }

    /// The devices that the message is sealed to, in ascending order.
    pub fn devices(&self) -> impl Iterator<Item = DeviceId> {
        self.wraps.iter().map(|wrap| wrap.device_id)
    }
}

/// A message's content hash: SHA-256 of its value's octets.
#[must_use]
pub fn content_hash(value: &Octets) -> Sha256Digest {
    FixedOctets(Sha256::digest(value.as_slice()).into())
}

fn read_wrap(reader: &mut Reader<'_>) -> Result<Wrap, LayoutError> {
    Ok(Wrap {
        device_id: DeviceId::from_bytes(reader.fixed()?),
        sealing_counter: reader.u64()?,
        enc: FixedOctets(reader.fixed()?),
        wrapped_key: FixedOctets(reader.fixed()?),
    })
}
