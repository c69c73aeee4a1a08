//! All that the server holds of a box, for its own devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::account::AccountResponse;
use crate::encoding::{Octets, Sha256Digest};
use crate::ids::{BoxId, DeviceId, IdentifierHash, OuterId, RegistrationId};
use crate::time::Timestamp;

/// What every page of an export says it is.
pub const EXPORT_FORMAT: &str = "rossby-account-export";
/// The version of the format.
pub const EXPORT_VERSION: u32 = 1;
/// How many messages a page of an export has at most.
pub const MAX_EXPORTED: u32 = 500;

/// A page of all that the server holds of a box. The first says everything but the messages, of which every page has some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExportResponse {
    /// `rossby-account-export`.
    pub format: String,
    /// 1.
    pub version: u32,
    /// When this page was made.
    pub exported_at: Timestamp,
    /// The box.
    pub box_id: BoxId,
    /// What isn't in the queue; in the first page alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldOfBox>,
    /// Messages of the box's queue that have not expired, in ascending order of id and content hash.
    pub messages: Vec<HeldMessage>,
    /// What the next page is asked with; absent in the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Octets>,
}

/// What the server holds of a box beside its queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldOfBox {
    /// The answer to `GET /v1/account`.
    pub account: AccountResponse,
    /// The codes for which the box or its devices have asked: those of yesterday and today, the last first, 200 at most.
    pub registrations: Vec<HeldRegistration>,
    /// How much the box has uploaded, by the day.
    pub uploads: Vec<HeldUploads>,
}

/// A registration that the box or one of its devices has asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldRegistration {
    /// The registration.
    pub registration_id: RegistrationId,
    /// The identifier to which its codes were sent, as the server knows it.
    #[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
    pub identifier_hash: IdentifierHash,
    /// The device that asked.
    pub device_id: DeviceId,
    /// What for.
    pub purpose: HeldPurpose,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// How many codes were sent.
    pub codes: u32,
    /// How many were guessed wrong.
    pub wrong_guesses: u32,
    /// Whether a code of it was shown.
    pub shown: bool,
}

/// What a registration's code is shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HeldPurpose {
    /// To found the box.
    Found,
    /// To add the identifier to the box.
    Add,
    /// To object to a claim.
    Object,
}

/// How much a box has uploaded in a day. What it was is not known: nothing connects a box with a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldUploads {
    /// The day, in UTC.
    #[schema(example = "2026-11-24")]
    pub day: String,
    /// How many octets.
    pub octets: u64,
}

/// A message of a box's queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldMessage {
    /// The message's id in the queue.
    pub outer_id: OuterId,
    /// SHA-256 of its value.
    #[schema(value_type = String, format = "base64url")]
    pub content_hash: Sha256Digest,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// How many octets its value has; absent once nobody waits for it, and it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub octets: Option<u64>,
    /// Its value in the layout of `rossby_crypto::message`: the ciphertext, and its key for each device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Octets>,
    /// The devices for which it waits.
    pub waiting: Vec<DeviceId>,
    /// The devices that have confirmed it.
    pub confirmed: Vec<DeviceId>,
}
