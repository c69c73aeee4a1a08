//! Sealing statements against the record, and to which devices a message can be sealed.

use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::DeviceId;
use rossby_schemas::time::Timestamp;

use super::{HeadRelation, KeyRecord, SealingStatementError};
use crate::statements::{self, NotUsable, SealingKeyStated, Statement};

/// A sealing statement that a key record has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSealingStatement(Statement<SealingKeyStated>);

impl VerifiedSealingStatement {
    /// What it states.
    #[must_use]
    pub const fn content(&self) -> &SealingKeyStated {
        self.0.content()
    }

    /// The statement as it was signed and is kept and sent.
    #[must_use]
    pub const fn octets(&self) -> &Octets {
        self.0.octets()
    }
}

/// Why a message can't be sealed to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSealable {
    /// No sealing statement of the device is known.
    #[error("no sealing statement of the device is known")]
    NoStatement,
    /// Its sealing key can't be used now.
    #[error(transparent)]
    NotUsable(#[from] NotUsable),
}

/// To which of a box's devices a message can be sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealable<'a> {
    /// The devices to seal to, by their sealing statements.
    pub devices: Vec<&'a VerifiedSealingStatement>,
    /// The devices that can't be sealed to, and why: they will not get the message.
    pub left_out: Vec<(DeviceId, NotSealable)>,
}

impl KeyRecord {
    /// Verifies a sealing statement against this record, and against the one that is known of the same device, if any. The
    /// same statement again is taken.
    ///
    /// # Errors
    /// [`SealingStatementError`] says which rule it breaks. Whether it has expired is not asked here; see
    /// [`KeyRecord::sealable`].
    pub fn verify_sealing(
        &self,
        octets: &Octets,
        known: Option<&VerifiedSealingStatement>,
    ) -> Result<VerifiedSealingStatement, SealingStatementError> {
        let statement = statements::parse::<SealingKeyStated>(octets).map_err(SealingStatementError::Malformed)?;
        let content = statement.content();
        if content.box_id != self.box_id() {
            return Err(SealingStatementError::ForeignBox);
        }
        let device = self.device(content.device_id).ok_or(SealingStatementError::UnknownDevice)?;
        if !device.is_member() {
            return Err(SealingStatementError::RemovedDevice);
        }
        statement.verify(&device.signing_key).map_err(|_| SealingStatementError::BadSignature)?;
        match self.relation(content.head) {
            HeadRelation::Same | HeadRelation::Older => {}
            HeadRelation::Ahead => return Err(SealingStatementError::HeadAhead),
            HeadRelation::Fork => return Err(SealingStatementError::ForeignHead),
        }
        if let Some(known) = known.filter(|known| known.content().device_id == content.device_id) {
            let counter = known.content().counter;
            if content.counter < counter {
                return Err(SealingStatementError::LowerCounter { known: counter });
            }
            if content.counter == counter && known.octets() != octets {
                return Err(SealingStatementError::SameCounter { known: counter });
            }
        }
        Ok(VerifiedSealingStatement(statement))
    }

    /// To which of the box's devices a message can be sealed now, given their sealing statements; `except` is the sending
    /// device, when the box is the sender's own. Statements of devices that aren't members are passed over; of two
    /// statements of one device the one with the higher counter counts.
    #[must_use]
    pub fn sealable<'a>(
        &self,
        statements: &'a [VerifiedSealingStatement],
        except: Option<DeviceId>,
        now: Timestamp,
    ) -> Sealable<'a> {
        let mut sealable = Sealable { devices: Vec::new(), left_out: Vec::new() };
        for device in self.members().filter(|device| Some(device.device_id) != except) {
            let of_device = |s: &&VerifiedSealingStatement| {
                s.content().box_id == self.box_id() && s.content().device_id == device.device_id
            };
            match statements.iter().filter(of_device).max_by_key(|s| s.content().counter) {
                None => sealable.left_out.push((device.device_id, NotSealable::NoStatement)),
                Some(statement) => match statement.content().usable_at(now) {
                    Ok(()) => sealable.devices.push(statement),
                    Err(why) => sealable.left_out.push((device.device_id, why.into())),
                },
            }
        }
        sealable
    }
}
