//! A box's identifiers: added with a code, listed, taken away by signed commands.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::registration::AuthorizeResponse;
use crate::encoding::{FixedOctets, Octets};
use crate::events::SignedCommand;
use crate::ids::{CommandId, DeviceId, IdentifierHash, RegistrationId};
use crate::time::Timestamp;

/// Asks for a code to be sent to an identifier: one that the device's box is to have too, or that it has and somebody claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskCodeRequest {
    /// The command's id.
    pub command_id: CommandId,
    /// A phone number or an email address: `tel:+15551234567` or `mailto:ann@example.org`.
    #[schema(example = "tel:+15551234567")]
    pub identifier: String,
    /// The claim that the device objects to, if the code is for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_to: Option<RegistrationId>,
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
    /// That somebody else claims it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimOnIdentifier>,
}

/// Somebody has shown the code of an identifier that belongs to the box, and claims it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClaimOnIdentifier {
    /// The claim.
    pub claim_id: RegistrationId,
    /// When it was made.
    pub claimed_at: Timestamp,
    /// From when on the identifier is theirs, unless a device of the box objects.
    pub effective_at: Timestamp,
    /// How often the recovery key can object still, before a code must.
    pub recovery_objections_left: u32,
}

/// A claim that was made for the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnClaim {
    /// The claim.
    pub claim_id: RegistrationId,
    /// The identifier.
    #[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
    pub identifier_hash: IdentifierHash,
    /// From when on the identifier is the box's, unless a device of the other box objects.
    pub effective_at: Timestamp,
    /// What became of it.
    pub state: ClaimState,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimState {
    /// It waits.
    Open,
    /// A device of the box that the identifier belongs to has objected.
    Objected,
    /// Somebody has shown the identifier's code later, and claimed or got it.
    Replaced,
    /// The identifier belongs to the box that it was claimed for.
    Effective,
}

/// Claims the identifier of a registration, which belongs to another box, for the new box.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimRequest {
    /// The command's id.
    pub command_id: CommandId,
    /// The registration's device.
    pub device_id: DeviceId,
    /// The code: 8 digits.
    #[schema(example = "12345678", pattern = "^[0-9]{8}$")]
    pub code: String,
    /// The identifier of the registration, once more: the server keeps only its hash, and sends a notice there.
    #[schema(example = "mailto:ann@example.org")]
    pub identifier: String,
    /// The device's signature over registration, device and code, in the layout of `rossby_crypto::authorize`.
    #[schema(value_type = String, format = "base64url")]
    pub signature: FixedOctets<64>,
}

impl std::fmt::Debug for ClaimRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClaimRequest")
            .field("command_id", &self.command_id)
            .field("device_id", &self.device_id)
            .finish_non_exhaustive()
    }
}

/// Claims an identifier, which belongs to another box, for the device's box. Its code was shown before.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimForBoxRequest {
    /// The command that adds the identifier, as it is signed for `/v1/account/commands`.
    pub command: Octets,
    /// The device's signature.
    #[schema(value_type = String, format = "base64url")]
    pub signature: FixedOctets<64>,
    /// The identifier once more: the server keeps only its hash, and sends a notice there.
    #[schema(example = "mailto:ann@example.org")]
    pub identifier: String,
}

impl std::fmt::Debug for ClaimForBoxRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClaimForBoxRequest").finish_non_exhaustive()
    }
}

/// Goes on with a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FollowClaimRequest {
    /// The device that claims.
    pub device_id: DeviceId,
    /// Its signature over claim and device, in the layout of `rossby_crypto::authorize`.
    #[schema(value_type = String, format = "base64url")]
    pub signature: FixedOctets<64>,
}

/// A claim, as the device that made it sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClaimResponse {
    /// The claim.
    pub claim_id: RegistrationId,
    /// What became of it.
    pub state: ClaimState,
    /// From when on it may take effect.
    pub effective_at: Timestamp,
    /// The device's token, once its new box is founded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorized: Option<AuthorizeResponse>,
}
