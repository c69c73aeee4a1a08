//! Who has lost all devices proves the identifier again and gets it for a new box, after a time in which the old devices can
//! object. What the old box had is not recovered.

use rossby_crypto::authorize::{AuthorizeProof, ClaimProof};
use rossby_schemas::http::identifiers::{ClaimRequest, ClaimResponse, ClaimState, FollowClaimRequest};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{CommandId, RegistrationId};
use rossby_schemas::time::Timestamp;
use uuid::Uuid;

use super::identifiers::{IdentifierError, address};
use super::register::code;
use super::{Account, RegisterOptions, Registration};
use crate::Client;
use crate::error::ClientError;
use crate::http::Call;
use crate::store::device::Device;

/// How far an identifier is recovered.
#[derive(Debug)]
pub enum Recovery {
    /// A code was sent to it.
    CodeSent(Registration),
    /// It is claimed, and this account's from then on unless a device of the old one objects.
    Waits {
        /// The identifier.
        identifier: String,
        /// Until when.
        until: Timestamp,
    },
    /// It is this account's.
    Done(Account),
}

impl Client {
    /// Begins to get an identifier back for a new account, with new keys: a code is sent to it. Go on with
    /// [`Self::authorize_or_claim`]. If that was done before, goes on with the claim.
    ///
    /// # Errors
    /// [`ClientError::AlreadyRegistered`], [`ClientError::Registering`] for another identifier, [`IdentifierError`] for a claim
    /// that has ended, and what the server says.
    pub async fn recover(&self, identifier: &Identifier, options: RegisterOptions) -> Result<Recovery, ClientError> {
        let claims = self.store.under_way().await?.claim_until.is_some();
        if claims && !options.start_over {
            let device = self.store.device(&self.vault).await?.ok_or(ClientError::NotRegistered)?;
            if device.identifier != identifier.as_uri() {
                return Err(ClientError::Registering(device.identifier));
            }
            return self.follow_recovery().await;
        }
        let registration = self.register(identifier, options).await?;
        self.store.recovers().await?;
        Ok(Recovery::CodeSent(registration))
    }

    /// Shows the code that came to the identifier. If it leads to an account already, and the person has said that all devices of
    /// that are lost, claims it.
    ///
    /// # Errors
    /// As [`Self::authorize`].
    pub async fn authorize_or_claim(&self, digits: &str) -> Result<Recovery, ClientError> {
        let under_way = self.store.under_way().await?;
        if under_way.claim_until.is_some() {
            return self.follow_recovery().await;
        }
        match self.authorize(digits).await {
            Err(ClientError::Identifier(IdentifierError::AccountTaken(_))) if under_way.recovers => {}
            other => return other.map(Recovery::Done),
        }
        let code = code(digits)?;
        let device = self.store.device(&self.vault).await?.ok_or(ClientError::NotRegistered)?;
        let (registration_id, _) = device.registration.ok_or(ClientError::NotRegistered)?;
        let proof = AuthorizeProof { registration_id, device_id: device.device_id, code: &code };
        let request = ClaimRequest {
            command_id: CommandId(Uuid::new_v4()),
            device_id: device.device_id,
            code: code.digits().to_owned(),
            identifier: device.identifier.clone(),
            signature: proof.sign(&device.signing_key),
        };
        let path = format!("/v1/registrations/{registration_id}/claim");
        let claim: ClaimResponse = match self.http.call(&Call::post(path, &request), None).await {
            // It was let go in between.
            Err(ClientError::Refused(problem)) if problem.problem_type() == Some(ProblemType::IdentifierNotTaken) => {
                return self.authorize(digits).await.map(Recovery::Done);
            }
            other => other?,
        };
        self.heed_claim(&device, registration_id, &claim).await
    }

    /// Goes on with the claim of this home's identifier.
    ///
    /// # Errors
    /// [`IdentifierError::NotRecovering`], [`IdentifierError::Objected`] or [`IdentifierError::Replaced`] for a claim that has
    /// ended, and what the server says.
    pub async fn follow_recovery(&self) -> Result<Recovery, ClientError> {
        let device = self.store.device(&self.vault).await?.ok_or(IdentifierError::NotRecovering)?;
        if device.token.is_some() {
            return Err(ClientError::AlreadyRegistered(device.identifier));
        }
        let under_way = self.store.under_way().await?;
        if under_way.recovers && under_way.claim_until.is_none() {
            return Err(ClientError::NotAuthorized(device.identifier));
        }
        let (claim_id, _) =
            device.registration.filter(|_| under_way.claim_until.is_some()).ok_or(IdentifierError::NotRecovering)?;
        let proof = ClaimProof { claim_id, device_id: device.device_id };
        let request = FollowClaimRequest { device_id: device.device_id, signature: proof.sign(&device.signing_key) };
        let call = Call::post(format!("/v1/claims/{claim_id}"), &request);
        let claim: ClaimResponse = match self.http.call(&call, None).await {
            // Forgotten long after it ended.
            Err(error) if error.problem() == Some(ProblemType::NoSuchClaim) => {
                self.store.set_claim(None, CommandId(Uuid::new_v4())).await?;
                return Err(IdentifierError::NotRecovering.into());
            }
            other => other?,
        };
        self.heed_claim(&device, claim_id, &claim).await
    }

    async fn heed_claim(
        &self,
        device: &Device,
        claim_id: RegistrationId,
        claim: &ClaimResponse,
    ) -> Result<Recovery, ClientError> {
        if claim.claim_id != claim_id {
            return Err(ClientError::bad_answer("it is about another claim"));
        }
        let identifier = address(&device.identifier).to_owned();
        let ended = match claim.state {
            ClaimState::Open => {
                self.store.set_claim(Some(claim.effective_at), device.register_command).await?;
                return Ok(Recovery::Waits { identifier: device.identifier.clone(), until: claim.effective_at });
            }
            ClaimState::Effective => {
                let answer = claim.authorized.as_ref().ok_or_else(|| ClientError::bad_answer("it gives no token"))?;
                let token = self.open_token(device, answer).await?;
                self.store.authorized(&self.vault, &token).await?;
                return self.account().await.map(Recovery::Done);
            }
            ClaimState::Objected => IdentifierError::Objected(identifier),
            ClaimState::Replaced => IdentifierError::Replaced(identifier),
        };
        // The next one is another registration, with the same keys.
        self.store.set_claim(None, CommandId(Uuid::new_v4())).await?;
        Err(ended.into())
    }
}
