//! The own box's other devices: what waits for one that is no more, and a device that removes itself.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{get, post};
use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{Remover, SEALING_KEY_LIFETIME, SealingKeyStated, remove, state_sealing_key};
use rossby_schemas::http::messages::{PositionToken, SendOutcome, SendRequest, SendResponse, SendResult};
use rossby_schemas::http::problem::{Problem, ProblemType};
use rossby_schemas::ids::{BoxId, DeviceId};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::outbox::{shown, write};
use super::{Receiver, Sender, Writer, at};
use crate::content::Kind;
use crate::groups::GROUP_CHANGES;
use crate::messages::Written;
use crate::random::rng;
use crate::store::{messages, outbox, records};
use crate::{ClientError, Conversation, DeviceRef, MessageState, Warning};

/// The kind of a message by which a member of a group asks another for what is missing.
const GROUP_REQUEST: u32 = 22;

/// A server that shows the account as the test says, and takes all that is sent.
#[derive(Clone, Default)]
struct Server {
    account: Arc<Mutex<Value>>,
    /// To whom something was sent, and how many devices could open it.
    sent: Arc<Mutex<Vec<(BoxId, usize)>>>,
    /// Whether the asking device was removed.
    has_removed: Arc<Mutex<bool>>,
}

impl Server {
    async fn start() -> (Self, Receiver) {
        let server = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/v1/account", get(account))
            .route("/v1/account/statements", post(removes))
            .route("/v1/messages", post(takes))
            .fallback(async || refused(ProblemType::Unauthenticated))
            .with_state(server.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        let ann = Receiver::at_server(&url).await;
        server.shows(&ann, &ann.session.own.record.clone(), &[]);
        (server, ann)
    }

    /// The account is as this from now on: with this record, and the keys of these devices.
    fn shows(&self, ann: &Receiver, record: &KeyRecord, others: &[&Sender]) {
        let own = &ann.session.own.device;
        let mut sealing = vec![ann.sealing.octets().clone()];
        for other in others {
            let key = SealingSecretKey::generate(&mut rng()).public_key();
            let (created, expires) = (at(0), at(0).plus(SEALING_KEY_LIFETIME));
            let (box_id, device_id, head) = (own.box_id, other.device_id, record.head());
            let stated = SealingKeyStated { box_id, device_id, counter: 1, key, created, expires, head };
            sealing.push(state_sealing_key(&other.key, stated).octets().clone());
        }
        *self.account.lock().unwrap() = json!({
            "box_id": own.box_id,
            "device_id": own.device_id,
            "key_record": { "head": record.head(), "statements": record.statements(), "sealing_statements": sealing },
            "keys_version": record.head().version,
            "devices": [],
            "profile": {
                "version": 0, "discoverable": "everyone", "accept_from": "everyone",
                "blob": "", "blocks": [], "contacts": [],
            },
        });
    }
}

fn refused(kind: ProblemType) -> Response {
    let problem = Problem::new(kind);
    (StatusCode::from_u16(problem.status).unwrap(), Json(problem)).into_response()
}

async fn account(State(server): State<Server>) -> Response {
    if *server.has_removed.lock().unwrap() {
        return refused(ProblemType::Unauthenticated);
    }
    Json(server.account.lock().unwrap().clone()).into_response()
}

/// The first answer is lost on the way, and whoever was removed is known no more.
async fn removes(State(server): State<Server>) -> Response {
    if std::mem::replace(&mut *server.has_removed.lock().unwrap(), true) {
        return refused(ProblemType::Unauthenticated);
    }
    StatusCode::BAD_GATEWAY.into_response()
}

async fn takes(State(server): State<Server>, Json(request): Json<SendRequest>) -> Json<SendResponse> {
    let position = PositionToken("1/rossby.inbox/0/0".to_owned());
    let results = request.messages.into_iter().map(|message| {
        let value = rossby_crypto::message::MessageValue::parse(&message.value).unwrap();
        server.sent.lock().unwrap().push((message.recipient, value.wraps.len()));
        let outcome = SendOutcome::Accepted { accepted_at: at(5), position: position.clone() };
        SendResult { recipient: message.recipient, outer_id: message.outer_id, outcome }
    });
    Json(SendResponse { results: results.collect() })
}

/// The record after Ann's device has removed another.
fn without(ann: &Receiver, other: &Sender) -> KeyRecord {
    let own = &ann.session.own.device;
    let mut record = other.record.clone();
    let signer = Remover::Device(own.device_id);
    let removed = remove(&own.signing_key, signer, own.box_id, record.head(), other.device_id, at(2));
    record.append(removed.octets()).unwrap();
    record
}

/// Another device, which Ann's links now.
fn linked(ann: &Receiver, record: KeyRecord) -> Sender {
    let own = &ann.session.own.device;
    let key = SigningKey::from_seed(&own.signing_key.to_seed());
    Sender { key, device_id: own.device_id, record }.linked()
}

#[tokio::test]
async fn what_waits_for_a_device_that_was_removed_goes_to_none_that_is_linked_later() {
    let (server, ann) = Server::start().await;
    let own = ann.session.own.device.box_id;
    let tin = Writer::own(&ann).sender;
    server.shows(&ann, &tin.record, &[&tin]);
    ann.client.audit().await.unwrap();
    let (nobody, group) = (BoxId::from_bytes([9; 16]), Conversation::Group(Uuid::new_v4()));
    let note = write(&ann, Conversation::Direct(own), &[own], "to myself").await;
    let in_group = write(&ann, group, &[own, nobody], "to all").await;
    ann.client.tell_device_name(tin.device_id, "tin").await.unwrap();
    let waiting = async || outbox::waiting(&mut ann.client.store.read().await.unwrap(), own).await.unwrap().len();
    assert_eq!(waiting().await, 3);

    // The device is removed, by another one that is no more either, as far as this one knows.
    let record = without(&ann, &tin);
    server.shows(&ann, &record, &[]);
    ann.client.audit().await.unwrap();
    assert_eq!(waiting().await, 0);
    assert_eq!(shown(&ann, note).await.0, MessageState::Failed);
    let (state, recipients) = shown(&ann, in_group).await;
    assert_eq!((state, recipients.len()), (MessageState::Pending, 1), "it waits for whom it is for");
    let told = ann.warned().await;
    let not_sent: Vec<_> = told.iter().filter(|warning| matches!(warning, Warning::NotSent { .. })).collect();
    assert_eq!(not_sent.len(), 1, "the note alone: {told:?}");

    // The next device has what it is told from now on.
    let lamp = linked(&ann, record);
    server.shows(&ann, &lamp.record, &[&lamp]);
    ann.client.audit().await.unwrap();
    ann.client.tell_device_name(lamp.device_id, "lamp").await.unwrap();
    ann.client.flush().await.unwrap();
    assert_eq!(*server.sent.lock().unwrap(), [(own, 1)]);
}

#[tokio::test]
async fn what_waits_for_one_of_two_devices_goes_to_the_other() {
    let (server, ann) = Server::start().await;
    let own = ann.session.own.device.box_id;
    let tin = Writer::own(&ann).sender;
    let lamp = linked(&ann, tin.record.clone());
    server.shows(&ann, &lamp.record, &[&tin, &lamp]);
    ann.client.audit().await.unwrap();
    let note = write(&ann, Conversation::Direct(own), &[own], "to myself").await;
    let removed = Sender { key: lamp.key, device_id: lamp.device_id, record: lamp.record };
    server.shows(&ann, &without(&ann, &removed), &[&tin]);
    ann.client.audit().await.unwrap();
    ann.client.flush().await.unwrap();
    assert_eq!(shown(&ann, note).await.0, MessageState::Sent);
}

#[tokio::test]
async fn what_members_ask_each_other_of_groups_is_told_to_no_other_device() {
    let (server, ann) = Server::start().await;
    let device = ann.client.device().await.unwrap();
    let tin = Writer::own(&ann).sender;
    server.shows(&ann, &tin.record, &[&tin]);
    ann.client.audit().await.unwrap();
    let peer = BoxId::from_bytes([9; 16]);
    for (kind, told) in [(Kind::Text.number(), 1), (GROUP_CHANGES, 0), (GROUP_REQUEST, 0)] {
        let mut transaction = ann.client.store.begin().await.unwrap();
        let conversation = Conversation::Direct(peer);
        let written =
            Written { conversation, kind, body: b"{}".as_slice().into(), is_shown: false, frame: None, beside: None };
        let (message, _) = ann.client.compose(&mut transaction, &device, &[peer], written).await.unwrap();
        let stored = messages::message(&mut transaction, &ann.client.vault, message).await.unwrap();
        ann.client.tell_sent(&mut transaction, &device, &stored, at(5)).await.unwrap();
        let waiting = outbox::waiting(&mut transaction, device.box_id).await.unwrap();
        assert_eq!(waiting.len(), told, "kind {kind}");
    }
}

#[tokio::test]
async fn a_device_that_removed_itself_and_does_not_hear_so_is_removed() {
    let (server, ann) = Server::start().await;
    let this: DeviceRef = ann.session.own.device.device_id.to_string().parse().unwrap();
    assert_eq!(ann.client.remove_device(&this, None).await.unwrap(), ann.session.own.device.device_id);
    assert!(*server.has_removed.lock().unwrap());
    // Whoever was removed before has removed nothing.
    let again = ann.client.remove_device(&this, None).await;
    assert!(matches!(again, Err(ClientError::NotKnown(_))), "{again:?}");
}

#[tokio::test]
async fn a_device_that_is_no_longer_known_has_removed_no_other() {
    let (server, ann) = Server::start().await;
    let tin = Writer::own(&ann).sender;
    server.shows(&ann, &tin.record, &[&tin]);
    let other: DeviceRef = tin.device_id.to_string().parse().unwrap();
    let removed: Result<DeviceId, _> = ann.client.remove_device(&other, None).await;
    assert!(matches!(removed, Err(ClientError::NotKnown(_))), "{removed:?}");
    let known = records::own_record(&mut ann.client.store.read().await.unwrap(), tin.record.box_id()).await.unwrap();
    assert_eq!(known.members().count(), 2);
}
