//! The key record: the verified chain of a box's membership statements, and what it says of the box's devices.

mod error;
mod sealing;

pub use error::{KeyRecordError, SealingStatementError};
use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, DeviceId, Head};
pub use sealing::{NotSealable, Sealable, VerifiedSealingStatement};

use crate::signing::VerificationKey;
use crate::statements::{Founded, Linked, MembershipStatement, Place, Removed, Remover, Statement};

/// How many membership statements a record has at most: a bound on what a stranger's record can cost, far above what a
/// person does. A linking is refused unless there is room behind it to remove every device that belongs to the box then, so
/// that whoever fills the record can still be removed.
pub const MAX_MEMBERSHIP_STATEMENTS: usize = 1024;

/// A device as the record knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device.
    pub device_id: DeviceId,
    /// Its verification key.
    pub signing_key: VerificationKey,
    /// The version of the record that it came with.
    pub linked_version: u32,
    /// The version of the record that removed it.
    pub removed_version: Option<u32>,
}

impl Device {
    /// Whether the device belongs to the box now.
    #[must_use]
    pub const fn is_member(&self) -> bool {
        self.removed_version.is_none()
    }

    /// Whether the device belonged to the box when the record had this version.
    #[must_use]
    pub fn was_member_at(&self, version: u32) -> bool {
        self.linked_version <= version && self.removed_version.is_none_or(|removed| version < removed)
    }
}

/// How a head stands to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadRelation {
    /// It is the record's own.
    Same,
    /// It is one that the record had before: the record extends it.
    Older,
    /// Its version is higher than the record's: more of the record is needed to tell.
    Ahead,
    /// The record has another statement as that version: neither extends the other.
    Fork,
}

/// A box's chain of membership, verified.
///
/// There is no way to have one whose statements don't verify: it is made by [`KeyRecord::verify`] and changed by
/// [`KeyRecord::append`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    box_id: BoxId,
    founded: Statement<Founded>,
    statements: Vec<Octets>,
    hashes: Vec<Sha256Digest>,
    devices: Vec<Device>,
}

impl KeyRecord {
    /// Verifies a whole chain and computes its BoxID.
    ///
    /// # Errors
    /// [`KeyRecordError`] says which rule the chain breaks, and where.
    pub fn verify(statements: &[Octets]) -> Result<Self, KeyRecordError> {
        let (first, rest) = statements.split_first().ok_or(KeyRecordError::Empty)?;
        if statements.len() > MAX_MEMBERSHIP_STATEMENTS {
            return Err(KeyRecordError::TooLong);
        }
        let mut record = match parse(first, 1)? {
            MembershipStatement::Founded(founded) => Self::found(founded)?,
            MembershipStatement::Linked(_) | MembershipStatement::Removed(_) => {
                return Err(KeyRecordError::NotFoundedFirst);
            }
        };
        for statement in rest {
            record.append(statement)?;
        }
        Ok(record)
    }

    /// Verifies a whole chain, which must be that of this box.
    ///
    /// # Errors
    /// [`KeyRecordError::OtherBox`] if it founds another box, and all errors of [`KeyRecord::verify`].
    pub fn verify_of(box_id: BoxId, statements: &[Octets]) -> Result<Self, KeyRecordError> {
        let record = Self::verify(statements)?;
        if record.box_id == box_id { Ok(record) } else { Err(KeyRecordError::OtherBox { found: record.box_id }) }
    }

    /// The record that a founding statement makes.
    fn found(founded: Statement<Founded>) -> Result<Self, KeyRecordError> {
        let content = founded.content();
        founded.verify(&content.signing_key).map_err(|_| KeyRecordError::BadSignature { version: 1 })?;
        let device = Device {
            device_id: content.device_id,
            signing_key: content.signing_key,
            linked_version: 1,
            removed_version: None,
        };
        Ok(Self {
            box_id: founded.box_id(),
            statements: vec![founded.octets().clone()],
            hashes: vec![founded.hash()],
            devices: vec![device],
            founded,
        })
    }

    /// Verifies one more statement against the record and adds it. On an error the record stays as it was.
    ///
    /// # Errors
    /// [`KeyRecordError`] says which rule the statement breaks.
    pub fn append(&mut self, octets: &Octets) -> Result<MembershipStatement, KeyRecordError> {
        let version = self.head().version + 1;
        if self.statements.len() >= MAX_MEMBERSHIP_STATEMENTS {
            return Err(KeyRecordError::TooLong);
        }
        let statement = parse(octets, version)?;
        match &statement {
            MembershipStatement::Founded(_) => return Err(KeyRecordError::FoundedTwice { version }),
            MembershipStatement::Linked(linked) => {
                let device = self.check_linked(linked, version)?;
                self.devices.push(device);
            }
            MembershipStatement::Removed(removed) => {
                let index = self.check_removed(removed, version)?;
                self.devices[index].removed_version = Some(version);
            }
        }
        self.statements.push(octets.clone());
        self.hashes.push(statement.hash());
        Ok(statement)
    }

    /// The record with those of the statements that it lacks. They must be in their order; those that it has already are
    /// passed over.
    ///
    /// # Errors
    /// [`KeyRecordError::Fork`] if the record has another statement in the place of one of them,
    /// [`KeyRecordError::OtherBox`] if they found another box, and all errors of [`KeyRecord::append`].
    pub fn merge(&self, statements: &[Octets]) -> Result<Self, KeyRecordError> {
        let mut record = self.clone();
        for octets in statements.iter().filter(|octets| !self.statements.contains(octets)) {
            let next = record.head().version + 1;
            let statement = parse(octets, next)?;
            match &statement {
                MembershipStatement::Founded(founded) => {
                    return Err(KeyRecordError::OtherBox { found: founded.box_id() });
                }
                MembershipStatement::Linked(_) | MembershipStatement::Removed(_) if statement.version() < next => {
                    return Err(KeyRecordError::Fork { version: statement.version() });
                }
                MembershipStatement::Linked(_) | MembershipStatement::Removed(_) => record.append(octets)?,
            };
        }
        Ok(record)
    }

    fn check_linked(&self, statement: &Statement<Linked>, version: u32) -> Result<Device, KeyRecordError> {
        let linked = statement.content();
        self.check_place(&linked.place, version)?;
        let members = self.members().count() + 1;
        if self.statements.len() + 1 + members > MAX_MEMBERSHIP_STATEMENTS {
            return Err(KeyRecordError::NoRoom { version });
        }
        let signer = self.member(linked.signer, version)?;
        statement.verify(&signer.signing_key).map_err(|_| KeyRecordError::BadSignature { version })?;
        linked.verify_countersignature().map_err(|_| KeyRecordError::BadCountersignature { version })?;
        if self.device(linked.device_id).is_some() {
            return Err(KeyRecordError::DeviceIdReused { version });
        }
        let recovery_key = self.founded.content().recovery_key;
        if self.devices.iter().map(|d| d.signing_key).chain(recovery_key).any(|key| key == linked.signing_key) {
            return Err(KeyRecordError::KeyReused { version });
        }
        Ok(Device {
            device_id: linked.device_id,
            signing_key: linked.signing_key,
            linked_version: version,
            removed_version: None,
        })
    }

    /// The index of the device that the statement removes, if it may.
    fn check_removed(&self, statement: &Statement<Removed>, version: u32) -> Result<usize, KeyRecordError> {
        let removed = statement.content();
        self.check_place(&removed.place, version)?;
        let index = self.devices.iter().position(|device| device.device_id == removed.device_id);
        let index = index.ok_or(KeyRecordError::UnknownDevice { version })?;
        let device = &self.devices[index];
        let key = match removed.signer {
            Remover::Device(signer) => {
                let signer = self.member(signer, version)?;
                if signer.linked_version > device.linked_version {
                    return Err(KeyRecordError::MayNotRemove { version });
                }
                signer.signing_key
            }
            Remover::RecoveryKey => {
                self.founded.content().recovery_key.ok_or(KeyRecordError::NoRecoveryKey { version })?
            }
        };
        statement.verify(&key).map_err(|_| KeyRecordError::BadSignature { version })?;
        if !device.is_member() {
            return Err(KeyRecordError::AlreadyRemoved { version });
        }
        Ok(index)
    }

    fn check_place(&self, place: &Place, version: u32) -> Result<(), KeyRecordError> {
        if place.box_id != self.box_id {
            Err(KeyRecordError::ForeignBox { version })
        } else if place.version > version {
            Err(KeyRecordError::Gap { version, stated: place.version })
        } else if place.version < version {
            Err(KeyRecordError::Superseded { version, stated: place.version })
        } else if place.previous != self.head().hash {
            Err(KeyRecordError::Fork { version })
        } else {
            Ok(())
        }
    }

    /// The device that signs the statement of this version, if it belongs to the box.
    fn member(&self, device_id: DeviceId, version: u32) -> Result<&Device, KeyRecordError> {
        let device = self.device(device_id).ok_or(KeyRecordError::UnknownSigner { version })?;
        if device.is_member() { Ok(device) } else { Err(KeyRecordError::RemovedSigner { version }) }
    }

    /// The box.
    #[must_use]
    pub const fn box_id(&self) -> BoxId {
        self.box_id
    }

    /// The founding statement.
    #[must_use]
    pub const fn founded(&self) -> &Statement<Founded> {
        &self.founded
    }

    /// The membership statements in their order, as they were signed.
    #[must_use]
    pub fn statements(&self) -> &[Octets] {
        &self.statements
    }

    /// The membership statements after this head; none if the record doesn't extend it.
    #[must_use]
    pub fn statements_since(&self, head: Head) -> Option<&[Octets]> {
        let known = usize::try_from(head.version).ok()?;
        if self.extends(head) { self.statements.get(known..) } else { None }
    }

    /// The record's head.
    #[must_use]
    pub fn head(&self) -> Head {
        // A record is never empty, and never longer than MAX_MEMBERSHIP_STATEMENTS.
        let version = u32::try_from(self.hashes.len()).unwrap_or(u32::MAX);
        Head { version, hash: self.hashes.last().copied().unwrap_or_else(|| self.founded.hash()) }
    }

    /// The head that the record had at this version.
    #[must_use]
    pub fn head_at(&self, version: u32) -> Option<Head> {
        let index = usize::try_from(version).ok()?.checked_sub(1)?;
        self.hashes.get(index).map(|hash| Head { version, hash: *hash })
    }

    /// How a head that someone states stands to this record.
    #[must_use]
    pub fn relation(&self, head: Head) -> HeadRelation {
        match self.head_at(head.version) {
            None if head.version == 0 => HeadRelation::Fork,
            None => HeadRelation::Ahead,
            Some(known) if known != head => HeadRelation::Fork,
            Some(known) if known == self.head() => HeadRelation::Same,
            Some(_) => HeadRelation::Older,
        }
    }

    /// Whether the record has, or had, this head.
    #[must_use]
    pub fn extends(&self, head: Head) -> bool {
        matches!(self.relation(head), HeadRelation::Same | HeadRelation::Older)
    }

    /// Every device that the box ever had, in the order in which they were linked.
    #[must_use]
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// The devices that belong to the box now.
    pub fn members(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| device.is_member())
    }

    /// The device with this id, removed or not.
    #[must_use]
    pub fn device(&self, device_id: DeviceId) -> Option<&Device> {
        self.devices.iter().find(|device| device.device_id == device_id)
    }
}

fn parse(octets: &Octets, version: u32) -> Result<MembershipStatement, KeyRecordError> {
    MembershipStatement::parse(octets).map_err(|source| KeyRecordError::Malformed { version, source })
}
