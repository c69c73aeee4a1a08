//! Register and authorize.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::encoding::{FixedOctets, Octets};
use crate::ids::{BoxId, CommandId, DeviceId, RegistrationId};
use crate::time::Timestamp;

/// Asks to register an identifier for a new box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// The command's id, made by the client at random; repeating it is safe.
    pub command_id: CommandId,
    /// A phone number or an email address: `tel:+15551234567` or `mailto:ann@example.org`.
    #[schema(example = "mailto:ann@example.org")]
    pub identifier: String,
    /// The founding statement, signed by the founding device.
    pub founding_statement: Octets,
    /// The device's first sealing statement, signed by it.
    pub sealing_statement: Octets,
}

/// The registration waits for its code. Says the same whether the identifier is taken or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegisterResponse {
    /// The registration.
    pub registration_id: RegistrationId,
    /// The box that it will found.
    pub box_id: BoxId,
    /// When the code that was sent stops being good.
    pub code_expires_at: Timestamp,
}

/// Asks for another code for a registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueCodeRequest {
    /// The command's id.
    pub command_id: CommandId,
    /// The identifier of the registration, once more: the server keeps only its hash, and has to send the code there.
    #[schema(example = "mailto:ann@example.org")]
    pub identifier: String,
}

/// Shows the code that was sent to the identifier.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthorizeRequest {
    /// The command's id.
    pub command_id: CommandId,
    /// The registration's device.
    pub device_id: DeviceId,
    /// The code: 8 digits.
    #[schema(example = "12345678", pattern = "^[0-9]{8}$")]
    pub code: String,
    /// The device's signature over registration, device and code.
    #[schema(value_type = String, format = "base64url")]
    pub signature: FixedOctets<64>,
}

impl std::fmt::Debug for AuthorizeRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthorizeRequest")
            .field("command_id", &self.command_id)
            .field("device_id", &self.device_id)
            .finish_non_exhaustive()
    }
}

/// The device is authorized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuthorizeResponse {
    /// The box.
    pub box_id: BoxId,
    /// The device.
    pub device_id: DeviceId,
    /// The Hawk id to authenticate with.
    pub token_id: String,
    /// The Hawk key and the box's acl key, sealed to the device's sealing key, in the layout of
    /// `rossby_crypto::sealing`.
    pub sealed_token: Octets,
}
