//! Register: an identifier and the statements of a box to be founded. The same answer whether the identifier is taken or
//! not: only who has shown that it is theirs is told.

use rossby_crypto::key_record::{KeyRecord, VerifiedSealingStatement};
use rossby_schemas::encoding::Octets;
use rossby_schemas::events::Event;
use rossby_schemas::events::registrations::RegistrationAskedV1;
use rossby_schemas::http::registration::{RegisterRequest, RegisterResponse};
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{EventId, RegionNumber, RegistrationId};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::Topic;

use crate::append::Stream;
use crate::codes::{Allowance, RegistrationState, until_tomorrow};
use crate::config::Limits;
use crate::error::{CommandError, Refusal};
use crate::executor::{Decision, WhenSuperseded};
use crate::identity::CommandIdentity;
use crate::service::Service;

/// Checks the statements that found a box in this region.
fn check_statements(
    founding: &Octets,
    sealing: &Octets,
    region: RegionNumber,
    now: Timestamp,
) -> Result<(KeyRecord, VerifiedSealingStatement), Refusal> {
    let refuse = |error: &dyn std::fmt::Display| Refusal::statement("/founding_statement", error);
    let record = KeyRecord::verify(std::slice::from_ref(founding)).map_err(|error| refuse(&error))?;
    let stated = record.founded().content().region;
    if stated != region {
        return Err(refuse(&format!("founds a box in region {stated}; this is region {region}")));
    }
    let sealing =
        record.verify_sealing(sealing, None).map_err(|error| Refusal::statement("/sealing_statement", error))?;
    sealing.content().usable_at(now).map_err(|error| Refusal::statement("/sealing_statement", error))?;
    Ok((record, sealing))
}

fn decide(
    state: &RegistrationState,
    asked: &RegistrationAskedV1,
    now: Timestamp,
    limits: &Limits,
) -> Result<Decision, Refusal> {
    if state.registration.is_some() {
        Ok(Decision::Nothing)
    } else if state.day.codes_issued >= limits.codes_per_day {
        Err(Refusal::CodesExhausted { retry_after: until_tomorrow(now) })
    } else {
        Ok(Decision::Append(Event::RegistrationAskedV1(asked.clone())))
    }
}

impl Service {
    /// Registers an identifier for a new box, and sends the first code.
    ///
    /// # Errors
    /// [`Refusal`] for what is no identifier, statements that don't verify, and a day's codes that are used up.
    pub async fn register(&self, request: &RegisterRequest) -> Result<RegisterResponse, CommandError> {
        let identifier: Identifier =
            request.identifier.parse().map_err(|error| Refusal::invalid("/identifier", error))?;
        let (founding, sealing) = (&request.founding_statement, &request.sealing_statement);
        let (record, sealing_statement) = check_statements(founding, sealing, self.config.region, self.now())?;
        let secret = self.secrets.current();
        let hash = secret.identifier_hash(&identifier);

        let fields: [&[u8]; 3] = [&hash.0, founding.as_slice(), sealing.as_slice()];
        let running = self.executor.begin(CommandIdentity::new(request.command_id, "register", &fields)).await?;
        let stream = Stream::of_registration(self, &running, hash).await?;
        // The same for a repeated command, and as random as its id.
        let id = EventId::derive(Topic::Registrations, &hash.to_string(), request.command_id, 0);
        let id = RegistrationId::from_bytes(*id.as_bytes());
        let asked = RegistrationAskedV1 {
            registration_id: id,
            identifier_hash: hash,
            secret_number: secret.number(),
            slot: hash.slot(),
            box_id: record.box_id(),
            device_id: sealing_statement.content().device_id,
            founding_statement: founding.clone(),
            sealing_statement: sealing.clone(),
        };
        let allowance = Allowance::Identifier;
        let load = || self.registration_state(&stream.name, id, allowance);
        let decide = |state: &RegistrationState| decide(state, &asked, self.now(), &self.config.limits);
        self.executor.step(&running, &stream, 0, WhenSuperseded::DecideAgain, load, decide).await?;
        self.issue(&running, &stream, (id, allowance), 1, Some(1)).await?;
        self.send_last_code(&identifier, id).await.map_err(|error| running.half_done(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::tests::{now, registration, state};

    #[test]
    fn a_registration_is_asked_once_while_the_day_has_codes() {
        let limits = Limits::default();
        let known = registration(&[]);
        let asked = RegistrationAskedV1 {
            registration_id: known.id,
            identifier_hash: known.identifier_hash,
            secret_number: 1,
            slot: 0,
            box_id: known.box_id,
            device_id: known.device_id,
            founding_statement: Octets::default(),
            sealing_statement: Octets::default(),
        };
        let decide = |state| decide(&state, &asked, now(), &limits);
        let event = Event::RegistrationAskedV1(asked.clone());
        assert_eq!(decide(state(4, 20, None)), Ok(Decision::Append(event)));
        assert_eq!(decide(state(5, 0, Some(known))), Ok(Decision::Nothing));
        assert_eq!(decide(state(5, 0, None)), Err(Refusal::CodesExhausted { retry_after: 15 * 3600 }));
    }
}
