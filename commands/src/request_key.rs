//! Request key and profile: by identifier or by BoxID. No such user, not discoverable, and not allowed are one answer.

use rossby_projections::{Profile, StoredKeyRecord};
use rossby_schemas::http::lookup::{KeyRecordDocument, LookupRequest, LookupResponse};
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{BoxId, Head};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::error::{CommandError, Refusal};
use crate::permission::Relation;
use crate::service::Service;
use crate::token::Caller;

/// The record as clients get it, who verify all of it. A closed box has none.
fn document(record: &StoredKeyRecord) -> Option<KeyRecordDocument> {
    let last = record.statements.last()?;
    let hash: [u8; 32] = Sha256::digest(last.as_slice()).into();
    let version = u32::try_from(record.statements.len()).ok()?;
    Some(KeyRecordDocument {
        head: Head { version, hash: hash.into() },
        statements: record.statements.clone(),
        sealing_statements: record.sealing_statements.clone(),
    })
}

impl Service {
    /// The key record and profile of a user that the caller may find.
    ///
    /// # Errors
    /// [`Refusal::NoSuchRecipient`] whatever the reason; [`Refusal::Invalid`] for what is no identifier.
    pub async fn request_key(&self, caller: Caller, request: &LookupRequest) -> Result<LookupResponse, CommandError> {
        let begun = Instant::now();
        let answer = self.find(caller, request).await;
        if let Err(CommandError::Refused(Refusal::NoSuchRecipient)) = answer {
            self.until_refusal(begun).await;
        }
        answer
    }

    async fn find(&self, caller: Caller, request: &LookupRequest) -> Result<LookupResponse, CommandError> {
        let asked = match (&request.identifier, request.box_id) {
            (Some(text), None) => {
                let identifier: Identifier = text.parse().map_err(|error| Refusal::invalid("/identifier", error))?;
                let hash = self.secrets.current().identifier_hash(&identifier);
                let owner = self.models.identifier(hash).await?.owner;
                owner.filter(|owner| owner.founded && !owner.closing).map(|owner| owner.box_id)
            }
            (None, Some(box_id)) => Some(box_id),
            _ => return Err(Refusal::invalid("", "must have exactly one of identifier and box_id").into()),
        };
        // The same query for a box that isn't there. The nil box is nobody's.
        let box_id = asked.unwrap_or(BoxId::from_bytes([0; 16]));
        // Who may not find it gets no further, whatever the reason: the answer takes the same work.
        if !self.relation(caller, box_id).await?.may_find() {
            return Err(Refusal::NoSuchRecipient.into());
        }
        let record = self.models.key_record(box_id).await?;
        let Profile { blob, .. } = self.models.profile(box_id).await?;
        match record.as_ref().and_then(document) {
            Some(key_record) => Ok(LookupResponse { box_id, key_record, profile: blob }),
            None => Err(Refusal::NoSuchRecipient.into()),
        }
    }

    /// How the caller's box stands to another.
    pub(crate) async fn relation(&self, caller: Caller, asked: BoxId) -> Result<Relation, CommandError> {
        let tag = self.secrets.current().acl_key(asked).tag(caller.box_id);
        Ok(Relation::new(caller.box_id, asked, self.models.permission(asked, tag).await?))
    }
}
