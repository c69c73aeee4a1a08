//! Kind 8: messages have been delivered, or read.

use rossby_schemas::ids::MessageId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Body, ContentError, check_count};

/// How many messages one receipt is for at most.
pub(crate) const MAX_RECEIPTED: usize = 200;

/// Tells the author of messages what became of them. It is never receipted itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// What became of them.
    pub state: ReceiptState,
    /// The messages.
    pub message_ids: Vec<MessageId>,
    /// The group in which they were written; none for those of the conversation that the receipt stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Uuid>,
}

/// What became of a message at its recipient's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiptState {
    /// A device has it.
    Delivered,
    /// The person has read it, and so a device has it.
    Read,
}

impl ReceiptState {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }
}

impl Body for Receipt {
    fn check(&self) -> Result<(), ContentError> {
        check_count("message_ids", self.message_ids.len(), MAX_RECEIPTED)
    }
}
