//! Kind 2000, as a signal: somebody writes, or has stopped.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Body, ContentError};

/// Tells those who are there that somebody writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Typing {
    /// The conversation, which is that of the signal's signed content.
    pub(crate) conversation: Uuid,
    /// Whether they write; if not, they have stopped.
    #[serde(rename = "typing")]
    pub(crate) is_typing: bool,
}

impl Typing {
    /// The kind's number.
    pub(crate) const KIND: u32 = 2000;
}

impl Body for Typing {
    fn check(&self) -> Result<(), ContentError> {
        Ok(())
    }
}
