//! Commands that change which identifiers a box has, signed by the device over the identifier's stream.

use rossby_crypto::account::{AccountChange, AccountCommand, Objection, RecoveryObjection};
use rossby_crypto::signing::VerificationKey;
use rossby_projections::{Claim, IdentifierState, Purpose, Registration};
use rossby_schemas::events::identifiers::{
    ClaimObjectedV1, IdentifierReleasedV2, IdentifierVerifiedV2, ObjectionProof,
};
use rossby_schemas::events::{Event, SignedCommand};
use rossby_schemas::http::account::CommandResponse;
use rossby_schemas::ids::{BoxId, IdentifierHash, RegistrationId};

use crate::append::Stream;
use crate::ask_code::is_of;
use crate::config::Limits;
use crate::error::{CommandError, Refusal};
use crate::executor::{Decision, Loaded, Running, WhenSuperseded};
use crate::service::Service;
use crate::token::Caller;

const FIELD: &str = "/command";

/// What a decision about an identifier rests on.
struct State {
    identifier: IdentifierState,
    /// How many identifiers the box has, as this region knows their streams.
    own: usize,
    /// The registration that the command names.
    registration: Option<Registration>,
    /// For an objection: the claim of the identifier that waits.
    open: Option<Claim>,
    /// For an objection: the box's recovery key, if it has one.
    recovery_key: Option<VerificationKey>,
}

/// What a signed change comes to. Who has no part in the identifier learns nothing of it, its stream's version neither.
fn decide(
    state: &State,
    command: &AccountCommand,
    signed: &SignedCommand,
    limits: &Limits,
) -> Result<Decision, Refusal> {
    match &command.change {
        AccountChange::AddIdentifier { identifier, .. } => decide_added(state, *identifier, command, signed, limits),
        AccountChange::RemoveIdentifier(identifier) => decide_removed(state, *identifier, command, signed),
        AccountChange::ObjectToClaim { identifier, claim_id, proof } => {
            decide_objected(state, (*identifier, *claim_id), proof, command, signed, limits)
        }
        _ => Err(Refusal::statement(FIELD, "is about no identifier")),
    }
}

/// Only the signed version will do.
fn check_version(state: &State, command: &AccountCommand) -> Result<(), Refusal> {
    let current = state.identifier.version;
    if command.expected_version == current { Ok(()) } else { Err(Refusal::VersionConflict { current }) }
}

/// The registration that a command names, if the device that signed it has shown its code to add the identifier.
pub(crate) fn shown_to_add<'a>(
    registration: Option<&'a Registration>,
    identifier: IdentifierHash,
    command: &AccountCommand,
) -> Result<&'a Registration, Refusal> {
    let shown = registration.filter(|registration| is_shown(registration, identifier, command, Purpose::Add));
    shown.ok_or_else(|| {
        Refusal::statement(FIELD, "names no registration of this identifier whose code this device has shown")
    })
}

/// Whether the device that signed a command has shown a registration's code, for this identifier and this purpose.
fn is_shown(
    registration: &Registration,
    identifier: IdentifierHash,
    command: &AccountCommand,
    purpose: Purpose,
) -> bool {
    is_of(registration, Caller { box_id: command.box_id, device_id: command.device_id })
        && registration.purpose == purpose
        && registration.identifier_hash == identifier
        && registration.right_command.is_some()
}

fn decide_added(
    state: &State,
    identifier: IdentifierHash,
    command: &AccountCommand,
    signed: &SignedCommand,
    limits: &Limits,
) -> Result<Decision, Refusal> {
    let shown = shown_to_add(state.registration.as_ref(), identifier, command)?;
    match &state.identifier.owner {
        Some(owner) if owner.box_id == command.box_id && !owner.closing => return Ok(Decision::Nothing),
        Some(owner) if !owner.closing => return Err(Refusal::IdentifierTaken),
        _ => {}
    }
    check_version(state, command)?;
    if state.own >= limits.identifiers {
        return Err(Refusal::TooManyIdentifiers { limit: limits.identifiers });
    }
    Ok(Decision::Append(Event::IdentifierVerifiedV2(IdentifierVerifiedV2 {
        identifier_hash: identifier,
        secret_number: shown.secret_number,
        slot: identifier.slot(),
        box_id: command.box_id,
        registration_id: shown.id,
        founding: None,
        signed: Some(signed.clone()),
    })))
}

fn decide_removed(
    state: &State,
    identifier: IdentifierHash,
    command: &AccountCommand,
    signed: &SignedCommand,
) -> Result<Decision, Refusal> {
    if state.identifier.owner.as_ref().is_none_or(|owner| owner.box_id != command.box_id) {
        return Err(Refusal::statement(FIELD, "names none of the box's identifiers"));
    }
    check_version(state, command)?;
    if state.own <= 1 {
        return Err(Refusal::LastIdentifier);
    }
    Ok(Decision::Append(Event::IdentifierReleasedV2(IdentifierReleasedV2 {
        identifier_hash: identifier,
        box_id: command.box_id,
        signed: Some(signed.clone()),
    })))
}

fn decide_objected(
    state: &State,
    (identifier, claim_id): (IdentifierHash, RegistrationId),
    proof: &Objection,
    command: &AccountCommand,
    signed: &SignedCommand,
    limits: &Limits,
) -> Result<Decision, Refusal> {
    let owner = state.identifier.owner.as_ref().filter(|owner| owner.box_id == command.box_id);
    let owner = owner.filter(|_| state.open.as_ref().is_some_and(|open| open.id == claim_id));
    let owner = owner.ok_or(Refusal::NoSuchClaim)?;
    let proof = match proof {
        Objection::Code(id) => {
            let purpose = Purpose::Object { claim_id };
            let registration = state.registration.as_ref().filter(|registration| registration.id == *id);
            if !registration.is_some_and(|shown| is_shown(shown, identifier, command, purpose)) {
                return Err(Refusal::statement(
                    FIELD,
                    "names no code that this device has shown to object to the claim",
                ));
            }
            ObjectionProof::Code { registration_id: *id }
        }
        Objection::RecoveryKey(signature) => {
            let objection = RecoveryObjection { box_id: command.box_id, identifier, claim_id };
            let verifies = |key: &VerificationKey| objection.verify(key, signature).is_ok();
            if !state.recovery_key.as_ref().is_some_and(verifies) {
                return Err(Refusal::statement(FIELD, "is not signed by the box's recovery key"));
            }
            // Else an identifier that has gone to somebody else could be kept from them for ever.
            if owner.recovery_objections >= limits.recovery_objections {
                return Err(Refusal::CodeNeeded);
            }
            ObjectionProof::RecoveryKey
        }
    };
    check_version(state, command)?;
    Ok(Decision::Append(Event::ClaimObjectedV1(ClaimObjectedV1 {
        claim_id,
        identifier_hash: identifier,
        box_id: command.box_id,
        proof,
        signed: signed.clone(),
    })))
}

impl Service {
    /// Carries out a verified command about an identifier.
    pub(crate) async fn identifier_command(
        &self,
        running: &Running,
        identifier: IdentifierHash,
        command: &AccountCommand,
        signed: &SignedCommand,
    ) -> Result<CommandResponse, CommandError> {
        let load = || async {
            let loaded = self.identifier_state(identifier).await?;
            let own = self.models.identifiers_of(command.box_id).await?.len();
            let mut state = State { identifier: loaded.state, own, registration: None, open: None, recovery_key: None };
            match &command.change {
                AccountChange::AddIdentifier { registration_id, .. } => {
                    state.registration = self.models.registration(*registration_id).await?;
                }
                AccountChange::ObjectToClaim { proof, .. } => {
                    state.open = self.models.open_claim(identifier).await?;
                    match proof {
                        Objection::Code(id) => state.registration = self.models.registration(*id).await?,
                        Objection::RecoveryKey(_) => state.recovery_key = self.recovery_key(command.box_id).await?,
                    }
                }
                _ => {}
            }
            Ok(Loaded { version: loaded.version, state })
        };
        let decide = |state: &State| decide(state, command, signed, &self.config.limits);
        let stream = Stream::identifier(identifier);
        let done = self.executor.step(running, &stream, 0, WhenSuperseded::Conflict, load, decide).await?;
        Ok(CommandResponse { command_id: command.command_id, version: done.version })
    }

    /// The recovery key that a box was founded with, if it was with one.
    async fn recovery_key(&self, box_id: BoxId) -> Result<Option<VerificationKey>, CommandError> {
        let own = self.own_record(box_id).await?;
        Ok(own.record.founded().content().recovery_key)
    }
}

#[cfg(test)]
mod tests;
