//! Authorize: a registration's code, signed by its device. A guess is an event, admitted before it is answered, so that
//! concurrent guesses can't exceed their number.

use rossby_crypto::authorize::AuthorizeProof;
use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::keyed_hash::{Code, MasterSecret};
use rossby_crypto::signing::Signature;
use rossby_projections::{IdentifierState, IssuedCode, Purpose, Registration};
use rossby_schemas::events::Event;
use rossby_schemas::events::identifiers::{Founding, IdentifierVerifiedV2};
use rossby_schemas::events::registrations::CodeGuessedV1;
use rossby_schemas::http::registration::{AuthorizeRequest, AuthorizeResponse};
use rossby_schemas::ids::{IdentifierHash, RegistrationId};
use rossby_schemas::time::Timestamp;

use crate::append::Stream;
use crate::codes::{Allowance, RegistrationState, until_tomorrow};
use crate::config::Limits;
use crate::error::{CommandError, Refusal};
use crate::executor::{Decision, Loaded, Running, WhenSuperseded};
use crate::identity::CommandIdentity;
use crate::service::Service;

/// The code that can be guessed now: the last one issued.
fn open_code(registration: &Registration, now: Timestamp, limits: &Limits) -> Result<IssuedCode, Refusal> {
    let last = registration.codes.last().copied().ok_or(Refusal::CodeSpent)?;
    let is_open = last.expires_at > now && last.wrong_guesses < limits.guesses_per_code;
    if is_open { Ok(last) } else { Err(Refusal::CodeSpent) }
}

fn is_right(secret: &MasterSecret, registration: &Registration, number: u32, code: &Code) -> bool {
    secret.code(registration.id, registration.device_id, number).matches(code)
}

/// What a guess comes to: an event that says whether it is right, or nothing if one was right before.
fn decide_guess(
    state: &RegistrationState,
    secret: &MasterSecret,
    code: &Code,
    now: Timestamp,
    limits: &Limits,
) -> Result<Decision, Refusal> {
    let registration = state.registration.as_ref().ok_or(Refusal::NoSuchRegistration)?;
    if registration.right_command.is_some() {
        return Ok(Decision::Nothing);
    }
    let number = open_code(registration, now, limits)?.number;
    if state.day.guesses >= limits.guesses_per_day {
        return Err(Refusal::CodesExhausted { retry_after: until_tomorrow(now) });
    }
    let right = is_right(secret, registration, number, code);
    Ok(Decision::Append(Event::CodeGuessedV1(CodeGuessedV1 { registration_id: registration.id, number, right })))
}

/// What the identifier of a box to be founded is decided on.
struct State {
    identifier: IdentifierState,
    /// Whether the box was founded already.
    founded: bool,
}

/// A box is founded with one identifier. Whoever founded it has no part in its later ones by that alone: the device may have been
/// removed, and the box closed.
fn decide_verified(state: &State, verified: &IdentifierVerifiedV2) -> Result<Decision, Refusal> {
    match &state.identifier.owner {
        Some(owner) if owner.box_id == verified.box_id => Ok(Decision::Nothing),
        Some(owner) if !owner.closing => Err(Refusal::IdentifierTaken),
        _ if state.founded => Err(founded_before()),
        _ => Ok(Decision::Append(Event::IdentifierVerifiedV2(verified.clone()))),
    }
}

/// The record that a registration is to found, if its device has signed that it shows the code.
pub(crate) fn founder_s_record(
    founding: &Founding,
    proof: &AuthorizeProof<'_>,
    signature: &Signature,
) -> Result<KeyRecord, CommandError> {
    let record = KeyRecord::verify(std::slice::from_ref(&founding.founding_statement))
        .map_err(|error| CommandError::Internal(error.to_string()))?;
    proof
        .verify(&record.founded().content().signing_key, signature)
        .map_err(|error| Refusal::statement("/signature", error))?;
    Ok(record)
}

impl Service {
    /// Authorizes a registration's device: founds the box, and gives the device its token, sealed to its key. Repeating it
    /// gives the same token.
    ///
    /// # Errors
    /// [`Refusal`] for a proof that does not verify, a wrong or spent code, an identifier that belongs to another box, and a box
    /// that was founded with another identifier.
    pub async fn authorize(
        &self,
        id: RegistrationId,
        request: &AuthorizeRequest,
    ) -> Result<AuthorizeResponse, CommandError> {
        let code: Code = request.code.parse().map_err(|error| Refusal::invalid("/code", error))?;
        let registration = self.models.registration(id).await?.ok_or(Refusal::NoSuchRegistration)?;
        if registration.device_id != request.device_id {
            return Err(Refusal::NoSuchRegistration.into());
        }
        let founding = founding(&registration).ok_or(Refusal::NoSuchRegistration)?;
        let proof = AuthorizeProof { registration_id: id, device_id: request.device_id, code: &code };
        let record = founder_s_record(&founding, &proof, &request.signature)?;

        let fields: [&[u8]; 3] = [id.as_bytes(), request.device_id.as_bytes(), request.signature.as_slice()];
        let running = self.executor.begin(CommandIdentity::new(request.command_id, "authorize", &fields)).await?;
        self.guess(&running, &registration, &code).await?;
        self.verify_identifier(&running, &registration, &founding).await?;
        self.found_box(&running, registration.box_id, &founding).await?;
        let sealing = record
            .verify_sealing(&founding.sealing_statement, None)
            .map_err(|error| CommandError::Internal(error.to_string()))?;
        self.sealed_token(&sealing).await.map_err(|error| running.half_done(error))
    }

    /// Guesses a registration's code, as the first step of a command.
    pub(crate) async fn guess(
        &self,
        running: &Running,
        registration: &Registration,
        code: &Code,
    ) -> Result<(), CommandError> {
        let secret = self.secret(registration.secret_number)?;
        let stream = Stream::registrations(registration.identifier_hash, registration.stream.clone());
        let allowance = Allowance::of(registration);
        let load = || self.registration_state(&stream.name, registration.id, allowance);
        let decide = |state: &RegistrationState| decide_guess(state, secret, code, self.now(), &self.config.limits);
        self.executor.step(running, &stream, 0, WhenSuperseded::DecideAgain, load, decide).await?;
        let now = self.models.registration(registration.id).await.map_err(|error| running.half_done(error.into()))?;
        let now = now.ok_or(Refusal::NoSuchRegistration)?;
        let matches_one = now.codes.iter().any(|issued| is_right(secret, &now, issued.number, code));
        if now.right_command.is_some() && matches_one {
            return Ok(());
        }
        let wrong = now.codes.last().map_or(0, |last| last.wrong_guesses);
        Err(Refusal::WrongCode { guesses_left: self.config.limits.guesses_per_code.saturating_sub(wrong) }.into())
    }

    /// An identifier with its stream's version.
    pub(crate) async fn identifier_state(&self, hash: IdentifierHash) -> Result<Loaded<IdentifierState>, CommandError> {
        let state = self.models.identifier(hash).await?;
        Ok(Loaded { version: state.version, state })
    }

    async fn verify_identifier(
        &self,
        running: &Running,
        registration: &Registration,
        founding: &Founding,
    ) -> Result<(), CommandError> {
        let verified = IdentifierVerifiedV2 {
            identifier_hash: registration.identifier_hash,
            secret_number: registration.secret_number,
            slot: registration.slot,
            box_id: registration.box_id,
            registration_id: registration.id,
            founding: Some(founding.clone()),
            signed: None,
        };
        let load = || async {
            let loaded = self.identifier_state(registration.identifier_hash).await?;
            let founded = self.is_founded(registration.box_id).await?;
            Ok(Loaded { version: loaded.version, state: State { identifier: loaded.state, founded } })
        };
        let decide = |state: &State| decide_verified(state, &verified);
        let stream = Stream::identifier(registration.identifier_hash);
        self.executor.step(running, &stream, 1, WhenSuperseded::DecideAgain, load, decide).await.map(|_| ())
    }
}

/// The answer to who wants to found a box again.
pub(crate) fn founded_before() -> Refusal {
    let reason = "has founded its box before: a device of the box adds identifiers by a signed command";
    Refusal::statement("/device_id", reason)
}

/// What founds the box of a registration that is for that.
pub(crate) fn founding(registration: &Registration) -> Option<Founding> {
    let Purpose::Found { founding_statement, sealing_statement } = &registration.purpose else { return None };
    Some(Founding {
        device_id: registration.device_id,
        founding_statement: founding_statement.clone(),
        sealing_statement: sealing_statement.clone(),
    })
}

#[cfg(test)]
mod tests {
    use rossby_projections::IdentifierOwner;
    use rossby_schemas::ids::{BoxId, CommandId};

    use super::*;
    use crate::codes::tests::{now, registration, state};

    const LIMITS: Limits = Limits {
        codes_per_day: 5,
        guesses_per_day: 20,
        guesses_per_code: 5,
        objection_codes_per_day: 3,
        code_lifetime: std::time::Duration::from_secs(600),
        clock_skew: std::time::Duration::ZERO,
        profile_blob: 0,
        devices: 0,
        links_per_day: 0,
        identifiers: 0,
        claim_wait: std::time::Duration::ZERO,
        recovery_objections: 0,
        rendezvous_lifetime: std::time::Duration::ZERO,
        blob_octets: 0,
        uploaded_per_day: 0,
        upload_lifetime: std::time::Duration::ZERO,
        list_entries: 0,
        messages_per_minute: 0,
        messages_to_one_per_day: 0,
        queued_messages: 0,
    };

    fn secret() -> MasterSecret {
        MasterSecret::new(1, &[7; 32])
    }

    fn code(number: u32) -> Code {
        let registration = registration(&[]);
        secret().code(registration.id, registration.device_id, number)
    }

    fn guessed(number: u32, right: bool) -> Result<Decision, Refusal> {
        let registration_id = registration(&[]).id;
        Ok(Decision::Append(Event::CodeGuessedV1(CodeGuessedV1 { registration_id, number, right })))
    }

    #[test]
    fn only_the_last_code_can_be_guessed() {
        let decide = |wrong: &[u32], code: &Code| {
            decide_guess(&state(2, 0, Some(registration(wrong))), &secret(), code, now(), &LIMITS)
        };
        assert_eq!(decide(&[0], &code(1)), guessed(1, true));
        assert_eq!(decide(&[0, 0], &code(1)), guessed(2, false));
        assert_eq!(decide(&[5, 4], &code(2)), guessed(2, true));
        assert_eq!(decide(&[0, 5], &code(2)), Err(Refusal::CodeSpent));
        assert_eq!(decide(&[], &code(1)), Err(Refusal::CodeSpent));
    }

    #[test]
    fn a_guess_needs_a_registration_time_and_what_is_left_of_the_day() {
        let decide = |guesses, registration, now| {
            decide_guess(&state(1, guesses, registration), &secret(), &code(1), now, &LIMITS)
        };
        assert_eq!(decide(0, None, now()), Err(Refusal::NoSuchRegistration));
        assert_eq!(decide(19, Some(registration(&[0])), now()), guessed(1, true));
        let used_up = Err(Refusal::CodesExhausted { retry_after: 15 * 3600 });
        assert_eq!(decide(20, Some(registration(&[0])), now()), used_up);
        let end = now().plus(LIMITS.code_lifetime);
        let last = end.minus(std::time::Duration::from_millis(1));
        assert_eq!(decide(0, Some(registration(&[0])), last), guessed(1, true));
        assert_eq!(decide(0, Some(registration(&[0])), end), Err(Refusal::CodeSpent));
        // Once one was right, no further guess is counted, whatever its time.
        let right = Registration { right_command: Some(CommandId::from_bytes([5; 16])), ..registration(&[5]) };
        assert_eq!(decide(20, Some(right), end), Ok(Decision::Nothing));
    }

    #[test]
    fn an_identifier_has_one_box_until_that_closes() {
        let registration = registration(&[0]);
        let verified = IdentifierVerifiedV2 {
            identifier_hash: registration.identifier_hash,
            secret_number: 1,
            slot: 0,
            box_id: registration.box_id,
            registration_id: registration.id,
            founding: founding(&registration),
            signed: None,
        };
        let owned = |box_id, closing| {
            let owner = IdentifierOwner {
                box_id,
                registration_id: registration.id,
                secret_number: 1,
                slot: 0,
                verified_by: CommandId::from_bytes([5; 16]),
                founding: None,
                founded: true,
                closing,
                objected_at: None,
                recovery_objections: 0,
            };
            let identifier = IdentifierState { version: 1, owner: Some(owner) };
            [false, true].map(|founded| decide_verified(&State { identifier: identifier.clone(), founded }, &verified))
        };
        let append = Ok(Decision::Append(Event::IdentifierVerifiedV2(verified.clone())));
        let free = |founded| {
            decide_verified(&State { identifier: IdentifierState { version: 0, owner: None }, founded }, &verified)
        };
        // A box that is there gets no more identifiers by what founded it.
        let again = Err(founded_before());
        assert_eq!([free(false), free(true)], [append.clone(), again.clone()]);
        let other = BoxId::from_bytes([8; 16]);
        assert_eq!(owned(other, false), [Err(Refusal::IdentifierTaken), Err(Refusal::IdentifierTaken)]);
        assert_eq!(owned(other, true), [append, again]);
        assert_eq!(owned(registration.box_id, false), [Ok(Decision::Nothing), Ok(Decision::Nothing)]);
    }
}
