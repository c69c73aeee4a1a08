//! Register and authorize. The keys are in the store before the server hears of them, so that a device that dies in
//! between goes on with the same ones.

#[cfg(test)]
mod tests;

use rossby_crypto::authorize::AuthorizeProof;
use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::keyed_hash::Code;
use rossby_crypto::recovery::RecoveryKey;
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{MAX_CLOCK_DIFFERENCE, found};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::http::registration::{
    AuthorizeRequest, AuthorizeResponse, IssueCodeRequest, RegisterRequest, RegisterResponse,
};
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, RegionNumber};
use rossby_schemas::time::Timestamp;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Account;
use super::identifiers::{IdentifierError, address};
use super::sync::new_sealing_key;
use crate::Client;
use crate::error::ClientError;
use crate::http::Call;
use crate::random::{self, rng};
use crate::store::device::{Device, insert_device, insert_sealing_key};
use crate::store::records;

/// How to register.
#[derive(Debug, Clone, Copy)]
pub struct RegisterOptions {
    /// The region in which the box is born: the server's.
    pub region: RegionNumber,
    /// Whether to make a recovery key.
    pub recovery_key: bool,
    /// Whether to give up a registration that waits for its code.
    pub start_over: bool,
}

/// A registration that waits for its code.
#[derive(Debug)]
pub struct Registration {
    /// The identifier to which the code was sent.
    pub identifier: String,
    /// The box that it will found.
    pub box_id: BoxId,
    /// When the code stops being good.
    pub code_expires_at: Timestamp,
    /// The recovery key's words, if one was made now: to be shown once, and kept by the person.
    pub recovery_words: Option<Zeroizing<String>>,
}

impl Client {
    /// Registers an identifier for a new box, with new keys. For a registration that waits for its code, asks for another.
    ///
    /// # Errors
    /// [`ClientError::AlreadyRegistered`], [`ClientError::Registering`] for another identifier, [`ClientError::ClockAhead`], and
    /// what the server says.
    pub async fn register(
        &self,
        identifier: &Identifier,
        options: RegisterOptions,
    ) -> Result<Registration, ClientError> {
        let known = self.store.device(&self.vault).await?;
        let (device, recovery_words) = match known {
            Some(device) if device.token.is_some() => {
                return Err(ClientError::AlreadyRegistered(device.identifier));
            }
            // Words that were made with a request that failed were shown to nobody: other keys, and other words.
            Some(device) if options.recovery_key && device.registration.is_none() => {
                self.new_device(identifier, options).await?
            }
            // Keys that no server takes, and that were registered with none: made for another region, or by a clock that was far ahead.
            Some(device) if device.registration.is_none() && self.is_refused(&device, options.region).await? => {
                self.new_device(identifier, options).await?
            }
            Some(device) if !options.start_over => {
                if device.identifier != identifier.as_uri() {
                    return Err(ClientError::Registering(device.identifier));
                }
                (device, None)
            }
            _ => self.new_device(identifier, options).await?,
        };
        let code_expires_at = match device.registration {
            Some(_) => match self.another_code(&device).await {
                // The registration's day is over: a new one, with the same keys.
                Err(error) if error.problem() == Some(ProblemType::NoSuchRegistration) => {
                    let command = CommandId(Uuid::new_v4());
                    self.store.registration_lost(device.device_id, command).await?;
                    self.ask_to_register(&device, command).await?
                }
                other => other?,
            },
            None => self.ask_to_register(&device, device.register_command).await?,
        };
        // Whatever server was named before: this is the one that has the registration.
        self.store.set_server(self.http.url()).await?;
        Ok(Registration { identifier: device.identifier, box_id: device.box_id, code_expires_at, recovery_words })
    }

    async fn is_refused(&self, device: &Device, region: RegionNumber) -> Result<bool, ClientError> {
        let latest = self.now().plus(MAX_CLOCK_DIFFERENCE);
        let is_early = self.store.sealing_keys().await?.iter().any(|key| key.created > latest);
        Ok(is_early || device.box_id.region() != region)
    }

    /// Makes all keys of a new box.
    pub(crate) async fn new_device(
        &self,
        identifier: &Identifier,
        options: RegisterOptions,
    ) -> Result<(Device, Option<Zeroizing<String>>), ClientError> {
        let now = self.now();
        let recovery = options.recovery_key.then(|| RecoveryKey::generate(&mut rng()));
        let recovery_key = recovery.as_ref().map(|key| key.signing_key().verification_key());
        let (signing_key, device_id) = (SigningKey::generate(&mut rng()), DeviceId(Uuid::new_v4()));
        let founded = found(&signing_key, device_id, options.region, random::octets(), recovery_key, now);
        let box_id = founded.box_id();
        let record = KeyRecord::verify(std::slice::from_ref(founded.octets()))
            .map_err(|reason| ClientError::BadRecord { box_id, reason })?;
        let device = Device {
            identifier: identifier.as_uri().to_owned(),
            box_id,
            device_id,
            signing_key,
            register_command: CommandId(Uuid::new_v4()),
            registration: None,
            token: None,
        };
        let secret = SealingSecretKey::generate(&mut rng());
        let made_by = (box_id, device_id, &device.signing_key);
        let mut sealing = new_sealing_key(made_by, record.head(), &secret, 1, (now, self.schedule.lifetime()));
        // It stands in the registration.
        sealing.is_stated = true;
        let wrapping = self.store.new_wrapping_key(&self.vault, now).await?;
        let mut transaction = self.store.begin().await?;
        insert_device(&mut transaction, &self.vault, &device).await?;
        insert_sealing_key(&mut transaction, &self.vault, &wrapping, &sealing, &secret).await?;
        records::keep_record(&mut transaction, &record).await?;
        transaction.commit().await?;
        Ok((device, recovery.map(|key| key.words())))
    }

    async fn ask_to_register(&self, device: &Device, command_id: CommandId) -> Result<Timestamp, ClientError> {
        let mut connection = self.store.read().await?;
        let record = records::key_record(&mut connection, device.box_id).await?;
        drop(connection);
        let founding = record.as_ref().and_then(|record| record.statements().first());
        let sealing = self.store.sealing_keys().await?.pop();
        let (Some(founding), Some(sealing)) = (founding, sealing) else {
            return Err(ClientError::DamagedStore("a registration without keys"));
        };
        let request = RegisterRequest {
            command_id,
            identifier: device.identifier.clone(),
            founding_statement: founding.clone(),
            sealing_statement: sealing.statement,
        };
        let answer: Result<RegisterResponse, _> =
            self.http.call(&Call::post("/v1/registrations", &request), None).await;
        let answer = answer.map_err(|error| match (error.problem(), self.http.clock_ahead()) {
            (Some(ProblemType::InvalidStatement), Some(by)) => ClientError::ClockAhead(by),
            _ => error,
        })?;
        if answer.box_id != device.box_id {
            return Err(ClientError::bad_answer("it registered another box"));
        }
        self.store.registration_accepted(device.device_id, answer.registration_id, answer.code_expires_at).await?;
        Ok(answer.code_expires_at)
    }

    async fn another_code(&self, device: &Device) -> Result<Timestamp, ClientError> {
        let Some((registration_id, _)) = device.registration else { return Err(ClientError::NotRegistered) };
        let request = IssueCodeRequest { command_id: CommandId(Uuid::new_v4()), identifier: device.identifier.clone() };
        let path = format!("/v1/registrations/{registration_id}/codes");
        let answer: RegisterResponse = self.http.call(&Call::post(path, &request), None).await?;
        self.store.registration_accepted(device.device_id, registration_id, answer.code_expires_at).await?;
        Ok(answer.code_expires_at)
    }

    /// Shows the code that came to the identifier. The device belongs to its box from then on. Repeating it with the same
    /// code is safe.
    ///
    /// # Errors
    /// [`ClientError::NotACode`], [`ClientError::AlreadyRegistered`], [`ClientError::StartedOver`],
    /// [`IdentifierError::AccountTaken`] if the identifier leads to an account already, and what the server says: a wrong code tells how many guesses are left.
    pub async fn authorize(&self, code: &str) -> Result<Account, ClientError> {
        let code = self::code(code)?;
        let device = self.store.device(&self.vault).await?.ok_or(ClientError::NotRegistered)?;
        if device.token.is_some() {
            return Err(ClientError::AlreadyRegistered(device.identifier));
        }
        let (registration_id, _) = device.registration.ok_or(ClientError::NotRegistered)?;
        let proof = AuthorizeProof { registration_id, device_id: device.device_id, code: &code };
        let request = AuthorizeRequest {
            command_id: CommandId(Uuid::new_v4()),
            device_id: device.device_id,
            code: code.digits().to_owned(),
            signature: proof.sign(&device.signing_key),
        };
        let path = format!("/v1/registrations/{registration_id}/authorize");
        let answer: AuthorizeResponse = match self.http.call(&Call::post(path, &request), None).await {
            Err(error) if error.problem() == Some(ProblemType::IdentifierTaken) => {
                return Err(IdentifierError::AccountTaken(address(&device.identifier).to_owned()).into());
            }
            other => other?,
        };
        let token = self.open_token(&device, &answer).await?;
        self.store.authorized(&self.vault, &token).await?;
        self.account().await
    }
}

/// A code as people type it.
pub(super) fn code(typed: &str) -> Result<Code, ClientError> {
    let digits: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    digits.parse().map_err(|_| ClientError::NotACode)
}
