//! A service on a real log and real read models, with a projector at work, and people for it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rossby_commands::{CodeSender, SendCodeError, Service, ServiceConfig};
use rossby_crypto::authorize::AuthorizeProof;
use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::keyed_hash::{Code, MasterSecret, MasterSecrets};
use rossby_crypto::message::{MessageContent, RecipientDevice, seal};
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{SealingKeyStated, found, state_sealing_key};
use rossby_crypto::token::DeviceToken;
use rossby_log::TopicAdmin;
use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
use rossby_log::topics::TopicSpec;
use rossby_projections::{Projector, ProjectorConfig, ReadModels};
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::messages::OutgoingMessage;
use rossby_schemas::http::registration::{AuthorizeRequest, AuthorizeResponse, RegisterRequest, RegisterResponse};
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, MessageId, OuterId, RegionNumber};
use rossby_schemas::time::{Clock, ManualClock, Timestamp};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::outages::FaultyLog;

pub(crate) const HOME: RegionNumber = RegionNumber(1);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn rng() -> impl rand_core::CryptoRng {
    rand_core::UnwrapErr(getrandom::SysRng)
}

pub(crate) fn command() -> CommandId {
    CommandId(Uuid::new_v4())
}

/// Keeps the codes that were sent.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes(Mutex<Vec<(String, String)>>);

impl Mailboxes {
    /// The codes that an identifier got, in order.
    pub(crate) fn codes(&self, identifier: &str) -> Vec<String> {
        let identifier: Identifier = identifier.parse().unwrap();
        let sent = self.0.lock().unwrap();
        sent.iter().filter(|(to, _)| to == identifier.as_uri()).map(|(_, code)| code.clone()).collect()
    }
}

#[async_trait]
impl CodeSender for Mailboxes {
    async fn send(&self, identifier: &Identifier, code: &Code, _: Timestamp) -> Result<(), SendCodeError> {
        self.0.lock().unwrap().push((identifier.as_uri().to_owned(), code.digits().to_owned()));
        Ok(())
    }
}

pub(crate) struct World {
    _folder: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: Arc<FaultyLog>,
    pub(crate) models: ReadModels,
    pub(crate) mailboxes: Arc<Mailboxes>,
    pub(crate) service: Service,
    stop: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse::<Timestamp>().unwrap()));
        let log = SqliteLog::open(SqliteConfig::new(folder.path().join("log")), clock.clone()).await.unwrap();
        log.ensure_topics(&TopicSpec::local(2)).await.unwrap();
        let log = Arc::new(FaultyLog::new(Arc::new(log)));
        let url = format!("sqlite:{}", folder.path().join("read-models.sqlite").display());
        let models = ReadModels::open(&url, 10).await.unwrap();
        let stop = CancellationToken::new();
        let config = ProjectorConfig::single_region(HOME);
        let projector = Projector::new(models.clone(), log.clone(), clock.clone(), config);
        tokio::spawn(projector.run(stop.clone()));
        let mailboxes = Arc::new(Mailboxes::default());
        let service = service(&models, &log, &clock, &mailboxes);
        Self { _folder: folder, clock, log, models, mailboxes, service, stop }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits until a code has been sent that is not among the first `known`.
    pub(crate) async fn code(&self, identifier: &str, known: usize) -> String {
        for _ in 0..6000 {
            if let Some(code) = self.mailboxes.codes(identifier).get(known) {
                return code.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no code came");
    }
}

fn service(models: &ReadModels, log: &Arc<FaultyLog>, clock: &Arc<ManualClock>, mailboxes: &Arc<Mailboxes>) -> Service {
    let secrets = MasterSecrets::new(vec![MasterSecret::new(1, &[7; 32])]).unwrap();
    let mut config = ServiceConfig::single_region(HOME);
    config.timeouts.newer_head = Duration::from_millis(50);
    Service::new(config, models.clone(), log.clone(), secrets, clock.clone(), mailboxes.clone())
}

/// A person with one device.
pub(crate) struct Person {
    pub(crate) key: SigningKey,
    pub(crate) sealing_key: SealingSecretKey,
    pub(crate) record: KeyRecord,
    pub(crate) device_id: DeviceId,
    pub(crate) sealing_statement: Octets,
}

impl Person {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self::in_region(HOME, now)
    }

    pub(crate) fn in_region(region: RegionNumber, now: Timestamp) -> Self {
        let key = SigningKey::generate(&mut rng());
        let device_id = DeviceId(Uuid::new_v4());
        let founded =
            found(&key, device_id, region, *Uuid::new_v4().as_bytes().repeat(2).first_chunk().unwrap(), None, now);
        let record = KeyRecord::verify(std::slice::from_ref(founded.octets())).unwrap();
        let sealing_key = SealingSecretKey::generate(&mut rng());
        let mut person = Self { key, sealing_key, record, device_id, sealing_statement: Octets::default() };
        person.sealing_statement = person.sealing(1, now);
        person
    }

    /// A sealing statement with the person's key.
    pub(crate) fn sealing(&self, counter: u64, now: Timestamp) -> Octets {
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

    pub(crate) fn box_id(&self) -> BoxId {
        self.record.box_id()
    }

    pub(crate) fn register_request(&self, identifier: &str) -> RegisterRequest {
        RegisterRequest {
            command_id: command(),
            identifier: identifier.to_owned(),
            founding_statement: self.record.statements()[0].clone(),
            sealing_statement: self.sealing_statement.clone(),
        }
    }

    pub(crate) fn authorize_request(&self, registered: &RegisterResponse, code: &str) -> AuthorizeRequest {
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

    /// Opens the token of an answer.
    pub(crate) fn token(&self, response: &AuthorizeResponse) -> DeviceToken {
        DeviceToken::open(response.token_id.parse().unwrap(), &response.sealed_token, &self.sealing_key).unwrap()
    }

    /// A message to another person, sealed to the sealing statement with this counter.
    pub(crate) fn message(&self, to: &Self, text: &str, counter: u64, now: Timestamp) -> OutgoingMessage {
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
        let key = to.sealing_key.public_key();
        let device = RecipientDevice { device_id: to.device_id, sealing_counter: counter, key: &key };
        let value = seal(&mut rng(), &content, outer_id, now.plus(DAY), &[device]).unwrap();
        OutgoingMessage { recipient: to.box_id(), outer_id, value }
    }
}
