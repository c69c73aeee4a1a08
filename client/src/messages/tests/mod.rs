//! A device under test, and people whose keys the tests have.

mod content;
mod expiry;
mod hostile;
mod lacking_keys;
mod looked_up;
mod outbox;
mod own_devices;
mod receiving;
mod requests;

use std::sync::Arc;
use std::time::Duration;

use rossby_crypto::conversation::direct_conversation;
use rossby_crypto::key_record::{KeyRecord, VerifiedSealingStatement};
use rossby_crypto::keyed_hash::MasterSecret;
use rossby_crypto::message::{MessageContent, MessageValue, RecipientDevice, SignedContent, content_hash, seal};
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{found, link, request_link};
use rossby_crypto::token::DeviceToken;
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::http::messages::FetchedMessage;
use rossby_schemas::ids::{BoxId, DeviceId, Head, MessageId, OuterId, RegionNumber};
use rossby_schemas::time::{ManualClock, Timestamp};
use uuid::Uuid;

use super::receive::{Taken, Taking};
use crate::account::Own;
use crate::content::Content;
use crate::random::rng;
use crate::store::records;
use crate::{Client, ClientConfig, RegisterOptions, Retries, Unlock, Warning};

pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_795_512_600_000 + seconds * 1000).unwrap()
}

/// The device under test, as it is after it was authorized, with no server to ask.
pub(crate) struct Receiver {
    pub(crate) client: Client,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) session: Taking,
    pub(crate) sealing: VerifiedSealingStatement,
    _folder: tempfile::TempDir,
}

impl Receiver {
    pub(crate) async fn new() -> Self {
        Self::at_server("http://127.0.0.1:9").await
    }

    pub(crate) async fn at_server(url: &str) -> Self {
        Self::with_clock(url, Arc::new(ManualClock::new(at(0)))).await
    }

    pub(crate) async fn with_clock(url: &str, clock: Arc<ManualClock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let mut config = ClientConfig::new(home, Unlock::KeyFile(folder.path().join("key")));
        config.server = Some(url.to_owned());
        config.clock = clock.clone();
        let pause = Duration::from_millis(1);
        config.retries = Retries { first_pause: pause, longest_pause: pause, ..Retries::default() };
        let client = Client::create(config).await.unwrap();
        let options = RegisterOptions { region: RegionNumber(1), recovery_key: false, start_over: false };
        let (device, _) = client.new_device(&"ann@example.org".parse().unwrap(), options).await.unwrap();
        let secret = MasterSecret::new(1, &[7; 32]);
        let token = DeviceToken::derive(&secret, secret.token_id(device.box_id, device.device_id, 0));
        client.store.authorized(&client.vault, &token).await.unwrap();
        let device = client.device().await.unwrap();
        let mut connection = client.store.read().await.unwrap();
        let record = records::key_record(&mut connection, device.box_id).await.unwrap().unwrap();
        drop(connection);
        let sealing = client.store.sealing_keys().await.unwrap().remove(0);
        let sealing = record.verify_sealing(&sealing.statement, None).unwrap();
        Self { client, clock, session: Taking::new(Own { device, record }), sealing, _folder: folder }
    }

    pub(crate) async fn take(&mut self, fetched: &FetchedMessage) -> Taken {
        self.client.take(&mut self.session, fetched).await.unwrap()
    }

    /// What was not shown yet.
    pub(crate) async fn warned(&self) -> Vec<Warning> {
        let notices = self.client.warnings().await.unwrap();
        self.client.warnings_shown(&notices).await.unwrap();
        notices.into_iter().map(|notice| notice.warning).collect()
    }

    pub(crate) async fn texts(&self) -> Vec<String> {
        let messages = self.client.unread(100).await.unwrap();
        messages.into_iter().filter_map(|message| message.text).collect()
    }

    pub(crate) async fn is_forked(&self, record: &KeyRecord) -> bool {
        let mut connection = self.client.store.read().await.unwrap();
        records::is_forked(&mut connection, record.box_id()).await.unwrap()
    }
}

/// A device that writes.
pub(crate) struct Sender {
    pub(crate) key: SigningKey,
    pub(crate) device_id: DeviceId,
    pub(crate) record: KeyRecord,
}

impl Sender {
    pub(crate) fn new() -> Self {
        let (key, device_id) = (SigningKey::generate(&mut rng()), DeviceId(Uuid::new_v4()));
        let founded = found(&key, device_id, RegionNumber(1), [7; 32], None, at(0));
        let record = KeyRecord::verify(std::slice::from_ref(founded.octets())).unwrap();
        Self { key, device_id, record }
    }

    /// The record after it has linked a new device, and that device.
    pub(crate) fn linked(&self) -> Self {
        let (key, device_id) = (SigningKey::generate(&mut rng()), DeviceId(Uuid::new_v4()));
        let (box_id, head) = (self.record.box_id(), self.record.head());
        let request = request_link(&key, device_id, box_id, head);
        let statement = link(&self.key, self.device_id, box_id, head, &request, at(1));
        let mut record = self.record.clone();
        record.append(statement.octets()).unwrap();
        Self { key, device_id, record }
    }

    pub(crate) fn signed(
        &self,
        to: &Receiver,
        sequence: u64,
        previous: Option<Sha256Digest>,
        text: &str,
    ) -> SignedContent {
        self.signed_to(to, to.session.own.record.head(), sequence, previous, text)
    }

    pub(super) fn signed_to(
        &self,
        to: &Receiver,
        recipient_head: Head,
        sequence: u64,
        previous: Option<Sha256Digest>,
        text: &str,
    ) -> SignedContent {
        let recipient = to.session.own.device.box_id;
        let content = MessageContent {
            sender: self.record.box_id(),
            sender_device: self.device_id,
            sender_head: self.record.head(),
            recipient,
            recipient_head,
            conversation: direct_conversation(self.record.box_id(), recipient),
            message_id: MessageId(Uuid::new_v4()),
            sequence,
            previous,
            time: at(2),
            kind: 1,
            body: text.as_bytes().into(),
            statements: self.record.statements().to_vec(),
        };
        content.sign(&self.key).unwrap()
    }
}

/// What a device writes to the receiver, one after the other.
pub(crate) struct Writer {
    pub(crate) sender: Sender,
    sequence: u64,
    last: Option<SignedContent>,
}

impl Writer {
    pub(crate) fn new(sender: Sender) -> Self {
        Self { sender, sequence: 0, last: None }
    }

    /// The last message once more, sealed anew under another outer id.
    pub(crate) fn repeats(&self, to: &Receiver) -> FetchedMessage {
        fetched(to, self.last.as_ref().unwrap(), at(4))
    }

    /// Another device of the receiver's own box.
    pub(crate) fn own(of: &Receiver) -> Self {
        let Own { device, record } = &of.session.own;
        let key = SigningKey::from_seed(&device.signing_key.to_seed());
        Self::new(Sender { key, device_id: device.device_id, record: record.clone() }.linked())
    }

    pub(crate) fn box_id(&self) -> BoxId {
        self.sender.record.box_id()
    }

    /// The next message, as the server gives it. Gives its id too.
    pub(crate) fn writes(&mut self, to: &Receiver, kind: u32, body: &[u8]) -> (MessageId, FetchedMessage) {
        self.writes_at(to, kind, body, at(3))
    }

    /// The next message, which the server accepted at this time.
    pub(super) fn writes_at(
        &mut self,
        to: &Receiver,
        kind: u32,
        body: &[u8],
        accepted_at: Timestamp,
    ) -> (MessageId, FetchedMessage) {
        let id = MessageId(Uuid::new_v4());
        (id, self.writes_as(to, id, kind, body, accepted_at))
    }

    /// The next message, under an id of the writer's choice.
    pub(super) fn writes_as(
        &mut self,
        to: &Receiver,
        id: MessageId,
        kind: u32,
        body: &[u8],
        accepted_at: Timestamp,
    ) -> FetchedMessage {
        self.sequence += 1;
        let previous = self.last.as_ref().map(SignedContent::link_hash);
        let mut content = self.sender.signed(to, self.sequence, previous, "").content().clone();
        (content.message_id, content.kind, content.body) = (id, kind, body.into());
        let signed = content.sign(&self.sender.key).unwrap();
        let written = fetched(to, &signed, accepted_at);
        self.last = Some(signed);
        written
    }

    /// The next message, of a kind that this version knows.
    pub(super) fn says(&mut self, to: &Receiver, content: &Content) -> (MessageId, FetchedMessage) {
        self.writes(to, content.kind().number(), content.encode().unwrap().as_slice())
    }
}

/// A message as the server gives it to the receiver's device.
pub(crate) fn fetched(to: &Receiver, signed: &SignedContent, accepted_at: Timestamp) -> FetchedMessage {
    let outer_id = OuterId(Uuid::new_v4());
    let device = RecipientDevice::from(&to.sealing);
    let octets = seal(&mut rng(), signed, outer_id, at(1000), &[device]).unwrap();
    let value = MessageValue::parse(&octets).unwrap();
    let wrap = &value.wraps[0];
    FetchedMessage {
        outer_id,
        content_hash: content_hash(&octets),
        accepted_at,
        expires_at: value.expires_at,
        recipient_head: value.recipient_head,
        content: value.content.clone(),
        sealing_counter: wrap.sealing_counter,
        enc: wrap.enc.as_slice().into(),
        wrapped_key: wrap.wrapped_key.as_slice().into(),
        handle: outer_id.as_bytes().as_slice().into(),
    }
}

pub(crate) fn refused_with(taken: &Taken) -> &str {
    match taken {
        Taken::Refused(Warning::RefusedMessage { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}
