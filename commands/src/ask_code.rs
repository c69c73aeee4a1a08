//! Codes for a device of a box: to show that an identifier belongs to its person, which the box is to have too, or which it
//! has and somebody claims.

use rossby_crypto::authorize::AuthorizeProof;
use rossby_crypto::keyed_hash::Code;
use rossby_projections::{Purpose, Registration};
use rossby_schemas::events::Event;
use rossby_schemas::events::registrations::{CodeAskedV1, CodePurpose};
use rossby_schemas::http::identifiers::{AskCodeRequest, AskCodeResponse, ShowCodeRequest, ShowCodeResponse};
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{EventId, IdentifierHash, RegistrationId};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::Topic;

use crate::append::Stream;
use crate::codes::{Allowance, RegistrationState, until_tomorrow};
use crate::config::Limits;
use crate::error::{CommandError, Refusal};
use crate::executor::{Decision, WhenSuperseded};
use crate::identity::CommandIdentity;
use crate::service::Service;
use crate::token::Caller;

fn decide(
    state: &RegistrationState,
    asked: &CodeAskedV1,
    now: Timestamp,
    limits: &Limits,
) -> Result<Decision, Refusal> {
    if state.registration.is_some() {
        Ok(Decision::Nothing)
    } else if state.day.codes_issued >= state.allowance.codes(limits) {
        Err(Refusal::CodesExhausted { retry_after: until_tomorrow(now) })
    } else {
        Ok(Decision::Append(Event::CodeAskedV1(asked.clone())))
    }
}

impl Service {
    /// Sends a code to an identifier that the caller's box is to have too, or to one of its own that somebody claims. For the
    /// former it says the same whether it is taken or not.
    ///
    /// # Errors
    /// [`Refusal`] for what is no identifier, a box that has as many as it may, a claim that doesn't wait, and a day's codes that
    /// are used up.
    pub async fn ask_code(&self, caller: Caller, request: &AskCodeRequest) -> Result<AskCodeResponse, CommandError> {
        let identifier: Identifier =
            request.identifier.parse().map_err(|error| Refusal::invalid("/identifier", error))?;
        let secret = self.secrets.current();
        let hash = secret.identifier_hash(&identifier);
        let (purpose, allowance) = match request.object_to {
            None => {
                self.check_room(caller, hash).await?;
                (CodePurpose::Add, Allowance::Identifier)
            }
            Some(claim_id) => {
                self.check_claimed(caller, hash, claim_id).await?;
                (CodePurpose::Object { claim_id }, Allowance::Objections(caller))
            }
        };

        let claim = request.object_to.as_ref().map_or(&[][..], |id| id.as_bytes());
        let fields: [&[u8]; 4] = [caller.box_id.as_bytes(), caller.device_id.as_bytes(), &hash.0, claim];
        let running = self.executor.begin(CommandIdentity::new(request.command_id, "ask-code", &fields)).await?;
        let stream = Stream::of_registration(self, &running, hash).await?;
        let id = EventId::derive(Topic::Registrations, &hash.to_string(), request.command_id, 0);
        let id = RegistrationId::from_bytes(*id.as_bytes());
        let asked = CodeAskedV1 {
            registration_id: id,
            identifier_hash: hash,
            secret_number: secret.number(),
            slot: hash.slot(),
            box_id: caller.box_id,
            device_id: caller.device_id,
            purpose,
        };
        let load = || self.registration_state(&stream.name, id, allowance);
        let decide = |state: &RegistrationState| decide(state, &asked, self.now(), &self.config.limits);
        self.executor.step(&running, &stream, 0, WhenSuperseded::DecideAgain, load, decide).await?;
        self.issue(&running, &stream, (id, allowance), 1, Some(1)).await?;
        let sent = self.send_last_code(&identifier, id).await.map_err(|error| running.half_done(error))?;
        Ok(AskCodeResponse { registration_id: id, code_expires_at: sent.code_expires_at })
    }

    /// Refuses an identifier for which the caller's box has no room. How many there are is what this region knows of the
    /// identifiers' streams: several that are added at the same moment may pass the limit.
    pub(crate) async fn check_room(&self, caller: Caller, hash: IdentifierHash) -> Result<(), CommandError> {
        let own = self.models.identifiers_of(caller.box_id).await?;
        let limit = self.config.limits.identifiers;
        if own.len() >= limit && !own.iter().any(|own| own.hash == hash) {
            return Err(Refusal::TooManyIdentifiers { limit }.into());
        }
        Ok(())
    }

    /// Refuses a claim that doesn't wait, or of an identifier that isn't the caller's box's.
    async fn check_claimed(
        &self,
        caller: Caller,
        hash: IdentifierHash,
        claim_id: RegistrationId,
    ) -> Result<(), CommandError> {
        let owner = self.models.identifier(hash).await?.owner;
        let open = self.models.open_claim(hash).await?;
        let is_own = owner.is_some_and(|owner| owner.box_id == caller.box_id);
        if is_own && open.is_some_and(|open| open.id == claim_id) { Ok(()) } else { Err(Refusal::NoSuchClaim.into()) }
    }

    /// Shows the code that the caller's device has asked for. Gives what it needs to sign a command about the identifier; asking
    /// again gives that as it is then.
    ///
    /// # Errors
    /// [`Refusal`] for a proof that does not verify, a wrong or spent code, an identifier that belongs to another box.
    pub async fn show_code(
        &self,
        caller: Caller,
        id: RegistrationId,
        request: &ShowCodeRequest,
    ) -> Result<ShowCodeResponse, CommandError> {
        let code: Code = request.code.parse().map_err(|error| Refusal::invalid("/code", error))?;
        let registration = self.models.registration(id).await?.filter(|registration| is_of(registration, caller));
        let registration = registration.ok_or(Refusal::NoSuchRegistration)?;
        let own = self.own_record(caller.box_id).await?;
        let device = own.record.device(caller.device_id).filter(|device| device.is_member());
        let device = device.ok_or(Refusal::NotADevice)?;
        let proof = AuthorizeProof { registration_id: id, device_id: caller.device_id, code: &code };
        proof
            .verify(&device.signing_key, &request.signature)
            .map_err(|error| Refusal::statement("/signature", error))?;

        let fields: [&[u8]; 3] = [id.as_bytes(), caller.device_id.as_bytes(), request.signature.as_slice()];
        let running = self.executor.begin(CommandIdentity::new(request.command_id, "show-code", &fields)).await?;
        self.guess(&running, &registration, &code).await?;
        let state = self.models.identifier(registration.identifier_hash).await;
        let state = state.map_err(|error| running.half_done(error.into()))?;
        // Only who has shown that it is theirs is told.
        if state.owner.is_some_and(|owner| owner.box_id != caller.box_id && !owner.closing) {
            let (identifier_hash, version) = (registration.identifier_hash, state.version);
            return Err(Refusal::ShownIdentifierTaken { identifier_hash, version }.into());
        }
        Ok(ShowCodeResponse { identifier_hash: registration.identifier_hash, version: state.version })
    }
}

/// Whether a registration was asked for by this device of a box.
pub(crate) fn is_of(registration: &Registration, caller: Caller) -> bool {
    (registration.box_id, registration.device_id) == (caller.box_id, caller.device_id)
        && !matches!(registration.purpose, Purpose::Found { .. })
}

#[cfg(test)]
mod tests {
    use rossby_schemas::ids::{BoxId, DeviceId};

    use super::*;
    use crate::codes::tests::{now, registration, state};

    #[test]
    fn a_code_is_asked_for_once_while_the_day_has_codes() {
        let limits = Limits::default();
        let known = registration(&[]);
        let asked = CodeAskedV1 {
            registration_id: known.id,
            identifier_hash: known.identifier_hash,
            secret_number: 1,
            slot: 0,
            box_id: known.box_id,
            device_id: known.device_id,
            purpose: CodePurpose::Add,
        };
        let decide = |state| decide(&state, &asked, now(), &limits);
        assert_eq!(decide(state(4, 20, None)), Ok(Decision::Append(Event::CodeAskedV1(asked.clone()))));
        assert_eq!(decide(state(5, 0, Some(known))), Ok(Decision::Nothing));
        assert_eq!(decide(state(5, 0, None)), Err(Refusal::CodesExhausted { retry_after: 15 * 3600 }));
    }

    #[test]
    fn a_registration_is_of_the_device_that_asked() {
        let founding = registration(&[]);
        let caller = Caller { box_id: founding.box_id, device_id: founding.device_id };
        assert!(!is_of(&founding, caller), "it founds a box");
        let added = Registration { purpose: Purpose::Add, ..founding };
        assert!(is_of(&added, caller));
        assert!(!is_of(&added, Caller { box_id: BoxId::from_bytes([8; 16]), ..caller }));
        assert!(!is_of(&added, Caller { device_id: DeviceId::from_bytes([8; 16]), ..caller }));
    }
}
