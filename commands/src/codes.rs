//! Codes: how they are issued, and handed to whoever sends them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moka::sync::Cache;
use rossby_crypto::keyed_hash::Code;
use rossby_projections::{Purpose, Registration, RegistrationDay};
use rossby_schemas::events::Event;
use rossby_schemas::events::registrations::CodeIssuedV1;
use rossby_schemas::http::registration::{IssueCodeRequest, RegisterResponse};
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::RegistrationId;
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::Topic;

use crate::append::Stream;
use crate::config::Limits;
use crate::error::{CommandError, Refusal};
use crate::executor::{Decision, Loaded, Running, WhenSuperseded};
use crate::identity::CommandIdentity;
use crate::service::Service;
use crate::token::Caller;

/// A code or a notice that could not be handed over. The text is for the server's own log, and holds no identifier and no code.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SendCodeError(pub String);

/// Brings codes, and notices of claims, to phones and mailboxes.
#[async_trait]
pub trait CodeSender: Send + Sync + fmt::Debug + 'static {
    /// Sends a code to an identifier, trying again as long as that makes sense.
    ///
    /// # Errors
    /// [`SendCodeError`]: it was given up.
    async fn send(&self, identifier: &Identifier, code: &Code, expires_at: Timestamp) -> Result<(), SendCodeError>;

    /// Tells an identifier that somebody has shown its code and claims it, and from when on it is theirs.
    ///
    /// # Errors
    /// [`SendCodeError`]: it was given up.
    async fn tell_of_claim(&self, identifier: &Identifier, effective_at: Timestamp) -> Result<(), SendCodeError>;
}

/// The codes that this process has sent, so that a repeated command does not send another message.
#[derive(Debug, Clone)]
pub(crate) struct SentCodes(Cache<(RegistrationId, u32), ()>);

impl SentCodes {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self(Cache::builder().max_capacity(1_000_000).time_to_live(lifetime).build())
    }

    /// Whether it is the first time that this one is sent. Unlike the cache's `or_insert`, `or_insert_with` lets one of
    /// several at once win.
    pub(crate) fn is_first(&self, id: RegistrationId, number: u32) -> bool {
        self.0.entry((id, number)).or_insert_with(|| ()).is_fresh()
    }

    /// It did not go out after all: the next repetition sends it.
    pub(crate) fn forget(&self, id: RegistrationId, number: u32) {
        self.0.invalidate(&(id, number));
    }
}

/// From which allowance of the day a code is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowance {
    /// The identifier's own, which whoever knows it can use up.
    Identifier,
    /// A device's, for objections to claims: nobody else can use that up.
    Objections(Caller),
}

impl Allowance {
    pub(crate) const fn of(registration: &Registration) -> Self {
        match registration.purpose {
            Purpose::Found { .. } | Purpose::Add => Self::Identifier,
            Purpose::Object { .. } => {
                Self::Objections(Caller { box_id: registration.box_id, device_id: registration.device_id })
            }
        }
    }

    /// How many codes a day it has.
    pub(crate) const fn codes(self, limits: &Limits) -> u32 {
        match self {
            Self::Identifier => limits.codes_per_day,
            Self::Objections(_) => limits.objection_codes_per_day,
        }
    }
}

/// A registration with what was used up of the day.
#[derive(Debug, Clone)]
pub(crate) struct RegistrationState {
    pub(crate) allowance: Allowance,
    pub(crate) day: RegistrationDay,
    pub(crate) registration: Option<Registration>,
}

/// Seconds until the next day in UTC.
pub(crate) fn until_tomorrow(now: Timestamp) -> u64 {
    const DAY: u64 = 24 * 3600;
    DAY - now.millis() / 1000 % DAY
}

/// Issues a registration's code with this number, unless it was issued or the day's are used up.
pub(crate) fn decide_code(
    state: &RegistrationState,
    number: u32,
    now: Timestamp,
    limits: &Limits,
) -> Result<Decision, Refusal> {
    let registration = state.registration.as_ref().ok_or(Refusal::NoSuchRegistration)?;
    if registration.codes.iter().any(|code| code.number == number) {
        return Ok(Decision::Nothing);
    }
    if state.day.codes_issued >= state.allowance.codes(limits) {
        return Err(Refusal::CodesExhausted { retry_after: until_tomorrow(now) });
    }
    Ok(Decision::Append(Event::CodeIssuedV1(CodeIssuedV1 {
        registration_id: registration.id,
        number,
        expires_at: now.plus(limits.code_lifetime),
    })))
}

impl Service {
    /// The version of the day's stream first, then the registration: a newer state only means another decision.
    pub(crate) async fn registration_state(
        &self,
        stream: &str,
        id: RegistrationId,
        allowance: Allowance,
    ) -> Result<Loaded<RegistrationState>, CommandError> {
        let day = match allowance {
            Allowance::Identifier => self.models.registration_day(stream).await?,
            Allowance::Objections(caller) => self.models.objection_day(stream, caller.box_id, caller.device_id).await?,
        };
        let registration = self.models.registration(id).await?;
        Ok(Loaded { version: day.version, state: RegistrationState { allowance, day, registration } })
    }

    /// Issues another code for a registration, and sends it.
    ///
    /// # Errors
    /// [`Refusal::NoSuchRegistration`] also when the identifier is another one; [`Refusal::CodesExhausted`].
    pub async fn issue_code(
        &self,
        id: RegistrationId,
        request: &IssueCodeRequest,
    ) -> Result<RegisterResponse, CommandError> {
        let identifier: Identifier =
            request.identifier.parse().map_err(|error| Refusal::invalid("/identifier", error))?;
        let registration = self.models.registration(id).await?.ok_or(Refusal::NoSuchRegistration)?;
        let hash = self.secret(registration.secret_number)?.identifier_hash(&identifier);
        if hash != registration.identifier_hash {
            return Err(Refusal::NoSuchRegistration.into());
        }
        let identity = CommandIdentity::new(request.command_id, "issue-code", &[id.as_bytes(), &hash.0]);
        let running = self.executor.begin(identity).await?;
        let allowance = Allowance::of(&registration);
        let stream = Stream::registrations(hash, registration.stream);
        self.issue(&running, &stream, (id, allowance), 0, None).await?;
        self.send_last_code(&identifier, id).await.map_err(|error| running.half_done(error))
    }

    /// One step of a command: issues a code; the next one if no number is given.
    pub(crate) async fn issue(
        &self,
        running: &Running,
        stream: &Stream,
        (id, allowance): (RegistrationId, Allowance),
        step: u32,
        number: Option<u32>,
    ) -> Result<(), CommandError> {
        let load = || self.registration_state(&stream.name, id, allowance);
        let decide = |state: &RegistrationState| {
            let last = state.registration.iter().flat_map(|r| &r.codes).map(|code| code.number).max();
            let number = number.unwrap_or_else(|| last.unwrap_or(0) + 1);
            decide_code(state, number, self.now(), &self.config.limits)
        };
        self.executor.step(running, stream, step, WhenSuperseded::DecideAgain, load, decide).await.map(|_| ())
    }

    /// Sends a registration's last code, once it is admitted, in a task of its own: how long that takes tells nobody
    /// anything.
    pub(crate) async fn send_last_code(
        &self,
        identifier: &Identifier,
        id: RegistrationId,
    ) -> Result<RegisterResponse, CommandError> {
        let registration = self.models.registration(id).await?.ok_or(Refusal::NoSuchRegistration)?;
        let last = registration.codes.last().copied().ok_or(Refusal::NoSuchRegistration)?;
        if last.expires_at > self.now() && self.sent.is_first(id, last.number) {
            let code = self.secret(registration.secret_number)?.code(id, registration.device_id, last.number);
            let (sender, sent, identifier) = (Arc::clone(&self.sender), self.sent.clone(), identifier.clone());
            self.sending.spawn(async move {
                if let Err(error) = sender.send(&identifier, &code, last.expires_at).await {
                    sent.forget(id, last.number);
                    tracing::error!(registration.id = %id, %error, "a code could not be sent");
                }
            });
        }
        Ok(RegisterResponse { registration_id: id, box_id: registration.box_id, code_expires_at: last.expires_at })
    }
}

impl Stream {
    /// The stream in which a new registration of an identifier stands, or the one on which the same command was tried.
    pub(crate) async fn of_registration(
        service: &Service,
        running: &Running,
        hash: rossby_schemas::ids::IdentifierHash,
    ) -> Result<Self, CommandError> {
        let tried = service.executor.tried_stream(running, Topic::Registrations).await?;
        let today = || rossby_schemas::events::registrations::stream(hash, service.now());
        Ok(Self::registrations(hash, tried.unwrap_or_else(today)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rossby_projections::IssuedCode;
    use rossby_schemas::encoding::Octets;
    use rossby_schemas::ids::{BoxId, DeviceId, IdentifierHash};

    use super::*;

    pub(crate) fn now() -> Timestamp {
        "2026-11-24T09:00:00Z".parse().unwrap()
    }

    /// A registration whose codes had so many wrong guesses.
    pub(crate) fn registration(wrong_guesses: &[u32]) -> Registration {
        let code = |(index, wrong): (usize, &u32)| IssuedCode {
            number: u32::try_from(index).unwrap() + 1,
            expires_at: now().plus(Limits::default().code_lifetime),
            wrong_guesses: *wrong,
        };
        Registration {
            id: RegistrationId::from_bytes([1; 16]),
            stream: String::new(),
            identifier_hash: IdentifierHash([2; 32]),
            secret_number: 1,
            slot: 0,
            box_id: BoxId::from_bytes([3; 16]),
            device_id: DeviceId::from_bytes([4; 16]),
            purpose: Purpose::Found { founding_statement: Octets::default(), sealing_statement: Octets::default() },
            asked_at: now(),
            codes: wrong_guesses.iter().enumerate().map(code).collect(),
            right_command: None,
        }
    }

    pub(crate) fn state(codes: u32, guesses: u32, registration: Option<Registration>) -> RegistrationState {
        let day = RegistrationDay { version: 9, codes_issued: codes, guesses };
        RegistrationState { allowance: Allowance::Identifier, day, registration }
    }

    #[test]
    fn a_code_is_issued_once_and_only_so_many_a_day() {
        let limits = Limits::default();
        let decide = |state, number| decide_code(&state, number, now(), &limits);
        assert_eq!(decide(state(0, 0, None), 1), Err(Refusal::NoSuchRegistration));
        let issued = Event::CodeIssuedV1(CodeIssuedV1 {
            registration_id: RegistrationId::from_bytes([1; 16]),
            number: 2,
            expires_at: now().plus(Duration::from_secs(600)),
        });
        assert_eq!(decide(state(4, 0, Some(registration(&[0]))), 2), Ok(Decision::Append(issued)));
        let used_up = Err(Refusal::CodesExhausted { retry_after: 15 * 3600 });
        assert_eq!(decide(state(5, 0, Some(registration(&[0]))), 2), used_up);
        // What was issued is not refused afterwards.
        assert_eq!(decide(state(5, 0, Some(registration(&[0]))), 1), Ok(Decision::Nothing));
        // A device's objections have an allowance of their own.
        let objection = |codes| {
            let (box_id, device_id) = (BoxId::from_bytes([3; 16]), DeviceId::from_bytes([4; 16]));
            let allowance = Allowance::Objections(Caller { box_id, device_id });
            decide(RegistrationState { allowance, ..state(codes, 0, Some(registration(&[0]))) }, 2)
        };
        assert!(objection(2).is_ok());
        assert_eq!(objection(3), used_up);
    }

    #[test]
    fn tomorrow_is_never_now() {
        let midnight: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
        assert_eq!(until_tomorrow(midnight), 86_400);
        assert_eq!(until_tomorrow(midnight.minus(Duration::from_millis(1))), 1);
    }
}
