//! A change of a group as its author signs it: kept and passed on byte for byte.

use rossby_schemas::encoding::{FixedOctets, Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, DeviceId, Head};
use rossby_schemas::time::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Action, GroupId};
use crate::key_record::{HeadRelation, KeyRecord};
use crate::layout::{LayoutError, Reader, Writer, body_of_kind};
use crate::signing::{BadSignature, SIGNATURE_OCTETS, Signature, SigningKey};

const KIND: &str = "group-change";

/// How many octets a change has at most.
pub const MAX_CHANGE_OCTETS: usize = 8 * 1024;
/// How many parents a change names at most.
pub const MAX_PARENTS: usize = 32;

/// One change of a group, signed by a device of its author's box.
///
/// It is `"rossby/v1/group-change" ‖ 0x00 ‖ body ‖ signature`. Body: author's box, device, head of the author's key record, group
/// id (zeros in the founding change), number of parents (u32) and their hashes in ascending order, time, action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupChange {
    /// The author's box.
    pub author: BoxId,
    /// The device that signs.
    pub device: DeviceId,
    /// The head of the author's key record.
    pub head: Head,
    /// The group; none in the change that founds it.
    pub group: Option<GroupId>,
    /// The hashes of the changes that it was made on, in ascending order; none in the founding change alone.
    pub parents: Vec<Sha256Digest>,
    /// When it was made, by the author's clock. It is shown and decides nothing.
    pub time: Timestamp,
    /// What it does.
    pub action: Action,
}

/// A change with its signature, which nobody has checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedChange {
    change: GroupChange,
    signature: Signature,
    octets: Octets,
    hash: Sha256Digest,
}

/// A change that its author's key record has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedChange {
    signed: SignedChange,
    removed_devices: Vec<DeviceId>,
}

/// Why a change is not its author's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// It is another box's key record than the author's.
    #[error("the key record is not the author's")]
    OtherRecord,
    /// The author's record is older than the change: more of it is needed.
    #[error("more of the author's key record is needed")]
    HeadAhead,
    /// The signing device is not in the author's record.
    #[error("the signing device is not in the author's key record")]
    UnknownDevice,
    /// The signature does not verify.
    #[error("the change's signature does not verify")]
    BadSignature,
    /// The author's record has another statement than the head that the change names, which a device of the record has signed
    /// all the same.
    #[error("the author's key record has forked")]
    Fork,
    /// The device did not belong to the author's box at the head that the change names.
    #[error("the signing device did not belong to the box at the stated head")]
    NotAMember,
}

impl From<BadSignature> for ChangeError {
    fn from(_: BadSignature) -> Self {
        Self::BadSignature
    }
}

impl GroupChange {
    /// Signs with the device's key.
    ///
    /// # Errors
    /// [`LayoutError`] for what no reader would take: a list or a name that is too long, not in order or not allowed, or
    /// parents and a group in the founding change, or none in another.
    pub fn sign(self, key: &SigningKey) -> Result<SignedChange, LayoutError> {
        self.check()?;
        let mut writer = Writer::new();
        self.write(&mut writer);
        let (octets, signature) = key.sign_behind(KIND, &writer.finish());
        Ok(SignedChange::new(self, signature, octets.into()))
    }

    fn write(&self, writer: &mut Writer) {
        writer
            .fixed(self.author.as_bytes())
            .fixed(self.device.as_bytes())
            .head(self.head)
            .fixed(self.group.map_or(Uuid::nil(), |group| group.0).as_bytes())
            .count(self.parents.len());
        for parent in &self.parents {
            writer.fixed(parent.as_slice());
        }
        writer.time(self.time);
        self.action.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, LayoutError> {
        let author = BoxId::from_bytes(reader.fixed()?);
        let device = DeviceId::from_bytes(reader.fixed()?);
        let head = reader.head()?;
        let group = Uuid::from_bytes(reader.fixed()?);
        let count = reader.count(MAX_PARENTS)?;
        let change = Self {
            author,
            device,
            head,
            group: (!group.is_nil()).then_some(GroupId(group)),
            parents: (0..count).map(|_| reader.fixed().map(FixedOctets)).collect::<Result<_, _>>()?,
            time: reader.time("time")?,
            action: Action::read(reader)?,
        };
        change.check()?;
        Ok(change)
    }

    fn check(&self) -> Result<(), LayoutError> {
        if self.parents.len() > MAX_PARENTS {
            return Err(LayoutError::TooLong { limit: MAX_PARENTS });
        }
        let is_founding = matches!(self.action, Action::Found { .. });
        if self.group.is_none() != is_founding {
            return Err(LayoutError::Field("group"));
        }
        if self.parents.is_empty() != is_founding || !self.parents.is_sorted_by(|one, next| one < next) {
            return Err(LayoutError::Field("parents"));
        }
        self.action.check(self.author)
    }
}

impl SignedChange {
    fn new(change: GroupChange, signature: Signature, octets: Octets) -> Self {
        let hash = FixedOctets(Sha256::digest(octets.as_slice()).into());
        Self { change, signature, octets, hash }
    }

    /// Reads a change. Its signature is not checked.
    ///
    /// # Errors
    /// [`LayoutError`] for anything that is not exactly in the layout.
    pub fn parse(octets: &Octets) -> Result<Self, LayoutError> {
        let mut reader = body_of_kind(KIND, octets.as_slice(), MAX_CHANGE_OCTETS)?;
        let change = GroupChange::read(&mut reader)?;
        let signature = FixedOctets(reader.fixed()?);
        reader.finish()?;
        Ok(Self::new(change, signature, octets.clone()))
    }

    /// What it says.
    #[must_use]
    pub const fn change(&self) -> &GroupChange {
        &self.change
    }

    /// The change as it was signed and is kept and sent.
    #[must_use]
    pub const fn octets(&self) -> &Octets {
        &self.octets
    }

    /// SHA-256 of the change with its signature: what later changes and messages name it by.
    #[must_use]
    pub const fn hash(&self) -> Sha256Digest {
        self.hash
    }

    /// The group that it founds or changes.
    #[must_use]
    pub fn group_id(&self) -> GroupId {
        self.change.group.unwrap_or_else(|| GroupId::founded_by(self.octets.as_slice()))
    }

    /// Checks that its author signed it, by the author's key record, which must be as new as the change.
    ///
    /// # Errors
    /// [`ChangeError`] says what doesn't fit.
    pub fn verify(self, author: &KeyRecord) -> Result<VerifiedChange, ChangeError> {
        if author.box_id() != self.change.author {
            return Err(ChangeError::OtherRecord);
        }
        // Only what a device of the box has signed is a fork: anyone can write down a head.
        let relation = author.relation(self.change.head);
        if relation == HeadRelation::Ahead {
            return Err(ChangeError::HeadAhead);
        }
        let device = author.device(self.change.device).ok_or(ChangeError::UnknownDevice)?;
        let (signed, _) = self.octets.as_slice().split_last_chunk::<SIGNATURE_OCTETS>().ok_or(BadSignature)?;
        device.signing_key.verify(signed, &self.signature)?;
        if relation == HeadRelation::Fork {
            return Err(ChangeError::Fork);
        }
        let version = self.change.head.version;
        if !device.was_member_at(version) {
            return Err(ChangeError::NotAMember);
        }
        let was_removed = |device: &&crate::key_record::Device| device.removed_version.is_some_and(|at| at <= version);
        let removed_devices = author.devices().iter().filter(was_removed).map(|device| device.device_id).collect();
        Ok(VerifiedChange { signed: self, removed_devices })
    }
}

impl VerifiedChange {
    /// A change that this device verified before and has kept where nobody else writes, and what was found then
    /// ([`VerifiedChange::removed_devices`]).
    #[must_use]
    pub const fn kept(signed: SignedChange, removed_devices: Vec<DeviceId>) -> Self {
        Self { signed, removed_devices }
    }

    /// The change.
    #[must_use]
    pub const fn signed(&self) -> &SignedChange {
        &self.signed
    }

    /// What it says.
    #[must_use]
    pub const fn change(&self) -> &GroupChange {
        self.signed.change()
    }

    /// Its hash.
    #[must_use]
    pub const fn hash(&self) -> Sha256Digest {
        self.signed.hash()
    }

    /// The devices that had been removed from the author's box at the head that the change names.
    #[must_use]
    pub fn removed_devices(&self) -> &[DeviceId] {
        &self.removed_devices
    }
}
