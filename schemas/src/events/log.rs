//! Events about the log itself, which may stand in any topic, outside all streams.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoding::Sha256Digest;
use crate::ids::EventId;

/// A region says what a stretch of one of its partitions holds, so that readers of a mirror can see what it skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartitionCheckpointV1 {
    /// The last event before the stretch; none at the partition's start.
    pub after: Option<EventId>,
    /// The last event of the stretch.
    pub up_to: EventId,
    /// How many events the stretch has.
    pub events: u64,
    /// The XOR of the SHA-256 of their ids' 16 octets.
    pub xor: Sha256Digest,
}
