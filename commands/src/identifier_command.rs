//! Commands that change which identifiers a box has, signed by the device over the identifier's stream.

use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_projections::{IdentifierState, Registration};
use rossby_schemas::events::identifiers::{IdentifierReleasedV2, IdentifierVerifiedV2};
use rossby_schemas::events::{Event, SignedCommand};
use rossby_schemas::http::account::CommandResponse;
use rossby_schemas::ids::IdentifierHash;

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
        _ => Err(Refusal::statement(FIELD, "is not offered by this version")),
    }
}

/// Only the signed version will do.
fn check_version(state: &State, command: &AccountCommand) -> Result<(), Refusal> {
    let current = state.identifier.version;
    if command.expected_version == current { Ok(()) } else { Err(Refusal::VersionConflict { current }) }
}

fn decide_added(
    state: &State,
    identifier: IdentifierHash,
    command: &AccountCommand,
    signed: &SignedCommand,
    limits: &Limits,
) -> Result<Decision, Refusal> {
    let caller = Caller { box_id: command.box_id, device_id: command.device_id };
    let shown = state.registration.as_ref().filter(|registration| {
        is_of(registration, caller)
            && registration.purpose == rossby_projections::Purpose::Add
            && registration.identifier_hash == identifier
            && registration.right_command.is_some()
    });
    let shown = shown.ok_or_else(|| {
        Refusal::statement(FIELD, "names no registration of this identifier whose code this device has shown")
    })?;
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

impl Service {
    /// Carries out a verified command about an identifier.
    pub(crate) async fn identifier_command(
        &self,
        running: &Running,
        identifier: IdentifierHash,
        command: &AccountCommand,
        signed: &SignedCommand,
    ) -> Result<CommandResponse, CommandError> {
        self.check_home(identifier)?;
        let load = || async {
            let loaded = self.identifier_state(identifier).await?;
            let own = self.models.identifiers_of(command.box_id).await?.len();
            let registration = match &command.change {
                AccountChange::AddIdentifier { registration_id, .. } => {
                    self.models.registration(*registration_id).await?
                }
                _ => None,
            };
            Ok(Loaded { version: loaded.version, state: State { identifier: loaded.state, own, registration } })
        };
        let decide = |state: &State| decide(state, command, signed, &self.config.limits);
        let stream = Stream::identifier(identifier);
        let done = self.executor.step(running, &stream, 0, WhenSuperseded::Conflict, load, decide).await?;
        Ok(CommandResponse { command_id: command.command_id, version: done.version })
    }
}

#[cfg(test)]
mod tests;
