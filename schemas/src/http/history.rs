//! The history of an account, for its own devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::encoding::{Octets, Sha256Digest};
use crate::ids::{BoxId, DeviceId, EventId, RegionNumber};
use crate::time::Timestamp;

/// How many entries a page of a history has at most.
pub const MAX_HISTORY: u32 = 500;

/// A page of an account's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryResponse {
    /// The box.
    pub box_id: BoxId,
    /// What was admitted of the account's events, stream by stream: its identifiers', then its key record's, then its profile's,
    /// each in ascending order of versions.
    pub entries: Vec<HistoryEntry>,
    /// What the next page is asked with; absent in the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Octets>,
}

/// An event of an account, as it took effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// The topic of its stream: `rossby.identifiers`, `rossby.keys` or `rossby.profiles`.
    pub topic: String,
    /// Its stream: the hash of an identifier, or the BoxID.
    pub stream: String,
    /// The version that it gave its stream. Those of the key record and of the profile have no gaps; an identifier's stream has
    /// others' events too, which are not told of.
    pub version: u64,
    /// The event.
    pub event_id: EventId,
    /// Its type, with its version.
    pub event_type: String,
    /// The region that wrote it.
    pub region: RegionNumber,
    /// When it was accepted, as the server says.
    pub time: Timestamp,
    /// The device that did it, if the event names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<DeviceId>,
    /// SHA-256 of its data.
    #[schema(value_type = String, format = "base64url")]
    pub data_hash: Sha256Digest,
    /// Its data, as it is in the log; absent where it is another account's too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Octets>,
    /// The hash of the chain up to it, as `rossby_crypto::history` makes it over the entries of its stream that are given.
    #[schema(value_type = String, format = "base64url")]
    pub hash: Sha256Digest,
}
