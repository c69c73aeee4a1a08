//! Request key and profile.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::encoding::Octets;
use crate::ids::{BoxId, Head};

/// Looks a user up: by identifier, or by BoxID. Exactly one of the two.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LookupRequest {
    /// A phone number or an email address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "tel:+15551234567")]
    pub identifier: Option<String>,
    /// A box.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub box_id: Option<BoxId>,
}

impl std::fmt::Debug for LookupRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LookupRequest").field("box_id", &self.box_id).finish_non_exhaustive()
    }
}

/// A user's key record and profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LookupResponse {
    /// The box.
    pub box_id: BoxId,
    /// The key record.
    pub key_record: KeyRecordDocument,
    /// The encrypted profile; empty if there is none.
    pub profile: Octets,
}

/// A key record: every membership statement in its order, and the current sealing statement of each device. The client
/// verifies all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyRecordDocument {
    /// The head.
    pub head: Head,
    /// The membership statements, as signed.
    pub statements: Vec<Octets>,
    /// The sealing statements, as signed.
    pub sealing_statements: Vec<Octets>,
}
