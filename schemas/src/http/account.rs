//! A device's own account.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::identifiers::{OwnClaim, OwnIdentifier};
use super::lookup::KeyRecordDocument;
use super::messages::Lost;
use crate::encoding::{FixedOctets, Octets};
use crate::events::profiles::{AclTag, Audience};
use crate::ids::{BoxId, CommandId, DeviceId};
use crate::time::Timestamp;

/// The account as its own devices see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountResponse {
    /// The box.
    pub box_id: BoxId,
    /// The device that asks.
    pub device_id: DeviceId,
    /// The box's own key record, to be checked at each sync.
    pub key_record: KeyRecordDocument,
    /// The version of the key record's stream, on which the next command on it is signed.
    pub keys_version: u64,
    /// The devices.
    pub devices: Vec<DeviceStatus>,
    /// The box's identifiers, in the order in which they were added.
    #[serde(default)]
    pub identifiers: Vec<OwnIdentifier>,
    /// Identifiers that were claimed for the box, not long ago.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<OwnClaim>,
    /// The settings.
    pub profile: ProfileDocument,
}

/// A device and its part of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceStatus {
    /// The device.
    pub device_id: DeviceId,
    /// The epoch of its token.
    pub epoch: u32,
    /// Whether it has been removed.
    pub removed: bool,
    /// How many messages wait for it.
    pub waiting: u64,
    /// How many unexpired messages it has confirmed.
    pub confirmed: u64,
    /// When it last confirmed any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_confirmed_at: Option<Timestamp>,
    /// What expired before it fetched it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// A box's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileDocument {
    /// The version of the profile's stream, on which the next command on it is signed.
    pub version: u64,
    /// Who may find the box.
    pub discoverable: Audience,
    /// From whom it accepts messages.
    pub accept_from: Audience,
    /// The encrypted profile.
    pub blob: Octets,
    /// The blocked boxes, as tags.
    #[schema(value_type = Vec<String>)]
    pub blocks: Vec<AclTag>,
    /// The contacts, as tags.
    #[schema(value_type = Vec<String>)]
    pub contacts: Vec<AclTag>,
}

/// A command that changes the account, signed by the device. The command's id, stream, expected version and change stand
/// in the signed octets, in the layout of `rossby_crypto::account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountCommandRequest {
    /// The signed octets.
    pub command: Octets,
    /// The device's signature.
    #[schema(value_type = String, format = "base64url")]
    pub signature: FixedOctets<64>,
}

/// Adds a statement to the box's key record: a removal, or a new sealing statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatementRequest {
    /// The command's id.
    pub command_id: CommandId,
    /// The statement, as signed.
    pub statement: Octets,
}

/// Links a new device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkDeviceRequest {
    /// The command's id.
    pub command_id: CommandId,
    /// The linking statement, signed by the device that asks and countersigned by the new one.
    pub linking_statement: Octets,
    /// The new device's first sealing statement, signed by it.
    pub sealing_statement: Octets,
}

/// The command took effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandResponse {
    /// The command.
    pub command_id: CommandId,
    /// The stream's version after it.
    pub version: u64,
}
