//! A service on a real log and real read models, with a projector at work, and people who use it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rossby_commands::{Caller, CodeSender, CommandError, Refusal, SendCodeError, Service, ServiceConfig, Timeouts};
use rossby_crypto::authorize::AuthorizeProof;
use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::keyed_hash::{Code, MasterSecret, MasterSecrets};
use rossby_crypto::message::{MessageContent, RecipientDevice, seal};
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{SealingKeyStated, found, state_sealing_key};
use rossby_crypto::token::DeviceToken;
use rossby_log::{AppendError, Bounds, Log, LogError, LogRecord, Offset, PartitionReader, ReadError};
use rossby_projections::{Projector, ProjectorConfig, ProjectorError, ReadModels};
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::messages::OutgoingMessage;
use rossby_schemas::http::registration::{AuthorizeRequest, AuthorizeResponse, RegisterRequest, RegisterResponse};
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, MessageId, OuterId, RegionNumber};
use rossby_schemas::time::{Clock, ManualClock, Timestamp};
use rossby_schemas::topic::{Topic, TopicName};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::setting::Setting;

pub(crate) const HOME: RegionNumber = RegionNumber(1);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn rng() -> impl rand_core::CryptoRng {
    rand_core::UnwrapErr(getrandom::SysRng)
}

pub(crate) fn command() -> CommandId {
    CommandId(Uuid::new_v4())
}

/// What becomes of appends to a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Refused before anything was handed over.
    Refused,
    /// Never written, but nobody can tell.
    UnknownLost,
    /// Written, but nobody can tell.
    UnknownWritten,
    /// On its way still: it lands when the test says so.
    UnknownHeld,
}

/// A log whose appends fail as a test says.
#[derive(Debug)]
pub(crate) struct FaultyLog {
    log: Arc<dyn Log>,
    faults: Mutex<BTreeMap<Topic, Fault>>,
    held: Mutex<Vec<(TopicName, u32, LogRecord)>>,
}

impl FaultyLog {
    pub(crate) fn set(&self, topic: Topic, fault: Option<Fault>) {
        let mut faults = self.faults.lock().unwrap();
        match fault {
            Some(fault) => faults.insert(topic, fault),
            None => faults.remove(&topic),
        };
    }

    /// What was held back lands now, in its order.
    pub(crate) async fn land(&self) {
        let held = std::mem::take(&mut *self.held.lock().unwrap());
        for (topic, partition, record) in held {
            self.log.append(&topic, partition, record).await.unwrap();
        }
    }
}

#[async_trait]
impl Log for FaultyLog {
    async fn partitions(&self, topic: &TopicName) -> Result<u32, LogError> {
        self.log.partitions(topic).await
    }

    async fn append(&self, topic: &TopicName, partition: u32, record: LogRecord) -> Result<Offset, AppendError> {
        let fault = self.faults.lock().unwrap().get(&topic.topic).copied();
        let unknown = || Err(AppendError::Unknown("timed out".to_owned()));
        match fault {
            None => self.log.append(topic, partition, record).await,
            Some(Fault::Refused) => Err(AppendError::Refused(LogError::Unavailable("down".to_owned()))),
            Some(Fault::UnknownLost) => unknown(),
            Some(Fault::UnknownWritten) => {
                self.log.append(topic, partition, record).await?;
                unknown()
            }
            Some(Fault::UnknownHeld) => {
                self.held.lock().unwrap().push((topic.clone(), partition, record));
                unknown()
            }
        }
    }

    async fn bounds(&self, topic: &TopicName, partition: u32) -> Result<Bounds, LogError> {
        self.log.bounds(topic, partition).await
    }

    async fn read(
        &self,
        topic: &TopicName,
        partition: u32,
        from: Offset,
    ) -> Result<Box<dyn PartitionReader>, ReadError> {
        self.log.read(topic, partition, from).await
    }

    async fn health(&self) -> Result<(), LogError> {
        self.log.health().await
    }

    async fn close(&self) {
        self.log.close().await;
    }
}

/// Keeps the codes that were sent.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    sent: Mutex<Vec<(String, String)>>,
    /// Nothing gets there while this is set.
    pub(crate) are_full: AtomicBool,
}

impl Mailboxes {
    /// The codes that an identifier got, in order.
    pub(crate) fn codes(&self, identifier: &str) -> Vec<String> {
        let identifier: Identifier = identifier.parse().unwrap();
        let sent = self.sent.lock().unwrap();
        sent.iter().filter(|(to, _)| to == identifier.as_uri()).map(|(_, code)| code.clone()).collect()
    }
}

#[async_trait]
impl CodeSender for Mailboxes {
    async fn send(&self, identifier: &Identifier, code: &Code, _: Timestamp) -> Result<(), SendCodeError> {
        if self.are_full.load(Ordering::Relaxed) {
            return Err(SendCodeError("the mailbox is full".to_owned()));
        }
        self.sent.lock().unwrap().push((identifier.as_uri().to_owned(), code.digits().to_owned()));
        Ok(())
    }
}

pub(crate) struct World {
    folder: tempfile::TempDir,
    setting: Setting,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: Arc<FaultyLog>,
    pub(crate) models: ReadModels,
    pub(crate) mailboxes: Arc<Mailboxes>,
    pub(crate) service: Service,
    stop: CancellationToken,
    projector: JoinHandle<Result<(), ProjectorError>>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let setting = Setting::new().await;
        let clock = Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse::<Timestamp>().unwrap()));
        let mailboxes = Arc::new(Mailboxes::default());
        let (log, models) = open(&folder, &setting, &clock).await;
        let (stop, projector) = project(&models, &log, &clock);
        let timeouts = Timeouts { newer_head: Duration::from_millis(50), ..Timeouts::default() };
        let service = service(&models, &log, &clock, &mailboxes, timeouts);
        Self { folder, setting, clock, log, models, mailboxes, service, stop, projector }
    }

    /// Another process: it knows what the log and the tables hold, and nothing else.
    pub(crate) fn other_process(&self) -> Service {
        self.process(Timeouts { newer_head: Duration::from_millis(50), ..Timeouts::default() })
    }

    /// Another process that waits otherwise.
    pub(crate) fn process(&self, timeouts: Timeouts) -> Service {
        service(&self.models, &self.log, &self.clock, &self.mailboxes, timeouts)
    }

    /// The projector stands still until the restart.
    pub(crate) async fn stop_projector(&mut self) {
        self.stop.cancel();
        (&mut self.projector).await.unwrap().unwrap();
    }

    /// Ends everything, and starts it again on the same data.
    pub(crate) async fn restart(&mut self) {
        if !self.stop.is_cancelled() {
            self.stop_projector().await;
        }
        self.service.finish().await;
        self.models.close().await;
        self.log.close().await;
        (self.log, self.models) = open(&self.folder, &self.setting, &self.clock).await;
        (self.stop, self.projector) = project(&self.models, &self.log, &self.clock);
        self.service = self.other_process();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits until a code has been sent that is not among the first `known`.
    pub(crate) async fn code(&self, identifier: &str, known: usize) -> String {
        until("a code", async || self.mailboxes.codes(identifier).len() > known).await;
        self.mailboxes.codes(identifier).remove(known)
    }

    /// A person who has joined.
    pub(crate) async fn person(&self, identifier: &str) -> Person {
        let person = Person::new(self.now());
        let registered = person.register(&self.service, identifier).await.unwrap();
        let code = self.code(identifier, 0).await;
        person.authorize(&self.service, &registered, &code).await.unwrap();
        person
    }
}

async fn open(folder: &tempfile::TempDir, setting: &Setting, clock: &Arc<ManualClock>) -> (Arc<FaultyLog>, ReadModels) {
    let log = setting.log(folder.path(), clock.clone()).await;
    let models = ReadModels::open(&setting.read_models(folder.path()), 10).await.unwrap();
    (Arc::new(FaultyLog { log, faults: Mutex::default(), held: Mutex::default() }), models)
}

fn project(
    models: &ReadModels,
    log: &Arc<FaultyLog>,
    clock: &Arc<ManualClock>,
) -> (CancellationToken, JoinHandle<Result<(), ProjectorError>>) {
    let stop = CancellationToken::new();
    let config = ProjectorConfig::single_region(HOME);
    let projector = Projector::new(models.clone(), log.clone(), clock.clone(), config);
    (stop.clone(), tokio::spawn(projector.run(stop)))
}

fn service(
    models: &ReadModels,
    log: &Arc<FaultyLog>,
    clock: &Arc<ManualClock>,
    mailboxes: &Arc<Mailboxes>,
    timeouts: Timeouts,
) -> Service {
    let secrets = MasterSecrets::new(vec![MasterSecret::new(1, &[7; 32])]).unwrap();
    let config = ServiceConfig { timeouts, ..ServiceConfig::single_region(HOME) };
    Service::new(config, models.clone(), log.clone(), secrets, clock.clone(), mailboxes.clone())
}

/// Looks until it is so; fails after a minute.
pub(crate) async fn until(what: &str, look: impl AsyncFn() -> bool) {
    for _ in 0..6000 {
        if look().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came: {what}");
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

    pub(crate) fn caller(&self) -> Caller {
        Caller { box_id: self.box_id(), device_id: self.device_id }
    }

    pub(crate) fn register_request(&self, identifier: &str) -> RegisterRequest {
        RegisterRequest {
            command_id: command(),
            identifier: identifier.to_owned(),
            founding_statement: self.record.statements()[0].clone(),
            sealing_statement: self.sealing_statement.clone(),
        }
    }

    pub(crate) async fn register(&self, service: &Service, identifier: &str) -> Result<RegisterResponse, CommandError> {
        service.register(&self.register_request(identifier)).await
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

    pub(crate) async fn authorize(
        &self,
        service: &Service,
        registered: &RegisterResponse,
        code: &str,
    ) -> Result<AuthorizeResponse, CommandError> {
        service.authorize(registered.registration_id, &self.authorize_request(registered, code)).await
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

/// Why a command was refused.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, CommandError>) -> Refusal {
    match result {
        Err(CommandError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
