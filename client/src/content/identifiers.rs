//! Kind 1007, among the own devices: which identifiers the box has, in the clear.

use rossby_crypto::account::MAX_IDENTIFIERS;
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::IdentifierHash;
use rossby_schemas::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Body, ContentError, check_count};

/// What a device knows of the box's identifiers. Of what the devices say of one, the latest counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnIdentifiers {
    /// The identifiers.
    pub(crate) identifiers: Vec<OwnIdentifierState>,
}

/// What a device knows of an identifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnIdentifierState {
    /// The identifier, as a URI in its normal form.
    pub(crate) identifier: String,
    /// The same, as the server knows it.
    pub(crate) identifier_hash: IdentifierHash,
    /// Whether the box has it; false once it was taken away.
    pub(crate) is_own: bool,
    /// Since when.
    pub(crate) changed_at: Timestamp,
}

impl Body for OwnIdentifiers {
    fn check(&self) -> Result<(), ContentError> {
        check_count("identifiers", self.identifiers.len(), MAX_IDENTIFIERS)?;
        let is_normal = |text: &str| text.parse::<Identifier>().is_ok_and(|parsed| parsed.as_uri() == text);
        match self.identifiers.iter().find(|state| !is_normal(&state.identifier)) {
            Some(_) => Err(ContentError::field("identifiers", "has an entry that is no identifier in its normal form")),
            None => Ok(()),
        }
    }
}
