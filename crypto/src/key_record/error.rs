//! Why a statement is refused: one reason for each rule.

use rossby_schemas::ids::BoxId;

use crate::layout::LayoutError;

/// Why a chain of membership statements, or one more statement, is refused. `version` is the place in the chain, the
/// founding statement's being 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRecordError {
    /// There is no statement.
    #[error("the key record is empty")]
    Empty,
    /// There are more than [`MAX_MEMBERSHIP_STATEMENTS`](super::MAX_MEMBERSHIP_STATEMENTS).
    #[error("the key record is too long")]
    TooLong,
    /// The statement links a device, and what room is left is kept for removals.
    #[error("statement {version} links a device, and the key record has only room for removals")]
    NoRoom {
        /// The statement's place.
        version: u32,
    },
    /// The statement is not in the layout, or a key in it is no key.
    #[error("statement {version} is malformed: {source}")]
    Malformed {
        /// The statement's place.
        version: u32,
        /// What is wrong.
        source: LayoutError,
    },
    /// The first statement is no founding statement.
    #[error("the first statement is no founding statement")]
    NotFoundedFirst,
    /// A later statement is a founding statement.
    #[error("statement {version} founds the box again")]
    FoundedTwice {
        /// The statement's place.
        version: u32,
    },
    /// The chain is another box's than the one that was asked for.
    #[error("the key record is that of box {found}")]
    OtherBox {
        /// The box that it founds.
        found: BoxId,
    },
    /// The statement is for another box.
    #[error("statement {version} is for another box")]
    ForeignBox {
        /// The statement's place.
        version: u32,
    },
    /// A statement before it is missing.
    #[error("statement {version} is missing: version {stated} came instead")]
    Gap {
        /// The place that it should have.
        version: u32,
        /// The version that it states.
        stated: u32,
    },
    /// The record has another statement as that version already.
    #[error("the record has a statement of version {stated} already")]
    Superseded {
        /// The place that it should have.
        version: u32,
        /// The version that it states.
        stated: u32,
    },
    /// The statement follows after another statement than the one that is there.
    #[error("statement {version} does not follow after the one before")]
    Fork {
        /// The statement's place.
        version: u32,
    },
    /// The signature does not verify.
    #[error("the signature of statement {version} does not verify")]
    BadSignature {
        /// The statement's place.
        version: u32,
    },
    /// The new device's own signature does not verify.
    #[error("the new device's signature in statement {version} does not verify")]
    BadCountersignature {
        /// The statement's place.
        version: u32,
    },
    /// The signer was never a device of the box.
    #[error("the signer of statement {version} is no device of the box")]
    UnknownSigner {
        /// The statement's place.
        version: u32,
    },
    /// The signer was removed before.
    #[error("the signer of statement {version} was removed")]
    RemovedSigner {
        /// The statement's place.
        version: u32,
    },
    /// The new device's id was that of another device of the box before.
    #[error("the device id of statement {version} was used before")]
    DeviceIdReused {
        /// The statement's place.
        version: u32,
    },
    /// The new device's key is that of another device of the box, or the recovery key: a removed device could come back
    /// by it.
    #[error("the key of statement {version} was used before")]
    KeyReused {
        /// The statement's place.
        version: u32,
    },
    /// The removed device was never one of the box.
    #[error("statement {version} removes a device that the box never had")]
    UnknownDevice {
        /// The statement's place.
        version: u32,
    },
    /// The device was removed before.
    #[error("statement {version} removes a device that was removed before")]
    AlreadyRemoved {
        /// The statement's place.
        version: u32,
    },
    /// The signer is neither the device itself nor one linked before it.
    #[error("the signer of statement {version} may not remove that device")]
    MayNotRemove {
        /// The statement's place.
        version: u32,
    },
    /// The statement says to be signed by the recovery key, and the box was founded without one.
    #[error("statement {version} needs a recovery key, and the box has none")]
    NoRecoveryKey {
        /// The statement's place.
        version: u32,
    },
}

/// Why a sealing statement is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealingStatementError {
    /// It is not in the layout, its key is no key, its counter is 0, or it would live longer than it may.
    #[error("the sealing statement is malformed: {0}")]
    Malformed(LayoutError),
    /// It is for another box.
    #[error("the sealing statement is for another box")]
    ForeignBox,
    /// Its device was never one of the box.
    #[error("the sealing statement is of a device that the box never had")]
    UnknownDevice,
    /// Its device was removed.
    #[error("the sealing statement is of a removed device")]
    RemovedDevice,
    /// The signature does not verify.
    #[error("the sealing statement's signature does not verify")]
    BadSignature,
    /// It states a head that the record doesn't have yet: more of the record is needed.
    #[error("the sealing statement states a later head than the record has")]
    HeadAhead,
    /// It states a head of another chain.
    #[error("the sealing statement states a head that the record never had")]
    ForeignHead,
    /// The device has stated a higher counter before.
    #[error("the sealing statement's counter is lower than {known}")]
    LowerCounter {
        /// The counter that is known.
        known: u64,
    },
    /// The device has stated another key with the same counter.
    #[error("there is another sealing statement with the counter {known}")]
    SameCounter {
        /// The counter.
        known: u64,
    },
}
