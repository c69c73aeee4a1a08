//! Kind 5: an emoji on a message.

use serde::{Deserialize, Serialize};

use super::{Body, ContentError, MessageRef};

/// How many octets an emoji has at most: families with skin tones are made of many characters.
const MAX_EMOJI_OCTETS: usize = 64;

/// An emoji on a message, or none any more. For each author and emoji the last counts, by time and message id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// The message.
    pub to: MessageRef,
    /// The emoji. That it is one is not checked: there are new ones each year.
    pub emoji: String,
    /// Whether it is taken away.
    #[serde(default)]
    pub removed: bool,
}

impl Body for Reaction {
    fn check(&self) -> Result<(), ContentError> {
        let is_blank = |c: char| c.is_control() || c.is_whitespace();
        match self.emoji.len() {
            0 => Err(ContentError::field("emoji", "is empty")),
            octets if octets > MAX_EMOJI_OCTETS => Err(ContentError::field(
                "emoji",
                format!("has {octets} octets; at most {MAX_EMOJI_OCTETS} can be sent"),
            )),
            _ if self.emoji.chars().any(is_blank) => {
                Err(ContentError::field("emoji", "has blanks or control characters"))
            }
            _ => Ok(()),
        }
    }
}
