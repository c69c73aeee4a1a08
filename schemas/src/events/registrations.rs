//! `rossby.registrations`: keyed by identifier hash, a stream for each identifier and UTC day, kept for two days.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoding::Octets;
use crate::ids::{BoxId, DeviceId, IdentifierHash, RegistrationId};
use crate::time::Timestamp;

/// The name of the stream in which an identifier's registrations of the day of `now` stand: `HASH/2026-11-24`.
#[must_use]
pub fn stream(identifier: IdentifierHash, now: Timestamp) -> String {
    format!("{identifier}/{}", now.utc_day())
}

/// A registration was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistrationAskedV1 {
    /// The registration.
    pub registration_id: RegistrationId,
    /// The identifier, as a keyed hash.
    pub identifier_hash: IdentifierHash,
    /// The number of the secret under which it was hashed.
    pub secret_number: u32,
    /// The identifier's slot, which names its home region.
    pub slot: u16,
    /// The box that the founding statement founds.
    pub box_id: BoxId,
    /// The device that asked.
    pub device_id: DeviceId,
    /// The founding statement, as signed.
    pub founding_statement: Octets,
    /// The device's first sealing statement, as signed.
    pub sealing_statement: Octets,
}

/// A code was issued for a registration. The code is derived from this, and stands nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeIssuedV1 {
    /// The registration.
    pub registration_id: RegistrationId,
    /// Which of the registration's codes it is, from 1.
    pub number: u32,
    /// When it stops being good.
    pub expires_at: Timestamp,
}

/// A code was guessed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeGuessedV1 {
    /// The registration.
    pub registration_id: RegistrationId,
    /// The number of the code that was the last one issued.
    pub number: u32,
    /// Whether the guess was right.
    pub right: bool,
}

/// What a device of a box shows a code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CodePurpose {
    /// To add the identifier to its box.
    Add,
    /// To object to a claim of the identifier, which belongs to its box.
    Object {
        /// The claim.
        claim_id: RegistrationId,
    },
}

/// A device of a box asked for a code to be sent to an identifier. What follows is as for a registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeAskedV1 {
    /// The registration.
    pub registration_id: RegistrationId,
    /// The identifier, as a keyed hash.
    pub identifier_hash: IdentifierHash,
    /// The number of the secret under which it was hashed.
    pub secret_number: u32,
    /// The identifier's slot, which names its home region.
    pub slot: u16,
    /// The box of the device that asked.
    pub box_id: BoxId,
    /// The device that asked.
    pub device_id: DeviceId,
    /// What for.
    pub purpose: CodePurpose,
}
