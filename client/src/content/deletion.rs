//! Kind 4: takes a message of the same author back, for everyone.

use rossby_schemas::ids::MessageId;
use serde::{Deserialize, Serialize};

use super::{Body, ContentError};

/// Takes one's own message back: what it says is erased wherever this comes, and its place in the chain stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// The message, whose author is this one's.
    pub message_id: MessageId,
}

impl Body for Deletion {
    fn check(&self) -> Result<(), ContentError> {
        Ok(())
    }
}
