//! What a message to a group says beside its text: which changes its sender had seen, and which messages.

use std::fmt;

use rossby_schemas::encoding::{FixedOctets, Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, DeviceId};

use super::change::MAX_PARENTS;
use crate::layout::{LayoutError, Reader, Writer};
use crate::message::MAX_BODY_OCTETS;

/// The only version of the layout that there is.
pub const GROUP_CONTENT_VERSION: u8 = 1;
/// How many messages a message refers to at most.
pub const MAX_SEEN: usize = 32;

/// Another device's message in the group that the sender had seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeenMessage {
    /// The box that wrote it.
    pub sender: BoxId,
    /// The device.
    pub device: DeviceId,
    /// Its number among the device's in the group.
    pub sequence: u64,
    /// Its hash, which is the same for every recipient (`SignedContent::link_hash`): if another member holds another one, its
    /// author told them different things under one number.
    pub hash: Sha256Digest,
}

/// The body of a message to a group.
///
/// Layout: version (1 octet), number of heads (u32) and their hashes, number of seen messages (u32) and box id, device id,
/// sequence (u64) and hash of each, inner kind (u32), inner body (variable). Heads and seen messages are in ascending order, and
/// of each device there is one message at most.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupContent {
    /// The heads of the group's graph that the sender saw; at least one.
    pub heads: Vec<Sha256Digest>,
    /// Of each other device the last message that the sender had seen and that no message which it had seen refers to.
    pub seen: Vec<SeenMessage>,
    /// What the body is, as for a message to one box.
    pub kind: u32,
    /// The body, as the kind says.
    pub body: Octets,
}

impl fmt::Debug for GroupContent {
    /// Leaves out the body: it is what nobody else may read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupContent").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl GroupContent {
    /// The body's octets.
    ///
    /// # Errors
    /// [`LayoutError`] for what no reader would take: lists that are too long or not in order, no head, or a body over
    /// [`MAX_BODY_OCTETS`] in all.
    pub fn to_octets(&self) -> Result<Octets, LayoutError> {
        self.check()?;
        let mut writer = Writer::new();
        writer.u8(GROUP_CONTENT_VERSION).count(self.heads.len());
        for head in &self.heads {
            writer.fixed(head.as_slice());
        }
        writer.count(self.seen.len());
        for seen in &self.seen {
            writer
                .fixed(seen.sender.as_bytes())
                .fixed(seen.device.as_bytes())
                .u64(seen.sequence)
                .fixed(seen.hash.as_slice());
        }
        writer.u32(self.kind).variable(self.body.as_slice());
        let octets = writer.finish();
        if octets.len() > MAX_BODY_OCTETS {
            return Err(LayoutError::TooLong { limit: MAX_BODY_OCTETS });
        }
        Ok(octets.into())
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`LayoutError`] for anything that is not exactly in the layout.
    pub fn parse(octets: &Octets) -> Result<Self, LayoutError> {
        let mut reader = Reader::new(octets.as_slice(), MAX_BODY_OCTETS)?;
        if reader.u8()? != GROUP_CONTENT_VERSION {
            return Err(LayoutError::OtherKind);
        }
        let heads = reader.count(MAX_PARENTS)?;
        let heads = (0..heads).map(|_| reader.fixed().map(FixedOctets)).collect::<Result<_, _>>()?;
        let seen = reader.count(MAX_SEEN)?;
        let seen = (0..seen).map(|_| read_seen(&mut reader)).collect::<Result<_, _>>()?;
        let (kind, body) = (reader.u32()?, reader.variable(MAX_BODY_OCTETS)?);
        reader.finish()?;
        let content = Self { heads, seen, kind, body: Octets(octets.0.slice_ref(body)) };
        content.check()?;
        Ok(content)
    }

    fn check(&self) -> Result<(), LayoutError> {
        if self.heads.len() > MAX_PARENTS {
            return Err(LayoutError::TooLong { limit: MAX_PARENTS });
        }
        if self.seen.len() > MAX_SEEN {
            return Err(LayoutError::TooLong { limit: MAX_SEEN });
        }
        if self.heads.is_empty() || !self.heads.is_sorted_by(|one, next| one < next) {
            return Err(LayoutError::Field("heads"));
        }
        let is_sorted = self.seen.is_sorted_by(|one, next| (one.sender, one.device) < (next.sender, next.device));
        if !is_sorted || self.seen.iter().any(|seen| seen.sequence == 0) {
            return Err(LayoutError::Field("seen"));
        }
        Ok(())
    }
}

fn read_seen(reader: &mut Reader<'_>) -> Result<SeenMessage, LayoutError> {
    Ok(SeenMessage {
        sender: BoxId::from_bytes(reader.fixed()?),
        device: DeviceId::from_bytes(reader.fixed()?),
        sequence: reader.u64()?,
        hash: FixedOctets(reader.fixed()?),
    })
}
