//! `rossby.identifiers`: keyed by identifier hash, a stream for each identifier, kept for ever.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SignedCommand;
use crate::encoding::Octets;
use crate::ids::{BoxId, DeviceId, IdentifierHash, RegistrationId};
use crate::time::Timestamp;

/// What founds a box: carried along so that whoever meets a verified identifier of an unfounded box can finish it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Founding {
    /// The founding device.
    pub device_id: DeviceId,
    /// The founding statement, as signed.
    pub founding_statement: Octets,
    /// The device's first sealing statement, as signed.
    pub sealing_statement: Octets,
}

/// An identifier was shown to belong to a box's person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifierVerifiedV1 {
    /// The identifier, as a keyed hash.
    pub identifier_hash: IdentifierHash,
    /// The number of the secret under which it was hashed.
    pub secret_number: u32,
    /// The identifier's slot, which names its home region.
    pub slot: u16,
    /// The box that it now belongs to.
    pub box_id: BoxId,
    /// The registration whose code showed it.
    pub registration_id: RegistrationId,
    /// What founds the box, if this identifier is its first.
    pub founding: Option<Founding>,
}

/// An identifier was shown to belong to a box's person: of a new box, or one more of a box that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifierVerifiedV2 {
    /// The identifier, as a keyed hash.
    pub identifier_hash: IdentifierHash,
    /// The number of the secret under which it was hashed.
    pub secret_number: u32,
    /// The identifier's slot, which names its home region.
    pub slot: u16,
    /// The box that it now belongs to, to whomever it belonged before.
    pub box_id: BoxId,
    /// The registration whose code showed it.
    pub registration_id: RegistrationId,
    /// What founds the box, if this identifier is its first.
    pub founding: Option<Founding>,
    /// The command by which a device of the box added it, as signed; none for the box's first.
    pub signed: Option<SignedCommand>,
}

impl From<IdentifierVerifiedV1> for IdentifierVerifiedV2 {
    fn from(v1: IdentifierVerifiedV1) -> Self {
        let IdentifierVerifiedV1 { identifier_hash, secret_number, slot, box_id, registration_id, founding } = v1;
        Self { identifier_hash, secret_number, slot, box_id, registration_id, founding, signed: None }
    }
}

/// An identifier no longer belongs to a box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifierReleasedV1 {
    /// The identifier, as a keyed hash.
    pub identifier_hash: IdentifierHash,
    /// The box that it belonged to.
    pub box_id: BoxId,
}

/// An identifier no longer belongs to a box: a device of it took it away, or the box closes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifierReleasedV2 {
    /// The identifier, as a keyed hash.
    pub identifier_hash: IdentifierHash,
    /// The box that it belonged to.
    pub box_id: BoxId,
    /// The command by which a device took it away, as signed; none if the box closes, whose closing is signed.
    pub signed: Option<SignedCommand>,
}

impl From<IdentifierReleasedV1> for IdentifierReleasedV2 {
    fn from(v1: IdentifierReleasedV1) -> Self {
        Self { identifier_hash: v1.identifier_hash, box_id: v1.box_id, signed: None }
    }
}

/// Somebody has shown the code of an identifier that belongs to another box, and claims it. It is theirs from
/// `effective_at` on, unless a device of the other box objects before a command says so. A later claim takes its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifierClaimedV1 {
    /// The claim: the registration whose code showed the identifier.
    pub claim_id: RegistrationId,
    /// The identifier, as a keyed hash.
    pub identifier_hash: IdentifierHash,
    /// The number of the secret under which it was hashed.
    pub secret_number: u32,
    /// The identifier's slot, which names its home region.
    pub slot: u16,
    /// The box that it belongs to.
    pub owner: BoxId,
    /// The box that it is claimed for.
    pub box_id: BoxId,
    /// The device that claims it.
    pub device_id: DeviceId,
    /// From when on the claim may take effect.
    pub effective_at: Timestamp,
    /// What founds the box that it is claimed for, if that is a new one.
    pub founding: Option<Founding>,
    /// The command by which a device of a box that is there claims it, as signed.
    pub signed: Option<SignedCommand>,
}

/// How a device that objects to a claim shows that it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectionProof {
    /// By a fresh code to the identifier.
    Code {
        /// The registration whose code showed it.
        registration_id: RegistrationId,
    },
    /// By the box's recovery key, whose signature stands in the signed command.
    RecoveryKey,
}

/// A device of the box that an identifier belongs to has objected to a claim, which ends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimObjectedV1 {
    /// The claim.
    pub claim_id: RegistrationId,
    /// The identifier, as a keyed hash.
    pub identifier_hash: IdentifierHash,
    /// The box that it belongs to.
    pub box_id: BoxId,
    /// How the device has shown that it may object.
    pub proof: ObjectionProof,
    /// The command, as signed.
    pub signed: SignedCommand,
}
