//! A box's identifiers: added with a code, listed, taken away by signed commands.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::encoding::FixedOctets;
use crate::events::SignedCommand;
use crate::ids::{CommandId, IdentifierHash, RegistrationId};
use crate::time::Timestamp;

/// Asks for a code to be sent to an identifier that the device's box is to have too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskCodeRequest {
    /// The command's id.
    pub command_id: CommandId,
    /// A phone number or an email address: `tel:+15551234567` or `mailto:ann@example.org`.
    #[schema(example = "tel:+15551234567")]
    pub identifier: String,
}

/// A code was sent. Says the same whether the identifier is taken or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AskCodeResponse {
    /// What the code is shown for.
    pub registration_id: RegistrationId,
    /// When the code stops being good.
    pub code_expires_at: Timestamp,
}

/// Shows the code that was sent to the identifier.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowCodeRequest {
    /// The command's id.
    pub command_id: CommandId,
    /// The code: 8 digits.
    #[schema(example = "12345678", pattern = "^[0-9]{8}$")]
    pub code: String,
    /// The device's signature over registration, device and code, in the layout of `rossby_crypto::authorize`.
    #[schema(value_type = String, format = "base64url")]
    pub signature: FixedOctets<64>,
}

impl std::fmt::Debug for ShowCodeRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShowCodeRequest").field("command_id", &self.command_id).finish_non_exhaustive()
    }
}

/// The code is right: what the device needs to sign a command about the identifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShowCodeResponse {
    /// The identifier as the server knows it, whose text is the stream's name.
    #[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
    pub identifier_hash: IdentifierHash,
    /// The version of the identifier's stream, on which the command is signed.
    pub version: u64,
}

/// One of a box's identifiers, as its own devices see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnIdentifier {
    /// The identifier as the server knows it: only who knows the identifier knows which it is.
    #[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
    pub identifier_hash: IdentifierHash,
    /// The version of the identifier's stream, on which the next command on it is signed.
    pub version: u64,
    /// When it was added, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_at: Option<Timestamp>,
    /// The command by which a device added it, as it signed it; none for the one that the box was registered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<SignedCommand>,
}
