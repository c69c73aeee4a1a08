//! Claims: somebody who has shown the code of an identifier, which belongs to another box, gets it after a time in which that
//! box's devices can object. For a new box, of a person who has lost all devices, or for one that is there.
//!
//! All is decided on the identifier's stream: the claim, an objection, and that it takes effect, which is a command's doing
//! and no clock's: that of whoever claims, or of the loop in the background. `docs/adr` says who can hinder whom.

mod follow;

use std::sync::Arc;

use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_crypto::authorize::AuthorizeProof;
use rossby_crypto::keyed_hash::Code;
use rossby_projections::{Claim, IdentifierState, Registration};
use rossby_schemas::events::Event;
use rossby_schemas::events::identifiers::IdentifierClaimedV1;
use rossby_schemas::http::identifiers::{ClaimForBoxRequest, ClaimRequest, ClaimResponse, ClaimState};
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::RegistrationId;
use rossby_schemas::time::Timestamp;

use crate::append::Stream;
use crate::authorize::{founded_before, founder_s_record, founding};
use crate::config::Limits;
use crate::error::{CommandError, Refusal};
use crate::executor::{Decision, Loaded, Running, WhenSuperseded};
use crate::identifier_command::shown_to_add;
use crate::identity::CommandIdentity;
use crate::service::Service;
use crate::token::Caller;

/// What a claim is decided on.
struct State {
    identifier: IdentifierState,
    /// This very claim, if it was made before: a code claims once.
    claim: Option<Claim>,
    /// Whether the box that it is for was founded already.
    founded: bool,
}

/// What a claim comes to, for one who has shown the code. A claim that waits gives way to it: whoever showed the code last
/// is who has the identifier now.
fn decide(
    state: &State,
    template: &IdentifierClaimedV1,
    signed_version: Option<u64>,
    now: Timestamp,
    limits: &Limits,
) -> Result<Decision, Refusal> {
    if state.claim.is_some() {
        return Ok(Decision::Nothing);
    }
    let owner = state.identifier.owner.as_ref().filter(|owner| !owner.closing && owner.box_id != template.box_id);
    let owner = owner.ok_or(Refusal::IdentifierNotTaken)?;
    if template.founding.is_some() && state.founded {
        return Err(founded_before());
    }
    let current = state.identifier.version;
    if signed_version.is_some_and(|signed| signed != current) {
        return Err(Refusal::VersionConflict { current });
    }
    if let Some(objected_at) = owner.objected_at {
        let until = objected_at.plus(limits.claim_wait);
        if now < until {
            return Err(Refusal::ClaimTooSoon { retry_after: until.since(now).as_secs().max(1) });
        }
    }
    Ok(Decision::Append(Event::IdentifierClaimedV1(IdentifierClaimedV1 {
        owner: owner.box_id,
        effective_at: now.plus(limits.claim_wait),
        ..template.clone()
    })))
}

/// A claim of a registration's identifier, without what the decision adds.
fn template(registration: &Registration, now: Timestamp) -> IdentifierClaimedV1 {
    IdentifierClaimedV1 {
        claim_id: registration.id,
        identifier_hash: registration.identifier_hash,
        secret_number: registration.secret_number,
        slot: registration.slot,
        owner: registration.box_id,
        box_id: registration.box_id,
        device_id: registration.device_id,
        effective_at: now,
        founding: None,
        signed: None,
    }
}

fn response(claim: &Claim) -> ClaimResponse {
    ClaimResponse { claim_id: claim.id, state: state(claim.state), effective_at: claim.effective_at, authorized: None }
}

/// A claim's state, as the API names it.
pub(crate) const fn state(state: rossby_projections::ClaimState) -> ClaimState {
    match state {
        rossby_projections::ClaimState::Open => ClaimState::Open,
        rossby_projections::ClaimState::Objected => ClaimState::Objected,
        rossby_projections::ClaimState::Replaced => ClaimState::Replaced,
        rossby_projections::ClaimState::Effective => ClaimState::Effective,
    }
}

impl Service {
    /// Claims the identifier of a registration, which belongs to another box, for the box that it is to found.
    ///
    /// # Errors
    /// [`Refusal`] for a proof that does not verify, a wrong or spent code, an identifier that belongs to nobody, a claim too
    /// soon after an objection, a box that was founded before.
    pub async fn claim_identifier(
        &self,
        id: RegistrationId,
        request: &ClaimRequest,
    ) -> Result<ClaimResponse, CommandError> {
        let code: Code = request.code.parse().map_err(|error| Refusal::invalid("/code", error))?;
        let identifier: Identifier =
            request.identifier.parse().map_err(|error| Refusal::invalid("/identifier", error))?;
        let registration = self.models.registration(id).await?.ok_or(Refusal::NoSuchRegistration)?;
        let founding = founding(&registration).ok_or(Refusal::NoSuchRegistration)?;
        self.check_named(&registration, &identifier)?;
        if registration.device_id != request.device_id {
            return Err(Refusal::NoSuchRegistration.into());
        }
        let proof = AuthorizeProof { registration_id: id, device_id: request.device_id, code: &code };
        founder_s_record(&founding, &proof, &request.signature)?;

        let fields: [&[u8]; 3] = [id.as_bytes(), request.device_id.as_bytes(), request.signature.as_slice()];
        let running = self.executor.begin(CommandIdentity::new(request.command_id, "claim", &fields)).await?;
        self.guess(&running, &registration, &code).await?;
        let template = IdentifierClaimedV1 { founding: Some(founding), ..template(&registration, self.now()) };
        self.claim(&running, 1, &template, None).await?;
        self.claimed(&running, id, &identifier).await
    }

    /// Claims an identifier, which belongs to another box, for the caller's box. The caller's device has shown the code, and
    /// has signed the command that adds the identifier.
    ///
    /// # Errors
    /// [`Refusal`] for what does not verify, a code that was not shown, an identifier that belongs to nobody else, a claim too
    /// soon after an objection, a box that has as many identifiers as it may.
    pub async fn claim_for_box(
        &self,
        caller: Caller,
        id: RegistrationId,
        request: &ClaimForBoxRequest,
    ) -> Result<ClaimResponse, CommandError> {
        let identifier: Identifier =
            request.identifier.parse().map_err(|error| Refusal::invalid("/identifier", error))?;
        let (command, signed) = self.verified_command(caller, &request.command, &request.signature).await?;
        let AccountChange::AddIdentifier { identifier: hash, registration_id } = command.change else {
            return Err(Refusal::statement("/command", "adds no identifier").into());
        };
        if registration_id != id {
            return Err(Refusal::statement("/command", "names another registration").into());
        }
        let registration = self.models.registration(id).await?;
        let registration = shown_to_add(registration.as_ref(), hash, &command)?;
        self.check_named(registration, &identifier)?;
        self.check_room(caller, hash).await?;
        let fields: [&[u8]; 2] = [request.command.as_slice(), request.signature.as_slice()];
        let running = self.executor.begin(CommandIdentity::new(command.command_id, "claim-for-box", &fields)).await?;
        let template = IdentifierClaimedV1 { signed: Some(signed), ..template(registration, self.now()) };
        self.claim(&running, 0, &template, Some(&command)).await?;
        self.claimed(&running, id, &identifier).await
    }

    /// Refuses an identifier that is not the registration's.
    fn check_named(&self, registration: &Registration, identifier: &Identifier) -> Result<(), CommandError> {
        let hash = self.secret(registration.secret_number)?.identifier_hash(identifier);
        if hash == registration.identifier_hash { Ok(()) } else { Err(Refusal::NoSuchRegistration.into()) }
    }

    /// One step of a command: the claim.
    async fn claim(
        &self,
        running: &Running,
        step: u32,
        template: &IdentifierClaimedV1,
        signed: Option<&AccountCommand>,
    ) -> Result<(), CommandError> {
        let (hash, id) = (template.identifier_hash, template.claim_id);
        let load = || async {
            let loaded = self.identifier_state(hash).await?;
            let claim = self.models.claim(id).await?;
            let founded = self.is_founded(template.box_id).await?;
            Ok(Loaded { version: loaded.version, state: State { identifier: loaded.state, claim, founded } })
        };
        let version = signed.map(|command| command.expected_version);
        let decide = |state: &State| decide(state, template, version, self.now(), &self.config.limits);
        let when = if signed.is_some() { WhenSuperseded::Conflict } else { WhenSuperseded::DecideAgain };
        self.executor.step(running, &Stream::identifier(hash), step, when, load, decide).await.map(|_| ())
    }

    /// The answer to a claim that was made, once the identifier's person is told of it, in a task of its own.
    async fn claimed(
        &self,
        running: &Running,
        id: RegistrationId,
        identifier: &Identifier,
    ) -> Result<ClaimResponse, CommandError> {
        let claim = self.models.claim(id).await.map_err(|error| running.half_done(error.into()))?;
        let claim = claim.ok_or(Refusal::NoSuchClaim)?;
        if claim.state == rossby_projections::ClaimState::Open && self.sent.is_first(id, NOTICE) {
            let (sender, sent, identifier) = (Arc::clone(&self.sender), self.sent.clone(), identifier.clone());
            let effective_at = claim.effective_at;
            self.sending.spawn(async move {
                if let Err(error) = sender.tell_of_claim(&identifier, effective_at).await {
                    sent.forget(id, NOTICE);
                    tracing::error!(claim.id = %id, %error, "the notice of a claim could not be sent");
                }
            });
        }
        Ok(response(&claim))
    }
}

/// Codes are numbered from 1: this is the notice that goes out once.
const NOTICE: u32 = 0;

#[cfg(test)]
mod tests;
