//! `rossby.identifiers`: keyed by identifier hash, a stream for each identifier, kept for ever.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoding::Octets;
use crate::ids::{BoxId, DeviceId, IdentifierHash, RegistrationId};

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

/// An identifier no longer belongs to a box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifierReleasedV1 {
    /// The identifier, as a keyed hash.
    pub identifier_hash: IdentifierHash,
    /// The box that it belonged to.
    pub box_id: BoxId,
}
