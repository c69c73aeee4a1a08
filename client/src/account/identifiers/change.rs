//! Adding an identifier, in two steps, and taking one away.

use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_crypto::authorize::AuthorizeProof;
use rossby_crypto::keyed_hash::Code;
use rossby_schemas::http::account::{AccountCommandRequest, CommandResponse};
use rossby_schemas::http::identifiers::{
    AskCodeRequest, AskCodeResponse, ClaimForBoxRequest, ClaimResponse, ShowCodeRequest, ShowCodeResponse,
};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{CommandId, RegistrationId};
use rossby_schemas::time::Timestamp;
use uuid::Uuid;

use super::{IdentifierError, IdentifierRef, address};
use crate::Client;
use crate::account::Own;
use crate::account::register::code;
use crate::error::ClientError;
use crate::http::Call;
use crate::store::identifiers::{self, AskedCode, IdentifierStanding, KnownIdentifier};

/// How often a command that another's overtook is signed anew.
pub(super) const TRIES: u32 = 5;

/// A code is on its way.
#[derive(Debug, Clone)]
pub struct CodeAsked {
    /// The identifier to which it was sent.
    pub identifier: String,
    /// When it stops being good.
    pub code_expires_at: Timestamp,
}

/// What came of a code that was shown.
#[derive(Debug, Clone)]
pub enum Confirmed {
    /// The identifier is the account's.
    Added(String),
    /// The identifier is another account's, and claimed for this one: from then on it is this one's, unless the other objects.
    Claimed {
        /// The identifier.
        identifier: String,
        /// From when on.
        effective_at: Timestamp,
    },
    /// The claim of the identifier has ended.
    Objected(String),
}

impl Client {
    /// Sends a code to an identifier that the account is to have too. Go on with [`Self::confirm_code`].
    ///
    /// # Errors
    /// [`IdentifierError::Own`] if it has it, and what the server says.
    pub async fn add_identifier(&self, identifier: &Identifier) -> Result<CodeAsked, ClientError> {
        let (own, list) = self.audit_and_list().await?;
        if self.listed(&list, &IdentifierRef::Identifier(identifier.clone())).await.is_ok() {
            return Err(IdentifierError::Own(identifier.address().to_owned()).into());
        }
        self.ask_code(&own, identifier.as_uri(), None).await
    }

    /// Asks for a code, and keeps what it is for.
    pub(super) async fn ask_code(
        &self,
        own: &Own,
        identifier: &str,
        object_to: Option<RegistrationId>,
    ) -> Result<CodeAsked, ClientError> {
        let identifier = identifier.to_owned();
        let request = AskCodeRequest { command_id: CommandId(Uuid::new_v4()), identifier, object_to };
        let answer: AskCodeResponse = self.ask(&own.device, &Call::post("/v1/account/identifiers", &request)).await?;
        let (registration_id, identifier) = (answer.registration_id, request.identifier);
        let asked = AskedCode { registration_id, identifier, claim_id: object_to };
        let mut transaction = self.store.begin().await?;
        identifiers::keep_asked_code(&mut transaction, &self.vault, &asked).await?;
        transaction.commit().await?;
        Ok(CodeAsked { identifier: asked.identifier, code_expires_at: answer.code_expires_at })
    }

    /// Shows the code that came last, and does what it was asked for: adds the identifier, or objects to the claim. `claim` claims
    /// an identifier that another account has. Repeating it is safe.
    ///
    /// # Errors
    /// [`IdentifierError::NoCodeAsked`], [`ClientError::NotACode`], [`IdentifierError::Taken`], and what the server says.
    pub async fn confirm_code(&self, digits: &str, claim: bool) -> Result<Confirmed, ClientError> {
        let code = code(digits)?;
        let own = self.audit().await?;
        let asked = identifiers::asked_code(&mut *self.store.read().await?, &self.vault).await?;
        let asked = asked.ok_or(IdentifierError::NoCodeAsked)?;
        if asked.claim_id.is_some() {
            self.object_by_code(&own, &asked, &code).await?;
            return Ok(Confirmed::Objected(asked.identifier));
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let shown = match self.show_code(&own, asked.registration_id, &code).await {
                Err(ClientError::Refused(problem)) if problem.problem_type() == Some(ProblemType::IdentifierTaken) => {
                    let (Some(identifier_hash), Some(version)) = (problem.identifier_hash, problem.current_version)
                    else {
                        return Err(ClientError::bad_answer("it doesn't say which identifier is taken"));
                    };
                    let shown = ShowCodeResponse { identifier_hash, version };
                    if !claim {
                        return Err(IdentifierError::Taken(address(&asked.identifier).to_owned()).into());
                    }
                    match self.claim_shown(&own, &asked, &shown).await {
                        Err(error) if is_overtaken(&error) && tries < TRIES => continue,
                        other => return other,
                    }
                }
                other => other?,
            };
            match self.add_shown(&own, &asked, &shown).await {
                Err(error) if is_overtaken(&error) && tries < TRIES => {}
                other => return other,
            }
        }
    }

    /// Shows a code. Gives what a command about the identifier is signed on.
    pub(super) async fn show_code(
        &self,
        own: &Own,
        registration_id: RegistrationId,
        code: &Code,
    ) -> Result<ShowCodeResponse, ClientError> {
        let proof = AuthorizeProof { registration_id, device_id: own.device.device_id, code };
        let request = ShowCodeRequest {
            command_id: CommandId(Uuid::new_v4()),
            code: code.digits().to_owned(),
            signature: proof.sign(&own.device.signing_key),
        };
        let path = format!("/v1/account/identifiers/{registration_id}/code");
        self.ask(&own.device, &Call::post(path, &request)).await
    }

    async fn add_shown(
        &self,
        own: &Own,
        asked: &AskedCode,
        shown: &ShowCodeResponse,
    ) -> Result<Confirmed, ClientError> {
        let change =
            AccountChange::AddIdentifier { identifier: shown.identifier_hash, registration_id: asked.registration_id };
        let request = self.signed_change(own, shown.version, change);
        let _: CommandResponse = self.ask(&own.device, &Call::post("/v1/account/commands", &request)).await?;
        let known = KnownIdentifier {
            hash: shown.identifier_hash,
            identifier: Some(asked.identifier.clone()),
            standing: IdentifierStanding::Own,
            changed_at: self.now(),
        };
        let mut transaction = self.store.begin().await?;
        self.keep_identifier(&mut transaction, own, &known).await?;
        identifiers::forget_asked_code(&mut transaction).await?;
        transaction.commit().await?;
        self.flush().await?;
        Ok(Confirmed::Added(asked.identifier.clone()))
    }

    async fn claim_shown(
        &self,
        own: &Own,
        asked: &AskedCode,
        shown: &ShowCodeResponse,
    ) -> Result<Confirmed, ClientError> {
        let registration_id = asked.registration_id;
        let change = AccountChange::AddIdentifier { identifier: shown.identifier_hash, registration_id };
        let AccountCommandRequest { command, signature } = self.signed_change(own, shown.version, change);
        let request = ClaimForBoxRequest { command, signature, identifier: asked.identifier.clone() };
        let path = format!("/v1/account/identifiers/{registration_id}/claim");
        let claim: ClaimResponse = self.ask(&own.device, &Call::post(path, &request)).await?;
        let known = KnownIdentifier {
            hash: shown.identifier_hash,
            identifier: Some(asked.identifier.clone()),
            standing: IdentifierStanding::Claimed,
            changed_at: self.now(),
        };
        let mut transaction = self.store.begin().await?;
        identifiers::put(&mut transaction, &self.vault, &known).await?;
        identifiers::forget_asked_code(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Confirmed::Claimed { identifier: asked.identifier.clone(), effective_at: claim.effective_at })
    }

    /// Takes an identifier away from the account: it leads nowhere from then on, and anyone who can show its code can have it.
    /// Gives it, in the clear if that is known.
    ///
    /// # Errors
    /// [`IdentifierError::NoSuch`], [`IdentifierError::Ambiguous`], and what the server says: the last one stays.
    pub async fn remove_identifier(&self, meant: &IdentifierRef) -> Result<Option<String>, ClientError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (own, list) = self.audit_and_list().await?;
            let (known, listed) = self.listed(&list, meant).await?;
            let request = self.signed_change(&own, listed.version, AccountChange::RemoveIdentifier(known.hash));
            let call = Call::post("/v1/account/commands", &request);
            let answer: Result<CommandResponse, _> = self.ask(&own.device, &call).await;
            match answer {
                Err(error) if is_overtaken(&error) && tries < TRIES => continue,
                answer => answer?,
            };
            let gone = KnownIdentifier { standing: IdentifierStanding::Gone, changed_at: self.now(), ..known };
            let mut transaction = self.store.begin().await?;
            self.keep_identifier(&mut transaction, &own, &gone).await?;
            transaction.commit().await?;
            self.flush().await?;
            return Ok(gone.identifier);
        }
    }

    /// A change of the account, signed on this version of its stream.
    pub(crate) fn signed_change(&self, own: &Own, version: u64, change: AccountChange) -> AccountCommandRequest {
        let command = AccountCommand {
            command_id: CommandId(Uuid::new_v4()),
            box_id: own.device.box_id,
            expected_version: version,
            device_id: own.device.device_id,
            time: self.now(),
            change,
        };
        let signed = command.sign(&own.device.signing_key);
        AccountCommandRequest { command: signed.command, signature: signed.signature }
    }
}

/// Whether another command came before it.
pub(super) fn is_overtaken(error: &ClientError) -> bool {
    error.problem() == Some(ProblemType::VersionConflict)
}
