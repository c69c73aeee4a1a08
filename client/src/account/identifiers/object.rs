//! Objecting to a claim of one of the account's identifiers.

use rossby_crypto::account::{AccountChange, Objection, RecoveryObjection};
use rossby_crypto::keyed_hash::Code;
use rossby_crypto::recovery::RecoveryKey;
use rossby_schemas::http::account::CommandResponse;
use rossby_schemas::http::identifiers::{ClaimOnIdentifier, OwnIdentifier};
use rossby_schemas::ids::IdentifierHash;

use super::change::{CodeAsked, TRIES, is_overtaken};
use super::{IdentifierError, IdentifierRef};
use crate::Client;
use crate::account::Own;
use crate::error::ClientError;
use crate::http::Call;
use crate::store::identifiers::{self, AskedCode, KnownIdentifier};

/// What came of objecting.
#[derive(Debug, Clone)]
pub enum Objected {
    /// The claim has ended. The identifier, if it is known in the clear.
    Ended(Option<String>),
    /// A code was sent to the identifier, which is to be shown.
    CodeAsked(CodeAsked),
}

impl Client {
    /// Objects to a claim of one of the account's identifiers: at once by the recovery key, or by a code that is sent to the
    /// identifier, with which [`Self::confirm_code`] goes on.
    ///
    /// # Errors
    /// [`IdentifierError::NotClaimed`], [`ClientError::WrongRecoveryKey`], [`IdentifierError::NoSuch`], and what the server says.
    pub async fn object(&self, meant: &IdentifierRef, recovery: Option<&RecoveryKey>) -> Result<Objected, ClientError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (own, list) = self.audit_and_list().await?;
            let (known, listed) = self.listed(&list, meant).await?;
            let claim = listed.claim.ok_or_else(|| IdentifierError::NotClaimed(meant.to_string()))?;
            let Some(recovery) = recovery else {
                let identifier = known.identifier.as_deref();
                let identifier = identifier.ok_or_else(|| IdentifierError::NoSuch(meant.to_string()))?;
                let asked = self.ask_code(&own, identifier, Some(claim.claim_id)).await?;
                return Ok(Objected::CodeAsked(asked));
            };
            match self.object_by_key(&own, &known, &listed, claim, recovery).await {
                Err(error) if is_overtaken(&error) && tries < TRIES => {}
                other => return other.map(|()| Objected::Ended(known.identifier)),
            }
        }
    }

    async fn object_by_key(
        &self,
        own: &Own,
        known: &KnownIdentifier,
        listed: &OwnIdentifier,
        claim: ClaimOnIdentifier,
        recovery: &RecoveryKey,
    ) -> Result<(), ClientError> {
        let key = recovery.signing_key();
        if own.record.founded().content().recovery_key != Some(key.verification_key()) {
            return Err(ClientError::WrongRecoveryKey);
        }
        let (box_id, identifier, claim_id) = (own.record.box_id(), known.hash, claim.claim_id);
        let proof = Objection::RecoveryKey(RecoveryObjection { box_id, identifier, claim_id }.sign(&key));
        let change = AccountChange::ObjectToClaim { identifier, claim_id, proof };
        let request = self.signed_change(own, listed.version, change);
        let _: CommandResponse = self.ask(&own.device, &Call::post("/v1/account/commands", &request)).await?;
        Ok(())
    }

    /// Shows a code that was asked for to object, and objects.
    pub(super) async fn object_by_code(&self, own: &Own, asked: &AskedCode, code: &Code) -> Result<(), ClientError> {
        let claim_id = asked.claim_id.ok_or(IdentifierError::NoCodeAsked)?;
        let mut tries = 0;
        loop {
            tries += 1;
            let shown = self.show_code(own, asked.registration_id, code).await?;
            let identifier: IdentifierHash = shown.identifier_hash;
            let proof = Objection::Code(asked.registration_id);
            let change = AccountChange::ObjectToClaim { identifier, claim_id, proof };
            let request = self.signed_change(own, shown.version, change);
            let call = Call::post("/v1/account/commands", &request);
            let answer: Result<CommandResponse, _> = self.ask(&own.device, &call).await;
            match answer {
                Err(error) if is_overtaken(&error) && tries < TRIES => {}
                answer => {
                    answer?;
                    break;
                }
            }
        }
        let mut transaction = self.store.begin().await?;
        identifiers::forget_asked_code(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }
}
