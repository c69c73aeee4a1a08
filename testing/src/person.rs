//! People with keys of their own.

use rossby_commands::{Caller, CommandError, Service};
use rossby_crypto::authorize::{AuthorizeProof, TokenProof};
use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::keyed_hash::Code;
use rossby_crypto::message::{MessageContent, RecipientDevice, seal};
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::{SigningKey, VerificationKey};
use rossby_crypto::statements::{SealingKeyStated, found, link, request_link, state_sealing_key};
use rossby_crypto::token::DeviceToken;
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::account::LinkDeviceRequest;
use rossby_schemas::http::messages::OutgoingMessage;
use rossby_schemas::http::registration::{AuthorizeRequest, AuthorizeResponse, RegisterRequest, RegisterResponse};
use rossby_schemas::http::token::TokenRequest;
use rossby_schemas::ids::{BoxId, DeviceId, MessageId, OuterId, RegionNumber};
use rossby_schemas::time::Timestamp;
use uuid::Uuid;

use crate::{DAY, HOME, command, rng};

/// A person with one device.
pub struct Person {
    pub key: SigningKey,
    pub sealing_key: SealingSecretKey,
    pub record: KeyRecord,
    pub device_id: DeviceId,
    pub sealing_statement: Octets,
}

impl Person {
    pub fn new(now: Timestamp) -> Self {
        Self::in_region(HOME, now)
    }

    /// A person with a recovery key, and that key.
    pub fn with_recovery_key(now: Timestamp) -> (Self, SigningKey) {
        let recovery = SigningKey::generate(&mut rng());
        (Self::founding(HOME, Some(recovery.verification_key()), now), recovery)
    }

    pub fn in_region(region: RegionNumber, now: Timestamp) -> Self {
        Self::founding(region, None, now)
    }

    /// A person whose device calls itself so, as another's may do already.
    pub fn with_device(device_id: DeviceId, now: Timestamp) -> Self {
        Self::founding_with(device_id, HOME, None, now)
    }

    fn founding(region: RegionNumber, recovery_key: Option<VerificationKey>, now: Timestamp) -> Self {
        Self::founding_with(DeviceId(Uuid::new_v4()), region, recovery_key, now)
    }

    fn founding_with(
        device_id: DeviceId,
        region: RegionNumber,
        recovery_key: Option<VerificationKey>,
        now: Timestamp,
    ) -> Self {
        let key = SigningKey::generate(&mut rng());
        let founded = found(
            &key,
            device_id,
            region,
            *Uuid::new_v4().as_bytes().repeat(2).first_chunk().unwrap(),
            recovery_key,
            now,
        );
        let record = KeyRecord::verify(std::slice::from_ref(founded.octets())).unwrap();
        let sealing_key = SealingSecretKey::generate(&mut rng());
        let mut person = Self { key, sealing_key, record, device_id, sealing_statement: Octets::default() };
        person.sealing_statement = person.sealing(1, now);
        person
    }

    /// A sealing statement with the person's key.
    pub fn sealing(&self, counter: u64, now: Timestamp) -> Octets {
        let content = SealingKeyStated {
            box_id: self.box_id(),
            device_id: self.device_id,
            counter,
            key: self.sealing_key.public_key(),
            created: now,
            expires: now.plus(7 * DAY),
            head: self.record.head(),
        };
        state_sealing_key(&self.key, content).octets().clone()
    }

    pub fn box_id(&self) -> BoxId {
        self.record.box_id()
    }

    pub fn caller(&self) -> Caller {
        Caller { box_id: self.box_id(), device_id: self.device_id }
    }

    pub fn register_request(&self, identifier: &str) -> RegisterRequest {
        RegisterRequest {
            command_id: command(),
            identifier: identifier.to_owned(),
            founding_statement: self.record.statements()[0].clone(),
            sealing_statement: self.sealing_statement.clone(),
        }
    }

    pub async fn register(&self, service: &Service, identifier: &str) -> Result<RegisterResponse, CommandError> {
        service.register(&self.register_request(identifier)).await
    }

    pub fn authorize_request(&self, registered: &RegisterResponse, code: &str) -> AuthorizeRequest {
        let parsed: Code = code.parse().unwrap();
        let proof =
            AuthorizeProof { registration_id: registered.registration_id, device_id: self.device_id, code: &parsed };
        AuthorizeRequest {
            command_id: command(),
            device_id: self.device_id,
            code: code.to_owned(),
            signature: proof.sign(&self.key),
        }
    }

    pub async fn authorize(
        &self,
        service: &Service,
        registered: &RegisterResponse,
        code: &str,
    ) -> Result<AuthorizeResponse, CommandError> {
        service.authorize(registered.registration_id, &self.authorize_request(registered, code)).await
    }

    /// Opens the token of an answer.
    pub fn token(&self, response: &AuthorizeResponse) -> DeviceToken {
        DeviceToken::open(response.token_id.parse().unwrap(), &response.sealed_token, &self.sealing_key).unwrap()
    }

    /// Another device of the same box, which this one links: the record of both has it from then on.
    pub fn link(&mut self, now: Timestamp) -> (Self, LinkDeviceRequest) {
        let (key, device_id) = (SigningKey::generate(&mut rng()), DeviceId(Uuid::new_v4()));
        let (box_id, head) = (self.box_id(), self.record.head());
        let request = request_link(&key, device_id, box_id, head);
        let linking = link(&self.key, self.device_id, box_id, head, &request, now).octets().clone();
        self.record.append(&linking).unwrap();
        let (record, sealing_key) = (self.record.clone(), SealingSecretKey::generate(&mut rng()));
        let mut device = Self { key, sealing_key, record, device_id, sealing_statement: Octets::default() };
        device.sealing_statement = device.sealing(1, now);
        let request = LinkDeviceRequest {
            command_id: command(),
            linking_statement: linking,
            sealing_statement: device.sealing_statement.clone(),
        };
        (device, request)
    }

    /// Asks for this device's token.
    pub fn token_request(&self) -> TokenRequest {
        let (box_id, device_id) = (self.box_id(), self.device_id);
        TokenRequest { box_id, device_id, signature: TokenProof { box_id, device_id }.sign(&self.key) }
    }

    /// A message to another person, sealed to the sealing statement with this counter.
    pub fn message(&self, to: &Self, text: &str, counter: u64, now: Timestamp) -> OutgoingMessage {
        self.message_to(&[to], text, counter, now)
    }

    /// A message to these devices of one box, each sealed to the sealing statement with this counter.
    pub fn message_to(&self, devices: &[&Self], text: &str, counter: u64, now: Timestamp) -> OutgoingMessage {
        let to = devices[0];
        let content = MessageContent {
            sender: self.box_id(),
            sender_device: self.device_id,
            sender_head: self.record.head(),
            recipient: to.box_id(),
            recipient_head: to.record.head(),
            conversation: Uuid::from_u128(1),
            message_id: MessageId(Uuid::new_v4()),
            sequence: 1,
            previous: None,
            time: now,
            kind: 1,
            body: text.as_bytes().into(),
            statements: Vec::new(),
        };
        let content = content.sign(&self.key).unwrap();
        let outer_id = OuterId(Uuid::new_v4());
        let keys: Vec<_> = devices.iter().map(|device| device.sealing_key.public_key()).collect();
        let devices: Vec<_> = devices
            .iter()
            .zip(&keys)
            .map(|(device, key)| RecipientDevice { device_id: device.device_id, sealing_counter: counter, key })
            .collect();
        let value = seal(&mut rng(), &content, outer_id, now.plus(DAY), &devices).unwrap();
        OutgoingMessage { recipient: to.box_id(), outer_id, value }
    }
}
