//! Kind 2: a text that answers another message.

use serde::{Deserialize, Serialize};

use super::{Body, ContentError, MessageRef, check_text};

/// A text that answers another message of the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The message that is answered.
    pub to: MessageRef,
    /// The text.
    pub text: String,
}

impl Body for Reply {
    fn check(&self) -> Result<(), ContentError> {
        check_text("text", &self.text).map(|_| ())
    }
}
