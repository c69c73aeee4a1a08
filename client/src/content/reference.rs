//! Which message is meant.

use rossby_schemas::ids::{BoxId, MessageId};
use serde::{Deserialize, Serialize};

/// A message of the same conversation: its author's box, and its id. The id alone is the author's choice, and could be that of
/// another's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageRef {
    /// The box that wrote it.
    pub box_id: BoxId,
    /// Its id.
    pub message_id: MessageId,
}
