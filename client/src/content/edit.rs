//! Kind 3: another text for a message of the same author.

use rossby_schemas::ids::MessageId;
use serde::{Deserialize, Serialize};

use super::{Body, ContentError, check_text};

/// Another text for one's own text or reply. Of several the last counts, by time and message id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The message, whose author is this one's: the box, whichever of its devices.
    pub message_id: MessageId,
    /// The text that it has now.
    pub text: String,
}

impl Body for Edit {
    fn check(&self) -> Result<(), ContentError> {
        check_text("text", &self.text).map(|_| ())
    }
}
