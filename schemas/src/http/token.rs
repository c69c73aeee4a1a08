//! A device's token, asked for by its signature.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::encoding::FixedOctets;
use crate::ids::{BoxId, DeviceId};

/// Asks for the token of a device that belongs to a box: once it is linked, and again when its token is no longer good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// The box.
    pub box_id: BoxId,
    /// The device.
    pub device_id: DeviceId,
    /// The device's signature, in the layout of `rossby_crypto::authorize`.
    #[schema(value_type = String, format = "base64url")]
    pub signature: FixedOctets<64>,
}
