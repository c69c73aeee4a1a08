//! `rossby.keys`: keyed by BoxID, a stream for each key record, kept for ever.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SignedCommand;
use crate::encoding::Octets;
use crate::ids::{BoxId, DeviceId, IdentifierHash};

/// A box was founded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoxFoundedV1 {
    /// The box.
    pub box_id: BoxId,
    /// The founding device.
    pub device_id: DeviceId,
    /// The founding statement, as signed.
    pub founding_statement: Octets,
    /// The device's first sealing statement, as signed.
    pub sealing_statement: Octets,
}

/// A device was linked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceLinkedV1 {
    /// The box.
    pub box_id: BoxId,
    /// The new device.
    pub device_id: DeviceId,
    /// The linking statement, as signed and countersigned.
    pub linking_statement: Octets,
    /// The new device's first sealing statement, as signed.
    pub sealing_statement: Octets,
}

/// A device stated the key that messages are sealed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SealingKeyStatedV1 {
    /// The box.
    pub box_id: BoxId,
    /// The device.
    pub device_id: DeviceId,
    /// The statement's counter.
    pub counter: u64,
    /// The sealing statement, as signed.
    pub sealing_statement: Octets,
}

/// A device was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceRemovedV1 {
    /// The box.
    pub box_id: BoxId,
    /// The device that was removed.
    pub device_id: DeviceId,
    /// The removal statement, as signed.
    pub removal_statement: Octets,
}

/// A device's token was revoked: tokens of earlier epochs are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRevokedV1 {
    /// The box.
    pub box_id: BoxId,
    /// The device whose token was revoked.
    pub device_id: DeviceId,
    /// The device's epoch from now on.
    pub epoch: u32,
    /// The command, as signed.
    pub signed: SignedCommand,
}

/// A box is about to close: its identifiers count as free from now on, and each home region releases its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoxClosingV1 {
    /// The box.
    pub box_id: BoxId,
    /// Its identifiers, as keyed hashes.
    pub identifier_hashes: Vec<IdentifierHash>,
    /// The command, as signed.
    pub signed: SignedCommand,
}

/// A box is closed: its rows go, its stream head stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoxClosedV1 {
    /// The box.
    pub box_id: BoxId,
}
