//! Kind 1003, among the own devices: what another of them has shown.

use serde::{Deserialize, Serialize};

use super::{Body, ContentError, MessageRef, check_count};

/// How many messages one such message names at most.
pub(crate) const MAX_MARKED: usize = 200;

/// Messages that the person has read on the sending device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReadMarks {
    /// The messages, by author and id: an id alone could be that of another's message.
    pub(crate) messages: Vec<MessageRef>,
}

impl Body for ReadMarks {
    fn check(&self) -> Result<(), ContentError> {
        check_count("messages", self.messages.len(), MAX_MARKED)
    }
}
